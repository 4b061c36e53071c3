//! What the pipeline needs of a request, in one walk that checks the shape as well.

use super::media::{self, Family};
use super::member::{check, each, get, whole};
use crate::codec::{Needs, View};
use crate::json::Node;
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;

/// Members of a request. `model` stands in the body of wrapped requests only.
pub(super) const ROOT: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
    "model",
    "store",
];
/// Members of a content.
const CONTENT: &[&str] = &["role", "parts"];
/// Members of a part.
const PART: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "thought",
    "thoughtSignature",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
];
const BLOB: &[&str] = &["mimeType", "data", "fileUri", "displayName"];
const CALL: &[&str] = &["id", "name", "args", "partialArgs", "willContinue", "toolType"];
const RESPONSE: &[&str] = &["id", "name", "response", "parts", "willContinue", "scheduling", "toolType"];
const DECLARATION: &[&str] = &[
    "name",
    "description",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
    "behavior",
];
/// Members of `generationConfig`.
pub(super) const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
    "responseModalities",
    "responseLogprobs",
    "logprobs",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "audioTimestamp",
    "enableEnhancedCivicAnswers",
];
const THINKING: &[&str] = &["includeThoughts", "thinkingBudget", "thinkingLevel"];
const CALLING: &[&str] = &["mode", "allowedFunctionNames", "streamFunctionCallArguments"];

#[derive(Default)]
struct Walk {
    spans: Vec<Span>,
    needs: Needs,
    media: u32,
}

/// Walks over a request.
pub(super) fn view(root: Node<'_>) -> Result<View, Error> {
    check(root, ROOT)?;
    let mut walk = Walk::default();
    if let Some(system) = get(root, "systemInstruction") {
        check(system, CONTENT)?;
        walk.parts(system, Place::System)?;
    }
    walk.contents(root)?;
    for tool in each(get(root, "tools")) {
        walk.tool(tool)?;
    }
    let mut view = View { wants_usage: true, ..View::default() };
    if let Some(config) = get(root, "generationConfig") {
        view.max_output_tokens = walk.config(config)?;
        view.choices = get(config, "candidateCount").and_then(whole).unwrap_or_default();
    }
    tool_config(root)?;
    if let Some(labels) = get(root, "labels") {
        for (name, value) in labels.want_object()?.members() {
            view.metadata.push((name.into_owned(), value.want_str()?.into_owned()));
        }
    }
    view.service_tier = get(root, "serviceTier")
        .map(|tier| tier.want_str().map(|tier| tier.to_ascii_lowercase()))
        .transpose()?;
    (view.spans, view.needs, view.media) = (walk.spans, walk.needs, walk.media);
    Ok(view)
}

/// Every string inside `node`, however deep.
pub(super) fn strings(node: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    if node.is_str() {
        if !node.is_empty() {
            spans.push(Span { range: node.inner_range(), place });
        }
    } else if node.is_array() {
        node.items().for_each(|item| strings(item, place, spans));
    } else {
        node.members().for_each(|(_, value)| strings(value, place, spans));
    }
}

fn tool_config(root: Node<'_>) -> Result<(), Error> {
    let Some(config) = get(root, "toolConfig") else { return Ok(()) };
    check(config, &["functionCallingConfig", "retrievalConfig"])?;
    let Some(calling) = get(config, "functionCallingConfig") else { return Ok(()) };
    check(calling, CALLING)?;
    if let Some(mode) = get(calling, "mode") {
        mode.want_str()?;
    }
    each(get(calling, "allowedFunctionNames")).try_for_each(|name| name.want_str().map(|_| ()))
}

// === impl Walk ===

impl Walk {
    fn contents(&mut self, root: Node<'_>) -> Result<(), Error> {
        let contents = match get(root, "contents") {
            Some(contents) => contents,
            None => root.need("contents")?,
        };
        if contents.is_array() && contents.is_empty() {
            return Err(contents.wrong("must hold at least one content"));
        }
        for content in each(Some(contents)) {
            check(content, CONTENT)?;
            let place = match get(content, "role").map(|role| role.want_str()).transpose()?.as_deref() {
                None | Some("user" | "function") => Place::Input,
                Some("model") => Place::Output,
                Some(_) => {
                    let role = get(content, "role").unwrap_or(content);
                    return Err(role.wrong("must be \"user\" or \"model\""));
                }
            };
            if each(get(content, "parts")).next().is_none() {
                return Err(content.wrong("must have at least one of \"parts\""));
            }
            self.parts(content, place)?;
        }
        Ok(())
    }

    fn parts(&mut self, content: Node<'_>, place: Place) -> Result<(), Error> {
        if let Some(parts) = get(content, "parts")
            && !parts.is_array()
        {
            parts.want_object()?;
        }
        each(get(content, "parts")).try_for_each(|part| self.part(part, place))
    }

    fn part(&mut self, part: Node<'_>, place: Place) -> Result<(), Error> {
        check(part, PART)?;
        let mut kinds = 0;
        for (name, value) in part.members().filter(|(_, value)| !value.is_null()) {
            kinds += 1;
            match name.as_ref() {
                "text" => {
                    value.want_str()?;
                    strings(value, place, &mut self.spans);
                }
                "inlineData" | "inline_data" => self.blob(value, "data")?,
                "fileData" | "file_data" => self.blob(value, "fileUri")?,
                "functionCall" | "function_call" | "toolCall" | "tool_call" => self.call(value)?,
                "functionResponse" | "function_response" | "toolResponse" | "tool_response" => {
                    self.response(value)?;
                }
                "executableCode" | "executable_code" => strings(value.want_object()?, place, &mut self.spans),
                "codeExecutionResult" | "code_execution_result" => {
                    strings(value.want_object()?, Place::ToolResult, &mut self.spans);
                }
                "thoughtSignature" | "thought_signature" => {
                    value.want_str()?;
                    kinds -= 1;
                }
                "thought" => {
                    value.want_bool()?;
                    kinds -= 1;
                }
                _ => kinds -= 1,
            }
        }
        if kinds > 1 {
            return Err(part.wrong("must hold one kind of data"));
        }
        Ok(())
    }

    fn blob(&mut self, blob: Node<'_>, place: &str) -> Result<(), Error> {
        check(blob, BLOB)?;
        let mime = get(blob, "mimeType").map(|mime| mime.want_str()).transpose()?;
        match get(blob, place) {
            Some(data) => data.want_str()?,
            None => blob.need(place)?.want_str()?,
        };
        if let Some(name) = get(blob, "displayName") {
            name.want_str()?;
            strings(name, Place::Input, &mut self.spans);
        }
        self.media = self.media.saturating_add(1);
        match media::family(mime.as_deref().unwrap_or_default()) {
            Family::Image => self.needs.images = true,
            Family::Audio => self.needs.audio = true,
            Family::Document => self.needs.documents = true,
            Family::Video => {}
        }
        Ok(())
    }

    fn call(&mut self, call: Node<'_>) -> Result<(), Error> {
        check(call, CALL)?;
        for name in ["id", "name"] {
            if let Some(value) = get(call, name) {
                value.want_str()?;
            }
        }
        if let Some(args) = get(call, "args") {
            strings(args.want_object()?, Place::ToolArguments, &mut self.spans);
        }
        if let Some(partial) = get(call, "partialArgs") {
            strings(partial, Place::ToolArguments, &mut self.spans);
        }
        Ok(())
    }

    fn response(&mut self, response: Node<'_>) -> Result<(), Error> {
        check(response, RESPONSE)?;
        for name in ["id", "name"] {
            if let Some(value) = get(response, name) {
                value.want_str()?;
            }
        }
        if let Some(said) = get(response, "response") {
            strings(said.want_object()?, Place::ToolResult, &mut self.spans);
        }
        self.parts(response, Place::ToolResult)
    }

    fn tool(&mut self, tool: Node<'_>) -> Result<(), Error> {
        check(tool, &["functionDeclarations"])?;
        for declaration in each(get(tool, "functionDeclarations")) {
            check(declaration, DECLARATION)?;
            self.needs.tools = true;
            let name = declaration.need("name")?;
            name.want_str()?;
            strings(name, Place::ToolDefinition, &mut self.spans);
            if let Some(description) = get(declaration, "description") {
                description.want_str()?;
                strings(description, Place::ToolDefinition, &mut self.spans);
            }
            for schema in ["parameters", "parametersJsonSchema"] {
                if let Some(schema) = get(declaration, schema) {
                    self.descriptions(schema.want_object()?);
                }
            }
        }
        Ok(())
    }

    /// The descriptions inside a schema: the model reads them as it reads the tool's own.
    fn descriptions(&mut self, schema: Node<'_>) {
        for (name, value) in schema.members() {
            if name == "description" && value.is_str() {
                strings(value, Place::ToolDefinition, &mut self.spans);
            } else {
                self.descriptions(value);
            }
        }
        schema.items().for_each(|item| self.descriptions(item));
    }

    /// Checks `generationConfig`; the limit of the answer.
    fn config(&mut self, config: Node<'_>) -> Result<Option<u64>, Error> {
        check(config, CONFIG)?;
        for name in ["temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "seed"] {
            if let Some(value) = get(config, name) {
                value.want_number()?;
            }
        }
        for name in ["maxOutputTokens", "candidateCount", "topK"] {
            if let Some(value) = get(config, name).filter(|value| whole(*value).is_none()) {
                value.want_u64()?;
            }
        }
        if let Some(mime) = get(config, "responseMimeType") {
            mime.want_str()?;
        }
        for name in ["stopSequences", "responseModalities"] {
            each(get(config, name)).try_for_each(|text| text.want_str().map(|_| ()))?;
        }
        for name in ["responseSchema", "responseJsonSchema"] {
            if let Some(schema) = get(config, name) {
                schema.want_object()?;
                self.needs.structured = true;
            }
        }
        let speaks = |text: Node<'_>| text.str().is_some_and(|text| text.eq_ignore_ascii_case("audio"));
        self.needs.audio |= each(get(config, "responseModalities")).any(speaks);
        if let Some(thinking) = get(config, "thinkingConfig") {
            self.needs.reasoning = thinks(thinking)?;
        }
        Ok(get(config, "maxOutputTokens").and_then(whole))
    }
}

/// Checks `thinkingConfig`; whether it asks for thoughts.
fn thinks(thinking: Node<'_>) -> Result<bool, Error> {
    check(thinking, THINKING)?;
    let shown = get(thinking, "includeThoughts").map(|shown| shown.want_bool()).transpose()?;
    let level = get(thinking, "thinkingLevel").map(|level| level.want_str()).transpose()?;
    let budget = get(thinking, "thinkingBudget").map(|budget| budget.want_number()).transpose()?;
    Ok(shown == Some(true) || level.is_some() || budget.is_some_and(|budget| budget != "0"))
}
