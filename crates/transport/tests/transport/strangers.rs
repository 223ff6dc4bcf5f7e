//! Peers that start handshakes and do not finish them.

use std::net::UdpSocket;

use super::*;

/// Passes each client's first flight on to the server and swallows every answer: all handshakes that come
/// through it stay half open. Every client gets a socket of its own.
fn black_hole(server: SocketAddr) -> SocketAddr {
    let front = UdpSocket::bind(any()).unwrap();
    let addr = front.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut backs = std::collections::HashMap::new();
        let mut datagram = [0; 2_048];
        while let Ok((length, client)) = front.recv_from(&mut datagram) {
            let back = backs
                .entry(client)
                .or_insert_with(|| UdpSocket::bind(any()).unwrap());
            let _ = back.send_to(&datagram[..length], server);
        }
    });
    addr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_bring_retry_end_in_time_and_keep_nobody_out() {
    let mut limits = Limits::default();
    limits.per_prefix = None;
    limits.retry_above = Some(8);
    limits.pending = 32;
    limits.handshake = Duration::from_secs(2);
    let mut house = House::with(limits.clone(), Admission::members());
    let hole = black_hole(house.addr);
    let stranger = house.client("stranger");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (limits, stranger) = (limits.clone(), stranger.clone());
        tasks.spawn(async move {
            let endpoint = ClientEndpoint::bind(any(), &limits).unwrap();
            endpoint.connect(hole, &stranger, None).await.unwrap_err()
        });
    }
    soon(async {
        while house.server.stats().retried < 40 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // The server holds nine half-open handshakes; an honest client proves its address and comes in.
    let honest = house.client("honest");
    let started = std::time::Instant::now();
    let (client, _server) = tokio::join!(house.connect(&honest), house.accept_good());
    client.unwrap();
    assert!(
        started.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        started.elapsed()
    );
    for error in soon(tasks.join_all()).await {
        assert!(matches!(error, TransportError::NoAnswer { .. }), "{error:?}");
    }
    // Handshakes time out after two seconds, their state goes three later.
    soon(async {
        while house.server.open_connections() > 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let stats = house.server.stats();
    assert_eq!(stats.accepted, 1);
    assert!(
        stats.failed <= 32,
        "failures count as under way for a while: {stats:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_says_so() {
    let mut limits = Limits::loopback();
    limits.connections = 2;
    let mut house = House::with(limits, Admission::members());
    let first = house.pair("one").await;
    let _second = house.pair("two").await;
    let third = house.client("three");
    let error = house.connect(&third).await.unwrap_err();
    assert_eq!(error, TransportError::Busy);
    assert!(error.is_passing());
    first.0.close(0, "");
    soon(first.1.closed()).await;
    let mut backoff = tacita_transport::Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let patient = house
        .clients
        .connect_patiently(house.addr, &third, None, &mut backoff);
    let (client, _) = tokio::join!(soon(patient), house.accept());
    client.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_is_named() {
    let house = House::new();
    let mut world = World::new(7);
    let mut tls = raw::tls(Some(world.member(Role::Client, "web")));
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let endpoint = raw::endpoint();
    let connecting = endpoint.connect_with(config, house.addr, "x.invalid").unwrap();
    let (client, server) = tokio::join!(connecting, house.accept());
    assert_eq!(
        TransportError::from(client.unwrap_err()),
        TransportError::OtherVersion
    );
    assert_eq!(server.unwrap_err().error, TransportError::OtherVersion);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_goes_silent_is_lost_after_the_idle_time() {
    let mut limits = Limits::loopback();
    limits.idle = Duration::from_millis(600);
    limits.keep_alive = Duration::from_millis(150);
    let mut house = House::with(limits, Admission::members());
    let (client, server) = house.pair("ward-3").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(
        (client.close_reason(), server.close_reason()),
        (None, None),
        "kept alive"
    );

    // A raw peer without signs of life.
    let parts = house.world.member(Role::Client, "mute");
    let mut config = raw::config(Some(parts));
    let mut transport = quinn::TransportConfig::default();
    transport.keep_alive_interval(None);
    config.transport_config(Arc::new(transport));
    let endpoint = raw::endpoint();
    let connecting = endpoint.connect_with(config, house.addr, "x.invalid").unwrap();
    let (mute, served) = tokio::join!(connecting, house.accept());
    let served = served.unwrap();
    let _mute = mute.unwrap();
    // Stop the peer's socket from answering our signs of life.
    endpoint.rebind(UdpSocket::bind(any()).unwrap()).unwrap();
    assert_eq!(soon(served.closed()).await, TransportError::Lost);
}
