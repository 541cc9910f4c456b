//! Questions in the API.

use async_graphql::{Context, Object, SimpleObject};

use super::service::{self, Answered, DocumentAnswerOutcome};
use crate::domains::documents::model::REDISCLOSURE_NOTICE;
use crate::domains::documents::search::graphql::DocumentSearchHit;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::ids::PatientId;
use crate::phi::Phi;

/// What every answer says of itself.
const NOTICE: &str = "Put together by software from passages of the record; not a clinician, and not advice. Read the \
    passages before you act on it.";

/// What came of a question to a patient's record. Needs `documents.ask`.
#[derive(Debug, SimpleObject)]
pub struct DocumentAnswer {
    /// Whether and how it was answered.
    pub outcome: DocumentAnswerOutcome,
    /// The answer, a sentence each; empty unless it was answered.
    pub sentences: Vec<DocumentAnswerSentence>,
    /// The passages that were looked at, best first: all there is where no model words answers.
    pub passages: Vec<DocumentSearchHit>,
    /// Name of the model that was asked; null when none was.
    pub model: Option<String>,
    /// What the answer is and is not, to be shown with it.
    pub notice: String,
    /// What must go with the passages wherever they go; null unless one is of a document labelled `PART_2`.
    pub redisclosure_notice: Option<&'static str>,
}

/// A sentence of an answer.
#[derive(Debug, SimpleObject)]
pub struct DocumentAnswerSentence {
    /// The sentence.
    pub text: String,
    /// Where it is from, as places in `passages`, from 0; at least one. A sentence that no passage was named for, or with
    /// a number that none of these has, is left out.
    pub citations: Vec<i32>,
}

impl From<Answered> for DocumentAnswer {
    fn from(answered: Answered) -> Self {
        let sentences = answered.sentences.into_iter().map(|sentence| DocumentAnswerSentence {
            text: sentence.text.into_revealed(),
            citations: sentence.passages.into_iter().filter_map(|place| i32::try_from(place).ok()).collect(),
        });
        let part2 = answered.passages.iter().any(|hit| hit.part2);
        Self {
            redisclosure_notice: part2.then_some(REDISCLOSURE_NOTICE),
            outcome: answered.outcome,
            sentences: sentences.collect(),
            passages: answered.passages.into_iter().map(Into::into).collect(),
            model: answered.model,
            notice: NOTICE.to_owned(),
        }
    }
}

/// Queries that are answered.
#[derive(Debug, Default)]
pub struct DocumentAskQuery;

#[Object]
impl DocumentAskQuery {
    /// Answers a question from a patient's record: from its passages alone, each sentence with the passages that say it;
    /// where the server has no model that words answers, with the passages. What identifies a person is taken out before
    /// anything is sent to a model, as far as it can be told, and put back in the answer. Null for a patient whose chart
    /// the caller may not open. Needs `documents.ask`.
    #[graphql(complexity = "60 + child_complexity")]
    async fn document_ask(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The question, 1 to 1,000 characters. It is not logged.")] question: String,
        #[graphql(desc = "Whose record is asked.")] patient_id: PatientId,
    ) -> Result<Option<DocumentAnswer>> {
        match service::ask(request(ctx)?, &Phi::new(question), patient_id).await {
            Ok(answered) => Ok(Some(answered.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
