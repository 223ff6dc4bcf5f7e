use rustls::NamedGroup;
use rustls::quic::{ClientConnection, ServerConnection, Version};
use rustls_pki_types::ServerName;
use tacita_identity::Role;

use super::*;

#[path = "../../tests/transport/world.rs"]
mod world;

fn identity(parts: world::Parts) -> LocalIdentity {
    LocalIdentity::new(parts.0, parts.1, parts.2).unwrap()
}

/// Both configurations, shaking hands in memory.
fn shake(client: rustls::ClientConfig, server: rustls::ServerConfig) -> (ClientConnection, ServerConnection) {
    let name = ServerName::try_from("tacita.invalid").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), Version::V1, name, Vec::new()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server), Version::V1, Vec::new()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.write_hs(&mut bytes).is_some() {}
        server.read_hs(&bytes).unwrap();
        bytes.clear();
        // One flight per encryption level, as QUIC delivers them.
        while server.write_hs(&mut bytes).is_some() {
            client.read_hs(&bytes).unwrap();
            bytes.clear();
        }
        client.read_hs(&bytes).unwrap();
    }
    (client, server)
}

fn configs() -> (rustls::ClientConfig, rustls::ServerConfig) {
    let mut world = world::World::new(1);
    let one = identity(world.member(Role::Client, "one"));
    let hub = identity(world.member(Role::Server, "hub"));
    let server_check = Arc::new(ServerCheck::new(Arc::clone(&one.anchor), None));
    let client_check = Arc::new(ClientCheck::new(Arc::clone(&hub.anchor), Clients::Required, None));
    (
        client_config(server_check, Some(&one)).unwrap(),
        server_config(client_check, &hub).unwrap(),
    )
}

#[test]
fn the_hybrid_group_is_agreed_without_a_second_hello() {
    let (client, server) = configs();
    let (client, server) = shake(client, server);
    for group in [
        client.negotiated_key_exchange_group(),
        server.negotiated_key_exchange_group(),
    ] {
        assert_eq!(group.unwrap().name(), NamedGroup::X25519MLKEM768);
    }
    assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(client.alpn_protocol(), Some(ALPN));
    assert_eq!(server.server_name(), None, "no name in the clear");
}

#[test]
fn a_peer_without_the_hybrid_group_falls_back_to_x25519() {
    let (_, server) = configs();
    let mut world = world::World::new(1);
    let one = identity(world.member(Role::Client, "one"));
    let plain = CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let mut client = rustls::ClientConfig::builder_with_provider(Arc::new(plain))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ServerCheck::new(Arc::clone(&one.anchor), None)))
        .with_client_cert_resolver(Arc::clone(&one.resolver) as _);
    client.alpn_protocols = vec![ALPN.to_vec()];
    let (client, _) = shake(client, server);
    assert_eq!(
        client.negotiated_key_exchange_group().unwrap().name(),
        NamedGroup::X25519
    );
}

#[test]
fn nothing_that_resumes_is_left_on() {
    let (client, server) = configs();
    assert!(!client.enable_early_data && !client.enable_sni);
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
}

#[test]
fn a_key_of_another_certificate_is_no_identity() {
    let mut world = world::World::new(2);
    let (chain, _, anchor) = world.member(Role::Client, "one");
    let (_, key, _) = world.member(Role::Client, "two");
    let refused = |chain, key| LocalIdentity::new(chain, key, anchor.clone()).unwrap_err();
    use crate::local::IdentityError;
    assert_eq!(refused(chain.clone(), key.clone()), IdentityError::Mismatch);
    assert_eq!(refused(Vec::new(), key.clone()), IdentityError::Chain);
    assert_eq!(
        refused(vec![chain[0].clone(); 3], key.clone()),
        IdentityError::Chain
    );
    assert_eq!(refused(chain, key[..40].to_vec().into()), IdentityError::Key);
}
