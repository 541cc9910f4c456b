//! Setting numbers up. Secrets go in and never come out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::model::{
    Integration, IntegrationSetup, NewIntegration, NewSecrets, OpenInterval, WhatsappIntegrationStatus,
};
use super::repository::{self, IntegrationRow, NewRow};
use super::{sealing, validation};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::crypto::token::Token;
use crate::domains::chat::conversations::service::admitted;
use crate::domains::chat::model::{ConversationKind, Refusal};
use crate::domains::chat::policy;
use crate::domains::facilities;
use crate::error::{Error, Result, Stop};
use crate::ids::{UserId, WhatsappIntegrationId, new_id};
use crate::phi::Phi;
use crate::whatsapp::{Credentials, MessengerError};

/// Most numbers of a facility.
const MAX_INTEGRATIONS: i64 = 20;

/// The facility's numbers by name.
///
/// # Errors
/// A denial, or a fault.
pub async fn integrations(ctx: &RequestContext) -> Result<Vec<Integration>> {
    let read = ctx.read(&policy::WHATSAPP_MANAGE).await?;
    repository::list(read.db()?, ctx.facility()).await?.into_iter().map(TryInto::try_into).collect()
}

/// One number.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn integration(ctx: &RequestContext, id: WhatsappIntegrationId) -> Result<Integration> {
    let read = ctx.read(&policy::WHATSAPP_MANAGE).await?;
    repository::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?.try_into()
}

/// Who takes part in new conversations of numbers.
///
/// # Errors
/// A denial, or a fault.
pub async fn members_of(
    ctx: &RequestContext,
    ids: &[WhatsappIntegrationId],
) -> Result<Vec<(WhatsappIntegrationId, UserId)>> {
    let read = ctx.read(&policy::WHATSAPP_MANAGE).await?;
    repository::members_of(read.db()?, ctx.facility(), ids).await
}

/// A number, and the token that is shown this once; `None` where the answer is one given before.
pub type Shown = (WhatsappIntegrationId, Option<Phi<String>>);

/// Refused unless everybody named works here and may take part.
async fn able(tx: &Tx, setup: &IntegrationSetup) -> Result<(), Stop<Refusal>> {
    let mut users = setup.participants.clone();
    users.push(setup.hand_over_to);
    let roles = facilities::service::roles_of_users(tx, &users).await?;
    admitted(&users, &roles, ConversationKind::Whatsapp).map(drop)
}

/// Sets a number up, with hours that are read once it is known who asks. It takes and sends nothing until the provider has
/// been told of the webhook and has shown the token.
///
/// # Errors
/// Refused when a value is malformed, somebody named may not take part, the number is set up already, or there are too
/// many.
pub async fn create_integration(
    ctx: &RequestContext,
    mut new: NewIntegration,
    hours: impl FnOnce() -> Result<Option<Vec<OpenInterval>>, Stop<Refusal>> + Send,
    once: Option<Once>,
) -> Result<Shown, Stop<Refusal>> {
    let token = Token::generate()?;
    let (hash, made) = (token.hash(), Arc::new(AtomicBool::new(false)));
    let making = Arc::clone(&made);
    let id = ctx
        .write(&policy::WHATSAPP_MANAGE)
        .once(once)
        .run(|tx| async move {
            new.setup.business_hours = hours()?;
            let new = validation::new(new)?;
            let (ctx, db, id): (_, _, WhatsappIntegrationId) = (tx.ctx(), tx.db()?, new_id());
            if repository::count(db, ctx.facility()).await? >= MAX_INTEGRATIONS {
                let sentence = format!("a facility has at most {MAX_INTEGRATIONS} numbers");
                return Err(Stop::refuse(Refusal::TooMany, &["input"], sentence));
            }
            able(&tx, &new.setup).await?;
            tx.audit(Subject::of(id), json!({ "change": "created" }));
            let keys = tx.keys().await?;
            let row = NewRow {
                id,
                phone_number_id: new.phone_number_id,
                access_token_ciphertext: sealing::seal_access_token(&keys, id, &new.access_token)?,
                app_secret_ciphertext: sealing::seal_app_secret(&keys, id, &new.app_secret)?,
                verify_token_hash: hash.as_bytes().to_vec(),
                created_by: ctx.user()?,
            };
            if !repository::insert(db, ctx.facility(), row, &new.setup, ctx.now()).await? {
                let sentence = "the facility has set that number up already";
                return Err(Stop::refuse(Refusal::NameTaken, &["input", "phoneNumberId"], sentence));
            }
            repository::set_members(db, ctx.facility(), id, &new.setup.participants).await?;
            making.store(true, Ordering::Relaxed);
            Ok(id)
        })
        .await?;
    Ok((id, made.load(Ordering::Relaxed).then(|| Phi::from(token.expose()))))
}

/// A number taken for a change, of the version that was read.
async fn taken(
    tx: &Tx,
    id: WhatsappIntegrationId,
    expected_version: i32,
    change: &str,
) -> Result<IntegrationRow, Stop<Refusal>> {
    tx.audit(Subject::of(id), json!({ "change": change }));
    let found = repository::lock(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)?;
    if found.version == expected_version {
        return Ok(found);
    }
    let sentence = "the number changed since it was read";
    Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], sentence))
}

/// Sets a number up differently. What goes on goes on with those who take part in it.
///
/// # Errors
/// Refused when a value is malformed, somebody named may not take part, or the version is stale.
pub async fn update_integration(
    ctx: &RequestContext,
    id: WhatsappIntegrationId,
    expected_version: i32,
    change: impl FnOnce(IntegrationSetup) -> Result<IntegrationSetup, Stop<Refusal>> + Send,
    secrets: NewSecrets,
    once: Option<Once>,
) -> Result<WhatsappIntegrationId, Stop<Refusal>> {
    ctx.write(&policy::WHATSAPP_MANAGE)
        .once(once)
        .run(|tx| async move {
            let found: Integration = taken(&tx, id, expected_version, "updated").await?.try_into()?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let members = repository::members_of(db, ctx.facility(), &[id]).await?;
            let setup = IntegrationSetup {
                name: found.name,
                business_account_id: found.business_account_id,
                participants: members.into_iter().map(|(_, user)| user).collect(),
                hand_over_to: found.hand_over_to,
                business_hours: found.business_hours,
                closed_reply: found.closed_reply,
                crisis_reply: found.crisis_reply,
            };
            let (setup, secrets) = (validation::setup(change(setup)?)?, validation::secrets(secrets)?);
            able(&tx, &setup).await?;
            let keys = tx.keys().await?;
            let token = secrets.access_token.map(|token| sealing::seal_access_token(&keys, id, &token)).transpose()?;
            let secret = secrets.app_secret.map(|secret| sealing::seal_app_secret(&keys, id, &secret)).transpose()?;
            repository::update(db, ctx.facility(), id, &setup, (token, secret), ctx.now()).await?;
            repository::set_members(db, ctx.facility(), id, &setup.participants).await?;
            Ok(id)
        })
        .await
}

/// Makes a new token for the webhook; the one before is good no more.
///
/// # Errors
/// Refused when the version is stale.
pub async fn renew_token(
    ctx: &RequestContext,
    id: WhatsappIntegrationId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<Shown, Stop<Refusal>> {
    let token = Token::generate()?;
    let (hash, made) = (token.hash(), Arc::new(AtomicBool::new(false)));
    let making = Arc::clone(&made);
    let id = ctx
        .write(&policy::WHATSAPP_MANAGE)
        .once(once)
        .run(|tx| async move {
            taken(&tx, id, expected_version, "token renewed").await?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            repository::set_token(db, ctx.facility(), id, hash.as_bytes().to_vec(), ctx.now()).await?;
            making.store(true, Ordering::Relaxed);
            Ok(id)
        })
        .await?;
    Ok((id, made.load(Ordering::Relaxed).then(|| Phi::from(token.expose()))))
}

/// Has a number take and send messages again, or no more. Once is enough for either.
///
/// # Errors
/// Refused when the version is stale.
pub async fn set_enabled(
    ctx: &RequestContext,
    id: WhatsappIntegrationId,
    expected_version: i32,
    enabled: bool,
    once: Option<Once>,
) -> Result<WhatsappIntegrationId, Stop<Refusal>> {
    ctx.write(&policy::WHATSAPP_MANAGE)
        .once(once)
        .run(|tx| async move {
            let found = taken(&tx, id, expected_version, if enabled { "enabled" } else { "disabled" }).await?;
            let status = match (enabled, found.verified_at) {
                (false, _) => WhatsappIntegrationStatus::Disabled,
                (true, None) => WhatsappIntegrationStatus::Pending,
                (true, Some(_)) => WhatsappIntegrationStatus::Active,
            };
            if found.status != status {
                repository::set_status(tx.db()?, tx.ctx().facility(), id, status, tx.ctx().now()).await?;
            }
            Ok(id)
        })
        .await
}

/// Asks the provider for the number: whether the credentials are good, and how people know it.
///
/// # Errors
/// Refused when the provider refuses, or cannot be asked.
pub async fn verify(
    ctx: &RequestContext,
    id: WhatsappIntegrationId,
    once: Option<Once>,
) -> Result<WhatsappIntegrationId, Stop<Refusal>> {
    let read = ctx.read(&policy::WHATSAPP_MANAGE).await?;
    let credentials = match repository::find(read.db()?, ctx.facility(), id).await? {
        Some(found) => Some(Credentials {
            access_token: sealing::open_access_token(&*read.keys().await?, id, &found.access_token_ciphertext)?,
            phone_number_id: found.phone_number_id,
        }),
        None => None,
    };
    drop(read);
    // No transaction is open while the provider is asked.
    ctx.finish().await?;
    let asked = match &credentials {
        Some(credentials) => Some(ctx.app().messenger.phone_number(credentials).await),
        None => None,
    };
    ctx.write(&policy::WHATSAPP_MANAGE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            tx.audit(Subject::of(id), json!({ "change": "verified" }));
            let asked = asked.ok_or(Error::NotFound)?;
            repository::lock(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let number = asked.map_err(|error| refused(&error))?;
            repository::set_number(db, ctx.facility(), id, number, ctx.now()).await?;
            Ok(id)
        })
        .await
}

fn refused(error: &MessengerError) -> Stop<Refusal> {
    let field = &["input", "id"];
    match error {
        MessengerError::Credentials(code) | MessengerError::Refused(code) => {
            Stop::refuse(Refusal::ProviderRefused, field, format!("WhatsApp refused with the code {code}"))
        }
        MessengerError::Later(code) => {
            Stop::refuse(Refusal::ProviderUnavailable, field, format!("WhatsApp is not to be asked now ({code})"))
        }
        MessengerError::Unknown => {
            Stop::refuse(Refusal::ProviderUnavailable, field, "WhatsApp gave no answer that is understood")
        }
    }
}
