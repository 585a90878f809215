//! The one source of chance: SplitMix64 over a seed and a counter. The counter is durable, so a restarted
//! simulator goes on where it stopped instead of handing out the same identifiers again.

use uuid::Uuid;

#[derive(Debug, Clone)]
pub(crate) struct Generator {
    seed: u64,
    counter: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn counter(&self) -> u64 {
        self.counter
    }

    pub(crate) fn resume(&mut self, counter: u64) {
        self.counter = self.counter.max(counter);
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        // Mixing the seed first keeps neighbouring seeds from sharing shifted sequences.
        mix(mix(self.seed).wrapping_add(self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_be_bytes());
        bytes[8..].copy_from_slice(&self.next().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        p >= 1.0 || ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < p
    }

    pub(crate) fn four_digits(&mut self) -> String {
        format!("{:04}", self.next() % 10_000)
    }
}

/// The finalizer of SplitMix64: every bit of the input moves half of the output's.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_identifiers() {
        let mut a = Generator::new(7);
        let mut b = Generator::new(7);
        assert_eq!(a.uuid(), b.uuid());
        assert_ne!(a.uuid(), Generator::new(8).uuid());
        assert_eq!(a.uuid().get_version_num(), 4);
    }

    #[test]
    fn resuming_continues_the_sequence() {
        let mut a = Generator::new(7);
        a.uuid();
        let mut b = Generator::new(7);
        b.resume(a.counter());
        assert_eq!(a.uuid(), b.uuid());
    }
}
