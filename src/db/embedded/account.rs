//! Which account runs the server.
//!
//! Invariant: never root. Started as root, `initdb` and `postgres` run as an existing unprivileged
//! account with that account's group alone; every other user runs them as itself. The standard library
//! drops the supplementary groups when root sets a child's user id, so no other program is needed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::process::Command;

use super::error::EmbeddedError;
use crate::provision::place::is_root;

/// The accounts root gives the server to, best first.
const PREFERRED: [&str; 2] = ["postgres", "nobody"];
const ACCOUNTS: &str = "/etc/passwd";

/// A user and group to run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// For messages.
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether this process has to change to it.
    pub(super) changes: bool,
}

impl Account {
    /// The account for the cluster in `cluster`; an existing cluster keeps the one that owns it.
    ///
    /// # Errors
    /// [`EmbeddedError::NoAccount`].
    pub(super) fn for_cluster(cluster: &Path) -> Result<Self, EmbeddedError> {
        if !is_root() {
            let uid = rustix::process::geteuid().as_raw();
            let gid = rustix::process::getegid().as_raw();
            return Ok(Self { name: format!("with user id {uid}"), uid, gid, changes: false });
        }
        if let Ok(meta) = fs::metadata(cluster)
            && meta.uid() != 0
        {
            let name = format!("with user id {}", meta.uid());
            return Ok(Self { name, uid: meta.uid(), gid: meta.gid(), changes: true });
        }
        let accounts = fs::read_to_string(ACCOUNTS).unwrap_or_default();
        PREFERRED.iter().find_map(|name| find(&accounts, name)).ok_or(EmbeddedError::NoAccount)
    }

    /// Makes a child run as this account.
    pub(super) fn apply(&self, command: &mut Command) {
        if self.changes {
            command.uid(self.uid).gid(self.gid);
        }
    }
}

/// One unprivileged account out of a passwd file.
fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = id(fields.nth(1)?)?;
        let gid = id(fields.next()?)?;
        (uid != 0 && gid != 0).then(|| Account { name: name.to_owned(), uid, gid, changes: true })
    })
}

/// An id; macOS writes that of `nobody` as -2.
fn id(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS: &str = "root:x:0:0::/:/bin/sh\nnobody:*:-2:-2::/:/bin/false\npostgres:x:101:104::/var:/bin/sh\n";

    #[test]
    fn an_account_is_found_with_its_group() {
        let found = find(ACCOUNTS, "postgres").map(|account| (account.uid, account.gid));
        assert_eq!(found, Some((101, 104)));
        let nobody = find(ACCOUNTS, "nobody").map(|account| account.uid);
        assert_eq!(nobody, Some(4_294_967_294));
        assert_eq!(find(ACCOUNTS, "post"), None);
    }

    #[test]
    fn root_is_no_account_to_run_as() {
        assert_eq!(find(ACCOUNTS, "root"), None);
        assert_eq!(find("postgres:x:0:0::/:/bin/sh", "postgres"), None);
    }
}
