//! Exports in the API: translation only.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::service::{self, RecordExportStatus};
use crate::domains::documents::graphql::DocumentUserError;
use crate::domains::patients::graphql::Patient;
use crate::domains::patients::loaders::PatientLoader;
use crate::error::{Error, Result};
use crate::graphql::loaders::{LoadError, load_one};
use crate::graphql::payload::payload;
use crate::graphql::request::{once, request};
use crate::ids::{PatientId, RecordExportId};

/// The documents of a patient as one archive; seen by whoever asked for it. Needs `documents.export`.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct RecordExport {
    /// Typed, opaque id.
    pub id: RecordExportId,
    /// How far it is.
    pub status: RecordExportStatus,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When it was made; null before.
    pub ready_at: Option<DateTime<Utc>>,
    /// When it goes away.
    pub expires_at: DateTime<Utc>,
    /// Documents in it; null before it is made.
    pub document_count: Option<i32>,
    /// Size in bytes; null before it is made.
    pub size_bytes: Option<i64>,
    /// SHA-256 of the archive, in hexadecimal; null before it is made.
    pub sha256: Option<String>,
    #[graphql(skip)]
    pub patient_id: PatientId,
}

#[ComplexObject]
impl RecordExport {
    /// Whose documents; null when the chart is not open to the caller any more. Needs `patients.read`.
    async fn patient(&self, ctx: &Context<'_>) -> Result<Option<Patient>, LoadError> {
        Ok(load_one::<PatientLoader>(ctx, self.patient_id).await?.map(Into::into))
    }

    /// Where it can be fetched for five minutes, by this user in this session: a path on this server, with a token. Null
    /// unless `status` is `READY`. Needs `documents.export`; fetching is recorded.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        match self.status {
            RecordExportStatus::Ready => service::export_link(request(ctx)?, self.id).await.map(Some),
            _ => Ok(None),
        }
    }
}

impl From<service::RecordExport> for RecordExport {
    fn from(export: service::RecordExport) -> Self {
        Self {
            id: export.id,
            status: export.status,
            requested_at: export.requested_at,
            ready_at: export.ready_at,
            expires_at: export.expires_at,
            document_count: export.document_count,
            size_bytes: export.size_bytes,
            sha256: export.sha256.map(|sha256| sha256.iter().map(|byte| format!("{byte:02x}")).collect()),
            patient_id: export.patient,
        }
    }
}

/// Whose documents are wanted.
#[derive(InputObject)]
pub struct RecordExportStartInput {
    /// Id of the patient.
    pub patient_id: PatientId,
    /// Makes retries safe: the same key and input give the first answer again, for 24 hours.
    pub idempotency_key: Option<String>,
}

payload!(
    /// What became of a wish for an export.
    RecordExportPayload {
        /// The export; null when refused.
        export: RecordExport,
    } or DocumentUserError
);

/// Queries of exports.
#[derive(Debug, Default)]
pub struct RecordExportQuery;

#[Object]
impl RecordExportQuery {
    /// An export; null when the caller asked for none of this id. Needs `documents.export`.
    async fn record_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the export.")] id: RecordExportId,
    ) -> Result<Option<RecordExport>> {
        match service::export(request(ctx)?, id).await {
            Ok(export) => Ok(Some(export.into())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Mutations of exports.
#[derive(Debug, Default)]
pub struct RecordExportMutation;

#[Object]
impl RecordExportMutation {
    /// Asks for the documents of a patient as one archive: files, finished notes, an index and checksums. It is made in
    /// the background and kept for seven days. Needs `documents.export`.
    async fn record_export_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The patient.")] input: RecordExportStartInput,
    ) -> Result<RecordExportPayload> {
        let RecordExportStartInput { patient_id, idempotency_key } = input;
        let once = once(ctx, idempotency_key)?;
        match service::start_export(request(ctx)?, patient_id, once).await {
            Ok(id) => Ok(RecordExportPayload::done(service::export(request(ctx)?, id).await?.into())),
            Err(stop) => RecordExportPayload::refused(stop),
        }
    }
}
