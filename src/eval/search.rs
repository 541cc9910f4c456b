//! Runs the queries of a set through the search service and judges what comes back.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::dataset::{Dataset, Half, Query};
use super::metrics::Figures;
use super::scratch::Scratch;
use crate::access::RequestContext;
use crate::domains::documents::search::model::{DocumentSearchMode, Hit, Search};
use crate::domains::documents::search::service;
use crate::error::Result;
use crate::ids::DocumentId;
use crate::pagination::{MAX_PAGE, PageRequest};
use crate::phi::Phi;

/// One query answered in one mode.
#[derive(Debug, Clone)]
pub struct Answer {
    pub query: String,
    pub group: String,
    pub mode: DocumentSearchMode,
    /// Passages of the set, best first, each once: by its best stretch.
    pub ranking: Vec<Ranked>,
    pub figures: Figures,
    pub took: Duration,
}

/// A passage of the set as found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    pub passage: String,
    pub score: f64,
}

/// A row of the report: a group of queries in one mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Empty for all queries.
    pub group: String,
    pub mode: DocumentSearchMode,
    pub queries: usize,
    pub figures: Figures,
    /// Half of the queries were answered within.
    pub median: Duration,
}

/// Answers the queries of one half in each of the modes.
///
/// # Errors
/// When a search fails.
pub async fn run(
    ctx: &RequestContext,
    scratch: &Scratch,
    dataset: &Dataset,
    half: Half,
    modes: &[DocumentSearchMode],
) -> Result<Vec<Answer>> {
    let passages = scratch.passages();
    let mut answers = Vec::new();
    for mode in modes {
        for query in dataset.queries.iter().filter(|query| half.holds(&query.id)) {
            answers.push(answer(ctx, &passages, query, *mode).await?);
        }
    }
    Ok(answers)
}

async fn answer(
    ctx: &RequestContext,
    passages: &HashMap<DocumentId, &str>,
    query: &Query,
    mode: DocumentSearchMode,
) -> Result<Answer> {
    let search = Search::new(Phi::new(query.text.clone()), mode);
    let page = PageRequest { first: i64::from(MAX_PAGE), after: None };
    let begun = Instant::now();
    let found = service::search(ctx, &search, page).await?;
    // As a request does: what was read is recorded before it is answered.
    ctx.finish().await?;
    let took = begun.elapsed();
    let ranking = ranking(passages, &found.page.rows);
    let ids: Vec<&str> = ranking.iter().map(|ranked| ranked.passage.as_str()).collect();
    let figures = Figures::of(&ids, &query.relevant);
    Ok(Answer { query: query.id.clone(), group: query.group.clone(), mode, ranking, figures, took })
}

/// Each passage once, where its best stretch stands.
fn ranking(passages: &HashMap<DocumentId, &str>, hits: &[Hit]) -> Vec<Ranked> {
    let mut seen = std::collections::HashSet::new();
    hits.iter()
        .filter(|hit| seen.insert(hit.document))
        .filter_map(|hit| Some(Ranked { passage: (*passages.get(&hit.document)?).to_owned(), score: hit.score }))
        .collect()
}

/// Means over all queries and, where there are groups, over each.
#[must_use]
pub fn report(answers: &[Answer]) -> Vec<Row> {
    let mut rows: BTreeMap<(String, &'static str), Vec<&Answer>> = BTreeMap::new();
    let grouped = answers.iter().any(|answer| !answer.group.is_empty());
    for answer in answers {
        rows.entry((String::new(), answer.mode.as_str())).or_default().push(answer);
        if grouped {
            rows.entry((answer.group.clone(), answer.mode.as_str())).or_default().push(answer);
        }
    }
    let row = |((group, _), answers): ((String, &str), Vec<&Answer>)| {
        let figures: Vec<Figures> = answers.iter().map(|answer| answer.figures).collect();
        let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
        times.sort_unstable();
        Some(Row {
            group,
            mode: answers.first()?.mode,
            queries: answers.len(),
            figures: Figures::mean(&figures),
            median: times[times.len() / 2],
        })
    };
    rows.into_iter().filter_map(row).collect()
}
