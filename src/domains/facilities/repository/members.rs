//! Rows of `facility_members`.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::pg::Pg;
use diesel::prelude::{
    ExpressionMethods as _, JoinOnDsl as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::access::Role;
use crate::db::schema::{facility_members, member_roles, users};
use crate::domains::facilities::model::{Member, MemberStatus, NewMember, StatusChange};
use crate::error::Result;
use crate::ids::{FacilityId, MemberId, UserId};
use crate::pagination::PageRequest;

/// Members of the facility that the two filters let through.
fn listed(
    facility: FacilityId,
    status: Option<MemberStatus>,
    role: Option<Role>,
) -> facility_members::BoxedQuery<'static, Pg> {
    let mut listed = facility_members::table.filter(facility_members::facility_id.eq(facility)).into_boxed();
    if let Some(status) = status {
        listed = listed.filter(facility_members::status.eq(status));
    }
    if let Some(role) = role {
        listed = listed.filter(exists(
            member_roles::table
                .filter(member_roles::facility_id.eq(facility_members::facility_id))
                .filter(member_roles::member_id.eq(facility_members::id))
                .filter(member_roles::role.eq(role)),
        ));
    }
    listed
}

pub(in crate::domains::facilities) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberId,
) -> Result<Option<Member>> {
    Ok(facility_members::table
        .filter(facility_members::facility_id.eq(facility))
        .filter(facility_members::id.eq(id))
        .select(Member::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(in crate::domains::facilities) async fn find_by_user(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
) -> Result<Option<Member>> {
    Ok(facility_members::table
        .filter(facility_members::facility_id.eq(facility))
        .filter(facility_members::user_id.eq(user))
        .select(Member::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// The member whose login has the address, whatever their status.
pub(in crate::domains::facilities) async fn find_by_email(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    email_index: i64,
) -> Result<Option<Member>> {
    Ok(facility_members::table
        .inner_join(users::table.on(users::id.eq(facility_members::user_id)))
        .filter(facility_members::facility_id.eq(facility))
        .filter(users::email_index.eq(email_index))
        .select(Member::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Newest first.
pub(in crate::domains::facilities) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: Option<MemberStatus>,
    role: Option<Role>,
    page: PageRequest<MemberId>,
) -> Result<Vec<Member>> {
    let mut listed = listed(facility, status, role);
    if let Some(after) = page.after {
        listed = listed.filter(facility_members::id.lt(after));
    }
    Ok(listed.order(facility_members::id.desc()).limit(page.limit()).select(Member::as_select()).load(&mut db).await?)
}

pub(in crate::domains::facilities) async fn count(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: Option<MemberStatus>,
    role: Option<Role>,
) -> Result<i64> {
    Ok(listed(facility, status, role).count().get_result(&mut db).await?)
}

/// The newest members the filters let through, up to a number, for a search that has to open their names.
pub(in crate::domains::facilities) async fn list_newest(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    status: Option<MemberStatus>,
    role: Option<Role>,
    most: i64,
) -> Result<Vec<Member>> {
    Ok(listed(facility, status, role)
        .order(facility_members::id.desc())
        .limit(most)
        .select(Member::as_select())
        .load(&mut db)
        .await?)
}

pub(in crate::domains::facilities) async fn insert(mut db: &AsyncPgConnection, new: NewMember) -> Result<()> {
    diesel::insert_into(facility_members::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// Brings a removed member back, as if new.
pub(in crate::domains::facilities) async fn rejoin(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberId,
    new: &NewMember,
) -> Result<()> {
    let target =
        facility_members::table.filter(facility_members::facility_id.eq(facility)).filter(facility_members::id.eq(id));
    let status = StatusChange {
        status: MemberStatus::Active,
        status_reason: None,
        suspended_at: None,
        removed_at: None,
        updated_at: new.updated_at,
    };
    diesel::update(target)
        .set((
            status,
            facility_members::title.eq(&new.title),
            facility_members::invited_by.eq(new.invited_by),
            facility_members::joined_at.eq(new.joined_at),
            facility_members::version.eq(facility_members::version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::facilities) async fn change_status(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberId,
    change: StatusChange,
) -> Result<()> {
    let target =
        facility_members::table.filter(facility_members::facility_id.eq(facility)).filter(facility_members::id.eq(id));
    diesel::update(target)
        .set((change, facility_members::version.eq(facility_members::version + 1)))
        .execute(&mut db)
        .await?;
    Ok(())
}

pub(in crate::domains::facilities) async fn change_title(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberId,
    title: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let target =
        facility_members::table.filter(facility_members::facility_id.eq(facility)).filter(facility_members::id.eq(id));
    diesel::update(target)
        .set((
            facility_members::title.eq(title),
            facility_members::version.eq(facility_members::version + 1),
            facility_members::updated_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Counts the version up: the member's roles changed.
pub(in crate::domains::facilities) async fn touch(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberId,
    now: DateTime<Utc>,
) -> Result<()> {
    let target =
        facility_members::table.filter(facility_members::facility_id.eq(facility)).filter(facility_members::id.eq(id));
    diesel::update(target)
        .set((facility_members::version.eq(facility_members::version + 1), facility_members::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(())
}
