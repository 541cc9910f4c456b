//! Templates of notes: those that come with the product, the facility's own, and notes made of them.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::notes::{refused, run};
use super::{count, register};
use crate::harness::{Client, TestApp};

const TEMPLATES: &str = "query($archived: Boolean) { noteTemplates(includeArchived: $archived) {
    id version name kind builtIn archivedAt fields { key label type required maxLength choices } } }";

const NOTE: &str =
    "query($id: ID!) { document(id: $id) { title kind text noteState version template { id version name }
    fields { key text number date list } signatures { valid } } }";

async fn manage(client: &Client, mutation: &str, input: &Value) -> Value {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {kind}!) {{ {mutation}(input: $input) {{
            template {{ id version name archivedAt fields {{ key }} }} userErrors {{ code field }} }} }}"
    );
    client.run(&document, json!({ "input": input })).await.ok()[mutation].clone()
}

fn form() -> Value {
    json!([
        { "key": "mood", "label": "Mood", "type": "CHOICE", "required": true, "choices": ["Low", "Even", "High"] },
        { "key": "slept", "label": "Hours slept", "type": "NUMBER" },
        { "key": "seen_on", "label": "Seen", "type": "DATE" },
        { "key": "words", "label": "In their words", "type": "TEXT", "required": true, "maxLength": 40 },
        { "key": "next", "label": "Next steps", "type": "LIST" },
    ])
}

async fn own_template(app: &TestApp) -> (Client, String) {
    let administrator = app.member(&[Role::Administrator]).await;
    let input = json!({ "name": "Check-in", "kind": "CLINICAL_NOTE", "fields": form() });
    let made = manage(&administrator, "noteTemplateCreate", &input).await;
    let id = made["template"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (administrator, id)
}

async fn begin(client: &Client, template: &str, patient: &str, fields: Value) -> Value {
    let input = json!({ "templateId": template, "patientIds": [patient], "fields": fields });
    run(client, "noteCreateFromTemplate", input).await
}

async fn read(client: &Client, id: &str) -> Value {
    client.run(NOTE, json!({ "id": id })).await.ok()["document"].clone()
}

#[tokio::test]
async fn every_facility_has_the_usual_forms() {
    let app = TestApp::start().await;
    let therapist = app.member(&[Role::Therapist]).await;
    let found = therapist.run(TEMPLATES, json!({})).await.ok();
    let templates = found["noteTemplates"].as_array().unwrap();
    let names: Vec<&str> = templates.iter().map(|template| template["name"].as_str().unwrap()).collect();
    let wanted = [
        "Progress note (SOAP)",
        "Progress note (DAP)",
        "Progress note (BIRP)",
        "Intake",
        "Treatment plan",
        "Discharge summary",
        "Group note",
    ];
    assert_eq!(names, wanted);
    assert!(templates.iter().all(|template| template["builtIn"] == json!(true)));
    let kinds: Vec<&str> = templates.iter().map(|template| template["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[3..6], ["CLINICAL_NOTE", "TREATMENT_PLAN", "DISCHARGE_SUMMARY"]);
    let soap: Vec<&str> =
        templates[0]["fields"].as_array().unwrap().iter().map(|field| field["key"].as_str().unwrap()).collect();
    assert_eq!(soap, ["minutes", "modality", "subjective", "objective", "assessment", "risk", "plan", "next_on"]);
    let administrator = app.member(&[Role::Administrator]).await;
    let change = json!({ "id": templates[0]["id"], "expectedVersion": 1, "name": "Mine", "fields": form() });
    let refused = manage(&administrator, "noteTemplateUpdate", &change).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "BUILT_IN", "field": ["input", "id"] }]));
    let archive = json!({ "id": templates[0]["id"], "expectedVersion": 1 });
    assert_eq!(manage(&administrator, "noteTemplateArchive", &archive).await["userErrors"][0]["code"], "BUILT_IN");
}

#[tokio::test]
async fn a_facility_makes_changes_and_archives_its_own() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (administrator, id) = own_template(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    let note = begin(&therapist, &id, &patient, json!([{ "key": "words", "text": "Fine." }])).await;
    let note = note["note"]["id"].as_str().unwrap();
    let next = json!([{ "key": "words", "label": "Verbatim", "type": "TEXT" }]);
    let change = json!({ "id": id, "expectedVersion": 1, "name": "Check-in, short", "fields": next });
    let changed = manage(&administrator, "noteTemplateUpdate", &change).await;
    let wanted = json!({ "id": id, "version": 2, "name": "Check-in, short", "archivedAt": null, "fields": [{ "key": "words" }] });
    assert_eq!(changed, json!({ "template": wanted, "userErrors": [] }));
    assert_eq!(manage(&administrator, "noteTemplateUpdate", &change).await["userErrors"][0]["code"], "STALE_VERSION");
    // The note keeps the form it was made of.
    let kept = read(&therapist, note).await;
    assert_eq!(kept["template"], json!({ "id": id, "version": 1, "name": "Check-in" }));
    assert_eq!(kept["text"], "In their words\nFine.");
    let archive = json!({ "id": id, "expectedVersion": 2 });
    let archived = manage(&administrator, "noteTemplateArchive", &archive).await;
    assert_eq!(archived["template"]["archivedAt"], "2026-03-09T14:00:00+00:00");
    for mutation in ["noteTemplateArchive", "noteTemplateUpdate"] {
        let mut again = change.clone();
        again["expectedVersion"] = json!(2);
        let input = if mutation == "noteTemplateArchive" { &archive } else { &again };
        assert_eq!(manage(&administrator, mutation, input).await["userErrors"][0]["code"], "ARCHIVED", "{mutation}");
    }
    let offered = therapist.run(TEMPLATES, json!({})).await.ok();
    assert_eq!(offered["noteTemplates"].as_array().unwrap().len(), 7);
    let all = therapist.run(TEMPLATES, json!({ "archived": true })).await.ok();
    assert_eq!(all["noteTemplates"][7]["id"], json!(id));
    let late = begin(&therapist, &id, &patient, json!([])).await;
    assert_eq!(late["userErrors"], json!([{ "code": "ARCHIVED", "field": ["input", "templateId"] }]));
    assert_eq!(read(&therapist, note).await["template"]["name"], "Check-in");
}

#[tokio::test]
async fn only_some_manage_templates_and_of_their_facility_alone() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (_, id) = own_template(&app).await;
    let create =
        "mutation($input: NoteTemplateCreateInput!) { noteTemplateCreate(input: $input) { userErrors { code } } }";
    let archive =
        "mutation($input: NoteTemplateArchiveInput!) { noteTemplateArchive(input: $input) { userErrors { code } } }";
    let begin = "mutation($input: NoteCreateFromTemplateInput!) { noteCreateFromTemplate(input: $input) { userErrors { code } } }";
    let new = json!({ "input": { "name": "x", "kind": "OTHER", "fields": form() } });
    let old = json!({ "input": { "id": id, "expectedVersion": 1 } });
    let note = json!({ "input": { "templateId": id, "patientIds": [patient] } });
    for role in [Role::Therapist, Role::Nurse, Role::FrontDesk, Role::SystemAdmin] {
        let client = app.member(&[role]).await;
        assert_eq!(client.run(create, new.clone()).await.code(), "FORBIDDEN", "{role:?}");
        assert_eq!(client.run(archive, old.clone()).await.code(), "FORBIDDEN", "{role:?}");
    }
    assert_eq!(app.anonymous().run(create, new).await.code(), "UNAUTHENTICATED");
    assert_eq!(app.anonymous().run(TEMPLATES, json!({})).await.code(), "UNAUTHENTICATED");
    let stranger = app.member_of(app.other, Role::ALL).await;
    assert_eq!(stranger.run(archive, old).await.code(), "NOT_FOUND");
    assert_eq!(stranger.run(begin, note).await.code(), "NOT_FOUND");
    assert_eq!(stranger.run(TEMPLATES, json!({})).await.ok()["noteTemplates"].as_array().unwrap().len(), 7);
    assert_eq!(count(&app, "note_template_versions").await, "1");
    assert_eq!(count(&app, "documents").await, "0");
}

#[tokio::test]
async fn a_malformed_form_is_refused_in_every_part() {
    let app = TestApp::start().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let fields = json!([
        { "key": "Mood", "label": "Mood", "type": "CHOICE" },
        { "key": "mood", "label": "", "type": "NUMBER", "maxLength": 3 },
        { "key": "mood", "label": "Mood", "type": "DATE" },
    ]);
    let input = json!({ "name": "", "kind": "OTHER", "fields": fields });
    let told = manage(&administrator, "noteTemplateCreate", &input).await;
    let places: Vec<String> =
        told["userErrors"].as_array().unwrap().iter().map(|error| error["field"].to_string()).collect();
    let wanted = [
        r#"["input","name"]"#,
        r#"["input","fields","0","key"]"#,
        r#"["input","fields","0","choices"]"#,
        r#"["input","fields","1","label"]"#,
        r#"["input","fields","1","maxLength"]"#,
        r#"["input","fields","2","key"]"#,
    ];
    assert_eq!(places, wanted);
    let apart = json!({ "name": "x", "kind": "PSYCHOTHERAPY_NOTE", "fields": form() });
    assert_eq!(manage(&administrator, "noteTemplateCreate", &apart).await["userErrors"][0]["code"], "KEPT_APART");
    assert_eq!(count(&app, "note_templates").await, "0");
}

#[tokio::test]
async fn a_draft_may_be_incomplete_and_a_final_note_not() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (_, template) = own_template(&app).await;
    let author = app.member(&[Role::Therapist]).await;
    let begun = begin(&author, &template, &patient, json!([])).await;
    let id = begun["note"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&begun["note"]["title"], &begun["note"]["text"]), (&json!("Check-in"), &json!("")));
    let payload = run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 1 })).await;
    let incomplete = |key: &str| json!({ "code": "INCOMPLETE", "field": ["fields", key] });
    assert_eq!(payload["userErrors"], json!([incomplete("mood"), incomplete("words")]));
    assert_eq!(read(&author, &id).await["noteState"], "DRAFT");
    let fields = json!([
        { "key": "next", "list": ["Diary", " ", "Walks"] },
        { "key": "mood", "text": "Low" },
        { "key": "slept", "number": 5.5 },
        { "key": "seen_on", "date": "2026-03-09" },
        { "key": "words", "text": " Tired. " },
    ]);
    let saved =
        run(&author, "noteFieldsSave", json!({ "id": id, "expectedVersion": 1, "title": "Monday", "fields": fields }))
            .await;
    let text =
        "Mood\nLow\n\nHours slept\n5.5\n\nSeen\n2026-03-09\n\nIn their words\nTired.\n\nNext steps\n- Diary\n- Walks";
    assert_eq!((&saved["note"]["title"], &saved["note"]["text"]), (&json!("Monday"), &json!(text)));
    assert_eq!(
        run(&author, "noteFinalize", json!({ "id": id, "expectedVersion": 2 })).await["note"]["noteState"],
        "FINAL"
    );
    assert_eq!(
        run(&author, "noteSign", json!({ "id": id, "expectedVersion": 3 })).await["note"]["noteState"],
        "SIGNED"
    );
    let note = read(&app.member(&[Role::Nurse]).await, &id).await;
    let value = |key: &str, text: Value, number: Value, date: Value, list: Value| json!({ "key": key, "text": text, "number": number, "date": date, "list": list });
    let none = Value::Null;
    let wanted = json!([
        value("mood", json!("Low"), none.clone(), none.clone(), none.clone()),
        value("next", none.clone(), none.clone(), none.clone(), json!(["Diary", "Walks"])),
        value("seen_on", none.clone(), none.clone(), json!("2026-03-09"), none.clone()),
        value("slept", none.clone(), json!(5.5), none.clone(), none.clone()),
        value("words", json!("Tired."), none.clone(), none.clone(), none),
    ]);
    assert_eq!(note["fields"], wanted);
    assert_eq!(note["signatures"], json!([{ "valid": true }]));
    // What is filled in is part of what was signed.
    let past = "SET session_replication_role = replica; UPDATE documents SET template_number = 2";
    super::notes::attempt(&app.database.superuser_url, past).await.unwrap();
    assert_eq!(read(&author, &id).await["signatures"], json!([{ "valid": false }]));
}

#[tokio::test]
async fn what_does_not_fit_its_field_is_refused_by_the_name_of_the_field() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (_, template) = own_template(&app).await;
    let author = app.member(&[Role::Therapist]).await;
    let wrong = [
        (json!({ "key": "mood", "text": "Sideways" }), json!(["input", "fields", "mood"])),
        (json!({ "key": "mood", "number": 1 }), json!(["input", "fields", "mood"])),
        (json!({ "key": "slept", "text": "five" }), json!(["input", "fields", "slept"])),
        (json!({ "key": "seen_on", "list": ["2026"] }), json!(["input", "fields", "seen_on"])),
        (json!({ "key": "words", "text": "x".repeat(41) }), json!(["input", "fields", "words"])),
        (json!({ "key": "other", "text": "x" }), json!(["input", "fields"])),
    ];
    for (field, place) in &wrong {
        let payload = begin(&author, &template, &patient, json!([field])).await;
        assert_eq!(payload["userErrors"], json!([{ "code": "INVALID", "field": place }]), "{field}");
    }
    assert_eq!(count(&app, "documents").await, "0");
    let begun = begin(&author, &template, &patient, json!([{ "key": "words", "text": "Fine." }])).await;
    let id = begun["note"]["id"].clone();
    for (field, _) in &wrong {
        let input = json!({ "id": id, "expectedVersion": 1, "fields": [field] });
        assert_eq!(refused(&author, "noteFieldsSave", input).await, "INVALID", "{field}");
    }
    let two = "mutation($input: NoteFieldsSaveInput!) { noteFieldsSave(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "id": id, "expectedVersion": 1, "fields": [{ "key": "words", "text": "x", "number": 1 }] } });
    assert_eq!(author.run(two, input).await.ok()["noteFieldsSave"]["userErrors"][0]["code"], "INVALID");
    assert_eq!(
        refused(&author, "noteUpdate", json!({ "id": id, "expectedVersion": 1, "text": "x" })).await,
        "FROM_TEMPLATE"
    );
    assert_eq!(
        refused(&author, "noteAutosave", json!({ "id": id, "expectedVersion": 1, "text": "x" })).await,
        "FROM_TEMPLATE"
    );
    let stale = json!({ "id": id, "expectedVersion": 9, "fields": [] });
    assert_eq!(refused(&author, "noteFieldsSave", stale).await, "STALE_VERSION");
    let plain = super::notes::draft(&author, &[&patient]).await;
    let input = json!({ "id": plain, "expectedVersion": 1, "fields": [] });
    assert_eq!(refused(&author, "noteFieldsSave", input).await, "NO_TEMPLATE");
    let save = json!({ "input": { "id": id, "expectedVersion": 1, "fields": [] } });
    let (colleague, clerk) = (app.member(&[Role::Physician]).await, app.member(&[Role::FrontDesk]).await);
    let stranger = app.member_of(app.other, &[Role::Therapist]).await;
    for (client, code) in [
        (&colleague, "NOT_FOUND"),
        (&stranger, "NOT_FOUND"),
        (&clerk, "FORBIDDEN"),
        (&app.anonymous(), "UNAUTHENTICATED"),
    ] {
        assert_eq!(client.run(two, save.clone()).await.code(), code);
    }
    assert_eq!(read(&author, id.as_str().unwrap()).await["text"], "In their words\nFine.");
}

#[tokio::test]
async fn what_is_filled_in_has_versions_and_is_put_back() {
    let app = TestApp::start().await;
    let patient = register(&app, "Ada").await;
    let (_, template) = own_template(&app).await;
    let author = app.member(&[Role::Therapist]).await;
    let begun = begin(&author, &template, &patient, json!([{ "key": "words", "text": "First." }])).await;
    let id = begun["note"]["id"].as_str().unwrap().to_owned();
    for (version, words) in [(1, "Second."), (2, "Third.")] {
        let fields = json!([{ "key": "words", "text": words }]);
        let input = json!({ "id": id, "expectedVersion": version, "fields": fields, "automatic": true });
        run(&author, "noteFieldsSave", input).await;
    }
    let versions = "query($id: ID!) { documentVersions(documentId: $id) { nodes { id change text } } }";
    let found = author.run(versions, json!({ "id": id })).await.ok();
    let nodes = found["documentVersions"]["nodes"].as_array().unwrap();
    let told: Vec<Value> = nodes.iter().map(|node| json!([node["change"], node["text"]])).collect();
    assert_eq!(json!(told), json!([["AUTOSAVED", "In their words\nThird."], ["CREATED", "In their words\nFirst."]]));
    let restore = "mutation($input: DocumentVersionRestoreInput!) { documentVersionRestore(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "id": nodes[1]["id"], "expectedVersion": 3 } });
    assert_eq!(author.run(restore, input).await.ok()["documentVersionRestore"]["userErrors"], json!([]));
    let note = read(&author, &id).await;
    assert_eq!((&note["text"], &note["fields"][0]["text"]), (&json!("In their words\nFirst."), &json!("First.")));
}
