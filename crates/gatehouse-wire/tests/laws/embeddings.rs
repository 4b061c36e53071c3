//! Embeddings: requests and answers, as for conversations.

use super::{apply, parse, requests::target, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_wire::codec::Quirks;
use gatehouse_wire::embeddings::{
    CohereEmbed, EmbedCodec, EmbedInput, EmbedRequest, GeminiEmbeddings, OpenAiEmbeddings,
};
use gatehouse_wire::json::{Doc, Strictness};

/// A dialect of embeddings under test.
#[derive(Clone, Copy)]
pub struct EmbedSubject {
    /// Its name, that of its folder of seeds.
    pub name: &'static str,
    /// Its codec.
    pub codec: &'static dyn EmbedCodec,
}

/// Every dialect of embeddings.
pub const EMBEDDINGS: &[EmbedSubject] = &[
    EmbedSubject { name: "openai_embeddings", codec: &OpenAiEmbeddings },
    EmbedSubject { name: "gemini_embeddings", codec: &GeminiEmbeddings },
    EmbedSubject { name: "cohere_embeddings", codec: &CohereEmbed },
];

/// Everything that is done with a caller's request.
pub fn embed_request(subject: EmbedSubject, bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller) else { return };
    let decoded = subject.codec.decode_request(&doc);
    let Ok(view) = subject.codec.view(&doc) else { return };
    spans_can_be_masked(&doc, &view.spans);
    let quirks = Quirks { drop: &["user", "taskType"], ..Quirks::COMPATIBLE };
    for quirks in [&Quirks::NONE, &quirks] {
        let Ok(rewrite) = subject.codec.rewrite(&doc, &view, &target(quirks)) else { continue };
        let sent = parse(&apply(&doc, &rewrite.edits), Strictness::Caller);
        let again = subject.codec.view(&sent);
        assert!(again.is_ok(), "{}: rewritten to what we refuse: {again:?}\n{}", subject.name, sent.text());
    }
    let Ok(decoded) = decoded else { return };
    for other in EMBEDDINGS {
        let Ok(encoded) = other.codec.encode_request(&decoded, &target(&Quirks::NONE)) else { continue };
        let written = parse(&encoded.body, Strictness::Provider);
        let seen = other.codec.view(&written);
        assert!(seen.is_ok(), "{} wrote for {}: {seen:?}\n{}", other.name, subject.name, written.text());
    }
}

/// Everything that is done with a provider's answer.
pub fn embed_answer(subject: EmbedSubject, bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    let summary = subject.codec.summary(&body);
    let Ok(answer) = subject.codec.decode_answer(&body) else { return };
    assert_eq!(summary.error, None, "{}: an error that was read as an answer", subject.name);
    let asked = EmbedRequest {
        inputs: answer.vectors.iter().map(|_| EmbedInput::Text(String::new())).collect(),
        batch: true,
        ..EmbedRequest::default()
    };
    for other in EMBEDDINGS {
        let Ok(written) = other.codec.encode_answer(&answer, &asked, "a \"model\"") else { continue };
        let back = other.codec.decode_answer(&Bytes::from(written));
        let same = back.as_ref().is_ok_and(|back| back.vectors.len() == answer.vectors.len());
        assert!(same, "{} wrote for {}: {back:?}", other.name, subject.name);
    }
}
