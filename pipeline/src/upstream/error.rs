//! What can go wrong between the pipeline and the cluster.

use std::time::Duration;

use crate::model::Ts;

/// A failure of [`Upstream`](super::Upstream) or of what it gives out. Messages read after "failed to".
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// An address that cannot be one.
    #[error("use the PD endpoint {endpoint:?}: {reason}")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// PD did not answer in time, whichever member was asked.
    #[error("ask PD for {what} within {waited:.1?} (endpoints {endpoints}): {last}")]
    PdUnreachable {
        /// What was asked for.
        what: &'static str,
        /// All endpoints known, joined by commas.
        endpoints: String,
        /// How long it was tried.
        waited: Duration,
        /// The last failure, with the endpoint it came from.
        last: String,
    },
    /// PD answered that it will not.
    #[error("ask PD {endpoint} for {what}: {reason}")]
    PdRefused {
        /// What was asked for.
        what: &'static str,
        /// Who refused.
        endpoint: String,
        /// PD's words.
        reason: String,
    },
    /// An id that no region has.
    #[error("find region {region}: region not found for regionID {region}")]
    NoRegion {
        /// As given.
        region: u64,
    },
    /// A read or a lock resolution did not succeed in time.
    #[error("{what} at store {store} for region {region} within {waited:.1?}: {last}")]
    Store {
        /// The request, as a verb: "read a key".
        what: &'static str,
        /// Address of the store asked last.
        store: String,
        /// Id of the region asked last.
        region: u64,
        /// How long it was tried.
        waited: Duration,
        /// The last failure.
        last: String,
    },
    /// A store answered that a key cannot be read or resolved.
    #[error("{what} for key {key}: {reason}")]
    Key {
        /// The request, as a verb: "read a key".
        what: &'static str,
        /// Hexadecimal raw key.
        key: String,
        /// The store's words.
        reason: String,
    },
    /// A lock stayed for longer than a read may wait.
    #[error(
        "read key {key} at {ts} within {waited:.1?}: it is locked by the transaction of start-ts {lock_ts}, which is alive"
    )]
    Locked {
        /// Hexadecimal raw key.
        key: String,
        /// The timestamp read at.
        ts: Ts,
        /// Start-ts of the transaction that holds the lock.
        lock_ts: Ts,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A region boundary that is no memcomparable key.
    #[error(
        "cross the boundary {boundary} of region {region}: it is not a memcomparable-encoded key"
    )]
    Boundary {
        /// Hexadecimal.
        boundary: String,
        /// Region id.
        region: u64,
    },
    /// A span that holds no key.
    #[error("follow span {span}: it holds no key, expected its start below its end")]
    EmptySpan {
        /// Hexadecimal raw keys.
        span: String,
    },
    /// The change feed of a region cannot go on.
    #[error("follow region {region} of span {span} from {resolved_ts}: {reason}")]
    Feed {
        /// Region id.
        region: u64,
        /// The span subscribed to, hexadecimal raw keys.
        span: String,
        /// Complete up to here.
        resolved_ts: Ts,
        /// What came instead.
        reason: String,
    },
    /// The stream to a store ended.
    #[error("keep the change feed of store {store} ({address}) open: {reason}")]
    Stream {
        /// Store id.
        store: u64,
        /// Its address, empty while unknown.
        address: String,
        /// Why.
        reason: String,
    },
    /// The store belongs to another cluster.
    #[error(
        "follow cluster {expected}: store {store} belongs to cluster {actual} [CDC:ErrClusterIDMismatch]"
    )]
    ClusterId {
        /// Store id.
        store: u64,
        /// The cluster of PD.
        expected: u64,
        /// The cluster of the store.
        actual: u64,
    },
    /// The store wants a newer client.
    #[error(
        "follow store {store}: it asks for a client of version {required} at least [CDC:ErrVersionIncompatible]"
    )]
    Version {
        /// Store id.
        store: u64,
        /// The version asked for.
        required: String,
    },
    /// The subscription has ended by an error reported before.
    #[error("read on: the subscription of span {span} has ended")]
    Ended {
        /// The span subscribed to, hexadecimal raw keys.
        span: String,
    },
}
