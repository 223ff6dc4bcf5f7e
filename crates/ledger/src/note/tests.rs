//! The published example of golang.org/x/mod/sumdb/note, and every way a note can be malformed.

use super::*;

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// The seed in that example's published signer key.
const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn peter() -> SignerKey {
    let typed = STANDARD.decode(PETER_SEED).unwrap();
    let seed: [u8; 32] = typed[1..].try_into().unwrap();
    SignerKey::new("PeterNeumann", KeyType::Ed25519, SigningKey::from_bytes(&seed)).unwrap()
}

fn note_text() -> String {
    format!("{TEXT}\n{LINE}")
}

#[test]
fn published_key_and_note() {
    let key = VerifierKey::parse(PETER).unwrap();
    assert_eq!(key.to_string(), PETER);
    assert_eq!(hex::encode(key.key_id()), "c74f20a3");
    assert_eq!(peter().verifier(), &key);
    let note = Note::parse(note_text().as_bytes()).unwrap();
    note.verify(&key).unwrap();
    assert_eq!(note.text(), TEXT);
    assert_eq!(note.to_bytes(), note_text().as_bytes());
    // Ed25519 is deterministic: our signature is theirs.
    assert_eq!(Note::sign(TEXT.to_owned(), &peter()).unwrap(), note);
}

/// The type byte is part of the id, and the published vkeys of types 0x01 and 0x04 read back as they are.
#[test]
fn published_keys_of_both_types() {
    for (text, kind) in [
        (
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            KeyType::Ed25519,
        ),
        (
            "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
            KeyType::Ed25519,
        ),
        (
            "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
            KeyType::CosignatureV1,
        ),
    ] {
        let key = VerifierKey::parse(text).unwrap();
        assert_eq!((key.to_string().as_str(), key.kind()), (text, kind));
    }
}

#[test]
fn every_changed_bit_of_a_verifier_key_is_refused_or_another_key() {
    let key = VerifierKey::parse(PETER).unwrap();
    for at in 0..PETER.len() {
        for bit in 0..8 {
            let mut bytes = PETER.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                assert_ne!(VerifierKey::parse(&text).ok(), Some(key.clone()), "{text}");
            }
        }
    }
}

#[test]
fn malformed_verifier_keys() {
    let parse = |text: &str| VerifierKey::parse(text).unwrap_err();
    assert_eq!(parse("PeterNeumann"), NoteError::VerifierKey);
    assert_eq!(parse("PeterNeumann+c74f20a3"), NoteError::VerifierKey);
    assert_eq!(
        parse(&PETER.replace("c74f20a3", "c74f20a4")),
        NoteError::VerifierKeyHash
    );
    assert_eq!(
        parse(&PETER.replace("c74f20a3", "C74F20A3")),
        NoteError::VerifierKeyHash
    );
    assert_eq!(
        parse(&PETER.replace("Peter", "Pieter")),
        NoteError::VerifierKeyHash
    );
    assert_eq!(parse(&PETER.replace("+ARpc", "+Ahpc")), NoteError::UnknownType(2));
    assert_eq!(parse("x+00000000+AQ=="), NoteError::PublicKey);
    assert_eq!(
        parse(&format!("{}{PETER}", "a".repeat(MAX_VKEY))),
        NoteError::VerifierKey
    );
    // The identity point: every signature equation could be met under it.
    let mut weak = [0u8; 32];
    weak[0] = 1;
    let weak = VerifyingKey::from_bytes(&weak).unwrap();
    assert_eq!(
        VerifierKey::new("x", KeyType::Ed25519, weak).unwrap_err(),
        NoteError::PublicKey
    );
    for name in [
        "",
        "a b",
        "a+b",
        "a\nb",
        "a\u{a0}b",
        "a\u{2003}b",
        "a\u{7f}b",
        &"a".repeat(256),
    ] {
        assert_eq!(check_name(name), Err(NoteError::KeyName), "{name:?}");
    }
}

#[test]
fn unknown_signatures_are_ignored_and_known_ones_must_verify() {
    let key = VerifierKey::parse(PETER).unwrap();
    let other = "\u{2014} PeterNeumann AAAAAAE=\n\u{2014} EnochRoot x08goAE=\n";
    let both = Note::parse(format!("{TEXT}\n{other}{LINE}").as_bytes()).unwrap();
    both.verify(&key).unwrap();
    assert_eq!(both.signatures().len(), 3);
    let without = Note::parse(format!("{TEXT}\n{other}").as_bytes()).unwrap();
    let name = "PeterNeumann".to_owned();
    assert_eq!(
        without.verify(&key),
        Err(NoteError::Missing { name: name.clone() })
    );
    // A second line with the key's name and id counts: it must verify too.
    let forged = LINE.replace("x08go/ZJ", "x08go/ZK");
    let note = Note::parse(format!("{TEXT}\n{LINE}{forged}").as_bytes()).unwrap();
    assert_eq!(
        note.verify(&key),
        Err(NoteError::BadSignature { name: name.clone() })
    );
    let changed = Note::parse(note_text().replace("answer", "Answer").as_bytes()).unwrap();
    assert_eq!(changed.verify(&key), Err(NoteError::BadSignature { name }));
}

#[test]
fn every_changed_bit_of_a_note_fails() {
    let key = VerifierKey::parse(PETER).unwrap();
    let bytes = note_text().into_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let passed = Note::parse(&changed).and_then(|note| note.verify(&key));
            assert!(passed.is_err(), "byte {at}, bit {bit}");
        }
    }
    for cut in 0..bytes.len() {
        assert!(
            Note::parse(&bytes[..cut])
                .and_then(|note| note.verify(&key))
                .is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
fn malformed_notes() {
    let parse = |text: &str| Note::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(""), NoteError::NoSignatureBlock);
    assert_eq!(parse(TEXT), NoteError::NoSignatureBlock);
    assert_eq!(
        parse(&format!("{TEXT}\n{}", LINE.trim_end())),
        NoteError::NoSignatureBlock
    );
    assert_eq!(parse(&format!("{TEXT}{LINE}")), NoteError::NoSignatureBlock);
    assert_eq!(parse(&format!("{TEXT}\r\n{LINE}")), NoteError::ControlCharacter);
    assert_eq!(Note::parse(b"\xff\n\n").unwrap_err(), NoteError::NotUtf8);
    let line = |line: &str| parse(&format!("{TEXT}\n{line}\n"));
    for bad in [
        "- PeterNeumann AAAAAAE=",
        "\u{2014}PeterNeumann AAAAAAE=",
        "\u{2014} PeterNeumann",
        "\u{2014} PeterNeumann  AAAAAAE=",
        "\u{2014} PeterNeumann AAAAAAE",
        "\u{2014} PeterNeumann AAAAAAF=",
        "\u{2014} PeterNeumann AAAAAA==",
        "\u{2014} PeterNeumann AAAA",
        "\u{2014} Peter+Neumann AAAAAAE=",
        "\u{2014} PeterNeumann AAAAAAE= ",
        "\u{2014} PeterNeumann AAAAAAE=\n\u{2014} second",
    ] {
        assert!(matches!(line(bad), NoteError::SignatureLine { .. }), "{bad}");
    }
}

#[test]
fn caps_hold_before_anything_is_built() {
    let lines = |count: usize| format!("{TEXT}\n{}", "\u{2014} w AAAAAAE=\n".repeat(count));
    assert_eq!(
        Note::parse(lines(MAX_SIGNATURES).as_bytes())
            .unwrap()
            .signatures()
            .len(),
        MAX_SIGNATURES
    );
    let more = lines(MAX_SIGNATURES + 1);
    assert_eq!(
        Note::parse(more.as_bytes()).unwrap_err(),
        NoteError::TooManySignatures
    );
    let long = format!("{}\n\n{LINE}", "a".repeat(MAX_NOTE));
    assert_eq!(Note::parse(long.as_bytes()).unwrap_err(), NoteError::TooLong);
    let text = format!("{}\n", "a".repeat(MAX_NOTE));
    assert_eq!(Note::sign(text, &peter()).unwrap_err(), NoteError::TooLong);
    assert_eq!(
        Note::sign("no newline".to_owned(), &peter()).unwrap_err(),
        NoteError::NoSignatureBlock
    );
}

#[test]
fn a_cosignature_key_signs_no_plain_note() {
    let key = SignerKey::new("w", KeyType::CosignatureV1, SigningKey::from_bytes(&[3; 32])).unwrap();
    let wrong = NoteError::WrongType { name: "w".to_owned() };
    assert_eq!(Note::sign(TEXT.to_owned(), &key).unwrap_err(), wrong);
    assert_eq!(
        Note::parse(note_text().as_bytes())
            .unwrap()
            .verify(key.verifier()),
        Err(wrong)
    );
}

#[test]
fn a_signer_key_does_not_print_its_secret() {
    let key = SignerKey::new("w", KeyType::Ed25519, SigningKey::from_bytes(&[0xab; 32])).unwrap();
    let shown = format!("{key:?}");
    assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
}
