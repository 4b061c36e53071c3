//! An answer that came in another dialect, written, and what a stream has in common with it.

use super::{DIALECT, content_out, seals, usage};
use crate::anthropic::content_out::input;
use crate::chat::{Block, ChatResponse, Citation, Citations, Finish, Thought, ToolCall};
use crate::codec::ReplyContext;
use crate::json::{Doc, Out, Raw, Strictness};
use bytes::Bytes;
use gatehouse_core::usage::Usage;

/// Writes an answer.
pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.object_field("output", |out| {
            out.object_field("message", |out| {
                out.field("role", "assistant");
                out.array_field("content", |out| {
                    (0..answer.blocks.len()).for_each(|at| block(out, &answer.blocks, at));
                });
            });
        });
        out.field("stopReason", stop_reason(answer.finish));
        account(out, &answer.usage.unwrap_or_default(), answer.service_tier.as_deref(), context);
    });
    out.into_bytes()
}

/// Writes what it took, which SDKs want in every answer.
pub(super) fn account(out: &mut Out, used: &Usage, tier: Option<&str>, context: &ReplyContext) {
    usage::write(out, used);
    out.object_field("metrics", |out| {
        out.field("latencyMs", context.took.map(|took| took.millis()).unwrap_or_default());
    });
    if let Some(tier) = tier {
        out.object_field("serviceTier", |out| {
            out.field("type", tier);
        });
    }
}

/// Converse's word for why a model stopped.
pub(super) fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "content_filtered",
        Finish::Failed => "malformed_model_output",
    }
}

fn block(out: &mut Out, all: &[Block], at: usize) {
    match all.get(at) {
        Some(Block::Text { text, seal, .. }) => {
            words(out, text, &sources_behind(all, at));
            // There are clients who take the last block of a message for what it says.
            let sealed = seal.as_ref().filter(|_| all.len() > at + 1);
            sealed.into_iter().for_each(|seal| carrier(out, &seals::of_text(seal, !text.is_empty())));
        }
        Some(Block::Refusal(text)) => words(out, text, &sources_behind(all, at)),
        Some(Block::Thought(one)) => thought(out, one),
        Some(Block::ToolCall(call)) => {
            call.seal.iter().for_each(|seal| carrier(out, &seals::of_call(seal, call)));
            tool_use(out, call);
        }
        Some(Block::Citations(cited)) if !is_behind_words(all, at) => words(out, "", &sources(cited)),
        Some(Block::Opaque(own)) if own.origin == DIALECT => {
            out.object(|out| {
                out.field(name_of(&own.path), Raw(&own.value.0));
            });
        }
        Some(Block::Citations(_) | Block::Opaque(_)) | None => {}
    }
}

/// What a block of Converse's own is called: the last of its path.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A text, with its sources where it has some.
fn words(out: &mut Out, text: &str, sources: &[String]) {
    if sources.is_empty() {
        if !text.is_empty() {
            content_out::text(out, text);
        }
        return;
    }
    out.object(|out| {
        out.object_field("citationsContent", |out| {
            out.array_field("content", |out| {
                if !text.is_empty() {
                    content_out::text(out, text);
                }
            });
            out.array_field("citations", |out| {
                sources.iter().for_each(|one| {
                    out.item(Raw(one));
                });
            });
        });
    });
}

/// The sources that are told right behind a text.
fn sources_behind(all: &[Block], at: usize) -> Vec<String> {
    let behind = all.iter().skip(at + 1).map_while(|block| match block {
        Block::Citations(cited) => Some(sources(cited)),
        _ => None,
    });
    behind.flatten().collect()
}

/// Whether sources stand behind the text that they are written with.
fn is_behind_words(all: &[Block], at: usize) -> bool {
    let before = all.iter().take(at).rev().find(|block| !matches!(block, Block::Citations(_)));
    matches!(before, Some(Block::Text { .. } | Block::Refusal(_)))
}

/// Sources, each as its object; those of another maker without an address are left out.
pub(super) fn sources(cited: &Citations) -> Vec<String> {
    if cited.own.origin == DIALECT {
        let raw = Bytes::copy_from_slice(cited.own.value.0.as_bytes());
        let own = Doc::parse(raw, Strictness::Provider).ok();
        return own.map_or_else(Vec::new, |own| own.root().items().map(|one| one.raw().to_owned()).collect());
    }
    cited.all.iter().filter_map(source).collect()
}

fn source(one: &Citation) -> Option<String> {
    let url = one.url.as_deref()?;
    let mut out = Out::new();
    out.object(|out| {
        out.field_opt("title", one.title.as_deref());
        if let Some(quote) = &one.quote {
            out.array_field("sourceContent", |out| content_out::text(out, quote));
        }
        out.object_field("location", |out| {
            out.object_field("web", |out| {
                out.field("url", url);
            });
        });
    });
    Some(out.as_str().to_owned())
}

fn thought(out: &mut Out, thought: &Thought) {
    let signature = seals::of_thought(thought);
    if thought.redacted {
        out.object(|out| {
            out.object_field("reasoningContent", |out| {
                out.field("redactedContent", &signature);
            });
        });
    } else if !thought.text.is_empty() || !signature.is_empty() {
        reasoning(out, &thought.text, &signature);
    }
}

/// A thought without words that carries the seal of something else.
fn carrier(out: &mut Out, signature: &str) {
    reasoning(out, "", signature);
}

fn reasoning(out: &mut Out, text: &str, signature: &str) {
    out.object(|out| {
        out.object_field("reasoningContent", |out| {
            out.object_field("reasoningText", |out| {
                out.field("text", text);
                out.field_opt("signature", Some(signature).filter(|one| !one.is_empty()));
            });
        });
    });
}

/// A call, by the id that its maker gave it: the caller has to send that back.
fn tool_use(out: &mut Out, call: &ToolCall) {
    out.object(|out| {
        out.object_field("toolUse", |out| {
            out.field("toolUseId", &call.id).field("name", &call.name);
            input(out, &call.arguments);
        });
    });
}
