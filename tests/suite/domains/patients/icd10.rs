//! The ICD-10-CM code set: loading it and looking codes up.

use anamnesis::access::Role;
use anamnesis::domains::patients::icd10::{Imported, import_icd10};
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const FEW: &str = "code,description,billable,parent,chapter,block
F10,Alcohol related disorders,0,,5,F10-F19
F10.1,Alcohol abuse,0,F10,5,F10-F19
F10.10,\"Alcohol abuse, uncomplicated\",1,F10.1,5,F10-F19
F32,Depressive episode,0,,5,F30-F39
F32.9,\"Major depressive disorder, single episode, unspecified\",1,F32,5,F30-F39
F32.A,\"Depression, unspecified\",1,F32,5,F30-F39
F41,Other anxiety disorders,0,,5,F40-F48
F41.1,Generalized anxiety disorder,1,F41,5,F40-F48
F41.9,\"Anxiety disorder, unspecified\",1,F41,5,F40-F48
";

async fn load(app: &TestApp, release: &str) -> anamnesis::error::Result<Imported> {
    let mut owner = AsyncPgConnection::establish(&app.database.owner_url).await.unwrap();
    import_icd10(&mut owner, release.as_bytes()).await
}

/// A few codes, as a test needs them.
pub async fn db_load_codes(app: &TestApp) {
    assert_eq!(load(app, FEW).await.unwrap(), Imported { codes: 9, changed: 9, retired: 0 });
}

async fn codes(client: &Client, search: &str) -> Vec<String> {
    let query = "query($search: String!) { icd10Codes(search: $search) { code } }";
    let data = client.run(query, json!({ "search": search })).await.ok();
    data["icd10Codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn codes_are_found_by_their_beginning() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(codes(&clerk, "F41").await, ["F41", "F41.1", "F41.9"]);
    assert_eq!(codes(&clerk, "f41.").await, ["F41", "F41.1", "F41.9"]);
    assert_eq!(codes(&clerk, "F411").await, ["F41.1"]);
    assert_eq!(codes(&clerk, "f3").await, ["F32", "F32.9", "F32.A"]);
    assert!(codes(&clerk, "F99").await.is_empty());
    let query = "{ icd10Codes(search: \"F41\", first: 1) { code description billable } }";
    let data = clerk.run(query, json!({})).await.ok();
    let expected = json!([{ "code": "F41", "description": "Other anxiety disorders", "billable": false }]);
    assert_eq!(data["icd10Codes"], expected);
}

#[tokio::test]
async fn codes_are_found_by_words_and_their_beginnings() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    // Those that may be billed first, the most general of them before the others.
    assert_eq!(codes(&clerk, "anxiety").await, ["F41.1", "F41.9", "F41"]);
    assert_eq!(codes(&clerk, "depressi").await, ["F32.A", "F32.9", "F32"]);
    assert_eq!(codes(&clerk, "unspecified depress").await, ["F32.A", "F32.9"]);
    // Another form of the word.
    assert_eq!(codes(&clerk, "abusing alcohol").await, ["F10.10", "F10.1"]);
    assert!(codes(&clerk, "anxiety alcohol").await.is_empty());
    // Operators of the query language are punctuation.
    assert_eq!(codes(&clerk, "anxiety & !generalized | (").await, ["F41.1"]);
}

#[tokio::test]
async fn what_is_no_search_is_refused_and_strangers_get_nothing() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    let clerk = app.member(&[Role::FrontDesk]).await;
    let run = async |client: &Client, search: &str, first: i32| {
        let query = "query($search: String!, $first: Int) { icd10Codes(search: $search, first: $first) { code } }";
        client.run(query, json!({ "search": search, "first": first })).await
    };
    for wrong in ["", " - ", "a b c d e f g h i j k", "x".repeat(201).as_str()] {
        assert_eq!(run(&clerk, wrong, 5).await.code(), "BAD_USER_INPUT", "{wrong}");
    }
    for first in [0, 101] {
        assert_eq!(run(&clerk, "F41", first).await.code(), "BAD_USER_INPUT");
    }
    assert_eq!(run(&app.anonymous(), "F41", 5).await.code(), "UNAUTHENTICATED");
    let everywhere = app.member_of(app.other, &[Role::SystemAdmin]).await;
    assert_eq!(run(&everywhere, "F411", 5).await.ok()["icd10Codes"], json!([{ "code": "F41.1" }]));
}

#[tokio::test]
async fn a_release_is_loaded_again_changed_and_codes_are_retired() {
    let app = TestApp::start().await;
    db_load_codes(&app).await;
    assert_eq!(load(&app, FEW).await.unwrap(), Imported { codes: 9, changed: 0, retired: 0 });
    let next = "description,code,billable\nAnxiety,F41.1,1\nNew,F41.2,1\n";
    assert_eq!(load(&app, next).await.unwrap(), Imported { codes: 2, changed: 2, retired: 4 });
    let billable = app.db_value("SELECT string_agg(code, ' ' ORDER BY code) FROM icd10_codes WHERE billable").await;
    assert_eq!(billable, "F41.1 F41.2");
    // All or nothing.
    for wrong in [
        "",
        "code,description,billable\n",
        "code,description\nF1,x\n",
        "code,description,billable\nF1,x,yes\n",
        "code,description,billable\nF41.1,x,1\nF41.1,y,1\n",
    ] {
        assert!(load(&app, wrong).await.is_err(), "{wrong}");
    }
    assert_eq!(app.db_value("SELECT count(*) FROM icd10_codes").await, "10");
    assert_eq!(app.db_value("SELECT description FROM icd10_codes WHERE code = 'F41.1'").await, "Anxiety");
}

#[tokio::test]
async fn the_server_itself_cannot_change_the_classification() {
    let app = TestApp::start().await;
    let mut server = AsyncPgConnection::establish(&app.database.server_url).await.unwrap();
    assert!(import_icd10(&mut server, FEW.as_bytes()).await.is_err());
    assert_eq!(app.db_value("SELECT count(*) FROM icd10_codes").await, "0");
}

#[tokio::test]
async fn the_release_in_the_tree_loads_and_answers() {
    let app = TestApp::start().await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/icd10cm/icd10cm_2026_april.csv.gz");
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut owner = AsyncPgConnection::establish(&app.database.owner_url).await.unwrap();
    let imported = import_icd10(&mut owner, file).await.unwrap();
    assert_eq!(imported, Imported { codes: 98_186, changed: 98_186, retired: 0 });
    assert_eq!(app.db_value("SELECT count(*) FROM icd10_codes WHERE billable").await, "74719");
    let nurse = app.member(&[Role::Nurse]).await;
    assert_eq!(codes(&nurse, "generalized anxiety disorder").await, ["F41.1"]);
    let found: Value = json!(codes(&nurse, "F32").await);
    assert_eq!(found.as_array().unwrap().first(), Some(&json!("F32")));
}
