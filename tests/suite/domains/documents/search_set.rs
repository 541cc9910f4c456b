//! The labelled set that comes with the project: it is what its README says, and the measuring works on it.

use std::collections::BTreeMap;
use std::path::Path;

use anamnesis::domains::documents::search::model::DocumentSearchMode;
use anamnesis::eval::dataset::{Dataset, Half};
use anamnesis::eval::scratch::Scratch;
use anamnesis::eval::search;

use super::search::start;
use crate::harness::TestApp;

fn set() -> Dataset {
    Dataset::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/search-set/notes.jsonl")).unwrap()
}

#[test]
fn the_set_has_the_sizes_its_readme_says() {
    let set = set();
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for query in &set.queries {
        *sizes.entry(query.group.as_str()).or_default() += 1;
    }
    assert_eq!(set.passages.len(), 174);
    assert_eq!(sizes, BTreeMap::from([("abbreviation", 18), ("paraphrase", 93), ("topic", 15), ("words", 46)]));
}

#[tokio::test]
async fn paraphrases_share_no_content_word_with_what_answers_them() {
    let app = TestApp::start().await;
    let set = set();
    let quoted = |text: &str| format!("$text${text}$text$");
    let pairs: Vec<String> = set
        .queries
        .iter()
        .filter(|query| query.group == "paraphrase")
        .flat_map(|query| {
            let answers = set.passages.iter().filter(|passage| query.relevant.contains_key(&passage.id));
            answers.map(|passage| format!("('{}', {}, {})", query.id, quoted(&query.text), quoted(&passage.text)))
        })
        .collect();
    assert_eq!(pairs.len(), 93);
    let shared = app
        .db_query(&format!(
            "SELECT id, array_to_string(tsvector_to_array(to_tsvector('english', query)), ' ') \
             FROM (VALUES {}) AS pairs (id, query, answer) \
             WHERE tsvector_to_array(to_tsvector('english', query)) && tsvector_to_array(to_tsvector('english', answer))",
            pairs.join(", ")
        ))
        .await;
    assert!(shared.is_empty(), "{shared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_measured_through_the_product() {
    let app = start().await;
    let whole = set();
    // Three notes are enough to see that each figure is of the right query and mode.
    let keep = ["q12-n3", "j10-n1", "q15-n1"];
    let mut small = whole.clone();
    small.passages.retain(|passage| keep.contains(&passage.id.as_str()));
    small.queries.retain(|query| query.relevant.keys().all(|id| keep.contains(&id.as_str())) && query.group == "words");
    assert_eq!(small.queries.len(), 3);
    let scratch = Scratch::fill(&app.app, &small).await.unwrap();
    let ctx = scratch.physician(&app.app).await.unwrap();
    let modes = [DocumentSearchMode::Hybrid, DocumentSearchMode::Semantic, DocumentSearchMode::Lexical];
    let answers = search::run(&ctx, &scratch, &small, Half::Both, &modes).await.unwrap();
    assert_eq!(answers.len(), 9);
    for answer in &answers {
        let query = small.queries.iter().find(|query| query.id == answer.query).unwrap();
        let first = &answer.ranking[0].passage;
        assert!(query.relevant.contains_key(first), "{:?} {first}", answer.query);
        assert!((answer.figures.ndcg - 1.0).abs() < 1e-12);
    }
    let rows = search::report(&answers);
    let all: Vec<_> = rows.iter().filter(|row| row.group.is_empty()).map(|row| (row.mode, row.queries)).collect();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|(_, queries)| *queries == 3));
    // What was measured is the facility's own: nobody else finds it.
    let stranger = app.member(&[anamnesis::access::Role::Physician]).await;
    assert_eq!(super::search::found(&stranger, "gambling", serde_json::json!({})).await, Vec::<String>::new());
}
