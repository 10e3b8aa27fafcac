//! Which lines a person wants to load: by time, by application, by a pattern.
//!
//! A line whose time is unknown (a torn line) passes a filter by time. A line whose application is unknown does not
//! pass a filter by application.

use regex::bytes::Regex;

use super::hit::Micros;

/// The conditions for a line; the default wants every line.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not before this time.
    pub since: Option<Micros>,
    /// Before this time.
    pub until: Option<Micros>,
    /// Of an application with one of these keys; of any application if there are none.
    pub apps: Vec<String>,
    /// Matches somewhere in the bytes of the line, as the log has them.
    pub pattern: Option<Regex>,
}

impl Filter {
    /// Whether it wants every line.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.apps.is_empty() && self.pattern.is_none()
    }

    /// Whether it wants a line. `key` is that of the line's application.
    pub fn wants(&self, line: &[u8], at: Option<Micros>, key: Option<&str>) -> bool {
        let in_time = at.is_none_or(|at| {
            self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
        });
        in_time
            && (self.apps.is_empty() || key.is_some_and(|key| self.apps.iter().any(|app| app == key)))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_asked_must_hold() {
        let all = Filter::default();
        assert!(all.is_open() && all.wants(b"", None, None));
        let some = Filter {
            since: Some(10),
            until: Some(20),
            apps: vec!["shop".into()],
            pattern: Some(Regex::new("/p/[0-9]").unwrap()),
        };
        assert!(!some.is_open());
        for (line, at, key, wanted) in [
            (&b"GET /p/1"[..], Some(10), Some("shop"), true),
            (b"\xff /p/1", Some(19), Some("shop"), true),
            (b"GET /p/1", None, Some("shop"), true),
            (b"GET /p/1", Some(20), Some("shop"), false),
            (b"GET /p/1", Some(9), Some("shop"), false),
            (b"GET /p/1", Some(10), Some("other"), false),
            (b"GET /p/1", Some(10), None, false),
            (b"GET /p/x", Some(10), Some("shop"), false),
        ] {
            assert_eq!(some.wants(line, at, key), wanted, "{at:?} {key:?}");
        }
    }
}
