//! A cache of URLs and their parts, because the same pages and referrers occur again and again.
//!
//! Most URLs are plain: the kept parts are pieces of the URL as it was sent. The cache has the places of these pieces;
//! any other URL is split and masked anew each time.

use super::cache::Cache;
use super::mask::{self, Names};
use super::params;
use super::url::Parts;
use crate::hit::Hit;

/// Longer URLs hardly occur twice.
const BYTES_MAX: usize = 512;

/// A URL's parts.
#[derive(Debug)]
pub(super) struct CachedUrl<'a> {
    pub(super) parts: Parts<'a>,
    /// It has a scheme, a host in lower case, no default port, and nothing that is masked, left out (except a fragment)
    /// or kept elsewhere.
    pub(super) is_plain: bool,
}

impl<'a> CachedUrl<'a> {
    /// What is kept of the whole URL if it is plain.
    pub(super) fn plain(&self, whole: &'a str) -> &'a str {
        let query = if self.parts.query.is_empty() { 0 } else { self.parts.query.len() + 1 };
        &whole[..self.parts.before.len() + self.parts.authority.len() + self.parts.path.len() + query]
    }
}

/// Where the parts of a plain URL end.
#[derive(Debug, Clone, Copy)]
struct Plain {
    scheme: u16,
    before: u16,
    authority: u16,
    path: u16,
    /// The same as `path` if there is no query.
    query: u16,
}

/// The cache; `None` for a URL that is not plain.
#[derive(Debug)]
pub(super) struct UrlCache(Cache<Option<Plain>>);

impl UrlCache {
    pub(super) fn new() -> Self {
        UrlCache(Cache::new())
    }

    /// Splits the page's URL, or the target of a request, into its parts.
    pub(super) fn page<'a>(&mut self, hit: &Hit<'a>, names: Names<'_>) -> CachedUrl<'a> {
        if hit.is_request {
            CachedUrl { parts: Parts::of_target(hit.page_url), is_plain: false }
        } else {
            self.of(hit.page_url, names)
        }
    }

    /// Splits the referrer into its parts.
    pub(super) fn referrer<'a>(&mut self, hit: &Hit<'a>, names: Names<'_>) -> CachedUrl<'a> {
        // A plain URL loses its fragment.
        if hit.is_request && memchr::memchr(b'#', hit.referrer.as_bytes()).is_some() {
            CachedUrl { parts: Parts::as_sent(hit.referrer), is_plain: false }
        } else {
            self.of(hit.referrer, names)
        }
    }

    /// Splits a URL into its parts.
    fn of<'a>(&mut self, url: &'a str, names: Names<'_>) -> CachedUrl<'a> {
        // With a list of allowed names, what is masked depends on the application.
        let is_usual = !matches!(names, Names::Allow { .. }) && (1..=BYTES_MAX).contains(&url.len());
        // A query that is plain may have identifiers.
        let is_kept = |plain: &Plain| matches!(names, Names::Secret) || plain.query == plain.path;
        match is_usual.then(|| *self.0.of(url, |_| plain(url))).flatten().filter(is_kept) {
            Some(plain) => CachedUrl { parts: plain.parts(url), is_plain: true },
            None => CachedUrl { parts: Parts::of(url), is_plain: false },
        }
    }
}

impl Plain {
    fn parts<'a>(&self, url: &'a str) -> Parts<'a> {
        let [scheme, before, authority, path, query] =
            [self.scheme, self.before, self.authority, self.path, self.query].map(usize::from);
        Parts {
            scheme: &url[..scheme],
            before: &url[..before],
            has_userinfo: false,
            authority: &url[before..authority],
            path: &url[authority..path],
            query: url.get(path + 1..query).unwrap_or_default(),
            route: "",
        }
    }
}

fn plain(url: &str) -> Option<Plain> {
    let parts = Parts::of(url);
    // What costs little comes first: a URL that is not plain is masked again when it is written.
    if parts.scheme.is_empty()
        || parts.authority.is_empty()
        || parts.authority != parts.host_and_port()
        || parts.authority.bytes().any(|b| b.is_ascii_uppercase())
        || parts.has_userinfo
        || !parts.route.is_empty()
        || params::has_campaign(parts.query)
    {
        return None;
    }
    let mut masked = String::new();
    // The quick check also says yes to addresses with a number, which are plain, and occur again and again.
    let look = mask::suspicious(url, true);
    if (look && mask::value(parts.authority, &mut masked))
        || mask::path(parts.path, look, &mut masked)
        || mask::query(parts.query, Names::Secret, look, &mut masked)
    {
        return None;
    }
    let end = |length: usize| u16::try_from(length).ok();
    let before = parts.before.len();
    let authority = before + parts.authority.len();
    let path = authority + parts.path.len();
    let query = if parts.query.is_empty() { path } else { path + 1 + parts.query.len() };
    Some(Plain {
        scheme: end(parts.scheme.len())?,
        before: end(before)?,
        authority: end(authority)?,
        path: end(path)?,
        query: end(query)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain() {
        for url in [
            "https://shop.example",
            "https://shop.example/",
            "https://shop.example/a/b?category=2&page=3#top",
            "http://shop.example:8080?x",
            "app://settings/wifi?",
            "https://shop.example/products/winter-jackets-2024-12345?item=20240131",
        ] {
            assert!(plain(url).is_some(), "{url}");
        }
        for url in [
            "",
            "/a/b",
            "//shop.example/",
            "about:blank",
            "https://Shop.example/",
            "https://shop.example:443/",
            "https://shop.example./",
            "https://bob@shop.example/",
            "https://shop.example/#/route",
            "https://shop.example/bob@example.com",
            "https://shop.example/cart;jsessionid=x",
            "https://shop.example/?token=x",
            "https://shop.example/?next=%2Flogin%3Ftoken%3Dx",
            "https://shop.example/?a=1&utm_source=x",
            "https://4111111111111111.example/",
        ] {
            assert!(plain(url).is_none(), "{url}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn a_plain_url_has_the_same_parts(
            url in "(https?|app|data):(//)?(u@|)[a-zé.]{0,8}(:[0-9]{0,3})?(/|\\?|#|%|=|&|;|é|[a-z]|token|eyJ|4111111111111111){0,9}",
        ) {
            if let Some(plain) = plain(&url) {
                prop_assert_eq!(plain.parts(&url), Parts::of(&url));
            }
        }
    }
}
