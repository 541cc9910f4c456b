//! Roles of members, in the whole facility or in a department.

use serde_json::json;

use super::{acts_still, keeps_an_administrator, lock_administrators, member_to_change, stale};
use crate::access::{Once, RequestContext, Role, Subject, Tx};
use crate::domains::facilities::model::{Member, MemberRole, MemberStatus, NewMemberRole, Refusal, RoleGrant};
use crate::domains::facilities::{policy, repository, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{MemberId, MemberRoleId, new_id};

/// Puts these roles in the place of all the member holds. Roles held before and after keep their ids.
///
/// # Errors
/// Refused unless exactly one role is the primary one; when the member was removed or changed meanwhile; when the
/// last administrator would be none any more.
pub async fn set_roles(
    ctx: &RequestContext,
    id: MemberId,
    expected_version: i32,
    roles: Vec<RoleGrant>,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::ROLES_SET)
        .once(once)
        .run(|tx| async move {
            let wanted = validation::roles(roles)?;
            let facility = tx.ctx().facility();
            let administrators = lock_administrators(&tx).await?;
            let member = open_for_roles(&tx, id).await?;
            let held = repository::roles::of_members(tx.db()?, facility, &[id]).await?;
            let is_held = |grant: &RoleGrant| held.iter().any(|role| is(role, grant));
            let gone: Vec<&MemberRole> =
                held.iter().filter(|role| !wanted.iter().any(|grant| is(role, grant))).collect();
            let new: Vec<&RoleGrant> = wanted.iter().filter(|grant| !is_held(grant)).collect();
            tx.audit(
                Subject::of(id),
                json!({ "granted": words(new.iter().map(|grant| grant.role)),
                    "revoked": words(gone.iter().map(|role| role.role)) }),
            );
            if member.version != expected_version {
                return stale();
            }
            if !wanted.iter().any(|grant| grant.role == Role::Administrator) {
                keeps_an_administrator(&administrators, id)?;
            }
            acts_still(&tx, &administrators)?;
            repository::roles::clear_primary(tx.db()?, facility, id).await?;
            let gone: Vec<MemberRoleId> = gone.iter().map(|role| role.id).collect();
            repository::roles::delete(tx.db()?, facility, &gone).await?;
            insert(&tx, id, new.into_iter().cloned().collect()).await?;
            let primary = wanted.iter().find(|grant| grant.primary);
            if let Some(kept) = held.iter().find(|role| primary.is_some_and(|grant| is(role, grant))) {
                repository::roles::set_primary(tx.db()?, facility, kept.id).await?;
            }
            repository::members::touch(tx.db()?, facility, id, tx.ctx().now()).await?;
            Ok(id)
        })
        .await
}

/// Grants one further role; as the primary one, it takes the mark from the other.
///
/// # Errors
/// Refused when the member was removed, holds the role already, or holds too many.
pub async fn grant_role(
    ctx: &RequestContext,
    id: MemberId,
    grant: RoleGrant,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::ROLE_GRANT)
        .once(once)
        .run(|tx| async move {
            let grant = validation::role(grant)?;
            let facility = tx.ctx().facility();
            acts_still(&tx, &lock_administrators(&tx).await?)?;
            open_for_roles(&tx, id).await?;
            tx.audit(Subject::of(id), json!({ "granted": words([grant.role]) }));
            let held = repository::roles::of_members(tx.db()?, facility, &[id]).await?;
            if held.len() >= validation::MAX_ROLES {
                let most = validation::MAX_ROLES;
                let message = format!("a member holds at most {most} roles");
                return Err(Stop::refuse(Refusal::Invalid, &["input", "role"], message));
            }
            if grant.primary {
                repository::roles::clear_primary(tx.db()?, facility, id).await?;
            }
            insert(&tx, id, vec![grant]).await?;
            repository::members::touch(tx.db()?, facility, id, tx.ctx().now()).await?;
            Ok(id)
        })
        .await
}

/// Takes one role away.
///
/// # Errors
/// Refused for the only role, the primary one, and what makes the last administrator one.
pub async fn revoke_role(
    ctx: &RequestContext,
    role: MemberRoleId,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::ROLE_REVOKE)
        .once(once)
        .run(|tx| async move {
            let facility = tx.ctx().facility();
            let administrators = lock_administrators(&tx).await?;
            let role = repository::roles::find(tx.db()?, facility, role).await?.ok_or(Error::NotFound)?;
            let id = role.member_id;
            tx.audit(Subject::of(id), json!({ "revoked": words([role.role]) }));
            open_for_roles(&tx, id).await?;
            let held = repository::roles::of_members(tx.db()?, facility, &[id]).await?;
            let left = || held.iter().filter(|other| other.id != role.id);
            if role.role == Role::Administrator && !left().any(|other| other.role == Role::Administrator) {
                keeps_an_administrator(&administrators, id)?;
            }
            if left().next().is_none() {
                return Err(Stop::refuse(
                    Refusal::OnlyRole,
                    &["input", "roleId"],
                    "a member keeps at least one role: remove the member, or grant another role first",
                ));
            }
            if role.primary_role {
                return Err(Stop::refuse(
                    Refusal::PrimaryRole,
                    &["input", "roleId"],
                    "it is the primary role: make another role the primary one first",
                ));
            }
            acts_still(&tx, &administrators)?;
            repository::roles::delete(tx.db()?, facility, &[role.id]).await?;
            repository::members::touch(tx.db()?, facility, id, tx.ctx().now()).await?;
            Ok(id)
        })
        .await
}

/// The member whose roles change; not one that was removed.
async fn open_for_roles(tx: &Tx, id: MemberId) -> Result<Member, Stop<Refusal>> {
    let member = member_to_change(tx, id).await?;
    if member.status == MemberStatus::Removed {
        return Err(Stop::refuse(
            Refusal::MemberRemoved,
            &["input", "memberId"],
            "the member was removed; invite them again",
        ));
    }
    Ok(member)
}

/// Inserts roles of a member as they are.
pub(super) async fn insert(tx: &Tx, member: MemberId, roles: Vec<RoleGrant>) -> Result<(), Stop<Refusal>> {
    if roles.is_empty() {
        return Ok(());
    }
    insert_in(tx, tx.ctx().facility(), member, roles).await
}

/// The same in a facility the transaction has entered.
pub(super) async fn insert_in(
    tx: &Tx,
    facility: crate::ids::FacilityId,
    member: MemberId,
    roles: Vec<RoleGrant>,
) -> Result<(), Stop<Refusal>> {
    let now = tx.ctx().now();
    let rows = roles
        .into_iter()
        .map(|RoleGrant { role, department, primary }| NewMemberRole {
            facility_id: facility,
            id: new_id(),
            member_id: member,
            role,
            department,
            primary_role: primary,
            created_at: now,
        })
        .collect();
    repository::roles::insert(tx.db()?, rows).await
}

fn is(held: &MemberRole, grant: &RoleGrant) -> bool {
    held.role == grant.role && held.department == grant.department
}

/// Roles as the audit log names them: words of a closed set, no values.
fn words(roles: impl IntoIterator<Item = Role>) -> Vec<&'static str> {
    roles.into_iter().map(Role::as_str).collect()
}
