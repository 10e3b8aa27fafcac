//! `params`: everything that an event states and no column has, as the text of one JSON object.
//!
//! Keys that this program names come first, always in the same order. The site's own parameters are under `custom`, so
//! that their names cannot collide with these keys. If there is nothing to write, there is no object.

use std::fmt::Write as _;

use super::environment::Said;
use super::mask::json::quote;
use super::mask::{self, Names};
use super::url::{self, Parts};
use super::{Buffers, Page, length};
use crate::arena::Arena;
use crate::hit::{Hit, Value};

/// Writes a JSON object.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Begins an object; the first member writes its brace.
    pub(super) fn new(out: &'o mut String) -> Self {
        Object { out, empty: true }
    }

    /// Begins a member with any name.
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        self.out.push(if self.empty { '{' } else { ',' });
        self.empty = false;
        quote(name, self.out);
        self.out.push(':');
        self.out
    }

    /// Begins a member with a name that needs no escapes.
    fn own_key(&mut self, name: &'static str) -> &mut String {
        self.out.push_str(if self.empty { "{\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// Writes a text, unless it is empty.
    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            quote(text, self.own_key(name));
        }
    }

    /// Writes a number, if there is one.
    pub(super) fn number(&mut self, name: &'static str, number: Option<i32>) {
        if let Some(number) = number {
            write!(self.own_key(name), "{number}").expect("a string takes all");
        }
    }

    /// Writes `true` if the flag is set.
    pub(super) fn flag(&mut self, name: &'static str, set: bool) {
        if set {
            self.own_key(name).push_str("true");
        }
    }

    /// Ends the object, if it has a member.
    pub(super) fn end(self) {
        if !self.empty {
            self.out.push('}');
        }
    }
}

/// Parameters of advertising that are taken from the page's query. The identifiers of ad clicks are kept as they were
/// sent: they identify the advertisement that was paid for.
#[rustfmt::skip]
const CAMPAIGN: &[&str] = &[
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id",
    "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid",
];

/// The values of [`CAMPAIGN`] in a query, not decoded; of each name the first.
fn campaign(query: &str) -> [&str; CAMPAIGN.len()] {
    let mut found = [""; CAMPAIGN.len()];
    for pair in query.split(['&', ';']) {
        if let Some((name, raw)) = pair.split_once('=')
            && let Some(at) = CAMPAIGN.iter().position(|n| *n == name)
            && found[at].is_empty()
        {
            found[at] = raw;
        }
    }
    found
}

/// Whether a query has any of [`CAMPAIGN`].
pub(super) fn has_campaign(query: &str) -> bool {
    campaign(query) != [""; CAMPAIGN.len()]
}

/// The `params` of a hit; `""` if there is nothing to write. `said` is the environment, if `environments` does not have
/// it. Of an `anonymous` hit, only those custom parameters are written that the application's list names.
pub(super) fn write<'a>(
    hit: &Hit<'a>,
    said: Option<&Said<'_>>,
    page: &Page<'_>,
    names: Names<'_>,
    anonymous: bool,
    buffers: &mut Buffers,
    arena: &mut Arena<'a>,
) -> &'a str {
    let Buffers { masked, decoded, params, was_cut, .. } = buffers;
    params.clear();
    let mut object = Object::new(params);
    let mut text = |object: &mut Object<'_>, name: &'static str, text: &str| {
        masked.clear();
        let text = if mask::value(text, masked) { masked.as_str() } else { text };
        object.text(name, length::cut(text, length::TEXT, was_cut));
    };
    text(&mut object, "element", hit.element);
    text(&mut object, "text", hit.text);
    text(&mut object, "search_term", hit.search_term);
    object.number("result_count", hit.result_count);
    if let Some(said) = said {
        object.number("screen_width", said.screen_width);
        object.number("screen_height", said.screen_height);
        text(&mut object, "time_zone", said.time_zone);
        text(&mut object, "beacon_version", said.beacon_version);
        object.text("language", said.language);
    }
    object.flag("automated", hit.automated);
    object.flag("cut", hit.cut);
    object.flag("prefetch", hit.prefetch);
    object.flag("opted_out", hit.opted_out);
    if !hit.origin.is_empty() {
        let origin = Parts::of(hit.origin);
        if page.host.is_empty() || !url::same_host(origin.authority, page.host) {
            text(&mut object, "origin", if origin.has_userinfo { origin.authority } else { hit.origin });
        }
    }
    if !page.sent_query.is_empty() {
        for (name, raw) in CAMPAIGN.iter().zip(campaign(page.sent_query)) {
            let is_kept = || matches!(names, Names::Secret) || !names.masks(name, raw);
            if !raw.is_empty() && is_kept() {
                decode(raw, decoded);
                text(&mut object, name, decoded);
            }
        }
    }
    let is_kept = |name| !anonymous || (matches!(names, Names::Allow { .. }) && !names.masks(name, ""));
    if hit.params.iter().any(|(name, _)| is_kept(name)) {
        let kept = hit.params.iter().filter(|(name, _)| is_kept(name));
        custom(kept, names, masked, was_cut, object.key("custom"));
    }
    // The texts above may have been cut, so this is known only now.
    object.flag("cut", *was_cut && !hit.cut);
    object.end();
    arena.copy(params)
}

/// The custom parameters, as an object of their own.
fn custom<'h>(
    from: impl Iterator<Item = &'h (&'h str, Value<'h>)>,
    names: Names<'_>,
    masked: &mut String,
    was_cut: &mut bool,
    out: &mut String,
) {
    let mut object = Object::new(out);
    for (name, value) in from {
        masked.clear();
        let shown = if mask::value(name, masked) { masked.as_str() } else { name };
        let out = object.key(length::cut(shown, length::CUSTOM_NAME, was_cut));
        masked.clear();
        match value {
            Value::Text("") => out.push_str("\"\""),
            Value::Text(text) if names.masks(name, text) => quote(mask::MASK, out),
            Value::Json(_) if names.masks(name, "") => quote(mask::MASK, out),
            Value::Text(text) => {
                let shown = match mask::text_value(text, masked) {
                    // What is masked now may be what gave the value another form.
                    true if names.masks(name, masked) => mask::MASK,
                    true => masked.as_str(),
                    false => text,
                };
                quote(length::cut(shown, length::CUSTOM_VALUE, was_cut), out);
            }
            Value::Json(json) => {
                let shown = if mask::json(json, masked) { masked.as_str() } else { json };
                match length::cut(shown, length::CUSTOM_VALUE, was_cut) {
                    part if part.len() < shown.len() => quote(part, out),
                    whole => out.push_str(whole),
                }
            }
        }
    }
    object.end();
}

/// Decodes a value of a query; invalid UTF-8 becomes U+FFFD.
fn decode(raw: &str, out: &mut String) {
    out.clear();
    if !raw.bytes().any(|b| b == b'%' || b == b'+') {
        out.push_str(raw);
        return;
    }
    let bytes = raw.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut plain = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        match (b, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', ..) => plain.push(b' '),
            _ => plain.push(*b),
        }
        at += 1;
    }
    out.push_str(&String::from_utf8_lossy(&plain));
}
