//! Objects of the domain.

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use crate::domains::documents::loaders::{
    AddendaLoader, BundleLoader, DocumentLoader, PatientDocuments, PatientDocumentsLoader, SignaturesLoader, TextLoader,
};
use crate::domains::documents::model::{
    self, CheckedSignature, DocumentKind, DocumentLabel, DocumentOrigin, DocumentStatus, NoteState, Refusal,
};
use crate::domains::documents::proposals::graphql::DocumentProposal;
use crate::domains::documents::proposals::loader::ProposalsLoader;
use crate::domains::documents::templates::graphql::{NoteFieldValue, NoteTemplate, values};
use crate::domains::documents::templates::loaders::{FilledLoader, TemplateLoader};
use crate::domains::documents::work::graphql::DocumentWork;
use crate::domains::documents::work::loader::WorkLoader;
use crate::domains::documents::{processing, service};
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::graphql::{Patient, PatientVisit};
use crate::domains::patients::loaders::{PatientLoader, VisitLoader};
use crate::error::Result;
use crate::extraction::ExtractionError;
use crate::graphql::connection::connection;
use crate::graphql::loaders::{LoadError, load_many, load_one, or_null};
use crate::graphql::payload::user_error;
use crate::graphql::request::request;
use crate::ids::{DocumentId, NoteTemplateId, PatientId, SignatureId, TypedId as _, UserId, VisitId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// An uploaded file or an authored note. Needs `documents.read`, and `documents.read_clinical` for a kind that is not
/// administrative; a draft or a psychotherapy note is seen by its author alone, one labelled `PART_2` by its author and with
/// `documents.part2.read`, and a restricted therapist sees documents of open charts.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Document {
    /// Typed, opaque id.
    pub id: DocumentId,
    /// Whether it was uploaded or written here.
    pub origin: DocumentOrigin,
    /// What it is.
    pub kind: DocumentKind,
    /// Title.
    pub title: String,
    /// Name of the file as uploaded; null for notes.
    pub file_name: Option<String>,
    /// MIME type, told from the content and not believed from the client.
    pub mime_type: String,
    /// Size of the content in bytes.
    pub size_bytes: i64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// The day it is about.
    pub document_date: NaiveDate,
    /// How far it is on its way into search.
    pub status: DocumentStatus,
    /// Why it could not be read, has no text or is set apart; null unless `status` is `FAILED`, `READY_WITHOUT_TEXT` or
    /// `QUARANTINED`.
    pub failure: Option<DocumentFailure>,
    /// Where a note is in its life; null for uploads.
    pub note_state: Option<NoteState>,
    /// When it was signed; null while it is not.
    pub signed_at: Option<DateTime<Utc>>,
    /// What it is marked as.
    pub labels: Vec<DocumentLabel>,
    /// What must go with the content wherever it goes; null unless the document is labelled `PART_2`.
    pub redisclosure_notice: Option<&'static str>,
    /// Language of the text as a BCP 47 subtag (`en`), told from the text; null before it was read, and where it cannot
    /// be told.
    pub language: Option<String>,
    /// Pages found in the file; null before it was read, and where there are no pages.
    pub page_count: Option<i32>,
    /// Passages in search; 0 before `status` is `READY`.
    pub passage_count: i32,
    /// When search could first find it; null before.
    pub ready_at: Option<DateTime<Utc>>,
    /// Give this as `expectedVersion` when changing the document.
    pub version: i32,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    #[graphql(skip)]
    pub author_id: Option<UserId>,
    #[graphql(skip)]
    pub patient_ids: Vec<PatientId>,
    #[graphql(skip)]
    pub addendum_to_id: Option<DocumentId>,
    #[graphql(skip)]
    pub template_version: Option<(NoteTemplateId, i32)>,
    #[graphql(skip)]
    pub visit_id: Option<VisitId>,
}

#[ComplexObject]
impl Document {
    /// Who uploaded or wrote it; null for imports.
    async fn author(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.author_id?).await
    }

    /// Patients it is about, those whose charts the caller may open. Needs `patients.read`.
    async fn patients(&self, ctx: &Context<'_>) -> Result<Vec<Patient>, LoadError> {
        let found = load_many::<PatientLoader>(ctx, self.patient_ids.clone()).await?;
        Ok(found.into_iter().map(Patient::from).collect())
    }

    /// The visit it is of; null when it is of none, or the visit cannot be shown. Needs `visits.read`.
    async fn visit(&self, ctx: &Context<'_>) -> Option<PatientVisit> {
        or_null(ctx, load_one::<VisitLoader>(ctx, self.visit_id?).await)?.map(Into::into)
    }

    /// The text of a note; null for uploads. Needs `documents.read`.
    async fn text(&self, ctx: &Context<'_>) -> Result<Option<String>, LoadError> {
        if self.origin != DocumentOrigin::Note {
            return Ok(None);
        }
        Ok(load_one::<TextLoader>(ctx, self.id).await?.map(Phi::into_revealed))
    }

    /// The template a note was made of, in the version it was made of; null when it was made of none. Needs
    /// `documents.template.read`.
    async fn template(&self, ctx: &Context<'_>) -> Result<Option<NoteTemplate>, LoadError> {
        let Some(wanted) = self.template_version else { return Ok(None) };
        Ok(load_one::<TemplateLoader>(ctx, wanted).await?.map(Into::into))
    }

    /// What is filled into the fields of the template, by key; empty when the note was made of none. `text` has it all,
    /// rendered. Needs `documents.read`.
    async fn fields(&self, ctx: &Context<'_>) -> Result<Vec<NoteFieldValue>, LoadError> {
        if self.template_version.is_none() {
            return Ok(Vec::new());
        }
        Ok(load_one::<FilledLoader>(ctx, self.id).await?.map(|filled| values(&filled)).unwrap_or_default())
    }

    /// A signed note as a file: the content signed, its signatures and the public keys, as JSON that `anamnesis documents
    /// verify` verifies without a server. Null unless the note is signed, and for psychotherapy notes, which are never
    /// exported. Needs `documents.note.export`; asking for it is recorded as `documents.note.export`.
    async fn signed_bundle(&self, ctx: &Context<'_>) -> Result<Option<String>, LoadError> {
        if self.note_state != Some(NoteState::Signed) {
            return Ok(None);
        }
        Ok(load_one::<BundleLoader>(ctx, self.id).await?.map(Phi::into_revealed))
    }

    /// Signatures, oldest first: that of the author, and a co-signature where the author is supervised; none before. Needs
    /// `documents.read`.
    async fn signatures(&self, ctx: &Context<'_>) -> Result<Vec<DocumentSignature>, LoadError> {
        if !matches!(self.note_state, Some(NoteState::Signed | NoteState::AwaitingCosignature)) {
            return Ok(Vec::new());
        }
        Ok(load_one::<SignaturesLoader>(ctx, self.id).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// Notes that add to this one, oldest first. Needs `documents.read`.
    async fn addenda(&self, ctx: &Context<'_>) -> Result<Vec<Document>, LoadError> {
        Ok(load_one::<AddendaLoader>(ctx, self.id).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// The note this one adds to; null when it adds to none. Needs `documents.read`.
    async fn addendum_to(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        let Some(id) = self.addendum_to_id else { return Ok(None) };
        Ok(load_one::<DocumentLoader>(ctx, id).await?.map(Into::into))
    }

    /// What staff do with it: who is to look at it, how long it is kept, whether it is under a legal hold. Null only when
    /// it cannot be seen any more. Needs `documents.read`.
    async fn work(&self, ctx: &Context<'_>) -> Result<Option<DocumentWork>, LoadError> {
        Ok(load_one::<WorkLoader>(ctx, self.id).await?.map(Into::into))
    }

    /// What its text proposes of it: another kind or day, a patient, that it is there already. Needs `documents.read`.
    async fn proposals(&self, ctx: &Context<'_>) -> Result<Vec<DocumentProposal>, LoadError> {
        Ok(load_one::<ProposalsLoader>(ctx, self.id).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// Where the file, or a note as a PDF, can be fetched for five minutes, by this user in this session: a path on this
    /// server, with a token. Null for psychotherapy notes, which are never exported, and for a file in which a virus was
    /// found. Needs `documents.download`; fetching is recorded as `documents.download`.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if self.kind == DocumentKind::PsychotherapyNote || self.status == DocumentStatus::Quarantined {
            Ok(None)
        } else {
            service::download_link(request(ctx)?, self.id).await.map(Some)
        }
    }
}

connection!(DocumentConnection, DocumentEdge, Document, "documents");

/// A page of the documents of one patient, batched with those of the other patients of the operation.
///
/// # Errors
/// A denial, or a fault.
pub async fn documents_of_patient(
    ctx: &Context<'_>,
    patient: PatientId,
    page: PageRequest<DocumentId>,
) -> Result<DocumentConnection, LoadError> {
    let found =
        load_one::<PatientDocumentsLoader>(ctx, PatientDocuments { patient, first: page.first, after: page.after })
            .await?;
    let found = found.map_or_else(|| page.cut(Vec::new()), |found| found.map(Document::from));
    Ok(DocumentConnection::new(found, page.after.is_some(), None, |document| document.id.encode()))
}

/// Why a document could not be read. The file itself is kept.
#[derive(Debug, Clone, SimpleObject)]
pub struct DocumentFailure {
    /// The reason, for programs.
    pub code: String,
    /// The reason, for people, and what they can do about it.
    pub message: String,
    /// Whether `documentRetry` may help without a change to the file.
    pub retryable: bool,
}

/// A signature on a note.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct DocumentSignature {
    /// Typed, opaque id.
    pub id: SignatureId,
    #[graphql(skip)]
    pub signer_id: UserId,
    /// When.
    pub signed_at: DateTime<Utc>,
    /// SHA-256 of the content signed, in hexadecimal.
    pub content_sha256: String,
    /// Whether the note is still what was signed, and the server's seal on it is genuine. False is a reason for alarm.
    pub valid: bool,
}

#[ComplexObject]
impl DocumentSignature {
    /// Who signed; null only when the account cannot be shown.
    async fn signer(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.signer_id).await
    }
}

/// Someone of the facility, in one batch with everyone else of the answer.
async fn user(ctx: &Context<'_>, id: UserId) -> Option<User> {
    or_null(ctx, load_one::<UserLoader>(ctx, id).await)?.map(Into::into)
}

user_error!(
    /// Why an operation on documents was refused.
    DocumentUserError(Refusal)
);

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl From<CheckedSignature> for DocumentSignature {
    fn from(checked: CheckedSignature) -> Self {
        let CheckedSignature { row, valid } = checked;
        Self {
            id: row.id,
            signer_id: row.user_id,
            signed_at: row.signed_at,
            content_sha256: hex(&row.content_sha256),
            valid,
        }
    }
}

/// What the code of a failure says. One that is not known here comes from a newer server.
fn failure(code: String) -> DocumentFailure {
    let known = ExtractionError::from_code(&code);
    let reason = known.map(ExtractionError::reason).or_else(|| processing::reason(&code));
    DocumentFailure {
        message: reason.unwrap_or("The file could not be read.").to_owned(),
        retryable: known.is_none_or(ExtractionError::is_retryable),
        code,
    }
}

impl From<model::Document> for Document {
    fn from(document: model::Document) -> Self {
        Self {
            id: document.id,
            origin: document.origin,
            kind: document.kind,
            title: document.title.into_revealed(),
            file_name: document.file_name.map(Phi::into_revealed),
            mime_type: document.mime_type,
            size_bytes: document.size_bytes,
            sha256: hex(&document.sha256),
            author_id: document.author_id,
            document_date: document.document_date,
            status: document.status,
            failure: document.failure_code.map(failure),
            note_state: document.note_state,
            signed_at: document.signed_at,
            labels: if document.part2 { vec![DocumentLabel::Part2] } else { Vec::new() },
            redisclosure_notice: document.part2.then_some(model::REDISCLOSURE_NOTICE),
            language: document.language,
            page_count: document.page_count,
            passage_count: document.chunk_count,
            ready_at: document.ready_at,
            version: document.version,
            created_at: document.created_at,
            updated_at: document.updated_at,
            patient_ids: document.patient_ids,
            addendum_to_id: document.addendum_to,
            template_version: document.template_id.zip(document.template_number),
            visit_id: document.visit_id,
        }
    }
}
