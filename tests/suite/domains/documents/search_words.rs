//! The lexical side of search: clinical synonyms, slips of the pen, negation; facets, passages like another, language.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::search::{SEARCH, find, found, start, write_note};
use crate::harness::Client;

const DENIED: &str = "Denies SI, HI and AVH. Mood is better since the holiday.";
const ADMITTED: &str = "Reports suicidal ideation for three nights, and no plan.";
const PRESSURE: &str = "Hypertension is controlled on losartan.";

const LEXICAL: &str = "LEXICAL";

async fn notes(author: &Client, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(write_note(author, text, json!({})).await);
    }
    ids
}

/// The marked words of a hit, those negated in brackets.
fn marked(hit: &Value) -> String {
    let text: Vec<char> = hit["passage"]["text"].as_str().unwrap().chars().collect();
    let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let marks = hit["passage"]["highlights"].as_array().unwrap().iter().map(|mark| {
        let word: String = text[place(&mark["start"])..place(&mark["end"])].iter().collect();
        if mark["negated"] == true { format!("[{word}]") } else { word }
    });
    marks.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_abbreviation_finds_what_it_is_short_for_and_back() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let ids = notes(&physician, &[DENIED, ADMITTED, PRESSURE]).await;
    app.work().await;
    let lexical = json!({ "mode": LEXICAL });
    assert_eq!(found(&physician, "HTN", lexical.clone()).await, [ids[2].clone()]);
    assert_eq!(found(&physician, "high blood pressure", lexical.clone()).await, [ids[2].clone()]);
    // The word itself comes before its synonym.
    assert_eq!(found(&physician, "si", lexical.clone()).await, [ids[0].clone(), ids[1].clone()]);
    assert_eq!(found(&physician, "suicidal ideation", lexical).await, [ids[1].clone(), ids[0].clone()]);
}

/// Of two words in two passages of one note each passage alone has half, as a shorter note with one of the words has.
#[tokio::test]
async fn words_that_stand_apart_in_a_note_are_found_together() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let log =
        |entries: i32| (1..=entries).map(|n| format!("Entry {n} of the weekly log was read. ")).collect::<String>();
    let [short, long] = [log(18), log(28)];
    let (drawn, tremor) = ("The lithium level was drawn. ", "There is a fine tremor.");
    let texts = [
        format!("{drawn}{short}"),
        format!("{short}{tremor}"),
        format!("{drawn}{long}{tremor}"),
        format!("Nothing else. {short}"),
        format!("{short}Nothing else."),
    ];
    let ids = notes(&physician, &texts.each_ref().map(String::as_str)).await;
    app.work().await;
    let passages = app.db_value("SELECT string_agg(chunk_count::text, ' ' ORDER BY chunk_count) FROM documents").await;
    assert_eq!(passages, "1 1 1 1 2");
    let hits = found(&physician, "lithium tremor", json!({ "mode": LEXICAL })).await;
    assert_eq!((hits.len(), &hits[..2]), (4, &[ids[2].clone(), ids[2].clone()][..]));
}

#[tokio::test]
async fn what_a_note_denies_is_marked_as_negated() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    notes(&physician, &[DENIED, ADMITTED]).await;
    app.work().await;
    for mode in [LEXICAL, "SEMANTIC", "HYBRID"] {
        let mut hits = find(&physician, "suicidal ideation", json!({ "mode": mode })).await;
        hits.sort_by_key(|hit| hit["passage"]["text"].as_str().unwrap().to_owned());
        assert_eq!((&hits[0]["negated"], marked(&hits[0]).as_str()), (&json!(true), "[SI]"));
        assert_eq!((&hits[1]["negated"], marked(&hits[1]).as_str()), (&json!(false), "suicidal ideation"));
    }
    // One word denied of two is not a denial of what was looked for.
    let hits = find(&physician, "suicidal plan", json!({ "mode": LEXICAL })).await;
    let both = hits.iter().find(|hit| hit["passage"]["text"] == ADMITTED).unwrap();
    assert_eq!((&both["negated"], marked(both).as_str()), (&json!(false), "suicidal [plan]"));
}

#[tokio::test]
async fn a_mistyped_word_finds_what_the_facility_writes() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let ids = notes(&physician, &[DENIED, PRESSURE]).await;
    app.work().await;
    for slip in ["hypertensoin", "hypretension", "hypertenson", "hyppertension", "lozartan"] {
        let hits = find(&physician, slip, json!({ "mode": LEXICAL })).await;
        assert_eq!(hits.len(), 1, "{slip}");
        assert_eq!(hits[0]["document"]["id"], ids[1], "{slip}");
        assert_eq!(hits[0]["passage"]["highlights"].as_array().unwrap().len(), 1, "{slip}");
    }
    // Two slips are another word, and so is a number that is off by one.
    for other in ["hyprtensoin", "8000"] {
        assert_eq!(found(&physician, other, json!({ "mode": LEXICAL })).await, Vec::<String>::new(), "{other}");
    }
    // Spelled right, nothing else is meant.
    let right = find(&physician, "hypertension", json!({ "mode": LEXICAL })).await;
    assert_eq!(marked(&right[0]), "Hypertension");
}

#[tokio::test]
async fn spellings_are_of_one_facility_and_in_no_clear_form() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    notes(&physician, &["The quetzalcoatlus was seen."]).await;
    notes(&stranger, &["Nothing was seen."]).await;
    app.work().await;
    assert_eq!(found(&stranger, "quetzalcoatlis", json!({ "mode": LEXICAL })).await, Vec::<String>::new());
    assert_eq!(found(&physician, "quetzalcoatlis", json!({ "mode": LEXICAL })).await.len(), 1);
    // A word of fourteen letters, itself and without each of them; one of seven in the other facility.
    let per_facility = app.db_query("SELECT count(*) FROM lexeme_spellings GROUP BY facility_id ORDER BY 1").await;
    assert_eq!(per_facility, [[Some("8".to_owned())], [Some("15".to_owned())]]);
    assert_eq!(app.db_value("SELECT count(*) FROM lexeme_spellings s WHERE s::text ~* 'quetz'").await, "0");
}

#[tokio::test]
async fn a_mistyped_word_tells_a_restricted_therapist_nothing_of_shut_charts() {
    let app = start().await;
    super::restrict(&app).await;
    let physician = app.member(&[Role::Physician]).await;
    notes(&physician, &["Hypertension is controlled."]).await;
    app.work().await;
    let therapist = app.member(&[Role::Therapist]).await;
    for mode in [LEXICAL, "HYBRID"] {
        assert_eq!(found(&therapist, "hypertenson", json!({ "mode": mode })).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn facets_count_the_documents_of_the_whole_result() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    for (kind, date) in [("CLINICAL_NOTE", "2026-01-05"), ("CLINICAL_NOTE", "2026-02-10"), ("REFERRAL", "2026-01-31")] {
        write_note(&physician, "The ankle hurts.", json!({ "kind": kind, "documentDate": date })).await;
    }
    app.work().await;
    let facets = async |client: &Client, more: Value| {
        let mut variables = json!({ "query": "ankle", "first": 1 });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.run(SEARCH, variables).await.ok()["documentSearch"]["facets"].take()
    };
    let all = json!({
        "kinds": [{ "kind": "CLINICAL_NOTE", "count": 2 }, { "kind": "REFERRAL", "count": 1 }],
        "months": [{ "month": "2026-02-01", "count": 1 }, { "month": "2026-01-01", "count": 2 }],
    });
    assert_eq!(facets(&physician, json!({})).await, all);
    let january = facets(&physician, json!({ "to": "2026-01-31" })).await;
    assert_eq!(january["months"], json!([{ "month": "2026-01-01", "count": 2 }]));
    // What may not be read is not counted.
    let desk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(facets(&desk, json!({})).await["kinds"], json!([{ "kind": "REFERRAL", "count": 1 }]));
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    assert_eq!(facets(&stranger, json!({})).await, json!({ "kinds": [], "months": [] }));
}

const LIKE: &str = "query($passage: ID!, $kinds: [DocumentKind!], $first: Int) {
    documentPassagesLike(passageId: $passage, filter: { kinds: $kinds }, first: $first) { passage { id } hits { score passage { id } document { id } } } }";

#[tokio::test]
async fn passages_like_another_come_from_other_documents_the_nearest_first() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let ids = notes(
        &physician,
        &["He cannot fall asleep before three.", "She lies awake most of the night.", "The ankle is swollen."],
    )
    .await;
    let referral = write_note(&physician, "Referred to the sleep clinic.", json!({ "kind": "REFERRAL" })).await;
    app.work().await;
    let asked = find(&physician, "cannot fall asleep before three", json!({ "mode": LEXICAL })).await;
    let passage = &asked[0]["passage"]["id"];
    let like = async |client: &Client, more: Value| {
        let mut variables = json!({ "passage": passage });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.run(LIKE, variables).await
    };
    let documents = |data: Value| -> Vec<String> {
        let hits = data["documentPassagesLike"]["hits"].as_array().unwrap().clone();
        hits.iter().map(|hit| hit["document"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let near = documents(like(&physician, json!({})).await.ok());
    assert_eq!(near.len(), 3);
    assert_eq!((&near[0], &near[2]), (&ids[1], &ids[2]));
    assert_eq!(&like(&physician, json!({})).await.ok()["documentPassagesLike"]["passage"]["id"], passage);
    assert_eq!(documents(like(&physician, json!({ "kinds": ["REFERRAL"] })).await.ok()), [referral]);
    assert_eq!(documents(like(&physician, json!({ "first": 1 })).await.ok()), [ids[1].clone()]);
    assert_eq!(like(&physician, json!({ "first": 101 })).await.code(), "BAD_USER_INPUT");
    // Who may not read the passage does not learn that it is there.
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    assert_eq!(like(&stranger, json!({})).await.ok()["documentPassagesLike"], Value::Null);
    let desk = app.member(&[Role::FrontDesk]).await;
    assert_eq!(like(&desk, json!({})).await.ok()["documentPassagesLike"], Value::Null);
    assert_eq!(like(&app.anonymous(), json!({})).await.code(), "UNAUTHENTICATED");
    let auditor = app.member(&[Role::SystemAdmin]).await;
    assert_eq!(like(&auditor, json!({})).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn the_language_of_a_document_is_told_and_can_be_asked_for() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let english = "He says that he lies awake until three in the morning and naps at noon.";
    let spanish = "El paciente dice que duerme mal desde hace tres semanas, que se despierta antes de las tres de la \
        mañana y que no tiene hambre. Su hija está preocupada porque ya no quiere salir de la casa.";
    let ids = notes(&physician, &[english, spanish, "Sleeps."]).await;
    app.work().await;
    let language = "query($id: ID!) { document(id: $id) { language } }";
    let mut told = Vec::new();
    for id in &ids {
        told.push(physician.run(language, json!({ "id": id })).await.ok()["document"]["language"].take());
    }
    assert_eq!(told, [json!("en"), json!("es"), json!(null)]);
    let semantic = |languages: Value| json!({ "mode": "SEMANTIC", "languages": languages });
    assert_eq!(found(&physician, "sleep", semantic(json!(["es"]))).await, [ids[1].clone()]);
    assert_eq!(found(&physician, "sleep", semantic(json!(["es", "en"]))).await.len(), 2);
    assert_eq!(found(&physician, "sleep", semantic(json!([]))).await.len(), 3);
}
