//! Enrolment as a machine sees it: redeem an invitation with the key made here, load what was kept, ask for the current
//! deny list. Servers enrol in the same way.

use std::net::SocketAddr;

use tacita_identity::{Invitation, Role, renewal_time};
use tacita_transport::{
    ClientEndpoint, EnrolError, Enrolled, Limits, Machine, MachineError, MachineIdentity, TransportError,
};

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

/// Loads the machine's identity with the authority's current deny list, or the last one known if the authority cannot
/// be reached.
///
/// # Errors
/// [`EnrolmentError`]; a deny list that goes back is refused.
pub async fn refreshed(machine: &Machine, role: Role) -> Result<MachineIdentity, EnrolmentError> {
    let mut me = machine.load(role, crate::now())?;
    let endpoint = endpoint()?;
    match tacita_transport::fetch_deny_list(&endpoint, &me.authority, &me.anchor).await {
        Ok(list) => me.deny = me.deny.succeeded_by(list)?,
        Err(error) => tracing::warn!(%error, "the authority gave no deny list; the last one known is used"),
    }
    if crate::now() >= renewal_time(&me.certificate, 0) {
        tracing::warn!(
            "the certificate is past half of its life: ask the operator for an invitation and enrol again"
        );
    }
    Ok(me)
}
