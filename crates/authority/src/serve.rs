//! The QUIC end point: newcomers redeem invitations, members renew, anyone fetches the deny list.
//!
//! A connection may carry a few requests, each on its own stream: one frame in, one frame out. Work on the register
//! happens on a bounded number of blocking threads, so that neither a slow disk nor a crowd holds up the others.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tacita_identity::{DecodeError, DenyList, EnrolMessage, PrivateKey, RefusalCode, VerifiedCertificate};
use tacita_transport::{
    Admission, Connection, FrameReceiver, FrameSender, Limits, LocalIdentity, Pace, ServerEndpoint,
};
use tokio::sync::Semaphore;
use tokio::time::{interval, timeout};
use zeroize::Zeroizing;

use crate::directory::AuthorityDir;
use crate::error::AuthorityError;
use crate::grant::NotGranted;
use crate::host::{self, OsRandom};
use crate::lockout::Lockout;

/// A connection is closed after this many seconds, whatever it is doing.
pub const CONNECTION_SECONDS: u64 = 30;
/// A request has to arrive within this many seconds of the connection or of the request before.
pub const REQUEST_SECONDS: u64 = 10;
/// Requests that one connection may make.
pub const MAX_REQUESTS_PER_CONNECTION: usize = 8;
/// Threads that work on the register at once.
pub const MAX_WORKERS: usize = 8;

/// The register is asked for a newer deny list at most this often, in milliseconds: how long a revocation may take to
/// be handed out.
const DENY_LIST_POLL_MS: u64 = 500;
/// A deny list handed out was signed no longer ago than this, in seconds.
const DENY_LIST_AGE: u64 = 10;
const PRUNE_SECONDS: u64 = 3_600;
const CLOSING_SECONDS: u64 = 2;

/// A listening authority.
pub struct AuthorityServer {
    endpoint: ServerEndpoint,
    desk: Arc<Desk>,
}

/// What every request needs.
struct Desk {
    dir: AuthorityDir,
    lockout: Mutex<Lockout>,
    deny_list: Mutex<Option<(Instant, DenyList)>>,
    workers: Arc<Semaphore>,
    started: Instant,
}

impl AuthorityServer {
    /// Listens on `listen` (UDP). Has to be called on a tokio runtime. Unless the settings name an address for
    /// invitations, the one listened on is noted for them.
    ///
    /// # Errors
    /// [`AuthorityError::Transport`] for the address, or a failure of the register.
    pub fn start(dir: AuthorityDir, listen: SocketAddr, limits: Limits) -> Result<Self, AuthorityError> {
        let mut random = OsRandom::new()?;
        // A key that lives as long as this process: nothing on disk to steal, nothing to renew.
        let key = PrivateKey::generate(&mut random);
        let own = dir
            .authority()
            .issue_own(&key.verifying_key(), host::now()?, &mut random)?;
        let anchor = dir.authority().anchor().clone();
        let identity = LocalIdentity::new(vec![own.der, anchor.der().to_vec()], key.to_pkcs8_der()?, anchor)?;
        let endpoint = ServerEndpoint::bind(listen, identity, Admission::newcomers(), limits)?;
        let address = endpoint.local_addr()?;
        if dir.settings().address.is_none() {
            dir.note_address(&reachable(address).to_string())?;
        }
        let desk = Arc::new(Desk {
            dir,
            lockout: Mutex::default(),
            deny_list: Mutex::default(),
            workers: Arc::new(Semaphore::new(MAX_WORKERS)),
            started: Instant::now(),
        });
        Ok(Self { endpoint, desk })
    }

    /// The address listened on, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> Result<SocketAddr, AuthorityError> {
        Ok(self.endpoint.local_addr()?)
    }

    /// The directory served.
    #[must_use]
    pub fn dir(&self) -> &AuthorityDir {
        &self.desk.dir
    }

    /// Serves until `shutdown` is done, then closes its connections.
    ///
    /// # Errors
    /// [`AuthorityError::Task`] if the end point stops by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), AuthorityError> {
        let mut pruning = interval(Duration::from_secs(PRUNE_SECONDS));
        tokio::pin!(shutdown);
        let outcome = loop {
            tokio::select! {
                () = &mut shutdown => break Ok(()),
                _ = pruning.tick() => {
                    let desk = Arc::clone(&self.desk);
                    tokio::spawn(async move { desk.prune().await });
                }
                arrival = self.endpoint.accept() => match arrival {
                    Some(Ok(connection)) => {
                        let desk = Arc::clone(&self.desk);
                        tokio::spawn(async move { desk.attend(connection).await });
                    }
                    Some(Err(failed)) => tracing::debug!(remote = %failed.remote, error = %failed.error, "handshake"),
                    None => break Err(AuthorityError::Task),
                }
            }
        };
        self.endpoint.close(0, "the authority stops");
        let _ = timeout(Duration::from_secs(CLOSING_SECONDS), self.endpoint.wait_idle()).await;
        outcome
    }
}

/// Opens `dir` and serves it on `listen` until `shutdown` is done.
///
/// # Errors
/// As [`AuthorityDir::open`] and [`AuthorityServer::start`].
pub async fn serve(
    dir: &Path,
    listen: SocketAddr,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AuthorityError> {
    let path = dir.to_path_buf();
    let dir = tokio::task::spawn_blocking(move || AuthorityDir::open(&path))
        .await
        .map_err(|_| AuthorityError::Task)??;
    let server = AuthorityServer::start(dir, listen, limits)?;
    let root = hex::encode(server.dir().fingerprint());
    tracing::info!(address = %server.local_addr()?, root, "the authority listens");
    server.run(shutdown).await
}

/// An address that invitations can name: the unspecified one stands for this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

impl Desk {
    async fn attend(self: Arc<Self>, connection: Connection) {
        let requests = async {
            for _ in 0..MAX_REQUESTS_PER_CONNECTION {
                let wait = timeout(Duration::from_secs(REQUEST_SECONDS), connection.accept()).await;
                let Ok(Ok((sender, receiver))) = wait else { return };
                if Arc::clone(&self)
                    .request(&connection, sender, receiver)
                    .await
                    .is_none()
                {
                    return;
                }
            }
        };
        let _ = timeout(Duration::from_secs(CONNECTION_SECONDS), requests).await;
        connection.close(0, "done");
    }

    /// One request and its answer; `None` when the connection is of no more use.
    async fn request(
        self: Arc<Self>,
        connection: &Connection,
        mut sender: FrameSender,
        mut receiver: FrameReceiver,
    ) -> Option<()> {
        receiver.set_pace(Some(Pace {
            quiet: Some(Duration::from_secs(REQUEST_SECONDS)),
            ..Pace::default()
        }));
        // Wiped when dropped: it may hold an invitation's secret.
        let frame = Zeroizing::new(receiver.recv().await.ok()??);
        let source = connection.remote_address().ip();
        let answer = match EnrolMessage::decode(&frame) {
            Ok(message) => {
                Arc::clone(&self)
                    .answer(message, source, connection.peer().cloned())
                    .await
            }
            Err(DecodeError::Version) => EnrolMessage::Refused(RefusalCode::Version),
            Err(_) => EnrolMessage::Refused(RefusalCode::Malformed),
        };
        if let EnrolMessage::Refused(code) = &answer {
            tracing::debug!(%source, %code, "refused");
        }
        let bytes = answer.encode().ok()?;
        sender.send(&bytes).await.ok()?;
        sender.finish().await.ok()
    }

    async fn answer(
        self: Arc<Self>,
        message: EnrolMessage,
        source: IpAddr,
        peer: Option<VerifiedCertificate>,
    ) -> EnrolMessage {
        let Ok(permit) = Arc::clone(&self.workers).acquire_owned().await else {
            return EnrolMessage::Refused(RefusalCode::Unavailable);
        };
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            self.decide(message, source, peer)
        });
        let outcome = work
            .await
            .unwrap_or(Err(NotGranted::Failed(AuthorityError::Task)));
        outcome.unwrap_or_else(|refusal| match refusal {
            NotGranted::Refused(code) => EnrolMessage::Refused(code),
            NotGranted::Failed(error) => {
                tracing::error!(%error, "a request failed");
                EnrolMessage::Refused(RefusalCode::Unavailable)
            }
        })
    }

    fn decide(
        &self,
        message: EnrolMessage,
        source: IpAddr,
        peer: Option<VerifiedCertificate>,
    ) -> Result<EnrolMessage, NotGranted> {
        let now = host::now()?;
        match message {
            EnrolMessage::Enrol(enrol) => {
                let steady = self.started.elapsed().as_secs();
                if self
                    .lockout
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_locked(source, steady)
                {
                    return Err(RefusalCode::LockedOut.into());
                }
                let outcome = self.dir.enrol(&enrol.secret, &enrol.request, now);
                if let Err(NotGranted::Refused(
                    code @ (RefusalCode::InvitationUnknown | RefusalCode::InvitationSpent),
                )) = &outcome
                {
                    if *code == RefusalCode::InvitationSpent {
                        tracing::warn!(%source, "an invitation was presented again, with another key");
                    }
                    self.lockout
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .count(source, steady);
                }
                outcome.map(EnrolMessage::Certified)
            }
            EnrolMessage::Renew(renew) => {
                let current = peer.ok_or(RefusalCode::CertificateRequired)?;
                self.dir
                    .renew(&current, &renew.request, now)
                    .map(EnrolMessage::Certified)
            }
            EnrolMessage::DenyListRequest => Ok(EnrolMessage::DenyList(self.deny_list(now)?)),
            EnrolMessage::Certified(_) | EnrolMessage::DenyList(_) | EnrolMessage::Refused(_) => {
                Err(RefusalCode::Malformed.into())
            }
        }
    }

    /// The current list, read from the register now and then and signed with a recent time.
    fn deny_list(&self, now: u64) -> Result<Vec<u8>, AuthorityError> {
        let mut kept = self.deny_list.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, list)) = &*kept
            && read.elapsed() < Duration::from_millis(DENY_LIST_POLL_MS)
        {
            return Ok(list.as_bytes().to_vec());
        }
        let mut list = self.dir.fresh_deny_list(now, DENY_LIST_AGE)?;
        if let Some((_, known)) = &*kept
            && known.content().number == list.content().number
            && known.age(now) <= DENY_LIST_AGE
        {
            list = known.clone();
        }
        let bytes = list.as_bytes().to_vec();
        *kept = Some((Instant::now(), list));
        Ok(bytes)
    }

    async fn prune(self: Arc<Self>) {
        let work = tokio::task::spawn_blocking(move || self.dir.register().prune(host::now()?));
        match work.await {
            Ok(Ok(0)) => {}
            Ok(Ok(changes)) => tracing::info!(changes, "forgot what is long over"),
            Ok(Err(error)) => tracing::error!(%error, "the register could not be pruned"),
            Err(_) => tracing::error!("the register could not be pruned"),
        }
    }
}
