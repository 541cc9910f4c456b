//! Rows, and how somebody wants to be told.

use chrono::{DateTime, Datelike as _, Days, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use diesel::prelude::{Queryable, Selectable};
use uuid::Uuid;

use crate::db::schema::{notification_preferences, notifications};
use crate::ids::{NotificationId, UserId};
use crate::text_enum::text_enum;

text_enum! {
    /// What somebody is told of.
    NotificationKind {
        /// New messages in a conversation.
        Message = "message",
        /// One's name in a message.
        Mention = "mention",
        /// One was made part of a conversation.
        Participation = "participation",
        /// A conversation needs a person.
        ConversationEscalated = "conversation_escalated",
        /// A document to look at.
        DocumentAssigned = "document_assigned",
    }
}

text_enum! {
    /// When somebody is told by mail.
    NotificationMail {
        /// A few minutes later, unless it was read meanwhile.
        Soon = "soon",
        /// Once a day, of all that is unread.
        Daily = "daily",
        /// Never.
        Never = "never",
    }
}

/// Something a user is told of.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notifications, check_for_backend(diesel::pg::Pg))]
pub struct Notification {
    pub id: NotificationId,
    pub user_id: UserId,
    pub kind: NotificationKind,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub times: i32,
    pub occurred_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// How a user wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = notification_preferences, check_for_backend(diesel::pg::Pg))]
pub struct Preferences {
    pub mail: NotificationMail,
    /// 0 to 23, in the user's zone.
    pub digest_hour: i32,
    /// No mail from this hour on; both or neither.
    pub quiet_from: Option<i32>,
    /// Until this hour, which may be on the next day.
    pub quiet_until: Option<i32>,
    /// 0 before they were ever set.
    pub version: i32,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { mail: NotificationMail::Soon, digest_hour: 8, quiet_from: None, quiet_until: None, version: 0 }
    }
}

/// What to do with mail at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTime {
    Now,
    At(DateTime<Utc>),
    Never,
}

impl Preferences {
    /// When mail about something that waits since `since` is to be sent, seen from `now`.
    #[must_use]
    pub fn mail_time(&self, zone: Tz, since: DateTime<Utc>, now: DateTime<Utc>) -> MailTime {
        let due = match self.mail {
            NotificationMail::Never => return MailTime::Never,
            NotificationMail::Soon => now,
            NotificationMail::Daily => next_hour(zone, self.digest_hour, since),
        };
        let due = if due < now { now } else { due };
        let due = self.after_quiet(zone, due);
        if due <= now { MailTime::Now } else { MailTime::At(due) }
    }

    /// The first instant from `at` on that is not in the quiet hours.
    fn after_quiet(&self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        let (Some(from), Some(until)) = (self.quiet_from, self.quiet_until) else { return at };
        let hour = i32::try_from(at.with_timezone(&zone).hour()).unwrap_or_default();
        let quiet = if from < until { (from..until).contains(&hour) } else { hour >= from || hour < until };
        if quiet { next_hour(zone, until, at) } else { at }
    }
}

/// When the clock in a zone next shows an hour after an instant. An hour that a change of clocks leaves out is the one
/// after it.
fn next_hour(zone: Tz, hour: i32, after: DateTime<Utc>) -> DateTime<Utc> {
    let today = after.with_timezone(&zone).date_naive();
    let hour = u32::try_from(hour).unwrap_or_default();
    let at = |days: u64| {
        let date = today.checked_add_days(Days::new(days))?;
        let naive = date.and_hms_opt(hour, 0, 0)?;
        let later = || zone.with_ymd_and_hms(date.year(), date.month(), date.day(), hour + 1, 0, 0).earliest();
        zone.from_local_datetime(&naive).earliest().or_else(later).map(|local| local.with_timezone(&Utc))
    };
    (0..=2).filter_map(at).find(|instant| *instant > after).unwrap_or(after)
}

/// Why something was not done that the user can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "NotificationRefusal")]
pub enum Refusal {
    /// A value cannot be so.
    Invalid,
    /// Somebody changed it meanwhile: read it again.
    Stale,
}
