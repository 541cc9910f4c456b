//! SQL of templates.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::model::{FilledRow, FormRow, NewTemplate, TemplateRow};
use crate::db::schema::{documents, note_template_versions, note_templates};
use crate::db::sql;
use crate::domains::documents::model::DocumentKind;
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, NoteTemplateId};

/// A template in one of its versions.
#[derive(Debug, QueryableByName)]
pub(super) struct VersionedRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: NoteTemplateId,
    #[diesel(sql_type = Text)]
    pub kind: DocumentKind,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub archived_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    pub number: i32,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Jsonb)]
    pub fields: serde_json::Value,
}

/// Templates of the facility in their current version, by age.
pub(super) async fn list(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    archived: bool,
) -> Result<Vec<VersionedRow>> {
    Ok(sql("SELECT t.id, t.kind, t.archived_at, v.number, v.name, v.fields FROM note_templates t \
         JOIN note_template_versions v ON v.facility_id = t.facility_id AND v.template_id = t.id AND v.number = t.version \
         WHERE t.facility_id = $1 AND ($2 OR t.archived_at IS NULL) ORDER BY t.id")
    .bind::<SqlUuid, _>(facility)
    .bind::<Bool, _>(archived)
    .load(&mut db)
    .await?)
}

/// Templates in the versions named.
pub(super) async fn versions(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[NoteTemplateId],
    numbers: &[i32],
) -> Result<Vec<VersionedRow>> {
    Ok(sql("SELECT t.id, t.kind, t.archived_at, v.number, v.name, v.fields FROM unnest($2::uuid[], $3::int[]) AS n (id, number) \
         JOIN note_templates t ON t.facility_id = $1 AND t.id = n.id \
         JOIN note_template_versions v ON v.facility_id = $1 AND v.template_id = n.id AND v.number = n.number")
    .bind::<SqlUuid, _>(facility)
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Integer>, _>(numbers)
    .load(&mut db)
    .await?)
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: NoteTemplateId,
) -> Result<Option<TemplateRow>> {
    Ok(note_templates::table
        .filter(note_templates::facility_id.eq(facility))
        .filter(note_templates::id.eq(id))
        .select(TemplateRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}

pub(super) async fn count(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<i64> {
    let mine = note_templates::table.filter(note_templates::facility_id.eq(facility));
    Ok(mine.filter(note_templates::archived_at.is_null()).count().get_result(&mut db).await?)
}

pub(super) async fn insert(mut db: &AsyncPgConnection, new: NewTemplate) -> Result<()> {
    diesel::insert_into(note_templates::table).values(new).execute(&mut db).await?;
    Ok(())
}

pub(super) async fn insert_form(mut db: &AsyncPgConnection, new: FormRow) -> Result<()> {
    diesel::insert_into(note_template_versions::table).values(new).execute(&mut db).await?;
    Ok(())
}

/// Raises the version of a template that has this one; `false` when it has another.
pub(super) async fn raise(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: NoteTemplateId,
    expected_version: i32,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(note_templates::table)
        .filter(note_templates::facility_id.eq(facility))
        .filter(note_templates::id.eq(id))
        .filter(note_templates::version.eq(expected_version))
        .set((note_templates::version.eq(expected_version + 1), note_templates::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// Takes a template out of use; `false` when it has another version by now.
pub(super) async fn archive(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: NoteTemplateId,
    expected_version: i32,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = diesel::update(note_templates::table)
        .filter(note_templates::facility_id.eq(facility))
        .filter(note_templates::id.eq(id))
        .filter(note_templates::version.eq(expected_version))
        .set((note_templates::archived_at.eq(now), note_templates::updated_at.eq(now)))
        .execute(&mut db)
        .await?;
    Ok(updated == 1)
}

/// What is filled into notes; those that were made of no template are left out. Whose they are is asked by the caller.
pub(super) async fn filled(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[DocumentId],
) -> Result<Vec<FilledRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq_any(ids))
        .filter(documents::template_id.is_not_null())
        .select(FilledRow::as_select())
        .load(&mut db)
        .await?)
}
