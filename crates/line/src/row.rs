//! A row: an enriched hit, column by column as `access_logs` has them (`sql/0001_tables.sql`).
//!
//! Texts are valid UTF-8 without NUL; absent (`""` or `None`) becomes SQL NULL.

use std::net::IpAddr;

use super::hit::Micros;

/// Who is behind a request, as far as its user agent and behaviour tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficClass {
    /// A person's browser or app.
    Human,
    /// A crawler, feed reader, link checker, library or other program.
    Bot,
    /// A crawler or agent of a language model.
    AiBot,
    /// A browser under automation.
    Headless,
    /// An uptime or performance monitor.
    Monitor,
    /// A hit whose page is not on the application's domains.
    Suspect,
}

impl TrafficClass {
    /// All classes.
    pub const ALL: &'static [TrafficClass] = &[
        TrafficClass::Human,
        TrafficClass::Bot,
        TrafficClass::AiBot,
        TrafficClass::Headless,
        TrafficClass::Monitor,
        TrafficClass::Suspect,
    ];

    /// The name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            TrafficClass::Human => "human",
            TrafficClass::Bot => "bot",
            TrafficClass::AiBot => "ai_bot",
            TrafficClass::Headless => "headless",
            TrafficClass::Monitor => "monitor",
            TrafficClass::Suspect => "suspect",
        }
    }
}

/// What enriching makes of a hit: all of a row but the identifiers that only the loader knows
/// (`event_id` of formats without one, `file_id`, `file_offset`).
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'a> {
    /// The event's time, by the server's clock.
    pub occurred_at: Micros,
    /// The event's time, by the client's clock.
    pub client_at: Option<Micros>,
    /// The application.
    pub app_id: i32,
    /// Keyed hash of day, application, address and user agent; `None` where anonymous or the day's salt is dead.
    pub visitor_id: Option<i64>,
    /// The page view.
    pub page_view_id: Option<i64>,
    /// Key of `user_agents`; `None` for an absent user agent.
    pub user_agent_id: Option<i64>,
    /// Key of `environments`; `None` where nothing is known of it, or `params` has it.
    pub environment_id: Option<i64>,
    /// Who is behind it.
    pub traffic_class: TrafficClass,
    /// What happened.
    pub event_type: &'a str,
    /// The session, as the site names it.
    pub session_id: &'a str,
    /// The user, as the site names them.
    pub user_id: &'a str,
    /// A sub-account, as the site names it.
    pub client_sub_id: &'a str,
    /// The part of the site, as the site names it.
    pub module_id: &'a str,
    /// Host of the page, lower case, without port 80 or 443.
    pub url_host: &'a str,
    /// Path of the page, masked, as it was sent.
    pub url_path: &'a str,
    /// Query of the page without `?`, masked.
    pub url_query: &'a str,
    /// Full referrer, masked.
    pub referrer: &'a str,
    /// Host of the referrer, only where it is not the page's own.
    pub referrer_host: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// The client's address, as far as it is kept, with its prefix length (32 or 128 where whole).
    pub ip: Option<(IpAddr, u8)>,
    /// Visible time since the last report, milliseconds.
    pub dwell_ms: Option<i32>,
    /// Greatest depth seen, percent.
    pub scroll_depth: Option<i16>,
    /// Position of a click, percent of the page's width.
    pub click_x: Option<i16>,
    /// Position of a click, percent of the page's height.
    pub click_y: Option<i16>,
    /// Kind of thing that the event is about.
    pub entity_type: &'a str,
    /// Which one.
    pub entity_id: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The HTTP status.
    pub status: Option<i16>,
    /// Bytes of the answer.
    pub bytes_sent: Option<i64>,
    /// Time nginx took, milliseconds.
    pub request_ms: Option<i32>,
    /// Time the upstream took, milliseconds.
    pub upstream_ms: Option<i32>,
    /// Trace of the request.
    pub trace_id: &'a str,
    /// All else that the event says, as JSON object text that `jsonb` accepts; `""` where there is nothing.
    pub params: &'a str,
}

impl Row<'_> {
    /// A row that says nothing but its class.
    pub fn empty(traffic_class: TrafficClass) -> Self {
        Row {
            occurred_at: 0,
            client_at: None,
            app_id: 0,
            visitor_id: None,
            page_view_id: None,
            user_agent_id: None,
            environment_id: None,
            traffic_class,
            event_type: "",
            session_id: "",
            user_id: "",
            client_sub_id: "",
            module_id: "",
            url_host: "",
            url_path: "",
            url_query: "",
            referrer: "",
            referrer_host: "",
            title: "",
            ip: None,
            dwell_ms: None,
            scroll_depth: None,
            click_x: None,
            click_y: None,
            entity_type: "",
            entity_id: "",
            method: "",
            status: None,
            bytes_sent: None,
            request_ms: None,
            upstream_ms: None,
            trace_id: "",
            params: "",
        }
    }
}
