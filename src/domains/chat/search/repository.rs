//! SQL of search. What is not the caller's is not there: the database's policy narrows every statement.

use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, SmallInt, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::db::sql;
use crate::domains::documents::search::Terms;
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{ConversationId, FacilityId, MessageId};

/// Candidates of each ranking.
const CANDIDATES: i64 = 100;

/// What a message is found by.
pub(super) struct Indexed {
    pub terms: Vec<(i64, i16)>,
    /// With its model.
    pub vector: Option<(i16, Vec<f32>)>,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
}

#[derive(QueryableByName)]
struct Ranked {
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
    #[diesel(sql_type = Double)]
    score: f64,
}

/// Nothing is stored for a message that is of another version by now.
pub(super) async fn store(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    message: MessageId,
    conversation: ConversationId,
    version: i32,
    indexed: Indexed,
) -> Result<()> {
    let same: Option<Found> =
        sql("SELECT id FROM messages WHERE facility_id = $1 AND id = $2 AND version = $3 FOR NO KEY UPDATE")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(message)
            .bind::<Integer, _>(version)
            .get_result(&mut db)
            .await
            .optional()?;
    if same.is_none() {
        return Ok(());
    }
    let (terms, frequencies): (Vec<i64>, Vec<i16>) = indexed.terms.into_iter().unzip();
    sql("INSERT INTO message_terms (facility_id, term, message_id, conversation_id, frequency) \
         SELECT $1, t.term, $2, $3, t.frequency FROM unnest($4::bigint[], $5::smallint[]) AS t (term, frequency) \
         ON CONFLICT DO NOTHING")
    .bind::<SqlUuid, _>(facility)
    .bind::<SqlUuid, _>(message)
    .bind::<SqlUuid, _>(conversation)
    .bind::<Array<BigInt>, _>(terms)
    .bind::<Array<SmallInt>, _>(frequencies)
    .execute(&mut db)
    .await?;
    if let Some((model, vector)) = indexed.vector {
        sql("DELETE FROM message_embeddings WHERE facility_id = $1 AND message_id = $2 AND model_id <> $3")
            .bind::<SqlUuid, _>(facility)
            .bind::<SqlUuid, _>(message)
            .bind::<SmallInt, _>(model)
            .execute(&mut db)
            .await?;
        sql("INSERT INTO message_embeddings (facility_id, message_id, model_id, conversation_id, embedding) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
        .bind::<SqlUuid, _>(facility)
        .bind::<SqlUuid, _>(message)
        .bind::<SmallInt, _>(model)
        .bind::<SqlUuid, _>(conversation)
        .bind::<Halfvec, _>(HalfVec(vector))
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// Messages with these words, those with more and rarer ones first. The terms of the query that are another word for one
/// another count as one.
pub(super) async fn by_words(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: Option<ConversationId>,
    asked: Terms,
) -> Result<Vec<MessageId>> {
    let ranked: Vec<Ranked> =
        sql("WITH asked AS (SELECT * FROM unnest($2::bigint[], $5::float8[], $6::int[]) AS a (term, weight, kin)), \
         hits AS MATERIALIZED (SELECT term, message_id, frequency FROM message_terms \
             WHERE facility_id = $1 AND term = ANY ($2) AND ($3::uuid IS NULL OR conversation_id = $3)), \
         counted AS (SELECT term, count(*)::float8 AS messages FROM hits GROUP BY term), \
         spread AS (SELECT a.term, a.weight, \
                 CASE WHEN a.kin < 0 THEN c.messages ELSE max(c.messages) OVER (PARTITION BY a.kin) END AS messages \
             FROM asked a JOIN counted c USING (term)) \
         SELECT h.message_id AS id, sum(s.weight * h.frequency / (h.frequency + 1.2) / ln(2 + s.messages)) AS score \
         FROM hits h JOIN spread s USING (term) GROUP BY h.message_id ORDER BY score DESC, h.message_id DESC LIMIT $4")
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<BigInt>, _>(asked.terms)
        .bind::<Nullable<SqlUuid>, _>(conversation)
        .bind::<BigInt, _>(CANDIDATES)
        .bind::<Array<Double>, _>(asked.weights)
        .bind::<Array<Integer>, _>(asked.groups)
        .load(&mut db)
        .await?;
    Ok(ranked.into_iter().map(|row| row.id).collect())
}

/// Messages whose vectors are nearest, with how near, nearest first.
pub(super) async fn by_meaning(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    conversation: Option<ConversationId>,
    model: i16,
    vector: Vec<f32>,
) -> Result<Vec<(MessageId, f64)>> {
    let ranked: Vec<Ranked> = sql("SELECT e.message_id AS id, 1 - (e.embedding <=> (SELECT $4::halfvec)) AS score \
         FROM message_embeddings e WHERE e.facility_id = $1 AND e.model_id = $2 \
           AND e.conversation_id = ANY (CASE WHEN $3::uuid IS NULL THEN (SELECT app_conversations()) ELSE ARRAY[$3::uuid] END) \
         ORDER BY score DESC, e.message_id DESC LIMIT $5")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .bind::<Nullable<SqlUuid>, _>(conversation)
    .bind::<Halfvec, _>(HalfVec(vector))
    .bind::<BigInt, _>(CANDIDATES)
    .load(&mut db)
    .await?;
    Ok(ranked.into_iter().map(|row| (row.id, row.score)).collect())
}

/// Messages whose vectors are of another model than the one that serves, at most so many.
pub(super) async fn outdated(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    most: i64,
) -> Result<Vec<MessageId>> {
    let found: Vec<Found> = sql("SELECT DISTINCT message_id AS id FROM message_embeddings \
         WHERE facility_id = $1 AND model_id <> $2 LIMIT $3")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .bind::<BigInt, _>(most)
    .load(&mut db)
    .await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}
