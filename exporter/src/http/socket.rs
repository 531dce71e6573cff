//! What a connection goes over: TCP as it is, or TLS over it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use super::certificate::Certificate;
#[cfg(feature = "tls")]
use crate::error::Result;
#[cfg(feature = "tls")]
use std::path::Path;
#[cfg(feature = "tls")]
use std::sync::Arc;
#[cfg(feature = "tls")]
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Whether connections are encrypted, and with which certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encryption {
    #[cfg(feature = "tls")]
    certificate: Option<Arc<Certificate>>,
}

/// One connection.
pub(super) enum Socket {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Encryption {
    /// With the certificate of these files.
    #[cfg(feature = "tls")]
    pub(crate) fn load(chain: &Path, key: &Path) -> Result<Self> {
        Ok(Self { certificate: Some(Arc::new(Certificate::load(chain, key)?)) })
    }

    /// Whether there is any.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "without TLS there is none"))]
    pub(crate) fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.certificate.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// The connection of a client that has shaken hands.
    ///
    /// # Errors
    /// If it speaks something else than TLS, or gives up.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_async, reason = "with TLS it waits"))]
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Socket> {
        #[cfg(feature = "tls")]
        if let Some(certificate) = &self.certificate {
            let stream = TlsAcceptor::from(certificate.config()).accept(stream).await?;
            return Ok(Socket::Tls(Box::new(stream)));
        }
        Ok(Socket::Plain(stream))
    }
}

/// Does the same to whichever it is.
macro_rules! to_either {
    ($socket:expr, $method:ident($($argument:expr),*)) => {
        match $socket {
            Socket::Plain(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        to_either!(&mut *self, poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        to_either!(&mut *self, poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        to_either!(&mut *self, poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        to_either!(&mut *self, poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        to_either!(&mut *self, poll_shutdown(context))
    }
}
