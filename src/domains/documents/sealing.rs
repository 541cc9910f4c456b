//! Encryption and decryption of the domain's rows. Opening a row notes the read: there is no way to a decrypted
//! document that leaves no audit row.

use super::model::{BodyRow, Document, DocumentRow, FileRow, NoteRow, OpenNote};
use crate::access::{RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys, Key32};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, TypedId as _};
use crate::phi::Phi;
use crate::storage::FileRef;

const TITLE: ColumnId = ColumnId::new("documents", "title");
const FILE_NAME: ColumnId = ColumnId::new("documents", "file_name");
const FILE_KEY: ColumnId = ColumnId::new("documents", "file_key");
const BODY: ColumnId = ColumnId::new("documents", "body");

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
