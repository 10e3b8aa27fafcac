//! The columns of a segment. Numbers are never used again for something else; a new column gets a new number, and a
//! reader passes over those that it does not know.
//!
//! | table | rows, in the order of class, visitor (none last), time |
//! |---|---|
//! | sessions | sessions; of a class without visitors, runs of rows with the same attributes |
//! | views | page views, each once |
//! | others | other events, and copies of page views |
//! | requests | rows of type `request`, in the order of time within a visitor |
//! | strays | engagement without a page view |
//! | origins | what sessions came from: different combinations |

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// Sessions.
    Sessions,
    /// Page views.
    Views,
    /// Other events.
    Others,
    /// Rows of type `request`.
    Requests,
    /// Engagement without a page view.
    Strays,
    /// Combinations of what a session's source is made of.
    Origins,
}

/// The number of tables.
pub(crate) const TABLES: usize = 6;

/// A column of numbers: its number, its table, and the dictionary that its numbers are of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its number in the segment.
    pub(crate) id: u16,
    /// Its table.
    pub(crate) table: Table,
    /// The dictionary; [`ORIGINS`] for the table of that name.
    pub(crate) of: Option<u16>,
}

const fn column(id: u16, table: Table, of: Option<u16>) -> Column {
    Column { id, table, of }
}

/// Bits: see below.
pub(crate) const FLAGS: Column = column(1, Table::Sessions, None);
/// Seconds of the first row since the segment's base.
pub(crate) const START: Column = column(2, Table::Sessions, None);
/// Milliseconds.
pub(crate) const DURATION: Column = column(3, Table::Sessions, None);
/// How many views it has.
pub(crate) const VIEW_COUNT: Column = column(4, Table::Sessions, None);
/// How many other events it has.
pub(crate) const OTHER_COUNT: Column = column(5, Table::Sessions, None);
/// Where it came from: 0 for those beyond the bounds, else the row of the origins plus 1.
pub(crate) const ORIGIN: Column = column(6, Table::Sessions, Some(ORIGINS));
/// `utm_term`.
pub(crate) const TERM: Column = column(7, Table::Sessions, Some(TERMS));
/// `utm_content`.
pub(crate) const CONTENT: Column = column(8, Table::Sessions, Some(CONTENTS));
/// Language.
pub(crate) const LANGUAGE: Column = column(9, Table::Sessions, Some(LANGUAGES));
/// Browser.
pub(crate) const BROWSER: Column = column(10, Table::Sessions, Some(BROWSERS));
/// Operating system.
pub(crate) const OS: Column = column(11, Table::Sessions, Some(SYSTEMS));
/// Device.
pub(crate) const DEVICE: Column = column(12, Table::Sessions, Some(DEVICES));
/// IANA time zone.
pub(crate) const ZONE: Column = column(13, Table::Sessions, Some(ZONES));
/// Width of the screen, pixels.
pub(crate) const SCREEN: Column = column(14, Table::Sessions, None);
/// Keyed hash of the first `user_id`, 64 bits; 0 without one or without a key.
pub(crate) const USER: Column = column(15, Table::Sessions, None);

/// Path.
pub(crate) const VIEW_PATH: Column = column(20, Table::Views, Some(PATHS));
/// Seconds since the session's first row.
pub(crate) const VIEW_TIME: Column = column(21, Table::Views, None);
/// Engaged milliseconds plus 1; 0 if none are reported.
pub(crate) const VIEW_ENGAGED: Column = column(22, Table::Views, None);
/// Greatest depth, percent, plus 1; 0 if none is reported.
pub(crate) const VIEW_DEPTH: Column = column(23, Table::Views, None);

/// Path.
pub(crate) const OTHER_PATH: Column = column(30, Table::Others, Some(PATHS));
/// Seconds since the session's first row.
pub(crate) const OTHER_TIME: Column = column(31, Table::Others, None);
/// Type.
pub(crate) const OTHER_TYPE: Column = column(32, Table::Others, Some(TYPES));
/// How many page views of its session come before it. Not there in segments that were written before it was known.
pub(crate) const OTHER_AFTER: Column = column(33, Table::Others, None);

/// Path.
pub(crate) const REQUEST_PATH: Column = column(40, Table::Requests, Some(PATHS));
/// Minutes since the segment's base: of no use between segments, which have other bases, and kept for versions before
/// [`REQUEST_AT`].
pub(crate) const REQUEST_MINUTE: Column = column(41, Table::Requests, None);
/// HTTP status; 0 without one.
pub(crate) const REQUEST_STATUS: Column = column(42, Table::Requests, None);
/// Response time, milliseconds, plus 1; 0 without one.
pub(crate) const REQUEST_TIME: Column = column(43, Table::Requests, None);

/// Minutes since the day's first moment. Not there in segments that were written before it was known.
pub(crate) const REQUEST_AT: Column = column(44, Table::Requests, None);

/// Path.
pub(crate) const STRAY_PATH: Column = column(50, Table::Strays, Some(PATHS));
/// Milliseconds.
pub(crate) const STRAY_TIME: Column = column(51, Table::Strays, None);

/// `utm_source`.
pub(crate) const SOURCE: Column = column(60, Table::Origins, Some(SOURCES));
/// `utm_medium`.
pub(crate) const MEDIUM: Column = column(61, Table::Origins, Some(MEDIUMS));
/// `utm_campaign`.
pub(crate) const CAMPAIGN: Column = column(62, Table::Origins, Some(CAMPAIGNS));
/// Click identifier.
pub(crate) const CLICK: Column = column(63, Table::Origins, Some(CLICKS));
/// Host of the referrer.
pub(crate) const REFERRER: Column = column(64, Table::Origins, Some(REFERRERS));
/// Host of the page.
pub(crate) const HOST: Column = column(65, Table::Origins, Some(HOSTS));
/// `source=…&ref=…` of the page's query.
pub(crate) const QUERY: Column = column(66, Table::Origins, Some(QUERIES));

/// The columns of numbers.
pub(crate) const COLUMNS: [Column; 37] = [
    FLAGS,
    START,
    DURATION,
    VIEW_COUNT,
    OTHER_COUNT,
    ORIGIN,
    TERM,
    CONTENT,
    LANGUAGE,
    BROWSER,
    OS,
    DEVICE,
    ZONE,
    SCREEN,
    USER,
    VIEW_PATH,
    VIEW_TIME,
    VIEW_ENGAGED,
    VIEW_DEPTH,
    OTHER_PATH,
    OTHER_TIME,
    OTHER_TYPE,
    OTHER_AFTER,
    REQUEST_PATH,
    REQUEST_MINUTE,
    REQUEST_STATUS,
    REQUEST_TIME,
    REQUEST_AT,
    STRAY_PATH,
    STRAY_TIME,
    SOURCE,
    MEDIUM,
    CAMPAIGN,
    CLICK,
    REFERRER,
    HOST,
    QUERY,
];

/// What single events say. Few of them do: a segment has these columns only where one of its events has a value, and segments
/// that were written before they were known have none of them. Numbers of texts are 0 for none, 1 for those beyond the
/// bounds, and 2 for the first text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Valued {
    /// The number of the column of page views.
    views: Option<u16>,
    /// That of other events.
    others: Option<u16>,
    /// The dictionary; 0 of numbers.
    pub(crate) dictionary: u16,
}

impl Valued {
    /// The number of its column in a table.
    pub(crate) fn of(self, table: Table) -> Option<u16> {
        match table {
            Table::Views => self.views,
            Table::Others => self.others,
            _ => None,
        }
    }
}

const fn of_others(id: u16, dictionary: u16) -> Valued {
    Valued { views: None, others: Some(id), dictionary }
}

const fn of_both(views: u16, others: u16, dictionary: u16) -> Valued {
    Valued { views: Some(views), others: Some(others), dictionary }
}

/// What was clicked.
pub(crate) const LABEL: Valued = of_others(70, 120);
/// Where a link leads to that was clicked.
pub(crate) const CLICK_TARGET: Valued = of_others(71, 121);
/// The same of outbound links.
pub(crate) const OUTBOUND: Valued = of_others(72, 122);
/// The same of downloads.
pub(crate) const DOWNLOAD: Valued = of_others(73, 123);
/// What was searched for.
pub(crate) const SEARCH: Valued = of_others(74, 124);
/// Id of a product.
pub(crate) const PRODUCT: Valued = of_both(85, 75, 125);
/// Its name.
pub(crate) const PRODUCT_NAME: Valued = of_both(86, 76, 126);
/// Its category.
pub(crate) const CATEGORY: Valued = of_both(87, 77, 127);
/// Results of a search, plus 1.
pub(crate) const RESULTS: Valued = of_others(78, 0);
/// How much of a product was ordered: see [`crate::details::Said::stored`].
pub(crate) const QUANTITY: Valued = of_others(79, 0);
/// What an event is worth, as the quantity.
pub(crate) const REVENUE: Valued = of_both(90, 80, 0);
/// In which currency: see [`crate::details::Currency::number`].
pub(crate) const CURRENCY: Valued = of_both(91, 81, 0);
/// Names of the properties that are columns, in their order. Every segment has it since events have values.
pub(crate) const PROPERTIES: u16 = 130;

/// What tells the key of [`USER`] apart from others. Only a segment with such hashes has it.
pub(crate) const USER_KEY: u16 = 131;

/// The value of a property, by its place in [`PROPERTIES`].
pub(crate) fn property(n: usize) -> Valued {
    let n = u16::try_from(n.min(crate::details::PROPERTIES_MAX)).unwrap_or(0);
    of_both(200 + 2 * n, 201 + 2 * n, 300 + n)
}

/// The table of origins, where a dictionary is meant.
pub(crate) const ORIGINS: u16 = 99;
/// Dictionaries: of paths …
pub(crate) const PATHS: u16 = 100;
/// … of types of events, and of the columns above.
pub(crate) const TYPES: u16 = 101;
/// See [`TYPES`].
pub(crate) const TERMS: u16 = 102;
/// See [`TYPES`].
pub(crate) const CONTENTS: u16 = 103;
/// See [`TYPES`].
pub(crate) const LANGUAGES: u16 = 104;
/// See [`TYPES`].
pub(crate) const BROWSERS: u16 = 105;
/// See [`TYPES`].
pub(crate) const SYSTEMS: u16 = 106;
/// See [`TYPES`].
pub(crate) const DEVICES: u16 = 107;
/// See [`TYPES`].
pub(crate) const ZONES: u16 = 108;
/// See [`TYPES`].
pub(crate) const SOURCES: u16 = 109;
/// See [`TYPES`].
pub(crate) const MEDIUMS: u16 = 110;
/// See [`TYPES`].
pub(crate) const CAMPAIGNS: u16 = 111;
/// See [`TYPES`].
pub(crate) const CLICKS: u16 = 112;
/// See [`TYPES`].
pub(crate) const REFERRERS: u16 = 113;
/// See [`TYPES`].
pub(crate) const HOSTS: u16 = 114;
/// See [`TYPES`].
pub(crate) const QUERIES: u16 = 115;
/// The number of dictionaries.
pub(crate) const DICTIONARIES: usize = 16;

/// The first session of a visitor.
pub(crate) const NEW_VISITOR: u32 = 1;
/// A row has a `user_id`.
pub(crate) const AUTHENTICATED: u32 = 2;
/// One page view, and nothing else.
pub(crate) const BOUNCE: u32 = 4;
/// No session: rows without a visitor.
pub(crate) const NOBODY: u32 = 8;
