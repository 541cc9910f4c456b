//! WhatsApp in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::model::{
    Contact, Delivery, Integration, IntegrationSetup, NewIntegration, NewSecrets, OpenInterval, WINDOW,
    WhatsappAutomaticReply, WhatsappDeliveryStatus, WhatsappIntegrationStatus, WhatsappWeekday,
};
use super::service::{self, Shown};
use super::{contacts, deliver, validation};
use crate::config::Secret;
use crate::domains::chat::graphql::{ChatUserError, MessagePayload, message, user};
use crate::domains::chat::loaders::IntegrationMembersLoader;
use crate::domains::chat::model::Refusal;
use crate::domains::identity::graphql::User;
use crate::domains::identity::loaders::UserLoader;
use crate::domains::patients::graphql::Patient;
use crate::domains::patients::loaders::PatientLoader;
use crate::error::{Result, Stop};
use crate::graphql::loaders::{LoadError, load_many, load_one, or_null};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{MessageId, PatientId, TypedId as _, UserId, WhatsappContactId, WhatsappIntegrationId};
use crate::phi::Phi;

/// A WhatsApp number of the facility. Its secrets are never shown. Needs `whatsapp.manage`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct WhatsappIntegration {
    /// Typed, opaque id.
    pub id: WhatsappIntegrationId,
    /// What it is called.
    pub name: String,
    /// The number as WhatsApp knows it, in digits; not the telephone number.
    pub phone_number_id: String,
    /// The business account at WhatsApp; null when it is not known.
    pub business_account_id: Option<String>,
    /// The number as people dial it; null until WhatsApp was asked.
    pub display_phone_number: Option<String>,
    /// Under which name people see it; null until WhatsApp was asked, or when it has none.
    pub verified_name: Option<String>,
    /// Whether it takes and sends messages.
    pub status: WhatsappIntegrationStatus,
    /// When WhatsApp last showed the token of the webhook; null before.
    pub verified_at: Option<DateTime<Utc>>,
    /// Code by which WhatsApp last refused the credentials: replace the access token. Null when it takes them.
    pub last_fault: Option<String>,
    /// When it did; null when it takes them.
    pub last_fault_at: Option<DateTime<Utc>>,
    /// What is answered outside the hours; null for nothing.
    pub closed_reply: Option<String>,
    /// What is answered to words of acute danger; null for the text that comes with the server.
    pub crisis_reply: Option<String>,
    /// When it was set up.
    pub created_at: DateTime<Utc>,
    /// When it last changed; when it was set up while it never did.
    pub updated_at: DateTime<Utc>,
    /// Give this as `expectedVersion` when changing it.
    pub version: i32,
    #[graphql(skip)]
    hours: Option<Vec<OpenInterval>>,
    #[graphql(skip)]
    hand_over_to_id: UserId,
    #[graphql(skip)]
    created_by_id: UserId,
}

#[ComplexObject]
impl WhatsappIntegration {
    /// When somebody answers, by the clock of the facility; null for always.
    async fn business_hours(&self) -> Option<Vec<WhatsappOpenInterval>> {
        self.hours.as_ref().map(|hours| hours.iter().copied().map(Into::into).collect())
    }

    /// Who takes part in conversations begun from now on; those whose account cannot be shown are left out.
    async fn participants(&self, ctx: &Context<'_>) -> Result<Vec<User>, LoadError> {
        let members = load_one::<IntegrationMembersLoader>(ctx, self.id).await?.unwrap_or_default();
        let users = members.into_iter().map(|(_, user)| user).collect();
        Ok(load_many::<UserLoader>(ctx, users).await?.into_iter().map(Into::into).collect())
    }

    /// Who takes part in all of them, and is to see to one in which acute danger is spoken of; null only when the account
    /// cannot be shown.
    async fn hand_over_to(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.hand_over_to_id).await
    }

    /// Who set it up; null only when the account cannot be shown.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.created_by_id).await
    }

    /// Where WhatsApp is to call, below the address the server is reached at.
    async fn webhook_path(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(format!("/webhooks/whatsapp/{}/{}", request(ctx)?.facility().encode(), self.id.encode()))
    }
}

/// A time somebody answers, by the clock of the facility.
#[derive(Debug, Clone, SimpleObject)]
pub struct WhatsappOpenInterval {
    /// The day it begins.
    pub weekday: WhatsappWeekday,
    /// From, as `09:00`.
    pub opens: String,
    /// Until, as `17:00`; on the day after when that is no later than `opens`.
    pub closes: String,
}

impl From<OpenInterval> for WhatsappOpenInterval {
    fn from(interval: OpenInterval) -> Self {
        let time = |time: chrono::NaiveTime| time.format("%H:%M").to_string();
        Self { weekday: interval.weekday, opens: time(interval.opens), closes: time(interval.closes) }
    }
}

impl From<Integration> for WhatsappIntegration {
    fn from(found: Integration) -> Self {
        Self {
            id: found.id,
            name: found.name,
            phone_number_id: found.phone_number_id,
            business_account_id: found.business_account_id,
            display_phone_number: found.display_phone_number,
            verified_name: found.verified_name,
            status: found.status,
            verified_at: found.verified_at,
            last_fault: found.last_fault,
            last_fault_at: found.last_fault_at,
            closed_reply: found.closed_reply,
            crisis_reply: found.crisis_reply,
            created_at: found.created_at,
            updated_at: found.updated_at,
            version: found.version,
            hours: found.business_hours,
            hand_over_to_id: found.hand_over_to,
            created_by_id: found.created_by,
        }
    }
}

/// Somebody outside who writes to a WhatsApp number of the facility. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct WhatsappContact {
    /// Typed, opaque id.
    pub id: WhatsappContactId,
    /// Their own number, in digits with the country.
    pub phone: String,
    /// What they call themselves; null when they say nothing. Nobody has checked it.
    pub name: Option<String>,
    /// When somebody here said which patient they are; null while nobody has.
    pub linked_at: Option<DateTime<Utc>>,
    /// When they last wrote.
    pub last_received_at: DateTime<Utc>,
    /// Until when they may be answered: a day from when they last wrote. May be past.
    pub window_closes_at: DateTime<Utc>,
    /// Since when they want to hear nothing; null when they do.
    pub opted_out_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    patient_id: Option<PatientId>,
    #[graphql(skip)]
    linked_by_id: Option<UserId>,
}

#[ComplexObject]
impl WhatsappContact {
    /// Which patient they are, as somebody here says; null while nobody has, or the caller may not open the chart. Needs
    /// `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Patient> {
        or_null(ctx, load_one::<PatientLoader>(ctx, self.patient_id?).await)?.map(Into::into)
    }

    /// Who said which patient they are; null while nobody has.
    async fn linked_by(&self, ctx: &Context<'_>) -> Option<User> {
        user(ctx, self.linked_by_id?).await
    }
}

impl From<Contact> for WhatsappContact {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id,
            phone: contact.phone.into_revealed(),
            name: contact.name.map(Phi::into_revealed),
            linked_at: contact.linked_at,
            last_received_at: contact.last_received_at,
            window_closes_at: contact.last_received_at + WINDOW,
            opted_out_at: contact.opted_out_at,
            patient_id: contact.patient,
            linked_by_id: contact.linked_by,
        }
    }
}

/// What became of a message on its way to somebody outside. Needs `chat.read`.
#[derive(Debug, Clone, SimpleObject)]
pub struct MessageDelivery {
    /// How far it has got.
    pub status: WhatsappDeliveryStatus,
    /// Which answer of the server itself it is; null for what somebody wrote.
    pub automatic: Option<WhatsappAutomaticReply>,
    /// Why it was last not taken: a code of WhatsApp, or `uncertain` when nobody knows whether it was, `opted_out`,
    /// `window_closed`, `number_inactive`, `deleted`, `not_reached`, `given_up`. Null when it was.
    pub error_code: Option<String>,
    /// How often WhatsApp was asked to take it.
    pub attempts: i32,
    /// When it was to be sent, last.
    pub queued_at: DateTime<Utc>,
    /// When WhatsApp took it; null before.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it reached a device; null before.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was read; null before, and where readers do not say so.
    pub read_at: Option<DateTime<Utc>>,
    /// When it was given up; null unless it was.
    pub failed_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for MessageDelivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            status: delivery.status,
            automatic: delivery.automatic,
            error_code: delivery.error_code,
            attempts: delivery.attempts,
            queued_at: delivery.queued_at,
            sent_at: delivery.sent_at,
            delivered_at: delivery.delivered_at,
            read_at: delivery.read_at,
            failed_at: delivery.failed_at,
        }
    }
}

/// Queries of WhatsApp numbers.
#[derive(Debug, Default)]
pub struct WhatsappQuery;

#[Object]
impl WhatsappQuery {
    /// The facility's WhatsApp numbers by name, at most 20. Needs `whatsapp.manage`.
    async fn whatsapp_integrations(&self, ctx: &Context<'_>) -> Result<Vec<WhatsappIntegration>> {
        Ok(service::integrations(request(ctx)?).await?.into_iter().map(Into::into).collect())
    }
}

/// A time somebody answers, by the clock of the facility.
#[derive(InputObject)]
pub struct WhatsappOpenIntervalInput {
    /// The day it begins.
    pub weekday: WhatsappWeekday,
    /// From, as `09:00`.
    pub opens: String,
    /// Until, as `17:00`; on the day after when that is no later than `opens`.
    pub closes: String,
}

/// A WhatsApp number to be set up. WhatsApp is not covered by a business associate agreement: what is written there is
/// known to its operator.
#[derive(InputObject)]
pub struct WhatsappIntegrationCreateInput {
    /// What to call it, 1 to 100 characters on one line.
    pub name: String,
    /// The number as WhatsApp knows it, in digits; not the telephone number.
    pub phone_number_id: String,
    /// The business account at WhatsApp, in digits.
    pub business_account_id: Option<String>,
    /// What lets the server send: a token of a system user. Never shown again.
    pub access_token: String,
    /// What WhatsApp signs its calls with. Never shown again.
    pub app_secret: String,
    /// Who takes part in conversations begun from now on, 1 to 50 users who work here.
    pub participant_ids: Vec<UserId>,
    /// Who takes part in all of them, and is to see to one in which acute danger is spoken of.
    pub hand_over_to_id: UserId,
    /// When somebody answers, at most 50 intervals; always when left out.
    pub business_hours: Option<Vec<WhatsappOpenIntervalInput>>,
    /// What to answer outside those hours, 1 to 4,096 characters, at most every 12 hours; nothing when left out.
    pub closed_reply: Option<String>,
    /// What to answer to words of acute danger, 1 to 4,096 characters; a text that names emergency numbers when left out.
    pub crisis_reply: Option<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours, without the token.
    pub idempotency_key: Option<String>,
}

/// What is to be changed of a WhatsApp number. What is left out stays.
#[derive(InputObject)]
pub struct WhatsappIntegrationUpdateInput {
    /// Id of the number.
    pub id: WhatsappIntegrationId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// What to call it, 1 to 100 characters on one line.
    pub name: Option<String>,
    /// The business account at WhatsApp, in digits; null for none.
    pub business_account_id: MaybeUndefined<String>,
    /// What lets the server send.
    pub access_token: Option<String>,
    /// What WhatsApp signs its calls with.
    pub app_secret: Option<String>,
    /// Who takes part in conversations begun from now on, 1 to 50 users who work here; all of them.
    pub participant_ids: Option<Vec<UserId>>,
    /// Who takes part in all of them, and is to see to one in which acute danger is spoken of.
    pub hand_over_to_id: Option<UserId>,
    /// When somebody answers, at most 50 intervals; null for always.
    pub business_hours: MaybeUndefined<Vec<WhatsappOpenIntervalInput>>,
    /// What to answer outside those hours, 1 to 4,096 characters; null for nothing.
    pub closed_reply: MaybeUndefined<String>,
    /// What to answer to words of acute danger, 1 to 4,096 characters; null for the text that comes with the server.
    pub crisis_reply: MaybeUndefined<String>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A WhatsApp number of a version.
#[derive(InputObject)]
pub struct WhatsappIntegrationStatusInput {
    /// Id of the number.
    pub id: WhatsappIntegrationId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A WhatsApp number to be asked for.
#[derive(InputObject)]
pub struct WhatsappIntegrationVerifyInput {
    /// Id of the number.
    pub id: WhatsappIntegrationId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Which patient somebody outside is.
#[derive(InputObject)]
pub struct WhatsappContactLinkInput {
    /// Id of somebody outside.
    pub contact_id: WhatsappContactId,
    /// Id of a patient whose chart the caller may open.
    pub patient_id: PatientId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// Somebody outside of whom it is not known which patient they are.
#[derive(InputObject)]
pub struct WhatsappContactUnlinkInput {
    /// Id of somebody outside.
    pub contact_id: WhatsappContactId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A message to be sent once more.
#[derive(InputObject)]
pub struct WhatsappDeliveryRetryInput {
    /// Id of a message whose delivery failed.
    pub message_id: MessageId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a WhatsApp number.
    WhatsappIntegrationPayload {
        /// The number; null when refused.
        integration: WhatsappIntegration,
    } or ChatUserError
);

/// What became of a WhatsApp number whose webhook WhatsApp is to be told of.
#[derive(Debug, SimpleObject)]
pub struct WhatsappIntegrationTokenPayload {
    /// The number; null when refused.
    pub integration: Option<WhatsappIntegration>,
    /// What to give WhatsApp as the verify token of the webhook. Shown this once; null when refused, and when this answer
    /// was given before.
    pub verify_token: Option<String>,
    /// What the user can mend; empty when it was done.
    pub user_errors: Vec<ChatUserError>,
}

payload!(
    /// What became of somebody outside.
    WhatsappContactPayload {
        /// Somebody outside; null when refused.
        contact: WhatsappContact,
    } or ChatUserError
);

async fn integration(
    ctx: &Context<'_>,
    outcome: Result<WhatsappIntegrationId, Stop<Refusal>>,
) -> Result<WhatsappIntegrationPayload> {
    match outcome {
        Ok(id) => Ok(WhatsappIntegrationPayload::done(service::integration(request(ctx)?, id).await?.into())),
        Err(stop) => WhatsappIntegrationPayload::refused(stop),
    }
}

async fn shown(ctx: &Context<'_>, outcome: Result<Shown, Stop<Refusal>>) -> Result<WhatsappIntegrationTokenPayload> {
    match outcome {
        Ok((id, token)) => Ok(WhatsappIntegrationTokenPayload {
            integration: Some(service::integration(request(ctx)?, id).await?.into()),
            verify_token: token.map(Phi::into_revealed),
            user_errors: Vec::new(),
        }),
        Err(Stop::Refused(all)) => Ok(WhatsappIntegrationTokenPayload {
            integration: None,
            verify_token: None,
            user_errors: all.into_iter().map(Into::into).collect(),
        }),
        Err(Stop::Error(error)) => Err(error),
    }
}

async fn contact(
    ctx: &Context<'_>,
    outcome: Result<WhatsappContactId, Stop<Refusal>>,
) -> Result<WhatsappContactPayload> {
    match outcome {
        Ok(id) => Ok(WhatsappContactPayload::done(contacts::contact(request(ctx)?, id).await?.into())),
        Err(stop) => WhatsappContactPayload::refused(stop),
    }
}

async fn set_enabled(
    ctx: &Context<'_>,
    input: WhatsappIntegrationStatusInput,
    enabled: bool,
) -> Result<WhatsappIntegrationPayload> {
    let WhatsappIntegrationStatusInput { id, expected_version, idempotency_key } = input;
    let once = once(ctx, idempotency_key)?;
    integration(ctx, service::set_enabled(request(ctx)?, id, expected_version, enabled, once).await).await
}

fn hours(given: Vec<WhatsappOpenIntervalInput>) -> Result<Vec<OpenInterval>, Stop<Refusal>> {
    let interval = |given: WhatsappOpenIntervalInput| {
        let (opens, closes) = (validation::time(&given.opens)?, validation::time(&given.closes)?);
        Ok(OpenInterval { weekday: given.weekday, opens, closes })
    };
    given.into_iter().map(interval).collect()
}

fn or<T>(given: MaybeUndefined<T>, was: Option<T>) -> Option<T> {
    match given {
        MaybeUndefined::Undefined => was,
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(given) => Some(given),
    }
}

/// Mutations of WhatsApp numbers, and of people outside.
#[derive(Debug, Default)]
pub struct WhatsappMutation;

#[Object]
impl WhatsappMutation {
    /// Sets a WhatsApp number up. It takes and sends nothing until WhatsApp was told of the webhook. Needs
    /// `whatsapp.manage`.
    async fn whatsapp_integration_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: WhatsappIntegrationCreateInput,
    ) -> Result<WhatsappIntegrationTokenPayload> {
        let once = once(ctx, input.idempotency_key)?;
        let new = NewIntegration {
            phone_number_id: input.phone_number_id,
            access_token: Secret::new(input.access_token),
            app_secret: Secret::new(input.app_secret),
            setup: IntegrationSetup {
                name: input.name,
                business_account_id: input.business_account_id,
                participants: input.participant_ids,
                hand_over_to: input.hand_over_to_id,
                business_hours: None,
                closed_reply: input.closed_reply,
                crisis_reply: input.crisis_reply,
            },
        };
        let given = input.business_hours;
        let hours = move || given.map(hours).transpose();
        shown(ctx, service::create_integration(request(ctx)?, new, hours, once).await).await
    }

    /// Sets a WhatsApp number up differently; its number stays. What goes on goes on with those who take part in it. Needs
    /// `whatsapp.manage`.
    async fn whatsapp_integration_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: WhatsappIntegrationUpdateInput,
    ) -> Result<WhatsappIntegrationPayload> {
        let once = once(ctx, input.idempotency_key.clone())?;
        let (id, expected_version) = (input.id, input.expected_version);
        let secrets = NewSecrets {
            access_token: input.access_token.map(Secret::new),
            app_secret: input.app_secret.map(Secret::new),
        };
        let change = move |was: IntegrationSetup| {
            let business_hours = match input.business_hours {
                MaybeUndefined::Undefined => was.business_hours,
                MaybeUndefined::Null => None,
                MaybeUndefined::Value(given) => Some(hours(given)?),
            };
            Ok(IntegrationSetup {
                name: input.name.unwrap_or(was.name),
                business_account_id: or(input.business_account_id, was.business_account_id),
                participants: input.participant_ids.unwrap_or(was.participants),
                hand_over_to: input.hand_over_to_id.unwrap_or(was.hand_over_to),
                business_hours,
                closed_reply: or(input.closed_reply, was.closed_reply),
                crisis_reply: or(input.crisis_reply, was.crisis_reply),
            })
        };
        let outcome = service::update_integration(request(ctx)?, id, expected_version, change, secrets, once).await;
        integration(ctx, outcome).await
    }

    /// Makes a new verify token for the webhook of a WhatsApp number; the one before is good no more. Needs
    /// `whatsapp.manage`.
    async fn whatsapp_integration_renew_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: WhatsappIntegrationStatusInput,
    ) -> Result<WhatsappIntegrationTokenPayload> {
        let WhatsappIntegrationStatusInput { id, expected_version, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        shown(ctx, service::renew_token(request(ctx)?, id, expected_version, once).await).await
    }

    /// Asks WhatsApp for the number: whether it takes the credentials, and how people know it. Needs `whatsapp.manage`.
    async fn whatsapp_integration_verify(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: WhatsappIntegrationVerifyInput,
    ) -> Result<WhatsappIntegrationPayload> {
        let WhatsappIntegrationVerifyInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        integration(ctx, service::verify(request(ctx)?, id, once).await).await
    }

    /// Has a WhatsApp number take and send nothing any more; what was said stays. Needs `whatsapp.manage`.
    async fn whatsapp_integration_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: WhatsappIntegrationStatusInput,
    ) -> Result<WhatsappIntegrationPayload> {
        set_enabled(ctx, input, false).await
    }

    /// Has a WhatsApp number take and send messages again. Needs `whatsapp.manage`.
    async fn whatsapp_integration_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: WhatsappIntegrationStatusInput,
    ) -> Result<WhatsappIntegrationPayload> {
        set_enabled(ctx, input, true).await
    }

    /// Says which patient somebody outside is, with whom the caller has a conversation: what goes on with them is about
    /// that patient from then on. Needs `whatsapp.link`, and that the caller may open the chart.
    async fn whatsapp_contact_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is which patient.")] input: WhatsappContactLinkInput,
    ) -> Result<WhatsappContactPayload> {
        let WhatsappContactLinkInput { contact_id, patient_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        contact(ctx, contacts::link(request(ctx)?, contact_id, Some(patient_id), once).await).await
    }

    /// Says that it is not known which patient somebody outside is. Needs `whatsapp.link`.
    async fn whatsapp_contact_unlink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who it is about.")] input: WhatsappContactUnlinkInput,
    ) -> Result<WhatsappContactPayload> {
        let WhatsappContactUnlinkInput { contact_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        contact(ctx, contacts::link(request(ctx)?, contact_id, None, once).await).await
    }

    /// Sends a message whose delivery failed once more. Where it failed as `uncertain` it may arrive twice. Needs
    /// `chat.send`.
    async fn whatsapp_delivery_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message.")] input: WhatsappDeliveryRetryInput,
    ) -> Result<MessagePayload> {
        let WhatsappDeliveryRetryInput { message_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        message(ctx, deliver::retry(request(ctx)?, message_id, once).await).await
    }
}
