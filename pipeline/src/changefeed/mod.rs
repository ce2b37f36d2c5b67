//! Changefeeds: their state in etcd, who owns them, their life cycle, and the task that drives one.
//!
//! [`capture`] is a server's place in the cluster, a session, and [`election`] says which of them owns. The [`owner`] runs every
//! changefeed of the cluster: it starts and stops their [`task`]s by the rules of [`lifecycle`], persists how far they
//! have come ([`state`]), and keeps the upstream from collecting what they still need ([`gc`]). With more than one
//! capture the tables of each changefeed are [`spread`] over them.

pub mod capture;
pub mod clock;
pub mod create;
pub mod election;
pub mod fit;
pub mod gc;
pub mod info;
pub mod keys;
pub mod legacy;
pub mod lifecycle;
pub mod owner;
pub mod snapshot;
pub mod spread;
pub mod state;
pub mod task;
pub mod update;
