//! Who may do what to patients. What is not listed is not allowed.

use crate::access::{Action, Role};
use Role::{
    Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
    SocialWorker, Technician, Therapist,
};

/// Reads the demographics of patients.
pub const READ: Action = Action::roles(
    "patients.read",
    &[
        Administrator, BillingSpecialist, CaseManager, FrontDesk, Nurse, Pharmacist, Physician, PrivacyOfficer,
        SocialWorker, Technician, Therapist,
    ],
);

/// Registers a patient.
pub const REGISTER: Action = Action::roles(
    "patients.register",
    &[Administrator, CaseManager, FrontDesk, Nurse, Physician, SocialWorker, Therapist],
);

/// Adds, changes and removes contacts.
pub const CONTACTS_WRITE: Action = Action::roles(
    "patients.contacts.write",
    &[Administrator, CaseManager, FrontDesk, Nurse, Physician, SocialWorker, Therapist],
);

/// Every action of the domain, for the permission matrix.
pub const ALL: &[&Action] = &[&READ, &REGISTER, &CONTACTS_WRITE];
