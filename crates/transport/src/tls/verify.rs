//! rustls asks, `tacita-identity` answers. Each connection has its own check, which keeps the answer: the
//! checked certificate for the caller, or the reason in full where TLS can only carry an alert.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError as Alert, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tacita_identity::{CertificateError, Name, Role, TrustAnchor, VerifiedAuthority, VerifiedCertificate};

use super::PROVIDER;
use crate::error::TransportError;

/// What became of the peer's certificate; empty until it was shown. Worth something only once the handshake is
/// complete, because the peer proves that it holds the key after it showed the certificate.
#[derive(Debug)]
pub(crate) struct Verdict<T>(Mutex<Option<Result<T, TransportError>>>);

impl<T: Clone> Verdict<T> {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn get(&self) -> Option<Result<T, TransportError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `error`, or the reason that lies behind it when this side refused the certificate.
    pub(crate) fn explain(&self, error: TransportError) -> TransportError {
        match self.get() {
            Some(Err(reason)) => reason,
            _ => error,
        }
    }

    fn keep(&self, outcome: Result<T, TransportError>) -> Result<(), Error> {
        let answer = outcome
            .as_ref()
            .map(|_| ())
            .map_err(|reason| Error::InvalidCertificate(alert(reason)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        answer
    }
}

/// The alert that tells the peer as much as TLS can.
fn alert(reason: &TransportError) -> Alert {
    use CertificateError as C;
    match reason {
        TransportError::CertificateRefused(error) => match error {
            C::Expired { .. } => Alert::Expired,
            C::NotYetValid { .. } => Alert::NotValidYet,
            C::ForeignAuthority | C::SelfSigned | C::AuthorityExpired => Alert::UnknownIssuer,
            C::WrongRole { .. } | C::WrongUsage | C::AuthorityUsedAsMember => Alert::InvalidPurpose,
            C::Revoked => Alert::Revoked,
            _ => Alert::BadEncoding,
        },
        TransportError::WrongRoot(_) | TransportError::NoRoot => Alert::UnknownIssuer,
        TransportError::WrongServer { .. } => Alert::NotValidForName,
        _ => Alert::ApplicationVerificationFailure,
    }
}

/// A client's check of a server: a member with the role of a server, optionally a named one.
pub(crate) struct ServerCheck {
    pub(crate) anchor: Arc<TrustAnchor>,
    pub(crate) expected: Option<Name>,
    pub(crate) verdict: Verdict<VerifiedCertificate>,
}

impl ServerCheck {
    pub(crate) fn new(anchor: Arc<TrustAnchor>, expected: Option<Name>) -> Self {
        Self {
            anchor,
            expected,
            verdict: Verdict::new(),
        }
    }

    fn check(&self, certificate: &[u8], now: UnixTime) -> Result<VerifiedCertificate, TransportError> {
        let found = self.anchor.verify(certificate, Role::Server, now.as_secs())?;
        match &self.expected {
            Some(expected) if *expected != found.name => Err(TransportError::WrongServer {
                expected: expected.clone(),
                found: found.name,
            }),
            _ => Ok(found),
        }
    }
}

/// A newcomer's check of the authority: the last certificate shown is the pinned root, the first is the
/// authority's own.
pub(crate) struct RootCheck {
    pin: [u8; 32],
    pub(crate) verdict: Verdict<(TrustAnchor, VerifiedAuthority)>,
}

impl RootCheck {
    pub(crate) fn new(pin: [u8; 32]) -> Self {
        Self {
            pin,
            verdict: Verdict::new(),
        }
    }

    fn check(
        &self,
        certificate: &[u8],
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(TrustAnchor, VerifiedAuthority), TransportError> {
        let [root] = others else {
            return Err(TransportError::NoRoot);
        };
        let anchor = TrustAnchor::from_pinned_der(root, &self.pin).map_err(TransportError::WrongRoot)?;
        let authority = anchor.verify_authority(certificate, now.as_secs())?;
        Ok((anchor, authority))
    }
}

/// Asked about every client certificate that is otherwise good.
pub(crate) type Screen = dyn Fn(&VerifiedCertificate) -> Result<(), CertificateError> + Send + Sync;

/// Whom a server lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// Members with the role of a client.
    Required,
    /// Anybody; a member of either role if it shows a certificate.
    Optional,
}

/// A server's check of a client.
pub(crate) struct ClientCheck {
    pub(crate) anchor: Arc<TrustAnchor>,
    pub(crate) clients: Clients,
    pub(crate) screen: Option<Arc<Screen>>,
    pub(crate) verdict: Verdict<VerifiedCertificate>,
}

impl ClientCheck {
    pub(crate) fn new(anchor: Arc<TrustAnchor>, clients: Clients, screen: Option<Arc<Screen>>) -> Self {
        Self {
            anchor,
            clients,
            screen,
            verdict: Verdict::new(),
        }
    }

    fn check(&self, certificate: &[u8], now: UnixTime) -> Result<VerifiedCertificate, TransportError> {
        let found = match self.clients {
            Clients::Required => self.anchor.verify(certificate, Role::Client, now.as_secs())?,
            Clients::Optional => self.anchor.verify_member(certificate, now.as_secs())?,
        };
        if let Some(screen) = &self.screen {
            screen(&found)?;
        }
        Ok(found)
    }
}

fn check_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    rustls::crypto::verify_tls13_signature(
        message,
        certificate,
        signature,
        &PROVIDER.signature_verification_algorithms,
    )
}

/// Both sides of the trait ask the same of a signature: Ed25519, TLS 1.3.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::PeerIncompatible(
                rustls::PeerIncompatible::Tls13RequiredForQuic,
            ))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            check_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    };
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verdict
            .keep(self.check(certificate, now))
            .map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ServerCertVerifier for RootCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verdict
            .keep(self.check(certificate, others, now))
            .map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for ClientCheck {
    fn client_auth_mandatory(&self) -> bool {
        self.clients == Clients::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verdict
            .keep(self.check(certificate, now))
            .map(|()| ClientCertVerified::assertion())
    }

    signatures!();
}

impl fmt::Debug for ServerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCheck({:?})", self.anchor)
    }
}

impl fmt::Debug for RootCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootCheck(..)")
    }
}

impl fmt::Debug for ClientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCheck({:?}, {:?})", self.anchor, self.clients)
    }
}
