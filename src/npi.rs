//! National Provider Identifiers of the United States.
//!
//! Ten digits, of which the last is a Luhn check digit over the number with `80840` before it: the prefix
//! of the health industry (80) and of the United States (840) in ISO/IEC 7812. The first digit is 1 or 2.
//! Source: 45 CFR 162.406 and the check digit paper of the Centers for Medicare & Medicaid Services.
//!
//! Tells whether a number can be one; whether it was given to anyone is in the registry, which is not asked.

/// Luhn sum of the prefix `80840`, which stands before every number.
const PREFIX_SUM: u32 = 24;
const DIGITS: usize = 10;

/// Reads a number as typed, spaces and hyphens left out; `None` when it cannot be one.
#[must_use]
pub fn parse(typed: &str) -> Option<String> {
    let number: String = typed.trim().chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    is_valid(&number).then_some(number)
}

/// Whether a text is ten digits, begins with 1 or 2 and has the right check digit.
#[must_use]
pub fn is_valid(number: &str) -> bool {
    if number.len() != DIGITS || !number.starts_with(['1', '2']) || !number.bytes().all(|digit| digit.is_ascii_digit())
    {
        return false;
    }
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            // Every second digit from the right is doubled, and its digits are added.
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    (sum + PREFIX_SUM).is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::{is_valid, parse};

    #[test]
    fn the_example_of_the_standard_is_valid() {
        // 123456789 with check digit 3 is the worked example of the check digit paper.
        assert!(is_valid("1234567893"));
        assert_eq!(parse(" 1234-567 893 ").as_deref(), Some("1234567893"));
    }

    #[test]
    fn any_other_check_digit_is_not() {
        for wrong in [0, 1, 2, 4, 5, 6, 7, 8, 9] {
            assert!(!is_valid(&format!("123456789{wrong}")), "{wrong}");
        }
    }

    #[test]
    fn every_single_wrong_digit_is_noticed() {
        let good = b"1234567893";
        for place in 0..good.len() {
            for digit in b'0'..=b'9' {
                let mut changed = *good;
                changed[place] = digit;
                let text: String = changed.iter().map(|byte| char::from(*byte)).collect();
                assert_eq!(is_valid(&text), changed == *good, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in ["", "123456789", "12345678930", "3234567893", "123456789x", "１２３４５６７８９３"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
