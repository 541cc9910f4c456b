//! Conversations of the two physicians. What is said is not in search: a job of the product puts it there.

use anamnesis::crypto::ColumnId;
use anamnesis::ids::TypedId as _;
use anamnesis::phi::Phi;
use indicatif::ProgressBar;
use tokio_postgres::Client;
use uuid::Uuid;

use super::copy::{Copy, Value};
use super::corpus::Corpus;
use super::{Facility, Maker};
use crate::Result;

const BODY: ColumnId = ColumnId::new("messages", "body");
/// Messages of a conversation.
const MESSAGES: usize = 200;

/// Makes the conversations of a facility and what is said in them, by both in turn.
pub async fn make(
    maker: &mut Maker,
    client: &Client,
    facility: &Facility,
    corpus: &Corpus,
    bar: &ProgressBar,
) -> Result<()> {
    let lengths: Vec<(Uuid, usize)> = (0..facility.messages.div_ceil(MESSAGES))
        .map(|number| (Uuid::now_v7(), MESSAGES.min(facility.messages - number * MESSAGES)))
        .collect();
    write_conversations(maker, client, facility, &lengths).await?;
    write_participants(maker, client, facility, &lengths).await?;
    let keys = maker.app.keys_of_facility(facility.id).await?;
    let columns = "facility_id, id, conversation_id, sequence, author_user_id, kind, body_ciphertext, sensitivity, \
        created_at";
    let mut rows = Copy::into(client, "messages", columns).await?;
    for (conversation, length) in &lengths {
        for sequence in 1..=*length {
            let id = Uuid::now_v7();
            let text =
                corpus.passage(&mut maker.random).sentences.first().map_or("Noted.", |first| first.text.as_str());
            let sealed = keys.fields.encrypt_text(BODY, id, &Phi::from(text))?;
            let author = if sequence % 2 == 0 { maker.user } else { maker.colleague };
            rows.row(&[
                Value::Uuid(facility.id.uuid()),
                Value::Uuid(id),
                Value::Uuid(*conversation),
                Value::Int(i64::try_from(sequence)?),
                Value::Uuid(author.uuid()),
                Value::Word("text"),
                Value::Bytes(&sealed),
                Value::Word("normal"),
                Value::Time(maker.now),
            ])
            .await?;
            bar.inc(1);
        }
    }
    rows.finish().await
}

async fn write_conversations(
    maker: &Maker,
    client: &Client,
    facility: &Facility,
    lengths: &[(Uuid, usize)],
) -> Result<()> {
    let columns = "facility_id, id, kind, priority, status, last_sequence, last_activity_at, created_by, created_at";
    let mut rows = Copy::into(client, "conversations", columns).await?;
    for (id, length) in lengths {
        rows.row(&[
            Value::Uuid(facility.id.uuid()),
            Value::Uuid(*id),
            Value::Word("general"),
            Value::Word("normal"),
            Value::Word("active"),
            Value::Int(i64::try_from(*length)?),
            Value::Time(maker.now),
            Value::Uuid(maker.user.uuid()),
            Value::Time(maker.now),
        ])
        .await?;
    }
    rows.finish().await
}

async fn write_participants(
    maker: &Maker,
    client: &Client,
    facility: &Facility,
    lengths: &[(Uuid, usize)],
) -> Result<()> {
    let columns = "facility_id, conversation_id, user_id, role, party, joined_at, last_read_sequence, seen_sequence, \
        delivered_sequence";
    let mut rows = Copy::into(client, "conversation_participants", columns).await?;
    for (id, length) in lengths {
        for (user, role) in [(maker.user, "owner"), (maker.colleague, "member")] {
            let read = i64::try_from(*length)?;
            rows.row(&[
                Value::Uuid(facility.id.uuid()),
                Value::Uuid(*id),
                Value::Uuid(user.uuid()),
                Value::Word(role),
                Value::Word("staff"),
                Value::Time(maker.now),
                Value::Int(read),
                Value::Int(read),
                Value::Int(read),
            ])
            .await?;
        }
    }
    rows.finish().await
}
