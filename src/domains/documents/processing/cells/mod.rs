//! Cells of the passages of a large facility, by which a search reads those near the query instead of all of them.
//!
//! Invariants: every vector is in a cell that has a centre, or in cell 0, which every search reads; so what is written
//! while cells are made, and what no job has placed, is found. A facility of fewer passages than the setting says has no
//! cells and is searched exactly. When it has grown to twice what its cells were made of, the next generation of cells is
//! made beside the one in use, vectors move over some thousand at a time, and the old one goes when nothing is left in
//! it: a search looks into both meanwhile. Writers hold a lock together that the last step holds alone, so that none puts
//! a vector into a cell that goes.

mod repository;

use std::convert::Infallible;

use anamnesis_encoder::cells::Vectors;
use diesel_async::AsyncPgConnection;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::{DIVIDE, fault, models};
use crate::access::{RequestContext, Subject, Tx};
use crate::domains::documents::policy;
use crate::embedding::halfvec::HalfVec;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, FacilityId};
use crate::jobs::{Failure, Handler, Job, NewJob, enqueue, is_running};

/// The cell of what has none.
const UNDIVIDED: i32 = 0;
/// Cells are this many times the root of the number of passages: finer ones cost the writer, coarser ones the reader, who
/// must read more of them to find as much.
const PER_ROOT: u64 = 16;
/// Passages by which the centre of each cell is found, and the most altogether: 90 MiB of 384 dimensions.
const SAMPLE_PER_CELL: usize = 24;
const MAX_SAMPLE: usize = 60_000;
/// Vectors moved in one transaction.
const BATCH: i64 = 4_000;
/// How many times larger a facility is when its cells are made anew.
const GROWN: i64 = 2;

/// Makes, or makes anew, the cells of a facility.
pub(super) struct Divide;

impl Handler for Divide {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move { Ok(divide(&ctx, job.about("modelId")?).await?) }.boxed()
    }
}

/// What is known of the cells of a facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Division {
    /// Passages of the facility now.
    passages: i64,
    /// The newest generation; 0 before the first.
    generation: i32,
    /// Passages it was made of.
    made_of: i64,
    /// Its first cell and its last; 0 before the first generation.
    first_cell: i32,
    last_cell: i32,
}

impl Division {
    fn is_due(self, from: u64) -> bool {
        u64::try_from(self.passages).is_ok_and(|passages| passages >= from.max(1))
            && self.passages >= GROWN * self.made_of
    }

    fn cells(self) -> usize {
        let passages = u64::try_from(self.passages).unwrap_or(0);
        usize::try_from(PER_ROOT * passages.isqrt()).unwrap_or(1).max(1)
    }
}

/// Queues the making of cells where they are due, in a transaction that wrote passages.
pub(super) async fn divide_if_due(tx: &Tx, model: i16) -> Result<()> {
    let division = repository::division(tx.db()?, tx.ctx().facility(), model).await?;
    if division.is_due(tx.ctx().app().config.search_cells_from) {
        queue(tx, model).await?;
    }
    Ok(())
}

async fn queue(tx: &Tx, model: i16) -> Result<()> {
    let mut job = NewJob::new(tx.ctx().facility(), DIVIDE, json!({ "modelId": model }));
    job.deduplication_key = Some(model.to_string());
    // To find the centres takes minutes, and each document that comes meanwhile finds them still due.
    if !is_running(tx, &job).await? {
        enqueue(tx, job).await?;
    }
    Ok(())
}

/// Queues the making of cells where they are due, however the passages came. For housekeeping.
///
/// # Errors
/// A fault of the database.
pub(in crate::domains::documents) async fn look_after(ctx: &RequestContext) -> Result<usize> {
    let read = ctx.read(&policy::DIVIDE).await?;
    let db = read.db()?;
    let model = models::known(db).await?;
    let due = match &model {
        Some(model) => {
            repository::division(db, ctx.facility(), model.id).await?.is_due(ctx.app().config.search_cells_from)
        }
        None => false,
    };
    drop(read);
    ctx.finish().await?;
    let Some(model) = model.filter(|_| due) else { return Ok(0) };
    let queued = ctx
        .write(&policy::DIVIDE)
        .run::<(), Infallible, _, _>(|tx| async move {
            tx.audit(Subject::default(), json!({ "model": model.id, "queued": true }));
            Ok(queue(&tx, model.id).await?)
        })
        .await;
    queued.map_err(fault)?;
    Ok(1)
}

/// Makes the cells of a facility under the model that serves, where they are due; for what fills a database by itself.
///
/// # Errors
/// A fault of the database.
pub async fn divide_now(ctx: &RequestContext) -> Result<()> {
    let read = ctx.read(&policy::DIVIDE).await?;
    let model = models::serving(read.db()?).await?;
    drop(read);
    ctx.finish().await?;
    divide(ctx, model.id).await
}

async fn divide(ctx: &RequestContext, model: i16) -> Result<()> {
    let read = ctx.read(&policy::DIVIDE).await?;
    let db = read.db()?;
    let mut division = repository::division(db, ctx.facility(), model).await?;
    let wide = models::find(db, model).await?.is_some_and(|model| model.is_wide());
    if division.is_due(ctx.app().config.search_cells_from) {
        let most = (division.cells() * SAMPLE_PER_CELL).min(MAX_SAMPLE);
        let sample = repository::sample(db, ctx.facility(), model, wide, most).await?;
        drop(read);
        // The transaction is given up before the long work: the database ends idle ones.
        ctx.finish().await?;
        let cells = division.cells();
        let centres = tokio::task::spawn_blocking(move || gathered(sample).centres(cells)).await;
        division = begin(ctx, model, division, centres.map_err(Error::internal)?).await?;
    } else {
        drop(read);
        ctx.finish().await?;
    }
    if division.generation == 0 {
        return Ok(());
    }
    // What is left of an earlier generation, also where another turn of the job was stopped on the way.
    while move_over(ctx, model, wide, false).await? > 0 {}
    move_over(ctx, model, wide, true).await?;
    Ok(())
}

/// Vectors one after the other.
fn gathered(vectors: Vec<HalfVec>) -> Vectors {
    let mut gathered = Vectors::new(vectors.first().map_or(0, |vector| vector.0.len()));
    for vector in vectors {
        gathered.push(&vector.0);
    }
    gathered
}

/// Begins a generation: from now on writers put vectors into its cells, and searches look into them.
async fn begin(ctx: &RequestContext, model: i16, before: Division, centres: Vectors) -> Result<Division> {
    let begun = ctx
        .write(&policy::DIVIDE)
        .run::<(), Infallible, _, _>(|tx| async move {
            let (db, facility) = (tx.db()?, tx.ctx().facility());
            repository::alone(db, facility, model).await?;
            if repository::division(db, facility, model).await?.generation != before.generation {
                // Another turn was faster; what it began is gone on with.
                return Ok(());
            }
            let (first, generation) = (before.last_cell + 1, before.generation + 1);
            tx.audit(Subject::default(), json!({ "model": model, "generation": generation, "cells": centres.len() }));
            repository::insert_cells(db, facility, model, generation, first, before.passages, &centres).await?;
            Ok(())
        })
        .await;
    begun.map_err(fault)?;
    let read = ctx.read(&policy::DIVIDE).await?;
    let division = repository::division(read.db()?, ctx.facility(), model).await?;
    drop(read);
    ctx.finish().await?;
    Ok(division)
}

/// Moves some vectors into the newest generation; gives how many. At the end, when no writer is on the way, all that are
/// left, and the cells they were in go.
async fn move_over(ctx: &RequestContext, model: i16, wide: bool, end: bool) -> Result<usize> {
    let moved = ctx
        .write(&policy::DIVIDE)
        .run::<usize, Infallible, _, _>(|tx| async move {
            let (db, facility) = (tx.db()?, tx.ctx().facility());
            if end {
                repository::hold(db, facility, model).await?;
            }
            let Some(mut centres) = Centres::read(db, facility, model).await? else { return Ok(0) };
            let mut moved = 0;
            loop {
                let strays = repository::strays(db, facility, model, wide, centres.first, BATCH).await?;
                let (ids, vectors): (Vec<ChunkId>, Vec<HalfVec>) = strays.into_iter().unzip();
                if ids.is_empty() {
                    break;
                }
                moved += ids.len();
                let cells = tokio::task::spawn_blocking(move || {
                    let cells = centres.cells_of(&gathered(vectors));
                    (centres, cells)
                });
                let (again, cells) = cells.await.map_err(Error::internal)?;
                repository::place(db, facility, model, &ids, &cells).await?;
                if !end {
                    break;
                }
                centres = again;
            }
            tx.audit(Subject::default(), json!({ "model": model, "moved": moved }));
            if end {
                repository::drop_older(db, facility, model).await?;
            }
            Ok(moved)
        })
        .await;
    moved.map_err(fault)
}

/// The centres of the newest cells.
struct Centres {
    first: i32,
    vectors: Vectors,
}

impl Centres {
    async fn read(db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<Option<Self>> {
        let rows = repository::centres(db, facility, model).await?;
        let first = rows.first().map(|(cell, _)| *cell);
        let vectors = gathered(rows.into_iter().map(|(_, centre)| centre).collect());
        Ok(first.map(|first| Self { first, vectors }))
    }

    /// The cell of each vector.
    fn cells_of(&self, vectors: &Vectors) -> Vec<i32> {
        let cell = |place| i32::try_from(place).map_or(UNDIVIDED, |place| self.first + place);
        vectors.nearest(&self.vectors).into_iter().map(cell).collect()
    }
}

/// The cells that vectors about to be written belong in; the lock is held until the transaction ends.
pub(super) async fn assign(
    db: &AsyncPgConnection,
    facility: FacilityId,
    model: i16,
    vectors: &[HalfVec],
) -> Result<Vec<i32>> {
    repository::share(db, facility, model).await?;
    let Some(centres) = Centres::read(db, facility, model).await? else {
        return Ok(vec![UNDIVIDED; vectors.len()]);
    };
    let cells = centres.cells_of(&gathered(vectors.to_vec()));
    Ok(if cells.len() == vectors.len() { cells } else { vec![UNDIVIDED; vectors.len()] })
}

/// Forgets the cells of a model whose vectors are gone.
pub(super) async fn forget(db: &AsyncPgConnection, facility: FacilityId, model: i16) -> Result<()> {
    repository::drop_all(db, facility, model).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_due_from_the_setting_on_and_again_when_grown() {
        let of = |passages, made_of| Division { passages, generation: 0, made_of, first_cell: 0, last_cell: 0 };
        assert!(!of(99, 0).is_due(100) && of(100, 0).is_due(100));
        assert!(!of(199, 100).is_due(100) && of(200, 100).is_due(100));
        // Never of nothing.
        assert!(!of(0, 0).is_due(0) && of(1, 0).is_due(0));
        assert_eq!((of(25_000, 0).cells(), of(1_000_000, 0).cells(), of(0, 0).cells()), (2528, 16000, 1));
    }
}
