//! Who is believed, and what is told to who is not.

use anamnesis::access::Role;
use anamnesis::ids::{TypedId as _, WhatsappIntegrationId, new_id};
use serde_json::json;

use super::{INTEGRATION, Line, ODILE, setup, verified};
use crate::domains::chat::{db_state, done, look};

#[tokio::test]
async fn a_handshake_needs_the_token_and_nothing_is_told_without() {
    let line = Line::open().await;
    let version = json!({ "id": line.integration, "expectedVersion": line.version().await });
    let selection = format!("{INTEGRATION} verifyToken");
    let ty = "WhatsappIntegrationStatusInput";
    let renewed = done(&line.administrator, "whatsappIntegrationRenewToken", ty, &selection, version).await;
    let token = renewed["verifyToken"].as_str().unwrap().to_owned();
    let before = db_state(&line.app).await;
    // The first character has six bits of the token: another one there is another token.
    let wrong = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    let unknown =
        format!("/webhooks/whatsapp/{}/{}", line.app.facility.encode(), new_id::<WhatsappIntegrationId>().encode());
    let elsewhere = line.webhook.path.replace(&line.app.facility.encode(), &line.app.other.encode());
    for (webhook, mode, token, challenge) in [
        (&line.webhook, "subscribe", wrong.as_str(), "1"),
        (&line.webhook, "subscribe", "", "1"),
        (&line.webhook, "unsubscribe", &token, "1"),
        (&line.webhook, "subscribe", &token, "%00"),
        (&line.webhook.at(&unknown), "subscribe", &token, "1"),
        (&line.webhook.at(&elsewhere), "subscribe", &token, "1"),
        (&line.webhook.at("/webhooks/whatsapp/a/b"), "subscribe", &token, "1"),
    ] {
        assert_eq!(webhook.shake(mode, token, challenge).await, (403, String::new()), "{} {mode}", webhook.path);
    }
    assert_eq!(db_state(&line.app).await, before);
    assert_eq!(line.webhook.shake("subscribe", &token, "77").await, (200, "77".to_owned()));
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_of_the_number_is_not_believed() {
    let line = Line::open().await;
    let other = line.app.member_of(line.app.other, &[Role::Administrator, Role::Nurse]).await;
    let mut input = setup(&other, &other);
    input["appSecret"] = json!("the other facility's secret");
    let (_, theirs) = verified(&line.app, line.app.other, &other, input).await;
    let before = db_state(&line.app).await;
    let body = line.webhook.change(&[line.text("wamid.1", ODILE, "Hello")], &[]).to_string().into_bytes();
    let signature = line.webhook.sign(&body);
    let mut flipped = body.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let unknown = line.webhook.at(&format!(
        "/webhooks/whatsapp/{}/{}",
        line.app.facility.encode(),
        new_id::<WhatsappIntegrationId>().encode()
    ));
    let crossed = line.webhook.with_secret(&theirs.secret);
    for (webhook, body, signature) in [
        (&line.webhook, &body, None),
        (&line.webhook, &body, Some("sha256=")),
        (&line.webhook, &body, Some("sha256=00")),
        (&line.webhook, &body, Some(&signature[..70])),
        (&line.webhook, &body, Some(&signature["sha256=".len()..])),
        (&line.webhook, &flipped, Some(signature.as_str())),
        (&line.webhook, &body, Some(crossed.sign(&body).as_str())),
        (&theirs, &body, Some(signature.as_str())),
        (&unknown, &body, Some(signature.as_str())),
    ] {
        let answer = webhook.post(body.clone(), signature).await;
        assert_eq!(answer, (401, String::new()), "{signature:?}");
    }
    assert_eq!(db_state(&line.app).await, before);
    assert_eq!(line.webhook.post(body, Some(&signature)).await, (200, String::new()));
    let junk = b"not json".to_vec();
    let signature = line.webhook.sign(&junk);
    assert_eq!(line.webhook.post(junk, Some(&signature)).await.0, 400);
    let long = vec![b' '; 3 * 1024 * 1024 + 1];
    let signature = line.webhook.sign(&long);
    assert_eq!(line.webhook.post(long, Some(&signature)).await.0, 413);
}

#[tokio::test]
async fn two_facilities_with_the_same_number_and_sender_never_meet() {
    let line = Line::open().await;
    let other = line.app.member_of(line.app.other, &[Role::Administrator, Role::Nurse]).await;
    let mut input = setup(&other, &other);
    input["appSecret"] = json!("the other facility's secret");
    let (_, theirs) = verified(&line.app, line.app.other, &other, input).await;
    // The same message to both, by the very same id.
    let ours = line.odile_writes("wamid.1", "To Lakeside").await;
    assert_eq!(theirs.call(&theirs.change(&[line.text("wamid.1", ODILE, "To Hillside")], &[])).await, 200);
    let listed =
        other.run("{ conversations { nodes { id lastMessage { body } whatsapp { phone } } } }", json!({})).await;
    let listed = listed.ok()["conversations"]["nodes"].take();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["lastMessage"]["body"], "To Hillside");
    assert_eq!(listed[0]["whatsapp"]["phone"], ODILE);
    assert_eq!(look(&line.nurse, &listed[0]["id"], "id").await, json!(null));
    assert_eq!(look(&other, &ours, "id").await, json!(null));
    assert_eq!(look(&line.nurse, &ours, "messageCount").await["messageCount"], 1);
    // The hash of a number is another's in another facility.
    let terms = "SELECT count(DISTINCT phone_term) FROM whatsapp_contacts";
    assert_eq!(line.app.db_value(terms).await, "2");
    // News that name a message of another facility are of nobody.
    let message = line.answer(&ours, "Yes?").await;
    line.app.work().await;
    let mut news = line.news(1, "delivered");
    news["biz_opaque_callback_data"] = message.clone();
    assert_eq!(theirs.call(&theirs.change(&[], &[news])).await, 200);
    assert_eq!(line.delivery(&message).await["status"], "SENT");
}
