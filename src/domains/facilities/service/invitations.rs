//! Invitations, on the side of the facility: made, sent again, taken back.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::facilities::settings;
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::crypto::FacilityKeys;
use crate::crypto::token::Token;
use crate::domains::facilities::model::{
    Invitation, InvitationRow, InvitationStatus, InviteMember, MemberStatus, NewInvitation, Refusal, Settings,
};
use crate::domains::facilities::{mail, policy, repository, sealing, validation};
use crate::domains::identity;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, InvitationId, new_id};
use crate::jobs;
use crate::pagination::{Page, PageRequest};

/// Invitations of one facility that wait for an answer. A whole hospital is invited in less; a stolen account
/// does not mail the world.
const MOST_PENDING: i64 = 500;
/// How long an invitation rests before it is sent again.
const REST: TimeDelta = TimeDelta::seconds(60);

/// One invitation.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn invitation(ctx: &RequestContext, id: InvitationId) -> Result<Invitation> {
    let read = ctx.read(&policy::MEMBERS_MANAGE).await?;
    let row = repository::invitations::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_invitation(ctx, &*read.keys().await?, row)
}

/// A page of invitations, newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_invitations(
    ctx: &RequestContext,
    status: Option<InvitationStatus>,
    page: PageRequest<InvitationId>,
) -> Result<Page<Invitation>> {
    let read = ctx.read(&policy::MEMBERS_MANAGE).await?;
    let rows = repository::invitations::list_page(read.db()?, ctx.facility(), status, ctx.now(), page).await?;
    let keys = read.keys().await?;
    let page = page.cut(rows);
    let rows =
        page.rows.into_iter().map(|row| sealing::open_invitation(ctx, &keys, row)).collect::<Result<Vec<_>>>()?;
    Ok(Page { rows, has_next: page.has_next })
}

/// How many invitations [`list_invitations`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_invitations(ctx: &RequestContext, status: Option<InvitationStatus>) -> Result<i64> {
    let read = ctx.read(&policy::MEMBERS_MANAGE).await?;
    repository::invitations::count(read.db()?, ctx.facility(), status, ctx.now()).await
}

/// Invites someone by e-mail.
///
/// # Errors
/// Refused when a value is malformed, the address is a member's or invited already, or too many invitations wait.
pub async fn invite_member(
    ctx: &RequestContext,
    invite: InviteMember,
    once: Option<Once>,
) -> Result<InvitationId, Stop<Refusal>> {
    ctx.write(&policy::INVITE)
        .once(once)
        .run(|tx| async move {
            let invite = validation::invitation(invite)?;
            let (ctx, facility) = (tx.ctx(), tx.ctx().facility());
            let index = identity::service::email_index(ctx, &invite.email);
            not_a_member(&tx, facility, index).await?;
            repository::invitations::expire(tx.db()?, facility, index, ctx.now()).await?;
            let pending = Some(InvitationStatus::Pending);
            if repository::invitations::count(tx.db()?, facility, pending, ctx.now()).await? >= MOST_PENDING {
                let message = format!("{MOST_PENDING} invitations wait for an answer already: revoke some first");
                return Err(Stop::refuse(Refusal::TooManyInvitations, &[], message));
            }
            let roles: Vec<&str> = invite.roles.iter().map(|grant| grant.role.as_str()).collect();
            let detail = json!({ "roles": roles });
            let keys = tx.keys().await?;
            let settings = settings(&tx).await?;
            let id = issue(&tx, facility, &keys, invite, settings).await?;
            tx.audit(Subject::of(id), detail);
            Ok(id)
        })
        .await
}

/// Makes the invitation and queues its mail, in a facility the transaction is bound to.
pub(super) async fn issue(
    tx: &Tx,
    facility: FacilityId,
    keys: &FacilityKeys,
    invite: InviteMember,
    settings: Settings,
) -> Result<InvitationId, Stop<Refusal>> {
    let ctx = tx.ctx();
    let id: InvitationId = new_id();
    let token = Token::generate()?;
    let row = NewInvitation {
        facility_id: facility,
        id,
        token_hash: token.hash().as_bytes().to_vec(),
        email_ciphertext: sealing::seal_email(keys, id, &invite.email)?,
        email_index: identity::service::email_index(ctx, &invite.email),
        roles: serde_json::to_value(&invite.roles).map_err(Error::from)?,
        title: invite.title,
        invited_by: ctx.user().ok(),
        status: InvitationStatus::Pending,
        expires_at: expiry(ctx, settings),
        created_at: ctx.now(),
        updated_at: ctx.now(),
    };
    repository::invitations::insert(tx.db()?, row).await?;
    jobs::enqueue(tx, mail::invitation_job(facility, keys, id, &token)?).await?;
    Ok(id)
}

/// Sends an invitation again, with a new token: the link in the earlier mail ends.
///
/// # Errors
/// Refused when it was accepted or revoked, was sent a moment ago, or the address has become a member's.
pub async fn resend_invitation(
    ctx: &RequestContext,
    id: InvitationId,
    once: Option<Once>,
) -> Result<InvitationId, Stop<Refusal>> {
    ctx.write(&policy::INVITATION_RESEND)
        .once(once)
        .run(|tx| async move {
            let (ctx, facility) = (tx.ctx(), tx.ctx().facility());
            let row = open(&tx, id).await?;
            tx.audit(Subject::of(id), json!({}));
            not_a_member(&tx, facility, row.email_index).await?;
            if ctx.now() - row.updated_at < REST {
                return Err(Stop::refuse(
                    Refusal::TooManyInvitations,
                    &["input", "invitationId"],
                    "it was sent a moment ago: wait a minute",
                ));
            }
            let keys = tx.keys().await?;
            let token = Token::generate()?;
            let expires_at = expiry(ctx, settings(&tx).await?);
            repository::invitations::renew(tx.db()?, facility, id, &token.hash(), expires_at, ctx.now()).await?;
            jobs::enqueue(&tx, mail::invitation_job(facility, &keys, id, &token)?).await?;
            Ok(id)
        })
        .await
}

/// Takes an invitation back.
///
/// # Errors
/// Refused when it was accepted or revoked.
pub async fn revoke_invitation(
    ctx: &RequestContext,
    id: InvitationId,
    once: Option<Once>,
) -> Result<InvitationId, Stop<Refusal>> {
    ctx.write(&policy::INVITATION_REVOKE)
        .once(once)
        .run(|tx| async move {
            let (ctx, facility) = (tx.ctx(), tx.ctx().facility());
            open(&tx, id).await?;
            tx.audit(Subject::of(id), json!({}));
            repository::invitations::close(tx.db()?, facility, id, InvitationStatus::Revoked, ctx.now()).await?;
            Ok(id)
        })
        .await
}

/// An invitation that still waits for an answer, or ran out waiting; locked.
async fn open(tx: &Tx, id: InvitationId) -> Result<InvitationRow, Stop<Refusal>> {
    let found = repository::invitations::find_for_update(tx.db()?, tx.ctx().facility(), id).await?;
    let row = found.ok_or(Error::NotFound)?;
    if row.status == InvitationStatus::Pending {
        return Ok(row);
    }
    Err(Stop::refuse(
        Refusal::InvitationClosed,
        &["input", "invitationId"],
        "the invitation was accepted, revoked or replaced, and is not changed any more",
    ))
}

/// Refuses an address whose login is in the facility already. A removed member may come back.
async fn not_a_member(tx: &Tx, facility: FacilityId, email_index: i64) -> Result<(), Stop<Refusal>> {
    let found = repository::members::find_by_email(tx.db()?, facility, email_index).await?;
    match found.map(|member| member.status) {
        None | Some(MemberStatus::Removed) => Ok(()),
        Some(MemberStatus::Active) => {
            Err(Stop::refuse(Refusal::AlreadyMember, &["input", "email"], "this address belongs to a member"))
        }
        Some(MemberStatus::Suspended) => Err(Stop::refuse(
            Refusal::MemberSuspended,
            &["input", "email"],
            "this address belongs to a suspended member: reinstate them instead",
        )),
    }
}

fn expiry(ctx: &RequestContext, settings: Settings) -> DateTime<Utc> {
    ctx.now() + TimeDelta::days(i64::from(settings.invitation_days))
}
