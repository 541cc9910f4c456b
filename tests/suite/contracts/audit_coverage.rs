//! Whoever sees a patient's data leaves a row that names the patient; whoever is refused or denied leaves one
//! too. Generated over the schema.

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _};
use serde_json::Value;

use super::generated::{Api, Root, World};
use crate::harness::{Answer, TestApp};

/// How deep the answer is asked for.
const DEPTH: usize = 3;

/// What the description of a type says when it holds data of patients.
const SAYS: &[&str] = &["Needs `patients.", "Needs `documents.", "Needs `chat."];

/// Whether a field returns data of patients, at any depth reachable here.
fn holds_phi(api: &Api, ty: &str, depth: usize) -> bool {
    if SAYS.iter().any(|says| api.description(ty).contains(says)) || ty == "Node" {
        return true;
    }
    depth > 0
        && api.fields(ty).iter().any(|field| match &field.ty.node.base {
            async_graphql::parser::types::BaseType::Named(name) => known(api, name) && holds_phi(api, name, depth - 1),
            async_graphql::parser::types::BaseType::List(inner) => match &inner.base {
                async_graphql::parser::types::BaseType::Named(name) => {
                    known(api, name) && holds_phi(api, name, depth - 1)
                }
                async_graphql::parser::types::BaseType::List(_) => false,
            },
        })
}

fn known(api: &Api, ty: &str) -> bool {
    !api.fields(ty).is_empty()
}

/// A row of the log.
#[derive(Debug)]
struct Recorded {
    outcome: String,
    patient: Option<String>,
    facility: String,
}

/// The rows of one request.
async fn rows(app: &TestApp, answer: &Answer) -> Vec<Recorded> {
    let request = answer.headers["x-request-id"].to_str().unwrap();
    app.db_query(&format!("SELECT outcome, patient_id, facility_id FROM audit_log WHERE request_id = '{request}'"))
        .await
        .into_iter()
        .map(|row| Recorded {
            outcome: row[0].clone().unwrap(),
            patient: row[1].clone(),
            facility: row[2].clone().unwrap(),
        })
        .collect()
}

fn phi_queries(api: &Api) -> Vec<Root> {
    let roots: Vec<_> = api.roots().into_iter().filter(|root| !root.mutation).collect();
    roots.into_iter().filter(|root| holds_phi(api, Api::returned(root), 2)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_that_shows_a_patient_names_them_in_the_audit_log() {
    let app = TestApp::start_with(&[("ANAMNESIS_MAX_COMPLEXITY", "100000000"), ("ANAMNESIS_MAX_DEPTH", "50")]).await;
    let api = Api::read();
    let World { ids, maker } = World::fill(&app, &api, app.facility).await;
    let patient: anamnesis::ids::PatientId = anamnesis::ids::TypedId::decode(&ids["pat"]).unwrap();
    let patient = anamnesis::ids::TypedId::uuid(patient).to_string();
    let roots = phi_queries(&api);
    assert!(roots.len() >= 7, "only {} queries show patients", roots.len());
    let mut silent = Vec::new();
    for root in roots {
        let variables = api.variables(&root, &ids, false);
        let document = Api::operation(&root, &api.deep(Api::returned(&root), DEPTH), &variables);
        let answer = maker.run(&document, variables).await;
        assert!(answer.errors.is_empty(), "{}: {:?}", root.name(), answer.errors);
        let seen = rows(&app, &answer).await;
        if !seen.iter().any(|row| row.outcome == "success" && row.patient.as_deref() == Some(patient.as_str())) {
            silent.push(format!("{}: {seen:?} for {}", root.name(), answer.data));
        }
    }
    assert!(silent.is_empty(), "shown without a trace:\n{}", silent.join("\n"));
}

/// What the log must say of an answer; `None` when it was neither denied nor refused.
fn outcome(root: &Root, answer: &Answer) -> Option<&'static str> {
    let refused =
        answer.data[root.name()]["userErrors"].as_array().is_some_and(|errors: &Vec<Value>| !errors.is_empty());
    match answer.errors.first() {
        None => refused.then_some("refused"),
        Some(_) => match answer.code() {
            "FORBIDDEN" | "UNAUTHENTICATED" => Some("denied"),
            "NOT_FOUND" | "BAD_USER_INPUT" | "LIMIT_EXCEEDED" if root.mutation => Some("refused"),
            _ => None,
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_and_refused_attempts_leave_a_row() {
    let app = TestApp::start().await;
    let api = Api::read();
    let World { ids, maker } = World::fill(&app, &api, app.facility).await;
    let patient = app.member(&[Role::Patient]).await;
    let callers = [("anonymous", app.anonymous()), ("patient", patient), ("maker", maker)];
    let (ours, platform) = (app.facility.uuid().to_string(), FacilityId::PLATFORM.uuid().to_string());
    let (mut silent, mut denied, mut refused) = (Vec::new(), 0, 0);
    for root in api.roots() {
        // They end the session, or the membership, of the calls to come.
        if matches!(root.name(), "signOut" | "memberLeave") {
            continue;
        }
        for (name, client) in &callers {
            for variables in [api.variables(&root, &ids, false), api.unfit_variables(&root, &ids)] {
                let answer = api.call(client, &root, variables.clone()).await;
                let Some(expected) = outcome(&root, &answer) else { continue };
                *(if expected == "denied" { &mut denied } else { &mut refused }) += 1;
                let seen = rows(&app, &answer).await;
                // What is denied stands in the log of the facility that was bound, else of the platform.
                let bound = if *name == "anonymous" { &platform } else { &ours };
                let there =
                    |row: &Recorded| row.outcome == expected && (expected == "refused" || row.facility == *bound);
                if !seen.iter().any(there) {
                    silent.push(format!("{} as {name} {variables}: wants {expected}, has {seen:?}", root.name()));
                }
            }
        }
    }
    assert!(silent.is_empty(), "without a trace:\n{}", silent.join("\n"));
    assert!(denied > 150 && refused > 60, "{denied} denied, {refused} refused");
}

/// A session or a membership that has ended since its token was signed is a denial like any other.
#[tokio::test]
async fn who_comes_with_what_has_ended_leaves_a_row() {
    let app = TestApp::start().await;
    let query = "{ patients { nodes { id } } }";
    let mutation = "mutation { patientArchive(input: { id: \"pat_AAAAAAAAAAAAAAAAAAAAAA\", expectedVersion: 1 }) { userErrors { code } } }";
    for ended in [
        "UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'revoked' WHERE user_id = '{user}'",
        "UPDATE facility_members SET status = 'suspended', suspended_at = now(), status_reason = 'under_review' WHERE user_id = '{user}'",
    ] {
        let administrator = app.member(&[Role::Administrator]).await;
        let user = administrator.user.unwrap().uuid().to_string();
        app.db_execute(&ended.replace("{user}", &user)).await;
        for document in [query, mutation] {
            let answer = administrator.run(document, Value::Null).await;
            assert_eq!(answer.code(), "UNAUTHENTICATED");
            let seen = rows(&app, &answer).await;
            let there: Vec<_> = seen.iter().map(|row| (row.outcome.as_str(), row.facility.as_str())).collect();
            assert_eq!(there, [("denied", app.facility.uuid().to_string().as_str())], "{document}");
        }
    }
}

/// Also where the choice of a facility is asked outside any.
#[tokio::test]
async fn who_chooses_a_facility_with_a_session_that_has_ended_leaves_a_row() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let user = nurse.user.unwrap().uuid();
    app.db_execute(&format!(
        "UPDATE user_sessions SET revoked_at = now(), revoked_reason = 'revoked' WHERE user_id = '{user}'"
    ))
    .await;
    let choose = "mutation($id: ID!) { facilitySelect(input: { facilityId: $id }) { userErrors { code } } }";
    let answer = nurse.run(choose, serde_json::json!({ "id": app.facility.encode() })).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    let seen = rows(&app, &answer).await;
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].outcome.as_str(), &seen[0].facility), ("denied", &FacilityId::PLATFORM.uuid().to_string()));
}

/// A request cannot fill the log: what it is denied many times stands there once.
#[tokio::test]
async fn one_request_leaves_one_row_for_each_action_denied() {
    let app = TestApp::start().await;
    let many: Vec<String> = (0..20).map(|number| format!("a{number}: patients {{ nodes {{ id }} }}")).collect();
    let answer = app.anonymous().run(&format!("{{ {} }}", many.join(" ")), Value::Null).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    assert_eq!(rows(&app, &answer).await.len(), 1);
}
