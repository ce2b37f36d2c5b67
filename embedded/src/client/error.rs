//! What can go wrong between the client and the cluster.

use std::time::Duration;

/// Why a call failed. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing helped within the time allowed.
    #[error("{what}: still failing after {} ms, last: {last}", waited.as_millis())]
    Exhausted {
        /// The call.
        what: &'static str,
        /// How long it was tried.
        waited: Duration,
        /// What the last attempt met.
        last: String,
    },
    /// An address that is none.
    #[error("use {address:?} as an address: expected http://host:port")]
    Address {
        /// The address as given.
        address: String,
    },
    /// No PD endpoint was given.
    #[error("connect to PD: no endpoint given")]
    NoEndpoint,
    /// PD belongs to another cluster than before.
    #[error(
        "use PD at {address}: it serves cluster {found}, this process is bound to cluster {expected}"
    )]
    OtherCluster {
        /// The PD.
        address: String,
        /// The cluster seen before.
        expected: u64,
        /// Its cluster.
        found: u64,
    },
    /// A store refused a request for good.
    #[error("{what}: the store refused it: {why}")]
    Refused {
        /// The request.
        what: &'static str,
        /// Its words.
        why: String,
    },
    /// A reply lacks what the protocol promises.
    #[error("{what}: the reply is malformed: {why}")]
    Malformed {
        /// The request.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The transaction was rolled back, by itself or by someone who met its locks.
    #[error("commit the transaction of {start_ts}: it was rolled back: {why}")]
    RolledBack {
        /// Its start TSO.
        start_ts: u64,
        /// Why.
        why: String,
    },
    /// It is unknown whether the transaction was committed.
    #[error("commit the transaction of {start_ts}: its outcome is unknown: {why}")]
    Undetermined {
        /// Its start TSO.
        start_ts: u64,
        /// What was met.
        why: String,
    },
}
