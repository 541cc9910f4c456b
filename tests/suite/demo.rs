//! The demo: its data loads, and each of its questions finds the document that answers it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anamnesis::access::Role;
use anamnesis::demo;
use anamnesis::ids::{FacilityId, TypedId as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, engines};

/// After the last visit of the demo.
const TODAY: &str = "2026-09-01T12:00:00Z";

const SEARCH: &str =
    "query($query: String!, $mode: DocumentSearchMode!) { documentSearch(query: $query, mode: $mode, first: 100) {
    edges { node { passage { text page } document { id fileName } } } } }";

#[derive(Deserialize)]
struct Named {
    key: String,
    name: String,
}

#[derive(Deserialize)]
struct Note {
    key: String,
    body: String,
}

#[derive(Deserialize)]
struct Visit {
    diagnoses: Vec<Diagnosis>,
}

#[derive(Deserialize)]
struct Diagnosis {
    icd10: String,
    description: String,
}

#[derive(Deserialize)]
struct Queries {
    documents: Vec<Question>,
    tour: Question,
    notes: Vec<Question>,
}

/// A question, what answers it, and at which rank among the documents of the facility.
#[derive(Deserialize)]
struct Question {
    facility: Option<String>,
    query: String,
    file: Option<String>,
    page: Option<i64>,
    passage: Option<String>,
    note: Option<String>,
    semantic_rank: usize,
    hybrid_rank: usize,
}

fn read<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

/// The codes that the demo's visits have; the whole table takes longer than the demo.
async fn db_load_codes(app: &TestApp) {
    let visits: Vec<Visit> = read(include_str!("../../demo/visits.json"));
    let codes: BTreeMap<String, String> = visits
        .into_iter()
        .flat_map(|visit| visit.diagnoses)
        .map(|diagnosis| (diagnosis.icd10, diagnosis.description.replace('\'', "''")))
        .collect();
    let rows: Vec<String> = codes.iter().map(|(code, text)| format!("('{code}', '{text}', true)")).collect();
    app.db_execute(&format!("INSERT INTO icd10_codes (code, description, billable) VALUES {}", rows.join(", "))).await;
}

/// A physician of each facility, by the facility's key.
async fn physicians(app: &TestApp) -> HashMap<String, Client> {
    let facilities: Vec<Named> = read(include_str!("../../demo/facilities.json"));
    let mut physicians = HashMap::new();
    for facility in facilities {
        let id = app.db_value(&format!("SELECT id FROM facilities WHERE name = '{}'", facility.name)).await;
        let id = FacilityId::from_uuid(id.parse().unwrap());
        physicians.insert(facility.key, app.member_of(id, &[Role::Physician]).await);
    }
    physicians
}

/// As people do in the tour.
async fn upload_of_the_tour(physician: &Client) {
    let upload = "mutation($input: DocumentUploadInput!) { documentUpload(input: $input) { userErrors { code } } }";
    let input = json!({ "input": { "kind": "MEDICAL_RECORD", "title": "Comprehensive Psychological Evaluation" } });
    let content = include_bytes!("../../demo/tour/psychological-evaluation.pdf");
    let done = physician.run_with_file(upload, input, "file", ("psychological-evaluation.pdf", content)).await.ok();
    assert_eq!(done["documentUpload"]["userErrors"], json!([]));
}

/// Text as it is read: lines are not told from spaces.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Question {
    /// Whether a result is of the document that answers.
    fn answered_by(&self, hit: &Value, notes: &HashMap<String, String>) -> bool {
        if let Some(note) = &self.note {
            return hit["document"]["fileName"].is_null()
                && flowing(&notes[note]).contains(&flowing(hit["passage"]["text"].as_str().unwrap()));
        }
        let file = self.file.as_deref().unwrap().rsplit('/').next().unwrap();
        hit["document"]["fileName"] == file
    }

    /// The rank of the document that answers, among all that are found, and its passages, the best first.
    async fn ask(&self, physician: &Client, mode: &str, notes: &HashMap<String, String>) -> (usize, Vec<Value>) {
        let variables = json!({ "query": self.query, "mode": mode });
        let found = physician.run(SEARCH, variables).await.ok();
        let (mut others, mut rank, mut passages) = (BTreeSet::new(), 0, Vec::new());
        for edge in found["documentSearch"]["edges"].as_array().unwrap() {
            let hit = &edge["node"];
            if self.answered_by(hit, notes) {
                rank = if passages.is_empty() { others.len() + 1 } else { rank };
                passages.push(hit["passage"].clone());
            } else {
                others.insert(hit["document"]["id"].as_str().unwrap().to_owned());
            }
        }
        (rank, passages)
    }

    /// Whether the best passage is on the page, and what was meant stands in one of that page.
    fn is_shown_by(&self, passages: &[Value]) -> bool {
        let Some(page) = self.page else { return true };
        let meant = flowing(self.passage.as_deref().unwrap());
        let there = |passage: &&Value| passage["page"] == page;
        let says = |passage: &Value| flowing(passage["text"].as_str().unwrap()).contains(&meant);
        passages.first().is_some_and(|best| there(&best)) && passages.iter().filter(there).any(says)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_of_the_demo_finds_its_document_where_it_says() {
    engines::provide_model().await;
    let app = TestApp::start().await;
    app.advance(TODAY.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - app.now());
    db_load_codes(&app).await;
    demo::load(&app.app, |_| {}).await.unwrap();
    let physicians = physicians(&app).await;
    upload_of_the_tour(&physicians["quillhaven"]).await;
    app.work().await;
    let waiting = "SELECT mime_type, status, failure_code, note_state FROM documents \
        WHERE status <> 'ready' AND note_state IS DISTINCT FROM 'draft'";
    assert_eq!(app.db_query(waiting).await, Vec::<Vec<Option<String>>>::new());

    let notes: Vec<Note> = read(include_str!("../../demo/notes.json"));
    let notes: HashMap<String, String> = notes.into_iter().map(|note| (note.key, note.body)).collect();
    let Queries { documents, tour, notes: about_notes } = read(include_str!("../../demo/queries.json"));
    let questions: Vec<Question> = documents.into_iter().chain([tour]).chain(about_notes).collect();
    assert_eq!(questions.len(), 15);
    let mut faults = Vec::new();
    for question in &questions {
        let physician = &physicians[question.facility.as_deref().unwrap_or("quillhaven")];
        for (mode, rank) in [("SEMANTIC", question.semantic_rank), ("HYBRID", question.hybrid_rank)] {
            let (found_at, passages) = question.ask(physician, mode, &notes).await;
            if found_at != rank || !question.is_shown_by(&passages) {
                faults.push(format!("{mode} {:?}: at {found_at}, not {rank}, by {passages:?}", question.query));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    nobody_is_named_in(&app.db_dump());
}

/// Who the demo is about, as its files say.
#[derive(Deserialize)]
struct Somebody {
    given_name: String,
    family_name: String,
    email: String,
    phone: String,
    ssn: Option<String>,
}

/// The identities of the demo are in the database, but not to be read there.
fn nobody_is_named_in(dump: &str) {
    let dump = dump.to_lowercase();
    let words: BTreeSet<&str> = dump.split(|letter: char| !letter.is_alphanumeric()).collect();
    let mut people: Vec<Somebody> = read(include_str!("../../demo/patients.json"));
    people.extend(read::<Vec<Somebody>>(include_str!("../../demo/staff.json")));
    let mut told = Vec::new();
    for somebody in people {
        let names = [somebody.given_name, somebody.family_name].into_iter().flat_map(|name| {
            let parts: Vec<String> = name.to_lowercase().split([' ', '-']).map(str::to_owned).collect();
            parts
        });
        // Shorter ones stand in every base64 by chance.
        told.extend(names.filter(|name| name.chars().count() > 4 && words.contains(name.as_str())));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let ssn = somebody.ssn.unwrap_or_else(|| somebody.phone.clone());
        let numbers = [digits(&somebody.phone), digits(&ssn), somebody.phone, ssn, somebody.email.to_lowercase()];
        told.extend(numbers.into_iter().filter(|number| dump.contains(number.as_str())));
    }
    assert!(dump.contains("insert into public.patients"));
    assert_eq!(told, Vec::<String>::new());
}
