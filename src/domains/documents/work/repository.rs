//! SQL of the work on documents.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::model::{DocumentInboxFolder, DocumentRetentionClass, DocumentReviewState};
use crate::db::sql;
use crate::domains::documents::model::Refusal;
use crate::domains::documents::repository::Sight;
use crate::error::{Result, Stop, violated_constraint};
use crate::ids::{DocumentId, FacilityId, PatientId, UserId};
use crate::pagination::PageRequest;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: DocumentId,
}

#[derive(QueryableByName)]
pub(super) struct CountRow {
    #[diesel(sql_type = BigInt)]
    pub unassigned: i64,
    #[diesel(sql_type = BigInt)]
    pub needs_review: i64,
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    #[diesel(sql_type = BigInt)]
    pub quarantined: i64,
    #[diesel(sql_type = BigInt)]
    pub mine: i64,
}

#[derive(QueryableByName)]
pub(super) struct WorkRow {
    #[diesel(sql_type = SqlUuid)]
    pub document_id: DocumentId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub review_state: Option<DocumentReviewState>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub reviewed_by: Option<UserId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub reviewed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub assignee_id: Option<UserId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub assigned_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub retention_class: Option<DocumentRetentionClass>,
    #[diesel(sql_type = Bool)]
    pub on_hold: bool,
    #[diesel(sql_type = Integer)]
    pub version: i32,
}

#[derive(QueryableByName)]
pub(super) struct HoldRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub document_id: DocumentId,
    #[diesel(sql_type = Bytea)]
    pub reason_ciphertext: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    pub placed_by: UserId,
    #[diesel(sql_type = Timestamptz)]
    pub placed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub release_reason_ciphertext: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub released_by: Option<UserId>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub released_at: Option<DateTime<Utc>>,
}

fn kinds(sight: Sight) -> Vec<&'static str> {
    sight.kinds.iter().map(|kind| kind.as_str()).collect()
}

/// A page of a folder, last added first. That a document is about nobody is asked of all its links, also those to charts
/// that are closed to the reader.
pub(super) async fn folder(
    mut db: &AsyncPgConnection,
    sight: Sight,
    folder: DocumentInboxFolder,
    page: PageRequest<DocumentId>,
) -> Result<Vec<DocumentId>> {
    let rows: Vec<Id> = sql("SELECT d.id FROM documents d \
         LEFT JOIN document_work w ON w.facility_id = d.facility_id AND w.document_id = d.id \
         WHERE d.facility_id = $1 AND d.kind = ANY ($2) AND (d.note_state IS DISTINCT FROM 'draft' OR d.author_id = $3) \
         AND ($4::uuid IS NULL OR d.id < $4) AND CASE $6 \
             WHEN 'unassigned' THEN d.status <> 'quarantined' AND NOT EXISTS (SELECT FROM document_patients p \
                 WHERE p.facility_id = d.facility_id AND p.document_id = d.id) AND document_linked_patients(d.id) = '{}' \
             WHEN 'needs_review' THEN d.status <> 'quarantined' AND w.review_state = 'needed' \
             WHEN 'mine' THEN d.status <> 'quarantined' AND w.review_state = 'needed' AND w.assignee_id = $3 \
             ELSE d.status = $6 END \
         ORDER BY d.id DESC LIMIT $5")
    .bind::<SqlUuid, _>(sight.facility)
    .bind::<Array<Text>, _>(kinds(sight))
    .bind::<Nullable<SqlUuid>, _>(sight.user)
    .bind::<Nullable<SqlUuid>, _>(page.after)
    .bind::<BigInt, _>(page.limit())
    .bind::<Text, _>(folder)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// How many documents each folder holds.
pub(super) async fn counts(mut db: &AsyncPgConnection, sight: Sight) -> Result<CountRow> {
    Ok(sql("SELECT count(*) FILTER (WHERE d.status <> 'quarantined' AND NOT EXISTS (SELECT FROM document_patients p \
             WHERE p.facility_id = d.facility_id AND p.document_id = d.id) AND document_linked_patients(d.id) = '{}') AS unassigned, \
         count(*) FILTER (WHERE d.status <> 'quarantined' AND w.review_state = 'needed') AS needs_review, \
         count(*) FILTER (WHERE d.status = 'failed') AS failed, \
         count(*) FILTER (WHERE d.status = 'quarantined') AS quarantined, \
         count(*) FILTER (WHERE d.status <> 'quarantined' AND w.review_state = 'needed' AND w.assignee_id = $3) AS mine \
         FROM documents d LEFT JOIN document_work w ON w.facility_id = d.facility_id AND w.document_id = d.id \
         WHERE d.facility_id = $1 AND d.kind = ANY ($2) AND (d.note_state IS DISTINCT FROM 'draft' OR d.author_id = $3)")
    .bind::<SqlUuid, _>(sight.facility)
    .bind::<Array<Text>, _>(kinds(sight))
    .bind::<Nullable<SqlUuid>, _>(sight.user)
    .get_result(&mut db)
    .await?)
}

/// The work on documents that are to be seen.
pub(super) async fn work_of(mut db: &AsyncPgConnection, sight: Sight, ids: &[DocumentId]) -> Result<Vec<WorkRow>> {
    Ok(sql("SELECT d.id AS document_id, d.kind, w.review_state, w.reviewed_by, w.reviewed_at, w.assignee_id, w.assigned_at, \
         w.retention_class, coalesce(w.version, 0) AS version, EXISTS (SELECT FROM document_holds h \
             WHERE h.facility_id = d.facility_id AND h.document_id = d.id AND h.released_at IS NULL) AS on_hold \
         FROM documents d LEFT JOIN document_work w ON w.facility_id = d.facility_id AND w.document_id = d.id \
         WHERE d.facility_id = $1 AND d.id = ANY ($2) AND d.kind = ANY ($3) \
         AND (d.note_state IS DISTINCT FROM 'draft' OR d.author_id = $4)")
    .bind::<SqlUuid, _>(sight.facility)
    .bind::<Array<SqlUuid>, _>(ids.to_vec())
    .bind::<Array<Text>, _>(kinds(sight))
    .bind::<Nullable<SqlUuid>, _>(sight.user)
    .load(&mut db)
    .await?)
}

/// An upload waits for a review.
pub(super) async fn insert(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
    retention: DocumentRetentionClass,
) -> Result<()> {
    sql("INSERT INTO document_work (facility_id, document_id, review_state, retention_class) VALUES ($1, $2, 'needed', $3)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(document)
        .bind::<Text, _>(retention)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// What is to be said of a document; `None` leaves it.
#[derive(Default)]
pub(super) struct Changes {
    /// `Some(None)` takes it from whoever has it.
    pub assignee: Option<Option<UserId>>,
    pub reviewed_by: Option<UserId>,
    pub retention: Option<DocumentRetentionClass>,
}

/// Changes the work of a known version, 0 where nothing was said yet. `false` when it has another version by now.
pub(super) async fn change(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
    expected_version: i32,
    fallback: DocumentRetentionClass,
    changes: Changes,
    now: DateTime<Utc>,
) -> Result<bool> {
    if expected_version == 0 {
        // What never waited for a review is as good as looked at.
        sql(
            "INSERT INTO document_work (facility_id, document_id, review_state, reviewed_at, retention_class, version) \
             VALUES ($1, $2, 'done', $4, $3, 0) ON CONFLICT DO NOTHING",
        )
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(document)
        .bind::<Text, _>(fallback)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    }
    let changed = sql("UPDATE document_work SET \
         assignee_id = CASE WHEN $4 THEN $5 ELSE assignee_id END, \
         assigned_at = CASE WHEN NOT $4 THEN assigned_at WHEN $5::uuid IS NULL THEN NULL ELSE $8 END, \
         review_state = CASE WHEN $6::uuid IS NULL THEN review_state ELSE 'done' END, \
         reviewed_by = coalesce($6, reviewed_by), \
         reviewed_at = CASE WHEN $6::uuid IS NULL THEN reviewed_at ELSE $8 END, \
         retention_class = coalesce($7, retention_class), version = version + 1 \
         WHERE facility_id = $1 AND document_id = $2 AND version = $3")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(document)
    .bind::<Integer, _>(expected_version)
    .bind::<Bool, _>(changes.assignee.is_some())
    .bind::<Nullable<SqlUuid>, _>(changes.assignee.flatten())
    .bind::<Nullable<SqlUuid>, _>(changes.reviewed_by)
    .bind::<Nullable<Text>, _>(changes.retention)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(changed == 1)
}

/// Whether there is such a document, whatever its kind; locked, so that it stays.
pub(super) async fn lock(mut db: &AsyncPgConnection, facility: FacilityId, document: DocumentId) -> Result<bool> {
    let found: Option<Id> = sql("SELECT id FROM documents WHERE facility_id = $1 AND id = $2 FOR UPDATE")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(document)
        .get_result(&mut db)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Places a hold.
pub(super) async fn place(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: Uuid,
    document: DocumentId,
    reason_ciphertext: Vec<u8>,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<(), Stop<Refusal>> {
    let placed =
        sql("INSERT INTO document_holds (facility_id, id, document_id, reason_ciphertext, placed_by, placed_at) \
         VALUES ($1, $2, $3, $4, $5, $6)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(document)
        .bind::<Bytea, _>(reason_ciphertext)
        .bind::<SqlUuid, _>(by)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await;
    match placed {
        Ok(_) => Ok(()),
        Err(error) if violated_constraint(&error) == Some("document_holds_facility_id_document_id_key") => {
            Err(Stop::refuse(Refusal::OnHold, &["input", "documentId"], "the document is under a legal hold already"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The hold on a document that lasts, if one does.
pub(super) async fn lasting(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Option<Uuid>> {
    #[derive(QueryableByName)]
    struct Lasting {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let found: Option<Lasting> =
        sql("SELECT id FROM document_holds WHERE facility_id = $1 AND document_id = $2 AND released_at IS NULL")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(document)
            .get_result(&mut db)
            .await
            .optional()?;
    Ok(found.map(|found| found.id))
}

/// Ends a hold.
pub(super) async fn release(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: Uuid,
    reason_ciphertext: Vec<u8>,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("UPDATE document_holds SET release_reason_ciphertext = $3, released_by = $4, released_at = $5 \
         WHERE facility_id = $1 AND id = $2 AND released_at IS NULL")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Bytea, _>(reason_ciphertext)
    .bind::<SqlUuid, _>(by)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// Whom a document is about.
pub(super) async fn patients_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Vec<PatientId>> {
    #[derive(QueryableByName)]
    struct About {
        #[diesel(sql_type = SqlUuid)]
        id: PatientId,
    }
    let rows: Vec<About> =
        sql("SELECT patient_id AS id FROM document_patients WHERE facility_id = $1 AND document_id = $2")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(document)
            .load(&mut db)
            .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Holds of a document, the newest first.
pub(super) async fn holds_of(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
) -> Result<Vec<HoldRow>> {
    Ok(sql("SELECT id, document_id, reason_ciphertext, placed_by, placed_at, release_reason_ciphertext, released_by, released_at \
         FROM document_holds WHERE facility_id = $1 AND document_id = $2 ORDER BY id DESC")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(document)
    .load(&mut db)
    .await?)
}

/// Whether any hold lasts in the facility.
pub(super) async fn any_hold(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Any {
        #[diesel(sql_type = Bool)]
        any: bool,
    }
    let row: Any =
        sql("SELECT EXISTS (SELECT FROM document_holds WHERE facility_id = $1 AND released_at IS NULL) AS any")
            .bind::<SqlUuid, _>(facility)
            .get_result(&mut db)
            .await?;
    Ok(row.any)
}
