//! Enrolment as a machine sees it: redeem an invitation with the key made here, load what was kept, stay in standing
//! with the authority. Servers enrol in the same way.

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tacita_identity::{Invitation, Role};
use tacita_transport::{
    ClientEndpoint, EnrolError, Enrolled, Keeper, KeeperError, Limits, Machine, MachineError,
    MachineIdentity, Standing, TransportError,
};
use tokio::sync::watch;

/// Why a machine has no identity.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Files of the machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The authority, or its answer.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// No socket.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The authority showed an older deny list than before.
    #[error("the authority's deny list: {0}")]
    Deny(#[from] tacita_identity::DenyError),
}

/// A socket that can reach servers and authorities.
///
/// # Errors
/// [`TransportError`].
pub fn endpoint() -> Result<ClientEndpoint, TransportError> {
    ClientEndpoint::bind(SocketAddr::from(([0, 0, 0, 0], 0)), &Limits::default())
}

/// Redeems an invitation with the machine's own key and keeps what the authority gives.
///
/// # Errors
/// [`EnrolmentError`].
pub async fn enrol(
    endpoint: &ClientEndpoint,
    machine: &Machine,
    invitation: &Invitation,
) -> Result<Enrolled, EnrolmentError> {
    let key = machine.key(&mut crate::random())?;
    let enrolled = tacita_transport::enrol(endpoint, invitation, &key).await?;
    let (machine, kept, address) = (machine.clone(), enrolled.clone(), invitation.address.clone());
    let saved = tokio::task::spawn_blocking(move || machine.save(&kept, &address)).await;
    saved.map_err(|_| TransportError::Protocol {
        reason: "a worker thread failed".into(),
    })??;
    Ok(enrolled)
}

/// Loads the machine's identity, visits the authority for its deny list and a renewal that is due, and does so again
/// every `period` while the standing is watched. If the authority cannot be reached, what is known stands.
///
/// # Errors
/// [`EnrolmentError`]; a deny list that goes back is refused.
pub async fn in_standing(
    machine: &Machine,
    role: Role,
    period: Duration,
) -> Result<(MachineIdentity, watch::Receiver<Standing>), EnrolmentError> {
    let me = machine.load(role, crate::now())?;
    let (mut keeper, standing) = Keeper::new(machine.clone(), &me, endpoint()?);
    match keeper.visit(crate::now(), &mut crate::random()).await {
        Ok(_) => {}
        Err(KeeperError::Deny(error)) => return Err(error.into()),
        Err(error) => tracing::warn!(%error, "the authority gave no deny list; the last one known is used"),
    }
    tokio::spawn(keeper.run(period, StdRng::from_rng(&mut crate::random())));
    Ok((me, standing))
}
