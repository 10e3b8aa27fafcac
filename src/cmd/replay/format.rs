//! Which format the lines of a replay have: found by their first lines if no format is named, and checked for each log
//! before anything of it is loaded.

use std::collections::BTreeMap;
use std::io;

use alt_collect::source::inputs::Item;
use alt_line::detect::{self, Guess, HEAD_BYTES};
use alt_line::parse::{Format, Terms};
use anyhow::bail;

use crate::cmd::show;

/// The value of `--format` by which the first lines decide.
pub(in crate::cmd) const AUTO: &str = "auto";

/// The format where there is nothing to look at, such as objects that have to be fetched first.
pub(in crate::cmd) const DEFAULT: &str = "alt1";

/// So few lines, of no format that has a name, are loaded as [`DEFAULT`]: each is a reject, and is counted.
const LINES_FEW: usize = 10;

/// What to do if no format is found.
const NAME_IT: &str = "name it: --format alt1, combined, common, vhost_combined, or the nginx log_format of the log, \
                       such as --format '$remote_addr [$time_local] \"$request\" $status $body_bytes_sent'";

/// The format of these logs. Logs whose format is not clear do not decide: [`Expected::check`] looks at them again.
///
/// # Errors
/// The logs are of several formats, or no log is of one that has a name.
pub(in crate::cmd) fn detect(items: &[Item], terms: &Terms) -> anyhow::Result<&'static str> {
    let mut found: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut unclear = None;
    for item in items {
        // Loading reports what cannot be read.
        let Ok(head) = item.head(HEAD_BYTES) else { continue };
        match detect::guess(&head, terms) {
            Guess::Empty => {}
            // A piece of a log, such as a single line that is torn.
            Guess::Unknown(lines) if lines < LINES_FEW => {}
            Guess::Named(name) => {
                found.entry(name).or_insert_with(|| item.shown());
            }
            Guess::Mixed(..) | Guess::Unknown(_) if unclear.is_some() => {}
            Guess::Unknown(lines) => {
                unclear = Some(format!(
                    "{}: none of its first {lines} lines is of a format that has a name",
                    show::safe(&item.shown())
                ));
            }
            Guess::Mixed(some, lines) => {
                let some: Vec<String> = some.iter().map(|(name, n)| format!("{n} are {name}")).collect();
                unclear = Some(format!(
                    "{}: of its first {lines} lines {}, and the format is not clear",
                    show::safe(&item.shown()),
                    some.join(", ")
                ));
            }
        }
    }
    match (found.len(), unclear) {
        (0, Some(unclear)) => bail!("{unclear}; {NAME_IT}"),
        (0, None) => Ok(DEFAULT),
        (1, _) => Ok(found.first_key_value().map_or(DEFAULT, |(name, _)| *name)),
        _ => {
            let all: Vec<String> =
                found.iter().map(|(name, log)| format!("{name} ({})", show::safe(log))).collect();
            bail!(
                "the logs are of several formats: {}; replay those of each format by themselves, with --format",
                all.join(", ")
            )
        }
    }
}

/// The format that every log should have.
pub(in crate::cmd) struct Expected<'a> {
    pub(in crate::cmd) format: &'a Format,
    pub(in crate::cmd) terms: &'a Terms,
    /// Load logs of another format, too: their lines are rejects.
    pub(in crate::cmd) any: bool,
}

impl Expected<'_> {
    /// Checks that not nearly all of the first lines are of another format. A log of another format would become
    /// rejects, and count as loaded.
    ///
    /// # Errors
    /// They are; nothing of the log should be loaded. Or the log cannot be read.
    pub(in crate::cmd) fn check(&self, item: &Item) -> io::Result<()> {
        if self.any {
            return Ok(());
        }
        let head = item.head(HEAD_BYTES)?;
        let fit = detect::fit(&head, self.format, self.terms);
        if !fit.is_another() {
            return Ok(());
        }
        let mend = match detect::guess(&head, self.terms) {
            Guess::Named(name) => format!("they are of the format {name}: name it with --format {name}"),
            _ => NAME_IT.to_owned(),
        };
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "of its first {} lines {} are not of the format {}; {mend}; nothing of it was loaded \
                 (--accept-rejects loads it as it is)",
                fit.lines,
                fit.lines - fit.fitting,
                self.format.name()
            ),
        ))
    }
}
