//! Amendment requests in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::model::{Amendment, AmendmentDenialGround, AmendmentFilter, AmendmentStatus, Decision};
use super::service;
use crate::domains::documents::graphql::{Document, DocumentUserError};
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::model::Refusal;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::graphql::Patient;
use crate::domains::patients::loaders::PatientLoader;
use crate::error::{Result, Stop};
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{AmendmentId, DocumentId, PatientId, TypedId as _, UserId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// A patient's request that a signed note be corrected (45 CFR 164.526). Needs `documents.amendment.read`, and the note to
/// be seen.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct AmendmentRequest {
    /// Typed, opaque id.
    pub id: AmendmentId,
    /// Where it is.
    pub status: AmendmentStatus,
    /// What the patient asks for.
    pub request: String,
    /// When it was recorded.
    pub requested_at: DateTime<Utc>,
    /// The last day to decide it: 60 days after it was recorded, 30 more where it was put off.
    pub due_on: NaiveDate,
    /// Why it was put off, which is the patient's to read; null unless it was.
    pub extension_reason: Option<String>,
    /// Whether it waits for a decision although that day is over.
    pub overdue: bool,
    /// On what ground it was denied; null unless it was.
    pub denial_ground: Option<AmendmentDenialGround>,
    /// The written reason, which is the patient's to read; null unless it was denied.
    pub reason: Option<String>,
    /// When it was decided; null before.
    pub decided_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when deciding it.
    pub version: i32,
    #[graphql(skip)]
    pub document_id: DocumentId,
    #[graphql(skip)]
    pub patient_id: PatientId,
    #[graphql(skip)]
    pub recorded_by_id: Option<UserId>,
    #[graphql(skip)]
    pub decided_by_id: Option<UserId>,
    #[graphql(skip)]
    pub addendum_id: Option<DocumentId>,
}

#[ComplexObject]
impl AmendmentRequest {
    /// The note. Needs `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        Ok(load_one::<DocumentLoader>(ctx, self.document_id).await?.map(Into::into))
    }

    /// Who asks. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<Patient>, LoadError> {
        Ok(load_one::<PatientLoader>(ctx, self.patient_id).await?.map(Into::into))
    }

    /// Who recorded it.
    async fn recorded_by(&self, ctx: &Context<'_>) -> Option<User> {
        or_null(ctx, load_one::<UserLoader>(ctx, self.recorded_by_id?).await)?.map(Into::into)
    }

    /// Who decided it; null before.
    async fn decided_by(&self, ctx: &Context<'_>) -> Option<User> {
        or_null(ctx, load_one::<UserLoader>(ctx, self.decided_by_id?).await)?.map(Into::into)
    }

    /// The addendum that carries the correction; null unless it was accepted, and while it is a draft of somebody else's.
    /// Needs `documents.read`.
    async fn addendum(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        let Some(id) = self.addendum_id else { return Ok(None) };
        Ok(load_one::<DocumentLoader>(ctx, id).await?.map(Into::into))
    }
}

impl From<Amendment> for AmendmentRequest {
    fn from(amendment: Amendment) -> Self {
        Self {
            id: amendment.id,
            status: amendment.status,
            request: amendment.request.into_revealed(),
            requested_at: amendment.requested_at,
            due_on: amendment.due_on,
            overdue: amendment.overdue,
            extension_reason: amendment.extension.map(Phi::into_revealed),
            denial_ground: amendment.denial_ground,
            reason: amendment.decision.map(Phi::into_revealed),
            decided_at: amendment.decided_at,
            version: amendment.version,
            document_id: amendment.document,
            patient_id: amendment.patient,
            recorded_by_id: amendment.recorded_by,
            decided_by_id: amendment.decided_by,
            addendum_id: amendment.addendum,
        }
    }
}

connection!(AmendmentRequestConnection, AmendmentRequestEdge, AmendmentRequest, "amendment requests");

#[derive(Debug, Default)]
pub struct AmendmentsQuery;

#[Object]
impl AmendmentsQuery {
    /// Amendment requests about notes the caller may know of, last recorded first. Needs `documents.amendment.read`.
    async fn amendment_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those so far.")] status: Option<AmendmentStatus>,
        #[graphql(desc = "Only those about this note.")] document_id: Option<DocumentId>,
        #[graphql(desc = "Only those of this patient.")] patient_id: Option<PatientId>,
        #[graphql(desc = "Requests to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<AmendmentRequestConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let filter = AmendmentFilter { status, document: document_id, patient: patient_id };
        let found = service::list_amendments(request(ctx)?, filter, page).await?.map(AmendmentRequest::from);
        Ok(AmendmentRequestConnection::new(found, page.after.is_some(), None, |amendment| amendment.id.encode()))
    }
}

/// What a patient asks for.
#[derive(InputObject)]
pub struct AmendmentRecordInput {
    /// The signed note.
    pub document_id: DocumentId,
    /// Who asks: one of those the note is about.
    pub patient_id: PatientId,
    /// What should be corrected and why, 1 to 10,000 characters.
    pub request: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A request whose last day is to be put off.
#[derive(InputObject)]
pub struct AmendmentExtendInput {
    /// Id of the request.
    pub id: AmendmentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Why it takes longer, in plain language, for the patient, 1 to 10,000 characters.
    pub reason: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A request to be accepted.
#[derive(InputObject)]
pub struct AmendmentAcceptInput {
    /// Id of the request.
    pub id: AmendmentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// What the addendum says, 1 to 200,000 characters.
    pub text: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A request to be denied.
#[derive(InputObject)]
pub struct AmendmentDenyInput {
    /// Id of the request.
    pub id: AmendmentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// On what ground.
    pub ground: AmendmentDenialGround,
    /// The reason in plain language, for the patient, 1 to 10,000 characters.
    pub reason: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of an amendment request.
    AmendmentRequestPayload {
        /// The request; null when refused.
        amendment_request: AmendmentRequest,
    } or DocumentUserError
);

async fn told(ctx: &Context<'_>, outcome: Result<AmendmentId, Stop<Refusal>>) -> Result<AmendmentRequestPayload> {
    match outcome {
        Ok(id) => Ok(AmendmentRequestPayload::done(service::amendment(request(ctx)?, id).await?.into())),
        Err(stop) => AmendmentRequestPayload::refused(stop),
    }
}

#[derive(Debug, Default)]
pub struct AmendmentsMutation;

#[Object]
impl AmendmentsMutation {
    /// Records that a patient asks for a correction of a signed note about them. Needs `documents.amendment.request`.
    async fn amendment_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: AmendmentRecordInput,
    ) -> Result<AmendmentRequestPayload> {
        let AmendmentRecordInput { document_id, patient_id, request: asked, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let asked = Phi::new(asked);
        told(ctx, service::request_amendment(request(ctx)?, document_id, patient_id, asked, once).await).await
    }

    /// Puts the last day to decide a request off by 30 days, once, before it is over, with a reason that is the patient's to
    /// read. Needs `documents.amendment.extend`.
    async fn amendment_extend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request, and the reason.")] input: AmendmentExtendInput,
    ) -> Result<AmendmentRequestPayload> {
        let AmendmentExtendInput { id, expected_version, reason, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        told(ctx, service::extend_amendment(request(ctx)?, id, expected_version, Phi::new(reason), once).await).await
    }

    /// Accepts a request: the correction is an addendum to the note, a draft of the caller's to be finalized and signed in
    /// its turn. Needs `documents.amendment.decide`.
    async fn amendment_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request, and the correction.")] input: AmendmentAcceptInput,
    ) -> Result<AmendmentRequestPayload> {
        let AmendmentAcceptInput { id, expected_version, text, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let decision = Decision::Accept(Phi::new(text));
        told(ctx, service::decide_amendment(request(ctx)?, id, expected_version, decision, once).await).await
    }

    /// Denies a request, with a reason that is the patient's to read. Needs `documents.amendment.decide`.
    async fn amendment_deny(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request, and the reason.")] input: AmendmentDenyInput,
    ) -> Result<AmendmentRequestPayload> {
        let AmendmentDenyInput { id, expected_version, ground, reason, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let decision = Decision::Deny(ground, Phi::new(reason));
        told(ctx, service::decide_amendment(request(ctx)?, id, expected_version, decision, once).await).await
    }
}
