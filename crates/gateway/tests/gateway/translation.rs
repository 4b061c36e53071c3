//! Every front on every kind of provider: the same question gets an answer of the same meaning.

use crate::client::Ask;
use crate::front::{FRONTS, Front, weather, with};
use crate::house::House;
use crate::provider::{PROVIDERS, Provider};
use serde_json::{Value, json};

/// The members that declare these tools, all with the same arguments.
pub(crate) fn tools(front: Front, names: &[&str]) -> Value {
    let each = names.iter().map(|name| match front {
        Front::Chat | Front::Cohere => {
            json!({"type": "function", "function": {"name": name, "parameters": weather()}})
        }
        Front::Responses => {
            json!({"type": "function", "name": name, "parameters": weather(), "strict": false})
        }
        Front::Messages => json!({"name": name, "input_schema": weather()}),
        Front::Gemini => json!({"name": name, "parametersJsonSchema": weather()}),
        Front::Converse => json!({"toolSpec": {"name": name, "inputSchema": {"json": weather()}}}),
    });
    let all: Vec<Value> = each.collect();
    match front {
        Front::Gemini => json!({"tools": [{"functionDeclarations": all}]}),
        Front::Converse => json!({"toolConfig": {"tools": all}}),
        _ => json!({"tools": all}),
    }
}

/// The members that ask for an answer in the shape of [`weather`].
fn structured(front: Front) -> Value {
    match front {
        Front::Chat => {
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "w", "strict": true, "schema": weather()}}})
        }
        Front::Responses => {
            json!({"text": {"format": {"type": "json_schema", "name": "w", "strict": true, "schema": weather()}}})
        }
        Front::Messages => json!({"output_config": {"format": {"type": "json_schema", "schema": weather()}}}),
        Front::Gemini => {
            json!({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": weather()}})
        }
        Front::Cohere => json!({"response_format": {"type": "json_object", "json_schema": weather()}}),
        Front::Converse => {
            let schema = json!({"name": "w", "schema": weather().to_string()});
            json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}})
        }
    }
}

/// The next request of a conversation: the answer's calls as they came, and this said by each tool.
fn results(front: Front, body: &Value, answer: &Value, said: &str) -> Value {
    let mut next = body.clone();
    let (member, turns) = match front {
        Front::Chat | Front::Cohere => {
            let whole =
                if front == Front::Chat { &answer["choices"][0]["message"] } else { &answer["message"] };
            let message = whole.clone();
            let calls = message["tool_calls"].as_array().unwrap().clone();
            let result = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": said});
            ("messages", [vec![message], calls.iter().map(result).collect()].concat())
        }
        Front::Responses => {
            let items = answer["output"].as_array().unwrap().clone();
            let calls = items.iter().filter(|item| item["type"] == "function_call");
            let result = |call: &Value| json!({"type": "function_call_output", "call_id": call["call_id"], "output": said});
            let results = calls.map(result).collect();
            if next["input"].is_string() {
                next["input"] = json!([{"role": "user", "content": next["input"]}]);
            }
            ("input", [items, results].concat())
        }
        Front::Messages => {
            let blocks = answer["content"].as_array().unwrap().clone();
            let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
            let result =
                |call: &Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": said});
            let results: Vec<Value> = calls.map(result).collect();
            (
                "messages",
                vec![
                    json!({"role": "assistant", "content": blocks}),
                    json!({"role": "user", "content": results}),
                ],
            )
        }
        Front::Gemini => {
            let content = answer["candidates"][0]["content"].clone();
            let calls =
                content["parts"].as_array().unwrap().iter().filter_map(|part| part.get("functionCall"));
            let result = |call: &Value| {
                let mut response = json!({"name": call["name"], "response": {"result": said}});
                if call.get("id").is_some() {
                    response["id"] = call["id"].clone();
                }
                json!({"functionResponse": response})
            };
            let results: Vec<Value> = calls.map(result).collect();
            ("contents", vec![content, json!({"role": "user", "parts": results})])
        }
        Front::Converse => {
            let message = answer["output"]["message"].clone();
            let calls =
                message["content"].as_array().unwrap().iter().filter_map(|block| block.get("toolUse"));
            let result = |call: &Value| json!({"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": said}]}});
            let results: Vec<Value> = calls.map(result).collect();
            ("messages", vec![message, json!({"role": "user", "content": results})])
        }
    };
    next[member].as_array_mut().unwrap().extend(turns);
    next
}

#[tokio::test]
async fn texts_whole_and_streamed() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, _) in FRONTS {
        for kind in PROVIDERS {
            let (model, what) = (format!("{kind}/m"), format!("{front:?} {kind}"));
            let whole = house.call(front.ask(&model, "hello there")).await;
            assert_eq!(whole.status, 200, "{what}: {}", whole.text());
            let said = front.said(&whole.json());
            assert_eq!(said.text, "You said: hello there", "{what}");
            // Cohere counts words of its own, too.
            let output = if kind == "cohere" { 6 } else { 4 };
            assert!(said.usage.0 > 0 && said.usage.1 == output, "{what}: {said:?}");
            let streamed = house.call(front.stream(&model, "hello there")).await;
            let kind_of_stream = match front {
                Front::Converse => "application/vnd.amazon.eventstream",
                _ => "text/event-stream",
            };
            assert!(streamed.header("content-type").starts_with(kind_of_stream), "{what}");
            assert_eq!(front.said_in(&streamed), said, "{what}: {}", streamed.text());
            for answer in [&whole, &streamed] {
                assert_eq!(answer.header("x-gatehouse-target"), model, "{what}");
                assert_eq!(answer.header("x-gatehouse-route"), "named: provider/model", "{what}");
                assert_eq!(answer.header("x-gatehouse-attempts"), "1", "{what}");
                assert!(answer.headers.contains_key("x-gatehouse-guards"), "{what}");
                let record = house.record(&answer.record()).await;
                assert_eq!(
                    (&record["input_tokens"], &record["output_tokens"]),
                    (&json!(said.usage.0), &json!(said.usage.1)),
                    "{what}"
                );
            }
            assert!(whole.header("x-gatehouse-cost").parse::<f64>().unwrap() > 0.0, "{what}");
        }
    }
}

#[tokio::test]
async fn usage_is_in_a_stream_when_it_was_asked_for() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for kind in PROVIDERS {
        let model = format!("{kind}/m");
        let silent = house.call(Front::Chat.ask_with(&model, "hi", true, &json!({}))).await;
        assert!(!silent.text().contains("prompt_tokens"), "{kind}: {}", silent.text());
        let asked = house.call(Front::Chat.stream(&model, "hi")).await;
        assert_eq!(asked.text().matches("prompt_tokens\"").count(), 1, "{kind}: {}", asked.text());
    }
}

#[tokio::test]
async fn tools_go_round() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, _) in FRONTS {
        for kind in PROVIDERS {
            let (model, what) = (format!("{kind}/m"), format!("{front:?} {kind}"));
            let declared = tools(front, &["get_weather", "get_time", "unused"]);
            let ask = front.ask_with(&model, "get_weather and get_time city=Rome", false, &declared);
            let body: Value = serde_json::from_slice(&ask.body).unwrap();
            let answer = house.call(ask).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            let said = front.said(&answer.json());
            let arguments = json!({"city": "Rome", "days": 1});
            let expected = ["get_weather", "get_time"].map(|name| (name.to_owned(), arguments.clone()));
            assert_eq!(said.calls, expected, "{what}: {}", answer.text());
            let streamed = front.ask_with(&model, "get_weather and get_time city=Rome", true, &declared);
            let streamed = house.call(streamed).await;
            assert_eq!(front.said_in(&streamed).calls, expected, "{what}: {}", streamed.text());
            for stream in [false, true] {
                let mut next = results(front, &body, &answer.json(), "rain");
                if !matches!(front, Front::Gemini | Front::Converse) {
                    next["stream"] = json!(stream);
                }
                let last = house.call(front.ask_body(&model, stream, &next)).await;
                assert_eq!(last.status, 200, "{what}: {} to {next}", last.text());
                let said = if stream { front.said_in(&last) } else { front.said(&last.json()) };
                assert_eq!(said.text, "Tool said: rain rain", "{what}");
            }
        }
    }
}

#[tokio::test]
async fn answers_have_the_shape_that_was_asked_for() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, _) in FRONTS {
        for kind in PROVIDERS {
            for stream in [false, true] {
                let ask = front.ask_with(&format!("{kind}/m"), "city=Bonn", stream, &structured(front));
                let answer = house.call(ask).await;
                assert_eq!(answer.status, 200, "{front:?} {kind}: {}", answer.text());
                let said = if stream { front.said_in(&answer) } else { front.said(&answer.json()) };
                let shape: Value =
                    serde_json::from_str(&said.text).unwrap_or_else(|_| panic!("{front:?} {kind}: {said:?}"));
                assert_eq!(shape, json!({"city": "Bonn", "days": 1}), "{front:?} {kind}");
            }
        }
    }
}

#[tokio::test]
async fn vectors_are_the_same_through_either_front() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for kind in ["openai", "gemini", "compatible"] {
        let openai = json!({"model": format!("{kind}/embed"), "input": ["a b", "c"], "dimensions": 4});
        let openai = house.call(Ask::post("/v1/embeddings", &openai)).await;
        assert_eq!(openai.status, 200, "{kind}: {}", openai.text());
        let part = |text: &str| json!({"model": "models/embed", "content": {"parts": [{"text": text}]}, "outputDimensionality": 4});
        let body = json!({"requests": [part("a b"), part("c")]});
        let gemini =
            house.call(Ask::post(format!("/v1beta/models/{kind}/embed:batchEmbedContents"), &body)).await;
        assert_eq!(gemini.status, 200, "{kind}: {}", gemini.text());
        let one =
            house.call(Ask::post(format!("/v1beta/models/{kind}/embed:embedContent"), &part("a b"))).await;
        assert_eq!(one.status, 200, "{kind}: {}", one.text());
        let vectors = |list: &Value, at: &str| -> Vec<Value> {
            list.as_array().unwrap().iter().map(|vector| vector[at].clone()).collect()
        };
        let first = vectors(&openai.json()["data"], "embedding");
        assert!(first.len() == 2 && first[0].as_array().unwrap().len() == 4);
        assert_eq!(first, vectors(&gemini.json()["embeddings"], "values"), "{kind}");
        assert_eq!(one.json()["embedding"]["values"], first[0], "{kind}");
        let record = house.record(&openai.record()).await;
        assert!(record["input_tokens"].as_u64() > Some(0), "{record}");
    }
    let none = house.call(Ask::post("/v1/embeddings", &json!({"model": "anthropic/m", "input": "a"}))).await;
    assert_eq!((none.status, Front::Chat.code(&none.json()).as_str()), (400, "no_capable_target"));
}

#[tokio::test]
async fn tokens_are_counted_for_every_provider() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for kind in PROVIDERS {
        let messages =
            json!({"model": format!("{kind}/m"), "messages": [{"role": "user", "content": "hello there"}]});
        let ask = Ask::post("/v1/messages/count_tokens", &messages).header("anthropic-version", "2023-06-01");
        let counted = house.call(ask).await;
        assert!(counted.json()["input_tokens"].as_u64() > Some(0), "{kind}: {}", counted.text());
        let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
        let gemini = house.call(Ask::post(format!("/v1beta/models/{kind}/m:countTokens"), &contents)).await;
        assert!(gemini.json()["totalTokens"].as_u64() > Some(0), "{kind}: {}", gemini.text());
        let input = json!({"model": format!("{kind}/m"), "input": "hello there", "max_output_tokens": 9});
        let openai = house.call(Ask::post("/v1/responses/input_tokens", &input)).await;
        assert!(openai.json()["input_tokens"].as_u64() > Some(0), "{kind}: {}", openai.text());
        assert_eq!(openai.json()["object"], "response.input_tokens");
        for (answer, own) in [(counted, "anthropic"), (gemini, "gemini"), (openai, "openai")] {
            assert_eq!(answer.header("x-gatehouse-count") == "estimated", kind != own, "{kind}");
            assert_eq!(house.record(&answer.record()).await["cost_usd"], "0", "{kind}");
        }
    }
}

#[tokio::test]
async fn the_list_of_models_has_the_callers_shape() {
    let provider = Provider::start().await;
    let more = "models: { smart: { targets: [openai/m] }, fast: { targets: [gemini/m] } }\n";
    let house = House::start(&provider.config(more)).await;
    let get = async |path: &str, name: &str, value: &str| {
        house.call(Ask::get(path).header(name, value)).await.json()
    };
    let openai = get("/v1/models", "x-none", "").await;
    assert_eq!((&openai["object"], &openai["data"][0]["id"]), (&json!("list"), &json!("smart")), "{openai}");
    let anthropic = get("/v1/models", "anthropic-version", "2023-06-01").await;
    assert_eq!(
        (&anthropic["has_more"], &anthropic["data"][1]["id"]),
        (&json!(false), &json!("fast")),
        "{anthropic}"
    );
    let gemini = get("/v1beta/models", "x-none", "").await;
    assert_eq!(gemini["models"][0]["name"], "models/smart", "{gemini}");
    assert_eq!(get("/v1/models/smart", "x-none", "").await["object"], "model");
    assert_eq!(get("/v1/models/smart", "anthropic-version", "2023-06-01").await["type"], "model");
    assert_eq!(get("/v1beta/models/smart", "x-none", "").await["name"], "models/smart");
    assert_eq!(house.call(Ask::get("/v1/models/nothing")).await.status, 404);
}

#[tokio::test]
async fn old_completions_and_arrays_are_spoken_too() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let prompt = json!({"model": "openai/m", "prompt": "hello there"});
    let whole = house.call(Ask::post("/v1/completions", &prompt)).await;
    assert_eq!(whole.json()["choices"][0]["text"], "You said: hello there", "{}", whole.text());
    let streamed = house.call(Ask::post("/v1/completions", &with(prompt, &json!({"stream": true})))).await;
    let text: String =
        streamed.events().iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "You said: hello there", "{}", streamed.text());
    for kind in PROVIDERS {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
        let array =
            house.call(Ask::post(format!("/v1beta/models/{kind}/m:streamGenerateContent"), &body)).await;
        let chunks = array.json();
        let text: String =
            chunks.as_array().unwrap().iter().map(|chunk| Front::Gemini.said(chunk).text).collect();
        assert_eq!(text, "You said: hello there", "{kind}: {}", array.text());
    }
}
