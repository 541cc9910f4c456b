//! Where the server's socket lies.
//!
//! Invariants: the folder belongs to the account that runs the server and is open to nobody else, for
//! the server trusts whoever reaches the socket; the whole path is short enough for a socket address.
//! Tried in this order: beside the data, the user's runtime folder, a folder of our own in `/tmp`.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::EmbeddedError;
use crate::provision::hexadecimal;
use crate::provision::place::barrier;

/// The part of a name that PostgreSQL adds, with the default port.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// Linux allows 107 bytes, macOS 103.
const SOCKET_PATH_BYTES_MAX: usize = 100;
/// Shared by all users; its sticky bit keeps them from each other's folders.
const SHARED: &str = "/tmp";
const OURS_ALONE: u32 = 0o700;

/// Creates or checks the folder for the socket of the cluster below `data_dir`.
///
/// # Errors
/// [`EmbeddedError::SocketFolder`] with the reason for each place that was tried.
pub(super) fn folder(data_dir: &Path, runtime_dir: Option<&Path>, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let mut reasons = Vec::new();
    for candidate in candidates(data_dir, runtime_dir, account.uid) {
        match secure(&candidate, account) {
            Ok(()) => return Ok(candidate),
            Err(reason) => reasons.push(format!("{}: {reason}", candidate.display())),
        }
    }
    Err(EmbeddedError::SocketFolder { detail: reasons.join("; ") })
}

fn candidates(data_dir: &Path, runtime_dir: Option<&Path>, uid: u32) -> Vec<PathBuf> {
    let sum = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let tag = hexadecimal(&sum[..6]);
    let mut list = vec![data_dir.join("run")];
    list.extend(runtime_dir.map(|folder| folder.join(format!("anamnesis-{tag}"))));
    list.push(Path::new(SHARED).join(format!("anamnesis-{uid}-{tag}")));
    list.retain(|folder| fits(folder));
    list
}

/// Short, and free of characters that the list of socket folders or a URL treats in its own way.
fn fits(folder: &Path) -> bool {
    folder.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_BYTES_MAX
        && folder.to_str().is_some_and(|text| {
            text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+~".contains(c))
        })
}

/// Makes sure that the folder is there, the account's own, and closed to all others.
fn secure(folder: &Path, account: &Account) -> Result<(), String> {
    let says = |error: io::Error| error.to_string();
    let parent = folder.parent().unwrap_or(Path::new("/"));
    if let Some(barrier) = barrier(parent, account.uid, account.gid).map_err(says)? {
        return Err(format!("{} is closed to the account {}", barrier.display(), account.name));
    }
    match DirBuilder::new().mode(OURS_ALONE).create(folder) {
        Ok(()) if account.changes => lchown(folder, Some(account.uid), Some(account.gid)).map_err(says)?,
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.to_string()),
    }
    let meta = fs::symlink_metadata(folder).map_err(says)?;
    if !meta.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    if meta.uid() != account.uid {
        return Err(format!("it belongs to user id {}", meta.uid()));
    }
    if meta.mode() & 0o7777 != OURS_ALONE {
        fs::set_permissions(folder, Permissions::from_mode(OURS_ALONE)).map_err(says)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn own_account(folder: &Path) -> Account {
        let meta = fs::metadata(folder).unwrap();
        Account { name: "own".to_owned(), uid: meta.uid(), gid: meta.gid(), changes: false }
    }

    #[test]
    fn a_long_or_odd_data_path_moves_the_socket_elsewhere() {
        let short = candidates(Path::new("/srv/data"), None, 7);
        assert_eq!(short[0], Path::new("/srv/data/run"));

        for data_dir in [format!("/srv/{}", "x".repeat(100)), "/srv/with space".to_owned(), "/srv/a,b".to_owned()] {
            let list = candidates(Path::new(&data_dir), Some(Path::new("/run/user/7")), 7);
            assert_eq!(list.len(), 2, "{list:?}");
            assert!(list[0].starts_with("/run/user/7"), "{list:?}");
            assert!(list[1].starts_with("/tmp"), "{list:?}");
        }
    }

    #[test]
    fn two_data_folders_never_share_a_socket_folder() {
        let list = |name: &str| candidates(Path::new(&format!("/srv/{name}/{}", "x".repeat(100))), None, 7);
        assert_ne!(list("a"), list("b"));
    }

    #[test]
    fn an_open_folder_is_closed_and_a_link_refused() {
        let folder = tempfile::tempdir().unwrap();
        let account = own_account(folder.path());
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, Permissions::from_mode(0o777)).unwrap();
        secure(&run, &account).unwrap();
        assert_eq!(fs::metadata(&run).unwrap().mode() & 0o7777, 0o700);

        let link = folder.path().join("link");
        symlink(&run, &link).unwrap();
        assert!(secure(&link, &account).is_err());
    }

    #[test]
    fn another_accounts_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let own = own_account(folder.path());
        let other = Account { uid: own.uid + 1, gid: own.gid + 1, ..own };
        assert!(secure(&run, &other).is_err());
    }
}
