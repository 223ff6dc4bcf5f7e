//! A ledger directory on disk, as the server and every auditor read it. What another party may have put there decides nothing here: links and
//! special files are errors, and lists and reads are bounded.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use tacita_ledger::{Files, FilesError};

/// Most files of a directory; a ledger of 10^8 entries has fewer.
const MAX_FILES: usize = 1_000_000;
/// Deepest level of directories; tile paths need nine at most.
const MAX_DEPTH: usize = 16;

/// The plain files below a directory. The directory itself may be a link: it is the caller's choice.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }
}

impl Files for Directory {
    fn list(&self) -> Result<Vec<String>, FilesError> {
        let mut files = Vec::new();
        // Directories still to be read, with their relative path ("" or ending in a slash) and depth.
        let mut open = vec![(self.root.clone(), String::new(), 0usize)];
        while let Some((directory, prefix, depth)) = open.pop() {
            for entry in fs::read_dir(&directory).map_err(|error| other(&prefix, &error))? {
                let entry = entry.map_err(|error| other(&prefix, &error))?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else {
                    return Err(other(
                        &format!("{prefix}{}", name.to_string_lossy()),
                        &"a name that is not UTF-8",
                    ));
                };
                let path = format!("{prefix}{name}");
                // Does not follow links.
                let kind = entry.file_type().map_err(|error| other(&path, &error))?;
                if kind.is_file() {
                    files.push(path);
                } else if !kind.is_dir() {
                    return Err(other(&path, &"a link or special file"));
                } else if depth >= MAX_DEPTH {
                    return Err(other(&path, &"too many levels of directories"));
                } else {
                    open.push((entry.path(), format!("{path}/"), depth.saturating_add(1)));
                }
                if files.len().saturating_add(open.len()) > MAX_FILES {
                    return Err(other(&prefix, &format!("more than {MAX_FILES} files")));
                }
            }
        }
        Ok(files)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FilesError> {
        if !Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(other(path, &"not a relative path"));
        }
        read_plain(&self.root.join(path), limit)
    }
}

/// Reads a plain file of at most `limit` bytes; a link or special file is an error.
fn read_plain(path: &Path, limit: usize) -> Result<Vec<u8>, FilesError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => FilesError::NotFound,
        _ => FilesError::Other(error.to_string()),
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !fs::symlink_metadata(path).map_err(failed)?.is_file() {
        return Err(FilesError::Other("a link or special file".to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(FilesError::TooLong { limit });
    }
    Ok(bytes)
}

fn other(path: &str, what: &dyn std::fmt::Display) -> FilesError {
    match path.trim_end_matches('/') {
        "" => FilesError::Other(what.to_string()),
        path => FilesError::Other(format!("{path}: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_plain_files_at_every_depth_and_reads_within_the_limit() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("tile/0/x001")).unwrap();
        fs::create_dir(root.path().join("empty")).unwrap();
        fs::write(root.path().join("checkpoint"), b"head").unwrap();
        fs::write(root.path().join("tile/0/x001/000"), b"12345").unwrap();
        let files = Directory::new(root.path());
        let mut names = files.list().unwrap();
        names.sort();
        assert_eq!(names, ["checkpoint", "tile/0/x001/000"]);
        assert_eq!(files.read("tile/0/x001/000", 5).unwrap(), b"12345");
        assert_eq!(
            files.read("tile/0/x001/000", 4),
            Err(FilesError::TooLong { limit: 4 })
        );
        assert_eq!(files.read("tile/0/x001/001", 4), Err(FilesError::NotFound));
        for outside in ["../x", "/etc/hostname", "tile/../../x"] {
            assert!(
                matches!(files.read(outside, 9), Err(FilesError::Other(_))),
                "{outside}"
            );
        }
        assert!(Directory::new(&root.path().join("gone")).list().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_sockets_are_errors_and_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("checkpoint"), b"head").unwrap();
        fs::create_dir(root.path().join("tile")).unwrap();
        let files = Directory::new(root.path());
        let link = root.path().join("tile/link");
        std::os::unix::fs::symlink("../checkpoint", &link).unwrap();
        assert_eq!(
            files.list().unwrap_err().to_string(),
            "tile/link: a link or special file"
        );
        assert!(matches!(files.read("tile/link", 99), Err(FilesError::Other(_))));
        fs::remove_file(&link).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("tile/socket")).unwrap();
        assert_eq!(
            files.list().unwrap_err().to_string(),
            "tile/socket: a link or special file"
        );
    }
}
