//! The second look after the blind indexes.

use super::{date, nora};
use crate::domains::patients::matching::matches;
use crate::domains::patients::model::{MatchKind, NameMode, SearchPatients};
use crate::phi::Phi;

fn by_name(name: &str, name_mode: NameMode) -> Option<MatchKind> {
    matches(&nora(), &SearchPatients { name: Some(Phi::from(name)), name_mode, ..SearchPatients::default() })
}

#[test]
fn a_name_matches_as_well_as_its_worst_word() {
    use MatchKind::{Exact, Prefix, SoundsLike};
    use NameMode as Mode;
    for name in ["O’Brien", "obrien", "O'BRIEN nora", "o brien", "nonie", "Nora K. O'Brien"] {
        for mode in [Mode::Exact, Mode::Prefix, Mode::SoundsLike] {
            assert_eq!(by_name(name, mode), Some(Exact), "{name}");
        }
    }
    for name in ["obri", "no obrien", "kath"] {
        assert_eq!(by_name(name, Mode::Exact), None, "{name}");
        assert_eq!(by_name(name, Mode::Prefix), Some(Prefix), "{name}");
        assert_eq!(by_name(name, Mode::SoundsLike), Some(Prefix), "{name}");
    }
    for name in ["Catherine", "nora obryan", "no cathryn"] {
        assert_eq!(by_name(name, Mode::Prefix), None, "{name}");
        assert_eq!(by_name(name, Mode::SoundsLike), Some(SoundsLike), "{name}");
    }
    for name in ["smith", "nora smith", "brien"] {
        assert_eq!(by_name(name, Mode::Prefix), None, "{name}");
    }
}

#[test]
fn letters_beyond_the_indexed_prefix_are_looked_at() {
    assert_eq!(by_name("katherin", NameMode::Prefix), Some(MatchKind::Prefix));
    assert_eq!(by_name("katherinx", NameMode::Prefix), None);
    assert_eq!(by_name("katherinea", NameMode::Prefix), None);
}

#[test]
fn every_identifier_given_must_agree() {
    let all = || SearchPatients {
        name: Some(Phi::from("nora")),
        name_mode: NameMode::Exact,
        birth_date: Some(Phi::new(date("1984-02-11"))),
        phone: Some(Phi::from("617 555 0142")),
        email: Some(Phi::from("NORA@example.org")),
        ssn_last_four: Some(Phi::from("3456")),
        mrn: Some(Phi::from(" mrn-1")),
        status: None,
    };
    assert_eq!(matches(&nora(), &all()), Some(MatchKind::Exact));
    let off = [
        SearchPatients { name: Some(Phi::from("samuel")), ..all() },
        SearchPatients { birth_date: Some(Phi::new(date("1984-02-12"))), ..all() },
        SearchPatients { phone: Some(Phi::from("617 555 0143")), ..all() },
        SearchPatients { email: Some(Phi::from("norah@example.org")), ..all() },
        SearchPatients { ssn_last_four: Some(Phi::from("3457")), ..all() },
        SearchPatients { mrn: Some(Phi::from("MRN-2")), ..all() },
    ];
    for search in off {
        assert_eq!(matches(&nora(), &search), None, "{search:?}");
    }
}

#[test]
fn seven_digits_are_the_last_of_a_number_and_ten_are_all() {
    let by_phone = |phone: &str| {
        matches(&nora(), &SearchPatients { phone: Some(Phi::from(phone)), ..SearchPatients::default() }).is_some()
    };
    assert!(by_phone("555-0142"));
    assert!(by_phone("+1 617 555 0142"));
    // The same last seven digits of another area.
    assert!(!by_phone("212 555 0142"));
}

#[test]
fn what_is_not_on_record_matches_nothing() {
    let unknown = crate::domains::patients::model::Identity { phone: None, ssn: None, ..nora() };
    let search = SearchPatients { phone: Some(Phi::from("617 555 0142")), ..SearchPatients::default() };
    assert_eq!(matches(&unknown, &search), None);
    let search = SearchPatients { ssn_last_four: Some(Phi::from("3456")), ..SearchPatients::default() };
    assert_eq!(matches(&unknown, &search), None);
}
