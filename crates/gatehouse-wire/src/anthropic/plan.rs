//! Turns, put into the order that Anthropic demands.
//!
//! Results of tools come in the very next message after their calls, all in one, before any other content;
//! instructions at the start are the request's `system`, later ones stay where they are as messages of
//! their own or, for models that have no such messages, inside the user's turn.

use super::ids;
use crate::chat::{Block, Part, ToolResult, Turn};
use gatehouse_core::error::Error;
use std::collections::HashSet;

/// A conversation in order.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Instructions at the start.
    pub(crate) system: Vec<&'a Part>,
    /// What follows.
    pub(crate) messages: Vec<Message<'a>>,
    /// Whether instructions had to move into the user's words.
    pub(crate) wrapped: bool,
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// Instructions in the middle.
    System(&'a [Part]),
    /// Results of tools, then words.
    User { results: Vec<&'a ToolResult>, said: Vec<Said<'a>> },
    /// The model.
    Assistant(Vec<&'a [Block]>),
}

/// What a user's message holds beside results.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// The user's.
    Parts(&'a [Part]),
    /// Instructions that had to be put here.
    System(String),
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Plans `turns` for a model that does or does not take instructions in the middle.
    ///
    /// # Errors
    /// `invalid_request` when calls and results do not match.
    pub(crate) fn of(turns: &'a [Turn], system_anywhere: bool) -> Result<Self, Error> {
        let mut plan = Self::default();
        let mut late: Vec<&'a [Part]> = Vec::new();
        for turn in turns {
            match turn {
                Turn::System(parts) if plan.messages.is_empty() => plan.system.extend(parts),
                Turn::System(parts) => late.push(parts),
                // Between a call and its results nothing may stand: late instructions wait.
                Turn::ToolResults(results) => plan.add_results(results),
                Turn::User(parts) => {
                    plan.settle(&mut late, system_anywhere);
                    plan.add_words(Said::Parts(parts));
                }
                Turn::Assistant(blocks) => {
                    plan.settle(&mut late, system_anywhere);
                    match plan.messages.last_mut() {
                        Some(Message::Assistant(all)) => all.push(blocks),
                        _ => plan.messages.push(Message::Assistant(vec![blocks])),
                    }
                }
            }
        }
        plan.settle(&mut late, system_anywhere);
        plan.pair()?;
        Ok(plan)
    }

    fn add_results(&mut self, results: &'a [ToolResult]) {
        match self.messages.last_mut() {
            Some(Message::User { results: all, said }) if said.is_empty() => all.extend(results),
            _ => self.messages.push(Message::User { results: results.iter().collect(), said: Vec::new() }),
        }
    }

    /// Words join a message of results (or of instructions put there), and no other message of the user.
    fn add_words(&mut self, words: Said<'a>) {
        if let Some(Message::User { said, .. }) = self.messages.last_mut()
            && said.iter().all(|one| matches!(one, Said::System(_)))
        {
            said.push(words);
        } else {
            self.messages.push(Message::User { results: Vec::new(), said: vec![words] });
        }
    }

    fn settle(&mut self, late: &mut Vec<&'a [Part]>, system_anywhere: bool) {
        for parts in late.drain(..) {
            if system_anywhere {
                self.messages.push(Message::System(parts));
                continue;
            }
            self.wrapped = true;
            let wrapped = Said::System(format!("<system>\n{}\n</system>", text_of(parts)));
            match self.messages.last_mut() {
                Some(Message::User { said, .. }) => said.push(wrapped),
                _ => self.add_words(wrapped),
            }
        }
    }

    /// Calls and results must match, or the provider answers with an error that names neither.
    fn pair(&self) -> Result<(), Error> {
        let mut open: HashSet<String> = HashSet::new();
        for message in &self.messages {
            match message {
                Message::User { results, .. } => {
                    for result in results {
                        if !open.remove(ids::clean(&result.call_id).as_ref()) {
                            return Err(orphan(&result.call_id, "answers no call of the message before it"));
                        }
                    }
                    all_answered(&open)?;
                }
                Message::Assistant(turns) => {
                    all_answered(&open)?;
                    open = calls(turns).map(|id| ids::clean(id).into_owned()).collect();
                }
                Message::System(_) => all_answered(&open)?,
            }
        }
        all_answered(&open)
    }
}

/// The ids of the calls in a message.
fn calls<'a>(turns: &'a [&'a [Block]]) -> impl Iterator<Item = &'a str> {
    turns.iter().flat_map(|blocks| blocks.iter()).filter_map(|block| match block {
        Block::ToolCall(call) => Some(call.id.as_str()),
        _ => None,
    })
}

fn all_answered(open: &HashSet<String>) -> Result<(), Error> {
    match open.iter().min() {
        None => Ok(()),
        Some(id) => Err(Error::invalid(
            "messages",
            format!("messages: the tool call {id:?} has no result; the next turn must answer every call"),
        )),
    }
}

fn orphan(id: &str, what: &str) -> Error {
    Error::invalid("messages", format!("messages: the result for the tool call {id:?} {what}"))
}

/// The words of instructions, a paragraph each.
fn text_of(parts: &[Part]) -> String {
    let words = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        Part::Media(_) | Part::Opaque(_) => None,
    });
    words.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::{Message, Plan, Said};
    use crate::chat::{Block, Part, ToolCall, ToolResult, Turn};

    fn call(id: &str) -> Block {
        Block::ToolCall(ToolCall { id: id.to_owned(), ..ToolCall::default() })
    }

    fn result(id: &str) -> Turn {
        let result = ToolResult {
            call_id: id.to_owned(),
            name: None,
            is_error: false,
            parts: vec![Part::text("r")],
            cache: None,
        };
        Turn::ToolResults(vec![result])
    }

    fn say(text: &str) -> Vec<Part> {
        vec![Part::text(text)]
    }

    #[test]
    fn results_are_one_message_that_the_users_words_join_and_instructions_wait() {
        let turns = [
            Turn::System(say("a")),
            Turn::System(say("b")),
            Turn::User(say("hi")),
            Turn::Assistant(vec![call("x:1")]),
            Turn::Assistant(vec![call("y")]),
            result("y"),
            Turn::System(say("late")),
            result("x:1"),
            Turn::User(say("go on")),
        ];
        let plan = Plan::of(&turns, false).unwrap();
        assert_eq!((plan.system.len(), plan.messages.len(), plan.wrapped), (2, 3, true));
        let Message::User { results, said } = &plan.messages[2] else { panic!() };
        assert_eq!(results.len(), 2);
        assert!(matches!(&said[0], Said::System(text) if text == "<system>\nlate\n</system>"));
        assert!(matches!(&said[1], Said::Parts(_)));

        let plan = Plan::of(&turns, true).unwrap();
        assert_eq!((plan.messages.len(), plan.wrapped), (5, false));
        assert!(matches!(plan.messages[3], Message::System(_)));
    }

    #[test]
    fn orphans_are_named() {
        let wrong = |turns: &[Turn]| Plan::of(turns, true).unwrap_err().message;
        let ask = || Turn::User(say("hi"));
        assert!(wrong(&[ask(), Turn::Assistant(vec![call("c1")])]).contains("\"c1\" has no result"));
        assert!(wrong(&[ask(), Turn::Assistant(vec![call("c1")]), ask()]).contains("no result"));
        assert!(wrong(&[ask(), result("c2")]).contains("\"c2\" answers no call"));
        let twice = [ask(), Turn::Assistant(vec![call("c1")]), result("c1"), result("c1")];
        assert!(wrong(&twice).contains("answers no call"));
    }
}
