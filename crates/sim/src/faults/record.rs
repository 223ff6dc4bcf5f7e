//! A member's durable record over a [`Store`]: the same spaces, keys, batches and order as the client shell's own, so that
//! what a crash can do to one it can do to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tacita_privacy::{Budget, BudgetFilter, BudgetState, BudgetTicket, Release};
use tacita_protocol::client::{ClientRecord, RecordChange};
use tacita_protocol::{Hash, LedgerHead};
use tacita_store::{Batch, Store, StoreError};

use super::disk::FaultyStore;
use super::machines::hex;

/// Rounds masked for, by round id.
pub const SPENT: &str = "client/spent";
/// Masked bytes of the last round.
pub const UPLOAD: &str = "client/upload";
/// Statements signed, by round id.
pub const SIGNED: &str = "client/signed";
/// Lists of signers fixed, by round id.
pub const SIGNERS: &str = "client/signers";
/// The last ledger head.
pub const HEAD: &str = "client/head";
/// Budgets, by task.
pub const BUDGET: &str = "client/budget";
/// Evidence of forks.
pub const FORK: &str = "client/fork";

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored value is not what this code writes.
    #[error("the durable record holds a damaged {0}")]
    Damaged(&'static str),
    /// It holds evidence of a fork: this participant has stopped.
    #[error("the ledger was shown in two versions; this participant takes no part until a person has looked")]
    Forked,
}

/// One round that was masked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentRound {
    /// Round number.
    pub round: u32,
    /// The charge; `None` without noise.
    pub release: Option<Release>,
    /// Digest of the upload.
    pub upload_digest: String,
}

#[derive(Serialize, Deserialize)]
struct StoredHead {
    size: u64,
    root: Hash,
    note: Vec<u8>,
}

/// The record as one process has it open.
pub struct DiskRecord {
    store: FaultyStore,
    budget: Option<Budget>,
    spent: BTreeSet<Hash>,
    signed: BTreeMap<Hash, Hash>,
    signers: BTreeMap<Hash, Hash>,
    head: Option<LedgerHead>,
    head_is_stored: bool,
    filters: BTreeMap<String, BudgetFilter>,
    last_upload: Option<Hash>,
    /// Whether it does not know what it has spent: a mutant's.
    pub(super) forgets: bool,
}

impl DiskRecord {
    /// Loads it; rounds with noise are charged to `budget`.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn open(store: FaultyStore, budget: Option<Budget>) -> Result<Self, RecordError> {
        if !store.scan(FORK, b"")?.is_empty() {
            return Err(RecordError::Forked);
        }
        let id = |bytes: &[u8], what| Hash::try_from(bytes).map_err(|_| RecordError::Damaged(what));
        let mut spent = BTreeSet::new();
        for (key, _) in store.scan(SPENT, b"")? {
            spent.insert(id(&key, "spent round")?);
        }
        let mut signed = BTreeMap::new();
        for (key, value) in store.scan(SIGNED, b"")? {
            signed.insert(id(&key, "statement")?, id(&value, "statement")?);
        }
        let mut signers = BTreeMap::new();
        for (key, value) in store.scan(SIGNERS, b"")? {
            signers.insert(id(&key, "list of signers")?, id(&value, "list of signers")?);
        }
        let head = match store.get(HEAD, b"")? {
            Some(bytes) => Some(decode_head(&bytes).ok_or(RecordError::Damaged("ledger head"))?),
            None => None,
        };
        let mut filters = BTreeMap::new();
        for (key, value) in store.scan(BUDGET, b"")? {
            let damaged = || RecordError::Damaged("budget");
            let state: BudgetState = serde_json::from_slice(&value).map_err(|_| damaged())?;
            let filter = BudgetFilter::restore(state).map_err(|_| damaged())?;
            filters.insert(String::from_utf8_lossy(&key).into_owned(), filter);
        }
        Ok(Self {
            store,
            budget,
            spent,
            signed,
            signers,
            head,
            head_is_stored: true,
            filters,
            last_upload: None,
            forgets: false,
        })
    }

    /// The first commit of a round: round id, charge and masked bytes in one batch.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    pub fn spend(
        &mut self,
        change: RecordChange,
        ticket: BudgetTicket,
        packed: Vec<u8>,
    ) -> Result<(), RecordError> {
        let RecordChange::Spent {
            round_id,
            round,
            task,
            release,
            upload_digest,
            ..
        } = change
        else {
            return self.apply(change);
        };
        let mut batch = Batch::new();
        let entry = SpentRound {
            round,
            release,
            upload_digest: hex(&upload_digest),
        };
        if self.forgets {
            batch.put(SPENT, round_id, json(&entry));
        } else {
            batch.insert_new(SPENT, round_id, json(&entry));
        }
        if let Some(old) = self.last_upload.replace(round_id) {
            batch.delete(UPLOAD, old);
        }
        batch.put(UPLOAD, round_id, packed);
        if ticket.reservation().is_some()
            && let Some(filter) = self.filters.get_mut(&task)
        {
            let _ = filter.commit(ticket);
            batch.put(BUDGET, task.into_bytes(), json(&filter.state()));
        }
        self.add_head(&mut batch);
        self.store.commit(batch)?;
        self.spent.insert(round_id);
        Ok(())
    }

    /// A round that ended before anything masked left.
    pub fn give_back(&mut self, task: &str, ticket: BudgetTicket) {
        if ticket.reservation().is_some()
            && let Some(filter) = self.filters.get_mut(task)
        {
            let _ = filter.release(ticket);
        }
    }

    /// Any other change. A head that is not cosigned waits for the next batch.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn apply(&mut self, change: RecordChange) -> Result<(), RecordError> {
        let mut batch = Batch::new();
        match change {
            RecordChange::Head(head) => {
                self.head = Some(head);
                self.head_is_stored = false;
            }
            RecordChange::Signed { round_id, signed } => {
                batch.insert_new(SIGNED, round_id, signed.statement);
                self.add_head(&mut batch);
                self.store.commit(batch)?;
                self.signed.insert(round_id, signed.statement);
            }
            RecordChange::FixedSigners { round_id, signers } => {
                batch.insert_new(SIGNERS, round_id, signers);
                self.add_head(&mut batch);
                self.store.commit(batch)?;
                self.signers.insert(round_id, signers);
            }
            RecordChange::Fork(evidence) => {
                let both = [head_of(&evidence.ours), head_of(&evidence.shown)];
                batch.put(FORK, evidence.shown.root, json(&both));
                self.store.commit(batch)?;
            }
            RecordChange::Spent { .. } => return Err(RecordError::Damaged("call order")),
        }
        Ok(())
    }

    /// Makes the last head durable.
    ///
    /// # Errors
    /// [`RecordError::Store`].
    pub fn flush_head(&mut self) -> Result<(), RecordError> {
        let mut batch = Batch::new();
        self.add_head(&mut batch);
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }

    fn add_head(&mut self, batch: &mut Batch) {
        if let (Some(head), false) = (&self.head, self.head_is_stored) {
            batch.put(HEAD, Vec::new(), json(&head_of(head)));
            self.head_is_stored = true;
        }
    }
}

impl ClientRecord for DiskRecord {
    fn is_spent(&self, round_id: &[u8; 32]) -> bool {
        self.spent.contains(round_id) && !self.forgets
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

    fn reserve(&mut self, task: &str, release: Option<&Release>, _now: u64) -> Result<BudgetTicket, String> {
        let Some(release) = release else {
            return Ok(BudgetTicket::without_any_privacy_promise());
        };
        let budget = self.budget.ok_or("this participant has no budget")?;
        if !self.filters.contains_key(task) {
            let filter = BudgetFilter::new(budget).map_err(|refusal| refusal.to_string())?;
            self.filters.insert(task.to_owned(), filter);
        }
        let filter = self.filters.get_mut(task).ok_or("no budget for the task")?;
        filter.reserve(*release).map_err(|refusal| refusal.to_string())
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Cannot fail: these types hold strings, integers and lists of them.
    serde_json::to_vec(value).unwrap_or_default()
}

fn head_of(head: &LedgerHead) -> StoredHead {
    StoredHead {
        size: head.size,
        root: head.root,
        note: head.note.clone(),
    }
}

fn lift(stored: StoredHead) -> LedgerHead {
    LedgerHead {
        size: stored.size,
        root: stored.root,
        note: stored.note,
    }
}

/// A stored head.
pub fn decode_head(bytes: &[u8]) -> Option<LedgerHead> {
    serde_json::from_slice(bytes).ok().map(lift)
}

/// Stored evidence: the head remembered and the head shown.
pub fn decode_fork(bytes: &[u8]) -> Option<[LedgerHead; 2]> {
    let both: [StoredHead; 2] = serde_json::from_slice(bytes).ok()?;
    Some(both.map(lift))
}

/// A stored budget.
pub fn decode_budget(bytes: &[u8]) -> Option<BudgetState> {
    serde_json::from_slice(bytes).ok()
}
