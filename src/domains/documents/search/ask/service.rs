//! Asking.

use serde_json::json;

use super::prompt::{believed, conversation};
use super::tokens::{Kind, Known, Tokens};
use crate::access::{RequestContext, Subject};
use crate::domains::documents::policy;
use crate::domains::documents::search::model::{DocumentSearchMode, Filter, Hit, Search};
use crate::domains::documents::search::service::search;
use crate::domains::patients::model::Patient;
use crate::domains::patients::service as patients;
use crate::error::Result;
use crate::ids::{PatientId, TypedId as _};
use crate::language_model::LanguageModel;
use crate::pagination::PageRequest;
use crate::phi::Phi;
use crate::text_enum::text_enum;

/// Passages that are looked at for an answer.
const PASSAGES: i64 = 8;

text_enum! {
    /// What came of a question.
    DocumentAnswerOutcome {
        /// The sentences answer it, each from the passages it names.
        Answered = "answered",
        /// The record does not answer it, as far as it may be read.
        NotFound = "not_found",
        /// No model words answers here, or none may have these passages (42 CFR Part 2): read them.
        PassagesOnly = "passages_only",
        /// The model did not answer, or not in a form that can be believed: read the passages.
        ModelFailed = "model_failed",
    }
}

/// A sentence of an answer.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    pub text: Phi<String>,
    /// Places in the passages, from 0; never none.
    pub passages: Vec<usize>,
}

/// What came of a question.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub outcome: DocumentAnswerOutcome,
    pub sentences: Vec<Sentence>,
    pub passages: Vec<Hit>,
    /// The model that was asked.
    pub model: Option<String>,
}

/// Answers a question from what the caller may read of a patient's record.
///
/// # Errors
/// As searching; [`Error::NotFound`](crate::error::Error::NotFound) for a patient whose chart the caller may not open.
pub(super) async fn ask(ctx: &RequestContext, question: &Phi<String>, patient: PatientId) -> Result<Answered> {
    // Asked by itself first: searching may be allowed to more roles.
    ctx.read(&policy::ASK).await?;
    let identity = patients::patient(ctx, patient).await?;
    let asked = Search {
        query: question.clone(),
        mode: DocumentSearchMode::Hybrid,
        filter: Filter { patient: Some(patient), ..Filter::default() },
    };
    let passages = search(ctx, &asked, PageRequest { first: PASSAGES, after: None }).await?.page.rows;
    let answered = |outcome, sentences, model| Answered { outcome, sentences, passages: passages.clone(), model };
    if passages.is_empty() {
        return Ok(answered(DocumentAnswerOutcome::NotFound, Vec::new(), None));
    }
    let Some(model) = ctx.app().language_model.clone() else {
        return Ok(answered(DocumentAnswerOutcome::PassagesOnly, Vec::new(), None));
    };
    // Sending on what is labelled 42 CFR Part 2 is a disclosure that nobody has consented to.
    let sent: Vec<(usize, &Hit)> = passages.iter().enumerate().filter(|(_, hit)| !hit.part2).collect();
    if sent.is_empty() {
        return Ok(answered(DocumentAnswerOutcome::PassagesOnly, Vec::new(), None));
    }
    let known = known(ctx, &[identity]).await?;
    let chunks: Vec<_> = sent.iter().map(|(_, hit)| hit.chunk.uuid()).collect();
    ctx.note(
        &policy::ASK,
        Subject { kind: None, id: None, patient: Some(patient) },
        json!({ "model": model.name(), "sent": chunks }),
    );
    // The transaction is over and what was read is on record before anything leaves.
    ctx.finish().await?;
    let name = Some(model.name().to_owned());
    Ok(match worded(&*model, question, &sent, &known).await {
        None => answered(DocumentAnswerOutcome::ModelFailed, Vec::new(), name),
        Some(sentences) if sentences.is_empty() => answered(DocumentAnswerOutcome::NotFound, sentences, name),
        Some(sentences) => answered(DocumentAnswerOutcome::Answered, sentences, name),
    })
}

/// The model's sentences, checked and with everything put back; `None` when there is nothing to be believed.
async fn worded(
    model: &dyn LanguageModel,
    question: &Phi<String>,
    passages: &[(usize, &Hit)],
    known: &[Known],
) -> Option<Vec<Sentence>> {
    let mut tokens = Tokens::new(known);
    let hidden: Vec<String> = passages.iter().map(|(_, hit)| tokens.hide(hit.text.reveal_str())).collect();
    let question = tokens.hide(question.reveal_str());
    let answer = match model.complete(conversation(&question, &hidden)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "a question was not answered by the model");
            return None;
        }
    };
    let stated = believed(&answer, &hidden)?;
    let places = |cited: Vec<usize>| cited.into_iter().filter_map(|place| Some(passages.get(place)?.0)).collect();
    let restored = stated
        .into_iter()
        .filter_map(|one| Some(Sentence { text: tokens.restore(&one.text)?, passages: places(one.passages) }));
    Some(restored.collect())
}

/// What is known to identify patients and those around them.
///
/// # Errors
/// A denial: whoever may not see these may send nothing of a patient to a model; or a fault.
pub async fn known(ctx: &RequestContext, patients: &[Patient]) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    let mut add = |kind, value: Option<&Phi<String>>| {
        known.extend(value.map(|value| Known { kind, value: value.clone() }));
    };
    for Patient { identity, .. } in patients {
        for name in [Some(&identity.given_name), identity.middle_name.as_ref(), identity.preferred_name.as_ref()] {
            add(Kind::Person, name);
        }
        add(Kind::Person, Some(&identity.family_name));
        add(Kind::Number, Some(&identity.mrn));
        add(Kind::Number, identity.ssn.as_ref());
        add(Kind::Phone, identity.phone.as_ref());
        add(Kind::Address, identity.email.as_ref());
        if let Some(address) = &identity.address {
            let parts = address.reveal();
            let lines = [Some(&parts.line1), parts.line2.as_ref(), Some(&parts.city), Some(&parts.zip_code)];
            for line in lines.into_iter().flatten() {
                add(Kind::Address, Some(&Phi::new(line.clone())));
            }
        }
    }
    // Whoever may ask may see these too, or the question is refused: what is not known cannot be hidden.
    let ids: Vec<PatientId> = patients.iter().map(|patient| patient.id).collect();
    for contact in patients::contacts_of(ctx, &ids).await? {
        add(Kind::Person, Some(&contact.fields.name));
        add(Kind::Phone, contact.fields.phone.as_ref());
        add(Kind::Address, contact.fields.email.as_ref());
    }
    for coverage in patients::coverages_of(ctx, &ids).await? {
        add(Kind::Person, coverage.fields.subscriber_name.as_ref());
        add(Kind::Number, Some(&coverage.fields.member_number));
        add(Kind::Number, coverage.fields.group_number.as_ref());
    }
    Ok(known)
}
