//! Numbers that look random and are the same in every run.

/// Literals of texts that differ in case, in trailing spaces, and beyond a prefix.
pub const TEXTS: [&str; 9] = [
    "NULL",
    "''",
    "'a'",
    "'A'",
    "'a  '",
    "'abcdefgh'",
    "'é'",
    "'abcxyz '",
    "'中文文本'",
];

/// A generator of such numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds are to differ in all bits, and none may be zero.
        let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut dice = Self(mixed | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    /// A number below `n`.
    pub fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len() as u64) as usize]
    }
}
