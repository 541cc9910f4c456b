//! Mail of the domain, in the outbox: what is queued, and how it is opened to be sent. The payload holds an id
//! and a token encrypted under the platform's key for the job's own row.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::model::UserStatus;
use super::repository::{accounts, resets};
use super::service::RESET_MINUTES;
use super::{policy, sealing};
use crate::access::RequestContext;
use crate::crypto::token::{Token, TokenHash};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, JobId, TypedId as _, UserId};
use crate::jobs::{Failure, Handler, Handlers, Job, NewJob};
use crate::mail::{self, Letter};
use crate::phi::Phi;

/// Kind of the job that sends a password reset.
pub const PASSWORD_RESET: &str = "mail.password_reset";

const PAYLOAD: ColumnId = ColumnId::new("jobs", "payload");

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    /// Nobody, when the address has no account: the job is queued all the same.
    user: Option<UserId>,
    /// Ciphertext in base64.
    token: String,
}

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct PasswordResetMail {
    pub to: Phi<String>,
    pub display_name: Phi<String>,
    /// BCP 47 tag of the language to write in.
    pub locale: String,
    /// Goes into the link. Good once, and not for long.
    pub token: Phi<String>,
}

/// The job that sends a reset to an account, or to nobody.
pub(super) fn password_reset_job(keys: &FacilityKeys, user: Option<UserId>, token: &Token) -> Result<NewJob> {
    let mut job = NewJob::new(FacilityId::PLATFORM, PASSWORD_RESET, serde_json::Value::Null);
    let sealed = keys.fields.encrypt(PAYLOAD, job.id.uuid(), token.expose().as_bytes())?;
    job.payload = serde_json::to_value(Payload { user, token: STANDARD.encode(sealed) })?;
    Ok(job)
}

/// Opens the mail of a job of kind [`PASSWORD_RESET`]. `None` when there is nothing to send: nobody has the
/// address, the account was suspended, or the reset was used or ran out meanwhile.
///
/// # Errors
/// A fault; [`Error::Forbidden`] for anyone but the system.
pub async fn password_reset(ctx: &RequestContext, job: &Job) -> Result<Option<PasswordResetMail>> {
    open(ctx, job.id, job.payload.clone()).await
}

async fn open(ctx: &RequestContext, job: JobId, payload: serde_json::Value) -> Result<Option<PasswordResetMail>> {
    let payload: Payload = serde_json::from_value(payload)?;
    let Some(user) = payload.user else { return Ok(None) };
    let sealed = STANDARD.decode(payload.token).map_err(|_| Error::internal("a queued token is not base64"))?;
    let read = ctx.read(&policy::MAIL).await?;
    let keys = read.platform_keys().await?;
    let token = keys.fields.decrypt_text(PAYLOAD, job.uuid(), &sealed)?;
    let reset = resets::find(read.db()?, &TokenHash::of_token(token.reveal_str())).await?;
    let row = accounts::find(read.db()?, user).await?.filter(|row| row.status == UserStatus::Active);
    let Some(row) = row.filter(|_| reset.is_some_and(|reset| reset.is_open(ctx.now()))) else { return Ok(None) };
    let owner = sealing::open_owner(&keys, &row)?;
    Ok(Some(PasswordResetMail { to: owner.email, display_name: owner.display_name, locale: row.locale, token }))
}

/// Adds the jobs of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(PASSWORD_RESET, Arc::new(SendPasswordReset));
}

struct SendPasswordReset;

impl Handler for SendPasswordReset {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let opened = password_reset(&ctx, job).await?;
            // No connection is held while a mail server answers.
            ctx.finish().await?;
            let Some(reset) = opened else { return Ok(()) };
            let link = ctx.app().mailer.link("password-reset", &reset.token);
            mail::send(ctx.app(), job.id, letter(reset, &link)).await
        }
        .boxed()
    }
}

/// In English, until there is another language.
fn letter(reset: PasswordResetMail, link: &Phi<String>) -> Letter {
    let text = format!(
        "Somebody, most likely you, asked to set a new password for your account.\n\n\
         Open this link within {RESET_MINUTES} minutes of asking. It works once:\n\n{}\n\n\
         If it was not you, there is nothing to do: your password stays as it is.\n",
        link.reveal(),
    );
    Letter { to: reset.to, subject: "Set a new password".to_owned(), text: text.into() }
}
