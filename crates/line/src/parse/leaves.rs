//! The smallest parts of a line: times, numbers, ids and addresses.
//!
//! Each function reads a whole field and returns `None` for any field that is not valid; nothing here can overflow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while, take_while_m_n};
use nom::character::complete::{char, one_of};
use nom::combinator::{all_consuming, map_opt, opt, value};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};
use wide::u8x16;

use super::escape::HEX;
use crate::hit::Micros;

const MICROS: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z and the last microsecond of the year 9999: times that both RFC 3339 and `timestamptz` can
/// hold.
const MICROS_MIN: i64 = -62_135_596_800 * MICROS;
const MICROS_MAX: i64 = 253_402_300_800 * MICROS - 1;

/// `$msec`: seconds since 1970 with a fraction, `1700000000.123`.
pub(super) fn seconds(field: &[u8]) -> Option<Micros> {
    decimal(field, 6).filter(|micros| *micros <= MICROS_MAX)
}

/// The time of a client's clock: milliseconds since 1970, perhaps with a fraction, or an RFC 3339 time.
pub(super) fn client_time(text: &str) -> Option<Micros> {
    decimal(text.as_bytes(), 3)
        .or_else(|| rfc3339(text.as_bytes()))
        .filter(|micros| (MICROS_MIN..=MICROS_MAX).contains(micros))
}

/// A duration in seconds, `0.123`, as milliseconds.
pub(super) fn seconds_as_ms(field: &[u8]) -> Option<i32> {
    decimal(field, 3).and_then(|ms| i32::try_from(ms).ok())
}

/// A decimal number without sign, multiplied by ten to the power of `places` and truncated to an integer.
fn decimal(field: &[u8], places: usize) -> Option<i64> {
    // One pass: most numbers have so few digits that searching for the point first would take longer.
    let (mut number, mut rest) = (0, field);
    while let [byte, after @ ..] = rest
        && byte.is_ascii_digit()
    {
        // At most 13 digits cannot overflow.
        if field.len() - rest.len() == 13 {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
        rest = after;
    }
    if rest.len() == field.len() {
        return None;
    }
    let fraction = match rest {
        [] => return number.checked_mul(POWERS_OF_TEN[places]),
        [b'.', fraction @ ..] if !fraction.is_empty() => fraction,
        _ => return None,
    };
    let known = fraction.len().min(places);
    let number = number.checked_mul(POWERS_OF_TEN[known])?.checked_add(digits(&fraction[..known])?)?;
    let number = number.checked_mul(POWERS_OF_TEN[places - known])?;
    fraction[known..].iter().all(u8::is_ascii_digit).then_some(number)
}

/// For each number of places that [`decimal`] is called with.
const POWERS_OF_TEN: [i64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// A number of at most 18 digits; an empty text is 0.
fn digits(text: &[u8]) -> Option<i64> {
    if text.len() > 18 {
        return None;
    }
    let mut number = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(number)
}

/// An integer with an optional sign. A fraction is truncated (`12.7` is 12), because browsers report positions with
/// one.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    Some(sign * decimal(text.as_bytes(), 0)?)
}

/// A number of bytes.
pub(super) fn bytes(field: &[u8]) -> Option<i64> {
    if field.is_empty() { None } else { digits(field) }
}

/// `$status`: three digits.
pub(super) fn status(field: &[u8]) -> Option<u16> {
    if field.len() == 3 { digits(field).and_then(|status| u16::try_from(status).ok()) } else { None }
}

/// `$request_id`: 32 hexadecimal digits.
pub(super) fn request_id(field: &[u8]) -> Option<u128> {
    let ([high, low], []) = field.as_chunks() else { return None };
    Some(u128::from(hex_digits(high)?) << 64 | u128::from(hex_digits(low)?))
}

/// The value of 16 hexadecimal digits, all processed at once.
fn hex_digits(digits: &[u8; 16]) -> Option<u64> {
    let bytes = u8x16::new(*digits);
    let decimal = bytes - u8x16::splat(b'0');
    let is_decimal = decimal.min(u8x16::splat(9)).simd_eq(decimal);
    let letter = (bytes | u8x16::splat(0x20)) - u8x16::splat(b'a');
    let is_letter = letter.min(u8x16::splat(5)).simd_eq(letter);
    if (is_decimal | is_letter).to_bitmask() != 0xFFFF {
        return None;
    }
    let values = (is_decimal & decimal) | (is_letter & (letter + u8x16::splat(10)));
    // Two digits become a byte, then four become two bytes, then eight become four.
    let half = |values: &[u8; 8]| {
        let values = u64::from_be_bytes(*values);
        let bytes = (values | values >> 4) & 0x00FF_00FF_00FF_00FF;
        let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
        (pairs | pairs >> 16) & 0xFFFF_FFFF
    };
    match values.to_array().as_chunks() {
        ([high, low], []) => Some(half(high) << 32 | half(low)),
        _ => None,
    }
}

/// A page view's id: the value of 1 to 16 hexadecimal digits, or a hash of any other text.
pub(super) fn page_view_id(text: &str) -> i64 {
    let value = match text.len() {
        16 => text.as_bytes().first_chunk().and_then(hex_digits),
        1..16 => text.bytes().try_fold(0, |value: u64, digit| {
            let digit = HEX[usize::from(digit)];
            (digit < 16).then(|| value << 4 | u64::from(digit))
        }),
        _ => None,
    };
    value.map_or_else(
        || {
            let mut head = [0; 8];
            head.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..8]);
            i64::from_be_bytes(head)
        },
        u64::cast_signed,
    )
}

/// An IP address as nginx and Apache write it. An IPv4 address that is mapped into IPv6 becomes IPv4; a zone is left
/// out.
pub(super) fn address(field: &[u8]) -> Option<IpAddr> {
    if let Some(address) = ipv4(field) {
        return Some(address.into());
    }
    if let Some(address) = ipv6(field) {
        return Some(IpAddr::V6(address).to_canonical());
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.split_once('%').map_or(text, |(address, _zone)| address);
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Four decimal numbers, the form of nearly every address. An address in another form gives `None`, too.
fn ipv4(field: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut points, mut number, mut count) = (0, 0, 0, 0);
    for &byte in field {
        if byte == b'.' {
            if count == 0 || points == 3 {
                return None;
            }
            (bits, points, number, count) = (bits << 8 | number, points + 1, 0, 0);
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        // No number except 0 begins with a 0.
        if digit > 9 || (count > 0 && number == 0) {
            return None;
        }
        (number, count) = (number * 10 + u32::from(digit), count + 1);
        if number > 255 {
            return None;
        }
    }
    (points == 3 && count > 0).then(|| Ipv4Addr::from_bits(bits << 8 | number))
}

/// Groups of hexadecimal digits, some of them perhaps replaced by `::`. An address in another form gives `None`, too.
fn ipv6(field: &[u8]) -> Option<Ipv6Addr> {
    let (mut groups, mut count, mut gap) = ([0; 8], 0, None);
    let mut rest = match field {
        [b':', b':', rest @ ..] => {
            gap = Some(0);
            rest
        }
        _ => field,
    };
    while !rest.is_empty() {
        let (mut group, mut digits) = (0, 0);
        while let Some(&byte) = rest.get(digits)
            && HEX[usize::from(byte)] < 16
        {
            if digits == 4 {
                return None;
            }
            group = group << 4 | u16::from(HEX[usize::from(byte)]);
            digits += 1;
        }
        if digits == 0 {
            return None;
        }
        *groups.get_mut(count)? = group;
        count += 1;
        rest = match &rest[digits..] {
            [] => &[],
            [b':', b':', rest @ ..] if gap.is_none() => {
                gap = Some(count);
                rest
            }
            [b':', rest @ ..] if !rest.is_empty() => rest,
            _ => return None,
        };
    }
    let missing = groups.len() - count;
    match gap {
        // `::` stands for at least one group.
        Some(gap) if missing > 0 => groups[gap..].rotate_right(missing),
        None if missing == 0 => {}
        _ => return None,
    }
    Some(groups.into())
}

/// The first address of a list such as `X-Forwarded-For`. Entries may have a port, quotes or brackets; those that are
/// no address (`unknown`, `_hidden`) are passed over.
pub(super) fn first_address(list: &str) -> Option<IpAddr> {
    list.split(',').find_map(|entry| {
        let entry = entry.trim_matches([' ', '\t', '"']);
        if entry.len() < "::".len() {
            return None;
        }
        if let Some(bracketed) = entry.strip_prefix('[') {
            return address(bracketed.split(']').next()?.as_bytes());
        }
        address(entry.as_bytes()).or_else(|| address(entry.rsplit_once(':')?.0.as_bytes()))
    })
}

/// `$time_local`: `10/Oct/2000:13:55:36 -0700`.
pub(super) fn time_local(field: &[u8]) -> Option<Micros> {
    let date =
        (terminated(number(2), char('/')), terminated(month, char('/')), terminated(number(4), char(':')));
    let offset = preceded(char(' '), offset(false));
    let (_, ((day, month, year), clock, offset)) = all_consuming((date, clock, offset)).parse(field).ok()?;
    micros(Date { year, month, day }, clock, 0, offset)
}

/// RFC 3339, which includes `$time_iso8601`: `2000-10-10T13:55:36-07:00`, also with a fraction, `Z`, or a space.
pub(super) fn rfc3339(field: &[u8]) -> Option<Micros> {
    let date = (terminated(number(4), char('-')), terminated(number(2), char('-')), number(2));
    let zone = alt((value(0, one_of("Zz")), offset(true)));
    let (_, ((year, month, day), _, clock, fraction, zone)) =
        all_consuming((date, one_of("Tt "), clock, opt(fraction), zone)).parse(field).ok()?;
    micros(Date { year, month, day }, clock, fraction.unwrap_or(0), zone)
}

type Part<'a, T> = IResult<&'a [u8], T, ()>;

/// A number of exactly `count` digits.
fn number<'a>(count: usize) -> impl Parser<&'a [u8], Output = i64, Error = ()> {
    map_opt(take(count), digits)
}

fn month(input: &[u8]) -> Part<'_, i64> {
    const NAMES: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    map_opt(take(3usize), |name: &[u8]| (1..).zip(NAMES).find_map(|(n, known)| (known == name).then_some(n)))
        .parse(input)
}

/// `13:55:36`, as seconds; 60 stands for a leap second.
fn clock(input: &[u8]) -> Part<'_, i64> {
    map_opt(
        (terminated(number(2), char(':')), terminated(number(2), char(':')), number(2)),
        |(hour, minute, second)| {
            (hour < 24 && minute < 60 && second <= 60).then_some((hour * 60 + minute) * 60 + second)
        },
    )
    .parse(input)
}

/// `.123`, as microseconds; further digits are left out.
fn fraction(input: &[u8]) -> Part<'_, i64> {
    let finer = take_while(|b: u8| b.is_ascii_digit());
    let micros = map_opt(take_while_m_n(1, 6, |b: u8| b.is_ascii_digit()), |text: &[u8]| {
        Some(digits(text)? * 10_i64.pow(6 - u32::try_from(text.len()).ok()?))
    });
    delimited(tag("."), micros, finer).parse(input)
}

/// `+0200` or, with a colon, `+02:00`, as seconds.
fn offset<'a>(colon: bool) -> impl Parser<&'a [u8], Output = i64, Error = ()> {
    let between = move |input: &'a [u8]| -> Part<'a, ()> {
        if colon { value((), tag(":")).parse(input) } else { Ok((input, ())) }
    };
    map_opt((one_of("+-"), number(2), between, number(2)), |(sign, hours, _, minutes)| {
        let seconds = (hours * 60 + minutes) * 60;
        (hours < 24 && minutes < 60).then_some(if sign == '-' { -seconds } else { seconds })
    })
}

/// A date of the Gregorian calendar.
#[derive(Clone, Copy)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// Microseconds since 1970 of a date, and of times in seconds and microseconds.
fn micros(date: Date, clock: i64, fraction: i64, offset: i64) -> Option<Micros> {
    let Date { year, month, day } = date;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || year == 0 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, counting years from March so that a leap day comes last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
    Some(((days - 719_468) * 86_400 + clock - offset) * MICROS + fraction)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_times_are_read_whole_or_not_at_all() {
        let seconds_cases: &[(&str, Option<i64>)] = &[
            ("1700000000.123", Some(1_700_000_000_123_000)),
            ("1700000000", Some(1_700_000_000_000_000)),
            ("0.000001", Some(1)),
            ("1.1234567", Some(1_123_456)),
            ("253402300799.999", Some(253_402_300_799_999_000)),
            ("253402300800.000", None),
            ("99999999999999.0", None),
            ("", None),
            (".5", None),
            ("5.", None),
            ("1.2.3", None),
            ("-1.0", None),
            ("+1.0", None),
            ("1e9", None),
            ("1700000000,123", None),
            ("1.123456x", None),
        ];
        for &(text, expect) in seconds_cases {
            assert_eq!(seconds(text.as_bytes()), expect, "{text}");
        }
        let client: &[(&str, Option<i64>)] = &[
            ("1700000000123", Some(1_700_000_000_123_000)),
            ("1700000000123.456", Some(1_700_000_000_123_456)),
            ("2023-11-14T22:13:20.5Z", Some(1_700_000_000_500_000)),
            ("2023-11-14T22:13:20", None),
            ("9999999999999999", None),
            ("253402300800000", None),
            ("yesterday", None),
            ("", None),
        ];
        for &(text, expect) in client {
            assert_eq!(client_time(text), expect, "{text}");
        }
        let integers: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("12.7", Some(12)),
            ("-0.5", Some(0)),
            ("", None),
            ("-", None),
            ("1 ", None),
            ("0x10", None),
            ("99999999999999", None),
            ("NaN", None),
        ];
        for &(text, expect) in integers {
            assert_eq!(integer(text), expect, "{text}");
        }
        for (text, expect) in
            [("200", Some(200)), ("000", Some(0)), ("20", None), ("2000", None), ("2x0", None)]
        {
            assert_eq!(status(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn calendars_agree() {
        let local: &[(&str, Option<&str>)] = &[
            ("10/Oct/2000:13:55:36 -0700", Some("2000-10-10T20:55:36Z")),
            ("29/Feb/2024:23:59:60 +0000", Some("2024-03-01T00:00:00Z")),
            ("01/Jan/1970:00:00:00 +0530", Some("1969-12-31T18:30:00Z")),
            ("29/Feb/2023:00:00:00 +0000", None),
            ("31/Apr/2023:00:00:00 +0000", None),
            ("00/Jan/2023:00:00:00 +0000", None),
            ("10/oct/2000:13:55:36 -0700", None),
            ("10/Oct/2000:24:00:00 -0700", None),
            ("10/Oct/2000:13:55:36", None),
            ("10/Oct/2000:13:55:36 -07:00", None),
            ("10/Oct/2000:13:55:36 -0700 ", None),
            ("", None),
        ];
        for &(text, expect) in local {
            assert_eq!(time_local(text.as_bytes()), expect.map(|e| rfc3339(e.as_bytes()).unwrap()), "{text}");
        }
        for text in [
            "2000-10-10",
            "2000-10-10T13:55:36",
            "2000-13-10T13:55:36Z",
            "2000-10-10T13:55:36.Z",
            "2000-10-10T13:55:36+0700",
            "0000-01-01T00:00:00Z",
            "2000-10-10T13:55:36Zx",
            "2000-10-10T13:60:36Z",
        ] {
            assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
        }
        assert_eq!(rfc3339(b"2000-10-10T13:55:36-07:00"), time_local(b"10/Oct/2000:13:55:36 -0700"));
        assert_eq!(rfc3339(b"1970-01-01 00:00:00.1234567z"), Some(123_456));
    }

    #[test]
    fn ids_and_addresses() {
        assert_eq!(
            request_id(b"000102030405060708090a0b0c0d0e0F"),
            Some(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f)
        );
        for text in ["", "-", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0g"] {
            assert_eq!(request_id(text.as_bytes()), None, "{text}");
        }
        assert_eq!(page_view_id("ff"), 255);
        assert_eq!(page_view_id("ffffffffffffffff"), -1);
        assert_ne!(page_view_id("ffffffffffffffff0"), page_view_id("fffffffffffffffff"));
        for (list, expect) in [
            ("203.0.113.9, 10.0.0.1", Some("203.0.113.9")),
            ("unknown, 203.0.113.9:4711", Some("203.0.113.9")),
            ("\"[2001:db8::1]:443\"", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("", None),
            ("unix:", None),
            ("a, b,, 999.1.1.1", None),
            ("[::1", Some("::1")),
        ] {
            assert_eq!(first_address(list), expect.map(|e| e.parse().unwrap()), "{list}");
        }
    }

    proptest! {
        #[test]
        fn times_are_what_jiff_makes_of_them(seconds in -62_135_596_800_i64..253_402_300_800, micro in 0..1_000_000_i32) {
            let time = jiff::Timestamp::new(seconds, micro * 1000).unwrap();
            prop_assert_eq!(rfc3339(time.to_string().as_bytes()), Some(time.as_microsecond()));
            let local = time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            prop_assert_eq!(time_local(local.as_bytes()), Some(seconds * MICROS));
        }

        #[test]
        fn hexadecimal_digits_are_what_the_standard_library_reads(
            digits in prop::array::uniform16(prop_oneof![
                50 => prop::sample::select(b"0123456789abcdefABCDEF".as_slice()),
                1 => any::<u8>(),
            ]),
        ) {
            let text = std::str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'));
            let expect = text.and_then(|text| u64::from_str_radix(text, 16).ok());
            prop_assert_eq!(hex_digits(&digits), expect);
        }

        #[test]
        fn addresses_of_ipv6_are_what_the_standard_library_reads(
            groups in prop::collection::vec(prop_oneof![6 => "[0-9a-fA-F]{1,4}", 1 => "[0-9a-fg.%]{0,5}"], 0..10),
            whole in any::<[u16; 8]>(),
            gaps in any::<[bool; 8]>(),
        ) {
            let shown = |address: Ipv6Addr| address.to_string();
            let sparse = std::array::from_fn::<u16, 8, _>(|n| if gaps[n] { 0 } else { whole[n] });
            for text in [groups.join(":"), format!("::{}", groups.join(":")), shown(whole.into()), shown(sparse.into())] {
                // `ipv6` leaves texts with an IPv4 address in them to the standard library.
                let expect = text.parse().ok().filter(|_| !text.contains('.'));
                prop_assert_eq!(ipv6(text.as_bytes()), expect, "{}", text);
            }
        }
    }
}
