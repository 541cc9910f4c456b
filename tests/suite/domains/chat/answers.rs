//! Asking assistants, with a model and without one.

use std::process::Stdio;
use std::time::Duration;

use anamnesis::access::Role;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{begin, create, db_state, done, id_of, invite_agent, refusal, refused, run, set_up, try_run};
use crate::domains::documents::search::write_note;
use crate::domains::documents::{restrict, treats};
use crate::harness::{ChatModel, Client, Frame, Subscriber, TestApp, engines};

pub(super) const LITHIUM: &str =
    "Lithium 900 mg at night. Odile Fennimore called on 3/14/2025 from 617-555-0199; no tremor.";
const ANSWER: &str =
    "body kind modelName modelVersion confidence answer { outcome notice question { id body } agent { id }
    citations { document { id } passage { text } } }";
pub(super) const NOTICE: &str = "I am software, not a clinician: read the passages before you act on this.";
pub(super) const NOBODY_YET: &str = "question { id } answer { id body answer { outcome } }";

pub(super) async fn app_with(model: &ChatModel) -> TestApp {
    engines::provide_model().await;
    TestApp::start_with(&model.settings()).await
}

/// A patient who is known by more than a name.
pub(super) async fn odile(client: &Client) -> Value {
    let input = json!({ "givenName": "Odile", "familyName": "Fennimore", "birthDate": "1972-02-09", "gender": "FEMALE",
        "phone": "617-555-0199", "acceptDuplicates": true });
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    client.run(register, json!({ "input": input })).await.ok()["patientRegister"]["patient"]["id"].take()
}

/// A conversation about a patient in which an assistant answers.
pub(super) struct Scene {
    pub(super) conversation: Value,
    pub(super) agent: Value,
    pub(super) patient: Value,
}

pub(super) async fn scene(app: &TestApp, physician: &Client, with: &[&Client], setup: Value) -> Scene {
    let agent = set_up(&app.member(&[Role::Administrator]).await, setup).await;
    let patient = odile(physician).await;
    let users: Vec<String> = with.iter().map(|one| id_of(one)).collect();
    let input = json!({ "kind": "PATIENT", "patientId": patient, "participantIds": users });
    let conversation = create(physician, input).await["conversation"]["id"].take();
    assert_eq!(invite_agent(physician, &conversation, &agent).await["userErrors"], json!([]));
    Scene { conversation, agent, patient }
}

impl Scene {
    pub(super) fn input(&self, body: &str) -> Value {
        json!({ "conversationId": self.conversation, "agentId": self.agent, "body": body })
    }

    pub(super) async fn try_ask(&self, client: &Client, body: &str) -> Value {
        run(client, "messageAsk", "MessageAskInput", NOBODY_YET, self.input(body)).await
    }

    /// Asks, and gives the id of the message the answer will be in.
    pub(super) async fn ask(&self, client: &Client, body: &str) -> Value {
        let mut asked = done(client, "messageAsk", "MessageAskInput", NOBODY_YET, self.input(body)).await;
        assert_eq!(asked["answer"]["answer"]["outcome"], "PENDING");
        assert_eq!(asked["answer"]["body"], "");
        asked["answer"]["id"].take()
    }

    /// Asks, has the job done, and gives the answer.
    pub(super) async fn answered(&self, app: &TestApp, client: &Client, body: &str) -> Value {
        let id = self.ask(client, body).await;
        app.work().await;
        read(client, &id).await
    }
}

pub(super) async fn read(client: &Client, message: &Value) -> Value {
    let document = format!("query($id: ID!) {{ node(id: $id) {{ ... on Message {{ {ANSWER} }} }} }}");
    client.run(&document, json!({ "id": message })).await.ok()["node"].take()
}

/// A listener to a conversation who hears signals too: the server that listens to them may be about to at first.
async fn hearing(client: &Client, other: &Client, conversation: &Value) -> Subscriber {
    let (mut listener, _) = Subscriber::listening(client, json!({ "of": [conversation] })).await;
    let input = json!({ "conversationId": conversation });
    loop {
        done(other, "conversationTyping", "ConversationTypingInput", "conversationId", input.clone()).await;
        if let Some(Frame::Message(_)) = listener.hear_within(Duration::from_millis(300)).await {
            return listener;
        }
    }
}

/// What the listener is told next, but for who types.
async fn told(listener: &mut Subscriber) -> Value {
    loop {
        let event = listener.event().await;
        if event["kind"] != "TYPING" {
            return event;
        }
    }
}

#[tokio::test]
async fn an_answer_is_from_the_passages_it_cites_and_what_identifies_does_not_leave() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({ "style": "Briefly.", "modelName": "small-1" })).await;
    let note = write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    write_note(&physician, "Lithium 300 mg in the morning.", json!({})).await;
    app.work().await;

    model.say(&[
        "[PERSON_1] [PERSON_2] takes 900 mg of lithium at night, ",
        "as said on [DATE_1]. [1]\nShe takes 1200 mg. [1]\n",
        "Her brother [PERSON_9] agrees. [1]\nNothing else is known.",
    ]);
    let answer = scene.answered(&app, &physician, "How much lithium does Odile take?").await;
    let text = "Odile Fennimore takes 900 mg of lithium at night, as said on 3/14/2025. [1]";
    assert_eq!(answer["body"], format!("{text}\n\n{NOTICE}"));
    assert_eq!((&answer["kind"], &answer["modelName"]), (&json!("ASSISTANT"), &json!("small-1")));
    assert_eq!((&answer["modelVersion"], &answer["confidence"]), (&json!("scribe-2026-03"), &json!(0.25)));
    let came = &answer["answer"];
    assert_eq!((&came["outcome"], &came["agent"]["id"]), (&json!("ANSWERED"), &scene.agent));
    assert_eq!(came["question"]["body"], "How much lithium does Odile take?");
    assert_eq!(came["citations"], json!([{ "document": { "id": note }, "passage": { "text": LITHIUM } }]));

    let heard = model.heard();
    for hidden in ["Odile", "Fennimore", "3/14/2025", "617-555-0199", "300 mg"] {
        assert!(!heard.contains(hidden), "{hidden} left: {heard}");
    }
    assert!(heard.contains("How much lithium does [PERSON_1] take?") && heard.contains("small-1"));
    assert!(heard.contains("900 mg") && heard.contains("Briefly."));
    let audited = app
        .db_value("SELECT detail::text || (user_id IS NOT NULL)::text FROM audit_log WHERE action = 'chat.ask' AND detail ? 'sent'")
        .await;
    assert!(audited.contains("small-1") && audited.ends_with("true") && !audited.contains("ithium"), "{audited}");
    assert!(!app.db_dump().contains("Fennimore takes"), "kept in clear");
}

#[tokio::test]
async fn an_answer_grows_as_it_comes_and_ends_as_it_is_stored() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let nurse = app.member(&[Role::Nurse]).await;
    let scene = scene(&app, &physician, &[&nurse], json!({})).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    let mut listener = hearing(&physician, &nurse, &scene.conversation).await;
    let id = scene.ask(&physician, "lithium dose").await;
    assert_eq!(told(&mut listener).await["kind"], "MESSAGE_SENT");
    assert_eq!(told(&mut listener).await["kind"], "MESSAGE_SENT");
    model.hold();
    model.say(&["Lithium 900 mg at night. [1]\n", "No trem", "or. [1]\n"]);
    let beside = async {
        // The first sentence alone may be said: it is told and saved.
        model.go_on(1);
        let event = told(&mut listener).await;
        assert_eq!((&event["kind"], &event["subject"]["id"]), (&json!("MESSAGE_GREW"), &id));
        let partial = read(&physician, &id).await;
        assert_eq!(partial["body"], "Lithium 900 mg at night. [1]");
        assert_eq!(partial["answer"]["outcome"], "PENDING");
        model.go_on(3);
        loop {
            let event = told(&mut listener).await;
            assert_eq!(event["subject"]["id"], id);
            if event["kind"] == "MESSAGE_CHANGED" {
                break;
            }
        }
        read(&physician, &id).await
    };
    let (_, whole) = tokio::join!(app.work(), beside);
    assert_eq!(whole["body"], format!("Lithium 900 mg at night. [1]\nNo tremor. [1]\n\n{NOTICE}"));
    assert_eq!((&whole["answer"]["outcome"], &whole["confidence"]), (&json!("ANSWERED"), &json!(1.0)));
    assert_eq!(app.db_value("SELECT count(*) FROM events WHERE kind = 'message_grew'").await, "0");
    // Found by its words as any message is.
    let search = "query($q: String!) { messageSearch(query: $q) { id } }";
    app.work().await;
    let found = physician.run(search, json!({ "q": "tremor" })).await.ok();
    assert!(found.to_string().contains(id.as_str().unwrap()), "{found}");
}

#[tokio::test]
async fn what_the_asker_may_not_see_or_nobody_may_send_does_not_reach_the_model() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let (physician, therapist) = (app.member(&[Role::Physician]).await, app.member(&[Role::Therapist]).await);
    let scene = scene(&app, &physician, &[&therapist], json!({})).await;
    let of = json!({ "patientIds": [scene.patient] });
    write_note(&physician, LITHIUM, of.clone()).await;
    let mut apart = of.clone();
    apart["kind"] = json!("PSYCHOTHERAPY_NOTE");
    write_note(&therapist, "Lithium dream of a swan, told in confidence.", apart).await;
    let mut labelled = of;
    labelled["labels"] = json!(["PART_2"]);
    write_note(&physician, "Lithium beside buprenorphine for opioid use disorder.", labelled).await;
    app.work().await;
    model.say(&["Lithium 900 mg at night. [1]"]);
    for asker in [&physician, &therapist] {
        let answer = scene.answered(&app, asker, "lithium swan buprenorphine opioid").await;
        assert_eq!(answer["answer"]["outcome"], "ANSWERED");
        let heard = model.heard();
        assert!(heard.contains("900 mg"), "{heard}");
        let passages = heard.split("Question:").next().unwrap();
        assert!(!passages.contains("swan") && !passages.contains("uprenorphine"), "{heard}");
        assert_eq!(answer["answer"]["citations"][0]["passage"]["text"], LITHIUM);
    }
    assert_eq!(model.asked(), 2);

    // A chart that is shut is not looked in; who asked before it was shut is not answered from it either.
    let waiting = scene.ask(&therapist, "lithium dose").await;
    restrict(&app).await;
    app.work().await;
    let outcome = read(&physician, &waiting).await["answer"]["outcome"].take();
    assert!(outcome == "NOT_FOUND" || outcome == "FAILED", "{outcome}");
    assert_eq!(refusal(&scene.try_ask(&therapist, "lithium").await).0, "PATIENT_NOT_FOUND");
    assert_eq!(model.asked(), 2);
    treats(&app, &therapist, scene.patient.as_str().unwrap()).await;
    assert_eq!(scene.answered(&app, &therapist, "lithium dose").await["answer"]["outcome"], "ANSWERED");
}

#[tokio::test]
async fn whoever_is_gone_is_not_answered() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let (physician, nurse) = (app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let scene = scene(&app, &physician, &[&nurse], json!({})).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    let asked = scene.ask(&nurse, "lithium dose").await;
    let out = json!({ "id": scene.conversation, "userId": id_of(&nurse) });
    done(&physician, "conversationRemoveParticipant", "ConversationRemoveParticipantInput", "__typename", out).await;
    app.work().await;
    assert_eq!(read(&physician, &asked).await["answer"]["outcome"], "FAILED");
    let asked = scene.ask(&physician, "lithium dose").await;
    app.db_execute("UPDATE user_sessions SET revoked_at = created_at, revoked_reason = 'revoked'").await;
    app.work().await;
    let again = app.signed_in(physician.user.unwrap(), app.facility).await;
    assert_eq!(read(&again, &asked).await["answer"]["outcome"], "FAILED");
    assert_eq!(model.asked(), 0);
}

#[tokio::test]
async fn what_lies_outside_is_refused_and_a_crisis_is_handed_to_a_person() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let (physician, nurse) = (app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let scene = scene(&app, &physician, &[&nurse], json!({ "boundaries": ["billing codes"] })).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    let answer = scene.answered(&app, &nurse, "Which billing codes for lithium?").await;
    assert_eq!(answer["answer"]["outcome"], "REFUSED");
    assert_eq!(model.asked(), 0, "told from its words");
    model.say(&["OUT_OF", "_SCOPE"]);
    let answer = scene.answered(&app, &nurse, "What does lithium cost the insurance?").await;
    assert_eq!((&answer["answer"]["outcome"], &answer["modelName"]), (&json!("REFUSED"), &json!("scribe")));

    let answer = scene.answered(&app, &nurse, "Odile says she wants to die. Lithium level?").await;
    assert_eq!(answer["answer"]["outcome"], "HANDED_OVER");
    assert_eq!(model.asked(), 1);
    let seen = super::look(&nurse, &scene.conversation, "status assignedTo { id } lastMessage { systemEvent }").await;
    assert_eq!((&seen["status"], &seen["assignedTo"]["id"]), (&json!("ESCALATED"), &json!(id_of(&physician))));
    assert_eq!(seen["lastMessage"]["systemEvent"], "ESCALATED");
    let told = physician.run("{ notifications { nodes { kind subject { id } } } }", json!({})).await.ok();
    let told = told["notifications"]["nodes"].as_array().unwrap();
    let wanted = json!({ "kind": "CONVERSATION_ESCALATED", "subject": { "id": scene.conversation } });
    assert!(told.contains(&wanted), "{told:?}");
}

#[tokio::test]
async fn what_the_record_or_the_model_does_not_say_is_not_made_up() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({})).await;
    let answer = scene.answered(&app, &physician, "Any allergies?").await;
    assert_eq!((&answer["answer"]["outcome"], &answer["modelName"]), (&json!("NOT_FOUND"), &Value::Null));
    assert!(answer["body"].as_str().unwrap().contains("not in the record"));
    assert_eq!(model.asked(), 0);

    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    model.say(&["NOT_IN_RECORD"]);
    assert_eq!(scene.answered(&app, &physician, "Any allergies?").await["answer"]["outcome"], "NOT_FOUND");
    model.say(&["She takes 1200 mg. [1]\n", "I would give more."]);
    let answer = scene.answered(&app, &physician, "lithium dose").await;
    assert_eq!((&answer["answer"]["outcome"], &answer["confidence"]), (&json!("QUOTED"), &Value::Null));
    assert_eq!(answer["body"], format!("From the record:\n“{LITHIUM}” [1]\n\n{NOTICE}"));
    model.say_and_break_off(&["Lithium 900 mg at night. [1]\n", "No tre"]);
    let answer = scene.answered(&app, &physician, "lithium dose").await;
    assert_eq!(answer["answer"]["outcome"], "BROKEN_OFF");
    let text = format!("Lithium 900 mg at night. [1]\nThe model fell silent here.\n\n{NOTICE}");
    assert_eq!(answer["body"], text);
    model.say_and_break_off(&[]);
    assert_eq!(scene.answered(&app, &physician, "lithium dose").await["answer"]["outcome"], "QUOTED");
}

#[tokio::test]
async fn a_sensitive_question_is_sent_to_no_model_and_memories_are() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({})).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    let mut input = scene.input("lithium dose");
    input["sensitivity"] = json!("SENSITIVE");
    let asked = done(&physician, "messageAsk", "MessageAskInput", "answer { id sensitivity }", input).await;
    assert_eq!(asked["answer"]["sensitivity"], "SENSITIVE");
    app.work().await;
    assert_eq!(read(&physician, &asked["answer"]["id"]).await["answer"]["outcome"], "QUOTED");
    assert_eq!(model.asked(), 0);

    let remember = |fact: &str, importance: f64| {
        let input = json!({ "agentId": scene.agent, "fact": fact, "importance": importance, "halfLifeDays": 10 });
        done(&physician, "agentRemember", "AgentRememberInput", "memory { id }", input)
    };
    remember("Odile prefers mornings", 0.9).await;
    remember("Hardly worth keeping", 0.01).await;
    model.say(&["Lithium 900 mg at night. [1]"]);
    scene.answered(&app, &physician, "lithium dose").await;
    let heard = model.heard();
    assert!(heard.contains("[PERSON_1] prefers mornings"), "{heard}");
    assert!(!heard.contains("Hardly") && !heard.contains("Odile"), "{heard}");
}

#[tokio::test]
async fn a_question_killed_midway_is_answered_once() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({})).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    // The other process goes by the real clock.
    app.db_execute("UPDATE user_sessions SET expires_at = '2100-01-01'").await;
    let id = scene.ask(&physician, "lithium dose").await;
    model.hold();
    model.say(&["Lithium 900 mg at night. [1]\n", "No tremor. [1]\n"]);
    model.go_on(1);
    let keyring = app.storage.path().with_extension("keyring.toml");
    app.app.keyring.save_new(&keyring).unwrap();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_anamnesis"))
        .arg("work")
        .env("ANAMNESIS_ENVIRONMENT", "development")
        .env("DATABASE_URL", &app.database.server_url)
        .env("ANAMNESIS_KEYRING", &keyring)
        .env("ANAMNESIS_STORAGE_URL", &app.app.config.storage_url)
        .env("ANAMNESIS_MODEL_DIR", engines::model_dir())
        .env("ANAMNESIS_DATABASE_POOL", "4")
        .env("ANAMNESIS_LOG_FILTER", "error")
        .envs(model.settings())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let grown = async {
        while read(&physician, &id).await["body"] == "" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), grown).await.expect("the answer never grew");
    worker.kill().await.unwrap();
    std::fs::remove_file(keyring).unwrap();
    let half = read(&physician, &id).await;
    assert_eq!(
        (&half["body"], &half["answer"]["outcome"]),
        (&json!("Lithium 900 mg at night. [1]"), &json!("PENDING"))
    );
    model.go_on(1000);
    app.db_execute("UPDATE jobs SET leased_until = '2026-01-01' WHERE state = 'running'").await;
    app.db_execute("UPDATE jobs SET run_at = '2026-01-01' WHERE state = 'queued'").await;
    app.work().await;
    let whole = read(&physician, &id).await;
    assert_eq!(whole["body"], format!("Lithium 900 mg at night. [1]\nNo tremor. [1]\n\n{NOTICE}"));
    assert_eq!(app.db_value("SELECT count(*) FROM messages WHERE kind = 'assistant'").await, "1");
    assert_eq!(app.db_value("SELECT count(*) FROM jobs WHERE kind = 'chat.answer'").await, "0");
    let settled = "SELECT count(*) FROM audit_log WHERE action = 'chat.answer' AND detail ->> 'outcome' = 'answered'";
    assert_eq!(app.db_value(settled).await, "1");
    assert_eq!(model.asked(), 2);
}

#[tokio::test]
async fn without_a_model_passages_are_quoted() {
    engines::provide_model().await;
    let app = TestApp::start().await;
    let (physician, nurse) = (app.member(&[Role::Physician]).await, app.member(&[Role::Nurse]).await);
    let scene = scene(&app, &physician, &[&nurse], json!({})).await;
    let note = write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    let mut listener = Subscriber::listening(&nurse, json!({ "of": [scene.conversation] })).await.0;
    let answer = scene.answered(&app, &nurse, "lithium dose").await;
    assert_eq!(answer["body"], format!("From the record:\n“{LITHIUM}” [1]\n\n{NOTICE}"));
    assert_eq!((&answer["answer"]["outcome"], &answer["modelName"]), (&json!("QUOTED"), &Value::Null));
    assert_eq!(answer["answer"]["citations"][0]["document"]["id"], note);
    for kind in ["MESSAGE_SENT", "MESSAGE_SENT", "MESSAGE_CHANGED"] {
        assert_eq!(listener.event().await["kind"], kind);
    }

    let labels = json!({ "patientIds": [scene.patient], "labels": ["PART_2"] });
    write_note(&physician, "Buprenorphine for opioid use disorder.", labels).await;
    app.work().await;
    let answer = scene.answered(&app, &physician, "opioid use disorder").await;
    assert!(!answer["body"].as_str().unwrap().contains("uprenorphine"), "others take part: {answer}");
    assert!(answer["body"].as_str().unwrap().contains("42 CFR Part 2"), "{answer}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let (physician, desk) = (app.member(&[Role::Physician]).await, app.member(&[Role::FrontDesk]).await);
    let observer = app.member(&[Role::Nurse]).await;
    let scene = scene(&app, &physician, &[&desk], json!({})).await;
    let seat = json!({ "id": scene.conversation, "participantIds": [id_of(&observer)], "role": "OBSERVER" });
    done(&physician, "conversationInvite", "ConversationInviteInput", "__typename", seat).await;
    let elsewhere = begin(&physician, &[]).await;
    let everywhere = set_up(&app.member(&[Role::Administrator]).await, json!({ "name": "Other" })).await;
    invite_agent(&physician, &elsewhere, &scene.agent).await;
    let before = db_state(&app).await;
    assert_eq!(refusal(&scene.try_ask(&physician, " ").await), refused("INVALID", "input.body"));
    assert_eq!(refusal(&scene.try_ask(&physician, &"x".repeat(1001)).await), refused("INVALID", "input.body"));
    assert_eq!(refusal(&scene.try_ask(&desk, "lithium").await), refused("MAY_NOT_ASK", "input.agentId"));
    assert_eq!(refusal(&scene.try_ask(&observer, "lithium").await), refused("OBSERVER", "input"));
    let other = Scene { agent: everywhere, ..scene };
    assert_eq!(refusal(&other.try_ask(&physician, "x").await), refused("AGENT_NOT_FOUND", "input.agentId"));
    let about_nobody =
        json!({ "conversationId": elsewhere, "agentId": scene_agent(&physician, &elsewhere).await, "body": "x" });
    let answer = run(&physician, "messageAsk", "MessageAskInput", NOBODY_YET, about_nobody).await;
    assert_eq!(refusal(&answer), refused("PATIENT_REQUIRED", "input.conversationId"));
    for (client, code) in [
        (app.member(&[Role::Physician]).await, "NOT_FOUND"),
        (app.member_of(app.other, &[Role::Physician]).await, "NOT_FOUND"),
        (app.member(&[Role::Patient]).await, "FORBIDDEN"),
        (app.anonymous(), "UNAUTHENTICATED"),
    ] {
        let answer = try_run(&client, "messageAsk", "MessageAskInput", NOBODY_YET, other.input("lithium")).await;
        assert_eq!(answer.code(), code);
    }
    assert_eq!(db_state(&app).await, before);
}

async fn scene_agent(client: &Client, conversation: &Value) -> Value {
    super::look(client, conversation, "agents { id }").await["agents"][0]["id"].take()
}
