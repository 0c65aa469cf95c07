//! Pauses that grow, and do not fall together.

/// A sequence of numbers from a seed (splitmix64; Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `max`, both possible.
    pub fn up_to(&mut self, max: u64) -> u64 {
        let number = self.draw();
        max.checked_add(1).map_or(number, |n| number % n)
    }
}

/// The pause before repetition `n` (from 0), in milliseconds: `base * 2^n`, at most `max`, of which
/// the second half is random. No `n` overflows.
pub fn pause(base_ms: u64, max_ms: u64, n: u32, random: &mut Random) -> u64 {
    let factor = 1_u64.checked_shl(n).unwrap_or(u64::MAX);
    let whole = base_ms.saturating_mul(factor).min(max_ms);
    whole - whole / 2 + random.up_to(whole / 2)
}
