//! The conversation of a request, read.

use super::parts::{self, cache_mark, opaque};
use super::{members, reasoning};
use crate::chat::{Block, Extension, Part, Thought, ToolCall, ToolResult, Turn, Weight};
use crate::free_form;
use crate::json::Node;
use gatehouse_core::error::Error;

/// The calls that results answer, so that each result knows its tool's name.
#[derive(Debug, Default)]
struct Calls {
    /// Ids and names, in order.
    seen: Vec<(String, String)>,
}

/// Reads `messages`.
pub(super) fn read(list: Node<'_>) -> Result<Vec<Turn>, Error> {
    if list.want_array()?.is_empty() {
        return Err(list.wrong("must not be empty"));
    }
    let mut turns: Vec<Turn> = Vec::new();
    let mut calls = Calls::default();
    for (at, message) in list.items().enumerate() {
        let message = message.want_object()?;
        let role = message.need("role")?;
        match role.want_str()?.as_ref() {
            "system" | "developer" => turns.push(Turn::System(said(message)?)),
            "user" => turns.push(Turn::User(said(message)?)),
            "assistant" => {
                let blocks = assistant(message, at)?;
                calls.learn(&blocks);
                turns.push(Turn::Assistant(blocks));
            }
            "tool" | "function" => {
                let result = result(message, &calls)?;
                match turns.last_mut() {
                    Some(Turn::ToolResults(results)) => results.push(result),
                    _ => turns.push(Turn::ToolResults(vec![result])),
                }
            }
            _ => return Err(role.wrong("must be one of system, developer, user, assistant, tool, function")),
        }
    }
    Ok(turns)
}

// === impl Calls ===

impl Calls {
    fn learn(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let Block::ToolCall(call) = block {
                self.seen.push((call.id.clone(), call.name.clone()));
            }
        }
    }

    /// The tool that the latest call of this id is of.
    fn name_of(&self, id: &str) -> Option<String> {
        self.seen.iter().rev().find(|(own, _)| own == id).map(|(_, name)| name.clone())
    }

    /// The latest call of a tool: legacy results name the tool alone.
    fn id_of(&self, name: &str) -> Option<String> {
        self.seen.iter().rev().find(|(_, own)| own == name).map(|(id, _)| id.clone())
    }
}

/// What somebody other than the model said: the content, and members that only this dialect knows.
fn said(message: Node<'_>) -> Result<Vec<Part>, Error> {
    let mut parts = parts::read(message.need("content")?)?;
    if let (Some(mark), Some(Part::Text { cache, .. })) = (cache_mark(message), parts.last_mut()) {
        *cache = cache.or(Some(mark));
    }
    parts.extend(extras(message).map(Part::Opaque));
    Ok(parts)
}

/// Members of a message that have no place of their own, such as `name` or Mistral's `prefix`.
fn extras(message: Node<'_>) -> impl Iterator<Item = Extension> {
    message
        .members()
        .filter(|(name, value)| !value.is_null() && !members::MESSAGE.contains(&name.as_ref()))
        .map(|(name, value)| {
            // An audio answer of earlier is what the model said; the rest is decoration.
            opaque(value, if name == "audio" { Weight::Meaning } else { Weight::Hint })
        })
}

fn assistant(message: Node<'_>, at: usize) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    match message.opt("content") {
        None => {}
        Some(content) if content.is_str() => {
            let text = content.want_str()?;
            if !text.is_empty() {
                blocks.push(Block::text(text));
            }
        }
        Some(content) => {
            for part in content.want_array()?.items() {
                blocks.push(said_by_model(part)?);
            }
        }
    }
    if let Some(Block::Text { seal, cache, .. }) = blocks.last_mut() {
        *seal = reasoning::read_signature(message);
        *cache = cache.or(cache_mark(message));
    } else if let Some(seal) = reasoning::read_signature(message) {
        blocks.push(Block::Text { text: String::new(), seal: Some(seal), cache: None });
    }
    if let Some(refusal) = message.opt("refusal") {
        blocks.push(Block::Refusal(refusal.want_str()?.into_owned()));
    }
    if let Some(calls) = message.opt("tool_calls") {
        for call in calls.want_array()?.items() {
            blocks.push(tool_call(call)?);
        }
    }
    if let Some(call) = message.opt("function_call") {
        let (name, arguments) = called(call)?;
        blocks.push(Block::ToolCall(ToolCall {
            id: format!("call_{at}"),
            name,
            arguments,
            ..ToolCall::default()
        }));
    }
    reasoning::place(&mut blocks, reasoning::read(message));
    blocks.extend(extras(message).map(Block::Opaque));
    Ok(blocks)
}

/// A part of the model's content: text, a refusal, Mistral's thinking.
fn said_by_model(part: Node<'_>) -> Result<Block, Error> {
    match part.want_object()?.need("type")?.want_str()?.as_ref() {
        "refusal" => Ok(Block::Refusal(part.need("refusal")?.want_str()?.into_owned())),
        "thinking" => Ok(Block::Thought(Thought { text: thinking_text(part), ..Thought::default() })),
        _ => Ok(match parts::part(part)? {
            Part::Text { text, cache } => Block::Text { text, seal: None, cache },
            Part::Media(_) | Part::Opaque(_) => Block::Opaque(opaque(part, Weight::Meaning)),
        }),
    }
}

/// The text of one of Mistral's thinking parts: a list of texts, or one.
pub(super) fn thinking_text(part: Node<'_>) -> String {
    let Some(thinking) = part.opt("thinking") else { return String::new() };
    if let Some(text) = thinking.str() {
        return text.into_owned();
    }
    thinking.items().filter_map(|piece| piece.opt("text")?.str().map(String::from)).collect()
}

fn tool_call(call: Node<'_>) -> Result<Block, Error> {
    let call = call.want_object()?;
    let id = call.need("id")?.want_str()?.into_owned();
    if let Some(custom) = call.opt("custom") {
        let (name, _) = called(custom)?;
        let arguments = free_form::arguments(&custom.need("input")?.want_str()?);
        return Ok(Block::ToolCall(ToolCall { id, name, arguments, seal: None, cache: None }));
    }
    let (name, arguments) = called(call.need("function")?)?;
    Ok(Block::ToolCall(ToolCall { id, name, arguments, seal: reasoning::read_signature(call), cache: None }))
}

fn called(function: Node<'_>) -> Result<(String, String), Error> {
    let name = function.want_object()?.need("name")?.want_str()?.into_owned();
    let arguments = function.opt("arguments").map(|arguments| arguments.want_str()).transpose()?;
    Ok((name, arguments.unwrap_or_default().into_owned()))
}

fn result(message: Node<'_>, calls: &Calls) -> Result<ToolResult, Error> {
    let given = message.opt("name").map(|name| name.want_str()).transpose()?.map(String::from);
    let call_id = match message.opt("tool_call_id") {
        Some(id) => id.want_str()?.into_owned(),
        // The role `function` names the tool alone.
        None => {
            let name = message.need("name")?.want_str()?;
            calls.id_of(&name).ok_or_else(|| message.wrong("answers a function that was not called"))?
        }
    };
    let parts = match message.opt("content") {
        Some(content) => parts::read(content)?,
        None if message.opt("tool_call_id").is_some() => parts::read(message.need("content")?)?,
        None => Vec::new(),
    };
    let name = calls.name_of(&call_id).or(given);
    Ok(ToolResult { call_id, name, is_error: false, parts, cache: cache_mark(message) })
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::chat::{Block, Origin, Part, Turn};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn of(text: &'static str) -> Vec<Turn> {
        read(Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap().root()).unwrap()
    }

    #[test]
    fn results_of_one_batch_are_one_turn_and_know_their_tools() {
        let turns = of(r#"[
            {"role":"assistant","content":null,"tool_calls":[
             {"id":"1","type":"function","function":{"name":"f","arguments":"{}"},
              "extra_content":{"google":{"thought_signature":"sig"}}},
             {"id":"2","type":"function","function":{"name":"g","arguments":""}}]},
            {"role":"tool","tool_call_id":"2","content":"two"},
            {"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"one"}]},
            {"role":"user","content":"and?","name":"bob"}]"#);
        let [Turn::Assistant(calls), Turn::ToolResults(results), Turn::User(user)] = turns.as_slice() else {
            panic!("{turns:?}");
        };
        assert!(matches!(&calls[0], Block::ToolCall(call)
            if call.seal.as_ref().is_some_and(|seal| seal.origin == Origin::Gemini && seal.value == "sig")));
        let names: Vec<_> = results.iter().map(|result| result.name.as_deref()).collect();
        assert_eq!(names, [Some("g"), Some("f")]);
        assert!(matches!(&user[1], Part::Opaque(name) if name.path == "[3].name"));
    }

    #[test]
    fn legacy_functions_are_calls_and_results() {
        let turns =
            of(r#"[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
            {"role":"function","name":"f","content":"ok"}]"#);
        let [Turn::Assistant(calls), Turn::ToolResults(results)] = turns.as_slice() else {
            panic!("{turns:?}")
        };
        assert!(matches!(&calls[0], Block::ToolCall(call) if call.id == results[0].call_id));
    }
}
