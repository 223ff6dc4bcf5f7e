//! Who takes part: an authority, a server, a log key and members with real certificates. Made once (key pairs and chain
//! checks are not free) and used by as many worlds and rounds as wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacita_identity::{
    Authority, CertificateRequest, DenyList, DenyListContent, Life, Name, PrivateKey, Role, TrustAnchor,
    VerifiedCertificate,
};
use tacita_ledger::{KeyType, VerifierKey};
use tacita_privacy::{Decimal, PrivacyUnit};
use tacita_protocol::certificates::CertificateCache;
use tacita_protocol::client::Participant;
use tacita_protocol::consent::ConsentPolicy;
use tacita_protocol::roster::Member;

use crate::error::SimError;

/// The time of every world, in unix seconds, unless a test moves it.
pub const NOW: u64 = 1_800_000_000;

/// The task name that every cast's policy allows.
pub const TASK: &str = "sim";

/// The name of the simulated log.
pub const ORIGIN: &str = "tacita.example/sim";

/// One member: its name, key and certificate.
#[derive(Clone)]
pub struct CastMember {
    /// The certified name.
    pub name: String,
    /// The certificate key.
    pub key: SigningKey,
    /// The certificate as everybody verifies it.
    pub certificate: Arc<VerifiedCertificate>,
    /// The same in DER.
    pub der: Arc<Vec<u8>>,
}

impl CastMember {
    /// The member as a server that verified its TLS certificate knows it.
    pub fn member(&self) -> Member {
        Member {
            certificate: self.certificate.clone(),
            der: self.der.clone(),
        }
    }
}

/// The cast of a world. Members are ordered by identity, so with a full roster the roster index of a member is its number.
pub struct Cast {
    authority: Authority,
    anchor: Arc<TrustAnchor>,
    server: CastMember,
    log_key: SigningKey,
    log_verifier: VerifierKey,
    members: Vec<CastMember>,
    deny: DenyList,
    policy: ConsentPolicy,
    cache: Arc<CertificateCache>,
    /// What all keys were drawn from, if they were drawn.
    pub(crate) seed: Option<u64>,
}

impl Cast {
    /// A cast of `size` members, all keys drawn from `seed`.
    ///
    /// # Errors
    /// [`SimError`] if a certificate cannot be made.
    pub fn new(size: usize, seed: u64) -> Result<Self, SimError> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let authority = Authority::create(&Name::new("sim-authority")?, NOW - 3600, &mut rng)?;
        let anchor = Arc::new(authority.anchor().clone());
        let deny = authority.sign_deny_list(DenyListContent {
            issued_at: NOW,
            ..Default::default()
        })?;
        let log_key = PrivateKey::generate(&mut rng).signing_key().clone();
        let log_verifier = VerifierKey::new(ORIGIN, KeyType::Ed25519, log_key.verifying_key())?;
        let server = issue(&authority, Role::Server, "hub", NOW, &mut rng)?;
        let mut members = (0..size)
            .map(|i| issue(&authority, Role::Client, &format!("member-{i:04}"), NOW, &mut rng))
            .collect::<Result<Vec<_>, _>>()?;
        members.sort_by_key(|member| member.certificate.identity.0);
        let cache = Arc::new(CertificateCache::default());
        Ok(Self {
            authority,
            anchor,
            server,
            log_key,
            log_verifier,
            members,
            deny,
            policy: permissive()?,
            cache,
            seed: Some(seed),
        })
    }

    /// A cast of given parts, for vectors: the authority with its deny list, the server, the log's name and key, the
    /// members by rising identity.
    ///
    /// # Errors
    /// [`SimError::Note`] if the log's name or key cannot be used.
    pub fn of_parts(
        authority: Authority,
        deny: DenyList,
        server: CastMember,
        log: (&str, SigningKey),
        members: Vec<CastMember>,
    ) -> Result<Self, SimError> {
        Ok(Self {
            anchor: Arc::new(authority.anchor().clone()),
            authority,
            server,
            log_verifier: VerifierKey::new(log.0, KeyType::Ed25519, log.1.verifying_key())?,
            log_key: log.1,
            members,
            deny,
            policy: permissive()?,
            cache: Arc::new(CertificateCache::default()),
            seed: None,
        })
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member by number.
    ///
    /// # Errors
    /// [`SimError::NoMember`].
    pub fn member(&self, number: usize) -> Result<&CastMember, SimError> {
        self.members.get(number).ok_or(SimError::NoMember(number))
    }

    /// All members.
    pub fn members(&self) -> &[CastMember] {
        &self.members
    }

    /// The number of the member with this identity, or with one that begins so.
    pub fn number_of(&self, identity: &[u8]) -> Option<usize> {
        let found = |member: &&CastMember| member.certificate.identity.0.starts_with(identity);
        let at = self
            .members
            .partition_point(|member| member.certificate.identity.0.as_slice() < identity);
        self.members.get(at).filter(found).map(|_| at)
    }

    /// The authority, which tests use to issue what should be refused.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The server's identity and key.
    pub fn server(&self) -> &CastMember {
        &self.server
    }

    /// The log's signing key.
    pub fn log_key(&self) -> &SigningKey {
        &self.log_key
    }

    /// The log's pinned key.
    pub fn log_verifier(&self) -> &VerifierKey {
        &self.log_verifier
    }

    /// A certificate of this authority for any name, issued at `now` for the default life.
    ///
    /// # Errors
    /// [`SimError`] if it cannot be made.
    pub fn certify(&self, name: &str, now: u64, rng: &mut ChaCha20Rng) -> Result<CastMember, SimError> {
        issue(&self.authority, Role::Client, name, now, rng)
    }

    /// A deny list that revokes these members by name.
    ///
    /// # Errors
    /// [`SimError`] if there is no such member or the list cannot be signed.
    pub fn deny_list(&self, revoked: impl IntoIterator<Item = usize>) -> Result<DenyList, SimError> {
        let names = revoked
            .into_iter()
            .map(|number| Ok((Role::Client, self.member(number)?.certificate.name.clone())))
            .collect::<Result<BTreeSet<_>, SimError>>()?;
        let content = DenyListContent {
            number: 1,
            issued_at: NOW,
            names,
            ..Default::default()
        };
        Ok(self.authority.sign_deny_list(content)?)
    }

    /// What member `number` is and trusts: the most permissive policy, the cache that all members of the cast share.
    ///
    /// # Errors
    /// [`SimError::NoMember`].
    pub fn participant(&self, number: usize) -> Result<Participant, SimError> {
        let member = self.member(number)?;
        Ok(Participant {
            certificate: member.certificate.clone(),
            key: member.key.clone(),
            anchor: self.anchor.clone(),
            deny: self.deny.clone().into(),
            log_key: self.log_verifier.clone(),
            server: self.server.certificate.clone(),
            policy: self.policy.clone(),
            cache: self.cache.clone(),
        })
    }
}

/// A policy that consents to everything that is well formed: the protocol's own rules are what is being tested.
fn permissive() -> Result<ConsentPolicy, SimError> {
    Ok(ConsentPolicy {
        tasks: vec![TASK.to_owned()],
        units: vec![PrivacyUnit::Client, PrivacyUnit::Record],
        smallest_cohort: 0,
        smallest_honest: 0,
        least_colluders: 0,
        least_colluders_per_mille: 0,
        noise_floor: None,
        allow_unprotected: true,
        largest_clip: Decimal::new(1_000_000_000, 0).map_err(|e| SimError::Setting(e.to_string()))?,
        require_post_quantum: true,
    })
}

fn issue(
    authority: &Authority,
    role: Role,
    name: &str,
    now: u64,
    rng: &mut ChaCha20Rng,
) -> Result<CastMember, SimError> {
    let key = PrivateKey::generate(rng);
    let request = CertificateRequest::check(&CertificateRequest::create(&key)?)?;
    let issued = authority.issue(&request, role, &Name::new(name)?, Life::default(), now, rng)?;
    let certificate = authority.anchor().verify(&issued.der, role, now)?;
    Ok(CastMember {
        name: name.to_owned(),
        key: key.signing_key().clone(),
        certificate: Arc::new(certificate),
        der: Arc::new(issued.der),
    })
}
