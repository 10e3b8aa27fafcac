//! A cache for texts that occur again and again: user agents, environments, URLs. It is set-associative, of fixed size.
//!
//! A text has eight places where it may be, so a look-up compares eight hashes at most, and a flood of made-up texts
//! lowers the rate of hits but takes no memory. The hash has a secret seed, so that nobody can choose texts that share
//! the places of another one. For texts that get a row of their own in the database, the number that is stored in an
//! hour is limited, of one network and of all together. A text that is stored stays so when it leaves the cache.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::HashSet;
use foldhash::quality::SeedableRandomState;

use crate::flood::{self, Names};

/// Places in the table. With 512 bytes a user agent, the table is never larger than 2.5 MiB.
const PLACES: usize = 4096;
const WAYS: usize = 8;

/// How many new texts are stored in an hour; rows with others have NULL instead of a key.
pub(super) const STORED_PER_HOUR: usize = 20_000;

/// How many stored texts are remembered in a generation, of which there are two: with 8 bytes each, at most 1.2 MiB.
const GENERATION: usize = 32_768;

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
    hashes: SeedableRandomState,
}

impl<T> Cache<T> {
    /// An empty cache.
    pub(super) fn new() -> Self {
        Cache { places: (0..PLACES).map(|_| None).collect(), hand: 0, hashes: flood::secret_state() }
    }

    /// What is known of a text; `look` finds it out, from the text's hash, if the cache does not have it.
    pub(super) fn of(&mut self, text: &str, look: impl FnOnce(u64) -> T) -> &mut T {
        let hash = self.hashes.hash_one(text);
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
            ways[at] = Some(Known { text: text.into(), hash, what: look(hash), met: false });
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
    stored: Stored,
    budget: Budget,
}

/// How many new texts are still stored in the present hour, of all networks together and of each.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    names: Names,
}

impl Budget {
    /// A full one. `per_hour`: how many texts of one small network are stored in an hour.
    pub(super) fn new(per_hour: u64) -> Self {
        Budget { left: STORED_PER_HOUR, names: Names::new(per_hour) }
    }
}

/// Such a text, as far as rows need it.
#[derive(Debug)]
pub(super) struct Member<T> {
    /// What is known of it.
    pub(super) what: T,
    /// The database has it, or will have it with this batch.
    pub(super) is_stored: bool,
    is_told: bool,
    hash: u64,
}

/// The hashes of texts that are stored, also of those that have left the cache: they do not count for the limits again.
/// The older generation is dropped when the younger one is full.
#[derive(Debug, Default)]
struct Stored {
    younger: HashSet<u64>,
    older: HashSet<u64>,
}

impl Stored {
    fn has(&mut self, hash: u64) -> bool {
        if !self.younger.contains(&hash) && self.older.contains(&hash) {
            self.add(hash);
        }
        self.younger.contains(&hash)
    }

    fn add(&mut self, hash: u64) {
        if self.younger.len() >= GENERATION {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(hash);
    }
}

impl<T> Dimension<T> {
    /// With an empty cache. `per_hour`: how many texts of one small network are stored in an hour.
    pub(super) fn new(per_hour: u64) -> Self {
        let (cache, stored) = (Cache::new(), Stored::default());
        Dimension { cache, stored, budget: Budget::new(per_hour) }
    }

    /// Takes another source's budget, and gives the present one. What is stored stays known.
    pub(super) fn exchange(&mut self, budget: &mut Budget) {
        std::mem::swap(&mut self.budget, budget);
    }

    /// As [`Cache::of`], for a text from an address; calls `tell` if the loader has to store the text.
    pub(super) fn of(
        &mut self,
        text: &str,
        from: Option<IpAddr>,
        look: impl FnOnce() -> T,
        tell: impl FnOnce(&T),
    ) -> &Member<T> {
        let stored = &mut self.stored;
        let found = |hash| Member { what: look(), is_stored: stored.has(hash), is_told: false, hash };
        let member = self.cache.of(text, found);
        if !member.is_stored && self.budget.left > 0 && self.budget.names.take(from) {
            self.budget.left -= 1;
            member.is_stored = true;
            self.stored.add(member.hash);
        }
        if member.is_stored && !member.is_told {
            member.is_told = true;
            tell(&member.what);
        }
        member
    }

    /// Begins another hour, in which the full number may be stored.
    pub(super) fn begin_hour(&mut self) {
        self.budget.left = STORED_PER_HOUR;
        self.budget.names.begin_hour();
        // Those that are in use are of the younger generation.
        let in_use = self.cache.places.iter().flatten().filter(|known| known.what.is_stored);
        in_use.for_each(|known| self.stored.add(known.hash));
    }

    /// Forgets which texts the loader was told of: it is told again of each that occurs.
    pub(super) fn forget_told(&mut self) {
        self.cache.places.iter_mut().flatten().for_each(|k| k.what.is_told = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses of different networks, so many that the limit of all together counts.
    fn address(n: usize) -> Option<IpAddr> {
        let [_, a, b, c] = u32::try_from(n).unwrap().to_be_bytes();
        Some(IpAddr::from([40 + c % 100, b, a, 1]))
    }

    #[test]
    fn a_million_texts_take_no_more_room_and_those_in_use_stay() {
        let mut names = Dimension::new(1000);
        let (mut told, mut steady_told) = (0, 0);
        for i in 0..100_000 {
            let name = format!("name {i}");
            assert_eq!(
                names.of(&name, address(i), || i64::try_from(i).unwrap(), |_| told += 1).what,
                i as i64
            );
            assert_eq!(names.of("steady", None, || -1, |_| steady_told += 1).what, -1);
        }
        assert_eq!(steady_told, 1);
        assert_eq!(told, STORED_PER_HOUR - 1);
        assert_eq!(names.cache.places.len(), PLACES);
        // A text that is stored stays so, and is told again after `forget_told`; another may be stored an hour later.
        names.forget_told();
        assert!(names.of("steady", None, || -2, |_| steady_told += 1).is_stored);
        assert_eq!(steady_told, 2);
        assert!(!names.of("late", None, || 7, |_| told += 1).is_stored);
        // So does one that has left the cache.
        assert!(names.of("name 7", None, || 8, |what| assert_eq!(*what, 8)).is_stored);
        names.begin_hour();
        assert!(names.of("late", None, || 8, |what| assert_eq!(*what, 7)).is_stored);
    }

    #[test]
    fn one_network_spends_its_own_budget_and_not_that_of_all() {
        let mut names = Dimension::new(1000);
        let flooder: Option<IpAddr> = Some([192, 0, 2, 1].into());
        let mut stored = |from, prefix: &str| {
            let is_stored = |i: &i32| names.of(&format!("{prefix} {i}"), from, || (), |()| ()).is_stored;
            (0..30_000).filter(is_stored).count()
        };
        assert_eq!(stored(flooder, "flood"), 1000);
        assert_eq!(stored(Some([192, 0, 2, 9].into()), "neighbour"), 0);
        assert_eq!(stored(Some([198, 51, 100, 1].into()), "other"), 1000);
    }

    #[test]
    fn what_is_stored_is_remembered_in_bounded_memory() {
        let mut stored = Stored::default();
        let most = (0..1_000_000u64).map(|n| {
            stored.add(n);
            assert!(stored.has(n));
            if n % 10_000 == 0 {
                assert!(stored.has(0), "it is in use");
            }
            stored.younger.len() + stored.older.len()
        });
        assert!(most.max() <= Some(2 * GENERATION));
    }

    /// The place of a text if the hash has no seed, as it was once.
    fn place_without_a_seed(text: &str) -> u64 {
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
        let mut chunks = text.as_bytes().chunks_exact(8);
        let words = chunks.by_ref().map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()));
        let hash = words.fold(text.len() as u64, mix);
        chunks.remainder().iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte))) >> 48 & 511
    }

    #[test]
    fn texts_that_somebody_chose_do_not_share_the_places_of_another() {
        let steady = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let made = (0..).map(|n| format!("Mozilla/5.0 (made {n})"));
        let chosen: Vec<String> =
            made.filter(|text| place_without_a_seed(text) == place_without_a_seed(steady)).take(24).collect();
        let mut cache = Cache::new();
        let mut looks = 0;
        for _ in 0..50 {
            cache.of(steady, |_| looks += 1);
            // Each twice, so that it counts as in use.
            chosen.iter().for_each(|text| (0..2).for_each(|_| *cache.of(text, |_| ())));
        }
        assert_eq!(looks, 1);
        // The seed is another one for each cache.
        let (one, other) = (Cache::<()>::new(), Cache::<()>::new());
        assert_ne!(one.hashes.hash_one(steady), other.hashes.hash_one(steady));
    }
}
