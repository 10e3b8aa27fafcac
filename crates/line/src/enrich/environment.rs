//! The environment of a browser, as far as the hit states it: language, time zone, screen, version of the beacon.
//!
//! Thousands of rows have the same environment, so each is stored in `environments` once. An unusual environment (very
//! long, or with something to mask) is not stored there; it stays in the row's `params`.

use std::fmt::Write as _;

use super::mask;
use crate::hit::Hit;

/// The longest name of a time zone has 32.
const TIME_ZONE_BYTES_MAX: usize = 64;

const VERSION_BYTES_MAX: usize = 32;

/// A row of `environments`; `""` and `None` for what is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The first 8 bytes of the BLAKE3 hash of the other fields, as one text (see `sql/0005_environments.sql`).
    pub id: i64,
    /// The first language of the Accept-Language header, a tag of BCP 47.
    pub language: String,
    /// IANA name of the browser's time zone.
    pub time_zone: String,
    /// Screen width in CSS pixels.
    pub screen_width: Option<i32>,
    /// Screen height in CSS pixels.
    pub screen_height: Option<i32>,
    /// Version of the beacon.
    pub beacon_version: String,
}

/// An environment, as a hit states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) language: &'a str,
    pub(super) time_zone: &'a str,
    pub(super) screen_width: Option<i32>,
    pub(super) screen_height: Option<i32>,
    pub(super) beacon_version: &'a str,
}

impl<'a> Said<'a> {
    pub(super) fn of(hit: &Hit<'a>) -> Self {
        Said {
            language: language(hit.accept_language),
            time_zone: hit.time_zone,
            screen_width: hit.screen_width,
            screen_height: hit.screen_height,
            beacon_version: hit.beacon_version,
        }
    }

    /// Writes the text that is hashed for the key: each text followed by a NUL, which no text contains, then width and
    /// height. `false`, and nothing is written, if the hit states nothing, or a text is too long.
    pub(super) fn name(&self, out: &mut String) -> bool {
        let nothing = self.language.is_empty()
            && self.time_zone.is_empty()
            && self.beacon_version.is_empty()
            && self.screen_width.or(self.screen_height).is_none();
        let fits =
            self.time_zone.len() <= TIME_ZONE_BYTES_MAX && self.beacon_version.len() <= VERSION_BYTES_MAX;
        if nothing || !fits {
            return false;
        }
        for text in [self.language, self.time_zone, self.beacon_version] {
            out.push_str(text);
            out.push('\0');
        }
        for (before, number) in [("", self.screen_width), ("x", self.screen_height)] {
            if let Some(number) = number {
                write!(out, "{before}{number}").expect("a string takes all");
            }
        }
        true
    }

    /// The key of the environment with this `name`; `None` if something in it has to be masked.
    pub(super) fn id(&self, name: &str) -> Option<i64> {
        let mut masked = String::new();
        if mask::value(self.time_zone, &mut masked) || mask::value(self.beacon_version, &mut masked) {
            return None;
        }
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
        Some(i64::from_le_bytes(id))
    }

    /// The row to store.
    pub(super) fn environment(&self, id: i64) -> Environment {
        Environment {
            id,
            language: self.language.to_owned(),
            time_zone: self.time_zone.to_owned(),
            screen_width: self.screen_width,
            screen_height: self.screen_height,
            beacon_version: self.beacon_version.to_owned(),
        }
    }
}

/// The first language tag of an Accept-Language header; `""` if it is no valid tag.
pub fn language(header: &str) -> &str {
    let end = header.bytes().position(|b| matches!(b, b',' | b';')).unwrap_or(header.len());
    let tag = header[..end].trim();
    let is_tag = tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_tag { tag } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(said: &Said<'_>) -> Option<String> {
        let mut name = String::new();
        said.name(&mut name).then_some(name)
    }

    #[test]
    fn languages() {
        for (header, expect) in [
            ("de-DE,de;q=0.9,en;q=0.8", "de-DE"),
            (" en ;q=1", "en"),
            ("*", ""),
            ("", ""),
            (" fr ", "fr"),
            (";", ""),
            ("<script>", ""),
            ("a-language-tag-that-nobody-ever-registered-anywhere", ""),
        ] {
            assert_eq!(language(header), expect, "{header}");
        }
    }

    #[test]
    fn all_that_differs_has_another_name() {
        let hit = Hit {
            accept_language: "de-DE,en",
            time_zone: "Europe/Berlin",
            screen_width: Some(1920),
            screen_height: Some(1080),
            beacon_version: "1",
            ..Hit::default()
        };
        let others = [
            hit.clone(),
            Hit { accept_language: "de", ..hit.clone() },
            Hit { time_zone: "", ..hit.clone() },
            Hit { time_zone: "", beacon_version: "Europe/Berlin", ..hit.clone() },
            Hit { time_zone: "1", beacon_version: "Europe/Berlin", ..hit.clone() },
            Hit { screen_width: None, ..hit.clone() },
            Hit { screen_width: None, screen_height: Some(1920), ..hit.clone() },
            Hit { screen_width: Some(1080), screen_height: Some(1920), ..hit.clone() },
            Hit { screen_width: None, screen_height: None, ..hit.clone() },
        ];
        let ids = others.iter().map(|hit| {
            let said = Said::of(hit);
            let environment = said.environment(said.id(&named(&said).unwrap()).unwrap());
            assert_eq!(
                (environment.language.as_str(), environment.screen_height),
                (said.language, said.screen_height)
            );
            environment.id
        });
        assert_eq!(ids.collect::<std::collections::HashSet<_>>().len(), others.len());
        // Fixed: with other keys, another version would store all environments again.
        let said = Said::of(&hit);
        assert_eq!(named(&said).unwrap(), "de-DE\0Europe/Berlin\x001\x001920x1080");
        assert_eq!(said.id(&named(&said).unwrap()).unwrap(), -3_888_553_779_899_913_380);
    }

    #[test]
    fn what_is_odd_stays_out() {
        assert_eq!(named(&Said::of(&Hit::default())), None);
        let long = "x".repeat(65);
        assert_eq!(named(&Said::of(&Hit { time_zone: &long, ..Hit::default() })), None);
        assert_eq!(named(&Said::of(&Hit { beacon_version: &long[..33], ..Hit::default() })), None);
        let said = Said::of(&Hit { time_zone: "bob@example.com", ..Hit::default() });
        assert_eq!(said.id(&named(&said).unwrap()), None);
    }
}
