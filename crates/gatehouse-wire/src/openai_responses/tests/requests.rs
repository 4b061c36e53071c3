//! Requests of callers: seen, refused, rewritten, read.

use super::{CODEC, caller, decode, sent, target};
use crate::chat::{
    Block, CacheMark, Effort, Extension, Format, MediaKind, Origin, Part, RawJson, Seal, Source, Tool,
    ToolChoice, Turn, Weight,
};
use crate::codec::{Codec, Needs, Quirks};
use crate::seal::wrap;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Code;
use serde_json::{Value, json};

#[test]
fn the_view_finds_every_text_and_need() {
    let body = json!({
        "model": "gpt", "instructions": "be kind", "stream": true, "max_output_tokens": 9,
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "https://x/y.png"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"}
            ]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "well"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "e"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "done"}]},
            {"type": "shell_call_output", "call_id": "d", "output": [{"stdout": "listing"}]},
            {"type": "message", "role": "developer", "content": "now"}
        ],
        "tools": [
            {"type": "namespace", "name": "crm", "description": "people", "tools": [
                {"type": "function", "name": "get", "parameters": {"type": "object"}}
            ]},
            {"type": "web_search"}
        ],
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {}}},
        "reasoning": {"effort": "low"}, "safety_identifier": "u1", "metadata": {"k": "v"},
        "service_tier": "flex", "made_up": {"x": 1}
    });
    let doc = caller(&body);
    let view = CODEC.view(&doc).unwrap();
    let texts: Vec<_> = view.spans.iter().map(|span| (doc.slice(span.range.clone()), span.place)).collect();
    let mut expected = vec![
        ("be kind", Place::System),
        ("look", Place::Input),
        ("a.pdf", Place::Input),
        ("well", Place::Output),
        ("hm", Place::Output),
        (r#"{\"a\":1}"#, Place::ToolArguments),
        ("done", Place::ToolResult),
        ("listing", Place::ToolResult),
        ("now", Place::System),
        ("crm", Place::ToolDefinition),
        ("people", Place::ToolDefinition),
        ("get", Place::ToolDefinition),
    ];
    expected.sort();
    let mut found = texts.clone();
    found.sort();
    assert_eq!(found, expected);
    let (tools, images, documents, structured, reasoning) = (true, true, true, true, true);
    assert_eq!(view.needs, Needs { tools, images, audio: false, documents, structured, reasoning });
    assert_eq!((view.stream, view.wants_usage, view.media, view.max_output_tokens), (true, true, 2, Some(9)));
    assert_eq!((view.user.as_deref(), view.service_tier.as_deref()), (Some("u1"), Some("flex")));
    assert_eq!(view.metadata, [("k".to_owned(), "v".to_owned())]);
}

#[test]
fn malformed_requests_are_refused_by_path() {
    for (body, path) in [
        (json!([]), ""),
        (json!({"input": "x"}), "model"),
        (json!({"model": ""}), "model"),
        (json!({"model": 4, "input": "x"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": 7}), "input"),
        (json!({"model": "m", "input": [null]}), "input[0]"),
        (json!({"model": "m", "input": [{}]}), "input[0]"),
        (json!({"model": "m", "input": [{"role": "robot", "content": "x"}]}), "input[0].role"),
        (json!({"model": "m", "input": [{"role": "user", "content": null}]}), "input[0].content"),
        (json!({"model": "m", "input": [{"role": "user", "content": [null]}]}), "input[0].content[0]"),
        (json!({"model": "m", "input": [{"role": "user", "Content": "x"}]}), "input[0].Content"),
        (
            json!({"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
            "input[0].call_id",
        ),
        (
            json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "c", "output": {}}]}),
            "input[0].output",
        ),
        (json!({"model": "m", "input": "x", "Stream": true}), "Stream"),
        (json!({"model": "m", "input": "x", "stream": "yes"}), "stream"),
        (json!({"model": "m", "input": "x", "tools": {}}), "tools"),
        (json!({"model": "m", "input": "x", "tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"model": "m", "input": "x", "metadata": {"a": 1}}), "metadata.a"),
        (json!({"model": "m", "input": "x", "temperature": "hot"}), "temperature"),
        (json!({"model": "m", "input": "x", "max_output_tokens": -1}), "max_output_tokens"),
    ] {
        let error = CODEC.view(&caller(&body)).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(path)), "{body}");
    }
}

#[test]
fn a_rewrite_changes_the_model_and_nothing_else() {
    let raw = br#"{ "store":true, "model" : "al\u0069as", "input":"hi" , "x": 1.50, "service_tier":"flex"}"#;
    let doc = super::provider(raw);
    let view = CODEC.view(&doc).unwrap();
    let rewritten = |quirks: &Quirks| {
        let rewrite = CODEC.rewrite(&doc, &view, &target(Capabilities::default(), quirks)).unwrap();
        (String::from_utf8(splice(doc.bytes(), &rewrite.edits).to_vec()).unwrap(), rewrite.dropped)
    };
    let (body, dropped) = rewritten(&Quirks::NONE);
    let expected = r#"{ "store":false, "model" : "gpt-up", "input":"hi" , "x": 1.50, "service_tier":"flex"}"#;
    assert_eq!((body.as_str(), dropped.len()), (expected, 0));
    let (body, dropped) = rewritten(&Quirks { drop: &["store", "service_tier"], ..Quirks::NONE });
    assert_eq!(body, r#"{ "model" : "gpt-up", "input":"hi" , "x": 1.50}"#);
    assert_eq!(dropped, ["store", "service_tier"]);
    let quirks = Quirks { refuse: &["x"], ..Quirks::NONE };
    let error = CODEC.rewrite(&doc, &view, &target(Capabilities::default(), &quirks)).unwrap_err();
    assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some("x")));
}

/// Whoever keeps the answer is not the provider; what its model thought has to come back by itself.
#[test]
fn no_provider_keeps_an_answer_and_its_reasoning_comes_along() {
    let thinks = Capabilities { reasoning: Some(true), ..Capabilities::default() };
    let plain = Capabilities::default();
    let sealed = "reasoning.encrypted_content";
    for (body, capabilities, store, include) in [
        (json!({"model": "m", "input": "x"}), plain, json!(false), Value::Null),
        (json!({"model": "m", "input": "x"}), thinks, json!(false), json!([sealed])),
        (
            json!({"model": "m", "input": "x", "store": null, "include": null}),
            thinks,
            json!(false),
            json!([sealed]),
        ),
        (
            json!({"model": "m", "input": "x", "store": true, "include": []}),
            thinks,
            json!(false),
            json!([sealed]),
        ),
        (json!({"include": ["a"], "model": "m", "input": "x"}), thinks, json!(false), json!([sealed, "a"])),
        (json!({"include": [sealed], "model": "m", "input": "x"}), thinks, json!(false), json!([sealed])),
        (json!({"model": "m", "input": "x", "store": false}), thinks, json!(false), Value::Null),
    ] {
        let doc = caller(&body);
        let view = CODEC.view(&doc).unwrap();
        let rewrite = CODEC.rewrite(&doc, &view, &target(capabilities, &Quirks::NONE)).unwrap();
        let sent: Value = serde_json::from_slice(&splice(doc.bytes(), &rewrite.edits)).unwrap();
        assert_eq!((&sent["store"], &sent["include"]), (&store, &include), "{body}");
        assert_eq!((&sent["model"], &sent["input"]), (&json!("gpt-up"), &json!("x")), "{body}");
    }
}

#[test]
fn what_refers_elsewhere_passes_as_bytes_and_is_refused_in_translation() {
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
        ("input", json!([{"type": "item_reference", "id": "msg_1"}])),
        ("input", json!([{"id": "msg_1"}])),
    ] {
        let mut body = json!({"model": "m", "input": "x"});
        body[name] = value;
        assert!(CODEC.view(&caller(&body)).is_ok());
        let error = decode(&body).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedParameter);
        assert!(error.param.unwrap().starts_with(name) && error.message.contains("kept"), "{name}");
    }
    let stateless = json!({"model": "m", "input": "x", "store": false, "background": false, "previous_response_id": null});
    assert_eq!(decode(&stateless).unwrap().extensions, []);
}

/// A request as a coding agent sends it.
fn agent() -> Value {
    json!({
        "model": "m", "instructions": "work", "stream": true, "store": false,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
            {"type": "function_call", "call_id": "c1", "name": "get", "namespace": "crm", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "a \"b\"\n"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"}
        ],
        "tools": [
            {"type": "function", "name": "sh", "description": "runs", "strict": false,
             "parameters": {"type": "object", "properties": {"Id": {}, "id": {}}}, "defer_loading": true},
            {"type": "namespace", "name": "crm", "description": "people", "tools": [
                {"type": "function", "name": "get", "parameters": {"type": "object"}},
                {"type": "custom", "name": "note"}
            ]},
            {"type": "custom", "name": "patch",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\""}},
            {"type": "web_search", "external_web_access": false}
        ],
        "tool_choice": "auto", "parallel_tool_calls": false,
        "reasoning": {"effort": "high", "summary": "detailed"},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "client_metadata": {"a": "b"},
        "text": {"verbosity": "low"}
    })
}

#[test]
fn an_agents_request_is_read_for_any_provider() {
    let request = decode(&agent()).unwrap();
    let names = request.tools.iter().map(|tool| match tool {
        Tool::Function { name, strict, .. } => (name.as_str(), *strict),
        Tool::Hosted { name, .. } => (name.as_str(), None),
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        [("sh", Some(false)), ("crm__get", Some(false)), ("crm__note", Some(false)), ("patch", Some(false))]
    );
    let [Turn::System(_), Turn::System(_), Turn::User(_), Turn::Assistant(said), Turn::ToolResults(results)] =
        request.turns.as_slice()
    else {
        panic!("{:?}", request.turns)
    };
    let [Block::Thought(thought), Block::Text { .. }, Block::ToolCall(get), Block::ToolCall(patch)] =
        said.as_slice()
    else {
        panic!("{said:?}")
    };
    assert_eq!(thought.seal, Some(Seal { origin: Origin::OpenAi, value: "gAAA".to_owned() }));
    assert_eq!(get.name, "crm__get");
    assert_eq!(patch.arguments, r#"{"input":"a \"b\"\n"}"#);
    assert_eq!(results.len(), 2);
    let reasoning = request.reasoning.as_ref().unwrap();
    assert_eq!((reasoning.effort, reasoning.visible, reasoning.sealed), (Some(Effort::High), true, true));
    assert!(request.extensions.iter().all(|extension| extension.weight == Weight::Hint));
    let mut paths: Vec<_> = request.extensions.iter().map(|extension| extension.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "client_metadata",
            "prompt_cache_key",
            "reasoning.summary",
            "text.verbosity",
            "tools[0].defer_loading",
            "tools[1].namespace",
            "tools[2].format",
            "tools[3]",
        ]
    );
}

#[test]
fn an_agents_request_is_written_as_it_came() {
    let (body, dropped) = sent(&decode(&agent()).unwrap());
    let mut expected = agent();
    expected["model"] = "gpt-up".into();
    // What was said in one text is written so; the role has two names.
    expected["input"][0]["role"] = "system".into();
    assert_eq!(body, expected);
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn hosted_tools_alone_are_what_the_caller_asked_for() {
    let request = decode(&json!({"model": "m", "input": "x", "tools": [{"type": "web_search"}]})).unwrap();
    let [Tool::Hosted { name, definition }] = request.tools.as_slice() else { panic!() };
    assert_eq!((name.as_str(), definition.weight), ("web_search", Weight::Meaning));
    let twice = json!([{"type": "function", "name": "a__b"}, {"type": "namespace", "name": "a", "tools": [{"name": "b"}]}]);
    let error = decode(&json!({"model": "m", "input": "x", "tools": twice})).unwrap_err();
    assert!(error.message.contains("a__b"));
}

#[test]
fn strict_is_the_default_where_the_schema_allows_it() {
    let closed = json!({"type": "object", "properties": {}, "additionalProperties": false});
    for (schema, strict) in [(closed, Some(true)), (json!({"type": "object"}), Some(false))] {
        let tools = json!([{"type": "function", "name": "f", "parameters": schema}]);
        let request = decode(&json!({"model": "m", "input": "x", "tools": tools})).unwrap();
        assert!(matches!(&request.tools[0], Tool::Function { strict: found, .. } if *found == strict));
    }
}

#[test]
fn choices_of_tools_are_read() {
    for (choice, expected) in [
        (json!("required"), Some(ToolChoice::Required)),
        (json!({"type": "function", "name": "f"}), Some(ToolChoice::Named("f".to_owned()))),
        (json!({"type": "custom", "name": "f"}), Some(ToolChoice::Named("f".to_owned()))),
        (
            json!({"type": "function", "namespace": "n", "name": "f"}),
            Some(ToolChoice::Named("n__f".to_owned())),
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}),
            Some(ToolChoice::Allowed { names: vec!["f".to_owned()], required: true }),
        ),
        (json!({"type": "web_search"}), None),
        (json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}), None),
    ] {
        let request = decode(&json!({"model": "m", "input": "x", "tool_choice": choice})).unwrap();
        assert_eq!(request.tool_choice, expected);
        let refused =
            request.extensions.iter().any(|one| one.path == "tool_choice" && one.weight == Weight::Meaning);
        assert_eq!(refused, expected.is_none(), "{choice}");
    }
    assert!(decode(&json!({"model": "m", "input": "x", "tool_choice": "perhaps"})).is_err());
}

#[test]
fn media_and_cache_marks_are_read() {
    let parts = json!([
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "hologram", "x": 1}
    ]);
    let request = decode(&json!({"model": "m", "input": [{"role": "user", "content": parts}]})).unwrap();
    let [Turn::User(parts)] = request.turns.as_slice() else { panic!() };
    assert_eq!(parts[0], Part::Text { text: "a".to_owned(), cache: Some(CacheMark::Long) });
    let media = parts[1..5].iter().map(|part| match part {
        Part::Media(media) => (media.kind, media.source.clone()),
        _ => panic!(),
    });
    let base64 = |mime: &str, data: &str| Source::Base64 { mime: mime.to_owned(), data: data.to_owned() };
    assert_eq!(
        media.collect::<Vec<_>>(),
        [
            (MediaKind::Image, base64("image/png", "AAAA")),
            (MediaKind::Document, Source::Url { url: "https://x/a.pdf".to_owned(), mime: None }),
            (MediaKind::Document, Source::File { id: "file-1".to_owned(), origin: Origin::OpenAi }),
            (MediaKind::Audio, base64("audio/mpeg", "BBBB")),
        ]
    );
    assert!(matches!(&parts[5], Part::Opaque(Extension { path, .. }) if path == "input[0].content[5]"));
}

#[test]
fn formats_users_and_the_rest_are_read() {
    let request = decode(&json!({
        "model": "m", "input": "x", "temperature": 0.70, "user": "u", "safety_identifier": "s",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
        "include": ["message.output_text.logprobs"], "truncation": "auto", "max_tool_calls": 3, "reasoning": {}
    }))
    .unwrap();
    assert_eq!(request.temperature, Some(RawJson("0.7".to_owned())));
    assert_eq!((request.user.as_deref(), request.reasoning), (Some("u"), None));
    assert!(matches!(request.format, Some(Format::JsonSchema { strict: Some(true), .. })));
    let weights: Vec<_> = request.extensions.iter().map(|one| (one.path.as_str(), one.weight)).collect();
    assert!(weights.contains(&("include", Weight::Meaning)));
    for hint in ["truncation", "max_tool_calls", "safety_identifier"] {
        assert!(weights.contains(&(hint, Weight::Hint)), "{hint}");
    }
}

#[test]
fn seals_of_others_go_where_they_belong() {
    let gemini = Seal { origin: Origin::Gemini, value: "g".to_owned() };
    let reasoning =
        |encrypted: String| json!({"type": "reasoning", "summary": [], "encrypted_content": encrypted});
    let request = decode(&json!({"model": "m", "input": [
        {"role": "user", "content": "x"},
        reasoning(wrap(&gemini, "c")),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"role": "assistant", "content": "text"},
        reasoning(wrap(&gemini, "#text")),
        reasoning(wrap(&gemini, "gone")),
    ]}))
    .unwrap();
    let Turn::Assistant(blocks) = &request.turns[1] else { panic!() };
    let [Block::ToolCall(call), Block::Text { seal, .. }] = blocks.as_slice() else { panic!("{blocks:?}") };
    assert_eq!((&call.seal, seal), (&Some(gemini.clone()), &Some(gemini)));
}
