//! Finding patients by what identifies them, over blind indexes.

use chrono::NaiveDate;
use serde_json::json;

use crate::access::{RequestContext, Subject};
use crate::crypto::FacilityKeys;
use crate::crypto::blind_index::{NameMatch, Search, Unsearchable};
use crate::domains::patients::model::{Found, MatchKind, NameMode, SearchPatients};
use crate::domains::patients::sealing::Hidden;
use crate::domains::patients::{matching, policy, repository, sealing};
use crate::error::{Error, Result};
use crate::ids::PatientId;
use crate::pagination::{Page, PageRequest};
use crate::phi::Phi;

/// Records that are decrypted for one search: names are ordered and compared after decryption, so a search
/// that may mean more must be narrowed.
const MAX_CANDIDATES: i64 = 1_000;

/// A page of what was found, and how many there are in all.
#[derive(Debug)]
pub struct SearchPage {
    pub page: Page<Found>,
    pub total: usize,
}

/// Patients who match: best match first, then by name. The audit log learns what kinds of identifiers were
/// searched by, never their values.
///
/// # Errors
/// [`Error::BadInput`] when nothing searchable is given, [`Error::Limit`] when too many may match.
pub async fn search_patients(
    ctx: &RequestContext,
    search: SearchPatients,
    page: PageRequest<PatientId>,
) -> Result<SearchPage> {
    let read = ctx.read(&policy::SEARCH).await?;
    let keys = read.keys().await?;
    let conditions = conditions(&keys, &search)?;
    let db = read.db()?;
    let ids = repository::terms::find_all_of(db, ctx.facility(), &conditions, MAX_CANDIDATES + 1).await?;
    if i64::try_from(ids.len()).is_ok_and(|found| found > MAX_CANDIDATES) {
        return Err(Error::Limit(
            format!("more than {MAX_CANDIDATES} patients may match: give more letters, or the date of birth").into(),
        ));
    }
    let mut found: Vec<(MatchKind, Hidden)> = Vec::new();
    for row in repository::patients::find_by_ids(db, ctx.facility(), &ids).await? {
        if search.status.is_none_or(|status| status == row.status) {
            let candidate = sealing::open_hidden(&keys, row)?;
            found.extend(matching::matches(candidate.identity(), &search).map(|kind| (kind, candidate)));
        }
    }
    found.sort_by_cached_key(|(kind, patient)| (*kind, patient.sort_name(), patient.id()));
    let total = found.len();
    ctx.note(&policy::SEARCH, Subject::default(), json!({ "by": kinds(&search), "found": total }));
    Ok(SearchPage { page: cut(ctx, found, page)?, total })
}

/// Patients that a text names: by record number, or by name and birth date together. A few at most, and none where it
/// says too little to tell people apart. For the server itself.
///
/// # Errors
/// A fault.
pub async fn whom(
    ctx: &RequestContext,
    name: Option<Phi<String>>,
    birth_date: Option<NaiveDate>,
    mrn: Option<Phi<String>>,
) -> Result<Vec<PatientId>> {
    const MOST: usize = 3;
    let blank = SearchPatients {
        name: None,
        name_mode: NameMode::Exact,
        birth_date: None,
        phone: None,
        email: None,
        ssn_last_four: None,
        mrn: None,
        status: None,
    };
    let mut searches = Vec::new();
    if mrn.is_some() {
        searches.push(SearchPatients { mrn, ..blank.clone() });
    }
    if let (Some(name), Some(birth_date)) = (name, birth_date) {
        searches.push(SearchPatients { name: Some(name), birth_date: Some(Phi::new(birth_date)), ..blank });
    }
    let read = ctx.read(&policy::TITLE_PAGE).await?;
    let (db, keys) = (read.db()?, read.keys().await?);
    let mut found = Vec::new();
    for search in searches {
        // A name that is none cannot be looked up, and finds nobody.
        let Ok(conditions) = conditions(&keys, &search) else { continue };
        let ids = repository::terms::find_all_of(db, ctx.facility(), &conditions, MAX_CANDIDATES).await?;
        for row in repository::patients::find_by_ids(db, ctx.facility(), &ids).await? {
            let candidate = sealing::open_hidden(&keys, row)?;
            if matching::matches(candidate.identity(), &search).is_some() && !found.contains(&candidate.id()) {
                found.push(candidate.id());
            }
        }
    }
    // Many of one name and birth date are no match.
    Ok(if found.len() > MOST { Vec::new() } else { found })
}

/// The part of the list after the cursor, shown.
fn cut(ctx: &RequestContext, found: Vec<(MatchKind, Hidden)>, page: PageRequest<PatientId>) -> Result<Page<Found>> {
    let skip = match page.after {
        None => 0,
        Some(after) => found
            .iter()
            .position(|(_, patient)| patient.id() == after)
            .map(|at| at + 1)
            .ok_or_else(|| Error::bad_input("`after` is not among the results any more: search again"))?,
    };
    let first = usize::try_from(page.first).unwrap_or(usize::MAX);
    let has_next = found.len() > skip.saturating_add(first);
    let shown = found.into_iter().skip(skip).take(first);
    Ok(Page { rows: shown.map(|(matched, patient)| Found { patient: patient.show(ctx), matched }).collect(), has_next })
}

/// One list of terms for each thing given, of which a patient must have one.
fn conditions(keys: &FacilityKeys, search: &SearchPatients) -> Result<Vec<Vec<i64>>> {
    fn text(value: Option<&Phi<String>>) -> Option<&str> {
        value.map(Phi::reveal_str)
    }
    let of = |name_match| {
        keys.index.conditions_of(&Search {
            name: text(search.name.as_ref()),
            name_match,
            birth_date: search.birth_date.as_ref().map(|date| *date.reveal()),
            phone: text(search.phone.as_ref()),
            email: text(search.email.as_ref()),
            ssn: text(search.ssn_last_four.as_ref()),
            mrn: text(search.mrn.as_ref()),
        })
    };
    let wanted = match search.name_mode {
        NameMode::Exact => of(NameMatch::Exact),
        NameMode::Prefix => of(NameMatch::Prefix),
        // Sounds do not find beginnings of names: either will do. The conditions stand in one order.
        NameMode::SoundsLike => of(NameMatch::SoundsLike).and_then(|sounds| {
            let prefixes = of(NameMatch::Prefix)?;
            Ok(sounds.into_iter().zip(prefixes).map(|(sound, prefix)| [sound, prefix].concat()).collect())
        }),
    };
    let wanted = wanted.map_err(|unsearchable| Error::bad_input(sentence(unsearchable)))?;
    if wanted.is_empty() {
        return Err(Error::bad_input("give at least one thing to search by"));
    }
    let hashes = |any: Vec<crate::crypto::blind_index::Term>| {
        let mut hashes: Vec<i64> = any.into_iter().map(|term| term.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    };
    Ok(wanted.into_iter().map(hashes).collect())
}

fn sentence(unsearchable: Unsearchable) -> String {
    let field = match unsearchable {
        Unsearchable::Name | Unsearchable::NameParts => "name",
        Unsearchable::Phone => "phone",
        Unsearchable::Email => "email",
        Unsearchable::Ssn => "ssnLastFour",
        Unsearchable::Mrn => "mrn",
    };
    format!("`{field}`: {unsearchable}")
}

/// What was searched by.
fn kinds(search: &SearchPatients) -> Vec<&'static str> {
    let name = match search.name_mode {
        NameMode::Exact => "name (exact)",
        NameMode::Prefix => "name (prefix)",
        NameMode::SoundsLike => "name (sounds like)",
    };
    [
        (search.name.is_some(), name),
        (search.birth_date.is_some(), "birthDate"),
        (search.phone.is_some(), "phone"),
        (search.email.is_some(), "email"),
        (search.ssn_last_four.is_some(), "ssnLastFour"),
        (search.mrn.is_some(), "mrn"),
    ]
    .into_iter()
    .filter_map(|(given, kind)| given.then_some(kind))
    .collect()
}
