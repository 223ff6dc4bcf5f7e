//! Joining: connect, say hello, play every round that the server invites to, come back after interruptions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tacita_identity::{Name, TrustAnchor, VerifiedCertificate};
use tacita_learn::{Dataset, Federation, Trainer};
use tacita_ledger::note::VerifierKey;
use tacita_privacy::NoisedUpdate;
use tacita_protocol::certificates::CertificateCache;
use tacita_protocol::client::{ClientRecord as _, Mark, Participant};
use tacita_protocol::consent::ConsentPolicy;
use tacita_protocol::messages::{AbortMessage, ClientMessage, Hello, ServerMessage};
use tacita_store::Store;
use tacita_transport::{ClientEndpoint, Standing};
use tokio::sync::watch;

use crate::config::{Caps, ConfigError, Data, DataSource};
use crate::link::{Address, Link, LinkError};
use crate::record::{Certificates, RecordError, StoreRecord};
use crate::round::{ClientError, RoundEnd};

/// A point of the round after which a client can be made to vanish, for demonstrations and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// After its advertisement is out.
    AfterAdvertise,
    /// After its boxes are out.
    AfterShare,
    /// After its upload is out.
    AfterUpload,
    /// After its signature is out: alive at Agree, silent at Reveal.
    AfterSign,
}

/// When a client of a demonstration vanishes: by name and round.
pub type VanishPlan = Arc<dyn Fn(&str, u32) -> Option<Moment> + Send + Sync>;
/// Sees a client's noised vector before it is masked: name, round id, update. Exists so that a test harness can compare
/// the server's sum with plain addition; no configuration file can set it.
pub type Probe = Arc<dyn Fn(&str, &[u8; 32], &NoisedUpdate) + Send + Sync>;
/// What a member sends in place of what it would have trained, by name and round, in model units; `None`: it trains. Exists so that an
/// audit can put canaries into real rounds; no configuration file can set it.
pub type Canary = Arc<dyn Fn(&str, u32) -> Option<Vec<f32>> + Send + Sync>;

/// Hooks of a harness that runs clients in its own process.
#[derive(Clone, Default)]
pub struct Hooks {
    /// When to vanish.
    pub vanish: Option<VanishPlan>,
    /// Who looks at noised vectors.
    pub probe: Option<Probe>,
    /// Who sends canaries.
    pub canary: Option<Canary>,
}

/// Everything a client needs.
pub struct ClientSetup {
    /// Own key and certificate and the latest deny list, which may change while the client runs.
    pub standing: watch::Receiver<Standing>,
    /// The authority's root.
    pub anchor: Arc<TrustAnchor>,
    /// The pinned ledger key.
    pub log_key: VerifierKey,
    /// The server's address.
    pub server: SocketAddr,
    /// The server's name.
    pub server_name: Name,
    /// What this participant consents to.
    pub policy: ConsentPolicy,
    /// Its budget caps.
    pub caps: Option<Caps>,
    /// Where evidence against a server is put, as files.
    pub evidence: PathBuf,
    /// Its durable record's store.
    pub store: Arc<dyn Store>,
    /// Its training data.
    pub data: Arc<Dataset>,
    /// What it scores models on where a round has metrics; `None`: its training data.
    pub held_out: Option<Arc<Dataset>>,
    /// The process's UDP socket.
    pub endpoint: ClientEndpoint,
    /// The process's cache of certificates.
    pub cache: Arc<CertificateCache>,
    /// Harness hooks.
    pub hooks: Hooks,
}

/// Why a client cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The durable record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The training data cannot be used.
    #[error("{0}")]
    Data(String),
}

/// How joining ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEnd {
    /// The server said that the task is finished.
    Finished,
    /// The process was asked to stop.
    Stopped,
}

/// Tells clients to stop after the round they are in.
#[derive(Clone)]
pub struct Stopper(watch::Receiver<bool>);

impl Stopper {
    /// From the receiving end of a channel that turns true once.
    #[must_use]
    pub fn new(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn wait(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// One participant.
pub struct Client {
    pub(crate) name: String,
    pub(crate) record: StoreRecord,
    pub(crate) data: Arc<Dataset>,
    pub(crate) held_out: Option<Arc<Dataset>>,
    pub(crate) trainer: Arc<Mutex<Option<Arc<Trainer>>>>,
    pub(crate) hooks: Hooks,
    pub(crate) evidence: PathBuf,
    own: Own,
    pub(crate) address: Arc<Address>,
    /// Of this client and of the server that answered, as [`Participant`] has them.
    pub(crate) certificates: Certificates,
}

/// What makes a [`Participant`] once it is known which server answers.
struct Own {
    standing: watch::Receiver<Standing>,
    anchor: Arc<TrustAnchor>,
    log_key: VerifierKey,
    policy: ConsentPolicy,
    cache: Arc<CertificateCache>,
}

impl Client {
    /// Opens the durable record.
    ///
    /// # Errors
    /// [`SetupError::Record`], evidence of a fork included.
    pub fn open(setup: ClientSetup) -> Result<Self, SetupError> {
        let name = setup.standing.borrow().certificate.name.to_string();
        let record = StoreRecord::open(setup.store, &name, setup.caps)?;
        Ok(Self {
            name,
            record,
            data: setup.data,
            held_out: setup.held_out,
            trainer: Arc::default(),
            hooks: setup.hooks,
            evidence: setup.evidence,
            own: Own {
                standing: setup.standing,
                anchor: setup.anchor,
                log_key: setup.log_key,
                policy: setup.policy,
                cache: setup.cache,
            },
            address: Arc::new(Address {
                endpoint: setup.endpoint,
                server: setup.server,
                server_name: setup.server_name,
            }),
            certificates: Certificates::default(),
        })
    }

    /// Takes part until the task is finished or `stop` is set. A lost connection is made again inside the round; after a
    /// refusal or an abort the client comes back for the next; it gives up on errors that coming back does not mend.
    ///
    /// # Errors
    /// [`ClientError`]: the transport refused us, the ledger forked, or the durable record failed.
    pub async fn join(&mut self, mut stop: Stopper) -> Result<JoinEnd, ClientError> {
        let identity = self.own.standing.borrow().identity.clone();
        let mut link = Link::new(self.address.clone(), identity, stop.clone());
        loop {
            // A renewed certificate is taken on between rounds.
            let standing = self.own.standing.borrow().clone();
            link.take_on(standing.identity.clone());
            let Some(server) = link.connect().await? else {
                return Ok(JoinEnd::Stopped);
            };
            self.certificates = link.certificates();
            match self.serve(&mut link, server, &standing, &mut stop).await {
                Ok(Some(end)) => {
                    self.record.flush_head().await?;
                    if end == JoinEnd::Stopped {
                        // An invitation may be on its way: nobody shall wait for an answer to it.
                        let reason = b"stopped by its participant".to_vec().into();
                        let _ = link.send(&ClientMessage::Leave(AbortMessage { reason })).await;
                    }
                    link.finish("done").await;
                    return Ok(end);
                }
                Ok(None) => {
                    link.close("vanished");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) if comes_back(&error) => {
                    // Why it left, if it was said, shall arrive.
                    link.finish("left").await;
                    tracing::warn!(client = %self.name, %error, "left the round; coming back for the next");
                    tokio::time::sleep(link.pause()).await;
                }
                Err(error) => {
                    // The server shall hear of it now, not when it has waited long enough.
                    link.finish("left").await;
                    return Err(error);
                }
            }
        }
    }

    /// Rounds, on one connection unless it is lost in the middle of one. `None`: come back on a new one.
    async fn serve(
        &mut self,
        link: &mut Link,
        server: Arc<VerifiedCertificate>,
        standing: &Standing,
        stop: &mut Stopper,
    ) -> Result<Option<JoinEnd>, ClientError> {
        let mut participant = Arc::new(self.participant(server.clone(), standing));
        self.hello(link).await?;
        loop {
            let latest = self.own.standing.borrow().clone();
            if latest.certificate.fingerprint != standing.certificate.fingerprint {
                // Renewed: the server knows this connection by the old certificate.
                return Ok(None);
            }
            if !Arc::ptr_eq(&latest.deny, &participant.deny) {
                participant = Arc::new(self.participant(server.clone(), &latest));
            }
            if stop.is_set() {
                return Ok(Some(JoinEnd::Stopped));
            }
            let message = tokio::select! {
                message = link.next(&participant) => message?,
                () = stop.wait() => return Ok(Some(JoinEnd::Stopped)),
            };
            let mark = Mark::of(&message).map_err(LinkError::from)?;
            match message {
                ServerMessage::Invitation(invitation) => {
                    match self.play(link, &participant, mark, *invitation).await? {
                        RoundEnd::Done => {}
                        RoundEnd::Aborted(reason) => {
                            tracing::warn!(client = %self.name, %reason, "the server aborted the round");
                        }
                        RoundEnd::Vanished(_) => return Ok(None),
                    }
                    self.hello(link).await?;
                }
                ServerMessage::Finished(_) => return Ok(Some(JoinEnd::Finished)),
                // What is left of a round that this client already left.
                _ => {}
            }
        }
    }

    /// Says that this client is done with its last round, and which ledger head the next invitation must extend.
    async fn hello(&self, link: &mut Link) -> Result<(), LinkError> {
        let ledger_size = self.record.head().map_or(0, |head| head.size);
        link.send(&ClientMessage::Hello(Hello::fresh(ledger_size))).await
    }

    fn participant(&self, server: Arc<VerifiedCertificate>, standing: &Standing) -> Participant {
        let own = &self.own;
        Participant {
            certificate: standing.certificate.clone(),
            key: standing.key.signing_key().clone(),
            anchor: own.anchor.clone(),
            deny: standing.deny.clone(),
            log_key: own.log_key.clone(),
            server,
            policy: own.policy.clone(),
            cache: own.cache.clone(),
        }
    }
}

/// Deals of embedded data made in this process.
static DEALS: LazyLock<Mutex<HashMap<String, Arc<Vec<Dataset>>>>> = LazyLock::new(Mutex::default);

/// Whether another round may go better.
fn comes_back(error: &ClientError) -> bool {
    use tacita_protocol::Refusal;
    match error {
        ClientError::Link(error @ LinkError::Transport(_)) => error.is_passing(),
        ClientError::Link(_) | ClientError::Round(_) | ClientError::Deadline | ClientError::Worker => true,
        // What this participant's own policy, budget or data forbid will be forbidden again.
        ClientError::Refused(
            Refusal::LedgerFork | Refusal::Consent(_) | Refusal::Budget(_) | Refusal::Version(_),
        )
        | ClientError::Record(_)
        | ClientError::Evidence { .. }
        | ClientError::Training(_) => false,
        ClientError::Refused(_) => true,
    }
}

/// Reads the data that a configuration names: what to train on, and, if it says so, a fifth held out to score models on.
///
/// # Errors
/// [`SetupError::Data`], naming file, line and column for a CSV.
pub fn load_parts(data: &Data) -> Result<(Arc<Dataset>, Option<Arc<Dataset>>), SetupError> {
    let whole = load_data(data)?;
    if !data.hold_out {
        return Ok((Arc::new(whole), None));
    }
    let parts = whole.hold_out_fifth();
    let parts = parts.map_err(|e| SetupError::Data(format!("data.hold_out: {e}")))?;
    Ok((Arc::new(parts.train), Some(Arc::new(parts.held_out))))
}

fn load_data(data: &Data) -> Result<Dataset, SetupError> {
    let error = |e: &dyn std::fmt::Display| SetupError::Data(e.to_string());
    let source = data
        .source()
        .map_err(|(key, message)| SetupError::Data(format!("{key}: {message}")))?;
    match source {
        DataSource::Csv(path, options) => Ok(tacita_learn::csv::read(&path, &options)
            .map_err(|e| error(&e))?
            .data),
        DataSource::Embedded {
            dataset,
            part,
            parts,
            split,
            seed,
        } => {
            // Hundreds of clients of one process take parts of the same deal: it is made once.
            let key = format!("{dataset:?} {parts} {split:?} {seed}");
            let mut deals = DEALS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let members = match deals.get(&key) {
                Some(members) => members.clone(),
                None => {
                    let made = Federation::embedded(dataset, parts, split, seed).map_err(|e| error(&e))?;
                    let members: Arc<Vec<Dataset>> =
                        Arc::new(made.members.into_iter().map(|member| member.train).collect());
                    deals.insert(key, members.clone());
                    members
                }
            };
            let chosen = members.get(part).cloned();
            chosen.ok_or_else(|| SetupError::Data(format!("data.part: there are {} parts", members.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: a client trains on what it scores models on, or scores them on nothing, or holds out without being asked.
    #[test]
    fn a_fifth_is_held_out_where_the_file_says_so() {
        let data = |hold_out| Data {
            source: "embedded".to_owned(),
            dataset: Some("digits".to_owned()),
            part: Some(3),
            parts: Some(100),
            hold_out,
            ..Data::default()
        };
        let (whole, none) = load_parts(&data(false)).unwrap();
        assert!(none.is_none() && whole.rows() >= 44);
        let (train, held_out) = load_parts(&data(true)).unwrap();
        let held_out = held_out.unwrap();
        assert_eq!(held_out.rows(), whole.rows() / 5);
        assert_eq!(train.rows() + held_out.rows(), whole.rows());
        let few = Data {
            parts: Some(1500),
            ..data(true)
        };
        assert!(matches!(load_parts(&few), Err(SetupError::Data(text)) if text.contains("hold_out")));
    }
}
