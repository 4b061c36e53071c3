//! Guardrails over every text of a stream that the caller gets in its own dialect, wherever it stands.
//!
//! In the streams below `{W}` is the word that a guardrail looks for; `{A}` and `{B}` are its halves, cut
//! over two frames.

use crate::client::{Answer, Ask};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

/// A name, the data of its frames.
type Case = (&'static str, &'static [&'static str]);

const CHAT: &[Case] = &[
    (
        "free-form calls",
        &[
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"f","input":"the \n{A}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"{B} \"it\""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
    ),
    (
        "arguments that are an object",
        &[
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":{"id" : "{W}","list":[1.0,"at {W}"],"{W}":null}}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
    ),
    (
        "arguments before their name",
        &[
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"{\"a\":\"{A}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{B}\"}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
    ),
    (
        "refusals",
        &[
            r#"{"choices":[{"index":0,"delta":{"refusal":"no {A}"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"refusal":"{B}"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ],
    ),
    (
        "thoughts in one piece, and said twice",
        &[
            r#"{"choices":[{"index":0,"delta":{"reasoning":"{A}","reasoning_details":[{"type":"reasoning.text","text":"{A}","index":0}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning":"{B}.","reasoning_details":[{"type":"reasoning.text","text":"{B}.","index":0}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"thinking_blocks":[{"type":"thinking","thinking":"on {W}","signature":"s"}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#,
        ],
    ),
    (
        "arguments whose escapes hide a word",
        &[
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":\"\\n{A}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{B}\\n\"}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
    ),
    (
        "words around a call",
        &[
            r#"{"choices":[{"index":0,"delta":{"content":"{A}"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"{B}"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
    ),
    (
        "further choices, sound and sources",
        &[
            r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"{A}"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"{B}"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"audio":{"id":"x","data":"AAAA","transcript":"{A}"}}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"audio":{"transcript":"{B}"}}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"annotations":[{"type":"url_citation","url_citation":{"title":"{W}"}}]},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ],
    ),
];

/// What spells the text once more goes with the word and from there on, and stays where there was none.
const SPELLED: [&str; 4] = [
    r#"{"choices":[{"index":0,"delta":{"content":"by {A}"},"logprobs":{"content":[{"token":"{A}","bytes":[79,115]}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"{B}."},"logprobs":{"content":[{"token":"{B}"}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":" So."},"logprobs":{"content":[{"token":" So."}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
];

const MESSAGES: &[Case] = &[
    (
        "inputs of tools in one piece",
        &[
            r#"{"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":"{W}","n":1}}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        "tools of the server, sources and a refusal",
        &[
            r#"{"type":"message_start","message":{"id":"a","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"t","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":\"{A}"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{B}\"}"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"by {A}"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"the {W}"}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"{B}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"no {W}"}},"usage":{"output_tokens":5}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
];

const RESPONSES: &[Case] = &[(
    "free-form calls and tools of the server",
    &[
        r#"{"type":"response.created","response":{"id":"r","model":"m","instructions":"never say {I}","output":[]}}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"i","call_id":"c","name":"f","input":""}}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"a {A}"}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"{B}\n"}"#,
        r#"{"type":"response.custom_tool_call_input.done","output_index":0,"input":"a {W}\n"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","id":"i","call_id":"c","name":"f","input":"a {W}\n"}}"#,
        r#"{"type":"response.code_interpreter_call_code.delta","output_index":1,"delta":"print('{A}"}"#,
        r#"{"type":"response.code_interpreter_call_code.delta","output_index":1,"delta":"{B}')"}"#,
        r#"{"type":"response.code_interpreter_call_code.done","output_index":1,"code":"print('{W}')"}"#,
        r#"{"type":"response.completed","response":{"id":"r","model":"m","status":"completed","instructions":"never say {I}","output":[{"type":"custom_tool_call","id":"i","call_id":"c","name":"f","input":"a {W}\n"}],"usage":{"input_tokens":1,"output_tokens":5}}}"#,
    ],
)];

const GEMINI: &[Case] = &[(
    "code that was run and further candidates",
    &[
        r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"print('{W}')"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"{W}\n"}}]}},{"index":1,"content":{"parts":[{"text":"{A}"}]}}]}"#,
        r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"{B}"}]},"finishReason":"STOP"}]}"#,
        r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"so {W}."}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["{W}"]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":5}}"#,
    ],
)];

const COHERE: &[Case] = &[(
    "a plan, thoughts, words with their sources, and calls",
    &[
        r#"{"type":"message-start","id":"a","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I {A}"}}}"#,
        r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"{B}."}}}"#,
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"{A}"}}}}"#,
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"{B}"}}}}"#,
        r#"{"type":"content-end","index":0}"#,
        r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"by {A}"}}}}"#,
        r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":3,"end":9,"text":"{W}","sources":[{"type":"tool","id":"f:0","tool_output":{"content":"the {W}"}},{"type":"document","id":"d","document":{"id":"d","title":"{W}","year":1}}]}}}}"#,
        r#"{"type":"citation-end","index":0}"#,
        r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"{B}"}}}}"#,
        r#"{"type":"content-end","index":1}"#,
        r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c","type":"function","function":{"name":"f","arguments":""}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"q\":\"{A}"}}}}}"#,
        r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{B}\"}"}}}}}"#,
        r#"{"type":"tool-call-end","index":0}"#,
        r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":1,"output_tokens":5}}}}"#,
    ],
)];

fn streams() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> {
    let all = [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES), ("/v1/responses", RESPONSES)];
    let all = all.into_iter().chain([("/v2/chat", COHERE)]);
    let all = all.chain([("/v1beta/models/gemini%2Fm:streamGenerateContent?alt=sse", GEMINI)]);
    all.flat_map(|(path, cases)| {
        cases.iter().map(move |(name, frames)| {
            let done = path.contains("chat").then_some("[DONE]");
            (path, *name, frames.iter().copied().chain(done).collect())
        })
    })
}

/// The stream with these for the word and its halves.
fn filled(frames: &[&str], [word, first, second]: [&str; 3]) -> String {
    let fill = |data: &str| {
        let data = data.replace("{W}", word).replace("{A}", first).replace("{B}", second);
        format!("data: {}\n\n", data.replace("{I}", "Osprey"))
    };
    frames.iter().map(|data| fill(data)).collect()
}

const WORD: [&str; 3] = ["Osprey", "Os", "prey"];

async fn streamed(provider: &Provider, house: &House, path: &str, sent: &str) -> Answer {
    let replay = json!({"content_type": "text/event-stream", "body": sent});
    provider.script(&json!({"replay": replay}));
    let user = json!([{"role": "user", "content": "hi"}]);
    let body = match path {
        "/v1/chat/completions" => {
            json!({"model": "openai/m", "messages": user, "stream": true, "stream_options": {"include_usage": true}})
        }
        "/v2/chat" => json!({"model": "cohere/m", "messages": user, "stream": true}),
        "/v1/messages" => json!({"model": "anthropic/m", "messages": user, "stream": true, "max_tokens": 9}),
        "/v1/responses" => json!({"model": "openai/m", "input": "hi", "stream": true, "store": false}),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
    };
    let answer = house.call(Ask::post(path, &body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// Guardrails on all that a model says but the arguments of Gemini's functions, which are objects and are
/// written anew.
fn guards(action: &str) -> String {
    format!(
        "guards: [{{ name: exit, detect: words, words: [Osprey], at: [output, tool_arguments], do: {action} }}]\n"
    )
}

#[tokio::test]
async fn every_text_of_a_frame_is_redacted_in_place() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    for (path, name, frames) in streams() {
        if path.contains("gemini") {
            continue;
        }
        let answer = streamed(&provider, &house, path, &filled(&frames, WORD)).await;
        let expected = filled(&frames, ["[REDACTED]", "[REDACTED]", ""]);
        assert_eq!(answer.text(), expected, "{path} {name}");
        let other = filled(&frames, ["Falcon", "Fal", "con"]);
        assert_eq!(streamed(&provider, &house, path, &other).await.text(), other, "{path} {name}");
    }
}

/// Gemini names no parts: which text one goes on is said by what it is.
#[tokio::test]
async fn parts_of_any_candidate_are_redacted_in_place_wherever_they_stand() {
    let frames = [
        r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"hm {A}","thought":true},{"text":"so {A}"}]}},{"index":1,"content":{"parts":[{"text":"hm","thought":true},{"text":"so {A}"}]}}]}"#,
        r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"{B}"}]}},{"index":1,"content":{"parts":[{"text":"{B}."}]}}]}"#,
        r#"{"candidates":[{"index":0,"content":{"parts":[{"text":"{B}","thought":true}]},"finishReason":"STOP"},{"index":1,"content":{"parts":[]},"finishReason":"STOP"}]}"#,
    ];
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact").replace(", tool_arguments", ""))).await;
    let path = "/v1beta/models/gemini%2Fm:streamGenerateContent?alt=sse";
    let answer = streamed(&provider, &house, path, &filled(&frames, WORD)).await;
    assert_eq!(answer.text(), filled(&frames, ["", "[REDACTED]", ""]));
}

#[tokio::test]
async fn log_probabilities_do_not_spell_what_was_redacted() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    let path = "/v1/chat/completions";
    let frames = [&SPELLED[..], &["[DONE]"]].concat();
    let answer = streamed(&provider, &house, path, &filled(&frames, WORD)).await.text();
    let expected = filled(&frames, ["[REDACTED]", "[REDACTED]", ""])
        .replace(r#"{"content":[{"token":"[REDACTED]","bytes":[79,115]}]}"#, "null")
        .replace(r#"{"content":[{"token":""}]}"#, "null")
        .replace(r#"{"content":[{"token":" So."}]}"#, "null");
    assert_eq!(answer, expected);
    let other = filled(&frames, ["Falcon", "Fal", "con"]);
    assert_eq!(streamed(&provider, &house, path, &other).await.text(), other);
}

#[tokio::test]
async fn answers_in_one_piece_are_read_whole() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    let sent = r#"{"id":"a","model":"m","choices":[{"index":0,"logprobs":{"content":[{"token":"{W}"}]},"message":{"content":"x","annotations":[{"url_citation":{"title":"{W}"}}],"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"id":"{W}"}}}]},"finish_reason":"stop"}]}"#;
    for kind in ["openai", "anthropic"] {
        let body = sent.replace("{W}", "Osprey");
        let path = if kind == "openai" { "/v1/chat/completions" } else { "/v1/messages" };
        provider.script(&json!({"replay": {"content_type": "application/json", "body": body}}));
        let user = json!([{"role": "user", "content": "hi"}]);
        let ask = Ask::post(path, &json!({"model": "openai/m", "messages": user, "max_tokens": 9}));
        let answer = house.call(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if kind == "openai" {
            let spelled = r#"{"content":[{"token":"[REDACTED]"}]}"#;
            assert_eq!(answer.text(), sent.replace("{W}", "[REDACTED]").replace(spelled, "null"));
        } else {
            assert_eq!(
                answer.json()["content"][1]["input"],
                json!({"id": "[REDACTED]"}),
                "{}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn sources_in_one_piece_are_read_too() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    let sent = r#"{"id":"a","finish_reason":"COMPLETE","message":{"role":"assistant","tool_plan":"a {W}","content":[{"type":"thinking","thinking":"{W}"},{"type":"text","text":"by {W}"}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"q\":\"{W}\"}"}}],"citations":[{"start":3,"end":9,"text":"{W}","sources":[{"type":"tool","id":"f:0","tool_output":{"content":"the {W}"}},{"type":"document","id":"d","document":{"title":"{W}"}}]}]}}"#;
    provider.script(
        &json!({"replay": {"content_type": "application/json", "body": sent.replace("{W}", "Osprey")}}),
    );
    let body = json!({"model": "cohere/m", "messages": [{"role": "user", "content": "hi"}]});
    let answer = house.call(Ask::post("/v2/chat", &body)).await;
    assert_eq!(answer.text(), sent.replace("{W}", "[REDACTED]"));
}

#[tokio::test]
async fn no_text_of_a_frame_passes_a_block() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("block"))).await;
    for (path, name, frames) in streams() {
        let answer = streamed(&provider, &house, path, &filled(&frames, WORD)).await.text();
        let said = answer.replace("never say Osprey", "");
        assert!(answer.contains("guard_blocked") && !said.contains("Os"), "{path} {name}: {answer}");
    }
}

#[tokio::test]
async fn what_no_edit_can_replace_does_not_pass() {
    let provider = Provider::start().await;
    let config =
        "guards: [{ name: exit, detect: words, words: [\"4711\"], at: [tool_arguments], do: redact }]\n";
    let house = House::start(&provider.config(config)).await;
    let call = |value: &str| {
        let call = format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"id":"c","function":{{"name":"f","arguments":{{"pin":{value}}}}}}}]}}}}]}}"#
        );
        let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
        format!("data: {call}\n\ndata: {end}\n\ndata: [DONE]\n\n")
    };
    let path = "/v1/chat/completions";
    let refused = streamed(&provider, &house, path, &call("4711")).await.text();
    assert!(refused.contains("guard_unavailable") && !refused.contains("4711"), "{refused}");
    assert_eq!(streamed(&provider, &house, path, &call("4712")).await.text(), call("4712"));
    // Nor what cannot be read at all.
    let broken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {4711\n\n";
    let refused = streamed(&provider, &house, path, broken).await.text();
    assert!(refused.contains("upstream_bad_response") && !refused.contains("4711"), "{refused}");
}

#[tokio::test]
async fn blocks_of_one_dialect_are_edited_where_the_stream_is_written_anew() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    for (name, frames) in GEMINI {
        let path = "/v1beta/models/gemini%2Fm:streamGenerateContent?alt=sse";
        let answer = streamed(&provider, &house, path, &filled(frames, WORD)).await;
        let data: Vec<Value> = answer.events();
        let text = Value::from(data).to_string();
        assert!(text.contains("print('[REDACTED]')") && text.contains("so [REDACTED]."), "{name}: {text}");
        assert!(!text.contains("Osprey"), "{name}: {text}");
    }
}
