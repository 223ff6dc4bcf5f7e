//! How fast one server takes uploads of many clients over loopback: `cargo run --release -p tacita-transport
//! --example loopback [clients] [bytes each] [connections that share the server's windows, as many as clients]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/transport/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Instant;

use tacita_identity::Role;
use tacita_transport::{Admission, Backoff, ClientEndpoint, Limits, LocalIdentity, ServerEndpoint};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse::<usize>().unwrap());
    let clients = numbers.next().unwrap_or(500);
    let bytes = numbers.next().unwrap_or(1_000_000);
    let sharing = numbers.next().unwrap_or(clients);
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(run(clients, bytes, sharing));
}

async fn run(clients: usize, bytes: usize, sharing: usize) {
    let mut world = world::World::new(1);
    let hub = world.member(Role::Server, "hub");
    let hub = LocalIdentity::new(hub.0, hub.1, hub.2).unwrap();
    let limits = Limits::loopback();
    let listening = limits.clone().shared_by(sharing);
    let local = "127.0.0.1:0".parse().unwrap();
    let server = ServerEndpoint::bind(local, hub, Admission::members(), listening).unwrap();
    let addr = server.local_addr().unwrap();
    let endpoint = ClientEndpoint::bind(local, &limits).unwrap();
    println!(
        "socket buffers: server {:?}, clients {:?}",
        server.buffers(),
        endpoint.buffers()
    );

    let identities: Vec<LocalIdentity> = (0..clients)
        .map(|i| {
            let (chain, key, anchor) = world.member(Role::Client, &format!("client-{i}"));
            LocalIdentity::new(chain, key, anchor).unwrap()
        })
        .collect();
    let start = Arc::new(Barrier::new(clients + 1));
    let began = Instant::now();
    let mut uploads = JoinSet::new();
    for identity in identities {
        let (endpoint, start) = (endpoint.clone(), Arc::clone(&start));
        uploads.spawn(async move {
            let mut backoff = Backoff::default();
            let connection = endpoint
                .connect_patiently(addr, &identity, None, &mut backoff)
                .await
                .unwrap();
            start.wait().await;
            let (mut send, mut receive) = connection.open().await.unwrap();
            let frame = vec![7; 64 << 10];
            let mut left = bytes;
            while left > 0 {
                let size = left.min(frame.len());
                send.send(&frame[..size]).await.unwrap();
                left -= size;
            }
            send.finish().await.unwrap();
            // The server closes its half once it has everything.
            receive.recv().await.unwrap();
        });
    }
    let mut downloads = JoinSet::new();
    for _ in 0..clients {
        let connection = loop {
            match server.accept().await.unwrap() {
                Ok(connection) => break connection,
                Err(failed) => println!("{}: {}", failed.remote, failed.error),
            }
        };
        downloads.spawn(async move {
            let (send, mut receive) = connection.accept().await.unwrap();
            let mut got = 0;
            while let Some(frame) = receive.recv().await.unwrap() {
                got += frame.len();
            }
            send.finish().await.unwrap();
            // The client closes: it is the one that receives last.
            connection.closed().await;
            got
        });
    }
    start.wait().await;
    let connected = began.elapsed();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    while uploads.join_next().await.is_some() {}
    let (took, cpu) = (began.elapsed(), cpu_seconds() - cpu);
    let mut total = 0;
    while let Some(got) = downloads.join_next().await {
        total += got.unwrap();
    }
    assert_eq!(total, clients * bytes);
    println!(
        "{clients} handshakes in {:.2} s, {:.0} a second",
        connected.as_secs_f64(),
        clients as f64 / connected.as_secs_f64()
    );
    println!(
        "{} MB in {:.2} s: {:.0} MB/s",
        total / 1_000_000,
        took.as_secs_f64(),
        total as f64 / 1e6 / took.as_secs_f64()
    );
    println!(
        "{cpu:.2} core-seconds for both sides: {:.0} MB a core-second",
        total as f64 / 1e6 / cpu
    );
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = peak.lines().find(|line| line.starts_with("VmHWM")) {
        println!(
            "peak memory of the process, clients included: {}",
            line.trim_start_matches("VmHWM:").trim()
        );
    }
    println!("{:?}", server.stats());
}

/// User and system time of this process so far; on a shared machine a better measure than the clock.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2);
    // A tick is a hundredth of a second on every Linux in use (proc(5)).
    ticks.filter_map(|text| text.parse::<f64>().ok()).sum::<f64>() / 100.0
}
