//! Percolator's steps on a consistent view: each gives what to write, or why not.
//!
//! The rules are those of TiKV's `storage/txn/actions`; what an outside reader can see of them is held to
//! `golden/tikv-feed`. Callers hold the latches of the keys.

pub(crate) mod end;
pub(crate) mod gc;
pub(crate) mod pessimistic;
pub(crate) mod prewrite;
pub(crate) mod read;
pub(crate) mod refuse;
pub(crate) mod status;

use proto::kvrpcpb as kv;

use super::engine::EngineError;

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client is told.
    Refused(Box<kv::KeyError>),
    /// The engine failed.
    Engine(EngineError),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<kv::KeyError> for Stop {
    fn from(error: kv::KeyError) -> Self {
        Self::Refused(Box::new(error))
    }
}

#[cfg(test)]
mod tests;
