//! One authenticated connection.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use quinn::VarInt;
use tacita_identity::VerifiedCertificate;

use crate::error::TransportError;
use crate::frame::{FrameReceiver, FrameSender};

/// A connection to a peer that has proved who it is. Clones are the same connection; it is closed when the last
/// clone and its streams are dropped.
#[derive(Clone)]
pub struct Connection {
    inner: quinn::Connection,
    peer: Option<VerifiedCertificate>,
}

impl Connection {
    pub(crate) fn new(inner: quinn::Connection, peer: Option<VerifiedCertificate>) -> Self {
        Self { inner, peer }
    }

    /// The peer's checked certificate. `None` only around an authority: for a newcomer without a certificate,
    /// and for the authority itself, which is no member
    /// ([`AuthorityConnection`](crate::AuthorityConnection) names it).
    #[must_use]
    pub fn peer(&self) -> Option<&VerifiedCertificate> {
        self.peer.as_ref()
    }

    /// The peer's own certificate as it sent it (DER), for handing on to other members; `None` where
    /// [`peer`](Self::peer) is.
    #[must_use]
    pub fn peer_certificate_der(&self) -> Option<Vec<u8>> {
        self.peer()?;
        let chain = self
            .inner
            .peer_identity()?
            .downcast::<Vec<rustls_pki_types::CertificateDer<'static>>>()
            .ok()?;
        chain.first().map(|der| der.as_ref().to_vec())
    }

    /// Opens a stream; the peer learns of it with the first frame.
    ///
    /// # Errors
    /// What ended the connection. Waits while the peer's limit of streams is reached.
    pub async fn open(&self) -> Result<(FrameSender, FrameReceiver), TransportError> {
        let (send, receive) = self.inner.open_bi().await?;
        Ok((FrameSender::new(send), FrameReceiver::new(receive)))
    }

    /// Waits for a stream that the peer opens. Cancel-safe.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn accept(&self) -> Result<(FrameSender, FrameReceiver), TransportError> {
        let (send, receive) = self.inner.accept_bi().await?;
        Ok((FrameSender::new(send), FrameReceiver::new(receive)))
    }

    /// Closes at once. Frames that the peer has not read may be lost: the side that receives last closes.
    pub fn close(&self, code: u32, reason: &str) {
        self.inner.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits until the connection has ended, and says why.
    pub async fn closed(&self) -> TransportError {
        self.inner.closed().await.into()
    }

    /// Why the connection has ended, if it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<TransportError> {
        self.inner.close_reason().map(TransportError::from)
    }

    /// The peer's address.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.inner.remote_address()
    }

    /// The current estimate of the round-trip time.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.inner.rtt()
    }

    /// Bytes of UDP payload sent and received so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        let stats = self.inner.stats();
        (stats.udp_tx.bytes, stats.udp_rx.bytes)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self
            .peer
            .as_ref()
            .map_or("(no certificate)", |peer| peer.name.as_str());
        write!(f, "Connection({name} at {})", self.remote_address())
    }
}
