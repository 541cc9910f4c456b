//! SQL of saved searches.

use chrono::{DateTime, Utc};
use diesel::prelude::{
    ExpressionMethods as _, Insertable, OptionalExtension as _, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::saved_searches;
use crate::error::Result;
use crate::ids::{FacilityId, SavedSearchId, UserId};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = saved_searches, check_for_backend(diesel::pg::Pg))]
pub(super) struct SavedSearchRow {
    pub id: SavedSearchId,
    pub name_ciphertext: Vec<u8>,
    pub search_ciphertext: Vec<u8>,
    pub version: i32,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = saved_searches)]
pub(super) struct NewSavedSearch {
    pub facility_id: FacilityId,
    pub id: SavedSearchId,
    pub user_id: UserId,
    pub name_ciphertext: Vec<u8>,
    pub search_ciphertext: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Those of a user, in the order they were saved.
pub(super) async fn of_user(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
) -> Result<Vec<SavedSearchRow>> {
    Ok(saved_searches::table
        .filter(saved_searches::facility_id.eq(facility))
        .filter(saved_searches::user_id.eq(user))
        .order(saved_searches::id)
        .select(SavedSearchRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    id: SavedSearchId,
) -> Result<Option<SavedSearchRow>> {
    Ok(saved_searches::table
        .filter(saved_searches::facility_id.eq(facility))
        .filter(saved_searches::user_id.eq(user))
        .filter(saved_searches::id.eq(id))
        .select(SavedSearchRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, row: NewSavedSearch) -> Result<()> {
    diesel::insert_into(saved_searches::table).values(row).execute(&mut db).await?;
    Ok(())
}

/// Whether it was still of this version, and is changed.
pub(super) async fn update_if_version(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: SavedSearchId,
    version: i32,
    name_ciphertext: Vec<u8>,
    search_ciphertext: Vec<u8>,
) -> Result<bool> {
    let changed = diesel::update(saved_searches::table)
        .filter(saved_searches::facility_id.eq(facility))
        .filter(saved_searches::id.eq(id))
        .filter(saved_searches::version.eq(version))
        .set((
            saved_searches::name_ciphertext.eq(name_ciphertext),
            saved_searches::search_ciphertext.eq(search_ciphertext),
            saved_searches::version.eq(saved_searches::version + 1),
        ))
        .execute(&mut db)
        .await?;
    Ok(changed == 1)
}

/// Whether it was there, and is gone.
pub(super) async fn delete(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    id: SavedSearchId,
) -> Result<bool> {
    let gone = diesel::delete(saved_searches::table)
        .filter(saved_searches::facility_id.eq(facility))
        .filter(saved_searches::user_id.eq(user))
        .filter(saved_searches::id.eq(id))
        .execute(&mut db)
        .await?;
    Ok(gone == 1)
}
