//! A client's byte stream: in the clear, or under TLS once the client has asked for it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream;

/// A client's byte stream.
#[derive(Debug)]
pub enum Transport {
    /// As it is on the wire.
    Clear(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream<Begun>>),
}

impl Transport {
    /// Answers a client's TLS handshake, whose beginning `head` is.
    ///
    /// # Errors
    /// The client and the server did not come to terms, or the connection broke.
    pub async fn upgrade(self, head: BytesMut, config: Arc<ServerConfig>) -> io::Result<Self> {
        let Self::Clear(stream) = self else {
            return Err(io::Error::other("TLS within TLS"));
        };
        let begun = Begun { head, stream };
        let stream = TlsAcceptor::from(config).accept(begun).await?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// What was agreed on; none in the clear.
    pub fn tls(&self) -> Option<Agreed> {
        match self {
            Self::Clear(_) => None,
            Self::Tls(stream) => Some(Agreed::of(stream.get_ref().1)),
        }
    }
}

/// What a client and the server agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The number of the cipher suite.
    pub suite: u16,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Whether the client showed a certificate, which was found good.
    pub certified: bool,
}

impl Agreed {
    fn of(connection: &ServerConnection) -> Self {
        let suite = connection.negotiated_cipher_suite();
        Self {
            suite: suite.map_or(0, |suite| suite.suite().into()),
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "",
            },
            certified: connection.peer_certificates().is_some(),
        }
    }
}

/// A stream of which something was read already.
#[derive(Debug)]
pub struct Begun {
    head: BytesMut,
    stream: TcpStream,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, out);
        }
        let len = self.head.len().min(out.remaining());
        out.put_slice(&self.head[..len]);
        self.head.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Tls(stream) => match ready!(Pin::new(stream).poll_read(cx, out)) {
                // MySQL's clients go without a goodbye of TLS; their last packet tells that they meant to.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
