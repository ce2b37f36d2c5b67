//! Primitive codecs (`docs/spec/row-and-key-codecs.md §1`).

use super::Unreadable;

const GROUP: usize = 8;
const MARKER: u8 = 0xff;
const SIGN: u64 = 1 << 63;

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads `bytes`, which are `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error about these bytes.
    pub fn error(&self, why: impl Into<String>) -> Unreadable {
        Unreadable::new(self.what, why)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or_else(|| self.error(format!("{n} bytes expected, {} left", self.rest.len())))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Unreadable> {
        Ok(self.array::<1>()?[0])
    }

    /// A comparable unsigned integer.
    pub fn uint(&mut self) -> Result<u64, Unreadable> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A comparable signed integer.
    pub fn int(&mut self) -> Result<i64, Unreadable> {
        Ok((self.uint()? ^ SIGN) as i64)
    }

    /// A comparable float.
    pub fn float(&mut self) -> Result<f64, Unreadable> {
        let bits = self.uint()?;
        Ok(f64::from_bits(if bits & SIGN == 0 {
            !bits
        } else {
            bits ^ SIGN
        }))
    }

    /// Comparable bytes: groups of eight, each with a marker of how many count.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Unreadable> {
        let mut out = Vec::new();
        loop {
            let group: [u8; GROUP] = self.array()?;
            let padding = usize::from(MARKER - self.byte()?);
            let held = GROUP
                .checked_sub(padding)
                .ok_or_else(|| self.error(format!("a group of bytes lacks {padding}")))?;
            if group[held..].iter().any(|b| *b != 0) {
                return Err(self.error("a group of bytes is not filled with zeros"));
            }
            out.extend_from_slice(&group[..held]);
            if padding > 0 {
                return Ok(out);
            }
        }
    }

    /// LEB128.
    pub fn uvarint(&mut self) -> Result<u64, Unreadable> {
        let mut out = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            out |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(out);
            }
        }
        Err(self.error("a varint beyond 64 bits"))
    }

    /// Zig-zag, then LEB128.
    pub fn varint(&mut self) -> Result<i64, Unreadable> {
        let zigzag = self.uvarint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// A length and so many bytes.
    pub fn compact_bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let len = self.varint()?;
        let len = usize::try_from(len).map_err(|_| self.error(format!("a length of {len}")))?;
        self.take(len)
    }
}

/// An unsigned little-endian integer of any width up to eight bytes.
pub fn short_uint(bytes: &[u8]) -> Result<u64, Unreadable> {
    if bytes.is_empty() || bytes.len() > 8 {
        let why = format!("{} bytes", bytes.len());
        return Err(Unreadable::new("an integer of a row", why));
    }
    Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// A signed little-endian integer of any width up to eight bytes.
pub fn short_int(bytes: &[u8]) -> Result<i64, Unreadable> {
    let unused = u64::BITS - 8 * bytes.len().clamp(1, 8) as u32;
    Ok((short_uint(bytes)? << unused) as i64 >> unused)
}
