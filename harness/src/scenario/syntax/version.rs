//! Versions as `@requires` compares them: as many numbers as are given.

use std::fmt;

/// A version of one to three numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Vec<u32>);

impl Version {
    /// From `8`, `8.5` or `v8.5.3`.
    pub fn parse(text: &str) -> Option<Version> {
        let numbers: Result<Vec<u32>, _> = text
            .strip_prefix('v')
            .unwrap_or(text)
            .split('.')
            .map(str::parse)
            .collect();
        numbers
            .ok()
            .filter(|numbers| numbers.len() <= 3)
            .map(Version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// How two versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `=`: as many numbers as are given are equal.
    Equal,
}

impl Comparison {
    /// All, with their signs.
    pub const ALL: [(Comparison, &'static str); 3] = [
        (Comparison::AtLeast, ">="),
        (Comparison::Below, "<"),
        (Comparison::Equal, "="),
    ];

    /// Its sign.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Below => "<",
            Comparison::AtLeast => ">=",
            Comparison::Equal => "=",
        }
    }

    /// Whether `found` is so, compared with `wanted`.
    pub fn holds(self, found: &Version, wanted: &Version) -> bool {
        let length = wanted.0.len();
        let mut found = found.0.clone();
        found.resize(length, 0);
        match self {
            Comparison::Below => found < wanted.0,
            Comparison::AtLeast => found >= wanted.0,
            Comparison::Equal => found == wanted.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_numbers_as_are_given_count() {
        for (found, sign, wanted, holds) in [
            ("8.5.3", ">=", "6.5", true),
            ("8.5.3", ">=", "8.5", true),
            ("8.5.3", ">=", "8.5.4", false),
            ("4.0.9", ">=", "6.5", false),
            ("4.0.9", "<", "5", true),
            ("5.4.0", "<", "5", false),
            ("8.5.3", "=", "8.5", true),
            ("3.9", "=", "3.9.0", true),
        ] {
            let (comparison, _) = Comparison::ALL
                .into_iter()
                .find(|(_, s)| *s == sign)
                .unwrap();
            let (found, wanted) = (
                Version::parse(found).unwrap(),
                Version::parse(wanted).unwrap(),
            );
            assert_eq!(
                comparison.holds(&found, &wanted),
                holds,
                "{found} {sign} {wanted}"
            );
        }
        assert_eq!(Version::parse("8.x"), None);
        assert_eq!(Version::parse(""), None);
    }
}
