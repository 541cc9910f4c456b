//! SQL of versions.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{NewVersion, StateRow, VersionBodyRow, VersionRow};
use crate::db::schema::{document_versions, documents};
use crate::domains::documents::model::DocumentKind;
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, VersionId};
use crate::pagination::PageRequest;

/// The document as it is in this transaction.
pub(super) async fn state_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Option<StateRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(document))
        .select(StateRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

/// The version with the highest number.
pub(super) async fn last_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Option<VersionRow>> {
    Ok(document_versions::table
        .filter(document_versions::facility_id.eq(facility))
        .filter(document_versions::document_id.eq(document))
        .order(document_versions::number.desc())
        .select(VersionRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewVersion) -> Result<()> {
    diesel::insert_into(document_versions::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// Writes an autosave over the one before.
pub(super) async fn overwrite(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: VersionId,
    state: StateRow,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(document_versions::table)
        .filter(document_versions::facility_id.eq(facility))
        .filter(document_versions::id.eq(id))
        .set((
            document_versions::number.eq(state.version),
            document_versions::kind.eq(state.kind),
            document_versions::document_date.eq(state.document_date),
            document_versions::title_ciphertext.eq(state.title_ciphertext),
            document_versions::body_ciphertext.eq(state.body_ciphertext),
            document_versions::fields_ciphertext.eq(state.fields_ciphertext),
            document_versions::saved_at.eq(now),
        ))
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Last made first. What the document was while it was of a kind that may not be known of is left out.
pub(super) async fn list_page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    kinds: &'static [DocumentKind],
    document: DocumentId,
    page: PageRequest<VersionId>,
) -> Result<Vec<VersionRow>> {
    let mut query = document_versions::table
        .filter(document_versions::facility_id.eq(facility))
        .filter(document_versions::document_id.eq(document))
        .filter(document_versions::kind.eq_any(kinds))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(document_versions::id.lt(after));
    }
    Ok(query
        .order(document_versions::id.desc())
        .limit(page.limit())
        .select(VersionRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    kinds: &'static [DocumentKind],
    ids: &[VersionId],
) -> Result<Vec<VersionRow>> {
    Ok(document_versions::table
        .filter(document_versions::facility_id.eq(facility))
        .filter(document_versions::id.eq_any(ids))
        .filter(document_versions::kind.eq_any(kinds))
        .select(VersionRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn bodies(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    kinds: &'static [DocumentKind],
    ids: &[VersionId],
) -> Result<Vec<VersionBodyRow>> {
    Ok(document_versions::table
        .filter(document_versions::facility_id.eq(facility))
        .filter(document_versions::id.eq_any(ids))
        .filter(document_versions::kind.eq_any(kinds))
        .select(VersionBodyRow::as_select())
        .load(&mut db)
        .await?)
}
