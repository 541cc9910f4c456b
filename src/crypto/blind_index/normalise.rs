//! Brings identifying values into the one form that is indexed and searched.
//!
//! Pure functions; each gives `None`, or nothing, for what is not such a value. Two spellings of one
//! thing must agree (`O’Brien`, `OBrien`, `o'brien`); two things that agree by accident only cost a
//! candidate that is dropped after decryption. Changing a result here means indexing again every
//! stored patient: the forms are part of the stored terms.

use chrono::{Datelike as _, NaiveDate};
use rphonetic::{DoubleMetaphone, Encoder as _};
use unicode_normalization::UnicodeNormalization as _;

/// Shortest prefix indexed, in letters. One letter would match a twentieth of all patients.
pub const PREFIX_SHORTEST: usize = 2;
/// Longest prefix indexed, in letters. Longer ones are cut to it when searched for.
pub const PREFIX_LONGEST: usize = 8;
/// Parts of one name that are indexed; further ones are left to the name as a whole.
pub const NAME_PARTS_LIMIT: usize = 6;
/// Letters of one name that are indexed. Longer than any name; keeps hostile input cheap.
const NAME_LETTERS_LIMIT: usize = 200;

/// The parts of a name: split at spaces, hyphens and full stops, apostrophes dropped, marks stripped,
/// lower case. `García-López` gives `garcia`, `lopez`; `O’Brien` gives `obrien`; `李` stays.
#[must_use]
pub fn name_parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in name.nfkd().take(NAME_LETTERS_LIMIT) {
        if is_apostrophe(letter) || is_mark(letter) {
            continue;
        }
        if !is_part_of_name(letter) {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            fold_into(letter, part);
        }
    }
    parts.retain(|part| !part.is_empty());
    // Hangul was taken apart into its letters above; a syllable is what people search by.
    parts.iter().map(|part| part.nfc().collect()).collect()
}

/// The whole name as one word: `García-López`, `Garcia Lopez` and `garcialopez` agree. `None` when
/// nothing is left.
#[must_use]
pub fn name_whole(name: &str) -> Option<String> {
    let whole = name_parts(name).concat();
    if whole.is_empty() { None } else { Some(whole) }
}

/// Apostrophes and what keyboards put in their place: typewriter, curved, prime, modifier letters
/// (ʻokina among them), grave and acute accent standing alone, full-width.
const fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '`' | '´' | '‘' | '’' | '‛' | '′' | 'ʹ'..='ʿ' | 'ˈ' | '＇')
}

/// Marks that people leave out when they type: accents of Latin, Greek and Cyrillic, vowel points of
/// Hebrew and Arabic. Vowel signs of Indic scripts are letters to their readers and stay.
const fn is_mark(letter: char) -> bool {
    matches!(letter,
        '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{0591}'..='\u{05c7}' | '\u{0610}'..='\u{061a}' | '\u{064b}'..='\u{065f}'
        | '\u{0670}' | '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || unicode_normalization::char::is_combining_mark(letter)
}

/// Lower case, and Latin letters that Unicode does not take apart in the spelling of English records.
fn fold_into(letter: char, out: &mut String) {
    match letter {
        'ß' | 'ẞ' => out.push_str("ss"),
        'æ' | 'Æ' => out.push_str("ae"),
        'œ' | 'Œ' => out.push_str("oe"),
        'þ' | 'Þ' => out.push_str("th"),
        'ø' | 'Ø' => out.push('o'),
        'đ' | 'Đ' | 'ð' | 'Ð' => out.push('d'),
        'ł' | 'Ł' => out.push('l'),
        'ħ' | 'Ħ' => out.push('h'),
        'ŧ' | 'Ŧ' => out.push('t'),
        'ı' => out.push('i'),
        'ς' => out.push('σ'),
        _ => out.extend(letter.to_lowercase().filter(|letter| !is_mark(*letter))),
    }
}

/// Every prefix of a folded name part that is indexed: 2 to 8 letters.
pub fn prefixes(part: &str) -> impl Iterator<Item = &str> {
    part.char_indices()
        .map(|(at, letter)| at + letter.len_utf8())
        .take(PREFIX_LONGEST)
        .skip(PREFIX_SHORTEST - 1)
        .map(|end| part.get(..end).unwrap_or(part))
}

/// The prefix to look up for what was typed: its first 8 letters; `None` below 2.
#[must_use]
pub fn searched_prefix(part: &str) -> Option<&str> {
    prefixes(part).last()
}

/// Sounds-like forms of a folded name part: both codes of Double Metaphone (Lawrence Philips, 2000; four
/// letters, as he published it). A part with other than Latin letters, or without a sound, is its own.
#[must_use]
pub fn sounds(part: &str) -> Vec<String> {
    if part.is_empty() {
        return Vec::new();
    }
    let encoder = DoubleMetaphone::default();
    let codes = if part.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        vec![encoder.encode(part), encoder.encode_alternate(part)]
    } else {
        Vec::new()
    };
    // Codes are upper case, folded parts are not: the two never meet.
    let mut sounds: Vec<String> = codes.into_iter().filter(|code| !code.is_empty()).collect();
    sounds.dedup();
    if sounds.is_empty() {
        sounds.push(part.to_owned());
    }
    sounds
}

/// A date as ISO 8601, `1980-02-29`.
#[must_use]
pub fn date(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// Dates that a slip of the pen makes of this one: day and month exchanged, where that is a date.
#[must_use]
pub fn date_slips(date: NaiveDate) -> Vec<NaiveDate> {
    NaiveDate::from_ymd_opt(date.year(), date.day(), date.month()).filter(|slip| *slip != date).into_iter().collect()
}

/// A telephone number in E.164 without the plus: `(212) 555-0100` gives `12125550100`. Numbers without a
/// country are of the North American plan; `+`, `00` and `011` lead a country. An extension is dropped.
/// `None` with letters in it, or outside 8 to 15 digits (ITU-T E.164 allows 15).
#[must_use]
pub fn phone(number: &str) -> Option<String> {
    let number = number.nfkc().collect::<String>().to_lowercase();
    let number =
        ["ext", "x", "#", ";"].iter().fold(number.as_str(), |kept, mark| kept.split(mark).next().unwrap_or(""));
    let number = number.trim();
    let international = number.starts_with('+');
    let mut digits = String::with_capacity(15);
    for letter in number.strip_prefix('+').unwrap_or(number).chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' => {}
            _ => return None,
        }
    }
    let national = |digits: &str| digits.len() == 10 && !digits.starts_with(['0', '1']);
    let full = if international {
        digits
    } else if national(&digits) {
        format!("1{digits}")
    } else if digits.len() == 11 && digits.strip_prefix('1').is_some_and(national) {
        digits
    } else {
        digits.strip_prefix("011").or_else(|| digits.strip_prefix("00"))?.to_owned()
    };
    if (8..=15).contains(&full.len()) { Some(full) } else { None }
}

/// The last seven digits, by which people remember a local number. `None` with fewer, or with letters.
#[must_use]
pub fn phone_last_seven(number: &str) -> Option<String> {
    let digits = match phone(number) {
        Some(full) => full,
        None => digits_alone(number, 7)?,
    };
    digits.get(digits.len().checked_sub(7)?..).map(str::to_owned)
}

/// An e-mail address: trimmed, lower case, one `@` with something on both sides, no white space.
/// Dots and plus signs stay: what they mean is the mail host's secret.
#[must_use]
pub fn email(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (local, host) = address.split_once('@')?;
    let whole = !local.is_empty() && !host.is_empty() && !host.contains('@');
    if whole && !address.contains(char::is_whitespace) { Some(address) } else { None }
}

/// A social security number: nine digits, with or without hyphens or spaces. Only the form is checked:
/// numbers never issued (000, 666, 9xx) stand in test and synthetic records and must be found.
#[must_use]
pub fn ssn(number: &str) -> Option<String> {
    digits_alone(number, 9)
}

/// The last four digits of a social security number, from all nine or from four.
#[must_use]
pub fn ssn_last_four(number: &str) -> Option<String> {
    digits_alone(number, 4).or_else(|| ssn(number)?.get(5..).map(str::to_owned))
}

/// A medical record number: trimmed, upper case. `None` when empty.
#[must_use]
pub fn mrn(number: &str) -> Option<String> {
    let number = number.trim().to_uppercase();
    if number.is_empty() { None } else { Some(number) }
}

/// Exactly `count` digits, hyphens and spaces between them dropped.
fn digits_alone(text: &str, count: usize) -> Option<String> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, '-' | ' ')).collect();
    if digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_digit()) { Some(digits) } else { None }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_name_agree() {
        for (spellings, whole) in [
            (&["O’Brien", "OBrien", "o'brien", "O´BRIEN", "Oʼbrien", "O‘Brien", " o`brien "][..], "obrien"),
            (
                &["García-López", "Garcia Lopez", "GARCIA‐LÓPEZ", "garcialopez", "Garci\u{301}a  Lo\u{301}pez"],
                "garcialopez",
            ),
            (&["Müller", "MULLER", "Mu\u{308}ller"], "muller"),
            (&["Straße", "STRASSE", "strasse"], "strasse"),
            (&["Łukasz", "Lukasz"], "lukasz"),
            (&["Søren", "Soren"], "soren"),
            (&["İpek", "ipek", "IPEK"], "ipek"),
            (&["St. John", "st john", "StJohn"], "stjohn"),
            (&["Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ"], "παπαδοπουλοσ"),
            (&["Алёна", "АЛЕНА"], "алена"),
            (&["Ｍａｒｉａ", "Maria"], "maria"),
            (&["Kaʻiulani", "Kaiulani"], "kaiulani"),
        ] {
            for spelling in spellings {
                assert_eq!(name_whole(spelling).as_deref(), Some(whole), "{spelling}");
            }
        }
    }

    #[test]
    fn names_of_several_parts_give_each_part() {
        assert_eq!(name_parts("García-López"), ["garcia", "lopez"]);
        assert_eq!(name_parts("van der  Berg"), ["van", "der", "berg"]);
        assert_eq!(name_parts("J.P."), ["j", "p"]);
        assert!(name_parts(" -'. ").is_empty());
        assert_eq!(name_whole("—"), None);
    }

    #[test]
    fn other_scripts_keep_their_letters() {
        assert_eq!(name_parts("李 小龙"), ["李", "小龙"]);
        assert_eq!(name_parts("김민수"), ["김민수"]);
        assert_eq!(name_parts("मीना"), ["मीना"]);
        assert_eq!(name_parts("مُحَمَّد"), ["محمد"]);
    }

    #[test]
    fn prefixes_run_from_two_to_eight_letters() {
        let all: Vec<_> = prefixes("hernandez").collect();
        assert_eq!(all, ["he", "her", "hern", "herna", "hernan", "hernand", "hernande"]);
        assert_eq!(prefixes("li").collect::<Vec<_>>(), ["li"]);
        assert_eq!(prefixes("a").count(), 0);
        assert_eq!(prefixes("김민수").collect::<Vec<_>>(), ["김민", "김민수"]);
        assert_eq!(searched_prefix("hernandezgarcia"), Some("hernande"));
        assert_eq!(searched_prefix("h"), None);
    }

    #[test]
    fn names_that_sound_alike_share_a_code() {
        let alike = |one: &str, other: &str| sounds(one).iter().any(|code| sounds(other).contains(code));
        for (one, other) in [
            ("smith", "schmidt"),
            ("catherine", "kathryn"),
            ("muller", "mueller"),
            ("stephen", "steven"),
            ("philip", "filip"),
            ("gonzales", "gonzalez"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
        assert!(!alike("smith", "jones"));
        assert_eq!(sounds("smith"), ["SM0", "XMT"]);
        assert_eq!(sounds("jones").len(), 2);
    }

    #[test]
    fn names_without_a_latin_sound_are_their_own() {
        assert_eq!(sounds("李"), ["李"]);
        assert_eq!(sounds("אברהם"), ["אברהם"]);
        assert_eq!(sounds("w"), ["w"]);
        assert!(sounds("").is_empty());
    }

    #[test]
    fn dates_are_iso_and_slips_are_real_dates() {
        let day = NaiveDate::from_ymd_opt(1980, 3, 11).unwrap();
        assert_eq!(date(day), "1980-03-11");
        assert_eq!(date_slips(day), [NaiveDate::from_ymd_opt(1980, 11, 3).unwrap()]);
        assert!(date_slips(NaiveDate::from_ymd_opt(1980, 3, 13).unwrap()).is_empty());
        assert!(date_slips(NaiveDate::from_ymd_opt(1980, 3, 3).unwrap()).is_empty());
    }

    #[test]
    fn telephone_numbers_agree_in_e164() {
        for written in [
            "(212) 555-0100",
            "212.555.0100",
            "2125550100",
            "1-212-555-0100",
            "+1 212 555 0100",
            "001 212 555 0100",
            "011 1 212 555 0100",
            "212-555-0100 x45",
            "212 555 0100 ext. 9",
            "＋1 212 555 0100",
        ] {
            assert_eq!(phone(written).as_deref(), Some("12125550100"), "{written}");
        }
        assert_eq!(phone("+44 20 7946 0958").as_deref(), Some("442079460958"));
        for wrong in
            ["", "555-0100", "1-800-FLOWERS", "+1234567", "+1234567890123456", "0125550100", "12345678901234567"]
        {
            assert_eq!(phone(wrong), None, "{wrong}");
        }
        assert_eq!(phone_last_seven("(212) 555-0100").as_deref(), Some("5550100"));
        assert_eq!(phone_last_seven("555-0100").as_deref(), Some("5550100"));
        assert_eq!(phone_last_seven("50100"), None);
    }

    #[test]
    fn email_addresses_lose_case_and_space_and_nothing_else() {
        assert_eq!(email(" Maria.Lopez+x@Example.ORG ").as_deref(), Some("maria.lopez+x@example.org"));
        for wrong in ["", "maria", "@example.org", "maria@", "a@b@c", "ma ria@example.org"] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn social_security_numbers_are_checked_for_form_alone() {
        assert_eq!(ssn("999-12-3456").as_deref(), Some("999123456"));
        assert_eq!(ssn("000 00 0000").as_deref(), Some("000000000"));
        assert_eq!(ssn("99912345"), None);
        assert_eq!(ssn("99912345a"), None);
        assert_eq!(ssn("٩٩٩١٢٣٤٥٦"), None);
        assert_eq!(ssn_last_four("999-12-3456").as_deref(), Some("3456"));
        assert_eq!(ssn_last_four("3456").as_deref(), Some("3456"));
        assert_eq!(ssn_last_four("456"), None);
    }

    #[test]
    fn record_numbers_lose_case_and_outer_space() {
        assert_eq!(mrn(" mrn-0042 ").as_deref(), Some("MRN-0042"));
        assert_eq!(mrn("  "), None);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(name in "\\PC{0,40}") {
            let once = name_parts(&name);
            prop_assert_eq!(name_parts(&once.join(" ")), once);
        }

        #[test]
        fn case_does_not_matter(name in "[a-zA-Zà-ÿ' -]{0,30}") {
            prop_assert_eq!(name_parts(&name.to_uppercase()), name_parts(&name));
        }

        #[test]
        fn no_name_makes_the_encoder_panic(name in "[a-z]{1,30}") {
            prop_assert!(!sounds(&name).is_empty());
        }

        #[test]
        fn no_input_makes_a_normaliser_panic(text in "\\PC{0,40}") {
            let _ = (phone(&text), phone_last_seven(&text), email(&text), ssn_last_four(&text), mrn(&text));
            for part in name_parts(&text) {
                prop_assert!(!sounds(&part).is_empty());
                prop_assert!(prefixes(&part).all(|prefix| part.starts_with(prefix)));
            }
        }
    }
}
