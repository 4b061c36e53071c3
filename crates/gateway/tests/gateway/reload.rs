//! What a reload leaves as it is, and what is told of one that was refused.

use crate::client::Ask;
use crate::front::Front;
use crate::house::{House, PROVIDER_KEY};
use crate::life::until;
use crate::provider::Provider;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// A way to the provider that counts the connections made by it.
async fn counted(provider: &Provider) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (to, made) = (provider.address().to_owned(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&made);
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let mut to = TcpStream::connect(&to).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut from, &mut to).await });
        }
    });
    (address, made)
}

#[tokio::test]
async fn connections_to_providers_outlive_a_reload() {
    let provider = Provider::start().await;
    let (address, made) = counted(&provider).await;
    let config = |more: &str| {
        let own = format!("api: openai, base_url: \"http://{address}/v1\", api_key: \"${{PROVIDER_KEY}}\"");
        let listen = "listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }";
        format!("version: 1\n{listen}\nproviders: {{ own: {{ {own} }} }}\n{more}")
    };
    let house = House::start(&config("")).await;
    // By one connection, so that one thread serves all: each has connections of its own to the provider.
    let stream = TcpStream::connect(&house.calls).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for (reloads, name) in ["own/m", "one", "two", "three"].iter().enumerate() {
        if reloads > 0 {
            let more = format!("models: {{ {name}: {{ targets: [own/m] }} }}\n");
            std::fs::write(house.config_path(), config(&more)).unwrap();
            house.signal("HUP");
            until(async || house.call(Ask::get(format!("/v1/models/{name}"))).await.status == 200).await;
        }
        let ask = Front::Chat.ask(name, "hi").key(&house.key);
        let mut request = Request::builder().method(ask.method).uri(&ask.path).header("host", "a");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let answer = sender.send_request(request.body(Full::new(ask.body)).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    connection.abort();
}

#[tokio::test]
async fn a_refused_reload_is_in_the_audit_log_without_secrets() {
    const CANARY: &str = "sk-literal-canary-77aa";
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let literal = format!("providers: {{ x: {{ api: openai, api_key: {CANARY} }} }}\n");
    let broken = format!("x: [{CANARY}\n");
    let bad = [
        provider.config("models: { three: { targets: [nobody/m] } }\n"),
        format!("version: 1\n{literal}"),
        provider.config(&broken),
    ];
    assert_eq!(house.call(Ask::get("/v1/models")).await.status, 200);
    for (refused, text) in bad.iter().enumerate() {
        std::fs::write(house.config_path(), text).unwrap();
        house.signal("HUP");
        until(async || house.in_the_log("\"kind\":\"config.refused\"") > refused).await;
    }
    assert!(house.in_the_log("\"reason\":\"") > 2 && house.in_the_log("nobody") > 0);
    for secret in [CANARY, PROVIDER_KEY] {
        assert_eq!(house.in_the_log(secret), 0, "{secret}");
        assert!(!house.stderr().contains(secret), "{}", house.stderr());
    }
}

#[tokio::test]
async fn a_signal_right_after_the_start_ends_nothing() {
    let provider = Provider::start().await;
    for _ in 0..8 {
        let house = House::start(&provider.config("")).await;
        house.signal("HUP");
        assert_eq!(house.call(Front::Chat.ask("openai/m", "hello")).await.status, 200);
    }
}
