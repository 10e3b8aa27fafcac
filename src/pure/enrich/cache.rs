//! What was found out about the user agents met lately: a table of fixed size.
//!
//! Each user agent has eight places where it may stand, so that a look-up is eight comparisons of a number whatever comes
//! in, and a flood of made-up user agents costs hits in the cache and never memory.

use super::agent::{AgentRule, AgentRules, id_of};
use crate::pure::row::TrafficClass;

/// Places in the table. With 512 bytes a user agent, the table is never larger than 2.5 MiB.
const PLACES: usize = 4096;
const WAYS: usize = 8;

/// What rows need to know of a user agent.
#[derive(Debug)]
pub(super) struct Known {
    agent: Box<str>,
    hash: u64,
    /// Key of `user_agents`.
    pub(super) id: i64,
    /// Who is behind it, by the user agent alone.
    pub(super) class: TrafficClass,
    /// The rule that decided.
    pub(super) rule: AgentRule,
    /// Whether the loader was told of it.
    pub(super) reported: bool,
    met: bool,
}

/// The table.
#[derive(Debug)]
pub(super) struct Cache {
    places: Vec<Option<Known>>,
    hand: usize,
}

impl Cache {
    pub(super) fn new() -> Self {
        Cache { places: (0..PLACES).map(|_| None).collect(), hand: 0 }
    }

    /// What is known of a user agent, which has been cut to its kept part.
    pub(super) fn of(&mut self, agent: &str, rules: &AgentRules) -> &mut Known {
        let hash = hash(agent.as_bytes());
        let high = usize::from(u16::try_from(hash >> 48).expect("16 bits are left"));
        let set = high % (PLACES / WAYS) * WAYS;
        let ways = &mut self.places[set..set + WAYS];
        let found =
            ways.iter().position(|k| k.as_ref().is_some_and(|k| k.hash == hash && *k.agent == *agent));
        if found.is_none() {
            self.hand = (self.hand + 1) % WAYS;
        }
        let at = found.unwrap_or_else(|| {
            // A free place, or the first that was not met again since this last came by. Those met only once
            // go first, so that a flood of them leaves those in use where they are.
            let hand = self.hand;
            let leaves = |k: &mut Option<Known>| !k.as_mut().is_some_and(|k| std::mem::take(&mut k.met));
            (0..WAYS).map(|i| (hand + i) % WAYS).find(|i| leaves(&mut ways[*i])).unwrap_or(hand)
        });
        if found.is_none() {
            let (class, rule) = rules.judge(agent);
            ways[at] = Some(Known {
                agent: agent.into(),
                hash,
                id: id_of(agent),
                class,
                rule,
                reported: false,
                met: false,
            });
        }
        let known = ways[at].as_mut().expect("found or put there above");
        known.met = found.is_some();
        known
    }

    /// Forgets whom the loader was told of.
    pub(super) fn forget_reported(&mut self) {
        self.places.iter_mut().flatten().for_each(|k| k.reported = false);
    }
}

/// Spreads user agents over the table. Not secret: who finds collisions gains a slow cache for themselves.
fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut chunks = bytes.chunks_exact(8);
    let mut hash = bytes.len() as u64;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
    }
    for byte in chunks.remainder() {
        hash = (hash.rotate_left(23) ^ u64::from(*byte)).wrapping_mul(ODD);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_user_agents_take_no_more_room_and_those_in_use_stay() {
        let rules = AgentRules::from_json(r#"{"classes": {"bot": {"words": ["bot"]}}}"#).unwrap();
        let mut cache = Cache::new();
        cache.of("steady", &rules).reported = true;
        let mut lost = 0;
        for i in 0..100_000 {
            assert_eq!(cache.of(&format!("agent {i}"), &rules).class, TrafficClass::Human);
            let steady = cache.of("steady", &rules);
            lost += u32::from(!steady.reported);
            steady.reported = true;
        }
        assert_eq!(lost, 0);
        assert_eq!(cache.places.len(), PLACES);
        cache.forget_reported();
        assert!(!cache.of("steady", &rules).reported);
        assert_eq!(cache.of("a bot", &rules).class, TrafficClass::Bot);
        assert_eq!(cache.of("a bot", &rules).id, id_of("a bot"));
    }
}
