//! What TiDB tells of TLS: status and system variables.

use std::fmt::Write as _;

use super::served::{Served, filtered, refused, select, served};
use super::session::Session;
use super::text::{Text, literal};
use super::tls::Tls;
use super::validity;
use crate::tidb::catalog::TidbVersion;

/// Cipher suites by number with OpenSSL's names, in TiDB's order. TiDB tells all of them, whichever a server has.
const SUITES: [(u16, &str); 25] = [
    (0x0005, "RC4-SHA"),
    (0x000a, "DES-CBC3-SHA"),
    (0x002f, "AES128-SHA"),
    (0x0035, "AES256-SHA"),
    (0x003c, "AES128-SHA256"),
    (0x009c, "AES128-GCM-SHA256"),
    (0x009d, "AES256-GCM-SHA384"),
    (0xc007, "ECDHE-ECDSA-RC4-SHA"),
    (0xc009, "ECDHE-ECDSA-AES128-SHA"),
    (0xc00a, "ECDHE-ECDSA-AES256-SHA"),
    (0xc011, "ECDHE-RSA-RC4-SHA"),
    (0xc012, "ECDHE-RSA-DES-CBC3-SHA"),
    (0xc013, "ECDHE-RSA-AES128-SHA"),
    (0xc014, "ECDHE-RSA-AES256-SHA"),
    (0xc023, "ECDHE-ECDSA-AES128-SHA256"),
    (0xc027, "ECDHE-RSA-AES128-SHA256"),
    (0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"),
    (0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (0xc030, "ECDHE-RSA-AES256-GCM-SHA384"),
    (0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"),
    (0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
];
/// `SSL_VERIFY_PEER` and `SSL_VERIFY_CLIENT_ONCE`.
const VERIFY_MODE: u8 = 1 | 4;
/// Variables that 8.5 keeps as switches, though their values are none: a SELECT of one gives 0, whatever SHOW tells.
const SWITCHES: [&str; 2] = ["have_openssl", "have_ssl"];

/// OpenSSL's name of a cipher suite.
fn suite_name(suite: u16) -> &'static str {
    let known = SUITES.iter().find(|(number, _)| *number == suite);
    known.map_or("", |(_, name)| name)
}

/// The system variables of TLS.
pub(super) fn variables(tls: Option<&Tls>) -> [(&'static str, String); 5] {
    let have = if tls.is_some() { "YES" } else { "DISABLED" };
    let file = |of: fn(&Tls) -> &String| tls.map(of).cloned().unwrap_or_default();
    [
        ("have_openssl", have.to_owned()),
        ("have_ssl", have.to_owned()),
        ("ssl_ca", file(|tls| &tls.files.ca)),
        ("ssl_cert", file(|tls| &tls.files.cert)),
        ("ssl_key", file(|tls| &tls.files.key)),
    ]
}

/// Whether a release takes a variable for a switch that is off.
pub(super) fn reads_as_off(release: TidbVersion, name: &str) -> bool {
    release >= TidbVersion::V8_5 && SWITCHES.contains(&name)
}

impl Session {
    /// The status variables in which a server with TLS differs from MariaDB.
    fn tls_status(&self, tls: &Tls) -> Vec<(&'static str, String)> {
        let mut out = vec![];
        if let Some(agreed) = self.tls {
            let list = SUITES
                .iter()
                .fold(String::new(), |list, (_, name)| list + name + ":");
            out = vec![
                ("Ssl_cipher", suite_name(agreed.suite).to_owned()),
                ("Ssl_cipher_list", list),
                ("Ssl_verify_mode", VERIFY_MODE.to_string()),
                ("Ssl_version", agreed.version.to_owned()),
            ];
        }
        if self.shared.version >= TidbVersion::V8_5 {
            let (from, to) = (tls.validity.not_before, tls.validity.not_after);
            out.push(("Ssl_server_not_before", validity::told(from)));
            out.push(("Ssl_server_not_after", validity::told(to)));
        }
        out
    }

    /// `SHOW [GLOBAL | SESSION] STATUS`: MariaDB's, but for what is told of TLS.
    pub(super) async fn show_status(&mut self, text: &Text<'_>, n: usize) -> Served {
        let own = match &self.shared.tls {
            Some(tls) => self.tls_status(tls),
            None => vec![],
        };
        if own.is_empty() {
            return self.forwarded(text).await;
        }
        let source = match text.is(1, "GLOBAL") {
            true => "GLOBAL_STATUS",
            false => "SESSION_STATUS",
        };
        let (mut hidden, mut rows) = (String::new(), vec![]);
        for (name, value) in &own {
            let comma = if hidden.is_empty() { "" } else { ", " };
            let _ = write!(hidden, "{comma}{}", literal(&name.to_ascii_uppercase()));
            rows.push(vec![literal(name), literal(value)]);
        }
        let query = format!(
            "SELECT CONCAT(LEFT(VARIABLE_NAME, 1), LOWER(SUBSTR(VARIABLE_NAME, 2))) AS `Variable_name`, VARIABLE_VALUE AS \
             `Value` FROM information_schema.{source} WHERE VARIABLE_NAME NOT IN ({hidden}) UNION ALL {}",
            select(&["Variable_name", "Value"], &rows)
        );
        match filtered(&query, "Variable_name", text, n) {
            Ok(query) => served(format!("{query} ORDER BY `Variable_name`")),
            Err(error) => refused(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_openssls_names() {
        assert_eq!(suite_name(0xc02f), "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(suite_name(0x1301), "TLS_AES_128_GCM_SHA256");
        assert_eq!(suite_name(0), "");
    }

    #[test]
    fn without_certificates_tls_is_disabled() {
        let told = variables(None);
        assert_eq!(told[1], ("have_ssl", "DISABLED".to_owned()));
        assert_eq!(told[3], ("ssl_cert", String::new()));
        assert!(reads_as_off(TidbVersion::V8_5, "have_ssl"));
        assert!(!reads_as_off(TidbVersion::V4_0, "have_ssl"));
    }
}
