//! Who gets in and who does not, and what each side is told.

use tacita_identity::CertificateError;
use tacita_transport::{Backoff, PeerVerdict};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_learn_whom_they_talk_to() {
    let mut house = House::new();
    let (client, server) = house.pair("ward-3").await;
    let (seen_by_server, seen_by_client) = (server.peer().unwrap(), client.peer().unwrap());
    assert_eq!(
        (seen_by_server.name.as_str(), seen_by_server.role),
        ("ward-3", Role::Client)
    );
    assert_eq!(
        (seen_by_client.name.as_str(), seen_by_client.role),
        ("hub", Role::Server)
    );
    assert_eq!(
        server.remote_address().port(),
        house.clients.local_addr().unwrap().port()
    );
    client.close(7, "done");
    assert_eq!(
        soon(server.closed()).await,
        TransportError::ClosedByPeer {
            code: 7,
            reason: "done".into()
        }
    );
    assert_eq!(client.close_reason(), Some(TransportError::ClosedHere));
    assert!(matches!(client.open().await, Err(TransportError::ClosedHere)));
}

/// One refused attempt: what the client and the server are told.
async fn refused(house: &House, who: &LocalIdentity) -> (TransportError, TransportError) {
    let (client, server) = tokio::join!(house.connect(who), house.accept());
    (client.unwrap_err(), server.unwrap_err().error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_and_future_clients_are_told_to_renew_or_check_the_clock() {
    let mut house = House::new();
    for since in [world::now() - 3 * 86_400, world::now() + 3_600] {
        let late = identity(house.world.member_since(Role::Client, "late", since));
        let (client, server) = refused(&house, &late).await;
        assert_eq!(client, TransportError::RefusedByPeer(PeerVerdict::Expired));
        assert!(
            client.to_string().contains("renew it, and check the time"),
            "{client}"
        );
        match server {
            TransportError::CertificateRefused(CertificateError::Expired { .. }) => {
                assert!(since < world::now())
            }
            TransportError::CertificateRefused(CertificateError::NotYetValid { .. }) => {
                assert!(since > world::now());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_authority_is_refused_on_both_sides() {
    let mut house = House::new();
    let mut elsewhere = World::new(99);
    // The client does not trust the server's authority: it speaks first, before its own certificate is seen.
    let stranger = identity(elsewhere.member(Role::Client, "ward-3"));
    let (client, server) = refused(&house, &stranger).await;
    assert_eq!(
        client,
        TransportError::CertificateRefused(CertificateError::ForeignAuthority)
    );
    assert_eq!(
        server,
        TransportError::RefusedByPeer(PeerVerdict::UnknownAuthority)
    );
    // It trusts the server, but shows a certificate from elsewhere.
    let (chain, key, _) = elsewhere.member(Role::Client, "ward-3");
    let forger = identity((chain, key, house.world.authority.anchor().clone()));
    let (client, server) = refused(&house, &forger).await;
    assert_eq!(
        client,
        TransportError::RefusedByPeer(PeerVerdict::UnknownAuthority)
    );
    assert_eq!(
        server,
        TransportError::CertificateRefused(CertificateError::ForeignAuthority)
    );
    // The house is unharmed.
    house.pair("ward-3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_role_can_play_the_other() {
    let mut house = House::new();
    let server_as_client = identity(house.world.member(Role::Server, "hub-2"));
    let (client, server) = refused(&house, &server_as_client).await;
    assert_eq!(client, TransportError::RefusedByPeer(PeerVerdict::WrongRole));
    assert_eq!(
        server,
        TransportError::CertificateRefused(CertificateError::WrongRole { wanted: Role::Client })
    );

    let mut world = World::new(7);
    let posing = world.member(Role::Client, "hub");
    let mut house = House::of(world, posing, Limits::loopback(), Admission::members());
    let victim = house.client("ward-3");
    let (client, server) = refused(&house, &victim).await;
    assert_eq!(
        client,
        TransportError::CertificateRefused(CertificateError::WrongRole { wanted: Role::Server })
    );
    assert_eq!(server, TransportError::RefusedByPeer(PeerVerdict::WrongRole));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_of_the_same_authority_is_not_the_one_expected() {
    let mut house = House::new();
    let who = house.client("ward-3");
    let other = name("hub-2");
    let (client, _) = tokio::join!(
        house.clients.connect(house.addr, &who, Some(&other)),
        house.accept()
    );
    assert_eq!(
        client.unwrap_err(),
        TransportError::WrongServer {
            expected: name("hub-2"),
            found: name("hub")
        }
    );
    let (client, _) = tokio::join!(house.clients.connect(house.addr, &who, None), house.accept());
    assert_eq!(client.unwrap().peer().unwrap().name, name("hub"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_certificate_is_turned_away() {
    let house = House::new();
    let endpoint = raw::endpoint();
    let connecting = endpoint
        .connect_with(raw::config(None), house.addr, "x.invalid")
        .unwrap();
    let (client, server) = tokio::join!(
        async {
            match connecting.await {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            }
        },
        house.accept()
    );
    assert_eq!(server.unwrap_err().error, TransportError::NoCertificate);
    assert_eq!(
        TransportError::from(client),
        TransportError::RefusedByPeer(PeerVerdict::Missing)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deny_list_is_asked_during_the_handshake() {
    let screen = |certificate: &tacita_identity::VerifiedCertificate| {
        if certificate.name.as_str() == "gone" {
            Err(CertificateError::Revoked)
        } else {
            Ok(())
        }
    };
    let mut house = House::with(Limits::loopback(), Admission::members().screened_by(screen));
    let gone = house.client("gone");
    let (client, server) = refused(&house, &gone).await;
    assert_eq!(client, TransportError::RefusedByPeer(PeerVerdict::Revoked));
    assert_eq!(
        server,
        TransportError::CertificateRefused(CertificateError::Revoked)
    );
    house.pair("still-here").await;
    assert_eq!(
        (house.server.stats().accepted, house.server.stats().failed),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let mut house = House::new();
    let (before, _server) = house.pair("ward-3").await;
    let renewed = identity(house.world.member(Role::Server, "hub"));
    house.server.set_identity(renewed);
    let (after, _) = house.pair("ward-3").await;
    assert_ne!(
        before.peer().unwrap().fingerprint,
        after.peer().unwrap().fingerprint
    );
    assert_eq!(before.close_reason(), None, "connections that exist stay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_and_taken_ports_have_names() {
    let mut house = House::with(Limits::default(), Admission::members());
    let who = house.client("ward-3");
    // A bound socket that never answers, so that no other process can be there.
    let deaf = std::net::UdpSocket::bind(any()).unwrap();
    let addr = deaf.local_addr().unwrap();
    let started = std::time::Instant::now();
    let error = house.clients.connect(addr, &who, None).await.unwrap_err();
    assert_eq!(error, TransportError::NoAnswer { addr });
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(4) && took < Duration::from_secs(8),
        "{took:?}"
    );
    assert!(error.is_passing());

    let taken = house.addr;
    let again = ServerEndpoint::bind(taken, who, Admission::members(), Limits::default());
    assert_eq!(again.unwrap_err(), TransportError::AddressInUse { addr: taken });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_client_comes_in_when_the_server_appears() {
    let mut world = World::new(7);
    let who = identity(world.member(Role::Client, "ward-3"));
    let hub = identity(world.member(Role::Server, "hub"));
    let mut limits = Limits::loopback();
    limits.handshake = Duration::from_millis(300);
    let clients = ClientEndpoint::bind(any(), &limits).unwrap();
    let place = std::net::UdpSocket::bind(any()).unwrap();
    let addr = place.local_addr().unwrap();
    let waiting = tokio::spawn(async move {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(100));
        clients.connect_patiently(addr, &who, None, &mut backoff).await
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    drop(place);
    let server = ServerEndpoint::bind(addr, hub, Admission::members(), Limits::loopback()).unwrap();
    let served = async {
        // The last attempt before may have left packets behind that nobody stands for.
        loop {
            if let Ok(connection) = server.accept().await.unwrap() {
                return connection;
            }
        }
    };
    let (client, served) = tokio::join!(soon(waiting), soon(served));
    client.unwrap().unwrap();
    assert_eq!(served.peer().unwrap().name, name("ward-3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_noticed_at_the_first_packet() {
    let mut world = World::new(7);
    let hub = world.member(Role::Server, "hub");
    let who = identity(world.member(Role::Client, "ward-3"));
    let clients = ClientEndpoint::bind(any(), &Limits::loopback()).unwrap();
    // A process of its own in all but name: its runtime ends with no goodbye.
    let first = tokio::runtime::Runtime::new().unwrap();
    let (parts, limits) = ((hub.0.clone(), hub.1.clone(), hub.2.clone()), Limits::loopback());
    let server =
        first
            .spawn(async move {
                ServerEndpoint::bind(any(), identity(parts), Admission::members(), limits).unwrap()
            })
            .await
            .unwrap();
    let addr = server.local_addr().unwrap();
    let (connection, accepted) = tokio::join!(clients.connect(addr, &who, None), server.accept());
    let (connection, accepted) = (connection.unwrap(), accepted.unwrap().unwrap());
    first.shutdown_background();
    drop((server, accepted));
    let hub = identity(hub);
    // The port is free once the tasks of the first are gone.
    let _server = soon(async move {
        loop {
            match ServerEndpoint::bind(addr, hub.clone(), Admission::members(), Limits::loopback()) {
                Ok(server) => return server,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    let (mut sender, _receiver) = connection.open().await.unwrap();
    let _ = sender.send(b"are you there?").await;
    let started = std::time::Instant::now();
    assert_eq!(soon(connection.closed()).await, TransportError::Restarted);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}
