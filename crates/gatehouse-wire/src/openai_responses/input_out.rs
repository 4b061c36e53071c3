//! Writing the turns of a conversation as the items of `input`.

use super::names::Names;
use super::parts::{lost, write as write_part, write_mark};
use crate::chat::{Block, Citations, Origin, Part, Seal, Thought, ToolCall, ToolResult, Turn};
use crate::codec::Target;
use crate::free_form;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use std::collections::HashSet;

/// Stands before the text of a tool that failed: the dialect has no other place for it.
const ERROR_PREFIX: &str = "Error: ";

/// Items under construction.
pub(super) struct Input<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) target: &'a Target<'a>,
    /// What was left out, by name.
    pub(super) dropped: Vec<String>,
}

// === impl Input ===

impl Input<'_> {
    /// Writes the items of `turns`.
    pub(super) fn write(&mut self, out: &mut Out, turns: &[Turn]) -> Result<(), Error> {
        // The results of free-form tools have a type of their own, as their calls have.
        let mut free_form = HashSet::new();
        for turn in turns {
            match turn {
                Turn::System(parts) => self.message(out, "system", parts)?,
                Turn::User(parts) => self.message(out, "user", parts)?,
                Turn::Assistant(blocks) => {
                    for block in blocks {
                        self.block(out, block, &mut free_form)?;
                    }
                }
                Turn::ToolResults(results) => {
                    for result in results {
                        self.result(out, result, free_form.contains(&result.call_id))?;
                    }
                }
            }
        }
        self.dropped.sort_unstable();
        self.dropped.dedup();
        Ok(())
    }

    fn message(&mut self, out: &mut Out, role: &str, parts: &[Part]) -> Result<(), Error> {
        if parts.iter().all(|part| matches!(part, Part::Text { text, .. } if text.is_empty())) {
            return Ok(());
        }
        let mut written = Ok(());
        out.object(|out| {
            out.field("type", "message").field("role", role);
            out.array_field("content", |out| written = self.parts(out, parts));
        });
        written
    }

    fn parts(&mut self, out: &mut Out, parts: &[Part]) -> Result<(), Error> {
        parts.iter().try_for_each(|part| write_part(out, part, self.target, &mut self.dropped))
    }

    fn block(&mut self, out: &mut Out, block: &Block, free_form: &mut HashSet<String>) -> Result<(), Error> {
        match block {
            Block::Text { text, seal, cache } => {
                self.drop_seal(seal.as_ref());
                if !text.is_empty() {
                    let (target, dropped) = (self.target, &mut self.dropped);
                    said(out, "output_text", "text", text, |out| write_mark(out, *cache, target, dropped));
                }
            }
            Block::Refusal(text) => said(out, "refusal", "refusal", text, |_| {}),
            Block::Thought(thought) => self.thought(out, thought),
            Block::ToolCall(call) => {
                self.drop_seal(call.seal.as_ref());
                if call.cache.is_some() {
                    self.dropped.push("cache_control".to_owned());
                }
                if self.call(out, call) {
                    free_form.insert(call.id.clone());
                }
            }
            Block::Opaque(own) if own.origin == Dialect::OpenAiResponses => {
                out.item(Raw(&own.value.0));
            }
            Block::Citations(Citations { own: foreign, .. }) | Block::Opaque(foreign) => {
                self.dropped.push(lost(foreign)?);
            }
        }
        Ok(())
    }

    /// Reasoning goes back to its maker only: what OpenAI sealed, or what it keeps under an id.
    fn thought(&mut self, out: &mut Out, thought: &Thought) {
        let own_seal = thought.seal.as_ref().filter(|seal| seal.origin == Origin::OpenAi);
        self.drop_seal(thought.seal.as_ref());
        let known = own_seal.is_some() || (thought.id.is_some() && thought.seal.is_none());
        if !known && !self.target.quirks.reasoning_back {
            if thought.seal.is_none() {
                self.dropped.push("reasoning".to_owned());
            }
            return;
        }
        out.object(|out| {
            out.field("type", "reasoning").field_opt("id", thought.id.as_ref());
            out.array_field("summary", |out| {
                if !thought.text.is_empty() {
                    out.object(|out| {
                        out.field("type", "summary_text").field("text", &thought.text);
                    });
                }
            });
            out.field_opt("encrypted_content", own_seal.map(|seal| &seal.value));
        });
    }

    /// Writes a call, and says whether it is one of a free-form tool.
    fn call(&self, out: &mut Out, call: &ToolCall) -> bool {
        let named = self.names.of_function(&call.name);
        let input = free_form::input(&call.arguments).filter(|_| named.free_form);
        let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
        out.object(|out| {
            out.field("type", if input.is_some() { "custom_tool_call" } else { "function_call" });
            out.field("call_id", &call.id).field("name", &named.name);
            out.field_opt("namespace", named.namespace.as_ref());
            match &input {
                Some(input) => out.field("input", input),
                None => out.field("arguments", arguments),
            };
        });
        input.is_some()
    }

    fn result(&mut self, out: &mut Out, result: &ToolResult, free_form: bool) -> Result<(), Error> {
        if result.cache.is_some() {
            self.dropped.push("cache_control".to_owned());
        }
        let mut written = Ok(());
        out.object(|out| {
            out.field("type", if free_form { "custom_tool_call_output" } else { "function_call_output" });
            out.field("call_id", &result.call_id);
            let prefix = if result.is_error { ERROR_PREFIX } else { "" };
            match result.parts.as_slice() {
                [] => {
                    out.field("output", prefix);
                }
                [Part::Text { text, cache: None }] => {
                    out.field("output", format!("{prefix}{text}"));
                }
                parts => {
                    out.array_field("output", |out| {
                        let failed = Part::text(prefix);
                        written = self.parts(out, &[failed]).and_then(|()| self.parts(out, parts));
                    });
                }
            }
        });
        written
    }

    fn drop_seal(&mut self, seal: Option<&Seal>) {
        if let Some(seal) = seal.filter(|seal| seal.origin != Origin::OpenAi) {
            self.dropped.push(seal.name());
        }
    }
}

/// A message of the model with one part.
fn said(out: &mut Out, kind: &str, member: &str, text: &str, more: impl FnOnce(&mut Out)) {
    out.object(|out| {
        out.field("type", "message").field("role", "assistant");
        out.array_field("content", |out| {
            out.object(|out| {
                out.field("type", kind).field(member, text);
                more(out);
            });
        });
    });
}
