//! Bytes, written fast: numbers, percent-encoding, times.

/// Appends a number.
pub fn number(to: &mut Vec<u8>, mut n: u64) {
    let (mut digits, mut at) = ([0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

/// Appends as many lower hexadecimal digits of a number.
pub fn hex(to: &mut Vec<u8>, bits: u64, digits: u32) {
    for digit in (0..digits).rev() {
        to.push(b"0123456789abcdef"[(bits >> (4 * digit) & 15) as usize]);
    }
}

/// As `URLSearchParams` writes a value.
pub fn encoded(text: &str) -> String {
    let mut to = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => to.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => to.push(char::from(byte)),
            _ => to += &format!("%{byte:02X}"),
        }
    }
    to
}

/// As a browser writes a path or a query into an address: only what is not ASCII is encoded.
pub fn address(text: &str) -> String {
    let mut to = String::new();
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' => to.push(char::from(byte)),
            _ => to += &format!("%{byte:02X}"),
        }
    }
    to
}

/// As nginx's `$time_local` has seconds since 1970, in UTC.
pub fn local_time(seconds: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // civil_from_days (Hinnant)
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12);
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let of_day = seconds % 86_400;
    format!(
        "{day:02}/{}/{year}:{:02}:{:02}:{:02} +0000",
        MONTHS[month as usize],
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}
