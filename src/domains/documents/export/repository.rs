//! SQL of exports.

use chrono::{DateTime, Utc};
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::schema::{document_patients, documents};
use crate::db::sql;
use crate::domains::documents::model::{BodyRow, FileRow};
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, PatientId, RecordExportId, UserId};

/// An export as stored.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct ExportRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: RecordExportId,
    #[diesel(sql_type = SqlUuid)]
    pub patient_id: PatientId,
    #[diesel(sql_type = SqlUuid)]
    pub requested_by: UserId,
    #[diesel(sql_type = Timestamptz)]
    pub requested_at: DateTime<Utc>,
    /// Whether whoever asked may have documents labelled 42 CFR Part 2.
    #[diesel(sql_type = Bool)]
    pub part2: bool,
    #[diesel(sql_type = Text)]
    pub status: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub object_key: Option<String>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub file_key_ciphertext: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub size_bytes: Option<i64>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub sha256: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub document_count: Option<i32>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub ready_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
}

pub(super) struct NewExport {
    pub id: RecordExportId,
    pub patient: PatientId,
    pub by: UserId,
    /// Whether they may have documents labelled 42 CFR Part 2.
    pub part2: bool,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub(super) async fn insert(mut db: &AsyncPgConnection, facility: FacilityId, new: NewExport) -> Result<()> {
    sql("INSERT INTO record_exports (facility_id, id, patient_id, requested_by, requested_at, part2, status, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $7, 'queued', $6)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(new.id)
    .bind::<SqlUuid, _>(new.patient)
    .bind::<SqlUuid, _>(new.by)
    .bind::<Timestamptz, _>(new.now)
    .bind::<Timestamptz, _>(new.expires_at)
    .bind::<Bool, _>(new.part2)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: RecordExportId,
) -> Result<Option<ExportRow>> {
    Ok(sql("SELECT id, patient_id, requested_by, requested_at, part2, status, object_key, file_key_ciphertext, size_bytes, sha256, \
         document_count, ready_at, expires_at FROM record_exports WHERE facility_id = $1 AND id = $2")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .get_result(&mut db)
    .await
    .optional()?)
}

/// What was made.
pub(super) struct Made {
    pub object_key: String,
    pub file_key_ciphertext: Vec<u8>,
    pub size_bytes: i64,
    pub sha256: Vec<u8>,
    pub documents: i32,
}

/// `false` when it was made before.
pub(super) async fn set_ready(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: RecordExportId,
    made: Made,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = sql("UPDATE record_exports SET status = 'ready', object_key = $3, file_key_ciphertext = $4, \
         size_bytes = $5, sha256 = $6, document_count = $7, ready_at = $8 \
         WHERE facility_id = $1 AND id = $2 AND status <> 'ready'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(made.object_key)
    .bind::<Bytea, _>(made.file_key_ciphertext)
    .bind::<BigInt, _>(made.size_bytes)
    .bind::<Bytea, _>(made.sha256)
    .bind::<Integer, _>(made.documents)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(changed == 1)
}

pub(super) async fn set_failed(mut db: &AsyncPgConnection, facility: FacilityId, id: RecordExportId) -> Result<()> {
    sql("UPDATE record_exports SET status = 'failed' WHERE facility_id = $1 AND id = $2 AND status = 'queued'")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Documents of a patient, oldest first, whatever they are: what of them may leave is for the caller to say.
pub(super) async fn documents_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    patient: PatientId,
) -> Result<Vec<FileRow>> {
    let linked = document_patients::table
        .filter(document_patients::facility_id.eq(facility))
        .filter(document_patients::patient_id.eq(patient))
        .select(document_patients::document_id);
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq_any(linked))
        .order((documents::document_date, documents::id))
        .select(FileRow::as_select())
        .load(&mut db)
        .await?)
}

pub(super) async fn body_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: DocumentId,
) -> Result<Option<BodyRow>> {
    Ok(documents::table
        .filter(documents::facility_id.eq(facility))
        .filter(documents::id.eq(id))
        .select(BodyRow::as_select())
        .first(&mut db)
        .await
        .optional()?)
}
