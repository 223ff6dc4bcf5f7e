//! Steps 2 and 3: advertisements, and the roster that fixes who is in the round (TAC-020 to TAC-027).
//!
//! roster root = H(label, n', H(identity list), Merkle root over the entries). Entries are in strictly rising order
//! of identity = H(SAN name), so no name sits twice, whatever certificates it holds.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tacita_algebra::TaggedHash;
use tacita_identity::VerifiedCertificate;
use tacita_ledger::tree::{self, Tree};
use tls_codec::{Serialize as _, TlsSerialize, TlsSize};

use crate::certificates::Certificates;
use crate::graph::{Neighbourhood, NeighbourhoodError};
use crate::kem::{self, KeyAgreement};
use crate::keys::{BoxEnd, End};
use crate::limits::{IDENTITY_PREFIX, MAX_ROUND_PROOF};
use crate::manifest::{CheckedManifest, is_sampled};
use crate::messages::{Advertise, RosterEntry, RosterMessage};
use crate::refusal::{Misuse, Refusal};
use crate::signature::{self, Claim};
use crate::{Hash, labels};

/// Digest that an advertisement signs: the manifest, the signer's certificate and the keys.
pub(crate) fn advertisement_digest(manifest: &Hash, fingerprint: &Hash, advertise: &Advertise) -> Hash {
    TaggedHash::new(labels::ADVERTISEMENT)
        .bytes(manifest)
        .bytes(fingerprint)
        .bytes(&advertise.mask_key)
        .bytes(&advertise.share_key)
        .bytes(advertise.mask_kem_key.as_slice())
        .bytes(advertise.share_kem_key.as_slice())
        .bytes(&advertise.nonce)
        .finish()
}

/// The public keys of an advertisement: X25519, then ML-KEM (empty in a round without).
#[derive(Clone, Copy)]
pub(crate) struct PublicKeys<'a> {
    pub(crate) mask: (&'a [u8; 32], &'a [u8]),
    pub(crate) share: (&'a [u8; 32], &'a [u8]),
}

impl Advertise {
    /// Signs fresh keys with the certificate key.
    pub(crate) fn sign(
        key: &SigningKey,
        manifest: &Hash,
        fingerprint: &Hash,
        keys: PublicKeys<'_>,
        nonce: [u8; 32],
    ) -> Self {
        let mut advertise = Self {
            mask_key: *keys.mask.0,
            share_key: *keys.share.0,
            mask_kem_key: keys.mask.1.to_vec().into(),
            share_kem_key: keys.share.1.to_vec().into(),
            nonce,
            signature: [0; 64],
        };
        let digest = advertisement_digest(manifest, fingerprint, &advertise);
        advertise.signature = signature::sign(key, labels::ADVERTISEMENT, &digest);
        advertise
    }

    /// Whether the certificate's key signed these keys for this manifest (TAC-023, one at a time).
    pub(crate) fn verify(&self, manifest: &Hash, certificate: &VerifiedCertificate) -> bool {
        let digest = advertisement_digest(manifest, &certificate.fingerprint, self);
        signature::verify(&certificate.key, labels::ADVERTISEMENT, &digest, &self.signature)
    }

    /// TAC-027: both KEM keys are of the round's length and reduced.
    pub(crate) fn has_kem_keys(&self, agreement: KeyAgreement) -> bool {
        kem::is_valid(self.mask_kem_key.as_slice(), agreement)
            && kem::is_valid(self.share_kem_key.as_slice(), agreement)
    }
}

/// What a roster leaf hashes: everything of an entry but its proof.
#[derive(TlsSerialize, TlsSize)]
struct Leaf<'a> {
    index: u16,
    identity: Hash,
    fingerprint: Hash,
    advertise: &'a Advertise,
}

pub(crate) fn leaf(
    index: u16,
    identity: &Hash,
    fingerprint: &Hash,
    advertise: &Advertise,
) -> Result<Hash, Misuse> {
    let bytes = Leaf {
        index,
        identity: *identity,
        fingerprint: *fingerprint,
        advertise,
    }
    .tls_serialize_detached()
    .map_err(|_| Misuse::Encoding)?;
    Ok(tree::leaf_hash(&bytes))
}

/// Bytes of each identity in the list of a roster: all of them, or a prefix where there are many.
#[must_use]
pub fn identity_width(cohort: u16) -> usize {
    if is_sampled(cohort) { IDENTITY_PREFIX } else { 32 }
}

pub(crate) fn roster_root<'a>(
    identities: impl ExactSizeIterator<Item = &'a [u8]>,
    merkle_root: &Hash,
) -> Hash {
    let size = identities.len() as u64;
    let list = identities
        .fold(TaggedHash::new(labels::IDENTITY_LIST), TaggedHash::bytes)
        .finish();
    TaggedHash::new(labels::ROSTER)
        .u64(size)
        .bytes(&list)
        .bytes(merkle_root)
        .finish()
}

/// A member as the server knows it.
#[derive(Clone)]
pub struct Member {
    /// The certificate of the mutual TLS connection, verified.
    pub certificate: Arc<VerifiedCertificate>,
    /// Its DER bytes, handed to other members.
    pub der: Arc<Vec<u8>>,
}

/// The server's roster: everybody who advertised, in order.
pub struct Roster {
    members: Vec<Member>,
    advertise: Vec<Advertise>,
    identities: Vec<Hash>,
    /// Bytes of each identity that members are told.
    width: usize,
    merkle: Tree,
    root: Hash,
    neighbourhood: Neighbourhood,
}

impl Roster {
    /// Orders and commits; the caller guarantees distinct identities.
    pub(crate) fn build(
        manifest: &CheckedManifest,
        mut joined: Vec<(Member, Advertise)>,
    ) -> Result<Self, Misuse> {
        joined.sort_by_key(|(member, _)| member.certificate.identity.0);
        let identities: Vec<Hash> = joined.iter().map(|(m, _)| m.certificate.identity.0).collect();
        let leaves = joined
            .iter()
            .zip(0u16..)
            .map(|((m, a), i)| leaf(i, &m.certificate.identity.0, &m.certificate.fingerprint, a))
            .collect::<Result<Vec<Hash>, Misuse>>()?;
        let merkle = Tree::from_leaves(leaves);
        let width = identity_width(manifest.fields().cohort);
        let list = identities.iter().map(|id| id.get(..width).unwrap_or(id));
        let root = roster_root(list, &merkle.root());
        let neighbourhood = u16::try_from(identities.len())
            .ok()
            .and_then(|size| neighbourhood(manifest, size, &root).ok())
            .ok_or(Misuse::Argument("the roster is smaller than the graph needs"))?;
        let (members, advertise) = joined.into_iter().unzip();
        Ok(Self {
            members,
            advertise,
            identities,
            width,
            merkle,
            root,
            neighbourhood,
        })
    }

    /// n'.
    #[must_use]
    pub fn size(&self) -> u16 {
        u16::try_from(self.members.len()).unwrap_or(u16::MAX)
    }

    /// The roster root.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// A member.
    #[must_use]
    pub fn member(&self, index: u16) -> Option<&Member> {
        self.members.get(usize::from(index))
    }

    /// Index of an identity.
    #[must_use]
    pub fn index_of(&self, identity: &Hash) -> Option<u16> {
        self.identities
            .binary_search(identity)
            .ok()
            .and_then(|i| u16::try_from(i).ok())
    }

    /// Neighbours of an index, rising.
    #[must_use]
    pub fn neighbours(&self, index: u16) -> Vec<u16> {
        self.neighbourhood.neighbours_of(index)
    }

    /// Holders of a dealer's shares, rising: its neighbours, and on the complete graph itself.
    #[must_use]
    pub fn holders(&self, dealer: u16) -> Vec<u16> {
        holders(&self.neighbourhood, dealer)
    }

    pub(crate) fn advertise(&self, index: u16) -> Option<&Advertise> {
        self.advertise.get(usize::from(index))
    }

    /// Step 3 for one member.
    ///
    /// # Errors
    /// [`Misuse`] for an index outside the roster.
    pub fn message(&self, index: u16) -> Result<RosterMessage, Misuse> {
        let outside = Misuse::Argument("index outside the roster");
        let mut indices = self.neighbours(index);
        indices.push(index);
        indices.sort_unstable();
        let mut entries = Vec::with_capacity(indices.len());
        for i in indices {
            let member = self.member(i).ok_or(outside.clone())?;
            entries.push(RosterEntry {
                index: i,
                identity: member.certificate.identity.0,
                fingerprint: member.certificate.fingerprint,
                advertise: self.advertise(i).ok_or(outside.clone())?.clone(),
                proof: self
                    .merkle
                    .inclusion_proof(u64::from(i))
                    .map_err(|_| outside.clone())?
                    .into(),
            });
        }
        Ok(RosterMessage {
            identities: self
                .identities
                .iter()
                .flat_map(|id| id.iter().take(self.width))
                .copied()
                .collect::<Vec<u8>>()
                .into(),
            merkle_root: self.merkle.root(),
            entries: entries.into(),
        })
    }
}

/// The graph over n' indices, seeded by the roster root.
fn neighbourhood(
    manifest: &CheckedManifest,
    size: u16,
    root: &Hash,
) -> Result<Neighbourhood, NeighbourhoodError> {
    if manifest.is_complete() {
        Neighbourhood::complete(size)
    } else {
        Neighbourhood::ring(size, manifest.fields().neighbours, root)
    }
}

/// A neighbour as the client verified it.
#[derive(Clone)]
pub struct Neighbour {
    /// Roster index.
    pub index: u16,
    /// Verified certificate.
    pub certificate: Arc<VerifiedCertificate>,
    pub(crate) keys: Advertise,
}

impl Neighbour {
    /// Its end of a pair mask.
    pub(crate) fn mask_end(&self) -> End<'_> {
        End {
            index: self.index,
            mask_key: &self.keys.mask_key,
            mask_kem_key: self.keys.mask_kem_key.as_slice(),
            fingerprint: &self.certificate.fingerprint,
        }
    }

    /// Its end of a box.
    pub(crate) fn box_end(&self) -> BoxEnd<'_> {
        BoxEnd {
            fingerprint: &self.certificate.fingerprint,
            share_key: &self.keys.share_key,
        }
    }
}

/// The client's verified view of the roster. Holding one proves that TAC-020 to TAC-025 passed.
pub struct VerifiedRoster {
    pub(crate) root: Hash,
    identities: Vec<u8>,
    width: usize,
    size: u16,
    pub(crate) own: u16,
    pub(crate) neighbours: Vec<Neighbour>,
    graph: Neighbourhood,
}

impl VerifiedRoster {
    /// Checks everything a client can check of the roster.
    pub(crate) fn verify(
        message: RosterMessage,
        manifest: &CheckedManifest,
        own_certificate: &VerifiedCertificate,
        own_advertise: &Advertise,
        certificates: &Certificates<'_>,
    ) -> Result<Self, Refusal> {
        let width = identity_width(manifest.fields().cohort);
        let identities: Vec<u8> = message.identities.into();
        if !identities.len().is_multiple_of(width) {
            return Err(Refusal::Roster("the list ends inside an identity"));
        }
        let list = || identities.chunks_exact(width);
        let outside = Refusal::Roster("size outside max(m, k + 1) to n");
        let size = u16::try_from(list().len()).map_err(|_| outside.clone())?;
        if size > manifest.fields().cohort || size < manifest.smallest_roster() {
            return Err(outside);
        }
        // TAC-020: strictly rising, so no identity sits twice.
        if list().zip(list().skip(1)).any(|(a, b)| a >= b) {
            return Err(Refusal::Roster("identities are not strictly rising"));
        }
        let root = roster_root(list(), &message.merkle_root);
        let own = list()
            .position(|id| own_certificate.identity.0.starts_with(id))
            .and_then(|i| u16::try_from(i).ok())
            .ok_or(Refusal::OwnAdvertisement)?;
        // Every size in that range carries the graph: nobody is refused here who was not above.
        let graph = neighbourhood(manifest, size, &root).map_err(|_| outside)?;
        let mut expected = graph.neighbours_of(own);
        expected.push(own);
        expected.sort_unstable();
        let entries = message.entries.as_slice();
        if entries.iter().map(|e| e.index).ne(expected.iter().copied()) {
            return Err(Refusal::Neighbourhood);
        }
        let mut neighbours = Vec::with_capacity(entries.len());
        for entry in entries {
            let listed = list().nth(usize::from(entry.index));
            if !listed.is_some_and(|id| entry.identity.starts_with(id)) {
                return Err(Refusal::Roster("an entry names another identity than the list"));
            }
            Self::check_entry(entry, size, &message.merkle_root)?;
            if entry.index == own {
                // TAC-022.
                let same = entry.identity == own_certificate.identity.0
                    && entry.fingerprint == own_certificate.fingerprint;
                if !same || entry.advertise != *own_advertise {
                    return Err(Refusal::OwnAdvertisement);
                }
                continue;
            }
            let certificate = certificates.client(entry.index, &entry.fingerprint, &entry.identity)?;
            // TAC-027.
            if !entry.advertise.has_kem_keys(manifest.key_agreement()) {
                return Err(Refusal::KemKey(entry.index));
            }
            neighbours.push(Neighbour {
                index: entry.index,
                certificate,
                keys: entry.advertise.clone(),
            });
        }
        // TAC-023, in one batch.
        let others = entries.iter().filter(|e| e.index != own);
        let claims: Vec<Claim<'_>> = others
            .zip(&neighbours)
            .map(|(entry, n)| Claim {
                key: &n.certificate.key,
                digest: advertisement_digest(manifest.digest(), &entry.fingerprint, &entry.advertise),
                signature: &entry.advertise.signature,
            })
            .collect();
        signature::verify_all(labels::ADVERTISEMENT, &claims).map_err(|bad| {
            Refusal::AdvertisementSignature(neighbours.get(bad).map_or(u16::MAX, |n| n.index))
        })?;
        Ok(Self {
            root,
            identities,
            width,
            size,
            own,
            neighbours,
            graph,
        })
    }

    fn check_entry(entry: &RosterEntry, size: u16, root: &Hash) -> Result<(), Refusal> {
        let proof = entry.proof.as_slice();
        let hash = leaf(entry.index, &entry.identity, &entry.fingerprint, &entry.advertise)
            .map_err(|_| Refusal::RosterProof(entry.index))?;
        if proof.len() > MAX_ROUND_PROOF
            || tree::verify_inclusion(&hash, u64::from(entry.index), u64::from(size), proof, root).is_err()
        {
            return Err(Refusal::RosterProof(entry.index));
        }
        Ok(())
    }

    /// n'.
    pub(crate) fn size(&self) -> u16 {
        self.size
    }

    /// The identity at an index, or its first bytes.
    pub(crate) fn identity(&self, index: u16) -> Option<&[u8]> {
        self.identities.chunks_exact(self.width).nth(usize::from(index))
    }

    pub(crate) fn neighbour(&self, index: u16) -> Option<&Neighbour> {
        self.neighbours
            .binary_search_by_key(&index, |n| n.index)
            .ok()
            .and_then(|i| self.neighbours.get(i))
    }

    /// Holders of a dealer's shares, rising.
    pub(crate) fn holders(&self, dealer: u16) -> Vec<u16> {
        holders(&self.graph, dealer)
    }
}

/// Ring: neighbours only. Complete graph: everybody, the dealer included (it keeps one of its own shares).
pub(crate) fn holders(graph: &Neighbourhood, dealer: u16) -> Vec<u16> {
    let mut holders = graph.neighbours_of(dealer);
    if graph.is_complete() {
        holders.push(dealer);
        holders.sort_unstable();
    }
    holders
}
