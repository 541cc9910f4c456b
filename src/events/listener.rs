//! What other nodes say, through the database: that a facility has events, and signals. Ids alone.
//!
//! One connection a node, outside the pool, and only while somebody listens. It must reach PostgreSQL itself, or a
//! pooler that keeps sessions: behind another one nothing is heard, and streams are looked at instead.

use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::pg::PgNotification;
use diesel_async::SimpleAsyncConnection as _;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::NewEvent;
use crate::access::RequestContext;
use crate::app::App;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::ids::{FacilityId, UserId};

pub(crate) const CHANNEL: &str = "anamnesis_events";
/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked whether anybody listens at all.
const LOOK: Duration = Duration::from_secs(30);

/// What is said on the channel.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    facility: FacilityId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<UserId>,
    /// None: there are new events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<NewEvent>,
}

/// What a node says of its own commit.
pub(crate) fn news(facility: FacilityId) -> Result<String> {
    Ok(serde_json::to_string(&Said { facility, actor: None, signal: None })?)
}

impl super::Events {
    /// Tells a signal to those who listen now, on every node. Nothing is written down, and whoever gets it must be
    /// allowed to see its object.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn signal(&self, ctx: &RequestContext, signal: NewEvent) -> Result<()> {
        let said = Said { facility: ctx.facility(), actor: ctx.user().ok(), signal: Some(signal) };
        ctx.app().database.notify(CHANNEL, &serde_json::to_string(&said)?).await
    }
}

/// Listens for as long as anybody does.
pub(super) async fn listen(app: Weak<App>) {
    loop {
        let outcome = hear(&app).await;
        let Some(app) = app.upgrade() else { return };
        app.events.set_hears(false);
        match outcome {
            Ok(()) => {
                app.events.set_listens(false);
                // Somebody may have come in between: either they saw that nobody listens, or it is seen here.
                if !app.events.in_use() || app.events.set_listens(true) {
                    return;
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "other nodes are not heard; connecting again"),
        }
        drop(app);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Hears until nobody listens any more.
async fn hear(weak: &Weak<App>) -> Result<()> {
    let Some(app) = weak.upgrade() else { return Ok(()) };
    let mut connection = Database::session_connection(&app.config).await?;
    connection.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    app.events.set_hears(true);
    // What was said before this connection was.
    app.events.wake_all();
    drop(app);
    let mut said = std::pin::pin!(connection.notifications_stream());
    loop {
        let next = tokio::time::timeout(LOOK, said.next()).await;
        let Some(app) = weak.upgrade() else { return Ok(()) };
        match next {
            Ok(Some(Ok(notification))) => heard(&app, &notification),
            Ok(Some(Err(error))) => return Err(error.into()),
            Ok(None) => return Err(Error::Unavailable("the connection has ended".into())),
            Err(_) if !app.events.in_use() => return Ok(()),
            Err(_) => {}
        }
    }
}

fn heard(app: &Arc<App>, notification: &PgNotification) {
    // Anybody who may connect to the database may say something: what is not ours is passed over.
    let Ok(said) = serde_json::from_str::<Said>(&notification.payload) else { return };
    match said.signal {
        None => app.events.wake(said.facility),
        Some(signal) => app.events.hear(&app.clock, said.facility, said.actor, signal),
    }
}
