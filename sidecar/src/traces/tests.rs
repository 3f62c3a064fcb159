use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::queue::MAX_QUEUE;
use super::{Identity, SpanKind, Trace, Traces, parent};
use crate::config::{Config, Tracing};
use crate::metrics::Metrics;

const IDENTITY: Identity<'static> = Identity { pod: "onceway-0", namespace: "onceway" };

fn config(endpoint: &str, sampling: f64) -> Tracing {
    let yaml = format!("tracing: {{ otlp: {{ endpoint: \"{endpoint}\", timeout: 1s }}, sampling: {sampling} }}");
    Config::parse(&yaml).unwrap().tracing
}

fn traceparent(flags: &str) -> HeaderMap {
    let value = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_str(&value).unwrap())])
}

/// A collector for one request: its URL, and the request that it gets.
async fn collector() -> (String, impl Future<Output = ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let request = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let (begin, length) = (end + 4, length.parse::<usize>().unwrap());
            if bytes.len() >= begin + length {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                return ExportTraceServiceRequest::decode(&bytes[begin..begin + length]).unwrap();
            }
        }
    };
    (url, request)
}

#[test]
fn without_an_endpoint_there_is_no_span_and_no_child() {
    let traces = Traces::off();
    let (trace, id) = traces.request("/api/v1/signals/prometheus", parent(&traceparent("01")), SystemTime::now());
    assert!(!traces.is_on() && !trace.is_recorded() && id.is_none());
    let child = trace.child_of_all("commit a batch", SpanKind::Internal, &[Trace::default()]);
    child.set("onceway.rr", || -> String { panic!("no attribute is made") });
    child.fail(|| panic!("no text is made"));
    assert!(!child.is_recorded());
}

#[tokio::test]
async fn spans_are_exported_with_their_parents_links_and_attributes_when_they_have_ended() {
    let (url, request) = collector().await;
    let metrics = Arc::new(Metrics::new());
    let (traces, exporting) = Traces::start(&config(&url, 0.0), IDENTITY, Arc::clone(&metrics)).unwrap();
    let (first, id) = traces.request("/api/v1/signals/prometheus", parent(&traceparent("01")), SystemTime::now());
    assert_eq!(id.unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let (second, _) = traces.request("/api/v1/signals/prometheus", parent(&traceparent("01")), SystemTime::now());
    let batch = first.child_of_all("commit a batch", SpanKind::Internal, &[first.clone(), second.clone()]);
    batch.set("onceway.signals", || 7_i64);
    batch.fail(|| "the API server is slow".to_owned());
    drop((batch, first, second));
    let ended = exporting.unwrap().end();
    let (request, ()) = timeout(Duration::from_secs(10), async { tokio::join!(request, ended) }).await.unwrap();
    let [resource] = &request.resource_spans[..] else { panic!("{request:?}") };
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert!(attributes.iter().any(|attribute| attribute.key == "service.name"), "{attributes:?}");
    let spans: Vec<_> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    let of = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let (requests, batches) = (of("/api/v1/signals/prometheus"), of("commit a batch"));
    let [batch] = batches[..] else { panic!("{spans:?}") };
    assert_eq!((requests.len(), batch.links.len(), batch.status.as_ref().unwrap().code), (2, 2, 2));
    assert!(requests.iter().any(|request| request.span_id == batch.parent_span_id));
    assert!(requests.iter().all(|request| batch.links.iter().any(|link| link.span_id == request.span_id)));
    assert!(metrics.render().unwrap().contains("gateway_trace_spans_total{result=\"exported\"} 3\n"));
}

#[tokio::test]
async fn a_request_is_sampled_as_its_traceparent_says_and_without_one_by_the_ratio() {
    for (sampling, recorded) in [(0.0, false), (1.0, true)] {
        let metrics = Arc::new(Metrics::new());
        let (traces, _exporting) = Traces::start(&config("http://127.0.0.1:9", sampling), IDENTITY, metrics).unwrap();
        let is_recorded = |headers: HeaderMap| {
            let (trace, id) = traces.request("other", parent(&headers), SystemTime::now());
            assert!(id.is_some(), "the log has the id in any case");
            trace.is_recorded()
        };
        assert_eq!(is_recorded(HeaderMap::new()), recorded);
        assert!(is_recorded(traceparent("01")) && !is_recorded(traceparent("00")));
    }
}

#[tokio::test]
async fn spans_that_find_no_room_are_dropped_and_those_that_nobody_takes_failed_and_both_are_counted() {
    let metrics = Arc::new(Metrics::new());
    // Nobody listens there.
    let (traces, exporting) =
        Traces::start(&config("http://127.0.0.1:9", 1.0), IDENTITY, Arc::clone(&metrics)).unwrap();
    // The task that exports does not run meanwhile: this test has one thread.
    for _ in 0..MAX_QUEUE + 10 {
        traces.request("other", None, SystemTime::now());
    }
    let shown = |line: &str| metrics.render().unwrap().contains(line);
    assert!(shown("gateway_trace_spans_total{result=\"dropped\"} 10\n"), "{}", metrics.render().unwrap());
    exporting.unwrap().end().await;
    assert!(shown(&format!("gateway_trace_spans_total{{result=\"failed\"}} {MAX_QUEUE}\n")));
}
