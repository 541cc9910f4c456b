//! What the set-up of a number may be. Pure.

use chrono::NaiveTime;

use super::model::{IntegrationSetup, NewIntegration, NewSecrets, OpenInterval};
use crate::config::Secret;
use crate::domains::chat::validation::{Checked, invalid, line, text};
use crate::whatsapp::MAX_TEXT;

const MAX_NAME: usize = 100;
/// Longest id of the provider's, in digits.
const MAX_ID: usize = 40;
/// Longest token and secret, in characters: a token has some hundreds.
const MAX_SECRET: usize = 1000;
/// Most who take part in new conversations of a number.
pub(super) const MAX_MEMBERS: usize = 50;
/// Most intervals: several a day.
const MAX_INTERVALS: usize = 50;

/// An id of the provider's: it becomes part of a path.
fn digits(field: &'static str, text: &str) -> Checked<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_ID || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return invalid(field, format!("must be 1 to {MAX_ID} digits"));
    }
    Ok(text.to_owned())
}

fn secret(field: &'static str, secret: &Secret) -> Checked<Secret> {
    line(field, secret.reveal(), MAX_SECRET).map(Secret::new)
}

fn reply(field: &'static str, reply: Option<String>) -> Checked<Option<String>> {
    reply.map(|reply| text(field, &reply, MAX_TEXT)).transpose()
}

/// A time of day as `HH:MM`.
pub(super) fn time(text: &str) -> Checked<NaiveTime> {
    let read = if text.len() == 5 { NaiveTime::parse_from_str(text, "%H:%M").ok() } else { None };
    read.map_or_else(|| invalid("businessHours", "times are like 09:00"), Ok)
}

fn hours(hours: Option<Vec<OpenInterval>>) -> Checked<Option<Vec<OpenInterval>>> {
    if hours.as_ref().is_some_and(|hours| hours.len() > MAX_INTERVALS) {
        return invalid("businessHours", format!("there may be at most {MAX_INTERVALS}"));
    }
    Ok(hours)
}

/// The set-up without white space at the ends of its texts, and each participant once.
pub(super) fn setup(setup: IntegrationSetup) -> Checked<IntegrationSetup> {
    let IntegrationSetup {
        name,
        business_account_id,
        mut participants,
        hand_over_to,
        business_hours,
        closed_reply,
        crisis_reply,
    } = setup;
    participants.sort_unstable();
    participants.dedup();
    if participants.is_empty() || participants.len() > MAX_MEMBERS {
        return invalid("participantIds", format!("must name 1 to {MAX_MEMBERS} users"));
    }
    Ok(IntegrationSetup {
        name: line("name", &name, MAX_NAME)?,
        business_account_id: business_account_id.map(|id| digits("businessAccountId", &id)).transpose()?,
        participants,
        hand_over_to,
        business_hours: hours(business_hours)?,
        closed_reply: reply("closedReply", closed_reply)?,
        crisis_reply: reply("crisisReply", crisis_reply)?,
    })
}

pub(super) fn new(new: NewIntegration) -> Checked<NewIntegration> {
    Ok(NewIntegration {
        phone_number_id: digits("phoneNumberId", &new.phone_number_id)?,
        access_token: secret("accessToken", &new.access_token)?,
        app_secret: secret("appSecret", &new.app_secret)?,
        setup: setup(new.setup)?,
    })
}

pub(super) fn secrets(secrets: NewSecrets) -> Checked<NewSecrets> {
    Ok(NewSecrets {
        access_token: secrets.access_token.map(|token| secret("accessToken", &token)).transpose()?,
        app_secret: secrets.app_secret.map(|given| secret("appSecret", &given)).transpose()?,
    })
}
