//! A machine's own key and what it was enrolled with, on disk.
//!
//! ```text
//! STATE/key.pem         private key, PKCS#8 PEM, mode 0600; made here, never leaves
//! STATE/enrolment.json  certificate, root, deny list, ledger key and the authority's address; public
//! STATE/key-next.pem    the key of a renewal under way; takes the place of key.pem
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use tacita_identity::{
    AnchorError, CertificateError, DenyError, DenyList, KeyError, PrivateKey, Role, TrustAnchor,
    VerifiedCertificate,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::enrol::Enrolled;
use crate::local::{IdentityError, LocalIdentity};
use crate::standing::Standing;

/// Largest file read here.
const MAX_FILE: u64 = 4 << 20;

/// Why a machine's identity cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MachineError {
    /// A file operation failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not enrolled yet.
    #[error("{path} is missing: enrol first")]
    NotEnrolled {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the private key.
    #[error(
        "{path} can be read by others (mode {mode:o}); run chmod 600 on it, and enrol again if others have accounts here"
    )]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file is damaged.
    #[error("{path} is damaged ({reason}); enrol again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The private key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The root certificate cannot be used.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// Our own certificate would be refused.
    #[error("own certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The deny list cannot be used.
    #[error(transparent)]
    Deny(#[from] DenyError),
    /// Key and certificate do not belong together.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    authority: String,
    certificate: String,
    deny_list: String,
    ledger_key: Option<String>,
    root: String,
}

/// Everything that a member needs to talk, checked.
pub struct MachineIdentity {
    /// What changes while it runs: key, certificate, deny list.
    pub standing: Standing,
    /// The authority's root.
    pub anchor: TrustAnchor,
    /// The ledger key handed out at enrolment (C2SP vkey text).
    pub ledger_key: Option<String>,
    /// The authority's address.
    pub authority: String,
}

/// A state directory.
#[derive(Debug, Clone)]
pub struct Machine {
    dir: PathBuf,
}

impl Machine {
    /// The machine whose state lies in `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn key_path(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// The key of a renewal under way.
    fn next_key_path(&self) -> PathBuf {
        self.dir.join("key-next.pem")
    }

    fn enrolment_path(&self) -> PathBuf {
        self.dir.join("enrolment.json")
    }

    /// Whether it was enrolled.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.enrolment_path().exists()
    }

    /// The private key, made here if there is none yet.
    ///
    /// # Errors
    /// [`MachineError::Io`], [`MachineError::KeyExposed`], [`MachineError::Key`].
    pub fn key(&self, rng: &mut impl CryptoRng) -> Result<PrivateKey, MachineError> {
        self.key_at(self.key_path(), rng)
    }

    /// The key that a renewal asks a certificate for: the one of an earlier try, whose answer may have been lost, or a
    /// fresh one.
    ///
    /// # Errors
    /// As [`Machine::key`].
    pub fn next_key(&self, rng: &mut impl CryptoRng) -> Result<PrivateKey, MachineError> {
        self.key_at(self.next_key_path(), rng)
    }

    fn key_at(&self, path: PathBuf, rng: &mut impl CryptoRng) -> Result<PrivateKey, MachineError> {
        if path.exists() {
            return load_key(&path);
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir).map_err(|source| MachineError::Io {
            path: self.dir.clone(),
            source,
        })?;
        let key = PrivateKey::generate(rng);
        write_new(&path, key.to_pkcs8_pem()?.as_bytes(), true)?;
        self.sync()?;
        Ok(key)
    }

    /// The key of `certificate`: the current one, or, if the machine stopped in the middle of a renewal, the next one,
    /// which then takes its place.
    fn key_of(&self, certificate: &VerifiedCertificate) -> Result<PrivateKey, MachineError> {
        let key = load_key(&self.key_path())?;
        let next = self.next_key_path();
        if key.verifying_key() == certificate.key || !next.exists() {
            return Ok(key);
        }
        let key = load_key(&next)?;
        if key.verifying_key() == certificate.key {
            self.promote()?;
        }
        Ok(key)
    }

    /// Lets the next key take the place of the current one, which is then gone.
    ///
    /// # Errors
    /// [`MachineError::Io`] if there is no next key.
    pub fn promote(&self) -> Result<(), MachineError> {
        let path = self.next_key_path();
        fs::rename(&path, self.key_path()).map_err(|source| MachineError::Io { path, source })?;
        self.sync()
    }

    /// A rename is durable once its directory is.
    fn sync(&self) -> Result<(), MachineError> {
        #[cfg(unix)]
        fs::File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| MachineError::Io {
                path: self.dir.clone(),
                source,
            })?;
        Ok(())
    }

    /// Keeps a renewed certificate, then lets its key take the place of the old one.
    ///
    /// # Errors
    /// [`MachineError::Io`]; the next start finishes what was begun.
    pub fn succeed(&self, renewed: &Enrolled, authority: &str) -> Result<(), MachineError> {
        // What was pinned at enrolment stays pinned, whatever a renewal says.
        let ledger_key = self.stored()?.ledger_key;
        let renewed = Enrolled {
            ledger_key,
            ..renewed.clone()
        };
        self.save(&renewed, authority)?;
        self.promote()
    }

    /// Keeps a newer deny list.
    ///
    /// # Errors
    /// [`MachineError::Io`] or [`MachineError::Damaged`].
    pub fn keep_deny_list(&self, deny: &DenyList) -> Result<(), MachineError> {
        let mut stored = self.stored()?;
        stored.deny_list = hex::encode(deny.as_bytes());
        self.write(&stored)
    }

    /// Keeps what the authority gave; replaces an earlier enrolment whole.
    ///
    /// # Errors
    /// [`MachineError::Io`].
    pub fn save(&self, enrolled: &Enrolled, authority: &str) -> Result<(), MachineError> {
        let stored = Stored {
            authority: authority.to_owned(),
            certificate: hex::encode(&enrolled.certificate),
            deny_list: hex::encode(enrolled.deny_list.as_bytes()),
            ledger_key: enrolled.ledger_key.clone(),
            root: hex::encode(enrolled.anchor.der()),
        };
        self.write(&stored)
    }

    fn stored(&self) -> Result<Stored, MachineError> {
        let path = self.enrolment_path();
        serde_json::from_str(&read(&path)?).map_err(|e| MachineError::Damaged {
            path,
            reason: e.to_string(),
        })
    }

    fn write(&self, stored: &Stored) -> Result<(), MachineError> {
        let path = self.enrolment_path();
        let staging = path.with_extension("part");
        let text = serde_json::to_string_pretty(stored).map_err(|e| MachineError::Damaged {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let io = |source| MachineError::Io {
            path: path.clone(),
            source,
        };
        match fs::remove_file(&staging) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
        write_new(&staging, text.as_bytes(), false)?;
        fs::rename(&staging, &path).map_err(io)?;
        self.sync()
    }

    /// The authority's root, whatever became of the certificate.
    ///
    /// # Errors
    /// [`MachineError::NotEnrolled`], [`MachineError::Damaged`], [`MachineError::Anchor`].
    pub fn root(&self) -> Result<TrustAnchor, MachineError> {
        let path = self.enrolment_path();
        if !path.exists() {
            return Err(MachineError::NotEnrolled { path });
        }
        let root = hex::decode(self.stored()?.root).map_err(|e| MachineError::Damaged {
            path,
            reason: e.to_string(),
        })?;
        Ok(TrustAnchor::from_der(&root)?)
    }

    /// The certificate, valid at `now`, without a look at the key; nothing is written.
    ///
    /// # Errors
    /// [`MachineError::NotEnrolled`], [`MachineError::Damaged`], [`MachineError::Anchor`], [`MachineError::Certificate`].
    pub fn certificate(&self, role: Role, now: u64) -> Result<VerifiedCertificate, MachineError> {
        let path = self.enrolment_path();
        if !path.exists() {
            return Err(MachineError::NotEnrolled { path });
        }
        let stored = self.stored()?;
        let bytes = |text: &str| {
            hex::decode(text).map_err(|e| MachineError::Damaged {
                path: path.clone(),
                reason: e.to_string(),
            })
        };
        let anchor = TrustAnchor::from_der(&bytes(&stored.root)?)?;
        Ok(anchor.verify(&bytes(&stored.certificate)?, role, now)?)
    }

    /// Loads and checks everything; the certificate must be valid at `now`.
    ///
    /// # Errors
    /// [`MachineError`], one variant per cause.
    pub fn load(&self, role: Role, now: u64) -> Result<MachineIdentity, MachineError> {
        let path = self.enrolment_path();
        if !path.exists() || !self.key_path().exists() {
            return Err(MachineError::NotEnrolled { path });
        }
        let damaged = |reason: &dyn std::fmt::Display| MachineError::Damaged {
            path: path.clone(),
            reason: reason.to_string(),
        };
        let stored = self.stored()?;
        let bytes = |text: &str| hex::decode(text).map_err(|e| damaged(&e));
        let anchor = TrustAnchor::from_der(&bytes(&stored.root)?)?;
        let certificate_der = bytes(&stored.certificate)?;
        let certificate = anchor.verify(&certificate_der, role, now)?;
        let deny = DenyList::verify(&bytes(&stored.deny_list)?, &anchor)?;
        let key = self.key_of(&certificate)?;
        let identity = LocalIdentity::new(vec![certificate_der], key.to_pkcs8_der()?, anchor.clone())?;
        Ok(MachineIdentity {
            standing: Standing {
                key: Arc::new(key),
                certificate: Arc::new(certificate),
                identity,
                deny: Arc::new(deny),
            },
            anchor,
            ledger_key: stored.ledger_key,
            authority: stored.authority,
        })
    }
}

fn load_key(path: &Path) -> Result<PrivateKey, MachineError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = path.to_owned();
        let io = |source| MachineError::Io {
            path: path.clone(),
            source,
        };
        let mode = fs::metadata(&path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MachineError::KeyExposed { path, mode });
        }
    }
    let text = Zeroizing::new(read(path)?);
    Ok(PrivateKey::from_pkcs8_pem(&text)?)
}

fn read(path: &Path) -> Result<String, MachineError> {
    let io = |source| MachineError::Io {
        path: path.to_owned(),
        source,
    };
    let length = fs::metadata(path).map_err(io)?.len();
    if length > MAX_FILE {
        return Err(MachineError::Damaged {
            path: path.to_owned(),
            reason: format!("{length} bytes long"),
        });
    }
    fs::read_to_string(path).map_err(io)
}

fn write_new(path: &Path, bytes: &[u8], private: bool) -> Result<(), MachineError> {
    let io = |source| MachineError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if private { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    #[test]
    fn the_key_is_made_once_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(&dir.path().join("state"));
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let first = machine.key(&mut rng).unwrap();
        let second = machine.key(&mut rng).unwrap();
        assert_eq!(first.verifying_key(), second.verifying_key());
        assert!(matches!(
            machine.load(Role::Client, 0),
            Err(MachineError::NotEnrolled { .. })
        ));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(machine.key_path(), fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(
                machine.key(&mut rng),
                Err(MachineError::KeyExposed { mode: 0o644, .. })
            ));
        }
    }
}
