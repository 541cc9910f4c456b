//! Rows of `facility_invitations`.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::crypto::token::TokenHash;
use crate::db::schema::facility_invitations;
use crate::domains::facilities::model::{InvitationRow, InvitationStatus, NewInvitation, Refusal};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, InvitationId};
use crate::pagination::PageRequest;

/// Invitations of the facility in a state; one that ran out is pending in the table and expired to the reader.
fn listed(
    facility: FacilityId,
    status: Option<InvitationStatus>,
    now: DateTime<Utc>,
) -> facility_invitations::BoxedQuery<'static, Pg> {
    use facility_invitations::dsl::{expires_at, status as state};
    let pending = state.eq(InvitationStatus::Pending);
    let listed = facility_invitations::table.filter(facility_invitations::facility_id.eq(facility)).into_boxed();
    match status {
        None => listed,
        Some(InvitationStatus::Pending) => listed.filter(pending.and(expires_at.gt(now))),
        Some(InvitationStatus::Expired) => {
            listed.filter(state.eq(InvitationStatus::Expired).or(pending.and(expires_at.le(now))))
        }
        Some(status) => listed.filter(state.eq(status)),
    }
}

pub(in crate::domains::facilities) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: InvitationId,
) -> Result<Option<InvitationRow>> {
    Ok(facility_invitations::table
        .filter(facility_invitations::facility_id.eq(facility))
        .filter(facility_invitations::id.eq(id))
        .select(InvitationRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Locked until the transaction ends: of two who accept, resend or revoke at once, the second sees what the first
/// did.
pub(in crate::domains::facilities) async fn find_for_update(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: InvitationId,
) -> Result<Option<InvitationRow>> {
    Ok(facility_invitations::table
        .filter(facility_invitations::facility_id.eq(facility))
        .filter(facility_invitations::id.eq(id))
        .select(InvitationRow::as_select())
        .for_update()
        .first(&mut db)
        .await
        .optional()?)
}

/// Over all facilities: only the identity scope may.
pub(in crate::domains::facilities) async fn find_by_token(
    mut db: &AsyncPgConnection,
    token: &TokenHash,
) -> Result<Option<InvitationRow>> {
    Ok(facility_invitations::table
        .filter(facility_invitations::token_hash.eq(token.as_bytes().as_slice()))
        .select(InvitationRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Newest first.
pub(in crate::domains::facilities) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: Option<InvitationStatus>,
    now: DateTime<Utc>,
    page: PageRequest<InvitationId>,
) -> Result<Vec<InvitationRow>> {
    let mut listed = listed(facility, status, now);
    if let Some(after) = page.after {
        listed = listed.filter(facility_invitations::id.lt(after));
    }
    Ok(listed
        .order(facility_invitations::id.desc())
        .limit(page.limit())
        .select(InvitationRow::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::facilities) async fn count(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: Option<InvitationStatus>,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(listed(facility, status, now).count().get_result(&mut db).await?)
}

/// Makes way for a new invitation of an address whose old one ran out.
pub(in crate::domains::facilities) async fn expire(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    email_index: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let target = facility_invitations::table
        .filter(facility_invitations::facility_id.eq(facility))
        .filter(facility_invitations::email_index.eq(email_index))
        .filter(facility_invitations::status.eq(InvitationStatus::Pending))
        .filter(facility_invitations::expires_at.le(now));
    diesel::update(target)
        .set((facility_invitations::status.eq(InvitationStatus::Expired), facility_invitations::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::facilities) async fn insert(
    mut db: &AsyncPgConnection,
    new: NewInvitation,
) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(facility_invitations::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("facility_invitations_pending_key") => Err(Stop::refuse(
            Refusal::AlreadyInvited,
            &["input", "email"],
            "this address has a pending invitation: send that one again, or revoke it first",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Puts a new token in the place of the old one, which ends with it.
pub(in crate::domains::facilities) async fn renew(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: InvitationId,
    token: &TokenHash,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let target = facility_invitations::table
        .filter(facility_invitations::facility_id.eq(facility))
        .filter(facility_invitations::id.eq(id));
    diesel::update(target)
        .set((
            facility_invitations::token_hash.eq(token.as_bytes().as_slice()),
            facility_invitations::expires_at.eq(expires_at),
            facility_invitations::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Ends an invitation.
pub(in crate::domains::facilities) async fn close(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: InvitationId,
    status: InvitationStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    let target = facility_invitations::table
        .filter(facility_invitations::facility_id.eq(facility))
        .filter(facility_invitations::id.eq(id));
    let accepted_at = (status == InvitationStatus::Accepted).then_some(now);
    diesel::update(target)
        .set((
            facility_invitations::status.eq(status),
            facility_invitations::accepted_at.eq(accepted_at),
            facility_invitations::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}
