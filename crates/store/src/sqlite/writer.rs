//! The one thread that writes. It takes what many callers have queued and makes it durable in one transaction:
//! one flush serves them all, and while it runs the next group gathers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Error};
use tokio::sync::oneshot;

use super::{fault, rows};
use crate::{Batch, CommitFuture, Stats, StoreError};

/// Most batches in one transaction.
pub const MAX_GROUP_BATCHES: usize = 512;
/// Most bytes in one transaction, apart from a single batch that is larger by itself.
pub const MAX_GROUP_BYTES: usize = 64 << 20;
/// Most batches waiting; the next one is refused with [`StoreError::Overloaded`].
pub const MAX_QUEUED_BATCHES: usize = 16_384;
/// Most bytes waiting, as above.
pub const MAX_QUEUED_BYTES: usize = 256 << 20;
/// Bytes written to the log between checkpoints, about the thousand pages that SQLite itself would wait for.
const CHECKPOINT_BYTES: usize = 4 << 20;

type Outcome = Result<(), StoreError>;

enum Reply {
    Thread(mpsc::SyncSender<Outcome>),
    Task(oneshot::Sender<Outcome>),
}

struct Job {
    batch: Batch,
    reply: Reply,
}

#[derive(Default)]
struct Counters {
    queued_batches: AtomicUsize,
    queued_bytes: AtomicUsize,
    transactions: AtomicU64,
    batches: AtomicU64,
    refused: AtomicU64,
}

/// The callers' end of the writer thread; dropping it lets the thread finish what is queued, then waits for it.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    path: PathBuf,
}

impl Writer {
    /// Starts the thread. With a `generation`, every transaction first checks that the file still carries it.
    pub(super) fn start(
        path: PathBuf,
        connection: Connection,
        generation: Option<u64>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let worker = Worker {
            queue,
            connection,
            generation,
            counters: Arc::clone(&counters),
            path: path.clone(),
            stopped: None,
            unchecked_bytes: 0,
        };
        let thread = std::thread::Builder::new()
            .name("tacita-store".into())
            .spawn(move || worker.run())
            .map_err(|e| StoreError::Io {
                action: "start the writer of",
                path: path.clone(),
                reason: e.to_string(),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            counters,
            path,
        })
    }

    pub(super) fn commit(&self, batch: Batch) -> Outcome {
        let (reply, answer) = mpsc::sync_channel(1);
        self.queue(batch, Reply::Thread(reply))?;
        answer.recv().unwrap_or_else(|_| Err(self.gone()))
    }

    pub(super) fn commit_async(&self, batch: Batch) -> CommitFuture {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue(batch, Reply::Task(reply));
        let gone = self.gone();
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or(Err(gone))
        })
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            transactions: self.counters.transactions.load(Ordering::Relaxed),
            batches: self.counters.batches.load(Ordering::Relaxed),
            refused: self.counters.refused.load(Ordering::Relaxed),
        }
    }

    fn queue(&self, batch: Batch, reply: Reply) -> Outcome {
        batch.check()?;
        let bytes = batch.bytes();
        let batches = self.counters.queued_batches.fetch_add(1, Ordering::Relaxed);
        let waiting = self.counters.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let full = batches >= MAX_QUEUED_BATCHES || waiting.saturating_add(bytes) > MAX_QUEUED_BYTES;
        let sent = match &self.jobs {
            Some(jobs) if !full => jobs.send(Job { batch, reply }).map_err(|_| self.gone()),
            Some(_) => Err(StoreError::Overloaded {
                path: self.path.clone(),
            }),
            None => Err(self.gone()),
        };
        if sent.is_err() {
            self.counters.queued_batches.fetch_sub(1, Ordering::Relaxed);
            self.counters.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }

    fn gone(&self) -> StoreError {
        StoreError::Stopped {
            path: self.path.clone(),
            reason: "the writer thread has ended".into(),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already answered its callers with an error.
            let _ = thread.join();
        }
    }
}

struct Worker {
    queue: mpsc::Receiver<Job>,
    connection: Connection,
    generation: Option<u64>,
    counters: Arc<Counters>,
    path: PathBuf,
    /// The failure after which nothing more is written.
    stopped: Option<String>,
    unchecked_bytes: usize,
}

impl Worker {
    fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            let group = self.gather(first);
            let outcomes = self.commit_group(&group);
            for (job, outcome) in group.into_iter().zip(outcomes) {
                // A caller that no longer waits has given up its answer.
                match job.reply {
                    Reply::Thread(reply) => drop(reply.send(outcome)),
                    Reply::Task(reply) => drop(reply.send(outcome)),
                }
            }
        }
    }

    /// `first` and whatever else is waiting, up to the limits of one transaction.
    fn gather(&self, first: Job) -> Vec<Job> {
        let mut bytes = first.batch.bytes();
        let mut group = vec![first];
        while group.len() < MAX_GROUP_BATCHES && bytes < MAX_GROUP_BYTES {
            let Ok(job) = self.queue.try_recv() else { break };
            bytes = bytes.saturating_add(job.batch.bytes());
            group.push(job);
        }
        self.counters
            .queued_batches
            .fetch_sub(group.len(), Ordering::Relaxed);
        self.counters.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        group
    }

    /// One outcome for each job, in order.
    fn commit_group(&mut self, group: &[Job]) -> Vec<Outcome> {
        let outcomes = match &self.stopped {
            Some(reason) => Err(StoreError::Stopped {
                path: self.path.clone(),
                reason: reason.clone(),
            }),
            None => self.transact(group),
        };
        match outcomes {
            Ok(outcomes) => {
                // After the answers are settled: a failed checkpoint loses nothing that was promised.
                if let Err(error) = self.checkpoint() {
                    self.stop(&error);
                }
                outcomes
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    // SQLite has rolled back by itself after most failures; the file decides, not this call.
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                if !fault::is_passing(&error) {
                    self.stop(&error);
                }
                group.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    fn stop(&mut self, error: &StoreError) {
        if self.stopped.is_none() && !fault::is_passing(error) {
            self.stopped = Some(error.to_string());
        }
    }

    fn transact(&mut self, group: &[Job]) -> Result<Vec<Outcome>, StoreError> {
        let failed = |e: Error| fault::writing(&self.path, &e);
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
        if let Some(ours) = self.generation {
            let found = rows::generation(&self.connection).map_err(failed)?;
            if found != ours {
                return Err(StoreError::Superseded {
                    path: self.path.clone(),
                    ours,
                    found,
                });
            }
        }
        let mut outcomes = Vec::with_capacity(group.len());
        let (mut written, mut refused) = (0, 0);
        for job in group {
            outcomes.push(match rows::apply(&self.connection, &job.batch).map_err(failed)? {
                rows::Applied::Written => {
                    written += 1;
                    let rows = job.batch.len().saturating_mul(4096);
                    self.unchecked_bytes = self
                        .unchecked_bytes
                        .saturating_add(job.batch.bytes())
                        .saturating_add(rows);
                    Ok(())
                }
                rows::Applied::Refused(error) => {
                    refused += 1;
                    Err(error)
                }
            });
        }
        #[cfg(test)]
        super::tests::injected_fault(&self.path).map_or(Ok(()), |e| Err(failed(e)))?;
        // A group of refusals alone has nothing to flush.
        let end = if written > 0 { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute_batch(end).map_err(failed)?;
        self.counters
            .transactions
            .fetch_add(u64::from(written > 0), Ordering::Relaxed);
        self.counters.batches.fetch_add(written, Ordering::Relaxed);
        self.counters.refused.fetch_add(refused, Ordering::Relaxed);
        Ok(outcomes)
    }

    /// Moves the log into the file from time to time, so that neither grows without end.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        if self.unchecked_bytes < CHECKPOINT_BYTES {
            return Ok(());
        }
        self.unchecked_bytes = 0;
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|e| fault::writing(&self.path, &e))
    }
}
