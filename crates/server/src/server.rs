//! The server: opens everything, accepts connections, runs the rounds of a task.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tacita_algebra::RingVector;
use tacita_identity::CertificateError;
use tacita_learn::{Dataset, Evaluation, GlobalModel, ModelError};
use tacita_ledger::entry::Entry;
use tacita_ledger::verify::VerifyError;
use tacita_privacy::{Budget, BudgetRefusal, Decimal};
use tacita_protocol::ledger_entries::NoisyFigures;
use tacita_protocol::messages::ServerMessage;
use tacita_store::{SqliteStore, Store, StoreError};
use tacita_transport::{Admission, CLOSE_DONE, ServerEndpoint, Standing, TransportError};
use tokio::sync::{mpsc, watch};

use crate::account::Account;
use crate::attempt::Failed;
use crate::clips::{ClipError, Clips};
use crate::config::{Checked, ConfigError, ServerConfig};
use crate::evaluation;
use crate::floor::Floor;
use crate::gate::Gate;
use crate::ledger_desk::{DeskError, LedgerDesk};
use crate::lobby::{self, Ways};
use crate::restart;
use crate::spool::FileStash;
use crate::state::{ServerState, StateError, TaskState};

/// Events waiting for the driver before connections are slowed down.
const EVENT_QUEUE: usize = 2048;

/// How long members that are away when the task ends may take to come back and hear of it.
const LATECOMERS: Duration = Duration::from_secs(1);
/// How long members whose connection was lost may take to come back for the last outcome.
const OWED: Duration = Duration::from_secs(10);
/// How long members may take to leave when the task is over.
const DRAINED: Duration = Duration::from_secs(5);
/// How long the last messages may take when the service stops before that.
const DELIVERED: Duration = Duration::from_secs(1);

/// Why the server stops.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port or a connection failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The ledger failed.
    #[error("ledger: {0}")]
    Ledger(#[from] DeskError),
    /// The ledger on disk does not verify.
    #[error("ledger: {0}")]
    Verify(#[from] VerifyError),
    /// The folder for uploads in flight cannot be used.
    #[error("{path}: uploads in flight cannot be kept there: {source}")]
    Spool {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database or a model file failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model failed.
    #[error("model: {0}")]
    Model(#[from] ModelError),
    /// The evaluation data cannot be used.
    #[error("evaluation data: {0}")]
    Data(String),
    /// The task's clip rule, or a clip norm of the ledger, is not the one that follows.
    #[error("adaptive clipping: {0}")]
    Clip(#[from] ClipError),
    /// The privacy budget refuses the next round, before it starts.
    #[error("the privacy budget refuses the next round: {0}")]
    Budget(BudgetRefusal),
    /// Too few clients are connected.
    #[error(
        "only {have} of the {need} clients that a round needs are connected after {seconds} s; start more \
         clients, or lower [cohort] minimum_survivors"
    )]
    CohortTooSmall {
        /// Connected.
        have: usize,
        /// Needed.
        need: usize,
        /// Waited.
        seconds: u32,
    },
    /// All attempts at a round failed.
    #[error("round {round} failed {attempts} times; the last time: {reason}")]
    RoundFailed {
        /// The round.
        round: u32,
        /// Attempts made.
        attempts: u32,
        /// The last reason.
        reason: String,
    },
    /// The ledger holds a charge that no account covers.
    #[error(transparent)]
    Unaccountable(#[from] crate::account::Unaccountable),
    /// The listen address cannot be read.
    #[error("server.listen: '{0}' is not an address such as 0.0.0.0:7443")]
    Listen(String),
}

impl ServerError {
    pub(crate) fn spool(state: &Path, source: std::io::Error) -> Self {
        Self::Spool {
            path: state.join(crate::spool::FOLDER),
            source,
        }
    }
}

/// One completed round.
#[derive(Debug, Clone)]
pub struct RoundReport {
    /// Round number.
    pub round: u32,
    /// Id of the attempt that succeeded.
    pub round_id: [u8; 32],
    /// Members in the roster.
    pub cohort: u16,
    /// Survivors in the sum.
    pub survivors: u16,
    /// Their names.
    pub survivor_names: Vec<String>,
    /// Those of them whose surplus noise was taken off, and the variance of what is left, in 2^-16 grid steps squared.
    pub noise: (usize, u128),
    /// Accuracy (or R squared) of the new model on held-out data.
    pub accuracy: Option<f64>,
    /// Loss on held-out data.
    pub loss: Option<f64>,
    /// Noisy figures of the survivors, as the ledger has them, and the clip norm of their updates.
    pub figures: (NoisyFigures, Decimal),
    /// Epsilon so far against the server with its colluders.
    pub epsilon_server: Option<Decimal>,
    /// Epsilon so far against everybody else.
    pub epsilon_public: Option<Decimal>,
    /// Wall time.
    pub seconds: f64,
    /// Wall time by phase.
    pub phases: Vec<(&'static str, f64)>,
    /// Most bytes that one client's upload took on the wire, framing included.
    pub upload_bytes: u64,
    /// Digest of the new model, hex.
    pub model_digest: String,
}

/// What happens while the server runs.
pub enum ServerEvent<'a> {
    /// The port is open.
    Listening(SocketAddr),
    /// A round started.
    RoundStarted {
        /// Round number.
        round: u32,
        /// Members invited.
        cohort: usize,
    },
    /// A round was completed. The sum is what the protocol released: public.
    RoundDone {
        /// Figures.
        report: &'a RoundReport,
        /// The unmasked ring sum.
        sum: &'a RingVector,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Round number.
        round: u32,
        /// Why.
        reason: &'a str,
    },
}

/// Sees events; must return at once.
pub type Observer = Arc<dyn Fn(ServerEvent<'_>) + Send + Sync>;

/// What the server is, besides its configuration.
pub struct ServerSetup {
    /// Own key, which also signs manifests, own certificate and the latest deny list: they may change while the server
    /// runs.
    pub standing: watch::Receiver<Standing>,
    /// The ledger's own key.
    pub ledger_key: SigningKey,
    /// Sees events.
    pub observer: Option<Observer>,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEnd {
    /// All rounds are completed.
    Completed,
    /// The process was asked to stop; the task goes on at the next start.
    Stopped,
}

/// A running server.
pub struct Server {
    pub(crate) config: ServerConfig,
    pub(crate) checked: Checked,
    pub(crate) key: SigningKey,
    pub(crate) desk: LedgerDesk,
    pub(crate) state: ServerState,
    pub(crate) account: Account,
    pub(crate) clips: Clips,
    pub(crate) floor: Floor,
    endpoint: Arc<ServerEndpoint>,
    /// What the authority says now.
    pub(crate) standing: watch::Receiver<Standing>,
    /// The certificate in use.
    fingerprint: [u8; 32],
    evaluation: Option<Dataset>,
    observer: Option<Observer>,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// Opens database, ledger and port. `path` is the configuration file, for errors.
    ///
    /// # Errors
    /// [`ServerError`], one variant per cause.
    pub fn open(
        config: ServerConfig,
        path: &Path,
        setup: ServerSetup,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, ServerError> {
        let checked = config.check(path)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(
            config.server.state.join("server.sqlite"),
            tacita_store::Sharing::Exclusive,
        )?);
        let state = ServerState::new(store, &config.server.state)?;
        // Nobody else holds the database: what lies in the spool is a crash's.
        let stash = FileStash::open(&config.server.state);
        drop(stash.map_err(|source| ServerError::spool(&config.server.state, source))?);
        let last = state.head()?;
        let mut desk = LedgerDesk::open(
            &config.server.ledger,
            &config.server.origin,
            setup.ledger_key,
            last.as_ref(),
        )?;
        let budget = match (config.privacy.epsilon, config.privacy.delta) {
            (Some(epsilon), Some(delta)) => Some(Budget { epsilon, delta }),
            _ => None,
        };
        let mut account = Account::new(budget).map_err(ServerError::Budget)?;
        let verified = tacita_ledger::verify(desk.directory(), Some(desk.verifier()))?;
        account.replay(&config.task.name, &verified.entries)?;
        let clips = Clips::replay(
            &config.task.name,
            checked.beside.rule().copied(),
            &verified.entries,
        )?;
        restart::release_orphans(&mut desk, &verified.entries)?;
        let name = &config.task.name;
        let task = restart::progress(name, state.task(name)?, &verified.entries);
        state.remember(desk.head()?, task.as_ref().map(|task| (name.as_str(), task)))?;
        let evaluation = evaluation::evaluation_data(&config, &checked)?;

        let listen: SocketAddr = config
            .server
            .listen
            .parse()
            .map_err(|_| ServerError::Listen(config.server.listen.clone()))?;
        let standing = setup.standing.borrow().clone();
        let watched = setup.standing.clone();
        let admission = Admission::members().screened_by(move |certificate| {
            if watched.borrow().deny.is_revoked(certificate) {
                Err(CertificateError::Revoked)
            } else {
                Ok(())
            }
        });
        let endpoint = Arc::new(ServerEndpoint::bind(
            listen,
            standing.identity,
            admission,
            config.limits(),
        )?);
        let (events, happened) = mpsc::channel(EVENT_QUEUE);
        let (turns, due) = mpsc::channel(EVENT_QUEUE);
        let gate = Gate::new(config.server.uploads_in_flight);
        tokio::spawn(lobby::accept(endpoint.clone(), Ways { events, turns }, gate));
        let server = Self {
            config,
            checked,
            key: standing.key.signing_key().clone(),
            desk,
            state,
            account,
            clips,
            floor: Floor::new(happened, due, stop.clone()),
            endpoint,
            standing: setup.standing,
            fingerprint: standing.certificate.fingerprint,
            evaluation,
            observer: setup.observer,
            stop,
        };
        server.tell_observer(ServerEvent::Listening(server.endpoint.local_addr()?));
        Ok(server)
    }

    /// The address listened on.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> Result<SocketAddr, ServerError> {
        Ok(self.endpoint.local_addr()?)
    }

    /// What the configuration means.
    #[must_use]
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// Runs the task to its end, or until asked to stop; a round in progress is finished first.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn run(&mut self) -> Result<TaskEnd, ServerError> {
        let end = self.rounds().await;
        match end {
            Ok(TaskEnd::Completed) => {
                let word = b"completed".to_vec();
                self.floor
                    .lobby
                    .bid_farewell(ServerMessage::Finished(word.into()));
                self.floor.settle(OWED).await;
                if self.floor.lobby.len() < usize::from(self.config.cohort.clients) {
                    // Members that lost their connection in the last round and are on their way back.
                    self.floor.gather(usize::MAX, LATECOMERS).await;
                }
                // Let clients read it before the connections close.
                self.floor.drain(DRAINED).await;
            }
            // Members stay for the next start; the outcome of the last round may still be on its way to them.
            Ok(TaskEnd::Stopped) => self.floor.drain(DELIVERED).await,
            Err(_) => {}
        }
        self.endpoint.close(CLOSE_DONE, "the server is closing");
        let _ = tokio::time::timeout(Duration::from_secs(2), self.endpoint.wait_idle()).await;
        end
    }

    async fn rounds(&mut self) -> Result<TaskEnd, ServerError> {
        let name = self.config.task.name.clone();
        let (mut task, mut model) = match self.state.task(&name)? {
            Some(task) => {
                let model = self.state.load_model(&task.model)?;
                (task, model)
            }
            None => {
                let model = GlobalModel::initial(self.checked.instructions.model, self.config.training.seed)?;
                let digest = self.state.save_model(&model)?;
                (
                    TaskState {
                        completed: 0,
                        model: digest,
                    },
                    model,
                )
            }
        };
        while task.completed < self.config.task.rounds {
            let round = task.completed.saturating_add(1);
            let mut attempts = 0;
            let (report, next) = loop {
                self.take_over_certificate().await;
                self.wait_for_cohort(attempts > 0).await?;
                if *self.stop.borrow() {
                    return Ok(TaskEnd::Stopped);
                }
                attempts += 1;
                match self.attempt(round, &model).await {
                    Ok(done) => break done,
                    Err(Failed::Server(error)) => return Err(error),
                    Err(Failed::Attempt(reason)) => {
                        tracing::warn!(round, attempts, %reason, "attempt failed");
                        self.tell_observer(ServerEvent::AttemptFailed {
                            round,
                            reason: &reason,
                        });
                        if attempts >= self.config.task.attempts {
                            return Err(ServerError::RoundFailed {
                                round,
                                attempts,
                                reason,
                            });
                        }
                    }
                }
            };
            model = next;
            task = TaskState {
                completed: round,
                model: report.model_digest,
            };
            self.state.remember(self.desk.head()?, Some((&name, &task)))?;
        }
        Ok(TaskEnd::Completed)
    }

    /// Between rounds: a renewed certificate is shown, and its key signs, from now on. Members know the server of their
    /// connection by the old one, so they are asked to come back.
    async fn take_over_certificate(&mut self) {
        let standing = self.standing.borrow().clone();
        if standing.certificate.fingerprint == self.fingerprint {
            return;
        }
        self.fingerprint = standing.certificate.fingerprint;
        self.key = standing.key.signing_key().clone();
        self.endpoint.set_identity(standing.identity);
        // What was said last must not be lost with the connections.
        self.floor.drain(DELIVERED).await;
        self.floor.lobby.send_away("the server's certificate was renewed");
        tracing::info!("shows a renewed certificate");
    }

    async fn wait_for_cohort(&mut self, retry: bool) -> Result<(), ServerError> {
        let cohort = &self.config.cohort;
        let seconds = cohort.wait_seconds;
        if retry {
            // Clients that left come back after a pause of their own.
            self.floor.gather(usize::MAX, Duration::from_millis(500)).await;
        }
        self.floor
            .gather(
                usize::from(cohort.clients),
                Duration::from_secs(u64::from(seconds)),
            )
            .await;
        let smallest = match self.checked.parameters.graph {
            tacita_protocol::graph::GraphKind::Complete => u32::from(cohort.minimum_survivors),
            tacita_protocol::graph::GraphKind::Ring => {
                u32::from(cohort.minimum_survivors).max(self.checked.parameters.neighbours + 1)
            }
        };
        let (have, need) = (self.floor.lobby.ready().count(), smallest as usize);
        if have < need && !*self.stop.borrow() {
            return Err(ServerError::CohortTooSmall { have, need, seconds });
        }
        Ok(())
    }

    /// Appends to the ledger and remembers the head in the database.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<u64, ServerError> {
        let index = self.desk.append(entry)?;
        self.clips.appended(index, entry)?;
        self.state.remember(self.desk.head()?, None)?;
        Ok(index)
    }

    /// Now, but never before the last entry (F27).
    pub(crate) fn ledger_time(&self) -> u64 {
        crate::now().max(self.desk.log().rules().last_time())
    }

    pub(crate) fn evaluate(&self, model: &GlobalModel) -> Result<Option<Evaluation>, ServerError> {
        let Some(data) = &self.evaluation else {
            return Ok(None);
        };
        let scored = tokio::task::block_in_place(|| tacita_learn::evaluate(model, data));
        scored.map(Some).map_err(|e| ServerError::Data(e.to_string()))
    }

    pub(crate) fn tell_observer(&self, event: ServerEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}

/// Where a server keeps a file of its state.
#[must_use]
pub fn state_file(config: &ServerConfig, name: &str) -> PathBuf {
    config.server.state.join(name)
}
