//! Fetching a conversation.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::transcript::{Form, Page, Title};
use crate::access::RequestContext;
use crate::archive::Archive;
use crate::domains::chat::conversations::service::{conversation, subject};
use crate::domains::chat::messages::{parts, service as messages};
use crate::domains::chat::participants::service::participants_of;
use crate::domains::chat::policy;
use crate::domains::chat::whatsapp::contacts::contacts_by_ids;
use crate::domains::documents::service::Download;
use crate::domains::identity::service::names_of;
use crate::domains::patients;
use crate::error::{Error, Result};
use crate::ids::{ConversationId, UserId};
use crate::storage::StorageError;

/// Messages that are read at a time.
const AT_A_TIME: i64 = 200;

/// A link for this user and session alone, as a path with a token. Whoever follows it is asked for the permission again.
///
/// # Errors
/// A denial.
pub async fn link(ctx: &RequestContext, id: ConversationId) -> Result<String> {
    ctx.read(&policy::EXPORT).await?;
    Ok(format!("/conversations/{id}/content?token={}", ctx.download_token(crate::ids::TypedId::uuid(id))?))
}

/// Begins an archive of a conversation. That it is fetched is on record before this returns.
///
/// # Errors
/// [`Error::NotFound`] when there is none the caller takes part in.
pub async fn open(ctx: &RequestContext, id: ConversationId) -> Result<Download> {
    let title = title(ctx, id).await?;
    let conversation = &title.conversation;
    ctx.note(&policy::EXPORT, subject(id, conversation.patient), json!({ "messages": conversation.last_sequence }));
    ctx.finish().await?;
    let (archive, bytes) = Archive::begin();
    let file_name = format!("conversation-{}.zip", ctx.now().format("%Y-%m-%d")).into();
    let beside = ctx.beside();
    // It ends by itself: with the last message, or when nobody fetches the bytes any more.
    tokio::spawn(async move {
        if let Err(error) = fill(&beside, archive, &title).await {
            tracing::warn!(%error, "the archive of a conversation was broken off");
        }
    });
    let content = bytes.map_err(|_| StorageError::Interrupted).boxed();
    Ok(Download { mime_type: "application/zip".to_owned(), file_name, size_bytes: None, content })
}

async fn title(ctx: &RequestContext, id: ConversationId) -> Result<Title> {
    let read = ctx.read(&policy::EXPORT).await?;
    let conversation = conversation(ctx, id).await?;
    let participants = participants_of(ctx, &[id]).await?;
    let users: Vec<UserId> = participants.iter().map(|participant| participant.user).collect();
    let names = names_of(&read, &users).await?;
    let patient = match conversation.patient {
        // Whoever may not open the chart is not told whose it is.
        Some(patient) if read.may(&patients::policy::READ) => {
            patients::service::patients_by_ids(ctx, &[patient]).await?.pop()
        }
        _ => None,
    };
    let outside = match conversation.contact {
        Some(contact) => contacts_by_ids(ctx, &[contact]).await?.pop(),
        None => None,
    };
    let outside = outside.map(|contact| contact.name.unwrap_or(contact.phone));
    Ok(Title { conversation, participants, names, patient, outside, made_at: ctx.now() })
}

async fn fill(ctx: &RequestContext, mut archive: Archive, title: &Title) -> Result<()> {
    let mut checksums = String::new();
    for form in [Form::Text, Form::Lines] {
        archive.entry(form.name().to_owned(), true).await?;
        let mut hash = Sha256::new();
        let mut put = async |piece: String| {
            hash.update(piece.as_bytes());
            archive.content(Bytes::from(piece)).await
        };
        put(form.head(title)).await?;
        let (mut sequence, last) = (0, title.conversation.last_sequence);
        while sequence < last {
            let page = page(ctx, title.conversation.id, sequence, AT_A_TIME.min(last - sequence)).await?;
            // Messages have numbers without gaps: none means that the caller takes part no longer.
            sequence = page.messages.last().ok_or(Error::NotFound)?.sequence;
            put(form.written(title, &page)?).await?;
        }
        note_checksum(&mut checksums, form.name(), hash);
    }
    let index = title.index()?;
    note_checksum(&mut checksums, "index.json", Sha256::new_with_prefix(&index));
    for (name, content) in [("index.json", index), ("checksums.sha256", checksums.into_bytes())] {
        archive.entry(name.to_owned(), true).await?;
        archive.content(Bytes::from(content)).await?;
    }
    archive.finish().await
}

fn note_checksum(checksums: &mut String, name: &str, hash: Sha256) {
    use std::fmt::Write as _;
    for byte in hash.finalize() {
        let _ = write!(checksums, "{byte:02x}");
    }
    let _ = writeln!(checksums, "  {name}");
}

/// Some messages with what belongs to them. No connection is kept while they are sent.
async fn page(ctx: &RequestContext, id: ConversationId, after: i64, count: i64) -> Result<Page> {
    let read = ctx.read(&policy::EXPORT).await?;
    let messages = messages::stretch(&read, id, after, count).await?;
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    let users: Vec<UserId> =
        messages.iter().flat_map(|message| [message.author, message.system_subject]).flatten().collect();
    let reactions = parts::reactions_of(ctx, &ids).await?;
    let users = users.into_iter().chain(reactions.iter().map(|reaction| reaction.user));
    let names = names_of(&read, &users.collect::<Vec<_>>()).await?;
    let earlier = parts::history_of(ctx, &ids).await?;
    let documents = parts::attachments_of(ctx, &ids).await?;
    drop(read);
    ctx.finish().await?;
    Ok(Page { messages, names, reactions, earlier, documents })
}
