//! The model `bench`: answers made once, so that the simulator costs little beside what is measured.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::cache::Prefixes;
use crate::directive::Directives;
use crate::gemini::{self, Streaming};
use crate::ids::Ids;
use crate::options::Options;
use crate::route::{Route, Verb};
use crate::{anthropic, bedrock, openai_chat, openai_responses};

/// The model's name.
pub(crate) const MODEL: &str = "bench";
/// What its streams repeat.
const WORD: &str = "lorem ";

/// The prepared answers, each made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Bench {
    prepared: [OnceLock<Answer>; 11],
}

/// The kinds of answer that are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Chat,
    ChatStream,
    ChatStreamWithUsage,
    Responses,
    ResponsesStream,
    Messages,
    MessagesStream,
    Gemini,
    GeminiStream,
    Bedrock,
    BedrockStream,
}

// === impl Bench ===

impl Bench {
    /// The prepared answer to such a call, if there is one.
    pub(crate) fn answer(
        &self,
        route: &Route,
        stream: bool,
        include_usage: bool,
        options: &Options,
    ) -> Option<Answer> {
        let shape = match (route, stream) {
            (Route::Chat, false) => Shape::Chat,
            (Route::Chat, true) if include_usage => Shape::ChatStreamWithUsage,
            (Route::Chat, true) => Shape::ChatStream,
            (Route::Responses, false) => Shape::Responses,
            (Route::Responses, true) => Shape::ResponsesStream,
            (Route::Messages, false) => Shape::Messages,
            (Route::Messages, true) => Shape::MessagesStream,
            (Route::Gemini { verb: Verb::Generate(Streaming::No), .. }, _) => Shape::Gemini,
            (Route::Gemini { verb: Verb::Generate(Streaming::Events), .. }, _) => Shape::GeminiStream,
            (Route::Converse { stream: false, .. }, _) => Shape::Bedrock,
            (Route::Converse { stream: true, .. }, _) => Shape::BedrockStream,
            _ => return None,
        };
        let slot = self.prepared.get(shape.slot())?;
        Some(slot.get_or_init(|| shape.prepare(options)).clone())
    }
}

// === impl Shape ===

impl Shape {
    fn slot(self) -> usize {
        match self {
            Self::Chat => 0,
            Self::ChatStream => 1,
            Self::ChatStreamWithUsage => 2,
            Self::Responses => 3,
            Self::ResponsesStream => 4,
            Self::Messages => 5,
            Self::MessagesStream => 6,
            Self::Gemini => 7,
            Self::GeminiStream => 8,
            Self::Bedrock => 9,
            Self::BedrockStream => 10,
        }
    }

    fn prepare(self, options: &Options) -> Answer {
        match self {
            Self::Chat | Self::Responses | Self::Messages | Self::Gemini | Self::Bedrock => {
                // A text of ASCII letters is as long in JSON as it is; one word, so that counts do not grow.
                let empty = self.render("x").pieces.iter().map(Bytes::len).sum::<usize>();
                self.render(&"x".repeat(1 + options.bench_answer_bytes.saturating_sub(empty)))
            }
            _ => {
                let chunks = options.bench_chunks.max(1);
                let mut answer = self.render(&WORD.repeat(chunks.min(crate::options::STREAM_CHUNKS_MAX)));
                answer.pieces = paced(&answer.pieces, chunks.min(crate::options::STREAM_CHUNKS_MAX));
                answer
            }
        }
    }

    fn render(self, text: &str) -> Answer {
        let (headers, body, ids, prefixes) =
            (HeaderMap::new(), Bytes::new(), Ids::default(), Prefixes::default());
        let ask = Ask {
            model: MODEL,
            headers: &headers,
            body: &body,
            directives: Directives::default(),
            ids: &ids,
            prefixes: &prefixes,
        };
        match self {
            Self::Chat => openai_chat::bench(&ask, text, false, false),
            Self::ChatStream => openai_chat::bench(&ask, text, true, false),
            Self::ChatStreamWithUsage => openai_chat::bench(&ask, text, true, true),
            Self::Responses => openai_responses::bench(&ask, text, false),
            Self::ResponsesStream => openai_responses::bench(&ask, text, true),
            Self::Messages => anthropic::bench(&ask, text, false),
            Self::MessagesStream => anthropic::bench(&ask, text, true),
            Self::Gemini => gemini::bench(&ask, text, Streaming::No),
            Self::GeminiStream => gemini::bench(&ask, text, Streaming::Events),
            Self::Bedrock => bedrock::bench(&ask, text, false),
            Self::BedrockStream => bedrock::bench(&ask, text, true),
        }
    }
}

/// Exactly `chunks` pieces: what comes before the first content goes with it, what comes after the last
/// one goes with that.
fn paced(events: &[Bytes], chunks: usize) -> Arc<[Bytes]> {
    let has_content = |event: &Bytes| memchr::memmem::find(event, WORD.trim().as_bytes()).is_some();
    let first = events.iter().position(has_content).unwrap_or(0);
    let mut pieces = Vec::with_capacity(chunks);
    let mut piece = BytesMut::new();
    for (index, event) in events.iter().enumerate() {
        piece.extend_from_slice(event);
        let content = index >= first && index < first + chunks;
        if content && pieces.len() + 1 < chunks {
            pieces.push(std::mem::take(&mut piece).freeze());
        }
    }
    pieces.push(piece.freeze());
    pieces.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_their_size_and_streams_their_chunks() {
        let (bench, options) = (Bench::default(), Options::default());
        let gemini = |streaming| Route::Gemini {
            version: "v1".to_owned(),
            model: MODEL.to_owned(),
            verb: Verb::Generate(streaming),
        };
        let converse = |stream| Route::Converse { model: MODEL.to_owned(), stream };
        for route in [Route::Chat, Route::Messages, gemini(Streaming::No), converse(false)] {
            let whole = bench.answer(&route, false, false, &options).unwrap();
            assert_eq!(whole.pieces[0].len(), 770, "{route:?}");
        }
        for route in
            [Route::Chat, Route::Responses, Route::Messages, gemini(Streaming::Events), converse(true)]
        {
            let stream = bench.answer(&route, true, true, &options).unwrap();
            assert_eq!(stream.pieces.len(), 200, "{route:?}");
            assert!(stream.pieces.iter().all(|piece| memchr::memmem::find(piece, b"lorem").is_some()));
        }
        assert!(bench.answer(&Route::Embeddings, false, false, &options).is_none());
    }
}
