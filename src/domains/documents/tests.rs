//! Pure rules of the domain.

use chrono::NaiveDate;

use super::model::{CreateNote, DocumentKind, Refusal, UploadDocument};
use super::signing::{NoteContent, is_valid, sign};
use super::validation;
use crate::crypto::signing::{SigningKey, VerifyingKeys};
use crate::error::Stop;
use crate::ids::{FacilityId, PatientId, new_id};
use crate::phi::Phi;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn name(given: &str) -> String {
    validation::file_name(&Phi::from(given)).into_revealed()
}

#[test]
fn a_file_name_is_a_name_and_nothing_else() {
    assert_eq!(name("report.pdf"), "report.pdf");
    assert_eq!(name("../../etc/passwd"), "passwd");
    assert_eq!(name("C:\\scans\\Müller 1.tiff"), "Müller 1.tiff");
    assert_eq!(name("a\r\nSet-Cookie: x\u{202e}fdp.exe"), "aSet-Cookie: xfdp.exe");
    assert_eq!(name(" .. "), "document");
    assert_eq!(name(""), "document");
    let long = name(&"é".repeat(200));
    assert!(long.len() == 254 && long.chars().all(|c| c == 'é'));
}

fn an_upload() -> UploadDocument {
    UploadDocument {
        kind: DocumentKind::LabResult,
        title: None,
        file_name: Phi::from("blood.count.pdf"),
        document_date: None,
        labels: Vec::new(),
        patient_ids: Vec::new(),
        visit_id: None,
    }
}

#[test]
fn an_upload_without_a_title_is_called_like_its_file() {
    let upload = validation::upload(an_upload(), day("2026-03-09")).unwrap();
    assert_eq!(upload.title.reveal(), "blood.count");
    assert_eq!(upload.document_date, day("2026-03-09"));
    let hidden = UploadDocument { file_name: Phi::from(".pdf"), ..an_upload() };
    assert_eq!(validation::upload(hidden, day("2026-03-09")).unwrap().title.reveal(), "pdf");
}

#[test]
fn all_faults_of_a_note_are_listed() {
    let note = CreateNote {
        kind: DocumentKind::ClinicalNote,
        title: Phi::from(" "),
        text: Phi::from("\u{1b}[2J"),
        document_date: Some(day("2026-03-11")),
        labels: Vec::new(),
        patient_ids: Vec::new(),
        visit_id: None,
    };
    let Err(Stop::Refused(faults)) = validation::note(note, day("2026-03-09"), false) else {
        unreachable!("it has faults")
    };
    let fields: Vec<&str> = faults.iter().map(|fault| &*fault.field[1]).collect();
    assert_eq!(fields, ["title", "text", "documentDate", "patientIds"]);
    assert!(faults.iter().all(|fault| fault.code == Refusal::Invalid));
}

#[test]
fn a_patient_is_linked_once_however_often_named() {
    let patient: PatientId = new_id();
    let upload = UploadDocument { patient_ids: vec![patient; 3], ..an_upload() };
    assert_eq!(validation::upload(upload, day("2026-03-09")).unwrap().patient_ids, [patient]);
    let many = UploadDocument { patient_ids: (0..51).map(|_| new_id()).collect(), ..an_upload() };
    assert!(matches!(validation::upload(many, day("2026-03-09")), Err(Stop::Refused(_))));
}

#[test]
fn a_signature_covers_every_part_of_a_note() {
    let key = SigningKey::from_pkcs8("audit-1", &SigningKey::generate_pkcs8().unwrap()).unwrap();
    let keys: VerifyingKeys = [&key].into_iter().collect();
    let (facility, id, author): (FacilityId, _, _) = (new_id(), new_id(), new_id());
    let patients = [new_id(), new_id()];
    let (title, text) = (Phi::from("Title"), Phi::from("text"));
    let (template, fields, other_fields) = (new_id(), Phi::from("{}"), Phi::from("[]"));
    let note = || NoteContent {
        facility,
        id,
        author: Some(author),
        kind: DocumentKind::ClinicalNote,
        document_date: day("2026-03-09"),
        addendum_to: None,
        patients: &patients,
        title: &title,
        text: &text,
        filled: Some((template, 2, &fields)),
    };
    let at = "2026-03-09T14:00:00Z".parse().unwrap();
    let row = sign(&key, &note(), author, at).unwrap();
    assert!(is_valid(&keys, &note(), &row));
    let (other_title, other_text) = (Phi::from("Titl"), Phi::from("etext"));
    let changed = [
        NoteContent { facility: new_id(), ..note() },
        NoteContent { id: new_id(), ..note() },
        NoteContent { author: None, ..note() },
        NoteContent { kind: DocumentKind::Other, ..note() },
        NoteContent { document_date: day("2026-03-08"), ..note() },
        NoteContent { addendum_to: Some(id), ..note() },
        NoteContent { patients: &patients[..1], ..note() },
        NoteContent { title: &other_title, text: &other_text, ..note() },
        NoteContent { filled: None, ..note() },
        NoteContent { filled: Some((new_id(), 2, &fields)), ..note() },
        NoteContent { filled: Some((template, 3, &fields)), ..note() },
        NoteContent { filled: Some((template, 2, &other_fields)), ..note() },
    ];
    for (index, changed) in changed.iter().enumerate() {
        assert!(!is_valid(&keys, changed, &row), "{index}");
    }
    let mut by_another = row.clone();
    by_another.user_id = new_id();
    assert!(!is_valid(&keys, &note(), &by_another));
    let mut later = row;
    later.signed_at += chrono::TimeDelta::microseconds(1);
    assert!(!is_valid(&keys, &note(), &later));
}

#[test]
fn the_record_is_every_kind_but_psychotherapy_notes() {
    let record: Vec<DocumentKind> =
        DocumentKind::ALL.iter().copied().filter(|kind| *kind != DocumentKind::PsychotherapyNote).collect();
    assert_eq!(super::policy::OF_RECORD, record);
    assert!(super::policy::ADMINISTRATIVE.iter().all(|kind| super::policy::OF_RECORD.contains(kind)));
}
