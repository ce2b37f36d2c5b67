//! From when to when a certificate holds, as TiDB tells it.

use jiff::civil::DateTime;

/// From when to when a certificate holds, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: DateTime,
    pub(super) not_after: DateTime,
}

/// Tags of ASN.1.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate, which the first does not name.
const VERSION: u8 = 0xa0;

impl Validity {
    /// Of an X.509 certificate in DER; none if it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (mut whole, _) = expect(certificate, SEQUENCE)?;
        let (mut signed, _) = expect(whole, SEQUENCE)?;
        whole = signed;
        if let Some((_, rest)) = expect(whole, VERSION) {
            whole = rest;
        }
        // Serial number, algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, whole) = expect(whole, tag)?;
        }
        (signed, _) = expect(whole, SEQUENCE)?;
        let (not_before, rest) = time(signed)?;
        let (not_after, _) = time(rest)?;
        Some(Self {
            not_before,
            not_after,
        })
    }
}

/// A time as TiDB tells it: `Apr  3 07:59:47 2026 UTC`.
pub(super) fn told(time: DateTime) -> String {
    time.strftime("%b %e %H:%M:%S %Y UTC").to_string()
}

/// Tag, content and what follows.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = der.split_first_chunk::<2>()?;
    let mut len = usize::from(first);
    if first >= 0x80 {
        let digits;
        (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(8))?;
        len = digits.iter().try_fold(0_usize, |len, digit| {
            len.checked_mul(256)?.checked_add(usize::from(*digit))
        })?;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

fn expect(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = value(der)?;
    (tag == wanted).then_some((content, rest))
}

fn time(der: &[u8]) -> Option<(DateTime, &[u8])> {
    let (tag, content, rest) = value(der)?;
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        // Two digits of the year: from 1950 to 2049.
        UTC_TIME => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some((DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_and_told() {
        let (key, mut asked) = (
            rcgen::KeyPair::generate().unwrap(),
            rcgen::CertificateParams::default(),
        );
        asked.not_before = rcgen::date_time_ymd(1999, 12, 31);
        asked.not_after = rcgen::date_time_ymd(2050, 1, 2);
        let made = asked.self_signed(&key).unwrap();
        let found = Validity::of(made.der()).unwrap();
        assert_eq!(found.not_before, date(1999, 12, 31).at(0, 0, 0, 0));
        assert_eq!(found.not_after, date(2050, 1, 2).at(0, 0, 0, 0));
        assert_eq!(told(found.not_after), "Jan  2 00:00:00 2050 UTC");
        assert_eq!(Validity::of(&made.der()[..40]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, at: prop::sample::Index) {
            let _ = Validity::of(&bytes);
            let key = rcgen::KeyPair::generate().unwrap();
            let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            let mut der = made.der().to_vec();
            let at = at.index(der.len());
            der[at] ^= 0x55;
            let _ = Validity::of(&der);
        }
    }
}
