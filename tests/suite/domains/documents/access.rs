//! Who may do what: roles, kinds, facilities, charts.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::wire::{self, Sending};
use super::{DOCUMENT, UPLOAD, count, register, restrict, settled, stored_files, treats, upload_text};
use crate::harness::{Client, TestApp};

const CLINICIANS: &[Role] = &[
    Role::Physician,
    Role::Nurse,
    Role::Pharmacist,
    Role::Technician,
    Role::SocialWorker,
    Role::CaseManager,
    Role::Therapist,
];
const CLERKS: &[Role] = &[Role::Administrator, Role::BillingSpecialist, Role::FrontDesk];
const NOBODY: &[Role] = &[Role::SystemAdmin, Role::PrivacyOfficer, Role::Patient];

/// Every operation on documents but upload, with the given ids.
fn operations(document: &str, patient: &str) -> Vec<(&'static str, &'static str, Value)> {
    let id = json!({ "id": document, "expectedVersion": 1 });
    let with = |extra: Value| {
        let mut input = id.clone();
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "input": input })
    };
    vec![
        ("document", "query($id: ID!) { document(id: $id) { id } }", json!({ "id": document })),
        ("documents", "query { documents { nodes { id } totalCount } }", json!({})),
        (
            "documentUpdate",
            "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) { userErrors { code } } }",
            with(json!({ "title": "Changed" })),
        ),
        (
            "documentLinkPatients",
            "mutation($input: DocumentLinkPatientsInput!) { documentLinkPatients(input: $input) { userErrors { code } } }",
            with(json!({ "patientIds": [patient] })),
        ),
        (
            "documentUnlinkPatient",
            "mutation($input: DocumentUnlinkPatientInput!) { documentUnlinkPatient(input: $input) { userErrors { code } } }",
            with(json!({ "patientId": patient })),
        ),
        (
            "documentLabel",
            "mutation($input: DocumentLabelInput!) { documentLabel(input: $input) { userErrors { code } } }",
            with(json!({ "labels": ["PART_2"] })),
        ),
        (
            "documentRetry",
            "mutation($input: DocumentRetryInput!) { documentRetry(input: $input) { userErrors { code } } }",
            json!({ "input": { "id": document } }),
        ),
        (
            "noteCreate",
            "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { userErrors { code } } }",
            json!({ "input": { "title": "t", "text": "t", "patientIds": [patient] } }),
        ),
        (
            "noteUpdate",
            "mutation($input: NoteUpdateInput!) { noteUpdate(input: $input) { userErrors { code } } }",
            with(json!({ "text": "changed" })),
        ),
        (
            "noteFinalize",
            "mutation($input: NoteFinalizeInput!) { noteFinalize(input: $input) { userErrors { code } } }",
            with(json!({})),
        ),
        (
            "noteReopen",
            "mutation($input: NoteReopenInput!) { noteReopen(input: $input) { userErrors { code } } }",
            with(json!({})),
        ),
        (
            "noteSign",
            "mutation($input: NoteSignInput!) { noteSign(input: $input) { userErrors { code } } }",
            with(json!({})),
        ),
        (
            "noteAddendum",
            "mutation($input: NoteAddendumInput!) { noteAddendum(input: $input) { userErrors { code } } }",
            json!({ "input": { "noteId": document, "text": "more" } }),
        ),
    ]
}

async fn everything(app: &TestApp) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for table in ["documents", "document_patients", "document_signatures", "jobs"] {
        rows.extend(app.db_query(&format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY 1")).await);
    }
    rows
}

/// Both ways of uploading are refused with this code, and leave nothing.
async fn uploads_refused(app: &TestApp, client: &Client, kind: &str, code: &str) {
    let before = stored_files(app).len();
    let plain = wire::post_document(client, &json!({ "kind": kind }), "a.txt", b"content").await;
    assert_eq!(plain.code(), code, "{}", plain.text());
    let graphql = wire::graphql_upload(client, &json!({ "kind": kind }), "a.txt", b"content").await;
    assert_eq!(graphql.code(), code, "{}", graphql.text());
    settled(app).await;
    assert_eq!(stored_files(app).len(), before);
}

#[tokio::test]
async fn nobody_without_a_sign_in_reaches_documents() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER", "patientIds": [patient] }), "text").await;
    let before = everything(&app).await;
    for (name, operation, variables) in operations(&id, &patient) {
        assert_eq!(app.anonymous().run(operation, variables).await.code(), "UNAUTHENTICATED", "{name}");
    }
    uploads_refused(&app, &app.anonymous(), "OTHER", "UNAUTHENTICATED").await;
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn roles_that_deal_with_no_documents_are_refused_and_recorded() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER", "patientIds": [patient] }), "text").await;
    let before = everything(&app).await;
    for role in NOBODY {
        let client = app.member(&[*role]).await;
        for (name, operation, variables) in operations(&id, &patient) {
            assert_eq!(client.run(operation, variables).await.code(), "FORBIDDEN", "{role:?} {name}");
        }
        uploads_refused(&app, &client, "OTHER", "FORBIDDEN").await;
    }
    // Beside a patient the refusal is told, and the patient is shown.
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let both = "query($id: ID!) { patient(id: $id) { id documents { nodes { id } } } }";
    let answer = officer.run(both, json!({ "id": patient })).await;
    assert_eq!((answer.code(), answer.errors.len()), ("FORBIDDEN", 1));
    assert_eq!(answer.data["patient"], json!({ "id": patient, "documents": null }));
    assert_eq!(everything(&app).await, before);
    let denied = "SELECT count(*) FROM audit_log WHERE outcome = 'denied' AND action = 'documents.upload'";
    assert_eq!(app.db_value(denied).await, (2 * NOBODY.len()).to_string());
}

#[tokio::test]
async fn who_may_not_upload_is_told_before_the_file_is_read() {
    let app = TestApp::start().await;
    let officer = app.member(&[Role::PrivacyOfficer]).await;
    let media = format!("multipart/form-data; boundary={}", wire::BOUNDARY);
    for path in ["/documents", "/graphql"] {
        // The head, the first parts and the head of the file; the file itself never comes.
        let mut body = wire::document_form(&json!({ "kind": "OTHER" }), "a.txt", b"content");
        if path == "/graphql" {
            body = wire::graphql_form(UPLOAD, &json!({ "kind": "OTHER" }), "a.txt", b"content");
        }
        let cut = body.windows(7).position(|window| window == b"content").unwrap();
        let headers = [
            ("Content-Type", media.as_str()),
            ("Transfer-Encoding", "chunked"),
            ("Accept", "application/graphql-response+json"),
        ];
        let mut sending = Sending::begin(&officer, "POST", path, &headers).await;
        assert!(sending.piece(&body[..cut]).await);
        let answer = sending.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "FORBIDDEN"), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn clerks_know_of_administrative_kinds_alone() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let lab = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [patient] }), "text").await;
    let card = upload_text(&nurse, json!({ "kind": "INSURANCE_DOCUMENT", "patientIds": [patient] }), "text").await;
    let before = everything(&app).await;
    for role in CLERKS {
        let clerk = app.member(&[*role]).await;
        let list = "query($patient: ID!, $kinds: [DocumentKind!]) {
            documents(patientId: $patient, kinds: $kinds) { totalCount nodes { id } }
            patient(id: $patient) { documents { nodes { id } } } }";
        let only_card = json!({ "documents": { "totalCount": 1, "nodes": [{ "id": card }] },
            "patient": { "documents": { "nodes": [{ "id": card }] } } });
        assert_eq!(clerk.run(list, json!({ "patient": patient })).await.ok(), only_card, "{role:?}");
        let asked = clerk.run(list, json!({ "patient": patient, "kinds": ["LAB_RESULT"] })).await.ok();
        assert_eq!(asked["documents"], json!({ "totalCount": 0, "nodes": [] }));
        assert_eq!(clerk.run(DOCUMENT, json!({ "id": lab })).await.ok()["document"], json!(null));
        let node = clerk.run("query($id: ID!) { node(id: $id) { id } }", json!({ "id": lab })).await.ok();
        assert_eq!(node["node"], json!(null));
        for (name, operation, variables) in operations(&lab, &patient) {
            if name.starts_with("note") {
                assert_eq!(clerk.run(operation, variables).await.code(), "FORBIDDEN", "{role:?} {name}");
            } else if !name.starts_with("documents") && name != "document" {
                assert_eq!(clerk.run(operation, variables).await.code(), "NOT_FOUND", "{role:?} {name}");
            }
        }
        uploads_refused(&app, &clerk, "LAB_RESULT", "FORBIDDEN").await;
        // Nor may one be made of what they do see.
        let update = "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) { userErrors { code } } }";
        let input = json!({ "input": { "id": card, "expectedVersion": 1, "kind": "LAB_RESULT" } });
        assert_eq!(clerk.run(update, input).await.code(), "FORBIDDEN");
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn clinicians_know_of_every_kind() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let lab = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "text").await;
    for role in CLINICIANS {
        let clinician = app.member(&[*role]).await;
        let found = clinician.run(DOCUMENT, json!({ "id": lab })).await.ok();
        assert_eq!(found["document"]["id"], json!(lab), "{role:?}");
    }
}

#[tokio::test]
async fn another_facility_sees_and_changes_nothing() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER", "patientIds": [patient] }), "text").await;
    let before = everything(&app).await;
    let stranger = app.member_of(app.other, &[Role::Nurse]).await;
    for (name, operation, variables) in operations(&id, &patient) {
        let answer = stranger.run(operation, variables).await;
        match name {
            "document" => assert_eq!(answer.ok()["document"], json!(null)),
            "documents" => assert_eq!(answer.ok()["documents"], json!({ "nodes": [], "totalCount": 0 })),
            "noteCreate" => assert_eq!(answer.ok()["noteCreate"]["userErrors"][0]["code"], "PATIENT_NOT_FOUND"),
            _ => assert_eq!(answer.code(), "NOT_FOUND", "{name}"),
        }
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_restricted_therapist_sees_documents_of_open_charts() {
    let app = TestApp::start().await;
    restrict(&app).await;
    let (own, foreign) = (register(&app, "Ada").await, register(&app, "Ben").await);
    let nurse = app.member(&[Role::Nurse]).await;
    let therapist = app.member(&[Role::Therapist]).await;
    treats(&app, &therapist, &own).await;
    let seen = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [own] }), "text").await;
    let hidden = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [foreign] }), "text").await;
    let shared = upload_text(&nurse, json!({ "kind": "LAB_RESULT", "patientIds": [own, foreign] }), "text").await;
    let list = "query { documents { totalCount nodes { id patients { id } } } }";
    let found = therapist.run(list, json!({})).await.ok();
    let node = |id: &str| json!({ "id": id, "patients": [{ "id": own }] });
    assert_eq!(found["documents"], json!({ "totalCount": 2, "nodes": [node(&shared), node(&seen)] }));
    assert_eq!(therapist.run(DOCUMENT, json!({ "id": hidden })).await.ok()["document"], json!(null));
    let before = everything(&app).await;
    for (name, operation, variables) in operations(&hidden, &foreign) {
        if name.starts_with("documents") || name == "document" {
            continue;
        }
        let answer = therapist.run(operation, variables).await;
        if name == "noteCreate" {
            assert_eq!(answer.ok()["noteCreate"]["userErrors"][0]["code"], "PATIENT_NOT_FOUND");
        } else {
            assert_eq!(answer.code(), "NOT_FOUND", "{name}");
        }
    }
    // A chart that is not open cannot be linked, not even by who may change the document.
    let link =
        "mutation($input: DocumentLinkPatientsInput!) { documentLinkPatients(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "id": seen, "expectedVersion": 1, "patientIds": [foreign] } });
    let refused = therapist.run(link, input).await.ok();
    assert_eq!(refused["documentLinkPatients"]["userErrors"][0]["code"], "PATIENT_NOT_FOUND");
    let upload = json!({ "kind": "OTHER", "patientIds": [foreign] });
    let refused = wire::post_document(&therapist, &upload, "a.txt", b"text").await;
    assert_eq!(refused.json()["userErrors"][0]["code"], "PATIENT_NOT_FOUND");
    assert_eq!(everything(&app).await, before);
    // What they upload themself they see, though it is about nobody yet.
    let unlinked = upload_text(&therapist, json!({ "kind": "OTHER" }), "text").await;
    let found = therapist.run(DOCUMENT, json!({ "id": unlinked })).await.ok();
    assert_eq!(found["document"]["id"], json!(unlinked));
}

#[tokio::test]
async fn a_browser_must_add_the_header_that_other_sites_cannot() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let cookie = format!("__Host-anamnesis={}", nurse.token.clone().unwrap());
    let forms = [
        ("/documents", wire::document_form(&json!({ "kind": "OTHER" }), "a.txt", b"content"), 201),
        ("/graphql", wire::graphql_form(UPLOAD, &json!({ "kind": "OTHER" }), "a.txt", b"content"), 200),
    ];
    for (path, form, status) in forms {
        let bare = Sending::form(&app.anonymous(), path, &[("Cookie", &cookie)]).await;
        let answer = wire::send_in_pieces(bare, &form, 23).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "FORBIDDEN"), "{path}");
        let headers = [("Cookie", cookie.as_str()), ("X-Anamnesis-CSRF", "1")];
        let sending = Sending::form(&app.anonymous(), path, &headers).await;
        assert_eq!(wire::send_in_pieces(sending, &form, 23).await.status, status, "{path}");
    }
    assert_eq!(count(&app, "documents").await, "2");
}
