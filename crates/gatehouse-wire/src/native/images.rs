//! `POST /v1/images/generations`, `/edits` and `/variations`.

use super::{NativeCodec, common, count, input};
use crate::codec::{Summary, View};
use crate::error::from_stream;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Family, Place, Span};
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// The most images that one request may ask for at any provider.
const IMAGES_MAX: u64 = 10;

/// The dialect of all three.
#[derive(Clone, Copy, Debug, Default)]
pub struct Images;

impl Images {
    /// How many images a request asks for.
    #[must_use]
    pub fn wanted(doc: &Doc) -> u64 {
        doc.root().opt("n").and_then(|n| count(n).ok()).unwrap_or(1)
    }

    /// How many images an answer, or an event of a streamed one, brings.
    #[must_use]
    pub fn made(doc: &Doc) -> u64 {
        let root = doc.root();
        let is_last = |kind: Node<'_>| kind.str().is_some_and(|kind| kind.ends_with(".completed"));
        match root.opt("data") {
            Some(data) => u64::try_from(data.items().count()).unwrap_or(u64::MAX),
            None => u64::from(root.opt("type").is_some_and(is_last)),
        }
    }
}

impl NativeCodec for Images {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let mut view = common(doc, &["model", "prompt", "n", "stream", "user"])?;
        if let Some(prompt) = doc.root().opt("prompt") {
            input(prompt, &mut view)?;
        }
        if let Some(n) = doc.root().opt("n")
            && !(1..=IMAGES_MAX).contains(&count(n)?)
        {
            return Err(n.wrong(&format!("must be from 1 to {IMAGES_MAX}")));
        }
        Ok(view)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        let usage = doc.root().opt("usage").and_then(usage);
        Summary { usage, error: from_stream(Family::OpenAi, doc), ..Summary::default() }
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        // The prompt as a model has written it anew.
        let images = doc.root().opt("data");
        let texts = images.iter().flat_map(Node::items).filter_map(|image| image.opt("revised_prompt"));
        texts
            .filter(Node::is_str)
            .map(|text| Span { range: text.inner_range(), place: Place::Output })
            .collect()
    }
}

/// `usage` of the models that bill tokens.
fn usage(node: Node<'_>) -> Option<Usage> {
    let number = |path: &[&str]| node.path(path).and_then(|count| count.u64());
    Some(Usage {
        input_tokens: number(&["input_tokens"])?,
        image_input_tokens: number(&["input_tokens_details", "image_tokens"]).unwrap_or_default(),
        cached_read_tokens: number(&["input_tokens_details", "cached_tokens"]).unwrap_or_default(),
        output_tokens: number(&["output_tokens"]).unwrap_or_default(),
        // All of the output is images, but for what some models say in words.
        image_output_tokens: number(&["output_tokens_details", "image_tokens"])
            .or_else(|| number(&["output_tokens"]))
            .unwrap_or_default(),
        ..Usage::default()
    })
}
