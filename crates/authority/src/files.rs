//! Files of the authority's directory: written once and whole, read with a bound, keys unreadable by others.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::AuthorityError;

/// Largest file read here; keys, certificates and settings are far smaller.
const MAX_FILE_BYTES: u64 = 64 * 1_024;

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Mode 0600.
    Private,
    /// Mode 0644.
    Public,
}

/// Makes the directory, for its owner only, unless it is there.
pub(crate) fn create_directory(path: &Path) -> Result<(), AuthorityError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| io("create", path, source))
}

/// Writes a file that must not be there yet, and has it on disk with its name when it returns.
pub(crate) fn create(path: &Path, bytes: &[u8], secrecy: Secrecy) -> Result<(), AuthorityError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        let mode = if secrecy == Secrecy::Private { 0o600 } else { 0o644 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    let mut file = options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => AuthorityError::Exists {
            path: path.to_path_buf(),
        },
        _ => io("create", path, source),
    })?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|source| io("write", path, source))?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| io("flush", parent, source))?;
    }
    Ok(())
}

/// Reads a text file. A private one is refused if others could have read it. The text is wiped when dropped.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<Zeroizing<String>, AuthorityError> {
    let link = fs::symlink_metadata(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => AuthorityError::Missing {
            path: path.to_path_buf(),
        },
        _ => io("look at", path, source),
    })?;
    if !link.is_file() {
        return Err(AuthorityError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    let file = File::open(path).map_err(|source| io("open", path, source))?;
    // Asked of the open file: the name may have been changed in between.
    let about = file.metadata().map_err(|source| io("look at", path, source))?;
    if about.len() > MAX_FILE_BYTES {
        return Err(AuthorityError::TooLarge {
            path: path.to_path_buf(),
        });
    }
    #[cfg(unix)]
    if secrecy == Secrecy::Private {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(AuthorityError::KeyExposed {
                path: path.to_path_buf(),
                mode,
            });
        }
    }
    #[cfg(not(unix))]
    let _ = secrecy;
    // Room for everything at once, so that no copy of a secret stays behind in a buffer that was too small.
    let capacity = usize::try_from(about.len()).unwrap_or(0).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|source| io("read", path, source))?;
    Ok(text)
}

pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> AuthorityError {
    AuthorityError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}
