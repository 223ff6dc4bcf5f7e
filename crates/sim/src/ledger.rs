//! The server's ledger: a real C2SP log over files in memory. Cloning one is what a server that forks its log does.

use ed25519_dalek::SigningKey;
use tacita_ledger::tree::{Tree, leaf_hash};
use tacita_ledger::{Checkpoint, Entry, Log, LogError, MemoryFiles, Verified, VerifierKey, VerifyError};
use tacita_protocol::messages::{Proof, ProvenEntry};

use crate::error::SimError;

/// A log, its files and its key.
#[derive(Clone)]
pub struct Ledger {
    log: Log,
    files: MemoryFiles,
    key: SigningKey,
    verifier: VerifierKey,
    entries: Vec<Vec<u8>>,
}

impl Ledger {
    /// An empty, published log.
    ///
    /// # Errors
    /// [`SimError::Log`].
    pub fn create(key: SigningKey, verifier: VerifierKey) -> Result<Self, SimError> {
        let log = Log::create(verifier.name())?;
        let mut ledger = Self {
            log,
            files: MemoryFiles::new(),
            key,
            verifier,
            entries: Vec::new(),
        };
        ledger.publish()?;
        Ok(ledger)
    }

    fn publish(&mut self) -> Result<(), LogError> {
        let changes = self.log.publish(&self.key)?;
        self.files.apply_all(&changes);
        Ok(())
    }

    /// Appends an entry and publishes the new head; gives the entry's index.
    ///
    /// # Errors
    /// [`SimError::Log`] if the ledger's rules refuse the entry, [`SimError::Entry`] if it is malformed.
    pub fn append(&mut self, entry: &Entry) -> Result<u64, SimError> {
        let bytes = entry.encode()?;
        let index = self.log.append(entry)?;
        self.entries.push(bytes);
        self.publish()?;
        Ok(index)
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// The signed head.
    pub fn checkpoint(&self) -> Vec<u8> {
        self.log
            .published()
            .map(|signed| signed.to_bytes())
            .unwrap_or_default()
    }

    /// The head's root.
    pub fn root(&self) -> [u8; 32] {
        self.log
            .published()
            .map_or_else(tacita_ledger::tree::empty_root, |signed| signed.checkpoint().root)
    }

    /// An entry with its proof under the head.
    ///
    /// # Errors
    /// [`SimError::Log`] beyond the end.
    pub fn proven(&self, index: u64) -> Result<ProvenEntry, SimError> {
        let proof = self.log.inclusion_proof(index)?;
        let bytes = usize::try_from(index)
            .ok()
            .and_then(|i| self.entries.get(i))
            .cloned()
            .unwrap_or_default();
        Ok(ProvenEntry {
            index,
            bytes: bytes.into(),
            proof: proof.into(),
        })
    }

    /// Proof that the head extends the one of `old` entries.
    ///
    /// # Errors
    /// [`SimError::Log`] beyond the end.
    pub fn consistency(&self, old: u64) -> Result<Proof, SimError> {
        Ok(self.log.consistency_proof(old)?.into())
    }

    /// The bytes of all entries.
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// The files as an auditor would fetch them.
    pub fn files(&self) -> &MemoryFiles {
        &self.files
    }

    /// The auditor's check.
    ///
    /// # Errors
    /// [`VerifyError`] names what is wrong.
    pub fn verify(&self) -> Result<Verified, VerifyError> {
        tacita_ledger::verify(&self.files, Some(&self.verifier))
    }

    /// What an honest log would never sign: a head over any bytes as entries, with proofs. For attackers.
    ///
    /// # Errors
    /// [`SimError::Setting`] if the head cannot be signed.
    pub fn forge(&self, entries: Vec<Vec<u8>>) -> Result<ForgedLedger, SimError> {
        let tree = Tree::from_leaves(entries.iter().map(|bytes| leaf_hash(bytes)).collect());
        let head = Checkpoint {
            origin: self.verifier.name().to_owned(),
            size: tree.size(),
            root: tree.root(),
        };
        let checkpoint = head
            .sign(&self.key)
            .map_err(|e| SimError::Setting(e.to_string()))?
            .to_bytes();
        Ok(ForgedLedger {
            tree,
            entries,
            checkpoint,
        })
    }
}

/// A head over arbitrary entries, signed with the log's key.
pub struct ForgedLedger {
    tree: Tree,
    entries: Vec<Vec<u8>>,
    /// The signed head.
    pub checkpoint: Vec<u8>,
}

impl ForgedLedger {
    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    /// An entry with its proof; empty beyond the end.
    pub fn proven(&self, index: u64) -> ProvenEntry {
        let proof = self.tree.inclusion_proof(index).unwrap_or_default();
        let bytes = usize::try_from(index)
            .ok()
            .and_then(|i| self.entries.get(i))
            .cloned()
            .unwrap_or_default();
        ProvenEntry {
            index,
            bytes: bytes.into(),
            proof: proof.into(),
        }
    }

    /// Proof that it extends the head of `old` entries of the same tree; empty beyond the end.
    pub fn consistency(&self, old: u64) -> Proof {
        self.tree
            .consistency_proof(old, self.tree.size())
            .unwrap_or_default()
            .into()
    }
}
