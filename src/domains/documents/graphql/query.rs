//! Queries of the domain.

use async_graphql::{Context, Object};
use chrono::NaiveDate;

use super::types::{Document, DocumentConnection};
use crate::domains::documents::model::{DocumentFilter, DocumentKind, DocumentStatus};
use crate::domains::documents::service;
use crate::error::{Error, Result};
use crate::graphql::request::request;
use crate::ids::{DocumentId, PatientId, TypedId as _};
use crate::pagination::PageRequest;

#[derive(Debug, Default)]
pub struct DocumentsQuery;

#[Object]
impl DocumentsQuery {
    /// One document; null when there is none the caller may know of. Needs `documents.read`.
    async fn document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the document.")] id: DocumentId,
    ) -> Result<Option<Document>> {
        match service::document(request(ctx)?, id).await {
            Ok(document) => Ok(Some(document.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Documents the caller may know of, last added first. Needs `documents.read`; kinds that are not administrative
    /// need `documents.read_clinical`.
    #[expect(clippy::too_many_arguments, reason = "a filter of the API is flat")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those about this patient.")] patient_id: Option<PatientId>,
        #[graphql(desc = "Only these kinds.")] kinds: Option<Vec<DocumentKind>>,
        #[graphql(desc = "Only those so far on their way into search.")] status: Option<DocumentStatus>,
        #[graphql(desc = "Only those about this day or later.")] from: Option<NaiveDate>,
        #[graphql(desc = "Only those about this day or earlier.")] to: Option<NaiveDate>,
        #[graphql(desc = "Documents to return, 1 to 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Cursor to go on from.")] after: Option<String>,
    ) -> Result<DocumentConnection> {
        let request = request(ctx)?;
        let page = PageRequest::parse(first, after.as_deref())?;
        let filter = DocumentFilter { patient: patient_id, kinds: kinds.unwrap_or_default(), status, from, to };
        let found = service::list_documents(request, &filter, page).await?.map(Document::from);
        let total = if ctx.look_ahead().field("totalCount").exists() {
            Some(service::count_documents(request, &filter).await?)
        } else {
            None
        };
        Ok(DocumentConnection::new(found, page.after.is_some(), total, |document| document.id.encode()))
    }
}
