//! TiDB's schema: what it stores about databases and tables, and what each DDL statement writes.

pub mod auto_ids;
pub mod bootstrap;
mod build;
pub(crate) mod charset;
mod ddl;
mod error;
mod generated;
pub mod gojson;
pub mod jobs;
pub mod mariadb;
pub mod mariadb_check;
mod mariadb_partition;
mod meta;
pub mod model;
mod plan;
mod session;
pub mod show;
mod show_object;
mod show_partition;
mod state;
mod time_zone;
mod version;

pub use build::name::has_one_lower_case;
pub(crate) use build::statement;
pub(crate) use charset::max_len;
pub(crate) use ddl::{run, sql_error, unsupported};
pub use error::{CatalogError, DdlError};
pub use generated::{NOT_NULL_CHECK, SERVED_CHECK};
pub(crate) use mariadb_partition::is_divided;
pub use model::{CiStr, TableInfo};
pub use plan::{Failure, Mutation, Plan, RowMove, RowRewrite, Warning};
pub use session::{ClusteredIndex, DEFAULT_SQL_MODE, Session, is_sql_mode, sql_mode_bits};
pub use state::{Catalog, Database};
pub use time_zone::Zone;
pub use version::{TidbVersion, UnknownVersion};
