//! Connections are used again, but none that the provider has closed; and an answer that nobody reads to
//! its end takes its connection with it.

use super::Upstream;
use bytes::Bytes;
use gatehouse_core::error::Code;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(20);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn request(to: SocketAddr) -> Request<Full<Bytes>> {
    Request::post(format!("http://{to}/v1/x?y=1")).body(Full::new(Bytes::from_static(b"{}"))).unwrap()
}

async fn heard(stream: &mut TcpStream) -> String {
    let mut head = vec![0; 4096];
    let length = stream.read(&mut head).await.unwrap();
    String::from_utf8_lossy(&head[..length]).into_owned()
}

async fn asked(upstream: &Upstream, to: SocketAddr) -> Bytes {
    let answer = upstream.send(request(to), LIMIT).await.unwrap();
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            let head = heard(&mut stream).await.to_lowercase();
            assert!(
                head.starts_with("post /v1/x?y=1 http/1.1\r\n") && head.contains(&format!("host: {to}\r\n"))
            );
            stream.write_all(ANSWER).await.unwrap();
        }
    });
    let upstream = Upstream::new(LIMIT);
    for _ in 0..3 {
        assert_eq!(asked(&upstream, to).await, "ok");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard(&mut stream).await;
            stream.write_all(ANSWER).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let upstream = Upstream::new(LIMIT);
    assert_eq!(asked(&upstream, to).await, "ok");
    assert_eq!(asked(&upstream, to).await, "ok");
    server.await.unwrap();
}

#[tokio::test]
async fn leaving_an_answer_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        heard(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        stream.read(&mut [0; 16]).await.map_or(0, |read| read)
    });
    let mut answer = Upstream::new(LIMIT).send(request(to), LIMIT).await.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    drop(answer);
    assert_eq!(server.await.unwrap(), 0, "the provider sees the end");
}

#[tokio::test]
async fn what_goes_wrong_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = Upstream::new(LIMIT);
    let error = upstream.send(request(nobody), LIMIT).await.err().unwrap();
    assert_eq!(error.code, Code::UpstreamUnreachable);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        heard(&mut stream).await;
    });
    let error = upstream.send(request(to), LIMIT).await.err().unwrap();
    assert_eq!(error.code, Code::UpstreamBadResponse);
}
