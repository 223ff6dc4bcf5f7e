//! Uploads in flight and dealings, on disk: a file for each upload and one for all that members dealt, in a folder of the state
//! directory that only this server reads. What lies there is masked, or encrypted for a member; uploads go when they were
//! added, everything goes when its round is over, and what a crash left goes at the next start.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tacita_protocol::spool::{Spool, SpoolError, Stash};

/// The folder below the state directory.
pub(crate) const FOLDER: &str = "spool";
/// The file of dealings in it.
const DEALT: &str = "dealt";

/// Makes sure of the folder, which nobody else may use, and removes what is in it and `stays` does not name.
fn folder(state: &Path, stays: Option<&str>) -> io::Result<PathBuf> {
    let dir = state.join(FOLDER);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&dir)?;
    for entry in fs::read_dir(&dir)? {
        let entry = entry?;
        if stays.is_none_or(|name| entry.file_name() != name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(dir)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The uploads in flight of one round; dropping it removes them.
pub struct FileSpool {
    dir: PathBuf,
    files: BTreeMap<u16, File>,
}

impl FileSpool {
    /// Opens the folder of a state directory, and removes what is left of uploads in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(state: &Path) -> io::Result<Self> {
        Ok(Self {
            dir: folder(state, Some(DEALT))?,
            files: BTreeMap::new(),
        })
    }

    fn path(&self, member: u16) -> PathBuf {
        self.dir.join(format!("{member:05}"))
    }

    /// Uploads that have bytes here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

fn failed(error: &io::Error) -> SpoolError {
    SpoolError(error.to_string())
}

impl Spool for FileSpool {
    fn append(&mut self, member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        let file = match self.files.get_mut(&member) {
            Some(file) => file,
            None => {
                let made = create(&self.path(member)).map_err(|e| failed(&e))?;
                self.files.entry(member).or_insert(made)
            }
        };
        file.write_all(packed).map_err(|e| failed(&e))
    }

    fn read(&mut self, member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        let file = self.files.get_mut(&member);
        let file = file.ok_or_else(|| SpoolError("no bytes of this member".to_owned()))?;
        file.seek(SeekFrom::Start(at)).map_err(|e| failed(&e))?;
        file.read_exact(into).map_err(|e| failed(&e))
    }

    fn discard(&mut self, member: u16) {
        if self.files.remove(&member).is_some()
            && let Err(error) = fs::remove_file(self.path(member))
        {
            // The next round's opening removes it, or says why it cannot.
            tracing::warn!(%error, "an upload in flight was not removed");
        }
    }
}

impl Drop for FileSpool {
    fn drop(&mut self) {
        let members: Vec<u16> = self.files.keys().copied().collect();
        members.into_iter().for_each(|member| self.discard(member));
    }
}

/// What the members of one round dealt; dropping it removes it.
pub(crate) struct FileStash {
    path: PathBuf,
    file: Mutex<File>,
    length: u64,
}

impl FileStash {
    /// Opens the folder of a state directory, and removes everything that is left in it of another round.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let path = folder(state, None)?.join(DEALT);
        let file = Mutex::new(create(&path)?);
        Ok(Self {
            path,
            file,
            length: 0,
        })
    }
}

impl Stash for FileStash {
    fn put(&mut self, bytes: &[u8]) -> Result<u64, SpoolError> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(bytes) {
            // What was written of it must not shift what comes behind it.
            file.set_len(self.length).map_err(|e| failed(&e))?;
            return Err(failed(&error));
        }
        let at = self.length;
        self.length = at.saturating_add(bytes.len() as u64);
        Ok(at)
    }

    fn get(&self, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at)).map_err(|e| failed(&e))?;
        file.read_exact(into).map_err(|e| failed(&e))
    }
}

impl Drop for FileStash {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            // The next round's opening removes it, or says why it cannot.
            tracing::warn!(%error, "what was dealt was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_nothing_stays() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join(FOLDER);
        let left = || fs::read_dir(&dir).unwrap().count();
        let mut spool = FileSpool::open(state.path()).unwrap();
        spool.append(7, b"one ").unwrap();
        spool.append(9, b"other").unwrap();
        spool.append(7, b"two").unwrap();
        let mut read = [0; 5];
        spool.read(7, 2, &mut read).unwrap();
        assert_eq!(&read, b"e two");
        assert!(spool.read(7, 3, &mut read).is_err() && spool.read(8, 0, &mut read).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&dir), mode(&spool.path(7))), (0o700, 0o600));
        }
        spool.discard(7);
        spool.discard(7);
        assert_eq!((left(), spool.len()), (1, 1));
        // It starts from the first byte again.
        spool.append(7, b"again").unwrap();
        spool.read(7, 0, &mut read).unwrap();
        assert_eq!(&read, b"again");
        drop(spool);
        assert_eq!(left(), 0);
        // What a killed server left is removed by the next.
        fs::write(dir.join("00003"), b"left").unwrap();
        drop(FileSpool::open(state.path()).unwrap());
        assert_eq!(left(), 0);
    }

    #[test]
    fn dealings_come_back_beside_uploads() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join(FOLDER);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("00003"), b"left").unwrap();
        fs::write(dir.join(DEALT), b"left").unwrap();
        let mut stash = FileStash::open(state.path()).unwrap();
        assert_eq!(stash.put(b"first").unwrap(), 0);
        // The uploads of the same round leave it alone.
        let mut spool = FileSpool::open(state.path()).unwrap();
        spool.append(3, b"upload").unwrap();
        let at = stash.put(b"second").unwrap();
        let mut read = [0; 6];
        stash.get(at, &mut read).unwrap();
        assert_eq!(&read, b"second");
        stash.get(0, &mut read[..5]).unwrap();
        assert_eq!(&read[..5], b"first");
        assert!(stash.get(at + 1, &mut read).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(dir.join(DEALT)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop((spool, stash));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }
}
