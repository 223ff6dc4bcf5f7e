//! The authority's directory, and the operator's commands on it. Each works while a server runs in the same directory.

use std::fmt;
use std::path::{Path, PathBuf};

use tacita_identity::{Authority, Invitation, Name, PrivateKey, Role, pem};
use tacita_ledger::note::VerifierKey;
use tacita_store::{Batch, Sharing, SqliteStore};
use zeroize::Zeroizing;

use crate::error::AuthorityError;
use crate::files::{self, Secrecy};
use crate::host::{self, OsRandom};

use crate::register::Register;
use crate::settings::Settings;

const ROOT_KEY: &str = "root.key";
const ROOT_CERTIFICATE: &str = "root.pem";
const SETTINGS: &str = "authority.toml";
const REGISTER: &str = "authority.db";

const ADDRESS: &str = "address";
const LEDGER_KEY: &str = "ledger-key";

/// An authority on disk.
pub struct AuthorityDir {
    path: PathBuf,
    authority: Authority,
    settings: Settings,
    register: Register,
}

impl AuthorityDir {
    /// Makes a root key and everything around it in `dir`, which may exist but must hold no authority.
    ///
    /// # Errors
    /// [`AuthorityError::Exists`], or what the system said.
    pub fn init(dir: &Path, name: &Name, settings: Settings) -> Result<Self, AuthorityError> {
        settings.life()?;
        files::create_directory(dir)?;
        for file in [ROOT_KEY, ROOT_CERTIFICATE, REGISTER] {
            if std::fs::symlink_metadata(dir.join(file)).is_ok() {
                return Err(AuthorityError::Exists { path: dir.join(file) });
            }
        }
        let authority = Authority::create(name, host::now()?, &mut OsRandom::new()?)?;
        files::create(
            &dir.join(ROOT_KEY),
            authority.private_key().to_pkcs8_pem()?.as_bytes(),
            Secrecy::Private,
        )?;
        if std::fs::symlink_metadata(dir.join(SETTINGS)).is_err() {
            let text = toml::to_string(&settings).map_err(|error| AuthorityError::Settings {
                path: dir.join(SETTINGS),
                reason: error.to_string(),
            })?;
            files::create(&dir.join(SETTINGS), text.as_bytes(), Secrecy::Public)?;
        }
        let register = Register::new(SqliteStore::open(dir.join(REGISTER), Sharing::Shared)?);
        let made = Self {
            path: dir.to_path_buf(),
            authority,
            settings,
            register,
        };
        made.publish_first_deny_list()?;
        // Last: an authority without its root certificate is taken for one that was never finished.
        let root = pem::encode("CERTIFICATE", made.authority.anchor().der());
        files::create(&dir.join(ROOT_CERTIFICATE), root.as_bytes(), Secrecy::Public)?;
        Ok(made)
    }

    /// Opens the authority in `dir`, beside other processes if need be.
    ///
    /// # Errors
    /// [`AuthorityError::Missing`], [`AuthorityError::KeyExposed`], or what else is wrong with the directory.
    pub fn open(dir: &Path) -> Result<Self, AuthorityError> {
        let root_path = dir.join(ROOT_CERTIFICATE);
        let root = files::read(&root_path, Secrecy::Public)?;
        let root = pem::decode("CERTIFICATE", &root).ok_or_else(|| AuthorityError::Register {
            place: root_path.display().to_string(),
        })?;
        let key = PrivateKey::from_pkcs8_pem(&files::read(&dir.join(ROOT_KEY), Secrecy::Private)?)?;
        let authority = Authority::open(&root, key)?;
        let settings_path = dir.join(SETTINGS);
        let settings: Settings =
            toml::from_str(&files::read(&settings_path, Secrecy::Public)?).map_err(|error| {
                AuthorityError::Settings {
                    path: settings_path,
                    reason: error.to_string(),
                }
            })?;
        settings.life()?;
        let register = dir.join(REGISTER);
        if std::fs::symlink_metadata(&register).is_err() {
            // A new, empty register would forget who is revoked.
            return Err(AuthorityError::Missing { path: register });
        }
        let register = Register::new(SqliteStore::open(register, Sharing::Shared)?);
        Ok(Self {
            path: dir.to_path_buf(),
            authority,
            settings,
            register,
        })
    }

    /// Makes an invitation, valid for ten minutes, and returns its line of text. Hand it over on a way that you trust:
    /// whoever redeems it first has the name.
    ///
    /// # Errors
    /// [`AuthorityError::Revoked`], [`AuthorityError::NoAddress`], or a failure of the register.
    pub fn invite(&self, name: &Name, role: Role) -> Result<Zeroizing<String>, AuthorityError> {
        let now = host::now()?;
        if self.deny_list()?.content().names.contains(&(role, name.clone())) {
            return Err(AuthorityError::Revoked { name: name.clone() });
        }
        let address = match &self.settings.address {
            Some(address) => address.clone(),
            None => self.register.note(ADDRESS)?.ok_or(AuthorityError::NoAddress)?,
        };
        let root = self.authority.anchor().fingerprint();
        let (invitation, record) =
            Invitation::create(&address, root, role, name, now, &mut OsRandom::new()?)?;
        let mut batch = Batch::new();
        Register::put_invitation(&mut batch, &record)?;
        self.register.commit(batch)?;
        Ok(invitation.to_text()?)
    }

    /// Names the ledger key (C2SP vkey text) that is handed to everyone who enrols from now on.
    ///
    /// # Errors
    /// [`AuthorityError::LedgerKey`] for anything that is no vkey.
    pub fn pin_ledger(&self, vkey: &str) -> Result<(), AuthorityError> {
        let vkey = vkey.trim();
        VerifierKey::parse(vkey).map_err(|error| AuthorityError::LedgerKey {
            reason: error.to_string(),
        })?;
        if vkey.len() > tacita_identity::MAX_LEDGER_KEY {
            return Err(AuthorityError::LedgerKey {
                reason: "too long".to_owned(),
            });
        }
        self.register.set_note(LEDGER_KEY, vkey)
    }

    /// The ledger key handed out, or an empty text.
    ///
    /// # Errors
    /// A failure of the register.
    pub fn ledger_key(&self) -> Result<String, AuthorityError> {
        Ok(self.register.note(LEDGER_KEY)?.unwrap_or_default())
    }

    /// SHA-256 of the root certificate: what invitations pin, and what operators compare by telephone.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        self.authority.anchor().fingerprint()
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings, as read when the directory was opened.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The authority itself.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) const fn register(&self) -> &Register {
        &self.register
    }

    pub(crate) fn note_address(&self, address: &str) -> Result<(), AuthorityError> {
        self.register.set_note(ADDRESS, address)
    }
}

impl fmt::Debug for AuthorityDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityDir")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
