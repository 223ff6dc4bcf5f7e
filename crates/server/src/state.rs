//! What the server keeps in its database: where the task stands, and the last ledger head that was signed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tacita_learn::GlobalModel;
use tacita_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use tacita_store::{Batch, Store, StoreError};

const TASK: &str = "server/task";
const HEAD: &str = "server/head";
const COSIGNATURES: &str = "server/cosignatures";

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored value is damaged.
    #[error("the server's database holds a damaged {0}; restore the state directory from a backup")]
    Damaged(&'static str),
    /// A model file failed.
    #[error("{path}: {message}")]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskState {
    /// Rounds completed.
    pub completed: u32,
    /// Digest of the global model, hex.
    pub model: String,
}

/// The database and the model files.
pub struct ServerState {
    store: Arc<dyn Store>,
    models: PathBuf,
}

impl ServerState {
    /// Models lie in `dir/models`, by digest.
    ///
    /// # Errors
    /// [`StateError::Model`] if the folder cannot be made.
    pub fn new(store: Arc<dyn Store>, dir: &Path) -> Result<Self, StateError> {
        let models = dir.join("models");
        std::fs::create_dir_all(&models).map_err(|e| StateError::Model {
            path: models.clone(),
            message: e.to_string(),
        })?;
        Ok(Self { store, models })
    }

    /// Where a task stands, if it was started.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn task(&self, name: &str) -> Result<Option<TaskState>, StateError> {
        match self.store.get(TASK, name.as_bytes())? {
            None => Ok(None),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| StateError::Damaged("task state")),
        }
    }

    /// The last head signed.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn head(&self) -> Result<Option<Checkpoint>, StateError> {
        match self.store.get(HEAD, b"")? {
            None => Ok(None),
            Some(bytes) => SignedCheckpoint::parse_unverified(&bytes)
                .map(|signed| Some(signed.checkpoint().clone()))
                .map_err(|_| StateError::Damaged("ledger head")),
        }
    }

    /// Remembers a head, and the task's state with it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn remember(
        &self,
        head: &SignedCheckpoint,
        task: Option<(&str, &TaskState)>,
    ) -> Result<(), StateError> {
        let mut batch = Batch::new();
        batch.put(HEAD, Vec::new(), head.to_bytes());
        if let Some((name, state)) = task {
            let json = serde_json::to_vec(state).map_err(|_| StateError::Damaged("task state"))?;
            batch.put(TASK, name.as_bytes().to_vec(), json);
        }
        Ok(self.store.commit(batch)?)
    }

    /// Keeps the members' cosignatures of the checkpoint that holds a round's charge.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn keep_cosignatures(&self, round_id: &[u8; 32], note: Vec<u8>) -> Result<(), StateError> {
        let mut batch = Batch::new();
        batch.put(COSIGNATURES, round_id.to_vec(), note);
        Ok(self.store.commit(batch)?)
    }

    /// Writes a model by its digest; durable when this returns.
    ///
    /// # Errors
    /// [`StateError::Model`].
    pub fn save_model(&self, model: &GlobalModel) -> Result<String, StateError> {
        let error = |path: &Path, message: String| StateError::Model {
            path: path.to_owned(),
            message,
        };
        let digest = model.digest().map_err(|e| error(&self.models, e.to_string()))?;
        let name = hex::encode(digest);
        let path = self.model_path(&name);
        let bytes = model.to_bytes().map_err(|e| error(&path, e.to_string()))?;
        let staging = path.with_extension("part");
        let write = || -> std::io::Result<()> {
            use std::io::Write as _;
            let mut file = std::fs::File::create(&staging)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&staging, &path)?;
            std::fs::File::open(&self.models)?.sync_all()
        };
        write().map_err(|e| error(&path, e.to_string()))?;
        Ok(name)
    }

    /// Reads a model and checks it against its digest.
    ///
    /// # Errors
    /// [`StateError::Model`].
    pub fn load_model(&self, digest: &str) -> Result<GlobalModel, StateError> {
        let path = self.model_path(digest);
        let error = |message: String| StateError::Model {
            path: path.clone(),
            message,
        };
        let bytes = std::fs::read(&path).map_err(|e| error(e.to_string()))?;
        let model = GlobalModel::from_bytes(&bytes).map_err(|e| error(e.to_string()))?;
        let found = hex::encode(model.digest().map_err(|e| error(e.to_string()))?);
        if found == digest {
            Ok(model)
        } else {
            Err(error("the file does not have the digest in its name".into()))
        }
    }

    /// Where a model lies.
    #[must_use]
    pub fn model_path(&self, digest: &str) -> PathBuf {
        self.models.join(format!("{digest}.safetensors"))
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}
