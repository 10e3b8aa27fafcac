//! Counts of a minute, or of a longer slot, as bytes. A slot is a byte with its place, a number with how many numbers
//! follow, and these. Numbers are zigzag and of seven bits a byte, as those of Protocol Buffers.

use crate::bucket::Bucket;

/// Appends a slot.
pub fn push(to: &mut Vec<u8>, place: u8, bucket: &Bucket) {
    let numbers = bucket.stored();
    to.push(place);
    number(to, numbers.len() as u64);
    numbers.iter().for_each(|n| number(to, zigzag(*n)));
}

/// The slots, by their places. What is cut off or too long is left out.
pub fn slots(mut bytes: &[u8]) -> Vec<(u8, Bucket)> {
    let mut all = Vec::new();
    while let Some((place, rest)) = bytes.split_first() {
        bytes = rest;
        let Some(count) = take(&mut bytes) else { break };
        // Each number has a byte at least.
        let numbers: Option<Vec<i64>> =
            (0..count.min(bytes.len() as u64 + 1)).map(|_| take(&mut bytes).map(unzigzag)).collect();
        let Some(numbers) = numbers else { break };
        all.push((*place, Bucket::restored(&numbers)));
    }
    all
}

fn zigzag(n: i64) -> u64 {
    (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned()
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

fn number(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(u8::try_from(n & 0x7f).unwrap_or(0) | 0x80);
        n >>= 7;
    }
    to.push(u8::try_from(n).unwrap_or(0));
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_other_bytes_do_no_harm() {
        let bucket = |numbers: &[i64]| Bucket::restored(numbers);
        let some = [(0, bucket(&[1, 0, 300])), (7, bucket(&[i64::MAX, i64::MIN, -1])), (11, bucket(&[]))];
        let mut bytes = Vec::new();
        some.iter().for_each(|(place, bucket)| push(&mut bytes, *place, bucket));
        assert_eq!(slots(&bytes), some);
        // As the migration packs what was an array.
        assert_eq!(slots(&[0, 3, 2, 0, 0xd8, 4]), some[..1]);
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..10_000 {
            let mut bytes = bytes.clone();
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
            bytes.truncate(random.usize(0..=bytes.len()));
            slots(&bytes);
        }
    }
}
