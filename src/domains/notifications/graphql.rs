//! Notifications in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::{self, NotificationKind, NotificationMail, Refusal};
use super::service;
use crate::access::RequestContext;
use crate::error::{Error, Result};
use crate::graphql::connection::connection;
use crate::graphql::loaders::or_null;
use crate::graphql::node::{self, Node};
use crate::graphql::payload::{payload, user_error};
use crate::graphql::request::{once, request};
use crate::ids::{self, NotificationId, TypedId as _};
use crate::pagination::PageRequest;

/// Something the caller is told of. Needs `notifications.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct Notification {
    /// Typed, opaque id.
    pub id: NotificationId,
    /// What of.
    pub kind: NotificationKind,
    /// How often it has happened since it was last read.
    pub times: i32,
    /// When it happened last.
    pub occurred_at: DateTime<Utc>,
    /// When the caller read it; null before.
    pub read_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    pub subject_kind: String,
    #[graphql(skip)]
    pub subject_id: Uuid,
}

#[ComplexObject]
impl Notification {
    /// What it is about, such as the conversation with a new message; null when the caller may not, or no longer, see
    /// it. Needs what the object needs.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Node> {
        let id = ids::encode_as(&self.subject_kind, self.subject_id)?;
        or_null(ctx, node::find(ctx, &id).await).flatten()
    }
}

impl From<model::Notification> for Notification {
    fn from(row: model::Notification) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            times: row.times,
            occurred_at: row.occurred_at,
            read_at: row.read_at,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
        }
    }
}

connection!(NotificationConnection, NotificationEdge, Notification, "notifications");

/// How the caller wants to be told. Hours are those of the zone in the caller's account.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub struct NotificationPreferences {
    /// When to be told by mail.
    pub mail: NotificationMail,
    /// Hour of the daily mail, 0 to 23.
    pub digest_hour: i32,
    /// Hour from which no mail is sent, 0 to 23; null for none.
    pub quiet_from: Option<i32>,
    /// Hour until which no mail is sent, 0 to 23; null for none.
    pub quiet_until: Option<i32>,
    /// Give this as `expectedVersion` when changing them; 0 before they were first set.
    pub version: i32,
}

impl From<model::Preferences> for NotificationPreferences {
    fn from(preferences: model::Preferences) -> Self {
        let model::Preferences { mail, digest_hour, quiet_from, quiet_until, version } = preferences;
        Self { mail, digest_hour, quiet_from, quiet_until, version }
    }
}

/// The object with an id of this kind, for `node`; `None` when the kind is of another domain.
pub async fn node(ctx: &RequestContext, prefix: &str, id: Uuid) -> Option<Result<Node>> {
    if prefix != NotificationId::PREFIX {
        return None;
    }
    Some(service::notification(ctx, NotificationId::from_uuid(id)).await.map(|row| Node::Notification(row.into())))
}

#[derive(Debug, Default)]
pub struct NotificationsQuery;

#[Object]
impl NotificationsQuery {
    /// What the caller is told of, newest first. Needs `notifications.read`.
    async fn notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only what was not read; no when left out.")] unread_only: Option<bool>,
        #[graphql(desc = "Notifications to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<NotificationConnection> {
        let page = PageRequest::parse(first, after.as_deref())?;
        let unread = unread_only.unwrap_or(false);
        let found = service::list(request(ctx)?, unread, page).await?.map(Notification::from);
        Ok(NotificationConnection::new(found, page.after.is_some(), None, |notification| notification.id.encode()))
    }

    /// How many notifications the caller has not read. Needs `notifications.read`.
    async fn notification_unread_count(&self, ctx: &Context<'_>) -> Result<i64> {
        service::count_unread(request(ctx)?).await
    }

    /// How the caller wants to be told. Needs `notifications.read`.
    async fn notification_preferences(&self, ctx: &Context<'_>) -> Result<NotificationPreferences> {
        Ok::<_, Error>(service::preferences(request(ctx)?).await?.into())
    }
}

user_error!(
    /// Why notifications were not changed.
    NotificationUserError(Refusal)
);

/// Which notifications were read.
#[derive(InputObject)]
pub struct NotificationMarkReadInput {
    /// Ids, at most 200; all of the caller's when left out.
    pub notification_ids: Option<Vec<NotificationId>>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// How the caller wants to be told.
#[derive(InputObject)]
pub struct NotificationPreferencesUpdateInput {
    /// When to be told by mail.
    pub mail: NotificationMail,
    /// Hour of the daily mail, 0 to 23.
    pub digest_hour: i32,
    /// Hour from which no mail is sent, 0 to 23; null for no quiet hours.
    pub quiet_from: Option<i32>,
    /// Hour until which no mail is sent, 0 to 23; null for no quiet hours.
    pub quiet_until: Option<i32>,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What was marked.
    NotificationMarkReadPayload {
        /// How many were not read before; null when refused.
        marked: i32,
    } or NotificationUserError
);

payload!(
    /// What became of the preferences.
    NotificationPreferencesPayload {
        /// The preferences; null when refused.
        preferences: NotificationPreferences,
    } or NotificationUserError
);

#[derive(Debug, Default)]
pub struct NotificationsMutation;

#[Object]
impl NotificationsMutation {
    /// Marks notifications of the caller as read. Needs `notifications.mark_read`.
    async fn notification_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: NotificationMarkReadInput,
    ) -> Result<NotificationMarkReadPayload> {
        let NotificationMarkReadInput { notification_ids, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match service::mark_read(request(ctx)?, notification_ids, once).await {
            Ok(marked) => Ok(NotificationMarkReadPayload::done(i32::try_from(marked).unwrap_or(i32::MAX))),
            Err(stop) => NotificationMarkReadPayload::refused(stop),
        }
    }

    /// Says how the caller wants to be told. Needs `notifications.preferences`.
    async fn notification_preferences_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How.")] input: NotificationPreferencesUpdateInput,
    ) -> Result<NotificationPreferencesPayload> {
        let NotificationPreferencesUpdateInput {
            mail,
            digest_hour,
            quiet_from,
            quiet_until,
            expected_version,
            idempotency_key,
        } = input;
        let once = once(ctx, idempotency_key)?;
        let wanted = model::Preferences { mail, digest_hour, quiet_from, quiet_until, version: expected_version };
        match service::set_preferences(request(ctx)?, wanted, once).await {
            Ok(()) => Ok(NotificationPreferencesPayload::done(service::preferences(request(ctx)?).await?.into())),
            Err(stop) => NotificationPreferencesPayload::refused(stop),
        }
    }
}
