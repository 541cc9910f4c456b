//! SQL of proposals.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bytea, Date, Double, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use crate::db::sql;
use crate::domains::documents::model::DocumentKind;
use crate::domains::documents::repository::Sight;
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{DocumentId, FacilityId, PatientId, ProposalId, UserId};

/// A proposal as stored.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct ProposalRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: ProposalId,
    #[diesel(sql_type = SqlUuid)]
    pub document_id: DocumentId,
    #[diesel(sql_type = Text)]
    pub aspect: super::service::DocumentProposalAspect,
    #[diesel(sql_type = Nullable<Text>)]
    pub kind: Option<DocumentKind>,
    #[diesel(sql_type = Nullable<Date>)]
    pub document_date: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub patient_id: Option<PatientId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub other_document_id: Option<DocumentId>,
    #[diesel(sql_type = Text)]
    pub state: super::service::DocumentProposalState,
}

/// A proposal to be stored.
#[derive(Debug, Clone)]
pub(super) struct NewProposal {
    pub aspect: super::service::DocumentProposalAspect,
    pub kind: Option<DocumentKind>,
    pub document_date: Option<NaiveDate>,
    pub patient: Option<PatientId>,
    pub other: Option<DocumentId>,
}

/// Proposals on documents, or some by id: those whose document, patient and other document may be seen.
pub(super) async fn visible(
    mut db: &AsyncPgConnection,
    sight: Sight,
    documents: &[DocumentId],
    ids: &[ProposalId],
) -> Result<Vec<ProposalRow>> {
    let kinds: Vec<&str> = sight.kinds.iter().map(|kind| kind.as_str()).collect();
    Ok(sql("SELECT q.id, q.document_id, q.aspect, q.kind, q.document_date, q.patient_id, q.other_document_id, q.state \
         FROM document_proposals q JOIN documents d ON d.facility_id = q.facility_id AND d.id = q.document_id \
         WHERE q.facility_id = $1 AND (q.document_id = ANY ($2) OR q.id = ANY ($3)) AND d.kind = ANY ($4) \
         AND (d.note_state IS DISTINCT FROM 'draft' OR d.author_id = $5) AND (q.kind IS NULL OR q.kind = ANY ($4)) \
         AND (q.patient_id IS NULL OR EXISTS (SELECT FROM patients p WHERE p.facility_id = $1 AND p.id = q.patient_id)) \
         AND (q.other_document_id IS NULL OR EXISTS (SELECT FROM documents o WHERE o.facility_id = $1 \
             AND o.id = q.other_document_id AND o.kind = ANY ($4) AND (o.note_state IS DISTINCT FROM 'draft' OR o.author_id = $5))) \
         ORDER BY q.id")
    .bind::<SqlUuid, _>(sight.facility)
    .bind::<Array<SqlUuid>, _>(documents.to_vec())
    .bind::<Array<SqlUuid>, _>(ids.to_vec())
    .bind::<Array<Text>, _>(kinds)
    .bind::<Nullable<SqlUuid>, _>(sight.user)
    .load(&mut db)
    .await?)
}

/// Replaces what is open on a document. What was decided before is not proposed again.
pub(super) async fn replace(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
    found: Vec<NewProposal>,
    now: DateTime<Utc>,
) -> Result<()> {
    sql("DELETE FROM document_proposals WHERE facility_id = $1 AND document_id = $2 AND state = 'open'")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(document)
        .execute(&mut db)
        .await?;
    for new in found {
        sql("INSERT INTO document_proposals (facility_id, id, document_id, aspect, kind, document_date, patient_id, \
             other_document_id, state, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'open', $9 \
             WHERE NOT EXISTS (SELECT FROM document_proposals q WHERE q.facility_id = $1 AND q.document_id = $3 \
                 AND q.aspect = $4 AND q.kind IS NOT DISTINCT FROM $5 AND q.document_date IS NOT DISTINCT FROM $6 \
                 AND q.patient_id IS NOT DISTINCT FROM $7 AND q.other_document_id IS NOT DISTINCT FROM $8)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(Uuid::now_v7())
        .bind::<SqlUuid, _>(document)
        .bind::<Text, _>(new.aspect)
        .bind::<Nullable<Text>, _>(new.kind)
        .bind::<Nullable<Date>, _>(new.document_date)
        .bind::<Nullable<SqlUuid>, _>(new.patient)
        .bind::<Nullable<SqlUuid>, _>(new.other)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// `false` when somebody decided before.
pub(super) async fn decide(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    id: ProposalId,
    state: super::service::DocumentProposalState,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let changed = sql("UPDATE document_proposals SET state = $3, decided_by = $4, decided_at = $5 \
         WHERE facility_id = $1 AND id = $2 AND state = 'open'")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(state)
    .bind::<SqlUuid, _>(by)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(changed == 1)
}

#[derive(QueryableByName)]
struct Other {
    #[diesel(sql_type = SqlUuid)]
    id: DocumentId,
}

/// Other documents with the same content, oldest first.
pub(super) async fn same_content(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
    sha256: &[u8],
    most: i64,
) -> Result<Vec<DocumentId>> {
    let rows: Vec<Other> = sql("SELECT id FROM documents WHERE facility_id = $1 AND sha256 = $2 AND id <> $3 \
         AND status <> 'quarantined' AND note_state IS NULL ORDER BY id LIMIT $4")
    .bind::<SqlUuid, _>(facility)
    .bind::<Bytea, _>(sha256)
    .bind::<SqlUuid, _>(document)
    .bind::<BigInt, _>(most)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Other uploads that have, for each of these vectors, a passage nearer than `distance`, and about as many passages.
pub(super) async fn nearly_same(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    document: DocumentId,
    model: i16,
    vectors: Vec<Vec<f32>>,
    passages: i64,
    distance: f64,
) -> Result<Vec<DocumentId>> {
    let wanted = i64::try_from(vectors.len()).unwrap_or(i64::MAX);
    let vectors: Vec<HalfVec> = vectors.into_iter().map(HalfVec).collect();
    let rows: Vec<Other> = sql("SELECT near.document_id AS id FROM unnest($4::halfvec[]) WITH ORDINALITY AS m (embedding, number) \
         CROSS JOIN LATERAL (SELECT e.document_id, e.embedding <=> m.embedding AS distance FROM chunk_embeddings e \
             WHERE e.facility_id = $1 AND e.model_id = $3 AND e.document_id <> $2 ORDER BY e.embedding <=> m.embedding LIMIT 5) near \
         JOIN documents d ON d.facility_id = $1 AND d.id = near.document_id AND d.note_state IS NULL \
             AND d.status = 'ready' AND d.chunk_count BETWEEN $5 * 4 / 5 AND $5 * 5 / 4 \
         WHERE near.distance < $6 GROUP BY near.document_id HAVING count(DISTINCT m.number) = $7 ORDER BY near.document_id LIMIT 3")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(document)
    .bind::<SmallInt, _>(model)
    .bind::<Array<Halfvec>, _>(vectors)
    .bind::<BigInt, _>(passages)
    .bind::<Double, _>(distance)
    .bind::<BigInt, _>(wanted)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
