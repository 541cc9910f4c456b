//! Mutations of the domain.

use async_graphql::{Context, Object};

use super::inputs::{
    DocumentLabelInput, DocumentLinkPatientsInput, DocumentRetryInput, DocumentUnlinkPatientInput, DocumentUpdateInput,
    DocumentUploadInput, NoteAddendumInput, NoteAutosaveInput, NoteCreateInput, NoteFinalizeInput, NoteReopenInput,
    NoteSignInput, NoteUpdateInput,
};
use super::types::{Document, DocumentUserError};
use crate::domains::documents::model::{CreateNote, UpdateDocument, UpdateNote, UploadDocument};
use crate::domains::documents::service;
use crate::error::{Result, Stop};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::DocumentId;
use crate::phi::Phi;

payload!(
    /// What became of a document.
    DocumentPayload {
        /// The document; null when refused.
        document: Document,
    } or DocumentUserError
);

payload!(
    /// What became of a note.
    NotePayload {
        /// The note; null when refused.
        note: Document,
    } or DocumentUserError
);

type Outcome = Result<DocumentId, Stop<crate::domains::documents::model::Refusal>>;

async fn document(ctx: &Context<'_>, outcome: Outcome) -> Result<DocumentPayload> {
    match outcome {
        Ok(id) => Ok(DocumentPayload::done(service::document(request(ctx)?, id).await?.into())),
        Err(stop) => DocumentPayload::refused(stop),
    }
}

async fn note(ctx: &Context<'_>, outcome: Outcome) -> Result<NotePayload> {
    match outcome {
        Ok(id) => Ok(NotePayload::done(service::document(request(ctx)?, id).await?.into())),
        Err(stop) => NotePayload::refused(stop),
    }
}

#[derive(Debug, Default)]
pub struct DocumentsMutation;

#[Object]
impl DocumentsMutation {
    /// Keeps a file, encrypted, and queues it for search; sent as a multipart request. Needs `documents.upload`.
    async fn document_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file, and what it is.")] input: DocumentUploadInput,
    ) -> Result<DocumentPayload> {
        let DocumentUploadInput { file, kind, title, document_date, labels, patient_ids, visit_id, idempotency_key } =
            input;
        let once = once(ctx, idempotency_key)?;
        let file = file.take(ctx)?;
        let new = UploadDocument {
            kind,
            title: title.map(Phi::new),
            file_name: file.name,
            document_date,
            labels: labels.unwrap_or_default(),
            patient_ids,
            visit_id,
        };
        document(ctx, service::upload_document(request(ctx)?, new, file.staged, once).await).await
    }

    /// Changes title, kind, date or visit of a document that is not signed. Needs `documents.update`; of a note, only its
    /// author's.
    async fn document_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: DocumentUpdateInput,
    ) -> Result<DocumentPayload> {
        let DocumentUpdateInput { id, expected_version, title, kind, document_date, visit_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let changes = UpdateDocument { title: title.map_value(Phi::new), kind, document_date, visit_id };
        document(ctx, service::update_document(request(ctx)?, id, expected_version, changes, once).await).await
    }

    /// Gives a document labels, or takes them off, signed or not. Needs `documents.part2.label`; for a document of
    /// another's, `documents.part2.label_any` too.
    async fn document_label(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document and its labels.")] input: DocumentLabelInput,
    ) -> Result<DocumentPayload> {
        let DocumentLabelInput { id, expected_version, labels, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        document(ctx, service::label_document(request(ctx)?, id, expected_version, labels, once).await).await
    }

    /// Says that a document is about further patients. Needs `documents.link`.
    async fn document_link_patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document and the patients.")] input: DocumentLinkPatientsInput,
    ) -> Result<DocumentPayload> {
        let DocumentLinkPatientsInput { id, expected_version, patient_ids, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        document(ctx, service::link_patients(request(ctx)?, id, expected_version, patient_ids, once).await).await
    }

    /// Says that a document is not about a patient. Needs `documents.link`.
    async fn document_unlink_patient(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document and the patient.")] input: DocumentUnlinkPatientInput,
    ) -> Result<DocumentPayload> {
        let DocumentUnlinkPatientInput { id, expected_version, patient_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        document(ctx, service::unlink_patient(request(ctx)?, id, expected_version, patient_id, once).await).await
    }

    /// Has a document read again that failed, or in which no text was found. Needs `documents.retry`.
    async fn document_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] input: DocumentRetryInput,
    ) -> Result<DocumentPayload> {
        let DocumentRetryInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        document(ctx, service::retry_document(request(ctx)?, id, once).await).await
    }

    /// Writes a draft, which its author alone sees. Needs `documents.note.write`.
    async fn note_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteCreateInput,
    ) -> Result<NotePayload> {
        let NoteCreateInput { kind, title, text, document_date, labels, patient_ids, visit_id, idempotency_key } =
            input;
        let once = once(ctx, idempotency_key)?;
        let labels = labels.unwrap_or_default();
        let (title, text) = (Phi::new(title), Phi::new(text));
        let new = CreateNote { kind, title, text, document_date, labels, patient_ids, visit_id };
        note(ctx, service::create_note(request(ctx)?, new, once).await).await
    }

    /// Changes a draft of one's own. Needs `documents.note.write`.
    async fn note_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: NoteUpdateInput,
    ) -> Result<NotePayload> {
        let NoteUpdateInput { id, expected_version, title, text, kind, document_date, visit_id, idempotency_key } =
            input;
        let once = once(ctx, idempotency_key)?;
        let (title, text) = (title.map_value(Phi::new), text.map_value(Phi::new));
        let changes = UpdateNote { title, text, kind, document_date, visit_id };
        note(ctx, service::update_note(request(ctx)?, id, expected_version, changes, once).await).await
    }

    /// Saves a draft of one's own while it is being written; it stays a draft. Saves within ten minutes of the first are one
    /// version, and what is as it was is not saved again. Needs `documents.note.write`.
    async fn note_autosave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The draft.")] input: NoteAutosaveInput,
    ) -> Result<NotePayload> {
        let NoteAutosaveInput { id, expected_version, title, text, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let (title, text) = (title.map_value(Phi::new), text.map_value(Phi::new));
        let changes = UpdateNote { title, text, ..UpdateNote::default() };
        note(ctx, service::autosave_note(request(ctx)?, id, expected_version, changes, once).await).await
    }

    /// Declares a draft of one's own done: others see it, and search will find it; not so a psychotherapy note. Refused
    /// while it lacks what its template requires. Needs `documents.note.write`.
    async fn note_finalize(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteFinalizeInput,
    ) -> Result<NotePayload> {
        let NoteFinalizeInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        note(ctx, service::finalize_note(request(ctx)?, id, expected_version, once).await).await
    }

    /// Takes a final note of one's own back to be changed: a draft again, which nobody else sees. Needs
    /// `documents.note.write`.
    async fn note_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteReopenInput,
    ) -> Result<NotePayload> {
        let NoteReopenInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        note(ctx, service::reopen_note(request(ctx)?, id, expected_version, once).await).await
    }

    /// Signs a final note of one's own. It never changes afterwards; `noteAddendum` adds to it. Where the caller is
    /// supervised, it waits for `noteCosign`. Needs `documents.note.sign`.
    async fn note_sign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: NoteSignInput,
    ) -> Result<NotePayload> {
        let NoteSignInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        note(ctx, service::sign_note(request(ctx)?, id, expected_version, once).await).await
    }

    /// Begins an addendum to a signed note: a draft about the same patients, to be finalized and signed in its turn.
    /// Needs `documents.note.write`.
    async fn note_addendum(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note, and what is added.")] input: NoteAddendumInput,
    ) -> Result<NotePayload> {
        let NoteAddendumInput { note_id, title, text, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let (title, text) = (title.map(Phi::new), Phi::new(text));
        note(ctx, service::add_to_note(request(ctx)?, note_id, title, text, once).await).await
    }
}
