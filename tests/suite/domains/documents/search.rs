//! Searching, over the real model.

use anamnesis::access::Role;
use anamnesis::ids::{PatientId, TypedId as _, UserId};
use serde_json::{Value, json};

use super::register;
use crate::harness::{Client, TestApp, engines};

pub const SEARCH: &str = "query($query: String!, $patient: ID, $kinds: [DocumentKind!], $from: NaiveDate, $to: NaiveDate,
    $authors: [ID!], $languages: [String!], $document: ID, $visit: ID, $labels: [DocumentLabel!], $mode: DocumentSearchMode! = HYBRID, $first: Int, $after: String) {
    documentSearch(query: $query, filter: { patientId: $patient, kinds: $kinds, from: $from, to: $to, authors: $authors,
        languages: $languages, documentId: $document, visitId: $visit, labels: $labels }, mode: $mode, first: $first, after: $after) {
      edges { cursor node { score semanticRank lexicalRank negated
        passage { id text page position startChar endChar highlights { start end negated } } document { id title } } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
      facets { kinds { kind count } months { month count } } } }";

const SLEEP: &str = "He lies awake until three in the morning and watches the ceiling. Naps at noon do not help.";
const ANKLE: &str = "She twisted her ankle on the stairs; swelling is down and she can bear weight again.";
const STORM: &str = "Since the flood the boy hides below the table when it thunders and asks whether the river rises.";
const LITHIUM: &str = "Lithium 900 mg at night, serum level 0.8 mmol/l, no tremor. Next level in three months.";

const FRIGHTENED: &str = "child frightened of storms after a natural disaster";

/// A server whose model is there.
pub async fn start() -> TestApp {
    engines::provide_model().await;
    TestApp::start().await
}

/// A final note, not yet in search; gives its id.
pub async fn write_note(author: &Client, text: &str, more: Value) -> String {
    let mut input = json!({ "kind": "CLINICAL_NOTE", "title": text.split(' ').next(), "text": text, "patientIds": [] });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if input["patientIds"] == json!([]) {
        input["patientIds"] = json!([someone(author).await]);
    }
    let create = "mutation($input: NoteCreateInput!) { noteCreate(input: $input) { note { id version } userErrors { message } } }";
    let made = author.run(create, json!({ "input": input })).await.ok();
    let note = &made["noteCreate"]["note"];
    assert!(note.is_object(), "{made}");
    let finalize =
        "mutation($input: NoteFinalizeInput!) { noteFinalize(input: $input) { note { id } userErrors { message } } }";
    let input = json!({ "id": note["id"], "expectedVersion": note["version"] });
    let done = author.run(finalize, json!({ "input": input })).await.ok();
    assert!(done["noteFinalize"]["note"].is_object(), "{done}");
    note["id"].as_str().unwrap().to_owned()
}

/// A patient of the author's own, for a note that is about nobody in particular.
pub async fn someone(author: &Client) -> String {
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let input = json!({ "givenName": "Some", "familyName": "Body", "birthDate": "1984-02-29", "gender": "FEMALE",
        "acceptDuplicates": true });
    let made = author.run(register, json!({ "input": input })).await.ok();
    made["patientRegister"]["patient"]["id"].as_str().unwrap().to_owned()
}

/// Results of a search.
pub async fn find(client: &Client, query: &str, more: Value) -> Vec<Value> {
    let mut variables = json!({ "query": query });
    variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let data = client.run(SEARCH, variables).await.ok();
    data["documentSearch"]["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

/// Ids of the documents found, in their order.
pub async fn found(client: &Client, query: &str, more: Value) -> Vec<String> {
    let hits = find(client, query, more).await;
    hits.iter().map(|hit| hit["document"]["id"].as_str().unwrap_or("null").to_owned()).collect()
}

/// The four notes by a physician, in search.
async fn four(app: &TestApp) -> (Client, [String; 4]) {
    let physician = app.member(&[Role::Physician]).await;
    let sleep = write_note(&physician, SLEEP, json!({})).await;
    let ankle = write_note(&physician, ANKLE, json!({ "documentDate": "2026-01-05" })).await;
    let storm = write_note(&physician, STORM, json!({ "kind": "TREATMENT_PLAN" })).await;
    let lithium = write_note(&physician, LITHIUM, json!({ "documentDate": "2026-02-10" })).await;
    app.work().await;
    (physician, [sleep, ankle, storm, lithium])
}

#[tokio::test]
async fn a_question_without_a_shared_word_finds_the_note() {
    let app = start().await;
    let (physician, [sleep, _, storm, _]) = four(&app).await;
    for mode in ["SEMANTIC", "HYBRID"] {
        let mode = json!({ "mode": mode });
        assert_eq!(found(&physician, "chronic insomnia", mode.clone()).await[0], sleep);
        // Not "traumatised": to the model that is first of all an injury, and the twisted ankle comes before.
        assert_eq!(found(&physician, FRIGHTENED, mode).await[0], storm);
    }
    for query in ["chronic insomnia", FRIGHTENED] {
        assert_eq!(find(&physician, query, json!({ "mode": "LEXICAL" })).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn words_are_found_in_any_form_and_marked() {
    let app = start().await;
    let (physician, [_, _, _, lithium]) = four(&app).await;
    let hits = find(&physician, "LEVELS of lithium", json!({ "mode": "LEXICAL" })).await;
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0]["document"]["id"], lithium);
    assert_eq!((&hits[0]["lexicalRank"], &hits[0]["semanticRank"]), (&json!(1), &json!(null)));
    let passage = &hits[0]["passage"];
    assert_eq!(passage["text"], LITHIUM);
    assert_eq!((&passage["page"], &passage["position"], &passage["startChar"]), (&json!(null), &json!(0), &json!(0)));
    assert_eq!(passage["endChar"], LITHIUM.chars().count());
    let marked: Vec<&str> = passage["highlights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| {
            &LITHIUM[usize::try_from(mark["start"].as_u64().unwrap()).unwrap()
                ..usize::try_from(mark["end"].as_u64().unwrap()).unwrap()]
        })
        .collect();
    assert_eq!(marked, ["Lithium", "level", "level"]);
}

#[tokio::test]
async fn hybrid_fuses_both_rankings() {
    let app = start().await;
    let (physician, [_, ankle, _, lithium]) = four(&app).await;
    let hits = find(&physician, "ankle", json!({})).await;
    assert_eq!(hits.len(), 4);
    assert_eq!(hits[0]["document"]["id"], ankle);
    assert_eq!((&hits[0]["lexicalRank"], &hits[0]["semanticRank"]), (&json!(1), &json!(1)));
    let score = |place: usize| hits[place]["score"].as_f64().unwrap();
    assert!(score(0) <= 1.0 && (1..4).all(|place| score(place) < score(place - 1)), "{hits:?}");
    assert!(score(3) >= 0.0);
    assert_eq!(found(&physician, "0.8 mmol", json!({})).await[0], lithium);
}

#[tokio::test]
async fn filters_hold_before_the_best_are_taken() {
    let app = start().await;
    let patient = register(&app, "Ada").await;
    let (physician, [sleep, ankle, storm, lithium]) = four(&app).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let hers = write_note(&nurse, "Slept badly again, up at four.", json!({ "patientIds": [patient] })).await;
    app.work().await;
    let all = |ids: Vec<&String>| {
        let mut ids: Vec<String> = ids.into_iter().cloned().collect();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let search = async |more: Value| sorted(found(&physician, "sleep", more).await);
    assert_eq!(search(json!({ "patient": patient })).await, [hers.clone()]);
    assert_eq!(search(json!({ "kinds": ["TREATMENT_PLAN"] })).await, [storm.clone()]);
    assert_eq!(search(json!({ "from": "2026-02-01", "to": "2026-02-28" })).await, [lithium.clone()]);
    assert_eq!(search(json!({ "to": "2026-02-28" })).await, all(vec![&ankle, &lithium]));
    let author = nurse.user.unwrap().encode();
    assert_eq!(search(json!({ "authors": [author] })).await, [hers.clone()]);
    assert_eq!(search(json!({ "document": storm })).await, [storm.clone()]);
    assert_eq!(search(json!({ "document": storm, "patient": patient })).await, Vec::<String>::new());
    assert_eq!(search(json!({})).await, all(vec![&sleep, &ankle, &storm, &lithium, &hers]));
    assert_eq!(
        search(json!({ "patient": PatientId::from_uuid(uuid::Uuid::now_v7()).encode() })).await,
        Vec::<String>::new()
    );
    assert_eq!(
        search(json!({ "authors": [UserId::from_uuid(uuid::Uuid::now_v7()).encode()] })).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = start().await;
    let (physician, _) = four(&app).await;
    let whole = found(&physician, "ankle", json!({})).await;
    let mut paged = Vec::new();
    let mut after = Value::Null;
    for page in 0..4 {
        let data = physician.run(SEARCH, json!({ "query": "ankle", "first": 1, "after": after })).await.ok();
        let connection = &data["documentSearch"];
        paged.push(connection["edges"][0]["node"]["document"]["id"].as_str().unwrap().to_owned());
        after = connection["pageInfo"]["endCursor"].clone();
        assert_eq!(connection["pageInfo"]["hasNextPage"], page < 3);
        assert_eq!(connection["pageInfo"]["hasPreviousPage"], page > 0);
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn a_query_must_say_something() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    for query in ["", "  \n", &"a".repeat(1001)] {
        assert_eq!(physician.run(SEARCH, json!({ "query": query })).await.code(), "BAD_USER_INPUT");
    }
    // Nothing but stop words finds nothing by words.
    assert_eq!(find(&physician, "the of and", json!({ "mode": "LEXICAL" })).await, Vec::<Value>::new());
}

#[tokio::test]
async fn another_facility_and_strangers_find_nothing() {
    let app = start().await;
    four(&app).await;
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    for mode in ["SEMANTIC", "LEXICAL", "HYBRID"] {
        assert_eq!(find(&stranger, "ankle", json!({ "mode": mode })).await, Vec::<Value>::new());
    }
    assert_eq!(app.anonymous().run(SEARCH, json!({ "query": "ankle" })).await.code(), "UNAUTHENTICATED");
    let auditor = app.member(&[Role::SystemAdmin]).await;
    assert_eq!(auditor.run(SEARCH, json!({ "query": "ankle" })).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn the_front_desk_finds_administrative_kinds_alone() {
    let app = start().await;
    let (physician, _) = four(&app).await;
    let referral =
        write_note(&physician, "Referral for the ankle to orthopedics.", json!({ "kind": "REFERRAL" })).await;
    app.work().await;
    let desk = app.member(&[Role::FrontDesk]).await;
    for mode in ["SEMANTIC", "LEXICAL", "HYBRID"] {
        assert_eq!(found(&desk, "ankle", json!({ "mode": mode })).await, [referral.clone()]);
        let clinical = json!({ "mode": mode, "kinds": ["CLINICAL_NOTE"] });
        assert_eq!(find(&desk, "ankle", clinical).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_restricted_therapist_finds_open_charts_alone() {
    let app = start().await;
    app.db_execute(
        "UPDATE facilities SET settings = '{\"restrictTherapistsToOwnPatients\": true}' WHERE kind <> 'platform'",
    )
    .await;
    let (mine, hers) = (register(&app, "Mine").await, register(&app, "Hers").await);
    let physician = app.member(&[Role::Physician]).await;
    let open = write_note(&physician, ANKLE, json!({ "patientIds": [mine] })).await;
    let shut = write_note(&physician, "The ankle is healed.", json!({ "patientIds": [hers] })).await;
    let loose = write_note(&physician, "An ankle of nobody.", json!({})).await;
    app.work().await;
    let therapist = app.member(&[Role::Therapist]).await;
    app.db_execute(&format!(
        "INSERT INTO care_relationships (facility_id, id, patient_id, user_id, kind, started_at, created_at, updated_at) \
         VALUES ('{}', gen_random_uuid(), '{}', '{}', 'therapist', '{now}', '{now}', '{now}')",
        app.facility.uuid(),
        PatientId::decode(&mine).unwrap().uuid(),
        therapist.user.unwrap().uuid(),
        now = app.now().to_rfc3339(),
    ))
    .await;
    for mode in ["SEMANTIC", "LEXICAL", "HYBRID"] {
        assert_eq!(found(&therapist, "ankle", json!({ "mode": mode })).await, [open.clone()]);
        let shut_chart = json!({ "mode": mode, "patient": hers });
        assert_eq!(find(&therapist, "ankle", shut_chart).await, Vec::<Value>::new());
        let mut all = found(&physician, "ankle", json!({ "mode": mode })).await;
        all.sort();
        let mut expected = vec![open.clone(), shut.clone(), loose.clone()];
        expected.sort();
        assert_eq!(all, expected);
    }
}

/// Neither when a statement is run nor when it is planned: an author of many documents would wait for both.
#[tokio::test]
async fn which_documents_are_open_is_not_asked_for_who_may_open_all() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = register(&app, "Ada").await;
    let note = write_note(&physician, ANKLE, json!({ "patientIds": [patient] })).await;
    app.work().await;
    let fails = "CREATE OR REPLACE FUNCTION app_open_documents() RETURNS uuid[] LANGUAGE plpgsql STABLE AS \
        $$ BEGIN RAISE EXCEPTION 'asked'; END $$";
    app.db_execute(fails).await;
    for patient in [None, Some(patient)] {
        let found = physician.run(SEARCH, json!({ "query": "ankle", "patient": patient })).await.ok();
        assert_eq!(found["documentSearch"]["edges"][0]["node"]["document"]["id"], note, "{found}");
    }
}

#[tokio::test]
async fn a_search_is_recorded_without_its_words() {
    let app = start().await;
    let (physician, _) = four(&app).await;
    let before = app.app.database.statements();
    let hits = find(&physician, "quetzalcoatlus ankle", json!({ "kinds": ["CLINICAL_NOTE"] })).await;
    assert_eq!(hits.len(), 3);
    let statements = app.app.database.statements() - before;
    let rows = app.db_query("SELECT detail::text FROM audit_log WHERE action = 'documents.search'").await;
    let detail = rows[0][0].clone().unwrap();
    assert_eq!(rows.len(), 1);
    assert!(detail.contains("hybrid") && detail.contains("clinical_note"), "{detail}");
    assert_eq!(app.db_value("SELECT count(*) FROM audit_log WHERE detail::text ~* 'quetzal|ankle'").await, "0");
    let results = app
        .db_value("SELECT jsonb_array_length(detail -> 'results') FROM audit_log WHERE action = 'documents.search'")
        .await;
    assert_eq!(results, "3");
    // The same number of statements for a page of one.
    let before = app.app.database.statements();
    find(&physician, "quetzalcoatlus ankle", json!({ "kinds": ["CLINICAL_NOTE"], "first": 1 })).await;
    assert_eq!(app.app.database.statements() - before, statements);
}
