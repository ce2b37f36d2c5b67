//! What the command line asks: PD, its etcd, and the owner.

use std::{collections::BTreeMap, time::Duration};

use serde::de::DeserializeOwned;

use super::super::{Failure, pd};
use crate::{
    changefeed::{
        capture, election,
        info::{AdminJob, CaptureInfo},
        keys::{Id, Keys},
        legacy::{JobStatus, LegacyInfo, LegacyPosition, TaskStatus},
    },
    compat::Compat,
    config::golang,
    etcd,
    upstream::Upstream,
};

/// How long the owner may take to answer.
const WITHIN: Duration = Duration::from_secs(30);

/// A cluster of captures behind one PD.
pub(super) struct Cluster {
    pub(super) pd: String,
    pub(super) etcd: etcd::Client,
    pub(super) keys: Keys,
    http: reqwest::Client,
}

/// What the owner says.
pub(super) enum Owner {
    /// It answered with this text.
    Answered(String),
    /// There is none.
    Absent,
}

/// What is said when there is no owner.
pub(super) fn no_owner() -> Failure {
    Failure("owner not found".to_owned())
}

impl Cluster {
    pub(super) fn new(pd: &str) -> Result<Self, Failure> {
        for endpoint in pd.split(',') {
            if !endpoint.starts_with("http://") {
                return Err(Failure("PD endpoint scheme should be http".to_owned()));
            }
        }
        Ok(Self {
            pd: pd.to_owned(),
            etcd: pd::etcd(pd)?,
            keys: Keys::new(Compat::V4_0_9, ""),
            http: reqwest::Client::builder()
                .timeout(WITHIN)
                .no_proxy()
                .build()?,
        })
    }

    /// An error of etcd in the original's words.
    pub(super) fn failed(&self, error: etcd::Error) -> Failure {
        if error.is_unreachable() {
            Failure(format!(
                "fail to open PD etcd client, pd-addr={}: context deadline exceeded",
                golang::quote(&self.pd)
            ))
        } else {
            error.into()
        }
    }

    /// The cluster that is replicated.
    pub(super) async fn upstream(&self) -> Result<Upstream, Failure> {
        Upstream::connect(&pd::endpoints(&self.pd))
            .await
            .map_err(|error| {
                Failure(format!(
                    "fail to open PD client, pd-addr={}: {error}",
                    golang::quote(&self.pd)
                ))
            })
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        let pair = self
            .etcd
            .get(key)
            .await
            .map_err(|error| self.failed(error))?;
        pair.map(|pair| {
            serde_json::from_slice(&pair.value)
                .map_err(|error| Failure(format!("read the value of {key} in etcd: {error}")))
        })
        .transpose()
    }

    pub(super) async fn info(&self, id: &Id) -> Result<Option<LegacyInfo>, Failure> {
        self.read(&self.keys.info(id)).await
    }

    pub(super) async fn status(&self, id: &Id) -> Result<Option<JobStatus>, Failure> {
        self.read(&self.keys.status(id)).await
    }

    /// The values of a kind of tasks' keys, by capture and changefeed.
    async fn tasks<T: DeserializeOwned>(
        &self,
        kind: &str,
    ) -> Result<BTreeMap<(String, String), T>, Failure> {
        let (pairs, _) = self
            .etcd
            .list(&self.keys.task_prefix(kind))
            .await
            .map_err(|error| self.failed(error))?;
        let mut tasks = BTreeMap::new();
        for pair in pairs {
            let key = String::from_utf8_lossy(&pair.key);
            if let Some(of) = self.keys.parse_task(kind, &key) {
                let value = serde_json::from_slice(&pair.value).map_err(|error| {
                    Failure(format!("read the value of {key} in etcd: {error}"))
                })?;
                tasks.insert(of, value);
            }
        }
        Ok(tasks)
    }

    pub(super) async fn task_statuses(
        &self,
    ) -> Result<BTreeMap<(String, String), TaskStatus>, Failure> {
        self.tasks("status").await
    }

    pub(super) async fn task_positions(
        &self,
    ) -> Result<BTreeMap<(String, String), LegacyPosition>, Failure> {
        self.tasks("position").await
    }

    /// Ids below a prefix.
    pub(super) async fn ids(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let (pairs, _) = self
            .etcd
            .list(prefix)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(pairs
            .iter()
            .map(|pair| String::from_utf8_lossy(&pair.key[prefix.len()..]).into_owned())
            .collect())
    }

    pub(super) async fn captures(&self) -> Result<(Vec<CaptureInfo>, Option<String>), Failure> {
        let failed = |error| self.failed(error);
        let captures = capture::captures(&self.etcd, &self.keys)
            .await
            .map_err(failed)?;
        let owner = election::owner(&self.etcd, &self.keys)
            .await
            .map_err(failed)?;
        Ok((captures, owner))
    }

    /// Posts a form to the owner.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Owner, Failure> {
        let (captures, owner) = self.captures().await?;
        let Some(owner) = captures
            .into_iter()
            .find(|capture| Some(&capture.id) == owner.as_ref())
        else {
            return Ok(Owner::Absent);
        };
        let url = format!("http://{}{path}", owner.address);
        let failed = |error: reqwest::Error| {
            Failure(format!(
                "Post \"{url}\": {}",
                crate::api::root_cause(&error)
            ))
        };
        let answer = self
            .http
            .post(&url)
            .form(form)
            .send()
            .await
            .map_err(failed)?;
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        if status.is_success() {
            return Ok(Owner::Answered(text));
        }
        Err(Failure(match status.is_client_error() {
            true => text,
            false => format!("{} {text}", status.as_u16()),
        }))
    }

    /// What the owner says of a changefeed.
    pub(super) async fn summary(&self, id: &str) -> Result<Owner, Failure> {
        self.post("/capture/owner/changefeed/query", &[("cf-id", id)])
            .await
    }

    /// Orders something of the owner.
    pub(super) async fn order(&self, id: &str, job: AdminJob, force: bool) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        struct Common {
            status: bool,
            message: String,
        }
        let number = i32::from(job).to_string();
        let force = force.to_string();
        let form = [
            ("admin-job", number.as_str()),
            ("cf-id", id),
            ("force-remove", force.as_str()),
        ];
        match self.post("/capture/owner/admin", &form).await? {
            Owner::Absent => Err(no_owner()),
            Owner::Answered(text) => match serde_json::from_str::<Common>(&text) {
                Ok(Common {
                    status: false,
                    message,
                }) => Err(Failure(message)),
                Ok(_) => Ok(()),
                Err(error) => Err(Failure(format!("read the owner's answer: {error}"))),
            },
        }
    }
}
