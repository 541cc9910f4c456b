//! What is searched for, what is found, and who may be the same person.

use chrono::NaiveDate;

use super::{Patient, PatientStatus};
use crate::phi::Phi;

/// How a searched name is compared. Each also finds what the one before finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, async_graphql::Enum)]
#[graphql(name = "PatientNameMode")]
pub enum NameMode {
    /// Whole names, or whole parts of them.
    Exact,
    /// Names that begin with what is given.
    #[default]
    Prefix,
    /// Names that sound alike in English.
    SoundsLike,
}

/// A search. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct SearchPatients {
    pub name: Option<Phi<String>>,
    pub name_mode: NameMode,
    pub birth_date: Option<Phi<NaiveDate>>,
    pub phone: Option<Phi<String>>,
    pub email: Option<Phi<String>>,
    pub ssn_last_four: Option<Phi<String>>,
    pub mrn: Option<Phi<String>>,
    /// Both when left out.
    pub status: Option<PatientStatus>,
}

/// How well a patient matches a search, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum)]
#[graphql(name = "PatientMatchKind")]
pub enum MatchKind {
    /// All that was given is on record as given.
    Exact,
    /// A name begins with what was given.
    Prefix,
    /// A name sounds like what was given.
    SoundsLike,
}

/// A patient found.
#[derive(Debug, Clone)]
pub struct Found {
    pub patient: Patient,
    pub matched: MatchKind,
}

/// Why two records may be one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, async_graphql::Enum)]
#[graphql(name = "PatientDuplicateReason")]
#[expect(clippy::enum_variant_names, reason = "the names are those of the contract: what is the same")]
pub enum DuplicateReason {
    /// The same social security number.
    SameSsn,
    /// The same last four digits of the social security number and the same date of birth.
    SameSsnLastFourAndBirthDate,
    /// The same date of birth and the same name.
    SameBirthDateAndName,
    /// The same date of birth and a name that sounds or is spelt nearly alike.
    SameBirthDateAndSimilarName,
    /// The same name, and dates of birth that differ by one slip of the pen.
    SameNameAndSimilarBirthDate,
    /// The same telephone number and the same or a similar name.
    SamePhoneAndName,
    /// The same e-mail address and the same or a similar name.
    SameEmailAndName,
}

/// A patient who may be the person in question.
#[derive(Debug, Clone)]
pub struct Duplicate {
    pub patient: Patient,
    /// 0 to 100; see `duplicates`.
    pub score: u8,
    pub reasons: Vec<DuplicateReason>,
}
