//! Statements, and what they come to.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};

use super::Cluster;

/// Runs statements, none of which may fail.
pub async fn run(conn: &mut Conn, statements: &[&str]) {
    for sql in statements {
        conn.query_drop(*sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The code of the error that a statement ends with; none if all goes well.
pub async fn outcome(conn: &mut Conn, sql: &str) -> Option<u16> {
    match conn.query_drop(sql).await {
        Ok(()) => None,
        Err(Error::Server(error)) => Some(error.code),
        Err(other) => panic!("{sql}: {other}"),
    }
}

/// The code that a statement is refused with.
pub async fn refused(conn: &mut Conn, sql: &str) -> u16 {
    let code = outcome(conn, sql).await;
    code.unwrap_or_else(|| panic!("{sql}: it is not refused"))
}

/// A connection of this account, or code and text of the error that refuses it.
pub async fn log_in(
    cluster: &Cluster,
    user: &str,
    password: Option<&str>,
) -> Result<Conn, (u16, String)> {
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(cluster.tidb_port())
        .user(Some(user))
        .pass(password)
        .prefer_socket(false);
    Conn::new(opts).await.map_err(|error| match error {
        Error::Server(error) => (error.code, error.message),
        other => panic!("{other}"),
    })
}
