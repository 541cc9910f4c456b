//! SQL of the stream.

use std::convert::Infallible;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::json;
use uuid::Uuid;

use super::{Event, EventKind};
use crate::access::{Action, RequestContext, Subject};
use crate::db::sql;
use crate::error::{Error, Result, Stop};
use crate::ids::{FacilityId, TypedId as _, UserId};

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    subject_kind: String,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
    #[diesel(sql_type = Array<SqlUuid>)]
    about: Vec<Uuid>,
    #[diesel(sql_type = Nullable<Array<SqlUuid>>)]
    audience: Option<Vec<Uuid>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    actor_user_id: Option<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    occurred_at: DateTime<Utc>,
}

impl EventRow {
    fn into_event(self) -> Result<Event> {
        Ok(Event {
            kind: EventKind::parse(&self.kind).ok_or_else(|| Error::internal("unknown kind of event"))?,
            subject_kind: self.subject_kind,
            subject_id: self.subject_id,
            about: self.about,
            audience: self.audience,
            actor: self.actor_user_id.map(UserId::from_uuid),
            occurred_at: self.occurred_at,
            position: self.position,
        })
    }
}

/// Up to `most` events after a position and up to another, the next first: those the bound session may see.
pub(super) async fn after(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    position: i64,
    up_to: i64,
    most: i64,
) -> Result<Vec<Event>> {
    let rows: Vec<EventRow> = sql("SELECT position, kind, subject_kind, subject_id, about, audience, actor_user_id, \
         occurred_at FROM events WHERE facility_id = $1 AND position > $2 AND position <= $3 \
         ORDER BY position LIMIT $4")
    .bind::<SqlUuid, _>(facility)
    .bind::<BigInt, _>(position)
    .bind::<BigInt, _>(up_to)
    .bind::<BigInt, _>(most)
    .load(&mut db)
    .await?;
    rows.into_iter().map(EventRow::into_event).collect()
}

/// How far a stream reaches.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(super) struct Extent {
    /// Position of the last event; 0 when there was none yet.
    #[diesel(sql_type = BigInt)]
    pub head: i64,
    /// The lowest position a listener can go on from: what is up to it was swept.
    #[diesel(sql_type = BigInt)]
    pub tail: i64,
}

pub(super) async fn extent(mut db: &AsyncPgConnection, facility: FacilityId) -> Result<Extent> {
    let extent = sql("SELECT coalesce(h.position, 0) AS head, coalesce(h.swept, 0) AS tail \
         FROM (SELECT 1) AS one LEFT JOIN event_heads h ON h.facility_id = $1")
    .bind::<SqlUuid, _>(facility)
    .get_result(&mut db)
    .await?;
    Ok(extent)
}

/// Removes events older than they are kept.
const SWEEP: Action = Action::system("events.sweep");

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Removes the events of a facility that are no longer kept, and says how many.
///
/// # Errors
/// A fault.
pub async fn sweep(ctx: &RequestContext) -> Result<usize, Stop<Infallible>> {
    let cutoff = ctx.now() - TimeDelta::hours(i64::from(ctx.app().config.event_hours));
    let facility = ctx.facility();
    let read = ctx.read(&SWEEP).await?;
    let any: Count = sql(
        "SELECT count(*) AS count FROM (SELECT FROM events WHERE facility_id = $1 AND occurred_at < $2 LIMIT 1) AS old",
    )
    .bind::<SqlUuid, _>(facility)
    .bind::<Timestamptz, _>(cutoff)
    .get_result(&mut read.db()?)
    .await?;
    drop(read);
    ctx.finish().await?;
    if any.count == 0 {
        // A facility where nothing happened gets no audit row either.
        return Ok(0);
    }
    ctx.write(&SWEEP)
        .run(|tx| async move {
            // Whoever listens from before a position that was swept is told so, whatever is left behind it.
            let swept: Count = sql("WITH old AS (DELETE FROM events WHERE facility_id = $1 AND occurred_at < $2 \
                     RETURNING position), \
                 moved AS (UPDATE event_heads SET swept = greatest(swept, (SELECT max(position) FROM old)) \
                     WHERE facility_id = $1 AND EXISTS (SELECT FROM old)) \
                 SELECT count(*) AS count FROM old")
            .bind::<SqlUuid, _>(facility)
            .bind::<Timestamptz, _>(cutoff)
            .get_result(&mut tx.db()?)
            .await?;
            tx.audit(Subject::default(), json!({ "rows": swept.count }));
            Ok(usize::try_from(swept.count).unwrap_or_default())
        })
        .await
}
