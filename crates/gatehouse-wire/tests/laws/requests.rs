//! Requests: one walk sees what the other reads, and whatever is written can be read.

use super::{ALL, Subject, apply, parse, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::chat::{ChatRequest, Part, Turn};
use gatehouse_wire::codec::{Quirks, Target, View};
use gatehouse_wire::json::{Doc, Strictness, unescape};
use gatehouse_wire::prompt_cache::{self, Prompt};

/// A server that differs wherever it can.
const AWKWARD: Quirks = Quirks {
    drop: &["user", "metadata", "seed", "top_k", "store"],
    refuse: &["logprobs"],
    stream_options: false,
    tool_ids: gatehouse_wire::codec::ToolIds::NineAlphanumeric,
    json_schema: false,
    forced_tool: "any",
    seed: "random_seed",
    reasoning_effort: false,
    reasoning_back: true,
    ..Quirks::COMPATIBLE
};

/// Everything that is done with a caller's request.
pub fn request(subject: Subject, bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller) else { return };
    let view = subject.codec.view(&doc);
    // The pipeline asks for the view first; reading what it refused must still end well.
    let decoded = subject.codec.decode_request(&doc);
    let Ok(view) = view else { return };
    spans_can_be_masked(&doc, &view.spans);
    model_is_where_it_is_said_to_be(subject, &doc, &view);
    for quirks in [&Quirks::NONE, &Quirks::COMPATIBLE, &AWKWARD] {
        rewritten(subject, &doc, &view, quirks);
    }
    let Ok(decoded) = decoded else { return };
    assert_eq!(decoded.stream, view.stream, "{}: stream or not", subject.name);
    if !says_something(&decoded) {
        return;
    }
    for other in ALL {
        for quirks in [&Quirks::NONE, &AWKWARD] {
            let Ok(encoded) = other.codec.encode_request(&decoded, &target(quirks)) else { continue };
            let written = parse(&encoded.body, Strictness::Provider);
            let seen = other.codec.view(&written).unwrap_or_else(|error| {
                panic!("{} wrote for {}: {error}\n{}", other.name, subject.name, written.text())
            });
            let model = seen.model.map(|(model, _)| model);
            assert_eq!(model.as_deref(), other.model_in_body.then_some("target-model"));
        }
    }
}

/// Whether there is anything to answer. Where there is not, the provider may say so: no dialect has a form
/// for a conversation without words.
fn says_something(request: &ChatRequest) -> bool {
    let word = |part: &Part| !matches!(part, Part::Text { text, .. } if text.is_empty());
    request.turns.iter().any(|turn| match turn {
        Turn::System(_) => false,
        Turn::User(parts) => parts.iter().any(word),
        Turn::Assistant(blocks) => !blocks.is_empty(),
        Turn::ToolResults(results) => !results.is_empty(),
    })
}

/// A target with these quirks.
pub(super) fn target(quirks: &Quirks) -> Target<'_> {
    Target { model: "target-model", capabilities: Capabilities::default(), quirks }
}

fn model_is_where_it_is_said_to_be(subject: Subject, doc: &Doc, view: &View) {
    assert_eq!(view.model.is_some(), subject.model_in_body, "{}", subject.name);
    if let Some((model, range)) = &view.model {
        let quoted = doc.slice(range.clone());
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("a quoted name");
        assert_eq!(unescape(inner), model.as_str());
    }
}

/// What is sent to a server of the same dialect is what was checked, but for what had to change.
fn rewritten(subject: Subject, doc: &Doc, view: &View, quirks: &Quirks) {
    let Ok(mut rewrite) = subject.codec.rewrite(doc, view, &target(quirks)) else { return };
    if subject.name == "anthropic" {
        // Breakpoints go in together with whatever else is edited.
        let prompt = Prompt { model: "claude", tokens: u64::MAX, count: &|_| 10_000 };
        rewrite.edits.extend(prompt_cache::edits(doc, &prompt));
        rewrite.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    }
    if subject.name == "bedrock" {
        let prompt = Prompt { model: "claude", tokens: u64::MAX, count: &|_| 10_000 };
        rewrite.edits.extend(prompt_cache::points(doc, &prompt));
        rewrite.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    }
    let sent = parse(&apply(doc, &rewrite.edits), Strictness::Caller);
    let again = subject.codec.view(&sent).unwrap_or_else(|error| {
        panic!("{}: rewritten to what we refuse ourselves: {error}\n{}", subject.name, sent.text())
    });
    let model = again.model.map(|(model, _)| model);
    assert_eq!(model.as_deref(), subject.model_in_body.then_some("target-model"));
    assert_eq!((again.stream, again.max_output_tokens), (view.stream, view.max_output_tokens));
}
