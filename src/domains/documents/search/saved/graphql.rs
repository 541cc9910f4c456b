//! Saved searches in the API.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::NaiveDate;

use super::{Kept, SavedSearch, service};
use crate::domains::documents::graphql::DocumentUserError;
use crate::domains::documents::model::{DocumentKind, DocumentLabel};
use crate::domains::documents::search::graphql::{self, DocumentSearchConnection, DocumentSearchFilterInput};
use crate::domains::documents::search::model::{DocumentSearchMode, Filter, Search};
use crate::error::Result;
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{DocumentId, PatientId, SavedSearchId, UserId, VisitId};
use crate::phi::Phi;

/// A search that its owner keeps; nobody else sees it. Needs `documents.search.save`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct DocumentSavedSearch {
    /// Typed, opaque id.
    pub id: SavedSearchId,
    /// What its owner calls it.
    pub name: String,
    /// What is looked for.
    pub query: String,
    /// How.
    pub mode: DocumentSearchMode,
    /// In which documents.
    pub filter: DocumentSavedSearchFilter,
    /// Raised with each change; to be given as `expectedVersion`.
    pub version: i32,
    #[graphql(skip)]
    search: Search,
}

/// Which documents a saved search is about. What is null or empty holds for every document.
#[derive(Debug, SimpleObject)]
pub struct DocumentSavedSearchFilter {
    /// Only documents about this patient; null for all.
    pub patient_id: Option<PatientId>,
    /// Only documents of these kinds; empty for all.
    pub kinds: Vec<DocumentKind>,
    /// Only documents about this day or a later one; null for all.
    pub from: Option<NaiveDate>,
    /// Only documents about this day or an earlier one; null for all.
    pub to: Option<NaiveDate>,
    /// Only documents by these users; empty for all.
    pub authors: Vec<UserId>,
    /// Only documents in these languages, as BCP 47 subtags; empty for all.
    pub languages: Vec<String>,
    /// Only documents marked with each of these; empty for labelled and not.
    pub labels: Vec<DocumentLabel>,
    /// Only documents of this visit; null for all.
    pub visit_id: Option<VisitId>,
    /// Only within this document; null for all.
    pub document_id: Option<DocumentId>,
}

impl From<Filter> for DocumentSavedSearchFilter {
    fn from(filter: Filter) -> Self {
        let Filter { patient, kinds, from, to, authors, languages, labels, visit, document } = filter;
        Self {
            patient_id: patient,
            kinds,
            from,
            to,
            authors,
            languages,
            labels,
            visit_id: visit,
            document_id: document,
        }
    }
}

impl From<SavedSearch> for DocumentSavedSearch {
    fn from(saved: SavedSearch) -> Self {
        Self {
            id: saved.id,
            name: saved.name.into_revealed(),
            query: saved.search.query.reveal().clone(),
            mode: saved.search.mode,
            filter: saved.search.filter.clone().into(),
            version: saved.version,
            search: saved.search,
        }
    }
}

#[ComplexObject]
impl DocumentSavedSearch {
    /// What it finds now, best first. Needs `documents.search`.
    async fn results(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Results to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentSearchConnection> {
        graphql::run(request(ctx)?, &self.search, first, after.as_deref()).await
    }
}

/// Queries of saved searches.
#[derive(Debug, Default)]
pub struct SavedSearchQuery;

#[Object]
impl SavedSearchQuery {
    /// The caller's saved searches, at most 100, in the order they were saved. Needs `documents.search.save`.
    async fn document_saved_searches(&self, ctx: &Context<'_>) -> Result<Vec<DocumentSavedSearch>> {
        Ok(service::saved_searches(request(ctx)?).await?.into_iter().map(Into::into).collect())
    }
}

/// A search to be kept.
#[derive(InputObject)]
pub struct DocumentSearchSaveInput {
    /// What to call it, 1 to 100 characters.
    pub name: String,
    /// What is looked for, 1 to 1,000 characters.
    pub query: String,
    /// How.
    #[graphql(default_with = "DocumentSearchMode::Hybrid")]
    pub mode: DocumentSearchMode,
    /// In which documents; in all when left out.
    pub filter: Option<DocumentSearchFilterInput>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// What a saved search is to be from now on.
#[derive(InputObject)]
pub struct DocumentSavedSearchReplaceInput {
    /// Id of the saved search.
    pub id: SavedSearchId,
    /// The `version` that was read.
    pub expected_version: i32,
    /// What to call it, 1 to 100 characters.
    pub name: String,
    /// What is looked for, 1 to 1,000 characters.
    pub query: String,
    /// How.
    #[graphql(default_with = "DocumentSearchMode::Hybrid")]
    pub mode: DocumentSearchMode,
    /// In which documents; in all when left out.
    pub filter: Option<DocumentSearchFilterInput>,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A saved search to be forgotten.
#[derive(InputObject)]
pub struct DocumentSavedSearchForgetInput {
    /// Id of the saved search.
    pub id: SavedSearchId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a saved search.
    DocumentSavedSearchPayload {
        /// The saved search; null when refused.
        saved_search: DocumentSavedSearch,
    } or DocumentUserError
);

payload!(
    /// What became of a saved search that is to be forgotten.
    DocumentSavedSearchForgetPayload {
        /// Its id; null when refused.
        forgotten_id: SavedSearchId,
    } or DocumentUserError
);

/// Mutations of saved searches.
#[derive(Debug, Default)]
pub struct SavedSearchMutation;

#[Object]
impl SavedSearchMutation {
    /// Keeps a search of one's own. Needs `documents.search.save`.
    async fn document_search_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The search.")] input: DocumentSearchSaveInput,
    ) -> Result<DocumentSavedSearchPayload> {
        let DocumentSearchSaveInput { name, query, mode, filter, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        let search = Search { query: Phi::new(query), mode, filter: filter.unwrap_or_default().into() };
        match service::save_search(request(ctx)?, Kept { name: Phi::new(name), search }, once).await {
            Ok(id) => done(ctx, id).await,
            Err(stop) => DocumentSavedSearchPayload::refused(stop),
        }
    }

    /// Replaces a search that is kept. Needs `documents.search.save`; only one's own.
    async fn document_saved_search_replace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: DocumentSavedSearchReplaceInput,
    ) -> Result<DocumentSavedSearchPayload> {
        let DocumentSavedSearchReplaceInput { id, expected_version, name, query, mode, filter, idempotency_key } =
            input;
        let once = once(ctx, idempotency_key)?;
        let search = Search { query: Phi::new(query), mode, filter: filter.unwrap_or_default().into() };
        let kept = Kept { name: Phi::new(name), search };
        match service::replace_search(request(ctx)?, id, expected_version, kept, once).await {
            Ok(id) => done(ctx, id).await,
            Err(stop) => DocumentSavedSearchPayload::refused(stop),
        }
    }

    /// Forgets a search that is kept. Needs `documents.search.save`; only one's own.
    async fn document_saved_search_forget(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The saved search.")] input: DocumentSavedSearchForgetInput,
    ) -> Result<DocumentSavedSearchForgetPayload> {
        let DocumentSavedSearchForgetInput { id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match service::forget_search(request(ctx)?, id, once).await {
            Ok(id) => Ok(DocumentSavedSearchForgetPayload::done(id)),
            Err(stop) => DocumentSavedSearchForgetPayload::refused(stop),
        }
    }
}

async fn done(ctx: &Context<'_>, id: SavedSearchId) -> Result<DocumentSavedSearchPayload> {
    Ok(DocumentSavedSearchPayload::done(service::saved_search(request(ctx)?, id).await?.into()))
}
