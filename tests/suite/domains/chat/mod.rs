//! Conversations, through the API.

mod access;
mod agents;
mod answers;
mod changes;
mod conversations;
mod drafts;
mod events;
mod export;
mod keeping;
mod memories;
mod messages;
mod participants;
mod receipts;
mod scopes;
mod search;
mod unread;
mod whatsapp;

use anamnesis::ids::TypedId as _;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, TestApp};

/// Tables of the domain, each of which a refused operation must leave as it was.
const TABLES: &[&str] = &[
    "conversations",
    "conversation_participants",
    "messages",
    "message_versions",
    "message_reactions",
    "message_mentions",
    "message_attachments",
    "message_drafts",
    "message_terms",
    "message_embeddings",
    "agents",
    "conversation_agents",
    "assistant_answers",
    "conversation_memories",
    "whatsapp_integrations",
    "whatsapp_integration_members",
    "whatsapp_contacts",
    "whatsapp_deliveries",
    "whatsapp_receipts",
];

const CONVERSATION: &str = "conversation { id kind title tags priority status messageCount version patient { id }
    createdBy { id } participants { role party user { id } invitedBy { id } } }";
const MESSAGE: &str =
    "message { id sequence kind body systemEvent sensitivity version author { id } parent { id } threadRoot { id }
    conversation { id } editedAt deletedAt }";

/// What a mutation answers.
async fn try_run(client: &Client, field: &str, ty: &str, selection: &str, input: Value) -> Answer {
    let document = format!(
        "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code field message }} }} }}"
    );
    client.run(&document, json!({ "input": input })).await
}

/// The payload of a mutation that is answered.
async fn run(client: &Client, field: &str, ty: &str, selection: &str, input: Value) -> Value {
    try_run(client, field, ty, selection, input).await.ok()[field].take()
}

/// The same of one that must be done.
async fn done(client: &Client, field: &str, ty: &str, selection: &str, input: Value) -> Value {
    let payload = run(client, field, ty, selection, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{field}");
    payload
}

async fn create(client: &Client, input: Value) -> Value {
    run(client, "conversationCreate", "ConversationCreateInput", CONVERSATION, input).await
}

/// A general conversation with these; gives its id.
async fn begin(client: &Client, with: &[&Client]) -> Value {
    let with: Vec<String> = with.iter().map(|one| id_of(one)).collect();
    let begun = create(client, json!({ "kind": "GENERAL", "title": "Beds", "participantIds": with })).await;
    assert_eq!(begun["userErrors"], json!([]));
    begun["conversation"]["id"].clone()
}

async fn try_send(client: &Client, conversation: &Value, body: &str) -> Value {
    let input = json!({ "conversationId": conversation, "body": body });
    run(client, "messageSend", "MessageSendInput", MESSAGE, input).await
}

/// Sends a message; gives it.
async fn send(client: &Client, conversation: &Value, body: &str) -> Value {
    let sent = try_send(client, conversation, body).await;
    assert_eq!(sent["userErrors"], json!([]));
    sent["message"].clone()
}

/// What a user sees of a conversation.
async fn look(client: &Client, conversation: &Value, selection: &str) -> Value {
    let document = format!("query($id: ID!) {{ conversation(id: $id) {{ {selection} }} }}");
    client.run(&document, json!({ "id": conversation })).await.ok()["conversation"].take()
}

/// Texts of a conversation; what the system says by what happened.
async fn said(client: &Client, conversation: &Value) -> Vec<Value> {
    let seen = look(client, conversation, "messages(first: 100) { nodes { body systemEvent } }").await;
    let nodes = seen["messages"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| if node["body"].is_null() { node["systemEvent"].clone() } else { node["body"].clone() })
        .collect()
}

fn id_of(client: &Client) -> String {
    client.user.unwrap().encode()
}

/// The code of the first refusal, and the field it is about.
fn refusal(payload: &Value) -> (String, String) {
    let first = &payload["userErrors"][0];
    let field = first["field"].as_array().unwrap_or_else(|| panic!("done: {payload}"));
    let field: Vec<&str> = field.iter().map(|part| part.as_str().unwrap()).collect();
    (first["code"].as_str().unwrap().to_owned(), field.join("."))
}

fn refused(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// What is in the tables of the domain, as one text.
async fn db_state(app: &TestApp) -> String {
    let mut state = String::new();
    for table in TABLES {
        state += &app
            .db_value(&format!(
                "SELECT '{table} ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), 'empty') FROM {table} t"
            ))
            .await;
        state.push('\n');
    }
    state
}

const AGENT: &str =
    "agent { id name purpose style boundaries modelName retrievalScope active version createdBy { id } }";

/// Sets an assistant up; gives its id.
async fn set_up(administrator: &Client, input: Value) -> Value {
    let mut whole = json!({ "name": "Scribe", "purpose": "Finds things in the record." });
    whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    done(administrator, "agentCreate", "AgentCreateInput", AGENT, whole).await["agent"]["id"].take()
}

async fn invite_agent(owner: &Client, conversation: &Value, agent: &Value) -> Value {
    let input = json!({ "id": conversation, "agentId": agent });
    run(owner, "conversationInviteAgent", "ConversationAgentInput", "conversation { agents { id name } }", input).await
}

/// A patient of the facility, registered by someone who may; gives the id.
async fn register(client: &Client) -> Value {
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let input = json!({ "givenName": "Alma", "familyName": "Reyes", "birthDate": "1980-01-01", "gender": "FEMALE", "acceptDuplicates": true });
    client.run(register, json!({ "input": input })).await.ok()["patientRegister"]["patient"]["id"].take()
}
