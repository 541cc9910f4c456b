//! Operations on facilities and their people, named as an administrator would.

mod acceptance;
mod choice;
mod facilities;
mod invitations;
mod members;
mod roles;

pub use acceptance::{accept_invitation, add_member, preview_invitation};
pub use choice::{memberships, select_facility};
pub use facilities::{
    count_facilities, create_facility, current_facility, facility, list_facilities, reinstate_facility, settings,
    settings_of, suspend_facility, time_zone, update_facility, update_settings,
};
pub use invitations::{
    count_invitations, invitation, invite_member, list_invitations, resend_invitation, revoke_invitation,
};
pub use members::{
    changed_member, departments, leave, list_members, may_manage, member, reinstate_member, remove_member, role,
    roles_of, roles_of_users, standing, suspend_member, update_member, works_here,
};
pub use roles::{grant_role, revoke_role, set_roles};

use super::model::{Member, Refusal};
use super::{policy, repository};
use crate::access::{Actor, Tx};
use crate::error::{Error, Result, Stop};
use crate::ids::MemberId;

/// Takes the facility's row for this transaction alone and says who administers the facility now.
async fn lock_administrators(tx: &Tx) -> Result<Vec<MemberId>> {
    let facility = tx.ctx().facility();
    repository::facilities::lock(tx.db()?, facility).await?;
    repository::roles::administrators(tx.db()?, facility).await
}

/// Asks again what was authorized before the wait for the lock: an administrator who was removed meanwhile
/// changes nothing more.
fn acts_still(tx: &Tx, administrators: &[MemberId]) -> Result<()> {
    match (tx.ctx().parts().actor, tx.member()) {
        (Actor::System { .. }, _) => Ok(()),
        (_, Some(acting)) if administrators.contains(&acting) => Ok(()),
        _ => Err(Error::Forbidden(policy::MEMBERS_MANAGE.name)),
    }
}

/// The member to be changed, once [`lock_administrators`] has made way.
async fn member_to_change(tx: &Tx, id: MemberId) -> Result<Member> {
    repository::members::find(tx.db()?, tx.ctx().facility(), id).await?.ok_or(Error::NotFound)
}

/// Refuses what would leave the facility without an administrator.
fn keeps_an_administrator(administrators: &[MemberId], losing: MemberId) -> Result<(), Stop<Refusal>> {
    if administrators == [losing] {
        return Err(Stop::refuse(
            Refusal::LastAdministrator,
            &[],
            "the facility would be left without an administrator: make another member one first",
        ));
    }
    Ok(())
}

fn stale<T>() -> Result<T, Stop<Refusal>> {
    Err(Stop::refuse(
        Refusal::StaleVersion,
        &["input", "expectedVersion"],
        "it changed since it was read: read it again",
    ))
}
