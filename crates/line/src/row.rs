//! A row: an enriched hit, with a field for each column of `access_logs`.
//!
//! Texts are valid UTF-8 without NUL; an absent value (`""` or `None`) becomes SQL NULL.

use std::net::IpAddr;

use super::hit::Micros;

/// Who sent a request, as far as the user agent and the page show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficClass {
    /// A person's browser or app.
    #[default]
    Human,
    /// A crawler, feed reader, link checker, library or other program.
    Bot,
    /// A crawler or agent of a language model.
    AiBot,
    /// A browser under automation.
    Headless,
    /// An uptime or performance monitor.
    Monitor,
    /// A hit from a page that is not on the application's domains.
    Suspect,
    /// A program of the site's own, such as its backend, that posted the event.
    Server,
    /// A hit that the application's exclusions leave out.
    Excluded,
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
        TrafficClass::Server,
        TrafficClass::Excluded,
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
            TrafficClass::Server => "server",
            TrafficClass::Excluded => "excluded",
        }
    }
}

/// What enriching makes of a hit: all of a row except the identifiers in
/// [`Origin`](super::copy::Origin).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row<'a> {
    /// The event's time, by the server's clock.
    pub occurred_at: Micros,
    /// The event's time, by the client's clock.
    pub client_at: Option<Micros>,
    /// The application.
    pub app_id: i32,
    /// Keyed hash of day, application, address and user agent; `None` if the visitor is anonymous or the day's salt was
    /// deleted.
    pub visitor_id: Option<i64>,
    /// The page view.
    pub page_view_id: Option<i64>,
    /// Key of `user_agents`; `None` for an absent user agent.
    pub user_agent_id: Option<i64>,
    /// Key of `environments`; `None` if nothing is known of the environment, or if `params` has it.
    pub environment_id: Option<i64>,
    /// Who sent it.
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
    /// Host of the referrer, unless it is the page's host.
    pub referrer_host: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// The client's address, as far as it is kept, with its prefix length (32 or 128 for a whole address).
    pub ip: Option<(IpAddr, u8)>,
    /// How long the page was visible since the last report, milliseconds.
    pub dwell_ms: Option<i32>,
    /// How far down the page was seen, percent.
    pub scroll_depth: Option<i16>,
    /// Position of a click, percent of the page's width.
    pub click_x: Option<i16>,
    /// Position of a click, percent of the page's height.
    pub click_y: Option<i16>,
    /// The kind of thing that the event is about.
    pub entity_type: &'a str,
    /// Which thing of this kind.
    pub entity_id: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The HTTP status.
    pub status: Option<i16>,
    /// Bytes of the answer.
    pub bytes_sent: Option<i64>,
    /// Time that nginx took, milliseconds.
    pub request_ms: Option<i32>,
    /// Time that the upstream took, milliseconds.
    pub upstream_ms: Option<i32>,
    /// Trace of the request.
    pub trace_id: &'a str,
    /// Everything else that the event states, as the text of a JSON object that `jsonb` accepts; `""` if there is
    /// nothing.
    pub params: &'a str,
}
