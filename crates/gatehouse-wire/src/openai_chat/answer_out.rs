//! An answer that came in another dialect, written.

use super::finish::lost_word;
use super::messages_out::write_call;
use super::reasoning::{self, write_signature};
use super::request::LEGACY_FUNCTIONS;
use super::{citations, usage};
use crate::chat::{Block, ChatResponse, Finish, Thought, ToolCall};
use crate::codec::ReplyContext;
use crate::free_form;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;

/// Writes an answer.
pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let legacy = is_legacy(context);
    let mut out = Out::new();
    out.object(|out| {
        head(out, context, "chat.completion", &answer.id, &answer.model, answer.created);
        out.array_field("choices", |out| {
            out.object(|out| {
                out.field("index", 0u64);
                out.object_field("message", |out| message(out, &answer.blocks, context));
                out.field("logprobs", None::<&str>)
                    .field("finish_reason", finish_word(answer.finish, legacy))
                    .field_opt(
                        "native_finish_reason",
                        lost_word(answer.finish, answer.native_finish.as_deref()),
                    );
            });
        });
        if let Some(used) = &answer.usage {
            usage::write(out, used);
        }
        out.field_opt("service_tier", answer.service_tier.as_deref());
    });
    out.into_bytes()
}

/// Whether the caller declared `functions` and looks for `function_call`.
pub(super) fn is_legacy(context: &ReplyContext) -> bool {
    let request = context.request.as_ref();
    request.is_some_and(|request| {
        let is_mark = |path: &str, origin| path == LEGACY_FUNCTIONS && origin == Dialect::OpenAiChat;
        request.extensions.iter().any(|own| is_mark(&own.path, own.origin))
    })
}

/// Whether the caller declared the tool as free-form.
pub(super) fn is_custom(context: &ReplyContext, call: &ToolCall) -> bool {
    context.request.as_ref().is_some_and(|request| free_form::is_tool(request, &call.name))
}

/// The members of a call of a free-form tool. A model that did not keep to the form has written its input
/// some other way.
pub(super) fn write_custom(out: &mut Out, call: &ToolCall) {
    let input = free_form::input(&call.arguments);
    out.field("id", &call.id).field("type", "custom").object_field("custom", |out| {
        out.field("name", &call.name).field("input", input.as_ref().unwrap_or(&call.arguments));
    });
    if let Some(seal) = &call.seal {
        write_signature(out, seal);
    }
}

/// The stop reason as the caller expects it.
pub(super) fn finish_word(finish: Finish, legacy: bool) -> &'static str {
    if legacy && finish == Finish::ToolCalls { "function_call" } else { finish.as_str() }
}

/// The members that answers and chunks begin with.
pub(super) fn head(
    out: &mut Out,
    context: &ReplyContext,
    object: &str,
    id: &str,
    model: &str,
    created: Option<u64>,
) {
    if context.id.is_empty() {
        out.field("id", id);
    } else {
        out.field("id", format!("chatcmpl-{}", context.id));
    }
    let model = if context.model.is_empty() { model } else { context.model.as_str() };
    out.field("object", object).field("created", created.unwrap_or(context.created)).field("model", model);
}

fn message(out: &mut Out, blocks: &[Block], context: &ReplyContext) {
    let legacy = is_legacy(context);
    let mut text: Option<String> = None;
    let mut refusal: Option<String> = None;
    let (mut calls, mut thoughts, mut signature) =
        (Vec::<&ToolCall>::new(), Vec::<(usize, &Thought)>::new(), None);
    for (at, block) in blocks.iter().enumerate() {
        match block {
            Block::Text { text: more, seal, .. } => {
                text.get_or_insert_default().push_str(more);
                signature = seal.as_ref().or(signature);
            }
            Block::Refusal(more) => refusal.get_or_insert_default().push_str(more),
            Block::Thought(thought) => thoughts.push((at, thought)),
            Block::ToolCall(call) => calls.push(call),
            Block::Citations(_) | Block::Opaque(_) => {}
        }
    }
    let is_silent = calls.is_empty() && refusal.is_none();
    let content = text.or_else(|| Some(String::new()).filter(|_| is_silent));
    out.field("role", "assistant").field("content", content).field("refusal", refusal);
    reasoning::write(out, &thoughts);
    if let Some(seal) = signature {
        write_signature(out, seal);
    }
    match calls.first() {
        Some(call) if legacy => {
            out.object_field("function_call", |out| {
                out.field("name", &call.name).field("arguments", &call.arguments);
            });
        }
        Some(_) => {
            out.array_field("tool_calls", |out| {
                for call in &calls {
                    if is_custom(context, call) {
                        out.object(|out| write_custom(out, call));
                    } else {
                        write_call(out, call, &call.id, call.seal.as_ref());
                    }
                }
            });
        }
        None => {}
    }
    let cited =
        || blocks.iter().filter_map(|block| if let Block::Citations(one) = block { Some(one) } else { None });
    if cited().next().is_some() {
        out.array_field(citations::MEMBER, |out| cited().for_each(|one| citations::write(out, one)));
    }
    for block in blocks {
        if let Block::Opaque(own) = block
            && own.origin == Dialect::OpenAiChat
        {
            out.field(&own.path, Raw(&own.value.0));
        }
    }
}
