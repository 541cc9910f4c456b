//! Persisted operations: a client sends the hash of a document instead of the document.
//!
//! Automatic: an unknown hash is answered `PERSISTED_QUERY_NOT_FOUND`, the client sends hash and text once,
//! the text is kept. Allow-list: only operations of a file run, whatever is sent.
//!
//! A document that was parsed once is not parsed again. Validation is not spared: it looks at the variables too.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextPrepareRequest};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, ServerError, ServerResult, Value, Variables};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

/// Bytes of the documents kept as text. The least used go.
const KEPT: u64 = 4 * 1024 * 1024;
/// Bytes of the documents kept parsed, by their text: what is made of it may be a hundred times as large.
const KEPT_PARSED: u64 = 512 * 1024;

/// Persisted operations of this process.
#[derive(Debug, Clone)]
pub struct Persisted {
    learned: Cache<String, Arc<str>>,
    parsed: Cache<Arc<str>, Arc<ExecutableDocument>>,
    allowed: Option<Arc<HashMap<String, String>>>,
}

impl Persisted {
    /// Learns what clients send; with an allow-list, knows that list and nothing else.
    #[must_use]
    pub fn new(allowed: Option<HashMap<String, String>>) -> Self {
        let weight = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let learned = Cache::builder().max_capacity(KEPT).weigher(move |_, text: &Arc<str>| weight(text)).build();
        let parsed = Cache::builder().max_capacity(KEPT_PARSED).weigher(move |text: &Arc<str>, _| weight(text)).build();
        Self { learned, parsed, allowed: allowed.map(Arc::new) }
    }

    /// Reads an allow-list: one JSON object of hash to document.
    ///
    /// # Errors
    /// A sentence about what is wrong with the file.
    pub fn read_allowed(path: &std::path::Path) -> Result<HashMap<String, String>, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let listed: HashMap<String, String> =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        match listed.iter().find(|(hash, document)| hash_of(document) != **hash) {
            Some((hash, _)) => Err(format!("{}: {hash} is not the SHA-256 of its document", path.display())),
            None => Ok(listed),
        }
    }

    fn resolve(&self, mut request: Request) -> ServerResult<Request> {
        let named = named_hash(&request)?;
        if let Some(allowed) = &self.allowed {
            let hash = if request.query.is_empty() { named.unwrap_or_default() } else { hash_of(&request.query) };
            return match allowed.get(&hash) {
                Some(document) => {
                    request.query.clone_from(document);
                    Ok(request)
                }
                None => Err(coded("OPERATION_NOT_ALLOWED", "this operation is not on the list of allowed ones")),
            };
        }
        let Some(hash) = named else { return Ok(request) };
        if request.query.is_empty() {
            let document =
                self.learned.get(&hash).ok_or_else(|| coded("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"))?;
            request.query = document.to_string();
        } else if hash_of(&request.query) == hash {
            self.learned.insert(hash, Arc::from(request.query.as_str()));
        } else {
            return Err(coded("BAD_USER_INPUT", "the hash is not the SHA-256 of the document"));
        }
        Ok(request)
    }
}

/// SHA-256 of a document in hexadecimal.
fn hash_of(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash in `extensions.persistedQuery`, version 1.
fn named_hash(request: &Request) -> ServerResult<Option<String>> {
    let Some(Value::Object(extension)) = request.extensions.get("persistedQuery") else { return Ok(None) };
    match (extension.get("version"), extension.get("sha256Hash")) {
        (Some(Value::Number(version)), Some(Value::String(hash))) if version.as_u64() == Some(1) => {
            Ok(Some(hash.to_ascii_lowercase()))
        }
        _ => Err(coded("BAD_USER_INPUT", "`persistedQuery` needs `version` 1 and `sha256Hash`")),
    }
}

fn coded(code: &str, message: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", Value::from(code));
    error
}

impl ExtensionFactory for Persisted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Persisted {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let request = next.run(ctx, request).await?;
        let mut request = self.resolve(request)?;
        if let Some(document) = self.parsed.get(request.query.as_str()) {
            request.set_parsed_query((*document).clone());
        }
        Ok(request)
    }

    /// What came through the parser and its limits is worth keeping.
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        if !self.parsed.contains_key(query) {
            self.parsed.insert(Arc::from(query), Arc::new(document.clone()));
        }
        Ok(document)
    }
}
