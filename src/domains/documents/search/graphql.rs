//! Search in the API.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::NaiveDate;

use super::model::{DocumentSearchMode, Filter, Found, Hit, Mark, Place, Search};
use super::passage::passage;
use super::service;
use crate::access::RequestContext;
use crate::domains::documents::graphql::Document;
use crate::domains::documents::loaders::DocumentLoader;
use crate::domains::documents::model::{DocumentKind, DocumentLabel, REDISCLOSURE_NOTICE};
use crate::error::{Error, Result};
use crate::graphql::connection::PageInfo;
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::request::request;
use crate::ids::{ChunkId, DocumentId, PatientId, TypedId as _, UserId, VisitId};
use crate::pagination::PageRequest;
use crate::phi::Phi;

/// A page of search results, best first.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct DocumentSearchConnection {
    /// The page.
    pub edges: Vec<DocumentSearchEdge>,
    /// Where the page stands. At most 200 results can be paged through.
    pub page_info: PageInfo,
    /// Whether a cross-encoder has put the first 50 in order: asked for by the mode, and answered in time.
    pub reranked: bool,
    #[graphql(skip)]
    documents: Vec<DocumentId>,
}

#[ComplexObject]
impl DocumentSearchConnection {
    /// How many documents of the whole result, all that can be paged through, are of each kind and of each month.
    /// Needs `documents.search`.
    async fn facets(&self, ctx: &Context<'_>) -> Result<DocumentSearchFacets> {
        let facets = service::facets(request(ctx)?, &self.documents).await?;
        let count = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let kinds = facets.kinds.into_iter();
        let months = facets.months.into_iter();
        Ok(DocumentSearchFacets {
            kinds: kinds.map(|(kind, found)| DocumentKindCount { kind, count: count(found) }).collect(),
            months: months.map(|(month, found)| DocumentMonthCount { month, count: count(found) }).collect(),
        })
    }
}

/// What a search result is made of.
#[derive(Debug, SimpleObject)]
pub struct DocumentSearchFacets {
    /// The most frequent kind first.
    pub kinds: Vec<DocumentKindCount>,
    /// The newest month first.
    pub months: Vec<DocumentMonthCount>,
}

/// How many documents are of a kind.
#[derive(Debug, SimpleObject)]
pub struct DocumentKindCount {
    /// The kind.
    pub kind: DocumentKind,
    /// Documents of it.
    pub count: i32,
}

/// How many documents are about a month.
#[derive(Debug, SimpleObject)]
pub struct DocumentMonthCount {
    /// First day of the month.
    pub month: NaiveDate,
    /// Documents about a day of it.
    pub count: i32,
}

/// A search result with its cursor.
#[derive(Debug, SimpleObject)]
pub struct DocumentSearchEdge {
    /// Opaque; give it as `after` of the same search to go on from here.
    pub cursor: String,
    /// The result.
    pub node: DocumentSearchHit,
}

/// A passage that answers a search.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct DocumentSearchHit {
    /// 0 to 1, the greater the better. Comparable within one search only.
    pub score: f64,
    /// Place in the ranking by meaning, from 1; null when it is not among its 100 best or was not asked for.
    pub semantic_rank: Option<i32>,
    /// Place in the ranking by words, from 1; null when it is not among its 100 best or was not asked for.
    pub lexical_rank: Option<i32>,
    /// Whether the passage has words of the query, and says of all of them that it is not so: `denies suicidal ideation`
    /// to a search for suicidal ideation. Read from the sentence, by fixed rules; look at the passage.
    pub negated: bool,
    /// The passage.
    pub passage: DocumentPassage,
    #[graphql(skip)]
    document_id: DocumentId,
}

#[ComplexObject]
impl DocumentSearchHit {
    /// The document the passage is from; null when it cannot be seen any more. Needs `documents.read`.
    async fn document(&self, ctx: &Context<'_>) -> Result<Option<Document>, LoadError> {
        Ok(load_one::<DocumentLoader>(ctx, self.document_id).await?.map(Into::into))
    }
}

/// A stretch of a document, as long as search reads at once. Needs `documents.search`.
#[derive(Debug, SimpleObject)]
pub struct DocumentPassage {
    /// Typed, opaque id. A passage gets another one when its document is processed anew.
    pub id: ChunkId,
    /// The text.
    pub text: String,
    /// Page of the file it stands on, from 1; null for text without pages.
    pub page: Option<i32>,
    /// 0, 1, 2 … in the document.
    pub position: i32,
    /// First character in the text of the page, or of the document where there are no pages; in Unicode scalar values.
    pub start_char: i32,
    /// The character after its last.
    pub end_char: i32,
    /// Where it stands on its page; null for text that was not read from a picture.
    pub place: Option<DocumentPassagePlace>,
    /// What must go with the text wherever it goes; null unless its document is labelled `PART_2`.
    pub redisclosure_notice: Option<&'static str>,
    /// Words of the passage that the query has too, in any grammatical form, by another clinical name, or mistyped; none
    /// where nothing was searched for.
    pub highlights: Vec<DocumentHighlight>,
}

/// A box on a page, in ten-thousandths of its width and height, counted from the upper left corner.
#[derive(Debug, SimpleObject)]
pub struct DocumentPassagePlace {
    /// Left edge.
    pub left: i32,
    /// Upper edge.
    pub top: i32,
    /// Right edge.
    pub right: i32,
    /// Lower edge.
    pub bottom: i32,
}

impl From<Place> for DocumentPassagePlace {
    fn from(place: Place) -> Self {
        let Place { left, top, right, bottom } = place;
        Self { left: left.into(), top: top.into(), right: right.into(), bottom: bottom.into() }
    }
}

/// A word to be marked.
#[derive(Debug, SimpleObject)]
pub struct DocumentHighlight {
    /// Its first character in the text of the passage, in Unicode scalar values.
    pub start: i32,
    /// The character after its last.
    pub end: i32,
    /// Whether its sentence says that it is not so.
    pub negated: bool,
}

impl From<Mark> for DocumentHighlight {
    fn from(mark: Mark) -> Self {
        let place = |place| i32::try_from(place).unwrap_or(i32::MAX);
        Self { start: place(mark.place.start), end: place(mark.place.end), negated: mark.negated }
    }
}

impl From<Hit> for DocumentSearchHit {
    fn from(hit: Hit) -> Self {
        Self {
            score: hit.score,
            semantic_rank: hit.semantic_rank,
            lexical_rank: hit.lexical_rank,
            negated: hit.negated(),
            document_id: hit.document,
            passage: hit.into(),
        }
    }
}

impl From<Hit> for DocumentPassage {
    fn from(hit: Hit) -> Self {
        Self {
            id: hit.chunk,
            text: hit.text.into_revealed(),
            page: hit.page,
            position: hit.position,
            start_char: hit.start_char,
            end_char: hit.end_char,
            place: hit.place.map(Into::into),
            redisclosure_notice: hit.part2.then_some(REDISCLOSURE_NOTICE),
            highlights: hit.highlights.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Hit> for DocumentSearchEdge {
    fn from(hit: Hit) -> Self {
        Self { cursor: hit.chunk.encode(), node: hit.into() }
    }
}

/// Passages like another one.
#[derive(Debug, SimpleObject)]
pub struct DocumentSimilarPassages {
    /// The passage that was given.
    pub passage: DocumentPassage,
    /// The nearest in meaning first.
    pub hits: Vec<DocumentSearchHit>,
}

/// Which documents are searched. What is left out holds for every document.
#[derive(Debug, Clone, Default, InputObject)]
pub struct DocumentSearchFilterInput {
    /// Only documents about this patient.
    pub patient_id: Option<PatientId>,
    /// Only documents of these kinds; of all when empty.
    pub kinds: Option<Vec<DocumentKind>>,
    /// Only documents about this day or a later one.
    pub from: Option<NaiveDate>,
    /// Only documents about this day or an earlier one.
    pub to: Option<NaiveDate>,
    /// Only documents by these users; by all when empty.
    pub authors: Option<Vec<UserId>>,
    /// Only documents in these languages, as BCP 47 subtags (`en`, `es`); in all when empty, also where the language is
    /// not known.
    pub languages: Option<Vec<String>>,
    /// Only documents marked with each of these; labelled and not when empty.
    pub labels: Option<Vec<DocumentLabel>>,
    /// Only documents of this visit.
    pub visit_id: Option<VisitId>,
    /// Only within this document.
    pub document_id: Option<DocumentId>,
}

impl From<DocumentSearchFilterInput> for Filter {
    fn from(input: DocumentSearchFilterInput) -> Self {
        Self {
            patient: input.patient_id,
            kinds: input.kinds.unwrap_or_default(),
            from: input.from,
            to: input.to,
            authors: input.authors.unwrap_or_default(),
            languages: input.languages.unwrap_or_default(),
            labels: input.labels.unwrap_or_default(),
            visit: input.visit_id,
            document: input.document_id,
        }
    }
}

/// Runs a search and gives the page asked for.
pub(super) async fn run(
    ctx: &RequestContext,
    search: &Search,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<DocumentSearchConnection> {
    let page = PageRequest::parse(first, after)?;
    let Found { page: found, documents, reranked } = service::search(ctx, search, page).await?;
    let edges: Vec<DocumentSearchEdge> = found.rows.into_iter().map(Into::into).collect();
    let page_info = PageInfo {
        has_next_page: found.has_next,
        has_previous_page: page.after.is_some(),
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
    };
    Ok(DocumentSearchConnection { edges, page_info, reranked, documents })
}

/// Queries of search.
#[derive(Debug, Default)]
pub struct DocumentSearchQuery;

#[Object]
impl DocumentSearchQuery {
    /// Passages of documents that answer a question, best first: by meaning, by words, or by both. Finds what the
    /// caller may open, of kinds the role may read. Needs `documents.search`.
    async fn document_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is looked for, 1 to 1,000 characters. It is not logged.")] query: String,
        #[graphql(desc = "Which documents; all when left out.")] filter: Option<DocumentSearchFilterInput>,
        #[graphql(desc = "How to search.", default_with = "DocumentSearchMode::Hybrid")] mode: DocumentSearchMode,
        #[graphql(desc = "Results to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentSearchConnection> {
        let search = Search { query: Phi::new(query), mode, filter: filter.unwrap_or_default().into() };
        run(request(ctx)?, &search, first, after.as_deref()).await
    }

    /// Passages of other documents that say most nearly what a passage says, best first; null when there is no such
    /// passage, or none the caller may read. Needs `documents.search`.
    async fn document_passages_like(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The passage, by its id in a search result.")] passage_id: ChunkId,
        #[graphql(desc = "Which documents; all others when left out.")] filter: Option<DocumentSearchFilterInput>,
        #[graphql(desc = "Results to return, 1 to 100; 20 when left out.")] first: Option<i32>,
    ) -> Result<Option<DocumentSimilarPassages>> {
        let first = PageRequest::<ChunkId>::parse(first, None)?.first;
        let filter: Filter = filter.unwrap_or_default().into();
        let request = request(ctx)?;
        let found = async {
            let given = passage(request, passage_id).await?;
            let hits = service::similar(request, passage_id, &filter, first).await?;
            Ok::<_, Error>(DocumentSimilarPassages {
                passage: given.into(),
                hits: hits.into_iter().map(Into::into).collect(),
            })
        };
        match found.await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
