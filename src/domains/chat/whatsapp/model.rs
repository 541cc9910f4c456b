//! What is known of numbers, of who writes to them, and of what becomes of what is answered.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::ids::{MessageId, PatientId, UserId, WhatsappContactId, WhatsappIntegrationId};
use crate::phi::Phi;
use crate::text_enum::text_enum;

/// How long after somebody wrote they may be answered: the provider's rule.
pub const WINDOW: TimeDelta = TimeDelta::hours(24);

text_enum! {
    /// Whether a number takes and sends messages.
    WhatsappIntegrationStatus {
        /// WhatsApp has not been told of the webhook yet.
        Pending = "pending",
        /// It does.
        Active = "active",
        /// It does not.
        Disabled = "disabled",
    }
}

text_enum! {
    /// How far a message to somebody outside has got.
    WhatsappDeliveryStatus {
        /// It waits to be sent.
        Queued = "queued",
        /// It is being sent, or may have been and nobody knows yet.
        Sending = "sending",
        /// WhatsApp has taken it.
        Sent = "sent",
        /// It has reached a device.
        Delivered = "delivered",
        /// It was read.
        Read = "read",
        /// It was given up, or nobody learnt whether it was sent.
        Failed = "failed",
    }
}

text_enum! {
    /// An answer of the server itself.
    WhatsappAutomaticReply {
        /// Nobody is there.
        Closed = "closed",
        /// Acute danger was spoken of.
        Crisis = "crisis",
    }
}

text_enum! {
    /// A day of the week.
    WhatsappWeekday {
        /// Monday.
        Monday = "monday",
        /// Tuesday.
        Tuesday = "tuesday",
        /// Wednesday.
        Wednesday = "wednesday",
        /// Thursday.
        Thursday = "thursday",
        /// Friday.
        Friday = "friday",
        /// Saturday.
        Saturday = "saturday",
        /// Sunday.
        Sunday = "sunday",
    }
}

/// A time somebody is there, by the clock of the facility. One that closes no later than it opens closes on the day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInterval {
    pub weekday: WhatsappWeekday,
    pub opens: NaiveTime,
    pub closes: NaiveTime,
}

/// A number as the facility has set it up.
#[derive(Debug, Clone)]
pub struct Integration {
    pub id: WhatsappIntegrationId,
    pub name: String,
    pub phone_number_id: String,
    pub business_account_id: Option<String>,
    pub display_phone_number: Option<String>,
    pub verified_name: Option<String>,
    pub status: WhatsappIntegrationStatus,
    pub verified_at: Option<DateTime<Utc>>,
    pub last_fault: Option<String>,
    pub last_fault_at: Option<DateTime<Utc>>,
    pub business_hours: Option<Vec<OpenInterval>>,
    pub closed_reply: Option<String>,
    pub crisis_reply: Option<String>,
    pub hand_over_to: UserId,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i32,
}

/// What of it is the facility's to say.
#[derive(Debug, Clone)]
pub struct IntegrationSetup {
    pub name: String,
    pub business_account_id: Option<String>,
    /// Who takes part in new conversations; whoever they are handed over to does too.
    pub participants: Vec<UserId>,
    pub hand_over_to: UserId,
    pub business_hours: Option<Vec<OpenInterval>>,
    pub closed_reply: Option<String>,
    pub crisis_reply: Option<String>,
}

/// A number to be set up.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    pub phone_number_id: String,
    pub access_token: Secret,
    pub app_secret: Secret,
    pub setup: IntegrationSetup,
}

/// Secrets to be replaced.
#[derive(Debug, Clone, Default)]
pub struct NewSecrets {
    pub access_token: Option<Secret>,
    pub app_secret: Option<Secret>,
}

/// Somebody outside.
#[derive(Debug, Clone)]
pub struct Contact {
    pub id: WhatsappContactId,
    /// Digits with the country.
    pub phone: Phi<String>,
    pub name: Option<Phi<String>>,
    pub patient: Option<PatientId>,
    pub linked_by: Option<UserId>,
    pub linked_at: Option<DateTime<Utc>>,
    pub last_received_at: DateTime<Utc>,
    pub opted_out_at: Option<DateTime<Utc>>,
}

/// What became of a message on its way.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub message: MessageId,
    pub automatic: Option<WhatsappAutomaticReply>,
    pub status: WhatsappDeliveryStatus,
    pub error_code: Option<String>,
    pub attempts: i32,
    pub queued_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
}

impl WhatsappDeliveryStatus {
    const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sending => 1,
            Self::Sent => 2,
            Self::Delivered => 3,
            Self::Read => 4,
            Self::Failed => 5,
        }
    }

    /// Whether news make it that: only forward, a failure is final, and none comes after what has arrived. A failure of
    /// which only we believed it was one is no failure once there is news.
    #[must_use]
    pub fn moves_to(self, news: Self, believed: bool) -> bool {
        match (self, news) {
            (Self::Failed | Self::Delivered | Self::Read, Self::Failed) => false,
            (Self::Failed, _) => believed,
            (was, news) => news.rank() > was.rank(),
        }
    }
}
