//! The job that answers a question.
//!
//! Whoever asked is asked for at every step: their session, their membership and their place in the conversation must
//! still hold, and what is looked up is looked up as them. The server itself only writes the answer down.

mod bounds;
mod draft;
mod looking;
mod prompt;
mod wording;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::model::{Agent, AgentRetrievalScope};
use super::service as agents;
use crate::access::{Actor, ContextParts, RequestContext};
use crate::domains::chat::messages::answers::{self, Expected, Written};
use crate::domains::chat::messages::service as messages;
use crate::domains::chat::model::{Message, MessageSensitivity};
use crate::domains::chat::policy;
use crate::domains::documents::search::model::Hit;
use crate::error::{Error, Result};
use crate::ids::MessageId;
use crate::jobs::{Failure, Handler, Job};
use crate::phi::Phi;
use draft::Draft;

const GONE: &str = "The question could not be answered: it was deleted, or whoever asked may not be answered any more.";
const GIVEN_UP: &str = "The question could not be answered. Please ask again.";
const NO_MODEL: &str = "No model may be asked, and I have no documents to look in.";

pub(super) struct Answering;

impl Handler for Answering {
    fn run<'a>(&'a self, ctx: RequestContext, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let Some(expected) = expected(&ctx, job.about::<MessageId>("messageId")?).await? else { return Ok(()) };
            let written = answer(&ctx, &expected).await?;
            answers::complete(&ctx, expected, written).await?;
            Ok(())
        }
        .boxed()
    }

    fn died<'a>(&'a self, ctx: RequestContext, job: &'a Job, _: &'static str) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            let Ok(id) = job.about::<MessageId>("messageId") else { return Ok(()) };
            let Some(expected) = expected(&ctx, id).await? else { return Ok(()) };
            answers::complete(&ctx, expected, Draft::default().failed(GIVEN_UP)).await
        }
        .boxed()
    }
}

/// What is to be answered; `None` when it is already.
async fn expected(ctx: &RequestContext, id: MessageId) -> Result<Option<Expected>> {
    let read = ctx.read(&policy::ANSWER).await?;
    let expected = answers::expected(&read, id).await?;
    drop(read);
    ctx.finish().await?;
    Ok(expected)
}

/// The same server as whoever asked, in the session they asked in.
fn asker(ctx: &RequestContext, expected: &Expected) -> RequestContext {
    RequestContext::new(
        Arc::clone(ctx.app()),
        ContextParts {
            actor: Actor::User { user: expected.user_id, session: expected.session_id },
            facility: ctx.facility(),
            purpose: expected.purpose,
            request_id: Uuid::now_v7(),
            ip_address: None,
            user_agent: None,
        },
    )
}

async fn answer(ctx: &RequestContext, expected: &Expected) -> Result<Written> {
    let asker = asker(ctx, expected);
    let prepared = prepare(&asker, expected).await;
    // Whatever came of it, what was read or denied is on record before anything leaves, and the transaction is over.
    asker.finish().await?;
    match prepared {
        Ok(Prepared::Done(written)) => Ok(written),
        Ok(Prepared::Ask(asked)) => wording::worded(ctx, expected, *asked).await,
        Err(Error::NotFound | Error::Unauthenticated | Error::Forbidden(_)) => Ok(Draft::default().failed(GONE)),
        Err(error) => Err(error),
    }
}

/// Either the answer, or what a model is to be asked.
enum Prepared {
    Done(Written),
    Ask(Box<wording::Asking>),
}

/// Everything that is done as whoever asked.
async fn prepare(asker: &RequestContext, expected: &Expected) -> Result<Prepared> {
    let question = messages::message(asker, expected.question_id).await?;
    let Some(text) = question.body.clone() else { return Ok(Prepared::Done(Draft::default().failed(GONE))) };
    if bounds::is_crisis(text.reveal_str()) {
        return Ok(Prepared::Done(Draft::default().handed_over()));
    }
    let agent = agents::agent(asker, expected.agent_id).await?;
    if bounds::crossed(text.reveal_str(), &agent.boundaries).is_some() {
        return Ok(Prepared::Done(Draft::default().refused()));
    }
    let hits = looking::look(asker, &agent, expected, &text).await?;
    ask_or_quote(asker, agent, expected, &question, text, hits).await
}

/// Asks the model where one may be, else quotes.
async fn ask_or_quote(
    asker: &RequestContext,
    agent: Agent,
    expected: &Expected,
    question: &Message,
    text: Phi<String>,
    hits: Vec<Hit>,
) -> Result<Prepared> {
    let grounded = agent.retrieval_scope != AgentRetrievalScope::None;
    if grounded && hits.is_empty() {
        return Ok(Prepared::Done(Draft::default().not_found()));
    }
    let may_ask = asker.app().language_model.is_some() && question.sensitivity == MessageSensitivity::Normal;
    if !may_ask || (grounded && hits.iter().all(|hit| hit.part2)) {
        let draft = Draft::default();
        return Ok(Prepared::Done(if grounded { draft.quoted(&hits) } else { draft.failed(NO_MODEL) }));
    }
    let asking = looking::gather(asker, agent, expected, text, hits).await?;
    Ok(asking.map_or_else(Prepared::Done, |asking| Prepared::Ask(Box::new(asking))))
}
