//! `params`: all that an event says and no column holds, as the text of one JSON object.
//!
//! Named keys come first, always in one order; what the site sends of its own stands under `custom`, so
//! that its names can never be taken for ours. Nothing to say: no object at all.

use std::fmt::Write as _;

use super::environment::Said;
use super::mask::json::quote;
use super::mask::{self, Names};
use super::url::{self, Parts};
use super::{Buffers, Page, length};
use crate::arena::Arena;
use crate::hit::{Hit, Value};

/// An object under construction.
pub(super) struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Begins an object; it is written with its first member.
    pub(super) fn new(out: &'o mut String) -> Self {
        Object { out, empty: true }
    }

    /// Begins a member of any name.
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        self.out.push(if self.empty { '{' } else { ',' });
        self.empty = false;
        quote(name, self.out);
        self.out.push(':');
        self.out
    }

    /// Begins a member of a name of ours, which needs no escapes.
    fn own_key(&mut self, name: &'static str) -> &mut String {
        self.out.push_str(if self.empty { "{\"" } else { ",\"" });
        self.empty = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A member of text; absent where the text is.
    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            quote(text, self.own_key(name));
        }
    }

    /// A member of a number; absent where it is.
    pub(super) fn number(&mut self, name: &'static str, number: Option<i32>) {
        if let Some(number) = number {
            write!(self.own_key(name), "{number}").expect("a string takes all");
        }
    }

    /// A member that is only ever true.
    pub(super) fn flag(&mut self, name: &'static str, set: bool) {
        if set {
            self.own_key(name).push_str("true");
        }
    }

    /// Ends the object, if it was begun.
    pub(super) fn end(self) {
        if !self.empty {
            self.out.push('}');
        }
    }
}

/// Parameters of advertising that are lifted out of the page's query. The identifiers of ad clicks are
/// kept as they came: they say which advertisement was paid for.
#[rustfmt::skip]
const CAMPAIGN: &[&str] = &[
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id",
    "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid",
];

/// The values of [`CAMPAIGN`] in a query, undecoded, the first of each name.
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

/// Writes what belongs there of a hit; `""` where there is nothing. `said` is the environment, where it has no row of its
/// own.
pub(super) fn write<'a>(
    hit: &Hit<'a>,
    said: Option<&Said<'_>>,
    page: &Page<'_>,
    names: Names<'_>,
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
            let listed = matches!(names, Names::Secret) || !names.masks(name);
            if !raw.is_empty() && listed {
                decode(raw, decoded);
                text(&mut object, name, decoded);
            }
        }
    }
    if !hit.params.is_empty() {
        custom(&hit.params, names, masked, was_cut, object.key("custom"));
    }
    // Of what is cut here is not known sooner.
    object.flag("cut", *was_cut && !hit.cut);
    object.end();
    arena.copy(params)
}

/// The custom parameters, as an object of their own.
fn custom(
    from: &[(&str, Value<'_>)],
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
            _ if names.masks(name) => quote(mask::MASK, out),
            Value::Text(text) => {
                let shown = if mask::text_value(text, masked) { masked.as_str() } else { text };
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

/// Decodes a value of a query; what is not UTF-8 becomes U+FFFD.
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
