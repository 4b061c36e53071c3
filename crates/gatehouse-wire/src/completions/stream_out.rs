//! Writing a stream.

use super::answer::{choice, head};
use super::usage;
use crate::chat::{Block, ChatEvent, Finish};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::mid_stream;
use crate::json::Out;
use gatehouse_core::content::Dialect;
use gatehouse_core::usage::Usage;
use std::collections::HashSet;

/// The state between events.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    created: Option<u64>,
    /// Blocks whose text is shown here; thoughts and the like are not.
    shown: HashSet<u32>,
    usage: Option<Usage>,
    over: bool,
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new(context: ReplyContext) -> Self {
        Self { context, created: None, shown: HashSet::new(), usage: None, over: false }
    }

    /// One chunk. Where usage is to come, every chunk before it says `null`, as OpenAI's do.
    fn chunk(&self, text: &str, finish: Option<Finish>, bytes: &mut Vec<u8>) {
        self.write(bytes, |out| {
            out.array_field("choices", |out| choice(out, text, finish));
            if self.context.include_usage {
                out.field("usage", None::<u64>);
            }
        });
    }

    /// One event, straight behind what is there already.
    fn write(&self, bytes: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
        bytes.extend_from_slice(b"data: ");
        let mut out = Out::after(std::mem::take(bytes));
        out.object(|out| {
            head(out, &self.context, self.created);
            inside(out);
        });
        *bytes = out.into_bytes();
        bytes.extend_from_slice(b"\n\n");
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        self.over = true;
        if let Some(usage) = self.usage.filter(|_| self.context.include_usage) {
            self.write(bytes, |out| {
                out.array_field("choices", |_| {});
                usage::write(out, &usage);
            });
        }
        bytes.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            ChatEvent::Start { created, .. } => self.created = *created,
            ChatEvent::Open { index, block: Block::Text { .. } | Block::Refusal(_) } => {
                self.shown.insert(*index);
            }
            ChatEvent::Delta { index, text, .. } if self.shown.contains(index) && !text.is_empty() => {
                self.chunk(text, None, out);
            }
            ChatEvent::Finish { finish, .. } => self.chunk("", Some(*finish), out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.over = true;
                out.extend_from_slice(&mid_stream(Dialect::OpenAiCompletions, error, &self.context.id));
            }
            ChatEvent::Open { .. }
            | ChatEvent::Delta { .. }
            | ChatEvent::Seal { .. }
            | ChatEvent::Close { .. }
            | ChatEvent::Tier(_)
            | ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
