//! The decoders. What is accepted has one spelling: written again it is the same bytes.

use std::sync::{Arc, LazyLock};

use tacita_algebra::{RingBits, RingVector, SecretScalar};
use tacita_identity::{
    CertificateRequest, DenyList, EnrolMessage, Invitation, InvitationRecord, Name, PrivateKey, Role, San,
    TrustAnchor, fingerprint, pem,
};
use tacita_ledger::layout::{is_tile_path, read_bundle, write_bundle};
use tacita_ledger::{
    Checkpoint, Cosignature, Entry, KeyChain, Rotation, SignedCheckpoint, VerifierKey, note::Note,
};
use tacita_privacy::{Decimal, parse_dropouts};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::certificates::CertificateCache;
use tacita_protocol::graph::Fraction;
use tacita_protocol::limits::{MAX_COHORT, MAX_REASON};
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use super::bytes::Bytes;
use super::corpus;
use super::files::is_earlier_head;
use crate::cast::{Cast, NOW, ORIGIN};

/// Whose certificates and lists are taken; `None` could not happen, and would make its targets accept nothing.
pub(super) static CAST: LazyLock<Option<Arc<Cast>>> =
    LazyLock::new(|| Cast::new(4, corpus::CAST).ok().map(Arc::new));

fn anchor() -> Option<Arc<TrustAnchor>> {
    Some(CAST.as_ref()?.participant(0).ok()?.anchor)
}

pub(super) fn client_message(data: &[u8]) -> bool {
    let Ok(message) = ClientMessage::decode(data) else {
        return false;
    };
    assert_eq!(message.encode().as_deref(), Ok(data), "{}", message.name());
    if let ClientMessage::Leave(reason) = &message {
        printable(&reason.text());
    }
    true
}

pub(super) fn server_message(data: &[u8]) -> bool {
    let Ok(message) = ServerMessage::decode(data) else {
        return false;
    };
    assert_eq!(message.encode().as_deref(), Ok(data), "{}", message.name());
    if let ServerMessage::Abort(reason) = &message {
        printable(&reason.text());
    }
    true
}

fn printable(text: &str) {
    assert!(text.len() <= MAX_REASON && text.bytes().all(|b| (0x20..0x7f).contains(&b)));
}

/// The bytes are a manifest; it is put into an invitation, read, and checked as by a client.
pub(super) fn manifest(data: &[u8]) -> bool {
    // Signature, no checkpoint, no proof, a model of no bytes.
    let frame = [&[65], data, &[0; 64 + 2 + 2 + 8][..]].concat();
    let Ok(ServerMessage::Invitation(invitation)) = ServerMessage::decode(&frame) else {
        return false;
    };
    let digest = invitation.manifest.digest();
    let Ok(checked) = invitation.manifest.check() else {
        return false;
    };
    assert_eq!(digest.as_ref(), Ok(checked.digest()));
    let fields = checked.fields();
    assert!(fields.colluders < fields.minimum_survivors && fields.minimum_survivors <= fields.cohort);
    assert!(2 * u32::from(fields.quorum) > u32::from(fields.cohort) + u32::from(fields.colluders));
    assert!(fields.quorum <= fields.minimum_survivors && fields.threshold <= fields.minimum_survivors);
    assert!(checked.smallest_roster() <= fields.cohort);
    assert!(checked.padded() >= fields.dimension as usize);
    // The charge of a round that would be accepted can be computed.
    let _ = checked.release();
    true
}

pub(super) fn note(data: &[u8]) -> bool {
    if let Ok(key) = std::str::from_utf8(data)
        .map(VerifierKey::parse)
        .unwrap_or_else(|_| VerifierKey::parse(""))
    {
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
        return true;
    }
    let Ok(note) = Note::parse(data) else {
        return false;
    };
    assert_eq!(note.to_bytes(), data);
    if let Ok(checkpoint) = Checkpoint::parse_body(note.text()) {
        assert_eq!(checkpoint.body(), note.text());
    }
    if let Ok(signed) = SignedCheckpoint::parse_unverified(data) {
        assert_eq!(signed.to_bytes(), data);
        assert_eq!(signed.checkpoint().body(), note.text());
        if let Some(cast) = CAST.as_ref() {
            let checked = signed.check(cast.log_verifier());
            assert!(
                checked.is_ok() || !is_earlier_head(data),
                "a head without a signature"
            );
        }
    }
    for line in note.signatures() {
        if let Ok(cosignature) = Cosignature::from_line(line) {
            assert_eq!(cosignature.to_line(), *line);
        }
    }
    true
}

pub(super) fn entry(data: &[u8]) -> bool {
    let Ok(entry) = Entry::decode(data) else {
        return false;
    };
    assert_eq!(entry.encode().as_deref(), Ok(data));
    assert!(!entry.kind().is_empty() && entry.round_id().is_none_or(|id| id.len() == 64));
    if let Entry::Rotation(rotation) = &entry {
        hands_over(rotation);
    }
    true
}

/// The log's key hands over to the one key that it signed for.
fn hands_over(rotation: &Rotation) {
    let mut chain = KeyChain::new();
    if let Some(cast) = CAST.as_ref()
        && let Ok(honest) = corpus::rotation(cast)
        && chain.admit(ORIGIN, 1, &corpus::BEFORE, rotation).is_ok()
    {
        assert_eq!(chain.keys().len(), 2);
        assert!(rotation.key != honest.key || rotation.next_key == honest.next_key);
    }
}

/// The width of a bundle, its path, and the bundle.
pub(super) fn bundle(data: &[u8]) -> bool {
    let mut bytes = Bytes::new(data);
    let width = u64::from(bytes.byte()) + 1;
    let path = String::from_utf8_lossy(bytes.slice()).into_owned();
    let _ = is_tile_path(&path);
    let rest = bytes.rest();
    let Ok(entries) = read_bundle(rest, width) else {
        return false;
    };
    assert_eq!(entries.len() as u64, width);
    assert_eq!(write_bundle(entries).as_deref(), Some(rest));
    true
}

pub(super) fn certificate(data: &[u8]) -> bool {
    let Some(anchor) = anchor() else { return false };
    let accepted = [Role::Client, Role::Server]
        .into_iter()
        .filter(|role| anchor.verify(data, *role, NOW).is_ok())
        .count();
    assert!(accepted < 2, "one certificate for two roles");
    assert_eq!(anchor.verify_member(data, NOW).is_ok(), accepted == 1);
    if anchor.verify_authority(data, NOW).is_ok() {
        assert_eq!(accepted, 0, "an authority that is a member");
    }
    let pinned = TrustAnchor::from_pinned_der(data, &fingerprint(data));
    assert_eq!(pinned.is_ok(), TrustAnchor::from_der(data).is_ok());
    let kept = CertificateCache::default().admit(data, &anchor, NOW).is_ok();
    assert!(!kept || anchor.verify(data, Role::Client, NOW).is_ok());
    accepted == 1
}

pub(super) fn request(data: &[u8]) -> bool {
    CertificateRequest::check(data).is_ok()
}

pub(super) fn enrolment(data: &[u8]) -> bool {
    let Ok(message) = EnrolMessage::decode(data) else {
        return false;
    };
    assert_eq!(message.encode().map(|b| b.to_vec()).as_deref(), Ok(data));
    true
}

pub(super) fn invitation(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(invitation) = Invitation::parse(text) else {
        return false;
    };
    let written = invitation.to_text();
    assert_eq!(written.as_ref().map(|line| line.as_str()), Ok(text.trim()));
    true
}

pub(super) fn deny_list(data: &[u8]) -> bool {
    let Some(anchor) = anchor() else { return false };
    let Ok(list) = DenyList::verify(data, &anchor) else {
        return false;
    };
    assert_eq!(list.as_bytes(), data);
    true
}

/// A size, then a bitmap for it.
pub(super) fn bitmap(data: &[u8]) -> bool {
    let mut bytes = Bytes::new(data);
    let size = u16::try_from(bytes.below(usize::from(MAX_COHORT) + 1)).unwrap_or(0);
    let rest = bytes.rest();
    let Some(bitmap) = Bitmap::decode(size, rest) else {
        return false;
    };
    let indices: Vec<u16> = bitmap.indices().collect();
    assert_eq!(usize::from(bitmap.count()), indices.len());
    assert!(indices.iter().all(|i| *i < size && bitmap.contains(*i)));
    for (rank, index) in (0..).zip(&indices) {
        assert_eq!(bitmap.rank(*index), rank);
    }
    assert_eq!(Bitmap::from_indices(size, indices).bytes(), rest);
    true
}

/// Ring width, length, and packed coordinates.
pub(super) fn packing(data: &[u8]) -> bool {
    let mut bytes = Bytes::new(data);
    let Ok(bits) = RingBits::new(bytes.byte()) else {
        return false;
    };
    let (length, start) = (bytes.below(1025), bytes.below(1025));
    let mut vector = RingVector::zeros(bits, 1024);
    let rest = bytes.rest();
    if vector.unpack_into(start, length, rest).is_err() {
        assert!(
            vector.to_signed().iter().all(|value| *value == 0),
            "a refused chunk left something"
        );
        return false;
    }
    assert_eq!(vector.pack(start..start.saturating_add(length)), rest);
    // Added to nothing it is itself, and added to itself twice that.
    let mut sum = vector.clone();
    assert_eq!(sum.words_mut().add_packed(bits, &vector.pack(0..1024)), Ok(()));
    let double: Vec<i64> = vector.to_signed().iter().map(|value| 2 * value).collect();
    assert_eq!(sum, RingVector::from_signed(bits, &double));
    assert_eq!(RingVector::from_signed(bits, &vector.to_signed()), vector);
    true
}

pub(super) fn decimal(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let _ = text.parse::<Fraction>();
    if let Some(numbers) = parse_dropouts(text) {
        let again: Vec<String> = numbers.iter().map(u32::to_string).collect();
        assert_eq!(again.join(","), text);
    }
    if let Ok(value) = text.parse::<Decimal>() {
        assert_eq!(Decimal::from_canonical(&value.to_string()), Ok(value));
    }
    let Ok(decimal) = Decimal::from_canonical(text) else {
        return false;
    };
    assert_eq!(decimal.to_string(), text);
    assert!(decimal.to_f64().is_finite() && decimal.to_f64() >= 0.0);
    true
}

/// Names, and the subjects and roles that contain them.
pub(super) fn name(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    if let Ok(san) = San::parse(text) {
        assert_eq!(san.to_string(), text);
        return true;
    }
    if let Ok(role) = text.parse::<Role>() {
        assert_eq!(role.to_string(), text);
    }
    let Ok(name) = Name::new(text) else { return false };
    assert_eq!(name.as_str(), text);
    assert_eq!(text.parse(), Ok(name.clone()));
    assert_eq!(Name::try_from(text.to_owned()), Ok(name));
    true
}

/// PEM documents, and private keys as they stand in files.
pub(super) fn pem_file(data: &[u8]) -> bool {
    if let Ok(key) = PrivateKey::from_pkcs8_der(data) {
        let written = key.to_pkcs8_der().map(|der| PrivateKey::from_pkcs8_der(&der));
        assert!(matches!(written, Ok(Ok(again)) if again.verifying_key() == key.verifying_key()));
        return true;
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    if let Ok(key) = PrivateKey::from_pkcs8_pem(text) {
        let written = key.to_pkcs8_pem().map(|text| PrivateKey::from_pkcs8_pem(&text));
        assert!(matches!(written, Ok(Ok(again)) if again.verifying_key() == key.verifying_key()));
        return true;
    }
    let Some(der) = pem::decode("CERTIFICATE", text) else {
        return false;
    };
    assert_eq!(
        pem::decode("CERTIFICATE", &pem::encode("CERTIFICATE", &der)),
        Some(der)
    );
    true
}

/// What the authority keeps of an invitation.
pub(super) fn invitation_record(data: &[u8]) -> bool {
    let Ok(record) = InvitationRecord::from_bytes(data) else {
        return false;
    };
    assert_eq!(record.to_bytes().as_deref(), Ok(data));
    true
}

/// 32 bytes that are below the order of the field, or not.
pub(super) fn scalar(data: &[u8]) -> bool {
    let Ok(bytes) = <&[u8; 32]>::try_from(data) else {
        return false;
    };
    let Ok(scalar) = SecretScalar::from_canonical_bytes(bytes) else {
        return false;
    };
    assert_eq!(*scalar.to_bytes(), *bytes);
    true
}
