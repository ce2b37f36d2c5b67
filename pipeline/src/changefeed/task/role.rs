//! A task's part among the captures.

use crate::{
    changefeed::spread::{follow::Share, lead::Lead, tables::Tables},
    coded::Coded,
    model::Ts,
};

/// What a task has to do with other captures.
#[derive(Debug)]
pub enum Role {
    /// There are none.
    Alone,
    /// It sends DDL statements and watermarks, and holds them back until others are as far.
    Lead(Box<Lead>),
    /// It sends rows of its tables, and waits at a DDL statement until it has been sent.
    Part(Share),
}

impl Role {
    /// Whether DDL statements and watermarks are this task's to send.
    pub(super) fn leads(&self) -> bool {
        !matches!(self, Role::Part(_))
    }

    /// Whether a logical table is this task's.
    pub(super) fn has(&self, table: i64) -> bool {
        match self {
            Role::Alone => true,
            Role::Lead(lead) => lead.has(table),
            Role::Part(share) => share.has(table),
        }
    }

    /// Gives the tables out to all captures.
    pub(super) async fn begin(
        &mut self,
        checkpoint_ts: Ts,
        ddl_at_checkpoint: bool,
        tables: &Tables,
    ) -> Result<(), Coded> {
        match self {
            Role::Lead(lead) => lead.begin(checkpoint_ts, ddl_at_checkpoint, tables).await,
            Role::Alone | Role::Part(_) => Ok(()),
        }
    }

    /// Takes in what others have told; whether there was anything.
    pub(super) fn catch_up(&mut self) -> Result<bool, Coded> {
        match self {
            Role::Lead(lead) => lead.catch_up(),
            Role::Alone | Role::Part(_) => Ok(false),
        }
    }

    /// Fails if others do nothing any more and nobody told them to.
    pub(super) async fn certain(&mut self) -> Result<(), Coded> {
        match self {
            Role::Lead(lead) => lead.certain().await,
            Role::Alone | Role::Part(_) => Ok(()),
        }
    }

    /// Waits until others have told something; for ever if there are none.
    pub(super) async fn changed(&mut self) {
        match self {
            Role::Alone => std::future::pending().await,
            Role::Lead(lead) => lead.changed().await,
            Role::Part(share) => share.changed().await,
        }
    }

    /// Everything of others up to here is acknowledged.
    pub(super) fn checkpoint_ts(&self) -> Ts {
        match self {
            Role::Lead(lead) => lead.checkpoint_ts(),
            Role::Alone | Role::Part(_) => Ts::MAX,
        }
    }

    /// Everything of others up to here is read.
    pub(super) fn resolved_ts(&self) -> Ts {
        match self {
            Role::Lead(lead) => lead.resolved_ts(),
            Role::Alone | Role::Part(_) => Ts::MAX,
        }
    }

    /// Messages of others.
    pub(super) fn messages(&self) -> u64 {
        match self {
            Role::Lead(lead) => lead.messages(),
            Role::Alone | Role::Part(_) => 0,
        }
    }

    /// Whether what stands at `ts`, a DDL statement or the end, may go out or be passed by.
    pub(super) fn may_pass(&self, ts: Ts) -> bool {
        match self {
            Role::Alone => true,
            Role::Lead(lead) => lead.checkpoint_ts() >= ts,
            Role::Part(share) => share.released_ts() >= ts,
        }
    }

    /// A DDL statement has been sent, and these are the tables since.
    pub(super) async fn release(&mut self, ts: Ts, tables: &Tables) -> Result<(), Coded> {
        match self {
            Role::Lead(lead) => lead.release(ts, tables).await,
            Role::Alone | Role::Part(_) => Ok(()),
        }
    }

    /// Lets others end.
    pub(super) async fn dismiss(&mut self) {
        if let Role::Lead(lead) = self {
            lead.dismiss().await;
        }
    }

    /// Waits until others have ended, and takes in what they have done last.
    pub(super) async fn gone(&mut self) {
        if let Role::Lead(lead) = self {
            lead.gone().await;
        }
    }
}
