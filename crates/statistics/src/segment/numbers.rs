//! Columns of numbers in memory, each as narrow as it is stored.

/// The values, by their width.
#[derive(Debug)]
enum Values {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Ints(Vec<u32>),
    Longs(Vec<u64>),
}

/// A column of numbers.
#[derive(Debug)]
pub(crate) struct Numbers {
    values: Values,
    has_zero: bool,
}

/// Passes the values on, whatever their width.
macro_rules! each {
    ($numbers:expr, $values:ident => $do:expr) => {
        match &$numbers.values {
            Values::Bytes($values) => $do,
            Values::Shorts($values) => $do,
            Values::Ints($values) => $do,
            Values::Longs($values) => $do,
        }
    };
}

impl Numbers {
    /// The numbers of a column with values of `width` bytes: first the lowest bytes of all, then the next.
    pub(super) fn unpack(raw: Vec<u8>, width: u8) -> Option<Numbers> {
        let rows = raw.len() / usize::from(width.max(1));
        let plane = |n: usize| raw.get(n * rows..(n + 1) * rows).unwrap_or(&[]);
        let values = match width {
            1 => Values::Bytes(raw),
            2 => {
                let pairs = plane(0).iter().zip(plane(1));
                Values::Shorts(pairs.map(|(low, high)| u16::from_le_bytes([*low, *high])).collect())
            }
            4 => {
                let (low, high) = (plane(0).iter().zip(plane(1)), plane(2).iter().zip(plane(3)));
                let ints = low.zip(high).map(|((a, b), (c, d))| u32::from_le_bytes([*a, *b, *c, *d]));
                Values::Ints(ints.collect())
            }
            8 => {
                let mut longs = vec![0_u64; rows];
                for n in 0..8 {
                    for (long, byte) in longs.iter_mut().zip(plane(n)) {
                        *long |= u64::from(*byte) << (8 * n);
                    }
                }
                Values::Longs(longs)
            }
            _ => return None,
        };
        let mut numbers = Numbers { values, has_zero: false };
        numbers.has_zero = each!(numbers, values => values.iter().min().is_some_and(|least| *least == 0));
        Some(numbers)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        each!(self, values => size_of_val(values.as_slice()))
    }

    /// Whether a number may need more than 32 bits.
    pub(super) fn is_long(&self) -> bool {
        matches!(self.values, Values::Longs(_))
    }

    /// The greatest; 0 of none.
    #[allow(clippy::useless_conversion)] // of one of the widths
    pub(super) fn greatest(&self) -> u64 {
        each!(self, values => values.iter().max().map_or(0, |most| u64::from(*most)))
    }

    /// Whether one of them is 0.
    pub(crate) fn has_zero(&self) -> bool {
        self.has_zero
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        each!(self, values => values.len())
    }

    /// A number; 0 behind the last.
    #[allow(clippy::useless_conversion)] // of one of the widths
    pub(crate) fn get(&self, at: usize) -> u64 {
        each!(self, values => values.get(at).map_or(0, |value| u64::from(*value)))
    }

    /// The numbers from a place on, as many as there is room for. Those of more than 32 bits are the greatest of 32.
    pub(crate) fn read(&self, from: usize, to: &mut [u32]) {
        match &self.values {
            Values::Bytes(values) => copy(values, from, to, u32::from),
            Values::Shorts(values) => copy(values, from, to, u32::from),
            Values::Ints(values) => copy(values, from, to, |value| value),
            Values::Longs(values) => copy(values, from, to, |value| u32::try_from(value).unwrap_or(u32::MAX)),
        }
    }

    /// The same of 64 bits.
    pub(crate) fn read_long(&self, from: usize, to: &mut [u64]) {
        each!(self, values => copy(values, from, to, u64::from));
    }

    /// For each number from a place on what a table has at that number; 0 behind the table's end.
    pub(crate) fn look_up(&self, from: usize, table: &[u8], to: &mut [u8]) {
        let of = |at: usize| table.get(at).copied().unwrap_or(0);
        match &self.values {
            Values::Bytes(values) => copy(values, from, to, |value| of(usize::from(value))),
            Values::Shorts(values) => copy(values, from, to, |value| of(usize::from(value))),
            Values::Ints(values) => copy(values, from, to, |value| of(value as usize)),
            Values::Longs(values) => {
                copy(values, from, to, |value| of(usize::try_from(value).unwrap_or(usize::MAX)));
            }
        }
    }
}

fn copy<F: Copy, T>(values: &[F], from: usize, to: &mut [T], each: impl Fn(F) -> T) {
    let until = values.len().min(from + to.len());
    for (to, value) in to.iter_mut().zip(values.get(from..until).unwrap_or(&[])) {
        *to = each(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::codec;

    #[test]
    fn numbers_of_each_width_come_back_from_their_bytes() {
        for (greatest, width) in
            [(7_u64, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (1 << 31, 4), (1 << 40, 8)]
        {
            let values = [0, greatest, 1, greatest / 2, greatest];
            let packed = codec::pack(values.iter().copied());
            assert_eq!(packed.width, width);
            let raw = codec::unpack(&packed.bytes, packed.raw).unwrap();
            let numbers = Numbers::unpack(raw, width).unwrap();
            assert_eq!((numbers.len(), numbers.greatest(), numbers.has_zero()), (5, greatest, true));
            assert_eq!(numbers.bytes(), 5 * usize::from(width));
            assert_eq!(numbers.is_long(), width == 8);
            assert_eq!(numbers.get(5), 0);
            for from in 0..6 {
                let (mut ints, mut longs, mut found) = ([9; 3], [9; 3], [9; 3]);
                numbers.read(from, &mut ints);
                numbers.read_long(from, &mut longs);
                numbers.look_up(from, &[5, 6], &mut found);
                for at in 0..3 {
                    let value = values.get(from + at).copied();
                    assert_eq!(longs[at], value.unwrap_or(9));
                    assert_eq!(ints[at], value.map_or(9, |value| u32::try_from(value).unwrap_or(u32::MAX)));
                    assert_eq!(
                        found[at],
                        value.map_or(9, |value| [5, 6]
                            .get(usize::try_from(value).unwrap())
                            .copied()
                            .unwrap_or(0))
                    );
                }
            }
        }
        assert!(!Numbers::unpack(vec![1, 2], 1).unwrap().has_zero());
        assert!(Numbers::unpack(vec![1, 2], 3).is_none());
    }
}
