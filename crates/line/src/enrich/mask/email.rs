//! Finds e-mail addresses (RFC 5321, RFC 5322) around their `@`.

use super::decode::{decoded, decoded_before};

/// Whether a character may be in the local part of an address without quotes (RFC 5322, 3.2.3), except for those that
/// end a part of a URL.
fn is_local(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, b'.' | b'_' | b'+' | b'-' | b'\'' | b'!' | b'$' | b'^' | b'~' | b'|' | b'`')
        || c >= 0x80
}

/// The most characters of a local part in quotes (RFC 5321, 4.5.3.1.1).
const QUOTED_MAX: usize = 64;

/// Where the local part begins that ends at `at`: `bob`, `"bob smith"`.
fn local_part(bytes: &[u8], floor: usize, at: usize) -> usize {
    let mut from = at;
    if let Some((b'"', taken)) = decoded_before(bytes, floor, at) {
        from -= taken;
        for _ in 0..QUOTED_MAX {
            match decoded_before(bytes, floor, from) {
                Some((b'"', taken)) => return from - taken,
                Some((b'*', _)) | None => break, // a mask
                Some((_, taken)) => from -= taken,
            }
        }
        return at;
    }
    while let Some((_, taken)) = decoded_before(bytes, floor, from).filter(|(c, _)| is_local(*c)) {
        from -= taken;
    }
    from
}

/// The address around the `@` at `at`.
pub(super) fn email(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, usize)> {
    let (b'@', sign) = decoded(bytes, at)? else { return None };
    let from = local_part(bytes, floor, at);
    if from == at {
        return None; // a handle: `@name`
    }
    if let Some(until) = domain_literal(bytes, at + sign) {
        return Some((from, until));
    }
    // The domain ends with the last label that can be a top-level domain: `bob@example.com.2024`.
    let (mut label, mut labels, mut until, mut file) = (at + sign, 0, None, false);
    let mut end = label;
    loop {
        let next = decoded(bytes, end)
            .filter(|(c, _)| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.') || *c >= 0x80);
        if let Some((c, taken)) = next
            && c != b'.'
        {
            end += taken;
            continue;
        }
        if end == label {
            break; // a dot at the end, of a sentence
        }
        labels += 1;
        if labels >= 2 {
            let top = top_level(&bytes[label..end]);
            file = top == Some(0);
            until = top.filter(|length| *length > 0).map(|length| label + length).or(until);
        }
        let Some((_, taken)) = next else { break };
        end += taken;
        label = end;
    }
    until.filter(|_| !file).map(|until| (from, until))
}

/// The end of a domain that is an address: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
fn domain_literal(bytes: &[u8], at: usize) -> Option<usize> {
    const CHARACTERS_MAX: usize = 50;
    let (b'[', taken) = decoded(bytes, at)? else { return None };
    let (mut end, mut count) = (at + taken, 0);
    for _ in 0..CHARACTERS_MAX {
        match decoded(bytes, end)? {
            (b']', taken) => return (count >= "1.2.3.4".len()).then_some(end + taken),
            (c, taken) if c.is_ascii_alphanumeric() || matches!(c, b'.' | b':') => {
                count += 1;
                end += taken;
            }
            _ => return None,
        }
    }
    None
}

/// How many bytes of a label are a top-level domain: letters, at least two. 0 for the extension of a file
/// (`logo@2x.png`, `vue@3.min.js`).
fn top_level(label: &[u8]) -> Option<usize> {
    const FILES: [&[u8]; 26] = [
        b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"avif", b"ico", b"bmp", b"js", b"mjs", b"cjs",
        b"css", b"map", b"html", b"htm", b"json", b"xml", b"pdf", b"woff", b"mp4", b"webm", b"min", b"esm",
        b"umd", b"prod",
    ];
    if label.contains(&b'%')
        || !label.is_ascii()
        || label.get(..4).is_some_and(|x| x.eq_ignore_ascii_case(b"xn--"))
    {
        return Some(label.len()); // an international name, which may be encoded
    }
    let letters = label.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if letters < 2 || label.get(letters).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let file = FILES.iter().any(|f| label[..letters].eq_ignore_ascii_case(f));
    Some(if file { 0 } else { letters })
}
