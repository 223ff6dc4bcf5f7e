//! The enrolment authority: known by the fingerprint of its root, open to newcomers.

use tacita_identity::AnchorError;

use super::*;

fn house() -> House {
    let mut world = World::new(7);
    let own = world.own();
    House::of(world, own, Limits::loopback(), Admission::newcomers())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_learns_the_root_it_has_the_fingerprint_of() {
    let house = house();
    let pin = *house.world.authority.anchor().fingerprint();
    let (client, server) = tokio::join!(
        house.clients.connect_authority(house.addr, pin, None),
        house.accept()
    );
    let (client, server) = (client.unwrap(), server.unwrap());
    assert_eq!(client.anchor.der(), house.world.authority.anchor().der());
    assert_eq!(client.authority.name, name("root"));
    assert!(client.connection.peer().is_none() && server.peer().is_none());

    let (mut send, _receive) = client.connection.open().await.unwrap();
    send.send(b"a request").await.unwrap();
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    assert_eq!(soon(receive.recv()).await.unwrap().unwrap(), b"a request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_fingerprint_is_refused() {
    let house = house();
    let mut pin = *house.world.authority.anchor().fingerprint();
    pin[31] ^= 1;
    let (client, _) = tokio::join!(
        house.clients.connect_authority(house.addr, pin, None),
        house.accept()
    );
    assert_eq!(
        client.unwrap_err(),
        TransportError::WrongRoot(AnchorError::Fingerprint)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_server_cannot_pose_as_the_authority() {
    let mut world = World::new(7);
    let pin = *world.authority.anchor().fingerprint();
    let (chain, key, anchor) = world.member(Role::Server, "hub");
    for chain in [chain.clone(), vec![chain[0].clone(), anchor.der().to_vec()]] {
        let shows_root = chain.len() == 2;
        let house = House::of(
            World::new(7),
            (chain, key.clone(), anchor.clone()),
            Limits::loopback(),
            Admission::newcomers(),
        );
        let (client, _) = tokio::join!(
            house.clients.connect_authority(house.addr, pin, None),
            house.accept()
        );
        match client.unwrap_err() {
            TransportError::NoRoot => assert!(!shows_root),
            TransportError::CertificateRefused(tacita_identity::CertificateError::WrongUsage) => {
                assert!(shows_root);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_both_roles_show_their_certificates_to_renew() {
    let mut house = house();
    let pin = *house.world.authority.anchor().fingerprint();
    for (role, text) in [(Role::Client, "ward-3"), (Role::Server, "hub")] {
        let who = identity(house.world.member(role, text));
        let (client, server) = tokio::join!(
            house.clients.connect_authority(house.addr, pin, Some(&who)),
            house.accept()
        );
        client.unwrap();
        let peer = server.unwrap().peer().cloned().unwrap();
        assert_eq!((peer.role, peer.name), (role, name(text)));
    }
    // A certificate that is shown must be good, even where none is needed.
    let expired = identity(
        house
            .world
            .member_since(Role::Client, "late", world::now() - 3 * 86_400),
    );
    let (client, _) = tokio::join!(
        house.clients.connect_authority(house.addr, pin, Some(&expired)),
        house.accept()
    );
    assert!(
        matches!(client, Err(TransportError::RefusedByPeer(_))),
        "{client:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_does_not_take_the_authority_for_its_server() {
    let mut house = house();
    let who = house.client("ward-3");
    let (client, _) = tokio::join!(house.clients.connect(house.addr, &who, None), house.accept());
    assert!(
        matches!(client, Err(TransportError::CertificateRefused(_))),
        "{client:?}"
    );
}
