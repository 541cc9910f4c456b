//! Verifying a signed note without a server, and giving out the keys to do it with.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Failure;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::domains::documents::bundle::{self, PublicKey};

#[derive(Debug, Subcommand)]
pub(super) enum DocumentsCommand {
    /// Verify the file of a signed note; needs neither server nor database.
    Verify {
        /// As `Document.signedBundle` gives it.
        file: PathBuf,
        /// Public keys had from the server itself (`anamnesis documents keys`); without them, the file's own are used,
        /// which anyone could have put there.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// Print the public keys that signatures on documents are verified with.
    Keys,
}

pub(super) fn run(command: DocumentsCommand) -> Result<(), Failure> {
    match command {
        DocumentsCommand::Verify { file, keys } => verify(&file, keys.as_deref()),
        DocumentsCommand::Keys => {
            let path = Config::from_environment()?.keyring.ok_or("ANAMNESIS_KEYRING is not set")?;
            let keys = bundle::public_keys(&Keyring::load(&path)?.audit_public_keys());
            println!("{}", serde_json::to_string_pretty(&keys)?);
            Ok(())
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn verify(file: &Path, keys: Option<&Path>) -> Result<(), Failure> {
    let trusted = match keys {
        None => None,
        Some(path) => {
            let keys: Vec<PublicKey> =
                serde_json::from_slice(&read(path)?).map_err(|_| format!("{} holds no public keys", path.display()))?;
            let keys = bundle::verifying_keys(&keys).ok_or("a public key has not the form of one")?;
            Some(keys)
        }
    };
    let told = bundle::verify(&read(file)?, trusted.as_ref())?;
    println!("OK    {} of {}", told.document, told.facility);
    for signature in &told.signatures {
        println!("      signed by {} at {}", signature.signer, signature.signed_at.to_rfc3339());
    }
    if trusted.is_none() {
        println!("      by the keys in the file itself: that they are the server's is known only with --keys");
    }
    Ok(())
}
