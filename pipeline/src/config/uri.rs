//! The sink URI, read as Go's `net/url` reads it (`spec/sink-uri.md §1`).

use std::fmt;

use super::golang::quote;

/// A sink URI, taken apart. The scheme is lower-case, host and path are unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkUri {
    text: String,
    scheme: String,
    host: String,
    path: String,
    password: Option<String>,
    query: Vec<(String, String)>,
}

/// A text that is no URI; prints as Go's `url.Error`, passwords masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {reason}", quote(.text))]
pub struct UriError {
    text: String,
    reason: String,
}

impl SinkUri {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// In Go's words.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let fail = |reason: String| UriError {
            text: mask_broken(text),
            reason,
        };
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(fail("net/url: invalid control character in URL".to_owned()));
        }
        let body = text.split_once('#').map_or(text, |(body, _)| body);
        let (scheme, rest) = split_scheme(body).map_err(|reason| fail(reason.to_owned()))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self {
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            host: String::new(),
            path: String::new(),
            password: None,
            query: parse_query(query),
        };
        if !rest.starts_with('/') {
            if !uri.scheme.is_empty() {
                // opaque: `kafka:topic` has neither host nor path
                return Ok(uri);
            }
            if rest
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
            {
                return Err(fail(
                    "first path segment in URL cannot contain colon".to_owned(),
                ));
            }
        }
        let path = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                let (user, host) = authority
                    .rsplit_once('@')
                    .map_or((None, authority), |(user, host)| (Some(user), host));
                // A password with a delimiter ends the authority early: what looks like a port is its beginning.
                let hidden = user.is_none() && text.contains('@');
                check_port(host, hidden).map_err(fail)?;
                uri.host = unescape(host, false).map_err(fail)?;
                if let Some((_, password)) = user.and_then(|user| user.split_once(':')) {
                    uri.password = Some(unescape(password, false).map_err(fail)?);
                }
                path
            }
            None => rest,
        };
        uri.path = unescape(path, false).map_err(fail)?;
        Ok(uri)
    }

    /// The URI as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme in lower case, empty if there is none.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port, or several of them with commas between.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path without slashes at its ends: a Kafka topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.path.trim_matches('/')
    }

    /// The path as it stands there.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn param(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the scheme is one of Kafka.
    #[must_use]
    pub fn is_kafka(&self) -> bool {
        matches!(self.scheme.as_str(), "kafka" | "kafka+ssl")
    }

    /// The URI with the password of its user and `sasl-password` replaced by `xxxxx`, as TiCDC shows it.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.text)
    }
}

/// A URI, or what should be one, without its passwords.
fn mask(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(authority) = text.find("//").map(|at| at + 2)
        && let end = text[authority..]
            .find('?')
            .map_or(text.len(), |at| authority + at)
        && let Some(at) = text[authority..end].rfind('@').map(|at| authority + at)
        && let Some(colon) = text[authority..at].find(':').map(|at| authority + at)
    {
        text.replace_range(colon + 1..at, "xxxxx");
    }
    // `secret-access-key` ends as `access-key` does; S3's names come with underscores too.
    for key in [
        "sasl-password=",
        "sasl-gssapi-password=",
        "access-key=",
        "access_key=",
        "session-token=",
        "session_token=",
    ] {
        let mut from = 0;
        while let Some(found) = text[from..].find(key).map(|at| from + at + key.len()) {
            let end = text[found..].find('&').map_or(text.len(), |at| found + at);
            text.replace_range(found..end, "xxxxx");
            from = found;
        }
    }
    text
}

/// The same for a text whose parts cannot be told apart: up to the last `@` anything may be a password.
fn mask_broken(text: &str) -> String {
    let mut text = mask(text);
    if let Some(authority) = text.find("//").map(|at| at + 2)
        && let Some(at) = text.rfind('@').filter(|at| *at > authority)
        && let Some(colon) = text[authority..at].find(':').map(|at| authority + at)
    {
        text.replace_range(colon + 1..at, "xxxxx");
    }
    text
}

/// As [`SinkUri::masked`]: what is printed or logged must not hold passwords.
impl fmt::Display for SinkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The scheme and what follows its colon; an empty scheme if the text has none.
fn split_scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme"),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

/// Go looks at what follows the last colon (or the bracket) of the host only. What is `hidden` is not repeated.
fn check_port(host: &str, hidden: bool) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(_) => match host.rfind(']') {
            Some(at) => &host[at + 1..],
            None => return Err("missing ']' in host".to_owned()),
        },
        None => host.rfind(':').map_or("", |at| &host[at..]),
    };
    let valid = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match valid {
        true => Ok(()),
        false if hidden => Err("invalid port \":xxxxx\" after host".to_owned()),
        false => Err(format!("invalid port {} after host", quote(port))),
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Go drops what it cannot unescape from a query
            Some((unescape(key, true).ok()?, unescape(value, true).ok()?))
        })
        .collect()
}

fn unescape(text: &str, plus_is_space: bool) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digit = |offset: usize| {
                    bytes
                        .get(at + offset)
                        .and_then(|byte| (*byte as char).to_digit(16))
                };
                let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                    let shown =
                        String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 3)]).into_owned();
                    return Err(format!("invalid URL escape {}", quote(&shown)));
                };
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
                continue;
            }
            b'+' if plus_is_space => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let uri = SinkUri::parse(
            "KAFKA://u:p@h1:1,h2:2/four/?protocol=canal-json&protocol=x&kafka-client-id=bad%20id+x",
        )
        .unwrap();
        assert_eq!(
            (uri.scheme(), uri.host(), uri.topic()),
            ("kafka", "h1:1,h2:2", "four")
        );
        assert_eq!(uri.param("protocol"), Some("canal-json"));
        assert_eq!(uri.param("kafka-client-id"), Some("bad id x"));
        assert_eq!(uri.param("none"), None);
        assert!(
            uri.masked().starts_with("KAFKA://u:xxxxx@h1:1,"),
            "{}",
            uri.masked()
        );
        let uri = SinkUri::parse("kafka://h:1/t?sasl-user=u&sasl-password=p%26q&x=1").unwrap();
        assert_eq!(uri.param("sasl-password"), Some("p&q"));
        assert_eq!(
            uri.to_string(),
            "kafka://h:1/t?sasl-user=u&sasl-password=xxxxx&x=1"
        );
        let uri = SinkUri::parse("kafka://h:1/t?sasl-gssapi-password=secret").unwrap();
        assert_eq!(uri.to_string(), "kafka://h:1/t?sasl-gssapi-password=xxxxx");
        assert!(
            SinkUri::parse("kafka:four?protocol=canal-json")
                .unwrap()
                .topic()
                .is_empty()
        );
        assert!(SinkUri::parse("").unwrap().scheme().is_empty());
    }

    #[test]
    fn errors_are_those_of_go() {
        for (text, error) in [
            (
                "127.0.0.1:9092/four",
                "parse \"127.0.0.1:9092/four\": first path segment in URL cannot contain colon",
            ),
            ("://x", "parse \"://x\": missing protocol scheme"),
            (
                "kafka://h:x/t",
                "parse \"kafka://h:x/t\": invalid port \":x\" after host",
            ),
            (
                "kafka://h:x/t?sasl-password=secret",
                "parse \"kafka://h:x/t?sasl-password=xxxxx\": invalid port \":x\" after host",
            ),
            (
                "kafka://h/%zz",
                "parse \"kafka://h/%zz\": invalid URL escape \"%zz\"",
            ),
        ] {
            assert_eq!(SinkUri::parse(text).unwrap_err().to_string(), error);
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".*") {
            if let Ok(uri) = SinkUri::parse(&text) {
                let _ = (uri.masked(), uri.topic().len());
            }
        }

        #[test]
        fn no_password_is_shown(before in "[a-z?&=#:/@.]*", password in "[A-Z]{4}[A-Z@:#?/=]{0,6}[A-Z]{4}", user in "[A-Z]{4}[A-Z@:/=]{0,6}[A-Z]{4}", after in "[a-z&=#]*") {
            for (password, text) in [
                (&password, format!("kafka://{before}/t?sasl-password={password}&{after}")),
                (&user, format!("kafka://u:{user}@h:9092/t?{after}")),
            ] {
                let shown = match SinkUri::parse(&text) {
                    Ok(uri) => uri.to_string(),
                    Err(error) => error.to_string(),
                };
                let ends = [&password[..4], &password[password.len() - 4..]];
                proptest::prop_assert!(!ends.iter().any(|end| shown.contains(end)), "{shown}");
            }
        }
    }
}
