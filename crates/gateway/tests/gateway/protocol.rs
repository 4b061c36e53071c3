//! What a hostile or broken client sends: a clear refusal, and a gateway that goes on.

use crate::client::raw;
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::provider::Provider;

const CONFIG: &str = "limits: { body: 64KiB, headers: 16KiB, header_time: 1s, body_time: 1s }\n";
const BODY: &str = r#"{"model":"openai/m","messages":[{"role":"user","content":"hi"}]}"#;

/// Who refuses: we, or the HTTP library before it is a request. Either way there is a record, and an answer in the
/// caller's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Us,
    Library,
}

/// A request with these header lines and this body.
fn request(line: &str, headers: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\n{headers}connection: close\r\n\r\n{body}")
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A name, the bytes, the statuses that are right, and who answers.
type Case = (&'static str, String, &'static [u16], By);

/// Bodies whose length could be read in two ways.
fn framings(key: &str) -> Vec<Case> {
    let auth = format!("authorization: Bearer {key}\r\n");
    let length = format!("content-length: {}\r\n", BODY.len());
    let (post, host) = ("POST /v1/chat/completions", "host: a\r\n");
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    vec![
        (
            "chunked twice",
            request(
                post,
                &format!("{host}{auth}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
                &chunked,
            ),
            &[400],
            By::Us,
        ),
        (
            "another encoding",
            request(post, &format!("{host}{auth}transfer-encoding: gzip, chunked\r\n"), &chunked),
            &[400],
            By::Us,
        ),
        (
            "not chunked at last",
            request(post, &format!("{host}{auth}transfer-encoding: chunked, gzip\r\n"), &chunked),
            &[400],
            By::Library,
        ),
        (
            "two lengths",
            request(post, &format!("{host}{auth}{length}content-length: 3\r\n"), BODY),
            &[400],
            By::Library,
        ),
        (
            "a length with a sign",
            request(post, &format!("{host}{auth}content-length: +5\r\n"), BODY),
            &[400],
            By::Library,
        ),
    ]
}

/// Requests without one clear host, or with a method of proxies.
fn hosts_and_methods(key: &str) -> Vec<Case> {
    let auth = format!("authorization: Bearer {key}\r\n");
    let length = format!("content-length: {}\r\n", BODY.len());
    let (post, host) = ("POST /v1/chat/completions", "host: a\r\n");
    vec![
        ("two hosts", request(post, &format!("{host}host: b\r\n{auth}{length}"), BODY), &[400], By::Us),
        ("no host", request(post, &format!("{auth}{length}"), BODY), &[400], By::Us),
        ("a host with a path", request(post, &format!("host: a/b\r\n{auth}{length}"), BODY), &[400], By::Us),
        ("an empty host", request(post, &format!("host:\r\n{auth}{length}"), BODY), &[400], By::Us),
        ("CONNECT", request("CONNECT a:443", &format!("{host}{auth}"), ""), &[404, 405], By::Us),
        ("TRACE", request("TRACE /v1/chat/completions", &format!("{host}{auth}"), ""), &[405], By::Us),
        ("no method", request("GET", &format!("{host}{auth}"), ""), &[400], By::Library),
    ]
}

/// Heads that are malformed or too large.
fn odd_heads(key: &str) -> Vec<Case> {
    let auth = format!("authorization: Bearer {key}\r\n");
    let length = format!("content-length: {}\r\n", BODY.len());
    let (post, host) = ("POST /v1/chat/completions", "host: a\r\n");
    let many: String = (0..2_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let huge = format!("x-huge: {}\r\n", "y".repeat(40_000));
    vec![
        (
            "a space before the colon",
            request(post, &format!("{host}{auth}x-a : b\r\n{length}"), BODY),
            &[400],
            By::Library,
        ),
        (
            "a folded header",
            request(post, &format!("{host}{auth}x-a: b\r\n c\r\n{length}"), BODY),
            &[400],
            By::Library,
        ),
        (
            "NUL in a header",
            request(post, &format!("{host}{auth}x-a: b\0c\r\n{length}"), BODY),
            &[400],
            By::Library,
        ),
        ("2,000 headers", request(post, &format!("{host}{auth}{many}{length}"), BODY), &[431], By::Library),
        ("a huge header", request(post, &format!("{host}{auth}{huge}{length}"), BODY), &[431], By::Library),
        (
            "a huge path",
            request(&format!("GET /{}", "y".repeat(40_000)), &format!("{host}{auth}"), ""),
            &[414, 431],
            By::Library,
        ),
    ]
}

#[tokio::test]
async fn heads_that_could_be_read_in_two_ways_are_refused() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let cases = [framings(&house.key), hosts_and_methods(&house.key), odd_heads(&house.key)].concat();
    let mut records = 0;
    for (what, bytes, expected, by) in cases {
        let answer = raw(&house.calls, &[bytes.as_bytes()]).await;
        assert!(expected.contains(&status(&answer)), "{what}: {answer}");
        let is_json = answer.contains("content-type: application/json") && answer.contains("\"code\":\"");
        assert!(answer.contains("x-gatehouse-record") && is_json, "{what}: {answer}");
        // After what the HTTP library cannot read there is no going on.
        assert!(by == By::Us || answer.contains("connection: close"), "{what}: {answer}");
        records += 1;
    }
    assert_eq!(provider.sim.stats().total.received, 0);
    house.records_once(records).await;
    assert_eq!(house.call(Front::Chat.ask("openai/m", "hi")).await.status, 200);
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_in_its_dialect() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let good = request("POST /v1/nothing", "host: a\r\ncontent-length: 0\r\n", "");
    let good = good.replace("connection: close\r\n", "");
    let bad = |path: &str| request(&format!("POST {path}"), "host: a\r\nx : y\r\n", "");
    for (path, form) in [
        ("/v1/messages", "\"type\":\"error\""),
        ("/v1beta/models/m:generateContent", "\"status\":\"INVALID_ARGUMENT\""),
        ("/v1/chat/completions", "\"param\":"),
    ] {
        let answer = raw(&house.calls, &[bad(path).as_bytes()]).await;
        assert!(status(&answer) == 400 && answer.contains(form), "{answer}");
    }
    // Behind an answer of ours.
    let answer = raw(&house.calls, &[format!("{good}{}", bad("/v1/messages")).as_bytes()]).await;
    assert!(status(&answer) == 404 && answer.contains("HTTP/1.1 400 "), "{answer}");
    let records = house.records_once(5).await;
    let refused = records.iter().filter(|record| record["error"] == "invalid_request");
    assert_eq!(refused.filter(|record| record["outcome"] == "denied").count(), 4, "{records:#?}");
}

#[tokio::test]
async fn chunks_beside_a_length_are_read_as_chunks_alone() {
    // The HTTP library drops a length beside a transfer encoding, as RFC 9112 (6.3) says, so we never see
    // it: what must not happen is that a part of the body becomes a second request.
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let auth = format!("host: a\r\nauthorization: Bearer {}\r\n", house.key);
    let hidden = format!("GET /v1/models HTTP/1.1\r\n{auth}\r\n");
    let body = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let (chunked, length) = ("transfer-encoding: chunked\r\n", "content-length: 4\r\n");
    for framing in [format!("{chunked}{length}"), format!("{length}{chunked}")] {
        // Nothing here asks for the end of the connection: the library must see to it.
        let first = format!("POST /v1/chat/completions HTTP/1.1\r\n{auth}{framing}\r\n{body}");
        let answer = raw(&house.calls, &[first.as_bytes(), hidden.as_bytes()]).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!([200, 400].contains(&status(&answer)), "{answer}");
        assert_eq!(provider.last().body_text, BODY.replace("openai/m", "m"));
    }
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n", house.key);
    // Neither half of a head nor none at all keeps a connection.
    for begun in [head.as_str(), "", "P"] {
        let answer = raw(&house.calls, &[begun.as_bytes()]).await;
        assert!(answer.is_empty() || status(&answer) == 408, "{answer}");
    }
    let answer = raw(&house.calls, &[head.as_bytes(), b"content-length: 100\r\n\r\n{"]).await;
    assert!(status(&answer) == 408 && answer.contains("request_timeout"), "{answer}");
    house.records_once(1).await;
}

#[tokio::test]
async fn large_bodies_are_refused_before_they_are_read() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n", house.key);
    // Said to be large, and never sent.
    let answer = raw(&house.calls, &[head.as_bytes(), b"content-length: 99999999\r\n\r\n{"]).await;
    assert!(status(&answer) == 413 && answer.contains("request_too_large"), "{answer}");
    // Not said.
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let mut pieces = vec![head.as_bytes(), b"transfer-encoding: chunked\r\n\r\n"];
    pieces.extend(std::iter::repeat_n(chunk.as_bytes(), 9));
    let answer = raw(&house.calls, &pieces).await;
    assert!(status(&answer) == 413, "{answer}");
    assert_eq!(house.call(Front::Chat.ask("openai/m", "hi")).await.status, 200);
    assert_eq!(provider.sim.stats().total.received, 1);
}

#[tokio::test]
async fn bodies_that_could_be_read_in_two_ways_are_refused_in_every_dialect() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for (front, own) in FRONTS {
        let good = String::from_utf8(front.ask(&format!("{own}/m"), "hi").body.to_vec()).unwrap();
        let inside = |more: &str| format!("{},{more}}}", good.strip_suffix('}').unwrap());
        let member = good.split('"').find(|word| ["messages", "input", "contents"].contains(word)).unwrap();
        let capital = format!("{}{}", member[..1].to_uppercase(), &member[1..]);
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("deep lists", inside(&format!("\"x\":{}", deep("[", "]"))).into_bytes()),
            ("deep objects", inside(&format!("\"x\":{}", deep("{\"a\":", "}"))).into_bytes()),
            ("a member twice", inside(&format!("\"{member}\":[]")).into_bytes()),
            (
                "a member twice, escaped",
                inside(&format!("\"\\u00{:02x}{}\":[]", member.as_bytes()[0], &member[1..])).into_bytes(),
            ),
            ("a member in capitals", inside(&format!("\"{capital}\":[]")).into_bytes()),
            (
                "invalid UTF-8",
                good.replace("hi", "h\u{1}")
                    .into_bytes()
                    .iter()
                    .map(|byte| if *byte == 1 { 0xff } else { *byte })
                    .collect(),
            ),
            ("a bare NUL", good.replace("hi", "h\0").into_bytes()),
            ("a lone surrogate", good.replace("hi", "\\ud800").into_bytes()),
            ("something behind it", format!("{good}{{}}").into_bytes()),
            ("nothing", Vec::new()),
            ("a list", b"[]".to_vec()),
            ("a number", b"1".to_vec()),
            ("a number too large", inside("\"temperature\":1e999").into_bytes()),
        ];
        for (what, body) in cases {
            let answer = house.call(front.ask(&format!("{own}/m"), "hi").bytes(body)).await;
            assert_eq!(answer.status, 400, "{front:?} {what}: {}", answer.text());
            let code = front.code(&answer.json());
            assert!(
                ["invalid_request", "unsupported_parameter"].contains(&code.as_str()),
                "{front:?} {what}: {code}"
            );
        }
        assert_eq!(provider.sim.stats().total.received, 0, "{front:?}");
    }
    assert_eq!(house.call(Front::Chat.ask("openai/m", "hi")).await.status, 200);
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let auth = format!("host: a\r\nauthorization: Bearer {}\r\n", house.key);
    let bad = format!("POST /v1/chat/completions HTTP/1.1\r\n{auth}content-length: 2\r\n\r\n{{]");
    let good = format!("content-length: {}\r\n", BODY.len());
    let good = request("POST /v1/chat/completions", &format!("{auth}{good}"), BODY);
    let answer = raw(&house.calls, &[bad.as_bytes(), good.as_bytes()]).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert!(status(&answer) == 400 && answer.contains("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn odd_but_honest_requests_are_served() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let auth = format!("host: a\r\nauthorization: Bearer {}\r\n", house.key);
    let length = format!("content-length: {}\r\n", BODY.len());
    let whole =
        request("POST /v1/chat/completions/", &format!("{auth}{length}content-type: text/plain\r\n"), BODY);
    let expects =
        request("POST /v1/chat/completions", &format!("{auth}{length}expect: 100-continue\r\n"), BODY);
    let absolute = request("POST http://a/v1/chat/completions", &format!("{auth}{length}"), BODY);
    for bytes in [&whole, &expects, &absolute] {
        let answer = raw(&house.calls, &[bytes.as_bytes()]).await;
        assert!(answer.contains("HTTP/1.1 200 OK"), "{bytes}: {answer}");
    }
    // Byte by byte.
    let pieces: Vec<&[u8]> = whole.as_bytes().chunks(1).collect();
    assert_eq!(status(&raw(&house.calls, &pieces).await), 200);
}
