//! Streams as guardrails must see them: every text of every frame.
//!
//! A dialect's decoder says what an answer *means*; some texts of a frame have no place in that, or another
//! form there: free-form input inside of arguments, arguments that are an object or come before their name,
//! further choices, results of hosted tools, what a server says twice. Nor are its blocks the texts that the
//! caller puts together: words before and behind a call are two blocks, and one `content`. Where the caller
//! gets the frames as they are, [`Watched`] walks each frame once more and tells every text with its place:
//! as [`ChatEvent::Aside`] where it comes in pieces, as [`ChatEvent::Repeat`] where it is whole.
//! Log probabilities spell a text a second time, as [`ChatEvent::Spelled`]; they go when it changes.
//! So what is judged is what the caller sees, in whatever dialect, and each of it can be edited in place.

mod walk;

use self::walk::{Met, Way, kind_of, spell, walk};
use crate::chat::ChatEvent;
use crate::codec::StreamDecoder;
use crate::json::{Doc, Node, Strictness};
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::content::{Edit, Place, Span};
use gatehouse_core::error::Error;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many texts may come in pieces at once; what begins beyond is judged piece by piece.
pub const ASIDES_MAX: usize = 1024;

/// After so many frames with other texts of the same choice, block or item a text that has not grown is
/// over: servers do not say where a thought ends, and what follows must not wait for it.
pub const QUIET_FRAMES_MAX: u8 = 8;

/// A decoder whose frames are told in full.
pub struct Watched {
    inner: Box<dyn StreamDecoder>,
    /// The texts that are running, by what ends them and the way to them.
    running: BTreeMap<(u64, u64), Running>,
    next: u32,
}

/// A text that comes in pieces.
struct Running {
    key: u32,
    has_grown: bool,
    /// For how many frames of its scope it has not grown.
    quiet: u8,
}

/// Calls `found` with every text of a block that only its own dialect knows, and what it is to the
/// conversation.
pub fn texts_of<'a>(block: Node<'a>, found: &mut dyn FnMut(Node<'a>, Place)) {
    walk(Way::of(block, ""), block, &mut |met| {
        if let Met::Text(way, text) = met {
            found(text, way.place);
        }
    });
}

/// What spells texts of an answer in one piece once more.
pub struct Spelled {
    /// Takes it out: to be made when one of the answer's texts changes, or one of these.
    pub edit: Edit,
    /// What it spells, and what could have stood there instead.
    pub texts: Vec<String>,
}

/// Adds the texts of an answer in one piece that `spans` lack, and gives what spells its texts once more.
#[must_use]
pub fn complete(answer: Node<'_>, spans: &mut Vec<Span>) -> Vec<Spelled> {
    let mut told: Vec<usize> = spans.iter().map(|span| span.range.start).collect();
    told.sort_unstable();
    let mut spelled = Vec::new();
    walk(Way::of(answer, ""), answer, &mut |met| match met {
        Met::Text(way, text) => {
            let range = text.inner_range();
            if !range.is_empty() && told.binary_search(&range.start).is_err() {
                spans.push(Span { range, place: way.place });
            }
        }
        Met::Spelled(_, tokens) => {
            let (mut said, mut texts) = (String::new(), Vec::new());
            spell(tokens, false, &mut said, &mut texts);
            texts.push(said);
            spelled.push(Spelled { edit: unspelled(tokens.range(), tokens.is_array()), texts });
        }
        Met::End(_) => {}
    });
    spans.sort_unstable_by_key(|span| span.range.start);
    spelled
}

/// The edit that takes out what spells a text once more.
#[must_use]
pub fn unspelled(range: Range<usize>, is_list: bool) -> Edit {
    Edit { range, with: Bytes::from_static(if is_list { b"[]" } else { b"null" }) }
}

// === impl Watched ===

impl Watched {
    /// Tells what `inner` does, and every text beside.
    #[must_use]
    pub fn new(inner: Box<dyn StreamDecoder>) -> Self {
        Self { inner, running: BTreeMap::new(), next: 0 }
    }

    fn watch(&mut self, root: Node<'_>, name: &str, before: usize, out: &mut Vec<ChatEvent>) {
        let place_of = |event: &ChatEvent| match event {
            ChatEvent::Repeat { at, .. } => Some(at.start),
            _ => None,
        };
        let mut told: Vec<usize> = out.iter().skip(before).filter_map(place_of).collect();
        told.sort_unstable();
        let kind = kind_of(root);
        let kind = kind.as_deref().unwrap_or(name);
        let way = Way::of(root, kind);
        let (mut ended, mut touched) = (Vec::new(), Vec::new());
        let stops = ["content_block_stop", "contentBlockStop", "content-end", "tool-call-end"];
        if stops.contains(&kind) || kind.ends_with(".done") {
            ended.push(way.scope);
        }
        walk(way, root, &mut |met| match met {
            Met::Text(way, text) => {
                out.extend(self.text(way, text, &told));
                if touched.last() != Some(&way.scope) {
                    touched.push(way.scope);
                }
            }
            Met::Spelled(way, tokens) => out.push(self.spelled(way, tokens)),
            Met::End(scope) => ended.push(scope),
        });
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().for_each(|scope| self.end(scope, scope, Running::is_quiet, out));
        ended.into_iter().for_each(|scope| self.end(scope, scope, |_| true, out));
    }

    /// What is to be told of a text; nothing when the decoder has told it as a whole.
    fn text(&mut self, way: Way, text: Node<'_>, told: &[usize]) -> Option<ChatEvent> {
        let at = text.inner_range();
        if at.is_empty() || (!way.is_piece && told.binary_search(&at.start).is_ok()) {
            return None;
        }
        let key = if way.is_piece { self.key(way) } else { None };
        let words = text.str().map_or_else(|| text.raw().to_owned(), Cow::into_owned);
        Some(match key {
            Some(key) => {
                let Way { scope, place, is_json, .. } = way;
                ChatEvent::Aside { key, scope, place, is_json, text: words, at }
            }
            None => ChatEvent::Repeat { place: way.place, text: words, at },
        })
    }

    fn spelled(&mut self, way: Way, tokens: Node<'_>) -> ChatEvent {
        let (mut text, mut others) = (String::new(), Vec::new());
        spell(tokens, false, &mut text, &mut others);
        let key = self.key(way).unwrap_or_else(|| {
            others.push(std::mem::take(&mut text));
            u32::MAX
        });
        let (at, is_list) = (tokens.range(), tokens.is_array());
        ChatEvent::Spelled { key, scope: way.scope, text, others, at, is_list }
    }

    /// The text that a piece belongs to; `None` when too many are running.
    fn key(&mut self, way: Way) -> Option<u32> {
        let known = (way.scope, way.path);
        if let Some(running) = self.running.get_mut(&known) {
            running.has_grown = true;
            return Some(running.key);
        }
        if self.running.len() >= ASIDES_MAX {
            return None;
        }
        let key = self.next;
        self.running.insert(known, Running { key, has_grown: true, quiet: 0 });
        self.next = self.next.wrapping_add(1);
        Some(key)
    }

    /// Those texts of these scopes are over.
    fn end(&mut self, first: u64, last: u64, is_over: fn(&mut Running) -> bool, out: &mut Vec<ChatEvent>) {
        let scopes = self.running.range_mut((first, u64::MIN)..=(last, u64::MAX));
        let over: Vec<_> = scopes.filter_map(|(known, one)| is_over(one).then_some(*known)).collect();
        let ended = over.into_iter().filter_map(|known| self.running.remove(&known));
        out.extend(ended.map(|one| ChatEvent::AsideEnd { key: one.key }));
    }

    /// With the answer everything is over.
    fn end_all(&mut self, before: usize, out: &mut Vec<ChatEvent>) {
        if out.iter().skip(before).any(|event| matches!(event, ChatEvent::End)) {
            self.end(u64::MIN, u64::MAX, |_| true, out);
        }
    }
}

impl StreamDecoder for Watched {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let before = out.len();
        self.inner.frame(frame, out)?;
        // What is no JSON is a mark of the end: anything else the decoder has refused.
        if let Ok(doc) = Doc::parse(frame.data(), Strictness::Provider) {
            self.watch(doc.root(), frame.name(), before, out);
        }
        self.end_all(before, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let before = out.len();
        self.inner.finish(out)?;
        self.end_all(before, out);
        Ok(())
    }

    fn kept(&self) -> usize {
        // What is watched beside is bounded by number.
        self.inner.kept()
    }
}

// === impl Running ===

impl Running {
    /// A frame of its scope is over: whether it has been quiet for too long.
    fn is_quiet(&mut self) -> bool {
        self.quiet = if std::mem::take(&mut self.has_grown) { 0 } else { self.quiet.saturating_add(1) };
        self.quiet >= QUIET_FRAMES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{QUIET_FRAMES_MAX, Watched, complete};
    use crate::anthropic::Messages;
    use crate::chat::ChatEvent;
    use crate::codec::{Codec, StreamDecoder as _};
    use crate::gemini::Gemini;
    use crate::json::{Doc, Strictness, unescape};
    use crate::openai_chat::OpenAiChat;
    use crate::openai_responses::OpenAiResponses;
    use crate::sse::Frame;
    use bytes::Bytes;
    use gatehouse_core::content::Place;

    /// What is told beside the answer, a line for each: the place, the key of a piece, the text.
    fn beside(codec: &dyn Codec, frames: &[String]) -> Vec<String> {
        let mut decoder = Watched::new(codec.decoder());
        let mut all = Vec::new();
        for data in frames {
            let mut events = Vec::new();
            decoder.frame(&Frame::of_data(Bytes::from(data.clone())), &mut events).unwrap();
            all.extend(events.iter().filter_map(|event| {
                if let ChatEvent::Aside { text, at, .. } | ChatEvent::Repeat { text, at, .. } = event {
                    assert_eq!(&unescape(data.get(at.clone()).unwrap()), text);
                }
                match event {
                    ChatEvent::Aside { key, place, text, .. } => {
                        Some(format!("{} {key} {text}", place.as_str()))
                    }
                    ChatEvent::AsideEnd { key } => Some(format!("end {key}")),
                    ChatEvent::Repeat { place, text, .. } => Some(format!("{} {text}", place.as_str())),
                    ChatEvent::Spelled { .. } => Some("spelled".to_owned()),
                    _ => None,
                }
            }));
        }
        all
    }

    fn chat(choices: &[&str]) -> Vec<String> {
        let frames: Vec<_> = choices.iter().map(|one| format!(r#"{{"id":"a","choices":[{one}]}}"#)).collect();
        beside(&OpenAiChat, &frames)
    }

    #[test]
    fn words_are_told_as_the_caller_puts_them_together() {
        let told = chat(&[
            r#"{"index":0,"delta":{"role":"assistant","content":"a"}}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}"#,
            r#"{"index":0,"delta":{},"finish_reason":"stop"}"#,
        ]);
        assert_eq!(told, ["output 0 a", "tool_arguments 1 {}", "end 0", "end 1"]);
    }

    #[test]
    fn pieces_are_one_text_until_their_choice_ends() {
        let told = chat(&[
            r#"{"index":1,"delta":{"content":"a\n"}},{"index":2,"delta":{"content":"x"}}"#,
            r#"{"index":1,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}]}}"#,
            r#"{"index":1,"delta":{},"finish_reason":"stop"}"#,
        ]);
        assert_eq!(told, ["output 0 a\n", "output 1 x", "output 0 b", "spelled", "end 2", "end 0"]);
        let told = chat(&[
            r#"{"index":0,"delta":{"content":"a"}}"#,
            r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}}"#,
            r#"{"index":0,"delta":{"content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"b"}]}}"#,
            r#"{"index":0,"delta":{"content":[{"type":"text","text":"c"}]}}"#,
        ]);
        assert_eq!(told, ["output 0 a", "output 1 t", "output 2 b", "output 2 c"]);
    }

    #[test]
    fn pieces_are_known_by_their_block_their_part_and_their_kind() {
        let gemini =
            |parts: &str| format!(r#"{{"candidates":[{{"index":1,"content":{{"parts":[{parts}]}}}}]}}"#);
        let thought = r#"{"text":"h","thought":true}"#;
        let both = format!(r#"{thought},{{"text":"a"}}"#);
        let told = beside(&Gemini, &[gemini(thought), gemini(&both), gemini(r#"{"text":"b"}"#)]);
        assert_eq!(told, ["output 0 h", "output 0 h", "output 1 a", "output 1 b"]);
        let said = |part: u8, text: &str| {
            format!(
                r#"{{"type":"response.output_text.delta","output_index":1,"content_index":{part},"delta":"{text}"}}"#
            )
        };
        let told = beside(&OpenAiResponses, &[said(0, "a"), said(1, "x"), said(0, "b")]);
        assert_eq!(told, ["output 0 a", "output 1 x", "output 0 b"]);
        let told = beside(
            &Messages,
            &[
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"a"}}"#,
                r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"b"}}"#,
                r#"{"type":"content_block_stop","index":2}"#,
            ]
            .map(str::to_owned),
        );
        assert_eq!(told, ["output 0 a", "output 1 x", "output 0 b", "end 0"]);
    }

    #[test]
    fn arguments_without_a_name_are_told_and_others_are_read_to_the_last_name() {
        let call = |rest: &str| format!(r#"{{"index":0,"delta":{{"tool_calls":[{{"index":0,{rest}}}]}}}}"#);
        let told = chat(&[
            &call(r#""id":"c","function":{"arguments":"{\"a\":"}"#),
            &call(r#""function":{"name":"f","arguments":"1}"}"#),
            r#"{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"name":"g","arguments":{"id":"x","n":[2,true]}}}]}}"#,
        ]);
        let own = |text: &str| format!("{} {text}", Place::ToolArguments.as_str());
        assert_eq!(told, ["0 {\"a\":", "0 1}", "id", "x", "n", "2"].map(own));
    }

    #[test]
    fn a_text_that_stays_quiet_is_over() {
        let thought = r#"{"index":0,"delta":{"reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h"}]}}"#;
        let word = r#"{"index":0,"delta":{"content":"w"}}"#;
        let frames = |words: u8| [vec![thought], vec![word; usize::from(words)]].concat();
        let ended = |words| chat(&frames(words)).iter().filter(|told| told.starts_with("end")).count();
        assert_eq!(ended(QUIET_FRAMES_MAX - 1), 0);
        assert_eq!(ended(QUIET_FRAMES_MAX), 2);
    }

    #[test]
    fn an_answer_in_one_piece_is_completed_but_for_what_repeats_the_request() {
        for (text, expected) in [
            (r#"{"object":"response","instructions":"i","output":[{"type":"x","note":"n"}]}"#, vec!["n"]),
            (
                r#"{"object":"chat.completion","choices":[{"message":{"annotations":[{"title":"t","url":"u"}]}}]}"#,
                vec!["t"],
            ),
            (
                r#"{"content":[{"source":{"type":"text","data":"d"}},{"source":{"type":"base64","data":"e"}}]}"#,
                vec!["d"],
            ),
        ] {
            let doc = Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Provider).unwrap();
            let mut spans = Vec::new();
            assert!(complete(doc.root(), &mut spans).is_empty());
            let found: Vec<_> = spans.into_iter().map(|span| doc.slice(span.range)).collect();
            assert_eq!(found, expected);
        }
    }
}
