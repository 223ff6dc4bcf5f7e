//! The client's durable record: spent round ids, charges, signed statements, ledger heads. It answers
//! the protocol's questions from memory and makes changes durable through the store (spec 02, G3 and G5).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tacita_privacy::{Budget, BudgetFilter, BudgetState, BudgetTicket, Release};
use tacita_protocol::client::{ClientRecord, RecordChange};
use tacita_protocol::{Hash, LedgerHead};
use tacita_store::{Batch, Store, StoreError};

use crate::config::Caps;
use crate::evidence::{Evidence, EvidenceError};

const SPENT: &str = "client/spent";
const SIGNED: &str = "client/signed";
const SIGNERS: &str = "client/signers";
const HEAD: &str = "client/head";
const BUDGET: &str = "client/budget";
const FORK: &str = "client/fork";

/// Seconds in a day, for daily caps.
const DAY: u64 = 86_400;

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

/// One round that this client masked for, as `client status` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentRound {
    /// Task.
    pub task: String,
    /// Round number.
    pub round: u32,
    /// What it was charged at, if it had noise.
    pub release: Option<Release>,
    /// Digest of the upload, hex.
    pub upload_digest: String,
    /// Bytes that left the machine, masked.
    pub upload_bytes: u64,
    /// Unix seconds.
    pub time: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead {
    size: u64,
    root: String,
    note: String,
}

/// A filter with the ticket of the round in progress.
struct DayFilter {
    day: u64,
    filter: BudgetFilter,
    ticket: Option<BudgetTicket>,
}

/// The record of one client in a store that it may share with others of the same process.
pub struct StoreRecord {
    store: Arc<dyn Store>,
    name: String,
    caps: Option<Caps>,
    spent: HashSet<[u8; 32]>,
    signed: HashMap<[u8; 32], Hash>,
    signers: HashMap<[u8; 32], Hash>,
    head: Option<LedgerHead>,
    head_is_stored: bool,
    tasks: HashMap<String, BudgetFilter>,
    days: HashMap<String, DayFilter>,
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
        for (stored, _) in store.scan(SPENT, &prefix)? {
            spent.insert(id_of(&stored, "spent round")?);
        }
        let mut signed = HashMap::new();
        for (stored, value) in store.scan(SIGNED, &prefix)? {
            let statement = value.as_slice().try_into().map_err(|_| damaged("statement"))?;
            signed.insert(id_of(&stored, "statement")?, statement);
        }
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
        let mut tasks = HashMap::new();
        let mut days = HashMap::new();
        for (stored, value) in store.scan(BUDGET, &prefix)? {
            let label = stored
                .get(prefix.len()..)
                .and_then(|b| std::str::from_utf8(b).ok());
            let label = label.ok_or(damaged("budget"))?.to_owned();
            let state: BudgetState = serde_json::from_slice(&value).map_err(|_| damaged("budget"))?;
            let filter = BudgetFilter::restore(state).map_err(|_| damaged("budget"))?;
            match label.split_once('@') {
                None => drop(tasks.insert(label, filter)),
                Some((task, day)) => {
                    let day = day.parse().map_err(|_| damaged("budget"))?;
                    let entry = DayFilter {
                        day,
                        filter,
                        ticket: None,
                    };
                    if days.get(task).is_none_or(|d: &DayFilter| d.day < day) {
                        days.insert(task.to_owned(), entry);
                    }
                }
            }
        }
        Ok(Self {
            store,
            name: name.to_owned(),
            caps,
            spent,
            signed,
            signers,
            head,
            head_is_stored: true,
            tasks,
            days,
        })
    }

    /// Every round this client masked for, oldest first.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn history(&self) -> Result<Vec<SpentRound>, RecordError> {
        let damaged = || RecordError::Damaged {
            name: self.name.clone(),
            what: "spent round",
        };
        let mut rounds = self
            .store
            .scan(SPENT, &key(&self.name, b""))?
            .into_iter()
            .map(|(_, value)| serde_json::from_slice::<SpentRound>(&value).map_err(|_| damaged()))
            .collect::<Result<Vec<_>, _>>()?;
        rounds.sort_by_key(|r| (r.time, r.round));
        Ok(rounds)
    }

    /// The budget filter of each task.
    pub fn budgets(&self) -> impl Iterator<Item = (&str, &BudgetFilter)> {
        self.tasks.iter().map(|(task, filter)| (task.as_str(), filter))
    }

    /// Durable commit before the first masked byte leaves: round id, charge and the digest of the masked bytes in one batch.
    /// The bytes themselves, `upload_bytes` of them, are not kept: what they could be sent again with, the secrets of the
    /// round, does not survive a crash either.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the round id was spent before; any other failure of the store.
    pub async fn spend(
        &mut self,
        change: RecordChange,
        ticket: BudgetTicket,
        upload_bytes: u64,
        now: u64,
    ) -> Result<(), RecordError> {
        let RecordChange::Spent {
            round_id,
            round,
            task,
            release,
            upload_digest,
        } = change
        else {
            return self.apply(change).await;
        };
        let mut batch = Batch::new();
        let entry = SpentRound {
            task: task.clone(),
            round,
            release,
            upload_digest: hex::encode(upload_digest),
            upload_bytes,
            time: now,
        };
        batch.insert_new(SPENT, key(&self.name, &round_id), json(&entry));
        if ticket.reservation().is_some() {
            if let Some(filter) = self.tasks.get_mut(&task) {
                // A committed charge is final; the state written below holds it.
                let _ = filter.commit(ticket);
                batch.put(BUDGET, key(&self.name, task.as_bytes()), json(&filter.state()));
            }
            if let Some(day) = self.days.get_mut(&task) {
                if let Some(ticket) = day.ticket.take() {
                    let _ = day.filter.commit(ticket);
                }
                let label = format!("{task}@{}", day.day);
                batch.put(
                    BUDGET,
                    key(&self.name, label.as_bytes()),
                    json(&day.filter.state()),
                );
            }
        }
        self.add_head(&mut batch);
        self.store.commit_async(batch).await?;
        self.spent.insert(round_id);
        Ok(())
    }

    /// A round that ended before anything masked left: its reservation is returned.
    pub fn give_back(&mut self, task: &str, ticket: BudgetTicket) {
        if ticket.reservation().is_some()
            && let Some(filter) = self.tasks.get_mut(task)
        {
            let _ = filter.release(ticket);
        }
        if let Some(day) = self.days.get_mut(task)
            && let Some(ticket) = day.ticket.take()
        {
            let _ = day.filter.release(ticket);
        }
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
            RecordChange::Signed { round_id, statement } => {
                let mut batch = Batch::new();
                batch.insert_new(SIGNED, key(&self.name, &round_id), statement.to_vec());
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

    /// Makes the last head durable now.
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
    }

    fn reserve_day(&mut self, task: &str, budget: Budget, release: Release, now: u64) -> Result<(), String> {
        let today = now / DAY;
        if self.days.get(task).is_none_or(|d| d.day != today) {
            let filter = BudgetFilter::new(budget).map_err(|e| e.to_string())?;
            self.days.insert(
                task.to_owned(),
                DayFilter {
                    day: today,
                    filter,
                    ticket: None,
                },
            );
        }
        if let Some(day) = self.days.get_mut(task) {
            day.ticket = Some(
                day.filter
                    .reserve(release)
                    .map_err(|e| format!("daily cap: {e}"))?,
            );
        }
        Ok(())
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
        let caps = self.caps.clone().ok_or("no [budget] is configured here")?;
        if !self.tasks.contains_key(task) {
            let filter = BudgetFilter::new(caps.task).map_err(|e| e.to_string())?;
            self.tasks.insert(task.to_owned(), filter);
        }
        if let Some(budget) = caps.day {
            self.reserve_day(task, budget, *release, now)?;
        }
        let filter = self.tasks.get_mut(task).ok_or("no budget for the task")?;
        filter.reserve(*release).map_err(|e| e.to_string())
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
