//! Every object with an id is found by it alone, and another facility's is not. Generated over the schema.

use anamnesis::ids::{FacilityId, TypedId as _, encode_as};
use serde_json::{Value, json};

use super::generated::{Api, Ids, World, opaque};
use crate::harness::TestApp;

const NODE: &str = "query($id: ID!) { node(id: $id) { __typename id } }";
const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

/// The prefix of the ids of a type.
fn prefix(ty: &str) -> String {
    let id = encode_as(ty, uuid::Uuid::nil()).unwrap_or_else(|| panic!("no kind of id is for {ty}"));
    id.split_once('_').unwrap().0.to_owned()
}

/// A world with what no single mutation makes: a signature, a job that waits for a person, a session of one's own.
async fn world(app: &TestApp, api: &Api, facility: FacilityId) -> World {
    let mut world = World::fill(app, api, facility).await;
    let sign = "mutation($input: NoteSignInput!) { noteSign(input: $input) { note { signatures { id } } userErrors { code } } }";
    let input = json!({ "id": world.ids["doc"], "expectedVersion": 2 });
    let signed = world.maker.run(sign, json!({ "input": input })).await.ok();
    let signature = &signed["noteSign"]["note"]["signatures"][0]["id"];
    world.ids.insert("sig".into(), signature.as_str().unwrap_or_else(|| panic!("{signed}")).to_owned());
    let job = uuid::Uuid::now_v7().to_string();
    app.db_execute(&format!(
        "INSERT INTO jobs (facility_id, id, kind, payload, state, run_at, max_attempts, created_at, updated_at) \
         VALUES ('{}', '{job}', 'test', '{{}}', 'dead', now(), 8, now(), now())",
        facility.uuid()
    ))
    .await;
    world.ids.insert("job".into(), opaque("job", &job));
    let told = world.maker.run("{ notifications(first: 1) { nodes { id } } }", Value::Null).await.ok();
    world.ids.insert("ntf".into(), told["notifications"]["nodes"][0]["id"].as_str().unwrap().to_owned());
    let viewer = world.maker.run("{ viewer { session { id } } }", Value::Null).await.ok();
    world.ids.insert("ses".into(), viewer["viewer"]["session"]["id"].as_str().unwrap().to_owned());
    world
}

/// Types of nodes with an id each.
fn nodes<'a>(api: &'a Api, ids: &Ids) -> Vec<(&'a str, String)> {
    let (_, nodes) = api.identified();
    let id = |ty: &str| ids.get(&prefix(ty)).cloned().unwrap_or_else(|| panic!("no fixture of type {ty}"));
    nodes.into_iter().map(|ty| (ty, id(ty))).collect()
}

#[test]
fn every_type_with_an_id_is_a_node() {
    let api = Api::read();
    let (identified, nodes) = api.identified();
    assert_eq!(identified, nodes);
    assert!(nodes.len() >= 18, "{nodes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_is_found_by_its_id_and_anothers_is_not() {
    let app = TestApp::start().await;
    let api = Api::read();
    let ours = world(&app, &api, app.facility).await;
    let theirs = world(&app, &api, app.other).await;
    let (mine, foreign) = (nodes(&api, &ours.ids), nodes(&api, &theirs.ids));
    let expected: Vec<Value> = mine.iter().map(|(ty, id)| json!({ "__typename": ty, "id": id })).collect();

    let ids: Vec<&String> = mine.iter().map(|(_, id)| id).collect();
    let found = ours.maker.run(NODES, json!({ "ids": ids })).await.ok();
    assert_eq!(found["nodes"], Value::from(expected.clone()));
    for ((ty, id), expected) in mine.iter().zip(&expected) {
        let found = ours.maker.run(NODE, json!({ "id": id })).await.ok();
        assert_eq!(found["node"], *expected, "{ty}");
        assert_eq!(app.anonymous().run(NODE, json!({ "id": id })).await.code(), "UNAUTHENTICATED", "{ty}");
    }

    let ids: Vec<&String> = foreign.iter().map(|(_, id)| id).collect();
    let found = ours.maker.run(NODES, json!({ "ids": ids })).await.ok();
    assert_eq!(found["nodes"], Value::from(vec![Value::Null; foreign.len()]));
    for (ty, id) in &foreign {
        assert_eq!(ours.maker.run(NODE, json!({ "id": id })).await.ok()["node"], Value::Null, "{ty}");
    }
    // The same ids are there for those whose they are.
    for (ty, id) in &foreign {
        assert_eq!(theirs.maker.run(NODE, json!({ "id": id })).await.ok()["node"]["__typename"], *ty);
    }
}

/// What is asked for by ids costs as much as it may show.
#[tokio::test]
async fn nodes_cost_as_many_times_as_ids_are_given() {
    let app = TestApp::start().await;
    let member = app.member(&[anamnesis::access::Role::Nurse]).await;
    let ids: Vec<String> = (0..10).map(|_| opaque("pat", &uuid::Uuid::now_v7().to_string())).collect();
    let cost = async |count: usize| {
        let answer = member.run(NODES, json!({ "ids": ids[..count] })).await;
        assert_eq!(answer.data["nodes"], Value::from(vec![Value::Null; count]));
        answer.extensions["cost"]["complexity"]["is"].clone()
    };
    assert_eq!((cost(1).await, cost(10).await), (json!(2), json!(11)));
    // Of one kind, they are one question to the database.
    let before = app.app.database.statements();
    cost(1).await;
    let one = app.app.database.statements() - before;
    cost(10).await;
    assert_eq!(app.app.database.statements() - before - one, one);
}

#[tokio::test]
async fn what_is_no_id_of_an_object_is_refused() {
    let app = TestApp::start().await;
    let member = app.member(&[anamnesis::access::Role::Nurse]).await;
    for id in ["", "nonsense", "zzz_AAAAAAAAAAAAAAAAAAAAAA", "dgn_AAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(member.run(NODE, json!({ "id": id })).await.code(), "BAD_USER_INPUT", "{id}");
    }
}
