//! Rows, what is known of a document, and why an operation may be refused.

use async_graphql::MaybeUndefined;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::pg::Pg;
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};

use crate::db::schema::{document_signatures, documents};
use crate::error::RefusalCode;
use crate::ids::{DocumentId, FacilityId, NoteTemplateId, PatientId, SignatureId, UserId, VisitId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

text_enum! {
    /// What a document is.
    DocumentKind {
        /// A record from elsewhere, or one that fits no other kind.
        MedicalRecord = "medical_record",
        /// Result of a laboratory test.
        LabResult = "lab_result",
        /// Report on an image.
        ImagingReport = "imaging_report",
        /// Summary at the end of a stay.
        DischargeSummary = "discharge_summary",
        /// Plan of treatment.
        TreatmentPlan = "treatment_plan",
        /// Card, letter or form of an insurance. Administrative.
        InsuranceDocument = "insurance_document",
        /// Consent given or refused. Administrative.
        ConsentForm = "consent_form",
        /// List of medication.
        MedicationList = "medication_list",
        /// Record of allergies.
        AllergyRecord = "allergy_record",
        /// Note on an encounter.
        ClinicalNote = "clinical_note",
        /// A therapist's own notes on what was said in a session, kept apart from the record (45 CFR 164.501): seen by
        /// their author alone, never in search, never exported. Medication, times, kind of treatment, results, diagnosis,
        /// plan and progress do not belong in it.
        PsychotherapyNote = "psychotherapy_note",
        /// Referral to or from another provider. Administrative.
        Referral = "referral",
        /// Anything else. Administrative.
        Other = "other",
    }
}

text_enum! {
    /// How a document came to be.
    DocumentOrigin {
        /// A file was uploaded.
        Upload = "upload",
        /// It was written here.
        Note = "note",
    }
}

text_enum! {
    /// How far a document is on its way into search.
    DocumentStatus {
        /// Stored; waiting to be read. A note waits here until it is final.
        Uploaded = "uploaded",
        /// Its text is being read.
        Extracting = "extracting",
        /// Its passages are being prepared for search.
        Embedding = "embedding",
        /// Search finds it.
        Ready = "ready",
        /// It is sound and kept, and has no text that search could find.
        ReadyWithoutText = "ready_without_text",
        /// It could not be read; the file itself is kept.
        Failed = "failed",
        /// A virus was found in it; it is kept, and neither read nor served.
        Quarantined = "quarantined",
    }
}

text_enum! {
    /// Life cycle of a note.
    NoteState {
        /// Being written; seen by its author alone.
        Draft = "draft",
        /// Done; waiting for its author's signature.
        Final = "final",
        /// Signed by its author, and waiting for the co-signature of whoever supervises them. Never changed again.
        AwaitingCosignature = "awaiting_cosignature",
        /// Signed; never changed again, only added to.
        Signed = "signed",
    }
}

/// What a document is marked as, beside its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "snake_case")]
pub enum DocumentLabel {
    /// A record of substance use disorder treatment under 42 CFR Part 2: read by its author and by whoever has the
    /// permission `documents.part2.read`, and passed on with the notice only.
    #[graphql(name = "PART_2")]
    Part2,
}

/// What goes with a labelled document wherever its content goes: the statement of 42 CFR 2.32(a)(2).
pub const REDISCLOSURE_NOTICE: &str = "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";

/// Why an operation on documents was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "DocumentErrorCode")]
pub enum Refusal {
    /// A value is empty, too long or malformed.
    Invalid,
    /// The file is empty.
    EmptyFile,
    /// There is no such patient, or none whose chart the caller may open.
    PatientNotFound,
    /// There is no such visit of a patient the document is about.
    VisitNotFound,
    /// The document changed since it was read: read it again.
    StaleVersion,
    /// The note is signed and not changed any more; write an addendum.
    Signed,
    /// The note is not a draft any more.
    NotDraft,
    /// The note must be final first.
    NotFinal,
    /// Only a signed note is added to; this one can still be changed.
    NotSigned,
    /// Only the author may do this.
    NotAuthor,
    /// It has not failed, so there is nothing to try again.
    NotFailed,
    /// A psychotherapy note stays one, and nothing else becomes one.
    KeptApart,
    /// The note lacks what its template requires; `field` names it.
    Incomplete,
    /// The note was made of no template.
    NoTemplate,
    /// The note was made of a template: its fields are changed, not its text.
    FromTemplate,
    /// The note is signed by its author and waits for the co-signature; it is not changed any more.
    AwaitingCosignature,
    /// The note does not wait for a co-signature.
    NotAwaiting,
    /// Only whoever supervises the author may do this.
    NotSupervisor,
    /// Somebody supervises the member already.
    AlreadySupervised,
    /// There is no such active member of the facility.
    NotMember,
    /// It has ended already.
    Ended,
    /// It is decided already.
    Decided,
    /// It was put off before.
    Extended,
    /// The day to do it is over.
    Overdue,
    /// The template is out of use.
    Archived,
    /// The template comes with the product and is not changed.
    BuiltIn,
    /// A legal hold lasts: the document is kept as it is.
    OnHold,
    /// No legal hold lasts.
    NotOnHold,
    /// It waits for no review.
    NotWaiting,
    /// There are as many as may be kept: remove one first.
    TooMany,
}

impl RefusalCode for Refusal {
    const INVALID: Self = Self::Invalid;
}

/// Declares a column computed from other tables, cached like any prepared statement (diesel's `sql` is not).
macro_rules! computed_column {
    ($(#[doc = $doc:literal])+ $name:ident = $sql:literal) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
        pub struct $name;

        impl Expression for $name {
            type SqlType = Array<SqlUuid>;
        }

        impl QueryFragment<Pg> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }

        impl SelectableExpression<documents::table> for $name {}
        impl AppearsOnTable<documents::table> for $name {}
    };
}

computed_column!(
    /// The patients of a document, as far as the actor may open their charts, in the row itself: a page of documents
    /// needs no second statement to say whose they are.
    LinkedPatients = "ARRAY(SELECT linked.patient_id FROM document_patients linked \
        WHERE linked.facility_id = documents.facility_id AND linked.document_id = documents.id \
        ORDER BY linked.patient_id)"
);

computed_column!(
    /// All patients of a document, whoever asks: what a signature is over does not depend on who checks it.
    AllPatients = "document_linked_patients(documents.id)"
);

/// A document as stored, without its content.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub struct DocumentRow {
    pub id: DocumentId,
    pub origin: DocumentOrigin,
    pub kind: DocumentKind,
    pub title_ciphertext: Vec<u8>,
    pub file_name_ciphertext: Option<Vec<u8>>,
    pub mime_type: String,
    pub size_bytes: i64,
    pub sha256: Vec<u8>,
    pub author_id: Option<UserId>,
    pub document_date: NaiveDate,
    pub status: DocumentStatus,
    pub failure_code: Option<String>,
    pub note_state: Option<NoteState>,
    pub signed_at: Option<DateTime<Utc>>,
    pub addendum_to: Option<DocumentId>,
    pub part2: bool,
    pub template_id: Option<NoteTemplateId>,
    pub template_number: Option<i32>,
    pub visit_id: Option<VisitId>,
    pub language: Option<String>,
    pub page_count: Option<i32>,
    pub chunk_count: i32,
    pub ready_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    #[diesel(select_expression = LinkedPatients, select_expression_type = LinkedPatients)]
    pub patient_ids: Vec<PatientId>,
}

/// A document, decrypted, without its content.
#[derive(Debug, Clone)]
pub struct Document {
    pub id: DocumentId,
    pub origin: DocumentOrigin,
    pub kind: DocumentKind,
    pub title: Phi<String>,
    pub file_name: Option<Phi<String>>,
    pub mime_type: String,
    pub size_bytes: i64,
    pub sha256: Vec<u8>,
    pub author_id: Option<UserId>,
    pub document_date: NaiveDate,
    pub status: DocumentStatus,
    pub failure_code: Option<String>,
    pub note_state: Option<NoteState>,
    pub signed_at: Option<DateTime<Utc>>,
    pub addendum_to: Option<DocumentId>,
    pub part2: bool,
    pub template_id: Option<NoteTemplateId>,
    pub template_number: Option<i32>,
    pub visit_id: Option<VisitId>,
    pub language: Option<String>,
    pub page_count: Option<i32>,
    pub chunk_count: i32,
    pub ready_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Those whose charts the actor may open.
    pub patient_ids: Vec<PatientId>,
}

/// Where the file of an upload is.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub struct FileRow {
    #[diesel(embed)]
    pub document: DocumentRow,
    pub object_key: Option<String>,
    pub file_key_ciphertext: Option<Vec<u8>>,
    /// When a virus scanner last found it clean.
    pub scanned_at: Option<DateTime<Utc>>,
}

/// A note with its text, as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub struct NoteRow {
    #[diesel(embed)]
    pub document: DocumentRow,
    pub body_ciphertext: Option<Vec<u8>>,
    pub fields_ciphertext: Option<Vec<u8>>,
    /// Never shown: for signatures alone.
    #[diesel(select_expression = AllPatients, select_expression_type = AllPatients)]
    pub all_patient_ids: Vec<PatientId>,
}

/// A note with its text, decrypted.
#[derive(Debug, Clone)]
pub struct OpenNote {
    pub document: Document,
    pub text: Phi<String>,
    /// What is filled into its form, as JSON; `None` when it was made of no template.
    pub fields: Option<Phi<String>>,
    /// Never shown: for signatures alone.
    pub all_patient_ids: Vec<PatientId>,
}

/// The text of a note, as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub struct BodyRow {
    pub id: DocumentId,
    pub body_ciphertext: Option<Vec<u8>>,
}

/// A document row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = documents)]
pub struct NewDocument {
    pub facility_id: FacilityId,
    pub id: DocumentId,
    pub origin: DocumentOrigin,
    pub kind: DocumentKind,
    pub title_ciphertext: Vec<u8>,
    pub file_name_ciphertext: Option<Vec<u8>>,
    pub mime_type: &'static str,
    pub size_bytes: i64,
    pub sha256: Vec<u8>,
    pub object_key: Option<String>,
    pub file_key_ciphertext: Option<Vec<u8>>,
    pub body_ciphertext: Option<Vec<u8>>,
    pub author_id: Option<UserId>,
    pub document_date: NaiveDate,
    pub status: DocumentStatus,
    pub note_state: Option<NoteState>,
    pub addendum_to: Option<DocumentId>,
    pub part2: bool,
    pub template_id: Option<NoteTemplateId>,
    pub template_number: Option<i32>,
    pub fields_ciphertext: Option<Vec<u8>>,
    pub visit_id: Option<VisitId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Columns to change; `None` leaves a column as it is.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = documents)]
pub struct DocumentChanges {
    pub kind: Option<DocumentKind>,
    pub title_ciphertext: Option<Vec<u8>>,
    pub document_date: Option<NaiveDate>,
    pub body_ciphertext: Option<Vec<u8>>,
    pub fields_ciphertext: Option<Vec<u8>>,
    pub size_bytes: Option<i64>,
    pub sha256: Option<Vec<u8>>,
    pub status: Option<DocumentStatus>,
    /// `Some(None)` clears it.
    pub failure_code: Option<Option<String>>,
    pub note_state: Option<NoteState>,
    pub signed_at: Option<DateTime<Utc>>,
    pub part2: Option<bool>,
    /// `Some(None)` clears it.
    pub visit_id: Option<Option<VisitId>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A signature as stored, and as inserted.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = document_signatures, check_for_backend(diesel::pg::Pg))]
pub struct SignatureRow {
    pub facility_id: FacilityId,
    pub id: SignatureId,
    pub document_id: DocumentId,
    pub user_id: UserId,
    pub content_sha256: Vec<u8>,
    pub key_id: String,
    pub signature: Vec<u8>,
    pub signed_at: DateTime<Utc>,
}

/// A signature, checked against the note as it is now.
#[derive(Debug, Clone)]
pub struct CheckedSignature {
    pub row: SignatureRow,
    /// Whether the note is what was signed and the seal is ours.
    pub valid: bool,
}

/// A file to be kept, beside its content.
#[derive(Debug, Clone)]
pub struct UploadDocument {
    pub kind: DocumentKind,
    /// Made from the file name when left out.
    pub title: Option<Phi<String>>,
    pub file_name: Phi<String>,
    /// The day of the upload when left out.
    pub document_date: Option<NaiveDate>,
    pub labels: Vec<DocumentLabel>,
    pub patient_ids: Vec<PatientId>,
    /// Of one of the patients.
    pub visit_id: Option<VisitId>,
}

/// What [`super::service::update_document`] may change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UpdateDocument {
    pub title: MaybeUndefined<Phi<String>>,
    pub kind: MaybeUndefined<DocumentKind>,
    pub document_date: MaybeUndefined<NaiveDate>,
    /// Null takes the visit off.
    pub visit_id: MaybeUndefined<VisitId>,
}

/// A note to be written.
#[derive(Debug, Clone)]
pub struct CreateNote {
    pub kind: DocumentKind,
    pub title: Phi<String>,
    pub text: Phi<String>,
    /// Today when left out.
    pub document_date: Option<NaiveDate>,
    pub labels: Vec<DocumentLabel>,
    pub patient_ids: Vec<PatientId>,
    /// Of one of the patients.
    pub visit_id: Option<VisitId>,
}

/// What a draft may change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UpdateNote {
    pub title: MaybeUndefined<Phi<String>>,
    pub text: MaybeUndefined<Phi<String>>,
    pub kind: MaybeUndefined<DocumentKind>,
    pub document_date: MaybeUndefined<NaiveDate>,
    /// Null takes the visit off.
    pub visit_id: MaybeUndefined<VisitId>,
}

/// Which documents a list holds.
#[derive(Debug, Clone, Default)]
pub struct DocumentFilter {
    pub patient: Option<PatientId>,
    /// Empty for all the actor may see.
    pub kinds: Vec<DocumentKind>,
    pub status: Option<DocumentStatus>,
    /// First day of `document_date`.
    pub from: Option<NaiveDate>,
    /// Last day of `document_date`.
    pub to: Option<NaiveDate>,
}
