//! Leadership: a leased key in etcd, and writes that succeed only while it is ours.
//!
//! Two PDs on one etcd would hand out the same timestamps and ids; the key makes sure that only one does, as in the real PD.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prost::Message as _;
use proto::etcdserverpb::{Compare, RequestOp};
use proto::pdpb::Member;

use super::etcd::{self, Etcd};

/// Seconds after which a silent leader is replaced.
const LEASE_SECONDS: i64 = 5;
const RENEW_EVERY: Duration = Duration::from_millis(1500);
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// What a try to lead came to.
#[derive(Debug)]
pub enum Campaign {
    /// This PD leads.
    Won,
    /// Another one does.
    Lost(Box<Member>),
}

/// The leader key of a cluster and whether it is ours.
pub struct Leadership {
    etcd: Etcd,
    key: String,
    member: Member,
    term: Mutex<Option<Term>>,
}

#[derive(Debug, Clone, Copy)]
struct Term {
    lease: i64,
    created: i64,
    valid_until: Instant,
    ready: bool,
}

impl Leadership {
    /// The leadership under `key`, for `member`.
    pub fn new(etcd: Etcd, key: String, member: Member) -> Self {
        Self {
            etcd,
            key,
            member,
            term: Mutex::new(None),
        }
    }

    /// The etcd everything is kept in.
    pub fn etcd(&self) -> &Etcd {
        &self.etcd
    }

    /// This member.
    pub fn member(&self) -> &Member {
        &self.member
    }

    fn term(&self) -> std::sync::MutexGuard<'_, Option<Term>> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this PD leads, has loaded its state, and its lease cannot have expired.
    pub fn leads(&self) -> bool {
        self.term()
            .is_some_and(|term| term.ready && Instant::now() < term.valid_until)
    }

    /// Says that the state is loaded: requests may be answered from now on.
    pub fn ready(&self) {
        if let Some(term) = self.term().as_mut() {
            term.ready = true;
        }
    }

    /// Writes, if this PD leads.
    ///
    /// # Errors
    /// [`etcd::Error::NotLeader`] when it does not, else when etcd cannot be asked.
    pub async fn write(&self, ops: Vec<RequestOp>) -> Result<(), etcd::Error> {
        self.write_if(Vec::new(), ops).await.map(|_| ())
    }

    /// Writes, if this PD leads and the conditions hold; answers whether they did.
    ///
    /// # Errors
    /// [`etcd::Error::NotLeader`] when this PD does not lead, else when etcd cannot be asked.
    pub async fn write_if(
        &self,
        conditions: Vec<Compare>,
        ops: Vec<RequestOp>,
    ) -> Result<bool, etcd::Error> {
        let created = self
            .term()
            .map(|term| term.created)
            .ok_or(etcd::Error::NotLeader)?;
        let unconditional = conditions.is_empty();
        let mut compare = conditions;
        compare.push(etcd::created_at(&self.key, created));
        let answer = self.etcd.txn(compare, ops, Vec::new()).await?;
        if answer.succeeded {
            return Ok(true);
        }
        if unconditional || !self.holds_key(created).await? {
            self.step_down("the leader key is not ours any more");
            return Err(etcd::Error::NotLeader);
        }
        Ok(false)
    }

    async fn holds_key(&self, created: i64) -> Result<bool, etcd::Error> {
        Ok(self
            .etcd
            .get(&self.key)
            .await?
            .is_some_and(|kv| kv.create_revision == created))
    }

    fn step_down(&self, why: &str) {
        if self.term().take().is_some() {
            tracing::warn!(why, "this PD leads no longer");
        }
    }

    /// Tries to lead, once. A key left by an earlier life of this very member (same name, same address) is taken over.
    ///
    /// # Errors
    /// When etcd cannot be asked, or holds something unreadable.
    pub async fn campaign(&self) -> Result<Campaign, etcd::Error> {
        let started = Instant::now();
        let found = self.etcd.get(&self.key).await?;
        let condition = match &found {
            None => etcd::absent(&self.key),
            Some(kv) => {
                let leader =
                    Member::decode(kv.value.clone()).map_err(|error| etcd::Error::Corrupt {
                        key: self.key.clone(),
                        problem: error.to_string(),
                    })?;
                if leader.name != self.member.name || leader.client_urls != self.member.client_urls
                {
                    return Ok(Campaign::Lost(Box::new(leader)));
                }
                etcd::created_at(&self.key, kv.create_revision)
            }
        };
        let lease = self.etcd.grant(LEASE_SECONDS).await?;
        let value = self.member.encode_to_vec().into();
        let answer = self
            .etcd
            .txn(
                vec![condition],
                vec![etcd::put_leased(&self.key, value, lease)],
                Vec::new(),
            )
            .await?;
        if !answer.succeeded {
            self.etcd.revoke(lease).await?;
            return Ok(Campaign::Lost(Box::default()));
        }
        let created = match (found, answer.header) {
            (Some(kv), _) => kv.create_revision,
            (None, Some(header)) => header.revision,
            (None, None) => return Err(etcd::Error::NotLeader),
        };
        let valid_until = started + lease_time();
        *self.term() = Some(Term {
            lease,
            created,
            valid_until,
            ready: false,
        });
        Ok(Campaign::Won)
    }

    /// Renews the lease for as long as this PD leads; returns when it does not.
    pub async fn hold(&self) {
        let mut pause = RENEW_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let started = Instant::now();
            let Some(Term { lease, created, .. }) = *self.term() else {
                return;
            };
            match self.etcd.keep_alive(lease).await {
                Ok(ttl) if ttl > 0 => match self.holds_key(created).await {
                    Ok(true) => {
                        if let Some(term) = self.term().as_mut() {
                            term.valid_until = started + lease_time();
                        }
                        pause = RENEW_EVERY;
                    }
                    Ok(false) => return self.step_down("another PD leads"),
                    Err(error) => {
                        tracing::warn!(%error, "etcd does not answer");
                        pause = RETRY_EVERY;
                    }
                },
                Ok(_) => return self.step_down("the lease has expired"),
                Err(error) => {
                    tracing::warn!(%error, "etcd does not answer");
                    pause = RETRY_EVERY;
                }
            }
        }
    }

    /// Gives the leadership up, so that the next PD need not wait for the lease.
    pub async fn resign(self: &Arc<Self>) {
        let Some(term) = self.term().take() else {
            return;
        };
        if let Err(error) = self.etcd.revoke(term.lease).await {
            tracing::debug!(%error, "the leader's lease was not given back");
        }
    }
}

/// How long a renewed lease is relied on: less than etcd grants.
fn lease_time() -> Duration {
    Duration::from_secs(LEASE_SECONDS.unsigned_abs()) - Duration::from_millis(500)
}
