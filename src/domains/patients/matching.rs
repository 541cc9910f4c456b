//! Whether a decrypted patient is one a search means: the second look after the blind indexes, whose
//! prefixes are cut, whose sounds are rough and whose hashes may collide. Pure.

use super::model::{Identity, MatchKind, NameMode, SearchPatients};
use crate::crypto::blind_index::normalise::{self, name_parts, sounds};
use crate::phi::Phi;

/// The folded names of a patient: each part, and each name of several parts as a whole.
struct Names(Vec<String>);

impl Names {
    fn of(identity: &Identity) -> Self {
        let names = [
            Some(&identity.given_name),
            identity.middle_name.as_ref(),
            Some(&identity.family_name),
            identity.preferred_name.as_ref(),
        ];
        let mut words = Vec::new();
        for name in names.into_iter().flatten() {
            let parts = name_parts(name.reveal());
            if parts.len() > 1 {
                words.push(parts.concat());
            }
            words.extend(parts);
        }
        Self(words)
    }

    /// How well one searched word, or one of its other forms, meets a name.
    fn meets(&self, forms: &[String], mode: NameMode) -> Option<MatchKind> {
        let any =
            |test: &dyn Fn(&str, &str) -> bool| forms.iter().any(|form| self.0.iter().any(|word| test(form, word)));
        if any(&|form, word| form == word) {
            return Some(MatchKind::Exact);
        }
        if mode >= NameMode::Prefix && any(&|form, word| word.starts_with(form)) {
            return Some(MatchKind::Prefix);
        }
        let alike = |form: &str, word: &str| {
            let wanted = sounds(form);
            sounds(word).iter().any(|sound| wanted.contains(sound))
        };
        if mode == NameMode::SoundsLike && any(&alike) { Some(MatchKind::SoundsLike) } else { None }
    }
}

/// How the patient meets a searched name: as well as its worst word does. Single Latin letters are left
/// out, as they are in the index.
fn name(identity: &Identity, searched: &Phi<String>, mode: NameMode) -> Option<MatchKind> {
    let names = Names::of(identity);
    let words = name_parts(searched.reveal());
    let mut worst = MatchKind::Exact;
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.len() > 1) {
        // `mary ann` is also looked for as `maryann`.
        let mut forms = vec![word.clone()];
        forms.extend(at.checked_sub(1).and_then(|left| words.get(left)).map(|left| format!("{left}{word}")));
        forms.extend(words.get(at + 1).map(|right| format!("{word}{right}")));
        worst = worst.max(names.meets(&forms, mode)?);
    }
    Some(worst)
}

/// How well a patient matches; `None` when not.
pub(super) fn matches(identity: &Identity, search: &SearchPatients) -> Option<MatchKind> {
    fn agree(
        wanted: Option<&Phi<String>>,
        on_record: Option<&Phi<String>>,
        normalise: impl Fn(&str) -> Option<String>,
    ) -> bool {
        let Some(wanted) = wanted else { return true };
        let normal = normalise(wanted.reveal());
        normal.is_some() && normal == on_record.and_then(|value| normalise(value.reveal()))
    }
    let birth_date = search.birth_date.as_ref().is_none_or(|wanted| *wanted == identity.birth_date);
    // A whole number must agree as a whole, seven digits with the last seven.
    let whole_phone = search.phone.as_ref().is_some_and(|phone| normalise::phone(phone.reveal()).is_some());
    let phone = if whole_phone { normalise::phone } else { normalise::phone_last_seven };
    let agreed = birth_date
        && agree(search.phone.as_ref(), identity.phone.as_ref(), phone)
        && agree(search.email.as_ref(), identity.email.as_ref(), normalise::email)
        && agree(search.ssn_last_four.as_ref(), identity.ssn.as_ref(), normalise::ssn_last_four)
        && agree(search.mrn.as_ref(), Some(&identity.mrn), normalise::mrn);
    match (&search.name, agreed) {
        (_, false) => None,
        (Some(searched), true) => name(identity, searched, search.name_mode),
        (None, true) => Some(MatchKind::Exact),
    }
}
