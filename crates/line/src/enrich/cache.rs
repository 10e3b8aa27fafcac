//! What was found out about texts that come again and again: user agents, environments, addresses. A table of fixed size.
//!
//! Each text has eight places where it may stand, so that a look-up is eight comparisons of a number whatever comes in,
//! and a flood of made-up texts costs hits in the cache and never memory. Of those that get a row of their own in the
//! database, no more than so many are stored in an hour.

/// Places in the table. With 512 bytes a user agent, the table is never larger than 2.5 MiB.
const PLACES: usize = 4096;
const WAYS: usize = 8;

/// Texts that are stored anew in an hour; beyond it rows do without.
pub(super) const STORED_PER_HOUR: usize = 20_000;

/// A text that was met, and what was found out about it.
#[derive(Debug)]
struct Known<T> {
    text: Box<str>,
    hash: u64,
    what: T,
    met: bool,
}

/// The table.
#[derive(Debug)]
pub(super) struct Cache<T> {
    places: Vec<Option<Known<T>>>,
    hand: usize,
}

impl<T> Cache<T> {
    /// Knows nothing yet.
    pub(super) fn new() -> Self {
        Cache { places: (0..PLACES).map(|_| None).collect(), hand: 0 }
    }

    /// What is known of a text; of one that is met for the first time, `look` finds it out.
    pub(super) fn of(&mut self, text: &str, look: impl FnOnce() -> T) -> &mut T {
        let hash = hash(text.as_bytes());
        let high = usize::from(u16::try_from(hash >> 48).expect("16 bits are left"));
        let set = high % (PLACES / WAYS) * WAYS;
        let ways = &mut self.places[set..set + WAYS];
        let found = ways.iter().position(|k| k.as_ref().is_some_and(|k| k.hash == hash && *k.text == *text));
        let at = found.unwrap_or_else(|| {
            self.hand = (self.hand + 1) % WAYS;
            // A free place, or the first that was not met again since this last came by. Those met only once
            // go first, so that a flood of them leaves those in use where they are.
            let hand = self.hand;
            let leaves = |k: &mut Option<Known<T>>| !k.as_mut().is_some_and(|k| std::mem::take(&mut k.met));
            let at = (0..WAYS).map(|i| (hand + i) % WAYS).find(|i| leaves(&mut ways[*i])).unwrap_or(hand);
            ways[at] = Some(Known { text: text.into(), hash, what: look(), met: false });
            at
        });
        let known = ways[at].as_mut().expect("found or put there above");
        known.met = found.is_some();
        &mut known.what
    }
}

/// Texts that get a row of their own in the database, which rows of events refer to.
#[derive(Debug)]
pub(super) struct Dimension<T> {
    cache: Cache<Member<T>>,
    left: usize,
}

/// One of them, as rows need it.
#[derive(Debug)]
pub(super) struct Member<T> {
    /// What was found out about it.
    pub(super) what: T,
    /// The database has it, or gets it with this batch.
    pub(super) is_stored: bool,
    is_told: bool,
}

impl<T> Dimension<T> {
    /// Knows nothing yet.
    pub(super) fn new() -> Self {
        Dimension { cache: Cache::new(), left: STORED_PER_HOUR }
    }

    /// As [`Cache::of`]; `tell` is called where the loader has to be told of it.
    pub(super) fn of(&mut self, text: &str, look: impl FnOnce() -> T, tell: impl FnOnce(&T)) -> &Member<T> {
        let member = self.cache.of(text, || Member { what: look(), is_stored: false, is_told: false });
        if !member.is_stored && self.left > 0 {
            self.left -= 1;
            member.is_stored = true;
        }
        if member.is_stored && !member.is_told {
            member.is_told = true;
            tell(&member.what);
        }
        member
    }

    /// Another hour begins: more may be stored.
    pub(super) fn begin_hour(&mut self) {
        self.left = STORED_PER_HOUR;
    }

    /// Forgets of which the loader was told: it is told of all again when they are next met.
    pub(super) fn forget_told(&mut self) {
        self.cache.places.iter_mut().flatten().for_each(|k| k.what.is_told = false);
    }
}

/// Spreads texts over the table. Not secret: who finds collisions gains a slow cache for themselves.
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
    fn a_million_texts_take_no_more_room_and_those_in_use_stay() {
        let mut names = Dimension::new();
        let (mut told, mut steady_told) = (0, 0);
        for i in 0..100_000 {
            let name = format!("name {i}");
            assert_eq!(names.of(&name, || i, |_| told += 1).what, i);
            assert_eq!(names.of("steady", || -1, |_| steady_told += 1).what, -1);
        }
        assert_eq!(steady_told, 1);
        assert_eq!(told, STORED_PER_HOUR - 1);
        assert_eq!(names.cache.places.len(), PLACES);
        // What has its place keeps it, and is told again after all was forgotten; what has none may have it in an hour.
        names.forget_told();
        assert!(names.of("steady", || -2, |_| steady_told += 1).is_stored);
        assert_eq!(steady_told, 2);
        assert!(!names.of("late", || 7, |_| told += 1).is_stored);
        names.begin_hour();
        assert!(names.of("late", || 8, |what| assert_eq!(*what, 7)).is_stored);
    }
}
