//! No credential anywhere but where it belongs.

use crate::front::FRONTS;
use crate::house::{House, PROVIDER_KEY};
use crate::provider::Provider;
use serde_json::json;

const CONFIG: &str = "record: { content: full }\n";

#[tokio::test]
async fn no_credential_is_written_anywhere() {
    let provider = Provider::start().await;
    let house = House::start_talkative(&provider.config(CONFIG)).await;
    let (_, key) = house.new_key(&["--name", "canary"]).await;
    for (front, own) in FRONTS {
        for model in ["m", "error-401", "error-500", "hangup"] {
            for stream in [false, true] {
                let ask = front.ask_with(&format!("{own}/{model}"), "hi", stream, &json!({})).key(&key);
                house.call(ask).await;
            }
        }
    }
    let wrong = format!("{key}x");
    house.call(FRONTS[0].0.ask("openai/m", "hi").key(&wrong)).await;
    let path = format!("/v1beta/models/gemini/m:generateContent?key={key}");
    let ask = crate::client::Ask::post(path, &json!({"contents": [{"parts": [{"text": "hi"}]}]}));
    assert_eq!(ask.open(&house.calls).await.status, 200);
    house.records().await;

    let greeting = house.stdout();
    assert!(greeting.contains(&house.key), "the first key is shown once");
    let metrics = house.admin("/metrics").await.text();
    let stderr = house.stderr();
    let listed = house.json(&["key", "list"]).await.to_string();
    let mut places = vec![("stdout", greeting.into_bytes()), ("stderr", stderr.into_bytes())];
    places.extend([("metrics", metrics.into_bytes()), ("key list", listed.into_bytes())]);
    let files = house.files();
    places.extend(files.iter().map(|(path, bytes)| (path.to_str().unwrap(), bytes.clone())));
    // The part behind the public id is the secret.
    let secret = |key: &str| key.splitn(3, '_').nth(2).unwrap().to_owned();
    for (name, canary) in
        [("provider", PROVIDER_KEY.to_owned()), ("caller", secret(&key)), ("first", secret(&house.key))]
    {
        for (place, bytes) in &places {
            let found = bytes.windows(canary.len()).position(|window| window == canary.as_bytes());
            if name == "first" && *place == "stdout" {
                continue;
            }
            let around =
                found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned());
            assert!(found.is_none(), "the {name}'s credential is in {place}, behind {around:?}");
        }
    }
}
