//! A client comes in.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::accounts::ROOT;
use super::session::Session;
use super::{FrontError, Shared};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::mariadb::options::MAX_ALLOWED_PACKET;
use crate::tidb::wire::capability::{DEPRECATE_EOF, OFFERED, PLUGIN_AUTH, SSL, STATUS_AUTOCOMMIT};
use crate::tidb::wire::handshake::{Greeting, Login, NATIVE_PASSWORD, auth_switch};
use crate::tidb::wire::packet::OK;
use crate::tidb::wire::{Agreed, Backend, Channel, ErrPacket, Transport, WireError};

/// What a wrong password is refused with.
pub(super) const ACCESS_DENIED: u16 = 1045;
/// `ER_SECURE_TRANSPORT_REQUIRED`.
const TLS_REQUIRED: u16 = 3159;
/// `utf8mb4_bin`.
pub(super) const UTF8MB4_BIN: u8 = 46;
/// Collations that clients ask for by number and MariaDB has too: those of ascii, latin1, utf8, utf8mb4 and binary that
/// TiDB knows. Others (MySQL 8's `utf8mb4_0900_ai_ci`, 255) become `utf8mb4_bin`, TiDB's own default.
const KNOWN_COLLATIONS: [u8; 8] = [33, 83, 192, 45, 46, 224, 63, 65];

/// Speaks the connection phase with a client; none if it was refused.
pub(super) async fn accept(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
) -> Result<Option<Session>, FrontError> {
    let mut client = Channel::new(Transport::Clear(stream), "the client", MAX_ALLOWED_PACKET);
    let mut backend = match Backend::open(&shared.socket).await {
        Ok(backend) => backend,
        Err(WireError::Server { error, .. }) => {
            client.write(&error.encode()).await?;
            client.flush().await?;
            return Ok(None);
        }
        Err(other) => return Err(other.into()),
    };
    let mut offered = OFFERED;
    if shared.version >= TidbVersion::V8_5 {
        offered |= DEPRECATE_EOF;
    }
    if shared.tls.is_some() {
        offered |= SSL;
    }
    // MariaDB checks the proof itself.
    let salt = backend.salt();
    let greeting = Greeting {
        version: shared.server_version.clone(),
        connection_id: backend.connection_id(),
        capabilities: offered,
        extended: 0,
        collation: UTF8MB4_BIN,
        status: STATUS_AUTOCOMMIT,
        salt,
    };
    client.write(&greeting.encode()).await?;
    client.flush().await?;

    let mut first = client.read().await?;
    let asks = Login::wanted(&first) & SSL != 0;
    if let Some(tls) = shared.tls.as_ref().filter(|_| asks) {
        client = client.upgrade(Arc::clone(&tls.config)).await?;
        first = client.read().await?;
    } else if !asks && shared.requires_tls() {
        return refuse(client, &tls_required()).await;
    }
    let mut login = match Login::parse(&first) {
        Ok(login) => login,
        Err(error) => {
            let refusal = ErrPacket::new(1043, "08S01", format!("Bad handshake: {error}"));
            return refuse(client, &refusal).await;
        }
    };
    login.capabilities &= offered;
    let switch = login.capabilities & PLUGIN_AUTH != 0
        && login
            .plugin
            .as_deref()
            .is_some_and(|p| p != NATIVE_PASSWORD)
        && !is_empty_proof(&login.auth);
    if switch {
        client.write(&auth_switch(&salt)).await?;
        client.flush().await?;
        login.auth = client.read().await?.to_vec();
    }
    let tls = client.tls();
    if let Some(refusal) = check(&shared, (&login.user, &login.auth), peer, tls) {
        return refuse(client, &refusal).await;
    }

    let collation = backend_collation(login.collation);
    let database = login.database.as_deref();
    let proof = proof(&login.user, &login.auth);
    let mut ok = match backend
        .log_in(
            login.capabilities,
            collation,
            database,
            (&login.user, proof),
        )
        .await
    {
        Ok(ok) => ok,
        Err(WireError::Server { error, .. }) if error.code == ACCESS_DENIED => {
            return refuse(client, &denied(&login.user, &login.auth, peer)).await;
        }
        Err(WireError::Server { error, .. }) => return refuse(client, &error).await,
        Err(other) => return Err(other.into()),
    };
    ok.info.clear();
    client.write(&ok.encode_plain(OK)).await?;
    client.flush().await?;
    let session = Session::new(client, backend, (login, ok.status), peer, shared);
    Ok(Some(session))
}

async fn refuse(
    mut client: Channel<Transport>,
    refusal: &ErrPacket,
) -> Result<Option<Session>, FrontError> {
    client.write(&refusal.encode()).await?;
    client.flush().await?;
    Ok(None)
}

/// What speaks against a user before MariaDB is asked: `root` has no password, and an account may require TLS.
pub(super) fn check(
    shared: &Shared,
    (user, auth): (&str, &[u8]),
    peer: SocketAddr,
    tls: Option<Agreed>,
) -> Option<ErrPacket> {
    let foreign = user.is_empty() || user == ROOT && !is_empty_proof(auth);
    (foreign || !shared.admits(user, tls)).then(|| denied(user, auth, peer))
}

fn tls_required() -> ErrPacket {
    let message =
        "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
    ErrPacket::new(TLS_REQUIRED, "HY000", message)
}

pub(super) fn denied(user: &str, auth: &[u8], peer: SocketAddr) -> ErrPacket {
    let using = if is_empty_proof(auth) { "NO" } else { "YES" };
    let message = format!(
        "Access denied for user '{user}'@'{}' (using password: {using})",
        peer.ip()
    );
    ErrPacket::new(ACCESS_DENIED, "28000", message)
}

/// Some plugins prove the empty password by a zero byte.
fn is_empty_proof(auth: &[u8]) -> bool {
    matches!(auth, [] | [0])
}

/// The proof of a password for MariaDB: none for an empty one, as which `root`'s counts.
pub(super) fn proof<'a>(user: &str, auth: &'a [u8]) -> &'a [u8] {
    match user == ROOT || is_empty_proof(auth) {
        true => &[],
        false => auth,
    }
}

/// The collation to log in with at MariaDB.
pub(super) fn backend_collation(wanted: u8) -> u8 {
    if KNOWN_COLLATIONS.contains(&wanted) {
        wanted
    } else {
        UTF8MB4_BIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_password_has_no_proof() {
        assert_eq!(proof("u", &[0]), &[0_u8; 0]);
        assert_eq!(proof("u", &[1, 2]), &[1, 2]);
        assert_eq!(proof(ROOT, &[1, 2]), &[0_u8; 0]);
    }
}
