//! Searching.

use std::collections::HashMap;

use serde_json::json;

use super::repository;
use crate::access::{Read, RequestContext, Subject};
use crate::domains::chat::messages::service::messages_by_ids;
use crate::domains::chat::model::Message;
use crate::domains::chat::policy;
use crate::domains::documents;
use crate::domains::documents::processing::models;
use crate::embedding::Priority;
use crate::error::{Error, Result};
use crate::ids::{ConversationId, MessageId, TypedId as _};
use crate::phi::Phi;

/// Longest query, in characters.
const MAX_QUERY: usize = 1000;
/// What two ranks are fused with (Cormack, Clarke and Büttcher, 2009).
const RANK: f64 = 60.0;
/// Less alike than this is not about the same.
const MIN_LIKENESS: f64 = 0.3;

/// Messages that answer a query, best first.
///
/// # Errors
/// [`Error::BadInput`] for an empty or too long query; a denial, or a fault.
pub async fn search(
    ctx: &RequestContext,
    query: &Phi<String>,
    conversation: Option<ConversationId>,
    first: usize,
) -> Result<Vec<Message>> {
    let read = ctx.read(&policy::SEARCH).await?;
    let query = query.trimmed();
    if query.is_blank() || query.length_chars() > MAX_QUERY || query.reveal_str().contains('\0') {
        return Err(Error::bad_input(format!("`query` must be 1 to {MAX_QUERY} characters of text")));
    }
    let terms = documents::search::service::terms_of(&read, &query).await?;
    let worded = repository::by_words(read.db()?, ctx.facility(), conversation, terms).await?;
    let meant = nearest(&read, &query, conversation).await?;
    let ids = fused(&worded, &meant, first);
    let found: HashMap<MessageId, Message> =
        messages_by_ids(ctx, &ids).await?.into_iter().map(|message| (message.id, message)).collect();
    let results: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    ctx.note(&policy::SEARCH, Subject::default(), json!({ "conversation": conversation, "results": results }));
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Nothing where the model cannot be asked: words are searched all the same.
async fn nearest(read: &Read, query: &Phi<String>, conversation: Option<ConversationId>) -> Result<Vec<MessageId>> {
    let (db, ctx) = (read.db()?, read.ctx());
    let model = models::serving(db).await?;
    let Ok(provider) = models::provider(ctx.app(), &model) else { return Ok(Vec::new()) };
    let vector = match provider.embed(vec![query.reveal().clone()], Priority::Query).await {
        Ok(vectors) => vectors.into_iter().next(),
        Err(error) => {
            tracing::warn!(%error, "a query could not be embedded");
            None
        }
    };
    let Some(vector) = vector else { return Ok(Vec::new()) };
    let near = repository::by_meaning(db, ctx.facility(), conversation, model.id, vector).await?;
    Ok(near.into_iter().filter(|(_, likeness)| *likeness >= MIN_LIKENESS).map(|(id, _)| id).collect())
}

/// Both rankings as one, by reciprocal ranks.
fn fused(worded: &[MessageId], meant: &[MessageId], most: usize) -> Vec<MessageId> {
    let mut scores: HashMap<MessageId, f64> = HashMap::new();
    for ranking in [worded, meant] {
        let mut rank = RANK;
        for id in ranking {
            rank += 1.0;
            *scores.entry(*id).or_default() += 1.0 / rank;
        }
    }
    let mut fused: Vec<(MessageId, f64)> = scores.into_iter().collect();
    fused.sort_by(|one, other| other.1.total_cmp(&one.1).then(other.0.cmp(&one.0)));
    fused.truncate(most);
    fused.into_iter().map(|(id, _)| id).collect()
}
