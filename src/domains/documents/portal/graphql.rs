//! Documents in the portal: translation only.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::service::{self, PortalNote};
use crate::domains::documents::amendments::{Amendment, AmendmentDenialGround, AmendmentStatus};
use crate::domains::documents::graphql::DocumentUserError;
use crate::domains::documents::model::{DocumentKind, NoteState};
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{AmendmentId, DocumentId, PatientId, TypedId as _};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// A note as the patient sees it. Needs `documents.portal.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PortalDocument {
    /// Id of the note, for `portalAmendmentAsk`.
    pub document_id: DocumentId,
    /// What it is.
    pub kind: DocumentKind,
    /// Title.
    pub title: String,
    /// The day it is about.
    pub document_date: NaiveDate,
    /// Final or signed.
    pub state: Option<NoteState>,
    /// When it was signed; null while it is not.
    pub signed_at: Option<DateTime<Utc>>,
    /// Its text.
    pub text: String,
}

impl From<PortalNote> for PortalDocument {
    fn from(note: PortalNote) -> Self {
        let PortalNote { document, text } = note;
        Self {
            document_id: document.id,
            kind: document.kind,
            title: document.title.into_revealed(),
            document_date: document.document_date,
            state: document.note_state,
            signed_at: document.signed_at,
            text: text.into_revealed(),
        }
    }
}

connection!(PortalDocumentConnection, PortalDocumentEdge, PortalDocument, "documents");

/// A request for a correction as the patient sees it (45 CFR 164.526). Needs `documents.portal.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct PortalAmendment {
    /// Id of the request.
    pub amendment_request_id: AmendmentId,
    /// Id of the note.
    pub document_id: DocumentId,
    /// What was asked for.
    pub request: String,
    /// Where it is.
    pub status: AmendmentStatus,
    /// When it was made.
    pub requested_at: DateTime<Utc>,
    /// The last day to decide it.
    pub due_on: NaiveDate,
    /// Why that day was put off; null unless it was.
    pub extension_reason: Option<String>,
    /// On what ground it was denied; null unless it was.
    pub denial_ground: Option<AmendmentDenialGround>,
    /// The written reason; null unless it was denied.
    pub reason: Option<String>,
    /// When it was decided; null before.
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<Amendment> for PortalAmendment {
    fn from(amendment: Amendment) -> Self {
        Self {
            amendment_request_id: amendment.id,
            document_id: amendment.document,
            request: amendment.request.into_revealed(),
            status: amendment.status,
            requested_at: amendment.requested_at,
            due_on: amendment.due_on,
            extension_reason: amendment.extension.map(Phi::into_revealed),
            denial_ground: amendment.denial_ground,
            reason: amendment.decision.map(Phi::into_revealed),
            decided_at: amendment.decided_at,
        }
    }
}

connection!(PortalAmendmentConnection, PortalAmendmentEdge, PortalAmendment, "amendment requests");

/// Queries of the portal.
#[derive(Debug, Default)]
pub struct PortalDocumentsQuery;

#[Object]
impl PortalDocumentsQuery {
    /// Notes in a chart the caller is linked to, final or signed, last added first; those about others too, and those kept
    /// apart or labelled, are left out. Fails with `NOT_FOUND` for another chart. Needs `documents.portal.read`.
    async fn portal_documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose notes.")] patient_id: PatientId,
        #[graphql(desc = "Notes to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<PortalDocumentConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::portal_notes(request(ctx)?, patient_id, page).await?.map(PortalDocument::from);
        Ok(PortalDocumentConnection::new(found, page.after.is_some(), None, |note| note.document_id.encode()))
    }

    /// Requests for corrections in a chart the caller is linked to, last made first. Fails with `NOT_FOUND` for another
    /// chart. Needs `documents.portal.read`.
    async fn portal_amendments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose requests.")] patient_id: PatientId,
        #[graphql(desc = "Requests to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<PortalAmendmentConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::portal_amendments(request(ctx)?, patient_id, page).await?.map(PortalAmendment::from);
        Ok(PortalAmendmentConnection::new(found, page.after.is_some(), None, |one| one.amendment_request_id.encode()))
    }
}

/// What a patient wants corrected.
#[derive(InputObject)]
pub struct PortalAmendmentAskInput {
    /// The signed note.
    pub document_id: DocumentId,
    /// Whose note.
    pub patient_id: PatientId,
    /// What should be corrected and why, 1 to 10,000 characters.
    pub request: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a request.
    PortalAmendmentPayload {
        /// The request; null when refused.
        amendment: PortalAmendment,
    } or DocumentUserError
);

/// Mutations of the portal.
#[derive(Debug, Default)]
pub struct PortalDocumentsMutation;

#[Object]
impl PortalDocumentsMutation {
    /// Asks for a correction of a signed note, as the patient or for them; it is decided within 60 days. Needs
    /// `documents.portal.amendment`.
    async fn portal_amendment_ask(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PortalAmendmentAskInput,
    ) -> Result<PortalAmendmentPayload> {
        let PortalAmendmentAskInput { document_id, patient_id, request: asked, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let request = request(ctx)?;
        match service::ask_for_amendment(request, document_id, patient_id, Phi::new(asked), once).await {
            Ok(id) => Ok(PortalAmendmentPayload::done(service::portal_amendment(request, id).await?.into())),
            Err(stop) => PortalAmendmentPayload::refused(stop),
        }
    }
}
