//! Seeded random numbers, and what is drawn by them. Fast, the same on every machine, and of no other worth.

/// xoshiro256++ (Blackman and Vigna).
#[derive(Debug, Clone)]
pub struct Random([u64; 4]);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        // splitmix64
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Random([next(), next(), next(), next()])
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let bits = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        bits
    }

    /// Less than `most`.
    pub fn below(&mut self, most: usize) -> usize {
        ((u128::from(self.bits()) * most as u128) >> 64) as usize
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// So many times of 10,000.
    pub fn happens(&mut self, of_10_000: usize) -> bool {
        self.below(10_000) < of_10_000
    }

    /// One of them.
    pub fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One of them.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Exponentially distributed with this mean: time between visits, time on a page.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// Zipf's law: the n-th most frequent thing is `1 / n^exponent` as frequent as the first.
#[derive(Debug)]
pub struct Zipf(Vec<u16>);

impl Zipf {
    /// Of `count` things.
    pub fn new(count: u16, exponent: f64) -> Self {
        const DRAWS: usize = 1 << 13;
        let weight = |n: u16| (f64::from(n) + 1.0).powf(-exponent);
        let all: f64 = (0..count).map(weight).sum();
        let (mut table, mut sum) = (Vec::with_capacity(DRAWS), 0.0);
        for n in 0..count {
            sum += weight(n);
            // everything can be drawn
            let upto = (sum / all * DRAWS as f64) as usize;
            table.resize(upto.max(table.len() + 1), n);
        }
        Zipf(table)
    }

    /// One of them, from 0.
    pub fn draw(&self, random: &mut Random) -> usize {
        usize::from(*random.of(&self.0))
    }
}
