//! What assistants are to keep in mind.

use anamnesis::access::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{db_state, done, refusal, refused, run, set_up, try_run};
use crate::harness::{Client, TestApp};

const MEMORY: &str = "memory { id fact importance halfLifeDays strength agent { id } }";

async fn remember(client: &Client, agent: &Value, fact: &str, importance: f64, days: i32) -> Value {
    let input = json!({ "agentId": agent, "fact": fact, "importance": importance, "halfLifeDays": days });
    done(client, "agentRemember", "AgentRememberInput", MEMORY, input).await["memory"].take()
}

async fn listed(client: &Client, agent: &Value) -> Vec<(Value, Value)> {
    let document = "query($id: ID!) { agentMemories(agentId: $id) { fact strength } }";
    let mut found = client.run(document, json!({ "id": agent })).await.ok();
    let found: Vec<Value> = serde_json::from_value(found["agentMemories"].take()).unwrap();
    found.into_iter().map(|mut one| (one["fact"].take(), one["strength"].take())).collect()
}

#[tokio::test]
async fn a_memory_fades_and_is_gone_when_forgotten() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let agent = set_up(&app.member(&[Role::Administrator]).await, json!({})).await;
    let fast = remember(&nurse, &agent, " Zqfact fast ", 1.0, 10).await;
    assert_eq!((&fast["fact"], &fast["strength"]), (&json!("Zqfact fast"), &json!(1.0)));
    remember(&nurse, &agent, "Zqfact slow", 0.5, 1000).await;
    assert_eq!(listed(&nurse, &agent).await[0].0, "Zqfact fast");
    app.advance(TimeDelta::days(20));
    let nurse = app.signed_in(nurse.user.unwrap(), app.facility).await;
    let later = listed(&nurse, &agent).await;
    assert_eq!((&later[0].0, &later[1].0), (&json!("Zqfact slow"), &json!("Zqfact fast")));
    assert_eq!(later[1].1, json!(0.25));
    assert!(!app.db_dump().contains("Zqfact"), "kept in clear");

    let other = app.member(&[Role::Nurse]).await;
    assert_eq!(listed(&other, &agent).await, []);
    let input = json!({ "memoryId": fast["id"] });
    let answer = try_run(&other, "agentForget", "AgentForgetInput", "forgottenId", input.clone()).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    let gone = done(&nurse, "agentForget", "AgentForgetInput", "forgottenId", input).await;
    assert_eq!(gone["forgottenId"], fast["id"]);
    assert_eq!(listed(&nurse, &agent).await.len(), 1);
    assert_eq!(app.db_value("SELECT count(*) FROM conversation_memories").await, "1");
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'agents.memory' AND outcome = 'success' \
        AND detail ->> 'change' = 'forgotten'";
    assert_eq!(app.db_value(audited).await, "1");
}

#[tokio::test]
async fn what_cannot_be_remembered_is_refused() {
    let app = TestApp::start().await;
    let nurse = app.member(&[Role::Nurse]).await;
    let agent = set_up(&app.member(&[Role::Administrator]).await, json!({})).await;
    let before = db_state(&app).await;
    for (input, field) in [
        (json!({ "agentId": agent, "fact": " " }), "input.fact"),
        (json!({ "agentId": agent, "fact": "x".repeat(501) }), "input.fact"),
        (json!({ "agentId": agent, "fact": "x", "importance": 1.1 }), "input.importance"),
        (json!({ "agentId": agent, "fact": "x", "halfLifeDays": 0 }), "input.halfLifeDays"),
    ] {
        let answer = run(&nurse, "agentRemember", "AgentRememberInput", MEMORY, input).await;
        assert_eq!(refusal(&answer), refused("INVALID", field));
    }
    let input = json!({ "agentId": agent, "fact": "x" });
    let stranger = app.member_of(app.other, &[Role::Nurse]).await;
    let answer = run(&stranger, "agentRemember", "AgentRememberInput", MEMORY, input.clone()).await;
    assert_eq!(refusal(&answer), refused("AGENT_NOT_FOUND", "input.agentId"));
    let patient = app.member(&[Role::Patient]).await;
    let answer = try_run(&patient, "agentRemember", "AgentRememberInput", MEMORY, input.clone()).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    let answer = try_run(&app.anonymous(), "agentRemember", "AgentRememberInput", MEMORY, input).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    assert_eq!(db_state(&app).await, before);
}
