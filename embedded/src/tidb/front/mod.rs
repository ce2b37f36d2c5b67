//! MySQL's protocol in front of MariaDB.
//!
//! Each client has a connection of its own to MariaDB. Result sets pass through byte for byte but for JSON ([`json`]);
//! an OK is held back until what MariaDB committed is committed in TiKV. What may pass is decided by an allow-list: what
//! TiDB refuses is refused with TiDB's code, what cannot be served faithfully is refused by name, and nothing differs in
//! silence.
//!
//! * [`login`], [`change_user`] and [`session`]: the connection; [`tls`]: what it is secured with; [`accounts`], [`requirement`]
//!   and [`rights`]: users and privileges;
//!   [`temporary`]: tables of a session; [`relay`]: answers of MariaDB on their way to the client.
//! * [`scan`] and [`text`]: how a text is read; [`statement`]: what is done with one SQL statement, as [`policy`] decides;
//!   [`rewrite`] and [`served`]: where TiDB's answer is not MariaDB's; [`variables`]: system variables; [`ddl`]: changes of the schema; [`dropped`]: tables that are
//!   brought back; [`prepared`]: prepared
//!   statements; [`errors`]: TiDB's words for MariaDB's errors.
//! * [`memtable`]: tables that are made when they are read, `information_schema` above all; [`regions`], [`admin`] and
//!   [`jobs`]: what is told from PD and TiKV; [`grammar`]: what only one release reads.

mod accounts;
mod admin;
mod bytes;
mod change_user;
mod charsets;
mod columns;
mod control;
mod ddl;
mod dropped;
mod errors;
mod functions;
pub(super) mod globals;
mod grammar;
mod indexes;
mod jobs;
mod json;
mod lists;
mod locks;
mod login;
mod memtable;
mod objects;
mod partition;
mod pd;
mod policy;
mod prepare;
mod prepared;
mod privileges;
mod processes;
mod regions;
mod relay;
mod requirement;
mod rewrite;
mod rewritten;
mod rights;
mod scan;
mod served;
mod session;
mod set;
mod set_tidb;
mod show;
mod show_user;
mod statement;
mod temporary;
mod text;
mod time_zone;
mod tls;
mod tls_told;
mod validity;
mod variables;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Args;
use super::apply::{ApplyError, ApplyHandle, Ended};
use super::catalog::{CatalogError, TidbVersion};
use super::wire::WireError;
use crate::client::{Client, ClientError};
pub use tls::{Tls, TlsError};

/// How long clients may take to finish what they are in the middle of when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Why a connection ended early. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// Talking to the client or MariaDB failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The applier is gone.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// PD gave no timestamp.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The schema could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An interrupted statement could not be settled.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// PD did not tell.
    #[error(transparent)]
    Pd(#[from] pd::PdError),
}

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    /// MariaDB's socket.
    pub socket: PathBuf,
    /// The way to the applier.
    pub apply: ApplyHandle,
    /// PD, for timestamps.
    pub client: Client,
    /// TiDB's release line.
    pub version: TidbVersion,
    /// PD's HTTP API.
    pd_api: pd::PdApi,
    /// Where it serves.
    addr: SocketAddr,
    /// Where its status is served.
    status_addr: SocketAddr,
    /// TiDB's release, as `v8.5.3`.
    release: String,
    /// The version as `SELECT version()` prints it.
    pub server_version: String,
    /// The text of `SELECT tidb_version()`.
    pub build_text: String,
    /// One DDL statement at a time.
    pub ddl: Mutex<()>,
    /// Variables of TiDB set by `SET GLOBAL`.
    globals: std::sync::Mutex<variables::Values>,
    /// Time zones that MariaDB is known to know.
    pub(crate) time_zones: Mutex<HashSet<String>>,
    /// Clients, by their connections' ids at MariaDB.
    sessions: std::sync::Mutex<BTreeMap<u32, SocketAddr>>,
    /// Open connections.
    pub connections: AtomicUsize,
    /// What clients are offered TLS with.
    pub(super) tls: Option<Tls>,
    /// What accounts require of a connection.
    requirements: std::sync::Mutex<requirement::Requirements>,
}

impl Shared {
    /// Nothing is open yet.
    pub fn new(
        socket: PathBuf,
        apply: ApplyHandle,
        client: Client,
        version: TidbVersion,
        globals: variables::Values,
        mut tls: Option<Tls>,
        args: &Args,
    ) -> Self {
        let release = &args.version;
        if requires_tls(&globals) {
            if tls.is_none() {
                tracing::warn!(
                    "require_secure_transport is ON and there is no certificate (--ssl-cert, --ssl-key): nobody gets in"
                );
            }
            tls = tls.map(Tls::required);
        }
        Self {
            socket,
            apply,
            client,
            pd_api: pd::PdApi::new(&args.pd),
            addr: args.addr,
            status_addr: args.status_addr,
            release: release.clone(),
            version,
            server_version: server_version(version, release),
            build_text: served::build_text(release),
            ddl: Mutex::new(()),
            globals: std::sync::Mutex::new(globals),
            time_zones: Mutex::default(),
            sessions: std::sync::Mutex::default(),
            connections: AtomicUsize::new(0),
            tls,
            requirements: std::sync::Mutex::default(),
        }
    }

    /// What accounts require of a connection.
    fn requirements_kept(&self) -> std::sync::MutexGuard<'_, requirement::Requirements> {
        self.requirements
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// System variables of MariaDB's of which TiDB tells something else.
    pub(super) fn told(&self) -> Vec<(&'static str, String)> {
        let mut out = variables::told(self.version, self.addr.port());
        out.extend(tls_told::variables(self.tls.as_ref()));
        out
    }

    /// Whether nobody is let in without TLS.
    pub(super) fn requires_tls(&self) -> bool {
        requires_tls(&self.globals())
    }

    /// Clients that are logged in.
    pub(super) fn sessions(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, SocketAddr>> {
        self.sessions
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What `SET GLOBAL` gave to variables of TiDB.
    pub(super) fn globals(&self) -> std::sync::MutexGuard<'_, variables::Values> {
        self.globals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn requires_tls(globals: &variables::Values) -> bool {
    let value = globals.get(variables::REQUIRE_TLS);
    value.is_some_and(|value| value == "ON")
}

/// The version that a TiDB release tells MySQL clients: `8.0.11-TiDB-v8.5.3`.
pub fn server_version(version: TidbVersion, release: &str) -> String {
    let mysql = match version {
        TidbVersion::V4_0 => "5.7.25",
        TidbVersion::V8_5 => "8.0.11",
    };
    format!("{mysql}-TiDB-{release}")
}

/// Serves clients until `stop` is cancelled, then lets them finish what they are in the middle of.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let task = one(stream, peer, Arc::clone(&shared), stop.clone());
                let cut = cut.clone();
                sessions.spawn(async move {
                    tokio::select! {
                        () = task => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: those of finished connections come back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    sessions.close();
    if tokio::time::timeout(DRAIN, sessions.wait()).await.is_err() {
        tracing::warn!(
            open = sessions.len(),
            "statements still run after {} s; their connections are cut",
            DRAIN.as_secs()
        );
        cut.cancel();
        sessions.wait().await;
    }
}

async fn one(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    shared.connections.fetch_add(1, Ordering::Relaxed);
    match login::accept(stream, peer, Arc::clone(&shared)).await {
        Ok(Some(session)) => {
            let id = session.backend.connection_id();
            shared.sessions().insert(id, peer);
            match session.run(stop).await {
                Ok(()) | Err(FrontError::Wire(WireError::Closed { .. })) => {}
                Err(error) => tracing::info!(%peer, %error, "a connection ended"),
            }
            shared.sessions().remove(&id);
        }
        Ok(None) => {}
        Err(error) => tracing::info!(%peer, %error, "a client did not get in"),
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}
