//! Passwords: hashed with argon2id, checked against what everyone tries first.
//!
//! Hashing is slow on purpose. It runs on blocking threads, at most half as many at once as the machine has
//! processors, behind a bounded queue: a flood of sign-ins is turned away and never starves the runtime.

mod rules;

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use rules::LONGEST_CHARS;
pub(super) use rules::weakness;

use crate::crypto::random;
use crate::error::{Error, Result};
use crate::phi::Phi;

/// 19 MiB, 2 passes, 1 lane: the first choice of the OWASP Password Storage Cheat Sheet for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// RFC 9106, 3.1, recommends 16 bytes.
const SALT_BYTES: usize = 16;
/// Sign-ins that may wait for a thread; more are told to come back.
const QUEUE: usize = 64;

/// What an unknown account is checked against: random bytes for salt and hash, which no password gives, with
/// the parameters above, so that checking costs what it costs for a real one. A test holds the parameters.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$QuTBk0eRMe1yGDShVD0fgA$HRDrZ05860iKNaid6Yr+JI/yh3fg2Nk1n7C6QbZLUl4";

/// A password hash, as a PHC string.
#[derive(Clone)]
pub struct HashedPassword(String);

impl HashedPassword {
    /// The PHC string, to be stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedPassword(…)")
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    pub right: bool,
    /// Whether the hash was made with other parameters than today's and should be made anew.
    pub outdated: bool,
}

/// The threads that hash. One for the process.
#[derive(Debug)]
pub struct Passwords {
    threads: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        Self { threads: Arc::new(Semaphore::new(threads)), queue: Arc::new(Semaphore::new(threads + QUEUE)) }
    }
}

impl Passwords {
    /// Hashes a password with today's parameters and a new salt.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait already.
    pub async fn hash(&self, password: &Phi<String>) -> Result<HashedPassword> {
        let password = normalised(password);
        self.run(move || hash_now(&password)).await?
    }

    /// Checks a password against a hash, or against nobody's: both cost the same.
    pub(super) async fn check(&self, password: &Phi<String>, hash: Option<&str>) -> Result<Checked> {
        // No stored password is longer; hashing what cannot be right would only be work for free.
        let too_long = password.length_chars() > LONGEST_CHARS;
        let password = if too_long { Phi::default() } else { normalised(password) };
        let known = hash.is_some() && !too_long;
        let hash = hash.unwrap_or(NOBODY).to_owned();
        let checked = self.run(move || check_now(&password, &hash)).await??;
        Ok(Checked { right: checked.right && known, ..checked })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _place = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_| Error::Unavailable("too many passwords wait to be hashed".into()))?;
        let turn = Arc::clone(&self.threads).acquire_owned().await.map_err(Error::internal)?;
        // The turn goes with the work: a request that is cancelled meanwhile does not let another thread in.
        let working = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        working.await.map_err(Error::internal)
    }
}

/// NFKC, so that the same letters typed on another keyboard are the same password (NIST SP 800-63B, 3.1.1.2).
fn normalised(password: &Phi<String>) -> Phi<String> {
    password.map_ref(|text| text.nfkc().collect())
}

fn hasher() -> Result<Argon2<'static>> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Error::internal("argon2 refuses its parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &Phi<String>) -> Result<HashedPassword> {
    let salt = random::<SALT_BYTES>()?;
    let hash = hasher()?
        .hash_password_with_salt(password.reveal_str().as_bytes(), &salt)
        .map_err(|_| Error::internal("a password could not be hashed"))?;
    Ok(HashedPassword(hash.to_string()))
}

fn check_now(password: &Phi<String>, hash: &str) -> Result<Checked> {
    let stored = PasswordHash::new(hash).map_err(|_| Error::internal("a stored password hash is not one"))?;
    let hasher = hasher()?;
    // The parameters are those of the stored hash.
    let right = hasher.verify_password(password.reveal_str().as_bytes(), &stored).is_ok();
    let params = Params::try_from(&stored).map_err(|_| Error::internal("a stored password hash has no parameters"))?;
    let outdated = stored.algorithm.as_str() != Algorithm::Argon2id.as_str()
        || stored.version != Some(Version::V0x13.into())
        || (params.m_cost(), params.t_cost(), params.p_cost()) != (MEMORY_KIB, PASSES, LANES);
    Ok(Checked { right, outdated })
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher as _;
    use argon2::{Algorithm, Argon2, Params, Version};

    use super::{Checked, NOBODY, Passwords, check_now, hash_now};
    use crate::phi::Phi;

    #[test]
    fn a_password_is_right_and_any_other_is_wrong() {
        let password = Phi::from("four wet otters sing");
        let hash = hash_now(&password).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_eq!(check_now(&password, hash.as_str()).unwrap(), Checked { right: true, outdated: false });
        assert!(!check_now(&Phi::from("four wet otters sin"), hash.as_str()).unwrap().right);
        assert_ne!(hash_now(&password).unwrap().as_str(), hash.as_str(), "the salt is new");
        assert_eq!(format!("{hash:?}"), "HashedPassword(…)");
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let checked = check_now(&Phi::from("anything at all"), NOBODY).unwrap();
        assert_eq!(checked, Checked { right: false, outdated: false });
    }

    #[test]
    fn a_hash_of_other_parameters_is_outdated_and_still_right() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash = weak.hash_password_with_salt(b"four wet otters sing", &[7; 16]).unwrap().to_string();
        assert_eq!(
            check_now(&Phi::from("four wet otters sing"), &hash).unwrap(),
            Checked { right: true, outdated: true }
        );
        assert!(check_now(&Phi::from("x"), "not a hash").is_err());
    }

    #[tokio::test]
    async fn letters_typed_in_another_form_are_the_same_password() {
        let passwords = Passwords::default();
        let composed = passwords.hash(&Phi::from("caf\u{e9} au lait noir")).await.unwrap();
        let decomposed = Phi::from("cafe\u{301} au lait noir");
        assert!(passwords.check(&decomposed, Some(composed.as_str())).await.unwrap().right);
    }

    #[tokio::test]
    async fn a_known_hash_is_never_right_for_what_is_too_long_or_unknown() {
        let passwords = Passwords::default();
        let empty = passwords.hash(&Phi::default()).await.unwrap();
        let long = Phi::new("x".repeat(129));
        assert!(!passwords.check(&long, Some(empty.as_str())).await.unwrap().right);
        assert!(!passwords.check(&Phi::default(), None).await.unwrap().right);
    }
}
