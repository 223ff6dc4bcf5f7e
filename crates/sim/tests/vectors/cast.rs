//! The cast of the vectors: certificates that the reference wrote after 07, checked here.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use serde_json::Value;
use tacita_identity::{Authority, DenyList, DenyListContent, PrivateKey, Role};
use tacita_sim::{Cast, CastMember, NOW};

use super::{bytes, list, number, read, text};

fn key(of: &Value, name: &str) -> SigningKey {
    SigningKey::from_bytes(&bytes(of, name).try_into().unwrap())
}

pub(crate) fn cast() -> Cast {
    let given = read("cast");
    assert_eq!(number(&given, "now") as u64, NOW);
    let root_key = PrivateKey::from_pkcs8_der(key(&given, "root_seed").to_pkcs8_der().unwrap().as_bytes());
    let authority = Authority::open(&bytes(&given, "root"), root_key.unwrap()).unwrap();
    let anchor = authority.anchor().clone();
    let deny = DenyList::verify(&bytes(&given, "deny_list"), &anchor).unwrap();
    let empty = DenyListContent {
        issued_at: NOW,
        ..Default::default()
    };
    assert_eq!(
        deny.as_bytes(),
        authority.sign_deny_list(empty).unwrap().as_bytes()
    );
    let actor = |of: &Value, role| {
        let der = bytes(of, "certificate");
        let certificate = anchor.verify(&der, role, NOW).unwrap();
        let key = key(of, "seed");
        assert_eq!(certificate.key, key.verifying_key());
        CastMember {
            name: certificate.name.to_string(),
            key,
            certificate: Arc::new(certificate),
            der: Arc::new(der),
        }
    };
    let members = list(&given, "members");
    Cast::of_parts(
        authority,
        deny,
        actor(&given["server"], Role::Server),
        (text(&given, "origin"), key(&given, "log_seed")),
        members.iter().map(|member| actor(member, Role::Client)).collect(),
    )
    .unwrap()
}

#[test]
fn the_reference_issues_certificates_that_this_code_takes() {
    let cast = cast();
    assert_eq!(cast.len(), 66);
    let identities: Vec<_> = cast.members().iter().map(|m| m.certificate.identity.0).collect();
    assert!(identities.is_sorted());
}
