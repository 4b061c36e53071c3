//! Streams read and written, in both directions and at any cut.

use super::super::Completions;
use crate::chat::{Block, ChatEvent, ChatResponse, Finish, Thought, events, fold};
use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
use crate::sse::Frames;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use proptest::prelude::*;

const STREAM: &str = concat!(
    ": hello\n\n",
    "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":7,\"choices\":[{\"text\":\"on\\n\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"model\":\"m-1\"}\n\n",
    "data: {\"id\":\"cmpl-1\",\"created\":7,\"choices\":[{\"text\":\"ce\",\"index\":0,\"finish_reason\":\"length\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"cmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
);

fn decode(bytes: &[u8], cut: usize) -> Result<Vec<ChatEvent>, Error> {
    let (mut frames, mut decoder, mut out) = (Frames::default(), Completions.decoder(), Vec::new());
    for piece in bytes.chunks(cut.max(1)) {
        frames.push(piece)?;
        while let Some(frame) = frames.next_frame() {
            decoder.frame(&frame, &mut out)?;
        }
    }
    if let Some(frame) = frames.rest() {
        decoder.frame(&frame, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

fn encode(events: &[ChatEvent], include_usage: bool) -> Vec<u8> {
    let context =
        ReplyContext { model: "m".to_owned(), id: "ff".to_owned(), include_usage, ..ReplyContext::default() };
    let (mut encoder, mut out) = (Completions.encoder(context), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

#[test]
fn a_stream_folds_to_the_answer_at_every_cut() {
    let expected = ChatResponse {
        id: "cmpl-1".to_owned(),
        model: "m-1".to_owned(),
        created: Some(7),
        blocks: vec![Block::text("on\nce")],
        finish: Finish::Length,
        native_finish: Some("length".to_owned()),
        usage: Some(Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() }),
        ..ChatResponse::default()
    };
    for cut in 1..STREAM.len() {
        assert_eq!(fold(&decode(STREAM.as_bytes(), cut).unwrap()), Ok(expected.clone()), "cut at {cut}");
    }
}

#[test]
fn deltas_say_where_they_stand() {
    let mut frames = Frames::default();
    frames.push(STREAM.as_bytes()).unwrap();
    let (mut decoder, mut found) = (Completions.decoder(), Vec::new());
    while let Some(frame) = frames.next_frame() {
        let mut out = Vec::new();
        decoder.frame(&frame, &mut out).unwrap();
        for event in out {
            if let ChatEvent::Delta { at: Some(at), .. } = event {
                found.push(String::from_utf8(frame.data().slice(at).to_vec()).unwrap());
            }
        }
    }
    assert_eq!(found, ["on\\n", "ce"]);
}

#[test]
fn several_choices_are_kept_apart() {
    let stream = "data: {\"choices\":[{\"text\":\"a\",\"index\":0},{\"text\":\"x\",\"index\":1}]}\n\n\
                  data: {\"choices\":[{\"text\":\"y\",\"index\":1,\"finish_reason\":\"stop\"},{\"text\":\"b\",\"index\":0,\"finish_reason\":\"stop\"}]}\n\n";
    let whole = fold(&decode(stream.as_bytes(), 7).unwrap()).unwrap();
    assert_eq!(whole.blocks, [Block::text("ab"), Block::text("xy")]);
}

#[test]
fn a_stream_that_stops_in_the_middle_is_an_error_and_so_is_one_that_says_so() {
    let cut = STREAM.split("\"length\"").next().unwrap().replace(": hello", "");
    let whole_frames = cut.rsplit_once("data:").unwrap().0;
    assert_eq!(decode(whole_frames.as_bytes(), 64).unwrap_err().code, Code::UpstreamBadResponse);
    assert_eq!(decode(cut.as_bytes(), 64).unwrap_err().code, Code::UpstreamBadResponse);
    let failed = format!(
        "{whole_frames}data: {{\"error\":{{\"message\":\"busy\",\"type\":\"overloaded_error\"}}}}\n\n"
    );
    let events = decode(failed.as_bytes(), 64).unwrap();
    assert_eq!(fold(&events).unwrap_err().code, Code::UpstreamOverloaded);
    assert!(matches!(events.last(), Some(ChatEvent::Error(_))));
}

#[test]
fn usage_is_written_only_when_asked_for_and_done_comes_last_but_not_after_an_error() {
    let answer = ChatResponse {
        blocks: vec![
            Block::Thought(Thought { text: "hm".to_owned(), ..Thought::default() }),
            Block::text("hi"),
        ],
        usage: Some(Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() }),
        ..ChatResponse::default()
    };
    let plain = String::from_utf8(encode(&events(&answer), false)).unwrap();
    assert!(!plain.contains("usage") && !plain.contains("hm"), "{plain}");
    assert!(plain.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
    let asked = String::from_utf8(encode(&events(&answer), true)).unwrap();
    assert!(asked.contains("\"choices\":[],\"usage\":{\"prompt_tokens\":1"), "{asked}");

    let error = ChatEvent::Error(Error::new(Code::UpstreamTimeout, "too slow"));
    let failed = String::from_utf8(encode(&[error, ChatEvent::End], true)).unwrap();
    assert!(failed.starts_with("data: {\"error\":") && !failed.contains("[DONE]"), "{failed}");
}

proptest! {
    /// What is written is read as the same answer, at any cut.
    #[test]
    fn there_and_back(texts in proptest::collection::vec(".{1,20}", 0..4), length in any::<bool>(), cut in 1usize..80) {
        let finish = if length { Finish::Length } else { Finish::Stop };
        let usage = Some(Usage { input_tokens: 5, output_tokens: 3, ..Usage::default() });
        let answer = ChatResponse {
            blocks: texts.iter().map(|text| Block::text(text.clone())).collect(),
            finish,
            usage,
            ..ChatResponse::default()
        };
        let back = fold(&decode(&encode(&events(&answer), true), cut).unwrap()).unwrap();
        let joined: Vec<Block> = Some(texts.concat()).filter(|text| !text.is_empty()).map(Block::text).into_iter().collect();
        prop_assert_eq!((back.blocks, back.finish, back.usage), (joined, finish, usage));
    }

    /// Any frames in any order: an answer or an error, never a panic, and nothing after the end.
    #[test]
    fn any_frames(picks in proptest::collection::vec(0usize..8, 0..12)) {
        let pieces = [
            "data: {}\n\n", "data: [DONE]\n\n", "data: [1]\n\n", "data: x\n\n",
            "data: {\"choices\":[{\"text\":\"a\",\"index\":3}]}\n\n",
            "data: {\"choices\":[{\"text\":null,\"finish_reason\":\"stop\"},null,{\"index\":\"x\",\"text\":1}]}\n\n",
            "data: {\"usage\":{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":1}}\n\n",
            "event: error\ndata: {\"error\":\"x\"}\n\n",
        ];
        let stream: String = picks.iter().filter_map(|pick| pieces.get(*pick).copied()).collect();
        if let Ok(events) = decode(stream.as_bytes(), 9) {
            let last = events.iter().position(|event| matches!(event, ChatEvent::End | ChatEvent::Error(_)));
            prop_assert_eq!(last, Some(events.len() - 1));
            let _ = fold(&events);
        }
    }
}
