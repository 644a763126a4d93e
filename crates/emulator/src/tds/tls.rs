//! TLS whose handshake travels in PRELOGIN packets (2.2.6.5) and which is bare afterwards.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::packet::{HEADER, PACKET_SIZES, PacketType, split};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM text holds no certificate and key.
    #[error("cannot read certificate or key")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// No certificate could be made.
    #[error("cannot make a self-signed certificate")]
    SelfSigned(#[source] rcgen::Error),
    /// Certificate and key do not fit.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// A server configuration and the certificate in PEM, which clients may want to trust.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For the acceptor.
    pub config: Arc<ServerConfig>,
    /// Certificate chain as PEM.
    pub certificate_pem: String,
}

impl Identity {
    /// Use a certificate chain and key given as PEM.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Pem)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsError::Pem)?;
        Ok(Self { config: server_config(chain, key)?, certificate_pem: certificate.to_owned() })
    }

    /// Make a new self-signed certificate for these host names.
    pub fn self_signed(names: Vec<String>) -> Result<Self, TlsError> {
        // Some clients compare only the common name with the host.
        let common_name = names.first().cloned().unwrap_or_else(|| "localhost".into());
        let mut params = rcgen::CertificateParams::new(names).map_err(TlsError::SelfSigned)?;
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let signing_key = rcgen::KeyPair::generate().map_err(TlsError::SelfSigned)?;
        let certificate = params.self_signed(&signing_key).map_err(TlsError::SelfSigned)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = server_config(vec![certificate.der().clone()], key)?;
        Ok(Self { config, certificate_pem: certificate.pem() })
    }
}

/// TLS 1.2 only, as servers of TDS 7.x do: tickets of 1.3 would come inside
/// PRELOGIN packets after the client stopped to expect these.
fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    Ok(Arc::new(config))
}

/// A stream that wraps and unwraps PRELOGIN packets until told that the handshake is over.
#[derive(Debug)]
pub struct Wrapped<S> {
    inner: S,
    handshake: bool,
    header: [u8; HEADER],
    header_filled: usize,
    /// Bytes of the current packet that were not read yet.
    remaining: usize,
    /// Bytes to be sent as one packet at the next flush.
    pending: Vec<u8>,
    /// Packets on their way to the socket.
    sending: Vec<u8>,
    sent: usize,
}

impl<S> Wrapped<S> {
    /// Wrap a stream on which the PRELOGIN exchange is done.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            handshake: true,
            header: [0; HEADER],
            header_filled: 0,
            remaining: 0,
            pending: Vec::new(),
            sending: Vec::new(),
            sent: 0,
        }
    }

    /// The handshake is over: pass bytes through from now on.
    pub fn finish_handshake(&mut self) {
        self.handshake = false;
    }

    /// The stream inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: AsyncRead + Unpin> Wrapped<S> {
    /// Read packet headers until bytes of a packet are next. `false` at the end of the stream.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.remaining == 0 {
            let mut buffer = ReadBuf::new(&mut self.header[self.header_filled..]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            self.header_filled += read;
            if self.header_filled == HEADER {
                self.header_filled = 0;
                let length = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]));
                if self.header[0] != PacketType::Prelogin.number() {
                    return Poll::Ready(Err(invalid("a TLS handshake must be in PRELOGIN packets")));
                }
                if length <= HEADER || length > *PACKET_SIZES.end() {
                    return Poll::Ready(Err(invalid("impossible length of a handshake packet")));
                }
                self.remaining = length - HEADER;
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.handshake && this.remaining == 0 {
            return Pin::new(&mut this.inner).poll_read(cx, out);
        }
        if !ready!(this.poll_header(cx))? {
            return Poll::Ready(Ok(()));
        }
        let mut limited = out.take(this.remaining);
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut limited))?;
        let read = limited.filled().len();
        // `limited` fills bytes that `out` does not count yet.
        let filled = limited.filled().to_vec();
        out.put_slice(&filled);
        this.remaining -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Wrapped<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sent == self.sending.len() && !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.sending = split(PacketType::Prelogin, 0, &pending, super::packet::DEFAULT_PACKET_SIZE, true);
            self.sent = 0;
        }
        while self.sent < self.sending.len() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.sending[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.handshake {
            self.pending.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_are_wrapped_until_the_handshake_is_over() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut wrapped = Wrapped::new(near);
        wrapped.write_all(b"he").await.unwrap();
        wrapped.write_all(b"llo").await.unwrap();
        wrapped.flush().await.unwrap();
        let mut packet = [0; 13];
        far.read_exact(&mut packet).await.unwrap();
        assert_eq!(&packet[..4], [18, 1, 0, 13]);
        assert_eq!(&packet[8..], b"hello");

        far.write_all(&[18, 1, 0, 10, 0, 0, 1, 0, b'h', b'i']).await.unwrap();
        let mut read = [0; 2];
        wrapped.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hi");

        wrapped.finish_handshake();
        wrapped.write_all(b"bare").await.unwrap();
        let mut bare = [0; 4];
        far.read_exact(&mut bare).await.unwrap();
        assert_eq!(&bare, b"bare");
    }

    #[tokio::test]
    async fn packets_of_another_type_are_refused() {
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(&[1, 1, 0, 9, 0, 0, 1, 0, b'x']).await.unwrap();
        let error = Wrapped::new(near).read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn nonsense_is_no_identity() {
        assert!(matches!(Identity::from_pem("", ""), Err(TlsError::Pem(_))));
        assert!(
            Identity::self_signed(vec!["localhost".into()])
                .unwrap()
                .certificate_pem
                .starts_with("-----BEGIN")
        );
    }
}
