//! The application of a line that names none: by its virtual host or its pixel's site, else the default.
//!
//! The list is made once from the names in the configuration. A look-up allocates nothing and ignores case; of the
//! names that match, the longest counts.

use std::collections::BTreeMap;

use super::enrich::url::without_port;

/// Names of sites and the keys of their applications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sites {
    /// The application of sites without an entry.
    other: Option<String>,
    /// Whole names and keys; names in lower case, sorted.
    whole: Vec<(String, String)>,
    /// `.example.com` for `*.example.com`, and keys; likewise.
    below: Vec<(String, String)>,
}

impl Sites {
    /// `sites` maps names to keys; `app` is the key for sites without an entry.
    pub fn new(app: Option<String>, sites: &BTreeMap<String, String>) -> Self {
        let mut all = Sites { other: app, ..Sites::default() };
        for (name, key) in sites {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(end) => all.below.push((end.to_owned(), key.clone())),
                None => all.whole.push((name, key.clone())),
            }
        }
        all.whole.sort();
        all.below.sort();
        all
    }

    /// The key of a site's application. The port of a host and a dot at its end do not count.
    pub fn of(&self, site: &str) -> Option<&str> {
        self.named(site).or(self.other.as_deref())
    }

    fn named(&self, site: &str) -> Option<&str> {
        if site.is_empty() || (self.whole.is_empty() && self.below.is_empty()) {
            return None;
        }
        let host = without_port(site);
        let host = host.strip_suffix('.').unwrap_or(host);
        let whole = || found(&self.whole, site).or_else(|| found(&self.whole, host));
        let mut ends = host.match_indices('.').map(|(at, _)| &host[at..]);
        whole().or_else(|| ends.find_map(|end| found(&self.below, end)))
    }
}

fn found<'s>(list: &'s [(String, String)], name: &str) -> Option<&'s str> {
    let lower = || name.bytes().map(|byte| byte.to_ascii_lowercase());
    let at = list.binary_search_by(|entry| entry.0.bytes().cmp(lower())).ok()?;
    Some(&list[at].1)
}

/// Reads `NAME=APP`: a name and its application.
///
/// # Errors
/// Says what is wrong with the text.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, app) = text.split_once('=').ok_or_else(|| {
        format!("`{text}` is no NAME=APP: write the site's name as the log has it, and its application")
    })?;
    let (name, app) = (name.trim(), app.trim());
    check(name, app)?;
    Ok((name.to_owned(), app.to_owned()))
}

/// Checks whether a name and its application can be used.
///
/// # Errors
/// Says what is wrong with them.
pub fn check(name: &str, app: &str) -> Result<(), String> {
    if name.is_empty() || app.is_empty() {
        return Err(format!("`{name}={app}`: a site has a name and an application"));
    }
    let below = name.strip_prefix('*').map(|end| end.strip_prefix('.').unwrap_or_default());
    if below == Some("") || below.unwrap_or(name).contains('*') {
        return Err(format!(
            "`{name}`: a * stands only at the beginning, for all below a domain: *.example.com"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_whatever_its_case() {
        let entries = [
            ("shop.example", "A"),
            ("*.Example.com", "B"),
            ("*.eu.example.com", "C"),
            ("www.eu.example.com", "D"),
            ("7", "E"),
            ("dev.example:8080", "F"),
            ("Böse.example", "G"),
        ];
        let map = entries.map(|(name, key)| (name.to_owned(), key.to_owned())).into();
        for (site, expect) in [
            ("shop.example", Some("A")),
            ("SHOP.Example", Some("A")),
            ("shop.example.", Some("A")),
            ("shop.example:443", Some("A")),
            ("www.example.com", Some("B")),
            ("a.b.EXAMPLE.com:8080", Some("B")),
            ("a.eu.example.com", Some("C")),
            ("www.eu.example.com", Some("D")),
            ("eu.example.com", Some("B")),
            ("7", Some("E")),
            ("dev.example:8080", Some("F")),
            ("Böse.EXAMPLE", Some("G")),
            ("dev.example", None),
            ("example.com", None),
            (".example.com", Some("B")),
            ("badexample.com", None),
            ("www.shop.example", None),
            ("77", None),
            ("", None),
            (".", None),
            (":80", None),
            ("*.example.com", Some("B")),
            ("é", None),
        ] {
            assert_eq!(Sites::new(None, &map).of(site), expect, "{site}");
            assert_eq!(Sites::new(Some("Z".into()), &map).of(site), expect.or(Some("Z")), "{site}");
        }
        assert_eq!(Sites::default().of("shop.example"), None);
    }

    #[test]
    fn pairs_are_read_or_explained() {
        assert_eq!(pair("shop.example=My=shop"), Ok(("shop.example".into(), "My=shop".into())));
        assert_eq!(pair(" *.example = A "), Ok(("*.example".into(), "A".into())));
        for (text, part) in [
            ("shop.example", "no NAME=APP"),
            ("", "no NAME=APP"),
            ("=A", "a name and an application"),
            ("a=", "a name and an application"),
            (" = ", "a name and an application"),
            ("*=A", "only at the beginning"),
            ("*.=A", "only at the beginning"),
            ("*shop=A", "only at the beginning"),
            ("a.*=A", "only at the beginning"),
            ("*.*.a=A", "only at the beginning"),
        ] {
            assert!(pair(text).unwrap_err().contains(part), "{text}: {:?}", pair(text));
        }
    }
}
