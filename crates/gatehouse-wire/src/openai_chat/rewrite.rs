//! A request of the dialect made fit for another server of the family, by edits of its bytes.

use super::edits::{append, rename, replace};
use super::quirks::{refusal, says_nothing, tool_id};
use crate::chat::Origin;
use crate::codec::{MaxTokens, Quirks, Rewrite, Target, ToolIds, View};
use crate::cut::cut;
use crate::json::{Doc, Node, escaped};
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;

/// What asks for the usage in a stream.
const ASK_FOR_USAGE: &str = "\"stream_options\":{\"include_usage\":true}";

struct Rewriter<'a> {
    doc: &'a Doc,
    quirks: &'a Quirks,
    edits: Vec<Edit>,
    dropped: Vec<String>,
}

/// Makes a request fit for `target`.
pub(super) fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut rewriter = Rewriter { doc, quirks: target.quirks, edits: Vec::new(), dropped: Vec::new() };
    if let Some((_, range)) = view.model.as_ref().filter(|(name, _)| name != target.model) {
        rewriter.edits.push(Edit { range: range.clone(), with: quoted(target.model).into() });
    }
    rewriter.root(view.stream)?;
    rewriter.messages();
    rewriter.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    Ok(Rewrite { edits: rewriter.edits, dropped: rewriter.dropped })
}

fn quoted(text: &str) -> Vec<u8> {
    [b"\"".as_slice(), &escaped(text), b"\""].concat()
}

// === impl Rewriter ===

impl Rewriter<'_> {
    fn root(&mut self, stream: bool) -> Result<(), Error> {
        let (quirks, root) = (self.quirks, self.doc.root());
        let (limit, other_limit) = match quirks.max_tokens {
            MaxTokens::CompletionTokens => ("max_completion_tokens", "max_tokens"),
            MaxTokens::Tokens => ("max_tokens", "max_completion_tokens"),
        };
        let other_seed = if quirks.seed == "seed" { "random_seed" } else { "seed" };
        let has_limit = root.get(limit).is_some();
        let has_seed = root.get(quirks.seed).is_some();
        let mut unwanted: Vec<String> = Vec::new();
        for (name, value) in root.members() {
            match name.as_ref() {
                one if quirks.refuse.contains(&one) => {
                    if !says_nothing(one, value) {
                        return Err(Error::unsupported(one, refusal(one)));
                    }
                    unwanted.push(one.to_owned());
                }
                one if quirks.drop.contains(&one) => self.leave_out(one, value, &mut unwanted),
                "reasoning_effort" if !quirks.reasoning_effort => {
                    self.leave_out("reasoning_effort", value, &mut unwanted);
                }
                "stream_options" if !quirks.stream_options => {
                    self.leave_out("stream_options", value, &mut unwanted);
                }
                one if one == other_limit && has_limit => self.leave_out(one, value, &mut unwanted),
                one if one == other_limit => self.edits.push(rename(self.doc, value, limit)),
                one if one == other_seed && has_seed => self.leave_out(one, value, &mut unwanted),
                one if one == other_seed => self.edits.push(rename(self.doc, value, quirks.seed)),
                "tool_choice" => self.tool_choice(value),
                "response_format" if !quirks.json_schema => refuse_schema(value)?,
                "stream_options" if stream => self.stream_options(value),
                _ => {}
            }
        }
        if !unwanted.is_empty() {
            cut(self.doc, root, |name| unwanted.iter().any(|one| one == name), &mut self.edits);
        }
        if stream && quirks.stream_options && root.get("stream_options").is_none() {
            self.edits.push(append(root, false, ASK_FOR_USAGE));
        }
        Ok(())
    }

    /// Takes a member out, and names it when it said something.
    fn leave_out(&mut self, name: &str, value: Node<'_>, unwanted: &mut Vec<String>) {
        unwanted.push(name.to_owned());
        if !says_nothing(name, value) {
            self.dropped.push(name.to_owned());
        }
    }

    /// Asks for the usage where the caller did not.
    fn stream_options(&mut self, options: Node<'_>) {
        match options.get("include_usage") {
            Some(asked) if asked.bool() == Some(true) => {}
            Some(asked) => self.edits.push(replace(asked, "true")),
            None if options.is_object() => {
                self.edits.push(append(options, options.is_empty(), "\"include_usage\":true"));
            }
            None => self.edits.push(replace(options, "{\"include_usage\":true}")),
        }
    }

    fn tool_choice(&mut self, choice: Node<'_>) {
        let forced = choice.str().is_some_and(|word| matches!(word.as_ref(), "required" | "any"));
        if forced && choice.str().is_some_and(|word| word != self.quirks.forced_tool) {
            self.edits.push(replace(choice, format!("\"{}\"", self.quirks.forced_tool)));
        }
    }

    fn messages(&mut self) {
        let Some(messages) = self.doc.root().get("messages") else { return };
        for message in messages.items() {
            let role = message.get("role");
            let word = role.and_then(|role| role.str()).unwrap_or_default();
            if let Some(role) = role.filter(|_| word == "developer" && !self.quirks.developer_role) {
                self.edits.push(replace(role, "\"system\""));
            }
            if word == "assistant" {
                message.opt("tool_calls").iter().flat_map(Node::items).for_each(|call| self.tool_call(call));
            } else if let Some(id) = message.get("tool_call_id") {
                self.tool_id(id);
            }
            self.take_out_of(message, word == "assistant");
        }
    }

    fn tool_call(&mut self, call: Node<'_>) {
        if let Some(id) = call.get("id") {
            self.tool_id(id);
        }
        if self.quirks.seals != Some(Origin::Gemini) {
            self.take_out(call, &|name| name == "extra_content");
        }
    }

    fn tool_id(&mut self, id: Node<'_>) {
        if self.quirks.tool_ids == ToolIds::Any {
            return;
        }
        let own = id.str().unwrap_or_default();
        let fit = tool_id(&own, self.quirks);
        if fit != own {
            self.edits.push(replace(id, format!("\"{fit}\"")));
        }
    }

    /// Takes out of a message what the server does not know: seals of other makers first of all.
    fn take_out_of(&mut self, message: Node<'_>, by_model: bool) {
        let quirks = self.quirks;
        self.take_out(message, &|name| match name {
            "thinking_blocks" => by_model,
            "reasoning_details" => by_model && quirks.seals != Some(Origin::OpenRouter),
            "extra_content" => by_model && quirks.seals != Some(Origin::Gemini),
            "role" | "content" | "tool_calls" | "tool_call_id" => false,
            name => quirks.drop.contains(&name),
        });
    }

    fn take_out(&mut self, object: Node<'_>, unwanted: &dyn Fn(&str) -> bool) {
        let found: Vec<_> = object.members().filter(|(name, _)| unwanted(name)).collect();
        if found.is_empty() {
            return;
        }
        self.dropped
            .extend(found.iter().filter(|(_, value)| !value.is_null()).map(|(_, value)| value.name()));
        cut(self.doc, object, unwanted, &mut self.edits);
    }
}

/// A schema cannot be left out: the caller would get an answer of another form.
fn refuse_schema(format: Node<'_>) -> Result<(), Error> {
    match format.opt("type").and_then(|kind| kind.str()) {
        Some(kind) if kind == "json_schema" => {
            Err(Error::unsupported("response_format", refusal("response_format of type json_schema")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::view;
    use super::rewrite;
    use crate::chat::Origin;
    use crate::codec::{Quirks, Rewrite, Target, ToolIds};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use gatehouse_core::deployment::Capabilities;
    use gatehouse_core::error::Error;

    const MISTRAL: Quirks = Quirks {
        stream_options: false,
        tool_ids: ToolIds::NineAlphanumeric,
        forced_tool: "any",
        seed: "random_seed",
        drop: &["user", "name", "reasoning_content"],
        refuse: &["logprobs"],
        json_schema: false,
        ..Quirks::COMPATIBLE
    };

    fn run(body: &str, quirks: &Quirks) -> Result<(String, Vec<String>), Error> {
        let doc = Doc::parse(Bytes::copy_from_slice(body.as_bytes()), Strictness::Caller).unwrap();
        let view = view(&doc)?;
        let target = Target { model: "m\"2", capabilities: Capabilities::default(), quirks };
        let Rewrite { edits, dropped } = rewrite(&doc, &view, &target)?;
        Ok((String::from_utf8(splice(doc.bytes(), &edits).to_vec()).unwrap(), dropped))
    }

    #[test]
    fn only_the_model_changes_where_nothing_else_must() {
        let body = r#" { "x":1, "model" : "a" ,"messages":[{"role":"developer","content":"\u00e9"}] }"#;
        let expected =
            r#" { "x":1, "model" : "m\"2" ,"messages":[{"role":"developer","content":"\u00e9"}] }"#;
        assert_eq!(run(body, &Quirks::NONE), Ok((expected.to_owned(), Vec::new())));
    }

    #[test]
    fn usage_is_asked_for_in_streams_whatever_the_caller_wrote() {
        let asked = r#""stream_options":{"include_usage":true}"#;
        for (options, expected) in [
            (String::new(), format!(",{asked}")),
            (r#","stream_options":{}"#.to_owned(), format!(",{asked}")),
            (r#","stream_options":null"#.to_owned(), format!(",{asked}")),
            (r#","stream_options":{"include_usage":false}"#.to_owned(), format!(",{asked}")),
            (format!(",{asked}"), format!(",{asked}")),
            (
                r#","stream_options":{"include_obfuscation":false}"#.to_owned(),
                r#","stream_options":{"include_obfuscation":false,"include_usage":true}"#.to_owned(),
            ),
        ] {
            let body = |tail: &str, model: &str| {
                format!(
                    r#"{{"model":{model},"stream":true,"messages":[{{"role":"user","content":"hi"}}]{tail}}}"#
                )
            };
            let (sent, dropped) = run(&body(&options, "\"a\""), &Quirks::NONE).unwrap();
            assert_eq!(sent, body(&expected, r#""m\"2""#), "{options}");
            assert!(dropped.is_empty());
        }
    }

    #[test]
    fn a_server_gets_its_own_names_and_ids() {
        let body = r#"{"model":"a","stream":true,"max_completion_tokens":5,"seed":1,"user":"u",
            "tool_choice":"required","stream_options":{"include_usage":true},"messages":[
            {"role":"developer","content":"x","name":"n"},
            {"role":"assistant","reasoning_content":"hm","thinking_blocks":[{}],"tool_calls":[{"id":"call_1",
             "extra_content":{"google":{}},"function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"call_1","content":"ok"}]}"#;
        let (sent, dropped) = run(body, &MISTRAL).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["max_tokens"], 5);
        assert_eq!(sent["random_seed"], 1);
        assert_eq!(sent["tool_choice"], "any");
        assert_eq!(sent["messages"][0], serde_json::json!({"role":"system","content":"x"}));
        let call = &sent["messages"][1]["tool_calls"][0];
        assert_eq!(call["id"].as_str().map(str::len), Some(9));
        assert_eq!(call["id"], sent["messages"][2]["tool_call_id"]);
        assert_eq!(call["extra_content"], serde_json::Value::Null);
        assert_eq!(sent["messages"][1].as_object().unwrap().len(), 2);
        for gone in ["user", "seed", "max_completion_tokens", "stream_options"] {
            assert_eq!(sent.get(gone), None, "{gone}");
        }
        assert_eq!(
            dropped,
            [
                "user",
                "stream_options",
                "messages[0].name",
                "messages[1].tool_calls[0].extra_content",
                "messages[1].reasoning_content",
                "messages[1].thinking_blocks"
            ]
        );
    }

    #[test]
    fn seals_stay_with_their_makers() {
        let body = r#"{"model":"a","messages":[
            {"role":"assistant","content":"x","reasoning_details":[{"data":"s"}]}]}"#;
        let openrouter = Quirks { seals: Some(Origin::OpenRouter), ..Quirks::COMPATIBLE };
        assert!(run(body, &openrouter).unwrap().1.is_empty());
        assert_eq!(run(body, &Quirks::NONE).unwrap().1, ["messages[0].reasoning_details"]);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_unless_it_says_nothing() {
        let with = |tail: &str| {
            let body = format!(r#"{{"model":"a","messages":[{{"role":"user","content":"hi"}}],{tail}}}"#);
            run(&body, &MISTRAL)
        };
        assert_eq!(with(r#""logprobs":true"#).unwrap_err().param.as_deref(), Some("logprobs"));
        assert_eq!(with(r#""logprobs":false"#).unwrap().1, Vec::<String>::new());
        assert!(with(r#""response_format":{"type":"json_schema","json_schema":{"name":"a"}}"#).is_err());
        assert!(with(r#""response_format":{"type":"json_object"}"#).is_ok());
    }
}
