//! What two participants signed in the same attempts, laid beside each other: whether the server showed them the same lists.
//!
//! A server signs its manifests and its ledger's heads, and no list (spec 01 section 4). What each participant signed shows what it was
//! shown, for whoever trusts that the two did not make it up together.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tacita_identity::{AnchorError, CertificateError, Role, TrustAnchor, VerifiedCertificate};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::client::{SignedSharers, SignedStatement};
use tacita_protocol::manifest::is_signed_by;

use crate::record::{KEPT_ATTEMPTS, KeptLists, array};

/// What one participant hands out. Public: it holds signatures and digests, and who was in which round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedLists {
    /// The participant.
    pub name: String,
    /// The root certificate of its authority, DER, hex.
    pub authority: String,
    /// The latest [`KEPT_ATTEMPTS`] attempts, oldest first.
    pub attempts: Vec<KeptLists>,
}

/// Why two participants' signed lists cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComparisonError {
    /// One participant twice.
    #[error("both are of '{0}': what one participant signed is compared with what another one signed")]
    SameParticipant(String),
    /// Members of different authorities.
    #[error("they name different authorities")]
    Authorities,
    /// The root certificate is none.
    #[error("the authority's certificate: {0}")]
    Anchor(#[from] AnchorError),
    /// More attempts than a participant keeps.
    #[error("'{0}' names more attempts than a participant keeps")]
    TooMany(String),
    /// A certificate does not hold.
    #[error("'{name}', attempt {attempt}, {whose}: {source}")]
    Certificate {
        /// Whose export.
        name: String,
        /// The attempt.
        attempt: String,
        /// The member's, or the server's.
        whose: &'static str,
        /// Why.
        source: CertificateError,
    },
    /// A part is not what it should be.
    #[error("'{name}', attempt {attempt}: {what}")]
    Unsigned {
        /// Whose export.
        name: String,
        /// The attempt.
        attempt: String,
        /// Which part.
        what: &'static str,
    },
}

/// In what the two views of one attempt differ first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Two manifests, each signed by the server, for one attempt.
    TwoManifests,
    /// Two rosters under one manifest.
    TwoRosters,
    /// Two lists of sharers of one roster.
    TwoListsOfSharers,
    /// Two lists of survivors of the same sharers.
    TwoListsOfSurvivors,
    /// The same list of sharers; not both signed a list of survivors.
    SameSharers,
    /// The same lists.
    SameLists,
}

impl Shown {
    /// Whether the server showed the two the same as far as they signed.
    #[must_use]
    pub fn is_same(self) -> bool {
        matches!(self, Self::SameSharers | Self::SameLists)
    }

    /// In words, after "the server showed".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::TwoManifests => "two manifests",
            Self::TwoRosters => "two rosters",
            Self::TwoListsOfSharers => "two lists of sharers",
            Self::TwoListsOfSurvivors => "two lists of survivors",
            Self::SameSharers => "the same list of sharers",
            Self::SameLists => "the same lists",
        }
    }
}

/// One attempt in which both took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its id, hex.
    pub attempt: String,
    /// Task.
    pub task: String,
    /// Round number.
    pub round: u32,
    /// Name in the certificate of the server that signed the manifest, to the first and to the second.
    pub server: [String; 2],
    /// What was found.
    pub shown: Shown,
    /// Roster indices that are on the first one's list only, of the lists that differ.
    pub only_first: Vec<u16>,
    /// The same of the second.
    pub only_second: Vec<u16>,
}

/// Checks what two participants signed in the attempts that both kept, and compares it; oldest first.
///
/// # Errors
/// [`ComparisonError`]: a signature, digest or certificate of one of these attempts does not hold.
pub fn compare(first: &SignedLists, second: &SignedLists) -> Result<Vec<Compared>, ComparisonError> {
    if first.name == second.name {
        return Err(ComparisonError::SameParticipant(first.name.clone()));
    }
    if first.authority != second.authority {
        return Err(ComparisonError::Authorities);
    }
    for one in [first, second] {
        if one.attempts.len() > KEPT_ATTEMPTS {
            return Err(ComparisonError::TooMany(one.name.clone()));
        }
    }
    let root = hex::decode(&first.authority).map_err(|_| AnchorError::Malformed)?;
    let anchor = TrustAnchor::from_der(&root)?;
    let of_second: HashMap<&str, &KeptLists> = second
        .attempts
        .iter()
        .map(|kept| (kept.round_id.as_str(), kept))
        .collect();
    let common = first.attempts.iter().filter_map(|kept| {
        let other = of_second.get(kept.round_id.as_str())?;
        Some((kept, *other))
    });
    let checked = common.map(|(ours, theirs)| {
        let a = View::check(&anchor, &first.name, ours)?;
        let b = View::check(&anchor, &second.name, theirs)?;
        let (shown, only_first, only_second) = a.beside(&b);
        Ok(Compared {
            attempt: ours.round_id.clone(),
            task: ours.upload.task.clone(),
            round: ours.upload.round,
            server: [a.server, b.server],
            shown,
            only_first,
            only_second,
        })
    });
    checked.collect()
}

/// One participant's view of an attempt, with everything in it checked.
struct View {
    server: String,
    upload: SignedSharers,
    sharers: Bitmap,
    survivors: Option<Bitmap>,
}

impl View {
    fn check(anchor: &TrustAnchor, name: &str, kept: &KeptLists) -> Result<Self, ComparisonError> {
        let attempt = || kept.round_id.clone();
        let unsigned = |what| ComparisonError::Unsigned {
            name: name.to_owned(),
            attempt: attempt(),
            what,
        };
        // At the time at which the member says that it signed: certificates are renewed, evidence is looked at later.
        let certified = |der: &str, role, whose| -> Result<VerifiedCertificate, ComparisonError> {
            let der = hex::decode(der).map_err(|_| unsigned("a certificate is no hex"))?;
            let verified = anchor.verify(&der, role, kept.upload.time);
            verified.map_err(|source| ComparisonError::Certificate {
                name: name.to_owned(),
                attempt: attempt(),
                whose,
                source,
            })
        };
        let own = certified(&kept.upload.certificate, Role::Client, "its certificate")?;
        if own.name.as_str() != name {
            return Err(unsigned("the certificate is another member's"));
        }
        let server = certified(
            &kept.upload.server_certificate,
            Role::Server,
            "the server's certificate",
        )?;
        let upload = kept
            .upload
            .signed()
            .ok_or_else(|| unsigned("the upload is malformed"))?;
        let manifest_signature = array(&kept.upload.manifest_signature);
        if !manifest_signature
            .is_some_and(|signed| is_signed_by(&upload.manifest_digest, &server.key, &signed))
        {
            return Err(unsigned("the server did not sign the manifest"));
        }
        let sharers = upload
            .sharers()
            .filter(|_| upload.is_signed_by(&own.key))
            .ok_or_else(|| unsigned("the signature of the upload does not hold"))?;
        let survivors = match &kept.statement {
            None => None,
            Some(statement) => {
                let signed = statement
                    .signed(name, own.key.to_bytes())
                    .ok_or_else(|| unsigned("the statement is malformed"))?;
                if !signed.is_signed_by(&own.key) {
                    return Err(unsigned("the signature of the statement does not hold"));
                }
                if !is_of(&signed, &upload) {
                    return Err(unsigned("upload and statement are of different rounds"));
                }
                signed.survivors()
            }
        };
        Ok(Self {
            server: server.name.to_string(),
            upload,
            sharers,
            survivors,
        })
    }

    fn beside(&self, other: &Self) -> (Shown, Vec<u16>, Vec<u16>) {
        let (ours, theirs) = (&self.upload, &other.upload);
        let differing = |shown, a: &Bitmap, b: &Bitmap| {
            let only = |a: &Bitmap, b: &Bitmap| a.indices().filter(|index| !b.contains(*index)).collect();
            (shown, only(a, b), only(b, a))
        };
        if ours.manifest_digest != theirs.manifest_digest {
            return (Shown::TwoManifests, Vec::new(), Vec::new());
        }
        if (ours.roster_root, ours.roster_size) != (theirs.roster_root, theirs.roster_size) {
            return (Shown::TwoRosters, Vec::new(), Vec::new());
        }
        if (&self.sharers, ours.share_roots) != (&other.sharers, theirs.share_roots) {
            return differing(Shown::TwoListsOfSharers, &self.sharers, &other.sharers);
        }
        match (&self.survivors, &other.survivors) {
            (Some(a), Some(b)) if a != b => differing(Shown::TwoListsOfSurvivors, a, b),
            (Some(_), Some(_)) => (Shown::SameLists, Vec::new(), Vec::new()),
            _ => (Shown::SameSharers, Vec::new(), Vec::new()),
        }
    }
}

/// Whether a statement names the manifest, roster and sharers that an upload was signed for.
fn is_of(statement: &SignedStatement, upload: &SignedSharers) -> bool {
    statement.manifest_digest == upload.manifest_digest
        && statement.roster_root == upload.roster_root
        && statement.roster_size == u64::from(upload.roster_size)
        && Some(statement.sharers_digest) == upload.sharers_digest()
}
