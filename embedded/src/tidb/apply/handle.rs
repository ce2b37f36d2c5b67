//! How the front talks to the applier.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::{Gtid, Intent};
use crate::tidb::catalog::{Catalog, Plan};

/// Requests waiting at once; DDL statements come one at a time.
const QUEUE: usize = 16;

/// How far the applier is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The last transaction of MariaDB that is committed in TiKV.
    pub gtid: Gtid,
    /// The schema after it.
    pub catalog: Arc<Catalog>,
}

/// The applier has stopped; the process is on its way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "wait for TiKV: applying has stopped; whether the statement took effect is seen after a restart"
)]
pub struct Ended;

/// What became of a DDL statement that MariaDB refused, or whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// MariaDB has not run it: the intent is gone.
    Dropped,
    /// MariaDB has run it, and so it is applied.
    Done,
    /// MariaDB has run some of its statements: the rest has to be run.
    Partly {
        /// How many.
        seen: usize,
    },
}

#[derive(Debug)]
pub(super) enum Request {
    Begin {
        intent: Box<Intent>,
        plan: Box<Plan>,
        reply: oneshot::Sender<()>,
    },
    Seen {
        reply: oneshot::Sender<Option<usize>>,
    },
    Abandon {
        reply: oneshot::Sender<Abandoned>,
    },
    Fail {
        why: String,
    },
}

/// The front's end.
#[derive(Debug, Clone)]
pub struct ApplyHandle {
    requests: mpsc::Sender<Request>,
    progress: watch::Receiver<Progress>,
}

/// The applier's end.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) progress: watch::Sender<Progress>,
}

pub(super) fn connect(progress: Progress) -> (ApplyHandle, Desk) {
    let (requests, incoming) = mpsc::channel(QUEUE);
    let (sender, receiver) = watch::channel(progress);
    (
        ApplyHandle {
            requests,
            progress: receiver,
        },
        Desk {
            requests: incoming,
            progress: sender,
        },
    )
}

impl ApplyHandle {
    /// The schema as applied.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.progress.borrow().catalog)
    }

    /// How far the binlog is applied.
    pub fn gtid(&self) -> Gtid {
        self.progress.borrow().gtid
    }

    /// Waits until a transaction of MariaDB is committed in TiKV.
    pub async fn wait(&self, gtid: Gtid) -> Result<(), Ended> {
        if self.gtid() >= gtid {
            return Ok(());
        }
        let mut progress = self.progress.clone();
        progress
            .wait_for(|p| p.gtid >= gtid)
            .await
            .map(|_| ())
            .map_err(|_| Ended)
    }

    /// Announces a DDL statement and keeps its intent durably; only then may MariaDB hear of it. A plan without
    /// statements for MariaDB is carried out at once. One statement at a time: the caller sees to that.
    pub async fn begin(&self, intent: Intent, plan: Plan) -> Result<(), Ended> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Begin {
            intent: Box::new(intent),
            plan: Box::new(plan),
            reply,
        };
        self.requests.send(request).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// How many statements of an announced DDL statement the binlog has told of so far; none if all, or nothing is announced.
    pub async fn seen(&self) -> Result<Option<usize>, Ended> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Seen { reply })
            .await
            .map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Takes an announcement back, once the binlog up to `end` is applied and shows whether MariaDB ran the statement.
    pub async fn abandon(&self, end: Gtid) -> Result<Abandoned, Ended> {
        self.wait(end).await?;
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Abandon { reply })
            .await
            .map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Ends the applier, and with it the process: a statement is stuck half-way, and only a restart, which finds out how
    /// far it got, may go on.
    pub async fn fail(&self, why: String) -> Ended {
        // An applier that is gone has ended already.
        let _ = self.requests.send(Request::Fail { why }).await;
        Ended
    }
}
