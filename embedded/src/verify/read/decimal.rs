//! DECIMAL (`docs/spec/row-and-key-codecs.md §4`).

use super::{Input, Unreadable};

/// Digits of a full group, and its bytes.
const GROUP: usize = 9;
/// Bytes of a group by its digits.
const BYTES: [usize; GROUP + 1] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const MAX_PRECISION: usize = 81;
const MAX_FRACTION: usize = 30;

/// Reads a header of precision and fraction digits, and the digits: the text.
pub fn read(input: &mut Input<'_>) -> Result<String, Unreadable> {
    let precision = usize::from(input.byte()?);
    let fraction = usize::from(input.byte()?);
    digits(input, precision, fraction)
}

/// Reads the digits of a DECIMAL(`precision`, `fraction`): the text.
pub fn digits(
    input: &mut Input<'_>,
    precision: usize,
    fraction: usize,
) -> Result<String, Unreadable> {
    let shape = || format!("a decimal of {precision} digits with {fraction} after the point");
    if precision == 0
        || precision > MAX_PRECISION
        || fraction > MAX_FRACTION
        || fraction > precision
    {
        return Err(input.error(shape()));
    }
    let whole = precision - fraction;
    // The group that is not full comes first before the point, last behind it.
    let groups = [whole % GROUP]
        .into_iter()
        .chain(std::iter::repeat_n(GROUP, whole / GROUP))
        .chain(std::iter::repeat_n(GROUP, fraction / GROUP))
        .chain([fraction % GROUP])
        .filter(|digits| *digits > 0);
    let groups: Vec<usize> = groups.collect();
    let size = groups.iter().map(|digits| BYTES[*digits]).sum();
    let mut bytes = input.take(size)?.to_vec();
    let negative = bytes[0] & 0x80 == 0;
    bytes[0] ^= 0x80;
    if negative {
        bytes.iter_mut().for_each(|b| *b = !*b);
    }
    let mut all = String::new();
    let mut rest = &bytes[..];
    for width in groups {
        let (group, more) = rest.split_at(BYTES[width]);
        rest = more;
        let number = group.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        if number >= 10_u64.pow(width as u32) {
            return Err(input.error(format!("{number} in {width} digits of {}", shape())));
        }
        all.push_str(&format!("{number:0width$}"));
    }
    let (whole, fraction) = all.split_at(whole);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = match negative && all.bytes().any(|b| b != b'0') {
        true => "-",
        false => "",
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{sign}{whole}{point}{fraction}"))
}
