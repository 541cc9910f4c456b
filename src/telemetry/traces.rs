//! Spans, sent to an OpenTelemetry collector over HTTP.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanEvents, SpanExporter as Export, SpanLinks};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::{SPANS, TRACE, TRACEABLE};
use crate::error::{Error, Result};

/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What makes spans of this process and sends them.
pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider> {
    let runtime = Handle::try_current().map_err(Error::internal)?;
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(Error::internal)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        .with_http_client(OnRuntime { client, runtime })
        .build()
        .map_err(Error::internal)?;
    let resource = Resource::builder_empty()
        .with_service_name("anamnesis")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(OnList(exporter)).with_resource(resource).build())
}

/// Makes spans of those the server names, and of nothing else.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("anamnesis"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACE))
}

/// Sends in the runtime of the server: the thread that batches spans has none.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_graphql::async_trait::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let (parts, body) = request.into_parts();
            let sent = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
            let answer = sent.await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = sent.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}

/// Lets through what is on the lists, whoever made the span.
#[derive(Debug)]
struct OnList<E>(E);

impl<E: Export> Export for OnList<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().map(reduced).collect()).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn reduced(mut span: SpanData) -> SpanData {
    if !SPANS.contains(&span.name.as_ref()) {
        span.name = "other".into();
    }
    span.attributes.retain(|attribute| TRACEABLE.contains(&attribute.key.as_str()));
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    if let Status::Error { description } = &mut span.status {
        *description = "".into();
    }
    span
}
