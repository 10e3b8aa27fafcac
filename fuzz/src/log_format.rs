//! Formats as people write them, and lines parsed by what they were compiled to.

use std::borrow::Cow;

use alt_line::hit::{Parsed, Reason};
use alt_line::parse::{Format, Spec};

use super::check;

/// A format, NUL, a pixel or nothing, NUL, and lines.
///
/// A format is compiled, or refused with a place in it and one line of words. What describes it is stored and read
/// back as it was. A line gives the same with a carriage return at its end; a hit has an id if the format carries one;
/// and a reject has a reason that such a format can have.
pub fn log_format(data: &[u8]) {
    let mut parts = data.splitn(3, |&byte| byte == 0).map(String::from_utf8_lossy);
    let (Some(text), pixel) = (parts.next(), parts.next()) else { return };
    let pixel = pixel.filter(|pixel| !pixel.is_empty()).map(Cow::into_owned);
    if let Err(error) = Format::compile(&text) {
        assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{error}");
        assert!(!error.what.is_empty() && !error.what.contains(char::is_control), "{error}");
    }
    let spec = Spec { pixel, ..Spec::new(&text) };
    let stored = serde_json::to_string(&spec).expect("a spec is JSON");
    assert_eq!(serde_json::from_str::<Spec>(&stored).expect("as it was stored"), spec);
    let format = match Format::of(&spec) {
        Ok(format) => format,
        Err(error) => return assert!(matches!(error.part, "format" | "pixel") && !error.what.is_empty()),
    };
    let lines = data.splitn(3, |&byte| byte == 0).nth(2).unwrap_or_default();
    for line in lines.split(|&byte| byte == b'\n') {
        assert!(pieces(&format, line) == 1 || matches!(format, Format::Alt1));
        let said = check::parse(&format, line, |parsed| look(&format, &parsed));
        if !matches!(format, Format::Alt1) && !line.ends_with(b"\r") {
            let other = check::parse(&format, &[line, b"\r"].concat(), |parsed| look(&format, &parsed));
            assert_eq!(said, other, "with a carriage return");
        }
    }
}

/// How many pieces a line has; none is empty.
fn pieces(format: &Format, line: &[u8]) -> usize {
    let (mut rest, mut count) = (line, 1);
    while let Some(at) = format.next_piece(rest) {
        assert!((1..rest.len()).contains(&at), "a piece of {at} bytes");
        rest = &rest[at..];
        count += 1;
    }
    count
}

/// Looks whether the outcome is one of this format's, and shows it.
fn look(format: &Format, parsed: &Parsed<'_>) -> String {
    match parsed {
        Parsed::Hit(hit) => assert_eq!(hit.event_id.is_some(), format.carries_id(), "{hit:?}"),
        Parsed::NonHit(_) => assert!(format.pixel().is_some() || matches!(format, Format::Alt1)),
        Parsed::Reject(reject) => {
            let has = matches!(
                reject.reason,
                Reason::Empty
                    | Reason::Shape
                    | Reason::BadTime
                    | Reason::BadId
                    | Reason::BadStatus
                    | Reason::BadAddress
            );
            assert!(has || matches!(format, Format::Alt1), "{reject:?}");
        }
    }
    format!("{parsed:?}")
}
