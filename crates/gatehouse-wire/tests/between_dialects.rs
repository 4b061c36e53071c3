//! What an answer says beside its words, carried between all dialects, whole and streamed: citations and
//! the tier that served.

#![expect(clippy::unwrap_used, reason = "a test may say what it expects, also in its helpers")]

use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::anthropic::Messages;
use gatehouse_wire::bedrock::Converse;
use gatehouse_wire::chat::{Block, ChatEvent, ChatResponse, events, fold};
use gatehouse_wire::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, Target};
use gatehouse_wire::framing::Frames;
use gatehouse_wire::gemini::Gemini;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_chat::OpenAiChat;
use gatehouse_wire::openai_responses::OpenAiResponses;

const TEXT: &str = "Zürich is big. It is old.";
const URL: &str = "https://a.example/z";

/// Answers that say [`TEXT`], of which "It is old." (characters 15 to 25, bytes 16 to 26) has a source.
fn samples() -> [(Dialect, &'static dyn Codec, String); 5] {
    let chat = format!(
        r#"{{"id":"1","model":"m","created":1,"service_tier":"flex","choices":[{{"index":0,"finish_reason":"stop",
        "message":{{"role":"assistant","content":"{TEXT}","annotations":[{{"type":"url_citation","url_citation":
        {{"start_index":15,"end_index":25,"url":"{URL}","title":"Z"}}}}]}}}}],"usage":{{"prompt_tokens":1}}}}"#
    );
    let responses = format!(
        r#"{{"id":"resp_1","model":"m","status":"completed","service_tier":"flex","output":[{{"type":"message",
        "role":"assistant","content":[{{"type":"output_text","text":"{TEXT}","annotations":[{{"type":
        "url_citation","start_index":15,"end_index":25,"url":"{URL}","title":"Z"}}]}}]}}],"usage":{{"input_tokens":1}}}}"#
    );
    let messages = format!(
        r#"{{"id":"msg_1","model":"m","type":"message","stop_reason":"end_turn","content":[
        {{"type":"text","text":"Zürich is big. "}},{{"type":"text","text":"It is old.","citations":[
        {{"type":"web_search_result_location","url":"{URL}","title":"Z","encrypted_index":"e","cited_text":"c"}}]}}],
        "usage":{{"input_tokens":1,"output_tokens":1,"service_tier":"flex"}}}}"#
    );
    let gemini = format!(
        r#"{{"responseId":"1","modelVersion":"m","candidates":[{{"index":0,"finishReason":"STOP","content":
        {{"role":"model","parts":[{{"text":"{TEXT}"}},{{"text":"","thoughtSignature":"c2ln"}}]}},
        "groundingMetadata":{{"groundingChunks":[{{"web":{{"uri":"{URL}","title":"Z"}}}}],"groundingSupports":
        [{{"segment":{{"startIndex":16,"endIndex":26,"text":"It is old."}},"groundingChunkIndices":[0]}}]}}}}],
        "usageMetadata":{{"promptTokenCount":1,"serviceTier":"flex"}}}}"#
    );
    let converse = format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"Zürich is big. "}},{{"citationsContent":
        {{"content":[{{"text":"It is old."}}],"citations":[{{"title":"Z","location":{{"web":{{"url":"{URL}"}}}}}}]}}}}]}}}},
        "stopReason":"end_turn","serviceTier":{{"type":"flex"}},"usage":{{"inputTokens":1,"outputTokens":1}}}}"#
    );
    [
        (Dialect::OpenAiChat, &OpenAiChat, chat),
        (Dialect::OpenAiResponses, &OpenAiResponses, responses),
        (Dialect::AnthropicMessages, &Messages, messages),
        (Dialect::GeminiGenerate, &Gemini, gemini),
        (Dialect::BedrockConverse, &Converse, converse),
    ]
}

fn doc(bytes: impl Into<Bytes>) -> Doc {
    Doc::parse(bytes.into(), Strictness::Provider).unwrap()
}

fn context() -> ReplyContext {
    ReplyContext { model: "m".to_owned(), id: "0".repeat(32), created: 1, ..ReplyContext::default() }
}

fn streamed(codec: &dyn Codec, events: &[ChatEvent]) -> Vec<u8> {
    let (mut encoder, mut out) = (codec.encoder(context()), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

fn read(dialect: Dialect, codec: &dyn Codec, stream: &[u8]) -> Vec<ChatEvent> {
    let (mut frames, mut decoder, mut all) = (Frames::of(dialect), codec.decoder(), Vec::new());
    frames.push(stream).unwrap();
    while let Some(frame) = frames.next_frame().unwrap() {
        decoder.frame(&frame, &mut all).unwrap();
    }
    decoder.finish(&mut all).unwrap();
    all
}

/// The text, and of every citation the address, the title and the words that it backs.
fn said(answer: &ChatResponse) -> (String, Vec<(String, String, String)>) {
    let texts = answer.blocks.iter().filter_map(|block| match block {
        Block::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let text: String = texts.collect();
    let cited = answer.blocks.iter().filter_map(|block| match block {
        Block::Citations(cited) => Some(&cited.all),
        _ => None,
    });
    let words = |span: &std::ops::Range<u64>| {
        let [start, end] = [span.start, span.end].map(|at| usize::try_from(at).unwrap());
        text.chars().skip(start).take(end - start).collect::<String>()
    };
    let cited = cited.flatten().map(|one| {
        let span = one.span.as_ref().map(words);
        (one.url.clone().unwrap(), one.title.clone().unwrap(), span.unwrap_or_default())
    });
    let cited = cited.collect();
    (text, cited)
}

#[test]
fn citations_and_tiers_reach_every_dialect() {
    for (from, maker, sample) in samples() {
        let answer = maker.decode_answer(&doc(sample.clone())).unwrap();
        let cited = vec![(URL.to_owned(), "Z".to_owned(), "It is old.".to_owned())];
        assert_eq!(said(&answer), (TEXT.to_owned(), cited), "{from:?}");
        assert_eq!(maker.summary(&doc(sample)).service_tier.as_deref(), Some("flex"), "{from:?}");
        for (to, codec, _) in samples() {
            let lost: Vec<String> = answer.blocks.iter().filter_map(|block| block.lost_in(to)).collect();
            assert!(lost.is_empty(), "{from:?} to {to:?}: {lost:?}");
            // These cite whole blocks: where the maker has one text, it is of all of it.
            let cites_blocks =
                |dialect| matches!(dialect, Dialect::AnthropicMessages | Dialect::BedrockConverse);
            let whole = cites_blocks(to) && !cites_blocks(from);
            let words = if whole { TEXT } else { "It is old." };
            let expected = (TEXT.to_owned(), vec![(URL.to_owned(), "Z".to_owned(), words.to_owned())]);
            let back = codec.decode_answer(&doc(codec.encode_answer(&answer, &context()))).unwrap();
            assert_eq!(said(&back), expected, "{from:?} to {to:?}");
            assert_eq!(back.service_tier.as_deref(), Some("flex"), "{from:?} to {to:?}");

            let stream = streamed(codec, &events(&answer));
            let back = fold(&read(to, codec, &stream)).unwrap();
            assert_eq!(said(&back), expected, "{from:?} to {to:?}, streamed");
            assert_eq!(back.service_tier.as_deref(), Some("flex"), "{from:?} to {to:?}, streamed");
        }
    }
}

#[test]
fn citations_behind_a_call_are_not_lost() {
    for (from, maker, sample) in samples() {
        let mut answer = maker.decode_answer(&doc(sample)).unwrap();
        let at = answer.blocks.iter().position(|block| matches!(block, Block::Citations(_))).unwrap();
        let cited = answer.blocks.remove(at);
        let call = gatehouse_wire::chat::ToolCall {
            id: "call_1".to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            ..Default::default()
        };
        answer.blocks.extend([Block::ToolCall(call), cited]);
        for (to, codec, _) in samples() {
            let whole = codec.decode_answer(&doc(codec.encode_answer(&answer, &context()))).unwrap();
            let stream = fold(&read(to, codec, &streamed(codec, &events(&answer)))).unwrap();
            for back in [whole, stream] {
                let (text, cited) = said(&back);
                assert_eq!((text.as_str(), cited.len()), (TEXT, 1), "{from:?} to {to:?}");
            }
        }
    }
}

#[test]
fn perplexitys_lists_are_citations() {
    let message = r#""message":{"role":"assistant","content":"A [1]."}"#;
    let delta = r#""delta":{"content":"A [1]."}"#;
    let with = |inner: &str, more: &str| {
        format!(
            r#"{{"id":"1","model":"sonar","choices":[{{"index":0,{inner},"finish_reason":"stop"}}],{more}}}"#
        )
    };
    let results = r#""citations":["https://b.example"],"search_results":[{"title":"T","url":"https://a.example","snippet":"s"}]"#;
    let whole = OpenAiChat.decode_answer(&doc(with(message, results))).unwrap();
    let stream = format!("data: {0}\n\ndata: {0}\n\ndata: [DONE]\n\n", with(delta, results));
    let streamed = fold(&read(Dialect::OpenAiChat, &OpenAiChat, stream.as_bytes())).unwrap();
    let cited = |answer: &ChatResponse| {
        let found = answer.blocks.iter().filter_map(|block| match block {
            Block::Citations(cited) => Some(cited.all.clone()),
            _ => None,
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(cited(&whole), cited(&streamed));
    assert_eq!(cited(&whole)[0][0].url.as_deref(), Some("https://a.example"));
    assert_eq!(cited(&whole)[0][0].quote.as_deref(), Some("s"));
    let alone =
        OpenAiChat.decode_answer(&doc(with(message, r#""citations":["https://b.example"]"#))).unwrap();
    assert_eq!(cited(&alone)[0][0].url.as_deref(), Some("https://b.example"));
}

/// A chat caller's free-form tool at a provider that knows functions only, and the call on its way back.
#[test]
fn free_form_tools_of_chat_are_functions_elsewhere() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c0","type":"custom","custom":{"name":"sh","input":"ls \"a\""}}]},
        {"role":"tool","tool_call_id":"c0","content":"b"}],
        "tools":[{"type":"custom","custom":{"name":"sh","description":"runs","format":
        {"type":"grammar","grammar":{"syntax":"lark","definition":"start: WORD"}}}}],
        "tool_choice":{"type":"custom","custom":{"name":"sh"}}}"#;
    let request = OpenAiChat.decode_request(&doc(body)).unwrap();
    let target = Target { model: "claude", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
    let encoded = Messages.encode_request(&request, &target).unwrap();
    assert_eq!(encoded.dropped, ["tools[0].custom.format.grammar"]);
    let sent: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    let function = sent.pointer("/tools/0").unwrap();
    assert_eq!(
        (&function["name"], &function["input_schema"]["required"]),
        (&"sh".into(), &serde_json::json!(["input"]))
    );
    let rule = function.pointer("/input_schema/properties/input/description").unwrap();
    assert!(rule.as_str().unwrap().ends_with("It follows this lark grammar:\nstart: WORD"), "{rule}");
    assert_eq!(
        sent.pointer("/messages/1/content/0/input").unwrap(),
        &serde_json::json!({"input": "ls \"a\""})
    );
    assert_eq!(sent["tool_choice"], serde_json::json!({"type": "tool", "name": "sh"}));

    let answer = r#"{"id":"msg_1","model":"m","type":"message","stop_reason":"tool_use","content":[
        {"type":"tool_use","id":"t1","name":"sh","input":{"input":"cat \"b\""}}],"usage":{}}"#;
    let answer = Messages.decode_answer(&doc(answer)).unwrap();
    let context = ReplyContext { request: Some(std::sync::Arc::new(request)), ..context() };
    let call =
        serde_json::json!({"id": "t1", "type": "custom", "custom": {"name": "sh", "input": "cat \"b\""}});
    let whole: serde_json::Value =
        serde_json::from_slice(&OpenAiChat.encode_answer(&answer, &context)).unwrap();
    assert_eq!(whole.pointer("/choices/0/message/tool_calls").unwrap(), &serde_json::json!([call]));

    let (mut encoder, mut out) = (OpenAiChat.encoder(context), Vec::new());
    events(&answer).iter().for_each(|event| encoder.event(event, &mut out));
    let stream = String::from_utf8(out).unwrap();
    let piece = r#""delta":{"tool_calls":[{"index":0,"id":"t1","type":"custom","custom":{"name":"sh","input":"cat \"b\""}}]}"#;
    assert!(stream.contains(piece) && !stream.contains("\"function\""), "{stream}");
}
