//! A gateway's life: other configurations, and its end.

use crate::front::Front;
use crate::house::House;
use crate::provider::{PATIENCE, Provider};
use std::time::Instant;
use tokio::time::timeout;

/// Waits until this is so.
pub(crate) async fn until(mut reached: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !reached().await {
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_configuration_holds_at_once_and_a_bad_one_never() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let call = async |model: &str| house.call(Front::Chat.ask(model, "hi")).await.status;
    let write = |more: &str| std::fs::write(house.config_path(), provider.config(more)).unwrap();
    assert_eq!(call("one").await, 404);

    write("models: { one: { targets: [openai/m] } }\n");
    until(async || call("one").await == 200).await;

    // A stream that runs keeps the configuration it began with.
    let mut live =
        house.open(Front::Chat.stream("openai/drip-20", "Nightingale one two three four five six")).await;
    live.read_until("You").await;
    write(
        "models: { two: { targets: [openai/m] } }\nguards: [{ name: g, detect: words, words: [two], do: block }]\n",
    );
    house.signal("HUP");
    until(async || call("two").await == 200).await;
    assert_eq!(call("one").await, 404);
    let answer = live.rest().await;
    assert!(Front::Chat.said_in(&answer).text.ends_with("five six"), "{}", answer.text());

    for bad in ["models: { three: { targets: [nobody/m] } }\n", "modles: {}\n", "models: { three: [\n"] {
        let refused = house.stderr().matches("last good one stays").count();
        write(bad);
        house.signal("HUP");
        until(async || house.stderr().matches("last good one stays").count() > refused).await;
        assert_eq!((call("two").await, call("three").await), (200, 404), "{bad}");
    }
    let metrics = house.admin("/metrics").await.text();
    assert!(metrics.contains("refused"), "{metrics}");
}

#[tokio::test]
async fn the_end_waits_for_open_streams() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    assert_eq!(house.admin("/readyz").await.status, 200);
    let prompt = "a stream that goes on for a while, as there is a lot to be said in it, word by word, and that is that";
    let mut live = house.open(Front::Chat.stream("openai/drip-60", prompt)).await;
    live.read_until("You").await;
    house.signal("TERM");
    until(async || house.admin("/readyz").await.status == 503).await;
    assert_eq!(house.admin("/healthz").await.status, 200);
    let answer = live.rest().await;
    assert_eq!(Front::Chat.said_in(&answer).text, format!("You said: {prompt}"));
    assert_eq!(house.ended().await.code(), Some(0), "{}", house.stderr());
    let record = house.record(&answer.record()).await;
    assert_eq!(record["outcome"], "settled", "{record}");
}

#[tokio::test]
async fn what_does_not_end_is_ended_at_the_limit_of_the_drain() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { drain: 300ms }\n")).await;
    let mut live = house.open(Front::Chat.stream("openai/stall-3", "one two three")).await;
    live.read_until("You").await;
    house.signal("TERM");
    let ended = timeout(PATIENCE, house.ended()).await.expect("it goes on");
    assert_eq!(ended.code(), Some(0), "{}", house.stderr());
    let answer = live.rest().await;
    assert!(answer.cut);
    provider.wait(|counts| counts.cancelled == 1).await;
    assert_eq!(house.record(&answer.record()).await["outcome"], "aborted");
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut live = house.open(Front::Chat.stream("openai/stall-3", "one two three")).await;
    live.read_until("You").await;
    house.signal("TERM");
    until(async || house.admin("/readyz").await.status == 503).await;
    house.signal("TERM");
    assert_eq!(house.ended().await.code(), Some(0), "{}", house.stderr());
    provider.wait(|counts| counts.cancelled == 1).await;
    assert!(live.rest().await.cut);
    assert_eq!(house.records_once(1).await.len(), 1);
}
