//! Rows of `member_roles`.

use diesel::dsl::count;
use diesel::prelude::{
    AggregateExpressionMethods as _, BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _,
    OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::access::Role;
use crate::db::schema::{facility_members, member_roles};
use crate::domains::facilities::model::{Department, MemberRole, MemberStatus, NewMemberRole, Refusal};
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{FacilityId, MemberId, MemberRoleId, UserId};

/// Roles of several members: the primary one first, then in the order granted.
pub(in crate::domains::facilities) async fn of_members(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    members: &[MemberId],
) -> Result<Vec<MemberRole>> {
    Ok(member_roles::table
        .filter(member_roles::facility_id.eq(facility))
        .filter(member_roles::member_id.eq_any(members))
        .order((member_roles::member_id, member_roles::primary_role.desc(), member_roles::id))
        .select(MemberRole::as_select())
        .load(&mut db)
        .await?)
}

/// Roles that these users hold as active members.
pub(in crate::domains::facilities) async fn of_users(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    users: &[UserId],
) -> Result<Vec<(UserId, Role)>> {
    Ok(facility_members::table
        .inner_join(
            member_roles::table.on(member_roles::facility_id
                .eq(facility_members::facility_id)
                .and(member_roles::member_id.eq(facility_members::id))),
        )
        .filter(facility_members::facility_id.eq(facility))
        .filter(facility_members::user_id.eq_any(users))
        .filter(facility_members::status.eq(MemberStatus::Active))
        .select((facility_members::user_id, member_roles::role))
        .load(&mut db)
        .await?)
}

pub(in crate::domains::facilities) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberRoleId,
) -> Result<Option<MemberRole>> {
    Ok(member_roles::table
        .filter(member_roles::facility_id.eq(facility))
        .filter(member_roles::id.eq(id))
        .select(MemberRole::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// Active members who administer the facility. Few, however large it is.
pub(in crate::domains::facilities) async fn administrators(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
) -> Result<Vec<MemberId>> {
    Ok(facility_members::table
        .inner_join(
            member_roles::table.on(member_roles::facility_id
                .eq(facility_members::facility_id)
                .and(member_roles::member_id.eq(facility_members::id))),
        )
        .filter(facility_members::facility_id.eq(facility))
        .filter(facility_members::status.eq(MemberStatus::Active))
        .filter(member_roles::role.eq(Role::Administrator))
        .select(facility_members::id)
        .distinct()
        .load(&mut db)
        .await?)
}

pub(in crate::domains::facilities) async fn insert(
    mut db: &AsyncPgConnection,
    new: Vec<NewMemberRole>,
) -> Result<(), Stop<Refusal>> {
    match diesel::insert_into(member_roles::table).values(new).execute(&mut db).await {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("member_roles_facility_id_member_id_role_department_key") => {
            Err(Stop::refuse(Refusal::RoleAlreadyGranted, &["input", "role"], "the member holds this role already"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(in crate::domains::facilities) async fn delete(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[MemberRoleId],
) -> Result<()> {
    let target =
        member_roles::table.filter(member_roles::facility_id.eq(facility)).filter(member_roles::id.eq_any(ids));
    diesel::delete(target).execute(&mut db).await?;
    Ok(())
}

/// Takes the primary mark off whichever role of the member has it.
pub(in crate::domains::facilities) async fn clear_primary(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    member: MemberId,
) -> Result<()> {
    let target = member_roles::table
        .filter(member_roles::facility_id.eq(facility))
        .filter(member_roles::member_id.eq(member))
        .filter(member_roles::primary_role);
    diesel::update(target).set(member_roles::primary_role.eq(false)).execute(&mut db).await?;
    Ok(())
}

pub(in crate::domains::facilities) async fn set_primary(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: MemberRoleId,
) -> Result<()> {
    let target = member_roles::table.filter(member_roles::facility_id.eq(facility)).filter(member_roles::id.eq(id));
    diesel::update(target).set(member_roles::primary_role.eq(true)).execute(&mut db).await?;
    Ok(())
}

/// Departments that active members hold roles in, by name.
pub(in crate::domains::facilities) async fn departments(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
) -> Result<Vec<Department>> {
    let rows: Vec<(Option<String>, i64)> = member_roles::table
        .inner_join(
            facility_members::table.on(facility_members::facility_id
                .eq(member_roles::facility_id)
                .and(facility_members::id.eq(member_roles::member_id))),
        )
        .filter(member_roles::facility_id.eq(facility))
        .filter(member_roles::department.is_not_null())
        .filter(facility_members::status.eq(MemberStatus::Active))
        .group_by(member_roles::department)
        .order(member_roles::department)
        .select((member_roles::department, count(member_roles::member_id).aggregate_distinct()))
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().filter_map(|(name, member_count)| name.map(|name| Department { name, member_count })).collect())
}
