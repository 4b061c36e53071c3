//! Answers in one piece: metered, masked, read, and written in every dialect.

use super::{ALL, Subject, parse, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_wire::chat::{ChatResponse, Finish, events, fold};
use gatehouse_wire::codec::ReplyContext;
use gatehouse_wire::json::{Doc, Strictness};

/// Everything that is done with a provider's answer.
pub fn answer(subject: Subject, bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider) else { return };
    let summary = subject.codec.summary(&doc);
    spans_can_be_masked(&doc, &subject.codec.answer_spans(&doc));
    let Ok(answer) = subject.codec.decode_answer(&doc) else { return };
    assert_eq!(summary.error, None, "{}: an error that was read as an answer", subject.name);
    if let Some(usage) = answer.usage {
        assert_eq!(usage, usage.clamped(), "{}: parts of usage that exceed their total", subject.name);
    }
    // No event carries the tier that served.
    let folded = fold(&events(&answer))
        .map(|folded| ChatResponse { service_tier: answer.service_tier.clone(), ..folded });
    assert_eq!(folded.as_ref(), Ok(&answer), "{}", subject.name);
    for other in ALL {
        let written = parse(&other.codec.encode_answer(&answer, &context()), Strictness::Provider);
        let back = other.codec.decode_answer(&written);
        // Responses has no word for a model that failed by its own word: there it is an error.
        assert!(
            back.is_ok() || answer.finish == Finish::Failed,
            "{} wrote for {}: {back:?}\n{}",
            other.name,
            subject.name,
            written.text()
        );
    }
}

/// A context with everything set.
pub(super) fn context() -> ReplyContext {
    ReplyContext {
        model: "a \"model\"".to_owned(),
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        include_usage: true,
        ..ReplyContext::default()
    }
}
