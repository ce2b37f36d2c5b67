//! Statements on TiDB and their results as text, as a client sees them.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Value};
use thiserror::Error;

/// Why a statement gave no rows.
#[derive(Debug, Error)]
pub enum SqlError {
    /// The server refused the statement.
    #[error("ERROR {code} ({state}): {message}")]
    Server {
        /// MySQL error code.
        code: u16,
        /// SQLSTATE.
        state: String,
        /// The server's text.
        message: String,
    },
    /// The connection failed.
    #[error("reach TiDB at {address}: {source}")]
    Connection {
        /// Host and port.
        address: String,
        /// The cause.
        source: Box<mysql_async::Error>,
    },
}

/// Columns and rows; bytes as the text protocol gives them, `None` is NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows in the server's order.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// One session.
pub struct Session {
    address: String,
    conn: Conn,
}

impl Session {
    /// Connects to `host:port` as root.
    ///
    /// # Errors
    /// [`SqlError::Connection`].
    pub async fn connect(address: &str) -> Result<Session, SqlError> {
        let failed = |source| SqlError::Connection {
            address: address.to_owned(),
            source: Box::new(source),
        };
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "4000"));
        let opts = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port.parse().unwrap_or(4000))
            .user(Some("root"))
            .prefer_socket(false);
        let conn = Conn::new(Opts::from(opts)).await.map_err(failed)?;
        Ok(Session {
            address: address.to_owned(),
            conn,
        })
    }

    /// Runs one statement and reads its whole result.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn run(&mut self, sql: &str) -> Result<Rows, SqlError> {
        let address = self.address.clone();
        let failed = |error| match error {
            mysql_async::Error::Server(server) => SqlError::Server {
                code: server.code,
                state: server.state,
                message: server.message,
            },
            other => SqlError::Connection {
                address: address.clone(),
                source: Box::new(other),
            },
        };
        let mut result = self.conn.query_iter(sql).await.map_err(&failed)?;
        let columns = result
            .columns()
            .map(|columns| columns.iter().map(|c| c.name_str().into_owned()).collect());
        let rows = result
            .collect::<mysql_async::Row>()
            .await
            .map_err(&failed)?;
        drop(result);
        let rows = rows
            .into_iter()
            .map(|row| row.unwrap().into_iter().map(text).collect())
            .collect();
        Ok(Rows {
            columns: columns.unwrap_or_default(),
            rows,
        })
    }

    /// The first column of each row as a string.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn strings(&mut self, sql: &str) -> Result<Vec<String>, SqlError> {
        let rows = self.run(sql).await?.rows;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten())
            .map(lossy)
            .collect())
    }

    /// Says goodbye.
    pub async fn close(self) {
        if let Err(error) = self.conn.disconnect().await {
            tracing::debug!(%error, "closing a session");
        }
    }
}

/// Bytes as text.
pub fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        // The text protocol sends nothing else; were a value typed, its SQL literal is its text.
        other => Some(other.as_sql(true).trim_matches('\'').as_bytes().to_vec()),
    }
}

/// `name` as an SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
