//! Finding proposals while a document is read, and deciding on them.

use chrono::NaiveDate;
use serde_json::json;

use super::finding::{self, Said};
use super::repository::{self, NewProposal, ProposalRow};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::documents::changes::{changed, changed_with};
use crate::domains::documents::model::{DocumentChanges, DocumentKind, DocumentRow, Refusal};
use crate::domains::documents::service::{changeable, link_new, sight, stale};
use crate::domains::documents::versions::model::DocumentVersionChange;
use crate::domains::documents::{policy, repository as documents, versions};
use crate::domains::patients;
use crate::error::{Error, Result, Stop};
use crate::extraction::Page;
use crate::ids::{DocumentId, PatientId, ProposalId};
use crate::text_enum::text_enum;

/// Passages from the beginning that a near duplicate must share.
const COMPARED: usize = 3;
/// Cosine distance below which two passages say the same, give or take a date or a page number.
const NEAR: f64 = 0.05;
/// Duplicates proposed at once.
const MOST: i64 = 3;

text_enum! {
    /// What is proposed of a document.
    DocumentProposalAspect {
        /// Another kind.
        Kind = "kind",
        /// Another day it is about.
        DocumentDate = "document_date",
        /// A patient it is about.
        Patient = "patient",
        /// Another document has the same content.
        Duplicate = "duplicate",
        /// Another document says nearly the same.
        NearDuplicate = "near_duplicate",
    }
}

text_enum! {
    /// Whether somebody decided on a proposal.
    DocumentProposalState {
        /// Nobody has.
        Open = "open",
        /// It was taken.
        Accepted = "accepted",
        /// It was not.
        Dismissed = "dismissed",
    }
}

/// A proposal.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub id: ProposalId,
    pub document: DocumentId,
    pub aspect: DocumentProposalAspect,
    pub kind: Option<DocumentKind>,
    pub document_date: Option<NaiveDate>,
    pub patient: Option<PatientId>,
    pub other: Option<DocumentId>,
    pub state: DocumentProposalState,
}

fn open(row: ProposalRow) -> Proposal {
    Proposal {
        id: row.id,
        document: row.document_id,
        aspect: row.aspect,
        kind: row.kind,
        document_date: row.document_date,
        patient: row.patient_id,
        other: row.other_document_id,
        state: row.state,
    }
}

/// What was found in a document that is being read.
#[derive(Debug, Clone)]
pub(in crate::domains::documents) struct Found {
    proposals: Vec<NewProposal>,
}

/// A document being read.
pub(in crate::domains::documents) struct Reading<'a> {
    pub document: DocumentId,
    pub sha256: &'a [u8],
    pub model: i16,
    /// Vectors of its passages, in their order.
    pub vectors: &'a [Vec<f32>],
}

/// What the pages say of themselves.
pub(in crate::domains::documents) fn said(pages: &[Page], today: NaiveDate) -> Told {
    let text = pages.iter().take(2).map(|page| page.text.as_str()).collect::<Vec<_>>().join("\n");
    Told(finding::said(&text, today))
}

/// What a text says of itself.
#[derive(Debug, Default)]
pub(in crate::domains::documents) struct Told(Said);

/// Looks up whom the text is about and whether it is there already. For the server itself.
///
/// # Errors
/// A fault.
pub(in crate::domains::documents) async fn find(
    ctx: &RequestContext,
    reading: Reading<'_>,
    Told(said): Told,
) -> Result<Found> {
    let read = ctx.read(&policy::PROCESS).await?;
    let (db, facility) = (read.db()?, ctx.facility());
    let blank = |aspect| NewProposal { aspect, kind: None, document_date: None, patient: None, other: None };
    let mut proposals = Vec::new();
    let row = documents::find_any(db, facility, reading.document).await?.ok_or(Error::NotFound)?;
    if let Some(kind) = said.kind.filter(|kind| *kind != row.kind) {
        proposals.push(NewProposal { kind: Some(kind), ..blank(DocumentProposalAspect::Kind) });
    }
    if let Some(date) = said.date.filter(|date| *date != row.document_date) {
        proposals.push(NewProposal { document_date: Some(date), ..blank(DocumentProposalAspect::DocumentDate) });
    }
    let person = said.person;
    let matching = patients::service::whom(ctx, person.name, person.birth_date, person.mrn).await?;
    for patient in matching.into_iter().filter(|patient| !row.patient_ids.contains(patient)) {
        proposals.push(NewProposal { patient: Some(patient), ..blank(DocumentProposalAspect::Patient) });
    }
    let same = repository::same_content(db, facility, reading.document, reading.sha256, MOST).await?;
    let passages = i64::try_from(reading.vectors.len()).unwrap_or(i64::MAX);
    let near = if reading.vectors.is_empty() {
        Vec::new()
    } else {
        let vectors = reading.vectors.iter().take(COMPARED).cloned().collect();
        repository::nearly_same(db, facility, reading.document, reading.model, vectors, passages, NEAR).await?
    };
    for other in near.into_iter().filter(|other| !same.contains(other)) {
        proposals.push(NewProposal { other: Some(other), ..blank(DocumentProposalAspect::NearDuplicate) });
    }
    for other in same {
        proposals.push(NewProposal { other: Some(other), ..blank(DocumentProposalAspect::Duplicate) });
    }
    ctx.finish().await?;
    Ok(Found { proposals })
}

/// Puts what was found beside the document, in the transaction that brings it into search.
pub(in crate::domains::documents) async fn store(tx: &Tx, document: DocumentId, found: Found) -> Result<()> {
    repository::replace(tx.db()?, tx.ctx().facility(), document, found.proposals, tx.ctx().now()).await
}

/// Proposals on documents, those the caller may know of.
///
/// # Errors
/// A denial, or a fault.
pub async fn proposals_of(ctx: &RequestContext, ids: &[DocumentId]) -> Result<Vec<Proposal>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::visible(read.db()?, sight(ctx, &read), ids, &[]).await?;
    Ok(rows.into_iter().map(|row| shown(ctx, row)).collect())
}

/// One proposal.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller may know of.
pub async fn proposal(ctx: &RequestContext, id: ProposalId) -> Result<Proposal> {
    let read = ctx.read(&policy::READ).await?;
    let row = repository::visible(read.db()?, sight(ctx, &read), &[], &[id]).await?.pop().ok_or(Error::NotFound)?;
    Ok(shown(ctx, row))
}

fn shown(ctx: &RequestContext, row: ProposalRow) -> Proposal {
    let subject = Subject::of(row.id);
    ctx.note_read(row.patient_id.map_or(subject, |patient| subject.in_record_of(patient)));
    open(row)
}

/// Takes a proposal: the document changes as proposed. That a document is a duplicate is only put on record.
///
/// # Errors
/// Refused when it was decided before, or the document changed since.
pub async fn accept(
    ctx: &RequestContext,
    id: ProposalId,
    expected_version: i32,
    once: Option<Once>,
) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::PROPOSAL_DECIDE)
        .once(once)
        .run(|tx| async move {
            let (proposal, row) = decided(&tx, id, DocumentProposalState::Accepted).await?;
            if let Some(kind) = proposal.kind {
                policy::require_kind(&tx, kind)?;
            }
            let changes = DocumentChanges {
                kind: proposal.kind,
                document_date: proposal.document_date,
                updated_at: Some(tx.ctx().now()),
                ..DocumentChanges::default()
            };
            let facility = tx.ctx().facility();
            if !documents::update_if_version(tx.db()?, facility, row.id, expected_version, changes).await? {
                return Err(stale());
            }
            if proposal.kind.is_some() || proposal.document_date.is_some() {
                versions::record(&tx, row.id, DocumentVersionChange::Edited).await?;
            }
            match proposal.patient {
                Some(patient) => {
                    link_new(&tx, row.id, &[patient]).await?;
                    changed_with(&tx, row.id, &[patient], &json!({ "linked": true }));
                }
                None => changed(&tx, row.id, &row.patient_ids),
            }
            tx.audit(Subject::of(id), json!({ "aspect": proposal.aspect.as_str(), "accepted": true }));
            Ok(row.id)
        })
        .await
}

/// Turns a proposal down.
///
/// # Errors
/// Refused when it was decided before.
pub async fn dismiss(ctx: &RequestContext, id: ProposalId, once: Option<Once>) -> Result<DocumentId, Stop<Refusal>> {
    ctx.write(&policy::PROPOSAL_DECIDE)
        .once(once)
        .run(|tx| async move {
            let (proposal, row) = decided(&tx, id, DocumentProposalState::Dismissed).await?;
            tx.audit(Subject::of(id), json!({ "aspect": proposal.aspect.as_str(), "accepted": false }));
            Ok(row.id)
        })
        .await
}

/// Decides on a proposal on a document that may be changed.
async fn decided(
    tx: &Tx,
    id: ProposalId,
    state: DocumentProposalState,
) -> Result<(Proposal, DocumentRow), Stop<Refusal>> {
    let ctx = tx.ctx();
    let row = repository::visible(tx.db()?, sight(ctx, tx), &[], &[id]).await?.pop().ok_or(Error::NotFound)?;
    let document = changeable(tx, row.document_id).await?;
    if !repository::decide(tx.db()?, ctx.facility(), id, state, ctx.user()?, ctx.now()).await? {
        return Err(Stop::refuse(Refusal::Decided, &["input", "id"], "somebody decided on the proposal before"));
    }
    Ok((open(row), document))
}
