//! Destruction: without its keys nothing of a facility can be read any more, in the database, in files or in
//! copies of either. Copies of the database from before hold the wrapped keys: they are destroyed on their own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension as _, QueryableByName};
use diesel_async::RunQueryDsl as _;
use serde_json::json;

use super::write;
use crate::access::{RequestContext, Subject};
use crate::app::App;
use crate::db::sql;
use crate::domains::documents;
use crate::domains::operations::policy;
use crate::error::{Error, Result};
use crate::ids::FacilityId;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Destroys the keys of a facility for good, when it is the one of this name. Recorded in the platform's log.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::BadInput`] for the platform, or another name; a fault.
pub async fn shred(app: &Arc<App>, facility: FacilityId, name: &str) -> Result<usize> {
    if facility == FacilityId::PLATFORM {
        return Err(Error::bad_input("the platform's own keys encrypt every login and are not destroyed"));
    }
    let ctx = RequestContext::system(Arc::clone(app), FacilityId::PLATFORM, "keys shred");
    let name = name.to_owned();
    let destroyed = write(&ctx, &policy::KEYS_SHRED, |tx| async move {
        let now: DateTime<Utc> = tx.ctx().now();
        tx.audit(Subject::of(facility), json!({}));
        tx.enter(facility).await?;
        let mut db = tx.db()?;
        let found: Option<Name> = sql("SELECT name FROM facilities WHERE id = $1 FOR UPDATE")
            .bind::<SqlUuid, _>(facility)
            .get_result(&mut db)
            .await
            .optional()?;
        if found.ok_or(Error::NotFound)?.name != name {
            return Err(Error::bad_input("the facility has another name: nothing was destroyed"));
        }
        if documents::work::service::any_hold(&tx, facility).await? {
            return Err(Error::bad_input("documents of the facility are under a legal hold: nothing was destroyed"));
        }
        let destroyed = sql("DELETE FROM facility_keys WHERE facility_id = $1")
            .bind::<SqlUuid, _>(facility)
            .execute(&mut db)
            .await?;
        sql("UPDATE facilities SET status = 'shredded', key_epoch = key_epoch + 1, version = version + 1, \
             updated_at = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(facility)
        .bind::<Timestamptz, _>(now)
        .execute(&mut db)
        .await?;
        Ok(destroyed)
    })
    .await?;
    app.keys.forget();
    Ok(destroyed)
}
