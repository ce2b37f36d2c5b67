//! Sort weights of characters under the collations that compare by tables (`docs/spec/row-and-key-codecs.md §9`).
//!
//! `weights/README.md` says where the tables come from and how their files are laid out.

use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

use super::TableError;

/// Weight of a character that a table does not reach, under the older collations.
const REPLACEMENT: u16 = 0xfffd;

/// Kinds of weights in a file; below [`EXPLICIT_END`] they are a number of weights that follow.
mod kind {
    pub(super) const ITSELF: u8 = 0xff;
    pub(super) const IMPLICIT_FB40: u8 = 0xfe;
    pub(super) const IMPLICIT_FB80: u8 = 0xfd;
    pub(super) const IMPLICIT_FBC0: u8 = 0xfc;
    pub(super) const TANGUT: u8 = 0xfb;
    pub(super) const HANGUL: u8 = 0xfa;
    pub(super) const EXPLICIT_END: u8 = 0x40;
}

/// The weights of one collation.
#[derive(Debug)]
pub struct Table {
    /// Of each character: how its weights are told, and where explicit ones begin.
    kinds: Vec<(u8, u32)>,
    explicit: Vec<u16>,
    beyond: Beyond,
}

/// What characters beyond a table have.
#[derive(Debug, Clone, Copy)]
enum Beyond {
    Weight(u16),
    Implicit,
}

macro_rules! table {
    ($name:ident, $file:literal, $beyond:expr) => {
        #[doc = concat!("What `", $file, "` holds.")]
        pub static $name: LazyLock<Result<Table, TableError>> =
            LazyLock::new(|| Table::read(include_bytes!(concat!("weights/", $file)), $beyond));
    };
}

table!(GENERAL_CI, "general_ci.gz", Beyond::Weight(REPLACEMENT));
table!(UNICODE_CI, "unicode_ci.gz", Beyond::Weight(REPLACEMENT));
table!(UCA_0900_AI_CI, "0900_ai_ci.gz", Beyond::Implicit);
table!(GBK_BIN, "gbk_bin.gz", Beyond::Weight(b'?' as u16));
table!(
    GBK_CHINESE_CI,
    "gbk_chinese_ci.gz",
    Beyond::Weight(b'?' as u16)
);

impl Table {
    fn read(file: &[u8], beyond: Beyond) -> Result<Self, TableError> {
        let mut raw = Vec::new();
        GzDecoder::new(file)
            .read_to_end(&mut raw)
            .map_err(|error| TableError(error.to_string()))?;
        let short = || TableError("it ends early".to_owned());
        let mut rest = &raw[..];
        let (mut kinds, mut explicit) = (Vec::new(), Vec::new());
        while let Some((&kind, behind)) = rest.split_first() {
            rest = behind;
            for _ in 0..count(&mut rest).ok_or_else(short)? {
                kinds.push((kind, explicit.len() as u32));
                if kind < kind::EXPLICIT_END {
                    for _ in 0..kind {
                        let (weight, behind) = rest.split_first_chunk().ok_or_else(short)?;
                        explicit.push(u16::from_be_bytes(*weight));
                        rest = behind;
                    }
                }
            }
        }
        Ok(Self {
            kinds,
            explicit,
            beyond,
        })
    }

    /// Calls `put` with each weight of a character; ignorable ones have none.
    pub fn weigh(&self, c: char, put: &mut impl FnMut(u16)) {
        let cp = u32::from(c);
        let Some((kind, start)) = self.kinds.get(cp as usize).copied() else {
            return match self.beyond {
                Beyond::Weight(weight) => put(weight),
                Beyond::Implicit => implicit(0xfbc0, cp, put),
            };
        };
        match kind {
            kind::ITSELF => put(cp as u16),
            kind::IMPLICIT_FB40 => implicit(0xfb40, cp, put),
            kind::IMPLICIT_FB80 => implicit(0xfb80, cp, put),
            kind::IMPLICIT_FBC0 => implicit(0xfbc0, cp, put),
            kind::TANGUT => {
                put(0xfb00);
                put((cp.wrapping_sub(0x1_7000) | 0x8000) as u16);
            }
            kind::HANGUL => self.hangul(cp, put),
            n => {
                let start = start as usize;
                let weights = self.explicit.get(start..start + usize::from(n));
                weights.into_iter().flatten().copied().for_each(put);
            }
        }
    }

    /// A syllable weighs what its letters do.
    fn hangul(&self, cp: u32, put: &mut impl FnMut(u16)) {
        let at = cp.wrapping_sub(0xac00);
        let letters = [0x1100 + at / 588, 0x1161 + at % 588 / 28, 0x11a7 + at % 28];
        let count = if at.is_multiple_of(28) { 2 } else { 3 };
        let letters = letters.into_iter().take(count).filter_map(char::from_u32);
        letters.for_each(|letter| self.weigh(letter, put));
    }
}

/// A number of characters, LEB128.
fn count(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in (0..28).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// What the Unicode Collation Algorithm derives from the code point.
fn implicit(base: u16, cp: u32, put: &mut impl FnMut(u16)) {
    put(base + (cp >> 15) as u16);
    put((cp & 0x7fff | 0x8000) as u16);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_reach_as_far_as_they_should() {
        for (table, end) in [
            (&GENERAL_CI, 0x1_0000),
            (&UNICODE_CI, 0x1_0000),
            (&GBK_BIN, 0x1_0000),
            (&GBK_CHINESE_CI, 0x1_0000),
            (&UCA_0900_AI_CI, 0x2_cea2),
        ] {
            let table = table.as_ref().unwrap();
            assert_eq!(table.kinds.len(), end);
            for c in '\0'..=char::MAX {
                let mut n = 0;
                table.weigh(c, &mut |_| n += 1);
                assert!(n <= 18, "{c:?} has {n} weights");
            }
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let file = include_bytes!("weights/general_ci.gz");
        for cut in [0, 1, 100, file.len() - 1] {
            assert!(Table::read(&file[..cut], Beyond::Implicit).is_err());
        }
    }
}
