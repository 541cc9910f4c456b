//! Which visit a document is of, and search among the documents of one.

use anamnesis::access::Role;
use anamnesis::ids::{TypedId as _, VisitId};
use serde_json::{Value, json};

use super::notes::{attempt, uuid};
use super::search::{found, someone, start, write_note};
use super::{count, register, upload_text, wire};
use crate::harness::{Client, TestApp};

/// Records a visit; gives its id.
async fn visit(client: &Client, patient: &str) -> String {
    let record = "mutation($input: PatientVisitRecordInput!) { patientVisitRecord(input: $input) { visit { id } } }";
    let input = json!({ "input": { "patientId": patient, "visitedAt": "2026-03-01T10:00:00+00:00" } });
    let made = client.run(record, input).await.ok();
    made["patientVisitRecord"]["visit"]["id"].as_str().unwrap().to_owned()
}

const UPDATE: &str = "mutation($input: DocumentUpdateInput!) { documentUpdate(input: $input) {
    document { version visit { id } } userErrors { code field } } }";

async fn update(client: &Client, input: Value) -> Value {
    client.run(UPDATE, json!({ "input": input })).await.ok()["documentUpdate"].take()
}

async fn visit_of(client: &Client, document: &str) -> Value {
    let query = "query($id: ID!) { document(id: $id) { visit { id } } }";
    client.run(query, json!({ "id": document })).await.data["document"]["visit"]["id"].clone()
}

fn refused_visit() -> Value {
    json!([{ "code": "VISIT_NOT_FOUND", "field": ["input", "visitId"] }])
}

#[tokio::test]
async fn a_document_is_of_a_visit_of_a_patient_it_is_about() {
    let app = TestApp::start().await;
    let (ada, eve) = (register(&app, "Ada").await, register(&app, "Eve").await);
    let physician = app.member(&[Role::Physician]).await;
    let (hers, anothers) = (visit(&physician, &ada).await, visit(&physician, &eve).await);
    let document =
        upload_text(&physician, json!({ "kind": "LAB_RESULT", "patientIds": [ada], "visitId": hers }), "Sodium 140")
            .await;
    assert_eq!(visit_of(&physician, &document).await, json!(hers));

    // Taken off, and put back.
    let off = update(&physician, json!({ "id": document, "expectedVersion": 1, "visitId": null })).await;
    assert_eq!((&off["document"]["visit"], &off["document"]["version"]), (&json!(null), &json!(2)));
    let back = update(&physician, json!({ "id": document, "expectedVersion": 2, "visitId": hers })).await;
    assert_eq!(back["document"]["visit"]["id"], json!(hers));

    // Neither another patient's, nor another facility's, nor none at all; nothing changes.
    let stranger = app.member_of(app.other, &[Role::Physician, Role::FrontDesk]).await;
    let theirs = visit(&stranger, &someone(&stranger).await).await;
    let unknown = VisitId::from_uuid(::uuid::Uuid::now_v7()).encode();
    for other in [&anothers, &theirs, &unknown] {
        let refused = update(&physician, json!({ "id": document, "expectedVersion": 3, "visitId": other })).await;
        assert_eq!(refused["userErrors"], refused_visit());
        let note = json!({ "title": "t", "text": "t", "patientIds": [ada], "visitId": other });
        let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { userErrors { code field } } }";
        let refused = physician.run(create, json!({ "input": note })).await.ok();
        assert_eq!(refused["noteCreate"]["userErrors"], refused_visit());
        let sent = json!({ "kind": "LAB_RESULT", "patientIds": [ada], "visitId": other });
        let answer = wire::post_document(&physician, &sent, "a.txt", b"text").await;
        assert_eq!(answer.json()["userErrors"][0]["code"], "VISIT_NOT_FOUND");
    }
    assert_eq!(visit_of(&physician, &document).await, json!(hers));
    assert_eq!(count(&app, "documents").await, "1");

    // Its patient stays while the visit does.
    let unlink = "mutation($input: DocumentUnlinkPatientInput!) { documentUnlinkPatient(input: $input) { userErrors { code field } } }";
    let input = json!({ "input": { "id": document, "expectedVersion": 3, "patientId": ada } });
    let refused = physician.run(unlink, input).await.ok();
    let wanted = json!([{ "code": "INVALID", "field": ["input", "patientId"] }]);
    assert_eq!(refused["documentUnlinkPatient"]["userErrors"], wanted);

    // Who may not see visits is not shown it; strangers change nothing.
    let biller = app.member(&[Role::BillingSpecialist]).await;
    let card = json!({ "kind": "INSURANCE_DOCUMENT", "patientIds": [ada], "visitId": hers });
    let card = upload_text(&physician, card, "card").await;
    assert_eq!(visit_of(&biller, &card).await, json!(null));
    let input = json!({ "input": { "id": document, "expectedVersion": 3, "visitId": null } });
    assert_eq!(stranger.run(UPDATE, input.clone()).await.code(), "NOT_FOUND");
    assert_eq!(app.anonymous().run(UPDATE, input).await.code(), "UNAUTHENTICATED");
    assert_eq!(visit_of(&physician, &document).await, json!(hers));
}

#[tokio::test]
async fn a_note_keeps_its_visit_when_signed_and_hands_it_to_its_addenda() {
    let app = TestApp::start().await;
    let ada = register(&app, "Ada").await;
    let physician = app.member(&[Role::Physician]).await;
    let (first, second) = (visit(&physician, &ada).await, visit(&physician, &ada).await);
    let run = async |name: &str, input: Value| {
        let ty = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let text = format!(
            "mutation($input: {ty}!) {{ {name}(input: $input) {{ note {{ id version visit {{ id }} }} userErrors {{ code }} }} }}"
        );
        physician.run(&text, json!({ "input": input })).await.ok()[name].take()
    };
    let note = run("noteCreate", json!({ "title": "t", "text": "t", "patientIds": [ada], "visitId": first })).await;
    assert_eq!(note["note"]["visit"]["id"], json!(first));
    let id = note["note"]["id"].as_str().unwrap();
    let moved = run("noteUpdate", json!({ "id": id, "expectedVersion": 1, "visitId": second })).await;
    assert_eq!(moved["note"]["visit"]["id"], json!(second));
    run("noteFinalize", json!({ "id": id, "expectedVersion": 2 })).await;
    run("noteSign", json!({ "id": id, "expectedVersion": 3 })).await;
    let refused = update(&physician, json!({ "id": id, "expectedVersion": 4, "visitId": first })).await;
    assert_eq!(refused["userErrors"][0]["code"], "SIGNED");
    let raw = format!("UPDATE documents SET visit_id = NULL WHERE id = '{}'", uuid(id));
    let said = attempt(&app.database.superuser_url, &raw).await.unwrap_err();
    assert_eq!(said, "a signed document cannot be changed");
    let added = run("noteAddendum", json!({ "noteId": id, "text": "more" })).await;
    assert_eq!(added["note"]["visit"]["id"], json!(second));
}

#[tokio::test]
async fn search_holds_to_a_visit_and_to_labels_and_saved_searches_carry_both() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let ada = register(&app, "Ada").await;
    let (first, second) = (visit(&physician, &ada).await, visit(&physician, &ada).await);
    let note = async |text: &str, more: Value| {
        let mut input = json!({ "patientIds": [ada] });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        write_note(&physician, text, input).await
    };
    let ankle = note("She twisted her ankle.", json!({ "visitId": first })).await;
    let healed = note("The ankle is healed.", json!({ "visitId": second })).await;
    let labelled = note("Ankle sore after the clinic.", json!({ "visitId": second, "labels": ["PART_2"] })).await;
    app.work().await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let all = |ids: &[&String]| sorted(ids.iter().map(|id| (*id).clone()).collect());
    for mode in ["HYBRID", "SEMANTIC", "LEXICAL"] {
        let search = async |filter: Value| {
            let mut more = filter;
            more["mode"] = json!(mode);
            sorted(found(&physician, "ankle", more).await)
        };
        assert_eq!(search(json!({ "visit": first })).await, all(&[&ankle]), "{mode}");
        assert_eq!(search(json!({ "visit": second })).await, all(&[&healed, &labelled]), "{mode}");
        assert_eq!(search(json!({ "visit": second, "patient": ada })).await, all(&[&healed, &labelled]), "{mode}");
        assert_eq!(search(json!({ "visit": second, "document": ankle })).await, Vec::<String>::new(), "{mode}");
        assert_eq!(search(json!({ "visit": second, "labels": ["PART_2"] })).await, all(&[&labelled]), "{mode}");
        assert_eq!(search(json!({ "labels": ["PART_2"] })).await, all(&[&labelled]), "{mode}");
        assert_eq!(search(json!({ "labels": [] })).await, all(&[&ankle, &healed, &labelled]), "{mode}");
        let unknown = VisitId::from_uuid(::uuid::Uuid::now_v7()).encode();
        assert_eq!(search(json!({ "visit": unknown })).await, Vec::<String>::new(), "{mode}");
    }

    let save = "mutation($input: DocumentSearchSaveInput!) { documentSearchSave(input: $input) { savedSearch {
        filter { visitId labels } results { edges { node { document { id } } } } } userErrors { code } } }";
    let filter = json!({ "visitId": second, "labels": ["PART_2"] });
    let input = json!({ "input": { "name": "n", "query": "ankle", "filter": filter } });
    let saved = physician.run(save, input).await.ok()["documentSearchSave"]["savedSearch"].take();
    assert_eq!(saved["filter"], filter);
    assert_eq!(saved["results"]["edges"], json!([{ "node": { "document": { "id": labelled } } }]));
}
