//! The key ring on disk: read only when nobody else can, written as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::crypto::secret::random_name;
use crate::crypto::{CryptoError, KeyringFault};

/// The most that is read. A key ring of a hundred keys is under 20 KiB.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// Permission bits of group and others.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Replace,
}

/// Reads the file once its mode is seen to be safe. A link is followed: orchestrators mount secrets so.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, CryptoError> {
    let fault = |error: io::Error| io_fault(path, &error);
    let file = File::open(path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(CryptoError::KeyringFile { path: path.to_owned(), kind: io::ErrorKind::InvalidInput });
    }
    // Asked of the open file, not of the path: nobody can exchange it in between.
    refuse_exposed(path, &metadata)?;
    if metadata.len() > LIMIT_BYTES {
        return Err(CryptoError::Keyring { faults: vec![KeyringFault::TooLarge { limit_bytes: LIMIT_BYTES }] });
    }
    // Room for all of it at once: growing would leave unwiped copies behind.
    let capacity = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(LIMIT_BYTES).read_to_string(&mut text).map_err(fault)?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), CryptoError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(CryptoError::KeyringExposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), CryptoError> {
    Ok(())
}

/// Writes beside the file, makes it durable, and puts it in place in one step.
pub(super) fn write(path: &Path, text: &str, existing: Existing) -> Result<(), CryptoError> {
    let fresh = beside(path, &format!(".{}.new", random_name()?));
    let written = write_and_place(path, &fresh, text, existing);
    if written.is_err() || existing == Existing::Refuse {
        // Best effort: the secret file is in place, or the fault below says more than this one would.
        let _ = fs::remove_file(&fresh);
    }
    written.map_err(|error| io_fault(path, &error))
}

fn write_and_place(path: &Path, fresh: &Path, text: &str, existing: Existing) -> io::Result<()> {
    let mut file = private().create_new(true).open(fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match existing {
        Existing::Replace => fs::rename(fresh, path)?,
        // A hard link fails when the name is taken; a rename would replace it.
        Existing::Refuse => fs::hard_link(fresh, path)?,
    }
    sync_folder(path)
}

/// A rename lasts through a power cut only once the folder is on disk.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Held while the key ring is changed; let go when dropped, also when the process dies.
pub(super) fn lock(path: &Path) -> Result<File, CryptoError> {
    // A file of its own, never removed: the key ring itself is replaced, and a lock on it with it.
    let file = private().create(true).open(beside(path, ".lock")).map_err(|error| io_fault(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CryptoError::KeyringBusy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_fault(path, &error)),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// The same name with an ending more, in the same folder: a rename cannot cross file systems.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(ending);
    path.with_file_name(name)
}

fn io_fault(path: &Path, error: &io::Error) -> CryptoError {
    CryptoError::KeyringFile { path: path.to_owned(), kind: error.kind() }
}
