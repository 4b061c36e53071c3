//! The six fronts that hold conversations: how each is asked, and what its answers say.

use crate::client::{Answer, Ask};
use serde_json::{Value, json};

/// A caller's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Chat,
    Responses,
    Messages,
    Gemini,
    Cohere,
    Converse,
}

/// All of them, with the kind of provider that speaks the same dialect.
pub(crate) const FRONTS: [(Front, &str); 6] = [
    (Front::Chat, "openai"),
    (Front::Responses, "openai"),
    (Front::Messages, "anthropic"),
    (Front::Gemini, "gemini"),
    (Front::Cohere, "cohere"),
    (Front::Converse, "bedrock"),
];

/// What an answer says, in no dialect's words.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Names and arguments of the calls of tools.
    pub(crate) calls: Vec<(String, Value)>,
    /// Tokens of input and output.
    pub(crate) usage: (u64, u64),
}

/// The arguments of the tools in tests.
pub(crate) fn weather() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"], "additionalProperties": false})
}

/// Adds members to an object.
pub(crate) fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

// === impl Front ===

impl Front {
    /// A request with one text of the user and these members beside it.
    pub(crate) fn ask_with(self, model: &str, text: &str, stream: bool, more: &Value) -> Ask {
        let user = json!([{"role": "user", "content": text}]);
        let body = match self {
            Self::Chat | Self::Cohere => json!({"model": model, "messages": user, "stream": stream}),
            Self::Responses => json!({"model": model, "input": user, "stream": stream, "store": false}),
            Self::Messages => json!({"model": model, "messages": user, "stream": stream, "max_tokens": 500}),
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            Self::Converse => json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
        };
        self.ask_body(model, stream, &with(body, more))
    }

    /// A request with this body.
    pub(crate) fn ask_body(self, model: &str, stream: bool, body: &Value) -> Ask {
        match self {
            Self::Chat => Ask::post("/v1/chat/completions", body),
            Self::Responses => Ask::post("/v1/responses", body),
            Self::Messages => Ask::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            Self::Cohere => Ask::post("/v2/chat", body),
            Self::Gemini if stream => {
                Ask::post(format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), body)
            }
            Self::Gemini => Ask::post(format!("/v1beta/models/{model}:generateContent"), body),
            Self::Converse => {
                let (model, call) =
                    (model.replace('/', "%2F"), if stream { "converse-stream" } else { "converse" });
                Ask::post(format!("/model/{model}/{call}"), body)
            }
        }
    }

    pub(crate) fn ask(self, model: &str, text: &str) -> Ask {
        self.ask_with(model, text, false, &json!({}))
    }

    pub(crate) fn stream(self, model: &str, text: &str) -> Ask {
        let usage = json!({"stream_options": {"include_usage": true}});
        self.ask_with(model, text, true, &if self == Self::Chat { usage } else { json!({}) })
    }

    /// What an answer in one piece says.
    pub(crate) fn said(self, answer: &Value) -> Said {
        let mut said = Said::default();
        match self {
            Self::Chat => said.chat_message(&answer["choices"][0]["message"], &answer["usage"]),
            Self::Responses => said.output_items(answer),
            Self::Messages => said.blocks(&answer["content"], &answer["usage"]),
            Self::Gemini => said.chunk(answer),
            Self::Cohere => said.message(&answer["message"], &answer["usage"]),
            Self::Converse => said.converse(answer),
        }
        said
    }

    /// What a stream says.
    pub(crate) fn said_in(self, answer: &Answer) -> Said {
        let mut said = Said::default();
        let events = answer.events();
        match self {
            Self::Chat => said.chat_chunks(&events),
            Self::Responses => {
                let last = events.iter().find(|event| event["type"] == "response.completed");
                said.output_items(&last.expect("no end")["response"]);
                let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
                assert_eq!(deltas.filter_map(|event| event["delta"].as_str()).collect::<String>(), said.text);
            }
            Self::Messages => said.message_events(&events),
            Self::Gemini => events.iter().for_each(|event| said.chunk(event)),
            Self::Cohere => said.cohere_events(&events),
            Self::Converse => said.converse_events(&events),
        }
        said
    }

    /// The texts of a stream, whole or broken off.
    pub(crate) fn text_in(self, answer: &Answer) -> String {
        let pointer = match self {
            Self::Chat => "/choices/0/delta/content",
            Self::Responses => "/delta",
            Self::Messages => "/delta/text",
            Self::Gemini => "/candidates/0/content/parts/0/text",
            Self::Cohere => "/delta/message/content/text",
            Self::Converse => "/contentBlockDelta/delta/text",
        };
        answer.events().iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    }

    /// The stable code of an error answer; panics when it is not in this dialect's shape.
    pub(crate) fn code(self, answer: &Value) -> String {
        let error = if matches!(self, Self::Cohere | Self::Converse) { answer } else { &answer["error"] };
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
        let code = match self {
            Self::Chat | Self::Responses => {
                assert!(error["type"].is_string() && error.get("param").is_some(), "{answer}");
                &error["code"]
            }
            Self::Messages => {
                assert!(answer["type"] == "error" && error["type"].is_string(), "{answer}");
                assert!(answer["request_id"].is_string(), "{answer}");
                &error["code"]
            }
            Self::Gemini => {
                assert!(error["code"].is_u64() && error["status"].is_string(), "{answer}");
                &error["details"][0]["reason"]
            }
            Self::Cohere => {
                assert!(answer["id"].is_string(), "{answer}");
                &answer["code"]
            }
            Self::Converse => &answer["code"],
        };
        code.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The stable code in the error event that ends a stream.
    pub(crate) fn code_in(self, answer: &Answer) -> String {
        let events = answer.events();
        let last = events.iter().rfind(|event| **event != "[DONE]").expect("no events");
        match self {
            Self::Chat | Self::Messages | Self::Gemini | Self::Cohere => {
                self.code(&with(json!({"request_id": ""}), last))
            }
            Self::Converse => {
                let (name, error) = last.as_object().unwrap().iter().next().unwrap();
                assert!(name.ends_with("Exception"), "{last}");
                self.code(error)
            }
            Self::Responses => {
                let error = if last["type"] == "response.failed" { &last["response"]["error"] } else { last };
                error["code"].as_str().unwrap_or_else(|| panic!("{last}")).to_owned()
            }
        }
    }
}

// === impl Said ===

impl Said {
    fn call(&mut self, name: &Value, arguments: &str) {
        let arguments =
            serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{error}: {arguments:?}"));
        self.calls.push((name.as_str().unwrap().to_owned(), arguments));
    }

    fn used(&mut self, input: &Value, output: &Value) {
        self.usage = (input.as_u64().unwrap_or(self.usage.0), output.as_u64().unwrap_or(self.usage.1));
    }

    fn chat_message(&mut self, message: &Value, usage: &Value) {
        self.text.push_str(message["content"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(&call["function"]["name"], call["function"]["arguments"].as_str().unwrap());
        }
        self.used(&usage["prompt_tokens"], &usage["completion_tokens"]);
    }

    fn chat_chunks(&mut self, events: &[Value]) {
        let mut calls: Vec<(Value, String)> = Vec::new();
        for event in events {
            let delta = &event["choices"][0]["delta"];
            self.text.push_str(delta["content"].as_str().unwrap_or_default());
            for part in delta["tool_calls"].as_array().into_iter().flatten() {
                let index = usize::try_from(part["index"].as_u64().unwrap()).unwrap();
                if index == calls.len() {
                    calls.push((part["function"]["name"].clone(), String::new()));
                }
                calls[index].1.push_str(part["function"]["arguments"].as_str().unwrap_or_default());
            }
            self.used(&event["usage"]["prompt_tokens"], &event["usage"]["completion_tokens"]);
        }
        calls.iter().for_each(|(name, arguments)| self.call(name, arguments));
        assert_eq!(events.last().unwrap(), "[DONE]");
    }

    fn output_items(&mut self, response: &Value) {
        for item in response["output"].as_array().unwrap_or_else(|| panic!("{response}")) {
            if item["type"] == "function_call" {
                self.call(&item["name"], item["arguments"].as_str().unwrap());
            }
            for part in item["content"].as_array().into_iter().flatten() {
                self.text.push_str(part["text"].as_str().unwrap_or_default());
            }
        }
        self.used(&response["usage"]["input_tokens"], &response["usage"]["output_tokens"]);
    }

    fn blocks(&mut self, content: &Value, usage: &Value) {
        for block in content.as_array().unwrap_or_else(|| panic!("{content}")) {
            self.text.push_str(block["text"].as_str().unwrap_or_default());
            if block["type"] == "tool_use" {
                self.calls.push((block["name"].as_str().unwrap().to_owned(), block["input"].clone()));
            }
        }
        self.used(&usage["input_tokens"], &usage["output_tokens"]);
    }

    fn message_events(&mut self, events: &[Value]) {
        let mut open: Option<(Value, String)> = None;
        for event in events {
            let delta = &event["delta"];
            self.text.push_str(delta["text"].as_str().unwrap_or_default());
            if event["content_block"]["type"] == "tool_use" {
                open = Some((event["content_block"]["name"].clone(), String::new()));
            }
            if let (Some((_, arguments)), Some(part)) = (&mut open, delta["partial_json"].as_str()) {
                arguments.push_str(part);
            }
            if event["type"] == "content_block_stop"
                && let Some((name, arguments)) = open.take()
            {
                self.call(&name, if arguments.is_empty() { "{}" } else { &arguments });
            }
            let usage =
                if event["type"] == "message_start" { &event["message"]["usage"] } else { &event["usage"] };
            self.used(&usage["input_tokens"], &usage["output_tokens"]);
        }
        assert_eq!(events.last().unwrap()["type"], "message_stop");
    }

    fn message(&mut self, message: &Value, usage: &Value) {
        for part in message["content"].as_array().into_iter().flatten() {
            self.text.push_str(part["text"].as_str().unwrap_or_default());
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(&call["function"]["name"], call["function"]["arguments"].as_str().unwrap());
        }
        self.used(&usage["tokens"]["input_tokens"], &usage["tokens"]["output_tokens"]);
    }

    fn cohere_events(&mut self, events: &[Value]) {
        let mut calls: Vec<(Value, String)> = Vec::new();
        for event in events {
            let message = &event["delta"]["message"];
            self.text.push_str(message["content"]["text"].as_str().unwrap_or_default());
            let function = &message["tool_calls"]["function"];
            if event["type"] == "tool-call-start" {
                assert_eq!(event["index"], calls.len(), "{event}");
                calls.push((function["name"].clone(), String::new()));
            }
            if let Some(piece) = function["arguments"].as_str() {
                calls[usize::try_from(event["index"].as_u64().unwrap()).unwrap()].1.push_str(piece);
            }
            let tokens = &event["delta"]["usage"]["tokens"];
            self.used(&tokens["input_tokens"], &tokens["output_tokens"]);
        }
        calls.iter().for_each(|(name, arguments)| self.call(name, arguments));
        assert_eq!(events.last().unwrap(), "[DONE]");
    }

    fn converse(&mut self, answer: &Value) {
        for block in answer["output"]["message"]["content"].as_array().unwrap_or_else(|| panic!("{answer}")) {
            self.text.push_str(block["text"].as_str().unwrap_or_default());
            if let Some(call) = block.get("toolUse") {
                self.calls.push((call["name"].as_str().unwrap().to_owned(), call["input"].clone()));
            }
        }
        let usage = &answer["usage"];
        self.used(&usage["inputTokens"], &usage["outputTokens"]);
    }

    fn converse_events(&mut self, events: &[Value]) {
        let mut open: Option<(Value, String)> = None;
        for event in events {
            let delta = &event["contentBlockDelta"]["delta"];
            self.text.push_str(delta["text"].as_str().unwrap_or_default());
            if let Some(call) = event.pointer("/contentBlockStart/start/toolUse") {
                open = Some((call["name"].clone(), String::new()));
            }
            if let (Some((_, arguments)), Some(part)) = (&mut open, delta["toolUse"]["input"].as_str()) {
                arguments.push_str(part);
            }
            if event.get("contentBlockStop").is_some()
                && let Some((name, arguments)) = open.take()
            {
                self.call(&name, &arguments);
            }
            let usage = &event["metadata"]["usage"];
            self.used(&usage["inputTokens"], &usage["outputTokens"]);
        }
        let last = events.last().unwrap();
        assert!(last.get("metadata").is_some(), "{last}");
    }

    fn chunk(&mut self, chunk: &Value) {
        for part in chunk["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            self.text.push_str(part["text"].as_str().unwrap_or_default());
            if part.get("functionCall").is_some() {
                let call = &part["functionCall"];
                self.calls.push((call["name"].as_str().unwrap().to_owned(), call["args"].clone()));
            }
        }
        let usage = &chunk["usageMetadata"];
        self.used(&usage["promptTokenCount"], &usage["candidatesTokenCount"]);
    }
}
