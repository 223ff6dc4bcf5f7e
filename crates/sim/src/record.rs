//! A participant's durable record, in memory. It survives restarts because the world hands it from client to client.

use std::collections::BTreeMap;

use tacita_privacy::{BudgetFilter, BudgetTicket, Release};
use tacita_protocol::client::{ClientRecord, RecordChange, TwoStatements};
use tacita_protocol::{ForkEvidence, Hash, LedgerHead};

/// What a round cost when its upload began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRound {
    /// Round number.
    pub round: u32,
    /// The charge; `None` without noise.
    pub release: Option<Release>,
    /// Digest of the masked bytes.
    pub upload_digest: Hash,
}

/// The record. Inserting a one-time value twice is a violation of G5 and panics.
#[derive(Debug, Default)]
pub struct MemoryRecord {
    spent: BTreeMap<[u8; 32], SpentRound>,
    signed: BTreeMap<[u8; 32], Hash>,
    signers: BTreeMap<[u8; 32], Hash>,
    head: Option<LedgerHead>,
    forks: Vec<ForkEvidence>,
    two_statements: Vec<TwoStatements>,
    budget: Option<BudgetFilter>,
}

impl MemoryRecord {
    /// A fresh record; `budget` is what rounds with noise are charged to.
    pub fn new(budget: Option<BudgetFilter>) -> Self {
        Self {
            budget,
            ..Self::default()
        }
    }

    /// Applies a change.
    ///
    /// # Panics
    /// If a round is spent twice, a second statement signed or a second list of signers fixed in one: the guarantee under test does not hold.
    pub fn apply(&mut self, change: RecordChange) {
        match change {
            RecordChange::Head(head) => self.head = Some(head),
            RecordChange::Spent {
                round_id,
                round,
                task: _,
                release,
                upload_digest,
                ..
            } => {
                let earlier = self.spent.insert(
                    round_id,
                    SpentRound {
                        round,
                        release,
                        upload_digest,
                    },
                );
                assert!(earlier.is_none(), "G5: a round id was spent twice");
            }
            RecordChange::Signed { round_id, signed } => {
                let earlier = self.signed.insert(round_id, signed.statement);
                assert!(
                    earlier.is_none(),
                    "G5: a second statement was recorded for one round"
                );
            }
            RecordChange::FixedSigners { round_id, signers } => {
                let earlier = self.signers.insert(round_id, signers);
                assert!(
                    earlier.is_none(),
                    "G1: a second list of signers was fixed in one round"
                );
            }
            RecordChange::Fork(evidence) => self.forks.push(*evidence),
        }
    }

    /// Keeps evidence of two lists of survivors.
    pub fn keep(&mut self, evidence: TwoStatements) {
        self.two_statements.push(evidence);
    }

    /// Evidence of two lists of survivors for one round.
    pub fn two_statements(&self) -> &[TwoStatements] {
        &self.two_statements
    }

    /// Settles a ticket: charged once the round is spent, given back otherwise.
    pub fn settle(&mut self, ticket: BudgetTicket, spent: bool) {
        let Some(budget) = &mut self.budget else { return };
        // A ticket without a reservation has nothing to settle.
        if ticket.reservation().is_some() {
            let settled = if spent {
                budget.commit(ticket)
            } else {
                budget.release(ticket)
            };
            assert!(settled.is_ok(), "G3: a reservation was settled twice");
        }
    }

    /// Rounds spent, by id.
    pub fn spent(&self) -> &BTreeMap<[u8; 32], SpentRound> {
        &self.spent
    }

    /// Statements signed, by round id.
    pub fn signed(&self) -> &BTreeMap<[u8; 32], Hash> {
        &self.signed
    }

    /// Lists of signers fixed, by round id.
    pub fn fixed(&self) -> &BTreeMap<[u8; 32], Hash> {
        &self.signers
    }

    /// Forks of the ledger seen.
    pub fn forks(&self) -> &[ForkEvidence] {
        &self.forks
    }

    /// Size of the last ledger head verified.
    pub fn head_size(&self) -> Option<u64> {
        self.head.as_ref().map(|head| head.size)
    }

    /// The budget.
    pub fn budget(&self) -> Option<&BudgetFilter> {
        self.budget.as_ref()
    }
}

impl ClientRecord for MemoryRecord {
    fn is_spent(&self, round_id: &[u8; 32]) -> bool {
        self.spent.contains_key(round_id)
    }

    fn signed_statement(&self, round_id: &[u8; 32]) -> Option<Hash> {
        self.signed.get(round_id).copied()
    }

    fn fixed_signers(&self, round_id: &[u8; 32]) -> Option<Hash> {
        self.signers.get(round_id).copied()
    }

    fn head(&self) -> Option<LedgerHead> {
        self.head.clone()
    }

    fn reserve(&mut self, _task: &str, release: Option<&Release>, _now: u64) -> Result<BudgetTicket, String> {
        match (release, &mut self.budget) {
            (None, _) => Ok(BudgetTicket::without_any_privacy_promise()),
            (Some(release), Some(budget)) => budget.reserve(*release).map_err(|refusal| refusal.to_string()),
            (Some(_), None) => Err("this participant has no budget".to_owned()),
        }
    }
}
