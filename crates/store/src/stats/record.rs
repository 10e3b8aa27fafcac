//! What statistics read of a row: which columns, and how an event is stored while the rows of a day are sorted.

use alt_process::clock::micros;
use alt_statistics::event::Event;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

macro_rules! columns {
    ($($field:ident = $sql:literal,)*) => {
        /// What is selected for the fields after the first four.
        pub(super) const SELECTED: &[&str] = &[$($sql,)*];

        /// The event of a row. Borrows its texts.
        pub(super) fn event(row: &Row) -> Result<Event<'_>, tokio_postgres::Error> {
            let mut event = Event {
                occurred_at: micros(row.try_get(0)?),
                event_id: row.try_get::<_, Uuid>(1)?.as_u128(),
                visitor_id: row.try_get(2)?,
                traffic_class: row.try_get(3)?,
                ..Event::default()
            };
            let mut column = 4;
            $(
                event.$field = Column::of(row, column)?;
                column += 1;
            )*
            let _ = column;
            Ok(event)
        }

        /// Writes the fields after the first four.
        pub(super) fn write(event: &Event<'_>, to: &mut Vec<u8>) {
            // No `..`: a field that is added in the other crate needs its line here.
            let Event { occurred_at: _, event_id: _, visitor_id: _, traffic_class: _, $($field,)* } = event;
            $($field.put(to);)*
        }

        /// Reads what [`write()`] wrote. `None`: it is cut off.
        pub(super) fn read<'r>(event: &mut Event<'r>, from: &mut &'r [u8]) -> Option<()> {
            $(event.$field = Stored::take(from)?;)*
            Some(())
        }
    };
}

columns! {
    page_view_id = "l.page_view_id",
    event_type = "l.event_type",
    user_id = "l.user_id",
    url_host = "l.url_host",
    url_path = "l.url_path",
    url_query = "l.url_query",
    referrer_host = "l.referrer_host",
    utm_source = "l.params ->> 'utm_source'",
    utm_medium = "l.params ->> 'utm_medium'",
    utm_campaign = "l.params ->> 'utm_campaign'",
    utm_term = "l.params ->> 'utm_term'",
    utm_content = "l.params ->> 'utm_content'",
    click_id = "CASE WHEN l.params IS NULL THEN NULL WHEN l.params ? 'gclid' THEN 'gclid' \
        WHEN l.params ? 'gbraid' THEN 'gbraid' WHEN l.params ? 'wbraid' THEN 'wbraid' \
        WHEN l.params ? 'dclid' THEN 'dclid' WHEN l.params ? 'msclkid' THEN 'msclkid' \
        WHEN l.params ? 'yclid' THEN 'yclid' WHEN l.params ? 'fbclid' THEN 'fbclid' WHEN l.params ? 'ttclid' THEN 'ttclid' \
        WHEN l.params ? 'twclid' THEN 'twclid' WHEN l.params ? 'li_fat_id' THEN 'li_fat_id' END",
    browser = "u.browser",
    os = "u.os",
    device = "u.device",
    language = "coalesce(e.language, l.params ->> 'language')",
    time_zone = "coalesce(e.time_zone, l.params ->> 'time_zone')",
    screen_width = "coalesce(e.screen_width, CASE WHEN jsonb_typeof(l.params -> 'screen_width') = 'number' \
        AND (l.params ->> 'screen_width') ~ '^[0-9]{1,9}$' THEN (l.params ->> 'screen_width')::integer END, 0)",
    dwell_ms = "l.dwell_ms",
    scroll_depth = "l.scroll_depth",
    method = "CASE l.event_type WHEN 'request' THEN l.method END",
    status = "l.status",
    request_ms = "l.request_ms",
    entity_type = "l.entity_type",
    entity_id = "l.entity_id",
    client_sub_id = "l.client_sub_id",
    module_id = "l.module_id",
    params = "CASE WHEN l.event_type <> 'engagement' AND (l.event_type NOT IN ('pageview', 'request') OR l.params ? 'custom') \
        THEN l.params::text END",
}

/// A field of an event, as a column has it.
trait Column<'r>: Sized {
    fn of(row: &'r Row, column: usize) -> Result<Self, tokio_postgres::Error>;
}

impl<'r> Column<'r> for &'r str {
    fn of(row: &'r Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        Ok(row.try_get::<_, Option<&str>>(column)?.unwrap_or(""))
    }
}

impl<'r> Column<'r> for i32 {
    fn of(row: &'r Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(column)
    }
}

impl<'r, T: FromSql<'r>> Column<'r> for Option<T> {
    fn of(row: &'r Row, column: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get(column)
    }
}

/// A value as it is stored in a record.
trait Stored<'r>: Sized {
    /// Writes it.
    fn put(&self, to: &mut Vec<u8>);
    /// Reads it, and goes on behind it. `None`: the bytes are cut off.
    fn take(from: &mut &'r [u8]) -> Option<Self>;
}

impl<'r> Stored<'r> for &'r str {
    fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&u32::try_from(self.len()).unwrap_or(u32::MAX).to_le_bytes());
        to.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut &'r [u8]) -> Option<Self> {
        let (length, rest) = from.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *from = rest;
        std::str::from_utf8(text).ok()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl<'r> Stored<'r> for $number {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut &'r [u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$number>::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(i16, i32, i64);

impl<'r, T: Stored<'r>> Stored<'r> for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn take(from: &mut &'r [u8]) -> Option<Self> {
        let (is_some, rest) = from.split_first()?;
        *from = rest;
        if *is_some == 0 { Some(None) } else { T::take(from).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_click_identifier_is_read_the_first_that_counts_first() {
        let sql = SELECTED.iter().find(|sql| sql.contains("'gclid'")).unwrap();
        let read: Vec<&str> =
            sql.split("THEN '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
        assert_eq!(read, alt_statistics::source::click_ids().collect::<Vec<_>>());
    }
}
