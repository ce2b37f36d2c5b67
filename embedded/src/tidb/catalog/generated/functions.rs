//! Functions that MariaDB computes as TiDB does, over arguments of these kinds.

use super::super::mariadb::string;
use super::translate::Kind;

/// What arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Strings, and whole or decimal numbers, whose digits both write alike.
    Texts,
    /// Whole numbers.
    Integers,
    /// A string, then whole numbers.
    TextThenIntegers,
    /// A string, a whole number, and for two of them another string.
    Padding,
    /// Dates, with or without a time.
    Dates,
    /// Times of day, or dates with one.
    Clocks,
    /// Any, all of one kind; the result is of that kind too.
    Alike,
}

/// A function: its name, its arguments, how many of them, its result.
pub(super) struct Served {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) least: usize,
    pub(super) most: usize,
    /// None for the kind of its arguments.
    pub(super) makes: Option<Kind>,
}

const fn served(
    name: &'static str,
    takes: Takes,
    least: usize,
    most: usize,
    makes: Option<Kind>,
) -> Served {
    Served {
        name,
        takes,
        least,
        most,
        makes,
    }
}

const MANY: usize = 64;

/// All that are served by their names; IF and those of JSON are apart.
const SERVED: [Served; 44] = [
    served("CONCAT", Takes::Texts, 1, MANY, Some(Kind::Text)),
    served("CONCAT_WS", Takes::Texts, 2, MANY, Some(Kind::Text)),
    served("UPPER", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("UCASE", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("LOWER", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("LCASE", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("REVERSE", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("LTRIM", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("RTRIM", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("REPLACE", Takes::Texts, 3, 3, Some(Kind::Text)),
    served("LENGTH", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("OCTET_LENGTH", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("CHAR_LENGTH", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("CHARACTER_LENGTH", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("BIT_LENGTH", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("ASCII", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("CRC32", Takes::Texts, 1, 1, Some(Kind::Integer)),
    served("MD5", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("SHA1", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("SHA", Takes::Texts, 1, 1, Some(Kind::Text)),
    served("LEFT", Takes::TextThenIntegers, 2, 2, Some(Kind::Text)),
    served("RIGHT", Takes::TextThenIntegers, 2, 2, Some(Kind::Text)),
    served("SUBSTRING", Takes::TextThenIntegers, 2, 3, Some(Kind::Text)),
    served("SUBSTR", Takes::TextThenIntegers, 2, 3, Some(Kind::Text)),
    served("MID", Takes::TextThenIntegers, 3, 3, Some(Kind::Text)),
    served("REPEAT", Takes::TextThenIntegers, 2, 2, Some(Kind::Text)),
    served("LPAD", Takes::Padding, 3, 3, Some(Kind::Text)),
    served("RPAD", Takes::Padding, 3, 3, Some(Kind::Text)),
    served("ABS", Takes::Integers, 1, 1, Some(Kind::Integer)),
    served("SIGN", Takes::Integers, 1, 1, Some(Kind::Integer)),
    served("MOD", Takes::Integers, 2, 2, Some(Kind::Integer)),
    served("YEAR", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("MONTH", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("DAY", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("DAYOFMONTH", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("QUARTER", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("WEEKDAY", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("TO_DAYS", Takes::Dates, 1, 1, Some(Kind::Integer)),
    served("DATEDIFF", Takes::Dates, 2, 2, Some(Kind::Integer)),
    served("HOUR", Takes::Clocks, 1, 1, Some(Kind::Integer)),
    served("MINUTE", Takes::Clocks, 1, 1, Some(Kind::Integer)),
    served("SECOND", Takes::Clocks, 1, 1, Some(Kind::Integer)),
    served("COALESCE", Takes::Alike, 1, MANY, None),
    served("IFNULL", Takes::Alike, 2, 2, None),
];

/// Characters whose capitals and small letters are the same in both: TiDB knows those of a newer Unicode.
const FOLDED_ALIKE: &str = r"\x{0}-\x{12F}\x{131}-\x{17F}\x{300}-\x{36F}\x{384}-\x{3CE}\x{400}-\x{481}\x{531}-\x{587}\x{590}-\x{109F}\x{1100}-\x{139F}\x{1E00}-\x{1E9D}\x{1EA0}-\x{1EF9}\x{2000}-\x{20FF}\x{2200}-\x{2BFF}\x{2E80}-\x{A63F}\x{AC00}-\x{D7A3}\x{F900}-\x{FAFF}\x{FE00}-\x{FFFF}\x{1F000}-\x{1FAFF}\x{20000}-\x{3FFFF}";

/// The condition under which a function makes of its argument what it makes of it in TiDB, if there is one.
pub(super) fn condition(name: &str, argument: &str) -> Option<String> {
    const FOLDING: [&str; 4] = ["UPPER", "UCASE", "LOWER", "LCASE"];
    let pattern = string(&format!("^[{FOLDED_ALIKE}]*$"));
    FOLDING
        .contains(&name)
        .then(|| format!("{argument} REGEXP {pattern}"))
}

/// A served function.
pub(super) fn find(name: &str) -> Option<&'static Served> {
    SERVED.iter().find(|f| f.name.eq_ignore_ascii_case(name))
}

impl Served {
    /// Whether it takes arguments of these kinds. NULL is of every kind.
    pub(super) fn fits(&self, kinds: &[Kind]) -> bool {
        let is = |of: &[Kind], kind: &Kind| *kind == Kind::Null || of.contains(kind);
        let texts = [Kind::Text, Kind::Integer, Kind::Decimal];
        let only_first = |first: &[Kind], rest: &[Kind]| {
            kinds.iter().enumerate().all(|(n, kind)| match n {
                0 => is(first, kind),
                _ => is(rest, kind),
            })
        };
        (self.least..=self.most).contains(&kinds.len())
            && match self.takes {
                Takes::Texts => only_first(&texts, &texts),
                Takes::TextThenIntegers => only_first(&texts, &[Kind::Integer]),
                Takes::Padding => {
                    is(&texts, &kinds[0])
                        && is(&[Kind::Integer], &kinds[1])
                        && is(&texts, &kinds[2])
                }
                Takes::Integers => only_first(&[Kind::Integer], &[Kind::Integer]),
                Takes::Dates => {
                    let dates = [Kind::Date, Kind::Datetime];
                    only_first(&dates, &dates)
                }
                Takes::Clocks => only_first(&[Kind::Time, Kind::Datetime], &[]),
                Takes::Alike => Kind::common(kinds).is_some(),
            }
    }
}
