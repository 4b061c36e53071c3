//! Reading and checking a Converse request.

use serde_json::Value;

use crate::conversation::{Choice, Conversation, Format, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text, unknown};
use crate::sign::{self, Kind};

const KNOWN: [&str; 12] = [
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];

/// Checks a body and reads what decides the answer.
pub(super) fn read(body: &Value, model: &str) -> Checked<Conversation> {
    if let Some(name) = unknown(body, &KNOWN).first() {
        return Err(Fault::bad(format!("The request has an unknown member: {name}")));
    }
    let mut conversation = Conversation::new(model);
    let system = list(body, "system");
    if !system.is_empty() {
        conversation.message();
    }
    system.iter().filter_map(|part| text(part, "text")).for_each(|said| conversation.hear(said));
    tools(body, &mut conversation)?;
    messages(body, &mut conversation)?;
    let inference = get(body, "inferenceConfig").unwrap_or(&Value::Null);
    conversation.max_tokens = get(inference, "maxTokens").and_then(Value::as_u64);
    let stops = list(inference, "stopSequences").iter().filter_map(Value::as_str);
    conversation.stop = stops.map(str::to_owned).collect();
    let more = get(body, "additionalModelRequestFields").unwrap_or(&Value::Null);
    let thinking = get(more, "thinking").and_then(|thinking| text(thinking, "type"));
    conversation.reasoning =
        thinking.is_some_and(|kind| kind != "disabled") || get(more, "reasoning_effort").is_some();
    if let Some(format) = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema") {
        let schema = format.as_str().and_then(|schema| serde_json::from_str(schema).ok());
        let schema = schema.ok_or_else(|| Fault::bad("The schema of the output is not a text with JSON."))?;
        conversation.format = Format::Schema(schema);
    }
    Ok(conversation)
}

fn tools(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let Some(config) = get(body, "toolConfig") else { return Ok(()) };
    for tool in list(config, "tools") {
        let Some(spec) = get(tool, "toolSpec") else { continue };
        let (name, schema) = (text(spec, "name"), spec.pointer("/inputSchema/json"));
        let (Some(name), Some(schema)) = (name, schema) else {
            return Err(Fault::bad("A toolSpec needs a name and an inputSchema."));
        };
        conversation.tools.push(Tool { name: name.to_owned(), schema: schema.clone() });
    }
    if conversation.tools.is_empty() {
        return Err(Fault::bad("toolConfig.tools must have at least one tool."));
    }
    if let Some(choice) = get(config, "toolChoice") {
        conversation.choice = match get(choice, "tool").and_then(|tool| text(tool, "name")) {
            Some(name) => Choice::Named(name.to_owned()),
            None if get(choice, "any").is_some() => Choice::Any,
            None => Choice::Auto,
        };
    }
    Ok(())
}

fn messages(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let mut expected = "user";
    let has_tools = !conversation.tools.is_empty();
    for message in list(body, "messages") {
        let role = text(message, "role").unwrap_or_default();
        if role != expected {
            let said = "A conversation must alternate between user and assistant roles, and start with a user message.";
            return Err(Fault::bad(said));
        }
        expected = if role == "user" { "assistant" } else { "user" };
        conversation.message();
        let content = list(message, "content");
        if content.is_empty() {
            return Err(Fault::bad("The content field in the Message object is empty."));
        }
        let answers = content.iter().any(|block| get(block, "toolResult").is_some());
        if role == "user" && !answers {
            conversation.user_begins();
        }
        let has = |name: &str| content.iter().any(|block| get(block, name).is_some());
        if has("document") && !has("text") {
            return Err(Fault::bad("A text block is required beside a document."));
        }
        for block in content {
            if !has_tools && (get(block, "toolUse").is_some() || get(block, "toolResult").is_some()) {
                let said =
                    "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
                return Err(Fault::bad(said));
            }
            read_block(block, role, conversation)?;
        }
    }
    if list(body, "messages").is_empty() {
        return Err(Fault::bad("The messages field is empty."));
    }
    Ok(())
}

fn read_block(block: &Value, role: &str, conversation: &mut Conversation) -> Checked<()> {
    if let Some(said) = text(block, "text") {
        if said.trim().is_empty() {
            return Err(Fault::bad("The text field in the ContentBlock object is blank."));
        }
        if role == "user" {
            conversation.user_says(said);
        } else {
            conversation.hear(said);
        }
    } else if let Some(result) = get(block, "toolResult") {
        let said: Vec<&str> = list(result, "content").iter().filter_map(|part| text(part, "text")).collect();
        conversation.tool_says(&said.join(" "));
    } else if let Some(shown) = block.pointer("/reasoningContent/reasoningText") {
        let (said, signature) = (text(shown, "text"), text(shown, "signature"));
        if !sign::verify(Kind::Thinking, said.unwrap_or_default(), signature.unwrap_or_default()) {
            return Err(Fault::bad("The signature of a reasoningContent block is invalid."));
        }
    } else if get(block, "image").is_some() {
        conversation.images += 1;
    } else if ["document", "audio", "video"].iter().any(|kind| get(block, kind).is_some()) {
        conversation.files += 1;
    }
    Ok(())
}
