//! TiKV's change feed: spans followed over regions, stores and their restarts.
//!
//! ```text
//! store ══ stream ──┬─ by request id ─▶ span worker ─▶ Subscription
//! store ══ stream ──┘                   (regions, assemblers, frontier)
//! ```
//! A [`stream`] is a task for each store, shared by all subscriptions. A [`worker`] is a task for each subscription: it
//! finds the regions of its span, registers them, puts their rows together and asks again for what a store gave up. Every
//! queue on the way is bounded; a subscription that is read slowly is moved to a stream of its own, so that it holds back
//! the store and nobody else.

mod assembler;
mod holes;
mod hub;
mod lanes;
mod locate;
mod open;
mod stale;
mod stream;
mod subscription;
mod worker;

pub use self::subscription::{Batch, FeedEvent, Subscription};
pub(super) use self::{
    hub::{Hub, INBOX_BYTES},
    open::Room,
    subscription::subscribe,
};
