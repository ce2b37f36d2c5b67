//! A server's place among the captures: a session that has to be kept alive.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{info::CaptureInfo, keys::Keys};
use crate::{
    compat::Compat,
    config::golang,
    etcd::{self, Client},
};

/// How long a session outlives its server, in seconds (`spec/state.md §1`).
#[must_use]
pub fn session_ttl(compat: Compat) -> i64 {
    match compat {
        Compat::V4_0_9 => 3,
        Compat::V6_5 | Compat::V8_5 => 10,
    }
}

/// From when times of fences count.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
/// How long a capture may take to answer that is asked whether it lives.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often a fence is looked at that is shut.
const LOOK: Duration = Duration::from_millis(50);

/// Until when work under a session may go on. A process that stood still finds out by it, before it does anything else, that
/// its session may be over.
#[derive(Debug, Clone, Default)]
pub struct Fence(Option<Arc<AtomicU64>>);

impl Fence {
    fn set(&self, until: Instant) {
        if let Some(fence) = &self.0 {
            let since = until.saturating_duration_since(*BEGINNING);
            fence.store(
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                Ordering::Release,
            );
        }
    }

    fn is_shut(&self) -> bool {
        self.0.as_ref().is_some_and(|until| {
            BEGINNING.elapsed() >= Duration::from_millis(until.load(Ordering::Acquire))
        })
    }

    /// Goes on at once as long as the session is certain, else when it has been renewed. Where it is not, whoever waits is
    /// dropped. The default, of no session, lets everybody pass.
    pub async fn pass(&self) {
        if self.is_shut() {
            let mut pace = tokio::time::interval(LOOK);
            while self.is_shut() {
                pace.tick().await;
            }
        }
    }
}

/// A lease kept alive in the background.
///
/// It is given up for lost after four fifths of its life without renewal. The last fifth is for whoever works under it to
/// stop: when the lease has expired, another does that work.
#[derive(Debug)]
pub struct Session {
    etcd: Client,
    lease: i64,
    lost: CancellationToken,
    fence: Fence,
    keeper: JoinHandle<()>,
}

impl Session {
    /// Takes a lease of `ttl` seconds and keeps it.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn open(etcd: &Client, ttl: i64) -> Result<Self, etcd::Error> {
        let granted = Instant::now();
        let lease = etcd.grant(ttl).await?;
        let lost = CancellationToken::new();
        let fence = Fence(Some(Arc::default()));
        let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or(1));
        fence.set(granted + safe(ttl));
        let kept = keep(
            etcd.clone(),
            lease,
            ttl,
            granted,
            fence.clone(),
            lost.clone(),
        );
        let keeper = tokio::spawn(kept);
        Ok(Self {
            etcd: etcd.clone(),
            lease,
            lost,
            fence,
            keeper,
        })
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> i64 {
        self.lease
    }

    /// Cancelled when the lease has, or may have, expired.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Shut when the lease may have expired.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Ends the session: its keys are gone at once.
    pub async fn close(self) {
        self.keeper.abort();
        match self.etcd.revoke(self.lease).await {
            Ok(()) => {}
            Err(error) if error.is_lease_gone() => {}
            Err(error) => {
                tracing::warn!(%error, "failed to end the session, its keys stay until it expires");
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// For how long after a renewal work may go on.
fn safe(ttl: Duration) -> Duration {
    ttl * 4 / 5
}

/// Renews a lease three times in its life, and gives it up for lost when it may have expired.
async fn keep(
    etcd: Client,
    lease: i64,
    ttl: Duration,
    mut renewed: Instant,
    fence: Fence,
    lost: CancellationToken,
) {
    let safe = safe(ttl);
    let mut pace = tokio::time::interval(ttl / 3);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pace.tick().await;
    loop {
        // after a failure the next time may be too late
        let tick = tokio::time::timeout_at((renewed + safe).into(), pace.tick());
        if tick.await.is_err() {
            tracing::warn!("the session was not renewed in time and is given up");
            break;
        }
        let asked = Instant::now();
        let left = (renewed + safe).saturating_duration_since(asked);
        match tokio::time::timeout(left, etcd.keep_alive(lease)).await {
            Ok(Ok(_)) => {
                renewed = asked;
                fence.set(renewed + safe);
            }
            Ok(Err(error @ etcd::Error::LeaseExpired(_))) => {
                tracing::warn!(%error, "the session is lost");
                break;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "failed to renew the session");
                if renewed.elapsed() >= safe {
                    break;
                }
            }
            Err(_) => {
                tracing::warn!("the session could not be renewed in time and is given up");
                break;
            }
        }
    }
    lost.cancel();
}

/// Registers a capture under a session.
///
/// # Errors
/// When etcd does not answer.
pub async fn register(
    etcd: &Client,
    keys: &Keys,
    capture: &CaptureInfo,
    lease: i64,
) -> Result<(), etcd::Error> {
    // a struct of texts and numbers always has a JSON form
    let value = golang::json(capture).unwrap_or_default();
    etcd.put(&keys.capture(&capture.id), value, lease).await
}

/// Why captures that had an address before cannot be taken for dead.
#[derive(Debug, thiserror::Error)]
pub enum BuryError {
    /// etcd does not answer.
    #[error(transparent)]
    Etcd(#[from] etcd::Error),
    /// One of them lives.
    #[error(
        "the address {address} is that of capture {capture}, which answers there; each server needs an --advertise-addr of its own"
    )]
    Alive {
        /// The address.
        address: String,
        /// Its id.
        capture: String,
    },
}

/// Ends the sessions of captures that were registered under this address before: whoever has bound the address knows
/// that they are dead, and need not wait until they expire. An address may be advertised that is not bound, so they are
/// asked first.
///
/// # Errors
/// When etcd does not answer, or one of them does.
pub async fn bury(
    etcd: &Client,
    keys: &Keys,
    address: &str,
    http: &reqwest::Client,
) -> Result<(), BuryError> {
    let (pairs, _) = etcd.list(&keys.capture_prefix()).await?;
    for pair in pairs {
        let capture = serde_json::from_slice::<CaptureInfo>(&pair.value)
            .ok()
            .filter(|capture| capture.address == address && pair.lease != 0);
        let Some(capture) = capture else { continue };
        if answers_as(http, address).await.as_ref() == Some(&capture.id) {
            return Err(BuryError::Alive {
                address: address.to_owned(),
                capture: capture.id,
            });
        }
        tracing::info!(
            capture = capture.id,
            "a capture that had this address before is gone, its session is ended"
        );
        match etcd.revoke(pair.lease).await {
            Ok(()) => {}
            Err(error) if error.is_unreachable() => return Err(error.into()),
            // it expired meanwhile
            Err(error) => tracing::debug!(%error, "the session had ended already"),
        }
    }
    Ok(())
}

/// The id of the capture that answers at an address.
async fn answers_as(http: &reqwest::Client, address: &str) -> Option<String> {
    let status = http.get(format!("http://{address}/status"));
    let answer = status.timeout(ANSWER_WITHIN).send().await.ok()?;
    let status: serde_json::Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    Some(status.get("id")?.as_str()?.to_owned())
}

/// All captures.
///
/// # Errors
/// When etcd does not answer.
pub async fn captures(etcd: &Client, keys: &Keys) -> Result<Vec<CaptureInfo>, etcd::Error> {
    let (pairs, _) = etcd.list(&keys.capture_prefix()).await?;
    let decode = |value: &[u8]| {
        serde_json::from_slice(value)
            .inspect_err(|error| tracing::warn!(%error, "a capture's key cannot be read"))
            .ok()
    };
    Ok(pairs
        .iter()
        .filter_map(|pair| decode(&pair.value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_that_cannot_be_renewed_is_given_up_before_it_expires() {
        // nobody listens there any more
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let etcd = Client::new(&[url]).unwrap();
        let (ttl, lost) = (Duration::from_secs(6), CancellationToken::new());
        let renewed = Instant::now();
        keep(etcd, 1, ttl, renewed, Fence::default(), lost.clone()).await;
        let kept = renewed.elapsed();
        assert!(lost.is_cancelled());
        assert!(safe(ttl) <= kept && kept < ttl, "{kept:?} of {ttl:?}");
    }

    #[tokio::test]
    async fn a_fence_is_shut_until_the_session_is_renewed() {
        Fence::default().pass().await;
        let fence = Fence(Some(Arc::default()));
        assert!(fence.is_shut());
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.pass().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        fence.set(Instant::now() + Duration::from_secs(60));
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
            .unwrap();
        fence.set(Instant::now());
        assert!(fence.is_shut());
    }
}
