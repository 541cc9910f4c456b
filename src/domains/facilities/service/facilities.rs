//! The facility itself: reading, creating, changing, suspending.

use chrono_tz::Tz;
use serde_json::json;

use super::{invitations, stale};
use crate::access::{Once, Read, RequestContext, Subject, Tx};
use crate::domains::facilities::model::{
    CreateFacility, Facility, FacilityChanges, FacilityStatus, FacilitySuspensionReason, NewFacility, Refusal,
    Settings, SettingsChanges,
};
use crate::domains::facilities::{policy, repository, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, new_id};
use crate::pagination::{Page, PageRequest};

/// The chosen facility.
///
/// # Errors
/// [`Error::Forbidden`] when none is chosen.
pub async fn current_facility(ctx: &RequestContext) -> Result<Facility> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::facilities::find(read.db()?, ctx.facility()).await?.ok_or(Error::NotFound)?;
    sealing::open_facility(row)
}

/// Any facility the caller may see: the chosen one; without a choice those they work in, and all of them for
/// administrators of the platform.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may know of.
pub async fn facility(ctx: &RequestContext, id: FacilityId) -> Result<Facility> {
    let read = ctx.read(&policy::MEMBERSHIPS).await?;
    let known = id == ctx.facility() || read.may(&policy::LIST) || {
        let own = repository::facilities::memberships_of(read.db()?, ctx.user()?).await?;
        own.iter().any(|(facility, _)| facility.id == id)
    };
    if !known {
        return Err(Error::NotFound);
    }
    sealing::open_facility(repository::facilities::find(read.db()?, id).await?.ok_or(Error::NotFound)?)
}

/// A page of all facilities, newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_facilities(
    ctx: &RequestContext,
    status: Option<FacilityStatus>,
    page: PageRequest<FacilityId>,
) -> Result<Page<Facility>> {
    let read = ctx.read(&policy::LIST).await?;
    let rows = repository::facilities::list_page(read.db()?, status, page).await?;
    Ok(page.cut(rows.into_iter().map(sealing::open_facility).collect::<Result<Vec<_>>>()?))
}

/// How many facilities [`list_facilities`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_facilities(ctx: &RequestContext, status: Option<FacilityStatus>) -> Result<i64> {
    let read = ctx.read(&policy::LIST).await?;
    repository::facilities::count(read.db()?, status).await
}

/// The rules the bound facility works by, for the services of other domains.
///
/// # Errors
/// [`Error::NotFound`] when no facility is bound.
pub async fn settings(tx: &Tx) -> Result<Settings> {
    let row = repository::facilities::find(tx.db()?, tx.ctx().facility()).await?.ok_or(Error::NotFound)?;
    sealing::open_settings(row.settings)
}

/// By which clock the bound facility lives, for the services of other domains.
///
/// # Errors
/// [`Error::NotFound`] when no facility is bound.
pub async fn time_zone(tx: &Tx) -> Result<Tz> {
    let row = repository::facilities::find(tx.db()?, tx.ctx().facility()).await?.ok_or(Error::NotFound)?;
    Ok(row.time_zone.parse().unwrap_or(Tz::UTC))
}

/// The same for what only reads.
///
/// # Errors
/// [`Error::NotFound`] when no facility is bound.
pub async fn settings_of(read: &Read) -> Result<Settings> {
    let row = repository::facilities::find(read.db()?, read.ctx().facility()).await?.ok_or(Error::NotFound)?;
    sealing::open_settings(row.settings)
}

/// Creates a facility with its keys, and invites its first administrator.
///
/// # Errors
/// Refused when a value is malformed or the identifier is another facility's.
pub async fn create_facility(
    ctx: &RequestContext,
    new: CreateFacility,
    once: Option<Once>,
) -> Result<FacilityId, Stop<Refusal>> {
    ctx.write(&policy::CREATE)
        .once(once)
        .run(|tx| async move {
            let validation::Creation { profile, settings, invited } = validation::creation(new)?;
            let ctx = tx.ctx();
            let id: FacilityId = new_id();
            let row = NewFacility {
                id,
                profile: profile.into(),
                settings: serde_json::to_value(settings).map_err(Error::from)?,
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            tx.audit(Subject::of(id), json!({}));
            repository::facilities::insert(tx.db()?, row).await?;
            let entered = tx.enter(id).await?;
            ctx.app().keys.create(id, ctx.now(), tx.db()?).await?;
            tx.audit_in(entered, Subject::of(id), json!({}));
            if let Some(invited) = invited {
                let keys = tx.keys_of(entered).await?;
                let invitation = invitations::issue(&tx, id, &keys, invited, settings).await?;
                tx.audit_in(entered, Subject::of(invitation), json!({ "roles": ["administrator"] }));
            }
            Ok(id)
        })
        .await
}

/// Changes what the facility says of itself.
///
/// # Errors
/// Refused when a value is malformed, the identifier is another facility's, or it changed meanwhile.
pub async fn update_facility(
    ctx: &RequestContext,
    expected_version: i32,
    changes: FacilityChanges,
    once: Option<Once>,
) -> Result<FacilityId, Stop<Refusal>> {
    ctx.write(&policy::UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, id) = (tx.ctx(), tx.ctx().facility());
            let row = repository::facilities::find(tx.db()?, id).await?.ok_or(Error::NotFound)?;
            let (profile, fields) = validation::changed_profile(&sealing::open_facility(row)?, changes)?;
            tx.audit(Subject::of(id), json!({ "changed": fields }));
            let columns = profile.into();
            if repository::facilities::update_profile_if_version(tx.db()?, id, expected_version, columns, ctx.now())
                .await?
            {
                Ok(id)
            } else {
                stale()
            }
        })
        .await
}

/// Changes the rules the facility works by. They hold from the next request on.
///
/// # Errors
/// Refused when a value is out of range, the facility changed meanwhile, or a second factor would be asked for
/// by someone who did not sign in with one: they would lock themself out.
pub async fn update_settings(
    ctx: &RequestContext,
    expected_version: i32,
    changes: SettingsChanges,
    once: Option<Once>,
) -> Result<FacilityId, Stop<Refusal>> {
    ctx.write(&policy::SETTINGS_UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, id) = (tx.ctx(), tx.ctx().facility());
            let row = repository::facilities::find(tx.db()?, id).await?.ok_or(Error::NotFound)?;
            let before = sealing::open_settings(row.settings)?;
            let (after, fields) = validation::changed_settings(before, &changes)?;
            tx.audit(Subject::of(id), json!({ "changed": fields }));
            if after.require_second_factor
                && !before.require_second_factor
                && !super::choice::has_second_factor(&tx).await?
            {
                return Err(Stop::refuse(
                    Refusal::SecondFactorRequired,
                    &["input", "requireSecondFactor"],
                    "sign in with a second factor yourself first: without one you would be locked out",
                ));
            }
            let settings = serde_json::to_value(after).map_err(Error::from)?;
            if repository::facilities::update_settings_if_version(tx.db()?, id, expected_version, settings, ctx.now())
                .await?
            {
                Ok(id)
            } else {
                stale()
            }
        })
        .await
}

/// Suspends a facility: nobody can choose it, and whoever works in it is out at their next request.
///
/// # Errors
/// Refused when it is not active.
pub async fn suspend_facility(
    ctx: &RequestContext,
    id: FacilityId,
    reason: FacilitySuspensionReason,
    once: Option<Once>,
) -> Result<FacilityId, Stop<Refusal>> {
    ctx.write(&policy::SUSPEND)
        .once(once)
        .run(|tx| async move {
            let detail = json!({ "reason": reason.as_str() });
            let moved =
                move_status(&tx, id, FacilityStatus::Active, (FacilityStatus::Suspended, Some(reason)), detail).await?;
            if moved {
                return Ok(id);
            }
            Err(Stop::refuse(Refusal::FacilityNotActive, &["input", "facilityId"], "the facility is not active"))
        })
        .await
}

/// Ends the suspension of a facility.
///
/// # Errors
/// Refused when it is not suspended.
pub async fn reinstate_facility(
    ctx: &RequestContext,
    id: FacilityId,
    once: Option<Once>,
) -> Result<FacilityId, Stop<Refusal>> {
    ctx.write(&policy::REINSTATE)
        .once(once)
        .run(|tx| async move {
            if move_status(&tx, id, FacilityStatus::Suspended, (FacilityStatus::Active, None), json!({})).await? {
                return Ok(id);
            }
            Err(Stop::refuse(Refusal::FacilityNotSuspended, &["input", "facilityId"], "the facility is not suspended"))
        })
        .await
}

/// Recorded by the platform and by the facility itself.
async fn move_status(
    tx: &Tx,
    id: FacilityId,
    from: FacilityStatus,
    to: (FacilityStatus, Option<FacilitySuspensionReason>),
    detail: serde_json::Value,
) -> Result<bool> {
    repository::facilities::find(tx.db()?, id).await?.ok_or(Error::NotFound)?;
    tx.audit(Subject::of(id), detail.clone());
    let moved = repository::facilities::move_status(tx.db()?, id, from, to, tx.ctx().now()).await?;
    let entered = tx.enter(id).await?;
    tx.audit_in(entered, Subject::of(id), detail);
    Ok(moved)
}
