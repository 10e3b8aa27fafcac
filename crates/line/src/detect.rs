//! Which format a log has, by its first lines.
//!
//! Only formats with a name are tried. The answer is a format in which nearly all of these lines are written, or none:
//! a guess that reads half of a log would load wrong rows and reject the rest. The work is bounded by [`HEAD_BYTES`],
//! however long the log is.

use super::arena::{ARENA_BYTES, Arena};
use super::hit::Parsed;
use super::parse::{Format, Terms};

/// The number of bytes of a log that are looked at, and the number of lines in them.
pub const HEAD_BYTES: usize = 64 * 1024;
const HEAD_LINES: usize = 1000;

/// Of fewer lines, it is never said that they are of another format.
const LINES_MIN: u64 = 100;

/// The formats that are tried. Of two that read the same lines, the first is the answer.
const NAMES: [&str; 4] = ["alt1", "combined", "common", "vhost_combined"];

/// What the first lines of a log say about its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guess {
    /// There is no line.
    Empty,
    /// At least nine of ten lines are of this format; or it is `alt1`, whose lines say so, and no line is of another.
    Named(&'static str),
    /// Some lines are of these formats (number of lines), and none has nine of ten of this many lines.
    Mixed(Vec<(&'static str, usize)>, usize),
    /// None of this many lines is of a format that has a name.
    Unknown(usize),
}

/// How many lines a format reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fit {
    /// Lines that are not empty.
    pub lines: usize,
    /// Lines of the format, whether or not they are events.
    pub fitting: usize,
    /// Events that name a virtual host.
    hosts: usize,
}

impl Fit {
    /// As [`is_another`].
    pub fn is_another(self) -> bool {
        is_another(self.lines as u64, self.fitting as u64)
    }
}

/// Whether lines, of which `fitting` are of a format, are enough to say that nearly all (99 of 100) are of another.
pub fn is_another(lines: u64, fitting: u64) -> bool {
    lines >= LINES_MIN && fitting <= lines / 100
}

/// How many of the first lines are of a format. `head` has the first [`HEAD_BYTES`] of the log; if it is shorter, it is
/// the whole log.
pub fn fit(head: &[u8], format: &Format, terms: &Terms) -> Fit {
    let whole = head.len() < HEAD_BYTES;
    let mut scratch = vec![0; ARENA_BYTES];
    let mut fit = Fit::default();
    let mut rest = head;
    while fit.lines < HEAD_LINES && !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest);
        if end.is_none() && !whole {
            break;
        }
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        if line.trim_ascii().is_empty() {
            continue;
        }
        fit.lines += 1;
        match format.parse(line, false, terms, &mut Arena::new(&mut scratch)) {
            Parsed::Reject(reject) if reject.reason.is_of_the_form() => {}
            Parsed::Hit(hit) => {
                fit.fitting += 1;
                fit.hosts += usize::from(!hit.host.is_empty());
            }
            Parsed::NonHit(_) | Parsed::Reject(_) => fit.fitting += 1,
        }
    }
    fit
}

/// Whether a line begins as those of `alt1` do.
fn begins_alt1(head: &[u8]) -> bool {
    head.starts_with(b"alt1\t") || memchr::memmem::find(head, b"\nalt1\t").is_some()
}

/// The format of a log. `head` as for [`fit`].
pub fn guess(head: &[u8], terms: &Terms) -> Guess {
    let fits: Vec<(&'static str, Fit)> = NAMES
        .iter()
        .filter_map(|&name| Some((name, fit(head, &Format::compile(name).ok()?, terms))))
        .collect();
    let of =
        |wanted: &str| fits.iter().find(|(name, _)| *name == wanted).map_or(Fit::default(), |(_, fit)| *fit);
    let lines = fits.iter().map(|(_, fit)| fit.lines).max().unwrap_or_default();
    let best = fits.iter().rev().max_by_key(|(_, fit)| fit.fitting);
    match best {
        Some(&(name, fit)) if lines > 0 && fit.fitting * 10 >= lines * 9 => {
            // `combined` reads lines that begin with the name of a host, too; their format is the other one.
            let is_of_hosts = name == "combined"
                && of("vhost_combined").fitting >= fit.fitting
                && fit.hosts * 2 > fit.fitting;
            Guess::Named(if is_of_hosts { "vhost_combined" } else { name })
        }
        _ if lines == 0 => Guess::Empty,
        // However many of them are torn: no other log has such lines.
        _ if begins_alt1(head) && fits.iter().all(|(name, fit)| *name == "alt1" || fit.fitting == 0) => {
            Guess::Named("alt1")
        }
        _ => {
            let some: Vec<_> = fits
                .iter()
                .filter(|(name, _)| *name != "vhost_combined" || of("combined").fitting == 0)
                .filter(|(_, fit)| fit.fitting > 0)
                .map(|(name, fit)| (*name, fit.fitting))
                .collect();
            if some.is_empty() { Guess::Unknown(lines) } else { Guess::Mixed(some, lines) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEACON: &str = "alt1\t1764331200.000\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\t204\th\t/b\ta=K\t\tM\t\t\t\t\t\t\t512\t\n";
    const COMBINED: &str =
        "203.0.113.9 - - [28/Nov/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
    const COMMON: &str = "203.0.113.9 - - [28/Nov/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5\n";
    const VHOST: &str = "shop.example:443 203.0.113.9 - - [28/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\"\n";
    const VHOST_ADDRESS: &str =
        "192.0.2.1:443 203.0.113.9 - - [28/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\"\n";
    const PROXIED: &str =
        "203.0.113.9 10.0.0.1 - - [28/Nov/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
    const ERROR: &str = "2026/11/28 12:00:00 [error] 12#12: *1 open() \"/x\" failed, client: 192.0.2.1\n";
    const POSTED: &str = "alt1\t1764331200.000\t0123456789abcdef0123456789abcdef\t192.0.2.1\tPOST\t405\t\t/b\t\t\t\t\t\t\t\t\t\t512\t\n";

    fn said(head: &str) -> Guess {
        guess(head.as_bytes(), &Terms::default())
    }

    #[test]
    fn a_log_has_the_format_of_nearly_all_of_its_first_lines() {
        let many = |line: &str, n: usize| line.repeat(n);
        for (head, name) in [
            (many(BEACON, 3), "alt1"),
            (many(POSTED, 3), "alt1"),
            (many(COMBINED, 3), "combined"),
            (many(COMMON, 3), "common"),
            (many(VHOST, 3), "vhost_combined"),
            (many(VHOST, 3) + VHOST_ADDRESS, "vhost_combined"),
            (many(PROXIED, 3), "combined"),
            (many(COMBINED, 9) + ERROR, "combined"),
            // The last line may have no newline, blank lines are no lines, and a torn line is one in ten at most.
            (COMBINED.trim_end().to_owned(), "combined"),
            (many("\n \r\n", 50) + COMBINED, "combined"),
            ("x 1.2".to_owned() + &many(BEACON, 20), "alt1"),
            (BEACON[..30].to_owned() + BEACON, "alt1"),
            (ERROR.repeat(5) + BEACON, "alt1"),
            (many(COMMON, 2 * HEAD_BYTES / COMMON.len()) + &many(BEACON, 5000), "common"),
        ] {
            assert_eq!(said(&head[..head.len().min(HEAD_BYTES)]), Guess::Named(name), "{head:.90}");
        }
    }

    #[test]
    fn what_is_not_clear_is_no_format() {
        for (head, expect) in [
            (String::new(), Guess::Empty),
            ("\n\n".to_owned(), Guess::Empty),
            ("x".repeat(HEAD_BYTES), Guess::Empty),
            (ERROR.repeat(3), Guess::Unknown(3)),
            ("\0\u{1}\u{2}".to_owned(), Guess::Unknown(1)),
            (COMBINED.repeat(6) + &BEACON.repeat(4), Guess::Mixed(vec![("alt1", 4), ("combined", 6)], 10)),
            (COMBINED.repeat(8) + &ERROR.repeat(2), Guess::Mixed(vec![("combined", 8)], 10)),
        ] {
            assert_eq!(said(&head), expect, "{head:.90}");
        }
    }

    #[test]
    fn a_format_is_another_if_hardly_a_line_of_many_is_of_it() {
        let alt1 = Format::compile("alt1").unwrap();
        for (head, another) in [
            (COMBINED.repeat(99), false),
            (COMBINED.repeat(100), true),
            (COMBINED.repeat(99) + BEACON, true),
            (COMBINED.repeat(98) + BEACON + BEACON, false),
            // Lines of the format that are no events, or not of a known application, are of the format.
            (POSTED.repeat(200), false),
            (BEACON.replace("a=K", "").repeat(200), false),
        ] {
            let fit = fit(head.as_bytes(), &alt1, &Terms::default());
            assert_eq!(fit.is_another(), another, "{fit:?} {head:.90}");
        }
        for (lines, fitting, another) in
            [(199, 1, true), (199, 2, false), (199, 100, false), (u64::MAX, u64::MAX, false)]
        {
            assert_eq!(is_another(lines, fitting), another, "{fitting} of {lines}");
        }
    }
}
