//! Where assistants may look, and what becomes of a question that nobody could answer.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::answers::{LITHIUM, NOTICE, app_with, odile, read, scene};
use super::{db_state, done};
use crate::domains::documents::search::write_note;
use crate::harness::ChatModel;

#[tokio::test]
async fn an_assistant_that_may_look_everywhere_hides_everybody_it_finds() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({ "retrievalScope": "ALL" })).await;
    let register = "mutation($input: PatientRegisterInput!) { patientRegister(input: $input) { patient { id } } }";
    let input = json!({ "givenName": "Ferran", "familyName": "Quillon", "birthDate": "1970-05-05", "gender": "MALE",
        "acceptDuplicates": true });
    let ferran =
        physician.run(register, json!({ "input": input })).await.ok()["patientRegister"]["patient"]["id"].take();
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    write_note(&physician, "Lithium 300 mg for Ferran Quillon.", json!({ "patientIds": [ferran] })).await;
    app.work().await;
    model.say(&["OK [1]\n", "Both take lithium. [1][2]"]);
    let answer = scene.answered(&app, &physician, "Who takes lithium?").await;
    assert_eq!(answer["answer"]["outcome"], "ANSWERED");
    let heard = model.heard();
    assert!(heard.contains("900 mg") && heard.contains("300 mg"), "{heard}");
    for hidden in ["Ferran", "Quillon", "Odile", "Fennimore"] {
        assert!(!heard.contains(hidden), "{hidden} left: {heard}");
    }
    assert_eq!(answer["answer"]["citations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_assistant_without_documents_words_what_it_is_told_and_no_more() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let (physician, desk) = (app.member(&[Role::Physician]).await, app.member(&[Role::FrontDesk]).await);
    let scene = scene(&app, &physician, &[&desk], json!({ "retrievalScope": "NONE" })).await;
    write_note(&physician, LITHIUM, json!({ "patientIds": [scene.patient] })).await;
    app.work().await;
    model.say(&["Dear colleagues,\n", "[PERSON_1] comes at nine."]);
    let answer = scene.answered(&app, &physician, "Word a reminder that Odile comes at nine.").await;
    assert_eq!(answer["body"], format!("Dear colleagues,\nOdile comes at nine.\n\n{NOTICE}"));
    assert_eq!((&answer["confidence"], &answer["answer"]["citations"]), (&Value::Null, &json!([])));
    assert!(!model.heard().contains("900 mg") && !model.heard().contains("Odile"), "{}", model.heard());
    assert_eq!(model.asked(), 1);
}

#[tokio::test]
async fn a_question_given_up_says_so_and_a_deleted_answer_stays_deleted() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({})).await;
    let lost = scene.ask(&physician, "lithium dose").await;
    // Its worker went down each time.
    let down = "UPDATE jobs SET state = 'running', attempts = max_attempts, leased_until = '2026-01-01', worker = 'gone' \
        WHERE kind = 'chat.answer'";
    app.db_execute(down).await;
    app.work().await;
    let answer = read(&physician, &lost).await;
    assert_eq!(answer["answer"]["outcome"], "FAILED");
    assert!(answer["body"].as_str().unwrap().starts_with("The question could not be answered."), "{answer}");

    let deleted = scene.ask(&physician, "lithium dose").await;
    done(&physician, "messageDelete", "MessageDeleteInput", "__typename", json!({ "id": deleted })).await;
    app.work().await;
    assert_eq!(read(&physician, &deleted).await["body"], Value::Null);
    assert_eq!(model.asked(), 0);
}

#[tokio::test]
async fn a_question_asked_again_with_its_key_is_asked_once() {
    let model = ChatModel::start().await;
    let app = app_with(&model).await;
    let physician = app.member(&[Role::Physician]).await;
    let scene = scene(&app, &physician, &[], json!({})).await;
    odile(&physician).await;
    let mut input = scene.input("lithium dose");
    input["idempotencyKey"] = json!("once");
    let ids = "question { id } answer { id }";
    let first = done(&physician, "messageAsk", "MessageAskInput", ids, input.clone()).await;
    let before = db_state(&app).await;
    assert_eq!(done(&physician, "messageAsk", "MessageAskInput", ids, input).await, first);
    assert_eq!(db_state(&app).await, before);
}
