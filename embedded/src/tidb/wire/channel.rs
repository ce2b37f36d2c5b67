//! Packets over a byte stream.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::ServerConfig;

use super::WireError;
use super::transport::{Agreed, Transport};

const HEADER_LEN: usize = 4;
/// A packet whose payload has this length goes on in the next one.
const MAX_PAYLOAD: usize = 0xff_ffff;
/// Room for input at the start.
const INPUT_BUFFER: usize = 16 << 10;
/// Output is handed to the system when so much has gathered.
const WRITE_BUFFER: usize = 32 << 10;

/// A stream of packets; payloads beyond 16 MiB are cut and joined here.
#[derive(Debug)]
pub struct Channel<S> {
    stream: S,
    peer: &'static str,
    limit: usize,
    input: BytesMut,
    output: Vec<u8>,
    sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Channel<S> {
    /// Over `stream`; `peer` names the other side in errors, `limit` is the largest payload taken, in bytes.
    pub fn new(stream: S, peer: &'static str, limit: usize) -> Self {
        Self {
            stream,
            peer,
            limit,
            input: BytesMut::with_capacity(INPUT_BUFFER),
            output: Vec::new(),
            sequence: 0,
        }
    }

    /// Starts a new exchange: the next packet, either way, has number 0.
    pub fn restart(&mut self) {
        self.sequence = 0;
    }

    /// The next payload.
    pub async fn read(&mut self) -> Result<Bytes, WireError> {
        let (first, len) = self.read_frame().await?;
        if len < MAX_PAYLOAD {
            return Ok(first);
        }
        let mut whole = BytesMut::from(&first[..]);
        loop {
            let (part, len) = self.read_frame().await?;
            if whole.len() + len > self.limit {
                return Err(WireError::TooLarge {
                    peer: self.peer,
                    limit: self.limit,
                });
            }
            whole.extend_from_slice(&part);
            if len < MAX_PAYLOAD {
                return Ok(whole.freeze());
            }
        }
    }

    async fn read_frame(&mut self) -> Result<(Bytes, usize), WireError> {
        self.fill(HEADER_LEN).await?;
        let len = usize::from(self.input[0])
            | usize::from(self.input[1]) << 8
            | usize::from(self.input[2]) << 16;
        let found = self.input[3];
        if found != self.sequence {
            return Err(WireError::Sequence {
                peer: self.peer,
                expected: self.sequence,
                found,
            });
        }
        if len > self.limit {
            return Err(WireError::TooLarge {
                peer: self.peer,
                limit: self.limit,
            });
        }
        self.sequence = found.wrapping_add(1);
        self.fill(HEADER_LEN + len).await?;
        self.input.advance(HEADER_LEN);
        Ok((self.input.split_to(len).freeze(), len))
    }

    async fn fill(&mut self, wanted: usize) -> Result<(), WireError> {
        while self.input.len() < wanted {
            self.input.reserve(wanted - self.input.len());
            let read = self.stream.read_buf(&mut self.input).await;
            match read {
                Ok(0) => return Err(WireError::Closed { peer: self.peer }),
                Ok(_) => {}
                Err(source) => return Err(self.io(source)),
            }
        }
        Ok(())
    }

    /// Queues a payload; what has gathered is sent from time to time, all of it by [`Channel::flush`].
    pub async fn write(&mut self, payload: &[u8]) -> Result<(), WireError> {
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(MAX_PAYLOAD));
            let len = (part.len() as u32).to_le_bytes();
            self.output
                .extend_from_slice(&[len[0], len[1], len[2], self.sequence]);
            self.output.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            if self.output.len() >= WRITE_BUFFER {
                self.flush().await?;
            }
            rest = tail;
            if part.len() < MAX_PAYLOAD {
                return Ok(());
            }
        }
    }

    /// Sends what was queued.
    pub async fn flush(&mut self) -> Result<(), WireError> {
        if !self.output.is_empty() {
            let sent = self.stream.write_all(&self.output).await;
            self.output.clear();
            sent.map_err(|e| self.io(e))?;
            // TLS holds back what the system did not take at once.
            self.stream.flush().await.map_err(|e| self.io(e))?;
        }
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> WireError {
        WireError::Io {
            peer: self.peer,
            source,
        }
    }
}

impl Channel<Transport> {
    /// Goes on under TLS: the packets' numbers run on, and what the client has sent beyond its last packet is the beginning
    /// of its handshake, of which nothing is taken for a packet.
    pub async fn upgrade(self, config: Arc<ServerConfig>) -> Result<Self, WireError> {
        let upgraded = self.stream.upgrade(self.input, config).await;
        let stream = upgraded.map_err(|source| WireError::Tls {
            peer: self.peer,
            source,
        })?;
        Ok(Self {
            stream,
            input: BytesMut::with_capacity(INPUT_BUFFER),
            ..self
        })
    }

    /// What was agreed on with the client; none in the clear.
    pub fn tls(&self) -> Option<Agreed> {
        self.stream.tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(payload: Vec<u8>) {
        let (a, b) = tokio::io::duplex(1 << 16);
        let (mut a, mut b) = (Channel::new(a, "a", 1 << 26), Channel::new(b, "b", 1 << 26));
        let sent = payload.clone();
        let writer = tokio::spawn(async move {
            a.write(&sent).await.unwrap();
            a.write(b"next").await.unwrap();
            a.flush().await.unwrap();
        });
        assert!(b.read().await.unwrap() == payload);
        assert_eq!(&b.read().await.unwrap()[..], b"next");
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn payloads_of_any_size_pass() {
        for len in [
            0,
            1,
            MAX_PAYLOAD - 1,
            MAX_PAYLOAD,
            MAX_PAYLOAD + 1,
            2 * MAX_PAYLOAD,
        ] {
            through(vec![7; len]).await;
        }
    }

    #[tokio::test]
    async fn wrong_number_and_size_are_refused() {
        let (a, b) = tokio::io::duplex(64);
        let mut b = Channel::new(b, "b", 10);
        let mut a = a;
        a.write_all(&[1, 0, 0, 5, 0]).await.unwrap();
        assert!(matches!(
            b.read().await,
            Err(WireError::Sequence {
                expected: 0,
                found: 5,
                ..
            })
        ));
        let (mut a, b) = tokio::io::duplex(64);
        let mut b = Channel::new(b, "b", 10);
        a.write_all(&[11, 0, 0, 0]).await.unwrap();
        assert!(matches!(
            b.read().await,
            Err(WireError::TooLarge { limit: 10, .. })
        ));
        drop(a);
    }
}
