//! The brain: from a conversation to what is said, in no dialect's words. It has no memory and no
//! chance, so that a test can say beforehand what it will read.

use serde_json::{Value, json};

use crate::conversation::{Choice, Conversation, Format, Tool};
use crate::directive::Directives;
use crate::schema;
use crate::words;

/// Characters of the last user text that the answer repeats.
const ECHO_CHARS_MAX: usize = 200;
/// Characters of it that the reasoning repeats.
const REASONING_CHARS_MAX: usize = 100;
/// Tokens that a call costs beyond the words of its arguments.
const TOKENS_PER_CALL: u64 = 5;

/// What the model says.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Its reasoning, when that was asked for.
    pub(crate) reasoning: Option<String>,
    /// Its words; empty with calls and with filtered answers.
    pub(crate) text: String,
    /// The functions it calls.
    pub(crate) calls: Vec<Call>,
    /// Why it ended.
    pub(crate) finish: Finish,
    /// What it cost.
    pub(crate) usage: Usage,
}

/// One call of a function.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The function.
    pub(crate) name: String,
    /// Its arguments, an object.
    pub(crate) arguments: Value,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// It was complete.
    Stop,
    /// One of the client's stop sequences came up.
    Sequence(String),
    /// It was as long as it may be.
    Length,
    /// It calls functions.
    Calls,
    /// It was withheld.
    Filtered,
}

/// Tokens, which are words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the input.
    pub(crate) input: u64,
    /// Of text and calls.
    pub(crate) output: u64,
    /// Of the reasoning, not in `output`.
    pub(crate) reasoning: u64,
}

/// Tokens of input and output that the model `bench` reports, so that there is something to price.
const FIXED_USAGE: Usage = Usage { input: 50, output: 100, reasoning: 0 };

// === impl Reply ===

impl Reply {
    /// A text that was not thought about: the model `bench`.
    pub(crate) fn fixed(text: &str) -> Self {
        Self {
            reasoning: None,
            text: text.to_owned(),
            calls: Vec::new(),
            finish: Finish::Stop,
            usage: FIXED_USAGE,
        }
    }
}

/// Decides what to say. `received` is the request's body, for the model that echoes it.
pub(crate) fn think(conversation: &Conversation, received: &[u8]) -> Reply {
    let directives = Directives::of(&conversation.model);
    let reasoning = conversation.reasoning.then(|| {
        format!("Thinking about: {}", words::head(conversation.last_user.trim(), REASONING_CHARS_MAX))
    });
    let mut reply = Reply {
        reasoning,
        text: String::new(),
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: Usage::default(),
    };
    if directives.filter {
        reply.finish = Finish::Filtered;
    } else {
        reply.calls = calls(conversation);
        if reply.calls.is_empty() {
            reply.text = text(conversation, &directives, received);
            shorten(&mut reply, conversation);
        } else {
            reply.finish = Finish::Calls;
        }
    }
    reply.usage = usage(&reply, conversation);
    reply
}

/// The calls to make: the forced one, or every tool that the last user text names, in that order.
fn calls(conversation: &Conversation) -> Vec<Call> {
    let prompt = &conversation.last_user;
    if conversation.tool_said.is_some() || conversation.choice == Choice::None {
        return Vec::new();
    }
    let mut named: Vec<(usize, &Tool)> =
        conversation.tools.iter().filter_map(|tool| Some((mention(prompt, &tool.name)?, tool))).collect();
    named.sort_by_key(|(at, _)| *at);
    let mut chosen: Vec<&Tool> = named.into_iter().map(|(_, tool)| tool).collect();
    match &conversation.choice {
        Choice::Named(name) => chosen = conversation.tools.iter().filter(|tool| tool.name == *name).collect(),
        Choice::Any if chosen.is_empty() => chosen = conversation.tools.iter().take(1).collect(),
        Choice::Any | Choice::Auto | Choice::None => {}
    }
    if !conversation.parallel {
        chosen.truncate(1);
    }
    let call = |tool: &Tool| Call { name: tool.name.clone(), arguments: arguments(tool, prompt) };
    chosen.into_iter().map(call).collect()
}

fn arguments(tool: &Tool, prompt: &str) -> Value {
    match schema::instance(&tool.schema, prompt) {
        object @ Value::Object(_) => object,
        _ => json!({}),
    }
}

/// Where a text names a tool: as a whole word, so that `add` is not found in `address`.
fn mention(text: &str, name: &str) -> Option<usize> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let found = text.match_indices(name).find(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    });
    found.map(|(at, _)| at)
}

fn text(conversation: &Conversation, directives: &Directives, received: &[u8]) -> String {
    if directives.echo_json {
        return String::from_utf8_lossy(received).into_owned();
    }
    if let Some(kib) = directives.big_kib {
        return "gatehouse ".repeat((kib * 1024).div_ceil(10));
    }
    match (&conversation.format, &conversation.tool_said) {
        (Format::Schema(wanted), _) => schema::instance(wanted, &conversation.last_user).to_string(),
        (Format::JsonObject, Some(said)) => json!({ "answer": format!("Tool said: {said}") }).to_string(),
        (Format::JsonObject, None) => json!({ "answer": echo(conversation) }).to_string(),
        (Format::Text, Some(said)) => format!("Tool said: {said}"),
        (Format::Text, None) => echo(conversation),
    }
}

/// `You said: …`, with what else was in the input.
fn echo(conversation: &Conversation) -> String {
    let mut said = format!("You said: {}", words::head(&conversation.last_user, ECHO_CHARS_MAX));
    said.truncate(said.trim_end().len());
    for (count, what) in [(conversation.images, "image"), (conversation.files, "file")] {
        match count {
            0 => {}
            1 => said.push_str(&format!(" [1 {what}]")),
            more => said.push_str(&format!(" [{more} {what}s]")),
        }
    }
    said
}

/// Stop sequences first, then the limit on the length.
fn shorten(reply: &mut Reply, conversation: &Conversation) {
    let hits = conversation.stop.iter().filter(|stop| !stop.is_empty());
    let first =
        hits.filter_map(|stop| Some((reply.text.find(stop.as_str())?, stop))).min_by_key(|(at, _)| *at);
    if let Some((at, stop)) = first {
        reply.text.truncate(at);
        reply.finish = Finish::Sequence(stop.clone());
    }
    if let (kept, true) = words::cut(&reply.text, conversation.max_tokens.unwrap_or(u64::MAX)) {
        let kept = kept.len();
        reply.text.truncate(kept);
        reply.finish = Finish::Length;
    }
}

fn usage(reply: &Reply, conversation: &Conversation) -> Usage {
    let called = reply.calls.iter().map(|call| words::count(&call.arguments.to_string()) + TOKENS_PER_CALL);
    Usage {
        input: conversation.input_tokens(),
        output: words::count(&reply.text) + called.sum::<u64>(),
        reasoning: reply.reasoning.as_deref().map_or(0, words::count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(text: &str) -> Conversation {
        let mut conversation = Conversation::new("sim-large");
        conversation.message();
        conversation.user_begins();
        conversation.user_says(text);
        conversation
    }

    #[test]
    fn a_system_message_in_the_middle_is_not_the_users_word() {
        let mut conversation = asking("hello");
        conversation.user_says("<system>\nBe kind.\n</system>");
        assert_eq!(conversation.last_user, "hello");
        conversation.tool_says("rain");
        conversation.user_says("<system>\nBe kind.\n</system>");
        assert_eq!(conversation.tool_said.as_deref(), Some("rain"));
        conversation.user_says("thanks");
        assert_eq!((conversation.last_user.as_str(), conversation.tool_said), ("thanks", None));
    }

    fn tool(name: &str) -> Tool {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        Tool { name: name.to_owned(), schema }
    }

    #[test]
    fn it_repeats_and_counts() {
        let reply = think(&asking("hello there"), b"");
        assert_eq!(reply.text, "You said: hello there");
        assert_eq!(reply.usage, Usage { input: 5, output: 4, reasoning: 0 });
    }

    #[test]
    fn tools_are_called_in_the_order_of_their_names() {
        let mut conversation = asking("first get_time then get_weather city=Rome");
        conversation.tools = vec![tool("get_weather"), tool("get_time"), tool("time")];
        let names = |reply: &Reply| reply.calls.iter().map(|call| call.name.clone()).collect::<Vec<_>>();
        let reply = think(&conversation, b"");
        assert_eq!(names(&reply), ["get_time", "get_weather"]);
        assert_eq!(reply.calls[0].arguments, json!({"city": "Rome"}));
        assert_eq!(reply.finish, Finish::Calls);
        conversation.parallel = false;
        assert_eq!(names(&think(&conversation, b"")), ["get_time"]);
        conversation.choice = Choice::Named("time".to_owned());
        assert_eq!(names(&think(&conversation, b"")), ["time"]);
        conversation.tool_says("noon");
        assert_eq!(think(&conversation, b"").text, "Tool said: noon");
    }

    #[test]
    fn a_forced_call_needs_no_mention() {
        let mut conversation = asking("hello");
        conversation.tools = vec![tool("a"), tool("b")];
        assert!(think(&conversation, b"").calls.is_empty());
        conversation.choice = Choice::Any;
        assert_eq!(think(&conversation, b"").calls.len(), 1);
    }

    #[test]
    fn stops_and_limits_cut_the_text() {
        let mut conversation = asking("one two three");
        conversation.stop = vec!["two".to_owned()];
        let reply = think(&conversation, b"");
        assert_eq!(
            (reply.text.as_str(), reply.finish),
            ("You said: one ", Finish::Sequence("two".to_owned()))
        );
        conversation.stop.clear();
        conversation.max_tokens = Some(3);
        let reply = think(&conversation, b"");
        assert_eq!((reply.text.as_str(), reply.finish), ("You said: one", Finish::Length));
    }

    #[test]
    fn pictures_and_files_are_named() {
        let mut conversation = asking("look");
        (conversation.images, conversation.files) = (2, 1);
        assert_eq!(think(&conversation, b"").text, "You said: look [2 images] [1 file]");
    }
}
