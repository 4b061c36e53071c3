//! Answers in one piece: metered, masked, read, and written in every dialect.

use super::{ALL, Subject, parse, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_wire::chat::{ChatResponse, Finish, events, fold};
use gatehouse_wire::codec::{ProviderCodec, ReplyContext};
use gatehouse_wire::json::{Doc, Strictness};

/// Everything that is done with a provider's answer.
pub fn answer(subject: Subject, bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider) else { return };
    of_provider(subject.name, subject.codec, &doc);
}

/// The same of a dialect that only providers speak.
pub(super) fn of_provider(name: &str, codec: &dyn ProviderCodec, doc: &Doc) {
    let summary = codec.summary(doc);
    spans_can_be_masked(doc, &codec.answer_spans(doc));
    let Ok(answer) = codec.decode_answer(doc) else { return };
    assert_eq!(summary.error, None, "{name}: an error that was read as an answer");
    if let Some(usage) = answer.usage {
        assert_eq!(usage, usage.clamped(), "{name}: parts of usage that exceed their total");
    }
    // No event carries the tier that served.
    let folded = fold(&events(&answer))
        .map(|folded| ChatResponse { service_tier: answer.service_tier.clone(), ..folded });
    assert_eq!(folded.as_ref(), Ok(&answer), "{name}");
    for other in ALL {
        let written = parse(&other.codec.encode_answer(&answer, &context()), Strictness::Provider);
        let back = other.codec.decode_answer(&written);
        // Responses has no word for a model that failed by its own word: there it is an error.
        assert!(
            back.is_ok() || answer.finish == Finish::Failed,
            "{} wrote for {name}: {back:?}\n{}",
            other.name,
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
