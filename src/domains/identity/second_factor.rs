//! Time-based one-time passwords (RFC 6238): SHA-1, six digits, 30 seconds, one step of tolerance, which is
//! what every authenticator app does. Pure: the last accepted step is given in and handed back.

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::crypto::random;
use crate::error::{Error, Result};
use crate::phi::Phi;

/// 160 bits, as RFC 4226, 4, recommends.
const SECRET_BYTES: usize = 20;
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// A clock may be one step off either way.
const TOLERANCE_STEPS: u16 = 1;
const ISSUER: &str = "Anamnesis";

/// What an authenticator app is given, once.
#[derive(Debug)]
pub struct Enrolment {
    /// The shared secret in base32, for typing.
    pub secret: Phi<String>,
    /// `otpauth://…`, for a QR code.
    pub url: Phi<String>,
}

/// A new secret.
pub(super) fn new_secret() -> Result<Phi<Vec<u8>>> {
    Ok(Phi::new(random::<SECRET_BYTES>()?.to_vec()))
}

/// What to show of a secret; `account` is the label in the app.
pub(super) fn enrolment(secret: &Phi<Vec<u8>>, account: &Phi<String>) -> Result<Enrolment> {
    // A colon ends the issuer in the label.
    let label = account.reveal_str().replace(':', "_");
    let totp = totp(secret, &label)?;
    let url = totp.to_url().map_err(|_| Error::internal("the otpauth URL cannot be made"))?;
    Ok(Enrolment { secret: Phi::new(totp.secret().to_base32()), url: Phi::new(url) })
}

/// The step a code stands for, when it is right and later than the last one accepted.
pub(super) fn accepted_step(
    secret: &Phi<Vec<u8>>,
    code: &str,
    last_used: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let typed: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let seconds = u64::try_from(now.timestamp()).map_err(Error::internal)?;
    let step = match totp(secret, "")?.check(&typed, seconds) {
        Some(step) => i64::try_from(step).map_err(Error::internal)?,
        None => return Ok(None),
    };
    Ok((last_used.is_none_or(|last| step > last)).then_some(step))
}

fn totp(secret: &Phi<Vec<u8>>, account: &str) -> Result<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_SECONDS)
        .with_skew(TOLERANCE_STEPS)
        .with_secret(Secret::from(secret.reveal().as_slice()))
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|_| Error::internal("the stored secret of a second factor is not one"))
}
