//! SQL of cells. Statements over vectors name their width as the index they read does.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use super::{Division, Vectors};
use crate::db::sql;
use crate::embedding::halfvec::{HalfVec, Halfvec};
use crate::error::Result;
use crate::ids::{ChunkId, FacilityId};

/// Centres written in one statement.
const AT_ONCE: usize = 500;

#[derive(QueryableByName)]
struct DivisionRow {
    #[diesel(sql_type = BigInt)]
    passages: i64,
    #[diesel(sql_type = Integer)]
    generation: i32,
    #[diesel(sql_type = BigInt)]
    made_of: i64,
    #[diesel(sql_type = Integer)]
    first_cell: i32,
    #[diesel(sql_type = Integer)]
    last_cell: i32,
}

#[derive(QueryableByName)]
struct CentreRow {
    #[diesel(sql_type = Integer)]
    cell: i32,
    #[diesel(sql_type = Halfvec)]
    centre: HalfVec,
}

#[derive(QueryableByName)]
struct VectorRow {
    #[diesel(sql_type = SqlUuid)]
    chunk_id: ChunkId,
    #[diesel(sql_type = Halfvec)]
    embedding: HalfVec,
}

pub(super) async fn division(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<Division> {
    let row: DivisionRow =
        sql("SELECT coalesce((SELECT chunks FROM search_statistics WHERE facility_id = $1), 0) AS passages, \
             coalesce(max(n.generation), 0) AS generation, coalesce(max(n.made_of), 0) AS made_of, \
             coalesce(min(n.cell), 0) AS first_cell, coalesce(max(n.cell), 0) AS last_cell \
         FROM search_cells n WHERE n.facility_id = $1 AND n.model_id = $2 AND n.generation = ( \
             SELECT max(g.generation) FROM search_cells g WHERE g.facility_id = $1 AND g.model_id = $2)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .get_result(&mut db)
        .await?;
    let DivisionRow { passages, generation, made_of, first_cell, last_cell } = row;
    Ok(Division { passages, generation, made_of, first_cell, last_cell })
}

/// Vectors taken evenly, the same each time.
pub(super) async fn sample(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    wide: bool,
    most: usize,
) -> Result<Vec<HalfVec>> {
    macro_rules! of_width {
        ($width:literal) => {
            concat!(
                "SELECT chunk_id, embedding FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 \
                 AND vector_dims(embedding) ",
                $width,
                " ORDER BY uuid_hash_extended(chunk_id, 0), chunk_id LIMIT $3"
            )
        };
    }
    let rows: Vec<VectorRow> = sql(if wide { of_width!("> 1024") } else { of_width!("<= 1024") })
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().map(|row| row.embedding).collect())
}

/// Vectors that are in no cell of the newest generation, whose first cell is given.
pub(super) async fn strays(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    wide: bool,
    first_cell: i32,
    most: i64,
) -> Result<Vec<(ChunkId, HalfVec)>> {
    macro_rules! of_width {
        ($width:literal) => {
            concat!(
                "SELECT chunk_id, embedding FROM chunk_embeddings WHERE facility_id = $1 AND model_id = $2 \
                 AND cell < $3 AND vector_dims(embedding) ",
                $width,
                " ORDER BY cell LIMIT $4"
            )
        };
    }
    let rows: Vec<VectorRow> = sql(if wide { of_width!("> 1024") } else { of_width!("<= 1024") })
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .bind::<Integer, _>(first_cell)
        .bind::<BigInt, _>(most)
        .load(&mut db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.chunk_id, row.embedding)).collect())
}

/// Puts vectors into cells.
pub(super) async fn place(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    chunks: &[ChunkId],
    cells: &[i32],
) -> Result<()> {
    sql("UPDATE chunk_embeddings e SET cell = p.cell FROM unnest($3::uuid[], $4::int[]) AS p (chunk_id, cell) \
         WHERE e.facility_id = $1 AND e.model_id = $2 AND e.chunk_id = p.chunk_id")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .bind::<Array<SqlUuid>, _>(chunks)
    .bind::<Array<Integer>, _>(cells)
    .execute(&mut db)
    .await?;
    Ok(())
}

/// The cells of the newest generation, in order.
pub(super) async fn centres(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
) -> Result<Vec<(i32, HalfVec)>> {
    let rows: Vec<CentreRow> = sql("SELECT n.cell, n.centre FROM search_cells n \
         WHERE n.facility_id = $1 AND n.model_id = $2 AND n.generation = ( \
             SELECT max(g.generation) FROM search_cells g WHERE g.facility_id = $1 AND g.model_id = $2) \
         ORDER BY n.cell")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .load(&mut db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.cell, row.centre)).collect())
}

pub(super) async fn insert_cells(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    generation: i32,
    first_cell: i32,
    made_of: i64,
    centres: &Vectors,
) -> Result<()> {
    let rows: Vec<(i32, HalfVec)> = (first_cell..).zip(centres.iter().map(|centre| HalfVec(centre.to_vec()))).collect();
    for rows in rows.chunks(AT_ONCE) {
        let (cells, centres): (Vec<i32>, Vec<HalfVec>) = rows.iter().cloned().unzip();
        sql("INSERT INTO search_cells (facility_id, model_id, cell, generation, made_of, centre) \
             SELECT $1, $2, c.cell, $3, $4, c.centre FROM unnest($5::int[], $6::halfvec[]) AS c (cell, centre)")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .bind::<Integer, _>(generation)
        .bind::<BigInt, _>(made_of)
        .bind::<Array<Integer>, _>(cells)
        .bind::<Array<Halfvec>, _>(centres)
        .execute(&mut db)
        .await?;
    }
    Ok(())
}

/// Removes the cells of all generations but the newest.
pub(super) async fn drop_older(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    sql("DELETE FROM search_cells WHERE facility_id = $1 AND model_id = $2 AND generation < ( \
             SELECT max(g.generation) FROM search_cells g WHERE g.facility_id = $1 AND g.model_id = $2)")
    .bind::<SqlUuid, _>(facility)
    .bind::<SmallInt, _>(model)
    .execute(&mut db)
    .await?;
    Ok(())
}

pub(super) async fn drop_all(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    sql("DELETE FROM search_cells WHERE facility_id = $1 AND model_id = $2")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Keeps the cells there are until the transaction ends, with other writers.
pub(super) async fn share(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    sql("SELECT pg_advisory_xact_lock_shared(hashtextextended('cells ' || $1::text || ' ' || $2::text, 0))")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Waits for the writers there are, and keeps others waiting until the transaction ends.
pub(super) async fn hold(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    sql("SELECT pg_advisory_xact_lock(hashtextextended('cells ' || $1::text || ' ' || $2::text, 0))")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .execute(&mut db)
        .await?;
    Ok(())
}

/// Keeps others from beginning a generation until the transaction ends.
pub(super) async fn alone(mut db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    sql("SELECT pg_advisory_xact_lock(hashtextextended('generation ' || $1::text || ' ' || $2::text, 0))")
        .bind::<SqlUuid, _>(facility)
        .bind::<SmallInt, _>(model)
        .execute(&mut db)
        .await?;
    Ok(())
}
