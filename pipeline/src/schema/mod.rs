//! The tables of the cluster over time, from meta keys and DDL jobs.
//!
//! [`SchemaStorage::load`] reads a snapshot; changes of [`ddl_spans`] go to [`SchemaStorage::on_kv`], and
//! [`SchemaStorage::on_resolved`] applies what is complete and gives the [`DdlEvent`]s. It knows nothing of filters or
//! options: many changefeeds share one storage. Whether a table or event is a changefeed's concern is asked with
//! [`TableInfo::is_eligible`] and [`DdlEvent::verdict`].

mod absent;
mod action;
mod error;
mod event;
pub mod field;
pub mod job;
pub mod keys;
pub mod model;
mod snapshot;
mod special_comment;
mod statement;
mod storage;
mod table;

pub use action::Action;
pub use error::SchemaError;
pub use event::{DdlEvent, Verdict};
pub use storage::{DDL_JOB_TABLE_ID, MetaReader, SchemaStorage, ddl_spans};
pub use table::{Column, Handle, Index, IndexColumn, TableInfo, TableKind};
