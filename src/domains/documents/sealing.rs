//! Encryption and decryption of the domain's rows. Opening a row notes the read: there is no way to a decrypted
//! document that leaves no audit row.

use super::model::{BodyRow, Document, DocumentRow, FileRow, NoteRow, OpenNote};
use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys, Key32};
use crate::error::{Error, Result};
use crate::ids::{AmendmentId, DocumentId, TypedId as _, VersionId};
use crate::phi::Phi;
use crate::storage::FileRef;

const TITLE: ColumnId = ColumnId::new("documents", "title");
const FILE_NAME: ColumnId = ColumnId::new("documents", "file_name");
const FILE_KEY: ColumnId = ColumnId::new("documents", "file_key");
const BODY: ColumnId = ColumnId::new("documents", "body");
const FIELDS: ColumnId = ColumnId::new("documents", "fields");
const REQUEST: ColumnId = ColumnId::new("amendment_requests", "request");
const EXTENSION: ColumnId = ColumnId::new("amendment_requests", "extension");
const DECISION: ColumnId = ColumnId::new("amendment_requests", "decision");
const VERSION_TITLE: ColumnId = ColumnId::new("document_versions", "title");
const VERSION_BODY: ColumnId = ColumnId::new("document_versions", "body");
const VERSION_FIELDS: ColumnId = ColumnId::new("document_versions", "fields");

/// Decrypts a document and notes the read in the record of each patient it is about.
pub(super) fn open_document(ctx: &RequestContext, keys: &FacilityKeys, row: DocumentRow) -> Result<Document> {
    let id = row.id.uuid();
    let subject = Subject::of(row.id);
    if row.patient_ids.is_empty() {
        ctx.note_read(subject);
    }
    for patient in &row.patient_ids {
        ctx.note_read(subject.in_record_of(*patient));
    }
    Ok(Document {
        id: row.id,
        origin: row.origin,
        kind: row.kind,
        title: keys.fields.decrypt_text(TITLE, id, &row.title_ciphertext)?,
        file_name: keys.fields.decrypt_text_opt(FILE_NAME, id, row.file_name_ciphertext.as_deref())?,
        mime_type: row.mime_type,
        size_bytes: row.size_bytes,
        sha256: row.sha256,
        author_id: row.author_id,
        document_date: row.document_date,
        status: row.status,
        failure_code: row.failure_code,
        note_state: row.note_state,
        signed_at: row.signed_at,
        addendum_to: row.addendum_to,
        part2: row.part2,
        template_id: row.template_id,
        template_number: row.template_number,
        visit_id: row.visit_id,
        language: row.language,
        page_count: row.page_count,
        chunk_count: row.chunk_count,
        ready_at: row.ready_at,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        patient_ids: row.patient_ids,
    })
}

/// The text of a note; `None` for uploads.
pub(super) fn open_body(keys: &FacilityKeys, row: &BodyRow) -> Result<Option<Phi<String>>> {
    Ok(keys.fields.decrypt_text_opt(BODY, row.id.uuid(), row.body_ciphertext.as_deref())?)
}

/// Decrypts a note with its text, and notes the read.
pub(super) fn open_note(ctx: &RequestContext, keys: &FacilityKeys, row: NoteRow) -> Result<OpenNote> {
    let body = row.body_ciphertext.ok_or_else(|| Error::internal("a note without a text"))?;
    Ok(OpenNote {
        text: keys.fields.decrypt_text(BODY, row.document.id.uuid(), &body)?,
        fields: keys.fields.decrypt_text_opt(FIELDS, row.document.id.uuid(), row.fields_ciphertext.as_deref())?,
        document: open_document(ctx, keys, row.document)?,
        all_patient_ids: row.all_patient_ids,
    })
}

/// Where the file of an upload is and how to open it; `None` for notes. Notes nothing: the caller has opened the
/// document.
pub(super) fn open_file(ctx: &RequestContext, keys: &FacilityKeys, row: &FileRow) -> Result<Option<FileRef>> {
    let (Some(object_key), Some(sealed)) = (&row.object_key, &row.file_key_ciphertext) else { return Ok(None) };
    let file = row.document.id.uuid();
    let key = keys.fields.decrypt(FILE_KEY, file, sealed)?;
    Ok(Some(FileRef {
        facility: ctx.facility(),
        file,
        object_key: object_key.clone(),
        file_key: Key32::from_slice(key.reveal())
            .ok_or_else(|| Error::internal("a stored file key has no 32 bytes"))?,
        size_bytes: u64::try_from(row.document.size_bytes).map_err(Error::internal)?,
        sha256: row.document.sha256.as_slice().try_into().map_err(Error::internal)?,
    }))
}

/// Encrypts a title for its row.
pub(super) fn seal_title(keys: &FacilityKeys, id: DocumentId, title: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(TITLE, id.uuid(), title)?)
}

/// Encrypts a file name for its row.
pub(super) fn seal_file_name(keys: &FacilityKeys, id: DocumentId, name: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(FILE_NAME, id.uuid(), name)?)
}

/// Encrypts the key of a file for its row.
pub(super) fn seal_file_key(keys: &FacilityKeys, id: DocumentId, key: &Key32) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt(FILE_KEY, id.uuid(), key.expose())?)
}

/// Encrypts the text of a note for its row.
pub(super) fn seal_body(keys: &FacilityKeys, id: DocumentId, text: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(BODY, id.uuid(), text)?)
}

/// The title of a document, where nothing is shown of it: to compare it, or to seal it anew.
pub(super) fn title_of(keys: &FacilityKeys, id: DocumentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(TITLE, id.uuid(), sealed)?)
}

/// The text of a note, where nothing is shown of it.
pub(super) fn body_of(keys: &FacilityKeys, id: DocumentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(BODY, id.uuid(), sealed)?)
}

/// The title of a version. Whoever shows it notes the read.
pub(super) fn version_title_of(keys: &FacilityKeys, id: VersionId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(VERSION_TITLE, id.uuid(), sealed)?)
}

/// The text of a version. Whoever shows it notes the read.
pub(super) fn version_body_of(keys: &FacilityKeys, id: VersionId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(VERSION_BODY, id.uuid(), sealed)?)
}

/// Encrypts a title for the row of a version.
pub(super) fn seal_version_title(keys: &FacilityKeys, id: VersionId, title: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(VERSION_TITLE, id.uuid(), title)?)
}

/// Encrypts a text for the row of a version.
pub(super) fn seal_version_body(keys: &FacilityKeys, id: VersionId, text: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(VERSION_BODY, id.uuid(), text)?)
}

/// What is filled into the form of a note. Whoever shows it has opened the note.
pub(super) fn fields_of(keys: &FacilityKeys, id: DocumentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(FIELDS, id.uuid(), sealed)?)
}

/// Encrypts what is filled into the form of a note for its row.
pub(super) fn seal_fields(keys: &FacilityKeys, id: DocumentId, values: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(FIELDS, id.uuid(), values)?)
}

/// What was filled into the form of a note, in a version.
pub(super) fn version_fields_of(keys: &FacilityKeys, id: VersionId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(VERSION_FIELDS, id.uuid(), sealed)?)
}

/// Encrypts what is filled into the form of a note for the row of a version.
pub(super) fn seal_version_fields(keys: &FacilityKeys, id: VersionId, values: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(VERSION_FIELDS, id.uuid(), values)?)
}

/// What a patient asks for. Whoever shows it notes the read.
pub(super) fn request_of(keys: &FacilityKeys, id: AmendmentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(REQUEST, id.uuid(), sealed)?)
}

/// Encrypts what a patient asks for.
pub(super) fn seal_request(keys: &FacilityKeys, id: AmendmentId, request: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(REQUEST, id.uuid(), request)?)
}

/// Why the day to decide a request was put off. Whoever shows it notes the read.
pub(super) fn extension_of(keys: &FacilityKeys, id: AmendmentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(EXTENSION, id.uuid(), sealed)?)
}

/// Encrypts why it is put off.
pub(super) fn seal_extension(keys: &FacilityKeys, id: AmendmentId, reason: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(EXTENSION, id.uuid(), reason)?)
}

/// Why a request was denied. Whoever shows it notes the read.
pub(super) fn decision_of(keys: &FacilityKeys, id: AmendmentId, sealed: &[u8]) -> Result<Phi<String>> {
    Ok(keys.fields.decrypt_text(DECISION, id.uuid(), sealed)?)
}

/// Encrypts why a request was denied.
pub(super) fn seal_decision(keys: &FacilityKeys, id: AmendmentId, reason: &Phi<String>) -> Result<Vec<u8>> {
    Ok(keys.fields.encrypt_text(DECISION, id.uuid(), reason)?)
}
