//! Rows of `facilities`. The platform's own row is none of them.

use chrono::{DateTime, Utc};
use diesel::prelude::{
    BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _, OptionalExtension as _, QueryDsl as _,
    SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::{facilities, facility_members, member_roles};
use crate::domains::facilities::model::{
    FacilityRow, FacilityStatus, FacilitySuspensionReason, Member, MemberRole, MemberStatus, NewFacility,
    ProfileColumns, Refusal,
};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, MemberId, UserId};
use crate::pagination::PageRequest;

/// What `facilities.kind` says of the platform itself.
const PLATFORM: &str = "platform";

pub(in crate::domains::facilities) async fn find(
    mut db: &AsyncPgConnection,
    id: FacilityId,
) -> Result<Option<FacilityRow>> {
    Ok(facilities::table
        .filter(facilities::id.eq(id))
        .filter(facilities::kind.ne(PLATFORM))
        .select(FacilityRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Newest first.
pub(in crate::domains::facilities) async fn list_page(
    mut db: &AsyncPgConnection,
    status: Option<FacilityStatus>,
    page: PageRequest<FacilityId>,
) -> Result<Vec<FacilityRow>> {
    let mut listed = facilities::table.filter(facilities::kind.ne(PLATFORM)).into_boxed();
    if let Some(status) = status {
        listed = listed.filter(facilities::status.eq(status));
    }
    if let Some(after) = page.after {
        listed = listed.filter(facilities::id.lt(after));
    }
    Ok(listed.order(facilities::id.desc()).limit(page.limit()).select(FacilityRow::as_select()).load(&mut db).await?)
}

pub(in crate::domains::facilities) async fn count(
    mut db: &AsyncPgConnection,
    status: Option<FacilityStatus>,
) -> Result<i64> {
    let mut counted = facilities::table.filter(facilities::kind.ne(PLATFORM)).into_boxed();
    if let Some(status) = status {
        counted = counted.filter(facilities::status.eq(status));
    }
    Ok(counted.count().get_result(&mut db).await?)
}

/// Locks a facility's row until the transaction ends, so that changes of its members and roles come one after
/// another. `FOR NO KEY UPDATE`: `FOR UPDATE` would wait for every insert that refers to the facility, and two
/// requests that each hold such a reference (an idempotency key) would wait for each other.
pub(in crate::domains::facilities) async fn lock(mut db: &AsyncPgConnection, id: FacilityId) -> Result<()> {
    facilities::table
        .filter(facilities::id.eq(id))
        .select(facilities::id)
        .for_no_key_update()
        .first::<FacilityId>(&mut db)
        .await?;
    Ok(())
}

/// An identifier that another facility has.
fn npi_taken<T>(outcome: Result<T, diesel::result::Error>) -> Result<T, Stop<Refusal>> {
    match outcome {
        Err(error) if violated_constraint(&error) == Some("facilities_npi_key") => Err(Stop::refuse(
            Refusal::NpiTaken,
            &["input", "npi"],
            "another facility has this National Provider Identifier",
        )),
        outcome => Ok(outcome?),
    }
}

pub(in crate::domains::facilities) async fn insert(
    mut db: &AsyncPgConnection,
    new: NewFacility,
) -> Result<(), Stop<Refusal>> {
    npi_taken(diesel::insert_into(facilities::table).values(new).execute(&mut db).await)?;
    Ok(())
}

/// `false` when it has another version by now.
pub(in crate::domains::facilities) async fn update_profile_if_version(
    mut db: &AsyncPgConnection,
    id: FacilityId,
    version: i32,
    profile: ProfileColumns,
    now: DateTime<Utc>,
) -> Result<bool, Stop<Refusal>> {
    let target = facilities::table.filter(facilities::id.eq(id)).filter(facilities::version.eq(version));
    let changed = diesel::update(target)
        .set((profile, facilities::version.eq(version + 1), facilities::updated_at.eq(now)))
        .execute(&mut db)
        .await;
    Ok(npi_taken(changed)? == 1)
}

/// `false` when it has another version by now.
pub(in crate::domains::facilities) async fn update_settings_if_version(
    mut db: &AsyncPgConnection,
    id: FacilityId,
    version: i32,
    settings: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<bool> {
    let target = facilities::table.filter(facilities::id.eq(id)).filter(facilities::version.eq(version));
    let changed = diesel::update(target)
        .set((facilities::settings.eq(settings), facilities::version.eq(version + 1), facilities::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(changed == 1)
}

/// `false` when it is not in the state to start from.
pub(in crate::domains::facilities) async fn move_status(
    mut db: &AsyncPgConnection,
    id: FacilityId,
    from: FacilityStatus,
    to: (FacilityStatus, Option<FacilitySuspensionReason>),
    now: DateTime<Utc>,
) -> Result<bool> {
    let target = facilities::table.filter(facilities::id.eq(id)).filter(facilities::status.eq(from));
    let changed = diesel::update(target)
        .set((
            facilities::status.eq(to.0),
            facilities::status_reason.eq(to.1),
            facilities::version.eq(facilities::version + 1),
            facilities::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(changed == 1)
}

/// Facilities of a user's memberships that were not ended, and the memberships; in the order joined.
pub(in crate::domains::facilities) async fn memberships_of(
    mut db: &AsyncPgConnection,
    user: UserId,
) -> Result<Vec<(FacilityRow, Member)>> {
    Ok(facility_members::table
        .inner_join(facilities::table.on(facilities::id.eq(facility_members::facility_id)))
        .filter(facility_members::user_id.eq(user))
        .filter(facility_members::status.ne(MemberStatus::Removed))
        .filter(facilities::kind.ne(PLATFORM))
        .filter(facilities::status.ne(FacilityStatus::Shredded))
        .order((facility_members::joined_at, facility_members::id))
        .select((FacilityRow::as_select(), Member::as_select()))
        .load(&mut db)
        .await?)
}

/// Roles of memberships in several facilities.
pub(in crate::domains::facilities) async fn roles_of_memberships(
    mut db: &AsyncPgConnection,
    facilities: &[FacilityId],
    members: &[MemberId],
) -> Result<Vec<MemberRole>> {
    Ok(member_roles::table
        .filter(member_roles::facility_id.eq_any(facilities).and(member_roles::member_id.eq_any(members)))
        .order((member_roles::member_id, member_roles::primary_role.desc(), member_roles::id))
        .select(MemberRole::as_select())
        .load(&mut db)
        .await?)
}
