//! Tools, their choice, the form of the answer and how to think, written.

use super::parts_out::write_mark;
use super::quirks::refusal;
use super::request_out::Body;
use crate::chat::{ChatRequest, Effort, Format, RawJson, Reasoning, Tool, ToolChoice};
use crate::codec::{CacheMarks, ReasoningAs};
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The largest budgets of thinking, in tokens, that are still this effort. The numbers are the budgets
/// that LiteLLM gives the efforts; beyond the last it is `high`, which every server knows.
const EFFORT_BUDGETS: [(u64, Effort); 3] = [(0, Effort::None), (1024, Effort::Low), (2048, Effort::Medium)];

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn write_tools(body: &mut Body<'_>, request: &ChatRequest) -> Result<(), Error> {
    if request.tools.is_empty() {
        return match request.tool_choice {
            Some(ToolChoice::Required | ToolChoice::Named(_)) => {
                Err(Error::invalid("tool_choice", "tool_choice: needs tools to choose from"))
            }
            _ => Ok(()),
        };
    }
    if body.target.capabilities.tools == Some(false) {
        return Err(Error::unsupported("tools", "the model does not call tools"));
    }
    body.may("tools")?;
    let choice = request.tool_choice.as_ref();
    let cut = match choice {
        Some(ToolChoice::Allowed { names, .. }) if !body.target.quirks.allowed_tools => Some(names),
        _ => None,
    };
    let is_kept = |tool: &&Tool| match tool {
        Tool::Function { name, .. } | Tool::Hosted { name, .. } => {
            cut.is_none_or(|names| names.contains(name))
        }
    };
    let tools = request.tools.iter().filter(is_kept).map(|tool| tool_json(body, tool));
    let tools = tools.collect::<Result<Vec<Out>, Error>>()?;
    body.out.array_field("tools", |out| {
        for tool in &tools {
            out.item(Raw(tool.as_str()));
        }
    });
    if let Some(choice) = choice {
        write_choice(body, choice)?;
    }
    match request.parallel_tool_calls {
        Some(parallel) => body.put("parallel_tool_calls", parallel),
        None => Ok(()),
    }
}

fn tool_json(body: &mut Body<'_>, tool: &Tool) -> Result<Out, Error> {
    let mut out = Out::new();
    match tool {
        Tool::Function { name, description, parameters, strict, cache } => {
            let is_marked = body.target.quirks.cache_marks == CacheMarks::CacheControl;
            if cache.is_some() && !is_marked {
                body.drop("cache marks of tools");
            }
            out.object(|out| {
                out.field("type", "function").object_field("function", |out| {
                    out.field("name", name)
                        .field_opt("description", description.as_deref())
                        .field_opt("parameters", parameters.as_ref().map(|RawJson(schema)| Raw(schema)))
                        .field_opt("strict", *strict);
                });
                write_mark(out, body, cache.filter(|_| is_marked));
            });
        }
        Tool::Hosted { definition, .. } if definition.origin == Dialect::OpenAiChat => {
            out.item(Raw(&definition.value.0));
        }
        // Of a provider's own tool there is nothing that could be left out without being missed.
        Tool::Hosted { definition, .. } => {
            return Err(Error::unsupported(&definition.path, refusal(&definition.path)));
        }
    }
    Ok(out)
}

fn write_choice(body: &mut Body<'_>, choice: &ToolChoice) -> Result<(), Error> {
    let quirks = body.target.quirks;
    if !body.may("tool_choice")? {
        return Ok(());
    }
    let out = &mut body.out;
    match choice {
        ToolChoice::Auto => out.field("tool_choice", "auto"),
        ToolChoice::None => out.field("tool_choice", "none"),
        ToolChoice::Required => out.field("tool_choice", quirks.forced_tool),
        ToolChoice::Named(name) => out.object_field("tool_choice", |out| function_named(out, name)),
        ToolChoice::Allowed { names, required } if quirks.allowed_tools => {
            out.object_field("tool_choice", |out| {
                out.field("type", "allowed_tools").object_field("allowed_tools", |out| {
                    out.field("mode", if *required { "required" } else { "auto" });
                    out.array_field("tools", |out| {
                        for name in names {
                            out.object(|out| function_named(out, name));
                        }
                    });
                });
            })
        }
        // The list of tools is cut to the allowed ones.
        ToolChoice::Allowed { required: true, .. } => out.field("tool_choice", quirks.forced_tool),
        ToolChoice::Allowed { .. } => out.field("tool_choice", "auto"),
    };
    Ok(())
}

fn function_named(out: &mut Out, name: &str) {
    out.field("type", "function").object_field("function", |out| {
        out.field("name", name);
    });
}

/// Writes `response_format`.
pub(super) fn write_format(body: &mut Body<'_>, format: Option<&Format>) -> Result<(), Error> {
    let Some(format) = format else { return Ok(()) };
    let takes_schema = body.target.quirks.json_schema && body.target.capabilities.structured != Some(false);
    match format {
        Format::JsonSchema { .. } if !takes_schema => {
            Err(Error::unsupported("response_format", refusal("an answer by a JSON schema")))
        }
        _ if !body.may("response_format")? => Ok(()),
        Format::Text => {
            body.out.object_field("response_format", |out| {
                out.field("type", "text");
            });
            Ok(())
        }
        Format::JsonObject => {
            body.out.object_field("response_format", |out| {
                out.field("type", "json_object");
            });
            Ok(())
        }
        Format::JsonSchema { name, description, schema, strict } => {
            body.out.object_field("response_format", |out| {
                out.field("type", "json_schema").object_field("json_schema", |out| {
                    out.field("name", name.as_deref().unwrap_or("response"))
                        .field_opt("description", description.as_deref())
                        .field("schema", Raw(&schema.0))
                        .field_opt("strict", *strict);
                });
            });
            Ok(())
        }
    }
}

/// Writes how to think, in the server's own member.
pub(super) fn write_reasoning(body: &mut Body<'_>, reasoning: Option<&Reasoning>) -> Result<(), Error> {
    let Some(reasoning) = reasoning else { return Ok(()) };
    if reasoning.sealed {
        body.drop("encrypted reasoning");
    }
    let Some(effort) = reasoning.effort.or_else(|| reasoning.budget_tokens.map(effort_of)) else {
        return Ok(());
    };
    let quirks = body.target.quirks;
    if !quirks.reasoning_effort || body.target.capabilities.reasoning == Some(false) {
        if effort != Effort::None {
            body.drop("reasoning_effort");
        }
        return Ok(());
    }
    match quirks.reasoning_as {
        // `none` is a word that only models which think, and not all of them, take.
        ReasoningAs::Effort if effort == Effort::None && body.target.capabilities.reasoning != Some(true) => {
            body.drop("reasoning_effort");
            Ok(())
        }
        ReasoningAs::Effort => {
            let word = if quirks.developer_role { effort } else { common(effort) };
            body.put("reasoning_effort", word.as_str())
        }
        ReasoningAs::Object if body.may("reasoning")? => {
            body.out.object_field("reasoning", |out| match (reasoning.effort, reasoning.budget_tokens) {
                (None, Some(budget)) => {
                    out.field("max_tokens", budget);
                }
                _ => {
                    out.field("effort", effort.as_str());
                }
            });
            Ok(())
        }
        ReasoningAs::Thinking if body.may("thinking")? => {
            let kind = if effort == Effort::None { "disabled" } else { "enabled" };
            body.out.object_field("thinking", |out| {
                out.field("type", kind);
            });
            Ok(())
        }
        ReasoningAs::Object | ReasoningAs::Thinking => Ok(()),
    }
}

fn effort_of(budget_tokens: u64) -> Effort {
    EFFORT_BUDGETS.iter().find(|(most, _)| budget_tokens <= *most).map_or(Effort::High, |(_, effort)| *effort)
}

/// The nearest effort that all servers of the family know.
fn common(effort: Effort) -> Effort {
    match effort {
        Effort::Minimal => Effort::Low,
        Effort::XHigh | Effort::Max => Effort::High,
        Effort::None | Effort::Low | Effort::Medium | Effort::High => effort,
    }
}
