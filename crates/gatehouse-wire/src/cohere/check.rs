//! What Cohere cannot be told: refused when its loss would change the meaning, named when not. Whatever passes
//! here, the writer can write.

use crate::anthropic::check::Losses;
use crate::anthropic::content_out::{is_blank, plain_text};
use crate::chat::{
    Block, ChatRequest, Citations, Extension, Media, MediaKind, Part, Seal, Source, Thought, Tool, Turn,
    Weight,
};
use crate::codec::Target;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;

/// Types of images that Cohere reads. <https://docs.cohere.com/docs/image-inputs>
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp"];

/// Refuses or names everything in `request` that cannot be said to `target`, settings and the choice of a tool apart:
/// what becomes of those is decided when they are written.
pub(super) fn check(request: &ChatRequest, target: &Target<'_>, losses: &mut Losses) -> Result<(), Error> {
    let can = &target.capabilities;
    if request.candidates.is_some_and(|count| count > 1) {
        return Err(cannot("n", "the serving model gives one answer a request"));
    }
    request.extensions.iter().try_for_each(|one| extension(one, losses))?;
    losses.drop_if(!request.metadata.is_empty(), "metadata");
    losses.drop_if(request.user.is_some(), "user");
    losses.drop_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    let tier = request.service_tier.as_deref();
    // `auto` is what it is without a word.
    losses.drop_if(tier.is_some_and(|tier| tier != "auto"), "service_tier");
    tools(request, can, losses)?;
    for turn in &request.turns {
        match turn {
            Turn::System(all) => {
                if all.iter().any(|part| matches!(part, Part::Media(_))) {
                    return Err(cannot("messages", "instructions for the serving model can only be text"));
                }
                parts(all, can, losses)?;
            }
            Turn::User(all) => parts(all, can, losses)?,
            Turn::Assistant(blocks) => blocks.iter().try_for_each(|one| block(one, losses))?,
            Turn::ToolResults(results) => {
                results.iter().try_for_each(|result| parts(&result.parts, can, losses))?;
            }
        }
    }
    Ok(())
}

/// A caller of this dialect is not translated for Cohere: every extension is of another one.
fn extension(extension: &Extension, losses: &mut Losses) -> Result<(), Error> {
    match extension.weight {
        Weight::Hint => {
            losses.drop(extension.path.clone());
            Ok(())
        }
        Weight::Meaning => Err(cannot(&extension.path, "the serving model's API (Cohere) has no such thing")),
    }
}

fn tools(request: &ChatRequest, can: &Capabilities, losses: &mut Losses) -> Result<(), Error> {
    if can.tools == Some(false) && !request.tools.is_empty() {
        return Err(cannot("tools", "the serving model does not call tools"));
    }
    request.tools.iter().try_for_each(|tool| match tool {
        Tool::Function { .. } => Ok(()),
        Tool::Hosted { definition, .. } => extension(definition, losses),
    })
}

fn parts(parts: &[Part], can: &Capabilities, losses: &mut Losses) -> Result<(), Error> {
    parts.iter().try_for_each(|part| match part {
        Part::Text { .. } => Ok(()),
        Part::Media(one) => media(one, can),
        Part::Opaque(one) => extension(one, losses),
    })
}

fn media(media: &Media, can: &Capabilities) -> Result<(), Error> {
    let refuse = |why: &str| Err(cannot("messages", why));
    match (media.kind, &media.source) {
        (MediaKind::Image, _) if can.images == Some(false) => {
            refuse("the serving model does not read images")
        }
        (MediaKind::Image, Source::Base64 { mime, .. }) if !IMAGE_TYPES.contains(&mime.as_str()) => {
            refuse("the serving model reads images of the types jpeg, png, gif and webp")
        }
        (MediaKind::Image, Source::Base64 { .. } | Source::Url { .. }) => Ok(()),
        (_, Source::File { .. }) => refuse("a file id of another provider: send the file itself"),
        (MediaKind::Document, _) if text_of(media).is_some() => Ok(()),
        (MediaKind::Document, _) => refuse("the serving model reads documents only as text"),
        (MediaKind::Image, Source::Text(_)) => refuse("an image cannot be text"),
        (MediaKind::Audio, _) => refuse("the serving model does not read audio"),
        (MediaKind::Video, _) => refuse("the serving model does not read video"),
    }
}

/// The text of a document that is one.
pub(super) fn text_of(media: &Media) -> Option<String> {
    match &media.source {
        Source::Text(text) => Some(text.clone()),
        Source::Base64 { mime, data } => plain_text(media.kind, mime, data),
        Source::Url { .. } | Source::File { .. } => None,
    }
}

fn block(block: &Block, losses: &mut Losses) -> Result<(), Error> {
    match block {
        Block::Text { seal, .. } => foreign_seal(seal.as_ref(), losses),
        Block::ToolCall(call) => foreign_seal(call.seal.as_ref(), losses),
        Block::Thought(thought) => foreign_seal(thought.seal.as_ref(), losses),
        Block::Refusal(_) => {}
        Block::Citations(Citations { own: one, .. }) | Block::Opaque(one) => extension(one, losses)?,
    }
    Ok(())
}

/// Cohere seals nothing: a thought that is sealed is another's.
pub(super) fn can_return(thought: &Thought) -> bool {
    thought.seal.is_none() && !is_blank(&thought.text)
}

fn foreign_seal(seal: Option<&Seal>, losses: &mut Losses) {
    if let Some(seal) = seal {
        losses.drop(seal.name());
    }
}

fn cannot(path: &str, why: &str) -> Error {
    Error::unsupported(path, format!("{path}: {why}"))
}
