//! The GC safepoint and the services that hold it back (golden/tikv-feed §13-pd).

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::leader::Leadership;
use super::{Error, etcd};

/// The service that stands for GC itself; its safepoint never expires.
pub const GC_WORKER: &str = "gc_worker";

/// What one service needs to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSafePoint {
    /// Who.
    pub service_id: String,
    /// Until when, in seconds since 1970; `i64::MAX` for ever.
    pub expired_at: i64,
    /// The oldest snapshot needed, a TSO.
    pub safe_point: u64,
}

/// The safepoints of a cluster, kept in etcd under `{root}/gc/safe_point`.
pub struct SafePoints {
    leadership: Arc<Leadership>,
    key: String,
    /// One update at a time: each reads all services first.
    updating: Mutex<()>,
}

impl SafePoints {
    /// The safepoints under the cluster's root.
    pub fn new(leadership: Arc<Leadership>, root: &str) -> Self {
        Self {
            leadership,
            key: format!("{root}/gc/safe_point"),
            updating: Mutex::new(()),
        }
    }

    fn service_key(&self, id: &str) -> String {
        format!("{}/service/{id}", self.key)
    }

    /// The GC safepoint, 0 if none was set.
    ///
    /// # Errors
    /// When etcd cannot be read.
    pub async fn get(&self) -> Result<u64, Error> {
        let Some(kv) = self.leadership.etcd().get(&self.key).await? else {
            return Ok(0);
        };
        let text = String::from_utf8_lossy(&kv.value);
        u64::from_str_radix(&text, 16).map_err(|error| {
            let problem = format!("`{text}` is no hexadecimal number: {error}");
            etcd::Error::Corrupt {
                key: self.key.clone(),
                problem,
            }
            .into()
        })
    }

    /// Moves the GC safepoint forward; answers where it is, which is above `to` if it was there already.
    ///
    /// # Errors
    /// When etcd cannot be read or written.
    pub async fn advance(&self, to: u64) -> Result<u64, Error> {
        let _one = self.updating.lock().await;
        let now = self.get().await?;
        if to <= now {
            return Ok(now);
        }
        let value = Bytes::from(format!("{to:x}"));
        self.leadership
            .write(vec![etcd::put(&self.key, value)])
            .await?;
        Ok(to)
    }

    /// All services, by id, expired ones included.
    ///
    /// # Errors
    /// When etcd cannot be read.
    pub async fn services(&self) -> Result<Vec<ServiceSafePoint>, Error> {
        let (kvs, _) = self.leadership.etcd().list(&self.service_key("")).await?;
        kvs.iter()
            .map(|kv| {
                serde_json::from_slice(&kv.value).map_err(|error| {
                    let key = String::from_utf8_lossy(&kv.key).into_owned();
                    etcd::Error::Corrupt {
                        key,
                        problem: error.to_string(),
                    }
                    .into()
                })
            })
            .collect()
    }

    /// The service with the oldest safepoint. Expired ones are removed; GC's own is created if missing.
    async fn minimum(&self, now: i64) -> Result<ServiceSafePoint, Error> {
        let (expired, alive): (Vec<_>, Vec<_>) = self
            .services()
            .await?
            .into_iter()
            .partition(|service| service.expired_at < now);
        if !expired.is_empty() {
            let keys = expired
                .iter()
                .map(|service| etcd::delete(&self.service_key(&service.service_id)));
            self.leadership.write(keys.collect()).await?;
        }
        let has_worker = alive.iter().any(|service| service.service_id == GC_WORKER);
        let minimum = alive.into_iter().min_by_key(|service| service.safe_point);
        match minimum {
            Some(minimum) if has_worker => Ok(minimum),
            other => {
                let safe_point = other.map_or(0, |service| service.safe_point);
                let service_id = GC_WORKER.to_owned();
                let worker = ServiceSafePoint {
                    service_id,
                    expired_at: i64::MAX,
                    safe_point,
                };
                self.save(&worker).await?;
                Ok(worker)
            }
        }
    }

    async fn save(&self, service: &ServiceSafePoint) -> Result<(), Error> {
        if service.service_id.is_empty() {
            return Err(Error::EmptyService);
        }
        if service.service_id == GC_WORKER && service.expired_at != i64::MAX {
            return Err(Error::FiniteWorker);
        }
        let value = serde_json::to_vec(service).map_err(Error::Json)?;
        self.leadership
            .write(vec![etcd::put(
                &self.service_key(&service.service_id),
                value.into(),
            )])
            .await?;
        Ok(())
    }

    /// Sets what a service needs for `ttl` seconds from `now` (seconds since 1970); a `ttl` of 0 or less removes it. A
    /// safepoint below the minimum is ignored. Answers the service that holds the minimum.
    ///
    /// # Errors
    /// For an empty service id, for GC's own service with a finite time, and when etcd cannot be read or written.
    pub async fn update_service(
        &self,
        id: &str,
        ttl: i64,
        safe_point: u64,
        now: i64,
    ) -> Result<ServiceSafePoint, Error> {
        let _one = self.updating.lock().await;
        if ttl <= 0 {
            if id == GC_WORKER {
                return Err(Error::RemoveWorker);
            }
            self.leadership
                .write(vec![etcd::delete(&self.service_key(id))])
                .await?;
        }
        let minimum = self.minimum(now).await?;
        if ttl <= 0 || safe_point < minimum.safe_point {
            return Ok(minimum);
        }
        let expired_at = if i64::MAX - now <= ttl {
            i64::MAX
        } else {
            now + ttl
        };
        self.save(&ServiceSafePoint {
            service_id: id.to_owned(),
            expired_at,
            safe_point,
        })
        .await?;
        if id == minimum.service_id {
            self.minimum(now).await
        } else {
            Ok(minimum)
        }
    }
}
