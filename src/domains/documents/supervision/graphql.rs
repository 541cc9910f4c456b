//! Supervision and co-signatures in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{model, service};
use crate::domains::documents::graphql::{Document, DocumentConnection, DocumentUserError, NotePayload};
use crate::domains::documents::service as documents;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, SupervisionId, TypedId as _, UserId};
use crate::pagination::PageRequest;

/// That what one member signs needs the co-signature of another.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Supervision {
    /// Typed, opaque id.
    pub id: SupervisionId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; null while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when ending it.
    pub version: i32,
    #[graphql(skip)]
    pub supervisee_id: UserId,
    #[graphql(skip)]
    pub supervisor_id: UserId,
}

#[ComplexObject]
impl Supervision {
    /// Whose notes need a co-signature; null only when the account cannot be shown.
    async fn supervisee(&self, ctx: &Context<'_>) -> Option<User> {
        or_null(ctx, load_one::<UserLoader>(ctx, self.supervisee_id).await)?.map(Into::into)
    }

    /// Who signs them too; null only when the account cannot be shown.
    async fn supervisor(&self, ctx: &Context<'_>) -> Option<User> {
        or_null(ctx, load_one::<UserLoader>(ctx, self.supervisor_id).await)?.map(Into::into)
    }
}

impl From<model::Supervision> for Supervision {
    fn from(supervision: model::Supervision) -> Self {
        Self {
            id: supervision.id,
            started_at: supervision.started_at,
            ended_at: supervision.ended_at,
            version: supervision.version,
            supervisee_id: supervision.supervisee_id,
            supervisor_id: supervision.supervisor_id,
        }
    }
}

connection!(SupervisionConnection, SupervisionEdge, Supervision, "supervisions");

#[derive(Debug, Default)]
pub struct SupervisionQuery;

#[Object]
impl SupervisionQuery {
    /// Whose notes need whose co-signature, last begun first. Needs `documents.supervision.read`.
    async fn supervisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Also those that have ended; no when left out.")] include_ended: Option<bool>,
        #[graphql(desc = "Supervisions to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<SupervisionConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let ended = include_ended.unwrap_or(false);
        let found = service::list_supervisions(request(ctx)?, ended, page).await?.map(Supervision::from);
        Ok(SupervisionConnection::new(found, page.after.is_some(), None, |supervision| supervision.id.encode()))
    }

    /// Notes that wait for the caller's co-signature, last added first. Needs `documents.note.cosign`.
    async fn notes_awaiting_cosignature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Notes to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::awaiting_cosignature(request(ctx)?, page).await?.map(Document::from);
        Ok(DocumentConnection::new(found, page.after.is_some(), None, |document| document.id.encode()))
    }
}

/// Who is to supervise whom.
#[derive(InputObject)]
pub struct SupervisionStartInput {
    /// Whose notes need a co-signature from now on.
    pub supervisee_id: UserId,
    /// Who signs them too.
    pub supervisor_id: UserId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A supervision to be ended.
#[derive(InputObject)]
pub struct SupervisionEndInput {
    /// Id of the supervision.
    pub id: SupervisionId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A note that waits for a co-signature.
#[derive(InputObject)]
pub struct NoteCosignInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a supervision.
    SupervisionPayload {
        /// The supervision; null when refused.
        supervision: Supervision,
    } or DocumentUserError
);

type Changed = Result<SupervisionId, crate::error::Stop<crate::domains::documents::model::Refusal>>;

async fn changed(ctx: &Context<'_>, outcome: Changed) -> Result<SupervisionPayload> {
    match outcome {
        Ok(id) => Ok(SupervisionPayload::done(service::supervision(request(ctx)?, id).await?.into())),
        Err(stop) => SupervisionPayload::refused(stop),
    }
}

#[derive(Debug, Default)]
pub struct SupervisionMutation;

#[Object]
impl SupervisionMutation {
    /// From now on, what one member signs needs the co-signature of another. Needs `documents.supervision.manage`.
    async fn supervision_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and whom.")] input: SupervisionStartInput,
    ) -> Result<SupervisionPayload> {
        let SupervisionStartInput { supervisee_id, supervisor_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        changed(ctx, service::start_supervision(request(ctx)?, supervisee_id, supervisor_id, once).await).await
    }

    /// Ends a supervision. What still waits is signed by a successor, or by its author again. Needs
    /// `documents.supervision.manage`.
    async fn supervision_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision.")] input: SupervisionEndInput,
    ) -> Result<SupervisionPayload> {
        let SupervisionEndInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        changed(ctx, service::end_supervision(request(ctx)?, id, expected_version, once).await).await
    }

    /// Signs a note that somebody supervised by the caller has signed; with it the note is signed. Needs
    /// `documents.note.cosign`.
    async fn note_cosign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteCosignInput,
    ) -> Result<NotePayload> {
        let NoteCosignInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match documents::cosign_note(request(ctx)?, id, expected_version, once).await {
            Ok(id) => Ok(NotePayload::done(documents::document(request(ctx)?, id).await?.into())),
            Err(stop) => NotePayload::refused(stop),
        }
    }
}
