//! One connection's bytes: messages in, packets out, bare or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tds::packet::{Assembler, DEFAULT_PACKET_SIZE, Message, PacketError, PacketType, split};
use crate::tds::reader::Malformed;
use crate::tds::tls::{Identity, Wrapped};

/// Bytes asked of the socket at a time.
const READ: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The socket failed.
    #[error("connection failed")]
    Io(#[from] io::Error),
    /// The client sent what is no packet.
    #[error("bad packet")]
    Packet(#[from] PacketError),
    /// The client sent a message that cannot be read.
    #[error("bad message")]
    Malformed(#[from] Malformed),
    /// The client sent a message at the wrong time.
    #[error("unexpected {0:?} message")]
    Unexpected(PacketType),
    /// Login took too long.
    #[error("login took too long")]
    LoginTimeout,
    /// The client and the server do not agree on encryption.
    #[error("no agreement on encryption")]
    Encryption,
    /// Login was refused, as the client was told.
    #[error("login refused: {0}")]
    Refused(crate::answer::ServerError),
    /// The engine cut the connection.
    #[error("cut by the engine")]
    Cut,
}

/// The socket, bare or under TLS.
enum Transport {
    Bare(TcpStream),
    Tls(Box<TlsStream<Wrapped<TcpStream>>>),
    /// In between, and after a failed handshake.
    Gone,
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

/// A connection that speaks in messages.
pub struct Link {
    transport: Transport,
    assembler: Assembler,
    /// Negotiated size of packets.
    pub packet_size: usize,
    /// Session number shown in packet headers.
    pub spid: u16,
}

impl Link {
    /// Speak over `stream`, at first with messages of at most `limit` bytes.
    pub fn new(stream: TcpStream, limit: usize) -> Self {
        Self {
            transport: Transport::Bare(stream),
            assembler: Assembler::new(limit),
            packet_size: DEFAULT_PACKET_SIZE,
            spid: 0,
        }
    }

    /// Change the longest message accepted.
    pub fn set_limit(&mut self, limit: usize) {
        self.assembler.set_limit(limit);
    }

    /// The next message; `None` when the client is gone. Dropping the future loses nothing.
    pub async fn receive(&mut self) -> Result<Option<Message>, Ended> {
        loop {
            if let Some(message) = self.assembler.next()? {
                return Ok(Some(message));
            }
            let input = self.assembler.input();
            input.reserve(READ);
            if self.transport.read_buf(input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Send a message of the server; one that is not `complete` lacks its end.
    pub async fn send(&mut self, kind: PacketType, body: &[u8], complete: bool) -> Result<(), Ended> {
        let packets = split(kind, self.spid, body, self.packet_size, complete);
        self.transport.write_all(&packets).await?;
        self.transport.flush().await?;
        Ok(())
    }

    /// Do the TLS handshake inside PRELOGIN packets.
    pub async fn start_tls(&mut self, identity: &Identity) -> Result<(), Ended> {
        // Bytes that came before they were asked for would be lost.
        if !self.assembler.is_idle() {
            return Err(Malformed("bytes between PRELOGIN and the TLS handshake").into());
        }
        let Transport::Bare(stream) = std::mem::replace(&mut self.transport, Transport::Gone) else {
            return Err(Malformed("TLS inside TLS").into());
        };
        let acceptor = TlsAcceptor::from(identity.config.clone());
        let mut stream = acceptor.accept(Wrapped::new(stream)).await?;
        stream.get_mut().0.finish_handshake();
        self.transport = Transport::Tls(Box::new(stream));
        Ok(())
    }

    /// Go back to bare bytes after an encrypted login record.
    pub fn stop_tls(&mut self) {
        self.transport = match std::mem::replace(&mut self.transport, Transport::Gone) {
            Transport::Tls(stream) => Transport::Bare(stream.into_inner().0.into_inner()),
            other => other,
        };
    }

    /// Say goodbye to the socket.
    pub async fn close(&mut self) {
        if let Err(error) = self.transport.shutdown().await {
            tracing::trace!(%error, "the client closed first");
        }
    }
}
