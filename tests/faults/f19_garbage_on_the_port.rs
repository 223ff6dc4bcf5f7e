//! F17, F18, F19: any bytes at all on the ports of server and authority, before and after the handshake, while a task runs.
//! Nobody stops, memory stays bounded, and the task is finished.

use std::net::{SocketAddr, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use tacita_identity::Role;
use tacita_transport::{ClientEndpoint, Limits, Machine};

use crate::federation::data::Numbers;
use crate::federation::process::until;
use crate::federation::{Federation, Plan, redeem, succeeded};

/// Bounded: some tens of MiB are the program itself.
const MOST_MEMORY: u64 = 192 << 20;
const PACKETS: usize = 30_000;

/// One datagram: noise, or noise that begins like a packet of QUIC version 1.
fn datagram(numbers: &mut Numbers) -> Vec<u8> {
    let length = match numbers.next() % 4 {
        0 => numbers.next() % 64,
        1 => 1200,
        2 => 1200 + numbers.next() % 272,
        _ => numbers.next() % 1473,
    };
    let mut bytes: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
    if !numbers.next().is_multiple_of(3) && bytes.len() > 64 {
        // Long header: Initial, 0-RTT, Handshake or Retry; then version and the lengths of two connection ids.
        bytes[0] = 0xc0 | (numbers.next() as u8 & 0x3f);
        bytes[1..5].copy_from_slice(&[0, 0, 0, u8::from(!numbers.next().is_multiple_of(8))]);
        bytes[5] = (numbers.next() % 24) as u8;
        let second = 6 + usize::from(bytes[5]);
        bytes[second] = (numbers.next() % 24) as u8;
    }
    bytes
}

/// Sends garbage from several sockets; returns what came back, in bytes, beside what was sent.
fn flood(to: SocketAddr, numbers: &mut Numbers) -> (usize, usize) {
    let sockets: Vec<UdpSocket> = (0..16)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(to).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();
    let (mut sent, mut back) = (0, 0);
    let mut answer = [0u8; 2048];
    for i in 0..PACKETS {
        let socket = &sockets[i % sockets.len()];
        sent += socket.send(&datagram(numbers)).unwrap_or(0);
        while let Ok(bytes) = socket.recv(&mut answer) {
            back += bytes;
        }
    }
    (sent, back)
}

/// Frames of noise from a member with a good certificate, before and after its hello.
fn rude_member(federation: &Federation, index: u16, numbers: &mut Numbers) {
    let state = federation.client_dir(index).join("state");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let me = Machine::new(&state).load(Role::Client, now).unwrap();
    let server = SocketAddr::from(([127, 0, 0, 1], federation.port));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dialer = ClientEndpoint::bind("127.0.0.1:0".parse().unwrap(), &Limits::loopback()).unwrap();
        for attempt in 0..6u32 {
            let connection = dialer.connect(server, &me.standing.identity, None).await.unwrap();
            let (mut sender, mut receiver) = connection.open().await.unwrap();
            if attempt % 2 == 1 {
                // A hello of version 1 that remembers no ledger.
                let _ = sender.send(&[1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).await;
            }
            for _ in 0..64 {
                let length = numbers.next() % 70_000;
                let mut frame: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
                if let Some(kind) = frame.first_mut() {
                    *kind = (numbers.next() % 9) as u8;
                }
                if sender.send(&frame).await.is_err() {
                    break;
                }
            }
            // It is thrown out, however long it would stay.
            while let Ok(Some(_)) = receiver.recv().await {}
        }
        dialer.close(0, "done");
    });
}

#[test]
fn garbage_before_and_after_the_handshake_stops_nobody() {
    // Four are enrolled, three take part, one is rude.
    let federation = Federation::new(Plan {
        rounds: 80,
        deadline: 5,
        wait: 1,
        ..Plan::new(4, 3, 0)
    });
    let authority: SocketAddr = federation
        .authority
        .stdout()
        .strip_prefix("Listening on ")
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap();
    let mut server = federation.start_server();
    let mut clients: Vec<_> = (0..3).map(|index| federation.start_client(index)).collect();
    until("a round", || !federation.entries_of("outcome").is_empty());
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut numbers = Numbers::new(seed);
    for port in [SocketAddr::from(([127, 0, 0, 1], federation.port)), authority] {
        let (sent, back) = flood(port, &mut numbers);
        assert!(back <= 3 * sent, "{back} bytes back for {sent}");
    }
    rude_member(&federation, 3, &mut numbers);
    let before = federation.entries_of("outcome").len();
    until("rounds go on", || {
        assert!(server.is_running(), "{}", server.stderr());
        federation.entries_of("outcome").len() > before + 1
    });
    for (who, process) in [("server", &server), ("authority", &federation.authority)] {
        if let Some(peak) = process.peak_memory() {
            println!("{who}: {} MiB", peak >> 20);
            assert!(peak < MOST_MEMORY, "{who}: {peak} bytes");
        }
        assert!(!process.stderr().contains("panicked"), "{}", process.stderr());
    }
    // Logs of the flood are bounded too.
    assert!(
        server.stderr().len() < 4 << 20,
        "{} bytes of log",
        server.stderr().len()
    );
    // The authority still serves: the rude one enrols once more.
    let invitation = federation.invite("client", "client-0003");
    succeeded(&redeem("client", &federation.client_config(3), &invitation));
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    for client in &mut clients {
        client.signal("TERM");
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    federation.report();
}
