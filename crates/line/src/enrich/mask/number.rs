//! Numbers that are personal by their form: of payment cards (ISO/IEC 7812), accounts (IBAN, ISO 13616), telephones
//! (ITU-T E.164, and national forms that no other number has).
//!
//! Every number is looked at from its beginning only, and has a limited length.

use super::MASK;
use super::decode::decoded;

/// The least digits of a number that is masked: a telephone number with its country.
pub(super) const DIGITS_MIN: usize = 9;

/// The quick check: whether [`DIGITS_MIN`] digits stand near each other, separators between them.
pub(super) fn may_hold(bytes: &[u8]) -> bool {
    let (mut count, mut at) = (0, 0);
    while let Some(b) = bytes.get(at) {
        at += 1;
        match NEAR[usize::from(*b)] {
            Near::Digit => count += 1,
            Near::Separator => {}
            Near::Encoded => at += 2,
            Near::Other => count = 0,
        }
        if count >= DIGITS_MIN {
            return true;
        }
    }
    false
}

/// What a byte is between the digits of a number.
#[derive(Clone, Copy)]
enum Near {
    Digit,
    Separator,
    Encoded,
    Other,
}

static NEAR: [Near; 256] = {
    let mut near = [Near::Other; 256];
    let mut b = 0_u8;
    loop {
        near[b as usize] = match b {
            b'0'..=b'9' => Near::Digit,
            b'%' => Near::Encoded,
            b' ' | b'+' | b'\t' | b'-' | b'.' | b'_' | b'/' | b'(' | b')' | 0x80.. => Near::Separator,
            _ => Near::Other,
        };
        if b == u8::MAX {
            break near;
        }
        b += 1;
    }
};

/// The end of the number that begins at the first letter or digit of a word of `length` letters and digits. Nothing
/// before `floor` counts.
pub(super) fn at_word(bytes: &[u8], floor: usize, at: usize, length: usize) -> Option<usize> {
    if bytes[at].is_ascii_alphabetic() {
        return iban(bytes, at).or_else(|| tel(bytes, at));
    }
    // In one piece, or with a separator and more digits behind.
    let goes_on = bytes.get(at + length).is_some_and(|b| separates(*b))
        && bytes.get(at + length + 1).is_some_and(|b| b.is_ascii_digit() || separates(*b) || *b >= 0x80)
        || bytes.get(at + length) == Some(&b'%');
    if length < 14 && !goes_on {
        return None;
    }
    let number = Grouped::of(bytes, at);
    // `978-3-16-148410-0` is one number, whatever its end looks like. Its beginning may have been masked by name.
    let is_rest = at >= floor + 2
        && matches!(bytes[at - 1], b'-' | b'.' | b'/')
        && (bytes[at - 2].is_ascii_alphanumeric() || bytes[..at - 1].ends_with(MASK.as_bytes()));
    number.card().or_else(|| if is_rest { None } else { number.telephone() })
}

fn separates(b: u8) -> bool {
    matches!(b, b' ' | b'+' | b'\t' | b'-' | b'.' | b'_' | b'/' | 0xC2 | 0xE2)
}

const DIGITS_MAX: usize = 19;
const GROUPS_MAX: usize = 6;

/// Digits in groups with separators between them.
struct Grouped {
    digits: [u8; DIGITS_MAX],
    /// Of each group, how many digits there are up to its end, and where it ends; 0 digits if there is no such group.
    groups: [(usize, usize); GROUPS_MAX],
    /// Of each group, the separator after it.
    separators: [u8; GROUPS_MAX],
    /// Whether a group may be the last: no letter or digit follows.
    ends: [bool; GROUPS_MAX],
}

/// The separator at `at`, and how many bytes it takes: a space (also one that does not break, or two), a hyphen, a dot.
fn separator(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let (c, taken) = decoded(bytes, at)?;
    match c {
        b' ' | b'+' | b'\t' => match decoded(bytes, at + taken) {
            Some((b' ' | b'+', more)) => Some((b' ', taken + more)),
            _ => Some((b' ', taken)),
        },
        b'-' | b'.' | b'_' | b'/' => Some((c, taken)),
        // U+00A0, U+2007, U+2010, U+2011, U+2013, U+202F
        0xC2 => matches!(decoded(bytes, at + taken), Some((0xA0, _))).then_some((b' ', 2 * taken)),
        0xE2 => {
            let (0x80, second) = decoded(bytes, at + taken)? else { return None };
            match decoded(bytes, at + taken + second)? {
                (0x87 | 0xAF, third) => Some((b' ', taken + second + third)),
                (0x90 | 0x91 | 0x93, third) => Some((b'-', taken + second + third)),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Grouped {
    fn of(bytes: &[u8], at: usize) -> Self {
        let mut number = Grouped {
            digits: [0; DIGITS_MAX],
            groups: [(0, 0); GROUPS_MAX],
            separators: [0; GROUPS_MAX],
            ends: [false; GROUPS_MAX],
        };
        let (mut end, mut count) = (at, 0);
        for group in 0..GROUPS_MAX {
            while let Some(d) = bytes.get(end).filter(|b| b.is_ascii_digit()) {
                let Some(slot) = number.digits.get_mut(count) else { return number };
                *slot = d - b'0';
                count += 1;
                end += 1;
            }
            number.groups[group] = (count, end);
            number.ends[group] = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
            let Some((c, taken)) = separator(bytes, end) else { break };
            if !bytes.get(end + taken).is_some_and(u8::is_ascii_digit) {
                break;
            }
            number.separators[group] = c;
            end += taken;
        }
        number
    }

    /// How many digits each group has; 0 if there is no such group.
    fn lengths(&self) -> [usize; GROUPS_MAX] {
        let mut before = 0;
        self.groups.map(|(count, _)| {
            let length = count.saturating_sub(before);
            before = before.max(count);
            length
        })
    }

    /// The end of a card's number: 14 to 19 digits that begin like a card number of that length, with the right check
    /// digit; in one piece, or in the groups that are printed on cards (4-4-4-4, 4-6-5, 4-6-4).
    fn card(&self) -> Option<usize> {
        let lengths = self.lengths();
        (0..4).find_map(|last| {
            let (count, end) = self.groups[last];
            let shape = matches!(&lengths[..=last], [14..=19] | [4, 4, 4, 4] | [4, 6, 4 | 5]);
            let paths = self.separators[..last].contains(&b'/');
            let digits = &self.digits[..count];
            (shape && !paths && self.ends[last] && issued(digits) && check_digit(digits)).then_some(end)
        })
    }

    /// The end of a telephone number in a national form that other numbers do not have, or with `00` for the `+`. What
    /// follows after another separator does not count.
    fn telephone(&self) -> Option<usize> {
        let lengths = self.lengths();
        let groups = lengths.iter().position(|length| *length == 0).unwrap_or(GROUPS_MAX);
        let last =
            (1..groups).rev().find(|last| self.ends[*last] && self.is_telephone(&lengths[..=*last]))?;
        Some(self.groups[last].1)
    }

    /// Whether the first groups, which have these lengths, are a telephone number.
    fn is_telephone(&self, lengths: &[usize]) -> bool {
        let d = &self.digits;
        let separators = &self.separators[..lengths.len() - 1];
        let first = separators[0];
        let same = separators.iter().all(|s| *s == first);
        let area = |at: usize| d[at] >= 2 && d[at + 3] >= 2;
        match lengths {
            // North America: 212-555-0123, 1-212-555-0123
            [3, 3, 4] => same && matches!(first, b'-' | b'.') && area(0),
            [1, 3, 3, 4] => same && matches!(first, b'-' | b'.') && d[0] == 1 && area(1),
            // France: 06 12 34 56 78
            [2, 2, 2, 2, 2] => same && first != b'/' && d[0] == 0 && d[1] > 0,
            // Japan, Korea: 090-1234-5678
            [3, 4, 4] => same && matches!(first, b'-' | b' ') && d[0] == 0 && d[1] > 0,
            // Germany: 0171 1234567, 0171/12345678; Britain: 07700 900123
            [4, 7 | 8] => d[0] == 0 && d[1] == 1 && (5..=7).contains(&d[2]),
            [5, 6] => matches!(first, b' ' | b'-') && d[0] == 0 && matches!(d[1], 1 | 7),
            // 0049 30 901820
            [2..=5, _, ..] => {
                let with_country = lengths.len() >= 3 || lengths[0] > 2;
                let digits: usize = lengths.iter().sum();
                d[..2] == [0, 0] && d[2] > 0 && with_country && first != b'/' && (11..=17).contains(&digits)
            }
            _ => false,
        }
    }
}

/// The end of a telephone number from its `+` or `(`: `+49 30 901820`, `(212) 555-0123`. The sign may be encoded.
pub(super) fn phone(bytes: &[u8], at: usize) -> Option<usize> {
    let (sign, taken) = decoded(bytes, at)?;
    let first = bytes.get(at + taken).filter(|b| b.is_ascii_digit())?;
    if sign == b'+' {
        return if *first == b'0' { None } else { digits_from(bytes, at + taken, DIGITS_MIN, 15) };
    }
    // (212) 555-0123, (11) 91234-5678
    let mut end = at + taken;
    let area = bytes[end..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
    end += area;
    let (b')', taken) = decoded(bytes, end).filter(|_| (2..=3).contains(&area))? else { return None };
    end += taken;
    if let Some((b' ', taken)) = separator(bytes, end) {
        end += taken;
    }
    let number = Grouped::of(bytes, end);
    let shape = matches!(&number.lengths()[..2], [3..=5, 4]);
    (shape && number.ends[1]).then_some(number.groups[1].1)
}

/// The end of a telephone number whose digits begin at `at`, with separators and brackets between them: of as many
/// groups as have `most` digits at most, if these are `least` digits or more.
fn digits_from(bytes: &[u8], at: usize, least: usize, most: usize) -> Option<usize> {
    let (mut end, mut count, mut next) = (at, 0, at);
    loop {
        let digits = bytes[next..].iter().take(most + 1).take_while(|b| b.is_ascii_digit()).count();
        let is_whole = !bytes.get(next + digits).is_some_and(u8::is_ascii_alphanumeric);
        if digits == 0 || count + digits > most || !is_whole {
            break;
        }
        count += digits;
        end = next + digits;
        next = end;
        for _ in 0..3 {
            match decoded(bytes, next) {
                Some((b'(' | b')', taken)) => next += taken,
                _ => match separator(bytes, next) {
                    Some((_, taken)) => next += taken,
                    None => break,
                },
            }
        }
        if next == end {
            break;
        }
    }
    (count >= least).then_some(end)
}

/// The end of a link to a telephone: `tel:030901820` (RFC 3966).
fn tel(bytes: &[u8], at: usize) -> Option<usize> {
    let word = ["tel", "sms", "callto"].iter().find(|word| {
        bytes.get(at..at + word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word.as_bytes()))
    })?;
    let (b':', taken) = decoded(bytes, at + word.len())? else { return None };
    let from = at + word.len() + taken;
    let from = match decoded(bytes, from)? {
        (b'+', taken) => from + taken,
        _ => from,
    };
    digits_from(bytes, from, DIGITS_MIN, 15)
}

/// How long the IBANs of a country are (the IBAN registry of SWIFT), in the order of the countries.
#[rustfmt::skip]
const IBANS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22),
    (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27),
    (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27),
    (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28),
    (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22),
    (b"MK", 19), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28),
    (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20),
];

/// The end of an IBAN: in one piece, or in groups of four, with the right check digits.
fn iban(bytes: &[u8], at: usize) -> Option<usize> {
    let [a, b, c, d] = *bytes.get(at..)?.first_chunk()?;
    if !b.is_ascii_alphabetic() || !c.is_ascii_digit() || !d.is_ascii_digit() {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let length = IBANS.iter().find(|(of, _)| **of == country)?.1;
    let mut all = [0; 34];
    let (mut end, mut count) = (at, 0);
    while count < length {
        if count > 0
            && count.is_multiple_of(4)
            && let Some((b' ' | b'-' | b'.', taken)) = separator(bytes, end)
        {
            end += taken;
        }
        all[count] = *bytes.get(end).filter(|b| b.is_ascii_alphanumeric())?;
        count += 1;
        end += 1;
    }
    if !may_hold(&all[..length]) || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    all[..length].rotate_left(4);
    let remainder = all[..length].iter().fold(0_u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    (remainder == 1).then_some(end)
}

/// Whether a number begins like a card number of this length.
fn issued(digits: &[u8]) -> bool {
    let four = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(*d));
    match digits.len() {
        14 => matches!(four, 3000..=3059 | 3600..=3699 | 3800..=3899),
        15 => matches!(four, 3400..=3499 | 3700..=3799),
        16 => matches!(
            four,
            4000..=4999 | 5100..=5599 | 2221..=2720 | 3528..=3589 | 6011 | 6440..=6599 | 6200..=6299
                | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763
        ),
        17..=19 => matches!(four, 6200..=6299 | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763),
        _ => false,
    }
}

/// The Luhn check.
fn check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            u32::from(if i % 2 == 0 { *d } else { [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][usize::from(*d)] })
        })
        .sum();
    sum.is_multiple_of(10)
}
