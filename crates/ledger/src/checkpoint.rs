//! Checkpoints: the signed head of a log, and the cosignatures of its witnesses.
//!
//! Formats: <https://c2sp.org/tlog-checkpoint> without extension lines, and the Ed25519 `cosignature/v1` of
//! <https://c2sp.org/tlog-cosignature>. The log signs under its origin as key name.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::note::{self, KeyType, Note, NoteError, NoteSignature, VerifierKey};
use crate::tree::{Hash, empty_root};

/// Length of the payload of a cosignature line: 8 bytes of time, 64 of signature.
const COSIGNATURE_LEN: usize = 72;
/// Latest time that a cosignature may state: 2^63 - 1 (`tlog-cosignature`).
const MAX_TIME: u64 = i64::MAX as u64;

/// What is wrong with a checkpoint or a cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is wrong, or a signature is.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not exactly the three lines origin, size and root.
    #[error("a checkpoint has exactly three lines: origin, size and root")]
    Lines,
    /// The origin is empty or cannot be a key name.
    #[error("the origin is not usable as a key name")]
    Origin,
    /// The size is not a decimal integer without leading zeros, below 2^63.
    #[error("the tree size is not a plain decimal integer below 2^63")]
    Size,
    /// The root is not the base64 of 32 bytes, or not the empty root at size 0.
    #[error("the root is not the base64 of a 32-byte hash, or size 0 has another root than the empty one")]
    Root,
    /// The checkpoint is of another log than the key.
    #[error("the checkpoint is of {found}, the key is of {expected}")]
    OtherOrigin {
        /// The origin that the key belongs to.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
    /// A cosignature line whose payload is not 8 + 64 bytes, or whose time is beyond 2^63 - 1.
    #[error("the signature line of {name} is no cosignature")]
    NotACosignature {
        /// The line's key name.
        name: String,
    },
}

/// The head of a log: what a log signs and a witness cosigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, also its key name.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note text: three lines, each with its newline.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads a note text; exactly what [`Checkpoint::body`] writes is accepted.
    ///
    /// # Errors
    /// [`CheckpointError`] by cause.
    pub fn parse_body(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        check_origin(origin)?;
        let plain = size == "0" || (!size.starts_with('0') && !size.is_empty());
        if !plain || !size.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CheckpointError::Size);
        }
        let size: u64 = size.parse().map_err(|_| CheckpointError::Size)?;
        if size > MAX_TIME {
            return Err(CheckpointError::Size);
        }
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Root)?;
        let root: Hash = root.try_into().map_err(|_| CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// Signs as the log, under the origin as key name.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`], [`CheckpointError::Note`] for an unusable key.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedCheckpoint, CheckpointError> {
        check_origin(&self.origin)?;
        let body = self.body();
        let line = note::sign_text(&body, &self.origin, key)?;
        Ok(SignedCheckpoint {
            checkpoint: self.clone(),
            note: Note::new(body, vec![line])?,
        })
    }

    /// Cosigns as the witness `name` at `time` (unix seconds). The caller has checked the log's signature and
    /// the consistency with every checkpoint it cosigned before; that is what a cosignature states.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] for an unusable name or key, [`CheckpointError::NotACosignature`] for a time
    /// beyond 2^63 - 1.
    pub fn cosign(&self, name: &str, time: u64, key: &SigningKey) -> Result<Cosignature, CheckpointError> {
        let verifier = VerifierKey::new(name, KeyType::CosignatureV1, key.verifying_key())?;
        if time > MAX_TIME {
            return Err(CheckpointError::NotACosignature {
                name: name.to_owned(),
            });
        }
        let signature = key.sign(&self.cosigned_message(time)).to_bytes();
        Ok(Cosignature {
            name: name.to_owned(),
            key_id: verifier.key_id(),
            time,
            signature,
        })
    }

    fn cosigned_message(&self, time: u64) -> Vec<u8> {
        format!("cosignature/v1\ntime {time}\n{}", self.body()).into_bytes()
    }
}

/// A witness's statement that, at `time`, this was the largest consistent head it had seen of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's key name.
    pub name: String,
    /// The witness's key id (type 0x04).
    pub key_id: [u8; 4],
    /// Unix seconds, as stated by the witness.
    pub time: u64,
    /// Ed25519 signature over `cosignature/v1\ntime <time>\n` and the checkpoint body.
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Checks that `key` made this cosignature of `checkpoint`.
    ///
    /// # Errors
    /// [`NoteError::WrongType`] unless the key is of type 0x04, [`NoteError::Missing`] when name or id are of
    /// another key, [`NoteError::BadSignature`].
    pub fn verify(&self, checkpoint: &Checkpoint, key: &VerifierKey) -> Result<(), CheckpointError> {
        if key.kind() != KeyType::CosignatureV1 {
            return Err(NoteError::WrongType {
                name: key.name().to_owned(),
            }
            .into());
        }
        if self.name != key.name() || self.key_id != key.key_id() {
            return Err(NoteError::Missing {
                name: key.name().to_owned(),
            }
            .into());
        }
        note::verify_ed25519(key, &checkpoint.cosigned_message(self.time), &self.signature)?;
        Ok(())
    }

    /// The note signature line: big-endian time, then the signature.
    pub fn to_line(&self) -> NoteSignature {
        let mut signature = self.time.to_be_bytes().to_vec();
        signature.extend_from_slice(&self.signature);
        NoteSignature {
            name: self.name.clone(),
            key_id: self.key_id,
            signature,
        }
    }

    /// Reads a note signature line that is known to be of type 0x04 (a line does not state its type; its key
    /// does).
    ///
    /// # Errors
    /// [`CheckpointError::NotACosignature`].
    pub fn from_line(line: &NoteSignature) -> Result<Self, CheckpointError> {
        let bad = || CheckpointError::NotACosignature {
            name: line.name.clone(),
        };
        if line.signature.len() != COSIGNATURE_LEN {
            return Err(bad());
        }
        let (time, rest) = line.signature.split_first_chunk::<8>().ok_or_else(bad)?;
        let time = u64::from_be_bytes(*time);
        if time > MAX_TIME {
            return Err(bad());
        }
        let signature = rest.try_into().map_err(|_| bad())?;
        Ok(Self {
            name: line.name.clone(),
            key_id: line.key_id,
            time,
            signature,
        })
    }
}

/// A checkpoint with the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads a checkpoint note **without verifying any signature**.
    ///
    /// # Errors
    /// [`CheckpointError`] by cause.
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        Ok(Self {
            checkpoint: Checkpoint::parse_body(note.text())?,
            note,
        })
    }

    /// Reads a checkpoint note and checks the log's signature under the pinned key, whose name must be the
    /// origin.
    ///
    /// # Errors
    /// [`CheckpointError`] by cause.
    pub fn verify(bytes: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let signed = Self::parse_unverified(bytes)?;
        signed.check(key)?;
        Ok(signed)
    }

    /// Checks the log's signature under the pinned key.
    ///
    /// # Errors
    /// [`CheckpointError::OtherOrigin`], [`CheckpointError::Note`].
    pub fn check(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        if self.checkpoint.origin != key.name() {
            return Err(CheckpointError::OtherOrigin {
                expected: key.name().to_owned(),
                found: self.checkpoint.origin.clone(),
            });
        }
        self.note.verify(key)?;
        Ok(())
    }

    /// The head.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, with all its signature lines.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The bytes of the note, as they lie in the file `checkpoint`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }

    /// Adds cosignature lines after the present ones; a line of a key (name and id) that is already there is
    /// replaced. **Not verified here**: the caller has checked each with [`Cosignature::verify`].
    ///
    /// # Errors
    /// [`NoteError::TooLong`], [`NoteError::TooManySignatures`], [`NoteError::KeyName`].
    pub fn with_cosignatures(&self, cosignatures: &[Cosignature]) -> Result<Self, CheckpointError> {
        let mut lines = self.note.signatures().to_vec();
        let key = |line: &NoteSignature| (line.name.clone(), line.key_id);
        let mut places: HashMap<_, usize> = HashMap::new();
        for (place, line) in lines.iter().enumerate() {
            places.entry(key(line)).or_insert(place);
        }
        for cosignature in cosignatures {
            let line = cosignature.to_line();
            let place = *places.entry(key(&line)).or_insert(lines.len());
            match lines.get_mut(place) {
                Some(old) => *old = line,
                None => lines.push(line),
            }
        }
        Ok(Self {
            checkpoint: self.checkpoint.clone(),
            note: Note::new(self.note.text().to_owned(), lines)?,
        })
    }

    /// The cosignature made by `key`, verified.
    ///
    /// # Errors
    /// [`NoteError::Missing`], [`NoteError::BadSignature`], [`NoteError::WrongType`].
    pub fn cosignature_of(&self, key: &VerifierKey) -> Result<Cosignature, CheckpointError> {
        let mut found = None;
        for line in self.note.signatures().iter().filter(|line| key.matches(line)) {
            let cosignature = Cosignature::from_line(line)?;
            cosignature.verify(&self.checkpoint, key)?;
            found = Some(cosignature);
        }
        found.ok_or_else(|| {
            NoteError::Missing {
                name: key.name().to_owned(),
            }
            .into()
        })
    }
}

/// Whether a string may be a log's origin: a key name, as the log signs under it.
pub(crate) fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    note::check_name(origin).map_err(|_| CheckpointError::Origin)
}

#[cfg(test)]
mod tests;
