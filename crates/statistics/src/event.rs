//! What statistics read of a row of `access_logs`.

use crate::page;

/// A row of `access_logs`, with the names of its user agent and its environment. Texts are `""` where the column is
/// NULL.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Event<'r> {
    /// The event's time, microseconds since 1970, UTC.
    pub occurred_at: i64,
    /// The event's id; with the time it gives events an order.
    pub event_id: u128,
    /// `access_logs.visitor_id`.
    pub visitor_id: Option<i64>,
    /// `access_logs.page_view_id`.
    pub page_view_id: Option<i64>,
    /// `access_logs.traffic_class`.
    pub traffic_class: &'r str,
    /// `access_logs.event_type`.
    pub event_type: &'r str,
    /// `access_logs.user_id`.
    pub user_id: &'r str,
    /// `access_logs.url_host`.
    pub url_host: &'r str,
    /// `access_logs.url_path`.
    pub url_path: &'r str,
    /// `access_logs.url_query`: `source` and `ref` are read from it.
    pub url_query: &'r str,
    /// `access_logs.referrer_host`.
    pub referrer_host: &'r str,
    /// `params ->> 'utm_source'` and its siblings, as `access_logs.params` has them.
    pub utm_source: &'r str,
    /// See [`Event::utm_source`].
    pub utm_medium: &'r str,
    /// See [`Event::utm_source`].
    pub utm_campaign: &'r str,
    /// See [`Event::utm_source`].
    pub utm_term: &'r str,
    /// See [`Event::utm_source`].
    pub utm_content: &'r str,
    /// The name of the first click identifier in `params`, such as `gclid` or `fbclid`.
    pub click_id: &'r str,
    /// `user_agents.browser`.
    pub browser: &'r str,
    /// `user_agents.os`.
    pub os: &'r str,
    /// `user_agents.device`.
    pub device: &'r str,
    /// `environments.language`, or that in `params`.
    pub language: &'r str,
    /// `environments.time_zone`, or that in `params`.
    pub time_zone: &'r str,
    /// Width of the screen, pixels; 0 where it is not known.
    pub screen_width: i32,
    /// `access_logs.dwell_ms`.
    pub dwell_ms: Option<i32>,
    /// `access_logs.scroll_depth`, percent.
    pub scroll_depth: Option<i16>,
    /// `access_logs.method` of a request; of other rows it is not read.
    pub method: &'r str,
    /// `access_logs.status`.
    pub status: Option<i16>,
    /// `access_logs.request_ms`.
    pub request_ms: Option<i32>,
    /// `access_logs.entity_type`.
    pub entity_type: &'r str,
    /// `access_logs.entity_id`.
    pub entity_id: &'r str,
    /// `access_logs.client_sub_id`.
    pub client_sub_id: &'r str,
    /// `access_logs.module_id`.
    pub module_id: &'r str,
    /// `access_logs.params` as PostgreSQL writes it, of rows of which it may say more than the fields above.
    pub params: &'r str,
}

impl<'r> Event<'r> {
    /// The event as statistics see it. `requests_are_views`: of an application whose page views are the requests of its
    /// site's own log. A request that is a page ([`crate::page::is_page`]) is of the type `pageview` there.
    #[must_use]
    pub fn seen(&self, requests_are_views: bool) -> Event<'r> {
        let is_view = requests_are_views
            && self.event_type == "request"
            && page::is_page(self.method, self.status, self.url_path);
        Event { event_type: if is_view { "pageview" } else { self.event_type }, ..*self }
    }

    /// Whether it makes visitors and visits.
    pub fn is_of_visits(&self) -> bool {
        !matches!(self.event_type, "request" | "engagement")
    }
}
