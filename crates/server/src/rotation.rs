//! Handing the ledger to another key, while no server runs (spec 06, section 8).

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tacita_ledger::log::LogError;
use tacita_store::{Sharing, SqliteStore, Store};

use crate::config::ServerConfig;
use crate::ledger_desk::{DeskError, LedgerDesk};
use crate::server::ServerError;
use crate::state::ServerState;

/// Appends the rotation from `key` to `next`, publishes a head by `next` and remembers it. Both keys are durable before this
/// is called. Asked again after a crash it finds that `next` is in force already, and does nothing.
///
/// # Errors
/// [`ServerError`]: a server runs, or the ledger does not verify or is not signed by either key.
pub fn rotate_ledger_key(
    config: &ServerConfig,
    key: SigningKey,
    next: SigningKey,
) -> Result<(), ServerError> {
    // Whoever holds the database is the ledger's one writer.
    let path = config.server.state.join("server.sqlite");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path, Sharing::Exclusive)?);
    let state = ServerState::new(store, &config.server.state)?;
    let last = state.head()?;
    let open = |key| LedgerDesk::open(&config.server.ledger, &config.server.origin, key, last.as_ref());
    let desk = match open(key) {
        Ok(mut desk) => {
            let time = crate::now().max(desk.log().rules().last_time());
            desk.rotate(next, time)?;
            desk
        }
        Err(DeskError::Log(LogError::OtherKey { .. })) => open(next)?,
        Err(error) => return Err(error.into()),
    };
    Ok(state.remember(desk.head()?, None)?)
}
