//! Questions of a patient's record, over an endpoint of the form that chat models share.

use std::sync::{Arc, Mutex};

use anamnesis::access::Role;
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Value, json};

use super::search::{start, write_note};
use super::{restrict, treats};
use crate::harness::{Client, TestApp, engines};

const ASK: &str = "query($question: String!, $patient: ID!) { documentAsk(question: $question, patientId: $patient) {
    outcome model notice sentences { text citations } passages { passage { text } document { id } } } }";

const LITHIUM: &str = "Lithium 900 mg at night. Odile Fennimore called on 3/14/2025 from 617-555-0199; no tremor.";

/// What the model was told, and what it says next.
#[derive(Clone, Default)]
struct Script {
    heard: Arc<Mutex<Vec<Value>>>,
    says: Arc<Mutex<String>>,
}

impl Script {
    fn say(&self, text: &Value) {
        *self.says.lock().unwrap() = text.to_string();
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default().to_string()
    }
}

async fn answer(State(script): State<Script>, Json(request): Json<Value>) -> Json<Value> {
    script.heard.lock().unwrap().push(request);
    let says = script.says.lock().unwrap().clone();
    Json(json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": says } }] }))
}

async fn app_with_model(script: &Script) -> TestApp {
    engines::provide_model().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/v1/chat/completions", post(answer)).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    TestApp::start_with(&[("ANAMNESIS_CHAT_URL", url.as_str()), ("ANAMNESIS_CHAT_MODEL", "scribe")]).await
}

/// A patient who is known by more than a name.
async fn odile(client: &Client) -> String {
    let input = json!({ "givenName": "Odile", "familyName": "Fennimore", "birthDate": "1972-02-09", "gender": "FEMALE",
        "phone": "617-555-0199", "acceptDuplicates": true });
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let made = client.run(register, json!({ "input": input })).await.ok();
    made["patientRegister"]["patient"]["id"].as_str().unwrap().to_owned()
}

async fn ask(client: &Client, question: &str, patient: &str) -> Value {
    client.run(ASK, json!({ "question": question, "patient": patient })).await.ok()["documentAsk"].take()
}

#[tokio::test]
async fn an_answer_is_from_the_passages_cited_and_what_identifies_does_not_leave() {
    let script = Script::default();
    let app = app_with_model(&script).await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = odile(&physician).await;
    let note = write_note(&physician, LITHIUM, json!({ "patientIds": [patient] })).await;
    let other = write_note(&physician, "Lithium 300 mg in the morning.", json!({})).await;
    app.work().await;

    script.say(&json!({ "sentences": [
        { "text": "[PERSON_1] [PERSON_2] takes 900 mg of lithium at night, as said on [DATE_1].", "passages": [1] },
        { "text": "She takes 1200 mg.", "passages": [1] },
        { "text": "Her brother [PERSON_9] agrees.", "passages": [1] },
        { "text": "Nothing else is known.", "passages": [] },
    ] }));
    let answer = ask(&physician, "How much lithium does Odile take?", &patient).await;
    assert_eq!((&answer["outcome"], &answer["model"]), (&json!("ANSWERED"), &json!("scribe")));
    let text = "Odile Fennimore takes 900 mg of lithium at night, as said on 3/14/2025.";
    assert_eq!(answer["sentences"], json!([{ "text": text, "citations": [0] }]));
    assert_eq!(answer["passages"].as_array().unwrap().len(), 1, "another patient's note is not looked at");
    assert_eq!(answer["passages"][0]["document"]["id"], note);
    assert!(answer["notice"].as_str().unwrap().contains("not a clinician"));

    let heard = script.heard();
    for hidden in ["Odile", "Fennimore", "3/14/2025", "617-555-0199", "300 mg"] {
        assert!(!heard.contains(hidden), "{hidden} left: {heard}");
    }
    assert!(heard.contains("How much lithium does [PERSON_1] take?") && heard.contains("900 mg"));
    assert_ne!(other, note);
    let audited =
        app.db_value("SELECT detail::text FROM audit_log WHERE action = 'documents.ask' AND detail ? 'sent'").await;
    assert!(audited.contains("scribe") && !audited.contains("lithium"), "{audited}");
}

#[tokio::test]
async fn what_is_labelled_part_2_is_shown_and_not_sent() {
    let script = Script::default();
    let app = app_with_model(&script).await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = odile(&physician).await;
    let more = json!({ "patientIds": [patient], "labels": ["PART_2"] });
    write_note(&physician, "Buprenorphine 8 mg for opioid use disorder.", more).await;
    app.work().await;
    let answer = ask(&physician, "Which opioid treatment?", &patient).await;
    assert_eq!((&answer["outcome"], &answer["model"]), (&json!("PASSAGES_ONLY"), &Value::Null));
    assert_eq!(answer["passages"].as_array().unwrap().len(), 1);
    assert_eq!(script.heard(), "null");

    // Beside one that is not labelled, that alone is sent; citations count all that are shown.
    write_note(&physician, LITHIUM, json!({ "patientIds": [patient] })).await;
    app.work().await;
    script.say(&json!({ "sentences": [{ "text": "900 mg at night.", "passages": [1] }] }));
    let answer = ask(&physician, "opioid use disorder treatment", &patient).await;
    assert!(!script.heard().contains("uprenorphine"), "{}", script.heard());
    let cited = usize::try_from(answer["sentences"][0]["citations"][0].as_u64().unwrap()).unwrap();
    assert_eq!(answer["passages"][cited]["passage"]["text"], LITHIUM);
}

#[tokio::test]
async fn what_the_record_or_the_model_does_not_say_is_not_made_up() {
    let script = Script::default();
    let app = app_with_model(&script).await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = odile(&physician).await;
    // Nothing is on record: nobody is asked.
    let answer = ask(&physician, "Any allergies?", &patient).await;
    assert_eq!((&answer["outcome"], &answer["model"]), (&json!("NOT_FOUND"), &Value::Null));
    assert_eq!(script.heard(), "null");

    write_note(&physician, LITHIUM, json!({ "patientIds": [patient] })).await;
    app.work().await;
    script.say(&json!({ "sentences": [] }));
    assert_eq!(ask(&physician, "Any allergies?", &patient).await["outcome"], "NOT_FOUND");
    script.say(&json!("I cannot help with that."));
    let answer = ask(&physician, "Any allergies?", &patient).await;
    assert_eq!(answer["outcome"], "MODEL_FAILED");
    assert_eq!(answer["passages"].as_array().unwrap().len(), 1, "the passages are there all the same");
}

#[tokio::test]
async fn without_a_model_there_are_the_passages_for_whoever_may_ask() {
    let app = start().await;
    let physician = app.member(&[Role::Physician]).await;
    let patient = odile(&physician).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [patient] })).await;
    app.work().await;
    let answer = ask(&physician, "lithium dose", &patient).await;
    assert_eq!((&answer["outcome"], &answer["sentences"]), (&json!("PASSAGES_ONLY"), &json!([])));
    assert_eq!(answer["passages"][0]["passage"]["text"], LITHIUM);

    let variables = json!({ "question": "lithium dose", "patient": patient });
    assert_eq!(app.member(&[Role::FrontDesk]).await.run(ASK, variables.clone()).await.code(), "FORBIDDEN");
    assert_eq!(app.anonymous().run(ASK, variables.clone()).await.code(), "UNAUTHENTICATED");
    let blank = json!({ "question": " ", "patient": patient });
    assert_eq!(physician.run(ASK, blank).await.code(), "BAD_USER_INPUT");
    let stranger = app.member_of(app.other, &[Role::Physician]).await;
    assert_eq!(stranger.run(ASK, variables.clone()).await.ok()["documentAsk"], Value::Null);
    // A chart that is not open answers nothing.
    restrict(&app).await;
    let therapist = app.member(&[Role::Therapist]).await;
    assert_eq!(therapist.run(ASK, variables.clone()).await.ok()["documentAsk"], Value::Null);
    treats(&app, &therapist, &patient).await;
    assert_eq!(therapist.run(ASK, variables).await.ok()["documentAsk"]["outcome"], "PASSAGES_ONLY");
}
