//! Mask expansion beside the bare cipher, per byte of key stream.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aes::Aes256;
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use tacita_algebra::{RingBits, RingVector};
use tacita_benches::round::{self, Shape};
use tacita_benches::{Effort, Race, Spread, cpu};
use tacita_protocol::mask::{self, Mask, Sign};
use tacita_sim::Cast;

/// Coordinates of the vector.
const COORDINATES: usize = 1 << 20;
/// A self mask and 32 pair masks.
const MASKS: usize = 33;
/// The bare cipher's buffer where it is fastest: in the first-level cache with room to spare.
const SMALL: usize = 8 * 1024;
/// What must be reached, as a part of the bare rate.
const ACCEPTED: f64 = 0.85;

fn keys() -> impl Iterator<Item = [u8; 32]> {
    (0..MASKS).map(|i| [i as u8; 32])
}

/// What a client and the server do: all masks onto one vector, keys scheduled anew.
fn apply(vector: &mut RingVector) {
    let masks: Vec<Mask> = keys()
        .zip([Sign::Plus, Sign::Minus].into_iter().cycle())
        .map(|(key, sign)| Mask::new(&key, sign))
        .collect();
    mask::apply(black_box(vector), 0, &masks).unwrap();
}

/// As many bytes of key stream under as many keys, written over `buffer` again and again and used for nothing.
fn bare(buffer: &mut [u8], bytes: usize) {
    for key in keys() {
        let mut stream = Ctr128BE::<Aes256>::new(&key.into(), &[0; 16].into());
        for _ in 0..bytes / MASKS / buffer.len() {
            stream.write_keystream(black_box(&mut *buffer));
        }
    }
}

/// The same from aws-lc, which encrypts zeros in place: hand-written assembly for this processor.
fn aws(buffer: &mut [u8], bytes: usize) {
    for key in keys() {
        let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
        for _ in 0..bytes / MASKS / buffer.len() {
            let start = EncryptionContext::Iv128(FixedLength::from([0; 16]));
            let _ = key.less_safe_encrypt(black_box(&mut *buffer), start).unwrap();
        }
    }
}

fn groups(criterion: &mut Criterion) {
    for (name, bits, width) in [("u32 ring", 24, 4), ("u64 ring", 40, 8)] {
        let bytes = COORDINATES * MASKS * width;
        let mut group: BenchmarkGroup<'_, WallTime> =
            criterion.benchmark_group(format!("mask expansion, {name}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut vector = RingVector::zeros(RingBits::new(bits).unwrap(), COORDINATES);
        group.bench_function("33 masks on 2^20 coordinates", |b| b.iter(|| apply(&mut vector)));
        let mut small = vec![0; SMALL];
        group.bench_function("bare AES-256-CTR", |b| b.iter(|| bare(&mut small, bytes)));
        group.finish();
    }
}

fn race(effort: Effort) {
    println!(
        "\nmask expansion: {MASKS} masks on {COORDINATES} coordinates, contestants in turn, GB of key stream a second"
    );
    for (name, bits, width) in [("u32 ring, b = 24", 24, 4), ("u64 ring, b = 40", 40, 8)] {
        let bytes = COORDINATES * MASKS * width;
        let mut vector = RingVector::zeros(RingBits::new(bits).unwrap(), COORDINATES);
        let (mut small, mut large) = (vec![0; SMALL], vec![0; COORDINATES * width]);
        let (mut near, mut far) = (vec![0; SMALL], vec![0; 128 * 1024]);
        println!("  {name}");
        let spreads = Race::new()
            .enter("mask::apply", || apply(&mut vector))
            .enter("bare AES-256-CTR, 8 KiB buffer", || bare(&mut small, bytes))
            .enter("bare AES-256-CTR, buffer of a vector", || bare(&mut large, bytes))
            .enter("aws-lc-rs AES-256-CTR, 8 KiB buffer", || aws(&mut near, bytes))
            .enter("aws-lc-rs AES-256-CTR, 128 KiB buffer", || aws(&mut far, bytes))
            .print(effort.laps(), bytes as f64 / 1e9, "GB/s");
        let [ours, cipher, ..] = spreads.as_slice() else {
            return;
        };
        verdict(ours, cipher);
    }
}

fn verdict(ours: &Spread, cipher: &Spread) {
    let ratio = ours.against(cipher);
    println!(
        "    mask::apply at {ratio:.3} of the bare cipher in its best lap, {:.3} in the median over laps; accepted from \
         {ACCEPTED}: {}",
        ours.lap_by_lap(cipher),
        if ratio >= ACCEPTED {
            "reached"
        } else {
            "NOT reached"
        }
    );
}

/// Time of one client over that of the bare cipher and key agreements: what must be reached.
const CLIENT_ACCEPTED: f64 = 1.3;

/// A client in a round of a hundred with 32 neighbours, from the noised vector to packed bytes: lists and boxes checked, keys agreed,
/// masked, packed and hashed for the signature, packed again for the wire. Beside it as many bare key streams, and one
/// X25519 agreement a neighbour.
fn one_client(effort: Effort) {
    let shape = Shape {
        clients: 100,
        colluders: 10,
        minimum_survivors: 90,
        vanish: 0,
        dimension: COORDINATES as u32,
    };
    let cast = Arc::new(Cast::new(100, 100).unwrap());
    round::introduce(&cast);
    let mut best: Option<[Duration; 4]> = None;
    for _ in 0..effort.laps().min(3) {
        let account = round::walk(&cast, &shape);
        let neighbours = account.manifest.fields().neighbours as usize;
        assert_eq!(neighbours + 1, MASKS);
        let step = account.clients.mean_of("sharers, mask");
        let pack = account.clients.total_of("pack") / account.survivors as u32;
        let mut small = vec![0; SMALL];
        let bytes = MASKS * account.manifest.padded() * 4;
        let ((), cipher) = cpu::time(|| bare(&mut small, bytes));
        let ((), agreed) = cpu::time(|| agree(neighbours));
        if best.is_none_or(|[a, b, ..]| step + pack < a + b) {
            best = Some([step, pack, cipher, agreed]);
        }
    }
    let Some([step, pack, cipher, agreed]) = best else {
        return;
    };
    let ratio = (step + pack).as_secs_f64() / (cipher + agreed).as_secs_f64();
    println!(
        "\none client, n = 100, k = 32, d = 2^20, milliseconds on one core: lists checked, masked and signed {:.1}, packed {:.1}; \
         {MASKS} bare key streams {:.1}, {} X25519 agreements {:.1}; ratio {ratio:.2}, accepted up to {CLIENT_ACCEPTED}: {}",
        millis(step),
        millis(pack),
        millis(cipher),
        MASKS - 1,
        millis(agreed),
        if ratio <= CLIENT_ACCEPTED {
            "reached"
        } else {
            "NOT reached"
        }
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn agree(times: usize) {
    let mine = PrivateKey::from_private_key(&X25519, &[5; 32]).unwrap();
    let theirs = PrivateKey::from_private_key(&X25519, &[6; 32]).unwrap();
    let public = theirs.compute_public_key().unwrap();
    for _ in 0..times {
        let peer = UnparsedPublicKey::new(&X25519, &public);
        agreement::agree(black_box(&mine), peer, (), |secret| Ok(black_box(secret).len())).unwrap();
    }
}

fn main() {
    tacita_benches::on_one_core(measure);
}

fn measure() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        race(effort);
        one_client(effort);
    }
}
