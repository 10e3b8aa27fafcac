//! The parts of a URL, as slices of it. Any text has parts; they are not decoded.

/// The parts of a page's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts<'a> {
    /// `https`, `app` …, as written; `""` for a path or a protocol-relative URL.
    pub scheme: &'a str,
    /// Everything before the user name and password (`https://`).
    pub before: &'a str,
    /// Whether it contains a user name or a password, which are never kept.
    pub has_userinfo: bool,
    /// Host and port, as written.
    pub authority: &'a str,
    /// Path, as written; may be `""`.
    pub path: &'a str,
    /// Query without `?`.
    pub query: &'a str,
    /// The fragment with its `#`, if it is the route of a single-page application (`#/…`, `#!…`). Other fragments are
    /// dropped: they are places in a page, or tokens of an OAuth response. Of a request, any fragment: a browser sends
    /// none, so it shows what another client sent.
    pub route: &'a str,
}

impl<'a> Parts<'a> {
    /// Splits a URL: absolute (`https://host/path?query#/route`), protocol-relative (`//host/…`), or a path. Of URLs
    /// that contain the content itself or are on the visitor's machine (`data:`, `javascript:`, `blob:`, `file:`), only
    /// the scheme is kept.
    pub fn of(url: &'a str) -> Self {
        Parts::with(url, |fragment| fragment.starts_with("#/") || fragment.starts_with("#!"))
    }

    /// As [`Parts::of`], with the whole fragment: of a Referer as a client sent it.
    pub fn as_sent(url: &'a str) -> Self {
        Parts::with(url, |_| true)
    }

    /// Splits the target of a request as the client sent it (RFC 9112, section 3.2): a path and a query, also if it
    /// begins with `//`; or an absolute URL with `http` or `https`, as a proxy is sent. Anything else is a path.
    pub fn of_target(target: &'a str) -> Self {
        let begins =
            |scheme: &str| target.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
        if begins("http://") || begins("https://") {
            return Parts::as_sent(target);
        }
        let mut parts = Parts::default();
        parts.split_path(target, |_| true);
        parts
    }

    fn with(url: &'a str, is_kept: impl FnOnce(&str) -> bool) -> Self {
        let scheme = scheme_of(url);
        let mut parts = Parts { scheme, ..Parts::default() };
        let after_scheme = if scheme.is_empty() { 0 } else { scheme.len() + 1 };
        if ["data", "javascript", "blob", "file"].iter().any(|s| s.eq_ignore_ascii_case(scheme)) {
            parts.path = &url[..after_scheme];
            return parts;
        }
        let rest = &url[after_scheme..];
        let path_onward = match rest.strip_prefix("//") {
            Some(rest) => {
                parts.before = &url[..after_scheme + 2];
                let is_end = |b: &u8| matches!(b, b'/' | b'?' | b'#' | b'\\');
                let end = rest.as_bytes().iter().position(is_end).unwrap_or(rest.len());
                let (authority, onward) = rest.split_at(end);
                parts.authority = match memchr::memrchr(b'@', authority.as_bytes()) {
                    Some(at) => {
                        parts.has_userinfo = true;
                        &authority[at + 1..]
                    }
                    None => authority,
                };
                onward
            }
            None => url, // a path, or `about:blank`
        };
        parts.split_path(path_onward, is_kept);
        parts
    }

    /// Splits what follows the host.
    fn split_path(&mut self, path_onward: &'a str, is_kept: impl FnOnce(&str) -> bool) {
        let (front, fragment) = match memchr::memchr(b'#', path_onward.as_bytes()) {
            Some(at) => path_onward.split_at(at),
            None => (path_onward, ""),
        };
        if is_kept(fragment) {
            self.route = fragment;
        }
        (self.path, self.query) = match memchr::memchr(b'?', front.as_bytes()) {
            Some(at) => (&front[..at], &front[at + 1..]),
            None => (front, ""),
        };
    }

    /// The host without port, brackets kept.
    pub fn host(&self) -> &'a str {
        without_port(self.authority)
    }

    /// The host, with the port unless it is 80 or 443.
    pub fn host_and_port(&self) -> &'a str {
        let host = without_port(self.authority);
        match &self.authority[host.len()..] {
            "" | ":" | ":80" | ":443" => host.strip_suffix('.').unwrap_or(host),
            _ => self.authority,
        }
    }
}

/// The scheme, if the text begins with one and cannot be a path or `host:port`.
fn scheme_of(url: &str) -> &str {
    if url.starts_with("https://") {
        return "https";
    }
    let bytes = url.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return "";
    }
    let end = bytes
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
        .unwrap_or(bytes.len());
    match bytes.get(end) {
        Some(b':') if !bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => &url[..end],
        _ => "",
    }
}

/// `host` of `host:port`, `[::1]` of `[::1]:8080`.
pub fn without_port(authority: &str) -> &str {
    let digits = authority.bytes().rev().take_while(u8::is_ascii_digit).count();
    match authority[..authority.len() - digits].strip_suffix(':') {
        // An IPv6 address without brackets has no port.
        Some(host) if !host.contains(':') || host.ends_with(']') => host,
        _ => authority,
    }
}

/// Whether a host is one of the domains or a subdomain of one. Ports, case, a dot at the end and a domain's `*.` do not
/// count.
pub fn host_allowed(host: &str, domains: &[String]) -> bool {
    let bare = |text: &str| -> usize { without_port(text).trim_end_matches('.').len() };
    let host = &host[..bare(host)];
    domains.iter().any(|domain| {
        let domain = domain.strip_prefix("*.").unwrap_or(domain);
        let domain = &domain[..bare(domain)];
        let Some(start) = host.len().checked_sub(domain.len()) else { return false };
        !domain.is_empty()
            && host.as_bytes()[start..].eq_ignore_ascii_case(domain.as_bytes())
            && (start == 0 || host.as_bytes()[start - 1] == b'.')
    })
}

/// Whether two hosts are the same; case, port, a dot at the end and `www.` do not count.
pub fn same_host(a: &str, b: &str) -> bool {
    fn bare(host: &str) -> &str {
        let host = without_port(host).trim_end_matches('.');
        match host.get(..4) {
            Some(www) if www.eq_ignore_ascii_case("www.") => &host[4..],
            _ => host,
        }
    }
    a == b || bare(a).eq_ignore_ascii_case(bare(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        // url, scheme, userinfo, host and port, path, query, route
        #[rustfmt::skip]
        let table = [
            ("https://example.com/a/b?c=d", "https", false, "example.com", "/a/b", "c=d", ""),
            ("HTTPS://Example.COM:443/", "HTTPS", false, "Example.COM", "/", "", ""),
            ("http://example.com:80", "http", false, "example.com", "", "", ""),
            ("http://example.com:8080?x", "http", false, "example.com:8080", "", "x", ""),
            ("https://example.com./a", "https", false, "example.com", "/a", "", ""),
            ("https://bob:secret@example.com/a", "https", true, "example.com", "/a", "", ""),
            ("https://a@b@example.com/a", "https", true, "example.com", "/a", "", ""),
            ("https://[2001:db8::1]:443/a", "https", false, "[2001:db8::1]", "/a", "", ""),
            ("https://[2001:db8::1]:8443/a", "https", false, "[2001:db8::1]:8443", "/a", "", ""),
            ("//cdn.example.com/x", "", false, "cdn.example.com", "/x", "", ""),
            ("/a/b?x=http://y/z?w#top", "", false, "", "/a/b", "x=http://y/z?w", ""),
            ("/a@b:c", "", false, "", "/a@b:c", "", ""),
            ("app://settings/wifi", "app", false, "settings", "/wifi", "", ""),
            ("android-app://com.google.android.gm/", "android-app", false, "com.google.android.gm", "/", "", ""),
            ("ios-app://544007664/vnd.youtube/www.youtube.com?a=b", "ios-app", false, "544007664", "/vnd.youtube/www.youtube.com", "a=b", ""),
            ("JavaScript:alert(1)//", "JavaScript", false, "", "JavaScript:", "", ""),
            ("https://e.com/app?x=1#/orders/5?y=2", "https", false, "e.com", "/app", "x=1", "#/orders/5?y=2"),
            ("https://e.com/#!/orders", "https", false, "e.com", "/", "", "#!/orders"),
            ("https://e.com/#access_token=x", "https", false, "e.com", "/", "", ""),
            ("https://e.com/a#b?c", "https", false, "e.com", "/a", "", ""),
            ("https:\\\\e.com", "https", false, "", "https:\\\\e.com", "", ""),
            ("https://e.com\\@evil.com", "https", false, "e.com", "\\@evil.com", "", ""),
            ("about:blank", "about", false, "", "about:blank", "", ""),
            ("data:text/html,hello?x#y", "data", false, "", "data:", "", ""),
            ("file:///C:/Users/Bob/page.html", "file", false, "", "file:", "", ""),
            ("blob:https://e.com/1", "blob", false, "", "blob:", "", ""),
            ("example.com/a?b", "", false, "", "example.com/a", "b", ""),
            ("localhost:3000/a", "", false, "", "localhost:3000/a", "", ""),
            ("https://", "https", false, "", "", "", ""),
            ("https:///a", "https", false, "", "/a", "", ""),
            ("https://:80/", "https", false, "", "/", "", ""),
            ("https://@/", "https", true, "", "/", "", ""),
            ("https://пример.рф/путь?вопрос", "https", false, "пример.рф", "/путь", "вопрос", ""),
            ("://x", "", false, "", "://x", "", ""),
            ("?a=b", "", false, "", "", "a=b", ""),
            ("#", "", false, "", "", "", ""),
            ("", "", false, "", "", "", ""),
        ];
        for (url, scheme, userinfo, host, path, query, route) in table {
            let got = Parts::of(url);
            assert_eq!(
                (got.scheme, got.has_userinfo, got.host_and_port(), got.path, got.query, got.route),
                (scheme, userinfo, host, path, query, route),
                "{url}"
            );
        }
    }

    #[test]
    fn a_target_is_a_path_and_a_query_as_they_were_sent() {
        // target, host and port, path, query, fragment
        for (target, host, path, query, fragment) in [
            ("/a/b?c=d", "", "/a/b", "c=d", ""),
            ("//x/y", "", "//x/y", "", ""),
            ("//user:pass@evil.example//?a=//b", "", "//user:pass@evil.example//", "a=//b", ""),
            ("///", "", "///", "", ""),
            ("/\\evil.example/", "", "/\\evil.example/", "", ""),
            ("/a#b?c=d", "", "/a", "", "#b?c=d"),
            ("/a?x=1#access_token=t", "", "/a", "x=1", "#access_token=t"),
            ("#", "", "", "", "#"),
            ("*", "", "*", "", ""),
            ("a.example:443", "", "a.example:443", "", ""),
            ("javascript:alert(1)", "", "javascript:alert(1)", "", ""),
            ("file:///etc/passwd", "", "file:///etc/passwd", "", ""),
            ("ftp://x/y?z", "", "ftp://x/y", "z", ""),
            ("HTTP://Other.example:80/a?b#c", "Other.example", "/a", "b", "#c"),
            ("https://other.example", "other.example", "", "", ""),
            ("", "", "", "", ""),
        ] {
            let got = Parts::of_target(target);
            assert_eq!(
                (got.host_and_port(), got.path, got.query, got.route),
                (host, path, query, fragment),
                "{target}"
            );
        }
        assert_eq!(Parts::as_sent("https://e.example/a#b").route, "#b");
    }

    #[test]
    fn allowed_hosts() {
        let domains = |list: &[&str]| list.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>();
        let of = domains(&["example.com", "*.shop.example", "app.test:8080"]);
        for host in ["example.com", "EXAMPLE.com", "www.example.com", "a.b.example.com", "example.com:8080"] {
            assert!(host_allowed(host, &of), "{host}");
        }
        for host in ["example.com.", "shop.example", "x.shop.example", "app.test"] {
            assert!(host_allowed(host, &of), "{host}");
        }
        for host in ["notexample.com", "example.com.evil.test", "example.org", "com", "", "localhost", ".com"]
        {
            assert!(!host_allowed(host, &of), "{host}");
        }
        for entry in ["", ".", "*.", ":80"] {
            assert!(!host_allowed("example.com", &domains(&[entry])), "{entry}");
        }
    }

    #[test]
    fn same_hosts() {
        for (a, b) in [("www.e.com", "e.com"), ("E.com:443", "e.com"), ("e.com.", "WWW.e.com"), ("", "")] {
            assert!(same_host(a, b), "{a} {b}");
        }
        for (a, b) in [("a.e.com", "e.com"), ("e.com", "e.org"), ("www.www.e.com", "e.com"), ("e.com", "")] {
            assert!(!same_host(a, b), "{a} {b}");
        }
    }
}
