//! C2SP signed notes: text, an empty line, and signature lines.
//!
//! Format: <https://c2sp.org/signed-note>. Two signature types are known: Ed25519 over the text (0x01) and the
//! timestamped cosignature of `tlog-cosignature` (0x04), whose message [`crate::checkpoint`] builds. Lines of
//! keys that the caller does not name are kept and ignored, as the format requires.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Largest note read or written, in bytes. Room for the cosignatures of a whole cohort: 10,000 lines with key names of 64
/// bytes take 1.74 MB.
pub const MAX_NOTE: usize = 2 * 1024 * 1024;
/// Most signature lines in a note (the format demands at least 16).
pub const MAX_SIGNATURES: usize = 16_384;
/// Longest key name, in bytes.
pub const MAX_KEY_NAME: usize = 255;
/// Longest verifier key text that is looked at, in bytes: name, eight hex digits, 33 bytes in base64, two `+`.
pub const MAX_VKEY: usize = MAX_KEY_NAME + 54;

/// Starts every signature line: em dash and space.
const LINE_START: &str = "\u{2014} ";

/// What is wrong with a note, a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE`] bytes.
    #[error("the note is longer than {MAX_NOTE} bytes")]
    TooLong,
    /// More than [`MAX_SIGNATURES`] signature lines.
    #[error("the note has more than {MAX_SIGNATURES} signature lines")]
    TooManySignatures,
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// A control character other than a newline.
    #[error("the note holds a control character")]
    ControlCharacter,
    /// No text ending in a newline, followed by an empty line and signature lines.
    #[error("the note has no text followed by an empty line and signature lines")]
    NoSignatureBlock,
    /// A signature line of another form.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A key name that is empty, too long, or holds a space, a plus or a control character.
    #[error(
        "a key name must have 1 to {MAX_KEY_NAME} bytes without spaces, plus signs or control characters"
    )]
    KeyName,
    /// A verifier key that is not `name+hash+base64`.
    #[error("a verifier key has the form name+hash+base64")]
    VerifierKey,
    /// A verifier key whose hash is not that of its name and key.
    #[error("the hash in the verifier key does not match its name and key")]
    VerifierKeyHash,
    /// A signature type other than 0x01 and 0x04.
    #[error("signature type {0:#04x} is not supported")]
    UnknownType(u8),
    /// Bytes that are no Ed25519 public key, or one of small order.
    #[error("not a usable Ed25519 public key")]
    PublicKey,
    /// A key of the other signature type.
    #[error("the key {name} is for another signature type")]
    WrongType {
        /// The key's name.
        name: String,
    },
    /// None of the lines was made by the key.
    #[error("no signature by {name}")]
    Missing {
        /// The key's name.
        name: String,
    },
    /// A line with the name and id of the key whose signature does not verify.
    #[error("the signature by {name} does not verify")]
    BadSignature {
        /// The key's name.
        name: String,
    },
}

/// What a key signs, and how: the type byte of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// 0x01: Ed25519 over the note text.
    Ed25519,
    /// 0x04: `cosignature/v1`, a timestamped Ed25519 signature over a checkpoint.
    CosignatureV1,
}

impl KeyType {
    /// The type byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, NoteError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            other => Err(NoteError::UnknownType(other)),
        }
    }
}

/// A public key with the name it signs under; its text form is the vkey `name+hash+base64(type || key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    key: VerifyingKey,
    id: [u8; 4],
}

impl VerifierKey {
    /// Names a public key.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::PublicKey`] for a key of small order, under which signatures
    /// would mean nothing.
    pub fn new(name: &str, kind: KeyType, key: VerifyingKey) -> Result<Self, NoteError> {
        check_name(name)?;
        if key.is_weak() {
            return Err(NoteError::PublicKey);
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            id: key_id(name, kind, &key),
            key,
        })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`NoteError::VerifierKey`], [`NoteError::VerifierKeyHash`], [`NoteError::UnknownType`],
    /// [`NoteError::PublicKey`], [`NoteError::KeyName`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_VKEY {
            return Err(NoteError::VerifierKey);
        }
        // Names hold no plus, the hash neither; the base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::VerifierKey)?;
        let Some((&kind, key)) = bytes.split_first() else {
            return Err(NoteError::VerifierKey);
        };
        let kind = KeyType::from_byte(kind)?;
        let key: [u8; 32] = key.try_into().map_err(|_| NoteError::PublicKey)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NoteError::PublicKey)?;
        let parsed = Self::new(name, kind, key)?;
        if hash != hex::encode(parsed.id) {
            return Err(NoteError::VerifierKeyHash);
        }
        Ok(parsed)
    }

    /// The key name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signature type.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The first four bytes of `SHA-256(name || 0x0A || type || public key)`.
    pub fn key_id(&self) -> [u8; 4] {
        self.id
    }

    /// The public key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether a signature line claims to be by this key: name and id both match.
    pub fn matches(&self, line: &NoteSignature) -> bool {
        self.name == line.name && self.id == line.key_id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.kind.byte()];
        typed.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            STANDARD.encode(typed)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A private key with the name it signs under. The key is wiped on drop (`ed25519-dalek`).
pub struct SignerKey {
    verifier: VerifierKey,
    key: SigningKey,
}

impl SignerKey {
    /// Names a private key.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn new(name: &str, kind: KeyType, key: SigningKey) -> Result<Self, NoteError> {
        Ok(Self {
            verifier: VerifierKey::new(name, kind, key.verifying_key())?,
            key,
        })
    }

    /// The public half, to be pinned by others.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The private key.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({}, ..)", self.verifier)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name.
    pub name: String,
    /// Key id.
    pub key_id: [u8; 4],
    /// What follows the key id: 64 bytes for Ed25519, 72 for a cosignature, anything for other types.
    pub signature: Vec<u8>,
}

/// A note: text and signature lines, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note from its parts.
    ///
    /// # Errors
    /// [`NoteError::NoSignatureBlock`] without a text ending in a newline or without signatures,
    /// [`NoteError::ControlCharacter`], [`NoteError::KeyName`], and the two limits.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        let note = Self { text, signatures };
        if !note.text.ends_with('\n') || note.signatures.is_empty() {
            return Err(NoteError::NoSignatureBlock);
        }
        check_characters(&note.text)?;
        if note.signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        for (index, line) in note.signatures.iter().enumerate() {
            check_name(&line.name)?;
            if line.signature.is_empty() {
                return Err(NoteError::SignatureLine {
                    line: index.saturating_add(1),
                });
            }
        }
        if note.to_bytes().len() > MAX_NOTE {
            return Err(NoteError::TooLong);
        }
        Ok(note)
    }

    /// Signs a text with one Ed25519 (0x01) key.
    ///
    /// # Errors
    /// [`NoteError::WrongType`] for a cosignature key; otherwise as [`Note::new`].
    pub fn sign(text: String, key: &SignerKey) -> Result<Self, NoteError> {
        if key.verifier.kind != KeyType::Ed25519 {
            return Err(NoteError::WrongType {
                name: key.verifier.name.clone(),
            });
        }
        let line = sign_text(&text, &key.verifier.name, &key.key)?;
        Self::new(text, vec![line])
    }

    /// Reads a note. Nothing is verified, but the bytes are exactly those that [`Note::to_bytes`] gives back.
    ///
    /// # Errors
    /// [`NoteError`] by cause; lengths are checked before anything is allocated.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLong);
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        check_characters(all)?;
        // The last empty line separates text and signatures; the text keeps its own final newline.
        let (before, block) = all.rsplit_once("\n\n").ok_or(NoteError::NoSignatureBlock)?;
        let block = block.strip_suffix('\n').ok_or(NoteError::NoSignatureBlock)?;
        if block.bytes().filter(|&byte| byte == b'\n').count() >= MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = block
            .split('\n')
            .enumerate()
            .map(|(index, line)| {
                parse_line(line).ok_or(NoteError::SignatureLine {
                    line: index.saturating_add(1),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(format!("{before}\n"), signatures)
    }

    /// The bytes of the note.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.text.clone();
        out.push('\n');
        for line in &self.signatures {
            out.push_str(LINE_START);
            out.push_str(&line.name);
            out.push(' ');
            let mut bytes = line.key_id.to_vec();
            bytes.extend_from_slice(&line.signature);
            out.push_str(&STANDARD.encode(bytes));
            out.push('\n');
        }
        out.into_bytes()
    }

    /// The signed text, final newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the Ed25519 (0x01) signature of `key`. Lines of other keys are ignored; every line that carries
    /// the name and id of `key` must verify.
    ///
    /// # Errors
    /// [`NoteError::Missing`], [`NoteError::BadSignature`], [`NoteError::WrongType`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        if key.kind != KeyType::Ed25519 {
            return Err(NoteError::WrongType {
                name: key.name.clone(),
            });
        }
        let mut found = false;
        for line in self.signatures.iter().filter(|line| key.matches(line)) {
            verify_ed25519(key, self.text.as_bytes(), &line.signature)?;
            found = true;
        }
        if found {
            Ok(())
        } else {
            Err(NoteError::Missing {
                name: key.name.clone(),
            })
        }
    }
}

/// The Ed25519 (0x01) signature line of `key`, under `name`, over a text.
///
/// # Errors
/// As [`VerifierKey::new`].
pub(crate) fn sign_text(text: &str, name: &str, key: &SigningKey) -> Result<NoteSignature, NoteError> {
    let verifier = VerifierKey::new(name, KeyType::Ed25519, key.verifying_key())?;
    let signature = key.sign(text.as_bytes()).to_bytes().to_vec();
    Ok(NoteSignature {
        name: verifier.name,
        key_id: verifier.id,
        signature,
    })
}

/// Strict Ed25519 verification (RFC 8032, no small-order points, canonical scalars).
pub(crate) fn verify_ed25519(key: &VerifierKey, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
    let bad = || NoteError::BadSignature {
        name: key.name.clone(),
    };
    let signature: [u8; 64] = signature.try_into().map_err(|_| bad())?;
    key.key
        .verify_strict(message, &Signature::from_bytes(&signature))
        .map_err(|_| bad())
}

/// Whether a string may be a key name.
pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > MAX_KEY_NAME || name.contains(bad) {
        return Err(NoteError::KeyName);
    }
    Ok(())
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::ControlCharacter);
    }
    Ok(())
}

fn key_id(name: &str, kind: KeyType, key: &VerifyingKey) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind.byte()])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    check_name(name).ok()?;
    // The engine refuses white space, missing padding and non-zero spare bits: one text per value.
    let bytes = STANDARD.decode(encoded).ok()?;
    let (key_id, signature) = bytes.split_first_chunk::<4>()?;
    if signature.is_empty() {
        return None;
    }
    Some(NoteSignature {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

#[cfg(test)]
mod tests;
