//! Templates as stored and as known.

use chrono::{DateTime, Utc};
use diesel::prelude::{Insertable, Queryable, Selectable};

use super::definition::{Field, FieldValue, Values};
use crate::db::schema::{documents, note_template_versions, note_templates};
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::ids::{DocumentId, FacilityId, NoteTemplateId, PatientId, UserId, VisitId};
use crate::phi::Phi;

/// A template of a facility in its current version.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = note_templates, check_for_backend(diesel::pg::Pg))]
pub(super) struct TemplateRow {
    pub version: i32,
    pub archived_at: Option<DateTime<Utc>>,
}

/// A template row to insert.
#[derive(Debug, Insertable)]
#[diesel(table_name = note_templates)]
pub(super) struct NewTemplate {
    pub facility_id: FacilityId,
    pub id: NoteTemplateId,
    pub kind: DocumentKind,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A version of a template, as stored and as inserted.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = note_template_versions, check_for_backend(diesel::pg::Pg))]
pub(super) struct FormRow {
    pub facility_id: FacilityId,
    pub template_id: NoteTemplateId,
    pub number: i32,
    pub name: String,
    pub fields: serde_json::Value,
    pub author_id: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

/// What of a note is filled in, as stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = documents, check_for_backend(diesel::pg::Pg))]
pub(super) struct FilledRow {
    pub id: DocumentId,
    pub template_id: Option<NoteTemplateId>,
    pub template_number: Option<i32>,
    pub fields_ciphertext: Option<Vec<u8>>,
}

/// One version of a template.
#[derive(Debug, Clone)]
pub struct Template {
    pub id: NoteTemplateId,
    /// Counts up with every update.
    pub number: i32,
    pub name: String,
    /// Kind of the notes made of it.
    pub kind: DocumentKind,
    pub fields: Vec<Field>,
    /// Whether it comes with the product and is not the facility's own.
    pub built_in: bool,
    pub archived_at: Option<DateTime<Utc>>,
}

/// A note and what is filled into its form.
#[derive(Debug, Clone)]
pub struct Filled {
    pub template: NoteTemplateId,
    pub number: i32,
    pub values: Phi<Values>,
}

/// A template to be made.
#[derive(Debug, Clone)]
pub struct CreateTemplate {
    pub name: String,
    pub kind: DocumentKind,
    pub fields: Vec<Field>,
}

/// A note to be begun.
#[derive(Debug)]
pub struct CreateFilled {
    pub template: NoteTemplateId,
    /// The template's name when left out.
    pub title: Option<Phi<String>>,
    pub values: Vec<(String, FieldValue)>,
    /// Today when left out.
    pub document_date: Option<chrono::NaiveDate>,
    pub labels: Vec<DocumentLabel>,
    pub patient_ids: Vec<PatientId>,
    /// Of one of the patients.
    pub visit_id: Option<VisitId>,
}
