//! Sends spans to a collector: OTLP over HTTP, as protobuf. The client is the one that the program has anyway.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use tokio::time::timeout;

/// The path of an endpoint that names none.
const PATH: &str = "/v1/traces";
/// The largest response that is read, in bytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// Sends spans to one endpoint.
pub(super) struct Exporter {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: Uri,
    timeout: Duration,
    resource: ResourceAttributesWithSchema,
}

impl Exporter {
    /// An exporter to `endpoint`, within `timeout` each.
    ///
    /// # Errors
    /// If the endpoint is no URL.
    pub(super) fn new(endpoint: &str, timeout: Duration, resource: &Resource) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, endpoint: endpoint_of(endpoint)?, timeout, resource: resource.into() })
    }

    /// Exports a batch; the number of spans that the collector rejected.
    ///
    /// # Errors
    /// If there is no 2xx in time.
    pub(super) async fn export(&self, batch: Vec<SpanData>) -> anyhow::Result<usize> {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let request = Request::post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::from(body))?;
        let exchange = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_RESPONSE).collect().await;
            let body = body.map_err(|error| anyhow!("cannot read the collector's response: {error}"))?.to_bytes();
            ensure!(status.is_success(), "the collector responded with {status}");
            anyhow::Ok(body)
        };
        let response = timeout(self.timeout, exchange).await.context("the collector did not respond in time")??;
        // A response that cannot be read says nothing of a rejection.
        let response = ExportTraceServiceResponse::decode(response).unwrap_or_default();
        let rejected = response.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(rejected).unwrap_or(0))
    }
}

/// The URL for spans: the endpoint's own path, or the usual one.
fn endpoint_of(endpoint: &str) -> anyhow::Result<Uri> {
    let uri: Uri = endpoint.parse().with_context(|| format!("{endpoint} is no URL"))?;
    if uri.path() != "/" && !uri.path().is_empty() {
        return Ok(uri);
    }
    format!("{}{PATH}", endpoint.trim_end_matches('/')).parse().with_context(|| format!("{endpoint} is no URL"))
}

#[cfg(test)]
mod tests {
    use super::endpoint_of;

    #[test]
    fn an_endpoint_without_a_path_gets_the_usual_one() {
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("http://collector:4318/otlp/v1/traces", "http://collector:4318/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint_of(endpoint).unwrap(), url);
        }
    }
}
