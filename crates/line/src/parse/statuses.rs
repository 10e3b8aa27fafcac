//! Which requests of an access log are events, by the status of their answer.

/// A choice of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// Reads a list such as `2xx,304,500-599`, or `all`.
    ///
    /// # Errors
    /// Says what is no status, and how to write one.
    pub fn compile(text: &str) -> Result<Statuses, String> {
        if text.trim() == "all" {
            return Ok(Statuses(vec![(0, 999)]));
        }
        let item = |item: &str| {
            range(item.trim())
                .ok_or_else(|| format!("`{item}` is no status: write a list such as 2xx,304,500-599, or all"))
        };
        text.split(',').map(item).collect::<Result<_, _>>().map(Statuses)
    }

    /// Those of a pixel's log unless somebody chooses: all except redirects, because the request that follows a redirect
    /// is in the log, too.
    pub(super) fn of_a_pixel() -> Statuses {
        Statuses(vec![(0, 299), (304, 304), (400, 999)])
    }

    /// Whether a request with this status is an event.
    pub(super) fn has(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

/// The first and the last status of `204`, `2xx` or `400-499`.
fn range(item: &str) -> Option<(u16, u16)> {
    let status = |text: &str| -> Option<u16> {
        let is_one = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| is_one)
    };
    if let Some(hundreds) = item.strip_suffix("xx").or_else(|| item.strip_suffix("XX")) {
        let first = status(&format!("{hundreds}00"))?;
        return Some((first, first + 99));
    }
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last) = (status(first)?, status(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_statuses_are_read_or_explained() {
        for (text, has, has_not) in [
            ("2xx,304", &[200, 204, 299, 304][..], &[199, 300, 303, 404, 0][..]),
            (" 404 , 500-502,4XX ", &[404, 400, 499, 500, 502], &[200, 503]),
            ("all", &[0, 200, 302, 999], &[]),
            ("000", &[0], &[1, 200]),
        ] {
            let statuses = Statuses::compile(text).unwrap();
            assert!(has.iter().all(|status| statuses.has(*status)), "{text}");
            assert!(!has_not.iter().any(|status| statuses.has(*status)), "{text}");
        }
        for (text, part) in [
            ("", "``"),
            ("2xx,", "``"),
            ("20", "`20`"),
            ("2x", "`2x`"),
            ("xx", "`xx`"),
            ("+20", "`+20`"),
            ("500-400", "`500-400`"),
            ("200-", "`200-`"),
            ("2xx;304", "`2xx;304`"),
            ("ok", "`ok`"),
        ] {
            let error = Statuses::compile(text).unwrap_err();
            assert!(error.contains(part) && error.contains("2xx,304"), "{text}: {error}");
        }
    }
}
