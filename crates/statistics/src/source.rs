//! Where a visit came from: its source and its channel.
//!
//! A known source is a line of data/sources.txt: its channel, its name, its hosts and other names.

use std::borrow::Cow;
use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt};

use crate::event::Event;

const SOURCES: &str = include_str!("../data/sources.txt");

/// The source of a visit that names none and has no referrer.
pub const DIRECT: &str = "direct";

/// Values of `utm_medium` that say that somebody paid.
const PAID: [&str; 16] = [
    "cpc",
    "ppc",
    "cpm",
    "cpv",
    "cpa",
    "cpp",
    "paid",
    "paidsearch",
    "paid_search",
    "paid-search",
    "paidsocial",
    "paid_social",
    "paid-social",
    "display",
    "banner",
    "retargeting",
];

/// Click identifiers: the name, the source, whether it is an advertisement's.
const CLICKS: [(&str, &str, bool); 10] = [
    ("gclid", "google", true),
    ("gbraid", "google", true),
    ("wbraid", "google", true),
    ("dclid", "google", true),
    ("msclkid", "bing", true),
    ("yclid", "yandex", true),
    ("fbclid", "facebook", false),
    ("ttclid", "tiktok", false),
    ("twclid", "x", false),
    ("li_fat_id", "linkedin", false),
];

/// The names of the click identifiers, the first that counts first.
pub fn click_ids() -> impl Iterator<Item = &'static str> {
    CLICKS.iter().map(|click| click.0)
}

/// A source of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    channel: &'static str,
    name: &'static str,
}

/// The list of known sources: host or other name, channel, name.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SOURCES.lines().filter(|line| !line.starts_with('#')).flat_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (channel, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        parts.next().unwrap_or("").split_whitespace().map(move |host| (host, channel, name))
    })
}

/// The source and the channel of an event. `domains` are the application's own.
///
/// The source is the first that is there of: `utm_source`; `source` and `ref` in the page's query, decoded; a click identifier's;
/// the referrer's host, unless it is the page's or one of `domains`; [`DIRECT`]. What the list knows has the list's name,
/// all else is itself in small letters (A to Z only).
///
/// The channel is the first that fits: `paid` (a click identifier of an advertisement, or `utm_medium`), `email`
/// (`utm_medium`), the channel of the known source, `social` and `search` (`utm_medium` `social`, `organic`), `campaign`
/// (a source, medium or campaign is named), `referral`, `direct`.
pub fn of<'r>(event: &Event<'r>, domains: &[String]) -> (Cow<'r, str>, &'static str) {
    let is_plain =
        event.utm_source.is_empty() && event.referrer_host.is_empty() && event.utm_medium.is_empty();
    if is_plain && event.url_query.is_empty() && event.click_id.is_empty() && event.utm_campaign.is_empty() {
        return (Cow::Borrowed(DIRECT), "direct");
    }
    let of_page = |name| decoded(parameter(event.url_query, name));
    let named = [Cow::Borrowed(event.utm_source), of_page("source"), of_page("ref")];
    let named = named.into_iter().find(|name| !name.is_empty()).map(|name| match name {
        Cow::Borrowed(name) => small(name),
        Cow::Owned(name) => Cow::Owned(name.to_ascii_lowercase()),
    });
    let click = CLICKS.iter().find(|click| click.0 == event.click_id);
    let (text, by_referrer) = match (&named, click) {
        (Some(_), _) => (named.clone(), false),
        (None, Some(click)) => (Some(Cow::Borrowed(click.1)), false),
        (None, None) => (referrer(event, domains), true),
    };
    let known = text.as_deref().and_then(known);
    let medium = small(event.utm_medium);
    let channel = match (&*medium, known) {
        (medium, _) if PAID.contains(&medium) || click.is_some_and(|click| click.2) => "paid",
        ("email" | "e-mail" | "mail" | "newsletter", _) => "email",
        (_, Some(known)) => known.channel,
        ("social" | "social-media" | "social_media", None) => "social",
        ("organic", None) => "search",
        _ if named.is_some() || !medium.is_empty() || !event.utm_campaign.is_empty() => "campaign",
        _ if by_referrer && text.is_some() => "referral",
        _ => "direct",
    };
    let source = match (known, text) {
        (Some(known), _) => Cow::Borrowed(known.name),
        (None, Some(text)) => text,
        (None, None) => Cow::Borrowed(DIRECT),
    };
    (source, channel)
}

/// The first value of a parameter that is not empty, as it stands in a query.
pub(crate) fn parameter<'r>(query: &'r str, name: &str) -> &'r str {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    values.into_iter().find(|value| !value.is_empty()).unwrap_or("")
}

/// A value of a query without its `%`, and with spaces for `+`. What would be no text, or not one line, stays as it stands.
fn decoded(value: &str) -> Cow<'_, str> {
    if !value.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(value);
    }
    let digit = |byte: Option<&u8>| {
        let digit = byte.and_then(|byte| char::from(*byte).to_digit(16));
        digit.and_then(|digit| u8::try_from(digit).ok())
    };
    let (bytes, mut text, mut at) = (value.as_bytes(), Vec::with_capacity(value.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        let (decoded, length) = match (byte, pair) {
            (b'%', (Some(high), Some(low))) => (high << 4 | low, 3),
            (b'+', _) => (b' ', 1),
            _ => (byte, 1),
        };
        text.push(decoded);
        at += length;
    }
    match String::from_utf8(text) {
        Ok(text) if !text.chars().any(char::is_control) => Cow::Owned(text),
        _ => Cow::Borrowed(value),
    }
}

/// In small letters.
fn small(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A host in small letters, without its port and `www.`.
fn plain_host(host: &str) -> Cow<'_, str> {
    let without_digits = host.trim_end_matches(|c: char| c.is_ascii_digit());
    match small(without_digits.strip_suffix(':').unwrap_or(host)) {
        Cow::Borrowed(host) => Cow::Borrowed(host.strip_prefix("www.").unwrap_or(host)),
        Cow::Owned(host) => match host.strip_prefix("www.") {
            Some(host) => Cow::Owned(host.to_owned()),
            None => Cow::Owned(host),
        },
    }
}

/// The referrer's host, unless it is the site itself.
fn referrer<'r>(event: &Event<'r>, domains: &[String]) -> Option<Cow<'r, str>> {
    let host = plain_host(event.referrer_host);
    let is_below = |domain: &str| {
        let domain = plain_host(domain.strip_prefix("*.").unwrap_or(domain));
        !domain.is_empty()
            && host.strip_suffix(&*domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let is_own = host == plain_host(event.url_host) || domains.iter().any(|domain| is_below(domain));
    (!host.is_empty() && !is_own).then_some(host)
}

/// The known source of a host or another name, by its longest end that is in the list.
fn known(name: &str) -> Option<Known> {
    static KNOWN: LazyLock<HashMap<&'static str, Known>> = LazyLock::new(|| {
        let mut all = HashMap::new();
        all.extend(list().map(|(host, channel, name)| (host, Known { channel, name })));
        all
    });
    // No entry is longer, and a host of a kilobyte is not worth the time.
    const LONGEST: usize = 64;
    if let Some(known) = KNOWN.get(name) {
        return Some(*known);
    }
    let mut rest = Some(name);
    while let Some((label, behind)) = rest.and_then(|end| end.split_once('.')) {
        let end = rest.unwrap_or("");
        if end.len() <= LONGEST {
            if let Some(known) = KNOWN.get(end) {
                return Some(*known);
            }
            if is_country(behind)
                && let Some(known) = KNOWN.get(format!("{label}.*").as_str())
            {
                return Some(*known);
            }
        }
        rest = Some(behind);
    }
    None
}

/// Whether this may stand for `*`: `de`, `com`, `co.uk`, `com.br`.
fn is_country(end: &str) -> bool {
    let last = end.strip_prefix("co.").or_else(|| end.strip_prefix("com.")).unwrap_or(end);
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_of_the_list_stands_twice_or_is_too_long() {
        let mut seen = std::collections::BTreeSet::new();
        for line in SOURCES.lines().filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split('\t').collect();
            assert_eq!(parts.len(), 3, "{line}");
            assert!(["search", "social", "email", "ai"].contains(&parts[0]), "{line}");
            for host in parts[2].split_whitespace() {
                assert!(seen.insert(host) && host.len() <= 40 && *host == *small(host), "{host}");
            }
        }
        assert!(CLICKS.iter().all(|click| known(click.1).is_some()));
    }

    fn told(event: Event<'_>) -> String {
        let (source, channel) = of(&event, &["shop.example".to_owned(), "*.Shop.test:8080".to_owned()]);
        format!("{source} / {channel}")
    }

    #[test]
    fn what_is_named_counts_before_the_referrer() {
        let event = Event { referrer_host: "www.google.de", ..Event::default() };
        assert_eq!(told(event), "Google / search");
        assert_eq!(told(Event { url_query: "q=1&ref=producthunt", ..event }), "Product Hunt / social");
        assert_eq!(told(Event { url_query: "ref=a&source=b", ..event }), "b / campaign");
        assert_eq!(told(Event { url_query: "xref=a&ref=&ref=B%20b", ..event }), "b b / campaign");
        assert_eq!(told(Event { url_query: "ref=%C3%9Cber+uns%", ..event }), "Über uns% / campaign");
        assert_eq!(told(Event { url_query: "source=product%68unt", ..event }), "Product Hunt / social");
        for stays in ["%ff", "a%0ab", "%00", "%c2%85", "%2", "%g0"] {
            let url_query = format!("ref={stays}");
            assert_eq!(told(Event { url_query: &url_query, ..event }), format!("{stays} / campaign"));
        }
        assert_eq!(
            told(Event { utm_source: "Spring-Letter", url_query: "ref=a", ..event }),
            "spring-letter / campaign"
        );
        assert_eq!(told(Event { utm_source: "chatgpt.com", ..event }), "ChatGPT / ai");
        assert_eq!(told(Event { click_id: "fbclid", ..event }), "Facebook / social");
    }

    #[test]
    fn what_is_paid_is_paid_whoever_is_named() {
        assert_eq!(told(Event { click_id: "gclid", ..Event::default() }), "Google / paid");
        assert_eq!(
            told(Event { click_id: "msclkid", utm_source: "spring", ..Event::default() }),
            "spring / paid"
        );
        let medium = |utm_medium| told(Event { utm_medium, utm_source: "google", ..Event::default() });
        assert_eq!(medium("CPC"), "Google / paid");
        assert_eq!(medium("Email"), "Google / email");
        assert_eq!(medium("organic"), "Google / search");
        assert_eq!(told(Event { utm_medium: "organic", ..Event::default() }), "direct / search");
        assert_eq!(told(Event { utm_medium: "social", utm_source: "b", ..Event::default() }), "b / social");
        assert_eq!(told(Event { utm_campaign: "spring", ..Event::default() }), "direct / campaign");
    }

    #[test]
    fn a_referrer_is_a_host_of_the_list_or_itself_and_never_the_site() {
        for (referrer_host, expected) in [
            ("", "direct / direct"),
            ("blog.example", "blog.example / referral"),
            ("WWW.Blog.Example:8080", "blog.example / referral"),
            ("www.google.co.uk", "Google / search"),
            ("mail.google.com", "Gmail / email"),
            ("gemini.google.com", "Gemini / ai"),
            ("com.google.android.gm", "Gmail / email"),
            ("google.com.evil.example", "google.com.evil.example / referral"),
            ("notgoogle.com", "notgoogle.com / referral"),
            ("my.email", "my.email / referral"),
            ("l.facebook.com", "Facebook / social"),
            ("t.co", "X / social"),
            ("a.shop.example", "direct / direct"),
            ("notshop.example", "notshop.example / referral"),
            ("x.shop.test", "direct / direct"),
            ("www.page.example:443", "direct / direct"),
        ] {
            let event = Event { referrer_host, url_host: "page.example", ..Event::default() };
            assert_eq!(told(event), expected, "{referrer_host}");
        }
    }
}
