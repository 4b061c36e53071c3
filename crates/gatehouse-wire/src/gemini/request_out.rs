//! A whole request, written.

use super::{config_out, tools_out, turns_out};
use crate::chat::{ChatRequest, Extension, Weight};
use crate::codec::{Encoded, Quirks, Target};
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// What was left out, each thing once.
#[derive(Default)]
pub(super) struct Dropped(Vec<String>);

/// The containers that extensions of this dialect are put back into; the root is the empty one.
pub(super) const CONTAINERS: &[&str] =
    &["", "generationConfig", "toolConfig", "toolConfig.functionCallingConfig"];

/// Writes a request for a Gemini target.
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    if request.candidates.is_some_and(|count| count > 1) {
        return Err(Error::unsupported("n", "only one answer can be asked of a provider of another dialect"));
    }
    let mut dropped = Dropped::default();
    let extensions = own_extensions(request, &mut dropped)?;
    let contents = turns_out::write(request, target, &mut dropped)?;
    let tools = tools_out::write(request, target, &extensions, &mut dropped)?;
    let config = config_out::write(request, target, &extensions, &mut dropped)?;
    let mut extras = Vec::new();
    for extension in inside(&extensions, "") {
        if permits(target.quirks, &extension.path, &mut dropped)? {
            extras.push(extension);
        }
    }
    let tier = service_tier(request, &mut dropped);
    for (name, there) in [("user", request.user.is_some()), ("metadata", !request.metadata.is_empty())] {
        if there {
            dropped.name(name);
        }
    }
    let mut out = Out::new();
    out.object(|out| {
        if !contents.system.is_empty() {
            out.object_field("systemInstruction", |out| {
                out.field("parts", Raw(&contents.system));
            });
        }
        out.field("contents", Raw(&contents.contents));
        out.field_opt("tools", tools.tools.as_deref().map(Raw));
        out.field_opt("toolConfig", tools.config.as_deref().map(Raw));
        out.field_opt("generationConfig", config.as_deref().map(Raw));
        for extension in extras {
            out.field(&extension.path, Raw(&extension.value.0));
        }
        out.field_opt("serviceTier", tier);
    });
    Ok(Encoded { body: out.into_bytes(), dropped: dropped.into_list() })
}

/// The extensions that are Gemini's own. Others are named as dropped, or refused.
fn own_extensions<'a>(request: &'a ChatRequest, dropped: &mut Dropped) -> Result<Vec<&'a Extension>, Error> {
    let mut own = Vec::new();
    for extension in &request.extensions {
        let container = extension.path.rsplit_once('.').map_or("", |(container, _)| container);
        let placed = CONTAINERS.contains(&container) && !extension.path.contains('[');
        if extension.origin == Dialect::GeminiGenerate && placed {
            own.push(extension);
        } else {
            leave_out(extension, dropped)?;
        }
    }
    Ok(own)
}

/// Names an extension as dropped, or refuses it when it means something.
pub(super) fn leave_out(extension: &Extension, dropped: &mut Dropped) -> Result<(), Error> {
    if extension.weight == Weight::Meaning {
        let message = format!("{} cannot be honoured by a Gemini model", extension.path);
        return Err(Error::unsupported(extension.path.clone(), message));
    }
    dropped.name(&extension.path);
    Ok(())
}

/// The extensions of one container.
pub(super) fn inside<'a>(
    extensions: &[&'a Extension],
    container: &str,
) -> impl Iterator<Item = &'a Extension> {
    let of = |extension: &&Extension| {
        extension.path.rsplit_once('.').map_or("", |(container, _)| container) == container
    };
    extensions.iter().copied().filter(of).collect::<Vec<_>>().into_iter()
}

/// Whether the target's server takes the member at `path`; one that it cannot honour is refused.
pub(super) fn permits(quirks: &Quirks, path: &str, dropped: &mut Dropped) -> Result<bool, Error> {
    if quirks.refuse.contains(&path) {
        return Err(Error::unsupported(path, format!("{path} cannot be honoured by this provider")));
    }
    let drop = quirks.drop.contains(&path);
    if drop {
        dropped.name(path);
    }
    Ok(!drop)
}

fn service_tier<'a>(request: &'a ChatRequest, dropped: &mut Dropped) -> Option<&'a str> {
    match request.service_tier.as_deref()? {
        "auto" => None,
        "default" => Some("standard"),
        tier @ ("standard" | "flex" | "priority") => Some(tier),
        _ => {
            dropped.name("service_tier");
            None
        }
    }
}

// === impl Dropped ===

impl Dropped {
    /// Names what was left out.
    pub(super) fn name(&mut self, what: &str) {
        if !self.0.iter().any(|own| own == what) {
            self.0.push(what.to_owned());
        }
    }

    /// Everything that was named.
    pub(super) fn into_list(self) -> Vec<String> {
        self.0
    }
}
