//! A signed note as a file that is verified without a server: the content signed, the signatures, the public keys.
//!
//! The file has one form: what is read is written again and must be the same to the byte, so that no byte of it can be
//! another and the file still pass. Public keys within the file say that nothing was changed since they were put there;
//! that they are the server's own is known only where they are compared with keys had from the server itself.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{DocumentKind, OpenNote, REDISCLOSURE_NOTICE, SignatureRow};
use super::signing::{NoteContent, is_valid};
use crate::crypto::signing::{Signature, VerifyingKeys};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, FacilityId, NoteTemplateId, PatientId, SignatureId, TypedId as _, UserId};
use crate::phi::Phi;

/// Names the form of the file; raised when it changes.
const FORMAT: &str = "anamnesis signed note 1";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bundle {
    format: String,
    redisclosure_notice: Option<String>,
    note: Note,
    signatures: Vec<Sealed>,
    public_keys: Vec<PublicKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Note {
    facility: Uuid,
    document: Uuid,
    author: Option<Uuid>,
    kind: DocumentKind,
    document_date: NaiveDate,
    addendum_to: Option<Uuid>,
    patients: Vec<Uuid>,
    title: String,
    text: String,
    form: Option<Form>,
}

/// The template a note was made of, and what was filled in.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    template: Uuid,
    number: i32,
    /// As JSON, to the byte as it was signed.
    fields: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealed {
    signer: Uuid,
    /// RFC 3339 in UTC, to the microsecond.
    signed_at: String,
    content_sha256: String,
    /// `ed25519:<key id>:<base64url>`.
    signature: String,
}

/// An Ed25519 public key of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicKey {
    /// As signatures name it.
    pub id: String,
    /// 32 bytes in base64.
    pub key: String,
}

/// All public keys of a server that verify documents, to be kept by whoever verifies.
#[must_use]
pub fn public_keys(keys: &VerifyingKeys) -> Vec<PublicKey> {
    keys.export().map(|(id, key)| PublicKey { id: id.to_owned(), key }).collect()
}

/// Keys to verify with. `None` when one of them is none.
#[must_use]
pub fn verifying_keys(keys: &[PublicKey]) -> Option<VerifyingKeys> {
    use base64::Engine as _;
    let mut all = VerifyingKeys::new();
    for key in keys {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&key.key).ok()?;
        all.add(key.id.clone(), bytes.try_into().ok()?);
    }
    Some(all)
}

/// The file of a signed note.
///
/// # Errors
/// A fault.
pub(super) fn write(
    facility: FacilityId,
    note: &OpenNote,
    signatures: &[SignatureRow],
    keys: &VerifyingKeys,
) -> Result<Phi<String>> {
    let content = NoteContent::of(facility, note);
    let sealed = |row: &SignatureRow| {
        let signature = Signature::from_parts(row.key_id.as_str(), &row.signature)?;
        Ok(Sealed {
            signer: row.user_id.uuid(),
            signed_at: row.signed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            content_sha256: hexadecimal(&row.content_sha256),
            signature: signature.to_string(),
        })
    };
    let used = |key: &PublicKey| signatures.iter().any(|row| row.key_id == key.id);
    let bundle = Bundle {
        format: FORMAT.to_owned(),
        redisclosure_notice: note.document.part2.then(|| REDISCLOSURE_NOTICE.to_owned()),
        note: Note {
            facility: facility.uuid(),
            document: content.id.uuid(),
            author: content.author.map(UserId::uuid),
            kind: content.kind,
            document_date: content.document_date,
            addendum_to: content.addendum_to.map(DocumentId::uuid),
            patients: content.patients.iter().map(|patient| patient.uuid()).collect(),
            title: content.title.reveal().clone(),
            text: content.text.reveal().clone(),
            form: content.filled.map(|(template, number, fields)| Form {
                template: template.uuid(),
                number,
                fields: fields.reveal().clone(),
            }),
        },
        signatures: signatures.iter().map(sealed).collect::<Result<_, Error>>()?,
        public_keys: public_keys(keys).into_iter().filter(used).collect(),
    };
    text_of(&bundle).map(Phi::new)
}

fn text_of(bundle: &Bundle) -> Result<String> {
    let mut text = serde_json::to_string_pretty(bundle)?;
    text.push('\n');
    Ok(text)
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Why a file is not a signed note as it was signed. Holds nothing of the note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// It is not such a file, or was written by something else.
    #[error("this is not the file of a signed note, or it was changed")]
    Malformed,
    /// A key within it is not the one to be trusted.
    #[error("a public key in the file is not the one to be trusted")]
    ForeignKey,
    /// A signature names a key that is not at hand.
    #[error("signature {0}: its key is not among those to be trusted")]
    UnknownKey(usize),
    /// The note is not what was signed, or the signature is not genuine.
    #[error("signature {0} does not fit the note")]
    Mismatch(usize),
}

/// A signature that fits its note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedSignature {
    pub signer: UserId,
    pub signed_at: DateTime<Utc>,
}

/// A note that is what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub facility: FacilityId,
    pub document: DocumentId,
    pub signatures: Vec<VerifiedSignature>,
}

/// Verifies a file by keys that are trusted, or, without, by those within it.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(file: &[u8], trusted: Option<&VerifyingKeys>) -> Result<Verified, BundleFault> {
    let bundle: Bundle = serde_json::from_slice(file).map_err(|_| BundleFault::Malformed)?;
    let again = text_of(&bundle).map_err(|_| BundleFault::Malformed)?;
    let notice = bundle.redisclosure_notice.as_deref().is_none_or(|notice| notice == REDISCLOSURE_NOTICE);
    if again.as_bytes() != file || bundle.format != FORMAT || !notice || bundle.signatures.is_empty() {
        return Err(BundleFault::Malformed);
    }
    let within = verifying_keys(&bundle.public_keys).ok_or(BundleFault::Malformed)?;
    let keys = trusted.unwrap_or(&within);
    let known = public_keys(keys);
    if bundle.public_keys.iter().any(|key| !known.contains(key)) {
        return Err(BundleFault::ForeignKey);
    }
    let note = &bundle.note;
    let (title, text) = (Phi::new(note.title.clone()), Phi::new(note.text.clone()));
    let fields = note.form.as_ref().map(|form| (form, Phi::new(form.fields.clone())));
    let patients: Vec<PatientId> = note.patients.iter().copied().map(PatientId::from_uuid).collect();
    let content = NoteContent {
        facility: FacilityId::from_uuid(note.facility),
        id: DocumentId::from_uuid(note.document),
        author: note.author.map(UserId::from_uuid),
        kind: note.kind,
        document_date: note.document_date,
        addendum_to: note.addendum_to.map(DocumentId::from_uuid),
        patients: &patients,
        title: &title,
        text: &text,
        filled: fields.as_ref().map(|(form, fields)| (NoteTemplateId::from_uuid(form.template), form.number, fields)),
    };
    let mut signatures = Vec::with_capacity(bundle.signatures.len());
    let mut used = Vec::with_capacity(bundle.signatures.len());
    for (at, sealed) in bundle.signatures.iter().enumerate() {
        let (row, key) = read(&content, sealed).ok_or(BundleFault::Mismatch(at + 1))?;
        if !known.iter().any(|known| known.id == key) {
            return Err(BundleFault::UnknownKey(at + 1));
        }
        if !is_valid(keys, &content, &row) {
            return Err(BundleFault::Mismatch(at + 1));
        }
        signatures.push(VerifiedSignature { signer: row.user_id, signed_at: row.signed_at });
        used.push(key);
    }
    // Only keys that a signature was checked with: another could be any, and be changed unnoticed.
    if bundle.public_keys.iter().any(|key| !used.contains(&key.id)) {
        return Err(BundleFault::Malformed);
    }
    Ok(Verified { facility: content.facility, document: content.id, signatures })
}

/// A signature as it is checked, and the key it names.
fn read(content: &NoteContent<'_>, sealed: &Sealed) -> Option<(SignatureRow, String)> {
    let signature: Signature = sealed.signature.parse().ok()?;
    let sha256 = content.sha256();
    if hexadecimal(&sha256) != sealed.content_sha256 || signature.to_string() != sealed.signature {
        return None;
    }
    let signed_at = DateTime::parse_from_rfc3339(&sealed.signed_at).ok()?.with_timezone(&Utc);
    if signed_at.to_rfc3339_opts(SecondsFormat::Micros, true) != sealed.signed_at {
        return None;
    }
    let row = SignatureRow {
        facility_id: content.facility,
        id: SignatureId::from_uuid(Uuid::nil()),
        document_id: content.id,
        user_id: UserId::from_uuid(sealed.signer),
        content_sha256: sha256.to_vec(),
        key_id: signature.key_id().to_owned(),
        signature: signature.bytes().to_vec(),
        signed_at,
    };
    Some((row, signature.key_id().to_owned()))
}

#[cfg(test)]
mod tests;
