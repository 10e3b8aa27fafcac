//! The values of a dimension on a day as `stat_daily` has them, packed, and their sums over days.

use foldhash::{HashMap, HashSet};

use crate::counts::{COUNTS, Counts};

/// A value of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// By which it is the same value on other days. Its text may be cut.
    pub hash: i64,
    /// Its text.
    pub text: String,
    /// Its counts.
    pub counts: Counts,
}

/// The values of a class and a dimension on a day, packed.
#[derive(Debug)]
pub struct Stored {
    hashes: Box<[i64]>,
    texts: Box<str>,
    /// Where each text ends.
    ends: Box<[u32]>,
    /// In the order of [`COUNTS`].
    columns: Box<[Column]>,
}

/// A count of each value, in as few bytes as the greatest needs.
#[derive(Debug)]
enum Column {
    Zero,
    Small(Box<[u16]>),
    Middle(Box<[u32]>),
    Large(Box<[u64]>),
}

impl Column {
    fn of(counts: &[u64]) -> Column {
        fn narrow<T: TryFrom<u64>>(counts: &[u64]) -> Option<Box<[T]>> {
            counts.iter().map(|count| T::try_from(*count).ok()).collect()
        }
        if counts.iter().all(|count| *count == 0) {
            return Column::Zero;
        }
        let small = narrow(counts).map(Column::Small);
        small.or_else(|| narrow(counts).map(Column::Middle)).unwrap_or_else(|| Column::Large(counts.into()))
    }

    fn get(&self, n: usize) -> u64 {
        match self {
            Column::Zero => 0,
            Column::Small(counts) => counts[n].into(),
            Column::Middle(counts) => counts[n].into(),
            Column::Large(counts) => counts[n],
        }
    }

    /// Adds each count at its place.
    fn add(&self, places: &[u32], to: &mut [u64]) {
        fn all<T: Copy + Into<u64>>(counts: &[T], places: &[u32], to: &mut [u64]) {
            for (count, place) in counts.iter().zip(places) {
                let sum = &mut to[*place as usize];
                *sum = sum.saturating_add((*count).into());
            }
        }
        match self {
            Column::Zero => {}
            Column::Small(counts) => all(counts, places, to),
            Column::Middle(counts) => all(counts, places, to),
            Column::Large(counts) => all(counts, places, to),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Column::Zero => 0,
            Column::Small(counts) => size_of_val(counts.as_ref()),
            Column::Middle(counts) => size_of_val(counts.as_ref()),
            Column::Large(counts) => size_of_val(counts.as_ref()),
        }
    }
}

impl Stored {
    /// Packs values. Texts behind the first 4 GiB are empty, which the limits of a day do not let happen.
    pub fn pack(values: &[Value]) -> Stored {
        let mut texts = String::with_capacity(values.iter().map(|value| value.text.len()).sum());
        let mut ends = Vec::with_capacity(values.len());
        for value in values {
            texts.push_str(&value.text);
            let end = u32::try_from(texts.len());
            texts.truncate(end.map_or(*ends.last().unwrap_or(&0), |end| end) as usize);
            ends.push(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        }
        let column = |count: &crate::counts::Count| {
            Column::of(&values.iter().map(|value| (count.get)(&value.counts)).collect::<Vec<_>>())
        };
        Stored {
            hashes: values.iter().map(|value| value.hash).collect(),
            texts: texts.into_boxed_str(),
            ends: ends.into_boxed_slice(),
            columns: COUNTS.iter().map(column).collect(),
        }
    }

    /// Bytes.
    pub fn memory(&self) -> usize {
        let columns = self.columns.iter().map(|column| size_of::<Column>() + column.memory());
        size_of::<Stored>()
            + size_of_val(self.hashes.as_ref())
            + size_of_val(self.ends.as_ref())
            + self.texts.len()
            + columns.sum::<usize>()
    }

    /// Texts and counts of all values.
    pub fn values(&self) -> impl Iterator<Item = (&str, Counts)> {
        (0..self.hashes.len()).map(|n| (self.text(n), self.counts(n)))
    }

    fn text(&self, n: usize) -> &str {
        let from = n.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.texts[from..self.ends[n] as usize]
    }

    fn counts(&self, n: usize) -> Counts {
        let mut counts = Counts::default();
        for (count, column) in COUNTS.iter().zip(&self.columns) {
            *(count.get_mut)(&mut counts) = column.get(n);
        }
        counts
    }
}

/// Sums over days, of the values of a class and a dimension.
#[derive(Debug, Default)]
pub struct Sums<'s> {
    places: HashMap<i64, u32>,
    /// Where each value was met first.
    firsts: Vec<(&'s Stored, usize)>,
    /// In the order of [`COUNTS`].
    columns: Vec<Vec<u64>>,
}

impl<'s> Sums<'s> {
    /// Of days.
    pub fn of(days: impl IntoIterator<Item = &'s Stored>) -> Sums<'s> {
        let mut sums = Sums { columns: vec![Vec::new(); COUNTS.len()], ..Sums::default() };
        let mut places = Vec::new();
        for day in days {
            places.clear();
            for (n, hash) in day.hashes.iter().enumerate() {
                places.push(*sums.places.entry(*hash).or_insert_with(|| {
                    sums.firsts.push((day, n));
                    u32::try_from(sums.firsts.len() - 1).unwrap_or(u32::MAX)
                }));
            }
            for (column, to) in day.columns.iter().zip(&mut sums.columns) {
                to.resize(sums.firsts.len(), 0);
                column.add(&places, to);
            }
        }
        sums
    }

    /// The values with the most visitors, at most so many; those with as many by page views, events, and text.
    pub fn top(&self, most: usize) -> Vec<(String, Counts)> {
        let number = |name: &str| COUNTS.iter().position(|count| count.name == name);
        let order =
            ["visitors", "page_views", "events"].map(|name| number(name).and_then(|n| self.columns.get(n)));
        let key = |n: &usize| {
            let counts = order.map(|column| std::cmp::Reverse(column.map_or(0, |column| column[*n])));
            (counts, self.text(*n))
        };
        let mut all: Vec<usize> = (0..self.firsts.len()).collect();
        if most < all.len() {
            all.select_nth_unstable_by(most, |one, two| key(one).cmp(&key(two)));
            all.truncate(most);
        }
        all.sort_unstable_by(|one, two| key(one).cmp(&key(two)));
        all.into_iter().map(|n| (self.text(n).to_owned(), self.counts(n))).collect()
    }

    /// Those of these texts.
    pub fn with_texts(&self, texts: &[&str]) -> Vec<(String, Counts)> {
        let texts: HashSet<&str> = texts.iter().copied().collect();
        let wanted = (0..self.firsts.len()).filter(|n| texts.contains(self.text(*n)));
        wanted.map(|n| (self.text(n).to_owned(), self.counts(n))).collect()
    }

    fn text(&self, n: usize) -> &'s str {
        let (day, at) = self.firsts[n];
        day.text(at)
    }

    fn counts(&self, n: usize) -> Counts {
        let mut counts = Counts::default();
        for (count, column) in COUNTS.iter().zip(&self.columns) {
            *(count.get_mut)(&mut counts) = column[n];
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::query::tests::Dice;

    fn value(hash: i64, scale: u64, seed: u64) -> Value {
        let mut counts = Counts::default();
        for (n, count) in COUNTS.iter().enumerate() {
            *(count.get_mut)(&mut counts) = (seed >> n) % 7 * scale;
        }
        Value { hash, text: "ü".repeat(usize::try_from(hash).unwrap() % 4) + &hash.to_string(), counts }
    }

    #[test]
    fn sums_of_packed_days_are_those_of_their_values() {
        let mut dice = Dice(1);
        for _ in 0..2_000 {
            let days: Vec<Vec<Value>> = (0..dice.below(6))
                .map(|_| {
                    let some = (0..40).filter(|_| dice.below(3) == 0).collect::<Vec<_>>();
                    some.into_iter()
                        .map(|hash| value(hash, 1 << dice.below(40), dice.below(1 << 20)))
                        .collect()
                })
                .collect();
            let packed: Vec<Stored> = days.iter().map(|day| Stored::pack(day)).collect();
            for (day, packed) in days.iter().zip(&packed) {
                let all: Vec<_> = packed.values().map(|(text, counts)| (text.to_owned(), counts)).collect();
                let same: Vec<_> = day.iter().map(|value| (value.text.clone(), value.counts)).collect();
                assert_eq!(all, same);
            }
            let mut naive: BTreeMap<String, Counts> = BTreeMap::new();
            for value in days.iter().flatten() {
                *naive.entry(value.text.clone()).or_default() += &value.counts;
            }
            let sums = Sums::of(&packed);
            let mut wanted: Vec<(String, Counts)> = naive.clone().into_iter().collect();
            wanted.sort_by_key(|(text, c)| {
                (std::cmp::Reverse((c.visitors, c.page_views, c.events)), text.clone())
            });
            let most = usize::try_from(dice.below(50)).unwrap();
            wanted.truncate(most);
            assert_eq!(sums.top(most), wanted);
            let texts: Vec<&str> = naive.keys().step_by(2).map(String::as_str).chain(["absent"]).collect();
            let mut some = sums.with_texts(&texts);
            some.sort_by(|one, two| one.0.cmp(&two.0));
            let same: Vec<_> = naive.clone().into_iter().step_by(2).collect();
            assert_eq!(some, same);
        }
    }

    #[test]
    fn sums_end_at_the_greatest_number() {
        let great =
            Value { hash: 1, text: String::new(), counts: Counts { events: u64::MAX, ..Counts::default() } };
        let day = Stored::pack(&[great]);
        assert_eq!(Sums::of([&day, &day]).top(1)[0].1.events, u64::MAX);
    }

    #[test]
    fn a_value_takes_few_bytes() {
        let day: Vec<Value> = (0..1000).map(|n| value(n, 30, u64::MAX)).collect();
        let bytes = Stored::pack(&day).memory();
        assert!(bytes < 50_000, "{bytes}");
    }
}
