//! Oddities of the family's servers, each as its server sends it.

use super::super::OpenAiChat;
use super::{read_answer, read_stream};
use crate::chat::{Block, ChatResponse, Finish, Origin, fold};
use crate::codec::ProviderCodec as _;
use crate::json::{Doc, Strictness};
use bytes::Bytes;

/// One of our own streams, modelled on what the server sends.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/openai_chat/", $name))
    };
}

fn of(stream: &str) -> ChatResponse {
    fold(&read_stream(stream.as_bytes(), 9).unwrap()).unwrap()
}

fn whole(message: &str, finish: &str) -> ChatResponse {
    let answer =
        format!(r#"{{"id":"x","choices":[{{"index":0,"message":{message},"finish_reason":{finish}}}]}}"#);
    read_answer(answer.into_bytes())
}

fn text_of(answer: &ChatResponse) -> (String, String) {
    let mut texts = (String::new(), String::new());
    for block in &answer.blocks {
        match block {
            Block::Text { text, .. } => texts.0 += text,
            Block::Thought(thought) => texts.1 += &thought.text,
            _ => {}
        }
    }
    texts
}

fn calls_of(answer: &ChatResponse) -> Vec<(&str, &str, &str)> {
    let calls = answer.blocks.iter().filter_map(|block| match block {
        Block::ToolCall(call) => Some((call.id.as_str(), call.name.as_str(), call.arguments.as_str())),
        _ => None,
    });
    calls.collect()
}

#[test]
fn azures_chunk_about_the_prompt_is_not_the_beginning() {
    let answer = of(fixture!("azure_prompt_filter.sse"));
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("c1", "gpt"));
}

#[test]
fn groq_repeats_its_usage_and_names_reasoning_its_own_way() {
    let answer = of(fixture!("groq.sse"));
    assert_eq!(text_of(&answer), ("four".to_owned(), "hm".to_owned()));
    assert_eq!(answer.usage.unwrap().total_tokens(), 5);
}

#[test]
fn groqs_failed_call_is_an_error_in_the_middle() {
    let error = fold(&read_stream(fixture!("groq_failed_call.sse").as_bytes(), 5).unwrap()).unwrap_err();
    assert!(error.message.contains("no call"), "{error}");
}

#[test]
fn mistral_thinks_in_lists() {
    let answer = of(fixture!("mistral_reasoning.sse"));
    let whole = whole(fixture!("mistral_reasoning.json"), "\"model_length\"");
    assert_eq!((answer.blocks, answer.finish), (whole.blocks, Finish::Length));
}

#[test]
fn openrouter_details_are_sealed_whole() {
    let answer = of(fixture!("openrouter_details.sse"));
    let whole = whole(fixture!("openrouter_details.json"), "\"stop\"");
    assert_eq!(answer.blocks, whole.blocks);
    let Block::Thought(thought) = &answer.blocks[0] else { panic!("{answer:?}") };
    assert_eq!(thought.seal.as_ref().map(|seal| seal.origin), Some(Origin::OpenRouter));
}

#[test]
fn openrouters_error_chunk_keeps_its_usage() {
    let events = read_stream(fixture!("openrouter_error.sse").as_bytes(), 64).unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, crate::chat::ChatEvent::Usage(usage) if usage.input_tokens == 43))
    );
    assert!(fold(&events).is_err());
}

#[test]
fn perplexity_repeats_the_message_and_says_no_done() {
    let answer = of(fixture!("perplexity.sse"));
    assert_eq!(text_of(&answer).0, "ab");
    assert_eq!(answer.usage.unwrap().output_tokens, 2);
}

#[test]
fn nulls_and_empty_members_say_nothing() {
    assert_eq!(whole(fixture!("nulls.json"), "\"\"").blocks, []);
    let answer = of(fixture!("nulls.sse"));
    assert_eq!((text_of(&answer).0.as_str(), answer.finish), ("4", Finish::Stop));
}

#[test]
fn calls_are_put_together_however_they_come() {
    let openai = of(fixture!("calls_interleaved.sse"));
    assert_eq!(calls_of(&openai), [("a", "f", "{\"x\":1}"), ("b", "g", "{}")]);
    assert_eq!(openai.finish, Finish::ToolCalls);
    // Google's endpoint: one index for all, whole calls, a seal.
    let google = of(fixture!("calls_google.sse"));
    assert_eq!(calls_of(&google).len(), 2);
    assert!(matches!(&google.blocks[0], Block::ToolCall(call)
            if call.seal.as_ref().is_some_and(|seal| seal.value == "sig")));
    // No index, no id, arguments as an object, the name behind them.
    let odd = of(fixture!("calls_odd.sse"));
    assert_eq!(calls_of(&odd), [("call_chat7_0", "f", "{\"x\":1}"), ("call_chat7_1", "g", "{}")]);
    let same = whole(r#"{"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}"#, "null");
    assert_eq!(calls_of(&same), [("call_x_0", "f", "{\"x\":1}")]);
}

#[test]
fn the_input_of_a_custom_tool_is_an_object_elsewhere() {
    let expected = [("c", "sh", "{\"input\":\"echo \\\"hi\\\"\"}")];
    let call = r#"{"tool_calls":[{"id":"c","type":"custom","custom":{"name":"sh","input":"echo \"hi\""}}]}"#;
    assert_eq!(calls_of(&whole(call, "\"tool_calls\"")), expected);
    let streamed = of(fixture!("custom_tool.sse"));
    assert_eq!(calls_of(&streamed), expected);
}

#[test]
fn words_for_the_end_are_understood_and_truncation_is_not_an_end() {
    for (word, expected) in [
        ("eos", Finish::Stop),
        ("eos_token", Finish::Stop),
        ("length", Finish::Length),
        ("content_filter", Finish::ContentFilter),
        ("function_call", Finish::ToolCalls),
    ] {
        let answer = whole(r#"{"content":"x"}"#, &format!("\"{word}\""));
        assert_eq!((answer.finish, answer.native_finish.as_deref()), (expected, Some(word)));
    }
    assert!(read_stream(fixture!("truncated.sse").as_bytes(), 64).is_err());
    assert!(read_stream(b"data: <html>\n\n", 64).is_err());
}

#[test]
fn an_error_with_a_status_of_success_is_an_error() {
    let raw = br#"{"error":{"message":"filtered","code":"content_filter","status":400}}"#;
    let doc = Doc::parse(Bytes::from_static(raw), Strictness::Provider).unwrap();
    assert!(OpenAiChat.summary(&doc).error.is_some());
    assert!(OpenAiChat.decode_answer(&doc).is_err());
}
