//! The same ledger on a real disk, through a small reader of a real directory.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tacita_ledger::files::{FileChange, Files, FilesError};
use tacita_ledger::verify::VerifyError;
use tacita_ledger::{Log, verify};

use crate::world::{ORIGIN, entries, log_key, vkey};

struct Directory(PathBuf);

impl Directory {
    fn walk(&self, below: &Path, found: &mut Vec<String>) -> std::io::Result<()> {
        for item in fs::read_dir(below)? {
            let path = item?.path();
            if path.is_dir() {
                self.walk(&path, found)?;
            } else {
                found.push(path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned());
            }
        }
        Ok(())
    }

    fn apply(&self, changes: &[FileChange]) {
        for change in changes {
            let path = self.0.join(change.path());
            match change {
                FileChange::Write { bytes, .. } => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, bytes).unwrap();
                }
                FileChange::Remove { .. } => fs::remove_file(path).unwrap(),
            }
        }
    }
}

impl Files for Directory {
    fn list(&self) -> Result<Vec<String>, FilesError> {
        let mut found = Vec::new();
        self.walk(&self.0, &mut found)
            .map_err(|error| FilesError::Other(error.to_string()))?;
        Ok(found)
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FilesError> {
        let file = fs::File::open(self.0.join(path)).map_err(|_| FilesError::NotFound)?;
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1).read_to_end(&mut bytes).unwrap();
        if bytes.len() > limit {
            Err(FilesError::TooLong { limit })
        } else {
            Ok(bytes)
        }
    }
}

/// Partial and full tiles need no path that is file and folder at once.
#[test]
fn a_ledger_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory(folder.path().to_owned());
    let mut log = Log::create(ORIGIN).unwrap();
    for (index, entry) in entries(300).iter().enumerate() {
        log.append(entry).unwrap();
        if index % 50 == 0 {
            directory.apply(&log.publish(&log_key()).unwrap());
        }
    }
    directory.apply(&log.publish(&log_key()).unwrap());
    assert_eq!(verify(&directory, Some(&vkey())).unwrap().entries, entries(300));
    let (reopened, removals) = Log::open(&directory, &vkey(), None).unwrap();
    assert_eq!((reopened.size(), removals.len()), (300, 0));
    fs::write(folder.path().join("tile/note.txt"), "").unwrap();
    assert_eq!(
        verify(&directory, Some(&vkey())).unwrap_err(),
        VerifyError::Unknown {
            file: "tile/note.txt".to_owned()
        }
    );
}
