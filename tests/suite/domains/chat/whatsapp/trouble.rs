//! A provider that fails, and a server that dies: nothing is sent twice unasked.

use std::sync::Arc;

use anamnesis::jobs::Worker;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Line;
use crate::harness::Outcome;

#[tokio::test]
async fn what_is_too_much_or_not_well_is_tried_again_and_given_up_at_last() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "One").await;
    line.api.next(&[Outcome::Refused(500, 131_000), Outcome::Gateway(503), Outcome::Refused(400, 131_056)]);
    for _ in 0..4 {
        line.app.work().await;
        line.advance(TimeDelta::minutes(1)).await;
    }
    let seen = line.delivery(&message).await;
    assert_eq!((&seen["status"], &seen["attempts"]), (&json!("SENT"), &json!(4)));
    let (two, three) = (line.answer(&conversation, "Two").await, line.answer(&conversation, "Three").await);
    line.api.next(&[Outcome::Refused(429, 80007); 10]);
    for _ in 0..10 {
        line.app.work().await;
        line.advance(TimeDelta::hours(1)).await;
    }
    let seen = line.delivery(&two).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("FAILED"), &json!("80007")));
    line.app.work().await;
    assert_eq!(line.delivery(&three).await["status"], "SENT", "what comes after it is called");
}

#[tokio::test]
async fn a_token_that_is_refused_is_shown_on_the_number_until_one_is_taken() {
    let line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "One").await;
    line.api.next(&[Outcome::Refused(401, 190)]);
    line.app.work().await;
    let seen = line.delivery(&message).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("FAILED"), &json!("190")));
    let faults = "{ whatsappIntegrations { status lastFault lastFaultAt } }";
    let seen = line.administrator.run(faults, json!({})).await.ok()["whatsappIntegrations"][0].take();
    assert_eq!((&seen["status"], &seen["lastFault"]), (&json!("ACTIVE"), &json!("190")));
    let input = json!({ "id": line.integration, "expectedVersion": line.version().await, "accessToken": "another" });
    let update = ("whatsappIntegrationUpdate", "WhatsappIntegrationUpdateInput");
    crate::domains::chat::done(&line.administrator, update.0, update.1, "__typename", input).await;
    line.retry(&message).await;
    line.app.work().await;
    assert_eq!(line.api.token(), "Bearer another");
    let seen = line.administrator.run(faults, json!({})).await.ok()["whatsappIntegrations"][0].take();
    assert_eq!((&seen["lastFault"], &seen["lastFaultAt"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_again_and_is_given_up_for_uncertain() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let mut messages = Vec::new();
    for text in ["One", "Two", "Three"] {
        messages.push(line.answer(&conversation, text).await);
    }
    line.api.next(&[Outcome::BreaksOff, Outcome::Gateway(502)]);
    line.app.work().await;
    // What comes after does not wait for news of what came before.
    assert_eq!(line.api.texts(), ["One", "Two", "Three"]);
    for (message, status) in messages.iter().zip(["SENDING", "SENDING", "SENT"]) {
        assert_eq!(line.delivery(message).await["status"], status);
    }
    line.advance(TimeDelta::minutes(9)).await;
    line.app.work().await;
    assert_eq!(line.delivery(&messages[0]).await["status"], "SENDING");
    // News of one of them come by the name it was sent under.
    let mut news = line.news(1, "delivered");
    news["biz_opaque_callback_data"] = messages[0].clone();
    line.told(&[news]).await;
    line.advance(TimeDelta::minutes(2)).await;
    line.app.work().await;
    let seen = line.delivery(&messages[0]).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("DELIVERED"), &Value::Null));
    let seen = line.delivery(&messages[1]).await;
    assert_eq!(
        (&seen["status"], &seen["errorCode"], &seen["attempts"]),
        (&json!("FAILED"), &json!("uncertain"), &json!(1))
    );
    // It was sent after all: that it failed was only what we believed.
    let mut news = line.news(2, "read");
    news["biz_opaque_callback_data"] = messages[1].clone();
    line.told(&[news]).await;
    let seen = line.delivery(&messages[1]).await;
    assert_eq!((&seen["status"], &seen["failedAt"]), (&json!("READ"), &Value::Null));
    assert_eq!(line.api.sent().len(), 3);
}

#[tokio::test]
async fn a_worker_that_dies_while_it_sends_sends_nothing_twice() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let (one, two) = (line.answer(&conversation, "One").await, line.answer(&conversation, "Two").await);
    line.api.next(&[Outcome::Silent]);
    let app = Arc::clone(&line.app.app);
    let dying = tokio::spawn(async move {
        Worker::new(Arc::clone(&app), anamnesis::domains::job_handlers(&app)).drain().await.unwrap();
    });
    line.api.asked().await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    assert_eq!(line.delivery(&one).await["status"], "SENDING");
    // Its lease runs out; whoever takes over finds it marked.
    line.advance(TimeDelta::minutes(2)).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["One", "Two"]);
    assert_eq!(line.delivery(&two).await["status"], "SENT");
    assert_eq!(line.delivery(&one).await["status"], "SENDING");
    line.advance(TimeDelta::minutes(11)).await;
    line.app.work().await;
    let seen = line.delivery(&one).await;
    assert_eq!(
        (&seen["status"], &seen["errorCode"], &seen["attempts"]),
        (&json!("FAILED"), &json!("uncertain"), &json!(1))
    );
    assert_eq!(line.api.sent().len(), 2);
    // Asked for, it is sent again.
    line.retry(&one).await;
    line.app.work().await;
    assert_eq!(line.api.texts(), ["One", "Two", "One"]);
    assert_eq!(line.delivery(&one).await["status"], "SENT");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_has_sent_nothing() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "One").await;
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = line.app.app.config.clone();
    config.whatsapp_endpoint = format!("http://{free}/v21.0");
    let engines = crate::harness::engines::of(&config);
    let keyring = anamnesis::crypto::Keyring::clone(&line.app.app.keyring);
    let apart = anamnesis::app::App::with_engines(config, keyring, line.app.app.clock.clone(), engines).unwrap();
    Worker::new(Arc::clone(&apart), anamnesis::domains::job_handlers(&apart)).drain().await.unwrap();
    let seen = line.delivery(&message).await;
    assert_eq!((&seen["status"], &seen["errorCode"]), (&json!("QUEUED"), &json!("not_reached")));
    line.advance(TimeDelta::minutes(1)).await;
    line.app.work().await;
    assert_eq!(line.delivery(&message).await["status"], "SENT");
    apart.database.close();
}

#[tokio::test]
async fn what_is_uncertain_a_second_time_is_waited_for_as_long_again() {
    let mut line = Line::open().await;
    let conversation = line.odile_writes("wamid.1", "Hello").await;
    let message = line.answer(&conversation, "One").await;
    line.api.next(&[Outcome::BreaksOff, Outcome::BreaksOff]);
    line.app.work().await;
    let mut news = line.news(1, "failed");
    news["biz_opaque_callback_data"] = message.clone();
    news["errors"] = json!([{ "code": 131_000 }]);
    line.told(&[news]).await;
    assert_eq!(line.delivery(&message).await["errorCode"], "131000");
    line.advance(TimeDelta::minutes(5)).await;
    assert_eq!(line.retry(&message).await["userErrors"], json!([]));
    line.app.work().await;
    for (minutes, status) in [(6, "SENDING"), (5, "SENDING"), (6, "FAILED")] {
        line.advance(TimeDelta::minutes(minutes)).await;
        line.app.work().await;
        assert_eq!(line.delivery(&message).await["status"], status);
    }
    assert_eq!(line.delivery(&message).await["errorCode"], "uncertain");
    assert_eq!(line.api.sent().len(), 2);
}
