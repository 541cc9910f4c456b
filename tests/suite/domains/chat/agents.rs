//! Setting assistants up and inviting them.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{AGENT, begin, create, db_state, done, id_of, invite_agent, look, refusal, refused, run, set_up, try_run};
use crate::harness::TestApp;

#[tokio::test]
async fn an_administrator_sets_an_assistant_up_and_members_read_it() {
    let app = TestApp::start().await;
    let (administrator, nurse) = (app.member(&[Role::Administrator]).await, app.member(&[Role::Nurse]).await);
    let input = json!({ "name": " Scribe ", "purpose": "Finds things.", "style": "Briefly.",
        "boundaries": ["billing"], "modelName": "small-1", "retrievalScope": "ALL" });
    let made = done(&administrator, "agentCreate", "AgentCreateInput", AGENT, input).await["agent"].take();
    assert_eq!(made["name"], "Scribe");
    assert_eq!((&made["retrievalScope"], &made["active"], &made["version"]), (&json!("ALL"), &json!(true), &json!(1)));
    assert_eq!(made["createdBy"]["id"], id_of(&administrator));
    let list = "query($active: Boolean) { agents(activeOnly: $active) { id name boundaries modelName style } }";
    let listed = nurse.run(list, json!({})).await.ok();
    assert_eq!(listed["agents"][0]["boundaries"], json!(["billing"]));

    let change = json!({ "id": made["id"], "expectedVersion": 1, "style": null, "name": "Finder" });
    let changed = done(&administrator, "agentUpdate", "AgentUpdateInput", AGENT, change).await["agent"].take();
    assert_eq!((&changed["name"], &changed["style"]), (&json!("Finder"), &Value::Null));
    assert_eq!((&changed["modelName"], &changed["version"]), (&json!("small-1"), &json!(2)));
    let status = json!({ "id": made["id"], "expectedVersion": 2 });
    let off = done(&administrator, "agentDeactivate", "AgentStatusInput", AGENT, status).await["agent"].take();
    assert_eq!((&off["active"], &off["version"]), (&json!(false), &json!(3)));
    assert_eq!(nurse.run(list, json!({ "active": true })).await.ok()["agents"], json!([]));
    let status = json!({ "id": made["id"], "expectedVersion": 3 });
    let on = done(&administrator, "agentActivate", "AgentStatusInput", AGENT, status).await["agent"].take();
    assert_eq!(on["active"], true);
}

#[tokio::test]
async fn what_an_assistant_may_not_be_is_refused_and_others_set_none_up() {
    let app = TestApp::start().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let id = set_up(&administrator, json!({})).await;
    let before = db_state(&app).await;
    let long = "x".repeat(101);
    for (input, expected) in [
        (json!({ "name": " ", "purpose": "p" }), refused("INVALID", "input.name")),
        (json!({ "name": long, "purpose": "p" }), refused("INVALID", "input.name")),
        (json!({ "name": "Scribe", "purpose": "p" }), refused("NAME_TAKEN", "input.name")),
        (json!({ "name": "a", "purpose": " " }), refused("INVALID", "input.purpose")),
        (json!({ "name": "a", "purpose": "p", "style": "" }), refused("INVALID", "input.style")),
        (json!({ "name": "a", "purpose": "p", "boundaries": ["a\nb"] }), refused("INVALID", "input.boundaries")),
        (json!({ "name": "a", "purpose": "p", "modelName": "" }), refused("INVALID", "input.modelName")),
    ] {
        let answer = run(&administrator, "agentCreate", "AgentCreateInput", AGENT, input.clone()).await;
        assert_eq!(refusal(&answer), expected, "{input}");
    }
    let stale = json!({ "id": id, "expectedVersion": 7, "name": "b" });
    let answer = run(&administrator, "agentUpdate", "AgentUpdateInput", AGENT, stale.clone()).await;
    assert_eq!(refusal(&answer), refused("STALE_VERSION", "input.expectedVersion"));
    let input = json!({ "name": "b", "purpose": "p" });
    for role in [Role::Physician, Role::SystemAdmin, Role::Patient] {
        let client = app.member(&[role]).await;
        let answer = try_run(&client, "agentCreate", "AgentCreateInput", AGENT, input.clone()).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{role:?}");
    }
    let anonymous = try_run(&app.anonymous(), "agentCreate", "AgentCreateInput", AGENT, input).await;
    assert_eq!(anonymous.code(), "UNAUTHENTICATED");
    let stranger = app.member_of(app.other, &[Role::Administrator]).await;
    let answer = try_run(&stranger, "agentUpdate", "AgentUpdateInput", AGENT, stale).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    assert_eq!(db_state(&app).await, before);
}

#[tokio::test]
async fn an_owner_invites_an_assistant_where_no_patient_takes_part() {
    let app = TestApp::start().await;
    let administrator = app.member(&[Role::Administrator]).await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let agent = set_up(&administrator, json!({})).await;
    let id = begin(&nurse, &[&physician]).await;
    let before = db_state(&app).await;
    let answer = invite_agent(&physician, &id, &agent).await;
    assert_eq!(refusal(&answer), refused("NOT_OWNER", "input"));
    let mail = json!({ "kind": "SECURE_MAIL", "title": "t", "participantIds": [id_of(&physician)] });
    assert_eq!(db_state(&app).await, before);
    let mail = create(&nurse, mail).await["conversation"]["id"].take();
    assert_eq!(refusal(&invite_agent(&nurse, &mail, &agent).await), refused("MAY_NOT_TAKE_PART", "input.id"));
    let input = json!({ "id": id, "agentId": agent });
    let answer =
        try_run(&administrator, "conversationInviteAgent", "ConversationAgentInput", "__typename", input).await;
    assert_eq!(answer.code(), "NOT_FOUND", "who takes no part sees no conversation");

    let invited = invite_agent(&nurse, &id, &agent).await;
    assert_eq!(invited["conversation"]["agents"], json!([{ "id": agent, "name": "Scribe" }]));
    assert_eq!(refusal(&invite_agent(&nurse, &id, &agent).await), refused("ALREADY_THERE", "input.agentId"));
    assert_eq!(look(&physician, &id, "agents { id }").await["agents"][0]["id"], agent);
    let seat = json!({ "id": id, "agentId": agent });
    let remove = |client| {
        run(client, "conversationRemoveAgent", "ConversationAgentInput", "conversation { agents { id } }", seat.clone())
    };
    assert_eq!(refusal(&remove(&physician).await), refused("NOT_OWNER", "input"));
    assert_eq!(remove(&nurse).await["conversation"]["agents"], json!([]));
    assert_eq!(refusal(&remove(&nurse).await), refused("NOT_THERE", "input.agentId"));
    let off = json!({ "id": agent, "expectedVersion": 1 });
    done(&administrator, "agentDeactivate", "AgentStatusInput", AGENT, off).await;
    assert_eq!(refusal(&invite_agent(&nurse, &id, &agent).await), refused("AGENT_NOT_FOUND", "input.agentId"));
}

#[tokio::test]
async fn an_escalation_names_who_is_to_see_to_it() {
    let app = TestApp::start().await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let outside = app.member(&[Role::Nurse]).await;
    let id = begin(&nurse, &[&physician]).await;
    let selection = "conversation { status version assignedTo { id } }";
    let to = |user: Value, version: i32| json!({ "id": id, "expectedVersion": version, "assigneeId": user });
    let escalate = |input| run(&nurse, "conversationEscalate", "ConversationEscalateInput", selection, input);
    let before = db_state(&app).await;
    assert_eq!(refusal(&escalate(to(json!(id_of(&outside)), 1)).await), refused("NOT_THERE", "input.assigneeId"));
    assert_eq!(db_state(&app).await, before);
    let done_so = escalate(to(json!(id_of(&physician)), 1)).await["conversation"].take();
    assert_eq!(done_so["assignedTo"]["id"], id_of(&physician));
    let told = physician.run("{ notifications { nodes { kind } } }", json!({})).await.ok();
    assert!(told.to_string().contains("CONVERSATION_ESCALATED"), "{told}");
    let over = json!({ "id": id, "expectedVersion": done_so["version"] });
    let reopened = done(&nurse, "conversationReopen", "ConversationStatusInput", selection, over).await;
    assert_eq!(reopened["conversation"]["assignedTo"], Value::Null);
}
