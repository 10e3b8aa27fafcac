//! What `alt check` finds: the kinds of findings, how serious each is, and which of them the operator accepts.

use alt_config::Config;
use nix::unistd::{User, geteuid};
use serde::{Serialize, Serializer};

use crate::account::NAME;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Hits are lost, or no row comes of them.
    Error,
    /// It may become an error, or affects privacy or numbers.
    Warning,
    /// Worth knowing; it changes no exit code.
    Note,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

macro_rules! kinds {
    ($($kind:ident $id:literal $severity:ident,)*) => {
        /// What a finding is about. Its name may stand in `[check] accepted`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind { $($kind,)* }

        impl Kind {
            /// All names.
            pub(super) const IDS: &'static [&'static str] = &[$($id,)*];

            pub(super) fn id(self) -> &'static str {
                match self { $(Kind::$kind => $id,)* }
            }

            fn severity(self) -> Severity {
                match self { $(Kind::$kind => Severity::$severity,)* }
            }
        }
    };
}

kinds! {
    Configuration "configuration" Error,
    Accepted "accepted" Warning,
    Secrets "secrets" Warning,
    NoLog "no-log" Error,
    Unreadable "unreadable" Error,
    LogDirectory "log-directory" Warning,
    OpenLog "open-log" Warning,
    DiskFull "disk-full" Error,
    DiskNearlyFull "disk-nearly-full" Warning,
    DiskWasFull "disk-was-full" Warning,
    Temporary "temporary" Error,
    Sandbox "sandbox" Error,
    Memory "memory" Warning,
    OpenFiles "open-files" Error,
    Format "format" Error,
    Rejects "rejects" Warning,
    RealIp "real-ip" Warning,
    Logrotate "logrotate" Warning,
    UnlimitedLog "unlimited-log" Warning,
    Database "database" Error,
    Clock "clock" Warning,
    Rights "rights" Error,
    Roles "roles" Warning,
    Applications "applications" Error,
    Settings "settings" Warning,
    Poison "poison" Warning,
    Retention "retention" Warning,
    MissingLog "missing-log" Warning,
    Daemon "daemon" Error,
    Lag "lag" Warning,
    Statistics "statistics" Warning,
    PageViews "page-views" Note,
    Alerts "alerts" Warning,
    Archive "archive" Error,
    Name "name" Error,
    NameFromHere "name-from-here" Warning,
    Certificate "certificate" Error,
    PrivateCertificate "private-certificate" Note,
    Answer "answer" Error,
    Script "script" Error,
    LostHit "lost-hit" Error,
    Web "web" Warning,
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    /// The configuration accepts it.
    pub(super) accepted: bool,
    /// The problem.
    pub(super) what: String,
    /// The place: a file, a directive, a server.
    pub(super) place: String,
    /// What to do.
    pub(super) mend: String,
}

impl Finding {
    /// Whether it is a reason for an exit code of its own.
    pub(super) fn counts(&self) -> bool {
        !self.accepted && self.severity != Severity::Note
    }
}

/// The findings so far, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    pub(super) not_checked: Vec<String>,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        kind: Kind,
        place: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let (place, what, mend) = (place.into(), what.into(), mend.into());
        let finding = Finding { kind, severity: kind.severity(), accepted: false, what, place, mend };
        if !self.all.contains(&finding) {
            self.all.push(finding);
        }
    }

    /// Notes what this account cannot see.
    pub(super) fn not_checked(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.not_checked.contains(&what) {
            self.not_checked.push(what);
        }
    }

    /// Marks what the configuration accepts, and finds names there that mean nothing. The gravest come first.
    pub(super) fn accept(&mut self, config: &Config) {
        for name in &config.check.accepted {
            let (id, place) =
                name.split_once(' ').map_or((name.as_str(), None), |(id, place)| (id, Some(place)));
            if !Kind::IDS.contains(&id) {
                let what = format!("`{id}` is no kind of finding");
                let mend = format!(
                    "write some of these, with a space and the place behind, if only one is meant: {}",
                    Kind::IDS.join(", ")
                );
                self.add(Kind::Accepted, "[check] accepted", what, mend);
            }
            let is_meant = |finding: &&mut Finding| {
                finding.kind.id() == id && place.is_none_or(|place| finding.place == place)
            };
            self.all.iter_mut().filter(is_meant).for_each(|finding| finding.accepted = true);
        }
        self.all.sort_by_key(|finding| (finding.accepted, finding.severity));
    }
}

/// Whether this is neither root nor the daemon's account: such an account sees a part only, and what it may not read is no
/// problem of the installation.
pub(super) fn is_ordinary() -> bool {
    let me = geteuid();
    let daemon = User::from_name(NAME).ok().flatten();
    !me.is_root() && daemon.is_some_and(|daemon| daemon.uid != me)
}
