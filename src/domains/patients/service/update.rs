//! Changing what identifies a patient.

use serde_json::json;

use super::{archived, same_version, written};
use crate::access::{Once, RequestContext, Subject};
use crate::domains::patients::model::{PatientColumns, PatientPatch, PatientStatus, Refusal};
use crate::domains::patients::{policy, repository, sealing, validation};
use crate::error::{Error, Stop};
use crate::ids::PatientId;

/// Changes a patient; what can be searched for follows in the same transaction.
///
/// # Errors
/// Refused when a value is malformed, the record number is taken, the record changed meanwhile or is archived.
pub async fn update_patient(
    ctx: &RequestContext,
    id: PatientId,
    expected_version: i32,
    patch: PatientPatch,
    once: Option<Once>,
) -> Result<PatientId, Stop<Refusal>> {
    ctx.write(&policy::UPDATE)
        .once(once)
        .run(|tx| async move {
            let (ctx, keys) = (tx.ctx(), tx.keys().await?);
            let row = repository::patients::lock(tx.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let current = sealing::open_hidden(&keys, row)?.for_change();
            let outcome = validation::changed_patient(patch, &current, ctx.now().date_naive());
            let (changed, fields) = match outcome {
                Ok(changed) => {
                    let (gender, language) = (changed.gender, changed.preferred_language.clone());
                    let identity = changed.numbered(id);
                    let fields = validation::changed_fields(&current, &identity, gender, language.as_deref());
                    (Ok((identity, gender, language)), fields)
                }
                Err(stop) => (Err(stop), Vec::new()),
            };
            tx.audit(Subject::of(id).in_record_of(id), json!({ "changed": fields }));
            if current.status == PatientStatus::Archived {
                return Err(archived());
            }
            same_version(current.version, expected_version)?;
            let (identity, gender, preferred_language) = changed?;
            let columns = PatientColumns {
                identity: sealing::seal_identity(&keys, id, &identity)?,
                gender,
                preferred_language,
                updated_at: ctx.now(),
            };
            let db = tx.db()?;
            written(repository::patients::update_if_version(db, ctx.facility(), id, expected_version, columns).await?)?;
            repository::terms::replace(db, ctx.facility(), id, sealing::terms(&keys, &identity)).await?;
            Ok(id)
        })
        .await
}
