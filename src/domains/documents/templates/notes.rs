//! Notes made of a template: begun, filled in, complete.

use super::definition::{self, FieldValue, Values};
use super::model::{CreateFilled, Filled};
use super::{repository, service};
use crate::access::{Once, RequestContext, Tx};
use crate::crypto::FacilityKeys;
use crate::domains::documents::changes::changed;
use crate::domains::documents::model::{DocumentChanges, Refusal};
use crate::domains::documents::service::{self as documents, Draft};
use crate::domains::documents::versions::model::DocumentVersionChange;
use crate::domains::documents::{policy, repository as rows, sealing, validation, versions};
use crate::error::{Result, Stop};
use crate::ids::DocumentId;
use crate::phi::Phi;

/// Begins a note made of a template: a draft, which may lack what the template requires.
///
/// # Errors
/// Refused when a value does not fit its field or is malformed, the template is out of use, or a patient's chart is not
/// open to the caller; not found without such a template.
pub async fn create_filled(
    ctx: &RequestContext,
    new: CreateFilled,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let template = service::offered(&tx, new.template).await?;
            let values = definition::check_values(&template.fields, new.values)?;
            let text = Phi::new(definition::render(&template.fields, &values));
            let title = new.title.unwrap_or_else(|| Phi::from(template.name.as_str()));
            let filled = Filled { template: template.id, number: template.number, values: Phi::new(values) };
            let draft = Draft {
                kind: template.kind,
                title,
                text,
                document_date: new.document_date,
                labels: new.labels,
                patient_ids: new.patient_ids,
                visit_id: new.visit_id,
                filled: Some(filled),
            };
            documents::begin_draft(&tx, draft).await
        })
        .await
}

/// Fills a draft in: what was filled in before is replaced as a whole. Automatic saves are kept like those of a text.
///
/// # Errors
/// Refused when a value does not fit its field, the version is stale, it is no draft of the caller's or was made of no
/// template.
pub async fn save_fields(
    ctx: &RequestContext,
    id: DocumentId,
    expected_version: i32,
    title: Option<Phi<String>>,
    given: Vec<(String, FieldValue)>,
    automatic: bool,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::NOTE_WRITE)
        .once(once)
        .run(|tx| async move {
            let row = documents::a_draft(&tx, id).await?;
            let Some((template, number)) = row.template_id.zip(row.template_number) else {
                let message = "the note was made of no template: change its text";
                return Err(Stop::refuse(Refusal::NoTemplate, &["input", "id"], message));
            };
            let form = service::in_version(&tx, template, number).await?;
            let title = title.map(|title| validation::title(&title)).transpose()?;
            let values = definition::check_values(&form.fields, given)?;
            let text = Phi::new(definition::render(&form.fields, &values));
            let keys = tx.keys().await?;
            let mut columns = DocumentChanges { updated_at: Some(tx.ctx().now()), ..DocumentChanges::default() };
            documents::set_text(&keys, id, &text, &mut columns)?;
            columns.fields_ciphertext = Some(seal(&keys, id, &Phi::new(values))?);
            if let Some(title) = &title {
                columns.title_ciphertext = Some(sealing::seal_title(&keys, id, title)?);
            }
            if !rows::update_if_version(tx.db()?, tx.ctx().facility(), id, expected_version, columns).await? {
                return Err(documents::stale());
            }
            let change = if automatic { DocumentVersionChange::Autosaved } else { DocumentVersionChange::Edited };
            versions::record(&tx, id, change).await?;
            changed(&tx, id, &row.patient_ids);
            Ok(id)
        })
        .await
}

/// Lets a note pass that has all its template requires, or was made of none.
pub(in crate::domains::documents) async fn require_complete(tx: &Tx, id: DocumentId) -> Result<(), Stop<Refusal>> {
    let Some(row) = repository::filled(tx.db()?, tx.ctx().facility(), &[id]).await?.pop() else { return Ok(()) };
    let keys = tx.keys().await?;
    let Some(filled) = open(&keys, row)? else { return Ok(()) };
    let form = service::in_version(tx, filled.template, filled.number).await?;
    definition::check_complete(&form.fields, filled.values.reveal())
}

/// What is filled into notes the caller may know of; those made of no template are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn filled_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<(DocumentId, Filled)>> {
    let read = ctx.read(&policy::READ).await?;
    let known = rows::find_by_ids(read.db()?, documents::sight(ctx, &read), ids).await?;
    let known: Vec<DocumentId> = known.into_iter().map(|row| row.id).collect();
    let found = repository::filled(read.db()?, ctx.facility(), &known).await?;
    let keys = read.keys().await?;
    let mut filled = Vec::with_capacity(found.len());
    for row in found {
        let id = row.id;
        filled.extend(open(&keys, row)?.map(|one| (id, one)));
    }
    Ok(filled)
}

fn open(keys: &FacilityKeys, row: super::model::FilledRow) -> Result<Option<Filled>> {
    let (Some(template), Some(number), Some(sealed)) = (row.template_id, row.template_number, row.fields_ciphertext)
    else {
        return Ok(None);
    };
    let values: Values = serde_json::from_str(sealing::fields_of(keys, row.id, &sealed)?.reveal_str())?;
    Ok(Some(Filled { template, number, values: Phi::new(values) }))
}

/// What is filled in, for its row. The same values give the same text, which a signature covers.
pub(in crate::domains::documents) fn seal(
    keys: &FacilityKeys,
    id: DocumentId,
    values: &Phi<Values>,
) -> Result<Vec<u8>> {
    sealing::seal_fields(keys, id, &Phi::new(serde_json::to_string(values.reveal())?))
}
