//! Where natural language stands in blocks: for guardrails, which read and edit it in place.

use crate::json::{Kind, Node};
use gatehouse_core::content::{Place, Span};

/// Members of blocks of kinds that are not read one by one (results of server tools, search results,
/// summaries) which hold words. Their other strings are ids, addresses and ciphers: not to be edited.
const WORDS: &[&str] = &["text", "title", "content", "context", "stdout", "stderr", "explanation"];

/// Adds the text of a string, unless there is none.
pub(crate) fn add(node: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    if node.is_str() && !node.is_empty() {
        spans.push(Span { range: node.inner_range(), place });
    }
}

/// Adds every string inside a value: arguments of tools are free-form.
pub(crate) fn add_all(node: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    match node.kind() {
        Kind::String | Kind::Escaped => add(node, place, spans),
        Kind::Array => node.items().for_each(|item| add_all(item, place, spans)),
        Kind::Object => node.members().for_each(|(_, value)| add_all(value, place, spans)),
        Kind::Null | Kind::True | Kind::False | Kind::Number => {}
    }
}

/// Adds the words in a block of a kind that is not read member by member.
pub(crate) fn add_words(block: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    let plain_text = kind_of(block).is_some_and(|kind| kind == "text");
    for (name, value) in block.members() {
        match value.kind() {
            Kind::Object => add_words(value, place, spans),
            Kind::Array => value.items().for_each(|item| add_words(item, place, spans)),
            _ if WORDS.contains(&name.as_ref()) || (plain_text && name == "data") => {
                add(value, place, spans);
            }
            _ => {}
        }
    }
}

/// Adds the words of a block that the model made: in an answer, or replayed in a request.
pub(super) fn add_block(block: Node<'_>, spans: &mut Vec<Span>) {
    let kind = kind_of(block).unwrap_or_default();
    let mut member = |name: &str, place| {
        if let Some(value) = block.opt(name) {
            add(value, place, spans);
        }
    };
    match kind.as_ref() {
        "text" => member("text", Place::Output),
        "thinking" => member("thinking", Place::Output),
        "redacted_thinking" => {}
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            if let Some(input) = block.opt("input") {
                add_all(input, Place::ToolArguments, spans);
            }
        }
        other if other.ends_with("_tool_result") => add_words(block, Place::ToolResult, spans),
        _ => add_words(block, Place::Output, spans),
    }
}

/// Every text of an answer in one piece.
pub(super) fn of_answer(root: Node<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    if let Some(content) = root.opt("content") {
        content.items().for_each(|block| add_block(block, &mut spans));
    }
    if let Some(explanation) = root.path(&["stop_details", "explanation"]) {
        add(explanation, Place::Output, &mut spans);
    }
    spans.sort_by_key(|span| span.range.start);
    spans
}

fn kind_of(block: Node<'_>) -> Option<std::borrow::Cow<'_, str>> {
    block.opt("type").and_then(|kind| kind.str())
}

#[cfg(test)]
mod tests {
    use super::of_answer;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::Place;

    #[test]
    fn words_are_found_and_ciphers_are_not() {
        let doc = Doc::parse(
            Bytes::from_static(
                br#"{"content":[
                {"type":"thinking","thinking":"hm","signature":"c2ln"},
                {"type":"text","text":"a\nb","citations":[{"cited_text":"no"}]},
                {"type":"tool_use","id":"t","name":"n","input":{"q":["x",{"y":"z"}],"n":1}},
                {"type":"web_search_tool_result","tool_use_id":"s","content":[
                    {"type":"web_search_result","title":"T","url":"https://u","encrypted_content":"e"}]}],
                "stop_details":{"type":"refusal","explanation":"why"}}"#,
            ),
            Strictness::Provider,
        )
        .unwrap();
        let found: Vec<_> = of_answer(doc.root())
            .into_iter()
            .map(|span| (doc.slice(span.range.clone()), span.place))
            .collect();
        let found: Vec<_> = found.iter().map(|(text, place)| (*text, *place)).collect();
        assert_eq!(
            found,
            [
                ("hm", Place::Output),
                (r"a\nb", Place::Output),
                ("x", Place::ToolArguments),
                ("z", Place::ToolArguments),
                ("T", Place::ToolResult),
                ("why", Place::Output),
            ]
        );
    }
}
