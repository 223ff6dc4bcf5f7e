//! A machine's standing while it runs: the certificate that it shows and the deny list that it goes by. A [`Keeper`]
//! visits the authority again and again, takes over newer deny lists, and renews the certificate between one half and
//! two thirds of its life (spec 07 section 5), for a key made here.
//!
//! The new key is durable before the authority is asked, so that an answer lost to a crash is asked for again with
//! the same key; the enrolment file is replaced before the old key is, and a start in between finishes the exchange.

use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;
use tacita_identity::{DenyError, DenyList, PrivateKey, VerifiedCertificate, renewal_time};
use thiserror::Error;
use tokio::sync::watch;

use crate::client::ClientEndpoint;
use crate::enrol::{EnrolError, fetch_deny_list, renew};
use crate::local::LocalIdentity;
use crate::machine::{Machine, MachineError, MachineIdentity};

/// What a running machine shows and goes by at this moment.
#[derive(Clone)]
pub struct Standing {
    /// Private key, which also signs protocol messages.
    pub key: Arc<PrivateKey>,
    /// Own certificate.
    pub certificate: Arc<VerifiedCertificate>,
    /// For the endpoints.
    pub identity: LocalIdentity,
    /// The latest deny list.
    pub deny: Arc<DenyList>,
}

/// What a visit to the authority changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visit {
    /// A newer deny list was taken over.
    pub denied: bool,
    /// The certificate was renewed.
    pub renewed: bool,
}

/// Why a visit came to nothing. What was known before still stands.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// The authority cannot be reached, or said no.
    #[error(transparent)]
    Authority(#[from] EnrolError),
    /// The authority showed an older deny list than before.
    #[error("the authority's deny list: {0}")]
    Deny(#[from] DenyError),
    /// The machine's own files.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// Keeps one machine in standing.
pub struct Keeper {
    machine: Machine,
    authority: String,
    endpoint: ClientEndpoint,
    /// Which moment between half and two thirds of the life is its own.
    jitter: u16,
    standing: watch::Sender<Standing>,
}

impl Keeper {
    /// A keeper of `me`, loaded from `machine`; whoever needs the standing watches the receiver.
    #[must_use]
    pub fn new(
        machine: Machine,
        me: &MachineIdentity,
        endpoint: ClientEndpoint,
    ) -> (Self, watch::Receiver<Standing>) {
        let (standing, watched) = watch::channel(me.standing.clone());
        let keeper = Self {
            machine,
            authority: me.authority.clone(),
            endpoint,
            jitter: fraction(),
            standing,
        };
        (keeper, watched)
    }

    /// One visit at `now` (unix seconds): the deny list, and a renewal if it is due.
    ///
    /// # Errors
    /// [`KeeperError`]; the standing is what it was, or has the newer deny list.
    pub async fn visit(&mut self, now: u64, rng: &mut impl CryptoRng) -> Result<Visit, KeeperError> {
        let mut visit = Visit::default();
        let now_standing = self.standing.borrow().clone();
        let anchor = now_standing.identity.anchor().clone();
        let newest = fetch_deny_list(&self.endpoint, &self.authority, &anchor).await?;
        if self.take_over(newest)? {
            visit.denied = true;
        }
        if now >= renewal_time(&now_standing.certificate, self.jitter) {
            self.renew(&now_standing, now, rng).await?;
            visit.renewed = true;
        }
        Ok(visit)
    }

    /// Whether `newest` says more than what is known; an older list is refused.
    fn take_over(&self, newest: DenyList) -> Result<bool, KeeperError> {
        let known = self.standing.borrow().deny.clone();
        let next = known.succeeded_by(newest)?;
        if next.as_bytes() == known.as_bytes() {
            return Ok(false);
        }
        self.machine.keep_deny_list(&next)?;
        // The same entries signed anew are no news to anybody who watches.
        let news = next.content().names != known.content().names
            || next.content().certificates != known.content().certificates;
        let next = Arc::new(next);
        self.standing.send_if_modified(|standing| {
            standing.deny = next;
            news
        });
        Ok(news)
    }

    async fn renew(&self, old: &Standing, now: u64, rng: &mut impl CryptoRng) -> Result<(), KeeperError> {
        let key = self.machine.next_key(rng)?;
        let renewed = renew(
            &self.endpoint,
            &self.authority,
            &old.identity,
            &old.certificate,
            &key,
        )
        .await?;
        self.machine.succeed(&renewed, &self.authority)?;
        let me = self.machine.load(old.certificate.role, now)?;
        self.take_over(renewed.deny_list)?;
        self.standing.send_modify(|standing| {
            let deny = standing.deny.clone();
            *standing = Standing { deny, ..me.standing };
        });
        Ok(())
    }

    /// Visits the authority every `period`, give or take a quarter, until nobody watches the standing any more. A visit
    /// that fails is told to the log, once for each reason, and made again.
    pub async fn run(mut self, period: Duration, mut rng: impl CryptoRng) {
        let mut said = String::new();
        loop {
            let pause = period.mul_f64(0.75 + 0.5 * f64::from(fraction()) / 65_536.0);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.standing.closed() => return,
            }
            let now = rustls_pki_types::UnixTime::now().as_secs();
            match self.visit(now, &mut rng).await {
                Ok(visit) => {
                    said.clear();
                    if visit.denied {
                        tracing::info!("a newer deny list was taken over");
                    }
                    if visit.renewed {
                        let ends = self.standing.borrow().certificate.not_after;
                        tracing::info!(
                            hours = ends.saturating_sub(now) / 3600,
                            "the certificate was renewed"
                        );
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != said {
                        tracing::warn!(%error, "a visit to the authority failed; what is known stands");
                        said = text;
                    }
                }
            }
        }
    }
}

/// A random fraction of 65,536; without randomness nobody spreads out, which costs nothing but a crowd.
fn fraction() -> u16 {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}
