//! Contacts of a patient.

use serde_json::json;

use super::{changeable, same_version, too_many, written};
use crate::access::{Once, RequestContext, Subject};
use crate::domains::patients::model::{Contact, ContactFields, ContactPatch, NewContact, Refusal};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Result, Stop};
use crate::ids::{ContactId, PatientId, new_id};

const MAX_CONTACTS: usize = 50;

/// One contact.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may see.
pub async fn contact(ctx: &RequestContext, id: ContactId) -> Result<Contact> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::parts::find_contact(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    sealing::open_contact(ctx, &*read.keys().await?, row)
}

/// Contacts of several patients, in the order they are called.
///
/// # Errors
/// A denial, or a fault.
pub async fn contacts_of(ctx: &RequestContext, patients: &[PatientId]) -> Result<Vec<Contact>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::parts::contacts_of(read.db()?, ctx.facility(), patients).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_contact(ctx, &keys, row)).collect()
}

/// Adds a contact.
///
/// # Errors
/// Refused when a value is malformed, there are too many, or the record is archived.
pub async fn add_contact(
    ctx: &RequestContext,
    patient: PatientId,
    new: ContactFields,
    once: Option<Once>,
) -> Result<ContactId, Stop<Refusal>> {
    ctx.write(&policy::CONTACT_ADD)
        .once(once)
        .run(|tx| async move {
            let fields = validation::contact(new)?;
            let (ctx, db, id): (_, _, ContactId) = (tx.ctx(), tx.db()?, new_id());
            changeable(&tx, patient).await?;
            if repository::parts::contacts_of(db, ctx.facility(), &[patient]).await?.len() >= MAX_CONTACTS {
                return Err(too_many("contacts", MAX_CONTACTS));
            }
            let columns = sealing::seal_contact(&*tx.keys().await?, id, &fields, ctx.now())?;
            let row =
                NewContact { facility_id: ctx.facility(), id, patient_id: patient, created_at: ctx.now(), columns };
            repository::parts::insert_contact(db, row).await?;
            tx.audit(Subject::of(id).in_record_of(patient), json!({}));
            Ok(id)
        })
        .await
}

/// Changes a contact.
///
/// # Errors
/// Refused when a value is malformed, the contact changed meanwhile or the record is archived.
pub async fn update_contact(
    ctx: &RequestContext,
    id: ContactId,
    expected_version: i32,
    patch: ContactPatch,
    once: Option<Once>,
) -> Result<ContactId, Stop<Refusal>> {
    ctx.write(&policy::CONTACT_UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, keys) = (tx.ctx(), tx.db()?, tx.keys().await?);
            let row = repository::parts::find_contact(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            tx.audit(Subject::of(id).in_record_of(row.patient_id), json!({ "changed": patch.given() }));
            changeable(&tx, row.patient_id).await?;
            same_version(row.version, expected_version)?;
            let current = sealing::open_contact(ctx, &keys, row)?.fields;
            let fields = validation::changed_contact(patch, current)?;
            let columns = sealing::seal_contact(&keys, id, &fields, ctx.now())?;
            written(
                repository::parts::update_contact_if_version(db, ctx.facility(), id, expected_version, columns).await?,
            )?;
            Ok(id)
        })
        .await
}

/// Removes a contact. Gives the patient it belonged to.
///
/// # Errors
/// Refused when the contact changed meanwhile or the record is archived.
pub async fn remove_contact(
    ctx: &RequestContext,
    id: ContactId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    ctx.write(&policy::CONTACT_REMOVE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let row = repository::parts::find_contact(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            tx.audit(Subject::of(id).in_record_of(row.patient_id), json!({}));
            changeable(&tx, row.patient_id).await?;
            written(repository::parts::delete_contact_if_version(db, ctx.facility(), id, expected_version).await?)?;
            Ok(row.patient_id)
        })
        .await
}
