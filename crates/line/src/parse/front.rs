//! What stands before the time in the common log format: `192.0.2.1 - frank`, in all forms that servers write.
//!
//! Before the address there may be a syslog header, and the virtual host with or without its port. Instead of one
//! address there may be a list that proxies wrote (`%{X-Forwarded-For}i`), beside the address of the nearest of them or
//! alone. Where an address must be and none is, the line is a reject: with a guess, an address would become a user or a
//! parameter, which nothing truncates. The ident, and a client's name, are never kept.

use std::net::IpAddr;

use super::forwarded::{self, Said};
use super::syslog;
use super::terms::Terms;
use crate::enrich::url::without_port;
use crate::hit::Reason;

/// The fields before the time; `""` for what is absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Front<'t> {
    /// The virtual host, without its port.
    pub(super) host: &'t str,
    pub(super) port: &'t str,
    pub(super) client: Option<IpAddr>,
    pub(super) user: &'t str,
}

/// Reads the fields. `has_host`: the virtual host comes first, whatever it looks like.
pub(super) fn read<'t>(text: &'t str, has_host: bool, terms: &Terms) -> Result<Front<'t>, Reason> {
    let text = syslog::without_header(text);
    let (mut list, mut rest) = list_of(text);
    let mut host = "";
    let is_name = !list.contains(',') && forwarded::entry(list) == Said::Other;
    if has_host || is_name {
        let onward;
        (host, onward) = text.split_once(' ').ok_or(Reason::Shape)?;
        (list, rest) = list_of(onward);
        let is_host =
            if has_host { forwarded::entry(host) == Said::Other || list != "-" } else { has_address(list) };
        if !is_host && onward.contains(' ') {
            return Err(Reason::BadAddress);
        }
    }
    // A second list counts only if an ident and a user are left behind it.
    let (mut far, mut near) = ("", list);
    let (second, behind) = list_of(rest);
    if behind.contains(' ') && (has_address(second) || second.starts_with('(')) {
        let nearest_first = !list.contains(',') && (second.contains(',') || second.starts_with('('));
        (far, near) = if nearest_first { (second, list) } else { (list, second) };
        rest = behind;
    }
    let (_ident, user) = rest.split_once(' ').ok_or(Reason::Shape)?;
    if user.starts_with("- ") {
        // There is a field too many.
        return Err(Reason::Shape);
    }
    let client = match forwarded::client(near.rsplit(',').chain(far.rsplit(',')), terms) {
        Said::Address(address) => Some(address),
        Said::Nothing => None,
        Said::Other => return Err(Reason::BadAddress),
    };
    let user = if user == "-" || user.split(' ').any(has_address) { "" } else { user };
    let name = without_port(host);
    let port = host[name.len()..].trim_start_matches(':');
    Ok(Front { host: if name == "-" { "" } else { name }, port, client, user })
}

/// The list with which a text begins, and what follows the space behind it: of its entries, all but the last end with
/// a comma.
fn list_of(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let end = memchr::memchr_iter(b' ', bytes).find(|&at| at == 0 || bytes[at - 1] != b',');
    end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]))
}

fn has_address(list: &str) -> bool {
    list.split(',').any(|text| matches!(forwarded::entry(text), Said::Address(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, has_host: bool) -> String {
        match read(text, has_host, &Terms::default()) {
            Ok(Front { host, port, client, user }) => {
                let client = client.map(|ip| ip.to_string()).unwrap_or_default();
                format!("{host}|{port}|{client}|{user}")
            }
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn the_forms_that_servers_write() {
        for (text, expect) in [
            ("203.0.113.9 - -", "||203.0.113.9|"),
            ("203.0.113.9 - frank", "||203.0.113.9|frank"),
            ("203.0.113.9 ident john doe", "||203.0.113.9|john doe"),
            ("203.0.113.9 - ", "||203.0.113.9|"),
            ("2001:db8::7 - -", "||2001:db8::7|"),
            // The virtual host, with and without port.
            ("shop.example 203.0.113.9 - -", "shop.example||203.0.113.9|"),
            ("shop.example:443 203.0.113.9 - frank", "shop.example|443|203.0.113.9|frank"),
            ("localhost 2001:db8::7 - -", "localhost||2001:db8::7|"),
            ("_ 203.0.113.9 - -", "_||203.0.113.9|"),
            ("[2001:db8::1] 203.0.113.9 - -", "||203.0.113.9|"),
            ("shop.example 198.51.100.3, 203.0.113.77 - -", "shop.example||203.0.113.77|"),
            // Lists, alone and beside the address of the proxy.
            ("198.51.100.3, 203.0.113.77 - -", "||203.0.113.77|"),
            ("198.51.100.3,203.0.113.77 - frank", "||203.0.113.77|frank"),
            ("198.51.100.3, 203.0.113.77, 10.0.0.1 - -", "||203.0.113.77|"),
            ("unknown, 203.0.113.9 - -", "||203.0.113.9|"),
            ("198.51.100.3, 203.0.113.77 10.0.0.1 - -", "||203.0.113.77|"),
            ("203.0.113.77 10.0.0.1 - -", "||203.0.113.77|"),
            ("10.0.0.1 198.51.100.3, 203.0.113.77 - -", "||203.0.113.77|"),
            ("192.0.2.1 198.51.100.3, 203.0.113.77 - -", "||192.0.2.1|"),
            ("10.0.0.1 203.0.113.77 - -", "||203.0.113.77|"),
            ("10.0.0.1 (198.51.100.3, 203.0.113.77) - -", "||203.0.113.77|"),
            ("10.0.0.1 (-) - -", "||10.0.0.1|"),
            ("\"198.51.100.3, 203.0.113.77\" - -", "||203.0.113.77|"),
            // Nobody knows the client.
            ("- - -", "|||"),
            ("- - frank", "|||frank"),
            ("- 203.0.113.9 - -", "||203.0.113.9|"),
            ("unix: - -", "|||"),
            ("unknown - -", "|||"),
            // A syslog header.
            ("Jan  3 12:00:00 web-1 nginx: 203.0.113.9 - frank", "||203.0.113.9|frank"),
            ("Jan 13 12:00:00 web-1 nginx[7]: shop.example 203.0.113.9 - -", "shop.example||203.0.113.9|"),
        ] {
            assert_eq!(shown(text, false), expect, "{text}");
        }
        for (text, expect) in [
            ("shop.example:443 203.0.113.9 - frank", "shop.example|443|203.0.113.9|frank"),
            ("shop.example 203.0.113.9 - -", "shop.example||203.0.113.9|"),
            ("shop.example 198.51.100.3, 203.0.113.77 - -", "shop.example||203.0.113.77|"),
            ("shop.example:80 - - -", "shop.example|80||"),
            ("192.0.2.80:443 203.0.113.9 - -", "192.0.2.80|443|203.0.113.9|"),
            ("192.0.2.80 203.0.113.9 - -", "192.0.2.80||203.0.113.9|"),
            ("[2001:db8::1]:443 203.0.113.9 - -", "[2001:db8::1]|443|203.0.113.9|"),
            ("2001:db8::1 203.0.113.9 - -", "2001:db8::1||203.0.113.9|"),
            ("- 203.0.113.9 - -", "||203.0.113.9|"),
        ] {
            assert_eq!(shown(text, true), expect, "{text}");
        }
    }

    #[test]
    fn what_has_no_address_where_one_must_be_is_refused() {
        for text in [
            "crawler.example.net - -",
            "crawler.example.net ident frank",
            "crawler.example.net - john doe",
            "203.0.113.x - -",
            "shop.example client.example 203.0.113.9 -",
            "junk, 999.1.1.1 - -",
        ] {
            assert_eq!(shown(text, false), "bad_address", "{text}");
        }
        for text in ["shop.example client.example - -", "203.0.113.9 - -", "203.0.113.9 - john doe"] {
            assert_eq!(shown(text, true), "bad_address", "{text}");
        }
        for text in [
            "",
            "-",
            "203.0.113.9",
            "203.0.113.9 -",
            "shop.example 203.0.113.9",
            "203.0.113.9 shop.example - -",
        ] {
            assert_eq!(shown(text, false), "shape", "{text}");
        }
    }

    #[test]
    fn no_address_becomes_a_user() {
        for text in ["203.0.113.9 - 198.51.100.3", "203.0.113.9 - x 198.51.100.3:80", "203.0.113.9 - [::1]"] {
            assert_eq!(shown(text, false), "||203.0.113.9|", "{text}");
        }
    }
}
