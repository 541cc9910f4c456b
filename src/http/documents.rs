//! Files over plain HTTP: `POST /documents` takes one, `GET /documents/{id}/content` gives one.
//!
//! An upload is `multipart/form-data` with two parts in this order: `metadata`, a JSON object
//! (`{"kind": "LAB_RESULT", "title": "…", "fileName": "…", "documentDate": "2026-03-09", "labels": ["PART_2"],
//! "patientIds": ["pat_…"]}`;
//! only `kind` is required), and `file`. Nothing of it is in the URL or a header, where logs would see it. The header
//! `Idempotency-Key` makes retries safe. The answer is 201 with `{"id", "status", "mimeType", "sizeBytes", "sha256"}`,
//! or 422 with `{"userErrors": [{"code", "field", "message"}]}`, or `{"errors": […]}` as in GraphQL.
//!
//! A download needs the token of `Document.downloadUrl` and no other credentials. Where some are sent nevertheless,
//! they must be of the same user: a link does not work for a colleague. `RecordExport.downloadUrl` leads here too.

use async_graphql::resolver_utils::EnumType;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Edge, authentication, multipart, problem};
use crate::access::{Actor, ContextParts, Purpose, RequestContext};
use crate::crypto::signed_url::LinkPurpose;
use crate::domains::chat;
use crate::domains::documents::export;
use crate::domains::documents::model::{DocumentKind, DocumentLabel, Refusal, UploadDocument};
use crate::domains::documents::service::{self, Download};
use crate::error::{Error, Refused, Result, Stop};
use crate::graphql::request::once_of;
use crate::ids::{
    ConversationId, DocumentId, FacilityId, PatientId, RecordExportId, SessionId, TypedId as _, UserId, VisitId,
};
use crate::phi::Phi;

/// Header that makes a retried upload safe.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What parts and boundaries may add to the largest file.
const ENVELOPE_BYTES: u64 = 256 * 1024;

/// What comes with a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    kind: String,
    title: Option<Phi<String>>,
    file_name: Option<Phi<String>>,
    document_date: Option<NaiveDate>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    patient_ids: Vec<String>,
    visit_id: Option<String>,
}

/// `POST /documents`.
pub(super) async fn upload(State(edge): State<Edge>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let who = match authentication::identify(&edge.app, &parts) {
        Ok(who) => who,
        Err(error) => return problem::respond(&error, Uuid::now_v7()),
    };
    let request_id = who.request_id;
    if let Err(error) = edge.rate.check(&who) {
        edge.app.metrics.rate_limited("documents");
        return problem::respond(&error, request_id);
    }
    let ctx = RequestContext::new(edge.app.clone(), who);
    let outcome = match refuse_early(&ctx, &parts) {
        Ok(()) => multipart::within_time(receive(&ctx, &parts.headers, Request::from_parts(parts.clone(), body))).await,
        Err(error) => Err(error),
    };
    // What was noted on the way, a denial for one, is on record before the answer.
    let answer = match (outcome, ctx.finish().await) {
        (Ok(answer), Ok(())) => answer,
        (Err(error), _) | (Ok(_), Err(error)) => problem::respond(&error, request_id),
    };
    problem::identified(answer, request_id)
}

/// A length that cannot fit is refused before anything is read.
fn refuse_early(ctx: &RequestContext, parts: &Parts) -> Result<()> {
    let limit = ctx.app().config.max_upload_bytes;
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit + ENVELOPE_BYTES) {
        return Err(Error::Limit(format!("a file may have at most {limit} bytes").into()));
    }
    Ok(())
}

async fn receive(ctx: &RequestContext, headers: &HeaderMap, request: Request) -> Result<Response> {
    let uploader = service::begin_upload(ctx).await?;
    let mut parts = multipart::parts(request).await?;
    let sent = match multipart::next(&mut parts).await? {
        Some(field) if field.name() == Some("metadata") => multipart::text(field, multipart::MAX_FIELD_BYTES).await?,
        _ => return Err(Error::bad_input("the first part must be `metadata`")),
    };
    let metadata: Metadata =
        serde_json::from_str(&sent).map_err(|_| Error::bad_input("`metadata` cannot be understood"))?;
    let kind = DocumentKind::parse(&metadata.kind.to_ascii_lowercase())
        .ok_or_else(|| Error::bad_input("`kind` of `metadata` is not a kind of document"))?;
    uploader.require_kind(kind)?;
    let patient_ids = metadata.patient_ids.iter().map(|id| PatientId::decode(id)).collect::<Result<_, _>>();
    let patient_ids =
        patient_ids.map_err(|_| Error::bad_input("`patientIds` of `metadata` has what is no patient's id"))?;
    let visit_id = metadata.visit_id.as_deref().map(VisitId::decode).transpose();
    let visit_id = visit_id.map_err(|_| Error::bad_input("`visitId` of `metadata` is no visit's id"))?;
    let labels = metadata.labels.iter().map(|label| label_of(label)).collect::<Option<Vec<_>>>();
    let labels = labels.ok_or_else(|| Error::bad_input("`labels` of `metadata` has what is no label"))?;
    let (staged, named) = match multipart::next(&mut parts).await? {
        Some(field) if field.name() == Some("file") => {
            let named = Phi::new(field.file_name().unwrap_or_default().to_owned());
            (uploader.stage(multipart::content(field)).await?, named)
        }
        _ => return Err(Error::bad_input("the second part must be `file`")),
    };
    let once = match headers.get(IDEMPOTENCY_KEY) {
        None => None,
        Some(key) => {
            let key = key.to_str().map_err(|_| Error::bad_input("Idempotency-Key is not text"))?.to_owned();
            let content = staged.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
            Some(once_of(ctx, key, &[sent, named.reveal().clone(), content]))
        }
    };
    let new = UploadDocument {
        kind,
        title: metadata.title,
        file_name: metadata.file_name.unwrap_or(named),
        document_date: metadata.document_date,
        labels,
        patient_ids,
        visit_id,
    };
    match service::upload_document(ctx, new, staged, once).await {
        Ok(id) => created(ctx, id).await,
        Err(Stop::Refused(faults)) => Ok(refused(faults)),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// The label of this name in the API.
fn label_of(name: &str) -> Option<DocumentLabel> {
    <DocumentLabel as EnumType>::items().iter().find(|item| item.name == name).map(|item| item.value)
}

async fn created(ctx: &RequestContext, id: DocumentId) -> Result<Response> {
    let document = service::document(ctx, id).await?;
    let body = json!({
        "id": id.encode(),
        "status": document.status.as_str().to_ascii_uppercase(),
        "mimeType": document.mime_type,
        "sizeBytes": document.size_bytes,
        "sha256": document.sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    });
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

fn refused(faults: Vec<Refused<Refusal>>) -> Response {
    let faults: Vec<_> = faults
        .into_iter()
        .map(|fault| {
            let code = <Refusal as EnumType>::items()
                .iter()
                .find(|item| item.value == fault.code)
                .map_or("INVALID", |item| item.name);
            json!({ "code": code, "field": fault.field, "message": fault.message })
        })
        .collect();
    (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(json!({ "userErrors": faults }))).into_response()
}

/// The token of a link.
#[derive(Deserialize)]
pub(super) struct Link {
    token: String,
}

/// `GET /documents/{id}/content?token=…`, and `GET /conversations/{id}/content?token=…`.
pub(super) async fn download(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    link: Result<Query<Link>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let request_id = Uuid::now_v7();
    let token = link.map_or_else(|_| String::new(), |Query(link)| link.token);
    let answer = match follow(&edge, &parts, &id, &token, request_id).await {
        Ok(download) => send(download, request_id),
        Err(error) => problem::respond(&error, request_id),
    };
    problem::identified(answer, request_id)
}

/// What a link leads to.
enum Wanted {
    Document(DocumentId),
    Export(RecordExportId),
    Conversation(ConversationId),
}

impl Wanted {
    fn decode(id: &str) -> Option<Self> {
        let document = DocumentId::decode(id).map(Self::Document);
        let export = document.or_else(|_| RecordExportId::decode(id).map(Self::Export));
        export.or_else(|_| ConversationId::decode(id).map(Self::Conversation)).ok()
    }

    fn uuid(&self) -> Uuid {
        match self {
            Self::Document(id) => id.uuid(),
            Self::Export(id) => id.uuid(),
            Self::Conversation(id) => id.uuid(),
        }
    }
}

async fn follow(edge: &Edge, parts: &Parts, id: &str, token: &str, request_id: Uuid) -> Result<Download> {
    let app = &edge.app;
    let invalid = || Error::Unauthenticated;
    let claims = app.links.verify(token, LinkPurpose::Download, app.clock.now()).map_err(|_| invalid())?;
    let wanted = Wanted::decode(id).ok_or(Error::NotFound)?;
    if claims.document != wanted.uuid() {
        return Err(invalid());
    }
    let (user, session) = (UserId::from_uuid(claims.user), SessionId::from_uuid(claims.session));
    if authentication::bearer(app, &parts.headers)?.is_some_and(|bearer| bearer.user != user) {
        return Err(Error::NotFound);
    }
    let who = ContextParts {
        actor: Actor::User { user, session },
        facility: FacilityId::from_uuid(claims.facility),
        purpose: Purpose::Treatment,
        request_id,
        ip_address: authentication::client_address(app, parts).map(|address| address.to_string()),
        user_agent: None,
    };
    edge.rate.check(&who).inspect_err(|_| edge.app.metrics.rate_limited("documents"))?;
    let ctx = RequestContext::new(app.clone(), who);
    let opened = match wanted {
        Wanted::Document(id) => service::open_content(&ctx, id).await,
        Wanted::Export(id) => export::service::open_export(&ctx, id).await,
        Wanted::Conversation(id) => chat::export::service::open(&ctx, id).await,
    };
    ctx.finish().await?;
    opened
}

/// The file as an attachment that no browser shows in our name.
fn send(download: Download, request_id: Uuid) -> Response {
    use futures::StreamExt as _;
    let content = download.content.inspect(move |piece| {
        if let Err(error) = piece {
            tracing::error!(%request_id, %error, "a download was cut off");
        }
    });
    let mut response = Response::new(Body::from_stream(content));
    let headers = response.headers_mut();
    let media = HeaderValue::from_str(&download.mime_type);
    headers.insert(header::CONTENT_TYPE, media.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    if let Some(size) = download.size_bytes {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    if let Ok(name) = HeaderValue::from_str(&disposition(&download.file_name)) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// RFC 6266: the name in UTF-8, and one in ASCII for what does not know that form.
fn disposition(name: &Phi<String>) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("attachment; filename=\"document\"; filename*=UTF-8''");
    for byte in name.reveal().bytes() {
        // attr-char of RFC 8187.
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::disposition;
    use crate::phi::Phi;

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let header = disposition(&Phi::from("Müller \"1\"\r\n.pdf"));
        assert_eq!(header, "attachment; filename=\"document\"; filename*=UTF-8''M%C3%BCller%20%221%22%0D%0A.pdf");
    }
}
