//! SQL of batches.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::sql;
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, UploadBatchId, UserId};

#[derive(QueryableByName)]
pub(super) struct BatchRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: UploadBatchId,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct OfDocument {
    #[diesel(sql_type = SqlUuid)]
    batch_id: UploadBatchId,
}

#[derive(QueryableByName)]
pub(super) struct FileRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub file_name_ciphertext: Vec<u8>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub document_id: Option<DocumentId>,
    #[diesel(sql_type = Nullable<Text>)]
    pub refusal: Option<String>,
}

pub(super) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: UploadBatchId,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("INSERT INTO upload_batches (facility_id, id, created_by, created_at) VALUES ($1, $2, $3, $4)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(by)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Files with their encrypted names, in their order.
pub(super) async fn insert_files(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    batch: UploadBatchId,
    files: &[(Uuid, Vec<u8>)],
) -> Result<()> {
    let positions: Vec<i32> = (0..).take(files.len()).collect();
    sql("INSERT INTO upload_batch_files (facility_id, id, batch_id, position, file_name_ciphertext) \
         SELECT $1, f.id, $2, f.position, f.name FROM unnest($3::uuid[], $4::int[], $5::bytea[]) AS f (id, position, name)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(batch)
    .bind::<Array<SqlUuid>, _>(files.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(positions)
    .bind::<Array<Bytea>, _>(files.iter().map(|(_, name)| name.as_slice()).collect::<Vec<_>>())
    .execute(&mut db)
    .await?;
    Ok(())
}

/// What became of a file.
pub(super) async fn set_result(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    file: Uuid,
    document: Option<DocumentId>,
    refusal: Option<&str>,
) -> Result<()> {
    sql("UPDATE upload_batch_files SET document_id = $3, refusal = $4 WHERE facility_id = $1 AND id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(file)
        .bind::<Nullable<SqlUuid>, _>(document)
        .bind::<Nullable<Text>, _>(refusal)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// The batch a document was sent in.
pub(super) async fn of_document(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Option<UploadBatchId>> {
    let row: Option<OfDocument> =
        sql("SELECT batch_id FROM upload_batch_files WHERE facility_id = $1 AND document_id = $2 LIMIT 1")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(document)
            .get_result(&mut db)
            .await
            .optional()?;
    Ok(row.map(|row| row.batch_id))
}

/// A batch, when this user sent it.
pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: UploadBatchId,
    by: UserId,
) -> Result<Option<BatchRow>> {
    Ok(sql("SELECT id, created_at FROM upload_batches WHERE facility_id = $1 AND id = $2 AND created_by = $3")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(by)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// Its files, in their order.
pub(super) async fn files_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    batch: UploadBatchId,
) -> Result<Vec<FileRow>> {
    Ok(sql("SELECT id, file_name_ciphertext, document_id, refusal FROM upload_batch_files \
         WHERE facility_id = $1 AND batch_id = $2 ORDER BY position")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(batch)
    .load(&mut db)
    .await?)
}
