//! What a round leaves in the durable record: rows of JSON under the round's id.

use serde::{Deserialize, Serialize};
use tacita_privacy::{Adversary, Decimal, Release};
use tacita_protocol::client::Participant;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::Reveal;

/// One round that this client masked for, written before its first masked byte left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentRound {
    /// Task.
    pub task: String,
    /// Round number.
    pub round: u32,
    /// What it was charged at, if it had noise: the view of the server with its colluders.
    pub release: Option<Release>,
    /// Digest of the upload, hex.
    pub upload_digest: String,
    /// Bytes that left the machine, masked.
    pub upload_bytes: u64,
    /// Unix seconds.
    pub time: u64,
    /// Place among all that this client masked for, from 1; clocks may go back. 0 in records of earlier versions.
    #[serde(default)]
    pub number: u64,
    /// To whom it went, under which terms; `None` in records of earlier versions.
    #[serde(default)]
    pub terms: Option<Terms>,
}

impl SpentRound {
    /// Sorts rounds as they were charged.
    pub(crate) fn place(&self) -> (u64, u64, u32) {
        (self.number, self.time, self.round)
    }
}

/// To whom an upload went and what was stated about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Name in the server's certificate.
    pub server: String,
    /// Where it was reached.
    pub server_address: String,
    /// SHA-256 of the server's certificate, hex.
    pub server_certificate: String,
    /// SHA-256 of the global model that was trained, hex.
    pub model_digest: String,
    /// Delta of the task's promise; `None` without noise.
    pub delta: Option<Decimal>,
    /// SHA-256 of this client's own certificate, hex.
    pub certificate: String,
    /// Its last second, unix.
    pub certificate_expires: u64,
    /// What the round is charged at in everybody else's view; `None` without noise.
    pub release_public: Option<Release>,
}

impl Terms {
    /// Of a round that a participant consented to.
    #[must_use]
    pub fn of(manifest: &CheckedManifest, participant: &Participant, address: &str) -> Self {
        let f = manifest.fields();
        let delta = std::str::from_utf8(f.delta.as_slice());
        Self {
            server: participant.server.name.to_string(),
            server_address: address.to_owned(),
            server_certificate: hex::encode(participant.server.fingerprint),
            model_digest: hex::encode(f.model_digest),
            delta: delta.ok().and_then(|text| text.parse().ok()),
            certificate: hex::encode(participant.certificate.fingerprint),
            certificate_expires: participant.certificate.not_after,
            release_public: manifest.release_for(Adversary::Public),
        }
    }
}

/// What a client revealed of a round's secrets, written before it left. Shares of other members' secrets; never one of both of
/// a member's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revealed {
    /// Shares of self-mask secrets, one for each survivor that this client holds shares of.
    pub self_mask_shares: usize,
    /// Shares of mask secrets, one for each such member that dropped out.
    pub mask_shares: usize,
    /// Whether the seed of surplus noise was among it.
    pub surplus_noise_seed: bool,
    /// Unix seconds.
    pub time: u64,
}

impl Revealed {
    /// Of an answer to a list of survivors.
    pub(crate) fn of(reveal: &Reveal, survived: impl Fn(u16) -> bool, now: u64) -> Self {
        let shares = reveal.shares.as_slice();
        let self_mask_shares = shares.iter().filter(|share| survived(share.dealer)).count();
        Self {
            self_mask_shares,
            mask_shares: shares.len() - self_mask_shares,
            surplus_noise_seed: !reveal.noise_seed.as_slice().is_empty(),
            time: now,
        }
    }
}

/// A round with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRound {
    /// Id of the attempt, hex.
    pub round_id: String,
    /// What was spent.
    #[serde(flatten)]
    pub spent: SpentRound,
    /// The statement on the survivors that was signed, hex.
    pub signed: Option<String>,
    /// What was revealed.
    pub revealed: Option<Revealed>,
}
