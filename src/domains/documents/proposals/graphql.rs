//! Proposals in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::NaiveDate;

use super::service::{self, DocumentProposalAspect, DocumentProposalState};
use crate::domains::documents::graphql::{Document, DocumentUserError};
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::model::{DocumentKind, Refusal};
use crate::domains::documents::service as documents;
use crate::domains::patients::graphql::Patient;
use crate::domains::patients::loaders::PatientLoader;
use crate::error::{Result, Stop};
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, PatientId, ProposalId};

/// What the text of a document proposes of it; nothing is applied before somebody accepts it. Needs `documents.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct DocumentProposal {
    /// Typed, opaque id.
    pub id: ProposalId,
    /// What is proposed.
    pub aspect: DocumentProposalAspect,
    /// Whether somebody decided.
    pub state: DocumentProposalState,
    /// The kind proposed; null unless `aspect` is `KIND`.
    pub kind: Option<DocumentKind>,
    /// The day proposed; null unless `aspect` is `DOCUMENT_DATE`.
    pub document_date: Option<NaiveDate>,
    #[graphql(skip)]
    pub patient_id: Option<PatientId>,
    #[graphql(skip)]
    pub other_id: Option<DocumentId>,
}

#[ComplexObject]
impl DocumentProposal {
    /// The patient proposed, whose name and birth date, or record number, the text has; null unless `aspect` is
    /// `PATIENT`. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<Patient>, LoadError> {
        let Some(id) = self.patient_id else { return Ok(None) };
        Ok(load_one::<PatientLoader>(ctx, id).await?.map(Into::into))
    }

    /// The document that is the same, or nearly; null unless `aspect` is `DUPLICATE` or `NEAR_DUPLICATE`. Needs
    /// `documents.read`.
    async fn other_document(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        let Some(id) = self.other_id else { return Ok(None) };
        Ok(load_one::<DocumentLoader>(ctx, id).await?.map(Into::into))
    }
}

impl From<service::Proposal> for DocumentProposal {
    fn from(proposal: service::Proposal) -> Self {
        Self {
            id: proposal.id,
            aspect: proposal.aspect,
            state: proposal.state,
            kind: proposal.kind,
            document_date: proposal.document_date,
            patient_id: proposal.patient,
            other_id: proposal.other,
        }
    }
}

/// A proposal to be taken.
#[derive(InputObject)]
pub struct DocumentProposalAcceptInput {
    /// Id of the proposal.
    pub id: ProposalId,
    /// The `version` of the document that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A proposal to be turned down.
#[derive(InputObject)]
pub struct DocumentProposalDismissInput {
    /// Id of the proposal.
    pub id: ProposalId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a proposal.
    DocumentProposalPayload {
        /// The document it is on; null when refused.
        document: Document,
    } or DocumentUserError
);

async fn decided(ctx: &Context<'_>, outcome: Result<DocumentId, Stop<Refusal>>) -> Result<DocumentProposalPayload> {
    match outcome {
        Ok(id) => Ok(DocumentProposalPayload::done(documents::document(request(ctx)?, id).await?.into())),
        Err(stop) => DocumentProposalPayload::refused(stop),
    }
}

/// Mutations of proposals.
#[derive(Debug, Default)]
pub struct DocumentProposalMutation;

#[Object]
impl DocumentProposalMutation {
    /// Takes a proposal: the document gets the kind, the day or the patient. That it is a duplicate is only put on record.
    /// Needs `documents.proposal.decide`.
    async fn document_proposal_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proposal.")] input: DocumentProposalAcceptInput,
    ) -> Result<DocumentProposalPayload> {
        let DocumentProposalAcceptInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        decided(ctx, service::accept(request(ctx)?, id, expected_version, once).await).await
    }

    /// Turns a proposal down; it is not made again. Needs `documents.proposal.decide`.
    async fn document_proposal_dismiss(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proposal.")] input: DocumentProposalDismissInput,
    ) -> Result<DocumentProposalPayload> {
        let DocumentProposalDismissInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        decided(ctx, service::dismiss(request(ctx)?, id, once).await).await
    }
}
