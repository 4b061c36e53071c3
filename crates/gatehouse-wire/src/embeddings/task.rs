//! What the vectors are for, which some providers want to know. Gemini's word is the one that callers have
//! (`taskType`); who asks in OpenAI's dialect may add the provider's own member, `input_type`.

use super::EmbedRequest;
use crate::chat::{Extension, Weight};
use gatehouse_core::error::Error;

/// A member of a provider's own with which a caller of OpenAI's dialect says what the vectors are for.
pub(super) const INPUT_TYPE: &str = "input_type";

/// The caller's member that says what the vectors are for.
pub(super) fn member(request: &EmbedRequest) -> &'static str {
    request.task_member.unwrap_or("taskType")
}

/// The provider's word for Gemini's, from pairs of both. A word that it has none for is left out by name.
pub(super) fn word(
    request: &EmbedRequest,
    words: &[(&str, &'static str)],
    dropped: &mut Vec<String>,
) -> Option<&'static str> {
    let asked = request.task_type.as_deref()?;
    let found = words.iter().find(|(gemini, _)| *gemini == asked).map(|(_, own)| *own);
    if found.is_none() {
        dropped.push(member(request).to_owned());
    }
    found
}

/// The extensions of these names, to be written as they came; all else that has no place is named as dropped, or
/// refused.
pub(super) fn rest<'a>(
    request: &'a EmbedRequest,
    known: &[&str],
    dropped: &mut Vec<String>,
) -> Result<Vec<&'a Extension>, Error> {
    let left = [("user", request.user.is_some()), ("title", request.title.is_some())];
    dropped.extend(left.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()));
    let mut kept = Vec::new();
    for extension in &request.extensions {
        match extension.weight {
            _ if known.contains(&extension.path.as_str()) => kept.push(extension),
            Weight::Hint => dropped.push(extension.path.clone()),
            Weight::Meaning => {
                let message = format!("{} cannot be honoured by this model", extension.path);
                return Err(Error::unsupported(extension.path.clone(), message));
            }
        }
    }
    Ok(kept)
}

/// The texts; token ids are for the model's own provider alone.
pub(super) fn texts<'a>(request: &'a EmbedRequest) -> Result<Vec<&'a str>, Error> {
    let text = |input: &'a super::EmbedInput| match input {
        super::EmbedInput::Text(text) => Ok(text.as_str()),
        super::EmbedInput::Tokens(_) => {
            Err(Error::unsupported("input", "this model takes texts, not token ids"))
        }
    };
    request.inputs.iter().map(text).collect()
}
