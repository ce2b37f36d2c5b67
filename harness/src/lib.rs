//! The lab and the scenario runner of cdclab.
//!
//! [`lab`] brings the chain up, [`observe`] looks at what came out of it, [`scenario`] runs SQL files through it and
//! judges, [`bench`] measures, [`cli`] is what `cargo xtask` dispatches to.

pub mod bench;
pub mod cli;
pub mod lab;
pub mod observe;
pub mod scenario;
