//! A call leaves its traces and metrics at an OpenTelemetry collector, and a collector that is away hurts
//! nobody. Gateway, provider and collector are in this process.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it stands"
)]

#[path = "otlp/decoded.rs"]
mod decoded;

use bytes::Bytes;
use decoded::{CLIENT, Histogram, SERVER, Span};
use gatehouse_audit::{Log, Options};
use gatehouse_config::file::Config;
use gatehouse_config::{Kind, Known};
use gatehouse_core::call::{Caller, Scope};
use gatehouse_identity::envelope::Seals;
use gatehouse_identity::key::{ENTROPY_BYTES, Entry, Keys, Pepper, mint};
use gatehouse_ledger::Counters;
use gatehouse_server::house::{House, KeyRing, Silent};
use gatehouse_server::listen::{Side, listen};
use gatehouse_server::memory::Forgetful;
use gatehouse_server::snapshot::Snapshot;
use gatehouse_server::telemetry::otlp::{Exporter, Settings};
use gatehouse_server::workers::Workers;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What a prompt says, and what a provider's credential is: neither may be seen at the collector.
const PROMPT: &str = "the colour of the parrot is confidential";
const CREDENTIAL: &str = "sk-upstream-credential-0123456789";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER_SPAN: &str = "b7ad6b7169203331";

/// A request as a server in this file got it.
struct Got {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Seen = Arc<Mutex<Vec<Got>>>;

/// A server that keeps what it gets; the answer to the n-th request is the given function's.
async fn server(answer: fn(usize) -> (StatusCode, &'static str)) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let kept = Arc::clone(&kept);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let mut kept = kept.lock().unwrap();
                    let (status, text) = answer(kept.len());
                    kept.push(Got { path: parts.uri.path().to_owned(), headers: parts.headers, body });
                    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
                    *response.status_mut() = status;
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, seen)
}

/// A provider that fails at first and answers then.
fn provider(call: usize) -> (StatusCode, &'static str) {
    if call == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, r#"{"error":{"message":"busy"}}"#);
    }
    let answer = r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-5-mini","choices":[{"index":0,
        "message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    (StatusCode::OK, answer)
}

fn collector(_: usize) -> (StatusCode, &'static str) {
    (StatusCode::OK, "")
}

/// A gateway in front of one provider.
struct Gateway {
    house: Arc<House>,
    address: String,
    key: SecretString,
    _data: tempfile::TempDir,
}

impl Gateway {
    async fn start(provider: &str, collector: Option<&str>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = Log::open(&Options::new(data.path())).unwrap();
        let config = config(provider);
        let snapshot = Snapshot::compile(&config, "test", None, None).unwrap();
        let pepper = Arc::new(Pepper::new([7; 32]));
        let minted = mint(&[9; ENTROPY_BYTES], &pepper);
        let bound = Scope { team: "support".into(), app: "helpdesk".into(), ..Scope::default() };
        let caller =
            Caller { key_id: minted.id.as_str().into(), key_name: "k".into(), models: [].into(), bound };
        let entry = Entry { hash: minted.hash, old: None, caller: Arc::new(caller), expires_at: None };
        let seals = Arc::new(Seals::new(&pepper, 1));
        let keys = KeyRing { keys: Keys::new(pepper, [entry]), limits: HashMap::new() };
        let house = House::new(
            snapshot,
            keys,
            log,
            seals,
            Box::new(Forgetful),
            Arc::new(Counters::default()),
            Box::new(Silent),
        );
        if let Some(collector) = collector {
            let env =
                |name: &str| (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "x-collector-key=k1".to_owned());
            let settings = Settings::find(Some(collector), &env).unwrap().unwrap();
            assert!(house.export.set(Exporter::start(&settings, &house.metrics)).is_ok());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(listen(Arc::clone(&house), Arc::new(Workers::start().unwrap()), listener, Side::Calls));
        Self { house, address, key: minted.key, _data: data }
    }

    async fn call(&self, traceparent: Option<&str>) -> Response<Bytes> {
        let body =
            format!(r#"{{"model":"openai/gpt-5-mini","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#);
        let mut request = Request::post(format!("{}/v1/chat/completions", self.address))
            .header("authorization", format!("Bearer {}", self.key.expose_secret()))
            .header("x-gatehouse-use-case", "triage")
            .header("content-type", "application/json");
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let (parts, body) = client.request(request.body(body.into()).unwrap()).await.unwrap().into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    async fn flush(&self) {
        self.house.export.get().unwrap().flush().await;
    }
}

fn config(provider: &str) -> Config {
    let kind = Kind {
        name: "openai",
        needs_credential: true,
        base_url: Some("https://api.openai.com/v1"),
        built_in: false,
        key_variable: None,
        base_url_variable: None,
        also_variables: &[],
        takes: &[],
    };
    let text = format!(
        "version: 1\nproviders:\n  openai: {{ api: openai, base_url: \"{provider}/v1\", api_key: \"${{KEY}}\" }}\n\
         retry: {{ backoff: 1ms, budget_percent: 100 }}\n"
    );
    let env = |name: &str| (name == "KEY").then(|| CREDENTIAL.to_owned());
    gatehouse_config::parse(&text, "test.yaml", &env, &Known { kinds: &[kind] }).unwrap().config
}

fn spans(seen: &Seen) -> Vec<Span> {
    let seen = seen.lock().unwrap();
    seen.iter().filter(|got| got.path == "/v1/traces").flat_map(|got| decoded::spans(&got.body)).collect()
}

fn histograms(seen: &Seen) -> Vec<Histogram> {
    let seen = seen.lock().unwrap();
    decoded::histograms(&seen.iter().rfind(|got| got.path == "/v1/metrics").unwrap().body)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traceparents(seen: &Seen) -> Vec<Option<String>> {
    let of = |got: &Got| got.headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
    seen.lock().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn the_spans_of_a_call_hang_together_from_the_caller_to_the_provider() {
    let (provider, asked) = server(provider).await;
    let (collector, seen) = server(collector).await;
    let gateway = Gateway::start(&provider, Some(&collector)).await;
    let answer = gateway.call(Some(&format!("00-{TRACE}-{CALLER_SPAN}-01"))).await;
    assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
    gateway.flush().await;

    let spans = spans(&seen);
    let [call, first, second] = spans.as_slice() else { panic!("{spans:?}") };
    assert!(spans.iter().all(|span| hex(&span.trace) == TRACE));
    assert_eq!((call.name.as_str(), call.kind), ("chat openai/gpt-5-mini", SERVER));
    assert_eq!(hex(&call.parent), CALLER_SPAN);
    let attempts = traceparents(&asked);
    for (attempt, header) in [first, second].into_iter().zip(attempts) {
        assert_eq!((attempt.name.as_str(), attempt.kind), ("chat gpt-5-mini", CLIENT));
        assert_eq!(attempt.parent, call.id);
        assert_eq!(header.unwrap(), format!("00-{TRACE}-{}-01", hex(&attempt.id)));
        assert!(call.start <= attempt.start && attempt.end <= call.end);
    }
    assert_eq!(first.attributes["http.response.status_code"], "503");
    assert!(first.attributes["error.type"].starts_with("upstream_"));
    assert_eq!(second.attributes.get("error.type"), None);

    let record = answer.headers()["x-gatehouse-record"].to_str().unwrap();
    for (key, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "openai/gpt-5-mini"),
        ("gen_ai.response.model", "gpt-5-mini"),
        ("gen_ai.usage.input_tokens", "7"),
        ("gen_ai.usage.output_tokens", "3"),
        ("gen_ai.response.finish_reasons", "stop"),
        ("gatehouse.team", "support"),
        ("gatehouse.app", "helpdesk"),
        ("gatehouse.use_case", "triage"),
        ("gatehouse.record.id", record),
        ("gatehouse.attempts", "2"),
    ] {
        assert_eq!(call.attributes.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(call.attributes["gatehouse.cost.nano_usd"].parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn metrics_arrive_and_nothing_that_is_confidential_does() {
    let (provider, _) = server(provider).await;
    let (collector, seen) = server(collector).await;
    let gateway = Gateway::start(&provider, Some(&collector)).await;
    gateway.call(None).await;
    gateway.flush().await;

    let all = histograms(&seen);
    let of =
        |name: &str| -> Vec<&Histogram> { all.iter().filter(|histogram| histogram.name == name).collect() };
    let mut tokens: Vec<_> = of("gen_ai.client.token.usage")
        .iter()
        .map(|histogram| (histogram.attributes["gen_ai.token.type"].as_str(), histogram.sum))
        .collect();
    tokens.sort_by_key(|(token_type, _)| *token_type);
    assert_eq!(tokens, [("input", 7.0), ("output", 3.0)]);
    let durations = of("gen_ai.client.operation.duration");
    assert_eq!((durations.len(), durations[0].count), (1, 1));
    assert_eq!(durations[0].buckets, durations[0].bounds + 1);
    assert_eq!(durations[0].attributes["gen_ai.provider.name"], "openai");

    for got in seen.lock().unwrap().iter() {
        assert_eq!(got.headers["content-type"], "application/x-protobuf");
        assert_eq!(got.headers["x-collector-key"], "k1");
        let text = String::from_utf8_lossy(&got.body);
        for secret in [PROMPT, CREDENTIAL, gateway.key.expose_secret(), "hello"] {
            assert!(!text.contains(secret), "{secret} in {}", got.path);
        }
    }
}

#[tokio::test]
async fn a_trace_begins_here_and_a_trace_that_is_not_sampled_is_left_alone() {
    let (provider, asked) = server(provider).await;
    let (collector, seen) = server(collector).await;
    let gateway = Gateway::start(&provider, Some(&collector)).await;
    gateway.call(None).await;
    gateway.flush().await;
    let own = spans(&seen);
    assert_eq!(own.len(), 3);
    assert!(own[0].parent.is_empty() && own[0].trace == own[1].trace);
    let last = traceparents(&asked).pop().flatten().unwrap();
    assert!(last.contains(&hex(&own[2].trace)) && last.contains(&hex(&own[2].id)));

    let unsampled = format!("00-{TRACE}-{CALLER_SPAN}-00");
    gateway.call(Some(&unsampled)).await;
    gateway.flush().await;
    assert_eq!(spans(&seen).len(), 3, "no more than before");
    assert_eq!(traceparents(&asked).pop().flatten(), Some(unsampled));
}

#[tokio::test]
async fn without_export_the_callers_context_goes_on_as_it_came() {
    let (provider, asked) = server(provider).await;
    let gateway = Gateway::start(&provider, None).await;
    let caller = format!("00-{TRACE}-{CALLER_SPAN}-01");
    gateway.call(Some(&caller)).await;
    gateway.call(None).await;
    assert_eq!(traceparents(&asked), [Some(caller.clone()), Some(caller), None]);
}

#[tokio::test]
async fn a_collector_that_is_away_hurts_nobody() {
    let (provider, _) = server(provider).await;
    // A port that was free a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&provider, Some(&format!("http://{gone}"))).await;
    assert_eq!(gateway.call(None).await.status(), StatusCode::OK);
    gateway.flush().await;
    assert_eq!(gateway.call(None).await.status(), StatusCode::OK);
    // Traces, then metrics: both were tried once, and neither is given up.
    assert_eq!(gateway.house.metrics.failed_exports.get(), 2);
    assert_eq!(gateway.house.metrics.dropped_spans.get(), 0);
}

#[tokio::test]
async fn what_the_collector_refuses_for_good_is_dropped_and_counted() {
    let (provider, _) = server(provider).await;
    let (collector, seen) = server(|_| (StatusCode::BAD_REQUEST, "")).await;
    let gateway = Gateway::start(&provider, Some(&collector)).await;
    gateway.call(None).await;
    gateway.flush().await;
    assert_eq!(spans(&seen).len(), 3);
    assert_eq!(gateway.house.metrics.dropped_spans.get(), 3);
    assert!(gateway.house.metrics.text().contains("gatehouse_otlp_dropped_spans_total 3"));
}
