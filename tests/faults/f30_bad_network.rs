//! F30: loss, duplication and partitions of the network between real processes. Every round is exact or ends with its reason,
//! and once the network is whole again rounds go on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::federation::process::until;
use crate::federation::{Federation, Plan};

/// What happens to datagrams, in percent, in each direction; 100 of loss is a partition.
#[derive(Default)]
struct Weather {
    loss_up: AtomicU32,
    loss_down: AtomicU32,
    twice: AtomicU32,
}

/// A stretch of network between one client and the server.
struct Stretch {
    port: u16,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Stretch {
    fn new(server: SocketAddr, weather: &Arc<Weather>, seed: u64) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(server).unwrap();
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        let port = near.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        // The client's port, once it has spoken; 0 before.
        let client = Arc::new(AtomicU32::new(0));
        let mut threads = Vec::new();
        for up in [true, false] {
            let (near, far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (weather, over, client) = (weather.clone(), over.clone(), client.clone());
            let mut rng = ChaCha20Rng::seed_from_u64(seed * 2 + u64::from(up));
            threads.push(std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                while !over.load(Ordering::Relaxed) {
                    let length = if up {
                        let Ok((length, from)) = near.recv_from(&mut buffer) else {
                            continue;
                        };
                        client.store(u32::from(from.port()), Ordering::Relaxed);
                        length
                    } else {
                        let Ok(length) = far.recv(&mut buffer) else {
                            continue;
                        };
                        length
                    };
                    let loss = if up { &weather.loss_up } else { &weather.loss_down };
                    let (lost, doubled) = (rng.next_u32() % 100, rng.next_u32() % 100);
                    if lost < loss.load(Ordering::Relaxed) {
                        continue;
                    }
                    let copies = 1 + u32::from(doubled < weather.twice.load(Ordering::Relaxed));
                    for _ in 0..copies {
                        // A full socket buffer is loss as well.
                        let _ = if up {
                            far.send(&buffer[..length])
                        } else {
                            let port = u16::try_from(client.load(Ordering::Relaxed)).unwrap();
                            near.send_to(&buffer[..length], ("127.0.0.1", port))
                        };
                    }
                }
            }));
        }
        Self { port, over, threads }
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A federation whose clients reach the server each over a stretch of its own.
fn over_network(plan: Plan) -> (Federation, Vec<Arc<Weather>>, Vec<Stretch>) {
    let federation = Federation::new(plan);
    let server = SocketAddr::from(([127, 0, 0, 1], federation.port));
    let (mut weathers, mut stretches) = (Vec::new(), Vec::new());
    for client in 0..plan.clients {
        let weather = Arc::new(Weather::default());
        let stretch = Stretch::new(server, &weather, u64::from(client));
        federation.write_client(client, stretch.port);
        weathers.push(weather);
        stretches.push(stretch);
    }
    (federation, weathers, stretches)
}

/// 30 % of datagrams are lost on the way up and half of the rest comes twice; on the way down it is 10 %.
#[test]
fn loss_and_duplication_cost_time_and_nothing_else() {
    let (federation, weathers, _stretches) = over_network(Plan {
        rounds: 2,
        ..Plan::new(3, 3, 0)
    });
    for weather in &weathers {
        weather.loss_up.store(30, Ordering::Relaxed);
        weather.loss_down.store(10, Ordering::Relaxed);
        weather.twice.store(50, Ordering::Relaxed);
    }
    federation.run_to_the_end();
    let survivors: Vec<_> = federation
        .entries_of("outcome")
        .iter()
        .map(|o| o["survivor_count"].clone())
        .collect();
    assert_eq!(survivors, [3, 3], "no client was lost, none counted twice");
    assert!(federation.plan.task.score(&federation.last_model()) > 0.8);
    federation.report();
}

/// One of four clients is cut off: first nothing of it arrives, then nothing arrives at it. The others go on without it, and
/// once the network is whole it takes part again.
#[test]
fn a_partition_costs_rounds_and_heals() {
    let (federation, weathers, _stretches) = over_network(Plan {
        rounds: 60,
        attempts: 10,
        deadline: 2,
        wait: 2,
        ..Plan::new(4, 3, 1)
    });
    let mut server = federation.start_server();
    let clients = federation.start_clients();
    let survivors = || -> Vec<u64> {
        let outcomes = federation.entries_of("outcome");
        outcomes
            .iter()
            .map(|o| o["survivor_count"].as_u64().unwrap())
            .collect()
    };
    until("a whole round", || survivors().contains(&4));
    for up in [true, false] {
        let way = if up {
            &weathers[1].loss_up
        } else {
            &weathers[1].loss_down
        };
        way.store(100, Ordering::Relaxed);
        let before = survivors().len();
        until("a round without it", || survivors()[before..].contains(&3));
        way.store(0, Ordering::Relaxed);
        let before = survivors().len();
        until("a whole round again", || survivors()[before..].contains(&4));
    }
    server.signal("INT");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    drop(clients);
    assert!(survivors().iter().all(|count| [3, 4].contains(count)));
    federation.report();
}
