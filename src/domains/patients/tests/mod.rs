//! Pure rules of the domain.
#![expect(clippy::panic, reason = "a test stops at the first surprise")]

mod duplicates;
mod matching;
mod validation;
mod visits;

use chrono::NaiveDate;

use super::model::{Identity, Refusal};
use crate::error::Stop;
use crate::phi::Phi;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Nora Katherine O’Brien, with all that can be known of her.
fn nora() -> Identity {
    Identity {
        mrn: Phi::from("MRN-1"),
        given_name: Phi::from("Nora"),
        middle_name: Some(Phi::from("Katherine")),
        family_name: Phi::from("O’Brien"),
        preferred_name: Some(Phi::from("Nonie")),
        birth_date: Phi::new(date("1984-02-11")),
        ssn: Some(Phi::from("999123456")),
        phone: Some(Phi::from("+16175550142")),
        email: Some(Phi::from("Nora@example.org")),
        address: None,
    }
}

/// Someone of whom only names and date of birth are known.
fn named(given: &str, family: &str, birth: &str) -> Identity {
    Identity {
        mrn: Phi::from("MRN-2"),
        given_name: Phi::from(given),
        middle_name: None,
        family_name: Phi::from(family),
        preferred_name: None,
        birth_date: Phi::new(date(birth)),
        ssn: None,
        phone: None,
        email: None,
        address: None,
    }
}

/// Code and path of each fault.
fn faults<T>(outcome: Result<T, Stop<Refusal>>) -> Vec<(Refusal, String)> {
    match outcome {
        Ok(_) => Vec::new(),
        Err(Stop::Refused(all)) => all.into_iter().map(|fault| (fault.code, fault.field.join("."))).collect(),
        Err(Stop::Error(error)) => panic!("{error}"),
    }
}

/// Paths of the faults, all of which say that a value is invalid.
fn invalid<T>(outcome: Result<T, Stop<Refusal>>) -> Vec<String> {
    let faults = faults(outcome);
    assert!(faults.iter().all(|(code, _)| *code == Refusal::Invalid), "{faults:?}");
    faults.into_iter().map(|(_, path)| path).collect()
}
