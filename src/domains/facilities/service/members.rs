//! Members: reading, and the way in and out of the facility once someone has joined.

use std::collections::HashMap;

use async_graphql::MaybeUndefined;
use serde_json::json;

use super::{acts_still, keeps_an_administrator, lock_administrators, member_to_change, stale};
use crate::access::{Once, Read, RequestContext, Role, Subject, Tx};
use crate::domains::facilities::model::{
    Department, Member, MemberFilter, MemberRemovalReason, MemberRole, MemberStatus, MemberStatusReason,
    MemberSuspensionReason, Refusal, StatusChange,
};
use crate::domains::facilities::{policy, repository, validation};
use crate::domains::identity;
use crate::error::{Error, Result, Stop};
use crate::ids::{MemberId, MemberRoleId, UserId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Members a search by name looks through. Their names are encrypted and have to be opened one by one: about a
/// microsecond each.
const SEARCHED: usize = 2000;

/// One member.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn member(ctx: &RequestContext, id: MemberId) -> Result<Member> {
    let read = ctx.read(&policy::MEMBERS_READ).await?;
    repository::members::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)
}

/// A member just changed, by the one who changed them. Whoever has removed themself, or given up the role that
/// lets them read members, still sees their own row.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn changed_member(ctx: &RequestContext, id: MemberId) -> Result<Member> {
    match member(ctx, id).await {
        Err(Error::Unauthenticated | Error::Forbidden(_)) => {
            let outside = super::choice::outside(ctx);
            let own = own_row(&outside, ctx, id).await;
            outside.finish().await?;
            own
        }
        outcome => outcome,
    }
}

async fn own_row(outside: &RequestContext, ctx: &RequestContext, id: MemberId) -> Result<Member> {
    let read = outside.read(&policy::MEMBERSHIPS).await?;
    let found = repository::members::find_by_user(read.db()?, ctx.facility(), ctx.user()?).await?;
    found.filter(|member| member.id == id).ok_or(Error::NotFound)
}

/// Where someone stands in the bound facility, for the services of other domains; `None` for who never worked
/// there.
///
/// # Errors
/// A fault.
pub async fn standing(tx: &Tx, user: UserId) -> Result<Option<MemberStatus>> {
    let member = repository::members::find_by_user(tx.db()?, tx.ctx().facility(), user).await?;
    Ok(member.map(|member| member.status))
}

/// Whether someone is an active member of the facility, for work of the server.
///
/// # Errors
/// [`Error::Forbidden`] for anyone but the system; a fault.
pub async fn works_here(ctx: &RequestContext, user: UserId) -> Result<bool> {
    let read = ctx.read(&policy::STANDING).await?;
    let member = repository::members::find_by_user(read.db()?, ctx.facility(), user).await?;
    Ok(member.is_some_and(|member| member.status == MemberStatus::Active))
}

/// The roles of these users in the bound facility, for the services of other domains; whoever is no active member
/// there, or has no role, is left out.
///
/// # Errors
/// A fault.
pub async fn roles_of_users(tx: &Tx, users: &[UserId]) -> Result<HashMap<UserId, Vec<Role>>> {
    let mut roles: HashMap<UserId, Vec<Role>> = HashMap::new();
    for (user, role) in repository::roles::of_users(tx.db()?, tx.ctx().facility(), users).await? {
        roles.entry(user).or_default().push(role);
    }
    Ok(roles)
}

/// A page of members, last joined first, and how many there are when that is wanted.
///
/// # Errors
/// [`Error::Limit`] when a search by name would have to open too many names.
pub async fn list_members(
    ctx: &RequestContext,
    filter: &MemberFilter,
    page: PageRequest<MemberId>,
    counted: bool,
) -> Result<(Page<Member>, Option<i64>)> {
    let read = ctx.read(&policy::MEMBERS_READ).await?;
    if let Some(typed) = &filter.search {
        let found = search(&read, filter, typed).await?;
        let total = i64::try_from(found.len()).map_err(Error::internal)?;
        let rest = found.into_iter().filter(|member| page.after.is_none_or(|after| member.id < after));
        let limit = usize::try_from(page.limit()).map_err(Error::internal)?;
        return Ok((page.cut(rest.take(limit).collect()), Some(total)));
    }
    let (facility, db) = (ctx.facility(), read.db()?);
    let rows = repository::members::list_page(db, facility, filter.status, filter.role, page).await?;
    let total =
        if counted { Some(repository::members::count(db, facility, filter.status, filter.role).await?) } else { None };
    Ok((page.cut(rows), total))
}

/// Members whose names begin as typed, newest first.
async fn search(read: &Read, filter: &MemberFilter, typed: &Phi<String>) -> Result<Vec<Member>> {
    let typed = validation::typed_parts(typed.reveal());
    if typed.is_empty() {
        return Err(Error::bad_input("`search` must have at least one letter or digit"));
    }
    let most = i64::try_from(SEARCHED).map_err(Error::internal)? + 1;
    let facility = read.ctx().facility();
    let members = repository::members::list_newest(read.db()?, facility, filter.status, filter.role, most).await?;
    if members.len() > SEARCHED {
        return Err(Error::Limit("too many members to search by name: narrow it by role or status".into()));
    }
    let users: Vec<_> = members.iter().map(|member| member.user_id).collect();
    let names = identity::service::names_of(read, &users).await?;
    let matches = |member: &Member| {
        names.get(&member.user_id).is_some_and(|name| validation::name_matches(name.reveal(), &typed))
    };
    Ok(members.into_iter().filter(matches).collect())
}

/// Roles of several members: the primary one first.
///
/// # Errors
/// A denial, or a fault.
pub async fn roles_of(ctx: &RequestContext, members: &[MemberId]) -> Result<Vec<MemberRole>> {
    let read = ctx.read(&policy::MEMBERS_READ).await?;
    repository::roles::of_members(read.db()?, ctx.facility(), members).await
}

/// One role of a member.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn role(ctx: &RequestContext, id: MemberRoleId) -> Result<MemberRole> {
    let read = ctx.read(&policy::MEMBERS_READ).await?;
    repository::roles::find(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)
}

/// Departments of the facility, by name.
///
/// # Errors
/// A denial, or a fault.
pub async fn departments(ctx: &RequestContext) -> Result<Vec<Department>> {
    let read = ctx.read(&policy::MEMBERS_READ).await?;
    repository::roles::departments(read.db()?, ctx.facility()).await
}

/// Whether the caller may know why someone was suspended or removed.
///
/// # Errors
/// A denial, or a fault.
pub async fn may_manage(ctx: &RequestContext) -> Result<bool> {
    Ok(ctx.read(&policy::MEMBERS_READ).await?.may(&policy::MEMBERS_MANAGE))
}

/// Changes what is shown beside a member's name.
///
/// # Errors
/// Refused when the title is too long, the member was removed or changed meanwhile.
pub async fn update_member(
    ctx: &RequestContext,
    id: MemberId,
    expected_version: i32,
    title: MaybeUndefined<String>,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_UPDATE)
        .once(once)
        .run(|tx| async move {
            let title = match title {
                MaybeUndefined::Value(title) => {
                    validation::title(Some(title))?.map_or(MaybeUndefined::Null, MaybeUndefined::Value)
                }
                absent => absent,
            };
            let (ctx, facility) = (tx.ctx(), tx.ctx().facility());
            acts_still(&tx, &lock_administrators(&tx).await?)?;
            let member = member_to_change(&tx, id).await?;
            let changes: &[&str] = if title.is_undefined() { &[] } else { &["title"] };
            tx.audit(Subject::of(id), json!({ "changed": changes }));
            still_here(&member)?;
            if member.version != expected_version {
                return stale();
            }
            if !title.is_undefined() {
                repository::members::change_title(tx.db()?, facility, id, title.take().as_deref(), ctx.now()).await?;
            }
            Ok(id)
        })
        .await
}

/// Keeps a member out for the time being, from their next request on.
///
/// # Errors
/// Refused when the member is not active, or the last administrator.
pub async fn suspend_member(
    ctx: &RequestContext,
    id: MemberId,
    reason: MemberSuspensionReason,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_SUSPEND)
        .once(once)
        .run(|tx| async move {
            let administrators = lock_administrators(&tx).await?;
            let member = member_to_change(&tx, id).await?;
            tx.audit(Subject::of(id), json!({ "reason": reason.as_str() }));
            if member.status != MemberStatus::Active {
                return Err(Stop::refuse(Refusal::MemberNotActive, &["input", "memberId"], "the member is not active"));
            }
            keeps_an_administrator(&administrators, id)?;
            acts_still(&tx, &administrators)?;
            end(&tx, id, MemberStatus::Suspended, reason.as_str()).await
        })
        .await
}

/// Lets a suspended member work again.
///
/// # Errors
/// Refused when the member is not suspended.
pub async fn reinstate_member(
    ctx: &RequestContext,
    id: MemberId,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_REINSTATE)
        .once(once)
        .run(|tx| async move {
            acts_still(&tx, &lock_administrators(&tx).await?)?;
            let member = member_to_change(&tx, id).await?;
            tx.audit(Subject::of(id), json!({}));
            if member.status != MemberStatus::Suspended {
                return Err(Stop::refuse(
                    Refusal::MemberNotSuspended,
                    &["input", "memberId"],
                    "the member is not suspended",
                ));
            }
            let back = StatusChange {
                status: MemberStatus::Active,
                status_reason: None,
                suspended_at: None,
                removed_at: None,
                updated_at: tx.ctx().now(),
            };
            repository::members::change_status(tx.db()?, tx.ctx().facility(), id, back).await?;
            Ok(id)
        })
        .await
}

/// Ends a membership, from the member's next request on. The record of it stays.
///
/// # Errors
/// Refused when the member was removed before, or is the last administrator.
pub async fn remove_member(
    ctx: &RequestContext,
    id: MemberId,
    reason: MemberRemovalReason,
    once: Option<Once>,
) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_REMOVE)
        .once(once)
        .run(|tx| async move {
            let administrators = lock_administrators(&tx).await?;
            let member = member_to_change(&tx, id).await?;
            tx.audit(Subject::of(id), json!({ "reason": reason.as_str() }));
            still_here(&member)?;
            keeps_an_administrator(&administrators, id)?;
            acts_still(&tx, &administrators)?;
            end(&tx, id, MemberStatus::Removed, reason.as_str()).await
        })
        .await
}

/// Ends one's own membership.
///
/// # Errors
/// Refused for the last administrator.
pub async fn leave(ctx: &RequestContext, once: Option<Once>) -> Result<MemberId, Stop<Refusal>> {
    ctx.write(&policy::MEMBER_LEAVE)
        .once(once)
        .run(|tx| async move {
            let id = tx.member().ok_or(Error::NotFound)?;
            let administrators = lock_administrators(&tx).await?;
            tx.audit(Subject::of(id), json!({ "reason": MemberStatusReason::Left.as_str() }));
            still_here(&member_to_change(&tx, id).await?)?;
            keeps_an_administrator(&administrators, id)?;
            end(&tx, id, MemberStatus::Removed, MemberStatusReason::Left.as_str()).await
        })
        .await
}

fn still_here(member: &Member) -> Result<(), Stop<Refusal>> {
    match member.status {
        MemberStatus::Active | MemberStatus::Suspended => Ok(()),
        MemberStatus::Removed => Err(Stop::refuse(
            Refusal::MemberRemoved,
            &["input", "memberId"],
            "the member was removed; invite them again",
        )),
    }
}

/// Suspends or removes.
async fn end(tx: &Tx, id: MemberId, status: MemberStatus, reason: &str) -> Result<MemberId, Stop<Refusal>> {
    let now = tx.ctx().now();
    let reason = MemberStatusReason::parse(reason).ok_or_else(|| Error::internal("a reason without its word"))?;
    let change = StatusChange {
        status,
        status_reason: Some(reason),
        suspended_at: (status == MemberStatus::Suspended).then_some(now),
        removed_at: (status == MemberStatus::Removed).then_some(now),
        updated_at: now,
    };
    repository::members::change_status(tx.db()?, tx.ctx().facility(), id, change).await?;
    Ok(id)
}
