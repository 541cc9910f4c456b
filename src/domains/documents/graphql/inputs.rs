//! Inputs of the domain.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::NaiveDate;

use super::upload::Upload;
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::ids::{DocumentId, PatientId, VisitId};

/// A file to be kept.
#[derive(InputObject)]
pub struct DocumentUploadInput {
    /// The file, as a part of a multipart request. At most 50 MiB.
    pub file: Upload,
    /// What it is. A kind that is not administrative needs `documents.read_clinical`.
    pub kind: DocumentKind,
    /// Title, 1 to 200 characters; made from the file name when left out.
    pub title: Option<String>,
    /// The day it is about; today when left out.
    pub document_date: Option<NaiveDate>,
    /// What it is marked as; nothing when left out.
    pub labels: Option<Vec<DocumentLabel>>,
    /// Patients it is about; may be none yet.
    #[graphql(default)]
    pub patient_ids: Vec<PatientId>,
    /// The visit it is of, one of these patients'; none when left out.
    pub visit_id: Option<VisitId>,
    /// Makes retries safe: the same key, input and file give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What to change of a document. What is left out stays.
#[derive(InputObject)]
pub struct DocumentUpdateInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Title, 1 to 200 characters; cannot be null.
    #[graphql(default)]
    pub title: MaybeUndefined<String>,
    /// What it is; cannot be null.
    #[graphql(default)]
    pub kind: MaybeUndefined<DocumentKind>,
    /// The day it is about; cannot be null.
    #[graphql(default)]
    pub document_date: MaybeUndefined<NaiveDate>,
    /// The visit it is of, one of a patient it is about; null takes it off.
    #[graphql(default)]
    pub visit_id: MaybeUndefined<VisitId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What a document is to be marked as.
#[derive(InputObject)]
pub struct DocumentLabelInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// The labels it is to have, and no others; an empty list takes them off.
    pub labels: Vec<DocumentLabel>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Patients to add to a document.
#[derive(InputObject)]
pub struct DocumentLinkPatientsInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Patients it is about, besides those linked already; 1 to 50.
    pub patient_ids: Vec<PatientId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A patient to take off a document.
#[derive(InputObject)]
pub struct DocumentUnlinkPatientInput {
    /// Id of the document.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// The patient it is not about.
    pub patient_id: PatientId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A document to be read again.
#[derive(InputObject)]
pub struct DocumentRetryInput {
    /// Id of the document.
    pub id: DocumentId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A note to be written.
#[derive(InputObject)]
pub struct NoteCreateInput {
    /// What it is.
    #[graphql(default_with = "DocumentKind::ClinicalNote")]
    pub kind: DocumentKind,
    /// Title, 1 to 200 characters.
    pub title: String,
    /// Text, 1 to 200,000 characters.
    pub text: String,
    /// The day it is about; today when left out.
    pub document_date: Option<NaiveDate>,
    /// What it is marked as; nothing when left out.
    pub labels: Option<Vec<DocumentLabel>>,
    /// Patients it is about, 1 to 50.
    pub patient_ids: Vec<PatientId>,
    /// The visit it is of, one of these patients'; none when left out.
    pub visit_id: Option<VisitId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What to change of a draft. What is left out stays.
#[derive(InputObject)]
pub struct NoteUpdateInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Title, 1 to 200 characters; cannot be null.
    #[graphql(default)]
    pub title: MaybeUndefined<String>,
    /// Text, 1 to 200,000 characters; cannot be null.
    #[graphql(default)]
    pub text: MaybeUndefined<String>,
    /// What it is; cannot be null.
    #[graphql(default)]
    pub kind: MaybeUndefined<DocumentKind>,
    /// The day it is about; cannot be null.
    #[graphql(default)]
    pub document_date: MaybeUndefined<NaiveDate>,
    /// The visit it is of, one of a patient it is about; null takes it off.
    #[graphql(default)]
    pub visit_id: MaybeUndefined<VisitId>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What a draft holds while it is being written. What is left out stays.
#[derive(InputObject)]
pub struct NoteAutosaveInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read, or that the last save gave.
    pub expected_version: i32,
    /// Title, 1 to 200 characters; cannot be null.
    #[graphql(default)]
    pub title: MaybeUndefined<String>,
    /// Text, 1 to 200,000 characters; cannot be null.
    #[graphql(default)]
    pub text: MaybeUndefined<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A draft that is done.
#[derive(InputObject)]
pub struct NoteFinalizeInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A final note to be taken back.
#[derive(InputObject)]
pub struct NoteReopenInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A final note to be signed.
#[derive(InputObject)]
pub struct NoteSignInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Something to be added to a signed note.
#[derive(InputObject)]
pub struct NoteAddendumInput {
    /// Id of the signed note.
    pub note_id: DocumentId,
    /// Title, 1 to 200 characters; that of the note when left out.
    pub title: Option<String>,
    /// Text, 1 to 200,000 characters.
    pub text: String,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}
