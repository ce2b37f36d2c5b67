//! Numbers: exact ones of any size, and texts that are taken for numbers.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use super::error::EvalError;

/// The most digits behind the point that a DECIMAL has.
const MAX_SCALE: usize = 30;
/// The most digits of a DECIMAL.
const MAX_DIGITS: usize = 65;
/// The most digits of a constant: nine words, which is what TiDB computes with.
const MAX_CONSTANT: usize = 9 * WORD;
/// Digits that TiDB keeps in one word of a DECIMAL: quotients end at one's end.
const WORD: usize = 9;

/// An exact number: `digits / 10^scale`.
#[derive(Debug, Clone)]
pub(super) struct Decimal {
    digits: BigInt,
    scale: usize,
}

fn power(exponent: usize) -> BigInt {
    BigInt::from(10u8).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

impl From<i128> for Decimal {
    fn from(number: i128) -> Self {
        Self {
            digits: number.into(),
            scale: 0,
        }
    }
}

impl Decimal {
    /// `[+-]digits[.digits]`; nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = bare.split_once('.').unwrap_or((bare, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits: BigInt = all.parse().ok()?;
        Some(Self {
            digits: match text.starts_with('-') {
                true => -digits,
                false => digits,
            },
            scale: fraction.len(),
        })
    }

    fn at_scale(&self, scale: usize) -> BigInt {
        &self.digits * power(scale.saturating_sub(self.scale))
    }

    fn both(&self, other: &Self) -> (BigInt, BigInt, usize) {
        let scale = self.scale.max(other.scale);
        (self.at_scale(scale), other.at_scale(scale), scale)
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (a, b, _) = self.both(other);
        a.cmp(&b)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    pub(super) fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }

    /// The number if a DECIMAL can hold it.
    fn checked(digits: BigInt, scale: usize, what: &'static str) -> Result<Self, EvalError> {
        let fits = scale <= MAX_SCALE && digits.magnitude() < power(MAX_DIGITS).magnitude();
        match fits {
            true => Ok(Self { digits, scale }),
            false => Err(EvalError::Range { what }),
        }
    }

    pub(super) fn add(&self, other: &Self) -> Result<Self, EvalError> {
        let (a, b, scale) = self.both(other);
        Self::checked(a + b, scale, "DECIMAL")
    }

    pub(super) fn subtract(&self, other: &Self) -> Result<Self, EvalError> {
        let (a, b, scale) = self.both(other);
        Self::checked(a - b, scale, "DECIMAL")
    }

    pub(super) fn multiply(&self, other: &Self) -> Result<Self, EvalError> {
        let digits = &self.digits * &other.digits;
        Self::checked(digits, self.scale + other.scale, "DECIMAL")
    }

    /// The quotient with as many digits as TiDB computes: at least `digits` more than the dividend has, in whole words of
    /// nine. Nothing for a division by zero.
    pub(super) fn divide(&self, other: &Self, digits: usize) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let words = |digits: usize| digits.div_ceil(WORD) * WORD;
        let (f1, f2) = (words(self.scale), words(other.scale));
        let more = digits.saturating_sub(f1 - self.scale + f2 - other.scale);
        let scale = words(f1 + f2 + more);
        let dividend = &self.digits * power(scale + other.scale);
        let divisor = &other.digits * power(self.scale);
        Some(Self {
            digits: dividend / divisor,
            scale,
        })
    }

    /// The whole part of the quotient; nothing for a division by zero.
    pub(super) fn divide_whole(&self, other: &Self) -> Option<BigInt> {
        let (a, b, _) = self.both(other);
        (!other.is_zero()).then(|| a / b)
    }

    /// The remainder, with the sign of the dividend; nothing for a division by zero.
    pub(super) fn remainder(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = self.both(other);
        (!other.is_zero()).then(|| Self {
            digits: a % b,
            scale,
        })
    }

    pub(super) fn negate(&self) -> Self {
        Self {
            digits: -&self.digits,
            scale: self.scale,
        }
    }

    /// The nearest whole number in a direction: -1 down, 1 up, 0 half away from zero.
    pub(super) fn whole(&self, direction: i8) -> BigInt {
        let one = power(self.scale);
        let (whole, rest) = (&self.digits / &one, &self.digits % &one);
        let sign = rest.sign();
        let up = match direction {
            1 => sign == Sign::Plus,
            0 => sign == Sign::Plus && BigInt::from(2) * &rest >= one,
            _ => false,
        };
        let down = match direction {
            -1 => sign == Sign::Minus,
            0 => sign == Sign::Minus && BigInt::from(-2) * &rest >= one,
            _ => false,
        };
        whole + i32::from(up) - i32::from(down)
    }

    /// Half away from zero at so many digits behind the point; a negative number of them counts before it.
    pub(super) fn round(&self, places: i64) -> Self {
        let scale = i64::try_from(self.scale).unwrap_or(i64::MAX);
        // Nothing is left of any DECIMAL long before that.
        let places = places.max(-100);
        if places >= scale {
            return self.clone();
        }
        let cut = usize::try_from(scale - places)
            .unwrap_or(usize::MAX)
            .min(100);
        let rounded = Self {
            digits: self.digits.clone(),
            scale: cut,
        }
        .whole(0);
        match usize::try_from(places) {
            Ok(places) => Self {
                digits: rounded,
                scale: places,
            },
            Err(_) => Self {
                digits: rounded * power(usize::try_from(-places).unwrap_or(0).min(100)),
                scale: 0,
            },
        }
    }

    pub(super) fn to_real(&self) -> f64 {
        // Always a number in decimal.
        self.text().parse().unwrap_or(f64::NAN)
    }

    pub(super) fn text(&self) -> String {
        let mut digits = self.digits.magnitude().to_string();
        if digits.len() <= self.scale {
            digits.insert_str(0, &"0".repeat(self.scale + 1 - digits.len()));
        }
        if self.scale > 0 {
            digits.insert(digits.len() - self.scale, '.');
        }
        if self.is_negative() {
            digits.insert(0, '-');
        }
        digits
    }
}

/// A whole number if its type can hold it.
pub(super) fn whole(number: &BigInt, unsigned: bool) -> Result<i128, EvalError> {
    let number = i128::try_from(number).map_err(|_| range(unsigned))?;
    in_range(number, unsigned)
}

/// The number if BIGINT, or BIGINT UNSIGNED, can hold it.
pub(super) fn in_range(number: i128, unsigned: bool) -> Result<i128, EvalError> {
    let fits = match unsigned {
        true => u64::try_from(number).is_ok(),
        false => i64::try_from(number).is_ok(),
    };
    match fits {
        true => Ok(number),
        false => Err(range(unsigned)),
    }
}

fn range(unsigned: bool) -> EvalError {
    EvalError::Range {
        what: match unsigned {
            true => "BIGINT UNSIGNED",
            false => "BIGINT",
        },
    }
}

/// A real number that is one.
pub(super) fn finite(number: f64) -> Result<f64, EvalError> {
    match number.is_finite() {
        true => Ok(number),
        false => Err(EvalError::Range { what: "DOUBLE" }),
    }
}

/// The real number that a text is. TiDB cuts what is not one off with a warning for a client that asks; for a changefeed
/// it is an error.
pub(super) fn real_of(text: &[u8]) -> Result<f64, EvalError> {
    let truncated = || EvalError::truncated("DOUBLE", text);
    let text = std::str::from_utf8(text).map_err(|_| truncated())?.trim();
    if text.is_empty() {
        return Ok(0.0);
    }
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    match text.parse() {
        Ok(number) if text.bytes().all(numeric) => finite(number),
        _ => Err(truncated()),
    }
}

/// The exact number that a constant is; nothing if it has an exponent or is none.
///
/// # Errors
/// For more digits than TiDB keeps: it would cut or round it, and each row would be compared with all of them.
pub(super) fn constant_of(text: &[u8]) -> Result<Option<Decimal>, String> {
    match text.iter().filter(|byte| byte.is_ascii_digit()).count() {
        ..=MAX_CONSTANT => Ok(exact_of(text)),
        _ => Err(format!(
            "a number of more digits than {MAX_CONSTANT}, which are the most that TiDB keeps"
        )),
    }
}

/// The exact number that a text is, if it is one.
pub(super) fn exact_of(text: &[u8]) -> Option<Decimal> {
    Decimal::parse(std::str::from_utf8(text).ok()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn quotients_end_where_a_word_of_nine_digits_does() {
        for (a, b, quotient) in [
            ("1", "3", "0.333333333"),
            ("-2", "3", "-0.666666666"),
            ("1.5", "3", "0.500000000"),
            ("10", "0.4", "25.000000000"),
        ] {
            assert_eq!(
                decimal(a).divide(&decimal(b), 4).unwrap().text(),
                quotient,
                "{a}/{b}"
            );
        }
        assert!(decimal("1").divide(&decimal("0.00"), 4).is_none());
    }

    #[test]
    fn wholes() {
        for (text, down, up, near) in [
            ("1.5", 1, 2, 2),
            ("-1.5", -2, -1, -2),
            ("-0.4", -1, 0, 0),
            ("7", 7, 7, 7),
        ] {
            let number = decimal(text);
            assert_eq!(number.whole(-1), BigInt::from(down), "{text}");
            assert_eq!(number.whole(1), BigInt::from(up), "{text}");
            assert_eq!(number.whole(0), BigInt::from(near), "{text}");
        }
        assert_eq!(decimal("1234.567").round(1).text(), "1234.6");
        assert_eq!(decimal("1250").round(-2).text(), "1300");
    }

    #[test]
    fn texts_that_are_no_numbers() {
        assert_eq!(real_of(b" 1e2 ").unwrap(), 100.0);
        assert_eq!(real_of(b"").unwrap(), 0.0);
        for text in ["abc", "1x", "inf", "nan", "1e999"] {
            assert!(real_of(text.as_bytes()).is_err(), "{text}");
        }
        let long = real_of("x".repeat(1 << 20).as_bytes()).unwrap_err();
        assert!(long.to_string().len() < 200, "a row in an error");
        assert!(Decimal::parse("-").is_none() && Decimal::parse("1e3").is_none());
    }
}
