//! Reading documents.

use std::collections::{BTreeSet, HashMap};

use super::sight;
use crate::access::{RequestContext, Tx};
use crate::domains::documents::model::{CheckedSignature, Document, DocumentFilter, DocumentRow};
use crate::domains::documents::signing::{NoteContent, is_valid};
use crate::domains::documents::{policy, repository, sealing};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, PatientId, SignatureId};
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// One document.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may know of.
pub async fn document(ctx: &RequestContext, id: DocumentId) -> Result<Document> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::find_by_id(read.db()?, sight(ctx, &read), id).await?.ok_or(Error::NotFound)?;
    sealing::open_document(ctx, &*read.keys().await?, row)
}

/// Documents by id, those the caller may know of, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn documents_by_ids(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<Document>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::find_by_ids(read.db()?, sight(ctx, &read), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row| sealing::open_document(ctx, &keys, row)).collect()
}

/// Whether there are all of these documents, and whoever writes may read them.
///
/// # Errors
/// A fault.
pub async fn are_readable(tx: &Tx, ids: &[DocumentId]) -> Result<bool> {
    if !tx.may(&policy::READ) {
        return Ok(false);
    }
    let wanted: BTreeSet<DocumentId> = ids.iter().copied().collect();
    Ok(repository::find_by_ids(tx.db()?, sight(tx.ctx(), tx), ids).await?.len() == wanted.len())
}

/// A page of documents, last added first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list_documents(
    ctx: &RequestContext,
    filter: &DocumentFilter,
    page: PageRequest<DocumentId>,
) -> Result<Page<Document>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::list_page(read.db()?, sight(ctx, &read), filter, page).await?;
    let keys = read.keys().await?;
    // The row that only tells of a next page is not opened: it is not shown.
    let Page { rows, has_next } = page.cut(rows);
    let rows = rows.into_iter().map(|row| sealing::open_document(ctx, &keys, row)).collect::<Result<_>>()?;
    Ok(Page { rows, has_next })
}

/// How many documents [`list_documents`] would list.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_documents(ctx: &RequestContext, filter: &DocumentFilter) -> Result<i64> {
    let read = ctx.read(&policy::READ).await?;
    repository::count(read.db()?, sight(ctx, &read), filter).await
}

/// A page of documents for each of several patients, last added first, in two statements.
///
/// # Errors
/// A denial, or a fault.
pub async fn documents_of_patients(
    ctx: &RequestContext,
    patients: &[PatientId],
    page: PageRequest<DocumentId>,
) -> Result<HashMap<PatientId, Page<Document>>> {
    let read = ctx.read(&policy::READ).await?;
    let sight = sight(ctx, &read);
    let mut windows: HashMap<PatientId, Vec<DocumentId>> = HashMap::new();
    for (patient, document) in repository::window_of(read.db()?, sight, patients, page).await? {
        windows.entry(patient).or_default().push(document);
    }
    let windows: HashMap<PatientId, Page<DocumentId>> =
        windows.into_iter().map(|(patient, documents)| (patient, page.cut(documents))).collect();
    let mut wanted: Vec<DocumentId> = windows.values().flat_map(|page| page.rows.iter().copied()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = repository::find_by_ids(read.db()?, sight, &wanted).await?;
    let keys = read.keys().await?;
    let mut opened = HashMap::with_capacity(rows.len());
    for row in rows {
        opened.insert(row.id, sealing::open_document(ctx, &keys, row)?);
    }
    let open = |page: Page<DocumentId>| Page {
        rows: page.rows.into_iter().filter_map(|id| opened.get(&id).cloned()).collect(),
        has_next: page.has_next,
    };
    Ok(windows.into_iter().map(|(patient, page)| (patient, open(page))).collect())
}

/// The texts of notes; documents that are none are left out.
///
/// # Errors
/// A denial, or a fault.
pub async fn texts_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<(DocumentId, Phi<String>)>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::bodies_of(read.db()?, sight(ctx, &read), ids).await?;
    let keys = read.keys().await?;
    let open = |row| Ok(sealing::open_body(&keys, &row)?.map(|text| (row.id, text)));
    rows.into_iter().filter_map(|row| open(row).transpose()).collect()
}

/// Notes that add to these, oldest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn addenda_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<Document>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::addenda_of(read.db()?, sight(ctx, &read), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter().map(|row: DocumentRow| sealing::open_document(ctx, &keys, row)).collect()
}

/// One signature, checked like all of its note.
///
/// # Errors
/// [`Error::NotFound`] when there is none on a document the caller may know of.
pub async fn signature(ctx: &RequestContext, id: SignatureId) -> Result<CheckedSignature> {
    let read = ctx.read(&policy::READ).await?;
    let note = repository::signed_by(read.db()?, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
    signatures_of(ctx, &[note]).await?.into_iter().find(|checked| checked.row.id == id).ok_or(Error::NotFound)
}

/// Signatures on documents the caller may know of, oldest first, each checked against the note as it is now.
///
/// # Errors
/// A denial, or a fault.
pub async fn signatures_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<CheckedSignature>> {
    let read = ctx.read(&policy::READ).await?;
    let db = read.db()?;
    let (rows, notes) = futures::try_join!(
        repository::signatures_of(db, ctx.facility(), ids),
        repository::find_notes(db, sight(ctx, &read), ids),
    )?;
    let keys = read.keys().await?;
    let public_keys = ctx.app().keyring.audit_public_keys();
    let notes: HashMap<DocumentId, _> = notes.into_iter().map(|note| (note.document.id, note)).collect();
    let mut checked = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(note) = notes.get(&row.document_id) else { continue };
        let opened = sealing::open_note(ctx, &keys, note.clone())?;
        let valid = is_valid(&public_keys, &NoteContent::of(ctx.facility(), &opened), &row);
        if !valid {
            tracing::error!(request_id = %ctx.parts().request_id, "a signature does not fit its note");
        }
        checked.push(CheckedSignature { row, valid });
    }
    Ok(checked)
}
