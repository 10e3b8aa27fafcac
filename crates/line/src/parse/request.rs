//! The client and the request, from the variables of a site's own log.

use std::net::IpAddr;

use super::forwarded::{self, Said};
use super::leaves;
use super::terms::Terms;
use crate::arena::{Arena, Sink};

/// The client, as the line states it.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) address: Option<IpAddr>,
    /// The line names the client, by an address or a name.
    is_named: bool,
    /// The address in a header that a proxy wrote.
    pub(super) forwarded: Option<IpAddr>,
}

impl Client {
    /// `$remote_addr`: an address, a list of them, or `unix:`. False if it is something else.
    pub(super) fn see(&mut self, text: &str, terms: &Terms) -> bool {
        let said = match leaves::address(text.as_bytes()) {
            Some(address) => Said::Address(address),
            None => forwarded::client(text.rsplit(','), terms),
        };
        match said {
            Said::Address(address) => self.address = Some(address),
            Said::Nothing => return true,
            Said::Other => {}
        }
        self.is_named = true;
        said != Said::Other
    }

    /// The client's own address; a forwarded address counts only if the line does not name the client.
    pub(super) fn address(&self) -> Option<IpAddr> {
        if self.is_named { self.address } else { self.forwarded }
    }
}

/// The request, as the line states it.
#[derive(Debug, Default)]
pub(super) struct Target<'a> {
    /// Method and target of `$request`.
    pub(super) request: Option<(&'a str, &'a str)>,
    pub(super) method: &'a str,
    /// `$request_uri`
    pub(super) sent: &'a str,
    /// `$uri`, as nginx rewrote it.
    pub(super) path: &'a str,
    pub(super) args: &'a str,
}

impl<'a> Target<'a> {
    /// Method, path and query, as the client sent them if the line has them so. Garbage has no path.
    pub(super) fn parts(&self) -> (&'a str, &'a str, &'a str) {
        let (method, sent) = self.request.unwrap_or((self.method, self.sent));
        if sent.is_empty() {
            return (method, self.path, self.args);
        }
        let (path, query) = sent.split_once('?').unwrap_or((sent, ""));
        (method, path, query)
    }

    /// Method, and path with query, as the client sent them if the line has them so, else as nginx rewrote them.
    pub(super) fn join(self, arena: &mut Arena<'a>) -> (&'a str, &'a str) {
        let Target { request, method, sent, path, args } = self;
        let page = match (request, sent, args) {
            (Some((_, target)), _, _) => target,
            (None, "", "") if !has_delimiter(path) => path,
            (None, "", _) => arena.text(3 * path.len() + 1 + args.len(), |to| {
                let mut sink = Sink::new(to);
                put_path(path, &mut sink);
                [if args.is_empty() { "" } else { "?" }, args]
                    .iter()
                    .for_each(|part| sink.put(part.as_bytes()));
                sink.used()
            }),
            (None, sent, _) => sent,
        };
        (request.map_or(method, |(method, _)| method), page)
    }
}

/// Whether a path that nginx decoded contains a `?` or `#`, which the client sent as `%3F` or `%23`.
fn has_delimiter(path: &str) -> bool {
    memchr::memchr2(b'?', b'#', path.as_bytes()).is_some()
}

/// Writes a decoded path in such a way that it does not end at a `?` or `#` in it.
fn put_path(path: &str, sink: &mut Sink<'_>) {
    for piece in path.split_inclusive(['?', '#']) {
        match piece.as_bytes() {
            [front @ .., b'?'] => [front, b"%3F"].iter().for_each(|part| sink.put(part)),
            [front @ .., b'#'] => [front, b"%23"].iter().for_each(|part| sink.put(part)),
            front => sink.put(front),
        }
    }
}

/// Method and target of a request line; `None` for anything else (a TLS hello, a scanner's guess).
pub(super) fn split_request(request: &str) -> Option<(&str, &str)> {
    let (method, rest) = request.split_once(' ')?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if method.is_empty() || method.len() > 32 || !method.bytes().all(is_token) {
        return None;
    }
    match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") && !target.is_empty() => {
            Some((method, target))
        }
        // HTTP/0.9 has no protocol.
        _ => rest.starts_with('/').then_some((method, rest)),
    }
}

/// `$upstream_response_time`: the sum of the seconds of all servers that nginx tried, `0.1, - : 0.3`.
pub(super) fn upstream_ms(list: &str) -> Option<i32> {
    let mut sum = None;
    for item in list.split([',', ':']).map(str::trim).filter(|item| *item != "-") {
        sum = Some(leaves::seconds_as_ms(item.as_bytes())?.checked_add(sum.unwrap_or(0))?);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_split_and_garbage_is_none() {
        for (request, expect) in [
            ("GET / HTTP/1.1", Some(("GET", "/"))),
            ("GET /a b HTTP/1.1", Some(("GET", "/a b"))),
            ("GET /a HTTP/ x", Some(("GET", "/a HTTP/ x"))),
            ("PRI * HTTP/2.0", Some(("PRI", "*"))),
            ("GET /old", Some(("GET", "/old"))),
            ("x-y!z https://a.example/ HTTP/1.0", Some(("x-y!z", "https://a.example/"))),
            ("GET", None),
            ("GET ", None),
            ("GET  HTTP/1.1", None),
            (" / HTTP/1.1", None),
            ("G\u{16}T / HTTP/1.1", None),
            ("hello world", None),
            ("SSH-2.0-OpenSSH_9.6", None),
            ("", None),
        ] {
            assert_eq!(split_request(request), expect, "{request}");
        }
        assert_eq!(split_request(&format!("{} / HTTP/1.1", "A".repeat(33))), None);
    }

    #[test]
    fn a_path_that_was_decoded_does_not_end_at_its_delimiters() {
        for (path, args, expect) in [
            ("/a", "", "/a"),
            ("/a", "b=c", "/a?b=c"),
            ("/a?b#c", "", "/a%3Fb%23c"),
            ("/#", "b=#", "/%23?b=#"),
            ("", "b", "?b"),
        ] {
            let mut buffer = [0; 64];
            let target = Target { path, args, ..Target::default() };
            assert_eq!(target.join(&mut Arena::new(&mut buffer)).1, expect);
        }
    }

    #[test]
    fn times_of_upstreams_are_summed_up() {
        for (list, expect) in [
            ("0.123", Some(123)),
            ("0.1, 0.2 : 0.3", Some(600)),
            ("-, 0.2", Some(200)),
            ("-", None),
            ("-, - : -", None),
            ("", None),
            ("0.1,", None),
            ("fast", None),
            ("2000000.0, 2000000.0", None),
        ] {
            assert_eq!(upstream_ms(list), expect, "{list}");
        }
    }
}
