//! Random numbers that are always the same.

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed with this mean: the time between two arrivals that know nothing of each other.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_have_the_mean_that_was_asked_for_and_repeat_with_the_seed() {
        let mut random = Random::new(1);
        let sum: f64 = (0..100_000).map(|_| random.exponential(3.0)).sum();
        assert!((2.9..3.1).contains(&(sum / 1e5)), "{sum}");
        assert_eq!(Random::new(7).next(), Random::new(7).next());
    }
}
