//! The part of TiDB's SQL that change data capture has to understand: DDL statements.
//!
//! [`parse`] turns a text into [`ast::Statement`]s, [`restore`](restore::restore) writes a statement the way TiDB's own
//! parser does when TiCDC asks it to (spec/canal-json.md §10), and [`split`] cuts a text of several statements.
//! [`collation`] has the sort keys that texts are compared by.
//!
//! ```
//! use tidb_sql::{ParseOptions, Release, parse_one, restore::restore};
//!
//! let statement = parse_one("create table t1(id int primary key)", &ParseOptions::default())?;
//! assert_eq!(restore(&statement, Release::V8_5), "CREATE TABLE `t1` (`id` INT PRIMARY KEY)");
//! # Ok::<(), tidb_sql::ParseError>(())
//! ```

pub mod ast;
mod charset;
pub mod collation;
mod error;
mod keywords;
pub mod lexer;
mod options;
mod parse;
pub mod restore;
mod stack;

pub use error::{ParseError, Place};
pub use options::{ParseOptions, Release, SqlMode};
pub use parse::{parse, parse_expr, parse_one, split};
