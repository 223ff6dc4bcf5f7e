//! TLS 1.3 as both sides speak it, one configuration per connection so that each carries its own verdict.

mod verify;

use std::sync::{Arc, LazyLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;

pub(crate) use verify::{ClientCheck, Clients, RootCheck, Screen, ServerCheck};

use crate::error::TransportError;
use crate::limits::ALPN;
use crate::local::LocalIdentity;

/// The hybrid group first, plain X25519 for a peer without it.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    })
});

fn failed(error: &dyn std::error::Error) -> TransportError {
    TransportError::Protocol {
        reason: error.to_string(),
    }
}

/// The client's side; `own` is `None` only towards the authority before the first certificate.
pub(crate) fn client(
    check: Arc<dyn rustls::client::danger::ServerCertVerifier>,
    own: Option<&LocalIdentity>,
) -> Result<QuicClientConfig, TransportError> {
    QuicClientConfig::try_from(client_config(check, own)?).map_err(|e| failed(&e))
}

fn client_config(
    check: Arc<dyn rustls::client::danger::ServerCertVerifier>,
    own: Option<&LocalIdentity>,
) -> Result<rustls::ClientConfig, TransportError> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| failed(&e))?
        .dangerous()
        .with_custom_certificate_verifier(check);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::clone(&own.resolver) as _),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    // Names are in the certificates; nothing about them is sent in the clear.
    config.enable_sni = false;
    config.enable_early_data = false;
    Ok(config)
}

/// The server's side.
pub(crate) fn server(
    check: Arc<ClientCheck>,
    own: &LocalIdentity,
) -> Result<QuicServerConfig, TransportError> {
    QuicServerConfig::try_from(server_config(check, own)?).map_err(|e| failed(&e))
}

fn server_config(
    check: Arc<ClientCheck>,
    own: &LocalIdentity,
) -> Result<rustls::ServerConfig, TransportError> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| failed(&e))?
        .with_client_cert_verifier(check)
        .with_cert_resolver(Arc::clone(&own.resolver) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

#[cfg(test)]
mod tests;
