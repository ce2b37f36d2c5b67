//! `COM_CHANGE_USER`: another account on the same connection.

use super::FrontError;
use super::accounts::ROOT;
use super::login::{self, ACCESS_DENIED};
use super::relay::{Answered, Passing};
use super::session::Session;
use crate::tidb::wire::handshake::{AUTH_SWITCH, NATIVE_PASSWORD};
use crate::tidb::wire::packet::ERR;
use crate::tidb::wire::{ErrPacket, Reader, WireError, command};

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    user: String,
    /// The proof of the password for the salt of the greeting; empty for none.
    proof: Vec<u8>,
    database: String,
    collation: u16,
    /// The authentication plugin that made the proof.
    plugin: String,
}

impl Change {
    fn parse(body: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(body, "a change of user");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let user = text(r.zero_terminated()?);
        let len = r.u8()?;
        let proof = r.take(len.into())?.to_vec();
        let database = text(r.zero_terminated()?);
        let collation = if r.is_empty() { 0 } else { r.u16()? };
        let plugin = match r.is_empty() {
            true => NATIVE_PASSWORD.to_owned(),
            false => text(r.zero_terminated()?),
        };
        Ok(Self {
            user,
            proof,
            database,
            collation,
            plugin,
        })
    }

    /// The command for MariaDB. It is `root` without a password there, whatever plugin the client has.
    fn encode(&self) -> Vec<u8> {
        let proof = match self.plugin == NATIVE_PASSWORD {
            true => login::proof(&self.user, &self.proof),
            false => &[],
        };
        let collation = u8::try_from(self.collation).unwrap_or_default();
        let mut out = self.user.clone().into_bytes();
        out.push(0);
        // It was read from one byte.
        out.push(proof.len() as u8);
        out.extend_from_slice(proof);
        out.extend_from_slice(self.database.as_bytes());
        out.push(0);
        out.extend_from_slice(&u16::from(login::backend_collation(collation)).to_le_bytes());
        out.extend_from_slice(NATIVE_PASSWORD.as_bytes());
        out.push(0);
        out
    }
}

impl Session {
    pub(super) async fn change_user(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let change = Change::parse(body)?;
        if let Some(refusal) = login::check(
            &self.shared,
            (&change.user, &change.proof),
            self.peer(),
            self.tls,
        ) {
            return self.shut_out(&refusal).await;
        }
        self.pass_on(command::CHANGE_USER, &change.encode()).await?;
        let mut first = self.backend.channel.read().await?;
        let mut proof = change.proof;
        if first.first() == Some(&AUTH_SWITCH) {
            // MariaDB wants a proof for a salt of its own choice.
            if change.user != ROOT {
                self.client.write(&first).await?;
                self.client.flush().await?;
                proof = self.client.read().await?.to_vec();
            }
            self.backend.channel.write(&proof).await?;
            self.backend.channel.flush().await?;
            first = self.backend.channel.read().await?;
        }
        if first.first() == Some(&ERR) {
            let error = ErrPacket::parse(&first)?;
            let refusal = match error.code {
                ACCESS_DENIED => login::denied(&change.user, &proof, self.peer()),
                _ => error,
            };
            return self.shut_out(&refusal).await;
        }
        self.reset();
        if self.relay_from(first, Passing::default()).await? == Answered::Done {
            self.database = Some(change.database).filter(|d| !d.is_empty());
            self.user = change.user;
        }
        Ok(())
    }

    /// Refuses an account, after which the connection is nobody's.
    async fn shut_out(&mut self, refusal: &ErrPacket) -> Result<(), FrontError> {
        self.fail(refusal).await?;
        self.client.flush().await?;
        Err(WireError::Closed { peer: "the client" }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_mariadb_is_asked_for_is_what_the_client_asked_for() {
        let body = b"u1\0\x03abcd1\0\x2d\0mysql_native_password\0";
        let change = Change::parse(body).unwrap();
        assert_eq!(change.user, "u1");
        assert_eq!(change.proof, b"abc");
        assert_eq!(change.database, "d1");
        assert_eq!(change.encode(), body);
        // Of other plugins' proofs MariaDB could make nothing.
        let other = Change::parse(b"u1\0\x03abc\0\xff\0caching_sha2_password\0").unwrap();
        assert_eq!(other.encode(), b"u1\0\0\0\x2e\0mysql_native_password\0");
        let old = Change::parse(b"root\0\0\0").unwrap();
        assert_eq!(old.encode(), b"root\0\0\0\x2e\0mysql_native_password\0");
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(change) = Change::parse(&body) {
                change.encode();
            }
        }
    }
}
