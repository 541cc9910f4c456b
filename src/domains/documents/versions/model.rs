//! Rows, and what is known of a version.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::{Insertable, Queryable, Selectable};

use crate::db::schema::{document_versions, documents};
use crate::domains::documents::model::{DocumentKind, NoteState};
use crate::ids::{DocumentId, FacilityId, PatientId, UserId, VersionId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What made a version.
    DocumentVersionChange {
        /// The document was written or uploaded.
        Created = "created",
        /// It was edited.
        Edited = "edited",
        /// It was saved while being written.
        Autosaved = "autosaved",
        /// The note was declared final.
        Finalized = "finalized",
        /// An earlier version was put back.
        Restored = "restored",
    }
}

/// A version as stored, without the text.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = document_versions, check_for_backend(diesel::pg::Pg))]
pub(super) struct VersionRow {
    pub id: VersionId,
    pub document_id: DocumentId,
    pub number: i32,
    pub change: DocumentVersionChange,
    pub restored_from: Option<i32>,
    pub author_id: Option<UserId>,
    pub kind: DocumentKind,
    pub document_date: NaiveDate,
    pub note_state: Option<NoteState>,
    pub title_ciphertext: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub saved_at: DateTime<Utc>,
}

/// The text of a version as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = document_versions, check_for_backend(diesel::pg::Pg))]
pub(super) struct VersionBodyRow {
    pub id: VersionId,
    pub body_ciphertext: Option<Vec<u8>>,
    pub fields_ciphertext: Option<Vec<u8>>,
}

/// A version row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = document_versions)]
pub(super) struct NewVersion {
    pub facility_id: FacilityId,
    pub id: VersionId,
    pub document_id: DocumentId,
    pub number: i32,
    pub change: DocumentVersionChange,
    pub restored_from: Option<i32>,
    pub author_id: Option<UserId>,
    pub kind: DocumentKind,
    pub document_date: NaiveDate,
    pub note_state: Option<NoteState>,
    pub title_ciphertext: Vec<u8>,
    pub body_ciphertext: Option<Vec<u8>>,
    pub fields_ciphertext: Option<Vec<u8>>,
    pub created_at: DateTime<Utc>,
    pub saved_at: DateTime<Utc>,
}

/// A document as it is now, to make a version of.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub(super) struct StateRow {
    pub version: i32,
    pub kind: DocumentKind,
    pub document_date: NaiveDate,
    pub note_state: Option<NoteState>,
    pub title_ciphertext: Vec<u8>,
    pub body_ciphertext: Option<Vec<u8>>,
    pub fields_ciphertext: Option<Vec<u8>>,
}

/// A version, decrypted, without the text.
#[derive(Debug, Clone)]
pub struct Version {
    pub id: VersionId,
    pub document: DocumentId,
    pub number: i32,
    pub change: DocumentVersionChange,
    pub restored_from: Option<i32>,
    pub author_id: Option<UserId>,
    pub kind: DocumentKind,
    pub title: Phi<String>,
    pub document_date: NaiveDate,
    pub note_state: Option<NoteState>,
    pub created_at: DateTime<Utc>,
    pub saved_at: DateTime<Utc>,
    /// Whether the document is labelled 42 CFR Part 2 now.
    pub part2: bool,
    /// Those of the document's patients whose charts the actor may open.
    pub patient_ids: Vec<PatientId>,
}

/// What became of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub enum DocumentDiffChange {
    /// In both.
    Equal,
    /// In the first alone.
    Removed,
    /// In the second alone.
    Added,
}

/// A stretch of text in one or both of two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub change: DocumentDiffChange,
    pub text: String,
}

/// How two versions of a document differ.
#[derive(Debug, Clone)]
pub struct Difference {
    pub from: Version,
    pub to: Version,
    pub title: Phi<Vec<Piece>>,
    /// `None` for uploads.
    pub text: Option<Phi<Vec<Piece>>>,
}
