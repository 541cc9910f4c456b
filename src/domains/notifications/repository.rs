//! SQL of notifications.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
};
use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::model::{Notification, NotificationKind, Preferences};
use crate::db::schema::{notification_preferences as preferences, notifications};
use crate::db::sql;
use crate::error::Result;
use crate::ids::{FacilityId, NotificationId, UserId};
use crate::pagination::PageRequest;

/// Somebody who was told.
#[derive(QueryableByName)]
pub(super) struct Told {
    #[diesel(sql_type = SqlUuid)]
    pub notification_id: NotificationId,
    #[diesel(sql_type = SqlUuid)]
    pub told: UserId,
    /// They had not been told of it, or had read it.
    #[diesel(sql_type = Bool)]
    pub fresh: bool,
}

pub(super) async fn tell(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    users: &[(NotificationId, UserId)],
    kind: NotificationKind,
    (subject_kind, subject): (&str, Uuid),
) -> Result<Vec<Told>> {
    let (ids, users): (Vec<_>, Vec<_>) = users.iter().copied().unzip();
    let told = sql("SELECT notification_id, told, fresh FROM notify_users($1, $2, $3, $4, $5, $6)")
        .bind::<SqlUuid, _>(facility)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<SqlUuid>, _>(users)
        .bind::<Text, _>(kind.as_str())
        .bind::<Text, _>(subject_kind)
        .bind::<SqlUuid, _>(subject);
    Ok(told.load(&mut db).await?)
}

pub(super) async fn find(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    id: NotificationId,
) -> Result<Option<Notification>> {
    let found = notifications::table.find((facility, id)).filter(notifications::user_id.eq(user));
    Ok(found.select(Notification::as_select()).first(&mut db).await.optional()?)
}

/// Newest first.
pub(super) async fn page(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    unread: bool,
    page: PageRequest<NotificationId>,
) -> Result<Vec<Notification>> {
    let of = notifications::facility_id.eq(facility).and(notifications::user_id.eq(user));
    let mut query = notifications::table.filter(of).order(notifications::id.desc()).limit(page.limit()).into_boxed();
    if unread {
        query = query.filter(notifications::read_at.is_null());
    }
    if let Some(after) = page.after {
        query = query.filter(notifications::id.lt(after));
    }
    Ok(query.select(Notification::as_select()).load(&mut db).await?)
}

pub(super) async fn count_unread(mut db: &AsyncPgConnection, facility: FacilityId, user: UserId) -> Result<i64> {
    let of = notifications::facility_id.eq(facility).and(notifications::user_id.eq(user));
    Ok(notifications::table.filter(of.and(notifications::read_at.is_null())).count().get_result(&mut db).await?)
}

/// Marks some as read, or all; says how many were not.
pub(super) async fn mark_read(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    ids: Option<&[NotificationId]>,
    now: DateTime<Utc>,
) -> Result<usize> {
    let of = notifications::facility_id.eq(facility).and(notifications::user_id.eq(user));
    let unread = of.and(notifications::read_at.is_null());
    let read = (notifications::read_at.eq(now), notifications::updated_at.eq(now));
    Ok(match ids {
        Some(ids) => {
            let some = unread.and(notifications::id.eq_any(ids));
            diesel::update(notifications::table.filter(some)).set(read).execute(&mut db).await?
        }
        None => diesel::update(notifications::table.filter(unread)).set(read).execute(&mut db).await?,
    })
}

/// Marks those about an object as read.
pub(super) async fn mark_read_about(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    subject: Uuid,
    now: DateTime<Utc>,
) -> Result<usize> {
    let about = notifications::facility_id
        .eq(facility)
        .and(notifications::user_id.eq(user))
        .and(notifications::subject_id.eq(subject))
        .and(notifications::read_at.is_null());
    let read = (notifications::read_at.eq(now), notifications::updated_at.eq(now));
    Ok(diesel::update(notifications::table.filter(about)).set(read).execute(&mut db).await?)
}

/// Since when something unread waits to be mailed, and how much.
pub(super) async fn to_mail(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
) -> Result<Vec<(NotificationId, i32, DateTime<Utc>)>> {
    let waits = notifications::facility_id
        .eq(facility)
        .and(notifications::user_id.eq(user))
        .and(notifications::read_at.is_null())
        .and(notifications::mailed_at.is_null());
    let columns = (notifications::id, notifications::times, notifications::created_at);
    Ok(notifications::table.filter(waits).order(notifications::id).select(columns).load(&mut db).await?)
}

pub(super) async fn set_mailed(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    ids: &[NotificationId],
    now: DateTime<Utc>,
) -> Result<usize> {
    let those = notifications::facility_id.eq(facility).and(notifications::id.eq_any(ids));
    Ok(diesel::update(notifications::table.filter(those))
        .set((notifications::mailed_at.eq(now), notifications::updated_at.eq(now)))
        .execute(&mut db)
        .await?)
}

pub(super) async fn preferences(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
) -> Result<Option<Preferences>> {
    let found = preferences::table.find((facility, user)).select(Preferences::as_select());
    Ok(found.first(&mut db).await.optional()?)
}

/// Sets preferences that are of a version; `false` when they are not, or not any more.
pub(super) async fn set_preferences(
    mut db: &AsyncPgConnection,
    facility: FacilityId,
    user: UserId,
    wanted: Preferences,
    now: DateTime<Utc>,
) -> Result<bool> {
    let values = (
        preferences::mail.eq(wanted.mail),
        preferences::digest_hour.eq(wanted.digest_hour),
        preferences::quiet_from.eq(wanted.quiet_from),
        preferences::quiet_until.eq(wanted.quiet_until),
        preferences::updated_at.eq(now),
    );
    let touched = if wanted.version == 0 {
        diesel::insert_into(preferences::table)
            .values((
                preferences::facility_id.eq(facility),
                preferences::user_id.eq(user),
                values,
                preferences::created_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(&mut db)
            .await?
    } else {
        let current = preferences::table.find((facility, user)).filter(preferences::version.eq(wanted.version));
        diesel::update(current).set((values, preferences::version.eq(wanted.version + 1))).execute(&mut db).await?
    };
    Ok(touched == 1)
}
