//! What stands in an archive. Pure.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::domains::chat::messages::parts::{EarlierText, Reaction};
use crate::domains::chat::model::{Conversation, Message, Participant};
use crate::domains::patients::model::Patient;
use crate::error::Result;
use crate::ids::{DocumentId, MessageId, TypedId as _, UserId};
use crate::phi::Phi;

/// Who is no longer known by name.
const UNKNOWN: &str = "somebody";

type Names = HashMap<UserId, Phi<String>>;

/// What an archive is of.
pub(super) struct Title {
    pub conversation: Conversation,
    pub participants: Vec<Participant>,
    pub names: Names,
    /// Whom it is about, where the reader may know.
    pub patient: Option<Patient>,
    /// With whom outside it is, by their name, or their number where they gave none.
    pub outside: Option<Phi<String>>,
    pub made_at: DateTime<Utc>,
}

/// Some messages, in the order they were sent.
pub(super) struct Page {
    pub messages: Vec<Message>,
    pub names: Names,
    pub reactions: Vec<Reaction>,
    pub earlier: Vec<EarlierText>,
    pub documents: Vec<(MessageId, DocumentId)>,
}

/// For whom messages are written down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs: a JSON object a line.
    Lines,
}

fn name_in(names: &Names, user: UserId) -> &str {
    names.get(&user).map_or(UNKNOWN, |name| name.reveal().as_str())
}

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Title {
    fn people(&self) -> Vec<Value> {
        let one = |participant: &Participant| {
            json!({
                "id": participant.user.encode(),
                "name": name_in(&self.names, participant.user),
                "role": participant.role.as_str(),
                "party": participant.party.as_str(),
                "joinedAt": participant.joined_at,
            })
        };
        self.participants.iter().map(one).collect()
    }

    /// The index, for programs.
    pub(super) fn index(&self) -> Result<Vec<u8>> {
        let conversation = &self.conversation;
        let patient = self.patient.as_ref().map(|patient| {
            json!({
                "id": patient.id.encode(), "mrn": patient.identity.mrn.reveal(),
                "givenName": patient.identity.given_name.reveal(),
                "familyName": patient.identity.family_name.reveal(),
            })
        });
        Ok(serde_json::to_vec_pretty(&json!({
            "format": 1, "madeAt": self.made_at, "id": conversation.id.encode(), "kind": conversation.kind.as_str(),
            "title": conversation.title.as_ref().map(Phi::reveal), "outside": self.outside.as_ref().map(Phi::reveal), "tags": conversation.tags,
            "status": conversation.status.as_str(), "priority": conversation.priority.as_str(), "patient": patient,
            "createdAt": conversation.created_at, "messages": conversation.last_sequence, "participants": self.people(),
        }))?)
    }
}

impl Form {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "conversation.txt",
            Self::Lines => "messages.jsonl",
        }
    }

    /// What stands before the messages.
    pub(super) fn head(self, title: &Title) -> String {
        let Self::Text = self else { return String::new() };
        let conversation = &title.conversation;
        let mut out =
            conversation.title.as_ref().map_or_else(|| "Conversation".to_owned(), |title| title.reveal().clone());
        out.push('\n');
        if let Some(patient) = &title.patient {
            let identity = &patient.identity;
            let (given, family) = (identity.given_name.reveal(), identity.family_name.reveal());
            let _ = writeln!(out, "About {given} {family}, MRN {}", identity.mrn.reveal());
        }
        let names: Vec<_> =
            title.participants.iter().map(|participant| name_in(&title.names, participant.user)).collect();
        let _ = writeln!(out, "Taking part: {}", names.join(", "));
        let _ = writeln!(out, "{} messages, made {}\n", conversation.last_sequence, at(title.made_at));
        out
    }

    pub(super) fn written(self, title: &Title, page: &Page) -> Result<String> {
        let mut out = String::new();
        for message in &page.messages {
            match self {
                Self::Text => text(&mut out, title, page, message),
                Self::Lines => {
                    out.push_str(&serde_json::to_string(&line(title, page, message))?);
                    out.push('\n');
                }
            }
        }
        Ok(out)
    }
}

/// Who outside said it.
fn outside<'a>(title: &'a Title, message: &Message) -> Option<&'a str> {
    message.contact.and(title.outside.as_ref()).map(|name| name.reveal().as_str())
}

fn text(out: &mut String, title: &Title, page: &Page, message: &Message) {
    let author = match (message.author, &message.model_name) {
        (Some(author), _) => name_in(&page.names, author),
        (None, Some(model)) => model,
        (None, None) => outside(title, message).unwrap_or_default(),
    };
    let _ = write!(out, "#{} {} {author}", message.sequence, at(message.created_at));
    if let Some(edited) = message.edited_at {
        let _ = write!(out, " (edited {})", at(edited));
    }
    out.push('\n');
    if let Some(event) = message.system_event {
        let who = message.system_subject.map_or("", |user| name_in(&page.names, user));
        let _ = writeln!(out, "[{}] {who}", event.as_str().replace('_', " "));
    }
    if let Some(deleted) = message.deleted_at {
        let _ = writeln!(out, "[deleted {}]", at(deleted));
    }
    if let Some(body) = &message.body {
        let _ = writeln!(out, "{}", body.reveal());
    }
    for (_, document) in page.documents.iter().filter(|(of, _)| *of == message.id) {
        let _ = writeln!(out, "[document {}]", document.encode());
    }
    for reaction in page.reactions.iter().filter(|reaction| reaction.message == message.id) {
        let _ = writeln!(out, "[{} {}]", reaction.emoji, name_in(&page.names, reaction.user));
    }
    out.push('\n');
}

fn line(title: &Title, page: &Page, message: &Message) -> Value {
    let person =
        |user: Option<UserId>| user.map(|user| json!({ "id": user.encode(), "name": name_in(&page.names, user) }));
    let earlier: Vec<_> = page.earlier.iter().filter(|text| text.message == message.id).collect();
    let reactions: Vec<_> = page.reactions.iter().filter(|reaction| reaction.message == message.id).collect();
    let documents: Vec<_> = page.documents.iter().filter(|(of, _)| *of == message.id).collect();
    json!({
        "id": message.id.encode(),
        "sequence": message.sequence,
        "kind": message.kind.as_str(),
        "author": person(message.author),
        "outside": outside(title, message),
        "body": message.body.as_ref().map(Phi::reveal),
        "sensitivity": message.sensitivity.as_str(),
        "event": message.system_event.map(|event| json!({ "what": event.as_str(), "who": person(message.system_subject) })),
        "parentId": message.parent.map(MessageId::encode),
        "createdAt": message.created_at,
        "editedAt": message.edited_at,
        "deletedAt": message.deleted_at,
        "model": message.model_name.as_ref().map(|name| json!({
            "name": name, "version": message.model_version, "confidence": message.confidence,
        })),
        "earlier": earlier.iter().map(|text| json!({ "body": text.body.reveal(), "writtenAt": text.written_at })).collect::<Vec<_>>(),
        "reactions": reactions.iter().map(|reaction| json!({
            "emoji": reaction.emoji, "by": person(Some(reaction.user)),
        })).collect::<Vec<_>>(),
        "documentIds": documents.iter().map(|(_, document)| document.encode()).collect::<Vec<_>>(),
    })
}
