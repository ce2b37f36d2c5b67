//! Clients of TiKV that we did not write, as processes: `fixtures/clients`.

#![allow(missing_docs, unreachable_pub)]

pub mod bank;
pub mod etcd;
pub mod left;
pub mod program;

use std::io::Write as _;

/// Says something to whoever runs the tests, whether or not they fail.
pub fn say(text: &str) {
    // Past the capture of the test's output.
    let mut out = std::io::stderr().lock();
    writeln!(out, "{text}").unwrap();
}

/// A number to begin random choices with: `CDCLAB_SEED`, or another one each time. The caller prints it.
pub fn seed() -> u64 {
    match std::env::var("CDCLAB_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => u64::from(uuid::Uuid::new_v4().as_fields().0),
    }
}

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}
