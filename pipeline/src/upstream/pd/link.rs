//! Which member of PD leads, and asking it.

use std::{
    fmt::Write as _,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::pdpb::{self, pd_client::PdClient};
use tokio::sync::watch;
use tonic::{Code, Response, Status, transport::Channel};

use super::super::{
    Error,
    channel::{Channels, MESSAGE_LIMIT, normalize},
    retry::Backoff,
};

/// How long one member may take to answer before another is asked.
const PER_TRY: Duration = Duration::from_secs(3);

/// A reply with PD's header.
pub(super) trait Reply {
    /// The header, missing from no reply of a real PD.
    fn header(&self) -> Option<&pdpb::ResponseHeader>;
}

macro_rules! replies {
    ($($reply:ident),* $(,)?) => {$(
        impl Reply for pdpb::$reply {
            fn header(&self) -> Option<&pdpb::ResponseHeader> {
                self.header.as_ref()
            }
        }
    )*};
}
replies!(
    GetMembersResponse,
    GetStoreResponse,
    GetAllStoresResponse,
    GetRegionResponse,
    ScanRegionsResponse,
    UpdateServiceGcSafePointResponse,
);

/// The members of PD and the connections to them.
#[derive(Debug)]
pub(super) struct Link {
    cluster_id: u64,
    /// As given by the user; asked again when no member known answers.
    seeds: Vec<String>,
    leader: Mutex<Option<String>>,
    /// The client addresses of all members, the seeds before one has answered.
    members: watch::Sender<Vec<String>>,
    channels: Channels,
}

/// Why a try failed and whether another one can help.
struct Failure {
    reason: String,
    again: bool,
}

impl Link {
    /// Asks `seeds` for the members until one answers.
    pub(super) async fn connect(seeds: &[String], limit: Duration) -> Result<Self, Error> {
        let mut normal = Vec::new();
        for seed in seeds {
            let endpoint = || seed.clone();
            normal.push(normalize(seed).map_err(|reason| Error::Endpoint {
                endpoint: endpoint(),
                reason,
            })?);
        }
        if normal.is_empty() {
            return Err(Error::Endpoint {
                endpoint: String::new(),
                reason: "none is given".into(),
            });
        }
        let mut link = Self {
            cluster_id: 0,
            members: watch::Sender::new(normal.clone()),
            seeds: normal,
            leader: Mutex::default(),
            channels: Channels::new(1 << 20),
        };
        let mut backoff = Backoff::within(limit);
        loop {
            match link.discover().await {
                Ok(cluster_id) => {
                    link.cluster_id = cluster_id;
                    return Ok(link);
                }
                Err(last) if !backoff.pause(Duration::ZERO).await => {
                    return Err(link.unreachable("its members", &backoff, last));
                }
                Err(_) => {}
            }
        }
    }

    /// The id of the cluster.
    pub(super) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// The client addresses of all members known.
    pub(super) fn members(&self) -> watch::Receiver<Vec<String>> {
        self.members.subscribe()
    }

    fn endpoints(&self) -> Vec<String> {
        self.members.borrow().clone()
    }

    /// The header of a request.
    pub(super) fn header(&self) -> pdpb::RequestHeader {
        pdpb::RequestHeader {
            cluster_id: self.cluster_id,
            ..Default::default()
        }
    }

    /// A client of the leader, and its address.
    pub(super) fn leader(&self) -> Result<(PdClient<Channel>, String), String> {
        let leader = self.last_leader().clone().ok_or("no leader is known")?;
        Ok((self.client(&leader)?, leader))
    }

    /// Asks the leader, whoever that is by then, until it answers or the limit is over. Gives the answer and who gave it.
    pub(super) async fn call<T, F, Fut>(
        &self,
        what: &'static str,
        limit: Duration,
        rpc: F,
    ) -> Result<(T, String), Error>
    where
        T: Reply,
        F: Fn(PdClient<Channel>, pdpb::RequestHeader) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let mut backoff = Backoff::within(limit);
        loop {
            let last = match self.leader() {
                Err(reason) => reason,
                Ok((client, endpoint)) => match self.attempt(rpc(client, self.header())).await {
                    Ok(reply) => return Ok((reply, endpoint)),
                    Err(Failure {
                        reason,
                        again: false,
                    }) => {
                        return Err(Error::PdRefused {
                            what,
                            endpoint,
                            reason,
                        });
                    }
                    Err(Failure { reason, .. }) => format!("{endpoint}: {reason}"),
                },
            };
            self.rediscover(&mut backoff, what, last).await?;
        }
    }

    /// After a failure: finds the leader again and pauses; an error where no time is left.
    pub(super) async fn rediscover(
        &self,
        backoff: &mut Backoff,
        what: &'static str,
        last: String,
    ) -> Result<(), Error> {
        tracing::debug!(
            what,
            last,
            "PD did not answer, its leader is looked for again"
        );
        let last = match self.discover().await {
            Ok(_) => last,
            Err(reason) => format!("{last}; {reason}"),
        };
        match backoff.pause(Duration::ZERO).await {
            true => Ok(()),
            false => Err(self.unreachable(what, backoff, last)),
        }
    }

    fn unreachable(&self, what: &'static str, backoff: &Backoff, last: String) -> Error {
        Error::PdUnreachable {
            what,
            endpoints: self.endpoints().join(","),
            waited: backoff.waited(),
            last,
        }
    }

    async fn attempt<T: Reply>(
        &self,
        rpc: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let reply = match tokio::time::timeout(PER_TRY, rpc).await {
            Err(_) => {
                return Err(Failure {
                    reason: format!("no answer in {PER_TRY:?}"),
                    again: true,
                });
            }
            Ok(Err(status)) => {
                return Err(Failure {
                    again: passes(&status),
                    reason: describe(&status),
                });
            }
            Ok(Ok(reply)) => reply.into_inner(),
        };
        match reply.header().and_then(|header| header.error.as_ref()) {
            Some(error) if error.r#type != pdpb::ErrorType::Ok as i32 => {
                let again = error.r#type() == pdpb::ErrorType::NotBootstrapped;
                Err(Failure {
                    reason: format!("{} ({})", error.message, error.r#type().as_str_name()),
                    again,
                })
            }
            _ => Ok(reply),
        }
    }

    /// Asks everyone known for the members until one names a leader; answers the cluster id.
    pub(super) async fn discover(&self) -> Result<u64, String> {
        let leader = self.last_leader().clone();
        let mut endpoints: Vec<String> = leader
            .into_iter()
            .chain(self.endpoints())
            .chain(self.seeds.iter().cloned())
            .collect();
        let mut seen = std::collections::HashSet::new();
        endpoints.retain(|endpoint| seen.insert(endpoint.clone()));
        let mut reasons = String::new();
        for endpoint in endpoints {
            match self.members_of(&endpoint).await {
                Ok(cluster_id) => return Ok(cluster_id),
                Err(reason) => write!(
                    reasons,
                    "{}{endpoint}: {reason}",
                    if reasons.is_empty() { "" } else { "; " }
                )
                .unwrap_or_default(),
            }
        }
        Err(reasons)
    }

    async fn members_of(&self, endpoint: &str) -> Result<u64, String> {
        let mut client = self.client(endpoint)?;
        // GetMembers is the one request that needs no cluster id.
        let request = pdpb::GetMembersRequest {
            header: Some(self.header()),
        };
        let reply = self
            .attempt(client.get_members(request))
            .await
            .map_err(|failure| failure.reason)?;
        let cluster_id = reply.header().map_or(0, |header| header.cluster_id);
        if cluster_id == 0 {
            return Err("it names no cluster id".into());
        }
        if self.cluster_id != 0 && self.cluster_id != cluster_id {
            return Err(format!(
                "it serves cluster {cluster_id}, not {}",
                self.cluster_id
            ));
        }
        let urls = |member: &pdpb::Member| {
            member
                .client_urls
                .iter()
                .filter_map(|url| normalize(url).ok())
                .next()
        };
        let leader = reply
            .leader
            .as_ref()
            .and_then(urls)
            .ok_or("it names no leader")?;
        let all: Vec<String> = reply.members.iter().filter_map(urls).collect();
        if self.last_leader().replace(leader.clone()).as_ref() != Some(&leader) {
            tracing::info!(leader, members = all.join(","), "found the leader of PD");
        }
        self.members.send_if_modified(|known| {
            // Where it names a leader and no members, those known are as good as any.
            let news = !all.is_empty() && *known != all;
            if news {
                *known = all;
            }
            news
        });
        Ok(cluster_id)
    }

    fn client(&self, endpoint: &str) -> Result<PdClient<Channel>, String> {
        let channel = self
            .channels
            .get(endpoint)
            .map_err(|error| error.to_string())?;
        Ok(PdClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }

    fn last_leader(&self) -> MutexGuard<'_, Option<String>> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a failure of this kind can pass: the member is gone, restarts, or leads no more.
fn passes(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::PermissionDenied
            | Code::Unauthenticated
    )
}

/// A status as a fragment, with what lies under it (tonic tells "transport error" and no more).
pub(in crate::upstream) fn describe(status: &Status) -> String {
    let mut text = format!("{} ({:?})", status.message(), status.code());
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        write!(text, ": {error}").unwrap_or_default();
        source = error.source();
    }
    text
}
