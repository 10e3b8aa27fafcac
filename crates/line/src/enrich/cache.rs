//! A cache for texts that occur again and again: user agents, environments, URLs. It is set-associative, of fixed size.
//!
//! A text has eight places where it may be, so a look-up compares eight hashes at most, and a flood of made-up texts
//! lowers the rate of hits but takes no memory. For texts that get a row of their own in the database, the number that
//! is stored in an hour is limited.

/// Places in the table. With 512 bytes a user agent, the table is never larger than 2.5 MiB.
const PLACES: usize = 4096;
const WAYS: usize = 8;

/// How many new texts are stored in an hour; rows with others have NULL instead of a key.
pub(super) const STORED_PER_HOUR: usize = 20_000;

/// A text in the cache, and what is known of it.
#[derive(Debug)]
struct Known<T> {
    text: Box<str>,
    hash: u64,
    what: T,
    met: bool,
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cache<T> {
    places: Vec<Option<Known<T>>>,
    hand: usize,
}

impl<T> Cache<T> {
    /// An empty cache.
    pub(super) fn new() -> Self {
        Cache { places: (0..PLACES).map(|_| None).collect(), hand: 0 }
    }

    /// What is known of a text; `look` finds it out if the cache does not have it.
    pub(super) fn of(&mut self, text: &str, look: impl FnOnce() -> T) -> &mut T {
        let hash = hash(text.as_bytes());
        let high = usize::from(u16::try_from(hash >> 48).expect("16 bits are left"));
        let set = high % (PLACES / WAYS) * WAYS;
        let ways = &mut self.places[set..set + WAYS];
        let found = ways.iter().position(|k| k.as_ref().is_some_and(|k| k.hash == hash && *k.text == *text));
        let at = found.unwrap_or_else(|| {
            self.hand = (self.hand + 1) % WAYS;
            // A free place, or the first text that did not occur again since the hand passed it last. Texts that
            // occurred only once leave first, so a flood of them does not replace texts in use.
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

/// Texts that get a row of their own in the database, to which rows of events refer.
#[derive(Debug)]
pub(super) struct Dimension<T> {
    cache: Cache<Member<T>>,
    left: usize,
}

/// Such a text, as far as rows need it.
#[derive(Debug)]
pub(super) struct Member<T> {
    /// What is known of it.
    pub(super) what: T,
    /// The database has it, or will have it with this batch.
    pub(super) is_stored: bool,
    is_told: bool,
}

impl<T> Dimension<T> {
    /// With an empty cache.
    pub(super) fn new() -> Self {
        Dimension { cache: Cache::new(), left: STORED_PER_HOUR }
    }

    /// As [`Cache::of`]; calls `tell` if the loader has to store the text.
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

    /// Begins another hour, in which the full number may be stored.
    pub(super) fn begin_hour(&mut self) {
        self.left = STORED_PER_HOUR;
    }

    /// Forgets which texts the loader was told of: it is told again of each that occurs.
    pub(super) fn forget_told(&mut self) {
        self.cache.places.iter_mut().flatten().for_each(|k| k.what.is_told = false);
    }
}

/// Distributes texts over the table. It needs no secret: collisions only make the cache miss.
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
        // A text that is stored stays so, and is told again after `forget_told`; another may be stored an hour later.
        names.forget_told();
        assert!(names.of("steady", || -2, |_| steady_told += 1).is_stored);
        assert_eq!(steady_told, 2);
        assert!(!names.of("late", || 7, |_| told += 1).is_stored);
        names.begin_hour();
        assert!(names.of("late", || 8, |what| assert_eq!(*what, 7)).is_stored);
    }
}
