//! Setting a number up.

use anamnesis::access::Role;
use serde_json::{Value, json};

use super::{INTEGRATION, Line, NUMBER, SECRET, TOKEN, setup};
use crate::domains::chat::{db_state, done, id_of, refusal, refused, run, try_run};
use crate::harness::{CloudApi, Outcome, TestApp};

const CREATE: (&str, &str) = ("whatsappIntegrationCreate", "WhatsappIntegrationCreateInput");
const STATUS: &str = "WhatsappIntegrationStatusInput";

#[tokio::test]
async fn an_administrator_sets_a_number_up_and_its_secrets_are_never_shown() {
    let api = CloudApi::start().await;
    let app = TestApp::start_with(&[("ANAMNESIS_WHATSAPP_ENDPOINT", &api.url)]).await;
    let administrator = app.member(&[Role::Administrator]).await;
    let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
    let mut input = setup(&nurse, &physician);
    input["idempotencyKey"] = json!("once");
    input["businessHours"] = json!([{ "weekday": "MONDAY", "opens": "09:00", "closes": "17:00" }]);
    let selection = format!("{INTEGRATION} verifyToken");
    let made = done(&administrator, CREATE.0, CREATE.1, &selection, input.clone()).await;
    let number = &made["integration"];
    assert_eq!((&number["status"], &number["version"]), (&json!("PENDING"), &json!(1)));
    assert_eq!(number["businessHours"], input["businessHours"]);
    assert_eq!(number["participants"], json!([{ "id": id_of(&physician) }]));
    let token = made["verifyToken"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    // The same again, without the token.
    let again = done(&administrator, CREATE.0, CREATE.1, &selection, input.clone()).await;
    assert_eq!((&again["integration"]["id"], &again["verifyToken"]), (&number["id"], &Value::Null));
    let dump = app.db_dump();
    for secret in [token.as_str(), SECRET, TOKEN] {
        assert!(!dump.contains(secret), "kept in clear: {secret}");
    }
    input.as_object_mut().unwrap().remove("idempotencyKey");
    let twice = run(&administrator, CREATE.0, CREATE.1, &selection, input).await;
    assert_eq!(refusal(&twice), refused("NAME_TAKEN", "input.phoneNumberId"));
    assert!(api.sent().is_empty());
}

#[tokio::test]
async fn what_a_number_may_not_be_is_refused_and_others_set_none_up() {
    let line = Line::open().await;
    let (app, administrator) = (&line.app, &line.administrator);
    let before = db_state(app).await;
    let patient = app.member(&[Role::Patient]).await;
    let elsewhere = app.member_of(app.other, &[Role::Nurse]).await;
    let changed = |field: &str, value: Value| {
        let mut input = setup(&line.nurse, &line.physician);
        input["phoneNumberId"] = json!("2");
        input[field] = value;
        input
    };
    for (input, expected) in [
        (changed("name", json!(" ")), refused("INVALID", "input.name")),
        (changed("phoneNumberId", json!("../me")), refused("INVALID", "input.phoneNumberId")),
        (changed("phoneNumberId", json!(NUMBER)), refused("NAME_TAKEN", "input.phoneNumberId")),
        (changed("accessToken", json!("")), refused("INVALID", "input.accessToken")),
        (changed("appSecret", json!("a\nb")), refused("INVALID", "input.appSecret")),
        (changed("participantIds", json!([])), refused("INVALID", "input.participantIds")),
        (changed("participantIds", json!([id_of(&patient)])), refused("MAY_NOT_TAKE_PART", "input.participantIds")),
        (changed("handOverToId", json!(id_of(&elsewhere))), refused("NOT_MEMBER", "input.participantIds")),
        (changed("closedReply", json!("x".repeat(4097))), refused("INVALID", "input.closedReply")),
        (
            changed("businessHours", json!([{ "weekday": "MONDAY", "opens": "9", "closes": "17:00" }])),
            refused("INVALID", "input.businessHours"),
        ),
    ] {
        let answer = run(administrator, CREATE.0, CREATE.1, "__typename", input.clone()).await;
        assert_eq!(refusal(&answer), expected, "{input}");
    }
    for role in [Role::Physician, Role::SystemAdmin, Role::Patient] {
        let client = app.member(&[role]).await;
        let answer = try_run(&client, CREATE.0, CREATE.1, "__typename", changed("name", json!("a"))).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{role:?}");
        assert_eq!(client.run("{ whatsappIntegrations { id } }", json!({})).await.code(), "FORBIDDEN");
    }
    let stranger = app.member_of(app.other, &[Role::Administrator]).await;
    let status = json!({ "id": line.integration, "expectedVersion": line.version().await });
    for (field, ty) in [("whatsappIntegrationDisable", STATUS), ("whatsappIntegrationRenewToken", STATUS)] {
        assert_eq!(try_run(&stranger, field, ty, "__typename", status.clone()).await.code(), "NOT_FOUND", "{field}");
    }
    let input = json!({ "id": line.integration });
    let answer =
        try_run(&stranger, "whatsappIntegrationVerify", "WhatsappIntegrationVerifyInput", "__typename", input).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    assert_eq!(db_state(app).await, before);
}

#[tokio::test]
async fn a_number_is_changed_by_its_version_and_begins_no_conversation_itself() {
    let line = Line::open().await;
    let other = line.app.member(&[Role::SocialWorker]).await;
    let update = ("whatsappIntegrationUpdate", "WhatsappIntegrationUpdateInput");
    let stale = json!({ "id": line.integration, "expectedVersion": 7, "name": "Other" });
    let answer = run(&line.administrator, update.0, update.1, "__typename", stale).await;
    assert_eq!(refusal(&answer), refused("STALE_VERSION", "input.expectedVersion"));
    let input = json!({ "id": line.integration, "expectedVersion": line.version().await, "name": "Other",
        "appSecret": "another secret", "participantIds": [id_of(&other)], "closedReply": "Tomorrow." });
    let changed = done(&line.administrator, update.0, update.1, INTEGRATION, input).await["integration"].take();
    assert_eq!((&changed["name"], &changed["status"]), (&json!("Other"), &json!("ACTIVE")));
    assert_eq!(changed["participants"], json!([{ "id": id_of(&other) }]));
    assert_eq!(changed["closedReply"], "Tomorrow.");
    let message = line.text("wamid.1", super::ODILE, "Hello");
    assert_eq!(line.webhook.call(&line.webhook.change(std::slice::from_ref(&message), &[])).await, 401);
    let webhook = line.webhook.with_secret("another secret");
    assert_eq!(webhook.call(&webhook.change(&[message], &[])).await, 200);
    let mut input = json!({ "kind": "WHATSAPP", "participantIds": [id_of(&other)] });
    let answer = crate::domains::chat::create(&line.nurse, input.take()).await;
    assert_eq!(refusal(&answer), refused("INVALID", "input.kind"));
}

#[tokio::test]
async fn the_provider_is_asked_for_the_number_and_what_it_refuses_is_told_by_its_code() {
    let line = Line::open().await;
    let verify = ("whatsappIntegrationVerify", "WhatsappIntegrationVerifyInput");
    let input = json!({ "id": line.integration });
    let seen = done(&line.administrator, verify.0, verify.1, INTEGRATION, input.clone()).await["integration"].take();
    assert_eq!(
        (&seen["displayPhoneNumber"], &seen["verifiedName"]),
        (&json!("+1 617-555-0100"), &json!("Lakeside Clinic"))
    );
    assert_eq!(line.api.token(), format!("Bearer {TOKEN}"));
    line.api.next(&[Outcome::Refused(401, 190), Outcome::Refused(503, 2)]);
    let answer = run(&line.administrator, verify.0, verify.1, INTEGRATION, input.clone()).await;
    assert_eq!(refusal(&answer), refused("PROVIDER_REFUSED", "input.id"));
    assert!(answer["userErrors"][0]["message"].as_str().unwrap().ends_with("190"), "{answer}");
    let answer = run(&line.administrator, verify.0, verify.1, INTEGRATION, input).await;
    assert_eq!(refusal(&answer), refused("PROVIDER_UNAVAILABLE", "input.id"));
}

#[tokio::test]
async fn a_number_that_is_disabled_takes_and_sends_nothing() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let status = |version: Value| json!({ "id": line.integration, "expectedVersion": version });
    let off = status(line.version().await);
    let off = done(&line.administrator, "whatsappIntegrationDisable", STATUS, INTEGRATION, off).await;
    assert_eq!(off["integration"]["status"], "DISABLED");
    let call = line.webhook.change(&[line.text("wamid.2", super::ODILE, "Anybody?")], &[]);
    assert_eq!(line.webhook.call(&call).await, 401);
    let sent = crate::domains::chat::try_send(&line.nurse, &conversation, "Yes").await;
    assert_eq!(refusal(&sent), refused("NUMBER_INACTIVE", "input.conversationId"));
    let on = status(line.version().await);
    let on = done(&line.administrator, "whatsappIntegrationEnable", STATUS, INTEGRATION, on).await;
    assert_eq!(on["integration"]["status"], "ACTIVE");
    assert_eq!(line.webhook.call(&call).await, 200);
}
