//! What Converse cannot be told: refused when its loss would change the meaning, named when not. Whatever
//! passes here, the writer can write.

use super::content_out;
use super::names::ID_CHARS_MAX;
use crate::anthropic::check::Losses;
use crate::anthropic::ids;
use crate::chat::{
    Block, ChatRequest, Citations, Extension, Media, MediaKind, Origin, Part, Seal, Source, Thought, Tool,
    Turn, Weight,
};
use crate::codec::Target;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;

/// Refuses or names everything in `request` that cannot be said to `target`, sampling, thinking and cache
/// marks apart: what becomes of those is decided when they are written.
pub(super) fn check(request: &ChatRequest, target: &Target<'_>, losses: &mut Losses) -> Result<(), Error> {
    if request.candidates.is_some_and(|count| count > 1) {
        return Err(cannot("n", "the serving model gives one answer a request"));
    }
    request.extensions.iter().try_for_each(|one| extension(one, losses))?;
    losses.drop_if(request.presence_penalty.is_some(), "presence_penalty");
    losses.drop_if(request.frequency_penalty.is_some(), "frequency_penalty");
    losses.drop_if(request.seed.is_some(), "seed");
    losses.drop_if(!request.metadata.is_empty(), "metadata");
    losses.drop_if(request.user.is_some(), "user");
    losses.drop_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
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
                    let is_audio =
                        |part: &Part| matches!(part, Part::Media(one) if one.kind == MediaKind::Audio);
                    if result.parts.iter().any(is_audio) {
                        return Err(cannot(
                            "messages",
                            "the serving model reads no audio in results of tools",
                        ));
                    }
                    all_parts(&result.parts, &target.capabilities, losses)?;
                }
            }
        }
    }
    Ok(())
}

/// Callers of this dialect who are served in it are not translated: every extension is of another one.
fn extension(extension: &Extension, losses: &mut Losses) -> Result<(), Error> {
    match extension.weight {
        Weight::Hint => {
            losses.drop(extension.path.clone());
            Ok(())
        }
        Weight::Meaning => {
            Err(cannot(&extension.path, "the serving model's API (Bedrock Converse) has no such thing"))
        }
    }
}

fn tools(request: &ChatRequest, can: &Capabilities, losses: &mut Losses) -> Result<(), Error> {
    if can.tools == Some(false) && !request.tools.is_empty() {
        return Err(cannot("tools", "the serving model does not call tools"));
    }
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function { name, .. } if !ids::is_clean(name) || name.len() > ID_CHARS_MAX => {
                let why = "the serving model takes only letters, digits, '_' and '-' here, at most 64";
                return Err(cannot(&format!("tools[{at}].name"), why));
            }
            Tool::Function { .. } => {}
            Tool::Hosted { definition, .. } => extension(definition, losses)?,
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
            Part::Opaque(one) => extension(one, losses)?,
        }
    }
    Ok(())
}

fn media(media: &Media, can: &Capabilities) -> Result<(), Error> {
    let refuse = |why: &str| Err(cannot("messages", why));
    let (can_read, formats) = match media.kind {
        MediaKind::Image => (can.images, "images of the types jpeg, png, gif and webp"),
        MediaKind::Document => {
            (can.documents, "documents of the types pdf, csv, doc, docx, xls, xlsx, html, txt and md")
        }
        MediaKind::Audio => (can.audio, "audio of the types mp3, wav, flac, ogg, opus, aac, m4a and webm"),
        MediaKind::Video => (None, "video of the types mp4, webm, mov, mkv, flv, mpeg, wmv and 3gp"),
    };
    let format = match &media.source {
        Source::Url { .. } => {
            return refuse("the serving model fetches nothing: send the file itself, not its URL");
        }
        Source::File { .. } => return refuse("a file id of another provider: send the file itself"),
        Source::Text(_) => "txt",
        Source::Base64 { mime, .. } => match content_out::format(media.kind, mime) {
            Some(format) => format,
            None => return refuse(&format!("the serving model reads {formats}")),
        },
    };
    // What the catalogue says of documents is said of PDF: the others are read as text.
    let is_said = media.kind != MediaKind::Document || format == "pdf";
    if is_said && can_read == Some(false) {
        let what = formats.split(" of ").next().unwrap_or_default();
        return refuse(&format!("the serving model does not read {what}"));
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
        Block::Citations(Citations { own: one, .. }) | Block::Opaque(one) => extension(one, losses)?,
    }
    Ok(())
}

/// Bedrock takes back only thoughts that came from it.
pub(super) fn can_return(thought: &Thought) -> bool {
    thought.seal.as_ref().is_some_and(|seal| seal.origin == Origin::Bedrock)
}

fn foreign_seal(seal: Option<&Seal>, losses: &mut Losses) {
    if let Some(seal) = seal.filter(|seal| seal.origin != Origin::Bedrock) {
        losses.drop(seal.name());
    }
}

fn cannot(path: &str, why: &str) -> Error {
    Error::unsupported(path, format!("{path}: {why}"))
}
