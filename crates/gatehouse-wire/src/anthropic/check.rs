//! What Anthropic cannot be told: refused when its loss would change the meaning, named when not. Whatever
//! passes here, the writer can write.

use super::DIALECT;
use super::content_out::plain_text;
use super::ids;
use crate::chat::{
    Block, ChatRequest, Citations, Extension, Media, MediaKind, Origin, Part, Seal, Source, Thought, Tool,
    Turn, Weight,
};
use crate::codec::Target;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;

/// Types of images that Anthropic reads.
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp", "image/jpg"];

/// What was left out so far, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    dropped: Vec<String>,
}

// === impl Losses ===

impl Losses {
    /// Names something that is left out.
    pub(crate) fn drop(&mut self, path: impl Into<String>) {
        let path = path.into();
        if !self.dropped.contains(&path) {
            self.dropped.push(path);
        }
    }

    /// Names it when `lost`.
    pub(crate) fn drop_if(&mut self, lost: bool, path: &str) {
        if lost {
            self.drop(path);
        }
    }

    /// An extension passes when it is ours; of another dialect it is named or refused.
    fn extension(&mut self, extension: &Extension) -> Result<(), Error> {
        match extension.weight {
            _ if extension.origin == DIALECT => Ok(()),
            Weight::Hint => {
                self.drop(extension.path.clone());
                Ok(())
            }
            Weight::Meaning => {
                Err(cannot(&extension.path, "the serving model's API (Anthropic Messages) has no such thing"))
            }
        }
    }

    /// Everything that was named.
    pub(crate) fn into_dropped(self) -> Vec<String> {
        self.dropped
    }
}

/// Refuses or names everything in `request` that cannot be said to `target`, sampling and thinking apart:
/// those depend on each other and are decided when they are written.
pub(super) fn check(request: &ChatRequest, target: &Target<'_>, losses: &mut Losses) -> Result<(), Error> {
    if request.candidates.is_some_and(|count| count > 1) {
        return Err(cannot("n", "the serving model gives one answer a request"));
    }
    for extension in &request.extensions {
        losses.extension(extension)?;
    }
    losses.drop_if(request.presence_penalty.is_some(), "presence_penalty");
    losses.drop_if(request.frequency_penalty.is_some(), "frequency_penalty");
    losses.drop_if(request.seed.is_some(), "seed");
    losses.drop_if(!request.metadata.is_empty(), "metadata");
    tools(request, &target.capabilities, losses)?;
    for turn in &request.turns {
        match turn {
            Turn::System(parts) => {
                if parts.iter().any(|part| matches!(part, Part::Media(_))) {
                    return Err(cannot("messages", "instructions for the serving model can only be text"));
                }
                all_parts(parts, &target.capabilities, losses)?;
            }
            Turn::User(parts) => all_parts(parts, &target.capabilities, losses)?,
            Turn::Assistant(blocks) => blocks.iter().try_for_each(|one| block(one, losses))?,
            Turn::ToolResults(results) => {
                for result in results {
                    all_parts(&result.parts, &target.capabilities, losses)?;
                }
            }
        }
    }
    Ok(())
}

fn tools(request: &ChatRequest, can: &Capabilities, losses: &mut Losses) -> Result<(), Error> {
    if can.tools == Some(false) && !request.tools.is_empty() {
        return Err(cannot("tools", "the serving model does not call tools"));
    }
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function { name, .. } if !ids::is_clean(name) => {
                let path = format!("tools[{at}].name");
                return Err(cannot(&path, "the serving model takes only letters, digits, '_' and '-' here"));
            }
            Tool::Function { .. } => {}
            Tool::Hosted { definition, .. } => losses.extension(definition)?,
        }
    }
    Ok(())
}

fn all_parts(parts: &[Part], can: &Capabilities, losses: &mut Losses) -> Result<(), Error> {
    for part in parts {
        match part {
            Part::Text { .. } => {}
            Part::Media(one) => {
                media(one, can)?;
                losses.drop_if(one.detail.as_deref().is_some_and(|detail| detail != "auto"), "detail");
            }
            Part::Opaque(extension) => losses.extension(extension)?,
        }
    }
    Ok(())
}

fn media(media: &Media, can: &Capabilities) -> Result<(), Error> {
    let refuse = |why: &str| Err(cannot("messages", why));
    match media.kind {
        MediaKind::Audio => return refuse("the serving model does not read audio"),
        MediaKind::Video => return refuse("the serving model does not read video"),
        MediaKind::Image if can.images == Some(false) => {
            return refuse("the serving model does not read images");
        }
        MediaKind::Image | MediaKind::Document => {}
    }
    let pages = match &media.source {
        Source::File { origin, .. } if *origin != Origin::Anthropic => {
            return refuse("a file id of another provider: send the file itself");
        }
        Source::Base64 { mime, .. } if media.kind == MediaKind::Image => {
            if !IMAGE_TYPES.contains(&mime.as_str()) {
                return refuse("the serving model reads images of the types jpeg, png, gif and webp");
            }
            false
        }
        Source::Base64 { mime, data } => {
            let is_text = plain_text(media.kind, mime, data).is_some();
            if !is_text && mime != "application/pdf" {
                return refuse("the serving model reads documents of the types PDF and plain text");
            }
            !is_text
        }
        Source::Text(_) => false,
        Source::Url { .. } | Source::File { .. } => media.kind == MediaKind::Document,
    };
    if pages && can.documents == Some(false) {
        return refuse("the serving model does not read PDF documents");
    }
    Ok(())
}

fn block(block: &Block, losses: &mut Losses) -> Result<(), Error> {
    match block {
        Block::Text { seal, .. } => foreign_seal(seal.as_ref(), losses),
        Block::ToolCall(call) => foreign_seal(call.seal.as_ref(), losses),
        Block::Thought(thought) => {
            if !can_return(thought) {
                foreign_seal(thought.seal.as_ref(), losses);
                losses.drop_if(thought.seal.is_none(), "reasoning without a signature");
            }
        }
        Block::Refusal(_) => {}
        Block::Citations(Citations { own: extension, .. }) | Block::Opaque(extension) => {
            losses.extension(extension)?;
        }
    }
    Ok(())
}

/// Anthropic takes back only thoughts that it signed; one made up is answered with a 400.
pub(super) fn can_return(thought: &Thought) -> bool {
    thought.seal.as_ref().is_some_and(|seal| seal.origin == Origin::Anthropic)
}

fn foreign_seal(seal: Option<&Seal>, losses: &mut Losses) {
    if let Some(seal) = seal.filter(|seal| seal.origin != Origin::Anthropic) {
        losses.drop(seal.name());
    }
}

fn cannot(path: &str, why: &str) -> Error {
    Error::unsupported(path, format!("{path}: {why}"))
}
