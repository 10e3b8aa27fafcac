//! What a parser makes of a line: a hit, a counted non-hit, or a reject with its reason.
//!
//! A hit contains what the line says, decoded and typed, and no conclusions: it is not masked, not classified, and has
//! no identifiers of the database. Texts are valid UTF-8 without NUL; `""` stands for an absent text.

use std::net::IpAddr;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// Types of events that this program knows; all others are an application's own.
pub const EVENT_TYPES: [&str; 10] = [
    "pageview",
    "engagement",
    "click",
    "outbound",
    "download",
    "search",
    "cart_add",
    "cart_remove",
    "cart_update",
    "request",
];

/// Index of a type in [`EVENT_TYPES`]; for all others, the length of that list.
pub fn event_type_index(name: &str) -> u8 {
    let index = EVENT_TYPES.iter().position(|known| *known == name).unwrap_or(EVENT_TYPES.len());
    u8::try_from(index).unwrap_or(u8::MAX)
}

/// The outcome of parsing one line. Every sequence of bytes has one.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // one lives at a time, on the stack; a box would cost an allocation a line
pub enum Parsed<'a> {
    /// A line that becomes a row, if its application is known.
    Hit(Hit<'a>),
    /// A well-formed line that is no event: counted, not kept.
    NonHit(NonHit),
    /// A line that could not be understood: kept in `rejected_lines`.
    Reject(Reject),
}

/// What a line is that is no hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoHit {
    /// As [`Parsed::NonHit`].
    NonHit(NonHit),
    /// As [`Parsed::Reject`].
    Reject(Reject),
}

impl From<NoHit> for Parsed<'_> {
    fn from(no_hit: NoHit) -> Self {
        match no_hit {
            NoHit::NonHit(kind) => Parsed::NonHit(kind),
            NoHit::Reject(reject) => Parsed::Reject(reject),
        }
    }
}

/// Why a well-formed line is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NonHit {
    /// A beacon request that was not answered 2xx (429, 413, 405 …), with its HTTP status.
    Status(u16),
    /// A method that carries no event (OPTIONS, HEAD …), answered 2xx.
    Method,
    /// A visitor who asked not to be tracked (`Sec-GPC`, `DNT`), if the operator drops such hits.
    OptedOut,
    /// A crawler, if the application does not store crawlers.
    Crawler,
    /// A request for something else than the pixel, in the log of another product's pixel.
    Other,
}

impl NonHit {
    /// What people are told. Of a status, its number is told beside.
    pub fn phrase(self) -> &'static str {
        self.words().0
    }

    /// The label in the metrics. In the place of a status, its number is the label.
    pub fn label(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            NonHit::Status(_) => ("status", "status"),
            NonHit::Method => ("method", "method"),
            NonHit::OptedOut => ("opted out", "opted_out"),
            NonHit::Crawler => ("crawler", "crawler"),
            NonHit::Other => ("not the pixel", "other"),
        }
    }
}

/// Why a line could not become a row, and what is known of it nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// When the event happened, if the line contains a valid time.
    pub occurred_at: Option<Micros>,
    /// The event's id, if the line contains a valid one.
    pub event_id: Option<u128>,
}

impl Reject {
    /// A reject with its reason; nothing else is known of it.
    pub fn new(reason: Reason) -> Self {
        Reject { reason, occurred_at: None, event_id: None }
    }
}

macro_rules! reasons {
    ($(#[doc = $meaning:literal] $name:ident = $text:literal,)*) => {
        /// Why a line is a reject. The text form is stored in `rejected_lines.reason`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $meaning] $name,)* }
        impl Reason {
            /// All reasons, for documentation and tests.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];
            /// The name that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
            /// The reason of that name.
            pub fn named(name: &str) -> Option<Reason> {
                Reason::ALL.iter().copied().find(|reason| reason.as_str() == name)
            }
            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning,)* }.trim_start()
            }
        }
    };
}

reasons! {
    /// An empty line.
    Empty = "empty",
    /// The head of a line that was cut off by another write (`alt1\t` begins again inside it).
    Torn = "torn",
    /// Longer than 256 KiB.
    TooLong = "too_long",
    /// Not the shape of the configured format (wrong number of fields, a missing quote or bracket).
    Shape = "shape",
    /// The event's time is not a time.
    BadTime = "bad_time",
    /// The event's time is before 2000-01-01 or more than a day in the future.
    TimeRange = "time_range",
    /// `$request_id` is not 32 hexadecimal digits.
    BadId = "bad_id",
    /// `$status` is not a number of three digits.
    BadStatus = "bad_status",
    /// The client's address is not one.
    BadAddress = "bad_address",
    /// `POST /api/v1/track` without a body.
    NoBody = "no_body",
    /// The body is not a JSON object.
    BadJson = "bad_json",
    /// No `application_id` in the event.
    NoApp = "no_app",
    /// An `application_id` that is not registered, or disabled.
    UnknownApp = "unknown_app",
    /// PostgreSQL refused the row for its data (SQLSTATE class 22).
    Refused = "refused",
    /// The daemon ended twice while it looked at this line by itself: it was set aside without being parsed.
    Poison = "poison",
    /// The rows of its application and network have taken the hour's budget of bytes.
    Flood = "flood",
}

impl Reason {
    /// Whether the line is not written in the configured format. Other reasons are about its content.
    pub fn is_of_the_form(self) -> bool {
        use Reason::{BadAddress, BadId, BadStatus, BadTime, Empty, Shape, TooLong};
        matches!(self, Empty | TooLong | Shape | BadTime | BadId | BadStatus | BadAddress)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value of a custom parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text, as every value of a query string is.
    Text(&'a str),
    /// Any other JSON value (number, boolean, null, array, object) of a JSON body, as JSON text that
    /// `jsonb` accepts: no `\u0000`, no lone surrogate, nested at most 32 levels deep.
    Json(&'a str),
}

/// An event, as the line states it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hit<'a> {
    /// The event's time, by the server's clock.
    pub occurred_at: Micros,
    /// The event's time, by the client's clock (`ts`).
    pub client_at: Option<Micros>,
    /// `$request_id`; `None` for formats that carry no id.
    pub event_id: Option<u128>,
    /// `application_id`; `""` for formats that carry no application.
    pub app_key: &'a str,
    /// `pageview` if the beacon names no type; `request` for a site's own access log.
    pub event_type: &'a str,
    /// `pv`: the value of 1 to 16 hexadecimal digits; for any other text, a hash of it.
    pub page_view_id: Option<i64>,
    /// The HTTP method.
    pub method: &'a str,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Bytes of the answer.
    pub bytes_sent: Option<i64>,
    /// Time that nginx took, milliseconds.
    pub request_ms: Option<i32>,
    /// Time that the upstream took, milliseconds.
    pub upstream_ms: Option<i32>,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The User-Agent header; from trusted addresses, the user agent that the body names.
    pub user_agent: &'a str,
    /// The Accept-Language header.
    pub accept_language: &'a str,
    /// The Origin header.
    pub origin: &'a str,
    /// The host of the request: the collector's for beacons, the site's for its access log; `""` for another
    /// product's pixel, whose pages are on other hosts.
    pub host: &'a str,
    /// The name of the site, if the line names no application: its virtual host, or the site that another product's
    /// pixel names.
    pub site: &'a str,
    /// The page: an absolute URL (`u`, else the Referer), or the target of the request from a site's own log.
    pub page_url: &'a str,
    /// `page_url` and `referrer` are as a client sent them, which may be anything: target and Referer of a request in a
    /// site's own log. A target of `//x/y` is a path, and a fragment is kept.
    pub is_request: bool,
    /// The event came by `POST /api/v1/track`.
    pub is_track: bool,
    /// Where the visitor came from: the beacon's `r`; in a site's own log, the Referer.
    pub referrer: &'a str,
    /// The page's title (`t`).
    pub title: &'a str,
    /// `s`
    pub session_id: &'a str,
    /// `i`
    pub user_id: &'a str,
    /// `c`
    pub client_sub_id: &'a str,
    /// `m`
    pub module_id: &'a str,
    /// How long the page was visible since the last report (`d`), milliseconds.
    pub dwell_ms: Option<i32>,
    /// How far down the page was seen (`sd`), percent.
    pub scroll_depth: Option<i16>,
    /// Position of a click (`x`), percent of the page's width.
    pub click_x: Option<i16>,
    /// Position of a click (`y`), percent of the page's height.
    pub click_y: Option<i16>,
    /// What was clicked (`el`).
    pub element: &'a str,
    /// Its text (`tx`).
    pub text: &'a str,
    /// `et`
    pub entity_type: &'a str,
    /// `ei`
    pub entity_id: &'a str,
    /// `q`
    pub search_term: &'a str,
    /// Number of search results (`n`).
    pub result_count: Option<i32>,
    /// Screen width in CSS pixels (`sw`).
    pub screen_width: Option<i32>,
    /// Screen height in CSS pixels (`sh`).
    pub screen_height: Option<i32>,
    /// The browser's time zone (`tz`).
    pub time_zone: &'a str,
    /// The browser states that it is automated (`wd`).
    pub automated: bool,
    /// Version of the beacon (`v`).
    pub beacon_version: &'a str,
    /// The beacon shortened the event to make it fit (`tr`).
    pub cut: bool,
    /// `Sec-GPC: 1` or `DNT: 1`.
    pub opted_out: bool,
    /// `Sec-Purpose` contains `prefetch` or `prerender`.
    pub prefetch: bool,
    /// `traceparent` or `X-Amzn-Trace-Id`.
    pub trace_id: &'a str,
    /// Custom parameters, in their order: `p.NAME` of a query, `custom_params` of a body, and every parameter that
    /// this program does not know, under its own name. Names are distinct; several values of one name are a JSON array.
    /// At most 64 values; `_dropped` after them says how many were left out.
    pub params: Vec<(&'a str, Value<'a>)>,
}
