//! The view of a request: one walk that finds what the pipeline needs and refuses what is malformed.

use super::spans;
use super::view_content::Speaker;
use crate::codec::View;
use crate::json::{Doc, Node};
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;

const ROOT: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "speed",
];
const TOOL: &[&str] = &["type", "name", "description", "input_schema", "strict", "cache_control"];
const TOOL_CHOICE: &[&str] = &["type", "name", "disable_parallel_tool_use"];
const THINKING: &[&str] = &["type", "budget_tokens", "display"];
const OUTPUT_CONFIG: &[&str] = &["effort", "format"];

/// A walk over a request.
pub(super) struct Walk {
    /// What was found so far.
    pub(super) view: View,
}

/// Reads the view of a request to `/v1/messages` or `/v1/messages/count_tokens`. The latter has no
/// `max_tokens`, so that is never demanded here: a provider of the same dialect does it itself, and for
/// others there is a default.
pub(super) fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    root.need("model")?;
    root.need("messages")?;
    let mut walk = Walk { view: View { wants_usage: true, ..View::default() } };
    for (name, value) in root.members() {
        if !value.is_null() {
            walk.root_member(&name, value)?;
        }
    }
    // Members may come in any order; edits must be in the order of the bytes.
    walk.view.spans.sort_by_key(|span| span.range.start);
    Ok(walk.view)
}

// === impl Walk: the root ===

impl Walk {
    fn root_member(&mut self, name: &str, value: Node<'_>) -> Result<(), Error> {
        match name {
            "model" => {
                let model = value.want_str()?;
                if model.is_empty() {
                    return Err(value.wrong("must name a model"));
                }
                self.view.model = Some((model.into_owned(), value.range()));
            }
            "messages" => self.messages(value)?,
            "system" => self.content(value, Speaker::System)?,
            "max_tokens" => self.view.max_output_tokens = Some(value.want_u64()?),
            "stream" => self.view.stream = value.want_bool()?,
            "temperature" | "top_p" => {
                value.want_number()?;
            }
            "top_k" => {
                value.want_u64()?;
            }
            "stop_sequences" => {
                for item in value.want_array()?.items() {
                    item.want_str()?;
                }
            }
            "tools" => self.tools(value)?,
            "tool_choice" => self.tool_choice(value)?,
            "thinking" => self.thinking(value)?,
            "output_config" => self.output_config(value)?,
            "output_format" => self.format(value)?,
            "metadata" => self.metadata(value)?,
            "service_tier" => {
                let tier = value.want_str()?;
                self.view.service_tier.get_or_insert(tier.into_owned());
            }
            // Fast inference has prices of its own, as a tier has.
            "speed" if value.want_str()? == "fast" => self.view.service_tier = Some("fast".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn metadata(&mut self, value: Node<'_>) -> Result<(), Error> {
        for (name, label) in value.want_object()?.members() {
            match (name.as_ref(), label.str()) {
                ("user_id", Some(user)) => self.view.user = Some(user.into_owned()),
                ("user_id", None) if !label.is_null() => return Err(label.wrong("must be a string")),
                (_, Some(text)) => self.view.metadata.push((name.into_owned(), text.into_owned())),
                _ => {}
            }
        }
        Ok(())
    }

    fn thinking(&mut self, value: Node<'_>) -> Result<(), Error> {
        value.want_object()?.refuse_case_variants(THINKING)?;
        let kind = value.need("type")?.want_str()?;
        if kind == "enabled" {
            value.need("budget_tokens")?.want_u64()?;
        }
        if let Some(display) = value.opt("display") {
            display.want_str()?;
        }
        self.view.needs.reasoning |= kind != "disabled";
        Ok(())
    }

    fn output_config(&mut self, value: Node<'_>) -> Result<(), Error> {
        value.want_object()?.refuse_case_variants(OUTPUT_CONFIG)?;
        if let Some(effort) = value.opt("effort") {
            effort.want_str()?;
            self.view.needs.reasoning = true;
        }
        if let Some(format) = value.opt("format") {
            self.format(format)?;
        }
        Ok(())
    }

    fn format(&mut self, format: Node<'_>) -> Result<(), Error> {
        format.want_object()?.need("type")?.want_str()?;
        if let Some(schema) = format.opt("schema") {
            schema.want_object()?;
        }
        self.view.needs.structured = true;
        Ok(())
    }

    fn tool_choice(&mut self, value: Node<'_>) -> Result<(), Error> {
        value.want_object()?.refuse_case_variants(TOOL_CHOICE)?;
        let kind = value.need("type")?;
        match kind.want_str()?.as_ref() {
            "auto" | "any" | "none" => {}
            "tool" => {
                value.need("name")?.want_str()?;
            }
            _ => return Err(kind.wrong("must be \"auto\", \"any\", \"tool\" or \"none\"")),
        }
        if let Some(flag) = value.opt("disable_parallel_tool_use") {
            flag.want_bool()?;
        }
        Ok(())
    }

    fn tools(&mut self, value: Node<'_>) -> Result<(), Error> {
        for tool in value.want_array()?.items() {
            tool.want_object()?.refuse_case_variants(TOOL)?;
            self.view.needs.tools = true;
            for (name, member) in tool.members() {
                match name.as_ref() {
                    "name" | "description" if !member.is_null() => {
                        member.want_str()?;
                        spans::add(member, Place::ToolDefinition, &mut self.view.spans);
                    }
                    "type" if !member.is_null() => {
                        member.want_str()?;
                    }
                    "strict" if !member.is_null() => {
                        member.want_bool()?;
                    }
                    "input_schema" => {
                        member.want_object()?;
                    }
                    _ => {}
                }
            }
            let hosted = tool.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind != "custom");
            if !hosted {
                tool.need("name")?;
                tool.need("input_schema")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::view;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::Place;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn finds_what_the_pipeline_needs() {
        let doc = doc(include_str!("../../fixtures/anthropic/request.json"));
        let view = view(&doc).unwrap();
        let (model, range) = view.model.unwrap();
        assert_eq!((model.as_str(), doc.slice(range)), ("claude-sonnet-5", "\"claude-sonnet-5\""));
        assert!(view.stream && view.wants_usage);
        assert_eq!(view.max_output_tokens, Some(2000));
        assert_eq!(view.user.as_deref(), Some("u-17"));
        assert_eq!(view.media, 2);
        let needs = view.needs;
        assert!(needs.tools && needs.images && needs.documents && needs.structured && needs.reasoning);
        let of = |place: Place| -> Vec<&str> {
            let here = view.spans.iter().filter(|span| span.place == place);
            here.map(|span| doc.slice(span.range.clone())).collect()
        };
        assert_eq!(of(Place::System), ["Be brief.", "Now in French."]);
        assert_eq!(of(Place::Output), ["Let me look.", "I look it up."]);
        assert_eq!(of(Place::ToolArguments), ["Rome", "km/h"]);
        assert_eq!(of(Place::ToolResult), ["12 degrees", "Plain."]);
        assert!(of(Place::Input).contains(&"Report"));
        assert_eq!(of(Place::ToolDefinition), ["weather", "Tells the weather.", "web_search"]);
        assert!(view.spans.is_sorted_by_key(|span| span.range.start));
    }

    #[test]
    fn what_is_malformed_is_refused_by_name() {
        let message = |content: &str, role: &str| {
            format!(r#"{{"model":"m","messages":[{{"role":"{role}","content":{content}}}]}}"#)
        };
        for (body, param) in [
            (r#"{"messages":[]}"#.to_owned(), "model"),
            (r#"{"model":"m"}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":[null]}"#.to_owned(), "messages[0]"),
            (r#"{"model":7,"messages":[1]}"#.to_owned(), "model"),
            (
                r#"{"model":"m","messages":[{"role":"user","content":"x"}],
                "output_config":{"format":{"type":"json_schema","schema":"{}"}}}"#
                    .to_owned(),
                "output_config.format.schema",
            ),
            (message(r#""x""#, "robot"), "messages[0].role"),
            (message("null", "user"), "messages[0].content"),
            (message("7", "user"), "messages[0].content"),
            (message("[null]", "user"), "messages[0].content[0]"),
            (message("[{}]", "user"), "messages[0].content[0].type"),
            (message(r#"[{"type":"text"}]"#, "user"), "messages[0].content[0].text"),
            (message(r#"[{"type":"text","Text":"x"}]"#, "user"), "messages[0].content[0].Text"),
            (message(r#"[{"type":"tool_use"}]"#, "user"), "messages[0].content[0]"),
            (
                message(r#"[{"type":"tool_result","tool_use_id":3}]"#, "user"),
                "messages[0].content[0].tool_use_id",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}"#.to_owned(),
                "stream",
            ),
            (
                r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"name":"a"}]}"#
                    .to_owned(),
                "tools[0].input_schema",
            ),
        ] {
            let error = view(&doc(&body)).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}: {}", error.message);
        }
    }
}
