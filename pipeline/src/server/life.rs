//! A capture's life: a session, the election, owning; and anew when the session is lost.

use std::{sync::Arc, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Current, Server};
use crate::{
    changefeed::{
        capture::{self, BuryError, Session},
        election,
        owner::{Context, Left, Owner},
        spread::follow::{self, follow},
    },
    etcd,
};

/// How long to wait before trying again what etcd refused.
const AGAIN: Duration = Duration::from_millis(500);
/// How long an owner that resigned lets others stand before it does so again.
const AFTER_RESIGNING: Duration = Duration::from_secs(1);

/// The signals that end a server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Cancels `stop` at the first signal; a second one ends the process at once.
    pub(super) async fn wait(mut self, stop: &CancellationToken) {
        for (round, what) in ["the server stops", "the server ends at once"]
            .into_iter()
            .enumerate()
        {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            tracing::info!("signal received, {what}");
            if round > 0 {
                std::process::exit(1);
            }
            stop.cancel();
        }
    }
}

/// Lives until `stop`.
///
/// # Errors
/// When another server has the address.
pub(super) async fn live(server: &Arc<Server>, stop: &CancellationToken) -> Result<(), BuryError> {
    // later sessions follow ones of our own, which are ended as soon as nothing is done under them any more
    while !stop.is_cancelled() {
        let buried = capture::bury(&server.etcd, &server.keys, &server.address, &server.http);
        match buried.await {
            Ok(()) => break,
            Err(error @ BuryError::Alive { .. }) => return Err(error),
            Err(error) => again(server, &error, stop).await,
        }
    }
    while !stop.is_cancelled() {
        if let Err(error) = one_session(server, stop).await {
            again(server, &error, stop).await;
        }
    }
    Ok(())
}

async fn again(server: &Server, error: &dyn std::error::Error, stop: &CancellationToken) {
    tracing::warn!(%error, "failed to take part in the cluster of captures, it is tried again");
    server.set_current(None);
    pause(AGAIN, stop).await;
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// From one session's beginning to its end.
async fn one_session(server: &Arc<Server>, stop: &CancellationToken) -> Result<(), etcd::Error> {
    let session = Session::open(&server.etcd, server.session_ttl).await?;
    let id = uuid::Uuid::new_v4().to_string();
    let info = server.capture_info(&id);
    let registered = capture::register(&server.etcd, &server.keys, &info, session.lease());
    if let Err(error) = registered.await {
        // it may be there all the same, and nobody is behind it
        session.close().await;
        return Err(error);
    }
    tracing::info!(capture = id, "capture registered");
    let lost = session.lost();
    let ground = follow::Ground {
        release: server.release,
        voice: follow::Voice {
            etcd: server.etcd.clone(),
            keys: server.keys.clone(),
            capture: id.clone(),
            lease: session.lease(),
        },
        upstream: server.upstream.clone(),
        time_zone: server.time_zone.clone(),
        sort_folder: server.sort_folder.clone(),
        address: server.address.clone(),
        meters: server.meters.clone(),
        fence: session.fence(),
    };
    let following = tokio::spawn(follow(ground, stop.clone(), lost.clone()));
    let mut stood = Ok(Left::Asked);
    while !matches!(stood, Err(_) | Ok(Left::Stuck)) && !stop.is_cancelled() && !lost.is_cancelled()
    {
        stood = stand(server, &session, &id, stop).await;
    }
    server.set_current(None);
    if !stop.is_cancelled() {
        // all that is done under it ends with the session
        lost.cancel();
    }
    let followed = following.await.unwrap_or_else(|error| {
        tracing::error!(%error, "taking part in changefeeds broke off");
        false
    });
    if lost.is_cancelled() {
        tracing::warn!(capture = id, "[CDC:ErrCaptureSuicide]capture suicide");
    }
    match followed && !matches!(stood, Ok(Left::Stuck)) {
        true => session.close().await,
        false => {
            tracing::warn!(
                capture = id,
                "what this capture did may go on, its session is left to expire"
            );
        }
    }
    stood.map(drop)
}

/// Stands for election once, and owns if elected.
async fn stand(
    server: &Arc<Server>,
    session: &Session,
    id: &str,
    stop: &CancellationToken,
) -> Result<Left, etcd::Error> {
    let lost = session.lost();
    let resign = CancellationToken::new();
    let current = |owner| Current {
        id: id.to_owned(),
        owner,
        resign: resign.clone(),
    };
    server.set_current(Some(current(None)));
    let campaign = election::campaign(&server.etcd, &server.keys, session.lease(), id);
    let ownership = tokio::select! {
        ownership = campaign => ownership?,
        () = stop.cancelled() => return Ok(Left::Asked),
        () = lost.cancelled() => return Ok(Left::Asked),
    };
    let context = Context {
        release: server.release,
        etcd: server.etcd.clone(),
        keys: server.keys.clone(),
        upstream: server.upstream.clone(),
        safepoints: server.safepoints.clone(),
        time_zone: server.time_zone.clone(),
        sort_folder: server.sort_folder.clone(),
        meters: server.meters.clone(),
        capture: id.to_owned(),
        address: server.address.clone(),
        fence: session.fence(),
        ownership: ownership.clone(),
    };
    let leave = CancellationToken::new();
    let left = match Owner::load(context).await {
        Ok((owner, handle)) => {
            server.set_current(Some(current(Some(handle))));
            let asked = async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = resign.cancelled() => {}
                }
                leave.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                left = owner.run(&leave, &lost) => left,
                () = asked => Left::Asked,
            }
        }
        Err(error) => {
            tracing::error!(%error, "failed to read the state of the changefeeds");
            Left::Asked
        }
    };
    server.set_current(Some(current(None)));
    if left == Left::Stuck || stop.is_cancelled() || lost.is_cancelled() {
        return Ok(left);
    }
    if left == Left::Asked {
        ownership.resign(&server.etcd).await?;
        tracing::info!("ownership given up");
    }
    pause(AFTER_RESIGNING, stop).await;
    Ok(left)
}
