//! DECIMAL values and their binary form (`docs/spec/row-and-key-codecs.md §4`).

use super::{CodecError, take};
use std::fmt;
use std::str::FromStr;

const DIGITS_PER_WORD: usize = 9;
/// Bytes that hold a partial group of so many digits.
const PARTIAL: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// Greatest precision of a DECIMAL column.
const MAX_PRECISION: usize = 81;
/// Greatest scale of a DECIMAL column.
const MAX_SCALE: usize = 30;

/// An exact decimal number. Trailing zeros of the fraction are kept, leading zeros of the integer part are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Digits 0 to 9, integer part first, no leading zero.
    digits: Vec<u8>,
    /// How many of `digits` are the fraction.
    scale: usize,
}

/// How a value went into a column's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Unchanged.
    Exact,
    /// Fraction digits were cut, be they zeros.
    Truncated,
    /// High integer digits were lost.
    Overflow,
}

impl Decimal {
    /// The number as the binary form of `DECIMAL(precision, scale)`, without the header.
    pub fn to_binary(&self, precision: usize, scale: usize) -> (Vec<u8>, Fit) {
        let int_len = precision.saturating_sub(scale);
        let (int, frac) = self.digits.split_at(self.digits.len() - self.scale);
        let mut fit = Fit::Exact;
        let mut shaped = vec![0_u8; int_len + scale];
        if frac.len() > scale {
            fit = Fit::Truncated;
        }
        if int.len() > int_len {
            fit = Fit::Overflow;
        }
        let kept_int = &int[int.len().saturating_sub(int_len)..];
        shaped[int_len - kept_int.len()..int_len].copy_from_slice(kept_int);
        let kept_frac = &frac[..frac.len().min(scale)];
        shaped[int_len..int_len + kept_frac.len()].copy_from_slice(kept_frac);

        let negative = self.negative && shaped.iter().any(|d| *d != 0);
        let mut out = Vec::with_capacity(binary_len(precision, scale));
        for (start, end) in groups(int_len, scale) {
            let value = shaped[start..end]
                .iter()
                .fold(0_u32, |acc, d| acc * 10 + u32::from(*d));
            let bytes = value.to_be_bytes();
            out.extend_from_slice(&bytes[4 - PARTIAL[end - start]..]);
        }
        if negative {
            out.iter_mut().for_each(|b| *b = !*b);
        }
        if let Some(first) = out.first_mut() {
            *first ^= 0x80;
        }
        (out, fit)
    }

    /// Appends the header (precision, scale) and the binary form; the value must fit.
    pub fn put(&self, out: &mut Vec<u8>, precision: usize, scale: usize) -> Result<(), CodecError> {
        check_shape(precision, scale)?;
        let (binary, fit) = self.to_binary(precision, scale);
        let lost = match fit {
            Fit::Exact => false,
            Fit::Truncated => self.digits[self.digits.len() - self.scale + scale..]
                .iter()
                .any(|d| *d != 0),
            Fit::Overflow => true,
        };
        if lost {
            return Err(CodecError::Text {
                what: "a decimal",
                text: self.to_string(),
                why: "it does not fit the column's precision and scale",
            });
        }
        out.extend_from_slice(&[precision as u8, scale as u8]);
        out.extend_from_slice(&binary);
        Ok(())
    }

    /// Reads header and binary form: the number and its shape (precision, scale).
    pub fn read(input: &mut &[u8]) -> Result<(Self, (usize, usize)), CodecError> {
        let head = take(input, 2, "a decimal's header")?;
        let (precision, scale) = (usize::from(head[0]), usize::from(head[1]));
        Ok((
            Self::read_binary(input, precision, scale)?,
            (precision, scale),
        ))
    }

    /// Reads the binary form of `DECIMAL(precision, scale)`.
    pub fn read_binary(
        input: &mut &[u8],
        precision: usize,
        scale: usize,
    ) -> Result<Self, CodecError> {
        check_shape(precision, scale)?;
        let bytes = take(input, binary_len(precision, scale), "a decimal")?;
        let Some(first) = bytes.first() else {
            return Err(CodecError::malformed("a decimal", "precision 0"));
        };
        let negative = first & 0x80 == 0;
        let mask = if negative { 0xff } else { 0 };
        let mut plain: Vec<u8> = bytes.iter().map(|b| b ^ mask).collect();
        plain[0] ^= 0x80;
        let mut digits = Vec::with_capacity(precision);
        let mut rest = &plain[..];
        for (start, end) in groups(precision - scale, scale) {
            let width = end - start;
            let group = take(&mut rest, PARTIAL[width], "a decimal's digits")?;
            let value = group
                .iter()
                .fold(0_u32, |acc, b| (acc << 8) | u32::from(*b));
            if value >= 10_u32.pow(width as u32) {
                return Err(CodecError::malformed(
                    "a decimal",
                    format!("group {value} has more than {width} digits"),
                ));
            }
            let mut place = 10_u32.pow(width as u32);
            for _ in 0..width {
                place /= 10;
                digits.push((value / place % 10) as u8);
            }
        }
        Ok(Self::new(negative, digits, scale))
    }

    fn new(negative: bool, digits: Vec<u8>, scale: usize) -> Self {
        let leading = digits[..digits.len() - scale]
            .iter()
            .take_while(|d| **d == 0)
            .count();
        let digits = digits[leading..].to_vec();
        Self {
            negative: negative && digits.iter().any(|d| *d != 0),
            digits,
            scale,
        }
    }

    /// The number with exactly `scale` fraction digits, rounded half away from zero.
    pub fn round(&self, scale: usize) -> Self {
        let mut digits = self.digits.clone();
        if scale >= self.scale {
            digits.resize(digits.len() + scale - self.scale, 0);
            return Self::new(self.negative, digits, scale);
        }
        let cut = self.scale - scale;
        let keep = digits.len().saturating_sub(cut);
        // A number like .04 has fewer digits than it has to lose only if its scale exceeds its digits, which `new` never makes.
        let up = digits.get(keep).is_some_and(|d| *d >= 5);
        digits.truncate(keep);
        if up {
            let mut carry = true;
            for d in digits.iter_mut().rev() {
                if !carry {
                    break;
                }
                carry = *d == 9;
                *d = if carry { 0 } else { *d + 1 };
            }
            if carry {
                digits.insert(0, 1);
            }
        }
        Self::new(self.negative, digits, scale)
    }

    /// How many digits stand before the point.
    pub fn integer_digits(&self) -> usize {
        self.digits.len() - self.scale
    }

    /// How many digits stand after the point.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// Whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }
}

fn check_shape(precision: usize, scale: usize) -> Result<(), CodecError> {
    if precision == 0 || precision > MAX_PRECISION || scale > MAX_SCALE || scale > precision {
        return Err(CodecError::malformed(
            "a decimal",
            format!("shape ({precision},{scale})"),
        ));
    }
    Ok(())
}

/// Bytes of the binary form of `DECIMAL(precision, scale)`, header apart.
pub fn binary_len(precision: usize, scale: usize) -> usize {
    let part = |digits: usize| digits / DIGITS_PER_WORD * 4 + PARTIAL[digits % DIGITS_PER_WORD];
    part(precision.saturating_sub(scale)) + part(scale)
}

/// Digit ranges of the groups: integer part from the right, fraction from the left.
fn groups(int_len: usize, scale: usize) -> impl Iterator<Item = (usize, usize)> {
    let lead = int_len % DIGITS_PER_WORD;
    let end = int_len + scale;
    let ints = (lead..int_len)
        .step_by(DIGITS_PER_WORD)
        .map(|s| (s, s + DIGITS_PER_WORD));
    let fracs = (int_len..end)
        .step_by(DIGITS_PER_WORD)
        .map(move |s| (s, (s + DIGITS_PER_WORD).min(end)));
    (lead > 0)
        .then_some((0, lead))
        .into_iter()
        .chain(ints)
        .chain(fracs)
}

impl FromStr for Decimal {
    type Err = CodecError;

    /// Parses `[+-]digits[.digits][e[+-]digits]`.
    fn from_str(text: &str) -> Result<Self, CodecError> {
        let bad = |why| CodecError::Text {
            what: "a decimal",
            text: text.to_owned(),
            why,
        };
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            None => (rest, 0),
            Some((m, e)) => (
                m,
                e.parse::<i32>()
                    .map_err(|_| bad("its exponent is no number"))?,
            ),
        };
        let (int, frac) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = int.bytes().chain(frac.bytes());
        if mantissa.len() > 400 || exponent.abs() > 400 {
            return Err(bad("it is too long"));
        }
        if int.is_empty() && frac.is_empty() || !all.clone().all(|b| b.is_ascii_digit()) {
            return Err(bad("expected digits with at most one point"));
        }
        let mut digits: Vec<u8> = all.map(|b| b - b'0').collect();
        let scale = frac.len() as i32 - exponent;
        if scale < 0 {
            digits.resize(digits.len() + scale.unsigned_abs() as usize, 0);
        }
        let scale = scale.max(0) as usize;
        if scale > digits.len() {
            let zeros = scale - digits.len();
            digits.splice(0..0, std::iter::repeat_n(0, zeros));
        }
        Ok(Self::new(negative, digits, scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (int, frac) = self.digits.split_at(self.digits.len() - self.scale);
        if self.negative {
            f.write_str("-")?;
        }
        if int.is_empty() {
            f.write_str("0")?;
        }
        int.iter().try_for_each(|d| write!(f, "{d}"))?;
        if !frac.is_empty() {
            f.write_str(".")?;
        }
        frac.iter().try_for_each(|d| write!(f, "{d}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounds_half_away_from_zero() {
        for (text, scale, want) in [
            ("1.5", 0, "2"),
            ("-1.5", 0, "-2"),
            ("0.04", 1, "0.0"),
            ("0.05", 1, "0.1"),
            ("9.99", 1, "10.0"),
            ("1", 2, "1.00"),
            ("-0.001", 2, "0.00"),
            ("99.5", 0, "100"),
        ] {
            assert_eq!(
                text.parse::<Decimal>().unwrap().round(scale).to_string(),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn wrong_texts_are_refused() {
        for text in ["", "-", ".", "1.2.3", "1e", "0x1", "1e99999", " 1"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn binary_round_trips(negative: bool, int in "[1-9][0-9]{0,34}|0", frac in "[0-9]{0,30}") {
            let text = format!("{}{int}{}{frac}", if negative { "-" } else { "" }, if frac.is_empty() { "" } else { "." });
            let decimal: Decimal = text.parse().unwrap();
            let mut out = vec![];
            decimal.put(&mut out, 35 + frac.len(), frac.len()).unwrap();
            let mut rest = &out[..];
            let (back, _) = Decimal::read(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(back.to_string(), decimal.to_string());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Decimal::read(&mut &bytes[..]);
        }
    }
}
