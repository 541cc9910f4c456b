//! What is looked up for an answer, as whoever asked: passages, what identifies those they are about, what is to be kept
//! in mind.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use super::draft::Draft;
use super::wording::Asking;
use crate::access::{RequestContext, Subject};
use crate::domains::chat::agents::model::{Agent, AgentRetrievalScope};
use crate::domains::chat::memories::service as memories;
use crate::domains::chat::messages::answers::{Expected, Written};
use crate::domains::chat::participants::service as participants;
use crate::domains::chat::policy;
use crate::domains::documents::search::ask::{Kind, Known, known};
use crate::domains::documents::search::model::{DocumentSearchMode, Filter, Hit, Search};
use crate::domains::documents::search::service::search;
use crate::domains::{documents, identity, patients};
use crate::error::{Error, Result};
use crate::ids::{PatientId, TypedId as _};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// Passages that are looked at for an answer.
const PASSAGES: i64 = 8;

/// Looks where the assistant may, as whoever asked may.
pub(super) async fn look(
    asker: &RequestContext,
    agent: &Agent,
    expected: &Expected,
    question: &Phi<String>,
) -> Result<Vec<Hit>> {
    let patient = match (agent.retrieval_scope, expected.patient_id) {
        (AgentRetrievalScope::All, _) => None,
        (AgentRetrievalScope::Patient, Some(patient)) => Some(patient),
        (AgentRetrievalScope::None, _) | (AgentRetrievalScope::Patient, None) => {
            return Ok(Vec::new());
        }
    };
    // Asked by itself first: searching may be allowed to more roles.
    asker.read(&documents::policy::ASK).await?;
    let mut wanted = Search::new(question.clone(), DocumentSearchMode::Hybrid);
    wanted.filter = Filter { patient, ..Filter::default() };
    let found = search(asker, &wanted, PageRequest { first: PASSAGES, after: None }).await?;
    Ok(found.page.rows)
}

/// Everything a model is asked with. What cannot be hidden is not sent: a passage about somebody who is not known, or of a
/// document labelled 42 CFR Part 2. Where nothing is left to be sent, passages are quoted.
pub(super) async fn gather(
    asker: &RequestContext,
    agent: Agent,
    expected: &Expected,
    question: Phi<String>,
    hits: Vec<Hit>,
) -> Result<Result<Asking, Written>> {
    let about: BTreeSet<PatientId> = hits
        .iter()
        .filter(|hit| !hit.part2)
        .flat_map(|hit| hit.patients.iter().copied())
        .chain(expected.patient_id)
        .collect();
    let mut identifiers = people(asker, expected).await?;
    let (identified, found) = identified(asker, about.into_iter().collect()).await?;
    identifiers.extend(found);
    let is_sent = |hit: &Hit| !hit.part2 && hit.patients.iter().all(|patient| identified.contains(patient));
    let sent: Vec<Hit> = hits.iter().filter(|hit| is_sent(hit)).cloned().collect();
    let grounded = agent.retrieval_scope != AgentRetrievalScope::None;
    // Who the conversation is about may be named in the question itself.
    if expected.patient_id.is_some_and(|patient| !identified.contains(&patient)) || (grounded && sent.is_empty()) {
        let draft = Draft::default();
        return Ok(Err(if grounded { draft.quoted(&hits) } else { draft.failed(super::NO_MODEL) }));
    }
    let remembered = memories::strongest(asker, agent.id).await?;
    let model = asker.app().language_model.as_ref().map(|model| model.name().to_owned());
    let model = agent.model_name.clone().or(model);
    let chunks: Vec<_> = sent.iter().map(|hit| hit.chunk.uuid()).collect();
    let subject = Subject { patient: expected.patient_id, ..Subject::of(expected.message_id) };
    let detail = json!({ "model": model, "sent": chunks, "remembered": remembered.len() });
    asker.note(&policy::ASK, subject, detail);
    Ok(Ok(Asking { agent, question, hits, sent, remembered, identifiers, model }))
}

/// Names of those who take part.
async fn people(asker: &RequestContext, expected: &Expected) -> Result<Vec<Known>> {
    let present = participants::participants_of(asker, &[expected.conversation_id]).await?;
    let users: Vec<_> = present.iter().map(|one| one.user).collect();
    let read = asker.read(&policy::READ).await?;
    let names = identity::service::names_of(&read, &users).await?;
    Ok(names.into_values().map(|value| Known { kind: Kind::Person, value }).collect())
}

/// Of some patients those whom the asker may open, and what identifies them.
async fn identified(asker: &RequestContext, about: Vec<PatientId>) -> Result<(HashSet<PatientId>, Vec<Known>)> {
    if about.is_empty() {
        return Ok((HashSet::new(), Vec::new()));
    }
    let opened = async {
        let patients = patients::service::patients_by_ids(asker, &about).await?;
        let found = known(asker, &patients).await?;
        Ok((patients.iter().map(|patient| patient.id).collect(), found))
    };
    match opened.await {
        Err(Error::Forbidden(_)) => Ok((HashSet::new(), Vec::new())),
        opened => opened,
    }
}
