//! F17, F18: what a hostile frame costs before it is refused. Memory follows the bytes that came, not the lengths that they
//! promise, and time as well.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed assumption is a failed test.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tacita_protocol::limits::{MAX_COHORT, MAX_FRAME, MAX_MESSAGE};
use tacita_protocol::messages::{
    AbortMessage, Advertise, AgreeRequest, Agreement, ClientMessage, DealtBox, Draws, Hello, OutcomeMessage,
    ProvenEntry, Resume, Reveal, RevealRequest, RevealedShare, RosterEntry, RosterMessage, SampledRequest,
    SealedBox, ServerMessage, ShareRoot, SharerEntry, SharersMessage, Shares, SignersMessage, UploadChunk,
    UploadEnd,
};
use tacita_protocol::parts::Assembler;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What a frame of 1 KiB may cost.
const BOUND: usize = 64 << 10;

fn decode(frame: &[u8]) -> bool {
    let client = ClientMessage::decode(frame).is_ok();
    ServerMessage::decode(frame).is_ok() || client
}

/// All bytes that decoding allocates, reallocations in full: an upper bound for what it holds at any time.
fn cost(frame: &[u8]) -> usize {
    let region = Region::new(ALLOCATOR);
    decode(frame);
    let stats = region.change();
    stats.bytes_allocated + usize::try_from(stats.bytes_reallocated.max(0)).unwrap()
}

fn advertise() -> Advertise {
    Advertise {
        mask_key: [1; 32],
        share_key: [2; 32],
        mask_kem_key: vec![5; 40].into(),
        share_kem_key: vec![6; 40].into(),
        nonce: [3; 32],
        signature: [4; 64],
    }
}

fn share_root() -> ShareRoot {
    ShareRoot {
        root: [1; 32],
        self_commitment: [2; 32],
        signature: [3; 64],
    }
}

fn sealed(peer: u16) -> SealedBox {
    SealedBox {
        peer,
        share_ciphertext: vec![8; 40].into(),
        ciphertext: vec![7; 112].into(),
    }
}

fn dealt(peer: u16) -> DealtBox {
    DealtBox {
        peer,
        pair: [9; 32],
        mask_ciphertext: vec![6; 40].into(),
        share_ciphertext: vec![8; 40].into(),
        ciphertext: vec![7; 112].into(),
    }
}

fn proven() -> ProvenEntry {
    ProvenEntry {
        index: 3,
        bytes: vec![b'{'; 80].into(),
        proof: vec![[4; 32]; 2].into(),
    }
}

/// A well-formed message of every kind whose lists are not empty, an invitation excepted, for which the bytes of a manifest would
/// have to be made: those of its kind are among the patterns.
fn frames() -> Vec<Vec<u8>> {
    let entry = RosterEntry {
        index: 1,
        identity: [1; 32],
        fingerprint: [2; 32],
        advertise: advertise(),
        proof: vec![[3; 32]; 2].into(),
    };
    let sharer = SharerEntry {
        index: 1,
        share_root: share_root(),
        mask_ciphertext: vec![6; 40].into(),
        ciphertext_proof: vec![[4; 32]; 2].into(),
        proof: vec![[3; 32]; 2].into(),
    };
    let share = RevealedShare {
        dealer: 1,
        value: [1; 32],
        path: vec![[3; 32]; 3].into(),
    };
    let reason = || AbortMessage {
        reason: b"TAC-052".as_slice().into(),
    };
    let client = [
        ClientMessage::Hello(Hello {
            attempt: [7; 32].as_slice().into(),
            ..Hello::fresh(9)
        }),
        ClientMessage::Advertise(advertise()),
        ClientMessage::Shares(Shares {
            share_root: share_root(),
            own_pair: vec![[1; 32]].into(),
            boxes: vec![dealt(1), dealt(2)].into(),
        }),
        ClientMessage::Chunk(UploadChunk {
            index: 0,
            packed: vec![5; 104].into(),
        }),
        ClientMessage::UploadEnd(UploadEnd {
            suspects: vec![1, 2].into(),
            noise_anchor: Vec::new().into(),
            signature: [0; 64],
        }),
        ClientMessage::Agreement(Agreement { signature: [0; 64] }),
        ClientMessage::Reveal(Reveal {
            shares: vec![share.clone(), share].into(),
            noise_seed: Vec::new().into(),
            cosigned_at: 7,
            cosignature: [0; 64],
        }),
        ClientMessage::Leave(reason()),
        ClientMessage::Draws(Draws {
            drawn: vec![1, 2, 3].into(),
        }),
    ];
    let request = || RevealRequest {
        signers: vec![7].into(),
        signatures: vec![[1; 64]; 3].into(),
        checkpoint: vec![b'a'; 90].into(),
        consistency: vec![[2; 32]].into(),
        manifest: proven(),
        charge: proven(),
        upload_proof: vec![[5; 32]; 2].into(),
    };
    let server = [
        ServerMessage::Model(vec![1; 100].into()),
        ServerMessage::Certificates(vec![vec![0x30; 40].into(), vec![0x30; 40].into()].into()),
        ServerMessage::Roster(RosterMessage {
            identities: vec![1; 3 * 32].into(),
            merkle_root: [2; 32],
            entries: vec![entry.clone(), entry].into(),
        }),
        ServerMessage::Sharers(SharersMessage {
            sharers: vec![7].into(),
            merkle_root: [2; 32],
            entries: vec![sharer.clone(), sharer].into(),
            boxes: vec![sealed(1)].into(),
        }),
        ServerMessage::Agree(AgreeRequest {
            survivors: vec![7].into(),
        }),
        ServerMessage::Reveal(Box::new(request())),
        ServerMessage::Signers(SignersMessage {
            signers: vec![7].into(),
            root: [3; 32],
        }),
        ServerMessage::Sampled(Box::new(SampledRequest {
            request: request(),
            proofs: vec![vec![[4; 32]; 2].into(); 3].into(),
        })),
        ServerMessage::Outcome(OutcomeMessage {
            checkpoint: vec![b'a'; 90].into(),
            consistency: vec![[2; 32]].into(),
            outcome: proven(),
        }),
        ServerMessage::Abort(reason()),
        ServerMessage::Finished(b"done".as_slice().into()),
        ServerMessage::Resume(Resume { next: 3 }),
    ];
    let encoded = client.iter().map(ClientMessage::encode);
    encoded
        .chain(server.iter().map(ServerMessage::encode))
        .map(Result::unwrap)
        .collect()
}

/// Hostile frames of 1 KiB: every beginning of every message, and then what promises most.
#[test]
fn a_hostile_kibibyte_costs_little() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let frames = frames();
    assert!(frames.iter().all(|frame| decode(frame)));
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let (mut worst, mut cases) = (0, 0u32);
    let mut check = |frame: &[u8]| {
        assert_eq!(frame.len(), 1024);
        let cost = cost(frame);
        assert!(
            cost <= BOUND,
            "kind {}: {cost} bytes for {:?}",
            frame[0],
            &frame[..16]
        );
        worst = worst.max(cost);
        cases += 1;
    };
    let filled = |start: &[u8], fill: &[u8]| -> Vec<u8> {
        start
            .iter()
            .chain(fill.iter().cycle())
            .copied()
            .take(1024)
            .collect()
    };
    let fills: [&[u8]; 6] = [
        &[0xff],
        &[0],
        &[0, 1],
        &[0, 0, 3, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0xff, 0xff],
    ];
    for frame in &frames {
        for at in 1..=frame.len() {
            for fill in fills {
                check(&filled(&frame[..at], fill));
            }
        }
    }
    for kind in 0..=u8::MAX {
        for fill in fills {
            check(&filled(&[kind], fill));
        }
        for _ in 0..200 {
            let mut frame = vec![0; 1024];
            rng.fill_bytes(&mut frame);
            frame[0] = kind;
            check(&frame);
        }
    }
    assert!(cases > 50_000, "{cases} frames, the dearest {worst} bytes");
    // Something was counted at all: the lists of empty elements.
    assert!(worst > 1024, "{worst}");
}

/// The longest lists of the smallest elements there are, in a message of so many bytes: boxes, and, of kinds that are never
/// divided, certificates and a chunk.
fn tiny_items(length: usize) -> [Vec<u8>; 3] {
    // A divisor of all elements' sizes.
    let count = u32::try_from(length).unwrap() / 1200 * 1200 - 1200;
    let zeros = vec![0; usize::try_from(count).unwrap()];
    let boxes = [&[69][..], &[0; 2 + 32 + 4], &count.to_be_bytes(), &zeros].concat();
    let certificates = [&[67][..], &count.to_be_bytes(), &zeros].concat();
    let chunk = [&[4, 0, 0, 0, 0][..], &count.to_be_bytes(), &zeros].concat();
    [boxes, certificates, chunk]
}

#[test]
fn memory_and_time_are_linear_in_the_bytes_received() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let best = |frame: &[u8]| -> Duration {
        let once = |_| {
            let since = Instant::now();
            decode(frame);
            since.elapsed()
        };
        (0..9).map(once).min().unwrap()
    };
    for (small, large) in tiny_items(16 << 10).iter().zip(&tiny_items(MAX_FRAME)) {
        assert!(large.len() <= MAX_FRAME && small.len() * 15 < large.len());
        let (less, more) = (cost(small), cost(large));
        assert!(more <= 20 * less, "kind {}: {less} and {more} bytes", large[0]);
        // An element of nothing is a vector of nothing: 32 bytes for 4, and the list grows by doubling.
        assert!(more <= 32 * large.len(), "kind {}: {more} bytes", large[0]);
        // Sixteen times the bytes; squared it would be 256 times the time.
        let (less, more) = (best(small), best(large));
        let bound = 80 * less + Duration::from_micros(50);
        assert!(more <= bound, "kind {}: {less:?} and {more:?}", large[0]);
    }
    // Put together from parts it is eight times as long, and as much dearer.
    let (frame, message) = (&tiny_items(MAX_FRAME)[0], &tiny_items(MAX_MESSAGE)[0]);
    let (less, more) = (cost(frame), cost(message));
    assert!(more <= 20 * less, "{less} and {more} bytes");
    // More elements than a cohort has members are not handed on.
    assert!(!decode(&tiny_items(usize::from(MAX_COHORT) * 9)[0]));
}

/// A length of 2^32 - 1 in the place of every length that a message begins with.
#[test]
fn the_largest_length_costs_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (kind, before) in [(3, 129), (4, 4), (7, 0), (66, 0), (67, 0), (68, 0), (69, 38)] {
        let frame = [&[kind][..], &vec![0; before], &[0xff; 4], &[0; 64]].concat();
        let cost = cost(&frame);
        assert!(!decode(&frame) && cost <= 8192, "kind {kind}: {cost} bytes");
    }
}

/// Parts: a length that promises more costs nothing, and what is held is what came, up to the room that there is.
#[test]
fn parts_hold_what_came_and_no_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (kind, assembler) in [
        (9, Assembler::of_client as fn() -> Assembler),
        (75, Assembler::of_server),
    ] {
        for fill in [0, 3, 0xff] {
            let frame = [&[kind, 0][..], &[0xff; 4], &[fill; 1018]].concat();
            let mut assembler = assembler();
            let region = Region::new(ALLOCATOR);
            assert!(assembler.push(frame, usize::MAX).is_err());
            let cost = region.change().bytes_allocated;
            assert!(cost <= BOUND, "kind {kind}: {cost} bytes");
        }
    }
    // Well-formed parts of a message that never ends.
    let bytes = MAX_FRAME - 6;
    let length = u32::try_from(bytes).unwrap().to_be_bytes();
    let part = [&[9, 0][..], &length, &vec![3; bytes]].concat();
    let mut assembler = Assembler::of_client();
    let room = 3 * MAX_FRAME;
    let taken = (0..100).take_while(|_| assembler.push(part.clone(), room).is_ok());
    assert_eq!(taken.count(), 3);
    // What it held is what it frees now. The harness may free something of its own meanwhile, which only adds to it.
    let region = Region::new(ALLOCATOR);
    drop(assembler);
    let held = region.change().bytes_deallocated;
    assert!(held <= BOUND, "{held} bytes are still held after the refusal");
}
