//! What a write leaves behind: audit rows, and an event for those who listen.

use serde_json::{Value, json};

use super::batch::service as batch;
use crate::access::{Subject, Tx};
use crate::error::Result;
use crate::events::{EventKind, NewEvent};
use crate::ids::{DocumentId, PatientId};

/// One audit row for each patient a document is about, or one for none; and that it changed.
pub(super) fn changed(tx: &Tx, id: DocumentId, patients: &[PatientId]) {
    changed_with(tx, id, patients, &json!({}));
}

/// The same with what else the audit rows say.
pub(super) fn changed_with(tx: &Tx, id: DocumentId, patients: &[PatientId], detail: &Value) {
    if patients.is_empty() {
        tx.audit(Subject::of(id), detail.clone());
    }
    for patient in patients {
        tx.audit(Subject::of(id).in_record_of(*patient), detail.clone());
    }
    tx.publish(event(id));
}

/// The same for a step on the way into search, of which whoever sent the document in a batch hears as well.
pub(super) async fn came_to(tx: &Tx, id: DocumentId, detail: Value) -> Result<()> {
    tx.audit(Subject::of(id), detail);
    let mut event = event(id);
    if let Some(batch) = batch::of_document(tx, id).await? {
        event = event.about(batch);
    }
    tx.publish(event);
    Ok(())
}

fn event(id: DocumentId) -> NewEvent {
    NewEvent::new(EventKind::DocumentChanged, id)
}
