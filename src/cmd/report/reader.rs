//! Lines of a log to counts and events.

use std::convert::Infallible;
use std::sync::Arc;

use alt_config::Config;
use alt_line::arena::{ARENA_BYTES, Arena};
use alt_line::enrich::{AgentRules, App, Enriched, Enricher, LocalDay, NewAgent, language};
use alt_line::flood::Limits;
use alt_line::hit::{Hit, Micros, NonHit, Parsed, Reason};
use alt_line::lines::Line;
use alt_line::parse::{Format, Terms};
use alt_line::processor::pieces_with;
use alt_line::row::{Row, TrafficClass};
use alt_statistics::event::Event;
use alt_statistics::page::is_page;
use alt_statistics::source::click_ids;
use foldhash::HashMap;

use super::calendar::Calendar;
use super::tally::Tally;
use super::visits::Visits;

/// How many user agents are known at a time.
const AGENTS: usize = 16_384;

/// Which hits are wanted, by their times, microseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub(super) from: Option<Micros>,
    pub(super) until: Option<Micros>,
}

impl Range {
    fn has(self, at: Micros) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

/// What a user agent says of itself.
#[derive(Debug, Default)]
struct Agent {
    browser: String,
    os: String,
    device: String,
    rule: String,
}

/// The user agents that were met.
#[derive(Debug, Default)]
struct Agents {
    known: HashMap<i64, Agent>,
    /// How many the enricher has told of since its budget was filled up.
    told: usize,
}

impl Agents {
    /// Takes what the enricher tells of new ones.
    fn meet(&mut self, enricher: &mut Enricher) {
        let new = enricher.take_new();
        if new.agents.is_empty() && new.environments.is_empty() {
            return;
        }
        // What is not stored in a database has no limit by the hour.
        self.told += new.agents.len() + new.environments.len();
        if self.told >= AGENTS / 2 {
            self.told = 0;
            enricher.begin_hour();
        }
        if self.known.len() >= AGENTS && !new.agents.is_empty() {
            self.known.clear();
            enricher.forget_told();
        }
        for agent in new.agents {
            let NewAgent { id, browser, os, device, rule, .. } = agent;
            self.known.insert(id, Agent { browser, os, device, rule });
        }
    }
}

/// What becomes of lines.
pub(super) struct Reader {
    enricher: Enricher,
    terms: Terms,
    app: App,
    agents: Agents,
    range: Range,
    scratch: Vec<u8>,
    state: State,
}

/// What has become of them.
pub(super) struct State {
    pub(super) tally: Tally,
    pub(super) visits: Visits,
    pub(super) calendar: Calendar,
    salts: Salts,
    /// Why the events cannot be sorted.
    error: Option<anyhow::Error>,
}

/// A salt for each day, made of a random one that nobody keeps: visitors of two days have nothing in common.
struct Salts {
    random: [u8; 32],
    last: Option<(LocalDay, [u8; 32])>,
}

impl Salts {
    fn new() -> anyhow::Result<Salts> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("make a random salt: {e}"))?;
        Ok(Salts { random, last: None })
    }

    fn of(&mut self, day: LocalDay) -> [u8; 32] {
        match self.last {
            Some((last, salt)) if last == day => salt,
            _ => {
                let salt = *blake3::keyed_hash(&self.random, &day.from.to_le_bytes()).as_bytes();
                self.last = Some((day, salt));
                salt
            }
        }
    }
}

/// What of a row's `params` a statistic reads: parameters of campaigns.
#[derive(Debug, Default)]
struct Campaign(HashMap<String, serde_json::Value>);

impl Campaign {
    fn of(params: &str) -> Campaign {
        let has = |sign: &str| memchr::memmem::find(params.as_bytes(), sign.as_bytes()).is_some();
        if !has("utm_") && !click_ids().any(has) {
            return Campaign::default();
        }
        Campaign(serde_json::from_str(params).unwrap_or_default())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    fn click_id(&self) -> &'static str {
        click_ids().find(|id| self.0.contains_key(*id)).unwrap_or_default()
    }
}

impl Reader {
    /// With nothing read.
    ///
    /// # Errors
    /// The list of crawlers or `[track]` is not valid, or the system gives no random numbers.
    pub(super) fn new(
        config: &Config,
        range: Range,
        calendar: Calendar,
        visits: Visits,
    ) -> anyhow::Result<Reader> {
        let rules: AgentRules = crate::cmd::rules(config)?;
        let limits = Limits { bytes_per_hour: 1 << 40, agents_per_hour: 1 << 40 };
        Ok(Reader {
            enricher: Enricher::new(Arc::new(rules), config.privacy).limited(limits),
            terms: config.track.terms()?,
            app: App { id: 1, ..App::default() },
            agents: Agents::default(),
            range,
            scratch: vec![0; ARENA_BYTES],
            state: State { tally: Tally::new(), visits, calendar, salts: Salts::new()?, error: None },
        })
    }

    /// The number of lines so far.
    pub(super) fn lines(&self) -> u64 {
        self.state.tally.lines
    }

    /// Reads a line.
    ///
    /// # Errors
    /// The events cannot be sorted.
    pub(super) fn line(&mut self, line: &Line<'_>, format: &Format, now: Micros) -> anyhow::Result<()> {
        let Reader { enricher, terms, app, agents, range, scratch, state } = self;
        let Ok(()) = pieces_with::<Infallible>(line, format, terms, scratch, now, &mut |_, parsed, arena| {
            state.tally.lines += 1;
            match &parsed {
                Parsed::Hit(hit) if !range.has(hit.occurred_at) => state.tally.filtered += 1,
                Parsed::Hit(hit) => state.hit(hit, &mut Known { enricher, agents, app }, arena),
                Parsed::NonHit(kind) => state.non_hit(*kind),
                Parsed::Reject(reject) if reject.occurred_at.is_some_and(|at| !range.has(at)) => {
                    state.tally.filtered += 1;
                }
                Parsed::Reject(reject) => state.reject(reject.reason),
            }
            Ok(())
        });
        match state.error.take() {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// What has become of the lines.
    pub(super) fn finish(self) -> State {
        self.state
    }
}

/// What is known beside the line.
struct Known<'r> {
    enricher: &'r mut Enricher,
    agents: &'r mut Agents,
    app: &'r App,
}

impl State {
    fn non_hit(&mut self, kind: NonHit) {
        *self.tally.non_hits.entry(kind).or_default() += 1;
    }

    fn reject(&mut self, reason: Reason) {
        *self.tally.rejects.entry(reason).or_default() += 1;
    }

    fn hit<'a>(&mut self, hit: &Hit<'a>, known: &mut Known<'_>, arena: &mut Arena<'a>) {
        let (hour, day) = self.calendar.hour(hit.occurred_at);
        let salt = self.salts.of(day);
        let Known { enricher, agents, app } = known;
        let enriched = enricher.enrich(hit, app, Some(&salt), arena);
        let row = match enriched {
            Enriched::NonHit(kind) => return self.non_hit(kind),
            Enriched::Row(row) => row,
        };
        agents.meet(enricher);
        let agent = row.user_agent_id.and_then(|id| agents.known.get(&id));
        self.tally.hit(hit, &row, hour, agent.map_or("no user agent", |agent| &agent.rule));
        if row.traffic_class != TrafficClass::Human {
            return;
        }
        let event_type = match row.event_type {
            "request" if hit.is_request && is_page(hit.method, row.status, row.url_path) => "pageview",
            "request" => return,
            other => other,
        };
        if let Err(error) = self.visit(hit, &row, event_type, agent) {
            self.error.get_or_insert(error);
        }
    }

    /// Adds the event of a person.
    fn visit(
        &mut self,
        hit: &Hit<'_>,
        row: &Row<'_>,
        event_type: &str,
        agent: Option<&Agent>,
    ) -> anyhow::Result<()> {
        let campaign = Campaign::of(row.params);
        let (browser, os, device) =
            agent.map_or(("", "", ""), |agent| (&*agent.browser, &*agent.os, &*agent.device));
        self.visits.add(Event {
            occurred_at: row.occurred_at,
            event_id: 0,
            visitor_id: row.visitor_id,
            page_view_id: row.page_view_id,
            traffic_class: row.traffic_class.as_str(),
            event_type,
            user_id: row.user_id,
            url_host: row.url_host,
            url_path: row.url_path,
            url_query: row.url_query,
            referrer_host: row.referrer_host,
            utm_source: campaign.text("utm_source"),
            utm_medium: campaign.text("utm_medium"),
            utm_campaign: campaign.text("utm_campaign"),
            utm_term: campaign.text("utm_term"),
            utm_content: campaign.text("utm_content"),
            click_id: campaign.click_id(),
            browser,
            os,
            device,
            language: language(hit.accept_language),
            time_zone: hit.time_zone,
            screen_width: hit.screen_width.unwrap_or(0),
            dwell_ms: row.dwell_ms,
            scroll_depth: row.scroll_depth,
            // Statistics do not read them.
            method: "",
            status: None,
            request_ms: None,
            // The report shows nothing of what events say.
            entity_type: "",
            entity_id: "",
            client_sub_id: "",
            module_id: "",
            params: "",
        })
    }
}
