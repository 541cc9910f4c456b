//! A page costs the same number of statements however many rows it has.

use std::fmt::Write as _;

use anamnesis::access::Role;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

async fn add(client: &Client, field: &str, ty: &str, input: Value) -> Value {
    let document =
        format!("mutation($input: {ty}!) {{ {field}(input: $input) {{ userErrors {{ code field message }} }} }}");
    let data = client.run(&document, json!({ "input": input })).await.ok();
    assert_eq!(data[field]["userErrors"], json!([]), "{field}");
    data
}

pub(super) async fn patient(client: &Client, number: usize, user: &str) {
    let registered = client
        .run(
            "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } userErrors { code } } }",
            json!({ "input": { "givenName": format!("Given{number}"), "familyName": format!("Family{number}"),
                "birthDate": "1980-01-01", "gender": "FEMALE", "acceptDuplicates": true } }),
        )
        .await
        .ok();
    let id = registered["patientRegister"]["patient"]["id"].clone();
    add(
        client,
        "patientContactAdd",
        "PatientContactAddInput",
        json!({ "patientId": id, "name": "Sam", "relationship": "FRIEND" }),
    )
    .await;
    add(
        client,
        "patientCoverageAdd",
        "PatientCoverageAddInput",
        json!({ "patientId": id, "payerName": "Payer", "memberNumber": "M1", "effectiveOn": "2020-01-01", "subscriberRelationship": "SELF" }),
    )
    .await;
    add(
        client,
        "patientAllergyRecord",
        "PatientAllergyRecordInput",
        json!({ "patientId": id, "substance": "Nuts", "category": "FOOD", "severity": "MILD" }),
    )
    .await;
    add(
        client,
        "noteCreate",
        "NoteCreateInput",
        json!({ "patientIds": [id], "kind": "CLINICAL_NOTE", "title": "Session", "text": "Slept well." }),
    )
    .await;
    // Who registers a patient as a therapist treats them: a care relationship is there already.
    for day in 1..=2 {
        add(
            client,
            "patientVisitRecord",
            "PatientVisitRecordInput",
            json!({ "patientId": id, "visitedAt": format!("2026-02-0{day}T10:00:00Z"), "diagnoses": ["J45.909"], "attendingId": user }),
        )
        .await;
    }
}

/// A conversation with some messages and answers; gives its id.
pub(super) async fn conversation(client: &Client, other: &Client, patient: &str, number: usize) -> String {
    let create =
        "mutation($input: ConversationCreateInput!) { conversationCreate(input: $input) { conversation { id } } }";
    let other_id = anamnesis::ids::TypedId::encode(other.user.unwrap());
    let input = json!({ "kind": "PATIENT", "patientId": patient, "title": format!("Number {number}"), "participantIds": [other_id] });
    let begun = client.run(create, json!({ "input": input })).await.ok();
    let id = begun["conversationCreate"]["conversation"]["id"].as_str().unwrap().to_owned();
    say(client, &id, Value::Null).await;
    id
}

async fn say(client: &Client, conversation: &str, parent: Value) -> Value {
    let send =
        "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } userErrors { code } } }";
    let input = json!({ "conversationId": conversation, "body": "Slept well.", "parentId": parent });
    client.run(send, json!({ "input": input })).await.ok()["messageSend"]["message"]["id"].take()
}

async fn cost(app: &TestApp, client: &Client, document: &str, first: usize) -> u64 {
    let before = app.app.database.statements();
    client.run(document, json!({ "first": first })).await.ok();
    app.app.database.statements() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_n_costs_a_fixed_number_of_statements() {
    let app = TestApp::start_with(&[("ANAMNESIS_MAX_COMPLEXITY", "1000000")]).await;
    app.db_execute("INSERT INTO icd10_codes (code, description, billable) VALUES ('J45.909', 'Unspecified asthma, uncomplicated', true)")
        .await;
    let client = app.member(Role::ALL).await;
    let user = anamnesis::ids::TypedId::encode(client.user.unwrap());
    futures::stream::iter(0..100).for_each_concurrent(8, |number| patient(&client, number, &user)).await;
    let other = app.member(&[Role::Nurse]).await;
    let patients = client.run("{ patients(first: 1) { nodes { id } } }", json!({})).await.ok();
    let about = patients["patients"]["nodes"][0]["id"].as_str().unwrap();
    let begun: Vec<String> = futures::stream::iter(0..100)
        .map(|number| conversation(&client, &other, about, number))
        .buffered(8)
        .collect()
        .await;
    for _ in 0..50 {
        let asked = say(&other, &begun[0], Value::Null).await;
        say(&client, &begun[0], asked).await;
    }
    let messages = messages_of(&begun[0]);
    let cases = cases(&messages);
    let mut table =
        String::from("# Statements of a page of any size, with opening the session and writing the audit rows.\n");
    for (name, document) in cases {
        // The first run fills the caches of keys.
        cost(&app, &client, document, 1).await;
        let mut costs = Vec::new();
        for first in [1, 20, 100] {
            costs.push(cost(&app, &client, document, first).await);
        }
        assert!(costs.iter().all(|cost| *cost == costs[0]), "{name}: {costs:?} statements for 1, 20 and 100 rows");
        let _ = writeln!(table, "{name:<18} {}", costs[0]);
    }
    let before = app.app.database.statements();
    say(&client, &begun[0], Value::Null).await;
    let _ = writeln!(table, "{:<18} {}", "messageSend", app.app.database.statements() - before);
    super::compare_or_update("tests/suite/contracts/query_count.txt", &table);
}

/// A page of messages with all their edges.
fn messages_of(conversation: &str) -> String {
    format!(
        "query($first: Int!) {{ conversation(id: \"{conversation}\") {{ unreadCount messages(last: $first) {{ totalCount nodes {{ id body \
         author {{ id }} parent {{ id body }} threadRoot {{ id }} replyCount replies(first: 2) {{ nodes {{ body }} }} \
         readBy {{ user {{ id }} }} conversation {{ id title }} }} }} }} }}"
    )
}

/// The pages that are counted, by name.
fn cases(messages: &str) -> [(&'static str, &str); 8] {
    [
        (
            "conversations",
            "query($first: Int!) { conversations(first: $first) { totalCount nodes { id title unreadCount patient { id familyName } \
             participants { role user { id } } lastMessage { body author { id } } messages(last: 3) { nodes { body } } } } }",
        ),
        ("messages", messages),
        (
            "patients",
            "query($first: Int!) { patients(first: $first) { totalCount nodes { id familyName contacts { name } \
             coverages { payerName } allergies { substance } careTeam { kind user { id } } documents(first: 2) { nodes { id title author { id } patients { id } } } \
             visits(first: 3) { nodes { reason diagnoses { code description } } } } } }",
        ),
        (
            "careRelationships",
            "query($first: Int!) { careRelationships(first: $first) { nodes { id patient { id familyName contacts { name } } } } }",
        ),
        (
            "documents",
            "query($first: Int!) { documents(first: $first) { nodes { id title text author { id } patients { id familyName } \
             signatures { signer { id } } addenda { id } } } }",
        ),
        (
            "members",
            "query($first: Int!) { members(first: $first) { nodes { id user { id } invitedBy { id } roles { role } } } }",
        ),
        ("auditLog", "query($first: Int!) { auditLog(first: $first) { nodes { id action outcome } } }"),
        (
            "patientSearch",
            "query($first: Int!) { patientSearch(first: $first, input: { name: \"family\" }) { nodes { patient { id contacts { name } } } } }",
        ),
    ]
}
