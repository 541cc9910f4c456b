//! Looking diagnosis codes up.

use crate::access::RequestContext;
use crate::domains::patients::model::Icd10Code;
use crate::domains::patients::{policy, repository, validation};
use crate::error::{Error, Result};

/// More words than a description is told by.
const MAX_WORDS: usize = 10;
const MAX_LENGTH: usize = 200;

/// Codes that begin with what is given or, when it has not the form of a code, whose description has its words.
///
/// # Errors
/// [`Error::BadInput`] when it has neither letters nor digits, or is too long.
pub async fn search_icd10(ctx: &RequestContext, search: &str, first: i64) -> Result<Vec<Icd10Code>> {
    let read = ctx.read(&policy::ICD10_READ).await?;
    let search = search.trim();
    if search.chars().count() > MAX_LENGTH {
        return Err(Error::bad_input(format!("`search` is longer than {MAX_LENGTH} characters")));
    }
    if let Some(prefix) = code_prefix(search) {
        return repository::visits::codes_by_prefix(read.db()?, &prefix, first).await;
    }
    let words: Vec<&str> = search.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > MAX_WORDS {
        return Err(Error::bad_input(format!("`search` must be a code, its beginning, or 1 to {MAX_WORDS} words")));
    }
    // Letters and digits alone: nothing in them is an operator of the query language.
    let prefixes = words.iter().map(|word| format!("{word}:*")).collect::<Vec<_>>().join(" & ");
    repository::visits::codes_by_words(read.db()?, &prefixes, &words.join(" "), first).await
}

/// What is given, when it begins a code: a letter and a digit at least, `F4`, `f41`, `F411`, `F41.1`.
fn code_prefix(search: &str) -> Option<String> {
    let mut letters = search.chars();
    let begins = letters.next()?.is_ascii_alphabetic() && letters.next()?.is_ascii_digit();
    match search.len() {
        2 if begins => Some(search.to_uppercase()),
        // The dot just typed: the category and all below it.
        4 if begins && search.ends_with('.') => validation::diagnosis_code(search),
        3.. if begins => validation::diagnosis_code(search),
        _ => None,
    }
}
