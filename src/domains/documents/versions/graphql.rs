//! Versions in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::loaders::VersionTextLoader;
use super::model::{Difference, DocumentDiffChange, DocumentVersionChange, Piece, Version};
use super::service;
use crate::domains::documents::graphql::{Document, DocumentPayload};
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::model::{DocumentKind, NoteState, REDISCLOSURE_NOTICE};
use crate::domains::documents::service as documents;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::error::Result;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_one, or_null};
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, TypedId as _, UserId, VersionId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// A state a document was in before it was signed. Needs `documents.version.read`, and the document to be seen; one of a
/// draft is seen by the note's author alone, also after the note is signed.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct DocumentVersion {
    /// Typed, opaque id.
    pub id: VersionId,
    /// The `version` of the document that this is. Numbers grow and have gaps: not every change of a document is one of
    /// what it says.
    pub number: i32,
    /// What made it.
    pub change: DocumentVersionChange,
    /// Number of the version that was put back; null unless `change` is `RESTORED`.
    pub restored_from: Option<i32>,
    /// Kind of the document then.
    pub kind: DocumentKind,
    /// Title then.
    pub title: String,
    /// The day the document was about then.
    pub document_date: NaiveDate,
    /// Where a note was in its life then; null for uploads.
    pub note_state: Option<NoteState>,
    /// When it was made; of several autosaves, the first.
    pub created_at: DateTime<Utc>,
    /// When it was last saved.
    pub saved_at: DateTime<Utc>,
    /// What must go with the content wherever it goes; null unless the document is labelled `PART_2` now.
    pub redisclosure_notice: Option<&'static str>,
    #[graphql(skip)]
    pub author_id: Option<UserId>,
    #[graphql(skip)]
    pub document_id: DocumentId,
}

#[ComplexObject]
impl DocumentVersion {
    /// Who made the change; null for imports.
    async fn author(&self, ctx: &Context<'_>) -> Option<User> {
        or_null(ctx, load_one::<UserLoader>(ctx, self.author_id?).await)?.map(Into::into)
    }

    /// The text of a note then; null for uploads. Needs `documents.version.read`.
    async fn text(&self, ctx: &Context<'_>) -> Result<Option<String>, LoadError> {
        if self.note_state.is_none() {
            return Ok(None);
        }
        Ok(load_one::<VersionTextLoader>(ctx, self.id).await?.map(Phi::into_revealed))
    }

    /// The document as it is now. Needs `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        Ok(load_one::<DocumentLoader>(ctx, self.document_id).await?.map(Into::into))
    }
}

impl From<Version> for DocumentVersion {
    fn from(version: Version) -> Self {
        Self {
            id: version.id,
            number: version.number,
            change: version.change,
            restored_from: version.restored_from,
            kind: version.kind,
            title: version.title.into_revealed(),
            document_date: version.document_date,
            note_state: version.note_state,
            created_at: version.created_at,
            saved_at: version.saved_at,
            redisclosure_notice: version.part2.then_some(REDISCLOSURE_NOTICE),
            author_id: version.author_id,
            document_id: version.document,
        }
    }
}

connection!(DocumentVersionConnection, DocumentVersionEdge, DocumentVersion, "versions");

/// A stretch of text in one or both of two versions.
#[derive(Debug, SimpleObject)]
pub struct DocumentDiffPiece {
    /// In which of the two it is.
    pub change: DocumentDiffChange,
    /// The text, with its white space.
    pub text: String,
}

/// How two versions of a document differ, word by word, in reading order.
#[derive(Debug, SimpleObject)]
pub struct DocumentVersionDiff {
    /// The first.
    pub from: DocumentVersion,
    /// The second.
    pub to: DocumentVersion,
    /// The titles.
    pub title: Vec<DocumentDiffPiece>,
    /// The texts of a note; null for uploads. All pieces but the added make up the first text, all but the removed the
    /// second.
    pub text: Option<Vec<DocumentDiffPiece>>,
}

fn pieces(pieces: Phi<Vec<Piece>>) -> Vec<DocumentDiffPiece> {
    let piece = |piece: Piece| DocumentDiffPiece { change: piece.change, text: piece.text };
    pieces.into_revealed().into_iter().map(piece).collect()
}

impl From<Difference> for DocumentVersionDiff {
    fn from(difference: Difference) -> Self {
        Self {
            from: difference.from.into(),
            to: difference.to.into(),
            title: pieces(difference.title),
            text: difference.text.map(pieces),
        }
    }
}

#[derive(Debug, Default)]
pub struct DocumentVersionsQuery;

#[Object]
impl DocumentVersionsQuery {
    /// The versions of a document, last made first. Needs `documents.version.read`.
    async fn document_versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] document_id: DocumentId,
        #[graphql(desc = "Versions to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentVersionConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let found = service::list_versions(request(ctx)?, document_id, page).await?.map(DocumentVersion::from);
        Ok(DocumentVersionConnection::new(found, page.after.is_some(), None, |version| version.id.encode()))
    }

    /// How two versions of a document differ, word by word. Needs `documents.version.read`.
    async fn document_version_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to begin with.")] from_version_id: VersionId,
        #[graphql(desc = "The version to compare it with.")] to_version_id: VersionId,
    ) -> Result<DocumentVersionDiff> {
        Ok(service::difference(request(ctx)?, from_version_id, to_version_id).await?.into())
    }
}

/// A version to be put back.
#[derive(InputObject)]
pub struct DocumentVersionRestoreInput {
    /// Id of the version.
    pub id: VersionId,
    /// The `version` of the document that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Default)]
pub struct DocumentVersionsMutation;

#[Object]
impl DocumentVersionsMutation {
    /// Puts an earlier version back, as a new one: title, kind and date, and of a draft its text. Needs
    /// `documents.version.restore`; of a note, only its author's draft.
    async fn document_version_restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version.")] input: DocumentVersionRestoreInput,
    ) -> Result<DocumentPayload> {
        let DocumentVersionRestoreInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match service::restore_version(request(ctx)?, id, expected_version, once).await {
            Ok(id) => Ok(DocumentPayload::done(documents::document(request(ctx)?, id).await?.into())),
            Err(stop) => DocumentPayload::refused(stop),
        }
    }
}
