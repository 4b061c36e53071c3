//! The window, frame by frame.

use super::*;
use crate::engine::{Guards, tests::words};
use gatehouse_core::call::Scope;
use gatehouse_core::content::Dialect;
use gatehouse_core::verdict::{Action, Decision};
use gatehouse_wire::chat::{Citation, Weight};
use proptest::prelude::*;

fn window(action: Action) -> Window<usize> {
    Window::new(Guards::new(vec![words(action, &[Place::Output])]).for_scope(&Scope::default()))
}

/// Streams `text` in the given pieces; gives what passed before the end, and in all.
fn stream(window: &mut Window<usize>, pieces: &[&str]) -> Result<(String, String), Error> {
    let mut passed = String::new();
    let mut take = |window: &mut Window<usize>| {
        while let Some(held) = window.pop() {
            for event in &held.events {
                if let ChatEvent::Delta { text, .. } = event {
                    passed.push_str(text);
                }
            }
        }
        passed.clone()
    };
    window.push(0, 0, vec![ChatEvent::Open { index: 0, block: Block::text("") }])?;
    for (number, piece) in pieces.iter().enumerate() {
        let delta = ChatEvent::Delta { index: 0, text: (*piece).to_owned(), at: None };
        window.push(number, piece.len(), vec![delta])?;
        take(window);
    }
    let early = take(window);
    window.push(99, 0, vec![ChatEvent::Close { index: 0 }])?;
    window.finish()?;
    Ok((early, take(window)))
}

#[test]
fn a_word_cut_over_frames_is_found_and_none_of_it_passes() {
    let mut redacting = window(Action::Redact);
    let (_, all) = stream(&mut redacting, &["the Nigh", "tin", "gale pro", "ject"]).unwrap();
    assert_eq!(all, "the [REDACTED] project");
    assert_eq!(redacting.take_tally().outcomes()[0].decision, Decision::Redact);
    let error = stream(&mut window(Action::Block), &["the Nigh", "tin", "gale pro", "ject"]).unwrap_err();
    assert_eq!(error.code, Code::GuardBlocked);
}

#[test]
fn what_is_far_from_the_end_passes_at_once() {
    let (early, all) = stream(&mut window(Action::Block), &["lorem ipsum "; 20]).unwrap();
    assert!(early.len() > 150, "held back all but {early:?}");
    assert_eq!(all, "lorem ipsum ".repeat(20));
    let far = [&["lorem ipsum "; 20][..], &["xNight", "ingale"]].concat();
    assert!(stream(&mut window(Action::Block), &far).is_ok(), "the word begins in what has passed");
}

#[test]
fn at_the_end_of_an_answer_a_word_is_a_word() {
    assert_eq!(stream(&mut window(Action::Redact), &["by Nightingale"]).unwrap().1, "by [REDACTED]");
    assert_eq!(
        stream(&mut window(Action::Redact), &["Nightingale", "s sing"]).unwrap().1,
        "Nightingales sing"
    );
}

fn aside(key: u32, text: &str) -> ChatEvent {
    ChatEvent::Aside { key, scope: 3, place: Place::Output, is_json: false, text: text.to_owned(), at: 0..0 }
}

#[test]
fn texts_beside_the_blocks_are_held_changed_and_let_go_like_theirs() {
    let mut window = window(Action::Redact);
    window.push(0, 1, vec![aside(7, "the Nigh")]).unwrap();
    window.push(1, 1, vec![aside(8, "other"), aside(7, "tingale")]).unwrap();
    assert!(window.pop().is_none());
    window.push(2, 1, vec![ChatEvent::AsideEnd { key: 7 }]).unwrap();
    let first = window.pop().unwrap();
    assert_eq!((first.events, first.changed), (vec![aside(7, "the [REDACTED]")], vec![0]));
    assert!(window.pop().is_none(), "the other text is not over");
    window.finish().unwrap();
    let second = window.pop().unwrap();
    assert_eq!((&second.events[1], second.changed), (&aside(7, ""), vec![1]));
}

/// What spells a word goes, whether it comes before its text, with it or behind it.
#[test]
fn what_spells_a_text_is_judged_like_one_and_goes_after_one_has_changed() {
    let spelled = |scope: u64, text: &str, other: &str| ChatEvent::Spelled {
        key: 9,
        scope,
        text: text.to_owned(),
        others: vec![other.to_owned()],
        at: 0..0,
        is_list: false,
    };
    let changed = |frames: Vec<ChatEvent>| {
        let mut window = window(Action::Redact);
        frames.into_iter().for_each(|event| window.push(0, 1, vec![event]).unwrap());
        window.finish().unwrap();
        std::iter::from_fn(|| window.pop()).map(|held| !held.changed.is_empty()).collect::<Vec<_>>()
    };
    let (first, second) = ("by Nigh", "tingale.");
    assert_eq!(
        changed(vec![spelled(3, first, ""), spelled(3, second, ""), aside(7, first), aside(7, second)]),
        [true; 4]
    );
    // Tokens may be bytes that spell nothing by themselves.
    assert_eq!(changed(vec![aside(7, "by Nightingale."), spelled(3, "?", "")]), [true, true]);
    assert_eq!(changed(vec![aside(7, "by Nightingale."), spelled(4, "?", "")]), [true, false]);
    assert_eq!(changed(vec![aside(7, "by"), spelled(3, "by", "Nightingale")]), [false, true]);
}

#[test]
fn arguments_are_judged_decoded_wherever_they_are_cut() {
    let raw = r#"{"input":"the \u004eight\u0069ngale \"x\" lorem ipsum dolor sit amet consectetur","nightingale":1}"#;
    let expected = raw.replace(r"\u004eight\u0069ngale", "[REDACTED]").replace("nightingale", "[REDACTED]");
    let guards = Guards::new(vec![words(Action::Redact, &[Place::ToolArguments])]);
    for size in 1..raw.len() {
        let mut window = Window::new(guards.for_scope(&Scope::default()));
        let mut out = String::new();
        for start in (0..raw.len()).step_by(size) {
            let text = raw[start..raw.len().min(start + size)].to_owned();
            let place = Place::ToolArguments;
            let piece = ChatEvent::Aside { key: 1, scope: 0, place, is_json: true, text, at: 0..0 };
            window.push(0, 1, vec![piece]).unwrap();
        }
        window.finish().unwrap();
        while let Some(held) = window.pop() {
            if let Some(ChatEvent::Aside { text, .. }) = held.events.first() {
                out.push_str(text);
            }
        }
        assert_eq!(out, expected, "{size}");
    }
}

#[test]
fn a_frame_with_something_to_block_never_passes_whatever_it_is() {
    let opaque = |text: &str| {
        let value = RawJson(format!(r#"{{"type":"x","note":"{text}"}}"#));
        let (origin, weight) = (Dialect::AnthropicMessages, Weight::Hint);
        let own = Extension { origin, path: String::new(), value, weight };
        ChatEvent::Open { index: 0, block: Block::Opaque(own) }
    };
    let repeat = ChatEvent::Repeat { place: Place::Output, text: "Nightingale".to_owned(), at: 0..0 };
    for event in [opaque("Nightingale"), repeat] {
        let mut blocking = window(Action::Block);
        assert_eq!(blocking.push(0, 1, vec![event]).unwrap_err().code, Code::GuardBlocked);
        assert!(blocking.pop().is_none());
    }
    let mut redacting = window(Action::Redact);
    redacting.push(0, 1, vec![opaque("by Nightingale")]).unwrap();
    assert_eq!(redacting.pop().unwrap().events, [opaque("by [REDACTED]")]);
}

#[test]
fn citations_are_judged_in_whatever_form_they_may_be_written() {
    let citing = |name: &str| {
        let value = RawJson(format!(r#"{{"segment":{{"text":"{name}"}},"title":"{name}"}}"#));
        let (origin, weight) = (Dialect::GeminiGenerate, Weight::Hint);
        let own = Extension { origin, path: String::new(), value, weight };
        let (title, quote) = (Some(name.to_owned()), Some(format!("said {name}")));
        let all = vec![Citation { url: Some("https://a.example".to_owned()), title, quote, span: None }];
        ChatEvent::Open { index: 0, block: Block::Citations(Citations { all, own }) }
    };
    let mut blocking = window(Action::Block);
    assert_eq!(blocking.push(0, 1, vec![citing("Nightingale")]).unwrap_err().code, Code::GuardBlocked);
    let mut redacting = window(Action::Redact);
    redacting.push(0, 1, vec![citing("Nightingale")]).unwrap();
    assert_eq!(redacting.pop().unwrap().events, [citing("[REDACTED]")]);
}

#[test]
fn only_what_waits_counts_as_held() {
    let mut window = window(Action::Redact);
    window.push(0, 2 * HELD_BYTES_MAX, Vec::new()).unwrap();
    assert!(window.pop().is_some());
    window.push(1, 1, vec![ChatEvent::Open { index: 0, block: Block::text("") }]).unwrap();
    let text = "Night".to_owned();
    window.push(2, 1, vec![ChatEvent::Delta { index: 0, text, at: None }]).unwrap();
    while window.pop().is_some() {}
    assert!(window.push(3, 2 * HELD_BYTES_MAX, Vec::new()).is_err(), "it stands behind what waits");
}

proptest! {
    /// However the text is cut, what passes is what passes in one piece.
    #[test]
    fn cuts_do_not_matter(
        text in "(Nightingale|nightingales|ä| |x|Night){0,12}",
        cuts in proptest::collection::vec(0usize..120, 0..8),
    ) {
        let whole = stream(&mut window(Action::Redact), &[&text]).unwrap().1;
        let mut at: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut) && *cut < text.len()).collect();
        at.sort_unstable();
        at.dedup();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in at {
            pieces.push(&text[start..cut]);
            start = cut;
        }
        pieces.push(&text[start..]);
        prop_assert_eq!(stream(&mut window(Action::Redact), &pieces).unwrap().1, whole);
    }
}
