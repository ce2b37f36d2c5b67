//! Scenarios: plain SQL files with directive lines, run through the whole chain and compared with reviewed snapshots.
//!
//! [`syntax`] reads a file into pieces, [`plan`] makes a [`Scenario`] of them, [`run`] runs it on a lab and gives a
//! [`record`], [`check`] judges what came out without being asked, [`snapshot`] compares the record with what was reviewed.
//! [`message`] and [`tables`] are what is looked at: canal-json in Kafka, rows in TiDB; [`cell`] makes their values
//! comparable.

pub mod cell;
pub mod check;
mod diff;
mod find;
pub mod message;
pub mod plan;
pub mod record;
pub mod run;
pub mod snapshot;
pub mod syntax;
pub mod tables;

pub use find::{Found, find};
pub use plan::{Scenario, ScenarioError};
pub use run::{Failure, Outcome, Runner};
pub use snapshot::{Snapshots, Update};
