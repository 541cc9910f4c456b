//! Whoever sees a patient's data leaves a row that names the patient; whoever is refused or denied leaves one
//! too. Generated over the schema.

use anamnesis::access::Role;
use serde_json::Value;

use super::generated::{Api, Root, World};
use crate::harness::{Answer, TestApp};

/// How deep the answer is asked for.
const DEPTH: usize = 3;

/// What the description of a type says when it holds data of patients.
const SAYS: &[&str] = &["Needs `patients.", "Needs `documents."];

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

/// Outcomes and patients of the rows of one request.
async fn rows(app: &TestApp, answer: &Answer) -> Vec<(String, Option<String>)> {
    let request = answer.headers["x-request-id"].to_str().unwrap();
    app.db_query(&format!("SELECT outcome, patient_id FROM audit_log WHERE request_id = '{request}'"))
        .await
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone()))
        .collect()
}

fn phi_queries(api: &Api) -> Vec<Root> {
    let roots: Vec<_> = api.roots().into_iter().filter(|root| !root.mutation).collect();
    roots.into_iter().filter(|root| holds_phi(api, api.returned(root), 2)).collect()
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
        let document = Api::operation(&root, &api.deep(api.returned(&root), DEPTH), &variables);
        let answer = maker.run(&document, variables).await;
        assert!(answer.errors.is_empty(), "{}: {:?}", root.name(), answer.errors);
        let seen = rows(&app, &answer).await;
        if !seen.iter().any(|(outcome, of)| outcome == "success" && of.as_deref() == Some(patient.as_str())) {
            silent.push(format!("{}: {seen:?} for {}", root.name(), answer.data));
        }
    }
    assert!(silent.is_empty(), "shown without a trace:\n{}", silent.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_and_refused_attempts_leave_a_row() {
    let app = TestApp::start().await;
    let api = Api::read();
    let World { ids, maker } = World::fill(&app, &api, app.facility).await;
    let patient = app.member(&[Role::Patient]).await;
    let (mut silent, mut denied, mut refused) = (Vec::new(), 0, 0);
    for root in api.roots() {
        let variables = api.variables(&root, &ids, false);
        let document = Api::operation(&root, &api.shallow(&root), &variables);
        let callers: &[(&str, crate::harness::Client)] =
            &[("anonymous", app.anonymous()), ("patient", patient.clone()), ("maker", maker.clone())];
        for (name, client) in callers {
            // They end the session, or the membership, of the calls to come; and a file needs multipart.
            if matches!(root.name(), "signOut" | "memberLeave" | "documentUpload") {
                continue;
            }
            let answer = client.run(&document, variables.clone()).await;
            let expected = match answer.errors.first() {
                Some(_) if matches!(answer.code(), "FORBIDDEN" | "UNAUTHENTICATED") => "denied",
                None if user_errors(&root, &answer) => "refused",
                _ => continue,
            };
            *(if expected == "denied" { &mut denied } else { &mut refused }) += 1;
            let seen = rows(&app, &answer).await;
            if !seen.iter().any(|(outcome, _)| outcome == expected) {
                silent.push(format!("{} as {name}: wants {expected}, has {seen:?}", root.name()));
            }
        }
    }
    assert!(silent.is_empty(), "without a trace:\n{}", silent.join("\n"));
    assert!(denied > 50 && refused > 10, "{denied} denied, {refused} refused");
}

fn user_errors(root: &Root, answer: &Answer) -> bool {
    answer.data[root.name()]["userErrors"].as_array().is_some_and(|errors: &Vec<Value>| !errors.is_empty())
}
