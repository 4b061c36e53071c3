//! A request that stays Bedrock's, made fit for its target by edits of its bytes.

use super::blocks::text_of;
use crate::anthropic::rewrite::{ENVELOPE, removals};
use crate::chat::Seal;
use crate::codec::{Rewrite, Target, View};
use crate::json::{Doc, Node};
use crate::members::fitted;
use crate::seal;
use gatehouse_core::error::Error;
use std::ops::Range;

/// Out with the thoughts that another provider sealed: seals are their makers' alone. The model stands in the path.
pub(super) fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut rewrite = fitted(doc, view, target)?;
    if memchr::memmem::find(doc.bytes(), ENVELOPE).is_none() {
        return Ok(rewrite);
    }
    let Some(messages) = doc.root().opt("messages") else { return Ok(rewrite) };
    let ranges = |all: &[Node<'_>]| -> Vec<Range<usize>> { all.iter().map(Node::range).collect() };
    let all: Vec<Node<'_>> = messages.items().collect();
    let mut emptied = Vec::new();
    for message in &all {
        let content = message.opt("content").into_iter().flat_map(|content| content.items());
        let blocks: Vec<Node<'_>> = content.collect();
        let seals: Vec<Option<Seal>> = blocks.iter().map(|block| foreign_seal(*block)).collect();
        for name in seals.iter().flatten().map(Seal::name) {
            if !rewrite.dropped.contains(&name) {
                rewrite.dropped.push(name);
            }
        }
        let gone: Vec<bool> = seals.iter().map(Option::is_some).collect();
        let is_empty = !gone.is_empty() && gone.iter().all(|gone| *gone);
        emptied.push(is_empty);
        if !is_empty {
            rewrite.edits.extend(removals(&ranges(&blocks), &gone));
        }
    }
    // One that would say nothing is refused. Should all be gone, the provider says what it misses.
    if !emptied.iter().all(|gone| *gone) {
        rewrite.edits.extend(removals(&ranges(&all), &emptied));
    }
    rewrite.edits.sort_by_key(|edit| edit.range.start);
    Ok(rewrite)
}

fn foreign_seal(block: Node<'_>) -> Option<Seal> {
    let reasoning = block.opt("reasoningContent")?;
    let sealed = match reasoning.opt("reasoningText") {
        Some(shown) => text_of(shown, "signature"),
        None => text_of(reasoning, "redactedContent"),
    };
    seal::open(&sealed).map(|found| found.seal)
}
