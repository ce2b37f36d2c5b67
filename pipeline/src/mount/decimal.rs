//! DECIMAL: TiDB's binary form and its text (spec/row-and-key-codecs.md §4).

use super::error::{MountError, take, take_slice};

const DIGITS_PER_WORD: usize = 9;
/// Bytes of a partial group of that many digits.
const BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const MAX_DIGITS: usize = 81;

/// The header (precision, scale) and the digits' length in bytes.
fn shape(bytes: &[u8]) -> Result<(usize, usize, usize), MountError> {
    let ([precision, scale], _) = take::<2>(bytes, "decimal header")?;
    let (precision, scale) = (usize::from(precision), usize::from(scale));
    if scale > precision || precision > MAX_DIGITS {
        return Err(MountError::invalid(
            "decimal header",
            format!("precision {precision}, scale {scale}"),
        ));
    }
    let integer = precision - scale;
    let size = |digits: usize| digits / DIGITS_PER_WORD * 4 + BYTES[digits % DIGITS_PER_WORD];
    Ok((integer, scale, size(integer) + size(scale)))
}

/// Splits a decimal with its header from `bytes`; returns it and the rest.
pub fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), MountError> {
    let (_, _, size) = shape(bytes)?;
    take_slice(bytes, 2 + size, "decimal")
}

/// Appends the text of a decimal with its header: no leading zeros, all digits of its scale.
pub fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MountError> {
    let (integer, scale, size) = shape(bytes)?;
    let mut digits = bytes.get(2..2 + size).ok_or(MountError::Short {
        what: "decimal",
        len: bytes.len(),
        expected: 2 + size,
    })?;
    let negative = digits.first().is_some_and(|byte| byte & 0x80 == 0);
    let mut first = true;
    let mut group = |count: usize| -> Result<u32, MountError> {
        let (head, rest) = take_slice(digits, BYTES[count], "decimal")?;
        digits = rest;
        let number = head.iter().fold(0u32, |number, &byte| {
            let mut byte = if negative { !byte } else { byte };
            if std::mem::take(&mut first) {
                byte ^= 0x80;
            }
            number << 8 | u32::from(byte)
        });
        match number < 10u32.pow(count as u32) {
            true => Ok(number),
            false => Err(MountError::invalid(
                "decimal",
                format!("group {number} of {count} digits"),
            )),
        }
    };
    let start = out.len();
    if negative {
        out.push(b'-');
    }
    let mut significant = false;
    let mut zero = true;
    let mut integer_group = |number: u32, width: usize, out: &mut Vec<u8>| {
        if significant {
            push_padded(out, number, width);
        } else if number > 0 {
            significant = true;
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        zero &= number == 0;
    };
    let leading = integer % DIGITS_PER_WORD;
    if leading > 0 {
        integer_group(group(leading)?, leading, out);
    }
    for _ in 0..integer / DIGITS_PER_WORD {
        integer_group(group(DIGITS_PER_WORD)?, DIGITS_PER_WORD, out);
    }
    if !significant {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        for _ in 0..scale / DIGITS_PER_WORD {
            let number = group(DIGITS_PER_WORD)?;
            zero &= number == 0;
            push_padded(out, number, DIGITS_PER_WORD);
        }
        let trailing = scale % DIGITS_PER_WORD;
        if trailing > 0 {
            let number = group(trailing)?;
            zero &= number == 0;
            push_padded(out, number, trailing);
        }
    }
    if negative && zero {
        out.remove(start);
    }
    Ok(())
}

fn push_padded(out: &mut Vec<u8>, number: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    out.resize(out.len() + width.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text.as_bytes());
}

/// The text of a decimal literal at `scale` digits after the point, rounded half away from zero; `None` if it is
/// not a plain decimal.
pub fn rescale(text: &str, scale: i64) -> Option<String> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if integer.len() + fraction.len() == 0
        || !integer
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let scale = scale.clamp(0, 30) as usize;
    let mut number: Vec<u8> = integer.trim_start_matches('0').bytes().collect();
    number.extend(fraction.bytes().chain(std::iter::repeat(b'0')).take(scale));
    if fraction
        .as_bytes()
        .get(scale)
        .is_some_and(|&digit| digit >= b'5')
    {
        match number.iter().rposition(|&digit| digit != b'9') {
            Some(at) => {
                number[at] += 1;
                number[at + 1..].fill(b'0');
            }
            None => {
                number.fill(b'0');
                number.insert(0, b'1');
            }
        }
    }
    while number.len() <= scale {
        number.insert(0, b'0');
    }
    let zero = number.iter().all(|&digit| digit == b'0');
    let mut text = String::from_utf8(number).ok()?;
    if scale > 0 {
        text.insert(text.len() - scale, '.');
    }
    if negative && !zero {
        text.insert(0, '-');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rescale_rounds_and_pads() {
        for (text, scale, expected) in [
            ("1.5", 3, "1.500"),
            ("0", 2, "0.00"),
            ("-0.004", 2, "0.00"),
            ("9.995", 2, "10.00"),
            ("-1.005", 2, "-1.01"),
            ("007", 0, "7"),
            (".5", 0, "1"),
        ] {
            assert_eq!(
                rescale(text, scale).as_deref(),
                Some(expected),
                "{text} at {scale}"
            );
        }
        assert_eq!(rescale("1e3", 0), None);
        assert_eq!(rescale("", 0), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = write_text(&bytes, &mut Vec::new());
        }
    }
}
