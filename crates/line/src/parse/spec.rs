//! The description of a log's lines: from the command line, the configuration, or the row of a file in the database.
//!
//! It is not checked; [`Format::of`](super::Format::of) does that.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The format of a log's lines, and the applications that they belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// `alt1`, `combined`, `common`, `vhost_combined`, or an nginx `log_format`.
    pub format: String,
    /// The product whose tracking pixel was logged, or the form of its requests (`/px.gif?url=u&ref=r`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel: Option<String>,
    /// Which requests are events, by their status (`2xx,304`), if not all, or those that a pixel's log has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The application of lines that name none and whose site is not in `sites`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Names of sites (virtual hosts, or names that a pixel uses) and their applications.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sites: BTreeMap<String, String>,
    /// Stands for the source in the ids that are made for lines without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Spec {
    /// Lines of this format; it names no application.
    pub fn new(format: &str) -> Self {
        Spec { format: format.to_owned(), ..Spec::default() }
    }

    /// Whether it names an application for hits that name none.
    pub fn names_app(&self) -> bool {
        self.app.is_some() || !self.sites.is_empty()
    }

    /// Stands for the source in ids: the label, else the application if there are no sites. With sites, the application
    /// may change without making other events of the same lines.
    pub fn id_label(&self) -> &str {
        let app = self.app.as_deref().filter(|_| self.sites.is_empty());
        self.label.as_deref().or(app).unwrap_or_default()
    }

    /// Whether lines that were read as this become other events if they are read as `other`: with other ids, if the
    /// lines have `none`, or of another application. Added sites do not count. Neither does another format: with a
    /// wrong one, hardly a line was a hit.
    pub fn makes_others_than(&self, other: &Spec, none: bool) -> bool {
        self.format == other.format
            && (none && self.id_label() != other.id_label() || self.app.is_some() && self.app != other.app)
    }

    /// The options by which `other` makes other rows of the same lines; labels count only if lines have no ids.
    pub fn differs(&self, other: &Spec, lines_have_ids: bool) -> Vec<&'static str> {
        if self.format != other.format {
            return vec!["--format"];
        }
        if self.format == "alt1" {
            return Vec::new();
        }
        [
            ("--pixel", self.pixel != other.pixel),
            ("--status", self.status != other.status),
            ("--app", self.app != other.app),
            ("--site", self.sites != other.sites),
            ("--label", !lines_have_ids && self.label != other.label),
        ]
        .into_iter()
        .filter_map(|(option, differs)| differs.then_some(option))
        .collect()
    }
}

/// Why a [`Spec`] is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// Which part of it is wrong: `format`, `pixel`, `status` or `sites`.
    pub part: &'static str,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.what)
    }
}

impl std::error::Error for SpecError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_stored_as_json_without_what_is_absent() {
        let spec = Spec::new("combined");
        assert_eq!(serde_json::to_string(&spec).unwrap(), r#"{"format":"combined"}"#);
        let whole = Spec {
            pixel: Some("matomo".into()),
            status: Some("2xx".into()),
            app: Some("KEY".into()),
            sites: [("1".to_owned(), "A".to_owned())].into(),
            label: Some("stats".into()),
            ..spec
        };
        let json = serde_json::to_string(&whole).unwrap();
        insta::assert_snapshot!(json, @r#"{"format":"combined","pixel":"matomo","status":"2xx","app":"KEY","sites":{"1":"A"},"label":"stats"}"#);
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), whole);
        for wrong in
            ["{}", r#"{"format":"combined","site":{}}"#, r#"{"format":1}"#, r#"{"format":"a","sites":[]}"#]
        {
            assert!(serde_json::from_str::<Spec>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_label_or_application_makes_other_events_of_the_same_lines() {
        let of = |app: Option<&str>, label: Option<&str>| Spec {
            app: app.map(str::to_owned),
            label: label.map(str::to_owned),
            ..Spec::new("combined")
        };
        for (before, now, own_ids, others) in [
            (of(None, None), of(None, None), false, false),
            (of(Some("A"), None), of(Some("A"), None), false, false),
            (of(Some("A"), None), of(Some("A"), Some("A")), false, false),
            (of(Some("A"), None), of(Some("B"), None), false, true),
            (of(Some("A"), Some("x")), of(Some("B"), Some("x")), false, true),
            (of(Some("A"), Some("x")), of(Some("A"), None), false, true),
            (of(None, Some("x")), of(Some("A"), Some("x")), false, false),
            (of(None, None), of(None, Some("x")), true, false),
            (of(Some("A"), None), of(Some("B"), None), true, true),
        ] {
            assert_eq!(before.makes_others_than(&now, !own_ids), others, "{before:?} {now:?}");
        }
    }

    #[test]
    fn only_what_makes_other_rows_is_a_difference() {
        let app = |app: &str| Spec { app: Some(app.into()), ..Spec::new("combined") };
        let labelled = |label: &str| Spec { label: Some(label.into()), ..app("A") };
        let sites = Spec { sites: [("1".to_owned(), "A".to_owned())].into(), ..Spec::new("combined") };
        let alt1 = Spec { label: Some("beacon".into()), ..Spec::new("alt1") };
        for (one, other, ids, expect) in [
            (app("A"), app("A"), false, &[][..]),
            (app("A"), app("B"), false, &["--app"]),
            (app("A"), sites, false, &["--app", "--site"]),
            (app("A"), Spec { pixel: Some("matomo".into()), ..app("A") }, true, &["--pixel"]),
            (app("A"), Spec { status: Some("2xx".into()), ..app("A") }, true, &["--status"]),
            (labelled("a"), labelled("b"), false, &["--label"]),
            (labelled("a"), labelled("b"), true, &[]),
            (labelled("a"), app("A"), false, &["--label"]),
            (app("A"), alt1.clone(), false, &["--format"]),
            (alt1, Spec::new("alt1"), true, &[]),
        ] {
            assert_eq!(one.differs(&other, ids), expect, "{one:?} {other:?}");
            assert_eq!(other.differs(&one, ids), expect, "{other:?} {one:?}");
        }
    }

    #[test]
    fn ids_go_by_the_label_then_by_the_only_application() {
        let mut spec = Spec { app: Some("KEY".into()), ..Spec::new("combined") };
        assert_eq!(spec.id_label(), "KEY");
        spec.sites.insert("shop.example".into(), "A".into());
        assert_eq!(spec.id_label(), "");
        spec.label = Some("shop".into());
        assert_eq!(spec.id_label(), "shop");
    }
}
