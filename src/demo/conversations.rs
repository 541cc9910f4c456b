//! Conversations among the staff.

use super::must;
use super::people::World;
use super::records::Patients;
use crate::domains::chat::conversations::service::{self as conversations, NewConversation};
use crate::domains::chat::messages::service::{self as messages, SendMessage};
use crate::domains::chat::model::{ConversationKind, ConversationPriority, MessageKind, MessageSensitivity};
use crate::error::{Error, Result};
use crate::phi::Phi;

/// A conversation: whoever speaks first begins it.
struct Talk {
    facility: &'static str,
    kind: ConversationKind,
    patient: Option<&'static str>,
    title: &'static str,
    priority: ConversationPriority,
    /// Who says what.
    said: &'static [(&'static str, &'static str)],
}

const TALKS: &[Talk] = &[
    Talk {
        facility: "quillhaven",
        kind: ConversationKind::Patient,
        patient: Some("q01"),
        title: "Evening confusion",
        priority: ConversationPriority::High,
        said: &[
            ("freund", "His daughter called: he was up twice last night and did not know the house."),
            ("quarrie", "Thank you. Please ask whether anything new was started for sleep over the counter."),
            ("freund", "Diphenhydramine, since Sunday. She will stop it today."),
            ("quarrie", "Good. I will call her this afternoon and see him on Thursday."),
        ],
    },
    Talk {
        facility: "quillhaven",
        kind: ConversationKind::General,
        patient: None,
        title: "Group room",
        priority: ConversationPriority::Normal,
        said: &[
            ("tillery", "The group room is being painted on Friday. Which groups should move?"),
            ("marrow", "Mine can meet in the library."),
            ("halloway", "The family group will meet over video."),
        ],
    },
    Talk {
        facility: "jacaranda",
        kind: ConversationKind::SecureMail,
        patient: Some("j06"),
        title: "Refill before the holiday",
        priority: ConversationPriority::Normal,
        said: &[
            ("bloomquist", "She leaves on the 20th and will run out on the 24th. Could the refill be early?"),
            ("kestelman", "Yes. I have sent it to her pharmacy for the 19th."),
        ],
    },
];

/// Lets the staff talk.
pub(super) async fn conversations(world: &World, patients: &Patients) -> Result<()> {
    for talk in TALKS {
        let Some((first, _)) = talk.said.first() else { continue };
        let patient = match talk.patient {
            Some(key) => {
                Some(patients.get(key).copied().ok_or_else(|| Error::internal("the demo names an unknown patient"))?)
            }
            None => None,
        };
        let participants = talk.said.iter().map(|(person, _)| world.user(person)).collect::<Result<_>>()?;
        let new = NewConversation {
            kind: talk.kind,
            title: Some(Phi::from(talk.title)),
            patient,
            participants,
            priority: talk.priority,
            tags: Vec::new(),
        };
        let ctx = world.as_person(first, talk.facility)?;
        let conversation = must("conversation", conversations::create_conversation(&ctx, new, None).await)?;
        for (person, text) in talk.said {
            let ctx = world.as_person(person, talk.facility)?;
            let message = SendMessage {
                conversation,
                kind: MessageKind::Text,
                body: Phi::from(*text),
                parent: None,
                sensitivity: MessageSensitivity::Normal,
                mentions: Vec::new(),
                documents: Vec::new(),
            };
            must("message", messages::send_message(&ctx, message, None).await)?;
        }
    }
    Ok(())
}
