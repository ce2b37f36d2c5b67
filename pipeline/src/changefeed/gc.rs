//! Keeping TiKV from collecting versions that changefeeds still need (`spec/tikv-cdc-protocol.md §8`).

use std::time::Duration;

use super::keys::Id;
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    model::Ts,
    upstream::{self, Upstream},
};

/// For what a safepoint of a single changefeed is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is being created.
    Creating,
    /// It is being resumed.
    Resuming,
    /// Its task is starting.
    Initializing,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Creating => "creating",
            Purpose::Resuming => "resuming",
            Purpose::Initializing => "initializing",
        }
    }

    fn ttl_secs(self, compat: Compat) -> i64 {
        match (compat, self) {
            (Compat::V4_0_9, _) | (_, Purpose::Initializing) => 600,
            _ => 3600,
        }
    }
}

/// The safepoints of one cluster of captures.
#[derive(Debug, Clone)]
pub struct Safepoints {
    upstream: Upstream,
    compat: Compat,
    /// `ticdc`, or `ticdc-{cluster}-{id of etcd}`.
    service: String,
    ttl: Duration,
}

impl Safepoints {
    /// Safepoints in the name of this cluster of captures; `ttl` is the server's `--gc-ttl`.
    #[must_use]
    pub fn new(
        upstream: Upstream,
        compat: Compat,
        cluster: &str,
        etcd_cluster: u64,
        ttl: Duration,
    ) -> Self {
        let service = match compat {
            Compat::V4_0_9 => "ticdc".to_owned(),
            Compat::V6_5 | Compat::V8_5 => format!("ticdc-{cluster}-{etcd_cluster}"),
        };
        Self {
            upstream,
            compat,
            service,
            ttl,
        }
    }

    /// The name under which PD lists the safepoint of all changefeeds.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// How often the safepoint is moved.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.compat {
            Compat::V4_0_9 => Duration::from_secs(2),
            Compat::V6_5 | Compat::V8_5 => Duration::from_secs(60),
        }
    }

    /// Keeps what lies above `checkpoint`; answers the least safepoint of all services.
    ///
    /// # Errors
    /// When PD does not answer.
    pub async fn keep(&self, checkpoint: Ts) -> Result<Ts, upstream::Error> {
        let ts = match self.compat {
            Compat::V4_0_9 => checkpoint,
            Compat::V6_5 | Compat::V8_5 => checkpoint.saturating_sub(1),
        };
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        self.upstream
            .update_service_safepoint(&self.service, ttl, ts)
            .await
    }

    /// Lets the safepoint of all changefeeds go.
    ///
    /// # Errors
    /// When PD does not answer.
    pub async fn release(&self) -> Result<(), upstream::Error> {
        self.drop_service(&self.service).await
    }

    async fn drop_service(&self, service: &str) -> Result<(), upstream::Error> {
        let ts = match self.compat {
            Compat::V4_0_9 => 0,
            Compat::V6_5 | Compat::V8_5 => Ts::MAX,
        };
        self.upstream
            .update_service_safepoint(service, 0, ts)
            .await
            .map(drop)
    }

    /// The least safepoint of all services: what lies below may be gone.
    ///
    /// # Errors
    /// When PD does not answer.
    pub async fn least(&self) -> Result<Ts, upstream::Error> {
        // removing what is not there changes nothing and answers the minimum
        let nobody = format!("{}-nobody", self.service);
        self.upstream
            .update_service_safepoint(&nobody, 0, Ts::MAX)
            .await
    }

    fn single(&self, id: &Id, purpose: Purpose) -> String {
        match self.compat {
            Compat::V4_0_9 => "ticdc-changefeed-creating".to_owned(),
            Compat::V6_5 | Compat::V8_5 => format!(
                "{}-{}-{}_{}",
                self.service,
                purpose.name(),
                id.namespace,
                id.id
            ),
        }
    }

    /// Holds what lies above `ts` for a while, and makes sure that nothing of it is gone yet.
    ///
    /// # Errors
    /// `ErrStartTsBeforeGC`.
    pub async fn ensure(&self, id: &Id, purpose: Purpose, ts: Ts) -> Result<(), Coded> {
        let ttl = purpose.ttl_secs(self.compat);
        let least = self
            .upstream
            .update_service_safepoint(&self.single(id, purpose), ttl, ts)
            .await
            .map_err(|error| {
                Coded::new(
                    Code::ErrOwnerUnknown,
                    format!("failed to hold the GC safepoint: {error}"),
                )
            })?;
        match self.compat {
            Compat::V4_0_9 if ts < least => Err(Coded::new(
                Code::ErrStartTsBeforeGC,
                format!("start-ts {ts} is earlier than GC safepoint at {least}"),
            )),
            Compat::V6_5 | Compat::V8_5 if ts < least.saturating_add(1) && ts != Ts::MAX => {
                Err(before_gc(ts, least))
            }
            _ => Ok(()),
        }
    }

    /// Lets go what [`ensure`](Self::ensure) held.
    ///
    /// # Errors
    /// When PD does not answer.
    pub async fn undo(&self, id: &Id, purpose: Purpose) -> Result<(), upstream::Error> {
        if self.compat == Compat::V4_0_9 {
            // one name for all: somebody else may be creating, and it expires by itself
            return Ok(());
        }
        self.drop_service(&self.single(id, purpose)).await
    }

    /// Whether garbage collection is held up for a changefeed that has failed: as long as `--gc-ttl`.
    #[must_use]
    pub fn is_held(&self, checkpoint: Ts) -> bool {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let lag = now.saturating_sub(crate::model::physical_ms(checkpoint));
        Duration::from_millis(lag) <= self.ttl
    }

    /// What is wrong with a checkpoint, given the least safepoint of all services and the current TSO.
    ///
    /// # Errors
    /// `ErrGCTTLExceeded` when this cluster of captures holds everybody up for longer than it may;
    /// `ErrSnapshotLostByGC` when somebody else let the data go.
    pub fn check(&self, checkpoint: Ts, least: Ts, now: Ts, id: &Id) -> Result<(), Coded> {
        let lag = Duration::from_millis(super::clock::lag_ms(checkpoint, now));
        if lag > self.ttl {
            return Err(Coded::new(
                Code::ErrGCTTLExceeded,
                format!(
                    "the checkpoint-ts({checkpoint}) lag of the changefeed({}) has exceeded the GC TTL",
                    id.id
                ),
            ));
        }
        if checkpoint < least {
            return Err(Coded::new(
                Code::ErrSnapshotLostByGC,
                format!(
                    "fail to create or maintain changefeed due to snapshot loss caused by GC. checkpoint-ts \
                     {checkpoint} is earlier than or equal to GC safepoint at {least}"
                ),
            ));
        }
        Ok(())
    }
}

/// What is said of a start-ts whose data is gone.
pub(crate) fn before_gc(ts: Ts, safepoint: Ts) -> Coded {
    Coded::new(
        Code::ErrStartTsBeforeGC,
        format!(
            "fail to create or maintain changefeed because start-ts {ts} is earlier than or equal to GC safepoint at \
             {safepoint}"
        ),
    )
}
