//! Requests: views, edits, reading and writing.

use super::{body, caller, decode, encode, seal, target};
use crate::chat::{
    Block, ChatRequest, Effort, Extension, Format, Media, MediaKind, Origin, Part, RawJson, Reasoning,
    Source, Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::codec::{Codec, Needs, ProviderCodec as _, Quirks, Target};
use crate::gemini::Gemini;
use crate::gemini::seals::{BYPASS, Note, write};
use gatehouse_core::content::{Dialect, Place, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Code;

/// Everything at once, half in camelCase and half in snake_case.
const FULL: &str = r#"{
 "system_instruction": {"parts": {"text": "be kind"}},
 "contents": [
  {"role": "user", "parts": [{"text": "look"}, {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]},
  {"role": "model", "parts": [
   {"text": "hm", "thought": true},
   {"functionCall": {"name": "f", "args": {"q": "x\ny"}}, "thoughtSignature": "c2ln"},
   {"functionCall": {"name": "f", "args": {}}}]},
  {"parts": [
   {"function_response": {"name": "f", "response": {"result": "one"}}},
   {"functionResponse": {"name": "f", "response": {"error": "two"}}},
   {"text": "go on"}]}],
 "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters":
   {"type": "OBJECT", "properties": {"q": {"type": "STRING", "description": "the q"}}}}]}, {"google_search": {}}],
 "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
 "generationConfig": {"temperature": 0.70, "topK": 40.0, "max_output_tokens": 99, "stopSequences": ["END"],
   "responseMimeType": "application/json", "responseSchema": {"type": "ARRAY"}, "mediaResolution": "LOW",
   "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true}},
 "safetySettings": [{"category": "A"}], "cachedContent": "cachedContents/x", "labels": {"team": "red"}}"#;

#[test]
fn the_view_sees_every_text_and_need() {
    let doc = caller(FULL);
    let view = Gemini.view(&doc).unwrap();
    let texts: Vec<_> = view.spans.iter().map(|span| (span.place, doc.slice(span.range.clone()))).collect();
    assert_eq!(
        texts,
        [
            (Place::System, "be kind"),
            (Place::Input, "look"),
            (Place::Output, "hm"),
            (Place::ToolArguments, r"x\ny"),
            (Place::ToolResult, "one"),
            (Place::ToolResult, "two"),
            (Place::Input, "go on"),
            (Place::ToolDefinition, "f"),
            (Place::ToolDefinition, "d"),
            (Place::ToolDefinition, "the q"),
        ]
    );
    let needs = Needs { tools: true, images: true, structured: true, reasoning: true, ..Needs::default() };
    assert_eq!((view.needs, view.media, view.max_output_tokens), (needs, 1, Some(99)));
    assert_eq!(view.metadata, [("team".to_owned(), "red".to_owned())]);
    assert!(view.model.is_none() && !view.stream && view.wants_usage);
}

#[test]
fn what_is_malformed_is_refused_by_path() {
    for (text, param) in [
        (r#"{}"#, "contents"),
        (r#"{"contents":[]}"#, "contents"),
        (r#"{"contents":[null]}"#, "contents[0]"),
        (r#"{"contents":[{"role":"system","parts":[{"text":"x"}]}]}"#, "contents[0].role"),
        (r#"{"contents":[{"parts":[null]}]}"#, "contents[0].parts[0]"),
        (r#"{"contents":[{"parts":[{"text":1}]}]}"#, "contents[0].parts[0].text"),
        (r#"{"contents":[{"parts":"x"}]}"#, "contents[0].parts"),
        (r#"{"contents":[{"parts":[{"text":"x","inlineData":{"data":""}}]}]}"#, "contents[0].parts[0]"),
        (
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"a/b"}}]}]}"#,
            "contents[0].parts[0].inlineData.data",
        ),
        (
            r#"{"contents":[{"parts":[{"inlineData":{"data":""},"inline_data":{"data":""}}]}]}"#,
            "contents[0].parts[0].inline_data",
        ),
        (r#"{"contents":[{"Parts":[]}]}"#, "contents[0].Parts"),
        (
            r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":"1"}}"#,
            "generationConfig.temperature",
        ),
        (
            r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"max_output_tokens":-1}}"#,
            "generationConfig.max_output_tokens",
        ),
        (
            r#"{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
        (r#"{"contents":[{"role":"user"}]}"#, "contents[0]"),
        (r#"{"contents":[{"parts":[]}]}"#, "contents[0]"),
        (
            r#"{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f"}}]}]}"#,
            "contents[0].parts[0].functionResponse",
        ),
    ] {
        let error = decode(text).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{text}");
    }
}

#[test]
fn a_full_request_is_read() {
    let request = decode(FULL).unwrap();
    let Turn::Assistant(blocks) = &request.turns[2] else { panic!() };
    let calls: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    assert_eq!(calls[0].seal, Some(seal(Origin::Gemini, "c2ln")));
    assert_ne!(calls[0].id, calls[1].id);
    let Turn::ToolResults(results) = &request.turns[3] else { panic!() };
    assert_eq!((&results[0].call_id, results[0].is_error), (&calls[0].id, false));
    assert_eq!((&results[1].call_id, results[1].is_error), (&calls[1].id, true));
    assert_eq!(request.turns[4], Turn::User(vec![Part::text("go on")]));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".to_owned())));
    assert_eq!((request.temperature.as_ref().unwrap().0.as_str(), request.top_k), ("0.70", Some(40)));
    let schema = RawJson(r#"{"type":"array"}"#.to_owned());
    assert_eq!(
        request.format,
        Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
    );
    let weights: Vec<_> =
        request.extensions.iter().map(|extension| (extension.path.as_str(), extension.weight)).collect();
    assert_eq!(
        weights,
        [
            ("generationConfig.mediaResolution", Weight::Hint),
            ("safetySettings", Weight::Hint),
            ("cachedContent", Weight::Meaning),
            ("labels", Weight::Hint),
        ]
    );
    let encoded = encode(&request, "gemini-3-flash-preview").unwrap();
    assert_eq!(encoded.dropped, [""; 0]);
    assert_eq!(decode(body(&encoded)).unwrap().turns, request.turns);
    assert!(body(&encoded).contains(r#"{"google_search":{}}"#));
    assert!(body(&encoded).contains(r#""thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}"#));
}

#[test]
fn only_the_model_and_quirks_are_edited() {
    let doc = caller(FULL);
    let view = Gemini.view(&doc).unwrap();
    let none = Gemini.rewrite(&doc, &view, &target("gemini-3-pro")).unwrap();
    assert_eq!((none.edits.len(), none.dropped.len()), (0, 0));

    let quirks = Quirks { drop: &["labels", "generationConfig.temperature", "toolConfig"], ..Quirks::NONE };
    let strange = Target { quirks: &quirks, ..target("gemini-3-pro") };
    let rewrite = Gemini.rewrite(&doc, &view, &strange).unwrap();
    let edited = splice(doc.bytes(), &rewrite.edits);
    let value: serde_json::Value = serde_json::from_slice(&edited).unwrap();
    let mut expected: serde_json::Value = serde_json::from_str(FULL).unwrap();
    expected.as_object_mut().unwrap().shift_remove("labels");
    expected.as_object_mut().unwrap().shift_remove("toolConfig");
    expected["generationConfig"].as_object_mut().unwrap().shift_remove("temperature");
    assert_eq!(value, expected);
    assert_eq!(rewrite.dropped, ["labels", "toolConfig", "generationConfig.temperature"]);

    let refuses = Quirks { refuse: &["labels"], ..Quirks::NONE };
    let strict = Target { quirks: &refuses, ..target("gemini-3-pro") };
    assert_eq!(Gemini.rewrite(&doc, &view, &strict).unwrap_err().param.as_deref(), Some("labels"));
}

#[test]
fn foreign_signatures_do_not_reach_google() {
    let note = Note { redacted: true, ..Note::default() };
    let (thought, call) = (
        write(&seal(Origin::Anthropic, "A"), &note),
        write(&seal(Origin::OpenRouter, "B"), &Note::default()),
    );
    let own = write(&seal(Origin::Gemini, "RzA="), &Note { closes: true, ..Note::default() });
    let text = format!(
        r#"{{"contents":[{{"role":"model","parts":[{{"text":"","thought":true,"thoughtSignature":"{thought}"}},
        {{"functionCall":{{"name":"f"}},"thought_signature":"{call}"}},{{"text":"","thoughtSignature":"{own}"}}]}}]}}"#
    );
    let doc = caller(&text);
    for (model, stand_in) in [("gemini-3-pro", Some(BYPASS)), ("gemini-2.5-pro", None)] {
        let rewrite = Gemini.rewrite(&doc, &crate::codec::View::default(), &target(model)).unwrap();
        let edited = splice(doc.bytes(), &rewrite.edits);
        let value: serde_json::Value = serde_json::from_slice(&edited).unwrap();
        let parts = &value["contents"][0]["parts"];
        assert!(parts[0].get("thoughtSignature").is_none());
        assert_eq!(parts[1]["thought_signature"].as_str(), stand_in);
        assert_eq!(parts[2]["thoughtSignature"], "RzA=");
        assert_eq!(rewrite.dropped, ["thinking signature of anthropic", "thinking signature of openrouter"]);
    }
}

fn call(id: &str, name: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), ..ToolCall::default() })
}

fn result(id: &str, parts: Vec<Part>) -> ToolResult {
    ToolResult { call_id: id.to_owned(), name: None, is_error: false, parts, cache: None }
}

fn image() -> Part {
    let source = Source::Base64 { mime: "image/png".to_owned(), data: "AA==".to_owned() };
    Part::Media(Media { kind: MediaKind::Image, source, name: None, detail: None, cache: None })
}

#[test]
fn answers_of_a_batch_are_put_in_order_and_must_be_whole() {
    let mut request = ChatRequest {
        turns: vec![
            Turn::Assistant(vec![call("a", "f"), call("b", "g")]),
            Turn::ToolResults(vec![result("b", vec![Part::text("2"), image()])]),
            Turn::ToolResults(vec![result("a", vec![Part::text(r#"{"n":1}"#)])]),
            Turn::System(vec![Part::text("late")]),
        ],
        ..ChatRequest::default()
    };
    let newest = encode(&request, "gemini-3-pro").unwrap();
    assert_eq!(
        body(&newest),
        format!(
            concat!(
                r#"{{"contents":[{{"role":"user","parts":[{{"text":" "}}]}},"#,
                r#"{{"role":"model","parts":[{{"functionCall":{{"id":"a","name":"f","args":{{}}}},"thoughtSignature":"{}"}},"#,
                r#"{{"functionCall":{{"id":"b","name":"g","args":{{}}}}}}]}},"#,
                r#"{{"role":"user","parts":[{{"functionResponse":{{"id":"a","name":"f","response":{{"n":1}}}}}},"#,
                r#"{{"functionResponse":{{"id":"b","name":"g","response":{{"result":"2"}},"#,
                r#""parts":[{{"inlineData":{{"mimeType":"image/png","data":"AA=="}}}}]}}}},"#,
                r#"{{"text":"<system>\nlate\n</system>"}}]}}]}}"#
            ),
            BYPASS
        )
    );
    assert_eq!(newest.dropped, ["system role in the middle of the conversation"]);
    let older = encode(&request, "gemini-2.5-pro").unwrap();
    assert!(!body(&older).contains(BYPASS));
    assert!(body(&older).contains(r#""response":{"result":"2"}}},{"inlineData""#));

    let Turn::ToolResults(results) = &mut request.turns[1] else { panic!() };
    results[0].call_id = "other".to_owned();
    assert_eq!(encode(&request, "gemini-3-pro").unwrap_err().code, Code::InvalidRequest);
    request.turns.remove(1);
    assert_eq!(encode(&request, "gemini-3-pro").unwrap_err().code, Code::InvalidRequest);
}

#[test]
fn what_gemini_cannot_do_is_refused_or_named() {
    let foreign = |weight| Extension {
        path: "logit_bias".to_owned(),
        value: RawJson("{}".to_owned()),
        origin: Dialect::OpenAiChat,
        weight,
    };
    let user = || vec![Turn::User(vec![Part::text("x")])];
    let thought =
        Thought { text: "t".to_owned(), seal: Some(seal(Origin::Anthropic, "s")), ..Thought::default() };
    let request = ChatRequest {
        turns: vec![user().remove(0), Turn::Assistant(vec![Block::Thought(thought)])],
        parallel_tool_calls: Some(false),
        temperature: Some(RawJson("1".to_owned())),
        seed: Some(RawJson("99999999999".to_owned())),
        user: Some("u".to_owned()),
        reasoning: Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() }),
        extensions: vec![foreign(Weight::Hint)],
        ..ChatRequest::default()
    };
    let capabilities = Capabilities { sampling: Some(false), ..Capabilities::default() };
    let old = Target { capabilities, ..target("gemini-2.0-flash") };
    let encoded = Gemini.encode_request(&request, &old).unwrap();
    assert_eq!(
        encoded.dropped,
        [
            "logit_bias",
            "thinking signature of anthropic",
            "parallel_tool_calls",
            "temperature",
            "seed",
            "reasoning",
            "user"
        ]
    );
    assert!(body(&encoded).contains(r#"{"text":"t","thought":true}"#));

    let hosted = Tool::Hosted { name: "web_search".to_owned(), definition: foreign(Weight::Meaning) };
    let refused = [
        ("n", ChatRequest { candidates: Some(2), ..ChatRequest::default() }),
        ("logit_bias", ChatRequest { extensions: vec![foreign(Weight::Meaning)], ..ChatRequest::default() }),
        ("logit_bias", ChatRequest { tools: vec![hosted], ..ChatRequest::default() }),
        ("stop", ChatRequest { stop: vec![String::new(); 6], ..ChatRequest::default() }),
    ];
    for (param, request) in refused {
        let error = encode(&request, "gemini-3-pro").unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some(param)));
    }
    let blind = Capabilities { images: Some(false), ..Capabilities::default() };
    let blind = Target { capabilities: blind, ..target("gemini-3-pro") };
    let request = ChatRequest { turns: vec![Turn::User(vec![image()])], ..ChatRequest::default() };
    assert_eq!(Gemini.encode_request(&request, &blind).unwrap_err().param.as_deref(), Some("images"));
}

#[test]
fn tool_choices_come_back() {
    let names = || vec!["a".to_owned(), "b".to_owned()];
    for choice in [
        ToolChoice::Auto,
        ToolChoice::None,
        ToolChoice::Required,
        ToolChoice::Named("a".to_owned()),
        ToolChoice::Allowed { names: names(), required: true },
        ToolChoice::Allowed { names: names(), required: false },
    ] {
        for strict in [None, Some(true)] {
            let tool = Tool::Function {
                name: "a".to_owned(),
                description: None,
                parameters: Some(RawJson("{}".to_owned())),
                strict: strict.filter(|_| choice == ToolChoice::Auto),
                cache: None,
            };
            let request = ChatRequest {
                turns: vec![Turn::User(vec![Part::text("x")])],
                tools: vec![tool],
                tool_choice: Some(choice.clone()),
                include_usage: true,
                ..ChatRequest::default()
            };
            assert_eq!(decode(body(&encode(&request, "gemini-3-pro").unwrap())), Ok(request));
        }
    }
}

#[test]
fn a_thought_of_claude_comes_back_whole_though_a_stream_was_replayed_in_pieces() {
    let closing = write(&seal(Origin::Anthropic, "SIG"), &Note { closes: true, ..Note::default() });
    let text = format!(
        r#"{{"contents":[{{"parts":[{{"text":"q"}}]}},{{"role":"model","parts":[{{"text":"a","thought":true}}]}},
        {{"role":"model","parts":[{{"text":"b","thought":true}}]}},
        {{"role":"model","parts":[{{"text":"","thought":true,"thoughtSignature":"{closing}"}}]}},
        {{"role":"model","parts":[{{"text":"yes"}}]}},{{"role":"model","parts":[{{"text":""}}]}}]}}"#
    );
    let thought =
        Thought { text: "ab".to_owned(), seal: Some(seal(Origin::Anthropic, "SIG")), ..Thought::default() };
    let blocks = vec![Block::Thought(thought), Block::text("yes")];
    assert_eq!(decode(&text).unwrap().turns[1], Turn::Assistant(blocks));
}
