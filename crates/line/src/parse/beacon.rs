//! The parameters of a beacon: their one table, and how their texts become fields of a hit.
//!
//! A query string uses the short names and a JSON body the long ones; each may use both. If a field cannot hold the
//! text of its parameter (a number is expected), the field stays absent and `params` has the text under the long
//! name. Parameters that are not in the table are in `params` under their own names.

use super::leaves;
use crate::arena::Arena;
use crate::hit::{Hit, Value};

/// The most values of custom parameters of one hit; `_dropped` says how many more there were.
pub(super) const PARAMS_MAX: usize = 64;

macro_rules! parameters {
    ($($field:ident $short:literal $long:literal,)*) => {
        /// What a parameter means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Parameter { $($field,)* }

        impl Parameter {
            /// All of them, each at its own index.
            pub(super) const ALL: &'static [Parameter] = &[$(Parameter::$field,)*];

            /// The parameter of a short or long name.
            #[inline]
            pub(super) fn named(name: &[u8]) -> Option<Parameter> {
                match *name {
                    [letter] => SHORT[usize::from(letter)].1,
                    [first, second] => match SHORT[place(first, second)] {
                        (known, parameter) if known == [first, second] => parameter,
                        _ => None,
                    },
                    _ => Parameter::of_long_name(name),
                }
            }

            fn of_long_name(name: &[u8]) -> Option<Parameter> {
                match name { $($long => Some(Parameter::$field),)* _ => None }
            }

            const fn short(self) -> &'static [u8] {
                match self { $(Parameter::$field => $short,)* }
            }

            /// The long name.
            pub(super) fn long(self) -> &'static str {
                let name: &[u8] = match self { $(Parameter::$field => $long,)* };
                std::str::from_utf8(name).unwrap_or_default()
            }
        }
    };
}

parameters! {
    Application b"a" b"application_id",
    EventType b"e" b"event_type",
    PageView b"pv" b"page_view_id",
    PageUrl b"u" b"page_url",
    Referrer b"r" b"referrer",
    Title b"t" b"title",
    Session b"s" b"session_id",
    User b"i" b"user_id",
    ClientSub b"c" b"client_sub_id",
    Module b"m" b"module_id",
    Dwell b"d" b"dwell_ms",
    ScrollDepth b"sd" b"scroll_depth",
    ClickX b"x" b"click_x",
    ClickY b"y" b"click_y",
    Element b"el" b"element",
    Text b"tx" b"text",
    EntityType b"et" b"entity_type",
    EntityId b"ei" b"entity_id",
    SearchTerm b"q" b"search_term",
    ResultCount b"n" b"result_count",
    ScreenWidth b"sw" b"screen_width",
    ScreenHeight b"sh" b"screen_height",
    TimeZone b"tz" b"time_zone",
    ClientTime b"ts" b"client_time",
    Automated b"wd" b"automated",
    BeaconVersion b"v" b"beacon_version",
    Cut b"tr" b"cut",
}

/// The parameters and their short names: names of one letter at its code, names of two letters at [`place`]. A `match`
/// would compare a name with one after the other, which took a tenth of the parser's time.
const SHORT: [([u8; 2], Option<Parameter>); 512] = {
    let mut table = [([0; 2], None); 512];
    let mut at = 0;
    while at < Parameter::ALL.len() {
        let (place, letters) = match *Parameter::ALL[at].short() {
            [letter] => (letter as usize, [letter, 0]),
            [first, second] => (place(first, second), [first, second]),
            _ => panic!("a short name has one letter or two"),
        };
        assert!(table[place].1.is_none(), "two short names share a place");
        table[place] = (letters, Some(Parameter::ALL[at]));
        at += 1;
    }
    table
};

/// The index of a name of two letters in [`SHORT`]; no two parameters share one.
const fn place(first: u8, second: u8) -> usize {
    256 + (first as usize * 7 + second as usize * 3) % 256
}

impl Parameter {
    /// Whether further values of a request that repeats the parameter are kept, in `params` under its long name. Not
    /// those that say whose the event is: of a visitor who asks not to be tracked, none may be kept.
    pub(super) fn is_kept_again(self) -> bool {
        use Parameter as P;
        !matches!(self, P::Application | P::User | P::Session | P::ClientSub)
    }

    /// Sets the parameter's field to `text`; an empty text makes the field absent. False if the field cannot hold it:
    /// the field is absent then, and the caller has to keep the text.
    #[inline]
    pub(super) fn set<'a>(self, hit: &mut Hit<'a>, text: &'a str) -> bool {
        let field = match self {
            Parameter::Application => &mut hit.app_key,
            Parameter::EventType => &mut hit.event_type,
            Parameter::PageUrl => &mut hit.page_url,
            Parameter::Referrer => &mut hit.referrer,
            Parameter::Title => &mut hit.title,
            Parameter::Session => &mut hit.session_id,
            Parameter::User => &mut hit.user_id,
            Parameter::ClientSub => &mut hit.client_sub_id,
            Parameter::Module => &mut hit.module_id,
            Parameter::EntityType => &mut hit.entity_type,
            Parameter::EntityId => &mut hit.entity_id,
            Parameter::SearchTerm => &mut hit.search_term,
            Parameter::TimeZone => &mut hit.time_zone,
            Parameter::BeaconVersion => &mut hit.beacon_version,
            // The beacon writes NAME#ID also of an element that has no id, and cuts a text by its length alone.
            Parameter::Element => {
                hit.element = text.strip_suffix('#').unwrap_or(text);
                return true;
            }
            Parameter::Text => {
                hit.text = text.trim_end();
                return true;
            }
            Parameter::Dwell => return number(&mut hit.dwell_ms, text, |ms| *ms >= 0),
            Parameter::ScrollDepth => return number(&mut hit.scroll_depth, text, is_percent),
            Parameter::ClickX => return number(&mut hit.click_x, text, is_percent),
            Parameter::ClickY => return number(&mut hit.click_y, text, is_percent),
            Parameter::ResultCount => return number(&mut hit.result_count, text, |_| true),
            Parameter::ScreenWidth => return number(&mut hit.screen_width, text, |_| true),
            Parameter::ScreenHeight => return number(&mut hit.screen_height, text, |_| true),
            Parameter::Automated => return flag(&mut hit.automated, text),
            Parameter::Cut => return flag(&mut hit.cut, text),
            Parameter::PageView => {
                hit.page_view_id = (!text.is_empty()).then(|| leaves::page_view_id(text));
                return true;
            }
            Parameter::ClientTime => {
                hit.client_at = leaves::client_time(text);
                return hit.client_at.is_some() || text.is_empty();
            }
        };
        *field = text;
        true
    }
}

fn number<T: TryFrom<i64>>(field: &mut Option<T>, text: &str, fits: impl FnOnce(&T) -> bool) -> bool {
    *field = leaves::integer(text).and_then(|number| T::try_from(number).ok()).filter(fits);
    field.is_some() || text.is_empty()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // a filter passes it
fn is_percent(number: &i16) -> bool {
    (0..=100).contains(number)
}

fn flag(field: &mut bool, text: &str) -> bool {
    *field = matches!(text, "1" | "true");
    *field || matches!(text, "" | "0" | "false")
}

/// Which of several values of one name are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    First,
    All,
}

/// The parameter that says how many others were left out. Only this program adds it: one that a visitor sends under
/// this name is itself left out and counted.
const DROPPED: &str = "_dropped";

/// Collects the custom parameters of a hit, up to [`PARAMS_MAX`] values.
#[derive(Debug)]
pub(super) struct Params<'a> {
    /// Further values of a parameter, each with the parameter's place in the hit.
    more: Vec<(usize, Value<'a>)>,
    dropped: u32,
}

impl<'a> Params<'a> {
    pub(super) fn new() -> Self {
        Params { more: Vec::new(), dropped: 0 }
    }

    /// Adds a parameter; `keep` says what becomes of a value whose name is there already.
    pub(super) fn add(&mut self, hit: &mut Hit<'a>, name: &'a str, value: Value<'a>, keep: Keep) {
        let known = hit.params.iter().position(|(known, _)| *known == name);
        if known.is_some() && keep == Keep::First {
            return;
        }
        if name == DROPPED || hit.params.len() + self.more.len() >= PARAMS_MAX {
            self.dropped += 1;
            return;
        }
        match known {
            Some(at) => self.more.push((at, value)),
            None => hit.params.push((name, value)),
        }
    }

    /// Makes an array of several values of one parameter, and adds `_dropped` if there were too many values.
    pub(super) fn finish(mut self, hit: &mut Hit<'a>, arena: &mut Arena<'a>) {
        // Stable: values stay in their order.
        self.more.sort_by_key(|(at, _)| *at);
        for further in self.more.chunk_by(|one, other| one.0 == other.0) {
            let value = &mut hit.params[further[0].0].1;
            let array = array(std::iter::once(*value).chain(further.iter().map(|(_, value)| *value)));
            let shown = arena.copy(&array);
            // A full arena cuts, and a part of an array is not valid.
            if shown.len() == array.len() {
                *value = Value::Json(shown);
            } else {
                self.dropped += u32::try_from(further.len()).unwrap_or(u32::MAX);
            }
        }
        if self.dropped > 0 {
            let count = self.dropped.to_string();
            let shown = arena.copy(&count);
            // A full arena cuts, and half a number is another one.
            if shown.len() == count.len() {
                hit.params.push((DROPPED, Value::Json(shown)));
            }
        }
    }
}

/// Values as a JSON array.
fn array<'v>(values: impl Iterator<Item = Value<'v>>) -> String {
    let mut array = String::new();
    for value in values {
        array.push(if array.is_empty() { '[' } else { ',' });
        match value {
            Value::Text(text) => array.push_str(&serde_json::Value::from(text).to_string()),
            Value::Json(json) => array.push_str(json),
        }
    }
    array.push(']');
    array
}

/// Whether only a body from a trusted address may contain this parameter. It is left out elsewhere, because in `params`
/// nothing would truncate the address.
pub(super) fn is_of_the_visitor(name: &[u8]) -> bool {
    matches!(name, b"ip_address" | b"user_agent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_indexes_are_their_own() {
        for (at, &parameter) in Parameter::ALL.iter().enumerate() {
            assert_eq!(parameter as usize, at);
            assert_eq!(Parameter::named(parameter.long().as_bytes()), Some(parameter));
        }
        for name in ["", "A", "p.a", "application", "custom_params", "ip_address", "user_agent", "dd"] {
            assert_eq!(Parameter::named(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn elements_and_texts_are_stored_without_what_the_beacon_leaves_behind_them() {
        for (sent, element, text) in [
            ("button#buy", "button#buy", "button#buy"),
            ("button#", "button", "button#"),
            ("#", "", "#"),
            ("a#b# \u{a0}\n", "a#b# \u{a0}\n", "a#b#"),
            ("", "", ""),
        ] {
            let mut hit = Hit::default();
            assert!(Parameter::Element.set(&mut hit, sent) && Parameter::Text.set(&mut hit, sent));
            assert_eq!((hit.element, hit.text), (element, text), "{sent:?}");
        }
    }

    #[test]
    fn texts_that_a_field_cannot_hold_are_refused() {
        for (name, good, bad) in [
            ("d", &["0", "2147483647", "12.9", ""][..], &["-1", "2147483648", "1e3", "x", " 1"][..]),
            ("sd", &["0", "100", "99.9"], &["-1", "101", "999", "32768", "50%"]),
            ("x", &["0", "100", "12.5"], &["-5", "101", "left"]),
            ("y", &["0", "100"], &["-1", "200", "1e1"]),
            ("n", &["0", "-1"], &["many"]),
            ("sw", &["1920"], &["1920px"]),
            ("ts", &["1700000000123", "1700000000123.5", "2023-11-14T22:13:20Z", ""], &["soon", "-1"]),
            ("wd", &["1", "true", "0", "false", ""], &["yes"]),
            ("pv", &["ff", "anything", ""], &[]),
            ("t", &["anything", ""], &[]),
        ] {
            let parameter = Parameter::named(name.as_bytes()).unwrap();
            let mut hit = Hit::default();
            for text in good {
                assert!(parameter.set(&mut hit, text), "{name}={text}");
            }
            for text in bad {
                assert!(!parameter.set(&mut hit, text), "{name}={text}");
            }
        }
    }
}
