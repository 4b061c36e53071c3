//! Operations that have one dialect only, OpenAI's: moderation, images, speech and transcription. They are served by
//! providers that speak it themselves, so that nothing is translated: a request is read for what the pipeline needs,
//! the model's name is replaced, and an answer is read for its usage and its texts.
//!
//! Requests that are forms with files (recordings, images) are read here too: their texts as an object of the same
//! members, their files not at all ([`crate::form`]).
//! <https://platform.openai.com/docs/api-reference>

mod audio;
mod images;
mod moderation;

#[cfg(test)]
mod tests;

pub use audio::{Speech, Transcription, subtitle_millis};
pub use images::Images;
pub use moderation::Moderation;

use crate::codec::{Summary, Target, View};
use crate::json::{Doc, Node, escaped};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, Place, Span};
use gatehouse_core::error::Error;

/// What the pipeline needs of an operation that is not translated.
pub trait NativeCodec: Send + Sync {
    /// Reads what the pipeline needs of a request, and refuses what is malformed in it.
    ///
    /// # Errors
    /// `invalid_request` naming the member.
    fn view(&self, doc: &Doc) -> Result<View, Error>;

    /// Reads what accounting needs of an answer, or of one event of a streamed one.
    fn summary(&self, doc: &Doc) -> Summary;

    /// The texts of an answer that a model wrote.
    fn answer_spans(&self, _doc: &Doc) -> Vec<Span> {
        Vec::new()
    }
}

/// The codec of a dialect of these operations; `None` for all others.
#[must_use]
pub fn codec(dialect: Dialect) -> Option<&'static dyn NativeCodec> {
    Some(match dialect {
        Dialect::OpenAiModerations => &Moderation,
        Dialect::OpenAiImages | Dialect::OpenAiImageEdits | Dialect::OpenAiImageVariations => &Images,
        Dialect::OpenAiSpeech => &Speech,
        Dialect::OpenAiTranscriptions | Dialect::OpenAiTranslations => &Transcription,
        _ => return None,
    })
}

/// The model that OpenAI asks when a request names none; `None` where it wants one.
#[must_use]
pub fn model_default(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAiModerations => Some("omni-moderation-latest"),
        Dialect::OpenAiImages | Dialect::OpenAiImageEdits | Dialect::OpenAiImageVariations => {
            Some("dall-e-2")
        }
        _ => None,
    }
}

/// Puts the target's name of the model in the place of the caller's. How a server differs concerns conversations.
#[must_use]
pub fn rewrite(view: &View, target: &Target<'_>) -> Vec<Edit> {
    let renamed = view.model.as_ref().filter(|(name, _)| name != target.model).map(|(_, range)| {
        let quoted = [b"\"", escaped(target.model).as_slice(), b"\""].concat();
        Edit { range: range.clone(), with: Bytes::from(quoted) }
    });
    renamed.into_iter().collect()
}

/// The members that all of them have: the model, who asks, and whether a stream is wanted.
fn common(doc: &Doc, known: &[&str]) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(known)?;
    let mut view = View { wants_usage: true, ..View::default() };
    if let Some(model) = root.opt("model") {
        view.model = Some((model.want_str()?.into_owned(), model.range()));
    }
    view.user = root.opt("user").map(|user| user.want_str()).transpose()?.map(Into::into);
    view.stream = match root.opt("stream") {
        // A form has texts only.
        Some(stream) if stream.is_str() => stream.str().as_deref() == Some("true"),
        Some(stream) => stream.want_bool()?,
        None => false,
    };
    Ok(view)
}

/// A text of a request.
fn input(node: Node<'_>, view: &mut View) -> Result<(), Error> {
    node.want_str()?;
    view.spans.push(Span { range: node.inner_range(), place: Place::Input });
    Ok(())
}

/// A number, which a form has as a text.
fn count(node: Node<'_>) -> Result<u64, Error> {
    match node.str() {
        Some(text) => text.trim().parse().map_err(|_| node.wrong("must be a whole number")),
        None => node.want_u64(),
    }
}
