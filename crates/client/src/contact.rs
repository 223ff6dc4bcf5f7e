//! First contact: whether the server that the configuration names is there and lets us in, before anything waits for it.

use std::time::{Duration, Instant};

use tacita_transport::{Backoff, CLOSE_DONE, TransportError};

use crate::session::ClientSetup;

/// Connects once and leaves again. A participant that was in waits for its server as long as it takes; one that never was
/// should rather hear that its address is wrong.
///
/// # Errors
/// [`TransportError`] at once where trying again does not help, and otherwise after `patience`.
pub async fn first_contact(setup: &ClientSetup, patience: Duration) -> Result<(), TransportError> {
    let started = Instant::now();
    let mut backoff = Backoff::default();
    let identity = setup.standing.borrow().identity.clone();
    loop {
        let connected = setup
            .endpoint
            .connect(setup.server, &identity, Some(&setup.server_name))
            .await;
        match connected {
            Ok(connection) => {
                connection.close(CLOSE_DONE, "only looking");
                return Ok(());
            }
            Err(error) if error.is_passing() && started.elapsed() < patience => {
                tracing::warn!(server = %setup.server, %error, "trying again");
                tokio::time::sleep(backoff.pause()).await;
            }
            Err(error) => return Err(error),
        }
    }
}
