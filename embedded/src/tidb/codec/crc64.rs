//! CRC-64 as in XZ: what TiKV sums a table's keys and values up with.

/// ECMA-182's polynomial, its bits in reverse.
const POLYNOMIAL: u64 = 0xc96c_5795_d787_0f42;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut out = [0; 256];
    let mut n = 0;
    while n < out.len() {
        let mut sum = n as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ POLYNOMIAL
            } else {
                sum >> 1
            };
            bit += 1;
        }
        out[n] = sum;
        n += 1;
    }
    out
}

/// The sum of these bytes, one part after the other.
pub fn of(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |sum, byte| {
        TABLE[((sum ^ u64::from(*byte)) & 0xff) as usize] ^ (sum >> 8)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums_are_those_of_xz() {
        assert_eq!(super::of(&[b"123456789"]), 0x995d_c9bb_df19_39fa);
        assert_eq!(super::of(&[b"1234", b"", b"56789"]), 0x995d_c9bb_df19_39fa);
        assert_eq!(super::of(&[]), 0);
    }
}
