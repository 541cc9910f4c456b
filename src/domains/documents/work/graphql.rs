//! The work on documents in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::model::{self, DocumentInboxFolder, DocumentRetentionClass, DocumentReviewState};
use super::service;
use crate::domains::documents::graphql::{Document, DocumentConnection, DocumentUserError};
use crate::domains::documents::service as documents;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::error::Result;
use crate::graphql::loaders::{load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, TypedId as _, UserId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// The work on a document. Needs `documents.read`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct DocumentWork {
    /// Whether somebody must still look at it; null for notes, and for what came in before there were reviews.
    pub review_state: Option<DocumentReviewState>,
    /// When somebody looked at it; null while nobody has.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// Since when it is the assignee's; null while it is nobody's.
    pub assigned_at: Option<DateTime<Utc>>,
    /// By which rule it is kept.
    pub retention_class: DocumentRetentionClass,
    /// Whether a legal hold lasts: then nothing of it goes away, and its content stays as it is.
    pub on_hold: bool,
    /// Give this as `expectedVersion` when changing the work; 0 while nothing was ever said about it.
    pub version: i32,
    #[graphql(skip)]
    pub assignee_id: Option<UserId>,
    #[graphql(skip)]
    pub reviewed_by_id: Option<UserId>,
}

#[ComplexObject]
impl DocumentWork {
    /// Who is to look at it; null while it is nobody in particular.
    async fn assignee(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.assignee_id?).await
    }

    /// Who looked at it; null while nobody has.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.reviewed_by_id?).await
    }
}

async fn user(ctx: &Context<'_>, id: UserId) -> Option<User> {
    or_null(ctx, load_one::<UserLoader>(ctx, id).await)?.map(Into::into)
}

impl From<model::Work> for DocumentWork {
    fn from(work: model::Work) -> Self {
        Self {
            review_state: work.review_state,
            reviewed_at: work.reviewed_at,
            assigned_at: work.assigned_at,
            retention_class: work.retention,
            on_hold: work.on_hold,
            version: work.version,
            assignee_id: work.assignee,
            reviewed_by_id: work.reviewed_by,
        }
    }
}

/// Documents in each folder of work, as far as the caller may know of them.
#[derive(Debug, SimpleObject)]
pub struct DocumentInboxCounts {
    /// About no patient yet.
    pub unassigned: i64,
    /// Uploaded and not looked at.
    pub needs_review: i64,
    /// Could not be read.
    pub failed: i64,
    /// With a virus.
    pub quarantined: i64,
    /// The caller's own to look at.
    pub mine: i64,
}

/// A legal hold. Needs `documents.hold`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct DocumentHold {
    /// Why it was placed.
    pub reason: String,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Why it was released; null while it lasts.
    pub release_reason: Option<String>,
    /// When it was released; null while it lasts.
    pub released_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    pub placed_by_id: UserId,
    #[graphql(skip)]
    pub released_by_id: Option<UserId>,
}

#[ComplexObject]
impl DocumentHold {
    /// Who placed it; null only when the account cannot be shown.
    async fn placed_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.placed_by_id).await
    }

    /// Who released it; null while it lasts.
    async fn released_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.released_by_id?).await
    }
}

impl From<model::Hold> for DocumentHold {
    fn from(hold: model::Hold) -> Self {
        Self {
            reason: hold.reason.into_revealed(),
            placed_at: hold.placed_at,
            release_reason: hold.release_reason.map(Phi::into_revealed),
            released_at: hold.released_at,
            placed_by_id: hold.placed_by,
            released_by_id: hold.released_by,
        }
    }
}

/// Queries of the work on documents.
#[derive(Debug, Default)]
pub struct DocumentWorkQuery;

#[Object]
impl DocumentWorkQuery {
    /// A folder of work, last added first. Needs `documents.inbox`.
    async fn document_inbox(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which folder.")] folder: DocumentInboxFolder,
        #[graphql(desc = "Documents to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::inbox(request(ctx)?, folder, page).await?.map(Document::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(folder_count(&service::inbox_counts(request(ctx)?).await?, folder))
        } else {
            None
        };
        Ok(DocumentConnection::new(found, page.after.is_some(), total, |document| document.id.encode()))
    }

    /// How many documents each folder of work holds. Needs `documents.inbox`.
    async fn document_inbox_counts(&self, ctx: &Context<'_>) -> Result<DocumentInboxCounts> {
        let counts = service::inbox_counts(request(ctx)?).await?;
        Ok(DocumentInboxCounts {
            unassigned: counts.unassigned,
            needs_review: counts.needs_review,
            failed: counts.failed,
            quarantined: counts.quarantined,
            mine: counts.mine,
        })
    }

    /// Legal holds of a document, the newest first; none when there is no such document. Needs `documents.hold`.
    async fn document_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the document.")] document_id: DocumentId,
    ) -> Result<Vec<DocumentHold>> {
        Ok(service::holds(request(ctx)?, document_id).await?.into_iter().map(Into::into).collect())
    }
}

const fn folder_count(counts: &model::Counts, folder: DocumentInboxFolder) -> i64 {
    match folder {
        DocumentInboxFolder::Unassigned => counts.unassigned,
        DocumentInboxFolder::NeedsReview => counts.needs_review,
        DocumentInboxFolder::Failed => counts.failed,
        DocumentInboxFolder::Quarantined => counts.quarantined,
        DocumentInboxFolder::Mine => counts.mine,
    }
}

/// A document for somebody to look at.
#[derive(InputObject)]
pub struct DocumentAssignInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `work.version` that was read.
    pub expected_version: i32,
    /// Who is to look at it, a member of the facility; null or left out takes it from whoever has it.
    pub assignee_id: Option<UserId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A document that was looked at.
#[derive(InputObject)]
pub struct DocumentReviewInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `work.version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// By which rule a document is to be kept.
#[derive(InputObject)]
pub struct DocumentRetentionSetInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `work.version` that was read.
    pub expected_version: i32,
    /// The rule.
    pub retention_class: DocumentRetentionClass,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A document to be held, or released.
#[derive(InputObject)]
pub struct DocumentHoldInput {
    /// Id of the document.
    pub document_id: DocumentId,
    /// Why, 1 to 1,000 characters.
    pub reason: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of the work on a document.
    DocumentWorkPayload {
        /// The document; null when refused.
        document: Document,
    } or DocumentUserError
);

payload!(
    /// What became of a legal hold.
    DocumentHoldPayload {
        /// Holds of the document, the newest first; null when refused.
        holds: Vec<DocumentHold>,
    } or DocumentUserError
);

type Outcome = Result<DocumentId, crate::error::Stop<crate::domains::documents::model::Refusal>>;

async fn worked(ctx: &Context<'_>, outcome: Outcome) -> Result<DocumentWorkPayload> {
    match outcome {
        Ok(id) => Ok(DocumentWorkPayload::done(documents::document(request(ctx)?, id).await?.into())),
        Err(stop) => DocumentWorkPayload::refused(stop),
    }
}

async fn held(ctx: &Context<'_>, outcome: Outcome) -> Result<DocumentHoldPayload> {
    match outcome {
        Ok(id) => {
            let holds = service::holds(request(ctx)?, id).await?;
            Ok(DocumentHoldPayload::done(holds.into_iter().map(Into::into).collect()))
        }
        Err(stop) => DocumentHoldPayload::refused(stop),
    }
}

/// Mutations of the work on documents.
#[derive(Debug, Default)]
pub struct DocumentWorkMutation;

#[Object]
impl DocumentWorkMutation {
    /// Gives a document to somebody to look at, or takes it from whoever has it. Needs `documents.assign`.
    async fn document_assign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document, and who is to look at it.")] input: DocumentAssignInput,
    ) -> Result<DocumentWorkPayload> {
        let DocumentAssignInput { id, expected_version, assignee_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        worked(ctx, service::assign(request(ctx)?, id, expected_version, assignee_id, once).await).await
    }

    /// Says that a document was looked at: it leaves the folders. Needs `documents.review`.
    async fn document_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] input: DocumentReviewInput,
    ) -> Result<DocumentWorkPayload> {
        let DocumentReviewInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        worked(ctx, service::review(request(ctx)?, id, expected_version, once).await).await
    }

    /// Says by which rule a document is kept. Needs `documents.retention`.
    async fn document_retention_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document, and the rule.")] input: DocumentRetentionSetInput,
    ) -> Result<DocumentWorkPayload> {
        let DocumentRetentionSetInput { id, expected_version, retention_class, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        worked(ctx, service::set_retention(request(ctx)?, id, expected_version, retention_class, once).await).await
    }

    /// Places a legal hold on a document of any kind. Needs `documents.hold`.
    async fn document_hold_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document, and why.")] input: DocumentHoldInput,
    ) -> Result<DocumentHoldPayload> {
        let DocumentHoldInput { document_id, reason, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        held(ctx, service::place_hold(request(ctx)?, document_id, Phi::new(reason), once).await).await
    }

    /// Releases the legal hold on a document. Needs `documents.hold`.
    async fn document_hold_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document, and why.")] input: DocumentHoldInput,
    ) -> Result<DocumentHoldPayload> {
        let DocumentHoldInput { document_id, reason, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        held(ctx, service::release_hold(request(ctx)?, document_id, Phi::new(reason), once).await).await
    }
}
