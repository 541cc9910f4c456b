//! Who may do what to documents. What is not listed is not allowed.
//!
//! Conditions come on top: a kind that is not administrative needs [`READ_CLINICAL`] whatever is done to the document, a
//! psychotherapy note needs [`PSYCHOTHERAPY`] and is its author's alone, one labelled Part 2 needs [`PART2_READ`] or is
//! one's own, and a draft is its author's alone. The database holds all but the first as well (`kept_apart` in
//! `src/db/replaceable/50_documents.sql`).

use super::model::DocumentKind;
use crate::access::{Action, Read, Role, Tx};
use crate::error::{Error, Result};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, Technician, Therapist,
};

/// Those who treat patients.
const CLINICIANS: &[Role] = &[CaseManager, Nurse, Pharmacist, Physician, SocialWorker, Technician, Therapist];

/// Those who deal with documents at all. A privacy officer reviews who saw what, and needs no content for it.
const STAFF: &[Role] = &[
    Administrator,
    BillingSpecialist,
    CaseManager,
    FrontDesk,
    Nurse,
    Pharmacist,
    Physician,
    SocialWorker,
    Technician,
    Therapist,
];

/// Sees documents of administrative kinds.
pub const READ: Action = Action::roles("documents.read", STAFF);

/// Sees documents of every kind.
pub const READ_CLINICAL: Action = Action::roles("documents.read_clinical", CLINICIANS);

/// Writes psychotherapy notes, and reads one's own.
pub const PSYCHOTHERAPY: Action = Action::roles("documents.psychotherapy", &[Physician, SocialWorker, Therapist]);

/// Sees documents labelled 42 CFR Part 2, of the kinds one sees. The same roles stand in `bind_user`.
pub const PART2_READ: Action =
    Action::roles("documents.part2.read", &[Administrator, Nurse, Pharmacist, Physician, SocialWorker, Therapist]);

/// Puts the label 42 CFR Part 2 on documents of one's own, and takes it off.
pub const PART2_LABEL: Action = Action::roles("documents.part2.label", STAFF);

/// The same on documents of others.
pub const PART2_LABEL_ANY: Action = Action::roles("documents.part2.label_any", &[Administrator, Physician]);

/// Fetches the file of a document.
pub const DOWNLOAD: Action = Action::roles("documents.download", STAFF);

/// Uploads a file.
pub const UPLOAD: Action = Action::roles("documents.upload", STAFF);

/// Changes title, kind and date.
pub const UPDATE: Action = Action::roles("documents.update", STAFF);

/// Says which patients a document is about.
pub const LINK: Action = Action::roles("documents.link", STAFF);

/// Has a failed document read again.
pub const RETRY: Action = Action::roles("documents.retry", STAFF);

/// Sees folders of work: what is unassigned, to be looked at, failed.
pub const INBOX: Action = Action::roles("documents.inbox", STAFF);

/// Gives a document to somebody to look at.
pub const ASSIGN: Action = Action::roles("documents.assign", STAFF);

/// Says that a document was looked at.
pub const REVIEW: Action = Action::roles("documents.review", STAFF);

/// Says by which rule a document is kept.
pub const RETENTION: Action = Action::roles("documents.retention", STAFF);

/// Places and releases legal holds, on documents of every kind, and sees why.
pub const HOLD: Action = Action::roles("documents.hold", &[Administrator, PrivacyOfficer]);

/// Lets the documents of a patient out as one archive, and fetches it.
pub const EXPORT: Action = Action::roles("documents.export", &[CaseManager, Physician, Therapist]);

/// Makes the archive.
pub const EXPORT_MAKE: Action = Action::system("documents.export_make");

/// Accepts or dismisses what the text of a document proposes.
pub const PROPOSAL_DECIDE: Action = Action::roles("documents.proposal.decide", STAFF);

/// Writes notes and addenda, and declares them final.
pub const NOTE_WRITE: Action = Action::roles("documents.note.write", CLINICIANS);

/// Signs notes of those one supervises.
pub const NOTE_COSIGN: Action = Action::roles("documents.note.cosign", CLINICIANS);

/// Fetches a signed note as a file that is verified without the server.
pub const NOTE_EXPORT: Action = Action::roles("documents.note.export", CLINICIANS);

/// Sees whose notes need whose co-signature.
pub const SUPERVISION_READ: Action = Action::roles(
    "documents.supervision.read",
    &[Administrator, CaseManager, Nurse, Pharmacist, Physician, SocialWorker, Technician, Therapist],
);

/// Says whose notes need whose co-signature.
pub const SUPERVISION_MANAGE: Action = Action::roles("documents.supervision.manage", &[Administrator]);

/// Records that a patient asks for a note to be corrected.
pub const AMENDMENT_REQUEST: Action = Action::roles("documents.amendment.request", STAFF);

/// Sees such requests, about documents one sees.
pub const AMENDMENT_READ: Action = Action::roles("documents.amendment.read", STAFF);

/// Puts the day off by which such a request is to be decided.
pub const AMENDMENT_EXTEND: Action = Action::roles("documents.amendment.extend", CLINICIANS);

/// Sees what the portal shows of documents, in charts one is linked to.
pub const PORTAL_READ: Action = Action::roles("documents.portal.read", &[Role::Patient]);

/// Asks for a correction of a note in such a chart.
pub const PORTAL_AMENDMENT: Action = Action::roles("documents.portal.amendment", &[Role::Patient]);

/// Accepts or denies such a request.
pub const AMENDMENT_DECIDE: Action = Action::roles("documents.amendment.decide", CLINICIANS);

/// Sees the templates that notes are made of.
pub const TEMPLATE_READ: Action = Action::roles("documents.template.read", STAFF);

/// Makes, changes and archives templates of the facility.
pub const TEMPLATE_MANAGE: Action = Action::roles("documents.template.manage", &[Administrator, Physician]);

/// Reads what a document was before.
pub const VERSION_READ: Action = Action::roles("documents.version.read", STAFF);

/// Puts an earlier version of a document back.
pub const VERSION_RESTORE: Action = Action::roles("documents.version.restore", STAFF);

/// Signs a note of one's own.
pub const NOTE_SIGN: Action = Action::roles("documents.note.sign", CLINICIANS);

/// Searches documents of administrative kinds; of every kind with [`READ_CLINICAL`].
pub const SEARCH: Action = Action::roles("documents.search", STAFF);

/// Keeps searches of one's own, to be run again.
pub const SEARCH_SAVE: Action = Action::roles("documents.search.save", STAFF);

/// Asks a question of a patient's record, to be answered from its passages.
pub const ASK: Action = Action::roles("documents.ask", CLINICIANS);

/// Brings a document into search.
pub const PROCESS: Action = Action::system("documents.process");

/// Prepares passages for another embedding model, and clears up after one.
pub const REEMBED: Action = Action::system("documents.reembed");

/// Makes the cells by which a large facility is searched.
pub const DIVIDE: Action = Action::system("documents.divide");

/// Registers an embedding model, or lets another one serve.
pub const MODEL_CHANGE: Action = Action::system("documents.model_change");

/// Removes files that no document names.
pub const SWEEP: Action = Action::system("documents.sweep");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &READ,
    &READ_CLINICAL,
    &PSYCHOTHERAPY,
    &PART2_READ,
    &PART2_LABEL,
    &PART2_LABEL_ANY,
    &DOWNLOAD,
    &UPLOAD,
    &UPDATE,
    &LINK,
    &RETRY,
    &INBOX,
    &ASSIGN,
    &REVIEW,
    &RETENTION,
    &HOLD,
    &EXPORT,
    &EXPORT_MAKE,
    &PROPOSAL_DECIDE,
    &NOTE_WRITE,
    &NOTE_SIGN,
    &NOTE_COSIGN,
    &NOTE_EXPORT,
    &SUPERVISION_READ,
    &SUPERVISION_MANAGE,
    &AMENDMENT_REQUEST,
    &AMENDMENT_READ,
    &AMENDMENT_DECIDE,
    &AMENDMENT_EXTEND,
    &PORTAL_READ,
    &PORTAL_AMENDMENT,
    &TEMPLATE_READ,
    &TEMPLATE_MANAGE,
    &VERSION_READ,
    &VERSION_RESTORE,
    &SEARCH,
    &SEARCH_SAVE,
    &ASK,
    &PROCESS,
    &REEMBED,
    &DIVIDE,
    &MODEL_CHANGE,
    &SWEEP,
];

/// Kinds that clerks and billers work with; they say little of a person's health.
pub const ADMINISTRATIVE: &[DocumentKind] =
    &[DocumentKind::InsuranceDocument, DocumentKind::ConsentForm, DocumentKind::Referral, DocumentKind::Other];

/// What is in a patient's record: every kind but psychotherapy notes, which are kept apart from it.
pub const OF_RECORD: &[DocumentKind] = &[
    DocumentKind::MedicalRecord,
    DocumentKind::LabResult,
    DocumentKind::ImagingReport,
    DocumentKind::DischargeSummary,
    DocumentKind::TreatmentPlan,
    DocumentKind::InsuranceDocument,
    DocumentKind::ConsentForm,
    DocumentKind::MedicationList,
    DocumentKind::AllergyRecord,
    DocumentKind::ClinicalNote,
    DocumentKind::Referral,
    DocumentKind::Other,
];

/// An open door that can be asked what its actor may.
pub trait Door {
    /// Whether one more action is allowed.
    fn allows(&self, action: &'static Action) -> bool;
}

impl Door for Read {
    fn allows(&self, action: &'static Action) -> bool {
        self.may(action)
    }
}

impl Door for Tx {
    fn allows(&self, action: &'static Action) -> bool {
        self.may(action)
    }
}

/// The kinds this actor may know of. Every query on documents, and on what is derived from them, is narrowed by it.
pub fn readable_kinds(door: &impl Door) -> &'static [DocumentKind] {
    match (door.allows(&READ_CLINICAL), door.allows(&PSYCHOTHERAPY)) {
        (true, true) => DocumentKind::ALL,
        (true, false) => OF_RECORD,
        (false, _) => ADMINISTRATIVE,
    }
}

/// Lets a kind pass that the actor may give to a document.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn require_kind(door: &impl Door, kind: DocumentKind) -> Result<()> {
    if readable_kinds(door).contains(&kind) { Ok(()) } else { Err(Error::Forbidden(needed(kind))) }
}

/// The permission that a kind needs beyond [`READ`].
#[must_use]
pub const fn needed(kind: DocumentKind) -> &'static str {
    if matches!(kind, DocumentKind::PsychotherapyNote) { PSYCHOTHERAPY.name } else { READ_CLINICAL.name }
}
