//! Links and what they open.

use anamnesis::access::{Bearer, Role};
use anamnesis::ids::{TypedId as _, new_id};
use chrono::TimeDelta;
use serde_json::json;

use super::wire::{self, Sending};
use super::{DOCUMENT, noise, register, stored_files, upload_text};
use crate::harness::{Client, TestApp};

async fn link(client: &Client, id: &str) -> String {
    let found = client.run(DOCUMENT, json!({ "id": id })).await.ok();
    found["document"]["downloadUrl"].as_str().unwrap().to_owned()
}

/// Downloads recorded so far.
async fn recorded(app: &TestApp) -> String {
    app.db_value("SELECT count(*) FROM audit_log WHERE action = 'documents.download' AND outcome = 'success'").await
}

#[tokio::test]
async fn a_link_gives_the_file_as_an_attachment_and_is_recorded() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Nurse]).await;
    let page = b"<html><script>alert(1)</script>";
    let metadata = json!({ "kind": "MEDICAL_RECORD", "fileName": "Müller; \"1\".html", "patientIds": [patient] });
    let made = wire::post_document(&nurse, &metadata, "other", page).await.json();
    let path = link(&nurse, made["id"].as_str().unwrap()).await;
    assert!(path.starts_with(&format!("/documents/{}/content?token=", made["id"].as_str().unwrap())));
    assert_eq!(recorded(&app).await, "0");
    let file = wire::get(&app.anonymous(), &path).await;
    assert_eq!((file.status, file.whole, file.body.as_slice()), (200, true, &page[..]));
    assert_eq!(file.header("content-type"), Some("text/html"));
    assert_eq!(
        file.header("content-disposition"),
        Some("attachment; filename=\"document\"; filename*=UTF-8''M%C3%BCller%3B%20%221%22.html")
    );
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(file.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(file.header("cache-control"), Some("no-store"));
    let row = app
        .db_query("SELECT user_id, patient_id, resource_id FROM audit_log WHERE action = 'documents.download'")
        .await;
    let id = anamnesis::ids::DocumentId::decode(made["id"].as_str().unwrap()).unwrap();
    let patient = anamnesis::ids::PatientId::decode(&patient).unwrap();
    let wanted = [nurse.user.unwrap().uuid(), patient.uuid(), id.uuid()].map(|id| Some(id.to_string()));
    assert_eq!(row, [wanted]);
}

#[tokio::test]
async fn a_link_ends_after_five_minutes() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER" }), "text").await;
    let path = link(&nurse, &id).await;
    app.advance(TimeDelta::seconds(299));
    assert_eq!(wire::get(&app.anonymous(), &path).await.status, 200);
    app.advance(TimeDelta::seconds(1));
    let late = wire::get(&app.anonymous(), &path).await;
    assert_eq!((late.status, late.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(recorded(&app).await, "1");
}

#[tokio::test]
async fn a_link_is_for_one_user_one_document_and_unchanged() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let colleague = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER" }), "text").await;
    let other = upload_text(&nurse, json!({ "kind": "OTHER" }), "other").await;
    let path = link(&nurse, &id).await;
    let used = wire::get(&colleague, &path).await;
    assert_eq!((used.status, used.code().as_str()), (404, "NOT_FOUND"));
    let cookie = format!("__Host-anamnesis={}; a=b", colleague.token.clone().unwrap());
    let used = Sending::begin(&app.anonymous(), "GET", &path, &[("Cookie", &cookie)]).await.answer().await;
    assert_eq!(used.status, 404, "{}", used.text());
    let (start, token) = path.split_once("token=").unwrap();
    let token: String = token.chars().rev().collect();
    let wrong = [
        path.replace(&id, &other),
        format!("{start}token={token}"),
        format!("{start}token="),
        format!("/documents/{id}/content"),
    ];
    for path in wrong {
        let answer = wire::get(&nurse, &path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"), "{path}");
    }
    assert_eq!(recorded(&app).await, "0");
    assert_eq!(wire::get(&nurse, &path).await.status, 200);
}

#[tokio::test]
async fn a_link_ends_with_the_session_the_membership_and_the_role() {
    let app = TestApp::start().await;
    let cases = [
        ("UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'revoked' WHERE user_id = '{user}'", 401),
        (
            "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' WHERE user_id = '{user}'",
            401,
        ),
        (
            "UPDATE member_roles SET role = 'front_desk' FROM facility_members m WHERE m.id = member_id AND m.user_id = '{user}'",
            404,
        ),
        (
            "UPDATE member_roles SET role = 'system_admin' FROM facility_members m WHERE m.id = member_id AND m.user_id = '{user}'",
            403,
        ),
    ];
    for (statement, status) in cases {
        let nurse = app.member(&[Role::Nurse]).await;
        let id = upload_text(&nurse, json!({ "kind": "LAB_RESULT" }), "text").await;
        let path = link(&nurse, &id).await;
        app.db_execute(&statement.replace("{user}", &nurse.user.unwrap().uuid().to_string())).await;
        let answer = wire::get(&app.anonymous(), &path).await;
        assert_eq!(answer.status, status, "{statement}: {}", answer.text());
    }
    assert_eq!(recorded(&app).await, "0");
}

#[tokio::test]
async fn a_changed_object_never_arrives_whole() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    for (bytes, position) in [(1000, 500), (1_000_000, 20), (1_000_000, 900_000)] {
        let made = wire::post_document(&nurse, &json!({ "kind": "OTHER" }), "a.bin", &noise(9, bytes)).await.json();
        let id = anamnesis::ids::DocumentId::decode(made["id"].as_str().unwrap()).unwrap();
        let object = stored_files(&app).into_iter().find(|file| file.ends_with(id.uuid().to_string())).unwrap();
        let mut stored = std::fs::read(&object).unwrap();
        stored[position] ^= 1;
        std::fs::write(&object, stored).unwrap();
        let path = link(&nurse, made["id"].as_str().unwrap()).await;
        let answer = wire::get(&nurse, &path).await;
        if position < 65_000 {
            // Seen before anything was sent.
            assert_eq!((answer.status, answer.code().as_str()), (500, "INTERNAL_SERVER_ERROR"));
        } else {
            assert_eq!((answer.status, answer.whole), (200, false));
            assert!(answer.body.len() < bytes);
        }
        std::fs::remove_file(&object).unwrap();
        assert_eq!(wire::get(&nurse, &path).await.status, 500);
    }
}

#[tokio::test]
async fn a_psychotherapy_note_has_no_file() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let nurse = app.member(&[Role::Therapist]).await;
    let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id downloadUrl } } }";
    let input =
        json!({ "input": { "kind": "PSYCHOTHERAPY_NOTE", "title": "t", "text": "t", "patientIds": [patient] } });
    let made = nurse.run(create, input).await.ok();
    let note = &made["noteCreate"]["note"];
    assert_eq!(note["downloadUrl"], json!(null));
    let id = anamnesis::ids::DocumentId::decode(note["id"].as_str().unwrap()).unwrap();
    // Even by a link that nothing issues.
    let session = app.db_create_session(nurse.user.unwrap()).await;
    let claims = anamnesis::crypto::signed_url::LinkClaims {
        purpose: anamnesis::crypto::signed_url::LinkPurpose::Download,
        document: id.uuid(),
        facility: app.facility.uuid(),
        user: nurse.user.unwrap().uuid(),
        session: session.uuid(),
    };
    let token = app.app.links.issue(&claims, app.now(), TimeDelta::minutes(1)).unwrap();
    let answer = wire::get(&app.anonymous(), &format!("/documents/{id}/content?token={token}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_session_of_another_user_in_a_link_is_worth_nothing() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = upload_text(&nurse, json!({ "kind": "OTHER" }), "text").await;
    let document = anamnesis::ids::DocumentId::decode(&id).unwrap().uuid();
    let claims = anamnesis::crypto::signed_url::LinkClaims {
        purpose: anamnesis::crypto::signed_url::LinkPurpose::Download,
        document,
        facility: app.facility.uuid(),
        user: nurse.user.unwrap().uuid(),
        session: app.db_create_session(app.db_create_user().await).await.uuid(),
    };
    let token = app.app.links.issue(&claims, app.now(), TimeDelta::minutes(1)).unwrap();
    let answer = wire::get(&app.anonymous(), &format!("/documents/{id}/content?token={token}")).await;
    assert_eq!(answer.status, 401);
    // An access token is no link, and a header that is not valid is never taken for none.
    let path = link(&nurse, &id).await;
    let bearer = Bearer { user: nurse.user.unwrap(), session: new_id(), facility: app.facility };
    let stale = app.app.tokens.issue(bearer, app.now() - TimeDelta::hours(1)).unwrap();
    assert_eq!(wire::get(&nurse.with_token(stale), &path).await.status, 401);
}
