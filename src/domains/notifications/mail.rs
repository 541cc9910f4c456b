//! The mail that says there is something: how much and where, never what.

use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::model::MailTime;
use super::{policy, repository};
use crate::access::{RequestContext, Subject};
use crate::domains::identity::model::UserStatus;
use crate::domains::{facilities, identity};
use crate::error::{Error, Result, Stop};
use crate::ids::{NotificationId, UserId};
use crate::jobs::{self, Failure, Handler, Handlers, Job, NewJob};
use crate::mail::{self, Letter};

/// Kind of the job that tells a user by mail.
pub(super) const TELL: &str = "mail.notifications";

/// Adds the jobs of the domain.
pub fn register_handlers(handlers: &mut Handlers) {
    handlers.insert(TELL, Arc::new(Tell));
}

struct Tell;

impl Handler for Tell {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let user = job.about("user")?;
            let waiting = waiting(&ctx, user).await?;
            // No connection is held while a mail server answers.
            ctx.finish().await?;
            match waiting {
                Waiting::Nothing => Ok(()),
                Waiting::Until(at) => later(&ctx, user, at).await.map_err(Failure::from),
                Waiting::Unwanted(ids) => told(&ctx, ids).await.map_err(Failure::from),
                Waiting::Letter(letter, ids) => {
                    mail::send(ctx.app(), job.id, letter).await?;
                    // Killed in between, the same message goes out twice under one id.
                    told(&ctx, ids).await.map_err(Failure::from)
                }
            }
        }
        .boxed()
    }
}

enum Waiting {
    Nothing,
    Until(DateTime<Utc>),
    Unwanted(Vec<NotificationId>),
    Letter(Letter, Vec<NotificationId>),
}

/// What there is to be mailed to a user, and when.
async fn waiting(ctx: &RequestContext, user: UserId) -> Result<Waiting> {
    let read = ctx.read(&policy::MAIL).await?;
    let (facility, db) = (ctx.facility(), read.db()?);
    let waiting = repository::to_mail(db, facility, user).await?;
    let Some((_, _, since)) = waiting.first().copied() else { return Ok(Waiting::Nothing) };
    let ids = waiting.iter().map(|(id, _, _)| *id).collect();
    let owner = identity::service::user(ctx, user).await?;
    let works = facilities::service::works_here(ctx, user).await?;
    let (Some(to), UserStatus::Active, true) = (owner.email, owner.status, works) else {
        return Ok(Waiting::Unwanted(ids));
    };
    let zone: Tz = owner.time_zone.parse().unwrap_or(Tz::UTC);
    let preferences = repository::preferences(db, facility, user).await?.unwrap_or_default();
    match preferences.mail_time(zone, since, ctx.now()) {
        MailTime::Never => Ok(Waiting::Unwanted(ids)),
        MailTime::At(at) => Ok(Waiting::Until(at)),
        MailTime::Now => {
            let name = facilities::service::facility(ctx, facility).await?.profile.name;
            let count = waiting.iter().map(|(_, times, _)| i64::from(*times)).sum();
            Ok(Waiting::Letter(letter(to, &name, count, ctx.app().config.app_url()), ids))
        }
    }
}

/// In English, until there is another language.
fn letter(to: crate::phi::Phi<String>, facility: &str, count: i64, link: &str) -> Letter {
    let what = if count == 1 { "something new".to_owned() } else { format!("{count} new things") };
    let text = format!(
        "There is {what} for you at {facility}.\n\n\
         Sign in to see it:\n\n{link}\n\n\
         For the sake of privacy this mail says no more. When and whether you get it is among your preferences.\n",
    );
    Letter { to, subject: format!("New for you at {facility}"), text: text.into() }
}

async fn later(ctx: &RequestContext, user: UserId, at: DateTime<Utc>) -> Result<()> {
    let delay = at - ctx.now();
    let queued = ctx.write(&policy::MAIL).run::<(), Infallible, _, _>(|tx| async move {
        let mut job = NewJob::new(tx.ctx().facility(), TELL, json!({ "user": user }));
        job.delay = delay;
        job.deduplication_key = Some(crate::ids::TypedId::uuid(user).to_string());
        jobs::enqueue(&tx, job).await?;
        tx.audit(Subject::default(), json!({ "later": true }));
        Ok(())
    });
    queued.await.map_err(fault)
}

async fn told(ctx: &RequestContext, ids: Vec<NotificationId>) -> Result<()> {
    let marked = ctx.write(&policy::MAIL).run::<(), Infallible, _, _>(|tx| async move {
        let marked = repository::set_mailed(tx.db()?, tx.ctx().facility(), &ids, tx.ctx().now()).await?;
        tx.audit(Subject::default(), json!({ "rows": marked }));
        Ok(())
    });
    marked.await.map_err(fault)
}

fn fault(stop: Stop<Infallible>) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::Refused(_) => Error::internal("a mail job was refused"),
    }
}
