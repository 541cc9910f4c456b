//! What may be told of an operation: its type and the hash of its document, never its name or its words.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextSubscribe,
};
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Response, ServerResult, Variables};
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};

/// What one request turned out to be; put into its data, and read when it is over.
#[derive(Debug, Clone, Default)]
pub struct Observed(Arc<Mutex<Seen>>);

#[derive(Debug, Clone, Default)]
struct Seen {
    kind: Option<&'static str>,
    document_hash: Option<String>,
}

impl Observed {
    /// `query`, `mutation` or `subscription`; `unknown` for what did not come so far.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kind.unwrap_or("unknown")
    }

    /// SHA-256 of the document in hexadecimal.
    #[must_use]
    pub fn document_hash(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).document_hash.clone()
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Fills the [`Observed`] of each request.
#[derive(Debug, Clone, Copy)]
pub struct Observing;

impl ExtensionFactory for Observing {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Watch::default())
    }
}

/// The operations of one document by name.
#[derive(Default)]
struct Watch {
    operations: Mutex<Vec<(Option<String>, &'static str)>>,
}

const fn word(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Watch {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let observed = ctx.data_opt::<Observed>();
        if let Some(observed) = observed {
            let hash = Sha256::digest(query).iter().map(|byte| format!("{byte:02x}")).collect();
            observed.note(|seen| seen.document_hash = Some(hash));
        }
        let document = next.run(ctx, query, variables).await?;
        let operations = document
            .operations
            .iter()
            .map(|(name, operation)| (name.map(ToString::to_string), word(operation.node.ty)));
        *self.operations.lock().unwrap_or_else(PoisonError::into_inner) = operations.collect();
        Ok(document)
    }

    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        if let Some(observed) = ctx.data_opt::<Observed>() {
            observed.note(|seen| seen.kind = Some(word(OperationType::Subscription)));
        }
        next.run(ctx, stream)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(observed) = ctx.data_opt::<Observed>() {
            let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let chosen =
                operations.iter().find(|(name, _)| operation_name.is_none() || name.as_deref() == operation_name);
            observed.note(|seen| seen.kind = chosen.map(|(_, kind)| *kind));
        }
        next.run(ctx, operation_name).await
    }
}
