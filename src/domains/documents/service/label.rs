//! Labels of a document: what it is marked as, beside its kind.

use serde_json::json;

use super::{not_author, sight, stale};
use crate::access::{Once, RequestContext};
use crate::domains::documents::changes::changed_with;
use crate::domains::documents::model::{DocumentChanges, DocumentLabel, Refusal};
use crate::domains::documents::{policy, repository};
use crate::error::{Error, Stop};
use crate::ids::DocumentId;

/// Gives a document these labels and no others, signed or not: a label is not part of what was signed.
///
/// # Errors
/// Refused when the version is stale, or when it is another's and the caller may label their own alone.
pub async fn label_document(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    labels: Vec<DocumentLabel>,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::PART2_LABEL)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            let row = repository::find_by_id(tx.db()?, sight(ctx, &tx), id).await?.ok_or(Error::NotFound)?;
            if row.author_id != ctx.user().ok() && !tx.may(&policy::PART2_LABEL_ANY) {
                return Err(not_author());
            }
            let part2 = labels.contains(&DocumentLabel::Part2);
            let changes =
                DocumentChanges { part2: Some(part2), updated_at: Some(ctx.now()), ..DocumentChanges::default() };
            if !repository::update_if_version(tx.db()?, ctx.facility(), id, expected_version, changes).await? {
                return Err(stale());
            }
            let detail = json!({ "part2": part2, "before": row.part2 });
            changed_with(&tx, id, &row.patient_ids, &detail);
            Ok(id)
        })
        .await
}
