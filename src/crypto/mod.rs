//! Everything secret: keys, field and file encryption, blind indexes, signatures, links and tokens.
//!
//! The keys form three layers. A key ring file on the server's disk ([`keyring`]) holds master keys;
//! a master key wraps the data key and the index key of each facility ([`envelope`]); the data key
//! encrypts fields ([`field`]) and wraps the key of each file ([`stream`]), the index key makes the
//! search terms ([`blind_index`]). Deleting a facility's wrapped keys makes its records unreadable.
//!
//! Invariants:
//! - every ciphertext is bound to the place it stands in (table, column, facility, row; file and
//!   position), so a ciphertext moved elsewhere does not open: [`CryptoError::Tampered`];
//! - errors and `Debug` never hold a key, a plaintext or a token;
//! - keys are wiped from memory when dropped.
//!
//! Randomness comes from `aws-lc-rs` (a DRBG seeded by the operating system) and is not injected:
//! nothing here has an outcome that a test would want to repeat, and a test double that reached
//! production would be fatal.
//!
//! This module knows no database, no clock and no HTTP. Passwords and second factors belong to
//! `domains/identity`.

pub mod blind_index;
pub mod envelope;
mod error;
pub mod field;
mod key_store;
pub mod keyring;
mod secret;
pub mod signed_url;
pub mod signing;
pub mod stream;
pub mod token;

pub use error::{CryptoError, KeyringFault, Sealed, Unreadable};
pub use field::ColumnId;
pub use key_store::{FacilityKeys, KeyStore, PLATFORM_KEPT};
pub use keyring::Keyring;
pub use secret::Key32;

pub(crate) use secret::random;
