//! Tools, their choice and the form of the answer, read.

use super::parts::{cache_mark, opaque};
use crate::chat::{Effort, Format, RawJson, Reasoning, Tool, ToolChoice, Weight};
use crate::free_form;
use crate::json::Node;
use gatehouse_core::error::Error;

/// One of `tools`.
pub(super) fn tool(tool: Node<'_>) -> Result<Tool, Error> {
    let tool = tool.want_object()?;
    let kind = tool.opt("type").map(|kind| kind.want_str()).transpose()?;
    match kind.as_deref() {
        None | Some("function") => match function(tool.need("function")?)? {
            Tool::Function { name, description, parameters, strict, .. } => {
                Ok(Tool::Function { name, description, parameters, strict, cache: cache_mark(tool) })
            }
            hosted @ Tool::Hosted { .. } => Ok(hosted),
        },
        Some("custom") if tool.opt("custom").is_some() => custom(tool),
        Some(kind) => Ok(Tool::Hosted { name: kind.to_owned(), definition: opaque(tool, Weight::Meaning) }),
    }
}

/// A free-form tool, whose grammar the model is told but not held to.
fn custom(tool: Node<'_>) -> Result<Tool, Error> {
    let custom = tool.need("custom")?.want_object()?;
    let description = custom.opt("description").map(|text| text.want_str()).transpose()?;
    Ok(Tool::Function {
        name: custom.need("name")?.want_str()?.into_owned(),
        description: description.map(Into::into),
        parameters: Some(free_form::schema(custom.path(&["format", "grammar"]))),
        strict: Some(false),
        cache: cache_mark(tool),
    })
}

/// The function of a tool, or one of the legacy `functions`.
pub(super) fn function(function: Node<'_>) -> Result<Tool, Error> {
    let function = function.want_object()?;
    let text = |name: &str| function.opt(name).map(|node| node.want_str()).transpose();
    let parameters = function.opt("parameters").map(|schema| schema.want_object()).transpose()?;
    Ok(Tool::Function {
        name: function.need("name")?.want_str()?.into_owned(),
        description: text("description")?.map(Into::into),
        parameters: parameters.map(|schema| RawJson(schema.raw().to_owned())),
        strict: function.opt("strict").map(|strict| strict.want_bool()).transpose()?,
        cache: None,
    })
}

/// `tool_choice`, or the legacy `function_call`.
pub(super) fn choice(choice: Node<'_>) -> Result<ToolChoice, Error> {
    if let Some(word) = choice.str() {
        return match word.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            // Mistral's word.
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(choice.wrong("must be auto, none, required or an object")),
        };
    }
    let choice = choice.want_object()?;
    if let Some(allowed) = choice.opt("allowed_tools") {
        let mode = allowed.opt("mode").map(|mode| mode.want_str()).transpose()?;
        let tools = allowed.need("tools")?.want_array()?;
        let names = tools.items().map(chosen).collect::<Result<_, _>>()?;
        return Ok(ToolChoice::Allowed { names, required: mode.is_some_and(|mode| mode == "required") });
    }
    Ok(ToolChoice::Named(chosen(choice)?))
}

fn chosen(tool: Node<'_>) -> Result<String, Error> {
    let function = tool.opt("function").or_else(|| tool.opt("custom")).unwrap_or(tool);
    Ok(function.want_object()?.need("name")?.want_str()?.into_owned())
}

/// `response_format`; `None` for kinds that only some servers know (grammars).
pub(super) fn format(format: Node<'_>) -> Result<Option<Format>, Error> {
    let format = format.want_object()?;
    let raw = |schema: Node<'_>| RawJson(schema.raw().to_owned());
    Ok(match format.need("type")?.want_str()?.as_ref() {
        "text" => Some(Format::Text),
        // llama.cpp and Together take a schema here.
        "json_object" => Some(format.opt("schema").map_or(Format::JsonObject, |schema| Format::JsonSchema {
            name: None,
            description: None,
            schema: raw(schema),
            strict: None,
        })),
        "json_schema" => {
            let inner = format.need("json_schema")?.want_object()?;
            let text = |name: &str| inner.opt(name).map(|node| node.want_str()).transpose();
            Some(Format::JsonSchema {
                name: text("name")?.map(Into::into),
                description: text("description")?.map(Into::into),
                schema: inner.opt("schema").map_or_else(|| RawJson("{}".to_owned()), raw),
                strict: inner.opt("strict").map(|strict| strict.want_bool()).transpose()?,
            })
        }
        _ => None,
    })
}

/// How to think: `reasoning_effort`, OpenRouter's `reasoning`, or `thinking` as DeepSeek, Z.ai and callers
/// with Anthropic in mind write it.
pub(super) fn reasoning(root: Node<'_>) -> Result<Option<Reasoning>, Error> {
    let effort = root.opt("reasoning_effort").map(|word| word.want_str()).transpose()?;
    // A word that only its server knows (Groq's `default`) stays an extension.
    let effort = effort.and_then(|word| Effort::parse(&word));
    let mut found = effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
    let word = |node: Node<'_>| {
        let word = node.want_str()?;
        Effort::parse(&word).map(Some).ok_or_else(|| node.wrong("is not an effort that is known"))
    };
    if let Some(object) = root.opt("reasoning") {
        let own = found.get_or_insert_default();
        own.effort = object.want_object()?.opt("effort").map_or(Ok(own.effort), word)?;
        own.budget_tokens = object.opt("max_tokens").map(|budget| budget.want_u64()).transpose()?;
        own.visible = object.opt("exclude").is_none_or(|exclude| exclude.bool() != Some(true));
        if own.effort.is_none() && own.budget_tokens.is_none() {
            let is_off = object.opt("enabled").and_then(|enabled| enabled.bool()) == Some(false);
            own.effort = Some(if is_off { Effort::None } else { Effort::Medium });
        }
    }
    if let Some(object) = root.opt("thinking") {
        let kind = object.want_object()?.opt("type").map(|kind| kind.want_str()).transpose()?;
        let budget = object.opt("budget_tokens").map(|budget| budget.want_u64()).transpose()?;
        if kind.is_none() && budget.is_none() {
            return Ok(found);
        }
        let own = found.get_or_insert_default();
        (own.visible, own.budget_tokens) = (true, budget.or(own.budget_tokens));
        if kind.as_deref() == Some("disabled") {
            (own.effort, own.visible) = (Some(Effort::None), false);
        } else if own.effort.is_none() && own.budget_tokens.is_none() {
            own.effort = Some(Effort::Medium);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{choice, format, reasoning};
    use crate::chat::{Effort, Format, ToolChoice};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn every_form_of_choice_is_read() {
        for (text, expected) in [
            (r#""any""#, ToolChoice::Required),
            (r#"{"type":"function","function":{"name":"f"}}"#, ToolChoice::Named("f".to_owned())),
            (r#"{"name":"f"}"#, ToolChoice::Named("f".to_owned())),
            (
                r#"{"type":"allowed_tools","allowed_tools":{"mode":"required",
                    "tools":[{"type":"function","function":{"name":"f"}}]}}"#,
                ToolChoice::Allowed { names: vec!["f".to_owned()], required: true },
            ),
        ] {
            assert_eq!(choice(doc(text).root()).unwrap(), expected);
        }
        assert!(choice(doc(r#""maybe""#).root()).is_err());
    }

    #[test]
    fn thinking_is_read_from_every_member_that_says_it() {
        for (text, effort, budget) in [
            (r#"{"reasoning_effort":"low"}"#, Some(Effort::Low), None),
            (r#"{"reasoning":{"max_tokens":9}}"#, None, Some(9)),
            (r#"{"reasoning":{"enabled":true}}"#, Some(Effort::Medium), None),
            (r#"{"thinking":{"type":"disabled"}}"#, Some(Effort::None), None),
            (r#"{"thinking":{"type":"enabled","budget_tokens":2048}}"#, None, Some(2048)),
        ] {
            let found = reasoning(doc(text).root()).unwrap().unwrap();
            assert_eq!((found.effort, found.budget_tokens), (effort, budget), "{text}");
        }
        assert_eq!(reasoning(doc("{}").root()), Ok(None));
        assert_eq!(reasoning(doc(r#"{"reasoning_effort":"default"}"#).root()), Ok(None));
        assert!(reasoning(doc(r#"{"reasoning":{"effort":"huge"}}"#).root()).is_err());
    }

    #[test]
    fn formats_are_read() {
        assert_eq!(format(doc(r#"{"type":"json_object"}"#).root()), Ok(Some(Format::JsonObject)));
        let schema =
            doc(r#"{"type":"json_schema","json_schema":{"name":"a","schema":{"x":1.0},"strict":true}}"#);
        assert!(matches!(format(schema.root()), Ok(Some(Format::JsonSchema { schema, .. }))
                if schema.0 == r#"{"x":1.0}"#));
        assert_eq!(format(doc(r#"{"type":"grammar","value":"x"}"#).root()), Ok(None));
    }
}
