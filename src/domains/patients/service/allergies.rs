//! Allergies and intolerances of a patient.

use serde_json::json;

use super::{changeable, same_version, too_many, written};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::crypto::blind_index::normalise::name_whole;
use crate::domains::patients::model::{Allergy, AllergyFields, AllergyPatch, AllergyStatus, NewAllergy, Refusal};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{AllergyId, PatientId, new_id};

const MAX_ALLERGIES: usize = 200;

/// One allergy.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn allergy(ctx: &RequestContext, id: AllergyId) -> Result<Allergy> {
    let read = ctx.read(&policy::ALLERGIES_READ).await?;
    let row = repository::parts::find_allergy(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_allergy(ctx, &*read.keys().await?, row)
}

/// Allergies of several patients, resolved and mistaken ones too, in the order they were recorded.
///
/// # Errors
/// A denial, or a fault.
pub async fn allergies_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<Vec<Allergy>> {
    let read = ctx.read(&policy::ALLERGIES_READ).await?;
    let rows = repository::parts::allergies_of(read.db()?, ctx.facility(), patients).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_allergy(ctx, &keys, row)).collect()
}

/// Those on record, for rules over all of them; the record is locked.
async fn on_record(tx: &Tx, patient: PatientId) -> Result<Vec<Allergy>> {
    let ctx = tx.ctx();
    let keys = tx.keys().await?;
    let rows = repository::parts::allergies_of(tx.db()?, ctx.facility(), &[patient]).await?;
    rows.into_iter().map(|row| sealing::open_allergy(ctx, &keys, row)).collect()
}

/// Two active entries of one substance could disagree on how bad it is.
fn not_twice(fields: &AllergyFields, own: Option<AllergyId>, others: &[Allergy]) -> Result<(), Stop<Refusal>> {
    let active = |fields: &AllergyFields| fields.status == AllergyStatus::Active;
    let substance = name_whole(fields.substance.reveal());
    let twice = active(fields)
        && others.iter().any(|other| {
            Some(other.id) != own && active(&other.fields) && name_whole(other.fields.substance.reveal()) == substance
        });
    if twice {
        return Err(Stop::refuse(
            Refusal::AlreadyRecorded,
            &["input", "substance"],
            "the patient has an active entry of this substance: change that one",
        ));
    }
    Ok(())
}

/// Records an allergy.
///
/// # Errors
/// Refused when a value is malformed, the substance is on record, there are too many, or the record is archived.
pub async fn record_allergy(
    ctx: &RequestContext,
    patient: PatientId,
    new: AllergyFields,
    once: Option<Once>,
) -> Result<AllergyId, Stop<Refusal>> {
    ctx.write(&policy::ALLERGY_RECORD)
        .once(once)
        .run(|tx| async move {
            let fields = validation::allergy(new, tx.ctx().now().date_naive())?;
            let (ctx, db, id): (_, _, AllergyId) = (tx.ctx(), tx.db()?, new_id());
            changeable(&tx, patient).await?;
            let others = on_record(&tx, patient).await?;
            if others.len() >= MAX_ALLERGIES {
                return Err(too_many("allergies", MAX_ALLERGIES));
            }
            not_twice(&fields, None, &others)?;
            let columns = sealing::seal_allergy(&*tx.keys().await?, id, &fields, ctx.now())?;
            let row =
                NewAllergy { facility_id: ctx.facility(), id, patient_id: patient, created_at: ctx.now(), columns };
            repository::parts::insert_allergy(db, row).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({}));
            Ok(id)
        })
        .await
}

/// Changes an allergy, its status too.
///
/// # Errors
/// Those of [`record_allergy`], and when it changed meanwhile.
pub async fn update_allergy(
    ctx: &RequestContext,
    id: AllergyId,
    expected_version: i32,
    patch: AllergyPatch,
    once: Option<Once>,
) -> Result<AllergyId, Stop<Refusal>> {
    ctx.write(&policy::ALLERGY_UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, keys) = (tx.ctx(), tx.db()?, tx.keys().await?);
            let row = repository::parts::find_allergy(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let patient = row.patient_id;
            tx.audit(Subject::of(id).in_record_of(patient), json!({ "changed": patch.given() }));
            changeable(&tx, patient).await?;
            same_version(row.version, expected_version)?;
            let current = sealing::open_allergy(ctx, &keys, row)?.fields;
            let fields = validation::changed_allergy(patch, current, ctx.now().date_naive())?;
            not_twice(&fields, Some(id), &on_record(&tx, patient).await?)?;
            let columns = sealing::seal_allergy(&keys, id, &fields, ctx.now())?;
            written(
                repository::parts::update_allergy_if_version(db, ctx.facility(), id, expected_version, columns).await?,
            )?;
            Ok(id)
        })
        .await
}
