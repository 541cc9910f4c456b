//! The scratch facility: one physician, one invented patient, and the passages of a set as final notes about them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::people::{Physician, must};
use crate::access::RequestContext;
use crate::app::App;
use crate::domains::documents::model::{CreateNote, DocumentKind};
use crate::domains::documents::service as documents;
use crate::domains::patients::model::{Gender, RegisterPatient};
use crate::domains::patients::service as patients;
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, PatientId};
use crate::jobs::Worker;
use crate::phi::Phi;

const PHYSICIAN: Physician =
    Physician { email: "measurer@example.org", password: "four grey herons by the weir", with: "eval" };
/// Jobs done at once: one embeds while others wait for the database.
const WORKERS: usize = 4;

/// An indexed set: where its passages went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scratch {
    /// [`Dataset::fingerprint`] of the set.
    pub fingerprint: String,
    facility: FacilityId,
    /// Documents by passage.
    documents: HashMap<String, DocumentId>,
}

impl Scratch {
    /// One that was written before, if it holds the same passages.
    #[must_use]
    pub fn load(file: &Path, dataset: &Dataset) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        let scratch: Self = serde_json::from_str(&text).ok()?;
        (scratch.fingerprint == dataset.fingerprint()).then_some(scratch)
    }

    /// Writes down where everything is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(file, serde_json::to_string(self)?)
    }

    /// Makes the facility and brings every passage into search.
    ///
    /// # Errors
    /// When the database or the model refuses.
    pub async fn fill(app: &Arc<App>, dataset: &Dataset) -> Result<Self> {
        let user = PHYSICIAN.make(app).await?;
        let facility = PHYSICIAN.facility(app, user, "Scratch".to_owned()).await?;
        let ctx = PHYSICIAN.at_work(app, facility).await?;
        let patient = patient(app, facility).await?;
        let mut documents = HashMap::with_capacity(dataset.passages.len());
        for passage in &dataset.passages {
            let text = if passage.title.is_empty() {
                passage.text.clone()
            } else {
                format!("{}\n\n{}", passage.title, passage.text)
            };
            let note = CreateNote {
                kind: DocumentKind::ClinicalNote,
                title: Phi::from("Passage"),
                text: Phi::new(text),
                document_date: None,
                labels: Vec::new(),
                patient_ids: vec![patient],
                visit_id: None,
            };
            let id = must("passage", documents::create_note(&ctx, note, None).await)?;
            must("passage", documents::finalize_note(&ctx, id, 1, None).await)?;
            documents.insert(passage.id.clone(), id);
        }
        let workers = (0..WORKERS)
            .map(|_| async { Worker::new(Arc::clone(app), crate::domains::job_handlers(app)).drain().await });
        try_join_all(workers).await?;
        Ok(Self { fingerprint: dataset.fingerprint(), facility, documents })
    }

    /// Passages by document.
    #[must_use]
    pub fn passages(&self) -> HashMap<DocumentId, &str> {
        self.documents.iter().map(|(passage, document)| (*document, passage.as_str())).collect()
    }

    /// A context of the physician.
    ///
    /// # Errors
    /// When they cannot sign in.
    pub async fn physician(&self, app: &Arc<App>) -> Result<RequestContext> {
        PHYSICIAN.at_work(app, self.facility).await
    }
}

async fn patient(app: &Arc<App>, facility: FacilityId) -> Result<PatientId> {
    let ctx = RequestContext::system(Arc::clone(app), facility, "eval");
    let birth = NaiveDate::from_ymd_opt(1980, 1, 1).unwrap_or_default();
    let new = RegisterPatient {
        mrn: None,
        given_name: Phi::from("Nobody"),
        middle_name: None,
        family_name: Phi::from("Inparticular"),
        preferred_name: None,
        birth_date: Phi::new(birth),
        ssn: None,
        phone: None,
        email: None,
        address: None,
        gender: Gender::Unknown,
        preferred_language: None,
        accept_duplicates: true,
    };
    must("patient", patients::register_patient(&ctx, new, None).await)
}
