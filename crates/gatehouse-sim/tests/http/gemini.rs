//! Gemini's API over HTTP.

use crate::harness::{joined, start, weather};
use serde_json::{Value, json};

const GENERATE: &str = "/v1beta/models/gemini-3-sim:generateContent";
const STREAM: &str = "/v1beta/models/gemini-3-sim:streamGenerateContent?alt=sse";

fn ask(text: &str, more: &Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn content_comes_whole_in_events_and_in_an_array() {
    let sim = start().await;
    let whole = sim.post(GENERATE, &ask("hello there", &json!({}))).await.json();
    assert_eq!(whole["candidates"][0]["content"]["parts"], json!([{"text": "You said: hello there"}]));
    assert_eq!(
        (&whole["usageMetadata"]["totalTokenCount"], &whole["modelVersion"]),
        (&json!(9), &json!("gemini-3-sim"))
    );
    let events = sim.post(STREAM, &ask("hello there", &json!({}))).await;
    assert!(events.text().ends_with("\r\n\r\n"));
    let chunks = events.events();
    assert_eq!(joined(&chunks, "/candidates/0/content/parts/0/text"), "You said: hello there");
    let finished: Vec<bool> =
        chunks.iter().map(|(_, chunk)| chunk["candidates"][0].get("finishReason").is_some()).collect();
    assert_eq!(finished, [false, false, false, true]);
    assert_eq!(chunks[3].1["usageMetadata"]["candidatesTokenCount"], 4);
    let array = sim.post("/v1/models/m:streamGenerateContent", &ask("hello there", &json!({}))).await;
    assert_eq!(array.json().as_array().unwrap().len(), 4);
    let counted = sim.post("/v1beta/models/m:countTokens", &ask("hello there", &json!({}))).await;
    assert_eq!(counted.json()["totalTokens"], 5);
}

#[tokio::test]
async fn tools_go_round_with_signed_calls() {
    let sim = start().await;
    let tools = json!([{"function_declarations": [{"name": "get_weather", "parametersJsonSchema": weather()},
        {"name": "get_time"}]}]);
    let mut body = ask("get_weather city=Rome and get_time", &json!({"tools": tools}));
    let answer = sim.post(GENERATE, &body).await.json();
    let content = answer["candidates"][0]["content"].clone();
    assert_eq!(content["parts"][0]["functionCall"]["args"], json!({"city": "Rome", "days": 1}));
    assert!(
        content["parts"][0].get("thoughtSignature").is_some()
            && content["parts"][1].get("thoughtSignature").is_none()
    );
    let chunks = sim.post(STREAM, &body).await.events();
    assert_eq!(chunks[0].1["candidates"][0]["content"], content, "calls come whole");

    let response = |name: &str| json!({"functionResponse": {"name": name, "response": {"result": "fine"}}});
    let both = json!({"role": "user", "parts": [response("get_weather"), response("get_time")]});
    let question = body["contents"][0].clone();
    let mut say = |contents: Value| {
        body["contents"] = contents;
        body.clone()
    };
    let answer = sim.post(GENERATE, &say(json!([question, content, both]))).await.json();
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "Tool said: fine fine");

    let mut altered = content.clone();
    altered["parts"][0]["thoughtSignature"] = json!("AAAA");
    let mut bare = content.clone();
    bare["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    let mut bypassed = content.clone();
    bypassed["parts"][0]["thoughtSignature"] = json!("skip_thought_signature_validator");
    let mut web_alphabet = content.clone();
    let signature = content["parts"][0]["thoughtSignature"].as_str().unwrap();
    web_alphabet["parts"][0]["thoughtSignature"] = json!(signature.replace('+', "-").replace('/', "_"));
    let one = json!({"role": "user", "parts": [response("get_weather")]});
    let reply = json!({"role": "model", "parts": [{"text": "hi"}]});
    let cases = [
        (json!([question, altered, both]), "Corrupted thought signature"),
        (json!([question, bare, both]), "missing a thought_signature"),
        (json!([question, content, one]), "number of function response parts is equal"),
        (json!([question, content]), "number of function response parts is equal"),
        (json!([question, reply, reply]), "alternate between user and model"),
        (json!([both]), "immediately after a function call turn"),
    ];
    for (contents, said) in cases {
        let answer = sim.post(GENERATE, &say(contents)).await;
        assert_eq!((answer.status, &answer.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
    }
    let later = json!({"role": "user", "parts": [{"text": "again"}]});
    assert_eq!(sim.post(GENERATE, &say(json!([question, later]))).await.status, 200);
    for content in [bypassed, web_alphabet] {
        assert_eq!(sim.post(GENERATE, &say(json!([question, content, both]))).await.status, 200);
    }
}

#[tokio::test]
async fn thoughts_schemas_and_refusals() {
    let sim = start().await;
    let thinking = json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let parts =
        sim.post(GENERATE, &ask("hi", &thinking)).await.json()["candidates"][0]["content"]["parts"].clone();
    assert_eq!((&parts[0]["thought"], &parts[1]["text"]), (&json!(true), &json!("You said: hi")));
    let back = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": parts},
        {"role": "user", "parts": [{"text": "again"}]}]});
    assert_eq!(sim.post(GENERATE, &back).await.status, 200);
    let last = sim.post(STREAM, &ask("hi", &thinking)).await.events().pop().unwrap().1;
    assert_eq!(
        last["candidates"][0]["content"]["parts"][0]["text"], "",
        "the signature comes on an empty part"
    );

    let schema = json!({"generation_config": {"response_mime_type": "application/json", "response_schema": weather()}});
    let answer = sim.post(GENERATE, &ask("city=Bonn", &schema)).await.json();
    let text = answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"city": "Bonn", "days": 1}));

    let filtered = sim.post("/v1beta/models/filter:generateContent", &ask("hi", &json!({}))).await.json();
    assert_eq!(filtered["candidates"][0]["finishReason"], "SAFETY");
    let inline = |data: &str| json!({"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": data}}]}]});
    let declared =
        |schema: Value| json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]});
    let cases = [
        (json!({}), "contents is not specified"),
        (ask("x", &json!({"top_k": 1})), "Unknown name \\\"topK\\\""),
        (json!({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}), "start with a user turn"),
        (json!({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}), "valid role"),
        (json!({"contents": [{"role": "user", "parts": []}]}), "must not be empty"),
        (inline("%%%"), "Base64 decoding failed"),
        (ask("x", &declared(json!({"type": "object", "additionalProperties": false}))), "Cannot find field"),
    ];
    for (body, said) in cases {
        let answer = sim.post(GENERATE, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(said), "{body}: {}", answer.text());
    }
    let missing = sim.post("/v1beta/models/missing-1:generateContent", &ask("x", &json!({}))).await;
    assert_eq!((missing.status, &missing.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    let limited = sim.post("/v1beta/models/ratelimit-9:generateContent", &ask("x", &json!({}))).await;
    assert_eq!(limited.json()["error"]["details"][0]["retryDelay"], "9s");
}

#[tokio::test]
async fn embeddings_and_models() {
    let sim = start().await;
    let content =
        json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 4, "model": "models/e"});
    let one = sim.post("/v1beta/models/e:embedContent", &content).await.json();
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 4);
    let many = sim
        .post("/v1beta/models/e:batchEmbedContents", &json!({"requests": [content, content]}))
        .await
        .json();
    assert_eq!(many["embeddings"][1], one["embedding"]);
    let mut list = sim.request("GET", "/v1beta/models", "");
    list.headers_mut().remove("anthropic-version");
    assert!(sim.send(list).await.json()["models"][0]["name"].as_str().unwrap().starts_with("models/"));
}
