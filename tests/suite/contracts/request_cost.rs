//! What a request costs: statements and round trips to the last one, and allocations within a band. Never a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use allocation_counter::measure;
use anamnesis::access::Role;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use super::query_count::{conversation, patient};
use crate::harness::{Client, Relay, TestApp, engines};

const FILE: &str = "tests/suite/contracts/request_cost.txt";
/// Stands for a name that no request before had: who is registered twice costs the search for it.
const NAME: &str = "a new name";
/// A name for each request of an operation. The least of so many counts, at most: what was prepared or cached in
/// between is no part of the price, and on a busy machine one of two answers that are waited for together may come late.
const NAMES: [&str; 24] = [
    "Abara",
    "Bjork",
    "Castellano",
    "Dubrovsky",
    "Eze",
    "Fitzgerald",
    "Guzman",
    "Horvath",
    "Ibarra",
    "Jamison",
    "Kowalczyk",
    "Lindqvist",
    "Mbeki",
    "Nakagawa",
    "Oyelaran",
    "Papadakis",
    "Quist",
    "Rosenthal",
    "Szabo",
    "Tumanov",
    "Ueda",
    "Vukovic",
    "Whitlock",
    "Zhou",
];
/// A tenth more or less allocations than were committed is no change.
const BAND: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    statements: u64,
    round_trips: u64,
    allocations: u64,
}

impl Cost {
    fn least(self, other: Self) -> Self {
        Self {
            statements: self.statements.min(other.statements),
            round_trips: self.round_trips.min(other.round_trips),
            allocations: self.allocations.min(other.allocations),
        }
    }

    fn is_as(self, committed: Self) -> bool {
        self.statements == committed.statements
            && self.round_trips == committed.round_trips
            && self.allocations.abs_diff(committed.allocations) * BAND <= committed.allocations
    }
}

/// The server in the thread that counts, without HTTP's own part.
struct Bench {
    runtime: Runtime,
    app: TestApp,
    relay: Relay,
    client: Client,
    router: Router,
}

impl Bench {
    /// One request, the `number`th of its operation.
    fn once(&self, document: &str, variables: &Value, number: usize) -> Cost {
        let mut variables = variables.clone();
        if variables["name"] == NAME {
            variables["name"] = NAMES[number].into();
        }
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.client.token.as_deref().unwrap()))
            .body(Body::from(json!({ "query": document, "variables": variables }).to_string()))
            .unwrap();
        let router = self.router.clone();
        let before = self.app.app.database.statements();
        self.relay.take_round_trips();
        let mut body = Vec::new();
        let allocated = measure(|| {
            self.runtime.block_on(async {
                let answer = router.oneshot(request).await.unwrap();
                body = to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec();
            });
        });
        let round_trips = self.relay.take_round_trips();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer["errors"].is_null(), "{answer}");
        let refused = answer["data"].as_object().unwrap().values().map(|field| &field["userErrors"]);
        for errors in refused {
            assert!(errors.is_null() || *errors == json!([]), "{answer}");
        }
        let statements = self.app.app.database.statements() - before;
        Cost { statements, round_trips, allocations: allocated.count_total }
    }

    /// The least of some requests; no more of them than it takes to come to what was committed.
    fn cost(&self, document: &str, variables: &Value, committed: Option<&Cost>) -> Cost {
        let mut least = self.once(document, variables, 0);
        for number in 1..NAMES.len() {
            if committed.is_some_and(|committed| least.is_as(*committed)) {
                break;
            }
            least = least.least(self.once(document, variables, number));
        }
        least
    }
}

/// Says to a process that it is there for this test alone.
const ALONE: &str = "REQUEST_COST_ALONE";

#[test]
fn a_request_costs_what_it_did() {
    if std::env::var_os(ALONE).is_some() {
        return compare();
    }
    // Elsewhere: other tests of this process listen to traces, and a span that is listened to is allocated.
    let alone = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "contracts::request_cost::a_request_costs_what_it_did"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = [alone.stdout, alone.stderr].concat();
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn compare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (app, relay, client, begun) = runtime.block_on(prepare());
    let router = anamnesis::http::router(Arc::clone(&app.app), tokio_util::sync::CancellationToken::new());
    let bench = Bench { runtime, app, relay, client, router };
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let committed = read(&committed);
    let cost = |(name, document, variables): &(&'static str, &str, Value)| {
        (*name, bench.cost(document, variables, committed.get(name)))
    };
    let costs: BTreeMap<&str, Cost> = operations(&begun).iter().map(cost).collect();
    let is_as = |name: &str, cost: &Cost| committed.get(name).is_some_and(|committed| cost.is_as(*committed));
    let changed: BTreeMap<_, _> = costs
        .iter()
        .filter(|(name, cost)| !is_as(name, cost))
        .map(|(name, cost)| (name, (committed.get(name), cost)))
        .collect();
    if changed.is_empty() && costs.len() == committed.len() {
        return;
    }
    assert!(std::env::var_os("UPDATE").is_some(), "what was committed, and what it costs now: {changed:?}");
    super::compare_or_update(FILE, &written(&costs));
}

async fn prepare() -> (TestApp, Relay, Client, Subjects) {
    engines::provide_model().await;
    let (app, relay) = TestApp::start_through_relay().await;
    app.db_execute("INSERT INTO icd10_codes (code, description, billable) VALUES ('J45.909', 'Unspecified asthma, uncomplicated', true)")
        .await;
    let client = app.member(Role::ALL).await;
    let other = app.member(&[Role::Nurse]).await;
    let user = anamnesis::ids::TypedId::encode(client.user.unwrap());
    for number in 0..25 {
        patient(&client, number, &user).await;
    }
    app.work().await;
    let patients = client.run("{ patients(first: 1) { nodes { id } } }", json!({})).await.ok();
    let patient = patients["patients"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    let conversation = conversation(&client, &other, &patient, 1).await;
    for _ in 0..50 {
        let send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code } } }";
        let input = json!({ "conversationId": conversation, "body": "Slept well." });
        client.run(send, json!({ "input": input })).await.ok();
    }
    (app, relay, client, Subjects { patient, conversation })
}

struct Subjects {
    patient: String,
    conversation: String,
}

fn operations(subjects: &Subjects) -> [(&'static str, &'static str, Value); 9] {
    [
        ("constant", "{ __typename }", json!({})),
        (
            "patient",
            "query($id: ID!) { patient(id: $id) { id mrn givenName familyName birthDate phone gender status version } }",
            json!({ "id": subjects.patient }),
        ),
        (
            "patients",
            "{ patients(first: 20) { nodes { id mrn givenName familyName birthDate phone gender status version } \
             pageInfo { hasNextPage endCursor } } }",
            json!({}),
        ),
        (
            "patientsNested",
            "{ patients(first: 20) { nodes { id givenName familyName contacts { id name phone } \
             visits(first: 3) { nodes { id visitedAt department reason } } \
             documents(first: 3) { nodes { id title kind documentDate } } } } }",
            json!({}),
        ),
        (
            "patientSearch",
            "{ patientSearch(input: { name: \"Family7\" }, first: 20) { nodes { patient { id familyName } } } }",
            json!({}),
        ),
        (
            "documentSearch",
            "{ documentSearch(query: \"sleep\", first: 10) { edges { node { score passage { text } document { id } } } } }",
            json!({}),
        ),
        (
            "conversation",
            "query($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes { id body author { id displayName } } } } }",
            json!({ "id": subjects.conversation }),
        ),
        (
            "messageSend",
            "mutation($id: ID!) { messageSend(input: { conversationId: $id, body: \"Slept well.\" }) { \
             message { id } userErrors { code } } }",
            json!({ "id": subjects.conversation }),
        ),
        (
            "patientRegister",
            "mutation($name: String!) { patientRegister(input: { givenName: $name, familyName: $name, \
             birthDate: \"1990-05-17\", gender: FEMALE, acceptDuplicates: true }) { patient { id } userErrors { code } } }",
            json!({ "name": NAME }),
        ),
    ]
}

fn written(costs: &BTreeMap<&str, Cost>) -> String {
    let mut text = String::from(
        "# What a request costs: statements, round trips to the database, allocations (a tenth more or less is no change).\n",
    );
    for (name, cost) in costs {
        let _ = writeln!(text, "{name:<16} {:>3} {:>3} {:>6}", cost.statements, cost.round_trips, cost.allocations);
    }
    text
}

fn read(text: &str) -> BTreeMap<&str, Cost> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap();
            let mut number = || words.next().unwrap().parse().unwrap();
            (name, Cost { statements: number(), round_trips: number(), allocations: number() })
        })
        .collect()
}
