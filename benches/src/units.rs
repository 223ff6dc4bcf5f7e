//! What the building blocks of a round cost here and now, and how many of each a round takes.
//!
//! Blocks are measured as the rooms use them (same libraries, same sizes); counts follow from the round's own numbers.

use std::time::Duration;

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::Sha256;
use tacita_algebra::shamir::{self, Interpolator};
use tacita_algebra::{RingBits, RingVector, SecretScalar, TaggedHash};
use tacita_ledger::tree::{self, Tree};
use tacita_protocol::kem::{self, KEM_SEED, KemPair};
use tacita_protocol::mask::{self, Mask, Sign};
use tacita_protocol::signature::{Claim, verify_all};
use zeroize::Zeroizing;

use crate::race::{Race, Spread};
use crate::round::{Account, Shape};

/// One kind of work of a round.
pub struct Work {
    /// What.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// How long each takes.
    pub each: Duration,
}

/// Median times of the building blocks, at the sizes of one round.
pub struct Units {
    key: Duration,
    agree: Duration,
    kem_key: Duration,
    encapsulate: Duration,
    decapsulate: Duration,
    split: Duration,
    interpolator: Duration,
    reconstruct: Duration,
    derive: Duration,
    seal: Duration,
    open: Duration,
    sign: Duration,
    verify: Duration,
    near_batch: Duration,
    quorum_batch: Duration,
    leaf: Duration,
    path: Duration,
    masks: Duration,
}

/// Repetitions within a lap, so that a lap is long against the clock.
const TIMES: u32 = 16;

fn repeated<'a, T>(mut work: impl FnMut() -> T + 'a) -> impl FnMut() + 'a {
    move || {
        for _ in 0..TIMES {
            std::hint::black_box(work());
        }
    }
}

/// Signatures over one digest.
struct Signed {
    signatures: Vec<[u8; 64]>,
    keys: Vec<VerifyingKey>,
}

const LABEL: &str = "tacita/1 bench";
const DIGEST: [u8; 32] = [7; 32];

impl Signed {
    /// The work of a batch depends on its points and scalars: one batch checked again and again would be learnt by heart.
    fn several(count: usize) -> Vec<Self> {
        (0..8).map(|variant| Self::by(count, variant)).collect()
    }

    fn by(count: usize, variant: u64) -> Self {
        let message = [LABEL.as_bytes(), &[0], &DIGEST].concat();
        let signing: Vec<SigningKey> = (0..count)
            .map(|i| SigningKey::from_bytes(&TaggedHash::new("bench").u64(variant).u64(i as u64).finish()))
            .collect();
        Self {
            signatures: signing.iter().map(|key| key.sign(&message).to_bytes()).collect(),
            keys: signing.iter().map(SigningKey::verifying_key).collect(),
        }
    }

    /// As the protocol does.
    fn verify_batch(&self) {
        let claims: Vec<Claim<'_>> = (self.keys.iter().zip(&self.signatures))
            .map(|(key, signature)| Claim {
                key,
                digest: DIGEST,
                signature,
            })
            .collect();
        verify_all(LABEL, &claims).expect("good signatures");
    }
}

impl Units {
    /// Measures all blocks at the sizes of this round.
    #[must_use]
    pub fn measure(account: &Account, laps: usize) -> Self {
        let fields = account.manifest.fields();
        let (neighbours, threshold) = (usize::from(fields.neighbours), usize::from(fields.threshold));
        let mut rng = ChaCha20Rng::from_seed([7; 32]);

        let private = PrivateKey::from_private_key(&X25519, &[5; 32]).expect("a key");
        let theirs = PrivateKey::from_private_key(&X25519, &[6; 32]).expect("a key");
        let public = theirs.compute_public_key().expect("a key");
        let public: [u8; 32] = public.as_ref().try_into().expect("32 bytes");

        let seed = Zeroizing::new([3; KEM_SEED]);
        let randomness = Zeroizing::new([4; 32]);
        let pair = KemPair::from_seed(&seed);
        let (ciphertext, _) = kem::encapsulate(pair.public(), &randomness).expect("a good key");

        let holders = neighbours + usize::from(account.manifest.is_complete());
        let abscissae: Vec<u16> = (1u16..).take(holders).map(|x| x.saturating_mul(8)).collect();
        let secret = SecretScalar::random(&mut rng);
        let shares = shamir::split(&secret, threshold, &abscissae, &mut rng).expect("shares");
        let enough: Vec<&SecretScalar> = shares.iter().take(threshold).collect();
        let some = abscissae.get(..threshold).expect("t holders");
        let interpolator = Interpolator::new(some).expect("distinct abscissae");

        let leaves: Vec<[u8; 32]> = (0..2 * holders as u64)
            .map(|i| tree::leaf_hash(&i.to_be_bytes()))
            .collect();
        let shares_tree = Tree::from_leaves(leaves.clone());
        let (root, size) = (shares_tree.root(), shares_tree.size());
        let proof = shares_tree.inclusion_proof(0).expect("a leaf");
        let first = *leaves.first().expect("a leaf");

        let plain = vec![3u8; 64 + 32 * (proof.len() - 1)];
        let cipher = || Aes256Gcm::new(&[9; 32].into());
        let sealed = cipher()
            .encrypt(&Nonce::default(), plain.as_slice())
            .expect("a box");

        let signing = SigningKey::from_bytes(&[4; 32]);
        let message = [8u8; 56];
        let signature = signing.sign(&message);
        let verifying = signing.verifying_key();
        let near = Signed::several(neighbours);
        let quorum = Signed::several(usize::from(fields.quorum) - 1);
        let (mut near, mut quorum) = (near.iter().cycle(), quorum.iter().cycle());

        let (bits, padded) = (account.manifest.bits(), account.manifest.padded());
        let mut vector = RingVector::zeros(RingBits::new(bits.get()).expect("bits"), padded);

        let spreads = Race::new()
            .enter(
                "key",
                repeated(|| {
                    let key = PrivateKey::from_private_key(&X25519, &[5; 32]).expect("a key");
                    key.compute_public_key().expect("a key").as_ref().len()
                }),
            )
            .enter(
                "agree",
                repeated(|| {
                    let peer = UnparsedPublicKey::new(&X25519, &public);
                    agreement::agree(&private, peer, (), |secret| Ok(secret.len())).expect("a secret")
                }),
            )
            .enter("KEM key", repeated(|| KemPair::from_seed(&seed)))
            .enter(
                "encapsulate",
                repeated(|| kem::encapsulate(pair.public(), &randomness).expect("a good key")),
            )
            .enter(
                "decapsulate",
                repeated(|| pair.decapsulate(&ciphertext).expect("of the right length")),
            )
            .enter(
                "split",
                repeated(|| shamir::split(&secret, threshold, &abscissae, &mut rng).expect("shares")),
            )
            .enter(
                "interpolator",
                repeated(|| Interpolator::new(some).expect("distinct")),
            )
            .enter(
                "reconstruct",
                repeated(|| interpolator.reconstruct(&enough).expect("t shares")),
            )
            .enter(
                "derive",
                repeated(|| {
                    let info = context();
                    let mut out = [0; 32];
                    Hkdf::<Sha256>::new(Some(&[1; 32]), &[2; 32])
                        .expand(&info, &mut out)
                        .expect("short");
                    out
                }),
            )
            .enter(
                "seal",
                repeated(|| {
                    cipher()
                        .encrypt(&Nonce::default(), plain.as_slice())
                        .expect("a box")
                }),
            )
            .enter(
                "open",
                repeated(|| {
                    cipher()
                        .decrypt(&Nonce::default(), sealed.as_slice())
                        .expect("a box")
                }),
            )
            .enter("sign", repeated(|| signing.sign(&message)))
            .enter(
                "verify",
                repeated(|| verifying.verify_strict(&message, &signature).expect("a good one")),
            )
            .enter("near batch", repeated(|| near.next().map(Signed::verify_batch)))
            .enter(
                "quorum batch",
                repeated(|| quorum.next().map(Signed::verify_batch)),
            )
            .enter("leaf", repeated(|| tree::leaf_hash(&context())))
            .enter(
                "path",
                repeated(|| tree::verify_inclusion(&first, 0, size, &proof, &root).expect("a path")),
            )
            .enter(
                "masks",
                repeated(|| {
                    let masks: Vec<Mask> = (0..=neighbours)
                        .map(|i| Mask::new(&[i as u8; 32], if i % 2 == 0 { Sign::Plus } else { Sign::Minus }))
                        .collect();
                    mask::apply(&mut vector, 0, &masks).expect("a vector");
                }),
            )
            .run(laps);
        let of = |name: &str| {
            let median = spreads.iter().find(|s| s.name == name).map(Spread::median);
            median.unwrap_or_default() / TIMES
        };
        Self {
            key: of("key"),
            agree: of("agree"),
            kem_key: of("KEM key"),
            encapsulate: of("encapsulate"),
            decapsulate: of("decapsulate"),
            split: of("split"),
            interpolator: of("interpolator"),
            reconstruct: of("reconstruct"),
            derive: of("derive"),
            seal: of("seal"),
            open: of("open"),
            sign: of("sign"),
            verify: of("verify"),
            near_batch: of("near batch"),
            quorum_batch: of("quorum batch"),
            leaf: of("leaf"),
            path: of("path"),
            masks: of("masks"),
        }
    }

    /// The work of a round without drop-outs, all parties together.
    #[must_use]
    pub fn of_round(&self, shape: &Shape, account: &Account) -> Vec<Work> {
        let fields = account.manifest.fields();
        let complete = account.manifest.is_complete();
        let (n, k) = (u64::from(shape.clients), u64::from(fields.neighbours));
        let holders = k + u64::from(complete);
        let work = |name, count, each| Work { name, count, each };
        let per_signature = |batch: Duration, size: u64| batch / u32::try_from(size.max(1)).unwrap_or(1);
        let quorum = u64::from(fields.quorum).saturating_sub(1);
        vec![
            work("key agreement: key pairs", 2 * n, self.key),
            work(
                "key agreement: X25519 with each neighbour, twice",
                2 * k * n,
                self.agree,
            ),
            work("key agreement: ML-KEM key pairs", 2 * n, self.kem_key),
            // To every neighbour for its box; for the mask from one end of each pair.
            work(
                "key agreement: ML-KEM encapsulations",
                (k + k / 2) * n,
                self.encapsulate,
            ),
            work(
                "key agreement: ML-KEM decapsulations",
                (k + k / 2) * n,
                self.decapsulate,
            ),
            work(
                "key agreement: HKDF for boxes and masks",
                (3 * k + 2) * n,
                self.derive,
            ),
            work("Shamir: sharings", 2 * n, self.split),
            work(
                "Shamir: interpolation weights",
                if complete { 1 } else { n },
                self.interpolator,
            ),
            work("Shamir: secrets rebuilt", n, self.reconstruct),
            work("boxes: sealed", k * n, self.seal),
            work("boxes: opened", k * n, self.open),
            work(
                "hashes: share leaves",
                (2 * holders + 2 * k + holders) * n,
                self.leaf,
            ),
            work(
                "hashes: Merkle paths (roster, sharers, boxes, reveal)",
                (3 * k + holders + 2) * n,
                self.path,
            ),
            work("signatures: made", 5 * n, self.sign),
            work(
                "signatures: checked alone, clients",
                account.client_checks.alone as u64,
                self.verify,
            ),
            work(
                "signatures: checked alone, server",
                account.server_checks.alone as u64,
                self.verify,
            ),
            work(
                "signatures: neighbours, in batches",
                2 * k * n,
                per_signature(self.near_batch, k),
            ),
            work(
                "signatures: quorum, in batches",
                quorum * n,
                per_signature(self.quorum_batch, quorum),
            ),
            work("AES: masks of clients (k + 1 on one vector)", n, self.masks),
            work(
                "AES: masks of the server",
                n,
                self.masks / u32::try_from(k + 1).unwrap_or(1),
            ),
        ]
    }
}

/// A hash of about as many fields as a share leaf or a pair key binds.
fn context() -> [u8; 32] {
    TaggedHash::new("tacita/1 bench context")
        .bytes(&[1; 32])
        .bytes(&[2; 32])
        .u64(3)
        .u64(4)
        .u64(5)
        .u64(6)
        .bytes(&[7; 32])
        .finish()
}
