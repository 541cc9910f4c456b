//! People outside, over WhatsApp: through the API, the webhook and a provider that is a server of the test's.

mod answering;
mod delivering;
mod receiving;
mod setup;
mod trouble;
mod webhook;

use anamnesis::access::Role;
use anamnesis::ids::FacilityId;
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::{done, id_of, look, run};
use crate::harness::{Client, CloudApi, TestApp, Webhook};

pub(super) const NUMBER: &str = "106540352242922";
pub(super) const SECRET: &str = "9f2c4a71d0e84b0c8e35";
pub(super) const TOKEN: &str = "EAAJtokenOfTheSystemUser";
pub(super) const ODILE: &str = "16175550199";

pub(super) const INTEGRATION: &str = "integration { id name phoneNumberId status version verifiedAt lastFault
    displayPhoneNumber verifiedName webhookPath businessHours { weekday opens closes } closedReply crisisReply
    participants { id } handOverTo { id } }";
pub(super) const CONTACT: &str = "whatsapp { id phone name patient { id } windowClosesAt optedOutAt linkedBy { id } }";
pub(super) const DELIVERY: &str = "delivery { status automatic errorCode attempts sentAt deliveredAt readAt failedAt }";

/// A facility with a number that is verified: the nurse is handed what is urgent, the physician takes part.
pub(super) struct Line {
    pub app: TestApp,
    pub api: CloudApi,
    pub administrator: Client,
    pub nurse: Client,
    pub physician: Client,
    pub integration: Value,
    pub webhook: Webhook,
}

/// What a number is set up with.
pub(super) fn setup(nurse: &Client, physician: &Client) -> Value {
    json!({ "name": "Front desk", "phoneNumberId": NUMBER, "accessToken": TOKEN, "appSecret": SECRET,
        "participantIds": [id_of(physician)], "handOverToId": id_of(nurse) })
}

/// Sets a number up and has the provider shake hands.
pub(super) async fn verified(
    app: &TestApp,
    facility: FacilityId,
    administrator: &Client,
    input: Value,
) -> (Value, Webhook) {
    let selection = format!("{INTEGRATION} verifyToken");
    let made =
        done(administrator, "whatsappIntegrationCreate", "WhatsappIntegrationCreateInput", &selection, input.clone())
            .await;
    let id = made["integration"]["id"].clone();
    let secret = input["appSecret"].as_str().unwrap();
    let webhook = Webhook::of(app.anonymous(), facility, &id, input["phoneNumberId"].as_str().unwrap(), secret);
    assert_eq!(made["integration"]["webhookPath"], webhook.path);
    let token = made["verifyToken"].as_str().unwrap();
    assert_eq!(webhook.shake("subscribe", token, "1158201444").await, (200, "1158201444".to_owned()));
    (id, webhook)
}

impl Line {
    pub(super) async fn open() -> Self {
        Self::open_with(json!({})).await
    }

    /// With more in the set-up.
    pub(super) async fn open_with(more: Value) -> Self {
        crate::harness::engines::provide_model().await;
        let api = CloudApi::start().await;
        let app = TestApp::start_with(&[("ANAMNESIS_WHATSAPP_ENDPOINT", &api.url)]).await;
        let administrator = app.member(&[Role::Administrator]).await;
        let (nurse, physician) = (app.member(&[Role::Nurse]).await, app.member(&[Role::Physician]).await);
        let mut input = setup(&nurse, &physician);
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (integration, webhook) = verified(&app, app.facility, &administrator, input).await;
        Self { app, api, administrator, nurse, physician, integration, webhook }
    }

    /// Moves the clock; whoever is signed in stays so.
    pub(super) async fn advance(&mut self, by: TimeDelta) {
        self.app.advance(by);
        for client in [&mut self.administrator, &mut self.nurse, &mut self.physician] {
            *client = self.app.signed_in(client.user.unwrap(), self.app.facility).await;
        }
    }

    /// A text of somebody's, written now.
    pub(super) fn text(&self, wamid: &str, from: &str, body: &str) -> Value {
        json!({ "id": wamid, "from": from, "timestamp": self.app.now().timestamp().to_string(), "type": "text",
            "text": { "body": body } })
    }

    /// News of the message that was sent as the `place`th.
    pub(super) fn news(&self, place: usize, status: &str) -> Value {
        json!({ "id": CloudApi::wamid(place), "status": status, "recipient_id": ODILE,
            "timestamp": self.app.now().timestamp().to_string() })
    }

    /// Has messages come; they are taken.
    pub(super) async fn hear(&self, messages: &[Value]) {
        assert_eq!(self.webhook.call(&self.webhook.change(messages, &[])).await, 200);
    }

    /// Has news come; they are taken.
    pub(super) async fn told(&self, statuses: &[Value]) {
        assert_eq!(self.webhook.call(&self.webhook.change(&[], statuses)).await, 200);
    }

    /// Has Odile write; gives the conversation.
    pub(super) async fn odile_writes(&self, wamid: &str, body: &str) -> Value {
        self.hear(&[self.text(wamid, ODILE, body)]).await;
        self.conversation().await
    }

    /// The conversation the nurse heard from last.
    pub(super) async fn conversation(&self) -> Value {
        let listed = self.nurse.run("{ conversations(first: 1) { nodes { id } } }", json!({})).await.ok();
        listed["conversations"]["nodes"][0]["id"].clone()
    }

    /// Answers, and gives the message.
    pub(super) async fn answer(&self, conversation: &Value, body: &str) -> Value {
        super::send(&self.physician, conversation, body).await["id"].clone()
    }

    /// What became of a message.
    pub(super) async fn delivery(&self, message: &Value) -> Value {
        let document = format!("query($id: ID!) {{ node(id: $id) {{ ... on Message {{ {DELIVERY} }} }} }}");
        self.nurse.run(&document, json!({ "id": message })).await.ok()["node"]["delivery"].take()
    }

    pub(super) async fn contact(&self, conversation: &Value) -> Value {
        look(&self.nurse, conversation, CONTACT).await["whatsapp"].take()
    }

    /// The version of the number.
    pub(super) async fn version(&self) -> Value {
        let listed = self.administrator.run("{ whatsappIntegrations { version } }", json!({})).await.ok();
        listed["whatsappIntegrations"][0]["version"].clone()
    }

    pub(super) async fn retry(&self, message: &Value) -> Value {
        let input = json!({ "messageId": message });
        run(&self.physician, "whatsappDeliveryRetry", "WhatsappDeliveryRetryInput", "message { id }", input).await
    }
}

/// An instant of an answer.
pub(super) fn instant(value: &Value) -> DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}
