//! A site's own access log: lines of a compiled `log_format`.
//!
//! A line has to match with valid times, statuses, ids and numbers first, which excludes most ambiguities. If it does
//! not, it may match with any time, status and id, so that the reject says which of them is wrong.
//!
//! Every request is a hit, whatever its method and (unless somebody chooses) its status, even garbage on the port. `page_url` is path and query as
//! the client sent them, `host` is the site's; the protocol's version is not kept. With a [`Pixel`], requests for it
//! are hits and the others non-hits.

use memchr::memmem::Finder;

use super::text::{self, FormatError, Part};
use crate::arena::Arena;
use crate::hit::{Hit, Micros, NoHit, NonHit, Reason, Reject, Value};
use crate::parse::alt1::is_prefetch;
use crate::parse::beacon::{Keep, Params};
use crate::parse::escape::Escape;
use crate::parse::forwarded;
use crate::parse::front;
use crate::parse::leaves;
use crate::parse::matcher::{End, Step, find_values};
use crate::parse::pixel::Pixel;
use crate::parse::request::{Client, Target, split_request, upstream_ms};
use crate::parse::role::{self, Role, Span};
use crate::parse::source::Source;
use crate::parse::statuses::Statuses;
use crate::parse::terms::Terms;

/// The most variables of one format.
const VARIABLES_MAX: usize = 64;

/// How nginx's and Apache's `combined` go on from the time.
const COMMON: &str = r#" [$time_local] "$request" $status $body_bytes_sent"#;
const HEADERS: &str = r#" "$http_referer" "$http_user_agent""#;

/// A compiled `log_format`.
#[derive(Debug)]
pub struct LogFormat {
    name: &'static str,
    escape: Escape,
    /// The literal that every line begins with.
    lead: Vec<u8>,
    steps: Vec<Step>,
    pixel: Option<Pixel>,
    /// Which requests are events; `None`: all.
    statuses: Option<Statuses>,
}

impl LogFormat {
    /// Compiles the name of a format or a `log_format`.
    pub(in crate::parse) fn compile(text: &str) -> Result<LogFormat, FormatError> {
        match text.trim() {
            "combined" => LogFormat::build("combined", &format!("${}{COMMON}{HEADERS}", role::FRONT)),
            "common" => LogFormat::build("common", &format!("${}{COMMON}", role::FRONT)),
            "vhost_combined" => {
                LogFormat::build("vhost_combined", &format!("${}{COMMON}{HEADERS}", role::FRONT_WITH_HOST))
            }
            _ => LogFormat::build("custom", text),
        }
    }

    fn build(name: &'static str, text: &str) -> Result<LogFormat, FormatError> {
        let read = text::read(text)?;
        let (escape, lead, steps) = (read.escape, Vec::new(), Vec::new());
        let mut format = LogFormat { name, escape, lead, steps, pixel: None, statuses: None };
        let mut parts = read.parts.as_slice();
        let mut quoted = false;
        if let Some((Part::Literal(lead), rest)) = parts.split_first() {
            format.lead.clone_from(lead);
            quoted = lead.ends_with(b"\"");
            parts = rest;
        }
        while let Some((Part::Variable { name, at }, rest)) = parts.split_first() {
            let (role, rest) = match rest {
                // The three together are what the client sent.
                [Part::Variable { name: is_args, .. }, Part::Variable { name: args, .. }, rest @ ..]
                    if Role::of(name) == Role::Path
                        && is_args == "is_args"
                        && Role::of(args) == Role::Args =>
                {
                    (Role::Target, rest)
                }
                rest => (Role::of(name), rest),
            };
            let (end, rest) = match rest {
                [] => (End::Line, rest),
                [Part::Literal(literal), rest @ ..] => {
                    (End::Literal(Box::new(Finder::new(literal).into_owned())), rest)
                }
                [Part::Variable { name: next, at: next_at }, ..] => match (role.span(), Role::of(next)) {
                    (Span::Bytes(length), _) => (End::Fixed(length), rest),
                    (Span::NoSlash, Role::Target | Role::Path) => (End::Slash, rest),
                    _ => {
                        let what = format!(
                            "nothing stands between ${name} and ${next}, so nobody can tell where one ends: \
                             put a space or a quote there, in nginx.conf too"
                        );
                        return Err(FormatError::new(*next_at, what));
                    }
                },
            };
            if format.steps.len() == VARIABLES_MAX {
                return Err(FormatError::new(*at, format!("more than {VARIABLES_MAX} variables")));
            }
            let next_quoted = matches!(&end, End::Literal(literal) if literal.needle().ends_with(b"\""));
            format.steps.push(Step { variable: name.as_str().into(), role, quoted, end });
            quoted = next_quoted;
            parts = rest;
        }
        format.settle();
        if !format.steps.iter().any(|step| matches!(step.role, Role::Time(_))) {
            let what = "the time of the event is missing: add $time_iso8601, $time_local or, best, $msec";
            return Err(FormatError::new(text.len(), what));
        }
        Ok(format)
    }

    /// Leaves one variable for each role that only one can have: the one with the best rank, of equal ranks the first.
    fn settle(&mut self) {
        for at in 0..self.steps.len() {
            let role = self.steps[at].role;
            let better = |(other, step): (usize, &Step)| {
                let (theirs, ours) = (step.role.rank(), role.rank());
                step.role.is_rival_of(role) && (theirs < ours || (theirs == ours && other < at))
            };
            if self.steps.iter().enumerate().any(better) {
                self.steps[at].role = role.when_second();
            }
        }
    }

    /// The same format, for the log of a pixel, or with a choice of statuses.
    ///
    /// # Errors
    /// The log is a pixel's, and the lines contain no query string.
    pub(in crate::parse) fn with(
        mut self,
        pixel: Option<Pixel>,
        statuses: Option<Statuses>,
    ) -> Result<LogFormat, String> {
        self.statuses = statuses;
        let Some(pixel) = pixel else { return Ok(self) };
        let has = |role| self.steps.iter().any(|step| step.role == role);
        if !(has(Role::Request) || has(Role::Target) || (has(Role::Path) && has(Role::Args))) {
            return Err(
                "the format has no query string, which is where a pixel says everything: add $request".into(),
            );
        }
        self.pixel = Some(pixel);
        self.statuses = self.statuses.or_else(|| Some(Statuses::of_a_pixel()));
        Ok(self)
    }

    pub(in crate::parse) fn pixel(&self) -> Option<&Pixel> {
        self.pixel.as_ref()
    }

    pub(in crate::parse) fn name(&self) -> &str {
        self.name
    }

    pub(in crate::parse) fn carries_id(&self) -> bool {
        self.steps.iter().any(|step| step.role == Role::Id)
    }

    /// Parses a line.
    pub(in crate::parse) fn parse<'a>(
        &self,
        hit: &mut Hit<'a>,
        line: &'a [u8],
        torn: bool,
        terms: &Terms,
        arena: &mut Arena<'a>,
    ) -> Result<(), NoHit> {
        let because = |reason| Err(NoHit::Reject(Reject::new(reason)));
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if torn {
            return because(Reason::Torn);
        }
        if line.is_empty() {
            return because(Reason::Empty);
        }
        let mut values: [&[u8]; VARIABLES_MAX] = [&[]; VARIABLES_MAX];
        let values = &mut values[..self.steps.len()];
        if !(self.find_values(line, true, values) || self.find_values(line, false, values)) {
            return because(Reason::Shape);
        }
        self.read(hit, line, values, terms, arena)
    }

    /// Finds the values of the variables in a line.
    fn find_values<'a>(&self, line: &'a [u8], typed: bool, values: &mut [&'a [u8]]) -> bool {
        let quotes_escaped = self.escape != Escape::None;
        line.starts_with(&self.lead)
            && find_values(&self.steps, line, self.lead.len(), quotes_escaped, typed, values)
    }

    /// Makes a hit of the values.
    fn read<'a>(
        &self,
        hit: &mut Hit<'a>,
        line: &'a [u8],
        values: &[&'a [u8]],
        terms: &Terms,
        arena: &mut Arena<'a>,
    ) -> Result<(), NoHit> {
        let source = Source::new(line);
        hit.event_type = "request";
        let (mut read, mut params) = (Read::default(), Params::new());
        for (step, &value) in self.steps.iter().zip(values) {
            if let Role::Front { has_host } = step.role {
                let text = self.escape.text(&source, value, arena);
                read.front(text, has_host, terms, hit, &mut params);
                continue;
            }
            if read.required(step.role, value, hit) || matches!(value, b"" | b"-") {
                continue;
            }
            let mut text = self.escape.text(&source, value, arena);
            if read.optional(step.role, value, text, terms, hit) {
                continue;
            }
            if let Role::List(kind) = step.role {
                text = kind.value(text, arena);
            } else if forwarded::is_only_addresses(text) && !role::is_of_a_server(&step.variable) {
                // It may be a client's, and nothing would truncate it.
                continue;
            }
            if !text.is_empty() {
                params.add(hit, arena.copy(&step.variable), Value::Text(text), Keep::First);
            }
        }
        let Read { client, target, occurred_at, wrong } = read;
        if let Some(reason) = wrong {
            return Err(NoHit::Reject(Reject { reason, occurred_at, event_id: hit.event_id }));
        }
        hit.occurred_at = occurred_at.unwrap_or_default();
        hit.ip = client.address();
        // Comes after the question whether a request is for the pixel, which has a count of its own.
        let refused = hit.status.filter(|status| self.statuses.as_ref().is_some_and(|s| !s.has(*status)));
        let refused = refused.map(NonHit::Status);
        match &self.pixel {
            None => {
                if let Some(kind) = refused {
                    return Err(NoHit::NonHit(kind));
                }
                (hit.method, hit.page_url) = target.join(arena);
                hit.is_request = true;
                hit.site = hit.host;
            }
            Some(pixel) => {
                if let Err(kind) = pixel.read(&target, refused, hit, &mut params, terms, arena) {
                    return Err(NoHit::NonHit(kind));
                }
            }
        }
        params.finish(hit, arena);
        Ok(())
    }
}

/// What was read of a line, beside the fields of its hit.
#[derive(Default)]
struct Read<'a> {
    client: Client,
    target: Target<'a>,
    occurred_at: Option<Micros>,
    /// Why the line is a reject: the first value that is wrong.
    wrong: Option<Reason>,
}

impl<'a> Read<'a> {
    /// Reads what stands before the time.
    fn front(
        &mut self,
        text: &'a str,
        has_host: bool,
        terms: &Terms,
        hit: &mut Hit<'a>,
        params: &mut Params<'a>,
    ) {
        match front::read(text, has_host, terms) {
            Ok(front) => {
                (self.client.forwarded, hit.host, hit.user_id) = (front.client, front.host, front.user);
                if !front.port.is_empty() {
                    params.add(hit, "server_port", Value::Text(front.port), Keep::First);
                }
            }
            Err(reason) => self.wrong = self.wrong.or(Some(reason)),
        }
    }

    /// Reads a value that must be valid: time, id or status. False if the role is another.
    #[inline]
    fn required(&mut self, role: Role, value: &[u8], hit: &mut Hit<'a>) -> bool {
        let (is_valid, reason) = match role {
            Role::Time(kind) => {
                self.occurred_at = kind.read(value);
                (self.occurred_at.is_some(), Reason::BadTime)
            }
            Role::Id => {
                hit.event_id = leaves::request_id(value);
                (hit.event_id.is_some(), Reason::BadId)
            }
            Role::Status => {
                hit.status = leaves::status(value);
                (hit.status.is_some(), Reason::BadStatus)
            }
            _ => return false,
        };
        self.wrong = self.wrong.or((!is_valid).then_some(reason));
        true
    }

    /// Reads a value that may be anything; `text` is `value` without escapes. False if it goes into no field.
    #[inline]
    fn optional(
        &mut self,
        role: Role,
        value: &[u8],
        text: &'a str,
        terms: &Terms,
        hit: &mut Hit<'a>,
    ) -> bool {
        let field = match role {
            Role::Time(_) | Role::Id | Role::Status | Role::Front { .. } | Role::Ignored => return true,
            Role::Port | Role::List(_) | Role::Other => return false,
            Role::Bytes(_) => return keep(&mut hit.bytes_sent, leaves::bytes(value)),
            Role::RequestTime => return keep(&mut hit.request_ms, leaves::seconds_as_ms(value)),
            Role::UpstreamTime => return keep(&mut hit.upstream_ms, upstream_ms(text)),
            Role::Request => return keep(&mut self.target.request, split_request(text)),
            Role::OptOut => {
                hit.opted_out |= text == "1";
                return true;
            }
            Role::Purpose => {
                hit.prefetch = is_prefetch(text.as_bytes());
                return true;
            }
            Role::Address => {
                if !self.client.see(text, terms) {
                    self.wrong = self.wrong.or(Some(Reason::BadAddress));
                }
                return true;
            }
            Role::AddressOrName => {
                if self.client.address.is_none() {
                    self.client.see(text, terms);
                }
                return true;
            }
            Role::Forwarded => {
                self.client.forwarded = self.client.forwarded.or_else(|| forwarded::client_of(text, terms));
                return true;
            }
            Role::Method => &mut self.target.method,
            Role::Target => &mut self.target.sent,
            Role::Path => &mut self.target.path,
            Role::Args => &mut self.target.args,
            Role::User => &mut hit.user_id,
            Role::Referer => &mut hit.referrer,
            Role::UserAgent => &mut hit.user_agent,
            Role::Language => &mut hit.accept_language,
            Role::Origin => &mut hit.origin,
            Role::Trace(_) => &mut hit.trace_id,
            Role::Host(_) => &mut hit.host,
        };
        *field = text;
        true
    }
}

/// Sets a field; false if there is no value.
fn keep<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit::Parsed;
    use crate::parse::{Format, Spec};

    const LOCAL: &str = "10/Oct/2000:13:55:36 -0700";
    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    fn outcome<T>(format: &str, line: &str, look: impl FnOnce(Parsed<'_>) -> T) -> T {
        let format = Format::compile(format).unwrap_or_else(|e| panic!("{format}: {e}"));
        let mut buffer = vec![0; 1 << 16];
        look(format.parse(line.as_bytes(), false, &Terms::default(), &mut Arena::new(&mut buffer)))
    }

    /// Fields that differ from those of an empty hit, by their debug form.
    fn shown(format: &str, line: &str) -> String {
        outcome(format, line, |parsed| match parsed {
            Parsed::Hit(hit) => {
                assert_eq!((hit.event_type, hit.app_key), ("request", ""), "{line}");
                assert!(hit.is_request, "{line}");
                let empty =
                    format!("{:#?}", Hit { event_type: "request", is_request: true, ..Hit::default() });
                let empty: Vec<_> = empty.lines().collect();
                let ip = hit.ip.map(|ip| format!("ip {ip} ")).unwrap_or_default();
                let params = std::mem::take(&mut { hit.params.clone() });
                let hit = Hit { ip: None, params: Vec::new(), ..hit };
                let shown = format!("{hit:#?}");
                let mut flat = String::new();
                for line in shown.replace("Some(\n        ", "").replace(",\n    )", "").lines() {
                    if !empty.contains(&line) {
                        flat.push_str(line.trim().trim_end_matches(','));
                        flat.push(' ');
                    }
                }
                let params: String = params
                    .iter()
                    .map(|(name, value)| match value {
                        Value::Text(text) => format!("{name}={text:?} "),
                        Value::Json(text) => format!("{name}=json {text} "),
                    })
                    .collect();
                format!("{flat}{ip}{params}").trim_end().to_owned()
            }
            Parsed::Reject(reject) => {
                let time = reject.occurred_at.map(|_| " time").unwrap_or_default();
                format!("{}{time}{}", reject.reason, reject.event_id.map(|_| " id").unwrap_or_default())
            }
            Parsed::NonHit(what) => format!("{what:?}"),
        })
    }

    #[test]
    fn lines_of_nginx_and_apache_are_hits() {
        let combined = |line: &str| shown("combined", line);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /p?category=2 HTTP/1.1" 200 2326 "https://g.example/?q=x" "Mozilla/5.0 (X11; Linux)""#
        ), @r##"occurred_at: 971211336000000 method: "GET" status: 200 bytes_sent: 2326 user_agent: "Mozilla/5.0 (X11; Linux)" page_url: "/p?category=2" referrer: "https://g.example/?q=x" ip 203.0.113.9"##);
        insta::assert_snapshot!(combined(
            r#"2001:db8::7 - john doe [10/Oct/2000:13:55:36 -0700] "POST /x HTTP/2.0" 302 0 "-" "-""#
        ), @r##"occurred_at: 971211336000000 method: "POST" status: 302 bytes_sent: 0 page_url: "/x" user_id: "john doe" ip 2001:db8::7"##);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03" 400 157 "-" "-""#
        ), @r##"occurred_at: 971211336000000 status: 400 bytes_sent: 157 ip 203.0.113.9 request="\u{16}\u{3}\u{1}\u{2}\u{1}\u{1}�\u{3}\u{3}""##);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "" 400 0 "-" "-""#
        ), @r##"occurred_at: 971211336000000 status: 400 bytes_sent: 0 ip 203.0.113.9"##);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "-" 408 - "-" "-""#
        ), @r##"occurred_at: 971211336000000 status: 408 ip 203.0.113.9"##);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 ident frank [10/Oct/2000:13:55:36 -0700] "GET /a b c HTTP/1.0" 200 1 "-" "say \"hi\" 200 5 \\""#
        ), @r##"occurred_at: 971211336000000 method: "GET" status: 200 bytes_sent: 1 user_agent: "say \"hi\" 200 5 \\" page_url: "/a b c" user_id: "frank" ip 203.0.113.9"##);
        insta::assert_snapshot!(combined(
            r#"unix: - - [10/Oct/2000:13:55:36 -0700] "GET http://other.example/ HTTP/1.1" 000 1 "caf\xC3\xA9 \xff\x00" "a\x22b""#
        ), @r##"occurred_at: 971211336000000 method: "GET" status: 0 bytes_sent: 1 user_agent: "a\"b" page_url: "http://other.example/" referrer: "café �""##);
        insta::assert_snapshot!(combined(
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /old" 200 1 "-" "SSH-2.0 \x22 \" 200 1 \x22""#
        ), @r##"occurred_at: 971211336000000 method: "GET" status: 200 bytes_sent: 1 user_agent: "SSH-2.0 \" \" 200 1 \"" page_url: "/old" ip 203.0.113.9"##);
        insta::assert_snapshot!(shown("common",
            r#"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "OPTIONS * HTTP/1.1" 204 0"#
        ), @r##"occurred_at: 971211336000000 method: "OPTIONS" status: 204 bytes_sent: 0 page_url: "*" ip 203.0.113.9"##);
        insta::assert_snapshot!(shown("vhost_combined",
            r#"shop.example:443 203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "CONNECT a.example:443 HTTP/1.1" 405 559 "-" "curl/8""#
        ), @r#"occurred_at: 971211336000000 method: "CONNECT" status: 405 bytes_sent: 559 user_agent: "curl/8" host: "shop.example" site: "shop.example" page_url: "a.example:443" ip 203.0.113.9 server_port="443""#);
    }

    #[test]
    fn named_formats_find_the_address_and_keep_it_nowhere_else() {
        let rest = r#"[10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "-""#;
        let base = r#"occurred_at: 971211336000000 method: "GET" status: 200 bytes_sent: 5"#;
        let site = r#" host: "shop.example" site: "shop.example""#;
        for (format, front, fields) in [
            ("combined", "shop.example 203.0.113.1 - -", format!(r#"{site} page_url: "/" ip 203.0.113.1"#)),
            ("combined", "198.51.100.3, 203.0.113.77 - -", r#" page_url: "/" ip 203.0.113.77"#.into()),
            ("combined", "Jan  3 12:00:00 web-1 nginx: 203.0.113.1 - -", r#" page_url: "/" ip 203.0.113.1"#.into()),
            ("combined", r"203.0.113.1 - a\x5Cb [x", r#" page_url: "/" user_id: "a\\b [x" ip 203.0.113.1"#.into()),
            ("vhost_combined", "shop.example 203.0.113.1 - -", format!(r#"{site} page_url: "/" ip 203.0.113.1"#)),
            ("vhost_combined", "[2001:db8::1]:443 203.0.113.1 - -",
                r#" host: "[2001:db8::1]" site: "[2001:db8::1]" page_url: "/" ip 203.0.113.1 server_port="443""#.into()),
        ] {
            assert_eq!(shown(format, &format!("{front} {rest}")), format!("{base}{fields}"), "{format}: {front}");
        }
        let common = r#"shop.example:80 10.0.0.1 203.0.113.1, 10.0.0.2 - x [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5"#;
        assert_eq!(
            shown("common", common),
            format!(r#"{base}{site} page_url: "/" user_id: "x" ip 203.0.113.1 server_port="80""#)
        );
        for (front, expect) in [
            ("crawler.example.net - -", "bad_address time"),
            ("shop.example - - - -", "bad_address time"),
            ("203.0.113.1 shop.example - -", "shape time"),
            ("203.0.113.1 -", "shape time"),
        ] {
            assert_eq!(shown("combined", &format!("{front} {rest}")), expect, "{front}");
        }
    }

    #[test]
    fn no_variable_keeps_an_address_or_name_of_a_client() {
        for (format, line, expect) in [
            ("$msec $remote_addr", "1.5 crawler.example.net", "bad_address time"),
            ("$msec $remote_addr", "1.5 -", "occurred_at: 1500000"),
            ("$msec $remote_addr", "1.5 203.0.113.1, 10.0.0.1", "occurred_at: 1500000 ip 203.0.113.1"),
            ("$msec $remote_host", "1.5 crawler.example.net", "occurred_at: 1500000"),
            ("$msec $remote_host", "1.5 203.0.113.1", "occurred_at: 1500000 ip 203.0.113.1"),
            (
                "$msec $remote_host $remote_addr",
                "1.5 a.example 203.0.113.1",
                "occurred_at: 1500000 ip 203.0.113.1",
            ),
            ("$msec $remote_ident", "1.5 frank", "occurred_at: 1500000"),
            (
                "$msec $remote_addr $http_x_client_ip",
                "1.5 203.0.113.1 10.1.2.3",
                "occurred_at: 1500000 ip 203.0.113.1",
            ),
            (
                "$msec \"$http_forwarded\"",
                "1.5 \"for=203.0.113.1;proto=https\"",
                "occurred_at: 1500000 ip 203.0.113.1",
            ),
            (
                "$msec $http_x_forwarded_for $x",
                "1.5 198.51.100.3, 203.0.113.1 y",
                "occurred_at: 1500000 ip 203.0.113.1 x=\"y\"",
            ),
            (
                "$msec $the_real_ip \"$http_x_new\"",
                "1.5 203.0.113.1 \"203.0.113.1:80, [::1]\"",
                "occurred_at: 1500000",
            ),
            (
                "$msec $server_addr $http_x_new",
                "1.5 192.0.2.80 1.2",
                "occurred_at: 1500000 server_addr=\"192.0.2.80\" http_x_new=\"1.2\"",
            ),
        ] {
            assert_eq!(shown(format, line), expect, "{format}: {line}");
        }
    }

    #[test]
    fn a_colon_within_an_address_is_no_end() {
        let base = "occurred_at: 1500000";
        for (format, line, expect) in [
            (
                "$msec $server_name:$server_port",
                "1.5 [2001:db8::1]:443",
                r#"host: "[2001:db8::1]" site: "[2001:db8::1]" server_port="443""#,
            ),
            (
                "$msec $http_host:$server_port x",
                "1.5 a.example:8443:443 x",
                r#"host: "a.example:8443" site: "a.example:8443" server_port="443""#,
            ),
            (
                "$msec $remote_addr:$remote_port",
                "1.5 2001:db8::1:4711",
                r#"ip 2001:db8::1 remote_port="4711""#,
            ),
            (
                "$msec $server_addr:$server_port $status",
                "1.5 2001:db8::80:443 200",
                r#"status: 200 server_addr="2001:db8::80" server_port="443""#,
            ),
            ("$msec $server_x:$x", "1.5 [::1]:80", r#"server_x="[::1]" x="80""#),
        ] {
            assert_eq!(shown(format, line), format!("{base} {expect}"), "{format}: {line}");
        }
    }

    #[test]
    fn lists_of_upstreams_end_where_they_end() {
        let format = "$msec $upstream_addr $upstream_response_length $upstream_response_time $upstream_connect_time \
                      $upstream_status $status $other";
        for (lists, expect) in [
            (
                "10.0.0.1:80 12 0.010 0.001 200 200",
                r#"status: 200 upstream_ms: 10 upstream_addr="10.0.0.1:80" upstream_response_length="12" upstream_connect_time="0.001" upstream_status="200""#,
            ),
            (
                "10.0.0.1:80, 10.0.0.2:80 : [::1]:80 0, 5 : 7 0.010, 0.300 : 0.200 0.001, 0.002 : - 502, 504 : 200 200",
                r#"status: 200 upstream_ms: 510 upstream_addr="10.0.0.1:80, 10.0.0.2:80 : [::1]:80" upstream_response_length="12" upstream_connect_time="0.003" upstream_status="200""#,
            ),
            ("- - - - - 304", "status: 304"),
            (
                "a : b 1 : - 0.5 : - 0.5 : - 502 : - 502",
                r#"status: 502 upstream_ms: 500 upstream_addr="a : b" upstream_response_length="1" upstream_connect_time="0.500""#,
            ),
        ] {
            let expect = format!("occurred_at: 1500000 {expect} other=\"x\"");
            assert_eq!(shown(format, &format!("1.5 {lists} x")), expect, "{lists}");
        }
        // Whatever follows: a variable that takes any text, a tab, the end of the line.
        for (format, line, expect) in [
            (
                "$msec $upstream_addr $any",
                "1.5 10.0.0.1:80 : 10.0.0.2:80, 10.0.0.3:80 x : y",
                r#"upstream_addr="10.0.0.1:80 : 10.0.0.2:80, 10.0.0.3:80" any="x : y""#,
            ),
            ("$msec $upstream_status|$any", "1.5 502, 200|x", r#"upstream_status="200" any="x""#),
            (
                "$msec $upstream_status, $upstream_addr",
                "1.5 502, 200, 10.0.0.1:80",
                r#"upstream_status="502" upstream_addr="200, 10.0.0.1:80""#,
            ),
            ("$msec $any $upstream_header_time", "1.5 x 0.1, 0.2", r#"any="x" upstream_header_time="0.300""#),
        ] {
            assert_eq!(shown(format, line), format!("occurred_at: 1500000 {expect}"), "{format}: {line}");
        }
    }

    #[test]
    fn a_choice_of_statuses_makes_the_others_non_hits() {
        let parsed = |status: Option<&str>, line: &str| {
            let spec = Spec { status: status.map(str::to_owned), ..Spec::new("$msec $status") };
            let mut buffer = [0; 64];
            let mut arena = Arena::new(&mut buffer);
            match Format::of(&spec).unwrap().parse(line.as_bytes(), false, &Terms::default(), &mut arena) {
                Parsed::Hit(hit) => format!("hit {}", hit.status.unwrap_or_default()),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(parsed(None, "1.5 404"), "hit 404");
        assert_eq!(parsed(Some("2xx,404"), "1.5 404"), "hit 404");
        assert_eq!(parsed(Some("2xx"), "1.5 404"), "NonHit(Status(404))");
        let alt1 = Spec { status: Some("2xx".into()), ..Spec::new("alt1") };
        assert!(Format::of(&alt1).unwrap_err().to_string().starts_with("status: lines of alt1"));
        let wrong = Spec { status: Some("2x".into()), ..Spec::new("combined") };
        assert!(Format::of(&wrong).unwrap_err().to_string().starts_with("status: `2x` is no status"));
    }

    #[test]
    fn a_padded_day_of_syslog_shifts_nothing() {
        let format = "$month $day $clock $machine $tag: $remote_addr [$time_local] $status";
        for day in ["3", "13"] {
            let line = format!("Jan {day:>2} 12:00:00 web-1 nginx: 203.0.113.1 [{LOCAL}] 200");
            let expect = format!(
                r#"occurred_at: 971211336000000 status: 200 ip 203.0.113.1 month="Jan" day="{day}" clock="12:00:00" machine="web-1" tag="nginx""#
            );
            assert_eq!(shown(format, &line), expect, "{line}");
            let line = format!("<190>{line}");
            assert_eq!(
                shown(&format!("<$pri>{format}"), &line),
                format!("{}{}", expect.replace(" month", " pri=\"190\" month"), "")
            );
        }
        // An empty value elsewhere is one.
        assert_eq!(shown("$msec $a $b", "1.5  x"), r#"occurred_at: 1500000 b="x""#);
    }

    #[test]
    fn any_log_format_is_a_parser() {
        insta::assert_snapshot!(shown(
            r#"log_format j escape=json '{"t":"$msec","id":"$request_id","a":"$remote_addr","f":"$http_x_forwarded_for",'
               '"r":"$request","s":$status,"b":$bytes_sent,"rt":$request_time,"ut":"$upstream_response_time","ua":"$http_user_agent","h":"$host","c":"$upstream_cache_status"}';"#,
            &format!(r#"{{"t":"971211336.123","id":"{ID}","a":"unix:","f":"unknown, 203.0.113.9:80, 10.0.0.1","r":"GET /\u001b HTTP/1.1","s":200,"b":12,"rt":0.250,"ut":"0.1, - : 0.02","ua":"a\",\"h\":\"b\\","h":"shop.example","c":"MISS"}}"#),
        ), @r#"occurred_at: 971211336123000 event_id: 5233100606242806050955395731361295 method: "GET" status: 200 bytes_sent: 12 request_ms: 250 upstream_ms: 120 user_agent: "a\",\"h\":\"b\\" host: "shop.example" site: "shop.example" page_url: "/\u{1b}" ip 203.0.113.9 upstream_cache_status="MISS""#);
        insta::assert_snapshot!(shown(
            "$time_iso8601|$request_method|$scheme://$host$uri$is_args$args|$status|$remote_addr|$http_x_forwarded_for",
            "2000-10-10T13:55:36-07:00|PUT|https://shop.example/p?a=b|201|10.0.0.1|203.0.113.9",
        ), @r#"occurred_at: 971211336000000 method: "PUT" status: 201 host: "shop.example" site: "shop.example" page_url: "/p?a=b" ip 10.0.0.1 scheme="https""#);
        insta::assert_snapshot!(shown(
            "escape=none $msec $uri $args $http_user_agent",
            r"971211336.000 /p a=\x41 curl 8 \",
        ), @r##"occurred_at: 971211336000000 user_agent: "curl 8 \\" page_url: "/p?a=\\x41""##);
        insta::assert_snapshot!(shown(
            "$time_local$request_id $time_iso8601$msec $http_dnt $http_sec_purpose $http_traceparent $server_name $http_host",
            &format!("{LOCAL}{ID} 2000-10-10T13:55:36-07:00971211336.001 1 prefetch 00-ab-cd-01 _ shop.example"),
        ), @r#"occurred_at: 971211336001000 event_id: 5233100606242806050955395731361295 host: "shop.example" site: "shop.example" opted_out: true prefetch: true trace_id: "00-ab-cd-01" server_name="_""#);
        insta::assert_snapshot!(shown(
            "[$time_local] $request_time $upstream_response_time $body_bytes_sent $bytes_sent $remote_user\t$connection",
            &format!("[{LOCAL}] 99999999.1 0.1,,2 5 12345678901234567890 a b\t7\r"),
        ), @r##"occurred_at: 971211336000000 user_id: "a b" request_time="99999999.1" upstream_response_time="0.1,,2" body_bytes_sent="5" bytes_sent="12345678901234567890" connection="7""##);
    }

    #[test]
    fn what_does_not_match_is_a_reject() {
        let combined = |line: &str| shown("combined", line);
        let line = |time: &str, status: &str| {
            format!(r#"203.0.113.9 - - [{time}] "GET / HTTP/1.1" {status} 5 "-" "-""#)
        };
        for (line, expect) in [
            (String::new(), "empty"),
            ("\r".into(), "empty"),
            ("x".into(), "shape"),
            (line(LOCAL, "200") + "x", "shape"),
            (line(LOCAL, "200") + " \"203.0.113.9\"", "shape"),
            (line(LOCAL, "200").replace(" 5 ", " many "), "shape"),
            (line(LOCAL, "200").replace('[', ""), "shape"),
            (line(LOCAL, "200").replace("HTTP/1.1\"", "HTTP/1.1"), "shape"),
            (line(LOCAL, "200").trim_end_matches('"').to_owned(), "shape"),
            (line(LOCAL, "200")[..60].to_owned(), "shape"),
            (line("10/Okt/2000:13:55:36 -0700", "200"), "bad_time"),
            (line("", "200"), "bad_time"),
            (line(LOCAL, "2000"), "bad_status time"),
            (line(LOCAL, "-"), "bad_status time"),
            (line(LOCAL, ""), "bad_status time"),
            (line("-", "-"), "bad_time"),
        ] {
            assert_eq!(combined(&line), expect, "{line}");
        }
        for (line, expect) in [
            (format!("971211336.000 {ID} 200"), "status: 200"),
            (format!("971211336.000 {ID}0 200"), "bad_id time"),
            ("971211336.000 - 200".into(), "bad_id time"),
            (format!("971211336 {ID} 20"), "bad_status time id"),
            (format!("now {ID} 200"), "bad_time id"),
        ] {
            let got = shown("$msec $request_id $status", &line);
            assert!(got.contains(expect), "{line}: {got}");
        }
        let format = Format::compile("common").unwrap();
        let torn = format.parse(b"x", true, &Terms::default(), &mut Arena::new(&mut []));
        assert_eq!(torn, Parsed::Reject(Reject::new(Reason::Torn)));
    }

    #[test]
    fn formats_that_leave_doubts_are_refused() {
        for (format, at, part) in [
            ("$remote_addr $status", 20, "time of the event is missing"),
            ("$status$msec", 7, "between $status and $msec"),
            ("$msec$status", 5, "between $msec and $status"),
            ("$msec $uri$args", 10, "between $uri and $args"),
            ("$msec $uri$request_uri", 10, "between"),
            ("$time_foo", 9, "$msec"),
        ] {
            let error = LogFormat::compile(format).unwrap_err();
            assert_eq!(error.at, at, "{format}: {error}");
            assert!(error.to_string().contains(part), "{format}: {error}");
        }
        let many = "$a ".repeat(65) + "$msec";
        assert!(LogFormat::compile(&many).unwrap_err().what.contains("64 variables"));
    }

    #[test]
    fn formats_say_what_they_carry() {
        assert!(!LogFormat::compile("combined").unwrap().carries_id());
        assert!(LogFormat::compile("$msec $request_id").unwrap().carries_id());
        for name in ["combined", "common", "vhost_combined"] {
            assert_eq!(LogFormat::compile(name).unwrap().name(), name);
        }
        assert_eq!(LogFormat::compile("$msec").unwrap().name(), "custom");
    }

    #[test]
    fn no_line_takes_long() {
        // It would take hours to try every way to match.
        let format = Format::compile("$a $upstream_response_time $b $c $status $msec").unwrap();
        let line = "1 ".repeat(128 * 1024);
        let parsed = format.parse(line.as_bytes(), false, &Terms::default(), &mut Arena::new(&mut []));
        assert!(matches!(parsed, Parsed::Reject(_)), "{parsed:?}");
    }
}
