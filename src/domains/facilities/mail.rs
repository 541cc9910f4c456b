//! Mail of the domain, in the outbox: what is queued, and how it is opened to be sent. The payload holds an id
//! and a token encrypted under the facility's key for the job's own row.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::model::InvitationStatus;
use super::{policy, repository, sealing};
use crate::access::RequestContext;
use crate::crypto::token::{Token, TokenHash};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::error::{Error, Result};
use crate::ids::{FacilityId, InvitationId, TypedId as _};
use crate::jobs::{Failure, Handler, Handlers, Job, NewJob};
use crate::mail::{self, Letter};
use crate::phi::Phi;

/// Kind of the job that sends an invitation.
pub const INVITATION: &str = "mail.invitation";

const PAYLOAD: ColumnId = ColumnId::new("jobs", "payload");

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    invitation: InvitationId,
    /// Ciphertext in base64.
    token: String,
}

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct InvitationMail {
    pub to: Phi<String>,
    pub facility_name: String,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// Goes into the link. Good once.
    pub token: Phi<String>,
}

/// The job that sends an invitation. Keys are those of the facility.
pub(super) fn invitation_job(
    facility: FacilityId,
    keys: &FacilityKeys,
    invitation: InvitationId,
    token: &Token,
) -> Result<NewJob> {
    let mut job = NewJob::new(facility, INVITATION, serde_json::Value::Null);
    let sealed = keys.fields.encrypt(PAYLOAD, job.id.uuid(), token.expose().as_bytes())?;
    job.payload = serde_json::to_value(Payload { invitation, token: STANDARD.encode(sealed) })?;
    Ok(job)
}

/// Opens the mail of a job of kind [`INVITATION`], in the facility's own system context. `None` when there is
/// nothing to send any more: the invitation was answered, revoked, sent again, or ran out meanwhile.
///
/// # Errors
/// A fault; [`Error::Forbidden`] for anyone but the system.
pub async fn invitation(ctx: &RequestContext, job: &Job) -> Result<Option<InvitationMail>> {
    let payload: Payload = serde_json::from_value(job.payload.clone())?;
    let sealed = STANDARD.decode(payload.token).map_err(|_| Error::internal("a queued token is not base64"))?;
    let read = ctx.read(&policy::MAIL).await?;
    let keys = read.keys().await?;
    let token = keys.fields.decrypt_text(PAYLOAD, job.id.uuid(), &sealed)?;
    let hash = TokenHash::of_token(token.reveal_str());
    let row = repository::invitations::find_by_token(read.db()?, &hash).await?;
    let open = row.filter(|row| row.id == payload.invitation && row.status_at(ctx.now()) == InvitationStatus::Pending);
    let Some(row) = open else { return Ok(None) };
    let facility = repository::facilities::find(read.db()?, ctx.facility()).await?.ok_or(Error::NotFound)?;
    Ok(Some(InvitationMail {
        to: sealing::open_email(&keys, row.id, &row.email_ciphertext)?,
        facility_name: facility.name,
        expires_at: row.expires_at,
        token,
    }))
}

/// Adds the jobs of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(INVITATION, Arc::new(SendInvitation));
}

struct SendInvitation;

impl Handler for SendInvitation {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let opened = invitation(&ctx, job).await?;
            // No connection is held while a mail server answers.
            ctx.finish().await?;
            let Some(invitation) = opened else { return Ok(()) };
            let link = ctx.app().mailer.link("invitation", &invitation.token);
            mail::send(ctx.app(), job.id, letter(invitation, &link)).await
        }
        .boxed()
    }
}

/// In English, until there is another language.
fn letter(invitation: InvitationMail, link: &Phi<String>) -> Letter {
    let text = format!(
        "{} invites you to work with its records.\n\n\
         Open this link before {} UTC. It works once:\n\n{}\n\n\
         If you did not expect this, there is nothing to do.\n",
        invitation.facility_name,
        invitation.expires_at.format("%Y-%m-%d %H:%M"),
        link.reveal(),
    );
    Letter { to: invitation.to, subject: format!("Invitation to {}", invitation.facility_name), text: text.into() }
}
