//! The shape of a user agent: whether it is that of a browser, and in which parts of it an entry of the lists counts.
//!
//! A user agent is a row of products, `NAME/VERSION`, and comments in parentheses (RFC 9110, section 10.1.5). A browser
//! writes its engine among the products and its platform in the first comment. On a phone or a television that comment
//! has the model and the build of the device, which are any words at all: `Catcher`, `B BOT 50`, `AP3A.240617.008`. On a
//! desktop of the past it has what toolbars and plug-ins left there. An entry counts where a program names itself: as a
//! product, or in a comment of its own.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::{BadRules, few_texts};

/// What shows that a person's browser or app sent a user agent. Without engines the shape says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Signs {
    /// Texts that only browsers have, in any case, as the next three lists.
    engines: Vec<String>,
    /// Texts of apps and their platforms.
    apps: Vec<String>,
    /// Texts whose comment describes a device: its model, its build.
    devices: Vec<String>,
    /// How the user agents of phones begin that name only their model.
    makers: Vec<String>,
}

/// [`Signs`], compiled.
#[derive(Debug)]
pub(super) struct Shape {
    signs: AhoCorasick,
    engines: usize,
    apps: usize,
    makers: Vec<Box<[u8]>>,
}

/// A user agent, seen by its shape. What does not count is overwritten by `x`, so that every part keeps its place.
#[derive(Debug)]
pub(super) struct Seen {
    /// Without the descriptions of devices.
    pub(super) agent: Vec<u8>,
    /// Without the platform of a browser and the versions of its products either; `None` if that is the same.
    pub(super) outside: Option<Vec<u8>>,
    /// It names no engine, and is not the mere model of a phone.
    pub(super) bare: bool,
    /// Neither a browser nor an app.
    pub(super) program: bool,
}

impl Shape {
    /// # Errors
    /// A sign is empty, or there are too many.
    pub(super) fn new(signs: &Signs) -> Result<Self, BadRules> {
        let all: Vec<&String> =
            signs.engines.iter().chain(&signs.apps).chain(&signs.devices).chain(&signs.makers).collect();
        if all.iter().any(|sign| sign.is_empty()) {
            return Err(BadRules("a sign of people is empty".to_owned()));
        }
        let found = &all[..all.len() - signs.makers.len()];
        Ok(Shape {
            signs: few_texts(found, true)?,
            engines: signs.engines.len(),
            apps: signs.engines.len() + signs.apps.len(),
            makers: signs.makers.iter().map(|m| m.as_bytes().into()).collect(),
        })
    }

    /// Reads a user agent, in time linear in its length.
    pub(super) fn see(&self, agent: Vec<u8>) -> Seen {
        if self.engines == 0 {
            return Seen { agent, outside: None, bare: true, program: false };
        }
        let (mut engine, mut app, mut device) = (false, false, false);
        for found in self.signs.find_overlapping_iter(&agent) {
            match found.pattern().as_usize() {
                sign if sign < self.engines => engine = true,
                sign if sign < self.apps => app = true,
                _ => device = true,
            }
        }
        let model =
            self.makers.iter().any(|m| agent.get(..m.len()).is_some_and(|a| a.eq_ignore_ascii_case(m)));
        let program = !(engine || app || device || model) || self.is_compatible(&agent);
        let mut seen = Seen { agent, outside: None, bare: !(engine || model), program };
        blank_app_data(&mut seen.agent);
        if engine || device {
            self.blank_devices(&mut seen.agent, device);
        }
        if engine && let Some((from, to)) = comments(&seen.agent).next() {
            let mut outside = seen.agent.clone();
            blank(&mut outside[from..to]);
            blank_versions(&mut outside);
            seen.outside = Some(outside);
        }
        seen
    }

    /// Whether a comment says `compatible; NAME`, and no browser's name follows. Crawlers write so; of the browsers only
    /// Internet Explorer and a few others did, before their own names.
    fn is_compatible(&self, agent: &[u8]) -> bool {
        comments(agent).any(|(from, to)| {
            let mut rest = &agent[from..to];
            while let Some(end) = rest.iter().position(|b| *b == b';') {
                let (item, after) = (&rest[..end], &rest[end + 1..]);
                if item.trim_ascii().eq_ignore_ascii_case(b"compatible") {
                    return !self.signs.is_match(after);
                }
                rest = after;
            }
            false
        })
    }

    /// Blanks the descriptions of devices: every item, up to the one with the build, of a comment with a sign of a device
    /// in it or right before it, unless a program announces itself in the item.
    fn blank_devices(&self, agent: &mut [u8], device: bool) {
        if !device {
            return;
        }
        let places: Vec<(usize, usize)> = comments(agent).collect();
        let mut before = 0;
        for (from, to) in places {
            let is_device = self
                .signs
                .find_overlapping_iter(&agent[before..to])
                .any(|found| found.pattern().as_usize() >= self.apps);
            before = to;
            if !is_device {
                continue;
            }
            let (mut compatible, mut built) = (false, false);
            let mut at = from;
            while at < to && !built {
                let end = agent[at..to].iter().position(|b| *b == b';').map_or(to, |n| at + n);
                let item = &mut agent[at..end];
                compatible |= item.trim_ascii() == b"compatible";
                built = item.windows(6).any(|w| w.eq_ignore_ascii_case(b"build/"));
                if !compatible && !announces(item.trim_ascii()) {
                    blank(item);
                }
                at = end + 1;
            }
        }
    }
}

/// Whether a program names itself in an item of a device's comment: `Somebot/1.0`, `Somespider`, `+https://some.bot/`.
fn announces(item: &[u8]) -> bool {
    let has = |text: &[u8]| item.windows(text.len()).any(|w| w.eq_ignore_ascii_case(text));
    if has(b"http:") || has(b"https:") {
        return true;
    }
    if item.contains(&b' ') {
        return false;
    }
    let name = item.split(|b| *b == b'/').next().unwrap_or_default();
    let versioned = item.get(name.len() + 1).is_some_and(u8::is_ascii_digit);
    let ends =
        |end: &[u8]| name.len() > end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end);
    ends(b"spider") || ends(b"crawler") || (versioned && (ends(b"bot") || name.contains(&b'-')))
}

/// The insides of the comments: from after `(` to `)`, with the parentheses that they contain.
fn comments(agent: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let from = at + agent.get(at..)?.iter().position(|b| *b == b'(')? + 1;
        let (mut depth, mut to) = (1, from);
        while depth > 0 && to < agent.len() {
            match agent[to] {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            to += 1;
        }
        at = to;
        Some((from, if depth == 0 { to - 1 } else { to }))
    })
}

/// Blanks what Facebook's apps write in brackets: device, system and carrier, `[FBAN/FB4A;FBCR/Google Fi;…]`.
fn blank_app_data(agent: &mut [u8]) {
    if let Some(from) = agent.windows(3).position(|w| w == b"[FB") {
        let to = agent[from..].iter().position(|b| *b == b']').map_or(agent.len(), |n| from + n);
        blank(&mut agent[from..to]);
    }
}

/// Blanks what stands in a version: `OMI/4.21.4.112.Catcher4.66`.
fn blank_versions(agent: &mut [u8]) {
    let mut version = false;
    for at in 1..agent.len() {
        let byte = agent[at];
        version = match byte {
            b' ' | b';' | b'(' | b')' | b',' => false,
            b'0'..=b'9' => version || agent[at - 1] == b'/',
            _ => version,
        };
        if version {
            agent[at] = b'x';
        }
    }
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|b| !matches!(b, b' ' | b';' | b'(' | b')')).for_each(|b| *b = b'x');
}
