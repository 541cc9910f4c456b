//! Joining a facility: by the token of an invitation, or made a member by the server itself.

use std::sync::Arc;

use serde_json::json;

use super::{choice, roles};
use crate::access::{RequestContext, Subject, Tx};
use crate::crypto::token::TokenHash;
use crate::domains::facilities::model::{
    AcceptInvitation, Accepted, FacilityStatus, InvitationPreview, InvitationRow, InvitationStatus, MemberStatus,
    NewMember, Refusal, RoleGrant,
};
use crate::domains::facilities::{policy, repository, sealing, validation};
use crate::domains::identity;
use crate::domains::identity::model::NewAccount;
use crate::error::{Error, Refused, Result, Stop};
use crate::ids::{FacilityId, InvitationId, MemberId, UserId, new_id};
use crate::phi::Phi;

/// What a token invites to. Whoever holds it may know.
///
/// # Errors
/// [`Error::NotFound`] when there is no such invitation.
pub async fn preview_invitation(ctx: &RequestContext, token: &Phi<String>) -> Result<InvitationPreview> {
    let stranger = ctx.as_anonymous();
    let found = look_at(&stranger, token).await;
    stranger.finish().await?;
    found
}

async fn look_at(stranger: &RequestContext, token: &Phi<String>) -> Result<InvitationPreview> {
    let read = stranger.read(&policy::INVITATION_PREVIEW).await?;
    let hash = TokenHash::of_token(token.reveal());
    let row = repository::invitations::find_by_token(read.db()?, &hash).await?.ok_or(Error::NotFound)?;
    let facility = repository::facilities::find(read.db()?, row.facility_id).await?.ok_or(Error::NotFound)?;
    stranger.note_read(Subject::of(row.id));
    let status = row.status_at(stranger.now());
    Ok(InvitationPreview {
        facility_name: facility.name,
        roles: sealing::open_roles(row.roles)?,
        title: row.title,
        status,
        expires_at: row.expires_at,
        account_exists: identity::service::find_by_email_index(read.db()?, row.email_index).await?.is_some(),
    })
}

/// What a stranger's look at the token says.
#[derive(Debug, Clone, Copy)]
struct Found {
    facility: FacilityId,
    invitation: InvitationId,
    /// Whether an account has to be made for it.
    wants_account: bool,
}

/// Accepts an invitation: joins whoever is signed in with its address, or makes an account for an address that
/// has none.
///
/// # Errors
/// Refused when the token is unknown, expired, revoked or used; when the address has an account that is not
/// signed in, or another one is; when the password is too weak.
pub async fn accept_invitation(ctx: &RequestContext, answer: AcceptInvitation) -> Result<Accepted, Stop<Refusal>> {
    ctx.finish().await?;
    let stranger = ctx.as_anonymous();
    let found = find(&stranger, &answer.token).await;
    stranger.finish().await?;
    let found = found?;
    // Hashing a password takes long: it is done before anything is locked, and only where it will be used.
    let account = match found {
        Some(found) if found.wants_account && ctx.user().is_err() => Some(prepare(ctx, found, answer).await),
        _ => None,
    };
    choice::outside(ctx)
        .write(&policy::INVITATION_ACCEPT)
        .run(|tx| async move {
            let Some(found) = found else { return Err(invalid()) };
            join_by_invitation(&tx, found, account).await
        })
        .await
}

async fn find(stranger: &RequestContext, token: &Phi<String>) -> Result<Option<Found>> {
    let read = stranger.read(&policy::INVITATION_ACCEPT).await?;
    let hash = TokenHash::of_token(token.reveal());
    let Some(row) = repository::invitations::find_by_token(read.db()?, &hash).await? else { return Ok(None) };
    let pending = row.status_at(stranger.now()) == InvitationStatus::Pending;
    let account = identity::service::find_by_email_index(read.db()?, row.email_index).await?;
    let wants_account = pending && account.is_none();
    Ok(Some(Found { facility: row.facility_id, invitation: row.id, wants_account }))
}

/// Reads what a new account is made of. The address is the invitation's, never the caller's to choose.
async fn prepare(ctx: &RequestContext, found: Found, answer: AcceptInvitation) -> Result<NewAccount, Stop<Refusal>> {
    let facility = RequestContext::system(Arc::clone(ctx.app()), found.facility, "an invitation is accepted");
    let email = invited_address(&facility, found.invitation).await;
    facility.finish().await?;
    let email = email?;
    let (name, password) = validation::new_account(answer.display_name, answer.password)?;
    let password =
        identity::service::prepare_password(ctx, "password", &password, &email, &name).await.map_err(from_identity)?;
    Ok(NewAccount {
        email,
        display_name: name,
        phone: None,
        password: Some(password),
        locale: None,
        time_zone: None,
        npi: None,
        license_number: None,
    })
}

async fn invited_address(facility: &RequestContext, id: InvitationId) -> Result<Phi<String>> {
    let read = facility.read(&policy::INVITATION_ACCEPT).await?;
    let row = repository::invitations::find(read.db()?, facility.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_email(&*read.keys().await?, id, &row.email_ciphertext)
}

async fn join_by_invitation(
    tx: &Tx,
    found: Found,
    account: Option<Result<NewAccount, Stop<Refusal>>>,
) -> Result<Accepted, Stop<Refusal>> {
    let (ctx, Found { facility, invitation: id, .. }) = (tx.ctx(), found);
    let entered = tx.enter(facility).await?;
    tx.audit_in(entered, Subject::of(id), json!({}));
    let account = account.transpose()?;
    repository::facilities::lock(tx.db()?, facility).await?;
    let row = repository::invitations::find_for_update(tx.db()?, facility, id).await?.ok_or_else(invalid)?;
    still_open(&row, ctx.now())?;
    let home = repository::facilities::find(tx.db()?, facility).await?.ok_or_else(invalid)?;
    if home.status != FacilityStatus::Active {
        return Err(refuse_token(Refusal::FacilityNotActive, "the facility is suspended"));
    }
    let account_created = account.is_some();
    let user = whose(tx, &row, account).await?;
    let roles = sealing::open_roles(row.roles)?;
    let member = join(tx, facility, NewcomerRow { user, roles, title: row.title, invited_by: row.invited_by }).await?;
    repository::invitations::close(tx.db()?, facility, id, InvitationStatus::Accepted, ctx.now()).await?;
    tx.audit_in(entered, Subject::of(member), json!({ "accountCreated": account_created }));
    Ok(Accepted { facility, facility_name: home.name, member, account_created })
}

/// The account that joins: the one signed in, or a new one.
async fn whose(tx: &Tx, row: &InvitationRow, account: Option<NewAccount>) -> Result<UserId, Stop<Refusal>> {
    let owner = identity::service::find_by_email_index(tx.db()?, row.email_index).await?;
    match (tx.ctx().user().ok(), owner, account) {
        (Some(user), Some(owner), _) if user == owner => Ok(user),
        (Some(_), _, _) => Err(refuse_token(
            Refusal::WrongAccount,
            "the invitation is for another e-mail address: sign in with that one, or sign out",
        )),
        (None, None, Some(account)) => identity::service::create_account(tx, account).await.map_err(from_identity),
        (None, _, _) => {
            Err(refuse_token(Refusal::SignInFirst, "this address has an account: sign in with it, then accept"))
        }
    }
}

/// Makes someone a member without asking: for the demo's loader and operator commands.
///
/// # Errors
/// Refused when the roles are not as they must be, or the user is a member already.
pub async fn add_member(
    ctx: &RequestContext,
    user: UserId,
    roles: Vec<RoleGrant>,
    title: Option<String>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_ADD)
        .run(|tx| async move {
            let (roles, title) = (validation::roles(roles)?, validation::title(title)?);
            let facility = tx.ctx().facility();
            repository::facilities::lock(tx.db()?, facility).await?;
            let member = join(&tx, facility, NewcomerRow { user, roles, title, invited_by: None }).await?;
            tx.audit(Subject::of(member), json!({}));
            Ok(member)
        })
        .await
}

/// Someone about to become a member.
struct NewcomerRow {
    user: UserId,
    roles: Vec<RoleGrant>,
    title: Option<String>,
    invited_by: Option<UserId>,
}

/// Makes a member, or brings a removed one back with the new roles alone.
async fn join(tx: &Tx, facility: FacilityId, newcomer: NewcomerRow) -> Result<MemberId, Stop<Refusal>> {
    let NewcomerRow { user, roles: granted, title, invited_by } = newcomer;
    let now = tx.ctx().now();
    let known = repository::members::find_by_user(tx.db()?, facility, user).await?;
    let id = known.as_ref().map_or_else(new_id, |member| member.id);
    let row = NewMember {
        facility_id: facility,
        id,
        user_id: user,
        status: MemberStatus::Active,
        title,
        invited_by,
        joined_at: now,
        created_at: now,
        updated_at: now,
    };
    match known.map(|member| member.status) {
        None => repository::members::insert(tx.db()?, row).await?,
        Some(MemberStatus::Removed) => {
            let held = repository::roles::of_members(tx.db()?, facility, &[id]).await?;
            let held: Vec<_> = held.into_iter().map(|role| role.id).collect();
            repository::roles::delete(tx.db()?, facility, &held).await?;
            repository::members::rejoin(tx.db()?, facility, id, &row).await?;
        }
        Some(MemberStatus::Active) => {
            return Err(refuse_token(Refusal::AlreadyMember, "already a member of the facility"));
        }
        Some(MemberStatus::Suspended) => {
            return Err(refuse_token(
                Refusal::MemberSuspended,
                "the membership is suspended: an administrator can reinstate it",
            ));
        }
    }
    roles::insert_in(tx, facility, id, granted).await?;
    Ok(id)
}

fn still_open(row: &InvitationRow, now: chrono::DateTime<chrono::Utc>) -> Result<(), Stop<Refusal>> {
    match row.status_at(now) {
        InvitationStatus::Pending => Ok(()),
        InvitationStatus::Expired => {
            Err(refuse_token(Refusal::InvitationExpired, "the invitation has run out: ask for a new one"))
        }
        InvitationStatus::Revoked => Err(refuse_token(Refusal::InvitationRevoked, "the invitation was taken back")),
        InvitationStatus::Accepted => Err(refuse_token(Refusal::InvitationUsed, "the invitation was accepted before")),
    }
}

fn invalid() -> Stop<Refusal> {
    refuse_token(Refusal::InvitationInvalid, "there is no such invitation: perhaps a newer mail has replaced this one")
}

fn refuse_token(code: Refusal, message: &'static str) -> Stop<Refusal> {
    Stop::refuse(code, &["input", "token"], message)
}

/// What identity says no to, in this domain's words.
fn from_identity(stop: Stop<identity::model::Refusal>) -> Stop<Refusal> {
    let translated = |refused: Refused<identity::model::Refusal>| Refused {
        code: match refused.code {
            identity::model::Refusal::WeakPassword => Refusal::WeakPassword,
            // Someone else made an account with the address in the same moment.
            identity::model::Refusal::EmailTaken => Refusal::SignInFirst,
            _ => Refusal::Invalid,
        },
        field: refused.field,
        message: refused.message,
    };
    match stop {
        Stop::Refused(all) => Stop::Refused(all.into_iter().map(translated).collect()),
        Stop::Error(error) => Stop::Error(error),
    }
}
