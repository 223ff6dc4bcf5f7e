//! What makes a pair's secrets: X25519, ML-KEM-768, and batches of signatures, beside other implementations of the same.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::hint::black_box;

use aws_lc_rs::kem::{Ciphertext, DecapsulationKey as AwsKey, ML_KEM_768};
use criterion::{BenchmarkId, Criterion, Throughput};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_benches::{Effort, Race};
use tacita_protocol::kem::{self, KEM_SEED, KemPair};
use tacita_protocol::signature::{Claim, verify_all};
use zeroize::Zeroizing;

/// A neighbourhood, and quorums of 100, 500 and 1,000 clients.
const BATCHES: [usize; 3] = [54, 263, 526];
const LABEL: &str = "tacita/1 bench";
const TIMES: usize = 20;

struct Signed {
    digest: [u8; 32],
    message: Vec<u8>,
    keys: Vec<VerifyingKey>,
    signatures: Vec<[u8; 64]>,
}

impl Signed {
    fn by(count: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(count as u64);
        let digest = [7; 32];
        let message = [LABEL.as_bytes(), &[0], &digest].concat();
        let signing: Vec<SigningKey> = (0..count)
            .map(|_| {
                let mut seed = [0; 32];
                rng.fill_bytes(&mut seed);
                SigningKey::from_bytes(&seed)
            })
            .collect();
        Self {
            keys: signing.iter().map(SigningKey::verifying_key).collect(),
            signatures: signing.iter().map(|key| key.sign(&message).to_bytes()).collect(),
            digest,
            message,
        }
    }

    fn ours(&self) {
        let claims: Vec<Claim<'_>> = (self.keys.iter().zip(&self.signatures))
            .map(|(key, signature)| Claim {
                key,
                digest: self.digest,
                signature,
            })
            .collect();
        verify_all(LABEL, &claims).unwrap();
    }

    fn dalek(&self) {
        let signatures: Vec<Signature> = self.signatures.iter().map(Signature::from_bytes).collect();
        let messages = vec![self.message.as_slice(); signatures.len()];
        ed25519_dalek::verify_batch(&messages, &signatures, &self.keys).unwrap();
    }

    fn alone(&self) {
        for (key, signature) in self.keys.iter().zip(&self.signatures) {
            key.verify_strict(&self.message, &Signature::from_bytes(signature))
                .unwrap();
        }
    }
}

fn groups(criterion: &mut Criterion) {
    let seed = Zeroizing::new([1; KEM_SEED]);
    let randomness = Zeroizing::new([2; 32]);
    let pair = KemPair::from_seed(&seed);
    let (ciphertext, _) = kem::encapsulate(pair.public(), &randomness).unwrap();
    let mut group = criterion.benchmark_group("ML-KEM-768");
    group.bench_function("key pair", |b| b.iter(|| KemPair::from_seed(black_box(&seed))));
    group.bench_function("encapsulate", |b| {
        b.iter(|| kem::encapsulate(black_box(pair.public()), &randomness).unwrap());
    });
    group.bench_function("decapsulate", |b| {
        b.iter(|| pair.decapsulate(black_box(&ciphertext)).unwrap());
    });
    group.finish();
    let mut group = criterion.benchmark_group("Ed25519 batch, per signature");
    for size in BATCHES {
        let signed = Signed::by(size);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(|| signed.ours()));
    }
    group.finish();
}

fn many<'a, T>(times: usize, mut work: impl FnMut() -> T + 'a) -> impl FnMut() + 'a {
    move || {
        for _ in 0..times {
            black_box(work());
        }
    }
}

fn race_kems(effort: Effort) {
    let randomness = Zeroizing::new([2; 32]);
    let seed = Zeroizing::new([1; KEM_SEED]);
    let ours = KemPair::from_seed(&seed);
    let rust = DecapsulationKey::<MlKem768>::from_seed((*seed).into());
    let rust_public = rust.encapsulation_key().to_bytes();
    assert_eq!(
        rust_public.as_slice(),
        ours.public(),
        "two implementations, one key"
    );
    let (ciphertext, _) = kem::encapsulate(ours.public(), &randomness).unwrap();
    let rust_ciphertext = ciphertext.as_slice().try_into().unwrap();
    let aws = AwsKey::generate(&ML_KEM_768).unwrap();
    let aws_public = aws.encapsulation_key().unwrap();
    let (aws_ciphertext, _) = aws_public.encapsulate().unwrap();
    println!(
        "\nML-KEM-768, thousand operations a second on one core, {} laps in turn; aws-lc draws its own randomness, which\n\
         recovery cannot use, and keeps keys decoded",
        effort.laps()
    );
    let thousands = TIMES as f64 / 1e3;
    Race::new()
        .enter(
            "encapsulate: as here (libcrux)",
            many(TIMES, || kem::encapsulate(ours.public(), &randomness).unwrap()),
        )
        .enter(
            "encapsulate: ml-kem",
            many(TIMES, || {
                let key = EncapsulationKey::<MlKem768>::new(&rust_public).unwrap();
                key.encapsulate_deterministic(&(*randomness).into())
            }),
        )
        .enter(
            "encapsulate: aws-lc",
            many(TIMES, || aws_public.encapsulate().unwrap()),
        )
        .enter(
            "decapsulate: as here (libcrux, expanded key)",
            many(TIMES, || ours.decapsulate(&ciphertext).unwrap()),
        )
        .enter(
            "decapsulate: ml-kem",
            many(TIMES, || rust.decapsulate(rust_ciphertext)),
        )
        .enter(
            "decapsulate: aws-lc",
            many(TIMES, || {
                aws.decapsulate(Ciphertext::from(aws_ciphertext.as_ref()))
                    .unwrap()
            }),
        )
        .print(effort.laps(), thousands, "1,000 / s");
}

fn race_batches(effort: Effort) {
    for size in BATCHES {
        let signed = Signed::by(size);
        println!(
            "\nEd25519, {size} signatures, thousands a second on one core, {} laps in turn",
            effort.laps()
        );
        let spreads = Race::new()
            .enter("one batch, as here", || signed.ours())
            .enter("one batch, ed25519-dalek", || signed.dalek())
            .enter("each alone, strictly", || signed.alone())
            .print(effort.laps(), size as f64 / 1e3, "1,000 / s");
        if let [ours, dalek, alone] = spreads.as_slice() {
            println!(
                "    as here against ed25519-dalek's batch {:.2}x, against each alone {:.2}x",
                ours.lap_by_lap(dalek),
                ours.lap_by_lap(alone)
            );
        }
    }
}

fn main() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        race_kems(effort);
        race_batches(effort);
    }
}
