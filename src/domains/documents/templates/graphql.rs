//! Templates in the API: translation only.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};

use super::definition::{Field, FieldValue, NoteFieldType};
use super::model::{CreateFilled, CreateTemplate, Filled, Template};
use super::{notes, service};
use crate::domains::documents::graphql::{DocumentUserError, NotePayload};
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::domains::documents::service as documents;
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, NoteTemplateId, PatientId, VisitId};
use crate::phi::Phi;

/// A form that notes are made of, in one of its versions. It holds nothing of a patient.
#[derive(Debug, Clone, SimpleObject)]
pub struct NoteTemplate {
    /// Typed, opaque id; the same for all versions.
    pub id: NoteTemplateId,
    /// Number of the version, counting up; give it as `expectedVersion` when changing the template.
    pub version: i32,
    /// Name.
    pub name: String,
    /// Kind of the notes made of it.
    pub kind: DocumentKind,
    /// Whether it comes with the product; such a one cannot be changed.
    pub built_in: bool,
    /// When it was taken out of use; null while it is offered.
    pub archived_at: Option<DateTime<Utc>>,
    /// What is to be filled in, in reading order.
    pub fields: Vec<NoteTemplateField>,
}

/// A field of a form.
#[derive(Debug, Clone, SimpleObject)]
pub struct NoteTemplateField {
    /// Names it among the fields of the form.
    pub key: String,
    /// What the reader sees above the value.
    pub label: String,
    /// What it holds.
    #[graphql(name = "type")]
    pub kind: NoteFieldType,
    /// Whether a final note must have it.
    pub required: bool,
    /// Longest value in characters, of each item in a list; null for 2,000 and where it is neither text nor list.
    pub max_length: Option<i32>,
    /// What may be chosen; empty unless it is a choice.
    pub choices: Vec<String>,
}

impl From<Template> for NoteTemplate {
    fn from(template: Template) -> Self {
        let field = |field: Field| NoteTemplateField {
            key: field.key,
            label: field.label,
            kind: field.kind,
            required: field.required,
            max_length: field.max_length.and_then(|most| i32::try_from(most).ok()),
            choices: field.choices,
        };
        Self {
            id: template.id,
            version: template.number,
            name: template.name,
            kind: template.kind,
            built_in: template.built_in,
            archived_at: template.archived_at,
            fields: template.fields.into_iter().map(field).collect(),
        }
    }
}

/// What is filled into a field of a note. One of the four is not null, by the type of the field.
#[derive(Debug, Clone, SimpleObject)]
pub struct NoteFieldValue {
    /// Key of the field.
    pub key: String,
    /// Of a text, or what was chosen.
    pub text: Option<String>,
    /// Of a number.
    pub number: Option<f64>,
    /// Of a date.
    pub date: Option<NaiveDate>,
    /// Of a list.
    pub list: Option<Vec<String>>,
}

/// What is filled in, by key of the field.
pub fn values(filled: &Filled) -> Vec<NoteFieldValue> {
    let value = |(key, value): (&String, &FieldValue)| {
        let empty = NoteFieldValue { key: key.clone(), text: None, number: None, date: None, list: None };
        match value {
            FieldValue::Text(text) => NoteFieldValue { text: Some(text.clone()), ..empty },
            FieldValue::Number(number) => NoteFieldValue { number: Some(*number), ..empty },
            FieldValue::Date(date) => NoteFieldValue { date: Some(*date), ..empty },
            FieldValue::List(items) => NoteFieldValue { list: Some(items.clone()), ..empty },
        }
    };
    filled.values.reveal().iter().map(value).collect()
}

/// What is to be filled into a field: one of the four, by the type of the field; none clears it.
#[derive(InputObject)]
pub struct NoteFieldInput {
    /// Key of the field.
    pub key: String,
    /// For a text, or what is chosen.
    pub text: Option<String>,
    /// For a number.
    pub number: Option<f64>,
    /// For a date.
    pub date: Option<NaiveDate>,
    /// For a list.
    pub list: Option<Vec<String>>,
}

/// What is sent, as it is: the service says what does not fit, once it knows who sent it.
fn given(fields: Vec<NoteFieldInput>) -> Vec<(String, FieldValue)> {
    let values = |NoteFieldInput { key, text, number, date, list }: NoteFieldInput| {
        let of = [
            text.map(FieldValue::Text),
            number.map(FieldValue::Number),
            date.map(FieldValue::Date),
            list.map(FieldValue::List),
        ];
        of.into_iter().flatten().map(move |value| (key.clone(), value))
    };
    fields.into_iter().flat_map(values).collect()
}

/// A field of a form to be made.
#[derive(InputObject)]
pub struct NoteTemplateFieldInput {
    /// Names it among the fields: 1 to 40 lower-case letters, digits and underscores, beginning with a letter.
    pub key: String,
    /// What the reader sees above the value, 1 to 100 characters.
    pub label: String,
    /// What it holds.
    #[graphql(name = "type")]
    pub kind: NoteFieldType,
    /// Whether a final note must have it; no when left out.
    pub required: Option<bool>,
    /// Longest text, or item of a list, in characters: 1 to 20,000; 2,000 when left out.
    pub max_length: Option<i32>,
    /// What may be chosen, 1 to 60 values of 1 to 100 characters; for a choice alone.
    pub choices: Option<Vec<String>>,
}

fn fields(fields: Vec<NoteTemplateFieldInput>) -> Vec<Field> {
    let field = |input: NoteTemplateFieldInput| Field {
        key: input.key,
        label: input.label,
        kind: input.kind,
        required: input.required.unwrap_or(false),
        // What is negative is as little a length as 0, and told so.
        max_length: input.max_length.map(|most| u32::try_from(most).unwrap_or(0)),
        choices: input.choices.unwrap_or_default(),
    };
    fields.into_iter().map(field).collect()
}

/// A template to be made.
#[derive(InputObject)]
pub struct NoteTemplateCreateInput {
    /// Name, 1 to 100 characters.
    pub name: String,
    /// Kind of the notes to be made of it; not `PSYCHOTHERAPY_NOTE`.
    pub kind: DocumentKind,
    /// What is to be filled in, 1 to 60 fields in reading order.
    pub fields: Vec<NoteTemplateFieldInput>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// The next version of a template.
#[derive(InputObject)]
pub struct NoteTemplateUpdateInput {
    /// Id of the template.
    pub id: NoteTemplateId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Name, 1 to 100 characters.
    pub name: String,
    /// What is to be filled in from now on, all of it, 1 to 60 fields in reading order.
    pub fields: Vec<NoteTemplateFieldInput>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A template to be taken out of use.
#[derive(InputObject)]
pub struct NoteTemplateArchiveInput {
    /// Id of the template.
    pub id: NoteTemplateId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A note to be made of a template.
#[derive(InputObject)]
pub struct NoteCreateFromTemplateInput {
    /// Id of the template.
    pub template_id: NoteTemplateId,
    /// Title, 1 to 200 characters; the name of the template when left out.
    pub title: Option<String>,
    /// What is filled in so far; nothing when left out.
    pub fields: Option<Vec<NoteFieldInput>>,
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

/// What is filled into a draft.
#[derive(InputObject)]
pub struct NoteFieldsSaveInput {
    /// Id of the note.
    pub id: DocumentId,
    /// The `version` that was read, or that the last save gave.
    pub expected_version: i32,
    /// Title, 1 to 200 characters; stays when left out.
    pub title: Option<String>,
    /// All that is filled in: what is left out is empty from now on.
    pub fields: Vec<NoteFieldInput>,
    /// Whether it is saved while being written: such saves within ten minutes are one version. No when left out.
    pub automatic: Option<bool>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a template.
    NoteTemplatePayload {
        /// The template; null when refused.
        template: NoteTemplate,
    } or DocumentUserError
);

#[derive(Debug, Default)]
pub struct NoteTemplatesQuery;

#[Object]
impl NoteTemplatesQuery {
    /// Templates to make notes of, in their current versions; those that come with the product first. Needs
    /// `documents.template.read`.
    async fn note_templates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Also those out of use; no when left out.")] include_archived: Option<bool>,
    ) -> Result<Vec<NoteTemplate>> {
        let found = service::list_templates(request(ctx)?, include_archived.unwrap_or(false)).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

#[derive(Debug, Default)]
pub struct NoteTemplatesMutation;

type Changed = Result<NoteTemplateId, crate::error::Stop<crate::domains::documents::model::Refusal>>;

async fn changed(ctx: &Context<'_>, outcome: Changed) -> Result<NoteTemplatePayload> {
    match outcome {
        Ok(id) => Ok(NoteTemplatePayload::done(service::template(request(ctx)?, id).await?.into())),
        Err(stop) => NoteTemplatePayload::refused(stop),
    }
}

#[Object]
impl NoteTemplatesMutation {
    /// Makes a template of the facility's own. Needs `documents.template.manage`.
    async fn note_template_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The template.")] input: NoteTemplateCreateInput,
    ) -> Result<NoteTemplatePayload> {
        let once = once(ctx, input.idempotency_key)?;
        let new = CreateTemplate { name: input.name, kind: input.kind, fields: fields(input.fields) };
        changed(ctx, service::create_template(request(ctx)?, new, once).await).await
    }

    /// Makes the next version of a template; notes made of an earlier one keep it. Needs `documents.template.manage`.
    async fn note_template_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The next version.")] input: NoteTemplateUpdateInput,
    ) -> Result<NoteTemplatePayload> {
        let NoteTemplateUpdateInput { id, expected_version, name, fields: given, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let fields = fields(given);
        changed(ctx, service::update_template(request(ctx)?, id, expected_version, name, fields, once).await).await
    }

    /// Takes a template out of use; notes made of it keep it. Needs `documents.template.manage`.
    async fn note_template_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The template.")] input: NoteTemplateArchiveInput,
    ) -> Result<NoteTemplatePayload> {
        let NoteTemplateArchiveInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        changed(ctx, service::archive_template(request(ctx)?, id, expected_version, once).await).await
    }

    /// Begins a note made of a template: a draft, which may lack what the template requires until it is declared final.
    /// Needs `documents.note.write`.
    async fn note_create_from_template(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteCreateFromTemplateInput,
    ) -> Result<NotePayload> {
        let once = once(ctx, input.idempotency_key)?;
        let new = CreateFilled {
            template: input.template_id,
            title: input.title.map(Phi::new),
            values: given(input.fields.unwrap_or_default()),
            document_date: input.document_date,
            labels: input.labels.unwrap_or_default(),
            patient_ids: input.patient_ids,
            visit_id: input.visit_id,
        };
        note(ctx, notes::create_filled(request(ctx)?, new, once).await).await
    }

    /// Fills in a draft of one's own that was made of a template. Needs `documents.note.write`.
    async fn note_fields_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is filled in.")] input: NoteFieldsSaveInput,
    ) -> Result<NotePayload> {
        let NoteFieldsSaveInput { id, expected_version, title, fields, automatic, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let (title, values) = (title.map(Phi::new), given(fields));
        let automatic = automatic.unwrap_or(false);
        let saved = notes::save_fields(request(ctx)?, id, expected_version, title, values, automatic, once).await;
        note(ctx, saved).await
    }
}

type Written = Result<DocumentId, crate::error::Stop<crate::domains::documents::model::Refusal>>;

async fn note(ctx: &Context<'_>, outcome: Written) -> Result<NotePayload> {
    match outcome {
        Ok(id) => Ok(NotePayload::done(documents::document(request(ctx)?, id).await?.into())),
        Err(stop) => NotePayload::refused(stop),
    }
}
