//! What one request read, gathered while it runs and written as one insert when it ends: a row for
//! each patient seen, naming the objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Entry, Outcome};
use crate::access::Subject;
use crate::ids::PatientId;

/// Gathers reads and denials of one request.
#[derive(Debug, Default)]
pub struct Reads {
    inner: Mutex<Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    seen: BTreeMap<Option<PatientId>, BTreeMap<&'static str, BTreeSet<Uuid>>>,
    other: Vec<Entry>,
}

impl Reads {
    /// Notes that an object was shown.
    pub fn note(&self, subject: Subject) {
        if let (Some(kind), Some(id)) = (subject.kind, subject.id) {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.seen.entry(subject.patient).or_default().entry(kind).or_default().insert(id);
        }
    }

    /// Notes something that is a row of its own: a search, an export.
    pub fn push(&self, entry: Entry) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).other.push(entry);
    }

    /// Notes that an action was denied; of the same action once, so that what a request leaves is bounded.
    pub fn deny(&self, action: &'static str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |entry: &Entry| entry.action == action && entry.outcome == Outcome::Denied;
        if !inner.other.iter().any(known) {
            let subject = Subject::default();
            inner.other.push(Entry { action, outcome: Outcome::Denied, subject, detail: json!({}) });
        }
    }

    /// Takes everything gathered so far, as entries.
    pub(crate) fn take(&self) -> Vec<Entry> {
        let gathered = std::mem::take(&mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        let mut entries = gathered.other;
        for (patient, kinds) in gathered.seen {
            let objects: Map<String, Value> =
                kinds.into_iter().map(|(kind, ids)| (kind.to_owned(), json!(ids))).collect();
            entries.push(Entry {
                action: "read",
                outcome: Outcome::Success,
                subject: Subject { kind: None, id: None, patient },
                detail: json!({ "objects": objects }),
            });
        }
        entries
    }
}
