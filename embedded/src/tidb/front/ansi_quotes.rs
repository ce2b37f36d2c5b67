//! Texts of sessions whose `sql_mode` has ANSI_QUOTES: there `"x"` is a name. The front reads them with back quotes in place
//! of those; a DDL statement is kept as it is typed.

use std::borrow::Cow;

use super::session::Session;
use super::text::{Broken, comment_end, quoted, quoted_end};

impl Session {
    /// A text with all its names in back quotes.
    pub(super) fn plain<'s>(&self, sql: &'s str) -> Result<Cow<'s, str>, Broken> {
        match self.ansi_quotes {
            true => in_back_quotes(sql),
            false => Ok(Cow::Borrowed(sql)),
        }
    }
}

fn in_back_quotes(sql: &str) -> Result<Cow<'_, str>, Broken> {
    let bytes = sql.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut i = 0;
    while let Some(byte) = bytes.get(i) {
        i = match byte {
            b'"' => {
                let end = name_end(bytes, i)?;
                out.push_str(&sql[copied..i]);
                out.push_str(&quoted(&sql[i + 1..end - 1].replace("\"\"", "\"")));
                copied = end;
                end
            }
            b'\'' | b'`' => quoted_end(bytes, i)?,
            _ => comment_end(bytes, i)?.unwrap_or(i + 1),
        };
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(sql));
    }
    out.push_str(&sql[copied..]);
    Ok(Cow::Owned(out))
}

/// The end of a name in double quotes: a backslash is one of its characters.
fn name_end(bytes: &[u8], at: usize) -> Result<usize, Broken> {
    let mut i = at + 1;
    loop {
        let found = bytes
            .get(i..)
            .and_then(|rest| rest.iter().position(|b| *b == b'"'));
        let close = i + found.ok_or(Broken::Unclosed { at })?;
        if bytes.get(close + 1) != Some(&b'"') {
            return Ok(close + 1);
        }
        i = close + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_put_in_back_quotes() {
        for (typed, read) in [
            (r#"select "a" from "d"."t""#, "select `a` from `d`.`t`"),
            (r#"select "a""b`c\" "#, "select `a\"b``c\\` "),
            (r#"select '"' -- "x"#, r#"select '"' -- "x"#),
            (r#"/* "x */ select `"`"#, r#"/* "x */ select `"`"#),
        ] {
            assert_eq!(in_back_quotes(typed).unwrap(), read);
        }
        assert_eq!(
            in_back_quotes("select \"a").unwrap_err(),
            Broken::Unclosed { at: 7 }
        );
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(sql in ".*") {
            let _ = in_back_quotes(&sql);
        }
    }
}
