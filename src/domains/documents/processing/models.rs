//! The registry of embedding models: one serves, another may be prepared, the rest is retired.
//!
//! The first model ever serves at once. One configured later is prepared: each facility gets a job that gives its
//! passages vectors of the new model, and the last of them lets the two change places. Until then every query is
//! answered with the model that serves, as far as this process can ask it.

use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::sql_types::{SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::json;

use super::{DROP_VECTORS, REEMBED, fault, repository};
use crate::access::{RequestContext, Subject, Tx};
use crate::app::App;
use crate::db::sql;
use crate::domains::documents::policy;
use crate::embedding::Provider;
use crate::error::{Error, Result};
use crate::ids::FacilityId;
use crate::jobs::{NewJob, enqueue};

/// Attempts of a job that waits for a process with the right model: about six weeks of hourly tries.
const PATIENT_ATTEMPTS: i32 = 1000;

/// The widest vectors that the covering index holds; wider rows do not fit an index page.
pub const MAX_COVERED_DIMENSIONS: i16 = 1024;

/// A model as registered.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Model {
    #[diesel(sql_type = SmallInt)]
    pub id: i16,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = SmallInt)]
    pub dimensions: i16,
    #[diesel(sql_type = Text)]
    pub state: String,
}

impl Model {
    /// Whether its vectors are too long for the covering index.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        self.dimensions > MAX_COVERED_DIMENSIONS
    }
}

#[derive(QueryableByName)]
struct FacilityRow {
    #[diesel(sql_type = SqlUuid)]
    id: FacilityId,
}

/// The model that answers queries.
///
/// # Errors
/// [`Error::Internal`] when none was ever registered.
pub async fn serving(db: &AsyncPgConnection) -> Result<Model> {
    known(db).await?.ok_or_else(|| Error::internal("no embedding model is registered"))
}

/// The model that answers queries; `None` before one was ever registered.
pub(super) async fn known(mut db: &AsyncPgConnection) -> Result<Option<Model>> {
    Ok(sql("SELECT id, name, dimensions, state FROM embedding_models WHERE state = 'serving'")
        .get_result(&mut db)
        .await
        .optional()?)
}

/// One model; `None` when there is none of the number.
pub(super) async fn find(mut db: &AsyncPgConnection, id: i16) -> Result<Option<Model>> {
    Ok(sql("SELECT id, name, dimensions, state FROM embedding_models WHERE id = $1")
        .bind::<SmallInt, _>(id)
        .get_result(&mut db)
        .await
        .optional()?)
}

/// Models that are not retired, locked against a change of places until the transaction ends.
pub(super) async fn hold(mut db: &AsyncPgConnection) -> Result<Vec<Model>> {
    Ok(sql("SELECT id, name, dimensions, state FROM embedding_models WHERE state <> 'retired' ORDER BY id FOR SHARE")
        .load(&mut db)
        .await?)
}

/// How to ask a registered model.
///
/// # Errors
/// [`Error::Unavailable`], naming it, when this process is configured for another one.
pub fn provider(app: &App, model: &Model) -> Result<Arc<dyn Provider>> {
    match app.models.named(&model.name) {
        Ok(Some(provider)) => Ok(provider),
        Ok(None) => Err(Error::Unavailable(
            format!(
                "search runs on the embedding model {:?}, which this process is not configured for (it has {:?}); \
                 configure it until the other is prepared",
                model.name,
                app.models.configured().name
            )
            .into(),
        )),
        Err(error) => Err(Error::Unavailable(error.into())),
    }
}

/// Registers the configured model; queues what is needed to prepare it when another one serves.
///
/// # Errors
/// When the database refuses, or knows the model with another length of vectors.
pub async fn register(app: &Arc<App>) -> Result<()> {
    let ctx = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, "embedding model");
    let prepared = ctx.write(&policy::MODEL_CHANGE).run(|tx| async move { Ok(register_configured(&tx).await?) }).await;
    let model = prepared.map_err(fault)?;
    if let Some(model) = model {
        tracing::info!(model = app.models.configured().name, "another embedding model is prepared");
        for facility in facilities(&ctx).await? {
            queue_reembedding(app, facility, model).await?;
        }
    }
    Ok(())
}

async fn facilities(ctx: &RequestContext) -> Result<Vec<FacilityId>> {
    let read = ctx.read(&policy::MODEL_CHANGE).await?;
    let rows: Vec<FacilityRow> = sql("SELECT id FROM facilities ORDER BY id").load(&mut read.db()?).await?;
    ctx.finish().await?;
    Ok(rows.into_iter().map(|row| row.id).filter(|id| *id != FacilityId::PLATFORM).collect())
}

/// The number of the configured model when it is to be prepared.
async fn register_configured(tx: &Tx) -> Result<Option<i16>> {
    let configured = tx.ctx().app().models.configured().clone();
    let dimensions =
        i16::try_from(configured.dimensions).map_err(|_| Error::internal("a vector that long is not stored"))?;
    let mut db = tx.db()?;
    insert(db, &configured.name, dimensions, tx.ctx().now()).await?;
    // Back from retirement, or another one's preparation is called off: one is prepared at a time.
    sql("UPDATE embedding_models SET state = CASE WHEN name = $1 THEN 'preparing' ELSE 'retired' END \
         WHERE state <> 'serving' AND state <> CASE WHEN name = $1 THEN 'preparing' ELSE 'retired' END")
    .bind::<Text, _>(&configured.name)
    .execute(&mut db)
    .await?;
    let model: Model = sql("SELECT id, name, dimensions, state FROM embedding_models WHERE name = $1")
        .bind::<Text, _>(&configured.name)
        .get_result(&mut db)
        .await?;
    if model.dimensions != dimensions {
        return Err(Error::internal(format!(
            "the embedding model {:?} is registered with {} dimensions, not {dimensions}",
            model.name, model.dimensions
        )));
    }
    tx.audit(Subject::default(), json!({ "model": model.name, "state": model.state }));
    Ok((model.state == "preparing").then_some(model.id))
}

async fn insert(mut db: &AsyncPgConnection, name: &str, dimensions: i16, now: DateTime<Utc>) -> Result<()> {
    sql("INSERT INTO embedding_models (name, dimensions, state, created_at) \
         SELECT $1, $2, CASE WHEN EXISTS (SELECT FROM embedding_models WHERE state = 'serving') THEN 'preparing' \
             ELSE 'serving' END, $3 \
         WHERE NOT EXISTS (SELECT FROM embedding_models WHERE name = $1) ON CONFLICT DO NOTHING")
    .bind::<Text, _>(name)
    .bind::<SmallInt, _>(dimensions)
    .bind::<Timestamptz, _>(now)
    .execute(&mut db)
    .await?;
    Ok(())
}

async fn queue_reembedding(app: &Arc<App>, facility: FacilityId, model: i16) -> Result<()> {
    let ctx = RequestContext::system(Arc::clone(app), facility, "embedding model");
    let queued = ctx.write(&policy::MODEL_CHANGE).run(|tx| async move { Ok(reembed_later(&tx, model).await?) }).await;
    queued.map_err(fault)
}

/// Queues the preparation of a model in the facility of the transaction.
pub(super) async fn reembed_later(tx: &Tx, model: i16) -> Result<()> {
    let mut job = NewJob::new(tx.ctx().facility(), REEMBED, json!({ "modelId": model }));
    job.max_attempts = PATIENT_ATTEMPTS;
    job.deduplication_key = Some(model.to_string());
    enqueue(tx, job).await?;
    Ok(())
}

/// Lets a prepared model serve when no passage of any facility lacks its vector. Writers of passages hold the
/// registry until they commit, so none slips in between. Says whether it serves now.
pub(super) async fn promote_if_complete(app: &Arc<App>, model: i16) -> Result<bool> {
    let ctx = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, "embedding model");
    let facilities = facilities(&ctx).await?;
    let promoted = ctx
        .write(&policy::MODEL_CHANGE)
        .run::<bool, Infallible, _, _>(|tx| async move { Ok(promote(&tx, &facilities, model).await?) })
        .await;
    promoted.map_err(fault)
}

async fn promote(tx: &Tx, facilities: &[FacilityId], model: i16) -> Result<bool> {
    let mut db = tx.db()?;
    let held: Vec<Model> =
        sql("SELECT id, name, dimensions, state FROM embedding_models WHERE state <> 'retired' ORDER BY id FOR UPDATE")
            .load(&mut db)
            .await?;
    if !held.iter().any(|held| held.id == model && held.state == "preparing") {
        return Ok(false);
    }
    for facility in facilities {
        tx.enter(*facility).await?;
        if repository::lacks_vectors(db, *facility, model).await? {
            return Ok(false);
        }
    }
    // Two statements: the index allows one that serves.
    sql("UPDATE embedding_models SET state = 'retired' WHERE state = 'serving'").execute(&mut db).await?;
    sql("UPDATE embedding_models SET state = 'serving' WHERE id = $1")
        .bind::<SmallInt, _>(model)
        .execute(&mut db)
        .await?;
    for retired in held.iter().filter(|held| held.state == "serving") {
        for facility in facilities {
            tx.enter(*facility).await?;
            let mut job = NewJob::new(*facility, DROP_VECTORS, json!({ "modelId": retired.id }));
            job.deduplication_key = Some(retired.id.to_string());
            enqueue(tx, job).await?;
        }
    }
    tx.audit(Subject::default(), json!({ "model": model, "state": "serving" }));
    Ok(true)
}
