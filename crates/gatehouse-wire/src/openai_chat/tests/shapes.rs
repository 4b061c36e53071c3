//! Requests and answers of every shape that the dialect can say without loss.

use crate::chat::{
    Block, CacheMark, ChatRequest, ChatResponse, Effort, Finish, Format, Media, MediaKind, Origin, Part,
    RawJson, Reasoning, Seal, Source, Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use gatehouse_core::usage::Usage;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,12}", "\\PC{1,12}", Just("\u{2028}\"\\\n\u{1F600}".to_owned())]
}

fn cache() -> impl Strategy<Value = Option<CacheMark>> {
    option::weighted(0.2, prop_oneof![Just(CacheMark::Short), Just(CacheMark::Long)])
}

fn seal() -> impl Strategy<Value = Seal> {
    let origin = prop_oneof![Just(Origin::OpenAi), Just(Origin::Anthropic), Just(Origin::Gemini)];
    (origin, "[A-Za-z0-9+/=]{1,40}").prop_map(|(origin, value)| Seal { origin, value })
}

fn media() -> impl Strategy<Value = Part> {
    let image = ("[A-Za-z0-9+/]{4,9}", option::of("[a-z]{3}")).prop_map(|(data, detail)| {
        (MediaKind::Image, Source::Base64 { mime: "image/png".to_owned(), data }, None, detail)
    });
    let url = "[a-z]{1,9}".prop_map(|path| {
        let url = format!("https://x.example/{path}");
        (MediaKind::Image, Source::Url { url, mime: None }, None, None)
    });
    let audio = "[A-Za-z0-9]{4,9}".prop_map(|data| {
        (MediaKind::Audio, Source::Base64 { mime: "audio/mpeg".to_owned(), data }, None, None)
    });
    let file = ("[A-Za-z0-9]{4,9}", "[a-z]{1,5}\\.pdf").prop_map(|(data, name)| {
        let source = Source::Base64 { mime: "application/pdf".to_owned(), data };
        (MediaKind::Document, source, Some(name), None)
    });
    let id = "[a-z0-9]{1,9}"
        .prop_map(|id| (MediaKind::Document, Source::File { id, origin: Origin::OpenAi }, None, None));
    (prop_oneof![image, url, audio, file, id], cache()).prop_map(|((kind, source, name, detail), cache)| {
        Part::Media(Media { kind, source, name, detail, cache })
    })
}

fn said() -> impl Strategy<Value = Part> {
    (text(), cache()).prop_map(|(text, cache)| Part::Text { text, cache })
}

fn call_id() -> impl Strategy<Value = String> {
    "call_[a-z0-9]{3}"
}

fn assistant() -> impl Strategy<Value = Vec<Block>> {
    let texts = proptest::collection::vec((text(), cache()), 0..3);
    let calls = proptest::collection::vec((call_id(), "[a-z]{1,8}", "\\{\"x\":[0-9]{1,3}\\}"), 0..3);
    (texts, option::weighted(0.2, text()), calls).prop_map(|(texts, refusal, calls)| {
        let texts = texts.into_iter().map(|(text, cache)| Block::Text { text, seal: None, cache });
        let calls = calls.into_iter().map(|(id, name, arguments)| {
            Block::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
        });
        texts.chain(refusal.map(Block::Refusal)).chain(calls).collect()
    })
}

/// Turns in any order; results without a call are a caller's mistake that only its provider may judge.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let results = proptest::collection::vec((call_id(), proptest::collection::vec(said(), 1..3)), 1..3);
    let turn = prop_oneof![
        proptest::collection::vec(said(), 1..3).prop_map(Turn::System),
        proptest::collection::vec(prop_oneof![said(), media()], 1..4).prop_map(Turn::User),
        assistant().prop_map(Turn::Assistant),
        results.prop_map(|results| {
            let result =
                |(call_id, parts)| ToolResult { call_id, name: None, is_error: false, parts, cache: None };
            Turn::ToolResults(results.into_iter().map(result).collect())
        }),
    ];
    proptest::collection::vec(turn, 1..6).prop_map(|turns| {
        let mut whole: Vec<Turn> = Vec::new();
        for turn in turns {
            match (whole.last_mut(), turn) {
                (Some(Turn::ToolResults(before)), Turn::ToolResults(more)) => before.extend(more),
                (_, turn) => whole.push(turn),
            }
        }
        whole
    })
}

fn format() -> impl Strategy<Value = Format> {
    let schema = ("[a-z]{1,8}", option::of(text()), option::of(any::<bool>())).prop_map(
        |(name, description, strict)| Format::JsonSchema {
            name: Some(name),
            description,
            schema: RawJson("{\"type\":\"object\",\"n\":1.50}".to_owned()),
            strict,
        },
    );
    prop_oneof![Just(Format::Text), Just(Format::JsonObject), schema]
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, Option<ToolChoice>, Option<bool>)> {
    let tool = ("[a-z]{1,8}", option::of(text()), option::of(any::<bool>())).prop_map(
        |(name, description, strict)| Tool::Function {
            name,
            description,
            parameters: strict.map(|_| RawJson("{\"type\":\"object\"}".to_owned())),
            strict,
            cache: None,
        },
    );
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]{1,8}".prop_map(ToolChoice::Named),
        (proptest::collection::vec("[a-z]{1,8}", 1..3), any::<bool>())
            .prop_map(|(names, required)| ToolChoice::Allowed { names, required }),
    ];
    (proptest::collection::vec(tool, 1..3), option::of(choice), option::of(any::<bool>()))
}

pub(super) fn request() -> impl Strategy<Value = ChatRequest> {
    let number = || option::of((0u8..3, 0u8..99).prop_map(|(one, rest)| RawJson(format!("{one}.{rest:02}"))));
    let effort = option::of(prop_oneof![Just(Effort::None), Just(Effort::Minimal), Just(Effort::XHigh)]);
    (
        turns(),
        option::of(tools()),
        option::of(format()),
        (number(), number(), option::of(1u64..9999), effort),
        (any::<bool>(), option::of("[a-z]{1,8}"), proptest::collection::vec(text(), 0..3)),
    )
        .prop_map(|(turns, tools, format, (temperature, top_p, limit, effort), (stream, user, stop))| {
            let (tools, tool_choice, parallel_tool_calls) = tools.unwrap_or_default();
            ChatRequest {
                model: "m".to_owned(),
                turns,
                tools,
                tool_choice,
                parallel_tool_calls,
                max_output_tokens: limit,
                temperature,
                top_p,
                stop,
                format,
                reasoning: effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
                stream,
                include_usage: stream,
                user,
                ..ChatRequest::default()
            }
        })
}

/// Answers in the order in which the dialect tells them: thoughts, text, a refusal, calls.
pub(super) fn answer() -> impl Strategy<Value = ChatResponse> {
    let thought = (text(), seal(), any::<bool>()).prop_map(|(text, seal, redacted)| Thought {
        text: if redacted { String::new() } else { text },
        id: None,
        seal: Some(seal),
        redacted,
    });
    let plain = text().prop_map(|text| vec![Thought { text, ..Thought::default() }]);
    let thoughts = prop_oneof![proptest::collection::vec(thought, 0..3), plain];
    let call = (call_id(), "[a-z]{1,8}", "\\{\"x\":\"[a-z]{0,3}\"\\}", option::of(seal()));
    let words = option::of((text(), option::of(seal())));
    let finish = prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ContentFilter)];
    (thoughts, words, option::weighted(0.2, text()), proptest::collection::vec(call, 0..3), finish, 0u64..999)
        .prop_map(|(thoughts, words, refusal, calls, finish, tokens)| {
            let mut blocks: Vec<Block> = thoughts.into_iter().map(Block::Thought).collect();
            blocks.extend(words.map(|(text, seal)| Block::Text { text, seal, cache: None }));
            blocks.extend(refusal.map(Block::Refusal));
            let has_calls = !calls.is_empty();
            blocks.extend((0u32..).zip(calls).map(|(nth, (id, name, arguments, seal))| {
                Block::ToolCall(ToolCall { id: format!("{id}{nth}"), name, arguments, seal, cache: None })
            }));
            if blocks.is_empty() {
                blocks.push(Block::text("."));
            }
            ChatResponse {
                id: "chatcmpl-1".to_owned(),
                model: "m".to_owned(),
                created: Some(7),
                blocks,
                finish: if has_calls && finish == Finish::Stop { Finish::ToolCalls } else { finish },
                usage: Some(Usage { input_tokens: tokens, output_tokens: tokens, ..Usage::default() }),
                ..ChatResponse::default()
            }
        })
}
