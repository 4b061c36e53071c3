//! Writing a request that was read in another dialect, for a provider that speaks this one.

use super::input_out::Input;
use super::names::Names;
use super::parts::lost;
use crate::chat::{ChatRequest, Effort, Extension, Format, Part, Reasoning, Tool, ToolChoice, Turn};
use crate::codec::{Encoded, Target};
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The tiers that the API knows.
const SERVICE_TIERS: &[&str] = &["auto", "default", "flex", "scale", "priority", "fast"];
/// Members of a chat request that mean the same here, under the name that they have here.
const SHARED_WITH_CHAT: &[(&str, &str)] = &[
    ("prompt_cache_key", "prompt_cache_key"),
    ("prompt_cache_retention", "prompt_cache_retention"),
    ("prompt_cache_options", "prompt_cache_options"),
    ("safety_identifier", "safety_identifier"),
    ("verbosity", "text.verbosity"),
];
/// The lists and objects whose members stand in extensions of their own, by path.
const GROUPS: &[&str] = &["text.", "reasoning.", "tools["];
/// What a schema is called that came without a name: the API wants one.
const SCHEMA_NAME: &str = "response";
/// The largest budgets of thinking that count as low and as medium effort.
const BUDGET_TOKENS_LOW_MAX: u64 = 1024;
const BUDGET_TOKENS_MEDIUM_MAX: u64 = 2048;

/// A request under construction.
struct Writer<'a> {
    request: &'a ChatRequest,
    target: &'a Target<'a>,
    names: Names<'a>,
    /// What only this dialect understands, by the path it has here.
    own: Vec<(&'a str, &'a str)>,
    dropped: Vec<String>,
}

/// See [`crate::codec::Codec::encode_request`].
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let cut = only_allowed(request, target);
    let request = cut.as_ref().unwrap_or(request);
    let names = Names::of(Some(request));
    let mut writer = Writer { request, target, names, own: Vec::new(), dropped: Vec::new() };
    writer.refuse()?;
    writer.sort_extensions()?;
    let mut out = Out::new();
    let mut result = Ok(());
    out.object(|out| result = writer.body(out));
    result?;
    Ok(Encoded { body: out.into_bytes(), dropped: writer.dropped })
}

/// The request without the tools that may not be called, for a target that cannot be told which may.
fn only_allowed(request: &ChatRequest, target: &Target<'_>) -> Option<ChatRequest> {
    let Some(ToolChoice::Allowed { names, required }) = &request.tool_choice else { return None };
    if target.quirks.allowed_tools {
        return None;
    }
    let mut cut = request.clone();
    cut.tools.retain(|tool| matches!(tool, Tool::Function { name, .. } if names.contains(name)));
    cut.tool_choice = Some(if *required { ToolChoice::Required } else { ToolChoice::Auto });
    // What is remembered of the tools by their place is out of date with the list.
    cut.extensions.retain(|one| one.origin != Dialect::OpenAiResponses || !one.path.starts_with("tools["));
    Some(cut)
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// What nobody could honour here.
    fn refuse(&self) -> Result<(), Error> {
        let (request, able) = (self.request, &self.target.capabilities);
        let no = |name: &str, why: &str| Err(Error::unsupported(name, format!("{name}: {why}")));
        if request.candidates.is_some_and(|candidates| candidates > 1) {
            return no("n", "the serving model gives one answer");
        }
        if !request.stop.is_empty() {
            return no("stop", "the serving model's API has no stop sequences");
        }
        if able.tools == Some(false) && !request.tools.is_empty() {
            return no("tools", "the serving model does not call tools");
        }
        let schemas = able.structured != Some(false) && self.target.quirks.json_schema;
        if !schemas && matches!(request.format, Some(Format::JsonSchema { .. })) {
            return no("response_format", "the serving model does not follow schemas");
        }
        Ok(())
    }

    /// Takes what is ours and names or refuses the rest.
    fn sort_extensions(&mut self) -> Result<(), Error> {
        for extension in &self.request.extensions {
            let shared = || SHARED_WITH_CHAT.iter().find(|(name, _)| *name == extension.path);
            match (extension.origin, shared()) {
                (Dialect::OpenAiResponses, _) => self.own.push((&extension.path, &extension.value.0)),
                (Dialect::OpenAiChat, Some((_, here))) => self.own.push((here, &extension.value.0)),
                _ => self.dropped.push(lost(extension)?),
            }
        }
        Ok(())
    }

    fn body(&mut self, out: &mut Out) -> Result<(), Error> {
        let request = self.request;
        out.field("model", self.target.model);
        let turns = self.instructions(out, &request.turns);
        let mut input = Input { names: &self.names, target: self.target, dropped: Vec::new() };
        let mut written = Ok(());
        out.array_field("input", |out| written = input.write(out, turns));
        let from_input = input.dropped;
        written?;
        self.dropped.extend(from_input);
        self.tools(out)?;
        if self.may("max_output_tokens", request.max_output_tokens.is_some())? {
            out.field_opt("max_output_tokens", request.max_output_tokens);
        }
        self.sampling(out)?;
        self.text(out)?;
        self.reasoning(out)?;
        self.include(out);
        if request.stream {
            out.field("stream", true);
        }
        // The gateway has the whole conversation each time; nothing is to be kept at the provider.
        if self.may("store", true)? {
            out.field("store", false);
        }
        if self.may("user", request.user.is_some())? {
            out.field_opt("user", request.user.as_ref());
        }
        if self.may("metadata", !request.metadata.is_empty())? {
            out.object_field("metadata", |out| {
                for (name, value) in &request.metadata {
                    out.field(name, value);
                }
            });
        }
        self.service_tier(out)?;
        self.others(out)
    }

    /// Whether a member that is there may be written: the target's quirks decide.
    fn may(&mut self, name: &str, is_there: bool) -> Result<bool, Error> {
        if is_there && self.target.quirks.refuse.contains(&name) {
            return Err(Error::unsupported(name, format!("{name}: the provider does not take it")));
        }
        let dropped = is_there && self.target.quirks.drop.contains(&name);
        if dropped {
            self.dropped.push(name.to_owned());
        }
        Ok(is_there && !dropped)
    }

    /// A leading text of instructions has a member of its own, when there is a conversation beside it. Gives
    /// back the turns that are left.
    fn instructions<'t>(&self, out: &mut Out, turns: &'t [Turn]) -> &'t [Turn] {
        let Some((text, rest)) = turns
            .split_first()
            .and_then(|(first, rest)| Some((instructions(first)?, rest)).filter(|_| !rest.is_empty()))
        else {
            return turns;
        };
        out.field("instructions", text);
        rest
    }

    fn tools(&mut self, out: &mut Out) -> Result<(), Error> {
        let request = self.request;
        let mut foreign: Vec<Extension> = Vec::new();
        if self.names.has_tools() {
            let names = &self.names;
            out.array_field("tools", |out| names.write_tools(out, &mut foreign));
        }
        for tool in &foreign {
            self.dropped.push(lost(tool)?);
        }
        let chosen = self.own.iter().find(|(path, _)| *path == "tool_choice").map(|(_, raw)| *raw);
        if let Some(raw) = chosen {
            out.field("tool_choice", Raw(raw));
        } else if let Some(choice) = &request.tool_choice {
            self.names.write_choice(out, choice);
        }
        if self.may("parallel_tool_calls", request.parallel_tool_calls.is_some())? {
            out.field_opt("parallel_tool_calls", request.parallel_tool_calls);
        }
        Ok(())
    }

    /// The API takes temperature and nucleus sampling, and some models not even these.
    fn sampling(&mut self, out: &mut Out) -> Result<(), Error> {
        let request = self.request;
        for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
            let Some(value) = value else { continue };
            if self.target.capabilities.sampling == Some(false) {
                self.dropped.push(name.to_owned());
            } else if self.may(name, true)? {
                out.field(name, Raw(&value.0));
            }
        }
        let unknown = [
            ("top_k", request.top_k.is_some()),
            ("presence_penalty", request.presence_penalty.is_some()),
            ("frequency_penalty", request.frequency_penalty.is_some()),
            ("seed", request.seed.is_some()),
        ];
        self.dropped.extend(unknown.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned()));
        Ok(())
    }

    fn text(&mut self, out: &mut Out) -> Result<(), Error> {
        let others = self.group("text.");
        if !self.may("text", self.request.format.is_some() || !others.is_empty())? {
            return Ok(());
        }
        out.object_field("text", |out| {
            if let Some(format) = &self.request.format {
                write_format(out, format);
            }
            for (name, value) in others {
                out.field(name, Raw(value));
            }
        });
        Ok(())
    }

    fn reasoning(&mut self, out: &mut Out) -> Result<(), Error> {
        let others = self.group("reasoning.");
        let reasoning = self.request.reasoning.as_ref();
        let effort = reasoning.and_then(effort);
        let visible = reasoning.is_some_and(|reasoning| reasoning.visible);
        let wanted = effort.is_some() || visible || !others.is_empty();
        let takes = self.target.capabilities.reasoning != Some(false) && self.target.quirks.reasoning_effort;
        if wanted && !takes {
            self.dropped.push("reasoning".to_owned());
            return Ok(());
        }
        if !self.may("reasoning", wanted)? {
            return Ok(());
        }
        let says_how = others.iter().any(|(name, _)| name.ends_with("summary"));
        out.object_field("reasoning", |out| {
            out.field_opt("effort", effort.map(Effort::as_str));
            out.field_opt("summary", (visible && !says_how).then_some("auto"));
            for (name, value) in others {
                out.field(name, Raw(value));
            }
        });
        Ok(())
    }

    fn include(&self, out: &mut Out) {
        let sealed = self.request.reasoning.as_ref().is_some_and(|reasoning| reasoning.sealed)
            && self.target.capabilities.reasoning != Some(false);
        let mut others = self.own.iter().filter(|(path, _)| *path == "include").peekable();
        if sealed || others.peek().is_some() {
            out.array_field("include", |out| {
                if sealed {
                    out.item("reasoning.encrypted_content");
                }
                for (_, value) in others {
                    out.item(Raw(value));
                }
            });
        }
    }

    fn service_tier(&mut self, out: &mut Out) -> Result<(), Error> {
        let Some(tier) = self.request.service_tier.as_deref() else { return Ok(()) };
        if !SERVICE_TIERS.contains(&tier) {
            self.dropped.push("service_tier".to_owned());
        } else if self.may("service_tier", true)? {
            out.field("service_tier", tier);
        }
        Ok(())
    }

    /// Members of the outermost object that have no place in the canonical form.
    fn others(&mut self, out: &mut Out) -> Result<(), Error> {
        for (path, value) in self.own.clone() {
            let placed = path == "include" || path == "tool_choice";
            if !placed && !GROUPS.iter().any(|group| path.starts_with(group)) && self.may(path, true)? {
                out.field(path, Raw(value));
            }
        }
        Ok(())
    }

    /// The members of one of the [`GROUPS`].
    fn group(&self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        self.own.iter().filter_map(|(path, value)| Some((path.strip_prefix(prefix)?, *value))).collect()
    }
}

/// The text of a turn that can stand as `instructions`.
pub(super) fn instructions(turn: &Turn) -> Option<&str> {
    match turn {
        Turn::System(parts) => match parts.as_slice() {
            [Part::Text { text, cache: None }] => Some(text),
            _ => None,
        },
        Turn::User(_) | Turn::Assistant(_) | Turn::ToolResults(_) => None,
    }
}

/// The effort asked for, or the one that fits the budget asked for.
pub(super) fn effort(reasoning: &Reasoning) -> Option<Effort> {
    let of_budget = |tokens: u64| {
        let steps = [
            (0, Effort::None),
            (BUDGET_TOKENS_LOW_MAX, Effort::Low),
            (BUDGET_TOKENS_MEDIUM_MAX, Effort::Medium),
        ];
        steps.into_iter().find(|(most, _)| tokens <= *most).map_or(Effort::High, |(_, effort)| effort)
    };
    reasoning.effort.or_else(|| reasoning.budget_tokens.map(of_budget))
}

/// `format`, as a request and the echo in an answer have it.
pub(super) fn write_format(out: &mut Out, format: &Format) {
    out.object_field("format", |out| match format {
        Format::Text => {
            out.field("type", "text");
        }
        Format::JsonObject => {
            out.field("type", "json_object");
        }
        Format::JsonSchema { name, description, schema, strict } => {
            out.field("type", "json_schema").field("name", name.as_deref().unwrap_or(SCHEMA_NAME));
            out.field_opt("description", description.as_ref());
            out.field("schema", Raw(&schema.0)).field_opt("strict", *strict);
        }
    });
}
