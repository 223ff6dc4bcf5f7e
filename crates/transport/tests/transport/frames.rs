//! Frames arrive whole and in order, or not at all.

use tacita_transport::{MAX_FRAME, Pace};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_size_arrives_and_the_end_is_seen() {
    let mut house = House::new();
    let (client, server) = house.pair("ward-3").await;
    let sizes = [
        0,
        1,
        3,
        4,
        5,
        1_199,
        1_200,
        16_383,
        16_384,
        16_385,
        65_536,
        MAX_FRAME - 1,
        MAX_FRAME,
    ];
    let sender = tokio::spawn(async move {
        let (mut send, receive) = client.open().await.unwrap();
        for (i, size) in sizes.into_iter().enumerate() {
            send.send(&vec![i as u8; size]).await.unwrap();
        }
        send.finish_and_wait().await.unwrap();
        (client, receive)
    });
    let (send, mut receive) = soon(server.accept()).await.unwrap();
    for (i, size) in sizes.into_iter().enumerate() {
        let frame = soon(receive.recv()).await.unwrap().unwrap();
        assert!(
            frame.len() == size && frame.iter().all(|&byte| byte == i as u8),
            "frame {i}"
        );
    }
    assert_eq!(soon(receive.recv()).await.unwrap(), None);
    send.finish().await.unwrap();
    let (_client, mut receive) = soon(sender).await.unwrap();
    assert_eq!(soon(receive.recv()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_frames_share_packets() {
    let mut house = House::new();
    let (client, server) = house.pair("ward-3").await;
    let (mut send, _receive) = client.open().await.unwrap();
    for i in 0..10_000_u32 {
        send.queue(&i.to_le_bytes()).await.unwrap();
    }
    send.flush().await.unwrap();
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    for i in 0..10_000_u32 {
        assert_eq!(soon(receive.recv()).await.unwrap().unwrap(), i.to_le_bytes());
    }
    // 80 kB of frames; a packet for each would have been over 300 kB.
    assert!(client.traffic().0 < 150_000, "{} bytes sent", client.traffic().0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_frame_is_refused_before_it_is_sent_and_before_it_is_taken() {
    let mut house = House::new();
    let (client, server) = house.pair("ward-3").await;
    let (mut send, _receive) = client.open().await.unwrap();
    let too_large = TransportError::FrameTooLarge { bytes: MAX_FRAME + 1 };
    assert_eq!(send.send(&vec![0; MAX_FRAME + 1]).await.unwrap_err(), too_large);
    send.send(b"still in order").await.unwrap();
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    assert_eq!(soon(receive.recv()).await.unwrap().unwrap(), b"still in order");

    // A peer that does not keep to it.
    for announced in [MAX_FRAME as u32 + 1, u32::MAX] {
        let who = house.world.member(Role::Client, "rude");
        let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
        let (mut stream, _) = connection.open_bi().await.unwrap();
        stream.write_all(&announced.to_le_bytes()).await.unwrap();
        let (_send, mut receive) = soon(server.unwrap().accept()).await.unwrap();
        let error = soon(receive.recv()).await.unwrap_err();
        assert_eq!(
            error,
            TransportError::FrameTooLarge {
                bytes: announced as usize
            }
        );
        assert!(
            soon(stream.stopped()).await.unwrap().is_some(),
            "the peer is told"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_not_taken_for_an_end() {
    let mut house = House::new();
    for (bytes, whole) in [
        (&[5, 0, 0, 0, b'h', b'a'][..], false),
        (&[5, 0], false),
        (&[0, 0, 0, 0], true),
    ] {
        let who = house.world.member(Role::Client, "rude");
        let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
        let (mut stream, _) = connection.open_bi().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.finish().unwrap();
        let (_send, mut receive) = soon(server.unwrap().accept()).await.unwrap();
        if whole {
            assert_eq!(soon(receive.recv()).await.unwrap(), Some(Vec::new()));
            assert_eq!(soon(receive.recv()).await.unwrap(), None);
        } else {
            assert_eq!(soon(receive.recv()).await.unwrap_err(), TransportError::Truncated);
        }
    }
    // Our own sender, dropped with frames still queued.
    let (client, server) = house.pair("ward-3").await;
    let (mut send, _receive) = client.open().await.unwrap();
    send.send(b"one").await.unwrap();
    send.queue(b"two").await.unwrap();
    drop(send);
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    let outcome = match soon(receive.recv()).await {
        // The reset may overtake the first frame.
        Ok(Some(frame)) => {
            assert_eq!(frame, b"one");
            soon(receive.recv()).await
        }
        other => other,
    };
    assert!(
        matches!(outcome, Err(TransportError::StreamReset { .. })),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_interrupted_loses_nothing() {
    let mut house = House::new();
    let (client, server) = house.pair("ward-3").await;
    let sender = tokio::spawn(async move {
        let (mut send, _receive) = client.open().await.unwrap();
        for i in 0..200_u8 {
            send.send(&vec![i; usize::from(i) * 300]).await.unwrap();
            if i % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        send.finish_and_wait().await.unwrap();
    });
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    let mut interrupted = 0;
    for i in 0..200_u8 {
        let frame = loop {
            tokio::select! {
                biased;
                frame = receive.recv() => break frame.unwrap().unwrap(),
                () = tokio::task::yield_now() => interrupted += 1,
            }
        };
        assert_eq!(frame, vec![i; usize::from(i) * 300]);
    }
    assert!(interrupted > 0, "the test did not interrupt anything");
    soon(sender).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_silent_senders_are_given_up() {
    let mut house = House::new();
    let pace = Pace {
        quiet: Some(Duration::from_millis(400)),
        grace: Duration::from_millis(300),
        least_rate: 100_000,
    };
    let who = house.world.member(Role::Client, "slow");
    let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
    let server = server.unwrap();
    let (mut stream, _) = connection.open_bi().await.unwrap();
    // A frame of 50,000 bytes, one byte at a time.
    let drip = tokio::spawn(async move {
        stream.write_all(&50_000_u32.to_le_bytes()).await?;
        loop {
            stream.write_all(&[1]).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        #[allow(unreachable_code)]
        Ok::<(), quinn::WriteError>(())
    });
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    receive.set_pace(Some(pace));
    let started = std::time::Instant::now();
    assert_eq!(soon(receive.recv()).await.unwrap_err(), TransportError::TooSlow);
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(
        soon(drip).await.unwrap(),
        Err(quinn::WriteError::Stopped(_))
    ));

    let (mut stream, _) = connection.open_bi().await.unwrap();
    stream.write_all(&[1, 0, 0, 0, 9]).await.unwrap();
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    receive.set_pace(Some(pace));
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(vec![9]));
    assert_eq!(soon(receive.recv()).await.unwrap_err(), TransportError::Silent);
}

/// Shared frames, large and small, come in order with the others, also behind a future that was dropped in the middle of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_frames_keep_their_order() {
    let mut house = House::new();
    let (connection, server) = house.pair("sharing").await;
    let (mut send, _receive) = soon(connection.open()).await.unwrap();
    let large = Arc::new(vec![3; MAX_FRAME]);
    soon(send.queue(&[1])).await.unwrap();
    soon(send.queue_shared(Arc::new(vec![2]))).await.unwrap();
    soon(send.queue_shared(Arc::clone(&large))).await.unwrap();
    // Nobody reads: the windows fill, and the future that waits is dropped.
    let brief = Duration::from_millis(200);
    let mut sent = 1;
    while tokio::time::timeout(brief, send.queue_shared(Arc::clone(&large)))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 100, "no window");
    }
    sent += 1;
    let sending = tokio::spawn(async move {
        send.queue(&[4]).await.unwrap();
        send.finish_and_wait().await.unwrap();
    });
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(vec![1]));
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(vec![2]));
    for _ in 0..sent {
        assert!(
            soon(receive.recv())
                .await
                .unwrap()
                .is_some_and(|frame| frame == *large)
        );
    }
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(vec![4]));
    assert_eq!(soon(receive.recv()).await.unwrap(), None);
    soon(sending).await.unwrap();
    let too_large = Arc::new(vec![0; MAX_FRAME + 1]);
    let (mut send, _receive) = soon(connection.open()).await.unwrap();
    assert!(matches!(
        soon(send.queue_shared(too_large)).await,
        Err(TransportError::FrameTooLarge { .. })
    ));
}

/// A reader without a place for a frame knows its length and its first byte, and its own waiting is not the sender's slowness.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_waits_for_its_place() {
    let mut house = House::new();
    let pace = Pace {
        quiet: None,
        grace: Duration::from_millis(300),
        least_rate: 1 << 30,
    };
    let who = house.world.member(Role::Client, "patient");
    let (connection, server) = tokio::join!(raw::connect(&house, who), house.accept());
    let server = server.unwrap();
    let (mut stream, _) = connection.open_bi().await.unwrap();
    let large = vec![7; 200_000];
    let sent = large.clone();
    let sending = tokio::spawn(async move {
        stream.write_all(&200_000_u32.to_le_bytes()).await.unwrap();
        stream.write_all(&sent).await.unwrap();
        stream.write_all(&[0, 0, 0, 0, 1, 0, 0, 0, 9]).await.unwrap();
        stream.finish().unwrap();
        stream
    });
    let (_send, mut receive) = soon(server.accept()).await.unwrap();
    receive.set_pace(Some(pace));
    for _ in 0..2 {
        assert_eq!(soon(receive.announced()).await.unwrap(), Some((200_000, Some(7))));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(large));
    assert_eq!(soon(receive.announced()).await.unwrap(), Some((0, None)));
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(Vec::new()));
    assert_eq!(soon(receive.recv()).await.unwrap(), Some(vec![9]));
    assert_eq!(soon(receive.announced()).await.unwrap(), None);
    assert_eq!(soon(receive.recv()).await.unwrap(), None);
    drop(soon(sending).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_at_once_over_one_socket() {
    let mut house = House::new();
    let server = Arc::clone(&house.server);
    let serving = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let connection = soon(server.accept()).await.unwrap().unwrap();
            tasks.spawn(async move {
                let (mut send, mut receive) = connection.accept().await.unwrap();
                // Each answer carries the name that the handshake proved.
                let own = connection.peer().unwrap().name.to_string();
                while let Some(frame) = receive.recv().await.unwrap() {
                    assert!(
                        frame.starts_with(own.as_bytes()),
                        "frames of one client reached another"
                    );
                    send.send(&frame).await.unwrap();
                }
                send.finish_and_wait().await.unwrap();
                own
            });
        }
        tasks.join_all().await
    });
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200 {
        let who = house.client(&format!("ward-{i:03}"));
        let (clients, addr) = (house.clients.clone(), house.addr);
        tasks.spawn(async move {
            let connection = clients.connect(addr, &who, None).await.unwrap();
            let (mut send, mut receive) = connection.open().await.unwrap();
            for size in [0, 100, 20_000] {
                let mut frame = format!("ward-{i:03}").into_bytes();
                frame.resize(frame.len() + size, i as u8);
                send.send(&frame).await.unwrap();
                assert_eq!(receive.recv().await.unwrap().unwrap(), frame);
            }
            send.finish().await.unwrap();
            assert_eq!(receive.recv().await.unwrap(), None);
        });
    }
    soon(tasks.join_all()).await;
    let mut served = soon(serving).await.unwrap();
    served.sort();
    served.dedup();
    assert_eq!(served.len(), 200);
    assert_eq!(house.server.stats().failed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_streams_than_agreed_and_no_other_kinds() {
    let mut house = House::new();
    let who = house.world.member(Role::Client, "greedy");
    let (connection, _server) = tokio::join!(raw::connect(&house, who), house.accept());
    let mut streams = Vec::new();
    for _ in 0..tacita_transport::limits::BIDI_STREAMS {
        streams.push(soon(connection.open_bi()).await.unwrap());
    }
    let brief = Duration::from_millis(300);
    assert!(
        tokio::time::timeout(brief, connection.open_bi()).await.is_err(),
        "a fifth stream"
    );
    assert!(
        tokio::time::timeout(brief, connection.open_uni()).await.is_err(),
        "a one-way stream"
    );
    assert_eq!(connection.max_datagram_size(), None, "datagrams");
}
