//! Who signs: the chain of a log's keys, each handed the log by the one before it.
//!
//! A rotation entry at index i is signed by the key in force over the log's name, i, the root of the i entries before it and
//! the next key. Heads of more than i entries are signed by the next key. A verifier that pinned any key of the chain follows
//! it from there to the head: every later key was named by a key it trusts already. Heads signed before stay what they were.
//!
//! A thief of the key in force can hand the log to a key of his own as well as sign any other head. What reveals that is what
//! reveals any other fork: heads kept by clients, and a quorum of witnesses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::entry::Rotation;
use crate::hexes;
use crate::note::{self, KeyType, NoteError, VerifierKey};
use crate::tree::Hash;

/// First line of the signed text. It holds spaces, which no origin does, so no head and no cosignature is such a text.
pub const ROTATION_LABEL: &str = "tacita/1 ledger key rotation";

/// Why a rotation does not hand the log over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// A key that is none.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The keys are of another log.
    #[error("its keys are of {found}, the log is {expected}")]
    OtherOrigin {
        /// The log's name.
        expected: String,
        /// The name of the keys.
        found: String,
    },
    /// Somebody hands over who does not have the log.
    #[error("it is by {found}, the key in force is {in_force}")]
    ForeignKey {
        /// Name and id of the key that signed.
        found: String,
        /// Name and id of the key in force.
        in_force: String,
    },
    /// A key that was handed on comes back.
    #[error("the next key {key} was in force before")]
    Repeated {
        /// Name and id.
        key: String,
    },
    /// The signature is not of the key in force over this place of this log.
    #[error("the signature by {key} does not verify at this place of the log")]
    BadSignature {
        /// Name and id.
        key: String,
    },
}

/// A key, and from which size of the log on it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInForce {
    /// Heads of at least this size are signed by it.
    pub from: u64,
    /// The key.
    pub key: VerifierKey,
}

/// The keys of a log, oldest first. Empty while none is known: entries name keys only when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChain {
    keys: Vec<KeyInForce>,
}

impl KeyChain {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys, oldest first.
    pub fn keys(&self) -> &[KeyInForce] {
        &self.keys
    }

    /// The key that signs a head of `size` entries.
    pub fn in_force(&self, size: u64) -> Option<&VerifierKey> {
        let of_size = self.keys.iter().rev().find(|known| known.from <= size);
        of_size.map(|known| &known.key)
    }

    /// The newest key.
    pub fn current(&self) -> Option<&VerifierKey> {
        self.keys.last().map(|known| &known.key)
    }

    /// Whether the log was ever signed by this key.
    pub fn contains(&self, key: &VerifierKey) -> bool {
        self.keys.iter().any(|known| known.key == *key)
    }

    /// The first key, where no entry has named one yet.
    pub(crate) fn begin(&mut self, key: &VerifierKey) {
        if self.keys.is_empty() {
            let key = key.clone();
            self.keys.push(KeyInForce { from: 0, key });
        }
    }

    /// Takes the rotation at `index` of the log `origin`, whose entries before it have this root.
    ///
    /// # Errors
    /// [`RotationError`]; the chain is unchanged then.
    pub fn admit(
        &mut self,
        origin: &str,
        index: u64,
        root: &Hash,
        rotation: &Rotation,
    ) -> Result<(), RotationError> {
        let key = VerifierKey::parse(&rotation.key)?;
        let next = VerifierKey::parse(&rotation.next_key)?;
        if let Some(other) = [&key, &next].into_iter().find(|key| key.name() != origin) {
            return Err(RotationError::OtherOrigin {
                expected: origin.to_owned(),
                found: other.name().to_owned(),
            });
        }
        if let Some(in_force) = self.current()
            && *in_force != key
        {
            return Err(RotationError::ForeignKey {
                found: named(&key),
                in_force: named(in_force),
            });
        }
        if key == next || self.contains(&next) {
            return Err(RotationError::Repeated { key: named(&next) });
        }
        let signature = hexes::bytes(&rotation.signature).unwrap_or_default();
        let text = signed_text(origin, index, root, &next);
        note::verify_ed25519(&key, text.as_bytes(), &signature)
            .map_err(|_| RotationError::BadSignature { key: named(&key) })?;
        self.begin(&key);
        let from = index.saturating_add(1);
        self.keys.push(KeyInForce { from, key: next });
        Ok(())
    }
}

/// The entry by which `key` hands the log over to `next`, for index `index` after entries with this root.
///
/// # Errors
/// [`NoteError`] for an origin or key that cannot be a log's.
pub fn sign(
    origin: &str,
    index: u64,
    root: &Hash,
    time: u64,
    key: &SigningKey,
    next: &VerifierKey,
) -> Result<Rotation, NoteError> {
    let verifier = VerifierKey::new(origin, KeyType::Ed25519, key.verifying_key())?;
    let signature = key.sign(signed_text(origin, index, root, next).as_bytes());
    Ok(Rotation {
        time,
        key: verifier.to_string(),
        next_key: next.to_string(),
        signature: hex::encode(signature.to_bytes()),
    })
}

/// Name and id, as messages show a key.
pub(crate) fn named(key: &VerifierKey) -> String {
    format!("{}+{}", key.name(), hex::encode(key.key_id()))
}

fn signed_text(origin: &str, index: u64, root: &Hash, next: &VerifierKey) -> String {
    let root = STANDARD.encode(root);
    format!("{ROTATION_LABEL}\n{origin}\n{index}\n{root}\n{next}\n")
}
