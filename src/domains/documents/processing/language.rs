//! Which language a text is in, as far as search needs to know. Pure.

use whatlang::{Detector, Lang};

use crate::extraction::Page;

/// Languages told apart, with their BCP 47 subtags: those that patients of clinics in the United States speak most,
/// and some neighbours that would be taken for them. With every language there is, short notes full of abbreviations
/// would be taken for rare ones.
const KNOWN: &[(Lang, &str)] = &[
    (Lang::Ara, "ar"),
    (Lang::Ben, "bn"),
    (Lang::Cmn, "zh"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Fra, "fr"),
    (Lang::Guj, "gu"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Pan, "pa"),
    (Lang::Pes, "fa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Rus, "ru"),
    (Lang::Spa, "es"),
    (Lang::Tgl, "tl"),
    (Lang::Ukr, "uk"),
    (Lang::Urd, "ur"),
    (Lang::Vie, "vi"),
];

/// Shorter texts do not tell.
const MIN_CHARS: usize = 40;
/// More does not tell more.
const MAX_CHARS: usize = 4000;

/// The language of the beginning of a text; `None` when it cannot be told.
pub(super) fn of(pages: &[Page]) -> Option<&'static str> {
    let text: String = pages.iter().flat_map(|page| page.text.chars().chain([' '])).take(MAX_CHARS).collect();
    if text.chars().filter(|character| character.is_alphabetic()).count() < MIN_CHARS {
        return None;
    }
    let told = Detector::with_allowlist(KNOWN.iter().map(|(language, _)| *language).collect()).detect(&text)?;
    let subtag = KNOWN.iter().find(|(language, _)| *language == told.lang()).map(|(_, subtag)| *subtag);
    subtag.filter(|_| told.is_reliable())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<&'static str> {
        of(&[Page { number: None, text: text.to_owned(), boxes: Vec::new() }])
    }

    #[test]
    fn languages_are_told_apart() {
        assert_eq!(told("He lies awake until three in the morning and watches the ceiling of the room."), Some("en"));
        assert_eq!(told("El paciente dice que duerme mal desde hace tres semanas y que no tiene hambre."), Some("es"));
        assert_eq!(told("Пациентка говорит, что плохо спит и не может есть уже третью неделю."), Some("ru"));
    }

    #[test]
    fn what_is_too_short_is_not_told() {
        assert_eq!(told("Sleeps well."), None);
        assert_eq!(told("120/80 72 98.6 412 0.8 0.52 1.7 431 212 498 61 48 140 101 18 30"), None);
    }
}
