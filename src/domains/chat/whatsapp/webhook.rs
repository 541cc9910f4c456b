//! What the provider sends: its signature, and what is in it. Pure.
//!
//! Everything is read piece by piece, so that a piece that is not in its form keeps no other from being taken.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::Sha256;

use super::model::WhatsappDeliveryStatus;
use crate::config::Secret;
use crate::crypto::blind_index::normalise;
use crate::ids::{MessageId, TypedId as _};
use crate::phi::Phi;
use crate::whatsapp::MAX_WAMID;

/// Longest name somebody gives themselves that is kept, in characters.
const MAX_NAME: usize = 200;
/// Longest code of an error that is believed to be one.
const MAX_CODE: usize = 40;
const DIGEST_BYTES: usize = 32;

/// Whether `X-Hub-Signature-256` is that of the raw body. Compared in constant time.
pub(super) fn is_signed(secret: &Secret, signature: Option<&str>, body: &[u8]) -> bool {
    let Some(digest) = signature.and_then(|text| text.strip_prefix("sha256=")).and_then(from_hex) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&digest).is_ok()
}

fn from_hex(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    let mut bytes = [0; DIGEST_BYTES];
    if text.len() != bytes.len() * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Something somebody outside wrote.
#[derive(Debug)]
pub(super) struct Incoming {
    pub wamid: Phi<String>,
    /// Digits with the country.
    pub from: Phi<String>,
    pub name: Option<Phi<String>>,
    pub at: DateTime<Utc>,
    pub said: Said,
}

/// What they wrote.
#[derive(Debug)]
pub(super) enum Said {
    /// In their words.
    Text(Phi<String>),
    /// Something that is not taken: what it is, and the words that came with it.
    Other(&'static str, Option<Phi<String>>),
}

/// What became of a message that was sent.
#[derive(Debug)]
pub(super) struct News {
    pub wamid: Phi<String>,
    /// The message, as it was named when it was sent.
    pub reference: Option<MessageId>,
    pub status: WhatsappDeliveryStatus,
    pub at: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
}

/// What a call holds for a number.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub messages: Vec<Incoming>,
    pub news: Vec<News>,
    /// Pieces that are not in their form.
    pub malformed: usize,
    /// Changes of another number.
    pub foreign: usize,
    /// Pieces nobody asked for: reactions, templates, accounts.
    pub ignored: usize,
}

#[derive(Deserialize)]
struct Envelope {
    entry: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    changes: Vec<Value>,
}

#[derive(Deserialize)]
struct Change {
    field: Option<String>,
    value: Changed,
}

#[derive(Deserialize)]
struct Changed {
    metadata: Option<Metadata>,
    #[serde(default)]
    contacts: Vec<Value>,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    statuses: Vec<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    phone_number_id: String,
}

#[derive(Deserialize)]
struct Named {
    wa_id: String,
    profile: Profile,
}

#[derive(Deserialize)]
struct Profile {
    name: String,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    from: String,
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    text: Option<Body>,
    button: Option<Button>,
    interactive: Option<Interactive>,
    image: Option<Media>,
    video: Option<Media>,
    document: Option<Media>,
}

#[derive(Deserialize)]
struct Body {
    body: String,
}

#[derive(Deserialize)]
struct Button {
    text: String,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Chosen>,
    list_reply: Option<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    title: String,
}

#[derive(Deserialize)]
struct Media {
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    timestamp: Option<String>,
    biz_opaque_callback_data: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
}

fn piece<T: DeserializeOwned>(value: Value, malformed: &mut usize) -> Option<T> {
    let read = serde_json::from_value(value).ok();
    if read.is_none() {
        *malformed += 1;
    }
    read
}

/// Reads a call for the number of this id; `None` when it is no JSON.
pub(super) fn read(body: &[u8], phone_number_id: &str) -> Option<Call> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let mut call = Call::default();
    let Some(envelope) = piece::<Envelope>(value, &mut call.malformed) else { return Some(call) };
    for entry in envelope.entry {
        let Some(entry) = piece::<Entry>(entry, &mut call.malformed) else { continue };
        for change in entry.changes {
            let Some(change) = piece::<Change>(change, &mut call.malformed) else { continue };
            take(&mut call, change, phone_number_id);
        }
    }
    Some(call)
}

fn take(call: &mut Call, change: Change, phone_number_id: &str) {
    if change.field.is_some_and(|field| field != "messages") {
        call.ignored += 1;
        return;
    }
    let Changed { metadata, contacts, messages, statuses } = change.value;
    if metadata.is_none_or(|metadata| metadata.phone_number_id != phone_number_id) {
        call.foreign += 1;
        return;
    }
    let names: Vec<Named> = contacts.into_iter().filter_map(|contact| serde_json::from_value(contact).ok()).collect();
    for message in messages {
        let Some(message) = piece::<Message>(message, &mut call.malformed) else { continue };
        if message.kind == "reaction" {
            call.ignored += 1;
            continue;
        }
        match incoming(message, &names) {
            Some(incoming) => call.messages.push(incoming),
            None => call.malformed += 1,
        }
    }
    for status in statuses {
        let Some(status) = piece::<Status>(status, &mut call.malformed) else { continue };
        match news(status) {
            Some(news) => call.news.push(news),
            None => call.ignored += 1,
        }
    }
}

fn instant(timestamp: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.parse().ok()?, 0)
}

fn wamid(id: String) -> Option<Phi<String>> {
    if id.is_empty() || id.len() > MAX_WAMID { None } else { Some(Phi::new(id)) }
}

fn incoming(message: Message, names: &[Named]) -> Option<Incoming> {
    let name = names.iter().find(|named| named.wa_id == message.from);
    let name = name.map(|named| named.profile.name.trim().chars().take(MAX_NAME).collect::<String>());
    Some(Incoming {
        at: instant(&message.timestamp)?,
        from: Phi::new(normalise::phone(&format!("+{}", message.from))?),
        name: name.filter(|name| !name.is_empty()).map(Phi::new),
        wamid: wamid(message.id.clone())?,
        said: said(message)?,
    })
}

/// `None` when it says that it is something which it does not hold.
fn said(message: Message) -> Option<Said> {
    let caption = |media: Option<Media>| media.and_then(|media| media.caption).map(Phi::new);
    Some(match message.kind.as_str() {
        "text" => Said::Text(Phi::new(message.text?.body)),
        "button" => Said::Text(Phi::new(message.button?.text)),
        "interactive" => match message.interactive.and_then(|chosen| chosen.button_reply.or(chosen.list_reply)) {
            Some(chosen) => Said::Text(Phi::new(chosen.title)),
            None => Said::Other("A filled-in form", None),
        },
        "image" => Said::Other("A picture", caption(message.image)),
        "video" => Said::Other("A video", caption(message.video)),
        "document" => Said::Other("A document", caption(message.document)),
        "audio" | "voice" => Said::Other("A voice message", None),
        "sticker" => Said::Other("A sticker", None),
        "location" => Said::Other("A location", None),
        "contacts" => Said::Other("A contact card", None),
        _ => Said::Other("Something", None),
    })
}

fn news(status: Status) -> Option<News> {
    let read = match status.status.as_str() {
        "sent" => WhatsappDeliveryStatus::Sent,
        "delivered" => WhatsappDeliveryStatus::Delivered,
        "read" | "played" => WhatsappDeliveryStatus::Read,
        "failed" => WhatsappDeliveryStatus::Failed,
        _ => return None,
    };
    let code = status.errors.first().and_then(|error| error.get("code")).and_then(Value::as_i64);
    Some(News {
        wamid: wamid(status.id)?,
        reference: status.biz_opaque_callback_data.and_then(|reference| MessageId::decode(&reference).ok()),
        status: read,
        at: status.timestamp.as_deref().and_then(instant),
        error_code: (read == WhatsappDeliveryStatus::Failed)
            .then(|| code.map_or_else(|| "failed".to_owned(), |code| code.to_string()))
            .filter(|code| code.len() <= MAX_CODE),
    })
}
