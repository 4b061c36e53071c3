//! Sinks: whoever gets the record gets every leaf, in order, whatever fails in between; and no call waits for him.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as it came.
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

/// Somebody who gets the record over HTTP, and refuses at first. What he gets while he hangs, he never answers.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    pub(crate) got: Arc<Mutex<Vec<Got>>>,
    refuses: Arc<Mutex<Vec<StatusCode>>>,
    pub(crate) hangs: Arc<AtomicBool>,
}

impl Receiver {
    pub(crate) async fn start(refuses: &[StatusCode]) -> (Self, String) {
        let receiver = Self { refuses: Arc::new(Mutex::new(refuses.to_vec())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let accepting = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let receiver = accepting.clone();
                let service = service_fn(move |request| receiver.clone().take(request));
                tokio::spawn(async move {
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        (receiver, address)
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        let status = self.refuses.lock().unwrap().pop().unwrap_or(StatusCode::OK);
        if status == StatusCode::OK {
            let got = Got { path: parts.uri.path().to_owned(), headers: parts.headers, body };
            self.got.lock().unwrap().push(got);
        }
        if self.hangs.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
        Ok(Response::builder().status(status).body(Full::default()).unwrap())
    }

    /// The numbers of the leaves that came, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let got = self.got.lock().unwrap();
        let lines = got.iter().flat_map(|one| one.body.lines());
        lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get("seq")?.as_u64()).collect()
    }

    pub(crate) async fn until(&self, fits: impl Fn(&[u64]) -> bool) -> Vec<u64> {
        let begun = Instant::now();
        loop {
            let numbers = self.numbers();
            if fits(&numbers) {
                return numbers;
            }
            assert!(begun.elapsed() < PATIENCE, "{numbers:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn hello() -> Ask {
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "hello"}]});
    Ask::post("/v1/chat/completions", &body)
}

#[tokio::test]
async fn every_leaf_arrives_whatever_fails_in_between() {
    let provider = Provider::start().await;
    let (receiver, address) =
        Receiver::start(&[StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE]).await;
    let sinks = format!(
        "record:\n  sinks:\n    - {{ name: siem, webhook: \"{address}/in\", secret: \"${{SINK_SECRET}}\", batch: 3, every: 100ms }}\n"
    );
    let house = House::start_with(&provider.config(&sinks), &[("SINK_SECRET", SECRET)]).await;
    for _ in 0..5 {
        assert_eq!(house.call(hello()).await.status, 200);
    }
    receiver.until(|numbers| numbers.len() >= 8).await;
    // The gateway dies, and goes on where the receiver was, or a batch before.
    let house = house.crash_and_restart().await;
    let last = house.call(hello()).await.record();
    let begun = Instant::now();
    while !receiver
        .got
        .lock()
        .unwrap()
        .iter()
        .any(|one| one.body.contains(&last) && one.body.contains("call.settled"))
    {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let numbers = receiver.numbers();
    let mut each = numbers.clone();
    each.dedup();
    let mut sorted = each.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, (0..=*sorted.last().unwrap()).collect::<Vec<_>>(), "none is missing: {numbers:?}");
    let back = each.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    assert!(back <= 1, "in order, but for a batch that came again after the end of the process: {each:?}");
    // What comes again has the id that it had.
    for one in receiver.got.lock().unwrap().iter() {
        let first =
            serde_json::from_str::<Value>(one.body.lines().next().unwrap()).unwrap()["seq"].to_string();
        let id = one.headers["webhook-id"].to_str().unwrap();
        let [shard, log, from, _] = *id.split('-').collect::<Vec<_>>() else { panic!("{id}") };
        assert!(shard == "r0" && log.len() == 12 && from == first, "{id}");
        assert!(one.headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
        assert_eq!(one.path, "/in");
    }
    let metrics = house.admin("/metrics").await.text();
    assert!(metrics.contains("gatehouse_audit_sink_lag_leaves{sink=\"siem\"}"), "{metrics}");
}

#[tokio::test]
async fn a_sink_that_takes_nothing_holds_no_call_up_and_loses_nothing() {
    let provider = Provider::start().await;
    let (receiver, address) = Receiver::start(&[StatusCode::BAD_REQUEST; 1_000]).await;
    let sinks = format!(
        "retention: {{ records: 1s }}\nrecord:\n  sinks:\n    - {{ name: siem, webhook: \"{address}\", every: 100ms }}\n"
    );
    let house = House::start(&provider.config(&sinks)).await;
    let first = house.call(hello()).await.record();
    let begun = Instant::now();
    let failed = "gatehouse_audit_sink_failures{sink=\"siem\"} 0";
    while house.admin("/metrics").await.text().contains(failed) {
        assert!(begun.elapsed() < PATIENCE);
    }
    // Its time is over by far, and somebody has not got it yet.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(house.call(hello()).await.status, 200);
    }
    assert!(house.in_the_log(&first) > 0 && receiver.numbers().is_empty());
}

#[tokio::test]
async fn buckets_collectors_and_syslog_get_what_they_understand() {
    let provider = Provider::start().await;
    let (receiver, address) = Receiver::start(&[]).await;
    let syslog = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = syslog.local_addr().unwrap().port();
    let sinks = format!(
        r#"record:
  sinks:
    - {{ name: lake, every: 100ms, s3: {{ endpoint: "{address}", region: eu-central-1, bucket: audit, prefix: a, access_key: "${{S3_ID}}", secret_key: "${{S3_SECRET}}" }} }}
    - {{ name: otel, every: 100ms, otlp: "{address}", authorization: "${{S3_SECRET}}" }}
    - {{ name: soc, every: 100ms, syslog: "tcp://127.0.0.1:{port}" }}
"#
    );
    let variables = [("S3_ID", "AKIDEXAMPLE"), ("S3_SECRET", "canary-secret-7")];
    let house = House::start_with(&provider.config(&sinks), &variables).await;
    let record = house.call(hello()).await.record();
    let mut lines = String::new();
    let begun = Instant::now();
    while !lines.contains(&record) {
        // A connection a batch, which ends when all was read.
        let (mut stream, _) = syslog.accept().await.unwrap();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut lines)).await.unwrap().unwrap();
    }
    let (length, rest) = lines.split_once(' ').unwrap();
    let message = &rest[..length.parse::<usize>().unwrap()];
    assert!(
        message.starts_with("<109>1 - r0-") && message.contains(" gatehouse - - - CEF:0|Gatehouse|"),
        "{message}"
    );
    let find = |path: &str| {
        let got = receiver.got.lock().unwrap();
        got.iter().find(|one| one.path.starts_with(path) && one.body.contains(&record)).map(|one| {
            let header = |name: &str| one.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (one.path.clone(), header("authorization").unwrap(), one.body.clone())
        })
    };
    while find("/audit/a/r0-").is_none() || find("/v1/logs").is_none() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (path, authorization, body) = find("/audit/a/r0-").unwrap();
    assert!(path.ends_with(".jsonl") && authorization.contains("AKIDEXAMPLE/"), "{path} {authorization}");
    assert!(body.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let (_, authorization, body) = find("/v1/logs").unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(authorization, "canary-secret-7");
    assert!(
        body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().is_some_and(|all| !all.is_empty())
    );
    assert!(!house.stderr().contains("canary-secret-7"));
}

#[tokio::test]
async fn sinks_that_cannot_be_served_are_refused() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let text = std::fs::read_to_string(house.config_path()).unwrap();
    for (sink, why) in [
        ("{ name: a }", "needs exactly one of webhook, s3, syslog and otlp"),
        ("{ name: a, webhook: \"https://x.example\", otlp: \"https://x.example\" }", "needs exactly one"),
        ("{ name: \"a b\", webhook: \"https://x.example\" }", "must be 1 to 64 letters"),
        ("{ name: a, webhook: \"https://x.example\", secret: \"${GATEHOUSE_DATA}\" }", "must be whsec_"),
        ("{ name: a, syslog: \"udp://x:514\" }", "may be lost unheard"),
        ("{ name: a, otlp: \"https://x.example\", format: cef }", "can only be otlp"),
        ("{ name: a, s3: { region: x } }", "is missing"),
    ] {
        std::fs::write(house.config_path(), format!("{text}\nrecord: {{ sinks: [{sink}] }}\n")).unwrap();
        let output = house.command(&["check"]).await;
        let says = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && says.contains(why), "{sink}: {says}");
    }
}
