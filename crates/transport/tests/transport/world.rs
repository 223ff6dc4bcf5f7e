//! An authority and what it issues, for tests and measurements.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tacita_identity::{Authority, CertificateRequest, Life, Name, PrivateKey, Role, TrustAnchor};
use zeroize::Zeroizing;

/// Certificate chain, private key and trust anchor: the parts of a local identity.
pub(crate) type Parts = (Vec<Vec<u8>>, Zeroizing<Vec<u8>>, TrustAnchor);

pub(crate) struct World {
    pub(crate) authority: Authority,
    rng: ChaCha20Rng,
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let authority = Authority::create(&name("root"), now() - 30 * 86_400, &mut rng).unwrap();
        Self { authority, rng }
    }

    pub(crate) fn member(&mut self, role: Role, text: &str) -> Parts {
        self.member_since(role, text, now())
    }

    /// A member whose certificate of one day was issued at `since`.
    pub(crate) fn member_since(&mut self, role: Role, text: &str, since: u64) -> Parts {
        let key = PrivateKey::generate(&mut self.rng);
        let request = CertificateRequest::check(&CertificateRequest::create(&key).unwrap()).unwrap();
        let life = Life::default();
        let issued = self
            .authority
            .issue(&request, role, &name(text), life, since, &mut self.rng)
            .unwrap();
        (
            vec![issued.der],
            key.to_pkcs8_der().unwrap(),
            self.authority.anchor().clone(),
        )
    }

    /// The authority's own end point.
    #[allow(dead_code, reason = "not every user of this file starts an authority")]
    pub(crate) fn own(&mut self) -> Parts {
        let key = PrivateKey::generate(&mut self.rng);
        let issued = self
            .authority
            .issue_own(&key.verifying_key(), now(), &mut self.rng)
            .unwrap();
        let anchor = self.authority.anchor().clone();
        (
            vec![issued.der, anchor.der().to_vec()],
            key.to_pkcs8_der().unwrap(),
            anchor,
        )
    }
}
