//! Keeping searches.

use serde_json::json;

use super::repository::{NewSavedSearch, SavedSearchRow};
use super::{Kept, SavedSearch, read, repository, written};
use crate::access::{Once, RequestContext, Subject};
use crate::crypto::{ColumnId, FacilityKeys};
use crate::domains::documents::model::Refusal;
use crate::domains::documents::policy;
use crate::domains::documents::search::service::MAX_QUERY_CHARS;
use crate::error::{Error, Result, Stop};
use crate::ids::{SavedSearchId, TypedId as _, new_id};

const NAME: ColumnId = ColumnId::new("saved_searches", "name");
const SEARCH: ColumnId = ColumnId::new("saved_searches", "search");

const MAX_NAME_CHARS: usize = 100;
/// More than anyone looks through.
const MAX_SAVED: usize = 100;

fn open(keys: &FacilityKeys, row: &SavedSearchRow) -> Result<SavedSearch> {
    let id = row.id.uuid();
    Ok(SavedSearch {
        id: row.id,
        name: keys.fields.decrypt_text(NAME, id, &row.name_ciphertext)?,
        search: read(&keys.fields.decrypt_text(SEARCH, id, &row.search_ciphertext)?)?,
        version: row.version,
    })
}

/// Name and search, encrypted.
fn seal(keys: &FacilityKeys, id: SavedSearchId, kept: &Kept) -> Result<(Vec<u8>, Vec<u8>)> {
    Ok((
        keys.fields.encrypt_text(NAME, id.uuid(), &kept.name)?,
        keys.fields.encrypt_text(SEARCH, id.uuid(), &written(&kept.search)?)?,
    ))
}

fn checked(kept: &Kept) -> Result<Kept, Stop<Refusal>> {
    let (name, query) = (kept.name.trimmed(), kept.search.query.trimmed());
    if name.is_blank() || name.length_chars() > MAX_NAME_CHARS {
        let sentence = format!("must have 1 to {MAX_NAME_CHARS} characters");
        return Err(Stop::refuse(Refusal::Invalid, &["input", "name"], sentence));
    }
    if query.is_blank() || query.length_chars() > MAX_QUERY_CHARS || query.reveal().contains('\0') {
        let sentence = format!("must have 1 to {MAX_QUERY_CHARS} characters of text");
        return Err(Stop::refuse(Refusal::Invalid, &["input", "query"], sentence));
    }
    let mut search = kept.search.clone();
    search.query = query;
    Ok(Kept { name, search })
}

/// One of the caller's own.
///
/// # Errors
/// [`Error::NotFound`] when there is none of theirs.
pub async fn saved_search(ctx: &RequestContext, id: SavedSearchId) -> Result<SavedSearch> {
    let read = ctx.read(&policy::SEARCH_SAVE).await?;
    let row = repository::find(read.db()?, ctx.facility(), ctx.user()?, id).await?.ok_or(Error::NotFound)?;
    open(&*read.keys().await?, &row)
}

/// The caller's own, in the order they were saved.
///
/// # Errors
/// A denial, or a fault.
pub async fn saved_searches(ctx: &RequestContext) -> Result<Vec<SavedSearch>> {
    let read = ctx.read(&policy::SEARCH_SAVE).await?;
    let rows = repository::of_user(read.db()?, ctx.facility(), ctx.user()?).await?;
    let keys = read.keys().await?;
    rows.iter().map(|row| open(&keys, row)).collect()
}

/// Keeps a search.
///
/// # Errors
/// Refused when name or query are empty or too long, or there are too many.
pub async fn save_search(ctx: &RequestContext, kept: Kept, once: Option<Once>) -> Result<SavedSearchId, Stop<Refusal>> {
    ctx.write(&policy::SEARCH_SAVE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db, id): (_, _, SavedSearchId) = (tx.ctx(), tx.db()?, new_id());
            let kept = checked(&kept)?;
            let user = ctx.user()?;
            if repository::of_user(db, ctx.facility(), user).await?.len() >= MAX_SAVED {
                let sentence = format!("there are {MAX_SAVED} saved searches: remove one first");
                return Err(Stop::refuse(Refusal::TooMany, &["input"], sentence));
            }
            let (name_ciphertext, search_ciphertext) = seal(&*tx.keys().await?, id, &kept)?;
            let row = NewSavedSearch {
                facility_id: ctx.facility(),
                id,
                user_id: user,
                name_ciphertext,
                search_ciphertext,
                created_at: ctx.now(),
                updated_at: ctx.now(),
            };
            repository::insert(db, row).await?;
            tx.audit(Subject::of(id), json!({ "change": "saved" }));
            Ok(id)
        })
        .await
}

/// Replaces name and search of one that is kept.
///
/// # Errors
/// Those of [`save_search`], and when it changed meanwhile.
pub async fn replace_search(
    ctx: &RequestContext,
    id: SavedSearchId,
    expected_version: i32,
    kept: Kept,
    once: Option<Once>,
) -> Result<SavedSearchId, Stop<Refusal>> {
    ctx.write(&policy::SEARCH_SAVE)
        .once(once)
        .run(|tx| async move {
            let (ctx, db) = (tx.ctx(), tx.db()?);
            tx.audit(Subject::of(id), json!({ "change": "replaced" }));
            repository::find(db, ctx.facility(), ctx.user()?, id).await?.ok_or(Error::NotFound)?;
            let (name, search) = seal(&*tx.keys().await?, id, &checked(&kept)?)?;
            if !repository::update_if_version(db, ctx.facility(), id, expected_version, name, search).await? {
                let sentence = "the saved search changed since it was read";
                return Err(Stop::refuse(Refusal::StaleVersion, &["input", "expectedVersion"], sentence));
            }
            Ok(id)
        })
        .await
}

/// Forgets a search. One that is gone already stays gone.
///
/// # Errors
/// [`Error::NotFound`] when there is none of theirs.
pub async fn forget_search(
    ctx: &RequestContext,
    id: SavedSearchId,
    once: Option<Once>,
) -> Result<SavedSearchId, Stop<Refusal>> {
    ctx.write(&policy::SEARCH_SAVE)
        .once(once)
        .run(|tx| async move {
            let ctx = tx.ctx();
            tx.audit(Subject::of(id), json!({ "change": "forgotten" }));
            if !repository::delete(tx.db()?, ctx.facility(), ctx.user()?, id).await? {
                return Err(Error::NotFound.into());
            }
            Ok(id)
        })
        .await
}
