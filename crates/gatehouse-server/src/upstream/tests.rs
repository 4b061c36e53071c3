//! Connections are used again, but none that the provider has closed; and an answer that nobody reads to
//! its end takes its connection with it.

use super::Upstream;
use super::pool::LOOK_AFTER;
use bytes::Bytes;
use gatehouse_core::error::Code;
use http::Request;
use http_body_util::BodyExt as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(20);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn request(to: SocketAddr) -> Request<Bytes> {
    Request::post(format!("http://{to}/v1/x?y=1")).body(Bytes::from_static(b"{}")).unwrap()
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

/// Answers each connection with one of these, whatever it is asked, and says how many there were.
async fn serving(answers: Vec<&'static [u8]>) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard(&mut stream).await;
            stream.write_all(answer).await.unwrap();
            // Those that are to be used again stay open: nobody may come with a second request.
            if answer.ends_with(b"stay") {
                assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
            }
        }
    });
    (to, server)
}

#[tokio::test]
async fn a_connection_whose_end_is_not_clear_is_not_used_again() {
    let answers: Vec<&[u8]> = vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and stay",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nstay",
        b"HTTP/1.1 200 OK\r\n\r\nall that comes",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ];
    let (to, server) = serving(answers).await;
    let upstream = Upstream::new(LIMIT);
    for expected in ["ok", "stay", "all that comes", "ok", "ok"] {
        assert_eq!(asked(&upstream, to).await, expected);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_cut_or_no_answer_is_an_error() {
    let cut: Vec<&[u8]> = vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello world\r\n0\r\n\r\n",
    ];
    let (to, _) = serving(cut).await;
    let upstream = Upstream::new(LIMIT);
    for _ in 0..3 {
        let answer = upstream.send(request(to), LIMIT).await.unwrap();
        assert!(answer.into_body().collect().await.is_err());
    }
    let none: Vec<&[u8]> = vec![b"", b"HTTP/1.1 200 OK\r\nx", b"+OK POP3\r\n\r\n", b"HTTP/1.1 101 X\r\n\r\n"];
    let (to, _) = serving(none).await;
    for _ in 0..4 {
        assert_eq!(upstream.send(request(to), LIMIT).await.err().unwrap().code, Code::UpstreamBadResponse);
    }
}

/// More than the buffers of two sockets hold.
const LARGE: usize = 32 * 1024 * 1024;

fn large(to: SocketAddr) -> Request<Bytes> {
    Request::post(format!("http://{to}/")).body(Bytes::from(vec![b'x'; LARGE])).unwrap()
}

#[tokio::test]
async fn who_answers_early_is_understood_and_may_still_read_the_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        // The first one refuses and goes.
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 512]).await.unwrap();
        let refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        stream.write_all(refusal).await.unwrap();
        stream.shutdown().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        drop(stream);
        // The second one begins to answer, reads all, and goes on.
        second.read_exact(&mut [0; 512]).await.unwrap();
        second.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nso").await.unwrap();
        let (mut all, mut buffer) = (512, vec![0; 1 << 16]);
        while all < LARGE {
            all += second.read(&mut buffer).await.unwrap();
        }
        second.write_all(b"me").await.unwrap();
    });
    let upstream = Upstream::new(LIMIT);
    let answer = upstream.send(large(to), LIMIT).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "no");
    let answer = upstream.send(large(to), LIMIT).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "some");
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_before_it_was_heard_of_is_not_used() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let (tell, closed) = std::sync::mpsc::channel();
    let (taken, was_taken) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(ANSWER).unwrap();
            // The answer must have been taken, or it is lost with the connection.
            was_taken.recv().unwrap();
            drop(stream);
            tell.send(()).unwrap();
        }
    });
    let upstream = Upstream::new(LIMIT);
    assert_eq!(asked(&upstream, to).await, "ok");
    taken.send(()).unwrap();
    // The runtime of this test runs on this thread alone: it hears nothing meanwhile.
    closed.recv().unwrap();
    // Younger ones are not looked at: that it gets older is no event.
    std::thread::sleep(LOOK_AFTER);
    assert_eq!(asked(&upstream, to).await, "ok");
    taken.send(()).unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn what_a_provider_cannot_have_heard_is_said_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        // Both connections are used and then closed, one within a request, the other one while it waits.
        let (mut first, _) = listener.accept().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        for stream in [&mut first, &mut second] {
            heard(stream).await;
            stream.write_all(ANSWER).await.unwrap();
        }
        let (mut at_first, mut at_second) = ([0], [0]);
        let (left, other) = tokio::select! {
            came = first.peek(&mut at_first) => came.map(|_| (first, second)),
            came = second.peek(&mut at_second) => came.map(|_| (second, first)),
        }
        .unwrap();
        // What has come is not read: the request is cut off.
        drop(left);
        let (mut third, _) = listener.accept().await.unwrap();
        let (mut all, mut buffer) = (0, vec![0; 1 << 16]);
        while all < LARGE {
            all += third.read(&mut buffer).await.unwrap();
        }
        third.write_all(ANSWER).await.unwrap();
        drop(other);
    });
    let upstream = Upstream::new(LIMIT);
    let (one, other) = tokio::join!(asked(&upstream, to), asked(&upstream, to));
    assert_eq!((one, other), (Bytes::from("ok"), Bytes::from("ok")));
    let answer = upstream.send(large(to), LIMIT).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    server.await.unwrap();
}

#[tokio::test]
async fn what_a_provider_may_have_heard_is_not_said_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for half in ["", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard(&mut stream).await;
            stream.write_all(ANSWER).await.unwrap();
            // All of a small request, or a part of a large one and a first word.
            heard(&mut stream).await;
            stream.write_all(half.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        listener
    });
    let upstream = Upstream::new(LIMIT);
    for request in [request(to), large(to)] {
        assert_eq!(asked(&upstream, to).await, "ok");
        assert_eq!(upstream.send(request, LIMIT).await.err().unwrap().code, Code::UpstreamBadResponse);
    }
    let listener = server.await.unwrap();
    tokio::select! {
        biased;
        _ = listener.accept() => panic!("it was said again"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn large_answers_come_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for chunk in [1, 70_000, 4_000_000] {
            heard(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            for piece in vec![b'y'; 8_000_000].chunks(chunk).take(10_000) {
                let piece = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                stream.write_all(&piece).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    });
    let upstream = Upstream::new(LIMIT);
    for expected in [10_000, 8_000_000, 8_000_000] {
        assert_eq!(asked(&upstream, to).await.len(), expected);
    }
}
