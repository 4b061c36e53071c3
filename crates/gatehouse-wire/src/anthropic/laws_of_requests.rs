//! Laws of this dialect, for any request: what is written is valid and read back.

use super::Messages;
use super::laws_of_answers::{arguments, words};
use super::testing::doc;
use crate::chat::{
    Block, CacheMark, ChatRequest, Effort, Extension, Format, Media, MediaKind, Origin, Part, RawJson,
    Reasoning, Seal, Source, Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::codec::{Codec, ProviderCodec as _, Quirks, Target};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, splice};
use gatehouse_core::deployment::Capabilities;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::json;

fn mark() -> impl Strategy<Value = Option<CacheMark>> {
    // Seldom: Anthropic takes four.
    prop_oneof![9 => Just(None), 1 => Just(Some(CacheMark::Short)), 1 => Just(Some(CacheMark::Long))]
}

fn part() -> impl Strategy<Value = Part> {
    let image = prop_oneof![
        Just(Source::Base64 { mime: "image/png".to_owned(), data: "AAAA".to_owned() }),
        Just(Source::Url { url: "https://x.example/a.png".to_owned(), mime: None }),
        Just(Source::File { id: "file_1".to_owned(), origin: Origin::Anthropic }),
    ];
    let document = prop_oneof![
        Just(Source::Base64 { mime: "application/pdf".to_owned(), data: "AAAA".to_owned() }),
        words().prop_map(Source::Text),
    ];
    let media = |kind, source, name| Part::Media(Media { kind, source, name, detail: None, cache: None });
    prop_oneof![
        3 => (words(), mark()).prop_map(|(text, cache)| Part::Text { text, cache }),
        1 => image.prop_map(move |source| media(MediaKind::Image, source, None)),
        1 => (document, of(words())).prop_map(move |(source, name)| media(MediaKind::Document, source, name)),
    ]
}

/// A round: the user asks, the model answers, perhaps with calls, which are answered.
fn round() -> impl Strategy<Value = Vec<Turn>> {
    let text = words().prop_map(Block::text);
    let thought = "[A-Za-z0-9+/]{1,20}".prop_map(|value| {
        let seal = Some(Seal { origin: Origin::Anthropic, value });
        Block::Thought(Thought { text: "t".to_owned(), seal, ..Thought::default() })
    });
    let said = vec(prop_oneof![text, thought], 1..3);
    let calls = vec((arguments(), vec(part(), 0..2), any::<bool>()), 0..3);
    (vec(part(), 1..3), said, calls, of(vec(words().prop_map(Part::text), 1..2))).prop_map(
        |(asked, mut said, calls, late)| {
            let mut results = Vec::new();
            for (at, (arguments, parts, is_error)) in calls.into_iter().enumerate() {
                let id = format!("call_{at}");
                results.push(ToolResult { call_id: id.clone(), name: None, is_error, parts, cache: None });
                let name = "f".to_owned();
                said.push(Block::ToolCall(ToolCall { id, name, arguments, seal: None, cache: None }));
            }
            let mut turns = vec![Turn::User(asked), Turn::Assistant(said)];
            if !results.is_empty() {
                turns.push(Turn::ToolResults(results));
            }
            turns.extend(late.map(Turn::System));
            turns
        },
    )
}

fn tool() -> impl Strategy<Value = Tool> {
    prop_oneof![
        ("[a-zA-Z0-9_-]{1,12}", of(words()), of(any::<bool>())).prop_map(|(name, description, strict)| {
            let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
            let parameters = Some(RawJson(schema.to_string()));
            Tool::Function { name, description, parameters, strict, cache: None }
        }),
        Just(Tool::Hosted {
            name: "web_search_20250305".to_owned(),
            definition: Extension {
                path: "tools[0]".to_owned(),
                value: RawJson(r#"{"type":"web_search_20250305","name":"web_search"}"#.to_owned()),
                origin: Dialect::AnthropicMessages,
                weight: Weight::Meaning,
            },
        }),
    ]
}

prop_compose! {
    fn request()(
        system in of(vec(words().prop_map(Part::text), 1..3)),
        rounds in vec(round(), 0..3),
        tools in vec(tool(), 0..3),
        choice in of(prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::None)]),
        max in 1u64..100_000,
        temperature in of(Just(RawJson("0.50".to_owned()))),
        stop in vec(words(), 0..2),
        effort in of(prop_oneof![Just(Effort::Low), Just(Effort::High), Just(Effort::None)]),
        stream in any::<bool>(),
        user in of("[a-z0-9]{1,9}"),
        format in any::<bool>(),
    ) -> ChatRequest {
        let asked = Turn::User(vec![Part::text("last")]);
        let schema = RawJson(r#"{"type": "object", "additionalProperties": false}"#.to_owned());
        ChatRequest {
            model: "m".to_owned(),
            turns: system.map(Turn::System).into_iter().chain(rounds.concat()).chain([asked]).collect(),
            tool_choice: choice.filter(|_| !tools.is_empty()),
            tools,
            max_output_tokens: Some(max),
            // Thinking and a temperature exclude each other.
            temperature: temperature.filter(|_| effort.is_none()),
            stop,
            reasoning: effort.map(|effort| Reasoning {
                effort: Some(effort),
                sealed: effort != Effort::None,
                ..Reasoning::default()
            }),
            stream,
            include_usage: true,
            user,
            format: format.then_some(Format::JsonSchema { name: None, description: None, schema, strict: None }),
            ..ChatRequest::default()
        }
    }
}

/// Hosted tools are told apart by where they stood, and marks beyond the fourth are left out.
fn comparable(mut request: ChatRequest) -> ChatRequest {
    for tool in &mut request.tools {
        if let Tool::Hosted { definition, .. } = tool {
            definition.path.clear();
        }
    }
    for turn in &mut request.turns {
        if let Turn::User(parts) | Turn::System(parts) = turn {
            for part in parts {
                if let Part::Text { cache, .. } = part {
                    *cache = None;
                }
            }
        }
        if let Turn::ToolResults(results) = turn {
            for part in results.iter_mut().flat_map(|result| &mut result.parts) {
                if let Part::Text { cache, .. } = part {
                    *cache = None;
                }
            }
        }
    }
    request
}

proptest! {
    /// A written request is valid, and read back.
    #[test]
    fn requests_there_and_back(request in request()) {
        let capabilities = Capabilities {
            system_anywhere: Some(true),
            adaptive_thinking: Some(true),
            ..Capabilities::default()
        };
        let target = Target { model: "m", capabilities, quirks: &Quirks::NONE };
        let encoded = Messages.encode_request(&request, &target).unwrap();
        let read = Messages.decode_request(&doc(encoded.body)).unwrap();
        prop_assert_eq!(comparable(read), comparable(request));
        prop_assert!(encoded.dropped.iter().all(|path| path == "cache_control"));
    }

    /// Spans are in order, do not overlap, stand inside quotes, and whatever replaces them, it is still the
    /// same request.
    #[test]
    fn spans_can_be_edited(request in request()) {
        let target = Target { model: "m", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let body = doc(Messages.encode_request(&request, &target).unwrap().body);
        let spans = Messages.view(&body).unwrap().spans;
        prop_assert!(spans.windows(2).all(|pair| pair[0].range.end < pair[1].range.start));
        let quoted = |at: usize| body.slice(at..at + 1) == "\"";
        prop_assert!(spans.iter().all(|span| quoted(span.range.start - 1) && quoted(span.range.end)));
        let with = Bytes::from_static(b"[X]");
        let edits: Vec<Edit> =
            spans.iter().map(|span| Edit { range: span.range.clone(), with: with.clone() }).collect();
        let edited = doc(splice(body.bytes(), &edits).to_vec());
        let view = Messages.view(&edited).unwrap();
        prop_assert_eq!(view.spans.len(), spans.len());
        prop_assert!(view.spans.iter().all(|span| edited.slice(span.range.clone()) == "[X]"));
    }
}
