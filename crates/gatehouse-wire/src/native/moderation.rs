//! `POST /v1/moderations`: whether texts and images are harmful.

use super::{NativeCodec, common, input};
use crate::codec::{Summary, View};
use crate::error::from_stream;
use crate::json::Doc;
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moderation;

impl NativeCodec for Moderation {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let mut view = common(doc, &["model", "input"])?;
        let texts = doc.root().need("input")?;
        if !texts.is_array() {
            input(texts, &mut view)?;
            return Ok(view);
        }
        for item in texts.items() {
            match item.opt("text") {
                _ if item.is_str() => input(item, &mut view)?,
                Some(text) => input(text, &mut view)?,
                None if item.is_object() => view.media += 1,
                None => return Err(item.wrong("must be a text or a part")),
            }
        }
        view.needs.images = view.media > 0;
        Ok(view)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        // Mistral counts tokens, OpenAI asks no money for it and counts nothing.
        let tokens = |name: &str| doc.root().path(&["usage", name]).and_then(|count| count.u64());
        let usage = tokens("prompt_tokens").map(|input_tokens| Usage {
            input_tokens,
            output_tokens: tokens("completion_tokens").unwrap_or_default(),
            ..Usage::default()
        });
        Summary { usage, error: from_stream(Family::OpenAi, doc), ..Summary::default() }
    }
}
