//! The terms of a patient to store, and those of a search to look up.
//!
//! A search is a list of conditions that must all hold, each a list of terms of which one suffices:
//! one `EXISTS (… term = ANY ($n))` per condition. Candidates may be wrong (a prefix is cut to eight
//! letters, sounds are rough, a hash may collide): the service decrypts them and looks again.

use chrono::NaiveDate;

use super::normalise::{
    NAME_PARTS_LIMIT, date, date_slips, email, mrn, name_parts, phone, phone_last_seven, prefixes, searched_prefix,
    sounds, ssn, ssn_last_four,
};
use super::{IndexKey, Term, TermKind};

/// What identifies a patient, as entered. Several names are a preferred or a former one beside the first.
#[derive(Clone, Default)]
pub struct Identity<'a> {
    /// Given, middle and preferred names.
    pub given_names: Vec<&'a str>,
    /// Family name and former ones.
    pub family_names: Vec<&'a str>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Telephone numbers.
    pub phones: Vec<&'a str>,
    /// E-mail addresses.
    pub emails: Vec<&'a str>,
    /// Social security number.
    pub ssn: Option<&'a str>,
    /// Medical record number.
    pub mrn: Option<&'a str>,
}

/// How a name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameMatch {
    /// The whole name, or a whole part of it.
    Exact,
    /// The letters it begins with. Beyond eight letters the candidates must be looked at again.
    #[default]
    Prefix,
    /// Names that sound alike in English.
    SoundsLike,
}

/// What is searched for. All that is given must hold; names are looked for in given and family names.
#[derive(Clone, Default)]
pub struct Search<'a> {
    /// Any names in any order, `maria lopez`.
    pub name: Option<&'a str>,
    /// How they are compared.
    pub name_match: NameMatch,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Telephone number, or its last seven digits.
    pub phone: Option<&'a str>,
    /// E-mail address.
    pub email: Option<&'a str>,
    /// All nine digits of the social security number, or the last four.
    pub ssn: Option<&'a str>,
    /// Medical record number.
    pub mrn: Option<&'a str>,
}

/// One of these terms must be there.
pub type AnyOf = Vec<Term>;
/// Each of these conditions must hold. Empty for an empty search, which is for the caller to refuse.
pub type AllOf = Vec<AnyOf>;

/// A part of the search that cannot be looked up. Names the part, never what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsearchable {
    /// No letters, or a single Latin letter.
    #[error("a name needs two letters or more")]
    Name,
    /// More parts than a name has.
    #[error("a name has {NAME_PARTS_LIMIT} parts or fewer")]
    NameParts,
    /// Neither a telephone number nor seven digits.
    #[error("a telephone number has ten digits, or the last seven")]
    Phone,
    /// Not an address.
    #[error("this is no e-mail address")]
    Email,
    /// Neither nine digits nor four.
    #[error("a social security number has nine digits, or the last four")]
    Ssn,
    /// Blank.
    #[error("the record number is blank")]
    Mrn,
}

/// The kinds of the two sorts of names.
struct NameKinds {
    exact: TermKind,
    prefix: TermKind,
    sound: TermKind,
}

const GIVEN: NameKinds =
    NameKinds { exact: TermKind::GivenName, prefix: TermKind::GivenNamePrefix, sound: TermKind::GivenNameSound };
const FAMILY: NameKinds =
    NameKinds { exact: TermKind::FamilyName, prefix: TermKind::FamilyNamePrefix, sound: TermKind::FamilyNameSound };

impl IndexKey {
    /// Every term of a patient, sorted and without doubles: about 25 for two plain names with all else
    /// given. Values that are not in their form (a telephone number with letters) give none.
    #[must_use]
    pub fn terms_of(&self, identity: &Identity<'_>) -> Vec<Term> {
        let mut terms = Vec::with_capacity(48);
        for (names, kinds) in [(&identity.given_names, &GIVEN), (&identity.family_names, &FAMILY)] {
            for name in names {
                for word in indexed_words(name) {
                    terms.push(self.term(kinds.exact, &word));
                    terms.extend(prefixes(&word).map(|prefix| self.term(kinds.prefix, prefix)));
                    terms.extend(sounds(&word).iter().map(|sound| self.term(kinds.sound, sound)));
                }
            }
        }
        terms.extend(identity.birth_date.map(|birth| self.term(TermKind::BirthDate, &date(birth))));
        for number in &identity.phones {
            terms.extend(self.maybe(TermKind::Phone, phone(number)));
            terms.extend(self.maybe(TermKind::PhoneLastSeven, phone_last_seven(number)));
        }
        terms.extend(identity.emails.iter().filter_map(|address| self.maybe(TermKind::Email, email(address))));
        terms.extend(identity.ssn.and_then(|number| self.maybe(TermKind::Ssn, ssn(number))));
        terms.extend(identity.ssn.and_then(|number| self.maybe(TermKind::SsnLastFour, ssn_last_four(number))));
        terms.extend(identity.mrn.and_then(|number| self.maybe(TermKind::Mrn, mrn(number))));
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// The conditions of a search.
    ///
    /// # Errors
    /// The first part that cannot be looked up.
    pub fn conditions_of(&self, search: &Search<'_>) -> Result<AllOf, Unsearchable> {
        let mut all = Vec::new();
        if let Some(name) = search.name {
            self.name_conditions(name, search.name_match, &mut all)?;
        }
        all.extend(search.birth_date.map(|birth| vec![self.term(TermKind::BirthDate, &date(birth))]));
        if let Some(number) = search.phone {
            let term = self
                .maybe(TermKind::Phone, phone(number))
                .or_else(|| self.maybe(TermKind::PhoneLastSeven, phone_last_seven(number)));
            all.push(vec![term.ok_or(Unsearchable::Phone)?]);
        }
        if let Some(address) = search.email {
            all.push(vec![self.maybe(TermKind::Email, email(address)).ok_or(Unsearchable::Email)?]);
        }
        if let Some(number) = search.ssn {
            let term = self
                .maybe(TermKind::Ssn, ssn(number))
                .or_else(|| self.maybe(TermKind::SsnLastFour, ssn_last_four(number)));
            all.push(vec![term.ok_or(Unsearchable::Ssn)?]);
        }
        if let Some(number) = search.mrn {
            all.push(vec![self.maybe(TermKind::Mrn, mrn(number)).ok_or(Unsearchable::Mrn)?]);
        }
        Ok(all)
    }

    /// Terms that a likely duplicate shares with this patient: how names sound, the date of birth also
    /// with day and month exchanged, telephone, e-mail, social security number. Whoever shares several
    /// is worth decrypting; how they are weighed is the domain's.
    #[must_use]
    pub fn duplicate_probes(&self, identity: &Identity<'_>) -> Vec<Term> {
        let telling = [
            TermKind::GivenNameSound,
            TermKind::FamilyNameSound,
            TermKind::BirthDate,
            TermKind::Phone,
            TermKind::Email,
            TermKind::Ssn,
        ];
        let mut terms = self.terms_of(identity);
        terms.retain(|term| telling.contains(&term.kind));
        let slips = identity.birth_date.map(date_slips).unwrap_or_default();
        terms.extend(slips.into_iter().map(|slip| self.term(TermKind::BirthDate, &date(slip))));
        terms
    }

    /// One condition for each word typed. A word also holds when it makes a name together with its
    /// neighbour: `o brien` finds O'Brien, `mary ann` finds Maryann.
    fn name_conditions(&self, name: &str, how: NameMatch, all: &mut AllOf) -> Result<(), Unsearchable> {
        let words = name_parts(name);
        if words.len() > NAME_PARTS_LIMIT {
            return Err(Unsearchable::NameParts);
        }
        let before = all.len();
        for (at, word) in words.iter().enumerate() {
            let mut any = Vec::new();
            let joined_before = at.checked_sub(1).and_then(|left| words.get(left)).map(|left| format!("{left}{word}"));
            let joined_after = words.get(at + 1).map(|right| format!("{word}{right}"));
            let joined = [joined_before, joined_after];
            if is_initial(word) {
                // An initial stands for too many: alone it is no condition, beside other words it is left out.
                continue;
            }
            for form in std::iter::once(word).chain(joined.iter().flatten()) {
                for kinds in [&GIVEN, &FAMILY] {
                    self.name_terms(form, how, kinds, &mut any);
                }
            }
            any.sort_unstable();
            any.dedup();
            all.push(any);
        }
        if all.len() == before { Err(Unsearchable::Name) } else { Ok(()) }
    }

    fn name_terms(&self, word: &str, how: NameMatch, kinds: &NameKinds, any: &mut AnyOf) {
        match (how, searched_prefix(word)) {
            (NameMatch::Prefix, Some(prefix)) => any.push(self.term(kinds.prefix, prefix)),
            // A name of one ideograph has no prefix.
            (NameMatch::Prefix, None) | (NameMatch::Exact, _) => any.push(self.term(kinds.exact, word)),
            (NameMatch::SoundsLike, _) => any.extend(sounds(word).iter().map(|sound| self.term(kinds.sound, sound))),
        }
    }

    fn maybe(&self, kind: TermKind, normalised: Option<String>) -> Option<Term> {
        normalised.map(|value| self.term(kind, &value))
    }
}

/// A single Latin letter.
fn is_initial(word: &str) -> bool {
    word.len() == 1
}

/// The parts of a name and, where there are several, the whole.
fn indexed_words(name: &str) -> Vec<String> {
    let mut words = name_parts(name);
    if words.len() > 1 {
        let whole = words.concat();
        words.truncate(NAME_PARTS_LIMIT);
        words.push(whole);
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::NaiveDate;
    use uuid::Uuid;

    use super::{Identity, NameMatch, Search, Unsearchable};
    use crate::crypto::Key32;
    use crate::crypto::blind_index::{IndexKey, TermKind};

    fn key(facility: u128) -> IndexKey {
        IndexKey::of_facility(&Key32::from_bytes([3; 32]), Uuid::from_u128(facility)).unwrap()
    }

    fn maria() -> Identity<'static> {
        Identity {
            given_names: vec!["María", "Luisa"],
            family_names: vec!["García-López", "O’Brien"],
            birth_date: NaiveDate::from_ymd_opt(1980, 3, 11),
            phones: vec!["(212) 555-0100"],
            emails: vec!["Maria@Example.org"],
            ssn: Some("999-12-3456"),
            mrn: Some("mrn-0042"),
        }
    }

    fn finds(identity: &Identity<'_>, search: &Search<'_>) -> bool {
        let stored: HashSet<i64> = key(1).terms_of(identity).iter().map(|term| term.hash).collect();
        let all = key(1).conditions_of(search).unwrap();
        assert!(!all.is_empty());
        all.iter().all(|any| any.iter().any(|term| stored.contains(&term.hash)))
    }

    fn by_name(name: &'static str, name_match: NameMatch) -> Search<'static> {
        Search { name: Some(name), name_match, ..Search::default() }
    }

    #[test]
    fn a_patient_is_found_by_each_identifier_alone() {
        let found = |search| finds(&maria(), &search);
        assert!(found(Search { birth_date: NaiveDate::from_ymd_opt(1980, 3, 11), ..Search::default() }));
        assert!(!found(Search { birth_date: NaiveDate::from_ymd_opt(1980, 11, 3), ..Search::default() }));
        for phone in ["212-555-0100", "+1 212 555 0100", "555-0100"] {
            assert!(found(Search { phone: Some(phone), ..Search::default() }), "{phone}");
        }
        assert!(!found(Search { phone: Some("212-555-0101"), ..Search::default() }));
        assert!(found(Search { email: Some("MARIA@example.org "), ..Search::default() }));
        for ssn in ["999123456", "3456"] {
            assert!(found(Search { ssn: Some(ssn), ..Search::default() }), "{ssn}");
        }
        assert!(!found(Search { ssn: Some("9991"), ..Search::default() }));
        assert!(found(Search { mrn: Some("MRN-0042"), ..Search::default() }));
    }

    #[test]
    fn a_patient_is_found_by_names_as_people_type_them() {
        for typed in [
            "garcia",
            "GARCÍA LÓPEZ",
            "Garcialopez",
            "lopez maria",
            "luisa o'brien",
            "OBRIEN",
            "o brien",
            "Maria L. Garcia",
        ] {
            assert!(finds(&maria(), &by_name(typed, NameMatch::Exact)), "{typed}");
            assert!(finds(&maria(), &by_name(typed, NameMatch::Prefix)), "{typed}");
            assert!(finds(&maria(), &by_name(typed, NameMatch::SoundsLike)), "{typed}");
        }
        for typed in ["gar", "mar lop", "obr", "garcialo", "garcialopezsuarez"] {
            assert!(finds(&maria(), &by_name(typed, NameMatch::Prefix)), "{typed}");
            assert!(!finds(&maria(), &by_name(typed, NameMatch::Exact)), "{typed}");
        }
        assert!(finds(&maria(), &by_name("marya garsia", NameMatch::SoundsLike)));
        assert!(!finds(&maria(), &by_name("maria smith", NameMatch::Prefix)));
        assert!(!finds(&maria(), &by_name("arcia", NameMatch::Prefix)));
    }

    #[test]
    fn names_of_one_ideograph_and_joined_names_are_found() {
        let li = Identity { given_names: vec!["小龙"], family_names: vec!["李"], ..Identity::default() };
        for how in [NameMatch::Exact, NameMatch::Prefix, NameMatch::SoundsLike] {
            assert!(finds(&li, &by_name("李", how)), "{how:?}");
        }
        let mary = Identity { given_names: vec!["Maryann"], family_names: vec!["Smith"], ..Identity::default() };
        assert!(finds(&mary, &by_name("mary ann smith", NameMatch::Prefix)));
        assert!(finds(&mary, &by_name("mary ann", NameMatch::Exact)));
    }

    #[test]
    fn what_cannot_be_looked_up_is_named() {
        let refused = |search: Search<'_>| key(1).conditions_of(&search).unwrap_err();
        assert_eq!(refused(by_name("m", NameMatch::Prefix)), Unsearchable::Name);
        assert_eq!(refused(by_name(" - ", NameMatch::Exact)), Unsearchable::Name);
        assert_eq!(refused(by_name("a b c d e f g", NameMatch::Exact)), Unsearchable::NameParts);
        assert_eq!(refused(Search { phone: Some("12"), ..Search::default() }), Unsearchable::Phone);
        assert_eq!(refused(Search { email: Some("maria"), ..Search::default() }), Unsearchable::Email);
        assert_eq!(refused(Search { ssn: Some("12345"), ..Search::default() }), Unsearchable::Ssn);
        assert_eq!(refused(Search { mrn: Some(" "), ..Search::default() }), Unsearchable::Mrn);
        assert!(key(1).conditions_of(&Search::default()).unwrap().is_empty());
    }

    #[test]
    fn no_term_of_a_patient_is_the_same_in_another_facility() {
        let hashes = |facility| key(facility).terms_of(&maria()).iter().map(|term| term.hash).collect::<HashSet<_>>();
        assert!(hashes(1).is_disjoint(&hashes(2)));
        assert_eq!(hashes(1), hashes(1));
    }

    #[test]
    fn terms_come_once_and_in_a_known_number() {
        let plain = Identity {
            given_names: vec!["Robert"],
            family_names: vec!["Jones"],
            birth_date: NaiveDate::from_ymd_opt(1980, 3, 11),
            phones: vec!["(212) 555-0100"],
            emails: vec!["r@example.org"],
            ssn: Some("999-12-3456"),
            mrn: Some("1"),
        };
        let terms = key(1).terms_of(&plain);
        // Robert: 1 exact, 5 prefixes, 1 sound; Jones: 1, 4, 2; and 7 of the other identifiers.
        assert_eq!(terms.len(), 21);
        assert_eq!(terms.iter().collect::<HashSet<_>>().len(), terms.len());
        let doubled = Identity { given_names: vec!["Robert", "robert"], ..plain.clone() };
        assert_eq!(key(1).terms_of(&doubled), terms);
        let unusable = Identity { phones: vec!["1-800-FLOWERS"], ssn: Some("x"), ..plain };
        assert_eq!(key(1).terms_of(&unusable).len(), 17);
    }

    #[test]
    fn a_duplicate_with_slips_shares_most_probes() {
        let again = Identity {
            given_names: vec!["Marya"],
            family_names: vec!["Garsia Lopes"],
            birth_date: NaiveDate::from_ymd_opt(1980, 11, 3),
            ..Identity::default()
        };
        let stored: HashSet<i64> = key(1).terms_of(&maria()).iter().map(|term| term.hash).collect();
        let shared: HashSet<TermKind> = key(1)
            .duplicate_probes(&again)
            .iter()
            .filter(|term| stored.contains(&term.hash))
            .map(|term| term.kind)
            .collect();
        let expected = [TermKind::GivenNameSound, TermKind::FamilyNameSound, TermKind::BirthDate];
        assert_eq!(shared, HashSet::from(expected));
    }
}
