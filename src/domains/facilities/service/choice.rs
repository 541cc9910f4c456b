//! Where to work: the facilities one is a member of, and choosing one of them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use crate::access::{Actor, ContextParts, RequestContext, Subject, Tx};
use crate::domains::facilities::model::{
    FacilityStatus, Member, MemberRole, MemberStatus, Membership, Obstacle, Refusal,
};
use crate::domains::facilities::{policy, repository, sealing};
use crate::domains::identity;
use crate::domains::identity::model::AccessToken;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, MemberId};

/// The facilities the caller works in, whichever is chosen now, in the order joined. Those that cannot be chosen
/// at present say why.
///
/// # Errors
/// A denial, or a fault.
pub async fn memberships(ctx: &RequestContext) -> Result<Vec<Membership>> {
    let read = ctx.read(&policy::MEMBERSHIPS).await?;
    let rows = repository::facilities::memberships_of(read.db()?, ctx.user()?).await?;
    let facilities: Vec<FacilityId> = rows.iter().map(|(facility, _)| facility.id).collect();
    let members: Vec<MemberId> = rows.iter().map(|(_, member)| member.id).collect();
    let mut roles: HashMap<MemberId, Vec<MemberRole>> = HashMap::new();
    for role in repository::facilities::roles_of_memberships(read.db()?, &facilities, &members).await? {
        roles.entry(role.member_id).or_default().push(role);
    }
    let second_factor = identity::service::passed_second_factor(ctx, read.db()?).await?;
    rows.into_iter()
        .map(|(row, member)| {
            let facility = sealing::open_facility(row)?;
            let asks = facility.settings.require_second_factor && !second_factor;
            let obstacle = obstacle(facility.status, &member, asks);
            let roles = roles.remove(&member.id).unwrap_or_default();
            Ok(Membership { facility, member, roles, obstacle })
        })
        .collect()
}

/// Why a facility cannot be chosen now.
fn obstacle(facility: FacilityStatus, member: &Member, asks_for_second_factor: bool) -> Option<Obstacle> {
    if member.status != MemberStatus::Active {
        return Some(Obstacle::MembershipSuspended);
    }
    if facility != FacilityStatus::Active {
        return Some(Obstacle::FacilitySuspended);
    }
    asks_for_second_factor.then_some(Obstacle::SecondFactorRequired)
}

/// Whether the caller signed in with a second factor.
pub(super) async fn has_second_factor(tx: &Tx) -> Result<bool> {
    match tx.ctx().parts().actor {
        Actor::System { .. } => Ok(true),
        Actor::User { .. } | Actor::Anonymous => identity::service::passed_second_factor(tx.ctx(), tx.db()?).await,
    }
}

/// The same caller outside any facility. One whose membership of the chosen facility has ended would be turned
/// away at the door; from here they can still choose another.
pub(super) fn outside(ctx: &RequestContext) -> RequestContext {
    bound_to(ctx, FacilityId::PLATFORM)
}

/// The same caller in another facility. Whether they may be there is asked when the session is bound.
fn bound_to(ctx: &RequestContext, facility: FacilityId) -> RequestContext {
    RequestContext::new(Arc::clone(ctx.app()), ContextParts { facility, ..ctx.parts().clone() })
}

/// Chooses the facility to work in, or none: gives an access token bound to it, remembers the choice for the
/// tokens to come, and records it in that facility.
///
/// # Errors
/// Refused when there is no such membership, or it cannot be used now.
pub async fn select_facility(ctx: &RequestContext, facility: Option<FacilityId>) -> Result<AccessToken, Stop<Refusal>> {
    ctx.user_for(&policy::SELECT)?;
    let chosen = facility.unwrap_or(FacilityId::PLATFORM);
    // Its connection back first: the choice takes one of its own.
    ctx.finish().await?;
    let outside = outside(ctx);
    if let Some(facility) = facility {
        let offered = memberships(&outside).await;
        // Before the answer is looked at: a denial is on record too.
        outside.finish().await?;
        let offered = offered?;
        let membership = offered.iter().find(|membership| membership.facility.id == facility);
        if let Some((code, message)) = refusal(membership) {
            return refuse(&outside, facility, code, message).await;
        }
    }
    bound_to(ctx, chosen)
        .write(&policy::SELECT)
        .run(|tx| async move {
            tx.audit(Subject::of(chosen), json!({}));
            identity::service::remember_facility(&tx, chosen).await?;
            Ok(())
        })
        .await?;
    Ok(identity::service::access_token(ctx, chosen)?)
}

/// Why a facility is not to be chosen, for the one who tried.
fn refusal(membership: Option<&Membership>) -> Option<(Refusal, &'static str)> {
    let Some(membership) = membership else {
        return Some((Refusal::NotAMember, "you are not a member of such a facility"));
    };
    membership.obstacle.map(|obstacle| match obstacle {
        Obstacle::MembershipSuspended => (Refusal::MemberNotActive, "your membership of this facility is suspended"),
        Obstacle::FacilitySuspended => (Refusal::FacilityNotActive, "this facility is suspended"),
        Obstacle::SecondFactorRequired => {
            (Refusal::SecondFactorRequired, "this facility asks for a second factor: turn it on and sign in again")
        }
    })
}

/// Records the attempt outside the facility, whose log is not for strangers to write to.
async fn refuse(
    outside: &RequestContext,
    facility: FacilityId,
    code: Refusal,
    message: &'static str,
) -> Result<AccessToken, Stop<Refusal>> {
    outside
        .write(&policy::SELECT)
        .run(|tx| async move {
            tx.audit(Subject::of(facility), json!({}));
            Err::<(), _>(Stop::refuse(code, &["input", "facilityId"], message))
        })
        .await?;
    Err(Stop::Error(Error::internal("a refused choice went through")))
}
