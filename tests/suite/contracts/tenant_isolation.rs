//! Every field that takes ids, called with another facility's: nothing is shown, nothing changes.

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _, UserId};
use serde_json::Value;

use super::generated::{Api, Root, World};
use crate::harness::{Answer, TestApp};

/// Fields whose ids are filters: nothing is found by them, and what is kept of them finds nothing.
const FILTERED: &[&str] =
    &["auditLog", "documentPassagesLike", "documentSearch", "documentSearchSave", "notificationMarkRead"];

/// Codes with which a call may end that named what is not the caller's.
const REFUSALS: &[&str] = &["NOT_FOUND", "FORBIDDEN", "BAD_USER_INPUT"];

/// Whether an answer holds anything but refusals.
fn shows(root: &Root, answer: &Answer) -> bool {
    if !answer.errors.is_empty() {
        return false;
    }
    let value = &answer.data[root.name()];
    if let Some(refused) = value["userErrors"].as_array() {
        return refused.is_empty();
    }
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(|item| !item.is_null()),
        Value::Object(fields) => fields.get("nodes").and_then(Value::as_array).is_none_or(|nodes| !nodes.is_empty()),
        _ => true,
    }
}

/// A fingerprint of every row of a facility, and of one of its people.
async fn fingerprint(app: &TestApp, facility: FacilityId, user: UserId) -> Vec<(String, Option<String>)> {
    let tables = app
        .db_query(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
             AND a.attname IN ('facility_id', 'user_id') \
             AND (a.attname = 'facility_id' OR NOT EXISTS (SELECT FROM pg_attribute f WHERE f.attrelid = c.oid \
                 AND f.attname = 'facility_id')) \
             UNION VALUES ('facilities', 'id'), ('users', 'id') ORDER BY 1",
        )
        .await;
    let mut prints = Vec::new();
    for row in tables {
        let (table, column) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        let owner = if column == "user_id" || table == "users" { user.uuid() } else { facility.uuid() };
        let print = app
            .db_query(&format!(
                "SELECT count(*) || ':' || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t WHERE {column} = '{owner}'"
            ))
            .await;
        prints.push((table, print[0][0].clone()));
    }
    prints
}

/// Puts an id where it belongs in the variables.
fn put(variables: &mut Value, path: &[String], id: &str) {
    let (last, parents) = path.split_last().unwrap();
    let mut place = variables;
    for part in parents {
        if place.get(part).is_none() {
            place[part] = Value::Object(serde_json::Map::new());
        }
        place = &mut place[part];
        if place.is_array() {
            place = &mut place[0];
        }
    }
    if place.get(last).is_some_and(Value::is_array) {
        place[last][0] = id.into();
    } else {
        place[last] = id.into();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_facilitys_ids_show_and_change_nothing() {
    let app = TestApp::start().await;
    let api = Api::read();
    let ours = World::fill(&app, &api, app.facility).await;
    let theirs = World::fill(&app, &api, app.other).await;
    let intruder = app.member_of(app.facility, Role::ALL).await;
    let their_user = UserId::decode(&theirs.ids["usr"]).unwrap();
    let before = fingerprint(&app, app.other, their_user).await;
    assert!(before.iter().filter(|(_, print)| print.is_some()).count() > 10, "the other facility is empty");

    let mut faults = Vec::new();
    let mut called = 0;
    for root in api.roots() {
        let places = api.id_places(&root);
        if places.is_empty() {
            continue;
        }
        // All ids of the other facility; then each of them alone among our own.
        let mut calls = vec![api.variables(&root, &theirs.ids, true)];
        for (path, kind) in &places {
            let mut variables = api.variables(&root, &ours.ids, false);
            put(&mut variables, path, &theirs.ids[kind]);
            calls.push(variables);
        }
        for variables in calls {
            called += 1;
            let answer = api.call(&intruder, &root, variables.clone()).await;
            let refused = answer.errors.is_empty() || REFUSALS.contains(&answer.code());
            // Lists narrowed by a filter are answered with what of one's own passes it.
            if (shows(&root, &answer) && !FILTERED.contains(&root.name())) || !refused {
                faults.push(format!("{} {variables}: {} {:?}", root.name(), answer.data, answer.errors));
            }
        }
    }
    assert!(faults.is_empty(), "answered with another facility's objects:\n{}", faults.join("\n"));
    assert!(called > 60, "only {called} calls");
    assert_eq!(before, fingerprint(&app, app.other, their_user).await);
}

/// The test above would see it: with one's own ids, every query shows something.
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_ids_show_something() {
    let app = TestApp::start().await;
    let api = Api::read();
    let World { ids, maker } = World::fill(&app, &api, app.facility).await;
    let mut empty = Vec::new();
    for root in api.roots().iter().filter(|root| !root.mutation && !api.id_places(root).is_empty()) {
        let answer = api.call(&maker, root, api.variables(root, &ids, false)).await;
        if !shows(root, &answer) {
            empty.push(format!("{}: {} {:?}", root.name(), answer.data, answer.errors));
        }
    }
    assert!(empty.is_empty(), "{}", empty.join("\n"));
}
