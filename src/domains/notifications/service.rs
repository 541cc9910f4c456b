//! Operations on notifications, and how other domains tell somebody of something.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;

use super::model::{Notification, NotificationKind, Preferences, Refusal};
use super::{mail, policy, repository};
use crate::access::{Once, RequestContext, Subject, Tx};
use crate::error::{Error, Result, Stop};
use crate::events::{EventKind, NewEvent};
use crate::ids::{NotificationId, TypedId, UserId, new_id};
use crate::jobs::{self, NewJob};
use crate::pagination::{Page, PageRequest};

/// How long mail waits for the notification to be read.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// Most notifications marked by one request.
const MOST: usize = 200;

/// Tells users of something that happened to an object, in the transaction in which it does. Whoever does it is not
/// told of it. Three statements, however many are told.
///
/// # Errors
/// A fault.
pub async fn tell<T: TypedId>(tx: &Tx, users: &[UserId], kind: NotificationKind, subject: T) -> Result<()> {
    let me = tx.ctx().user().ok();
    let users: BTreeSet<UserId> = users.iter().copied().filter(|user| Some(*user) != me).collect();
    let users: Vec<(NotificationId, UserId)> = users.into_iter().map(|user| (new_id(), user)).collect();
    if users.is_empty() {
        return Ok(());
    }
    let facility = tx.ctx().facility();
    let told = repository::tell(tx.db()?, facility, &users, kind, (T::KIND, subject.uuid())).await?;
    for told in &told {
        tx.publish(NewEvent::new(EventKind::NotificationCreated, told.notification_id).to(vec![told.told]));
    }
    let jobs = told.iter().filter(|told| told.fresh).map(|told| {
        let mut job = NewJob::new(facility, mail::TELL, json!({ "user": told.told }));
        job.delay = PATIENCE;
        job.deduplication_key = Some(told.told.uuid().to_string());
        job
    });
    jobs::enqueue_all(tx, jobs.collect()).await
}

/// Says that the caller has seen an object, in a transaction in which they do: what they were told of it is read.
///
/// # Errors
/// A fault.
pub async fn seen<T: TypedId>(tx: &Tx, subject: T) -> Result<()> {
    let (facility, user, now) = (tx.ctx().facility(), tx.ctx().user()?, tx.ctx().now());
    repository::mark_read_about(tx.db()?, facility, user, subject.uuid(), now).await?;
    Ok(())
}

/// One notification of the caller's.
///
/// # Errors
/// [`Error::NotFound`] when the caller has none such; a denial.
pub async fn notification(ctx: &RequestContext, id: NotificationId) -> Result<Notification> {
    let read = ctx.read(&policy::READ).await?;
    repository::find(read.db()?, ctx.facility(), ctx.user()?, id).await?.ok_or(Error::NotFound)
}

/// A page of the caller's, newest first.
///
/// # Errors
/// A denial, or a fault.
pub async fn list(ctx: &RequestContext, unread: bool, page: PageRequest<NotificationId>) -> Result<Page<Notification>> {
    let read = ctx.read(&policy::READ).await?;
    Ok(page.cut(repository::page(read.db()?, ctx.facility(), ctx.user()?, unread, page).await?))
}

/// How many the caller has not read.
///
/// # Errors
/// A denial, or a fault.
pub async fn count_unread(ctx: &RequestContext) -> Result<i64> {
    let read = ctx.read(&policy::READ).await?;
    repository::count_unread(read.db()?, ctx.facility(), ctx.user()?).await
}

/// Marks some of the caller's as read, or all of them.
///
/// # Errors
/// Refused for too many at once.
pub async fn mark_read(
    ctx: &RequestContext,
    ids: Option<Vec<NotificationId>>,
    once: Option<Once>,
) -> Result<usize, Stop<Refusal>> {
    ctx.write(&policy::MARK_READ)
        .once(once)
        .run(|tx| async move {
            if ids.as_ref().is_some_and(|ids| ids.len() > MOST) {
                let message = format!("at most {MOST} at once");
                return Err(Stop::refuse(Refusal::Invalid, &["input", "ids"], message));
            }
            let (facility, user, now) = (tx.ctx().facility(), tx.ctx().user()?, tx.ctx().now());
            let marked = repository::mark_read(tx.db()?, facility, user, ids.as_deref(), now).await?;
            tx.audit(Subject::default(), json!({ "rows": marked }));
            Ok(marked)
        })
        .await
}

/// How the caller wants to be told.
///
/// # Errors
/// A denial, or a fault.
pub async fn preferences(ctx: &RequestContext) -> Result<Preferences> {
    let read = ctx.read(&policy::READ).await?;
    Ok(repository::preferences(read.db()?, ctx.facility(), ctx.user()?).await?.unwrap_or_default())
}

/// Says how the caller wants to be told. `version` is that of what they have seen.
///
/// # Errors
/// Refused for an hour there is not, for half of the quiet hours, and when the version is stale.
pub async fn set_preferences(
    ctx: &RequestContext,
    wanted: Preferences,
    once: Option<Once>,
) -> Result<(), Stop<Refusal>> {
    ctx.write(&policy::PREFERENCES)
        .once(once)
        .run(|tx| async move {
            for (hour, field) in [
                (Some(wanted.digest_hour), "digestHour"),
                (wanted.quiet_from, "quietFrom"),
                (wanted.quiet_until, "quietUntil"),
            ] {
                if hour.is_some_and(|hour| !(0..=23).contains(&hour)) {
                    return Err(Stop::refuse(Refusal::Invalid, &["input", field], "must be an hour, 0 to 23"));
                }
            }
            if wanted.quiet_from.is_some() != wanted.quiet_until.is_some()
                || (wanted.quiet_from.is_some() && wanted.quiet_from == wanted.quiet_until)
            {
                let message = "quiet hours have a beginning and another end, or neither";
                return Err(Stop::refuse(Refusal::Invalid, &["input", "quietUntil"], message));
            }
            let (facility, user, now) = (tx.ctx().facility(), tx.ctx().user()?, tx.ctx().now());
            if !repository::set_preferences(tx.db()?, facility, user, wanted, now).await? {
                let message = "was changed meanwhile: read it again";
                return Err(Stop::refuse(Refusal::Stale, &["input", "expectedVersion"], message));
            }
            tx.audit(Subject::default(), json!({ "mail": wanted.mail.as_str() }));
            Ok(())
        })
        .await
}
