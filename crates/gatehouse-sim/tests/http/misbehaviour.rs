//! Cuts, stalls, delays, replays, counts: what tests of the gateway drive the simulator with.

use std::time::Duration;

use crate::harness::{Sim, start, start_with};
use gatehouse_sim::Options;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

fn stream_of(model: &str) -> Value {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "hello there"}]})
}

#[tokio::test]
async fn a_stream_is_cut_after_its_events() {
    let sim = start().await;
    let cut = sim.post(CHAT, &stream_of("cut-2")).await;
    assert!(cut.cut);
    assert_eq!(cut.events().len(), 2);
    let whole = json!({"model": "cut-0", "messages": [{"role": "user", "content": "hello"}]});
    let half = sim.post(CHAT, &whole).await;
    assert!(half.cut && !half.text().is_empty(), "an answer that is no stream is cut in its middle");
    assert_eq!(sim.wait(|counts| counts.cut == 2).await.cancelled, 0);
}

#[tokio::test]
async fn a_stalled_stream_ends_when_the_client_leaves() {
    let sim = start().await;
    let request = sim.request("POST", CHAT, stream_of("stall-1").to_string());
    let mut body = sim.open(request).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().unwrap().into_data().unwrap().starts_with(b"data: "));
    let stalled = sim.wait(|counts| counts.stalled == 1).await;
    assert_eq!((stalled.in_flight, stalled.cancelled), (1, 0));
    drop(body);
    let left = sim.wait(|counts| counts.cancelled == 1).await;
    assert_eq!((left.in_flight, left.completed), (0, 0));
    let waited = sim.get("/_sim/wait?cancelled=1&model=stall-1&path=%2Fv1%2Fchat%2Fcompletions").await.json();
    assert_eq!((&waited["reached"], &waited["counts"]["cancelled"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn leaving_before_the_answer_counts_as_well() {
    let sim = start().await;
    let request = sim.request("POST", CHAT, stream_of("slow-600000").to_string());
    let calling = tokio::spawn({
        let address = sim.address.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let io = hyper_util::rt::TokioIo::new(stream);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            let _ended = tokio::join!(sender.send_request(request), connection);
        }
    });
    sim.wait(|counts| counts.in_flight == 1).await;
    calling.abort();
    sim.wait(|counts| counts.cancelled == 1).await;
}

async fn scripted(sim: &Sim, script: Value) -> crate::harness::Answer {
    sim.script(script).await;
    sim.post(CHAT, &stream_of("sim-large")).await
}

#[tokio::test]
async fn scripts_change_the_next_calls() {
    let sim = start().await;
    let ordinary = sim.post(CHAT, &stream_of("sim-large")).await.text().len();
    let chunked = scripted(&sim, json!({"chunk_bytes": 7})).await;
    assert_eq!(chunked.text().len(), ordinary);
    assert!(chunked.pieces.len() > ordinary / 40, "the stream came in {} pieces", chunked.pieces.len());

    let cut = scripted(&sim, json!({"cut_after_bytes": 10})).await;
    assert!(cut.cut && cut.text().len() == 10);
    let failing = scripted(&sim, json!({"match": {"path": "/v1/*", "model": "sim-large"}, "status": 500, "headers": {"x-should-retry": "false"}})).await;
    assert_eq!((failing.status, failing.headers["x-should-retry"].to_str().unwrap()), (500, "false"));
    assert_eq!(failing.json()["error"]["code"], "server_error");
    let own = scripted(&sim, json!({"status": 418, "body": {"teapot": true}})).await;
    assert_eq!((own.status, own.json()), (418, json!({"teapot": true})));

    sim.script(json!([{"match": {"model": "other"}, "status": 500}, {"hang_up": true}])).await;
    let request = sim.request("POST", CHAT, stream_of("sim-large").to_string());
    assert!(sim.open(request).await.is_none(), "the connection is closed without an answer");
    assert_eq!(sim.post(CHAT, &stream_of("sim-large")).await.status, 200, "scripts are used up");
    assert_eq!(sim.handle.scripts_waiting(), 1);
    assert_eq!(sim.post("/_sim/scripts", &json!({"nonsense": 1})).await.status, 400);
}

#[tokio::test]
async fn a_replay_is_byte_for_byte() {
    let sim = start().await;
    let recorded = "event: x\r\ndata: {\"a\": 1}\r\n\r\n: comment\r\n\r\ndata: ü\n\n";
    let replay = json!({"replay": {"content_type": "text/event-stream", "body": recorded}, "chunk_bytes": 1,
        "headers": {"x-request-id": "req_recorded"}});
    let answer = scripted(&sim, replay).await;
    assert_eq!(answer.text(), recorded);
    assert_eq!(answer.headers["x-request-id"], "req_recorded");
    let cut =
        json!({"replay": {"content_type": "text/event-stream", "body": recorded}, "cut_after_events": 1});
    let answer = scripted(&sim, cut).await;
    assert_eq!((answer.text().as_str(), answer.cut), ("event: x\r\ndata: {\"a\": 1}\r\n\r\n", true));
}

#[tokio::test]
async fn what_arrived_can_be_read_without_the_key() {
    let sim = start().await;
    sim.post("/v1/chat/completions?key=sk-query&x=1", &stream_of("sim-large")).await;
    let seen = sim.get("/_sim/requests?last=1").await;
    assert!(!seen.text().contains("sk-"));
    let seen = &seen.json()[0];
    assert_eq!(seen["carriers"], json!(["authorization", "?key"]));
    assert_eq!((&seen["path"], &seen["body"]["model"]), (&json!(CHAT), &json!("sim-large")));
    let stats = sim.get("/_sim/stats").await.json();
    assert_eq!((&stats["rows"][0]["received"], &stats["rows"][0]["completed"]), (&json!(1), &json!(1)));
    assert_eq!(sim.send(sim.request("DELETE", "/_sim", "")).await.status, 200);
    assert_eq!(sim.get("/_sim/stats").await.json()["rows"], json!([]));
    let none = sim.get("/_sim/wait?received=1&timeout_ms=1").await.json();
    assert_eq!(none["reached"], false);
}

#[tokio::test]
async fn streams_of_http2_are_told_apart() {
    let sim = start().await;
    let stream = tokio::net::TcpStream::connect(&sim.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = |model: &str| {
        let mut request = sim.request("POST", CHAT, stream_of(model).to_string());
        *request.uri_mut() = format!("http://{}{CHAT}", sim.address).parse().unwrap();
        request.headers_mut().remove("host");
        request
    };
    let stalled = sender.send_request(request("stall-1")).await.unwrap();
    let whole = sender.send_request(request("small")).await.unwrap().into_body().collect().await.unwrap();
    assert!(whole.to_bytes().ends_with(b"data: [DONE]\n\n"));
    let cut = sender.send_request(request("cut-1")).await.unwrap();
    assert!(cut.into_body().collect().await.is_err());
    drop(stalled);
    let counts = sim.wait(|counts| counts.cancelled == 1).await;
    assert_eq!((counts.completed, counts.cut, counts.in_flight), (1, 1, 0));
}

#[tokio::test]
async fn bench_answers_are_made_once() {
    let options = Options { bench_chunk_delay: Duration::ZERO, ..Options::default() };
    let sim = start_with(options).await;
    let whole = json!({"model": "bench", "messages": [{"role": "user", "content": "hi"}]});
    let answer = sim.post(CHAT, &whole).await;
    assert_eq!((answer.status, answer.text().len()), (200, 770));
    assert_eq!(answer.headers["content-length"], "770");
    let streamed = sim.post(CHAT, &stream_of("bench")).await;
    assert_eq!(crate::harness::joined(&streamed.events(), "/choices/0/delta/content"), "lorem ".repeat(200));
    assert_eq!(sim.get("/_sim/stats").await.status, 404, "no control API unless it is asked for");
}

#[tokio::test]
async fn it_ends_when_it_is_told_even_with_a_stalled_stream() {
    let mut sim = start().await;
    let request = sim.request("POST", CHAT, stream_of("stall-1").to_string());
    let response = sim.open(request).await.unwrap();
    sim.wait(|counts| counts.stalled == 1).await;
    sim.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), &mut sim.served).await.unwrap().unwrap();
    assert!(response.into_body().collect().await.is_err(), "the stalled stream was dropped");
}
