//! Noise, before and after a handshake: nothing panics, memory stays bounded, honest clients are served.

use std::net::UdpSocket;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use tacita_transport::limits::WINDOW;

use super::*;

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) * 1024
}

async fn exchange(house: &mut House, text: &str) {
    let (client, server) = house.pair(text).await;
    let (mut send, _receive) = client.open().await.unwrap();
    send.send(text.as_bytes()).await.unwrap();
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    assert_eq!(soon(receive.recv()).await.unwrap().unwrap(), text.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_datagrams() {
    let mut house = House::with(Limits::default(), Admission::members());
    exchange(&mut house, "before").await;
    let before = resident();
    let addr = house.addr;
    let noise = tokio::task::spawn_blocking(move || {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let socket = UdpSocket::bind(any()).unwrap();
        for i in 0..30_000_u32 {
            let mut datagram = vec![0; rng.random_range(1..1_500)];
            rng.fill(&mut datagram[..]);
            match i % 4 {
                // Any bytes.
                0 => {}
                // A long header of QUIC version 1, all packet types.
                1 => datagram
                    .splice(..datagram.len().min(5), [0xc0 | rng.random::<u8>(), 0, 0, 0, 1])
                    .for_each(drop),
                // An Initial with sound connection ids, of full size.
                2 => {
                    datagram.resize(1_200, 0xa5);
                    datagram[..7].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8, 1]);
                    datagram[14] = 8;
                    datagram[23] = 0;
                    datagram[24] = 0x44;
                }
                // A short header.
                _ => datagram[0] = 0x40 | (datagram[0] & 0x3f),
            }
            let _ = socket.send_to(&datagram, addr);
            if i % 64 == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    });
    let mut served = 0;
    while !noise.is_finished() {
        exchange(&mut house, "during").await;
        served += 1;
    }
    noise.await.unwrap();
    exchange(&mut house, "after").await;
    let grown = resident().saturating_sub(before);
    assert!(
        served > 0 && grown < 64 << 20,
        "{served} served, {grown} bytes more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_after_the_handshake() {
    let mut house = House::new();
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    exchange(&mut house, "before").await;
    let before = resident();
    for round in 0..40_u32 {
        let who = house.world.member(Role::Client, "noisy");
        let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
        let server = server.unwrap();
        let reader = tokio::spawn(async move {
            let mut got = 0;
            while let Ok((_send, mut receive)) = server.accept().await {
                loop {
                    match receive.recv().await {
                        Ok(Some(frame)) => got += frame.len(),
                        Ok(None) => break,
                        Err(error) => {
                            assert!(
                                matches!(
                                    error,
                                    TransportError::FrameTooLarge { .. }
                                        | TransportError::Truncated
                                        | TransportError::StreamReset { .. }
                                        | TransportError::ClosedByPeer { .. }
                                ),
                                "{error:?}"
                            );
                            break;
                        }
                    }
                }
            }
            got
        });
        for _ in 0..25 {
            let (mut stream, _) = soon(connection.open_bi()).await.unwrap();
            let mut bytes = vec![0; rng.random_range(1..5_000)];
            rng.fill(&mut bytes[..]);
            if rng.random::<bool>() && bytes.len() >= 4 {
                // A length that passes, so that the body is reached.
                bytes[2..4].copy_from_slice(&[rng.random::<u8>() & 3, 0]);
            }
            let _ = stream.write_all(&bytes).await;
            if rng.random::<bool>() {
                let _ = stream.reset(round.into());
            }
        }
        connection.close(0_u32.into(), b"");
        soon(reader).await.unwrap();
    }
    exchange(&mut house, "after").await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

/// A peer that fills every window it is given and reads nothing: what we keep for it is the windows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooder_gets_no_further_than_its_windows() {
    let mut house = House::new();
    let who = house.world.member(Role::Client, "flood");
    let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
    let _server = server.unwrap();
    let mut streams = Vec::new();
    let mut taken = 0;
    let full = vec![7; 64 << 10];
    for _ in 0..4 {
        let (mut stream, receive) = connection.open_bi().await.unwrap();
        let brief = Duration::from_millis(400);
        while let Ok(Ok(written)) = tokio::time::timeout(brief, stream.write(&full)).await {
            taken += written;
        }
        streams.push((stream, receive));
    }
    // What was written is what the windows took, plus what the peer's own quinn keeps unsent.
    let most = 2 * WINDOW as usize;
    assert!(taken <= most, "{taken} bytes taken without anybody reading");
    exchange(&mut house, "honest").await;
}
