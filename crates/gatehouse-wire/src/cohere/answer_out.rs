//! An answer that came in another dialect, written, and what a stream has in common with it.

use super::blocks::SIGNATURE;
use super::{DIALECT, REDACTED, usage};
use crate::chat::{Block, ChatResponse, Citation, Citations, Finish, Seal, Thought, ToolCall, chars};
use crate::codec::ReplyContext;
use crate::json::{Doc, Out, Raw, Strictness};
use crate::seal;
use bytes::Bytes;

/// Where the texts of an answer stand, for citations: the content that each is, and how many characters are before it.
#[derive(Debug, Default)]
pub(super) struct Said {
    begins: Vec<(u64, u64)>,
    text: String,
    told: u64,
}

/// Writes an answer.
pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let mut said = Said::default();
    let (mut content, mut calls, mut cited) = (Out::new(), Out::new(), Out::new());
    let mut index = 0;
    content.array(|content| {
        for block in &answer.blocks {
            match block {
                Block::Text { text, .. } | Block::Refusal(text) => {
                    said.begin(index);
                    said.grow(text);
                }
                _ => {}
            }
            index += u64::from(write_content(content, block));
        }
    });
    calls.array(|calls| answer.blocks.iter().for_each(|block| write_call(calls, block)));
    cited.array(|cited| {
        for block in &answer.blocks {
            if let Block::Citations(one) = block {
                said.cite(one).iter().for_each(|raw| {
                    cited.item(Raw(raw));
                });
            }
        }
    });
    let mut out = Out::new();
    out.object(|out| {
        out.field("id", id(context, &answer.id)).field("finish_reason", finish_word(answer.finish));
        out.object_field("message", |out| {
            out.field("role", "assistant");
            for (name, list) in [("content", &content), ("tool_calls", &calls), ("citations", &cited)] {
                if list.as_str() != "[]" {
                    out.field(name, Raw(list.as_str()));
                }
            }
        });
        if let Some(used) = &answer.usage {
            usage::write(out, used);
        }
    });
    out.into_bytes()
}

/// What an answer is called.
pub(super) fn id<'a>(context: &'a ReplyContext, own: &'a str) -> &'a str {
    if context.id.is_empty() { own } else { &context.id }
}

/// Cohere's word for why a model stopped.
pub(super) fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause => "COMPLETE",
        Finish::StopSequence => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::ContentFilter => "ERROR_TOXIC",
        Finish::Failed => "ERROR",
    }
}

/// Writes the content that a block is, and says whether it is one.
fn write_content(out: &mut Out, block: &Block) -> bool {
    match block {
        Block::Text { text, seal, .. } if !text.is_empty() || seal.is_some() => {
            out.object(|out| {
                out.field("type", "text").field("text", text);
                write_seal(out, seal.as_ref(), "");
            });
        }
        Block::Refusal(text) if !text.is_empty() => {
            out.object(|out| {
                out.field("type", "text").field("text", text);
            });
        }
        Block::Thought(thought) if !thought.text.is_empty() || thought.seal.is_some() => {
            out.object(|out| {
                out.field("type", "thinking").field("thinking", &thought.text);
                write_seal(out, thought.seal.as_ref(), mark_of(thought));
            });
        }
        Block::Opaque(own) if own.origin == DIALECT => {
            out.item(Raw(&own.value.0));
        }
        _ => return false,
    }
    true
}

fn write_call(out: &mut Out, block: &Block) {
    if let Block::ToolCall(call) = block {
        out.object(|out| write_call_members(out, call, &call.arguments));
    }
}

/// The members of a call.
pub(super) fn write_call_members(out: &mut Out, call: &ToolCall, arguments: &str) {
    out.field("id", &call.id).field("type", "function").object_field("function", |out| {
        out.field("name", &call.name).field("arguments", arguments);
    });
    write_seal(out, call.seal.as_ref(), "");
}

/// What tells a thought that is all seal from one that has been shown.
pub(super) fn mark_of(thought: &Thought) -> &'static str {
    if thought.redacted { REDACTED } else { "" }
}

/// Seals have no place in the dialect: they ride in a member of ours, which clients carry back.
pub(super) fn write_seal(out: &mut Out, seal: Option<&Seal>, belongs_to: &str) {
    out.field_opt(SIGNATURE, seal.map(|seal| seal::wrap(seal, belongs_to)));
}

// === impl Said ===

impl Said {
    /// A text begins, as the content of this index.
    pub(super) fn begin(&mut self, index: u64) {
        if self.begins.last().is_none_or(|(last, _)| *last != index) {
            self.begins.push((index, self.told));
        }
    }

    /// More of it.
    pub(super) fn grow(&mut self, text: &str) {
        self.text.push_str(text);
        self.told = self.told.saturating_add(chars(text));
    }

    /// Citations, each as its object.
    pub(super) fn cite(&self, cited: &Citations) -> Vec<String> {
        if cited.own.origin == DIALECT {
            let raw = Bytes::copy_from_slice(cited.own.value.0.as_bytes());
            let own = Doc::parse(raw, Strictness::Provider).ok();
            return own
                .map_or_else(Vec::new, |own| own.root().items().map(|one| one.raw().to_owned()).collect());
        }
        cited.all.iter().map(|one| self.citation(one)).collect()
    }

    fn citation(&self, one: &Citation) -> String {
        let at = one.span.as_ref().map_or(0, |span| span.start);
        let place = self.begins.iter().rev().find(|(_, begin)| *begin <= at);
        let (index, begin) = place.or(self.begins.first()).copied().unwrap_or_default();
        let mut out = Out::new();
        out.object(|out| {
            if let Some(span) = &one.span {
                let own = one.span_behind(begin);
                out.field("start", own.start).field("end", own.end);
                let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                let words = self.text.chars().skip(count(span.start));
                out.field("text", words.take(count(span.end - span.start)).collect::<String>());
            }
            out.array_field("sources", |out| {
                out.object(|out| {
                    let id = one.url.as_deref().or(one.title.as_deref()).unwrap_or_default();
                    out.field("type", "document").field("id", id).object_field("document", |out| {
                        out.field_opt("title", one.title.as_deref()).field_opt("url", one.url.as_deref());
                        out.field_opt("snippet", one.quote.as_deref());
                    });
                });
            });
            out.field("content_index", index).field("type", super::blocks::OF_TEXT);
        });
        String::from_utf8(out.into_bytes()).unwrap_or_default()
    }
}
