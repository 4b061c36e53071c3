//! A request that stays Anthropic's, made fit for its target by edits of its bytes.

use super::citations;
use super::content::{Sealed, read_seal, text_of};
use crate::chat::{Origin, Seal};
use crate::codec::{Rewrite, Target, View};
use crate::json::{Doc, Node, escaped};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;
use std::ops::Range;

/// How every envelope of [`crate::seal`] begins: its mark in base64. Bodies without it need no search.
pub(crate) const ENVELOPE: &[u8] = b"Z2F0ZWhvdXNlLXNlYWwt";

/// Edits for `target`: the model's name, what its quirks demand, and out with seals that Anthropic did not
/// make. (A conversation that another provider began comes here with those in envelopes.)
pub(super) fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut rewrite = Rewrite::default();
    let root = doc.root();
    let mut doomed: Vec<&str> = Vec::new();
    match (&view.model, target.quirks.instead_of_model) {
        (Some(_), Some((name, text))) => {
            let stands = member_ranges(doc, root).into_iter().find(|(name, _)| name == "model");
            let with = Bytes::from(format!("\"{name}\":\"{text}\""));
            rewrite.edits.extend(stands.map(|(_, range)| Edit { range, with }));
            // The caller's own would stand beside it.
            doomed.extend(root.get(name).map(|_| name));
        }
        (Some((model, range)), None) if model != target.model => {
            let name = [b"\"".as_slice(), &escaped(target.model), b"\""].concat();
            rewrite.edits.push(Edit { range: range.clone(), with: Bytes::from(name) });
        }
        _ => {}
    }
    for name in target.quirks.refuse {
        if root.opt(name).is_some() {
            return Err(Error::unsupported(*name, format!("{name}: the serving provider does not take it")));
        }
    }
    doomed.extend(target.quirks.drop.iter().filter(|name| root.get(name).is_some()));
    if memchr::memmem::find(doc.bytes(), ENVELOPE).is_some() && drop_foreign_seals(doc, &mut rewrite) {
        doomed.push("thinking");
    }
    if !doomed.is_empty() {
        let members = member_ranges(doc, root);
        let gone: Vec<bool> = members.iter().map(|(name, _)| doomed.contains(&name.as_str())).collect();
        let ranges: Vec<Range<usize>> = members.iter().map(|(_, range)| range.clone()).collect();
        rewrite.edits.extend(removals(&ranges, &gone));
        rewrite.dropped.extend(doomed.iter().map(|name| (*name).to_owned()));
    }
    rewrite.edits.sort_by_key(|edit| edit.range.start);
    Ok(rewrite)
}

/// Cuts out blocks whose seal another provider made. Says whether `thinking` must go too: with a token
/// budget, Anthropic demands that the turn whose tools are being answered begins with a thought of its own.
fn drop_foreign_seals(doc: &Doc, rewrite: &mut Rewrite) -> bool {
    let Some(messages) = doc.root().opt("messages") else { return false };
    let mut last_assistant_lost = false;
    let mut emptied = Vec::new();
    for message in messages.items() {
        let blocks: Vec<Node<'_>> =
            message.opt("content").map(|all| all.items().collect()).unwrap_or_default();
        let foreign: Vec<Option<Seal>> = blocks.iter().map(|block| foreign_seal(*block)).collect();
        let mut gone: Vec<bool> = foreign.iter().map(Option::is_some).collect();
        for (block, gone) in blocks.iter().zip(&mut gone).filter(|(block, _)| citations::are_foreign(**block))
        {
            name_once(rewrite, "citations of another provider");
            // A text without words was there for its citations alone.
            *gone = text_of(*block, "text").is_empty();
            if let Some(cited) = block.opt("citations").filter(|_| !*gone) {
                rewrite.edits.push(Edit { range: cited.range(), with: Bytes::from_static(b"null") });
            }
        }
        let lost_seal = foreign.iter().any(Option::is_some);
        if text_of(message, "role") == "assistant" {
            last_assistant_lost = lost_seal;
        }
        for seal in foreign.iter().flatten() {
            name_once(rewrite, &seal.name());
        }
        let is_empty = !gone.is_empty() && gone.iter().all(|gone| *gone);
        emptied.push(is_empty);
        if !is_empty {
            let ranges: Vec<Range<usize>> = blocks.iter().map(Node::range).collect();
            rewrite.edits.extend(removals(&ranges, &gone));
        }
    }
    let ranges: Vec<Range<usize>> = messages.items().map(|message| message.range()).collect();
    rewrite.edits.extend(removals(&ranges, &emptied));
    let thinking = doc.root().opt("thinking").map(|thinking| text_of(thinking, "type"));
    last_assistant_lost && thinking.is_some_and(|kind| kind == "enabled")
}

fn name_once(rewrite: &mut Rewrite, name: &str) {
    if !rewrite.dropped.iter().any(|known| known == name) {
        rewrite.dropped.push(name.to_owned());
    }
}

fn foreign_seal(block: Node<'_>) -> Option<Seal> {
    let sealed = match text_of(block, "type").as_str() {
        "thinking" => text_of(block, "signature"),
        "redacted_thinking" => text_of(block, "data"),
        _ => return None,
    };
    match read_seal(&sealed) {
        Sealed::Text(seal)
        | Sealed::NoText(seal)
        | Sealed::Call(_, seal)
        | Sealed::Thought(_, Some(seal)) => (seal.origin != Origin::Anthropic).then_some(seal),
        Sealed::Thought(_, None) => None,
    }
}

/// The members of an object: names, and where each stands from its key to the end of its value.
fn member_ranges(doc: &Doc, object: Node<'_>) -> Vec<(String, Range<usize>)> {
    let mut end = object.range().start + 1;
    let mut all: Vec<(String, Range<usize>)> = Vec::new();
    for (name, value) in object.members() {
        let gap = doc.slice(end..value.range().start);
        // The first comma is the one between members: a key with a comma in it stands behind that.
        let comma = if all.is_empty() { 0 } else { gap.find(',').map_or(0, |at| at + 1) };
        let rest = gap.get(comma..).unwrap_or_default();
        let start = end + comma + (rest.len() - rest.trim_start().len());
        end = value.range().end;
        all.push((name.into_owned(), start..end));
    }
    all
}

/// Edits that remove elements of a list together with the commas that would be left over.
pub(crate) fn removals(elements: &[Range<usize>], gone: &[bool]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut last_kept_end: Option<usize> = None;
    let mut run_start: Option<usize> = None;
    for (element, gone) in elements.iter().zip(gone) {
        match (gone, run_start) {
            (true, None) => run_start = Some(element.start),
            (true, Some(_)) => {}
            (false, None) => last_kept_end = Some(element.end),
            (false, Some(start)) => {
                edits.push(cut(start..element.start));
                (run_start, last_kept_end) = (None, Some(element.end));
            }
        }
    }
    if let (Some(start), Some(last)) = (run_start, elements.last()) {
        edits.push(cut(last_kept_end.unwrap_or(start)..last.end));
    }
    edits
}

fn cut(range: Range<usize>) -> Edit {
    Edit { range, with: Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::removals;
    use crate::anthropic::Messages;
    use crate::chat::{Origin, Seal};
    use crate::codec::{Codec, Quirks, Rewrite, Target};
    use crate::json::{Doc, Strictness};
    use crate::seal::wrap;
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use gatehouse_core::deployment::Capabilities;
    use proptest::prelude::*;

    fn rewritten(body: &str, quirks: &Quirks) -> (String, Rewrite) {
        let doc = Doc::parse(Bytes::copy_from_slice(body.as_bytes()), Strictness::Caller).unwrap();
        let view = Messages.view(&doc).unwrap();
        let target = Target { model: "new \"m\"", capabilities: Capabilities::default(), quirks };
        let rewrite = Messages.rewrite(&doc, &view, &target).unwrap();
        let bytes = splice(doc.bytes(), &rewrite.edits);
        (String::from_utf8(bytes.to_vec()).unwrap(), rewrite)
    }

    #[test]
    fn only_the_name_changes_and_what_quirks_demand() {
        let body = "{ \"a,b\" : 1 ,\n \"model\":\"m\", \"messages\":[{\"role\":\"user\",\"content\":\"x\"}] , \"speed\":\"fast\"}";
        let (plain, rewrite) = rewritten(body, &Quirks::NONE);
        assert_eq!(plain, body.replace("\"m\"", r#""new \"m\"""#));
        assert!(rewrite.dropped.is_empty());
        let quirks = Quirks { drop: &["speed", "a,b"], ..Quirks::NONE };
        let (cut, rewrite) = rewritten(body, &quirks);
        assert_eq!(
            cut,
            "{ \"model\":\"new \\\"m\\\"\", \"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"
        );
        assert_eq!(rewrite.dropped, ["speed", "a,b"]);
    }

    #[test]
    fn seals_of_others_never_reach_anthropic() {
        let seal = Seal { origin: Origin::Gemini, value: "g".to_owned() };
        let foreign = format!(r#"{{"type":"thinking","thinking":"","signature":"{}"}}"#, wrap(&seal, "t1"));
        let body = format!(
            r#"{{"model":"m","thinking":{{"type":"enabled","budget_tokens":1024}},"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{foreign}]}},{{"role":"assistant","content":[{foreign}, {{"type":"tool_use","id":"t1","name":"f","input":{{}}}}]}}]}}"#
        );
        let (cut, rewrite) = rewritten(&body, &Quirks::NONE);
        assert_eq!(
            cut,
            r#"{"model":"new \"m\"","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}]}"#
        );
        assert_eq!(rewrite.dropped, ["thinking signature of gemini", "thinking"]);
    }

    #[test]
    fn citations_of_others_never_reach_anthropic() {
        let one = crate::chat::Citation { url: Some("https://a.example".to_owned()), ..Default::default() };
        let own = crate::chat::Extension {
            path: String::new(),
            value: crate::chat::RawJson("[]".to_owned()),
            origin: gatehouse_core::content::Dialect::OpenAiChat,
            weight: crate::chat::Weight::Hint,
        };
        let cited = super::citations::member(&crate::chat::Citations { all: vec![one], own }).value.0;
        let native = r#"[{"type":"web_search_result_location","encrypted_index":"e"}]"#;
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":[{{"type":"text","text":"a","citations":{native}}},{{"type":"text","text":"b","citations":{cited}}},{{"type":"text","text":"","citations":{cited}}}]}}]}}"#
        );
        let (cut, rewrite) = rewritten(&body, &Quirks::NONE);
        assert_eq!(
            cut,
            format!(
                r#"{{"model":"new \"m\"","messages":[{{"role":"assistant","content":[{{"type":"text","text":"a","citations":{native}}},{{"type":"text","text":"b","citations":null}}]}}]}}"#
            )
        );
        assert_eq!(rewrite.dropped, ["citations of another provider"]);
    }

    #[test]
    fn the_mark_of_envelopes_is_known() {
        let seal = Seal { origin: Origin::OpenAi, value: String::new() };
        assert!(wrap(&seal, "").as_bytes().starts_with(super::ENVELOPE));
    }

    proptest! {
        /// Whatever is removed, a list stays a list of what is left.
        #[test]
        fn lists_stay_lists(gone in proptest::collection::vec(any::<bool>(), 1..8)) {
            let text = format!("[{}]", (0..gone.len()).map(|n| n.to_string()).collect::<Vec<_>>().join(" , "));
            let doc = Doc::parse(Bytes::from(text), Strictness::Caller).unwrap();
            let ranges: Vec<_> = doc.root().items().map(|item| item.range()).collect();
            let cut = splice(doc.bytes(), &removals(&ranges, &gone));
            let left: Vec<usize> = serde_json::from_slice(&cut).unwrap();
            let expected: Vec<usize> = (0..gone.len()).filter(|at| !gone[*at]).collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn a_version_stands_once_where_the_model_would() {
        let quirks = Quirks { instead_of_model: Some(("anthropic_version", "v-1")), ..Quirks::NONE };
        let target = Target { model: "claude", capabilities: Default::default(), quirks: &quirks };
        let rest = r#""messages":[{"role":"user","content":"x"}]"#;
        for (body, dropped) in [
            (format!(r#"{{"model":"m",{rest}}}"#), 0),
            (format!(r#"{{"model":"m","anthropic_version":"theirs",{rest}}}"#), 1),
            (format!(r#"{{"anthropic_version":"theirs","model":"m",{rest}}}"#), 1),
        ] {
            let doc = Doc::parse(Bytes::from(body), Strictness::Caller).unwrap();
            let view = Messages.view(&doc).unwrap();
            let rewrite = Messages.rewrite(&doc, &view, &target).unwrap();
            let sent = splice(doc.bytes(), &rewrite.edits);
            assert_eq!(sent, format!(r#"{{"anthropic_version":"v-1",{rest}}}"#).as_bytes());
            assert_eq!(rewrite.dropped.len(), dropped);
        }
    }
}
