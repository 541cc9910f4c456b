//! Who somebody outside is.

use serde_json::json;

use super::model::Contact;
use super::repository::contacts as repository;
use super::sealing;
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::domains::chat::changes::changed;
use crate::domains::chat::conversations::service::{locked, observer};
use crate::domains::chat::model::{ParticipantRole, Refusal};
use crate::domains::chat::policy;
use crate::domains::patients;
use crate::error::{Error, Result, Stop};
use crate::events::EventKind;
use crate::ids::{PatientId, WhatsappContactId};

pub(super) fn subject(id: WhatsappContactId, patient: Option<PatientId>) -> Subject {
    let subject = Subject::of(id);
    match patient {
        Some(patient) => subject.in_record_of(patient),
        None => subject,
    }
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] when there is none with whom the caller has a conversation.
pub async fn contact(ctx: &RequestContext, id: WhatsappContactId) -> Result<Contact> {
    contacts_by_ids(ctx, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// People outside by id, those with whom the caller has a conversation, in no particular order.
///
/// # Errors
/// A denial, or a fault.
pub async fn contacts_by_ids(ctx: &RequestContext, ids: &[WhatsappContactId]) -> Result<Vec<Contact>> {
    let read = ctx.read(&policy::READ).await?;
    let rows = repository::find_by_ids(read.db()?, ctx.facility(), ids).await?;
    let keys = read.keys().await?;
    rows.into_iter()
        .map(|row| {
            ctx.note_read(subject(row.id, row.patient_id));
            sealing::open_contact(&keys, row)
        })
        .collect()
}

/// Says which patient somebody outside is, or that it is not known. What goes on with them is about that patient from
/// then on.
///
/// # Errors
/// Refused when the chart cannot be opened, or the caller only observes.
pub async fn link(
    ctx: &RequestContext,
    id: WhatsappContactId,
    patient: Option<PatientId>,
    once: Option<Once>,
) -> Result<WhatsappContactId, Stop<Refusal>> {
    ctx.write(&policy::WHATSAPP_LINK)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            let found = repository::lock(db, ctx.facility(), id).await?.ok_or(Error::NotFound)?;
            let change = if patient.is_some() { "linked" } else { "unlinked" };
            tx.audit(subject(id, patient.or(found.patient_id)), json!({ "change": change }));
            let current = repository::current(db, ctx.facility(), id).await?;
            // Where nothing goes on, whoever took part in what went on before may still say who it was with.
            if let Some(current) = current
                && locked(&tx, current.id).await?.role == ParticipantRole::Observer
            {
                return Err(observer());
            }
            if let Some(patient) = patient {
                open(&tx, patient).await?;
            }
            repository::set_patient(db, ctx.facility(), id, patient, ctx.user()?, ctx.now()).await?;
            if let Some(current) = current {
                changed(&tx, EventKind::ConversationChanged, current.id).await?;
            }
            Ok(id)
        })
        .await
}

async fn open(tx: &Tx, patient: PatientId) -> Result<(), Stop<Refusal>> {
    if tx.may(&patients::policy::READ) && patients::service::are_open(tx, &[patient]).await? {
        return Ok(());
    }
    Err(Stop::refuse(Refusal::PatientNotFound, &["input", "patientId"], "there is no such patient"))
}
