//! What a signature is over, and how it is made and checked. Pure but for the keys.
//!
//! A clinician signs the canonical content of a note: facility, document, author, kind, date, what it adds to,
//! patients, title, text and what of a form is filled in, each behind its length, so that no two notes have the same
//! bytes. The server seals signer, time and the SHA-256 of that content with its Ed25519 key. A change made past the
//! trigger, by whoever owns the database, shows as a signature that is not valid.

use chrono::{DateTime, NaiveDate, Utc};
use sha2::{Digest as _, Sha256};

use super::model::{DocumentKind, OpenNote, SignatureRow};
use crate::crypto::signing::{Signature, SigningKey, SigningPurpose, VerifyingKeys};
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, NoteTemplateId, PatientId, SignatureId, TypedId as _, UserId, new_id};
use crate::phi::Phi;

/// Begins every content; raised when what is signed changes.
const FORMAT: &[u8] = b"anamnesis note 1";

/// A note, as signed.
#[derive(Debug)]
pub(super) struct NoteContent<'a> {
    pub facility: FacilityId,
    pub id: DocumentId,
    pub author: Option<UserId>,
    pub kind: DocumentKind,
    pub document_date: NaiveDate,
    pub addendum_to: Option<DocumentId>,
    /// In ascending order.
    pub patients: &'a [PatientId],
    pub title: &'a Phi<String>,
    pub text: &'a Phi<String>,
    /// The template it was made of, with the number of its version, and what was filled in, as JSON.
    pub filled: Option<(NoteTemplateId, i32, &'a Phi<String>)>,
}

impl<'a> NoteContent<'a> {
    /// What of a note is signed.
    pub(super) fn of(facility: FacilityId, note: &'a OpenNote) -> Self {
        let document = &note.document;
        Self {
            facility,
            id: document.id,
            author: document.author_id,
            kind: document.kind,
            document_date: document.document_date,
            addendum_to: document.addendum_to,
            patients: note.all_patient_ids.as_slice(),
            title: &document.title,
            text: &note.text,
            filled: match (document.template_id, document.template_number, &note.fields) {
                (Some(template), Some(number), Some(fields)) => Some((template, number, fields)),
                _ => None,
            },
        }
    }

    /// SHA-256 of the canonical content.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        part(FORMAT);
        part(self.facility.uuid().as_bytes());
        part(self.id.uuid().as_bytes());
        part(self.author.map(|author| author.uuid().into_bytes()).as_ref().map_or(&[][..], |bytes| bytes));
        part(self.kind.as_str().as_bytes());
        part(self.document_date.to_string().as_bytes());
        part(self.addendum_to.map(|note| note.uuid().into_bytes()).as_ref().map_or(&[][..], |bytes| bytes));
        let patients: Vec<u8> = self.patients.iter().flat_map(|patient| patient.uuid().into_bytes()).collect();
        part(&patients);
        part(self.title.reveal_str().as_bytes());
        part(self.text.reveal_str().as_bytes());
        if let Some((template, number, fields)) = self.filled {
            part(template.uuid().as_bytes());
            part(&number.to_be_bytes());
            part(fields.reveal_str().as_bytes());
        }
        digest.finalize().into()
    }
}

/// What the server seals.
fn message(facility: FacilityId, document: DocumentId, signer: UserId, at: DateTime<Utc>, content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(88);
    for id in [facility.uuid(), document.uuid(), signer.uuid()] {
        message.extend_from_slice(id.as_bytes());
    }
    message.extend_from_slice(&at.timestamp_micros().to_be_bytes());
    message.extend_from_slice(content);
    message
}

/// Signs a note.
pub(super) fn sign(
    key: &SigningKey,
    note: &NoteContent<'_>,
    signer: UserId,
    at: DateTime<Utc>,
) -> Result<SignatureRow> {
    let content = note.sha256();
    let sealed = key.sign(SigningPurpose::DocumentSignature, &message(note.facility, note.id, signer, at, &content))?;
    Ok(SignatureRow {
        facility_id: note.facility,
        id: new_id::<SignatureId>(),
        document_id: note.id,
        user_id: signer,
        content_sha256: content.to_vec(),
        key_id: sealed.key_id().to_owned(),
        signature: sealed.bytes().to_vec(),
        signed_at: at,
    })
}

/// Whether a note is what was signed, and the seal is of one of these keys.
pub(super) fn is_valid(keys: &VerifyingKeys, note: &NoteContent<'_>, row: &SignatureRow) -> bool {
    let message = message(row.facility_id, row.document_id, row.user_id, row.signed_at, &row.content_sha256);
    let sealed = Signature::from_parts(row.key_id.as_str(), &row.signature)
        .and_then(|signature| keys.verify(SigningPurpose::DocumentSignature, &message, &signature));
    note.id == row.document_id && note.sha256()[..] == row.content_sha256[..] && sealed.is_ok()
}
