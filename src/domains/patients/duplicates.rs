//! Whether two records may be one person. Pure.
//!
//! Each reason is a piece of evidence with a strength between 0 and 1; independent pieces add up as
//! `1 - (1 - a)(1 - b)…`, so that the score grows with each and never passes 100. The strengths are a
//! judgement, not a measurement: they are set so that every reason alone is worth showing, and so that a
//! common name alone is not a reason.

use chrono::{Datelike as _, NaiveDate};

use super::model::{DuplicateReason, Identity};
use crate::crypto::blind_index::normalise::{self, date_slips, name_parts, name_whole, sounds};
use crate::phi::Phi;

/// How alike two names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    None,
    /// Sounds alike, or differs by a slip of the pen.
    Similar,
    Same,
}

/// Names shorter than this are not compared by letters: `Lee` and `Lea` are two names.
const SLIP_SHORTEST: usize = 5;

/// Why, and how surely (0 to 100), `one` and `other` may be one person. Nothing when there is no reason.
pub(super) fn weigh(one: &Identity, other: &Identity) -> (u8, Vec<DuplicateReason>) {
    use DuplicateReason as Reason;
    let name = names(one, other);
    let same_birth = one.birth_date == other.birth_date;
    let same = |get: fn(&Identity) -> Option<&Phi<String>>, normal: fn(&str) -> Option<String>| {
        let value = |of| get(of).and_then(|text| normal(text.reveal()));
        value(one).is_some() && value(one) == value(other)
    };
    let same_ssn = same(|of| of.ssn.as_ref(), normalise::ssn);
    let same_last_four = same(|of| of.ssn.as_ref(), normalise::ssn_last_four);
    let same_phone = same(|of| of.phone.as_ref(), normalise::phone);
    let same_email = same(|of| of.email.as_ref(), normalise::email);
    let alike = |same: f64, similar: f64| if name == Likeness::Same { same } else { similar };
    let evidence = [
        (same_ssn, Reason::SameSsn, 0.95),
        (same_last_four && !same_ssn && same_birth, Reason::SameSsnLastFourAndBirthDate, 0.85),
        (same_birth && name == Likeness::Same, Reason::SameBirthDateAndName, 0.95),
        (same_birth && name == Likeness::Similar, Reason::SameBirthDateAndSimilarName, 0.8),
        (
            name == Likeness::Same && !same_birth && slip(*one.birth_date.reveal(), *other.birth_date.reveal()),
            Reason::SameNameAndSimilarBirthDate,
            0.7,
        ),
        (same_phone && name > Likeness::None, Reason::SamePhoneAndName, alike(0.75, 0.6)),
        (same_email && name > Likeness::None, Reason::SameEmailAndName, alike(0.8, 0.65)),
    ];
    let mut doubt = 1.0;
    let mut reasons = Vec::new();
    for (_, reason, strength) in evidence.into_iter().filter(|(holds, ..)| *holds) {
        doubt *= 1.0 - strength;
        reasons.push(reason);
    }
    (percent(1.0 - doubt), reasons)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 before")]
fn percent(share: f64) -> u8 {
    (share * 100.0).round().clamp(0.0, 100.0) as u8
}

/// How alike the full names are: the family name, and the given or preferred one; or both exchanged.
fn names(one: &Identity, other: &Identity) -> Likeness {
    let given = |of: &Identity| {
        let mut all = vec![of.given_name.reveal().clone()];
        all.extend(of.preferred_name.as_ref().map(|name| name.reveal().clone()));
        all
    };
    let best = |left: &[String], right: &[String]| {
        left.iter().flat_map(|a| right.iter().map(move |b| likeness(a, b))).max().unwrap_or(Likeness::None)
    };
    let family = |of: &Identity| vec![of.family_name.reveal().clone()];
    let straight = best(&family(one), &family(other)).min(best(&given(one), &given(other)));
    // Family and given name in each other's place: the same letters, but a slip.
    let exchanged = best(&family(one), &given(other)).min(best(&given(one), &family(other))).min(Likeness::Similar);
    straight.max(exchanged)
}

fn likeness(one: &str, other: &str) -> Likeness {
    let (Some(left), Some(right)) = (name_whole(one), name_whole(other)) else { return Likeness::None };
    if left == right {
        return Likeness::Same;
    }
    let (left_parts, right_parts) = (name_parts(one), name_parts(other));
    // A double name of which one record has a part.
    let shares_part = left_parts.iter().any(|part| part.len() > 1 && right_parts.contains(part));
    let alike = sounds(&left).iter().any(|sound| sounds(&right).contains(sound));
    let long = left.chars().count().min(right.chars().count()) >= SLIP_SHORTEST;
    let slip = long && strsim::damerau_levenshtein(&left, &right) <= 1;
    if shares_part || alike || slip { Likeness::Similar } else { Likeness::None }
}

/// Whether two dates differ by one slip: day and month exchanged, one part of the date wrong by a
/// neighbouring number or by one digit, or two digits of it exchanged.
fn slip(one: NaiveDate, other: NaiveDate) -> bool {
    if date_slips(one).contains(&other) {
        return true;
    }
    let parts = |date: NaiveDate| {
        [date.year(), i32::try_from(date.month()).unwrap_or(0), i32::try_from(date.day()).unwrap_or(0)]
    };
    let differing: Vec<(i32, i32)> =
        parts(one).into_iter().zip(parts(other)).filter(|(left, right)| left != right).collect();
    match differing.as_slice() {
        [(left, right)] => {
            left.abs_diff(*right) == 1
                || strsim::damerau_levenshtein(&format!("{left:02}"), &format!("{right:02}")) <= 1
        }
        _ => false,
    }
}
