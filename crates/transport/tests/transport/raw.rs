//! A peer that keeps to QUIC and TLS but to none of our rules.

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::*;

#[derive(Debug)]
struct BelieveAnything;

impl ServerCertVerifier for BelieveAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::client(any()).unwrap()
}

pub(crate) fn tls(who: Option<Parts>) -> rustls::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelieveAnything));
    let mut config = match who {
        None => builder.with_no_client_auth(),
        Some((chain, key, _)) => builder
            .with_client_auth_cert(
                chain.into_iter().map(CertificateDer::from).collect(),
                PrivateKeyDer::try_from(key.to_vec()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![tacita_transport::ALPN.to_vec()];
    config
}

pub(crate) fn config(who: Option<Parts>) -> ClientConfig {
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls(who)).unwrap()))
}

pub(crate) async fn connect(house: &House, who: Parts) -> quinn::Connection {
    endpoint()
        .connect_with(config(Some(who)), house.addr, "x.invalid")
        .unwrap()
        .await
        .unwrap()
}
