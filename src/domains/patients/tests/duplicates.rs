//! Whether two records may be one person.

use super::{date, named, nora};
use crate::domains::patients::duplicates::weigh;
use crate::domains::patients::model::{DuplicateReason as Reason, Identity};
use crate::phi::Phi;

#[test]
fn two_strangers_share_no_reason() {
    assert_eq!(weigh(&nora(), &named("Samuel", "Okafor", "1991-07-30")), (0, vec![]));
    // A common name alone is no reason.
    assert_eq!(weigh(&named("John", "Smith", "1950-01-01"), &named("John", "Smith", "1991-07-30")), (0, vec![]));
    // Nor is a birthday.
    assert_eq!(weigh(&named("John", "Smith", "1991-07-30"), &named("Samuel", "Okafor", "1991-07-30")), (0, vec![]));
}

#[test]
fn the_same_name_and_birth_date_weigh_most() {
    let again = named("nora", "OBRIEN", "1984-02-11");
    assert_eq!(weigh(&nora(), &again), (95, vec![Reason::SameBirthDateAndName]));
    // By the name they go by.
    assert_eq!(weigh(&nora(), &named("Nonie", "O'Brien", "1984-02-11")), (95, vec![Reason::SameBirthDateAndName]));
}

#[test]
fn names_that_sound_alike_or_are_misspelt_are_similar() {
    let similar = |given: &str, family: &str| {
        let one = named("Katherine", "Hernandez", "1984-02-11");
        weigh(&one, &named(given, family, "1984-02-11")) == (80, vec![Reason::SameBirthDateAndSimilarName])
    };
    assert!(similar("Catherine", "Hernandez"));
    assert!(similar("Katherine", "Fernandez"));
    assert!(similar("Katherine", "Hernadnez"));
    assert!(similar("Katherine", "Hernandez-Ruiz"));
    // Given and family name in each other's place.
    assert!(similar("Hernandez", "Katherine"));
    assert!(!similar("Margaret", "Hernandez"));
    assert!(!similar("Katherine", "Okafor"));
}

#[test]
fn short_names_are_not_compared_by_letters() {
    let one = named("Lea", "Kim", "1984-02-11");
    assert_eq!(weigh(&one, &named("Lea", "Kin", "1984-02-11")).1, vec![]);
}

#[test]
fn social_security_numbers_weigh_whole_or_with_the_birth_date() {
    let with = |ssn: &str, birth: &str| {
        let other = Identity { ssn: Some(Phi::from(ssn)), ..named("Samuel", "Okafor", birth) };
        weigh(&nora(), &other)
    };
    assert_eq!(with("999123456", "1991-07-30"), (95, vec![Reason::SameSsn]));
    assert_eq!(with("111223456", "1984-02-11"), (85, vec![Reason::SameSsnLastFourAndBirthDate]));
    assert_eq!(with("111223456", "1991-07-30"), (0, vec![]));
}

#[test]
fn telephone_and_email_weigh_with_a_name() {
    let phone = |given: &str, family: &str| {
        let other = Identity { phone: Some(Phi::from("(617) 555-0142")), ..named(given, family, "1991-07-30") };
        weigh(&nora(), &other)
    };
    assert_eq!(phone("Nora", "O'Brien"), (75, vec![Reason::SamePhoneAndName]));
    assert_eq!(phone("Norah", "O'Brian"), (60, vec![Reason::SamePhoneAndName]));
    // A household shares a telephone.
    assert_eq!(phone("Samuel", "O'Brien"), (0, vec![]));
    let other = Identity { email: Some(Phi::from("nora@EXAMPLE.org")), ..named("Nora", "O'Brien", "1991-07-30") };
    assert_eq!(weigh(&nora(), &other), (80, vec![Reason::SameEmailAndName]));
}

#[test]
fn a_slip_in_the_birth_date_is_seen_with_the_same_name() {
    let slip = |birth: &str| {
        weigh(&nora(), &named("Nora", "O'Brien", birth)) == (70, vec![Reason::SameNameAndSimilarBirthDate])
    };
    // Day and month exchanged; a neighbouring day; a digit; a neighbouring year.
    for birth in ["1984-11-02", "1984-02-12", "1984-02-21", "1984-12-11", "1985-02-11", "1994-02-11"] {
        assert!(slip(birth), "{birth}");
    }
    for birth in ["1985-03-11", "1962-02-11", "1984-02-26"] {
        assert!(!slip(birth), "{birth}");
    }
    // A slip beside a name that is only similar is too little.
    assert_eq!(weigh(&nora(), &named("Norah", "O'Brian", "1984-11-02")), (0, vec![]));
}

#[test]
fn reasons_add_up_and_never_pass_a_hundred() {
    let again = Identity { phone: nora().phone, email: nora().email, ..named("Nora", "O'Brien", "1984-02-11") };
    let (score, reasons) = weigh(&nora(), &again);
    assert_eq!(reasons, [Reason::SameBirthDateAndName, Reason::SamePhoneAndName, Reason::SameEmailAndName]);
    assert_eq!(score, 100); // 1 - 0.05 * 0.25 * 0.2, rounded
    assert_eq!(weigh(&nora(), &nora()).0, 100);
}

#[test]
fn the_order_of_the_two_does_not_matter() {
    let people = [
        nora(),
        named("Norah", "O'Brian", "1984-11-02"),
        named("O'Brien", "Nora", "1984-02-11"),
        Identity { birth_date: Phi::new(date("1984-02-12")), ..nora() },
    ];
    for one in &people {
        for other in &people {
            assert_eq!(weigh(one, other), weigh(other, one));
        }
    }
}
