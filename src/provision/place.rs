//! Where files may lie so that the account that runs the database can reach them.
//!
//! Invariant: as root, nothing is executed from a folder that another account could have written,
//! and nothing is put where an unprivileged account cannot get at it (root's home is closed to it).
//! Not here: which account that is (`db::embedded::account`).

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const OTHERS_MAY_TRAVERSE: u32 = 0o001;
const GROUP_OR_OTHERS_MAY_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Whether this process acts as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `preferred`, unless this process is root and `preferred` is not a place where root may keep what
/// an unprivileged account executes or reads; then `fallback`.
pub(crate) fn choose(preferred: PathBuf, fallback: &Path) -> PathBuf {
    if is_root() && !root_may_use(&preferred) { fallback.to_owned() } else { preferred }
}

/// Whether every existing folder on the way belongs to root, is closed to other writers and open to
/// passers-by.
fn root_may_use(path: &Path) -> bool {
    existing_folders(path).is_ok_and(|folders| {
        folders.iter().all(|folder| {
            fs::metadata(folder).is_ok_and(|meta| {
                let mode = meta.mode();
                let closed = mode & GROUP_OR_OTHERS_MAY_WRITE == 0 || mode & STICKY != 0;
                meta.uid() == 0 && closed && mode & OTHERS_MAY_TRAVERSE != 0
            })
        })
    })
}

/// The first existing folder on the way to `path` that the account cannot pass, if any.
///
/// # Errors
/// When a folder cannot be looked at.
pub(crate) fn barrier(path: &Path, uid: u32, gid: u32) -> io::Result<Option<PathBuf>> {
    for folder in existing_folders(path)? {
        let meta = fs::metadata(&folder)?;
        let bit = if meta.uid() == uid {
            0o100
        } else if meta.gid() == gid {
            0o010
        } else {
            0o001
        };
        if uid != 0 && meta.mode() & bit == 0 {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// The folders on the way to `path` that exist, from the top, links resolved; `path` itself too when
/// it is a folder.
fn existing_folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let absolute = std::path::absolute(path)?;
    let mut existing = absolute.as_path();
    let real = loop {
        match fs::canonicalize(existing) {
            Ok(real) => break real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match existing.parent() {
                Some(parent) => existing = parent,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    };
    let mut folders: Vec<PathBuf> = real.ancestors().filter(|folder| folder.is_dir()).map(Path::to_owned).collect();
    folders.reverse();
    Ok(folders)
}

/// Creates the missing folders of `path` with exactly this mode, whatever the umask; existing ones
/// are left as they are.
///
/// # Errors
/// When one cannot be created.
pub(crate) fn create_folders(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_folders(parent, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_is_a_barrier_for_others_and_none_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        create_folders(&closed, 0o700).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let owner = fs::metadata(&closed).unwrap();
        let stranger = owner.uid().wrapping_add(1).max(1);

        assert_eq!(barrier(&closed.join("not/yet"), owner.uid(), owner.gid()).unwrap(), None);
        assert!(barrier(&closed.join("not/yet"), stranger, owner.gid().wrapping_add(1)).unwrap().is_some());
    }

    #[test]
    fn folders_get_the_mode_asked_for_and_existing_ones_keep_theirs() {
        let folder = tempfile::tempdir().unwrap();
        create_folders(&folder.path().join("a/b"), 0o751).unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("a"), mode("a/b")), (0o751, 0o751));
        create_folders(&folder.path().join("a/b/c"), 0o700).unwrap();
        assert_eq!((mode("a/b"), mode("a/b/c")), (0o751, 0o700));
    }

    #[test]
    fn root_uses_no_folder_that_others_may_write() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        create_folders(&open, 0o777).unwrap();
        assert!(!root_may_use(&open.join("cache")));
        assert!(root_may_use(Path::new("/")));
    }
}
