//! `multipart/form-data`, read as it arrives: the small parts into memory up to a limit, files straight into the store.
//!
//! GraphQL requests with files follow the GraphQL multipart request specification: `operations`, then `map`, then the
//! files. Who asks must be allowed to upload before the first byte of a file is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Request as GraphqlRequest;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use crate::access::RequestContext;
use crate::domains::documents::graphql::StagedFiles;
use crate::domains::documents::service::begin_upload;
use crate::error::{Error, Result};
use crate::phi::Phi;

/// Files of one GraphQL request.
const MAX_FILES: usize = 50;
/// Largest part that is neither a file nor the operation, in bytes.
pub(super) const MAX_FIELD_BYTES: usize = 64 * 1024;
/// Longest silence of a sender.
const IDLE: Duration = Duration::from_secs(30);
/// Longest time for all parts of a request: 50 MiB at half a megabit a second.
const WHOLE: Duration = Duration::from_mins(15);

/// Whether a request is sent in parts.
pub(super) fn is_multipart(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// The parts of a request.
///
/// # Errors
/// [`Error::BadInput`] when it has none.
pub(super) async fn parts(request: Request) -> Result<Multipart> {
    Multipart::from_request(request, &())
        .await
        .map_err(|_| Error::bad_input("expected multipart/form-data with a boundary"))
}

/// The next part; an error when the sender stops.
pub(super) async fn next(parts: &mut Multipart) -> Result<Option<Field<'_>>> {
    match tokio::time::timeout(IDLE, parts.next_field()).await {
        Ok(Ok(field)) => Ok(field),
        Ok(Err(_)) => Err(Error::bad_input("the parts of the request cannot be read")),
        Err(_) => Err(Error::Timeout),
    }
}

/// Why a part ended too early.
#[derive(Debug)]
pub(super) enum Broken {
    Sender,
    TooSlow,
}

/// The content of a part as it arrives, until the sender falls silent.
pub(super) fn content<'a>(
    field: impl Stream<Item = Result<Bytes, MultipartError>> + Send + Unpin + 'a,
) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'a {
    futures::stream::unfold(Some(field), |field| async move {
        let mut field = field?;
        match tokio::time::timeout(IDLE, field.next()).await {
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(field))),
            Ok(Some(Err(_))) => Some((Err(Broken::Sender), None)),
            Ok(None) => None,
            Err(_) => Some((Err(Broken::TooSlow), None)),
        }
    })
}

/// A whole small part as text.
///
/// # Errors
/// [`Error::Limit`] over `limit` bytes, [`Error::BadInput`] when it is no text or does not arrive.
pub(super) async fn text(field: Field<'_>, limit: usize) -> Result<String> {
    let mut text = Vec::new();
    let mut pieces = std::pin::pin!(content(field));
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Error::bad_input("the parts of the request cannot be read"))?;
        if text.len() + piece.len() > limit {
            return Err(Error::Limit(format!("a part of the request is larger than {limit} bytes").into()));
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text).map_err(|_| Error::bad_input("a part of the request is not text"))
}

/// Runs the reading of all parts, within a time.
pub(super) async fn within_time<T>(reading: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(WHOLE, reading).await.unwrap_or(Err(Error::Timeout))
}

/// Reads a GraphQL request with files. The files are stored, encrypted, when this returns; those the operation does not
/// take are removed with the request.
///
/// # Errors
/// A denial before any file is read; [`Error::BadInput`] or [`Error::Limit`] for what was sent.
pub(super) async fn graphql(ctx: &RequestContext, request: Request) -> Result<GraphqlRequest> {
    within_time(read_graphql(ctx, request)).await
}

async fn read_graphql(ctx: &RequestContext, request: Request) -> Result<GraphqlRequest> {
    let mut parts = parts(request).await?;
    let operations = named(&mut parts, "operations", ctx.app().config.max_body_bytes).await?;
    let mut operations: Value = serde_json::from_str(&operations).map_err(|_| malformed("operations"))?;
    let map = named(&mut parts, "map", MAX_FIELD_BYTES).await?;
    let map: BTreeMap<String, Vec<String>> = serde_json::from_str(&map).map_err(|_| malformed("map"))?;
    if map.len() > MAX_FILES {
        return Err(Error::Limit(format!("a request may have at most {MAX_FILES} files").into()));
    }
    let mut places: HashMap<String, Vec<String>> = HashMap::with_capacity(map.len());
    for (part, paths) in map {
        let pointers = paths.iter().map(|path| pointer(&operations, path)).collect::<Result<_>>()?;
        places.insert(part, pointers);
    }
    let staged = Arc::new(StagedFiles::default());
    if !places.is_empty() {
        let uploader = begin_upload(ctx).await?;
        while let Some(field) = next(&mut parts).await? {
            let pointers = field.name().and_then(|name| places.remove(name)).ok_or_else(|| malformed("map"))?;
            let name = Phi::new(field.file_name().unwrap_or_default().to_owned());
            let value = staged.add(uploader.stage(content(field)).await?, name);
            for pointer in pointers {
                if let Some(place) = operations.pointer_mut(&pointer) {
                    *place = Value::from(value.as_str());
                }
            }
        }
    }
    if !places.is_empty() {
        return Err(Error::bad_input("a file named in `map` was not sent"));
    }
    let request: GraphqlRequest = serde_json::from_value(operations).map_err(|_| malformed("operations"))?;
    Ok(request.data(staged))
}

/// The text of the next part, which must have this name.
async fn named(parts: &mut Multipart, name: &'static str, limit: usize) -> Result<String> {
    match next(parts).await? {
        Some(field) if field.name() == Some(name) => text(field, limit).await,
        _ => Err(Error::bad_input("expected the parts `operations`, `map` and then the files, in this order")),
    }
}

/// `variables.input.file` as a JSON pointer to a null.
fn pointer(operations: &Value, path: &str) -> Result<String> {
    let pointer = format!("/{}", path.replace('.', "/"));
    match operations.pointer(&pointer) {
        Some(Value::Null) if pointer.starts_with("/variables/") => Ok(pointer),
        _ => Err(Error::bad_input("`map` must name variables that are null in `operations`")),
    }
}

fn malformed(part: &'static str) -> Error {
    Error::bad_input(format!("the part `{part}` cannot be understood"))
}
