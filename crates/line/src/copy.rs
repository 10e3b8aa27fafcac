//! Rows to PostgreSQL's binary COPY format.
//!
//! Source: PostgreSQL documentation, "COPY", section "Binary Format": a signature, then for each row a 16-bit number
//! of fields, and for each field a 32-bit length and the bytes that the type's `recv` function reads, all big-endian;
//! -1 as number of fields ends the data. Rows are independent, so any of them can be left out.

use std::net::IpAddr;

use super::hit::Micros;
use super::row::Row;

/// The bytes before the first row: signature, no flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The bytes after the last row.
pub const TRAILER: &[u8] = &(-1i16).to_be_bytes();

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH: Micros = 946_684_800_000_000;

/// Where a row comes from: the identifiers that enriching does not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The event's id.
    pub event_id: u128,
    /// Key of `log_files`.
    pub file_id: i32,
    /// Offset of the line in the uncompressed file.
    pub file_offset: u64,
}

/// A column of `access_logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// The name of its type, as `pg_type.typname` has it.
    pub type_name: &'static str,
}

macro_rules! columns {
    (@text text $value:expr) => { Some($value) };
    (@text $other:ident $value:expr) => { None };
    (
        |$row:ident, $origin:ident|
        fixed { $($fixed:ident: $fixed_type:ident = $fixed_value:expr,)* }
        variable { $($name:ident: $type:ident = $value:expr,)* }
    ) => {
        /// The columns of `access_logs`, in the order in which [`row`] writes them.
        pub const COLUMNS: &[Column] = &[
            $(Column { name: stringify!($fixed), type_name: stringify!($fixed_type) },)*
            $(Column { name: stringify!($name), type_name: stringify!($type) },)*
        ];

        /// What the fields of fixed length take where none is NULL, with the count of fields before them.
        const FIXED_BYTES: usize = 2 $(+ 4 + width(stringify!($fixed_type)))*;

        /// Appends a row.
        pub fn row(to: &mut Vec<u8>, $row: &Row<'_>, $origin: Origin) {
            let mut fixed = Fixed { bytes: [0; FIXED_BYTES], used: 2 };
            fixed.bytes[..2].copy_from_slice(&COLUMN_COUNT.to_be_bytes());
            $(fixed.$fixed_type($fixed_value);)*
            to.extend_from_slice(&fixed.bytes[..fixed.used]);
            $($type(to, $value);)*
        }

        /// The columns of type `text`, with what a row has in them; `""` for NULL.
        pub fn texts<'r>($row: &Row<'r>) -> impl Iterator<Item = (&'static str, &'r str)> {
            let texts = [$((stringify!($name), columns!(@text $type $value)),)*];
            texts.into_iter().filter_map(|(name, text)| Some((name, text?)))
        }
    };
}

// Each column: its name, its type, which names the function that encodes it, and its value. Those of fixed length are
// written first.
columns! {
    |row, origin|
    fixed {
        occurred_at: timestamptz = Some(row.occurred_at),
        client_at: timestamptz = row.client_at,
        event_id: uuid = origin.event_id,
        visitor_id: int8 = row.visitor_id,
        page_view_id: int8 = row.page_view_id,
        user_agent_id: int8 = row.user_agent_id,
        environment_id: int8 = row.environment_id,
        file_offset: int8 = Some(i64::try_from(origin.file_offset).unwrap_or(i64::MAX)),
        bytes_sent: int8 = row.bytes_sent,
        app_id: int4 = Some(row.app_id),
        file_id: int4 = Some(origin.file_id),
        dwell_ms: int4 = row.dwell_ms,
        request_ms: int4 = row.request_ms,
        upstream_ms: int4 = row.upstream_ms,
        status: int2 = row.status,
        scroll_depth: int2 = row.scroll_depth,
        click_x: int2 = row.click_x,
        click_y: int2 = row.click_y,
    }
    variable {
        traffic_class: text = row.traffic_class.as_str(),
        event_type: text = row.event_type,
        method: text = row.method,
        ip: inet = row.ip,
        url_host: text = row.url_host,
        url_path: text = row.url_path,
        url_query: text = row.url_query,
        referrer: text = row.referrer,
        referrer_host: text = row.referrer_host,
        title: text = row.title,
        session_id: text = row.session_id,
        user_id: text = row.user_id,
        client_sub_id: text = row.client_sub_id,
        module_id: text = row.module_id,
        entity_type: text = row.entity_type,
        entity_id: text = row.entity_id,
        trace_id: text = row.trace_id,
        params: jsonb = row.params,
    }
}

/// How many columns there are.
#[allow(clippy::cast_possible_truncation)] // some dozens
const COLUMN_COUNT: u16 = COLUMNS.len() as u16;

/// The statement that takes what [`row`] writes.
pub fn statement() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    format!("COPY access_logs ({}) FROM STDIN (FORMAT binary)", names.join(", "))
}

const NULL: [u8; 4] = (-1i32).to_be_bytes();

fn field(to: &mut Vec<u8>, bytes: &[u8]) {
    // A field is made from a line of at most 256 KiB, so its length always fits.
    to.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// Bytes of a value of a type of fixed length.
const fn width(type_name: &str) -> usize {
    match type_name.as_bytes() {
        b"uuid" => 16,
        b"timestamptz" | b"int8" => 8,
        b"int4" => 4,
        b"int2" => 2,
        _ => panic!("no type of fixed length"),
    }
}

/// The fields of fixed length. They are written in place, without asking whether they are NULL: what is written for
/// NULL beyond its length is written over by the next field.
struct Fixed {
    bytes: [u8; FIXED_BYTES],
    used: usize,
}

impl Fixed {
    fn put<const N: usize>(&mut self, value: Option<[u8; N]>) {
        let full = i32::try_from(N).unwrap_or(i32::MAX).to_be_bytes();
        let (length, kept) = if value.is_some() { (full, 4 + N) } else { (NULL, 4) };
        let to = &mut self.bytes[self.used..self.used + 4 + N];
        to[..4].copy_from_slice(&length);
        to[4..].copy_from_slice(&value.unwrap_or([0; N]));
        self.used += kept;
    }

    fn uuid(&mut self, value: u128) {
        self.put(Some(value.to_be_bytes()));
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

    fn timestamptz(&mut self, at: Option<Micros>) {
        self.int8(at.map(postgres_micros));
    }
}

/// Microseconds since 2000-01-01, as `timestamptz` has them; never one of the two values that mean infinity.
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
        let fixed = |put: &dyn Fn(&mut Fixed), expect: &[u8]| {
            let mut fixed = Fixed { bytes: [0; FIXED_BYTES], used: 0 };
            put(&mut fixed);
            assert_eq!(&fixed.bytes[..fixed.used], expect);
        };
        fixed(&|to| to.int2(Some(-2)), b"\0\0\0\x02\xff\xfe");
        fixed(&|to| to.int2(None), b"\xff\xff\xff\xff");
        fixed(&|to| to.timestamptz(Some(POSTGRES_EPOCH + 1)), b"\0\0\0\x08\0\0\0\0\0\0\0\x01");
        check(&|to| text(to, "ab"), b"\0\0\0\x02ab");
        check(&|to| text(to, ""), b"\xff\xff\xff\xff");
        check(&|to| jsonb(to, "{}"), b"\0\0\0\x03\x01{}");
        check(&|to| inet(to, Some(([192, 0, 2, 0].into(), 24))), b"\0\0\0\x08\x02\x18\0\x04\xc0\0\x02\0");
    }

    #[test]
    fn as_many_fields_are_written_as_columns_are_named() {
        let a_row = Row { status: Some(204), title: "T", ..Row::default() };
        let mut to = Vec::new();
        row(&mut to, &a_row, Origin { event_id: 1, file_id: 2, file_offset: 3 });
        let (mut at, mut fields) = (2, 0);
        while at < to.len() {
            let length = i32::from_be_bytes(to[at..at + 4].try_into().unwrap());
            at += 4 + usize::try_from(length.max(0)).unwrap();
            fields += 1;
        }
        assert_eq!((at, fields), (to.len(), COLUMNS.len()));
        let texts: Vec<_> = texts(&a_row).filter(|(_, text)| !text.is_empty()).collect();
        assert_eq!(texts, [("traffic_class", "human"), ("title", "T")]);
    }
}
