//! The MariaDB in the embedded TiDB, at a port: it listens on a socket of its own only, and passes for a TiDB. Readers of its binlog
//! that are not ours want a port, and tell by the version what they speak to.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Lab;
use super::error::LabError;
use super::fetch::{Fetcher, debian};
use super::topology::Kind;
use super::up::blocking;

/// Its socket in the embedded TiDB's folder.
const SOCKET: &str = "mariadb.sock";
/// Length of a packet's head in MySQL's protocol: three bytes of length, one of sequence.
const HEAD: usize = 4;
/// The version of the protocol, with which a server's greeting begins.
const PROTOCOL: u8 = 10;

/// A port that leads to MariaDB's socket; it closes with this, and so do its connections.
#[derive(Debug)]
pub struct Relay {
    /// Host and port.
    pub address: String,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lab {
    /// Opens a port of the loopback interface that leads to the MariaDB in the embedded TiDB, with its own version in the greeting.
    /// `root` has no password. Who writes there writes past TiKV: it is for readers.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn mariadb_port(&self) -> Result<Relay, LabError> {
        let socket = self.paths().data(Kind::Tidb).join(SOCKET);
        let version = blocking(|| {
            let unpacked = debian::unpacked(&Fetcher::quiet()?, &debian::MARIADB)?;
            Ok::<_, LabError>(format!("{}-MariaDB", unpacked.version))
        })
        .await?;
        let opened = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            Ok::<_, io::Error>((listener.local_addr()?, listener))
        };
        let (address, listener) = opened
            .await
            .map_err(LabError::file("open a port for", &socket))?;
        Ok(Relay {
            address: address.to_string(),
            task: tokio::spawn(serve(listener, socket, version)),
        })
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, version: String) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let (socket, version) = (socket.clone(), version.clone());
                    connections.spawn(async move { pass(client, &socket, &version).await });
                }
                // The client sees its connection refused, and says so.
                Err(error) => tracing::warn!(%error, "accepting a reader of MariaDB"),
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a reader of MariaDB");
                }
            }
        }
    }
}

async fn pass(mut client: TcpStream, socket: &Path, version: &str) -> io::Result<()> {
    let mut server = UnixStream::connect(socket).await?;
    let mut head = [0; HEAD];
    server.read_exact(&mut head).await?;
    let mut greeting = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    server.read_exact(&mut greeting).await?;
    let greeting = as_version(&greeting, version);
    let len = u32::try_from(greeting.len()).map_err(io::Error::other)?;
    head[..3].copy_from_slice(&len.to_le_bytes()[..3]);
    client.write_all(&[&head[..], &greeting].concat()).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// A greeting with another version; what is no greeting (an error: too many connections) is left as it is.
fn as_version(greeting: &[u8], version: &str) -> Vec<u8> {
    let end = greeting.iter().position(|byte| *byte == 0);
    match (greeting.first(), end) {
        (Some(&PROTOCOL), Some(end)) => {
            [&[PROTOCOL], version.as_bytes(), &greeting[end..]].concat()
        }
        _ => greeting.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_gets_another_version() {
        let greeting = b"\x0a8.0.11-TiDB-v8.5.3\0\x07\0\0\0salt";
        let changed = as_version(greeting, "10.11.14-MariaDB");
        assert_eq!(changed, b"\x0a10.11.14-MariaDB\0\x07\0\0\0salt");
        let error = b"\xff\x10\x04Too many connections";
        assert_eq!(as_version(error, "10.11.14-MariaDB"), error);
    }
}
