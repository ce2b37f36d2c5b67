//! Both sides of the connection phase.

use super::capability::{
    CONNECT_ATTRS, CONNECT_WITH_DB, LONG_PASSWORD, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, PROTOCOL_41,
    SECURE_CONNECTION,
};
use super::{Reader, WireError, put_lenenc_bytes};

/// The one authentication plugin in use, here and towards MariaDB.
pub const NATIVE_PASSWORD: &str = "mysql_native_password";
const PROTOCOL_VERSION: u8 = 10;
const SALT_LEN: usize = 20;
const FIRST_SALT_PART: usize = 8;
/// Bytes of a greeting that are zero, before the extended capabilities.
const GREETING_FILLER: usize = 6;
/// Bytes of a login that are zero, before the extended capabilities.
const LOGIN_FILLER: usize = 19;
/// Length of the part of a login that a request for TLS is.
const TLS_REQUEST_LEN: usize = 32;
/// Asks a client to use another authentication plugin.
pub const AUTH_SWITCH: u8 = 0xfe;

/// What a server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: String,
    /// The connection's id.
    pub connection_id: u32,
    /// What it can do.
    pub capabilities: u32,
    /// Which of MariaDB's own capabilities it has; none with [`LONG_PASSWORD`].
    pub extended: u32,
    /// Its default collation, by protocol number.
    pub collation: u8,
    /// Status bits.
    pub status: u16,
    /// Random bytes for the password's proof.
    pub salt: [u8; SALT_LEN],
}

impl Greeting {
    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![PROTOCOL_VERSION];
        out.extend_from_slice(self.version.as_bytes());
        out.push(0);
        out.extend_from_slice(&self.connection_id.to_le_bytes());
        out.extend_from_slice(&self.salt[..FIRST_SALT_PART]);
        out.push(0);
        out.extend_from_slice(&(self.capabilities as u16).to_le_bytes());
        out.push(self.collation);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&((self.capabilities >> 16) as u16).to_le_bytes());
        out.push(SALT_LEN as u8 + 1);
        out.extend_from_slice(&[0; GREETING_FILLER]);
        out.extend_from_slice(&extended(self.capabilities, self.extended).to_le_bytes());
        out.extend_from_slice(&self.salt[FIRST_SALT_PART..]);
        out.push(0);
        out.extend_from_slice(NATIVE_PASSWORD.as_bytes());
        out.push(0);
        out
    }

    /// Reads it, as far as an old password plugin needs.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "a server's greeting");
        let protocol = r.u8()?;
        if protocol != PROTOCOL_VERSION {
            return Err(r.bad(format!("protocol {protocol}, expected {PROTOCOL_VERSION}")));
        }
        let version = String::from_utf8_lossy(r.zero_terminated()?).into_owned();
        let connection_id = r.u32()?;
        let mut salt = [0; SALT_LEN];
        salt[..FIRST_SALT_PART].copy_from_slice(r.take(FIRST_SALT_PART)?);
        r.u8()?;
        let low = r.u16()?;
        let collation = r.u8()?;
        let status = r.u16()?;
        let high = r.u16()?;
        r.u8()?;
        r.take(GREETING_FILLER)?;
        let own = r.u32()?;
        salt[FIRST_SALT_PART..].copy_from_slice(r.take(SALT_LEN - FIRST_SALT_PART)?);
        let capabilities = u32::from(low) | u32::from(high) << 16;
        Ok(Self {
            version,
            connection_id,
            capabilities,
            extended: extended(capabilities, own),
            collation,
            status,
            salt,
        })
    }
}

/// What a client answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// What it wants.
    pub capabilities: u32,
    /// Which of MariaDB's own capabilities it wants; none with [`LONG_PASSWORD`].
    pub extended: u32,
    /// Its collation, by protocol number.
    pub collation: u8,
    /// The user's name.
    pub user: String,
    /// The proof of the password; empty for none.
    pub auth: Vec<u8>,
    /// The database to start in.
    pub database: Option<String>,
    /// The authentication plugin it used.
    pub plugin: Option<String>,
}

/// Largest packet a client announces; servers pay no heed to it.
const MAX_PACKET: u32 = 1 << 30;

impl Login {
    /// What a client wants, read off the beginning of its login, or of the request for TLS before it, which is no longer
    /// than that; none if it is too short.
    pub fn wanted(payload: &[u8]) -> u32 {
        Reader::new(payload, "a client's login")
            .u32()
            .unwrap_or_default()
    }

    /// Asks for TLS, after which the login is sent.
    pub fn tls_request(&self) -> Vec<u8> {
        let mut out = self.encode();
        out.truncate(TLS_REQUEST_LEN);
        out
    }

    /// Reads it.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "a client's login");
        let capabilities = r.u32()?;
        if capabilities & PROTOCOL_41 == 0 {
            return Err(r.bad("the client does not speak the 4.1 protocol"));
        }
        r.u32()?;
        let collation = r.u8()?;
        r.take(LOGIN_FILLER)?;
        let own = r.u32()?;
        let user = String::from_utf8_lossy(r.zero_terminated()?).into_owned();
        let auth = if capabilities & PLUGIN_AUTH_LENENC != 0 {
            r.lenenc_bytes()?
        } else if capabilities & SECURE_CONNECTION != 0 {
            let len = r.u8()?;
            r.take(len.into())?
        } else {
            r.zero_terminated()?
        }
        .to_vec();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut database = None;
        if capabilities & CONNECT_WITH_DB != 0 && !r.is_empty() {
            database = Some(text(r.zero_terminated()?)).filter(|d| !d.is_empty());
        }
        let mut plugin = None;
        if capabilities & PLUGIN_AUTH != 0 && !r.is_empty() {
            // Some clients leave the closing zero out.
            plugin = Some(match r.clone().zero_terminated() {
                Ok(name) => text(name),
                Err(_) => text(r.rest()),
            });
        }
        Ok(Self {
            capabilities,
            extended: extended(capabilities, own),
            collation,
            user,
            auth,
            database,
            plugin,
        })
    }

    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut capabilities =
            self.capabilities & !(PLUGIN_AUTH_LENENC | CONNECT_ATTRS | CONNECT_WITH_DB);
        if self.database.is_some() {
            capabilities |= CONNECT_WITH_DB;
        }
        let mut out = capabilities.to_le_bytes().to_vec();
        out.extend_from_slice(&MAX_PACKET.to_le_bytes());
        out.push(self.collation);
        out.extend_from_slice(&[0; LOGIN_FILLER]);
        out.extend_from_slice(&extended(self.capabilities, self.extended).to_le_bytes());
        out.extend_from_slice(self.user.as_bytes());
        out.push(0);
        put_lenenc_bytes(&mut out, &self.auth);
        if let Some(database) = &self.database {
            out.extend_from_slice(database.as_bytes());
            out.push(0);
        }
        if let Some(plugin) = &self.plugin {
            out.extend_from_slice(plugin.as_bytes());
            out.push(0);
        }
        out
    }
}

/// The extended capabilities that count beside those of MySQL.
fn extended(capabilities: u32, extended: u32) -> u32 {
    if capabilities & LONG_PASSWORD == 0 {
        extended
    } else {
        0
    }
}

/// Asks a client to prove its password by [`NATIVE_PASSWORD`].
pub fn auth_switch(salt: &[u8; SALT_LEN]) -> Vec<u8> {
    let mut out = vec![AUTH_SWITCH];
    out.extend_from_slice(NATIVE_PASSWORD.as_bytes());
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::super::capability::EXTENDED_METADATA;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_sides_understand_each_other() {
        let greeting = Greeting {
            version: "8.0.11-TiDB-v8.5.3".to_owned(),
            connection_id: 7,
            capabilities: super::super::capability::OFFERED,
            extended: 0,
            collation: 46,
            status: 2,
            salt: *b"abcdefghijklmnopqrst",
        };
        assert_eq!(Greeting::parse(&greeting.encode()).unwrap(), greeting);
        let login = Login {
            capabilities: PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | CONNECT_WITH_DB,
            extended: EXTENDED_METADATA,
            collation: 45,
            user: "root".to_owned(),
            auth: vec![],
            database: Some("test".to_owned()),
            plugin: Some(NATIVE_PASSWORD.to_owned()),
        };
        assert_eq!(Login::parse(&login.encode()).unwrap(), login);
    }

    #[test]
    fn extended_capabilities_are_between_mariadbs() {
        let mut greeting = Greeting {
            version: "10.11".to_owned(),
            connection_id: 7,
            capabilities: PROTOCOL_41,
            extended: EXTENDED_METADATA,
            collation: 46,
            status: 2,
            salt: *b"abcdefghijklmnopqrst",
        };
        let read = Greeting::parse(&greeting.encode()).unwrap();
        assert_eq!(read.extended, EXTENDED_METADATA);
        greeting.capabilities |= LONG_PASSWORD;
        let read = Greeting::parse(&greeting.encode()).unwrap();
        assert_eq!(read.extended, 0);
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(bytes: Vec<u8>) {
            let _ = Greeting::parse(&bytes);
            let _ = Login::parse(&bytes);
        }
    }
}
