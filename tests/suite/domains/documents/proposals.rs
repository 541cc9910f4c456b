//! What the text of a document proposes of it.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::search::start;
use super::{register, restrict, upload_text};
use crate::harness::{Client, TestApp};

const PROPOSALS: &str = "query($id: ID!) { document(id: $id) { kind documentDate version patients { id }
    proposals { id aspect state kind documentDate patient { id } otherDocument { id } } } }";

const LETTER: &str = "Discharge Summary\nPatient: Documented, Ada  DOB: 02/29/1984\nDate of discharge: March 1, 2026\n\n\
    She was admitted with low mood and left with a plan to sleep, eat and walk each day, and to come back in two weeks.";

async fn document(client: &Client, id: &str) -> Value {
    client.run(PROPOSALS, json!({ "id": id })).await.ok()["document"].take()
}

async fn decide(client: &Client, what: &str, input: Value) -> crate::harness::Answer {
    let kind = format!("{}{}Input", what[..1].to_uppercase(), &what[1..]);
    let mutation = format!(
        "mutation($input: {kind}!) {{ {what}(input: $input) {{ document {{ version }} userErrors {{ code }} }} }}"
    );
    client.run(&mutation, json!({ "input": input })).await
}

fn of<'a>(document: &'a Value, aspect: &str) -> Vec<&'a Value> {
    document["proposals"].as_array().unwrap().iter().filter(|proposal| proposal["aspect"] == aspect).collect()
}

async fn letter(app: &TestApp, client: &Client) -> String {
    let id = upload_text(client, json!({ "kind": "MEDICAL_RECORD", "documentDate": "2026-03-09" }), LETTER).await;
    app.work().await;
    id
}

#[tokio::test]
async fn kind_day_and_patient_are_proposed_and_nothing_is_applied_unasked() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let patient = register(&app, "Ada").await;
    register(&app, "Grace").await;
    let id = letter(&app, &nurse).await;
    let read = document(&nurse, &id).await;
    assert_eq!(
        (&read["kind"], &read["documentDate"], &read["patients"]),
        (&json!("MEDICAL_RECORD"), &json!("2026-03-09"), &json!([]))
    );
    assert_eq!(of(&read, "KIND")[0]["kind"], "DISCHARGE_SUMMARY");
    assert_eq!(of(&read, "DOCUMENT_DATE")[0]["documentDate"], "2026-03-01");
    assert_eq!(of(&read, "PATIENT").iter().map(|found| &found["patient"]["id"]).collect::<Vec<_>>(), [&json!(patient)]);
    assert_eq!(read["proposals"].as_array().unwrap().len(), 3);

    let mut version = read["version"].as_i64().unwrap();
    for aspect in ["KIND", "DOCUMENT_DATE", "PATIENT"] {
        let input = json!({ "id": of(&read, aspect)[0]["id"], "expectedVersion": version });
        let done = decide(&nurse, "documentProposalAccept", input).await.ok();
        version = done["documentProposalAccept"]["document"]["version"].as_i64().unwrap();
    }
    let changed = document(&nurse, &id).await;
    assert_eq!(
        (&changed["kind"], &changed["documentDate"], &changed["patients"][0]["id"]),
        (&json!("DISCHARGE_SUMMARY"), &json!("2026-03-01"), &json!(patient))
    );
    assert!(changed["proposals"].as_array().unwrap().iter().all(|proposal| proposal["state"] == "ACCEPTED"));
    let again = json!({ "id": of(&read, "KIND")[0]["id"], "expectedVersion": version });
    assert_eq!(
        decide(&nurse, "documentProposalAccept", again).await.ok()["documentProposalAccept"]["userErrors"][0]["code"],
        "DECIDED"
    );
}

#[tokio::test]
async fn what_was_dismissed_stays_so_and_a_stale_version_changes_nothing() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let id = letter(&app, &nurse).await;
    let read = document(&nurse, &id).await;
    let (kind, date) = (of(&read, "KIND")[0]["id"].clone(), of(&read, "DOCUMENT_DATE")[0]["id"].clone());
    let stale = decide(&nurse, "documentProposalAccept", json!({ "id": date, "expectedVersion": 77 })).await.ok();
    assert_eq!(stale["documentProposalAccept"]["userErrors"][0]["code"], "STALE_VERSION");
    decide(&nurse, "documentProposalDismiss", json!({ "id": kind })).await.ok();
    let now = document(&nurse, &id).await;
    assert_eq!(
        (&of(&now, "KIND")[0]["state"], &of(&now, "DOCUMENT_DATE")[0]["state"]),
        (&json!("DISMISSED"), &json!("OPEN"))
    );
    assert_eq!((&now["kind"], &now["documentDate"]), (&json!("MEDICAL_RECORD"), &json!("2026-03-09")));
}

#[tokio::test]
async fn the_same_file_and_nearly_the_same_are_proposed_as_duplicates() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let first = letter(&app, &nurse).await;
    let second = letter(&app, &nurse).await;
    let nearly =
        upload_text(&nurse, json!({ "kind": "MEDICAL_RECORD" }), &LETTER.replace("two weeks", "two weeks' time")).await;
    upload_text(
        &nurse,
        json!({ "kind": "MEDICAL_RECORD" }),
        "Insurance card of somebody else, front and back, valid through June.",
    )
    .await;
    app.work().await;
    let same = document(&nurse, &second).await;
    assert_eq!(of(&same, "DUPLICATE")[0]["otherDocument"]["id"], first);
    assert!(of(&same, "NEAR_DUPLICATE").is_empty());
    let near = document(&nurse, &nearly).await;
    let near: Vec<_> = of(&near, "NEAR_DUPLICATE").iter().map(|found| found["otherDocument"]["id"].clone()).collect();
    assert_eq!(near, [json!(first), json!(second)]);
    assert!(of(&document(&nurse, &first).await, "DUPLICATE").is_empty(), "the first of them is no duplicate");
}

#[tokio::test]
async fn proposals_show_only_what_their_reader_may_know_of() {
    let app = start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    register(&app, "Ada").await;
    restrict(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    let id = letter(&app, &therapist).await;
    // The chart is closed to them: not even that somebody matches.
    assert!(of(&document(&therapist, &id).await, "PATIENT").is_empty());
    let seen = document(&nurse, &id).await;
    let proposal = of(&seen, "PATIENT")[0]["id"].clone();
    let input = json!({ "id": proposal, "expectedVersion": seen["version"] });
    for (client, code) in [
        (therapist, "NOT_FOUND"),
        (app.member(&[Role::FrontDesk]).await, "NOT_FOUND"),
        (app.member_of(app.other, &[Role::Nurse]).await, "NOT_FOUND"),
        (app.member(&[Role::Patient]).await, "FORBIDDEN"),
        (app.anonymous(), "UNAUTHENTICATED"),
    ] {
        assert_eq!(decide(&client, "documentProposalAccept", input.clone()).await.code(), code);
    }
    assert_eq!(app.db_value("SELECT count(*) FROM document_patients").await, "0");
}
