//! Legal holds.

use serde_json::json;

use super::{OnRecord, repository};
use crate::access::{Once, RequestContext, Subject};
use crate::crypto::ColumnId;
use crate::domains::chat::conversations::service::subject;
use crate::domains::chat::model::Refusal;
use crate::domains::chat::policy;
use crate::error::{Error, Result, Stop};
use crate::ids::{ConversationId, PatientId, TypedId as _};
use crate::phi::Phi;

const REASON: ColumnId = ColumnId::new("conversations", "hold_reason");

/// Longest reason, in characters.
const MAX_REASON: usize = 1000;

/// The conversations about a patient, last begun first, at most 500: what they are, not what is said in them.
///
/// # Errors
/// A denial, or a fault.
pub async fn conversations_about(ctx: &RequestContext, patient: PatientId) -> Result<Vec<OnRecord>> {
    let read = ctx.read(&policy::HOLD).await?;
    let rows = repository::about(read.db()?, patient).await?;
    let keys = read.keys().await?;
    let about = Subject { kind: None, id: None, patient: Some(patient) };
    if !rows.is_empty() {
        ctx.note(&policy::HOLD, about, json!({ "conversations": rows.len() }));
    }
    rows.into_iter()
        .map(|row| {
            Ok(OnRecord {
                id: row.id,
                kind: row.kind,
                status: row.status,
                messages: row.last_sequence,
                created_at: row.created_at,
                last_activity_at: row.last_activity_at,
                held_at: row.held_at,
                hold_reason: keys.fields.decrypt_text_opt(
                    REASON,
                    row.id.uuid(),
                    row.hold_reason_ciphertext.as_deref(),
                )?,
            })
        })
        .collect()
}

/// Places a legal hold: while it lasts, nothing of the conversation goes away.
///
/// # Errors
/// Refused when the reason is empty or too long, or a hold lasts already.
pub async fn place_hold(
    ctx: &RequestContext,
    conversation: ConversationId,
    reason: Phi<String>,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::HOLD)
        .once(once)
        .run(|tx| async move {
            let reason = reason.trimmed();
            if reason.is_blank() || reason.length_chars() > MAX_REASON || reason.reveal_str().contains('\0') {
                let sentence = format!("must have 1 to {MAX_REASON} characters");
                return Err(Stop::refuse(Refusal::Invalid, &["input", "reason"], sentence));
            }
            let sealed = tx.keys().await?.fields.encrypt_text(REASON, conversation.uuid(), &reason)?;
            let held = repository::hold(tx.db()?, conversation, Some(sealed)).await?;
            if !held.there {
                return Err(Error::NotFound.into());
            }
            tx.audit(subject(conversation, held.patient_id), json!({ "hold": "placed" }));
            if !held.changed {
                let field = &["input", "conversationId"];
                return Err(Stop::refuse(Refusal::OnHold, field, "the conversation is under a legal hold already"));
            }
            Ok(conversation)
        })
        .await
}

/// Releases a legal hold.
///
/// # Errors
/// Refused when none lasts.
pub async fn release_hold(
    ctx: &RequestContext,
    conversation: ConversationId,
    once: Option<Once>,
) -> Result<ConversationId, Stop<Refusal>> {
    ctx.write(&policy::HOLD)
        .once(once)
        .run(|tx| async move {
            let held = repository::hold(tx.db()?, conversation, None).await?;
            if !held.there {
                return Err(Error::NotFound.into());
            }
            tx.audit(subject(conversation, held.patient_id), json!({ "hold": "released" }));
            if !held.changed {
                let field = &["input", "conversationId"];
                return Err(Stop::refuse(Refusal::NotOnHold, field, "the conversation is under no legal hold"));
            }
            Ok(conversation)
        })
        .await
}
