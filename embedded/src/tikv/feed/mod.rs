//! The change feed (`spec/tikv-cdc-protocol.md §1 and §2`; what a real store sends: `golden/tikv-feed`).
//!
//! [`hub`] knows who listens to which keys, and which locks hold the resolved-ts back; the engine's writer tells it of
//! every write, in order. A subscription begins between two writes: what was written before comes from its [`scan`],
//! what is written after comes live, nothing comes twice. [`link`] is the way to one client, [`service`] the gRPC front.

pub(crate) mod hub;
pub(crate) mod link;
mod listeners;
mod locks;
mod resolved;
pub(crate) mod scan;
pub(crate) mod service;
mod subscription;

pub(crate) use resolved::advance;
