//! Hits to rows: adds the visitor, user agent, environment and traffic class, and masks what is secret or personal.
//!
//! The caller passes in applications, salts and rules, and takes the user agents and environments that are new.
//! Invariants: every hit has an outcome, whatever its texts contain; the row of an opted-out hit has no address and no
//! identifier that another page's row could have, too; every text is masked as this list says.
//!
//! Masked by name and value: the page's URL, the referrer, custom parameters (also within JSON). Masked by value:
//! title, text, search term, element, UTM values, the path; other identifiers and user agents, but not for numbers. `user_id`,
//! `session_id` and `client_sub_id` are left out if they contain an e-mail address or a token (a `***` would make one
//! person of many). Texts that are longer than `length` allows are cut after they were masked.

pub mod agent;
mod cache;
pub mod day;
mod environment;
pub mod exclusion;
mod length;
pub mod mask;
mod params;
pub mod url;
mod url_cache;
pub mod visitor;

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

pub use agent::{AgentRules, NewAgent, id_of};
pub use day::{LocalDay, local_day};
pub use environment::{Environment, language};
pub use exclusion::Exclusions;
pub use visitor::IpPolicy;

use super::arena::Arena;
use super::flood::Limits;
use super::hit::{EVENT_TYPES, Hit, NonHit};
use super::row::{Row, TrafficClass};
use agent::AgentRule;
use cache::{Budget, Dimension};
use environment::Said;
use mask::Names;
use url::Parts;
use url_cache::{CachedUrl, UrlCache};

/// An application, as far as enriching needs it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct App {
    /// Its key in the database.
    pub id: i32,
    /// Its public key.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// The domains of its pages, subdomains included; empty for any.
    pub allowed_domains: Vec<String>,
    /// `applications.settings`.
    pub settings: AppSettings,
    /// The exclusions that stand there.
    pub exclusions: Exclusions,
}

/// `applications.settings`: settings of a single application. Unknown keys are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct AppSettings {
    /// Whether hits of crawlers, monitors and automated browsers become rows.
    pub store_crawlers: bool,
    /// The parameters that keep their values, of queries and custom ones; all others except `utm_…` lose them. `None`:
    /// a parameter keeps its value unless its name or value looks secret or personal.
    pub query_allow: Option<Vec<String>>,
    /// The exclusions as they stand there, whatever it is: [`Exclusions::read`] makes rules of them.
    pub exclusions: serde_json::Value,
}

impl Default for AppSettings {
    fn default() -> Self {
        AppSettings { store_crawlers: true, query_allow: None, exclusions: serde_json::Value::Null }
    }
}

impl App {
    /// Whether an exclusion of an address decided. Of a visitor who asks not to be tracked, no such row is kept: its class
    /// would say where it came from.
    fn is_by_address(&self, decided: Decided) -> bool {
        let Decided::Excluded(rule) = decided else { return false };
        self.exclusions.rules().get(rule).is_some_and(|rule| rule.kind == exclusion::Kind::Address)
    }
}

/// How hits of visitors are treated who ask not to be tracked (`Sec-GPC`, `DNT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GpcPolicy {
    /// The row is kept without address and without anything that identifies the browser or the person on another page:
    /// visitor, user, session, sub-account, trace, custom parameters that the application does not list, identifiers in
    /// addresses. The page view's number is one of the page and the day. Of a reject, only its place is kept.
    #[default]
    Anonymous,
    /// The row is like any other.
    Ignore,
    /// The hit is counted and not kept.
    Drop,
}

/// The operator's settings for privacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Privacy {
    /// How much of an address is stored.
    pub ip: IpPolicy,
    /// What `Sec-GPC` and `DNT` change.
    pub gpc: GpcPolicy,
}

/// What a hit becomes.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // one lives at a time, on the stack
pub enum Enriched<'a> {
    /// A row to load.
    Row(Row<'a>),
    /// Counted, not kept.
    NonHit(NonHit),
}

/// How many new user agents and environments of one source are still stored in the present hour.
#[derive(Debug)]
pub struct Budgets {
    agents: Budget,
    environments: Budget,
}

impl Budgets {
    /// Full ones.
    pub fn new(limits: Limits) -> Self {
        let full = || Budget::new(limits.agents_per_hour);
        Budgets { agents: full(), environments: full() }
    }
}

/// Makes rows of hits. Each reader thread has its own, with a cache of what rows refer to and with buffers.
#[derive(Debug)]
pub struct Enricher {
    rules: Arc<AgentRules>,
    privacy: Privacy,
    agents: Dimension<Agent>,
    environments: Dimension<Option<i64>>,
    urls: UrlCache,
    new: New,
    left_out: u64,
    buffers: Buffers,
}

/// What rows refer to, as far as the database may not have it yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct New {
    /// For `user_agents`.
    pub agents: Vec<NewAgent>,
    /// For `environments`.
    pub environments: Vec<Environment>,
}

impl New {
    /// Adds `more`.
    pub fn extend(&mut self, more: New) {
        self.agents.extend(more.agents);
        self.environments.extend(more.environments);
    }
}

/// A user agent, as far as rows need it.
#[derive(Debug, Clone, Copy)]
struct Agent {
    id: i64,
    class: TrafficClass,
    rule: AgentRule,
}

/// Buffers that are used again for each hit, so that a usual hit allocates nothing.
#[derive(Debug, Default)]
struct Buffers {
    name: String,
    masked: String,
    decoded: String,
    params: String,
    /// A text of this hit was cut.
    was_cut: bool,
}

/// Larger buffers, after an enormous line, are freed.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

impl Enricher {
    /// An enricher with empty caches, and the default limits on what is stored of one network.
    pub fn new(rules: Arc<AgentRules>, privacy: Privacy) -> Self {
        let per_hour = Limits::default().agents_per_hour;
        Enricher {
            rules,
            privacy,
            agents: Dimension::new(per_hour),
            environments: Dimension::new(per_hour),
            urls: UrlCache::new(),
            new: New::default(),
            left_out: 0,
            buffers: Buffers::default(),
        }
    }

    /// With other limits on what is stored of one network.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        let (agents, environments) =
            (Dimension::new(limits.agents_per_hour), Dimension::new(limits.agents_per_hour));
        Enricher { agents, environments, ..self }
    }

    /// Takes another source's budgets, and gives the present ones.
    pub fn exchange(&mut self, budgets: &mut Budgets) {
        self.agents.exchange(&mut budgets.agents);
        self.environments.exchange(&mut budgets.environments);
    }

    /// Makes a row of a hit. `salt` is that of the application's local day in which the hit happened; `None`: the day's
    /// salt was deleted, and the row has no visitor.
    pub fn enrich<'a>(
        &mut self,
        hit: &Hit<'a>,
        app: &App,
        salt: Option<&[u8; 32]>,
        arena: &mut Arena<'a>,
    ) -> Enriched<'a> {
        if hit.opted_out && self.privacy.gpc == GpcPolicy::Drop {
            return Enriched::NonHit(NonHit::OptedOut);
        }
        let agent = self.meet(hit.user_agent, hit.ip);
        let (class, rule) = match agent {
            Some((agent, _)) => (agent.class, agent.rule),
            None => self.rules.judge(hit.user_agent),
        };
        let anonymous = hit.opted_out && self.privacy.gpc == GpcPolicy::Anonymous;
        let names = match &app.settings.query_allow {
            Some(list) => Names::Allow { list, untracked: anonymous },
            None if anonymous => Names::Untracked,
            None => Names::Secret,
        };
        let page = self.urls.page(hit, names);
        let (traffic_class, decided) = classify(hit, app, &page.parts, class, rule);
        if anonymous && app.is_by_address(decided) {
            return Enriched::NonHit(NonHit::OptedOut);
        }
        if !app.settings.store_crawlers && is_crawler(traffic_class) {
            return Enriched::NonHit(NonHit::Crawler);
        }
        let visit = Visit { hit, app, salt, agent, traffic_class, names, anonymous };
        Enriched::Row(self.row(&visit, &page, arena))
    }

    /// The row of a hit that is stored.
    #[inline]
    fn row<'a>(&mut self, visit: &Visit<'_, 'a>, page: &CachedUrl<'a>, arena: &mut Arena<'a>) -> Row<'a> {
        let Visit { hit, app, agent, traffic_class, names, anonymous, .. } = *visit;
        let came_from = self.urls.referrer(hit, names);
        let ip = hit.ip.filter(|_| !anonymous);
        let said = Said::of(hit);
        let environment_id = self.environment(&said, hit.ip);
        let buffers = &mut self.buffers;
        buffers.was_cut = false;
        let page = Page::of(hit, page, names, buffers, arena);
        let referrer = if came_from.is_plain {
            came_from.plain(hit.referrer)
        } else {
            referrer(hit.referrer, &came_from.parts, names, buffers, arena)
        };
        let referrer_host = match came_from.parts.host_and_port() {
            own if url::same_host(own, page.host) => "",
            other if came_from.is_plain => other,
            other => host(other, buffers, arena),
        };
        let mut id = |text: &'a str| buffers.keep(text, length::NAME, arena, mask::id_value);
        let is_known = EVENT_TYPES.contains(&hit.event_type);
        let event_type = if is_known { hit.event_type } else { id(hit.event_type) };
        let module_id = id(hit.module_id);
        let (entity_type, entity_id) = (id(hit.entity_type), id(hit.entity_id));
        let title = buffers.keep(hit.title, length::TEXT, arena, mask::value);
        let mut person =
            |id, is_left_out| length::cut(person(id, is_left_out), length::NAME, &mut buffers.was_cut);
        let (session_id, user_id) = (person(hit.session_id, anonymous), person(hit.user_id, anonymous));
        let client_sub_id = person(hit.client_sub_id, anonymous);
        let method = length::cut(hit.method, length::METHOD, &mut buffers.was_cut);
        let trace_id = if anonymous { "" } else { hit.trace_id };
        let trace_id = buffers.keep(trace_id, length::NAME, arena, mask::id_value);
        // Comes last, because it contains whether anything was cut.
        let params = {
            let said = Some(&said).filter(|_| environment_id.is_none());
            params::write(hit, said, &page, names, anonymous, buffers, arena)
        };
        if buffers.masked.capacity() + buffers.decoded.capacity() + buffers.params.capacity()
            > BUFFER_BYTES_MAX
        {
            self.buffers = Buffers::default();
        }
        Row {
            occurred_at: hit.occurred_at,
            client_at: hit.client_at,
            app_id: app.id,
            visitor_id: visit.visitor_id(),
            page_view_id: visit.page_view_id(&page),
            user_agent_id: agent.filter(|(_, is_stored)| *is_stored).map(|(agent, _)| agent.id),
            environment_id,
            traffic_class,
            event_type,
            session_id,
            user_id,
            client_sub_id,
            module_id,
            url_host: page.host,
            url_path: page.path,
            url_query: page.query,
            referrer,
            referrer_host,
            title,
            ip: ip.and_then(|ip| visitor::stored(ip, self.privacy.ip)),
            dwell_ms: hit.dwell_ms,
            scroll_depth: hit.scroll_depth,
            click_x: hit.click_x,
            click_y: hit.click_y,
            entity_type,
            entity_id,
            method,
            status: hit.status.and_then(|s| i16::try_from(s).ok()),
            bytes_sent: hit.bytes_sent,
            request_ms: hit.request_ms,
            upstream_ms: hit.upstream_ms,
            trace_id,
            params,
        }
    }

    /// Whether what a visitor sends who asks not to be tracked is kept as it was sent.
    pub fn tracks_all(&self) -> bool {
        self.privacy.gpc == GpcPolicy::Ignore
    }

    /// What rows since the last call are the first to refer to; the loader stores it.
    pub fn take_new(&mut self) -> New {
        std::mem::take(&mut self.new)
    }

    /// How many user agents and environments since the last call were beyond the limits, and are not stored.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Begins another hour, in which the full number of new user agents and environments may be stored.
    pub fn begin_hour(&mut self) {
        self.agents.begin_hour();
        self.environments.begin_hour();
    }

    /// After a lost connection or a rollback: [`Enricher::take_new`] returns everything again when it next occurs.
    pub fn forget_told(&mut self) {
        self.agents.forget_told();
        self.environments.forget_told();
        self.new = New::default();
    }

    /// Looks up a user agent, and whether the database has it; `None` if the text is empty.
    fn meet(&mut self, user_agent: &str, from: Option<IpAddr>) -> Option<(Agent, bool)> {
        let user_agent = agent::kept(user_agent);
        if user_agent.is_empty() {
            return None;
        }
        let (rules, new) = (&self.rules, &mut self.new.agents);
        let look = || {
            let (class, rule) = rules.judge(user_agent);
            Agent { id: id_of(user_agent), class, rule }
        };
        let tell = |agent: &Agent| new.push(rules.describe_judged(user_agent, agent.class, agent.rule));
        let known = self.agents.of(user_agent, from, look, tell);
        self.left_out += u64::from(!known.is_stored);
        Some((known.what, known.is_stored))
    }

    /// Key of the environment; `None` if it stays in the row.
    fn environment(&mut self, said: &Said<'_>, from: Option<IpAddr>) -> Option<i64> {
        let (name, new) = (&mut self.buffers.name, &mut self.new.environments);
        name.clear();
        if !said.name(name) {
            return None;
        }
        let tell = |id: &Option<i64>| new.extend(id.map(|id| said.environment(id)));
        let known = self.environments.of(name, from, || said.id(name), tell);
        self.left_out += u64::from(!known.is_stored);
        known.what.filter(|_| known.is_stored)
    }
}

/// A hit that becomes a row, and what was found out before.
struct Visit<'v, 'a> {
    hit: &'v Hit<'a>,
    app: &'v App,
    salt: Option<&'v [u8; 32]>,
    /// The user agent, and whether the database has it.
    agent: Option<(Agent, bool)>,
    traffic_class: TrafficClass,
    names: Names<'v>,
    /// The visitor asks not to be tracked, and nothing may identify the row.
    anonymous: bool,
}

impl Visit<'_, '_> {
    /// The visitor of the row, unless nothing may identify it.
    fn visitor_id(&self) -> Option<i64> {
        let ip = self.hit.ip.filter(|_| !self.anonymous)?;
        Some(visitor::visitor_id(self.salt?, self.app.id, ip, self.agent.map(|(agent, _)| agent.id)))
    }

    /// The page view of the row; of an anonymous one, a number that only that page has.
    fn page_view_id(&self, page: &Page<'_>) -> Option<i64> {
        match self.hit.page_view_id {
            Some(view) if self.anonymous => {
                visitor::page_view_id(self.salt, self.app.id, view, page.host, page.path)
            }
            view => view,
        }
    }
}

/// What is kept of a page's URL.
struct Page<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a str,
    /// Its query as it was sent, if it may contain parameters that are kept elsewhere too; else `""`.
    sent_query: &'a str,
}

impl<'a> Page<'a> {
    fn of(
        hit: &Hit<'a>,
        url: &CachedUrl<'a>,
        names: Names<'_>,
        buffers: &mut Buffers,
        arena: &mut Arena<'a>,
    ) -> Self {
        let parts = &url.parts;
        if url.is_plain {
            let path = if parts.path.is_empty() { "/" } else { parts.path };
            return Page { host: parts.authority, path, query: parts.query, sent_query: "" };
        }
        let look = mask::suspicious(hit.page_url, true);
        Page {
            host: host(page_host(hit, parts), buffers, arena),
            path: path(parts, names, look, buffers, arena),
            query: buffers
                .keep(parts.query, length::URL, arena, |text, out| mask::query(text, names, look, out)),
            sent_query: parts.query,
        }
    }
}

impl Buffers {
    /// At most `most` bytes of the text as `write` masks it, or of the text itself if `write` finds nothing to mask.
    fn keep<'a>(
        &mut self,
        text: &'a str,
        most: usize,
        arena: &mut Arena<'a>,
        write: impl FnOnce(&str, &mut String) -> bool,
    ) -> &'a str {
        if text.is_empty() {
            return text;
        }
        self.masked.clear();
        if write(text, &mut self.masked) {
            self.keep_masked(most, arena)
        } else {
            length::cut(text, most, &mut self.was_cut)
        }
    }

    /// At most `most` bytes of what was written to `masked`.
    fn keep_masked<'a>(&mut self, most: usize, arena: &mut Arena<'a>) -> &'a str {
        arena.copy(length::cut(&self.masked, most, &mut self.was_cut))
    }
}

/// Whether an application that does not store crawlers leaves out this class. It keeps `suspect`, which may be a
/// person, and `server`, which is the application's own.
fn is_crawler(class: TrafficClass) -> bool {
    matches!(class, TrafficClass::Bot | TrafficClass::AiBot | TrafficClass::Headless | TrafficClass::Monitor)
}

/// What decided the class of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decided {
    Automation,
    Agent(AgentRule),
    /// An exclusion of the application, by its number.
    Excluded(usize),
    Host,
    Posted,
}

/// The class of a hit: first by the browser's statement that it is automated, then by the user agent and the way that
/// the event came, then by the application's exclusions (of what is no program), then by the page's host. A hit without a page (an app, a server) is not suspect. A page with a scheme is suspect unless its host
/// is allowed; this includes `localhost` and saved pages.
fn classify(
    hit: &Hit<'_>,
    app: &App,
    page: &Parts<'_>,
    class: TrafficClass,
    rule: AgentRule,
) -> (TrafficClass, Decided) {
    if hit.automated {
        return (TrafficClass::Headless, Decided::Automation);
    }
    let (class, decided) = match class {
        TrafficClass::Bot if is_posted_by_a_server(hit) => (TrafficClass::Server, Decided::Posted),
        class => (class, Decided::Agent(rule)),
    };
    if !matches!(class, TrafficClass::Human | TrafficClass::Server) {
        return (class, decided);
    }
    let host = page_host(hit, page);
    if let Some(rule) = app.exclusions.of(hit, page, host) {
        return (TrafficClass::Excluded, Decided::Excluded(rule));
    }
    let on_a_page = !host.is_empty() || !page.scheme.is_empty();
    if on_a_page && !app.allowed_domains.is_empty() && !url::host_allowed(host, &app.allowed_domains) {
        return (TrafficClass::Suspect, Decided::Host);
    }
    (class, decided)
}

/// Whether a hit with the user agent of a program is an event that the site's own program posted, and no visit of a
/// crawler. Crawlers do not call the API themselves: they run the page's script, as browsers that send an `Origin` with
/// each POST, or their user agent is passed on by a server that they visit, and names a browser or the crawler.
fn is_posted_by_a_server(hit: &Hit<'_>) -> bool {
    let named = |sign: &str| {
        let agent = hit.user_agent.as_bytes();
        agent.windows(sign.len()).any(|part| part.eq_ignore_ascii_case(sign.as_bytes()))
    };
    hit.is_track
        && hit.origin.is_empty()
        && !hit.user_agent.starts_with("Mozilla/")
        && !["bot", "crawl", "spider", "+http"].into_iter().any(named)
}

/// The page's host and port. If the page is only a path, then in a site's own log (which names no application) its host
/// is that of the request; a beacon's path has no host, because the request went to the collector.
fn page_host<'a>(hit: &Hit<'a>, page: &Parts<'a>) -> &'a str {
    if page.scheme.is_empty() && page.authority.is_empty() {
        if hit.app_key.is_empty() {
            Parts { authority: hit.host, ..Parts::default() }.host_and_port()
        } else {
            ""
        }
    } else {
        page.host_and_port()
    }
}

/// A host in lower case, masked by value as any text is.
fn host<'a>(text: &'a str, buffers: &mut Buffers, arena: &mut Arena<'a>) -> &'a str {
    let text = buffers.keep(text, length::HOST, arena, mask::value);
    // Without an early exit, so that the compiler compares many bytes at once.
    if !text.bytes().fold(false, |upper, b| upper | b.is_ascii_uppercase()) {
        return text;
    }
    arena.text(text.len(), |to| {
        let n = to.len();
        to.copy_from_slice(&text.as_bytes()[..n]);
        to.make_ascii_lowercase();
        n
    })
}

/// The path, followed by the route of a single-page application or the fragment of a request, masked.
fn path<'a>(
    page: &Parts<'a>,
    names: Names<'_>,
    look: bool,
    buffers: &mut Buffers,
    arena: &mut Arena<'a>,
) -> &'a str {
    let path = if page.path.is_empty() && !page.authority.is_empty() { "/" } else { page.path };
    if page.route.is_empty() {
        return buffers.keep(path, length::URL, arena, |text, out| mask::path(text, look, out));
    }
    let out = &mut buffers.masked;
    out.clear();
    masked_or_not(path, out, |text, out| mask::path(text, look, out));
    push_route(page.route, names, look, out);
    buffers.keep_masked(length::URL, arena)
}

fn push_route(route: &str, names: Names<'_>, look: bool, out: &mut String) {
    // A response of OAuth: `#access_token=x&state=y`.
    let is_response = !route.starts_with("#/")
        && !route.starts_with("#!")
        && route.split('?').next().is_some_and(|front| front.contains('='));
    let sign = if is_response { route.find('?') } else { route.find(['?', '&']) }.unwrap_or(route.len());
    if is_response {
        out.push('#');
        masked_or_not(&route[1..sign], out, |text, out| mask::query(text, names, look, out));
    } else {
        masked_or_not(&route[..sign], out, |text, out| mask::path(text, look, out));
    }
    if let Some(query) = route.get(sign + 1..).filter(|query| !query.is_empty()) {
        out.push_str(&route[sign..=sign]);
        masked_or_not(query, out, |text, out| mask::query(text, names, look, out));
    }
}

fn masked_or_not(text: &str, out: &mut String, write: impl FnOnce(&str, &mut String) -> bool) {
    if !write(text, out) {
        out.push_str(text);
    }
}

/// The whole referrer without user, password and (except of a request) fragment, masked.
fn referrer<'a>(
    whole: &'a str,
    parts: &Parts<'a>,
    names: Names<'_>,
    buffers: &mut Buffers,
    arena: &mut Arena<'a>,
) -> &'a str {
    let look = mask::suspicious(whole, true);
    let out = &mut buffers.masked;
    out.clear();
    out.push_str(parts.before);
    masked_or_not(parts.authority, out, |text, out| look && mask::value(text, out));
    masked_or_not(parts.path, out, |text, out| mask::path(text, look, out));
    if !parts.query.is_empty() {
        out.push('?');
        masked_or_not(parts.query, out, |text, out| mask::query(text, names, look, out));
    }
    if !parts.route.is_empty() {
        push_route(parts.route, names, look, out);
    }
    let kept = length::cut(&buffers.masked, length::URL, &mut buffers.was_cut);
    match whole.get(..kept.len()) {
        Some(head) if head == kept => head,
        _ => arena.copy(kept),
    }
}

/// An identifier of a person as the site sent it, unless it is personal data by itself.
fn person(id: &str, anonymous: bool) -> &str {
    if anonymous || mask::personal_id(id) { "" } else { id }
}

/// What `alt explain` shows about a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Who sent it.
    pub traffic_class: TrafficClass,
    /// The rule that decided: `crawler:GPTBot`, `monitor:UptimeRobot`, `headless:HeadlessChrome`,
    /// `automation flag`, `excluded: address 192.0.2.7`, `host not allowed: HOST`, `posted by a server`,
    /// `empty user agent` or `default`.
    pub rule: String,
    /// What the user agent states about itself.
    pub agent: NewAgent,
    /// Why the hit would not become a row.
    pub dropped: Option<NonHit>,
    /// Whether it would be kept without address and identifiers.
    pub anonymous: bool,
}

/// How a hit is classified, and by which rule.
pub fn explain(rules: &AgentRules, privacy: Privacy, hit: &Hit<'_>, app: &App) -> Explanation {
    let page = if hit.is_request { Parts::of_target(hit.page_url) } else { Parts::of(hit.page_url) };
    let (class, rule) = rules.judge(hit.user_agent);
    let (traffic_class, decided) = classify(hit, app, &page, class, rule);
    let rule = match decided {
        Decided::Automation => "automation flag".to_owned(),
        Decided::Agent(rule) => rules.rule_text(rule),
        Decided::Posted => "posted by a server".to_owned(),
        Decided::Excluded(rule) => app
            .exclusions
            .rules()
            .get(rule)
            .map_or_else(String::new, |rule| format!("excluded: {}", rule.text())),
        Decided::Host => {
            let mut text = "host not allowed: ".to_owned();
            if !mask::value(page_host(hit, &page), &mut text) {
                text.push_str(page_host(hit, &page));
            }
            text
        }
    };
    let anonymous = hit.opted_out && privacy.gpc == GpcPolicy::Anonymous;
    let is_dropped = hit.opted_out && privacy.gpc == GpcPolicy::Drop;
    let dropped = if is_dropped || (anonymous && app.is_by_address(decided)) {
        Some(NonHit::OptedOut)
    } else {
        (!app.settings.store_crawlers && is_crawler(traffic_class)).then_some(NonHit::Crawler)
    };
    Explanation { traffic_class, rule, agent: rules.describe(hit.user_agent), dropped, anonymous }
}

#[cfg(test)]
mod tests;
