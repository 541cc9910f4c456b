//! Operations on patients, named as a clerk or clinician would.

mod allergies;
mod archive;
mod break_glass;
mod care_team;
mod contacts;
mod coverages;
mod icd10;
mod read;
mod register;
mod search;
mod update;
mod visits;

pub use allergies::{allergies_of, allergy, record_allergy, update_allergy};
pub use archive::{archive_patient, restore_patient};
pub use break_glass::{
    Opened, break_glass, break_glass_access, count_break_glass_accesses, list_break_glass_accesses, review_break_glass,
};
pub use care_team::{
    care_relationship, care_teams_of, count_care_relationships, end_care_relationship, list_care_relationships,
    start_care_relationship,
};
pub use contacts::{add_contact, contact, contacts_of, remove_contact, update_contact};
pub use coverages::{add_coverage, coverage, coverages_of, end_coverage, update_coverage};
pub use icd10::search_icd10;
pub use read::{TitlePage, are_open, count_patients, list_patients, patient, patients_by_ids, title_page};
pub use register::{possible_duplicates, register_patient};
pub use search::{SearchPage, search_patients, whom};
pub use update::update_patient;
pub use visits::{count_visits_of, diagnoses_of, record_visit, update_visit, visit, visits_by_ids, visits_of};

use super::model::{PatientStatus, Refusal};
use super::repository;
use crate::access::Tx;
use crate::error::{Error, Stop};
use crate::ids::PatientId;

/// Locks the record for a change of one of its parts.
pub(super) async fn changeable(tx: &Tx, id: PatientId) -> Result<(), Stop<Refusal>> {
    match repository::patients::lock_status(tx.db()?, tx.ctx().facility(), id).await? {
        Some(PatientStatus::Active) => Ok(()),
        Some(PatientStatus::Archived) => Err(archived()),
        None => Err(Error::NotFound.into()),
    }
}

fn archived() -> Stop<Refusal> {
    Stop::refuse(Refusal::Archived, &[], "the record is archived: restore it before changing it")
}

fn stale() -> Stop<Refusal> {
    Stop::refuse(
        Refusal::StaleVersion,
        &["input", "expectedVersion"],
        "it was changed since you read it: read it again and repeat the change",
    )
}

fn too_many(what: &'static str, most: usize) -> Stop<Refusal> {
    Stop::refuse(Refusal::TooMany, &[], format!("a patient has at most {most} {what}"))
}

/// Refused unless the version read is the version to be changed.
fn same_version(actual: i32, expected: i32) -> Result<(), Stop<Refusal>> {
    if actual == expected { Ok(()) } else { Err(stale()) }
}

/// Refused unless the change was written.
fn written(was: bool) -> Result<(), Stop<Refusal>> {
    if was { Ok(()) } else { Err(stale()) }
}
