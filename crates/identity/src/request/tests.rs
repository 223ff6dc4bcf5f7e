use std::collections::BTreeMap;

use ed25519_dalek::Signer;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;

fn key() -> PrivateKey {
    PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(1))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=127 => out.push(n as u8),
        n @ 128..=255 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(content);
    out
}

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const X25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e];
const ED25519_NULL: &[u8] = &[0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00];
const ECDSA_SHA256: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
const RSA_SHA256: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

/// The parts of a request, each of which a test may replace.
struct Parts {
    version: Vec<u8>,
    subject: Vec<u8>,
    key_algorithm: Vec<u8>,
    key: Vec<u8>,
    attributes: Vec<u8>,
    signature_algorithm: Vec<u8>,
    signature: Option<Vec<u8>>,
}

impl Parts {
    fn honest() -> Self {
        Self {
            version: vec![2, 1, 0],
            subject: vec![0x30, 0],
            key_algorithm: ED25519.to_vec(),
            key: bit_string(key().verifying_key().as_bytes()),
            attributes: vec![0xa0, 0],
            signature_algorithm: ED25519.to_vec(),
            signature: None,
        }
    }

    /// Signed with the honest key, unless a signature is given.
    fn build(&self) -> Vec<u8> {
        let info = seq(&[
            &self.version,
            &self.subject,
            &seq(&[&self.key_algorithm, &self.key]),
            &self.attributes,
        ]);
        let honest = bit_string(&key().signing_key().sign(&info).to_bytes());
        seq(&[
            &info,
            &self.signature_algorithm,
            self.signature.as_ref().unwrap_or(&honest),
        ])
    }
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0][..], bytes].concat())
}

fn common_name(text: &str) -> Vec<u8> {
    seq(&[&tlv(
        0x31,
        &seq(&[&[6, 3, 0x55, 4, 3], &tlv(12, text.as_bytes())]),
    )])
}

fn with(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::honest();
    change(&mut parts);
    parts.build()
}

fn rcgen_request(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    change(&mut params);
    params.serialize_request(&key()).unwrap().der().to_vec()
}

#[test]
fn an_honest_request_passes_and_is_the_hand_written_one() {
    let der = CertificateRequest::create(&key()).unwrap();
    assert_eq!(
        CertificateRequest::check(&der).unwrap().key(),
        &key().verifying_key()
    );
    assert_eq!(der, Parts::honest().build());
}

/// Made by `openssl genpkey -algorithm ed25519` and `openssl req -new -subj / -outform DER`.
#[test]
fn a_request_from_openssl_passes() {
    let der = hex::decode(OPENSSL_REQUEST).unwrap();
    assert!(CertificateRequest::check(&der).is_ok());
}

const OPENSSL_REQUEST: &str = "307f30330201003000302a300506032b6570032100cef5967a198141c0a37ffb7696e31a2691caee97d032ef6fa5653691738f55b7a000300506032b657003410072ed82b9b296fc253801a3a64279ea77b4cd69fcd01f9fe1b3fbe784b455bc2b06493b6781d358b9c684f34cf61a2213301f1806a932a1edbcd587645cf2f107";

#[test]
fn every_bad_request_of_the_corpus_is_refused_by_name() {
    use RequestError as E;
    let corpus = corpus();
    assert!(corpus.len() >= 40, "{}", corpus.len());
    let wrong: Vec<_> = corpus
        .iter()
        .map(|(what, (der, expected))| (what, CertificateRequest::check(der).map(|_| ()), Err(*expected)))
        .filter(|(_, got, expected)| got != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Every refusal the code knows is produced by at least one file.
    for variant in [
        E::TooLarge,
        E::Malformed,
        E::TrailingBytes,
        E::Version,
        E::KeyType,
        E::WeakKey,
        E::Subject,
        E::Attributes,
        E::Signature,
        E::NotCanonical,
    ] {
        assert!(
            corpus.values().any(|(_, expected)| *expected == variant),
            "{variant:?} has no file"
        );
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let honest = CertificateRequest::create(&key()).unwrap();
    for cut in 0..honest.len() {
        assert!(CertificateRequest::check(&honest[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..honest.len() * 8 {
        let mut der = honest.clone();
        der[bit / 8] ^= 1 << (bit % 8);
        assert!(CertificateRequest::check(&der).is_err(), "bit {bit}");
    }
}

fn corpus() -> BTreeMap<&'static str, (Vec<u8>, RequestError)> {
    let mut corpus = encodings();
    corpus.extend(contents());
    corpus
}

/// Wrong from the outside: not DER, not a request, or more than one.
fn encodings() -> BTreeMap<&'static str, (Vec<u8>, RequestError)> {
    use RequestError as E;
    let honest = Parts::honest().build();
    let body = &honest[2..];
    let long_form = [&[0x30, 0x81, 0x7f][..], body].concat();
    let indefinite = [&[0x30, 0x80][..], body, &[0, 0]].concat();
    let mut twice = honest.clone();
    twice.extend_from_slice(&honest);
    let pem = b"-----BEGIN CERTIFICATE REQUEST-----\nMIGU\n-----END CERTIFICATE REQUEST-----\n".to_vec();
    BTreeMap::from([
        ("empty", (vec![], E::Malformed)),
        ("one byte", (vec![0x30], E::Malformed)),
        ("empty sequence", (vec![0x30, 0], E::Malformed)),
        ("zeros", (vec![0; 150], E::Malformed)),
        ("text", (b"GET / HTTP/1.1\r\n\r\n".to_vec(), E::Malformed)),
        ("pem instead of der", (pem, E::Malformed)),
        (
            "length of 4 GiB",
            (vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], E::Malformed),
        ),
        (
            "length of 2^64",
            (
                vec![0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255],
                E::Malformed,
            ),
        ),
        ("nested sequences", ([0x30, 0x80].repeat(200), E::Malformed)),
        ("outer set", ([&[0x31][..], &honest[1..]].concat(), E::Malformed)),
        (
            "a private key",
            (key().to_pkcs8_der().unwrap().to_vec(), E::Malformed),
        ),
        ("one byte after", ([&honest[..], &[0]].concat(), E::TrailingBytes)),
        ("twice", (twice, E::TrailingBytes)),
        ("length in a longer form", (long_form, E::NotCanonical)),
        ("indefinite length", (indefinite, E::Malformed)),
        ("just too large", (vec![0x30; MAX_REQUEST_BYTES + 1], E::TooLarge)),
        (
            "honest, then a megabyte",
            ([&honest[..], &vec![0; 1 << 20]].concat(), E::TooLarge),
        ),
        (
            "a field after the signature",
            (seq(&[body, &[5, 0]]), E::NotCanonical),
        ),
        (
            "signature missing",
            (seq(&[&honest[2..honest.len() - 67]]), E::Malformed),
        ),
        (
            "attributes missing",
            (with(|p| p.attributes.clear()), E::Malformed),
        ),
        ("a certificate", (certificate(), E::Malformed)),
    ])
}

fn certificate() -> Vec<u8> {
    rcgen::CertificateParams::default()
        .self_signed(&key())
        .unwrap()
        .der()
        .to_vec()
}

/// Well formed, but saying what a request must not say.
fn contents() -> BTreeMap<&'static str, (Vec<u8>, RequestError)> {
    use RequestError as E;
    let other = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(2));
    let other_key = bit_string(other.verifying_key().as_bytes());
    let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut named = rcgen::CertificateParams::default();
    named.distinguished_name = rcgen::DistinguishedName::new();
    let p256_request = named.serialize_request(&p256).unwrap().der().to_vec();
    let mut identity_point = [0u8; 32];
    identity_point[0] = 1;
    let point = |bytes: [u8; 32]| with(|p| p.key = bit_string(&bytes));
    // y = p + 3, a second spelling of y = 3.
    let mut non_canonical = [0xffu8; 32];
    (non_canonical[0], non_canonical[31]) = (0xf0, 0x7f);
    let san = |uri: &str| {
        rcgen_request(|p| p.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())])
    };
    BTreeMap::from([
        ("version 1", (with(|p| p.version = vec![2, 1, 1]), E::Version)),
        ("version 2", (with(|p| p.version = vec![2, 1, 2]), E::Version)),
        (
            "negative version",
            (with(|p| p.version = vec![2, 1, 0xff]), E::Malformed),
        ),
        (
            "padded version",
            (with(|p| p.version = vec![2, 2, 0, 0]), E::Malformed),
        ),
        (
            "a subject",
            (with(|p| p.subject = common_name("alice")), E::Subject),
        ),
        (
            "the server's subject",
            (with(|p| p.subject = common_name("tacita:server:hub")), E::Subject),
        ),
        (
            "an empty relative name",
            (with(|p| p.subject = vec![0x30, 2, 0x31, 0]), E::NotCanonical),
        ),
        (
            "a client's alternative name",
            (san("tacita:client:alice"), E::Attributes),
        ),
        (
            "a server's alternative name",
            (san("tacita:server:hub"), E::Attributes),
        ),
        (
            "asks to be an authority",
            (
                rcgen_request(|p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
                E::Attributes,
            ),
        ),
        (
            "asks for server usage",
            (
                rcgen_request(|p| p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]),
                E::Attributes,
            ),
        ),
        (
            "asks to sign certificates",
            (
                rcgen_request(|p| p.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign]),
                E::Attributes,
            ),
        ),
        (
            "a custom extension",
            (
                rcgen_request(|p| {
                    let extension =
                        rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99], vec![5, 0]);
                    p.custom_extensions = vec![extension];
                }),
                E::Attributes,
            ),
        ),
        ("an ecdsa request", (p256_request, E::KeyType)),
        (
            "x25519 key",
            (with(|p| p.key_algorithm = X25519.to_vec()), E::KeyType),
        ),
        (
            "rsa key algorithm",
            (with(|p| p.key_algorithm = RSA_SHA256.to_vec()), E::KeyType),
        ),
        (
            "ed25519 key with parameters",
            (with(|p| p.key_algorithm = ED25519_NULL.to_vec()), E::KeyType),
        ),
        (
            "ecdsa signature algorithm",
            (
                with(|p| p.signature_algorithm = ECDSA_SHA256.to_vec()),
                E::KeyType,
            ),
        ),
        (
            "ed25519 signature with parameters",
            (
                with(|p| p.signature_algorithm = ED25519_NULL.to_vec()),
                E::KeyType,
            ),
        ),
        ("short key", (with(|p| p.key = bit_string(&[1; 31])), E::WeakKey)),
        ("long key", (with(|p| p.key = bit_string(&[1; 33])), E::WeakKey)),
        ("empty key", (with(|p| p.key = bit_string(&[])), E::WeakKey)),
        ("key off the curve", (point([2; 32]), E::WeakKey)),
        ("key of order one", (point(identity_point), E::WeakKey)),
        ("key of order four", (point([0; 32]), E::WeakKey)),
        ("key in a second spelling", (point(non_canonical), E::WeakKey)),
        (
            "unused bits in the key",
            (
                with(|p| p.key = tlv(3, &[&[1][..], key().verifying_key().as_bytes()].concat())),
                E::NotCanonical,
            ),
        ),
        ("another's key", (with(|p| p.key = other_key), E::Signature)),
        (
            "signature of zeros",
            (with(|p| p.signature = Some(bit_string(&[0; 64]))), E::Signature),
        ),
        (
            "short signature",
            (with(|p| p.signature = Some(bit_string(&[0; 63]))), E::Signature),
        ),
        (
            "long signature",
            (with(|p| p.signature = Some(bit_string(&[0; 65]))), E::Signature),
        ),
        (
            "empty signature",
            (with(|p| p.signature = Some(bit_string(&[]))), E::Signature),
        ),
        (
            "signature over something else",
            (
                with(|p| p.signature = Some(bit_string(&key().signing_key().sign(b"x").to_bytes()))),
                E::Signature,
            ),
        ),
        ("signature with s + l", (malleated(), E::Signature)),
    ])
}

/// The honest signature with the group order added to its scalar, which lax verifiers accept.
fn malleated() -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut der = Parts::honest().build();
    let at = der.len() - 32;
    let mut carry = 0u16;
    for (byte, order) in der[at..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    der
}
