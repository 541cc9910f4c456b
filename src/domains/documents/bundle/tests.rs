//! A file of a signed note passes as it was written, and with no byte changed.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use proptest::prelude::{any, proptest};

use super::{BundleFault, FORMAT, public_keys, verify, verifying_keys, write};
use crate::crypto::signing::{SigningKey, VerifyingKeys};
use crate::domains::documents::model::{
    Document, DocumentKind, DocumentOrigin, DocumentStatus, NoteState, OpenNote, SignatureRow,
};
use crate::domains::documents::signing::{NoteContent, sign};
use crate::ids::{FacilityId, NoteTemplateId, TypedId as _, UserId, new_id};
use crate::phi::Phi;

fn key(id: &str) -> SigningKey {
    SigningKey::from_pkcs8(id, &SigningKey::generate_pkcs8().unwrap()).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-03-09T14:00:00.000250Z".parse().unwrap()
}

fn note(part2: bool) -> OpenNote {
    let document = Document {
        id: new_id(),
        origin: DocumentOrigin::Note,
        kind: DocumentKind::ClinicalNote,
        title: Phi::from("Session 4"),
        file_name: None,
        mime_type: "text/plain".to_owned(),
        size_bytes: 0,
        sha256: Vec::new(),
        author_id: Some(new_id()),
        document_date: "2026-03-09".parse().unwrap(),
        status: DocumentStatus::Ready,
        failure_code: None,
        note_state: Some(NoteState::Signed),
        signed_at: Some(now()),
        addendum_to: Some(new_id()),
        part2,
        template_id: Some(NoteTemplateId::from_uuid(uuid::Uuid::now_v7())),
        template_number: Some(2),
        language: None,
        page_count: None,
        chunk_count: 1,
        ready_at: None,
        version: 3,
        created_at: now(),
        updated_at: now(),
        patient_ids: Vec::new(),
        visit_id: None,
    };
    let text = Phi::from("Ánimo \"low\";\n\tslept 5½ h — نام");
    let fields = Some(Phi::from(r#"{"mood":{"text":"low"}}"#));
    OpenNote { document, text, fields, all_patient_ids: vec![new_id(), new_id()] }
}

struct Signed {
    facility: FacilityId,
    note: OpenNote,
    rows: Vec<SignatureRow>,
    keys: VerifyingKeys,
    file: Vec<u8>,
}

/// A note signed by two, under one key, on a server that has another one too.
fn signed(part2: bool) -> Signed {
    let (facility, note, ours) = (new_id(), note(part2), key("audit-1"));
    let content = NoteContent::of(facility, &note);
    let rows: Vec<SignatureRow> =
        [new_id::<UserId>(), new_id()].map(|signer| sign(&ours, &content, signer, now()).unwrap()).into();
    let keys: VerifyingKeys = [&ours, &key("audit-0")].into_iter().collect();
    let file = write(facility, &note, &rows, &keys).unwrap().into_revealed().into_bytes();
    Signed { facility, note, rows, keys, file }
}

#[test]
fn a_file_is_verified_by_its_own_keys_and_by_those_of_the_server() {
    let Signed { facility, note, rows, keys, file } = signed(true);
    let told = verify(&file, Some(&keys)).unwrap();
    assert_eq!(verify(&file, None).unwrap(), told);
    assert_eq!((told.facility, told.document), (facility, note.document.id));
    let signers: Vec<_> = told.signatures.iter().map(|one| (one.signer, one.signed_at)).collect();
    assert_eq!(signers, rows.iter().map(|row| (row.user_id, now())).collect::<Vec<_>>());
    let kept = serde_json::to_string(&public_keys(&keys)).unwrap();
    assert_eq!(verifying_keys(&serde_json::from_str::<Vec<_>>(&kept).unwrap()).unwrap(), keys);
    let text = String::from_utf8(file).unwrap();
    assert!(text.contains(FORMAT) && text.contains("42 CFR part 2 prohibits") && text.contains("audit-1"));
    assert!(!text.contains("audit-0"), "a key that nothing was signed with");
}

#[test]
fn keys_of_another_server_do_not_verify_it() {
    let file = signed(false).file;
    let other: VerifyingKeys = [&key("audit-1")].into_iter().collect();
    assert_eq!(verify(&file, Some(&other)), Err(BundleFault::ForeignKey));
    let unknown: VerifyingKeys = [&key("audit-9")].into_iter().collect();
    assert_eq!(verify(&file, Some(&unknown)), Err(BundleFault::ForeignKey));
}

#[test]
fn a_note_signed_anew_by_somebody_else_is_told_by_the_keys_of_the_server() {
    let Signed { facility, mut note, keys, .. } = signed(false);
    note.text = Phi::from("Slept well.");
    let forger = key("audit-1");
    let content = NoteContent::of(facility, &note);
    let rows = [sign(&forger, &content, new_id(), now()).unwrap()];
    let theirs: VerifyingKeys = [&forger].into_iter().collect();
    let file = write(facility, &note, &rows, &theirs).unwrap().into_revealed();
    assert!(verify(file.as_bytes(), None).is_ok());
    assert_eq!(verify(file.as_bytes(), Some(&keys)), Err(BundleFault::ForeignKey));
}

#[test]
fn a_file_without_signatures_or_with_more_in_it_is_none() {
    let Signed { facility, note, keys, file, .. } = signed(false);
    let bare = write(facility, &note, &[], &keys).unwrap().into_revealed();
    assert_eq!(verify(bare.as_bytes(), None), Err(BundleFault::Malformed));
    let text = String::from_utf8(file).unwrap();
    for other in [
        text.replace("\n}\n", ",\n  \"more\": 1\n}\n"),
        text.trim_end().to_owned(),
        text.replace("  ", " "),
        text.replacen("\"redisclosureNotice\": null", "\"redisclosureNotice\": \"none\"", 1),
        String::new(),
    ] {
        assert_ne!(other, text);
        assert_eq!(verify(other.as_bytes(), None), Err(BundleFault::Malformed));
    }
}

fn one() -> &'static Signed {
    static ONE: OnceLock<Signed> = OnceLock::new();
    ONE.get_or_init(|| signed(true))
}

proptest! {
    #[test]
    fn no_bit_of_the_file_can_be_another(at in any::<proptest::sample::Index>(), bit in 0..8_u8) {
        let mut file = one().file.clone();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        assert!(verify(&file, None).is_err());
        assert!(verify(&file, Some(&one().keys)).is_err());
    }
}

/// Every byte once, not only those that chance chooses.
#[test]
fn no_byte_of_the_file_can_be_another() {
    for at in 0..one().file.len() {
        let mut file = one().file.clone();
        file[at] ^= 1;
        assert!(verify(&file, None).is_err(), "byte {at}");
    }
}
