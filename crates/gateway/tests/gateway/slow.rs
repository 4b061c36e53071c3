//! A caller that does not read: the provider has to wait, the gateway's memory must not.

use crate::front::Front;
use crate::house::House;
use crate::provider::Provider;
use serde_json::json;
use std::time::Duration;

/// The words of an answer of 48 MiB of text: more than the buffers of all the sockets on its way hold.
const WORDS: usize = (49_152 * 1_024_usize).div_ceil(10);
/// A provider that has sent nothing for so long is held back.
const STANDSTILL: Duration = Duration::from_millis(500);
/// What the gateway may need more for a call, whatever the answer's size.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

#[tokio::test]
async fn a_caller_that_does_not_read_holds_the_provider_back() {
    for kind in ["openai", "anthropic"] {
        let provider = Provider::start().await;
        let house = House::start(&provider.config("")).await;
        assert_eq!(house.call(Front::Chat.stream(&format!("{kind}/m"), "hi")).await.status, 200);
        let (before, memory) = (provider.sim.stats().total.bytes_out, house.memory_kib());
        let more = json!({"max_tokens": WORDS * 10});
        let ask = Front::Chat.ask_with(&format!("{kind}/big-49152"), "hi", true, &more);
        let mut live = house.open(ask).await;
        live.read_until("gatehouse").await;
        let mut sent = 0;
        // That nothing happens is no event to wait for.
        while std::mem::replace(&mut sent, provider.sim.stats().total.bytes_out) != sent {
            tokio::time::sleep(STANDSTILL).await;
        }
        let counts = provider.sim.stats().total;
        assert_eq!((counts.completed, counts.in_flight), (1, 1), "{kind}: all of it went out: {counts:?}");
        if let (Some(before), Some(now)) = (memory, house.memory_kib()) {
            assert!(now < before + GROWTH_KIB_MAX, "{kind}: from {before} KiB to {now} KiB");
        }

        let answer = live.rest().await;
        assert!(!answer.cut);
        let all = provider.wait(|counts| counts.completed == 2).await.bytes_out;
        assert!((sent - before) * 2 < all - before, "{kind}: {sent} of {all} went out before it was read");
        // Pieces end within words.
        assert_eq!(Front::Chat.text_in(&answer).matches("gatehouse").count(), WORDS, "{kind}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{kind}");
        assert_eq!(house.record(&answer.record()).await["outcome"], "settled");
    }
}
