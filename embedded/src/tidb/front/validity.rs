//! From when to when a certificate holds, as TiDB tells it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

/// From when to when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Validity {
    /// Of an X.509 certificate in DER, or why it is none.
    pub(super) fn of(certificate: &[u8]) -> Result<Self, String> {
        let (_, read) = parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
        let at = |time: &ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string())
        };
        let validity = read.validity();
        Ok(Self {
            not_before: at(&validity.not_before)?,
            not_after: at(&validity.not_after)?,
        })
    }
}

/// A time as TiDB tells it: `Apr  3 07:59:47 2026 UTC`.
pub(super) fn told(time: Timestamp) -> String {
    let in_utc = TimeZone::UTC.to_datetime(time);
    in_utc.strftime("%b %e %H:%M:%S %Y UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(told(found.not_before), "Dec 31 00:00:00 1999 UTC");
        assert_eq!(told(found.not_after), "Jan  2 00:00:00 2050 UTC");
        assert!(Validity::of(&made.der()[..40]).is_err());
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
