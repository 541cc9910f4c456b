//! Emergency access to a chart, and its review.

use chrono::TimeDelta;
use serde_json::json;

use crate::access::{Once, Purpose, RequestContext, Subject, Tx};
use crate::crypto::blind_index::normalise;
use crate::domains::facilities;
use crate::domains::patients::model::{
    BreakGlass, BreakGlassAccess, BreakGlassReview, BrokenFor, NewBreakGlass, Refusal,
};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{BreakGlassId, new_id};
use crate::pagination::{Page, PageRequest};

/// One emergency access.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn break_glass_access(ctx: &RequestContext, id: BreakGlassId) -> Result<BreakGlassAccess> {
    let read = ctx.read(&policy::BREAK_GLASS_READ).await?;
    let row = repository::care::find_access(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_access(ctx, &*read.keys().await?, row)
}

/// A page of emergency accesses, the newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_break_glass_accesses(
    ctx: &RequestContext,
    unreviewed_only: bool,
    page: PageRequest<BreakGlassId>,
) -> Result<Page<BreakGlassAccess>> {
    let read = ctx.read(&policy::BREAK_GLASS_READ).await?;
    let rows = repository::care::accesses_page(read.db()?, ctx.facility(), unreviewed_only, page).await?;
    let keys = read.keys().await?;
    let cut = page.cut(rows);
    let accesses = cut.rows.into_iter().map(|row| sealing::open_access(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows: accesses, has_next: cut.has_next })
}

/// How many accesses [`list_break_glass_accesses`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_break_glass_accesses(ctx: &RequestContext, unreviewed_only: bool) -> Result<i64> {
    let read = ctx.read(&policy::BREAK_GLASS_READ).await?;
    repository::care::count_accesses(read.db()?, ctx.facility(), unreviewed_only).await
}

/// What opening a chart gives.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Opened {
    pub access: BreakGlassId,
    pub patient: crate::ids::PatientId,
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// Opens the chart of any patient of the facility to the caller for a while, also of one they may not know of.
/// Reviewers see it at once.
///
/// # Errors
/// [`Error::NotFound`] when the facility has no such patient; refused without a reason.
pub async fn break_glass(
    ctx: &RequestContext,
    wanted: BreakGlass,
    once: Option<Once>,
) -> Result<Opened, Stop<Refusal>> {
    // What was read so far was read for another purpose.
    ctx.finish().await?;
    let emergency = ctx.for_purpose(Purpose::Emergency);
    let outcome = emergency.write(&policy::BREAK_GLASS).once(once).run(|tx| open_chart(tx, wanted)).await;
    emergency.finish().await?;
    outcome
}

async fn open_chart(tx: Tx, wanted: BreakGlass) -> Result<Opened, Stop<Refusal>> {
    let (reason, wanted) = (validation::break_glass_reason(wanted.reason)?, wanted.patient);
    let (ctx, db, keys) = (tx.ctx(), tx.db()?, tx.keys().await?);
    let patient = match &wanted {
        BrokenFor::Id(id) => *id,
        BrokenFor::Mrn(mrn) => {
            let index = keys.index.mrn(mrn.reveal()).ok_or(Error::NotFound)?;
            repository::care::patient_by_mrn(db, index).await?.ok_or(Error::NotFound)?
        }
    };
    let minutes = facilities::service::settings(&tx).await?.break_glass_minutes;
    let id = new_id();
    let now = ctx.now();
    let row = NewBreakGlass {
        facility_id: ctx.facility(),
        id,
        patient_id: patient,
        user_id: ctx.user()?,
        reason_ciphertext: sealing::seal_reason(&keys, id, &reason)?,
        started_at: now,
        expires_at: now + TimeDelta::minutes(i64::from(minutes)),
        created_at: now,
        updated_at: now,
    };
    let expires_at = row.expires_at;
    repository::care::insert_access(db, row).await?;
    // The chart is open from here on: a number that only collided with another's is found out now.
    let found = repository::patients::find_by_id(db, ctx.facility(), patient).await?.ok_or(Error::NotFound)?;
    if let BrokenFor::Mrn(mrn) = &wanted
        && normalise::mrn(sealing::open_hidden(&keys, found)?.identity().mrn.reveal()) != normalise::mrn(mrn.reveal())
    {
        return Err(Error::NotFound.into());
    }
    tx.audit(Subject::of(id).in_record_of(patient), json!({ "minutes": minutes }));
    Ok(Opened { access: id, patient, expires_at })
}

/// Judges an emergency access, once.
///
/// # Errors
/// Refused when it is the caller's own, was reviewed before, or is found unjustified without a remark.
pub async fn review_break_glass(
    ctx: &RequestContext,
    id: BreakGlassId,
    review: BreakGlassReview,
    once: Option<Once>,
) -> Result<BreakGlassId, Stop<Refusal>> {
    ctx.write(&policy::BREAK_GLASS_REVIEW)
        .once(once)
        .run(|tx| async move {
            let note = validation::review_note(review.note, review.justified)?;
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let row = repository::care::find_access(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let subject = Subject::of(id).in_record_of(row.patient_id);
            tx.audit(subject, json!({ "justified": review.justified, "user": row.user_id }));
            let reviewer = ctx.user()?;
            if row.user_id == reviewer {
                return Err(Stop::refuse(
                    Refusal::OwnAccess,
                    &["input", "id"],
                    "somebody else must review your own access",
                ));
            }
            let note = sealing::seal_review_note(&*tx.keys().await?, id, note.as_ref())?;
            let found = (review.justified, note);
            if repository::care::review_access(db, ctx.facility(), id, reviewer, found, ctx.now()).await? {
                Ok(id)
            } else {
                Err(Stop::refuse(Refusal::AlreadyReviewed, &["input", "id"], "the access has been reviewed"))
            }
        })
        .await
}
