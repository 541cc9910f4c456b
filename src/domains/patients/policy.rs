//! Who may do what to patients. What is not listed is not allowed.
//!
//! Demographics are for everyone who deals with patients. Visits and allergies are for those who treat
//! them: a front desk, a biller or an administrator does not need them. A privacy officer reviews who saw
//! what, and needs no clinical content for it.

use crate::access::{Action, Role};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, Technician, Therapist,
};

const STAFF: &[Role] = &[
    Administrator,
    BillingSpecialist,
    CaseManager,
    FrontDesk,
    Nurse,
    Pharmacist,
    Physician,
    PrivacyOfficer,
    SocialWorker,
    Technician,
    Therapist,
];
const REGISTRARS: &[Role] = &[Administrator, CaseManager, FrontDesk, Nurse, Physician, SocialWorker, Therapist];
const COVERAGE_CLERKS: &[Role] = &[Administrator, BillingSpecialist, CaseManager, FrontDesk, SocialWorker];
const CLINICIANS: &[Role] = &[CaseManager, Nurse, Pharmacist, Physician, SocialWorker, Technician, Therapist];
const VISIT_WRITERS: &[Role] = &[CaseManager, Nurse, Physician, SocialWorker, Technician, Therapist];
const ALLERGY_WRITERS: &[Role] = &[CaseManager, Nurse, Pharmacist, Physician, Therapist];
/// Not therapists: a restricted one could open any chart to themself for good after an emergency access.
const CARE_TEAM_WRITERS: &[Role] = &[Administrator, CaseManager, Physician, SocialWorker];
const REVIEWERS: &[Role] = &[Administrator, PrivacyOfficer];

/// Reads the demographics of patients, their contacts and care team.
pub const READ: Action = Action::roles("patients.read", STAFF);

/// Finds patients by what identifies them.
pub const SEARCH: Action = Action::roles("patients.search", STAFF);

/// Asks whether the facility knows a person already.
pub const DUPLICATES: Action = Action::roles("patients.duplicates", REGISTRARS);

/// Registers a patient.
pub const REGISTER: Action = Action::roles("patients.register", REGISTRARS);

/// Changes what identifies a patient.
pub const UPDATE: Action = Action::roles("patients.update", REGISTRARS);

/// Puts a record out of use.
pub const ARCHIVE: Action = Action::roles("patients.archive", &[Administrator, CaseManager]);

/// Puts an archived record back into use.
pub const RESTORE: Action = Action::roles("patients.restore", &[Administrator, CaseManager]);

/// Adds a contact.
pub const CONTACT_ADD: Action = Action::roles("patients.contacts.add", REGISTRARS);

/// Changes a contact.
pub const CONTACT_UPDATE: Action = Action::roles("patients.contacts.update", REGISTRARS);

/// Removes a contact.
pub const CONTACT_REMOVE: Action = Action::roles("patients.contacts.remove", REGISTRARS);

/// Reads coverages.
pub const COVERAGES_READ: Action = Action::roles("patients.coverages.read", STAFF);

/// Adds a coverage.
pub const COVERAGE_ADD: Action = Action::roles("patients.coverages.add", COVERAGE_CLERKS);

/// Changes a coverage.
pub const COVERAGE_UPDATE: Action = Action::roles("patients.coverages.update", COVERAGE_CLERKS);

/// Ends a coverage.
pub const COVERAGE_END: Action = Action::roles("patients.coverages.end", COVERAGE_CLERKS);

/// Sees who is linked to a chart as a user of the portal.
pub const PORTAL_LINKS_READ: Action =
    Action::roles("patients.portal.links.read", &[Administrator, CaseManager, FrontDesk, PrivacyOfficer]);

/// Lets a user of the portal see a chart.
pub const PORTAL_LINK: Action = Action::roles("patients.portal.link", &[Administrator, CaseManager, FrontDesk]);

/// Takes that back.
pub const PORTAL_UNLINK: Action =
    Action::roles("patients.portal.unlink", &[Administrator, CaseManager, FrontDesk, PrivacyOfficer]);

/// Sees what the portal shows of charts one is linked to.
pub const PORTAL_READ: Action = Action::roles("patients.portal.read", &[Role::Patient]);

/// Reads visits with their diagnoses, vital signs and medications.
pub const VISITS_READ: Action = Action::roles("patients.visits.read", CLINICIANS);

/// Records a visit.
pub const VISIT_RECORD: Action = Action::roles("patients.visits.record", VISIT_WRITERS);

/// Changes a visit.
pub const VISIT_UPDATE: Action = Action::roles("patients.visits.update", VISIT_WRITERS);

/// Reads allergies.
pub const ALLERGIES_READ: Action = Action::roles("patients.allergies.read", CLINICIANS);

/// Writes whom a record is of on what the server makes of it.
pub const TITLE_PAGE: Action = Action::system("patients.title_page");

/// Records an allergy.
pub const ALLERGY_RECORD: Action = Action::roles("patients.allergies.record", ALLERGY_WRITERS);

/// Changes an allergy.
pub const ALLERGY_UPDATE: Action = Action::roles("patients.allergies.update", ALLERGY_WRITERS);

/// Reads who treats whom.
pub const CARE_TEAM_READ: Action = Action::roles("patients.care_team.read", STAFF);

/// Opens a chart to a provider.
pub const CARE_TEAM_START: Action = Action::roles("patients.care_team.start", CARE_TEAM_WRITERS);

/// Closes a chart to a provider.
pub const CARE_TEAM_END: Action = Action::roles("patients.care_team.end", CARE_TEAM_WRITERS);

/// Opens a chart in an emergency, for a while.
pub const BREAK_GLASS: Action = Action::roles("patients.break_glass", CLINICIANS);

/// Lists emergency accesses.
pub const BREAK_GLASS_READ: Action = Action::roles("patients.break_glass.read", REVIEWERS);

/// Judges an emergency access.
pub const BREAK_GLASS_REVIEW: Action = Action::roles("patients.break_glass.review", REVIEWERS);

/// Looks diagnosis codes up.
pub const ICD10_READ: Action = Action::member("icd10.read");

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[
    &TITLE_PAGE,
    &READ,
    &SEARCH,
    &DUPLICATES,
    &REGISTER,
    &UPDATE,
    &ARCHIVE,
    &RESTORE,
    &CONTACT_ADD,
    &CONTACT_UPDATE,
    &CONTACT_REMOVE,
    &COVERAGES_READ,
    &COVERAGE_ADD,
    &COVERAGE_UPDATE,
    &COVERAGE_END,
    &PORTAL_LINKS_READ,
    &PORTAL_LINK,
    &PORTAL_UNLINK,
    &PORTAL_READ,
    &VISITS_READ,
    &VISIT_RECORD,
    &VISIT_UPDATE,
    &ALLERGIES_READ,
    &ALLERGY_RECORD,
    &ALLERGY_UPDATE,
    &CARE_TEAM_READ,
    &CARE_TEAM_START,
    &CARE_TEAM_END,
    &BREAK_GLASS,
    &BREAK_GLASS_READ,
    &BREAK_GLASS_REVIEW,
    &ICD10_READ,
];
