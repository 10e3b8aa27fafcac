//! An event under construction: where each parameter goes, and what follows from all of them together.

use super::super::beacon::{self, Keep, Parameter, Params};
use super::super::json;
use super::super::leaves;
use super::{Meaning, TELLS, Tell, is_path, origin};
use crate::arena::{Arena, Sink};
use crate::hit::{Hit, Micros, Value};

/// A hit, and the parameters that are not in it yet.
#[derive(Debug)]
pub(super) struct Event<'e, 'a> {
    pub(super) hit: &'e mut Hit<'a>,
    params: &'e mut Params<'a>,
    pub(super) arena: &'e mut Arena<'a>,
    /// How many parameters the log's own variables use; a pixel's parameter with the name of one of them is renamed.
    taken: usize,
    /// Which fields are set, a bit each.
    set: u32,
    /// Names and values of the inputs of the rule.
    told: [(&'a str, &'a str); TELLS],
    pub(super) site: &'a str,
    site_in_path: bool,
    hostname: (&'a str, &'a str),
    referer: &'a str,
    user: &'a str,
    host: &'a str,
    trusted: bool,
}

impl<'e, 'a> Event<'e, 'a> {
    pub(super) fn new(
        hit: &'e mut Hit<'a>,
        params: &'e mut Params<'a>,
        arena: &'e mut Arena<'a>,
        site: &'a str,
        trusted: bool,
    ) -> Self {
        hit.event_type = "";
        Event {
            taken: hit.params.len(),
            set: 0,
            told: [("", ""); TELLS],
            site,
            site_in_path: !site.is_empty(),
            hostname: ("", ""),
            referer: std::mem::take(&mut hit.referrer),
            user: std::mem::take(&mut hit.user_id),
            // The request's host is the pixel's, not the page's.
            host: std::mem::take(&mut hit.host),
            trusted,
            hit,
            params,
            arena,
        }
    }

    /// Puts a parameter where its meaning says.
    pub(super) fn see(&mut self, name: &'a str, text: &'a str, meaning: Meaning) {
        if text.is_empty() {
            return;
        }
        let held = match meaning {
            Meaning::Nothing => true,
            Meaning::Ours(parameter) => self.set(parameter, text),
            Meaning::Site => {
                self.site = if self.site.is_empty() { text } else { self.site };
                false
            }
            Meaning::Hostname => {
                self.hostname = (name, text);
                true
            }
            Meaning::Tells(tell) => {
                let place = &mut self.told[tell as usize];
                let free = place.1.is_empty();
                if free {
                    *place = (name, text);
                }
                free
            }
            Meaning::Screen => self.screen(text),
            Meaning::Language => {
                self.hit.accept_language = text;
                true
            }
            Meaning::Time => {
                self.hit.client_at = time(text, self.arena);
                self.hit.client_at.is_some()
            }
            Meaning::Address => {
                if self.trusted {
                    self.hit.ip = leaves::first_address(text);
                }
                true
            }
            Meaning::Agent => {
                if self.trusted {
                    self.hit.user_agent = text;
                }
                true
            }
        };
        if !held {
            self.keep(name, text);
        }
    }

    /// Keeps a further value of a parameter that the request repeats.
    pub(super) fn see_again(&mut self, name: &'a str, text: &'a str, meaning: Meaning) {
        let is_kept = match meaning {
            Meaning::Nothing | Meaning::Address | Meaning::Agent => false,
            Meaning::Ours(parameter) => parameter.is_kept_again(),
            _ => true,
        };
        if is_kept && !text.is_empty() {
            self.keep(name, text);
        }
    }

    /// Keeps a site that the path names, which has no parameter of its own.
    pub(super) fn keep_site_of_path(&mut self) {
        if self.site_in_path {
            self.keep("pixel", self.site);
        }
    }

    /// Sets a field, unless it is set.
    fn set(&mut self, parameter: Parameter, text: &'a str) -> bool {
        let bit = 1 << parameter as u32;
        let held = self.set & bit == 0 && parameter.set(self.hit, text);
        self.set |= if held { bit } else { 0 };
        held
    }

    fn screen(&mut self, text: &'a str) -> bool {
        let mut sides = text.split(['x', 'X', ',']).map(str::trim);
        let (Some(width), Some(height)) = (sides.next(), sides.next()) else { return false };
        let side = |text| leaves::integer(text).and_then(|side| i32::try_from(side).ok());
        match (side(width), side(height)) {
            (Some(width), Some(height)) => {
                (self.hit.screen_width, self.hit.screen_height) = (Some(width), Some(height));
                true
            }
            _ => false,
        }
    }

    /// Keeps a parameter under its own name.
    pub(super) fn keep(&mut self, name: &'a str, text: &'a str) {
        if beacon::is_of_the_visitor(name.as_bytes()) {
            return;
        }
        let is_taken = self.hit.params[..self.taken].iter().any(|(taken, _)| *taken == name);
        let name = if is_taken { joined("p.", name, self.arena) } else { name };
        let value = match text.as_bytes() {
            [b'{' | b'[', ..] => json::value_of(text, self.arena),
            _ => Value::Text(text),
        };
        self.params.add(self.hit, name, value, Keep::All);
    }

    /// An input of the rule; it is kept in `params` nevertheless.
    pub(super) fn told(&self, tell: Tell) -> &'a str {
        self.told[tell as usize].1
    }

    /// An input of the rule that goes into a field; it is not kept in `params`.
    pub(super) fn take(&mut self, tell: Tell) -> &'a str {
        std::mem::take(&mut self.told[tell as usize]).1
    }

    /// Whether a flag is set; a value that is no flag is kept.
    pub(super) fn flag(&mut self, tell: Tell) -> bool {
        let told = self.told(tell);
        if matches!(told, "1" | "true" | "on" | "0" | "false" | "off") {
            self.take(tell);
        }
        matches!(told, "1" | "true" | "on")
    }

    /// Sets the thing that the event is about, unless it is set.
    pub(super) fn about(&mut self, kind: &'static str, tell: Tell) {
        if self.hit.entity_type.is_empty() && !self.told(tell).is_empty() {
            (self.hit.entity_type, self.hit.entity_id) = (kind, self.take(tell));
        }
    }

    /// When the rule has spoken: the page, where the visitor came from, and whose it is.
    pub(super) fn finish(mut self) {
        for (name, text) in self.told {
            if !text.is_empty() {
                self.keep(name, text);
            }
        }
        let base = self.base();
        if self.hit.page_url.is_empty() {
            self.hit.page_url = self.referer;
        } else if is_path(self.hit.page_url) && !base.is_empty() {
            self.hit.page_url = joined(base, self.hit.page_url, self.arena);
        }
        let here = origin(self.hit.page_url);
        if is_path(self.hit.referrer) && !here.is_empty() {
            self.hit.referrer = joined(here, self.hit.referrer, self.arena);
        }
        let page_host = host_of(here);
        if !self.hostname.1.is_empty() && !page_host.eq_ignore_ascii_case(self.hostname.1) {
            self.keep(self.hostname.0, self.hostname.1);
        }
        if self.hit.user_id.is_empty() {
            self.hit.user_id = self.user;
        } else if !self.user.is_empty() {
            self.params.add(self.hit, "remote_user", Value::Text(self.user), Keep::First);
        }
        if self.hit.event_type.is_empty() {
            self.hit.event_type = "pageview";
        }
        let names = [self.site, self.host, page_host];
        let site = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        // Plausible may name several sites, but a row has one application.
        self.hit.site = site.split(',').next().unwrap_or_default().trim();
    }

    /// Scheme and host for a page that is only a path: the host that the product names, else the Referer's.
    fn base(&mut self) -> &'a str {
        let (_, hostname) = self.hostname;
        let referer = origin(self.referer);
        if hostname.is_empty() || host_of(referer).eq_ignore_ascii_case(hostname) {
            return referer;
        }
        joined("https://", hostname, self.arena)
    }
}

/// The host of an origin, without its port.
fn host_of(origin: &str) -> &str {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    crate::enrich::url::without_port(host)
}

pub(super) fn joined<'a>(front: &str, back: &str, arena: &mut Arena<'a>) -> &'a str {
    arena.text(front.len() + back.len(), |to| {
        let mut sink = Sink::new(to);
        sink.put(front.as_bytes());
        sink.put(back.as_bytes());
        sink.used()
    })
}

/// Seconds since 1970, or a date and time, which are UTC if they name no offset.
fn time<'a>(text: &'a str, arena: &mut Arena<'a>) -> Option<Micros> {
    leaves::seconds(text.as_bytes())
        .or_else(|| leaves::rfc3339(text.as_bytes()))
        .or_else(|| leaves::rfc3339(joined(text, "Z", arena).as_bytes()))
}
