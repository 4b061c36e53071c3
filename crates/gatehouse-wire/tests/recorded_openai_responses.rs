//! Every recorded exchange of `POST /v1/responses`, read, written and read again. The recordings do not
//! ship; without them this says so and passes.

#[cfg(test)]
mod recorded {
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use gatehouse_core::deployment::Capabilities;
    use gatehouse_core::error::Code;
    use gatehouse_wire::chat::{Block, ChatEvent, ChatRequest, ChatResponse, fold};
    use gatehouse_wire::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, Target};
    use gatehouse_wire::json::{Doc, Strictness};
    use gatehouse_wire::openai_responses::OpenAiResponses;
    use gatehouse_wire::sse::Frames;
    use serde_json::Value;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    const CODEC: OpenAiResponses = OpenAiResponses;

    fn folder() -> Option<PathBuf> {
        let found = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"),
            PathBuf::from,
        );
        if !found.is_dir() {
            println!("no recordings: skipped");
            return None;
        }
        Some(found)
    }

    fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.to_string_lossy().ends_with(ending));
        files.sort();
        files
    }

    /// The exchanges, by file name: `(path, request, status, body)`.
    fn exchanges() -> Vec<(String, Option<Value>, u64, Value)> {
        let Some(folder) = folder() else { return Vec::new() };
        let providers = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = providers
            .flat_map(|provider| {
                ["responses", "responses_sse"].map(|api| files_in(&provider.join(api), ".json"))
            })
            .flatten()
            .collect();
        files.sort();
        let read = |path: PathBuf| {
            let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).ok()?;
            let url = whole["request"]["url"].as_str()?.split('?').next()?.to_owned();
            let (request, response) = (whole["request"].get("body").cloned(), &whole["response"]);
            let body = response.get("body").or(response.get("body_text")).cloned().unwrap_or_default();
            let is_call = whole["request"]["method"] == "POST" && url.ends_with("/responses");
            is_call.then(|| (path.display().to_string(), request, response["status"].as_u64().unwrap(), body))
        };
        files.into_iter().filter_map(read).collect()
    }

    fn doc(value: &[u8], strictness: Strictness) -> Doc {
        Doc::parse(Bytes::copy_from_slice(value), strictness).unwrap()
    }

    fn target() -> Target<'static> {
        Target { model: "other", capabilities: Capabilities::default(), quirks: &Quirks::NONE }
    }

    /// Extensions have no order of their own; the model is the target's.
    fn comparable(mut request: ChatRequest) -> ChatRequest {
        request.extensions.sort_by(|a, b| a.path.cmp(&b.path));
        request.model = String::new();
        for turn in &mut request.turns {
            if let gatehouse_wire::chat::Turn::Assistant(blocks) = turn {
                blocks.retain(|block| !matches!(block, Block::Text { text, .. } if text.is_empty()));
            }
        }
        request
    }

    /// The paths of what is known only as it came: another encoding has it at another place of `input`.
    fn without_paths(mut request: ChatRequest) -> ChatRequest {
        for turn in &mut request.turns {
            if let gatehouse_wire::chat::Turn::Assistant(blocks) = turn {
                for block in blocks {
                    if let Block::Opaque(extension) = block {
                        extension.path.clear();
                    }
                }
            }
        }
        request
    }

    #[test]
    fn requests_are_read_and_written() {
        let (mut read, mut refused) = (0, 0);
        for (path, request, status, _) in exchanges() {
            let Some(request) = request.filter(|_| status < 300) else { continue };
            let body = serde_json::to_vec(&request).unwrap();
            let doc = doc(&body, Strictness::Caller);
            let view = CODEC.view(&doc).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(view.model.as_ref().unwrap().0, request["model"]);
            let needs_state =
                ["previous_response_id", "conversation"].iter().any(|name| request[*name].is_string())
                    || request["background"] == true
                    || request["input"]
                        .as_array()
                        .is_some_and(|items| items.iter().any(|item| item["type"] == "item_reference"));
            let decoded = match CODEC.decode_request(&doc) {
                Ok(decoded) => decoded,
                Err(error) => {
                    assert!(needs_state, "{path}: {error}");
                    assert_eq!(error.code, Code::UnsupportedParameter);
                    refused += 1;
                    continue;
                }
            };
            assert!(!needs_state, "{path}");
            let encoded =
                CODEC.encode_request(&decoded, &target()).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(encoded.dropped, Vec::<String>::new(), "{path}");
            let again = CODEC.decode_request(&self::doc(&encoded.body, Strictness::Caller)).unwrap();
            assert_eq!(without_paths(comparable(again)), without_paths(comparable(decoded)), "{path}");
            read += 1;

            let rewritten = CODEC.rewrite(&doc, &view, &target()).unwrap();
            let sent: Value = serde_json::from_slice(&splice(doc.bytes(), &rewritten.edits)).unwrap();
            let mut expected = request.clone();
            expected["model"] = "other".into();
            expected["store"] = false.into();
            assert_eq!(sent, expected, "{path}");
        }
        println!("{read} requests read, {refused} refused for what they refer to");
    }

    /// Text, refusals, reasoning, calls and usage of a response object, read without our reader.
    #[derive(Debug, PartialEq)]
    struct Meaning {
        text: String,
        refusal: String,
        reasoning: String,
        calls: Vec<(String, String, Value)>,
        finish: &'static str,
        usage: Option<(u64, u64, u64, u64)>,
    }

    fn oracle(response: &Value) -> Meaning {
        let none = Vec::new();
        let list = |value: &Value| value.as_array().unwrap_or(&none).clone();
        let mut meaning = Meaning {
            text: String::new(),
            refusal: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            finish: "stop",
            usage: None,
        };
        for item in list(&response["output"]) {
            let mut texts = Vec::new();
            for part in list(&item["summary"]).iter().chain(&list(&item["content"])) {
                texts.extend(part["text"].as_str().filter(|text| !text.is_empty()).map(str::to_owned));
                meaning.refusal += part["refusal"].as_str().unwrap_or_default();
            }
            match item["type"].as_str().unwrap() {
                "message" => meaning.text += &texts.concat(),
                "reasoning" => meaning.reasoning += &texts.join("\n\n"),
                "function_call" => {
                    let name = item["name"].as_str().unwrap().to_owned();
                    let name =
                        item["namespace"].as_str().map_or(name.clone(), |space| format!("{space}__{name}"));
                    let arguments =
                        serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap_or_default();
                    meaning.calls.push((item["call_id"].as_str().unwrap().to_owned(), name, arguments));
                }
                _ => {}
            }
        }
        if response["status"] == "incomplete" {
            let filtered = response["incomplete_details"]["reason"] == "content_filter";
            meaning.finish = if filtered { "content_filter" } else { "length" };
        } else if !meaning.calls.is_empty() {
            meaning.finish = "tool_calls";
        }
        let usage = &response["usage"];
        let (input, output) = (usage["input_tokens"].as_u64(), usage["output_tokens"].as_u64());
        if let (Some(input), Some(output)) = (input, output) {
            let part = |names: [&str; 2], most: u64| {
                usage[names[0]][names[1]].as_u64().unwrap_or_default().min(most)
            };
            let cached = part(["input_tokens_details", "cached_tokens"], input);
            let reasoning = part(["output_tokens_details", "reasoning_tokens"], output);
            meaning.usage = Some((input, cached, output, reasoning));
        }
        meaning
    }

    fn meaning(answer: &ChatResponse) -> Meaning {
        let mut meaning = oracle(&Value::Null);
        for block in &answer.blocks {
            match block {
                Block::Text { text, .. } => meaning.text += text,
                Block::Refusal(text) => meaning.refusal += text,
                Block::Thought(thought) => meaning.reasoning += &thought.text,
                Block::ToolCall(call) => {
                    let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
                    meaning.calls.push((call.id.clone(), call.name.clone(), arguments));
                }
                Block::Citations(_) | Block::Opaque(_) => {}
            }
        }
        meaning.finish = answer.finish.as_str();
        meaning.usage = answer.usage.map(|usage| {
            (usage.input_tokens, usage.cached_read_tokens, usage.output_tokens, usage.reasoning_tokens)
        });
        meaning
    }

    fn context() -> ReplyContext {
        ReplyContext {
            model: "m".to_owned(),
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn answers_are_read_and_written() {
        let mut ran = 0;
        for (path, request, status, body) in exchanges() {
            if status >= 300 || !body.is_object() || body["status"] == "queued" {
                continue;
            }
            let raw = serde_json::to_vec(&body).unwrap();
            let answer = CODEC
                .decode_answer(&doc(&raw, Strictness::Provider))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(meaning(&answer), oracle(&body), "{path}");
            let summary = CODEC.summary(&doc(&raw, Strictness::Provider));
            assert_eq!(
                (summary.usage, summary.finish),
                (answer.usage, Some(answer.finish.as_str())),
                "{path}"
            );
            for span in CODEC.answer_spans(&doc(&raw, Strictness::Provider)) {
                assert_eq!(raw[span.range.start - 1], b'"', "{path}");
                assert_eq!(raw[span.range.end], b'"', "{path}");
            }

            let request = request.and_then(|request| {
                CODEC.decode_request(&doc(&serde_json::to_vec(&request).unwrap(), Strictness::Caller)).ok()
            });
            let context = ReplyContext { request: request.map(Arc::new), ..context() };
            let written = CODEC.encode_answer(&answer, &context);
            let again = CODEC.decode_answer(&doc(&written, Strictness::Provider)).unwrap();
            assert_eq!(meaning(&again), meaning(&answer), "{path}");
            ran += 1;
        }
        println!("{ran} answers");
    }

    fn events(stream: &[u8], cut: usize) -> Vec<ChatEvent> {
        let (mut frames, mut decoder, mut out) = (Frames::default(), CODEC.decoder(), Vec::new());
        for piece in stream.chunks(cut) {
            frames.push(piece).unwrap();
            while let Some(frame) = frames.next_frame() {
                let before = out.len();
                decoder.frame(&frame, &mut out).unwrap();
                for event in &out[before..] {
                    if let ChatEvent::Delta { text, at: Some(at), .. } | ChatEvent::Repeat { text, at, .. } =
                        event
                    {
                        let quoted = [b"\"".as_slice(), &frame.data()[at.clone()], b"\""].concat();
                        assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), *text);
                    }
                }
            }
        }
        if let Some(frame) = frames.rest() {
            decoder.frame(&frame, &mut out).unwrap();
        }
        decoder.finish(&mut out).unwrap();
        out
    }

    /// The streams: of exchanges, and bare ones of one JSON event a line.
    fn streams() -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = exchanges()
            .into_iter()
            .filter(|(_, _, status, body)| *status < 300 && body.is_string())
            .map(|(path, _, _, body)| (path, body.as_str().unwrap().as_bytes().to_vec()))
            .collect();
        let bare = ["openai/responses", "azure/root", "xai/responses", "open-responses/responses"];
        let folders =
            folder().into_iter().flat_map(|root| bare.map(|name| root.join("vercel-ai-fixtures").join(name)));
        for path in folders.flat_map(|folder| files_in(&folder, ".chunks.txt")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_event = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
            let lines = text.lines().filter(is_event).map(|line| format!("data: {line}\n\n"));
            let stream: String = lines.collect();
            if stream.contains("\"response.created\"") {
                all.push((path.display().to_string(), stream.into_bytes()));
            }
        }
        all
    }

    #[test]
    fn streams_are_read_and_written_at_any_cut() {
        let mut ran = 0;
        for (path, stream) in streams() {
            let text = String::from_utf8(stream.clone()).unwrap();
            let mut last = Value::Null;
            let mut items = Vec::new();
            for line in text.lines().filter_map(|line| line.strip_prefix("data:")) {
                let Ok(event) = serde_json::from_str::<Value>(line.trim()) else { continue };
                if event["type"] == "response.output_item.done" {
                    items.push(event["item"].clone());
                }
                if matches!(event["type"].as_str(), Some("response.completed" | "response.incomplete")) {
                    last = event["response"].clone();
                }
            }
            if last.is_null() {
                println!("no end: {path}");
                continue;
            }
            // Some servers leave the output out of the last event.
            if last["output"].as_array().is_none_or(Vec::is_empty) {
                last["output"] = items.into();
            }
            let all = events(&stream, stream.len());
            let whole = fold(&all).unwrap();
            assert_eq!(meaning(&whole), oracle(&last), "{path}");
            let raw = serde_json::to_vec(&last).unwrap();
            let in_one_piece = CODEC.decode_answer(&doc(&raw, Strictness::Provider)).unwrap();
            let kinds =
                |answer: &ChatResponse| answer.blocks.iter().map(std::mem::discriminant).collect::<Vec<_>>();
            assert_eq!(kinds(&whole), kinds(&in_one_piece), "{path}");
            for cut in [1, 7, 64] {
                assert_eq!(events(&stream, cut), all, "{path} cut at {cut}");
            }

            let mut encoder = CODEC.encoder(context());
            let mut written = Vec::new();
            all.iter().for_each(|event| encoder.event(event, &mut written));
            let again = fold(&events(&written, written.len())).unwrap();
            assert_eq!(meaning(&again), meaning(&whole), "{path}");
            let seals = |answer: &ChatResponse| {
                answer
                    .blocks
                    .iter()
                    .filter_map(|block| match block {
                        Block::Thought(thought) => thought.seal.clone(),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
            };
            assert_eq!(seals(&again), seals(&whole), "{path}");
            ran += 1;
        }
        println!("{ran} streams");
    }
}
