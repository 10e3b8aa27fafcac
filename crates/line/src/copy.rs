//! Rows to PostgreSQL's binary COPY format.
//!
//! Source: PostgreSQL documentation, "COPY", section "Binary Format": a signature, then per row a 16-bit count
//! of fields and per field a 32-bit length and the bytes its type's `recv` function takes, all big-endian;
//! a count of -1 ends it. Rows are independent, so that any of them can be left out.

use std::net::IpAddr;

use super::hit::Micros;
use super::row::Row;

/// The columns of `access_logs`, in the order in which [`row`] writes them.
pub const COLUMNS: &str = "occurred_at, client_at, event_id, visitor_id, page_view_id, user_agent_id, \
    environment_id, file_offset, bytes_sent, app_id, file_id, dwell_ms, request_ms, upstream_ms, status, scroll_depth, click_x, \
    click_y, traffic_class, event_type, method, ip, url_host, url_path, url_query, referrer, referrer_host, \
    title, session_id, user_id, client_sub_id, module_id, entity_type, entity_id, trace_id, params";

/// How many they are.
const COLUMN_COUNT: i16 = 36;

/// What stands before the first row: signature, no flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What stands after the last row.
pub const TRAILER: &[u8] = &(-1i16).to_be_bytes();

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH: Micros = 946_684_800_000_000;

/// Where a row comes from: the identifiers that enriching does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The event's id.
    pub event_id: u128,
    /// Key of `log_files`.
    pub file_id: i32,
    /// Offset of the line in the uncompressed file.
    pub file_offset: u64,
}

/// Appends a row.
pub fn row(to: &mut Vec<u8>, row: &Row<'_>, origin: Origin) {
    let mut numbers = Numbers { bytes: [0; NUMBERS_BYTES], used: 2 };
    numbers.bytes[..2].copy_from_slice(&COLUMN_COUNT.to_be_bytes());
    numbers.time(Some(row.occurred_at));
    numbers.time(row.client_at);
    numbers.put(Some(origin.event_id.to_be_bytes()));
    numbers.int8(row.visitor_id);
    numbers.int8(row.page_view_id);
    numbers.int8(row.user_agent_id);
    numbers.int8(row.environment_id);
    numbers.int8(Some(i64::try_from(origin.file_offset).unwrap_or(i64::MAX)));
    numbers.int8(row.bytes_sent);
    numbers.int4(Some(row.app_id));
    numbers.int4(Some(origin.file_id));
    numbers.int4(row.dwell_ms);
    numbers.int4(row.request_ms);
    numbers.int4(row.upstream_ms);
    numbers.int2(row.status);
    numbers.int2(row.scroll_depth);
    numbers.int2(row.click_x);
    numbers.int2(row.click_y);
    to.extend_from_slice(&numbers.bytes[..numbers.used]);
    text(to, row.traffic_class.as_str());
    text(to, row.event_type);
    text(to, row.method);
    inet(to, row.ip);
    text(to, row.url_host);
    text(to, row.url_path);
    text(to, row.url_query);
    text(to, row.referrer);
    text(to, row.referrer_host);
    text(to, row.title);
    text(to, row.session_id);
    text(to, row.user_id);
    text(to, row.client_sub_id);
    text(to, row.module_id);
    text(to, row.entity_type);
    text(to, row.entity_id);
    text(to, row.trace_id);
    jsonb(to, row.params);
}

const NULL: [u8; 4] = (-1i32).to_be_bytes();

fn field(to: &mut Vec<u8>, bytes: &[u8]) {
    // A field comes from a line of at most 256 KiB: its length always fits.
    to.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// What the numbers of a row take, with the count of fields before them, where none is NULL.
const NUMBERS_BYTES: usize = 2 + 19 * 4 + 16 + 8 * 8 + 5 * 4 + 4 * 2;

/// The fields of fixed length, which come first. They are written in place, without asking whether they are NULL: what is
/// written of one that is is written over by the next.
struct Numbers {
    bytes: [u8; NUMBERS_BYTES],
    used: usize,
}

impl Numbers {
    fn put<const N: usize>(&mut self, value: Option<[u8; N]>) {
        let full = i32::try_from(N).unwrap_or(i32::MAX).to_be_bytes();
        let (length, kept) = if value.is_some() { (full, 4 + N) } else { (NULL, 4) };
        let to = &mut self.bytes[self.used..self.used + 4 + N];
        to[..4].copy_from_slice(&length);
        to[4..].copy_from_slice(&value.unwrap_or([0; N]));
        self.used += kept;
    }

    fn int8(&mut self, value: Option<i64>) {
        self.put(value.map(i64::to_be_bytes));
    }

    fn int4(&mut self, value: Option<i32>) {
        self.put(value.map(i32::to_be_bytes));
    }

    fn int2(&mut self, value: Option<i16>) {
        self.put(value.map(i16::to_be_bytes));
    }

    fn time(&mut self, at: Option<Micros>) {
        self.int8(at.map(postgres_micros));
    }
}

/// Microseconds since 2000-01-01, as `timestamptz` has them. The two values that stand for infinity are
/// never made.
pub fn postgres_micros(at: Micros) -> i64 {
    at.saturating_sub(POSTGRES_EPOCH).max(i64::MIN + 1)
}

fn text(to: &mut Vec<u8>, text: &str) {
    if text.is_empty() {
        to.extend_from_slice(&NULL);
    } else {
        field(to, text.as_bytes());
    }
}

/// `inet_recv`: family, prefix length, "is cidr", address length, address.
fn inet(to: &mut Vec<u8>, ip: Option<(IpAddr, u8)>) {
    const FAMILY_V4: u8 = 2;
    const FAMILY_V6: u8 = 3;
    match ip {
        None => to.extend_from_slice(&NULL),
        Some((IpAddr::V4(a), prefix)) => {
            let o = a.octets();
            field(to, &[FAMILY_V4, prefix, 0, 4, o[0], o[1], o[2], o[3]]);
        }
        Some((IpAddr::V6(a), prefix)) => {
            let mut bytes = [FAMILY_V6, prefix, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes[4..].copy_from_slice(&a.octets());
            field(to, &bytes);
        }
    }
}

/// `jsonb_recv`: version 1, then the JSON text.
fn jsonb(to: &mut Vec<u8>, json: &str) {
    if json.is_empty() {
        to.extend_from_slice(&NULL);
    } else {
        to.extend_from_slice(&i32::try_from(json.len() + 1).unwrap_or(i32::MAX).to_be_bytes());
        to.push(1);
        to.extend_from_slice(json.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_its_length_and_its_bytes() {
        let check = |write: &dyn Fn(&mut Vec<u8>), expect: &[u8]| {
            let mut to = Vec::new();
            write(&mut to);
            assert_eq!(to, expect);
        };
        let number = |put: &dyn Fn(&mut Numbers), expect: &[u8]| {
            let mut numbers = Numbers { bytes: [0; NUMBERS_BYTES], used: 0 };
            put(&mut numbers);
            assert_eq!(&numbers.bytes[..numbers.used], expect);
        };
        number(&|to| to.int2(Some(-2)), b"\0\0\0\x02\xff\xfe");
        number(&|to| to.int2(None), b"\xff\xff\xff\xff");
        number(&|to| to.time(Some(POSTGRES_EPOCH + 1)), b"\0\0\0\x08\0\0\0\0\0\0\0\x01");
        check(&|to| text(to, "ab"), b"\0\0\0\x02ab");
        check(&|to| text(to, ""), b"\xff\xff\xff\xff");
        check(&|to| jsonb(to, "{}"), b"\0\0\0\x03\x01{}");
        check(&|to| inet(to, Some(([192, 0, 2, 0].into(), 24))), b"\0\0\0\x08\x02\x18\0\x04\xc0\0\x02\0");
    }

    #[test]
    fn as_many_fields_are_written_as_columns_are_named() {
        assert_eq!(COLUMNS.split(',').count(), usize::try_from(COLUMN_COUNT).unwrap());
        let row_ = Row { status: Some(204), ..Row::empty(super::super::row::TrafficClass::Human) };
        let mut to = Vec::new();
        row(&mut to, &row_, Origin { event_id: 1, file_id: 2, file_offset: 3 });
        let (mut at, mut fields) = (2, 0);
        while at < to.len() {
            let length = i32::from_be_bytes(to[at..at + 4].try_into().unwrap());
            at += 4 + usize::try_from(length.max(0)).unwrap();
            fields += 1;
        }
        assert_eq!((at, fields), (to.len(), 36));
    }
}
