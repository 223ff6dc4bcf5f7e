//! The client's durable record: spent round ids, charges, signed statements, ledger heads. It answers
//! the protocol's questions from memory and makes changes durable through the store (spec 02, G3 and G5). What was spent is
//! written once, in the row of its round; budgets are counted from those rows.

pub(crate) mod charges;
mod lists;
mod rounds;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tacita_privacy::{BudgetTicket, Release};
use tacita_protocol::client::{ClientRecord, RecordChange};
use tacita_protocol::{Hash, LedgerHead};
use tacita_store::{Batch, Store, StoreError};

use charges::Charges;
pub(crate) use lists::{Certificates, array};
pub use lists::{KEPT_ATTEMPTS, KeptLists, KeptStatement, KeptUpload, Papers};
pub use rounds::{PastRound, Revealed, SpentRound, Terms};

use crate::config::Caps;
use crate::evidence::{Evidence, EvidenceError};

const SPENT: &str = "client/spent";
/// Which upload was signed for which list of sharers.
const LISTS: &str = "client/lists";
/// S with all that it is computed from; of old attempts S alone.
const SIGNED: &str = "client/signed";
const SIGNERS: &str = "client/signers";
const HEAD: &str = "client/head";
const REVEALED: &str = "client/revealed";
const FORK: &str = "client/fork";

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored value is not what this code writes.
    #[error(
        "the durable record of '{name}' holds a damaged {what}; restore the state directory from a backup"
    )]
    Damaged {
        /// The client.
        name: String,
        /// Which value.
        what: &'static str,
    },
    /// A cap of the configuration is outside its range.
    #[error("[budget] {0}")]
    Cap(String),
    /// The record holds evidence that a server lied: this participant has stopped.
    #[error(
        "this participant has stopped: {0}. `tacita client status` names the file with the evidence. Ask the operator, and do \
         not take part until it is explained"
    )]
    Stopped(String),
    /// Evidence could not be written as a file; the durable record holds it.
    #[error("evidence could not be written as a file: {0}")]
    Evidence(#[source] EvidenceError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead {
    size: u64,
    root: String,
    note: String,
}

/// The record of one client in a store that it may share with others of the same process.
pub struct StoreRecord {
    store: Arc<dyn Store>,
    name: String,
    charges: Charges,
    spent: HashSet<[u8; 32]>,
    signed: HashMap<[u8; 32], Hash>,
    signers: HashMap<[u8; 32], Hash>,
    /// Attempts whose signed lists are kept, oldest first.
    kept: VecDeque<[u8; 32]>,
    head: Option<LedgerHead>,
    head_is_stored: bool,
    /// Written with the next head.
    revealed: Option<([u8; 32], Revealed)>,
}

impl StoreRecord {
    /// Loads the record of `name`, to take part.
    ///
    /// # Errors
    /// [`RecordError`]; [`RecordError::Stopped`] if it holds evidence that a server lied.
    pub fn open(store: Arc<dyn Store>, name: &str, caps: Option<Caps>) -> Result<Self, RecordError> {
        let record = Self::read(store, name, caps)?;
        match record.evidence()?.into_iter().next() {
            Some(evidence) => Err(RecordError::Stopped(evidence.what().to_owned())),
            None => Ok(record),
        }
    }

    /// Loads the record of `name`, to look at it.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(store: Arc<dyn Store>, name: &str, caps: Option<Caps>) -> Result<Self, RecordError> {
        let damaged = |what| RecordError::Damaged {
            name: name.to_owned(),
            what,
        };
        let prefix = key(name, b"");
        let id_of = |bytes: &[u8], what| -> Result<[u8; 32], RecordError> {
            bytes
                .get(prefix.len()..)
                .and_then(|id| id.try_into().ok())
                .ok_or(damaged(what))
        };
        let mut spent = HashSet::new();
        let mut charges = Charges::new(caps);
        let mut rounds = Vec::new();
        for (stored, value) in store.scan(SPENT, &prefix)? {
            spent.insert(id_of(&stored, "spent round")?);
            let round: SpentRound = serde_json::from_slice(&value).map_err(|_| damaged("spent round"))?;
            rounds.push(round);
        }
        // As they were charged, not by their ids, which the server draws: the first release decides the order that is watched (spec 04
        // section 8).
        rounds.sort_by_key(SpentRound::place);
        for round in rounds {
            if let Some(release) = round.release {
                charges
                    .replay(&round.task, release, round.time)
                    .map_err(RecordError::Cap)?;
            }
        }
        let mut signed = HashMap::new();
        for (stored, value) in store.scan(SIGNED, &prefix)? {
            let (statement, _) = lists::stored_statement(&value).ok_or(damaged("statement"))?;
            signed.insert(id_of(&stored, "statement")?, statement);
        }
        let mut kept = Vec::new();
        for (stored, value) in store.scan(LISTS, &prefix)? {
            let upload: KeptUpload = serde_json::from_slice(&value).map_err(|_| damaged("signed list"))?;
            kept.push((upload.number, id_of(&stored, "signed list")?));
        }
        kept.sort_unstable();
        let mut signers = HashMap::new();
        for (stored, value) in store.scan(SIGNERS, &prefix)? {
            let digest = value
                .as_slice()
                .try_into()
                .map_err(|_| damaged("list of signers"))?;
            signers.insert(id_of(&stored, "list of signers")?, digest);
        }
        let head = match store.get(HEAD, &prefix)? {
            Some(bytes) => Some(decode_head(&bytes).ok_or(damaged("ledger head"))?),
            None => None,
        };
        Ok(Self {
            store,
            name: name.to_owned(),
            charges,
            spent,
            signed,
            signers,
            kept: kept.into_iter().map(|(_, id)| id).collect(),
            head,
            head_is_stored: true,
            revealed: None,
        })
    }

    /// Every round this client masked for, oldest first.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn history(&self) -> Result<Vec<PastRound>, RecordError> {
        let damaged = || RecordError::Damaged {
            name: self.name.clone(),
            what: "spent round",
        };
        let prefix = key(&self.name, b"");
        let mut revealed = HashMap::new();
        for (stored, value) in self.store.scan(REVEALED, &prefix)? {
            let value: Revealed = serde_json::from_slice(&value).map_err(|_| damaged())?;
            revealed.insert(stored, value);
        }
        let mut rounds = Vec::new();
        for (stored, value) in self.store.scan(SPENT, &prefix)? {
            let id: [u8; 32] = stored
                .get(prefix.len()..)
                .and_then(|id| id.try_into().ok())
                .ok_or_else(damaged)?;
            rounds.push(PastRound {
                round_id: hex::encode(id),
                spent: serde_json::from_slice(&value).map_err(|_| damaged())?,
                signed: self.signed.get(&id).map(hex::encode),
                revealed: revealed.get(&stored).copied(),
            });
        }
        rounds.sort_by_key(|round| round.spent.place());
        Ok(rounds)
    }

    /// Attempts whose signed lists are kept.
    #[must_use]
    pub fn kept_attempts(&self) -> usize {
        self.kept.len()
    }

    /// What this client signed of the lists that a server showed it, of the latest [`KEPT_ATTEMPTS`] attempts, oldest first.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn lists(&self) -> Result<Vec<KeptLists>, RecordError> {
        let damaged = || RecordError::Damaged {
            name: self.name.clone(),
            what: "signed list",
        };
        let prefix = key(&self.name, b"");
        let mut found = Vec::new();
        for (stored, value) in self.store.scan(LISTS, &prefix)? {
            let statement = match self.store.get(SIGNED, &stored)? {
                Some(value) => lists::stored_statement(&value).ok_or_else(damaged)?.1,
                None => None,
            };
            found.push(KeptLists {
                round_id: hex::encode(stored.get(prefix.len()..).unwrap_or_default()),
                upload: serde_json::from_slice(&value).map_err(|_| damaged())?,
                statement,
            });
        }
        found.sort_by_key(|kept| kept.upload.number);
        Ok(found)
    }

    /// Durable commit before the first masked byte leaves: round id, charge, terms and the digest of the masked bytes in one
    /// row, and beside it what was signed for which list of sharers. The bytes themselves, `upload_bytes` of them, are not kept: what they could be sent again with, the secrets of the
    /// round, does not survive a crash either.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the round id was spent before; any other failure of the store.
    pub async fn spend(
        &mut self,
        change: RecordChange,
        ticket: BudgetTicket,
        (terms, papers): (Terms, Papers),
        upload_bytes: u64,
        now: u64,
    ) -> Result<(), RecordError> {
        let RecordChange::Spent {
            round_id,
            round,
            task,
            release,
            upload_digest,
            signed,
        } = change
        else {
            return self.apply(change).await;
        };
        let number = self.spent.len() as u64 + 1;
        let upload = KeptUpload::of(&signed, &papers, (&task, round), (now, number));
        let mut batch = Batch::new();
        let entry = SpentRound {
            task: task.clone(),
            round,
            release,
            upload_digest: hex::encode(upload_digest),
            upload_bytes,
            time: now,
            number,
            terms: Some(terms),
        };
        batch.insert_new(SPENT, key(&self.name, &round_id), json(&entry));
        self.make_room(&mut batch);
        batch.insert_new(LISTS, key(&self.name, &round_id), json(&upload));
        // In memory first: whatever becomes of the write, the charge is not given back.
        if let Some(release) = release {
            self.charges.commit(&task, release, ticket, now);
        }
        self.add_head(&mut batch);
        self.store.commit_async(batch).await?;
        self.spent.insert(round_id);
        self.kept.push_back(round_id);
        Ok(())
    }

    /// Drops the oldest signed lists, so that there is room for one more attempt's.
    fn make_room(&mut self, batch: &mut Batch) {
        while self.kept.len() >= KEPT_ATTEMPTS {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            batch.delete(LISTS, key(&self.name, &oldest));
            if let Some(statement) = self.signed.get(&oldest) {
                batch.put(SIGNED, key(&self.name, &oldest), statement.to_vec());
            }
        }
    }

    /// A round that ended before anything masked left: its reservation is returned.
    pub fn give_back(&mut self, task: &str, ticket: BudgetTicket) {
        self.charges.give_back(task, ticket);
    }

    /// Notes what is about to be revealed; [`StoreRecord::flush_head`] makes it durable.
    pub fn reveals(&mut self, round_id: [u8; 32], revealed: Revealed) {
        self.revealed = Some((round_id, revealed));
    }

    /// Makes any other change durable. A head seen in an invitation or outcome waits for the next batch; a head that is
    /// about to be cosigned does not (see [`StoreRecord::flush_head`]): a witness may not forget what it cosigned.
    ///
    /// # Errors
    /// As [`StoreRecord::spend`].
    pub async fn apply(&mut self, change: RecordChange) -> Result<(), RecordError> {
        match change {
            RecordChange::Head(head) => {
                self.head = Some(head);
                self.head_is_stored = false;
                Ok(())
            }
            RecordChange::Signed { round_id, signed } => {
                let statement = signed.statement;
                let row = KeptStatement::of(&signed).map_or_else(|| statement.to_vec(), |kept| json(&kept));
                let mut batch = Batch::new();
                batch.insert_new(SIGNED, key(&self.name, &round_id), row);
                self.add_head(&mut batch);
                self.store.commit_async(batch).await?;
                self.signed.insert(round_id, statement);
                Ok(())
            }
            RecordChange::FixedSigners { round_id, signers } => {
                let mut batch = Batch::new();
                batch.insert_new(SIGNERS, key(&self.name, &round_id), signers.to_vec());
                self.add_head(&mut batch);
                self.store.commit_async(batch).await?;
                self.signers.insert(round_id, signers);
                Ok(())
            }
            RecordChange::Fork(evidence) => self.keep_evidence(&Evidence::of_fork(&evidence)).await,
            RecordChange::Spent { .. } => Err(RecordError::Damaged {
                name: self.name.clone(),
                what: "call order",
            }),
        }
    }

    /// Makes the last head, and what is about to be revealed, durable now.
    ///
    /// # Errors
    /// As [`StoreRecord::spend`].
    pub async fn flush_head(&mut self) -> Result<(), RecordError> {
        let mut batch = Batch::new();
        self.add_head(&mut batch);
        if !batch.is_empty() {
            self.store.commit_async(batch).await?;
        }
        Ok(())
    }

    /// Makes evidence durable. From then on this participant takes no part.
    ///
    /// # Errors
    /// As [`StoreRecord::spend`].
    pub async fn keep_evidence(&mut self, evidence: &Evidence) -> Result<(), RecordError> {
        let mut batch = Batch::new();
        batch.put(
            FORK,
            key(&self.name, evidence.name().as_bytes()),
            evidence.json().to_vec(),
        );
        self.store.commit_async(batch).await?;
        Ok(())
    }

    /// All evidence kept.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn evidence(&self) -> Result<Vec<Evidence>, RecordError> {
        let prefix = key(&self.name, b"");
        let kept = self.store.scan(FORK, &prefix)?.into_iter();
        kept.map(|(stored, json)| {
            let name = stored.get(prefix.len()..).unwrap_or_default();
            Evidence::stored(name, json).ok_or(RecordError::Damaged {
                name: self.name.clone(),
                what: "piece of evidence",
            })
        })
        .collect()
    }

    fn add_head(&mut self, batch: &mut Batch) {
        if let (Some(head), false) = (&self.head, self.head_is_stored) {
            batch.put(HEAD, key(&self.name, b""), json(&encode_head(head)));
            self.head_is_stored = true;
        }
        if let Some((round_id, revealed)) = self.revealed.take() {
            batch.put(REVEALED, key(&self.name, &round_id), json(&revealed));
        }
    }
}

impl ClientRecord for StoreRecord {
    fn is_spent(&self, round_id: &[u8; 32]) -> bool {
        self.spent.contains(round_id)
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

    fn reserve(&mut self, task: &str, release: Option<&Release>, now: u64) -> Result<BudgetTicket, String> {
        let Some(release) = release else {
            // The consent policy has allowed an unprotected round before this is asked.
            return Ok(BudgetTicket::without_any_privacy_promise());
        };
        self.charges.reserve(task, *release, now)
    }
}

/// Keys begin with the client's name and a zero byte, which no name holds: several clients share one file.
fn key(name: &str, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1 + rest.len());
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out.extend_from_slice(rest);
    out
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Cannot fail: these types hold strings, integers and lists of them.
    serde_json::to_vec(value).unwrap_or_default()
}

fn encode_head(head: &LedgerHead) -> StoredHead {
    StoredHead {
        size: head.size,
        root: hex::encode(head.root),
        note: String::from_utf8_lossy(&head.note).into_owned(),
    }
}

fn decode_head(bytes: &[u8]) -> Option<LedgerHead> {
    let stored: StoredHead = serde_json::from_slice(bytes).ok()?;
    let root = hex::decode(&stored.root).ok()?.try_into().ok()?;
    Some(LedgerHead {
        size: stored.size,
        root,
        note: stored.note.into_bytes(),
    })
}

#[cfg(test)]
mod tests;
