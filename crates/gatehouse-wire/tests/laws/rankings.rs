//! Rankings: one form of request, written for every provider; every provider's answers, written in one form.

use super::{apply, parse, requests::target, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_wire::codec::Quirks;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::rerank::{
    BedrockRerank, CohereRerank, JinaRerank, RerankCodec, RerankRequest, TeiRerank, VoyageRerank,
    decode_request, encode_answer, rewrite, view,
};

/// How every provider is asked.
const RANKERS: &[&dyn RerankCodec] = &[&CohereRerank, &JinaRerank, &VoyageRerank, &TeiRerank, &BedrockRerank];

/// Everything that is done with a caller's request.
pub fn rerank_request(bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller) else { return };
    let decoded = decode_request(&doc);
    let Ok(view) = view(&doc) else { return };
    spans_can_be_masked(&doc, &view.spans);
    let asked = decoded.unwrap_or_else(|error| panic!("viewed, and not read: {error}\n{}", doc.text()));
    let ranks = view.ranks.as_ref().expect("a request that ranks");
    assert_eq!(u64::try_from(asked.documents.len()), Ok(ranks.documents));
    let target = target(&Quirks::NONE);
    if let Ok(rewrite) = rewrite(&doc, &view, &target) {
        let sent = parse(&apply(&doc, &rewrite.edits), Strictness::Caller);
        let again =
            decode_request(&sent).unwrap_or_else(|error| panic!("rewritten: {error}\n{}", sent.text()));
        assert_eq!((again.query, again.documents), (asked.query.clone(), asked.documents.clone()));
    }
    for ranker in RANKERS {
        if let Ok(encoded) = ranker.encode_request(&asked, &target) {
            parse(&encoded.body, Strictness::Provider);
        }
    }
}

/// Everything that is done with a provider's answer.
pub fn rerank_answer(bytes: &[u8]) {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider) else { return };
    let asked = RerankRequest {
        query: "q".to_owned(),
        documents: vec!["a \"document\"".to_owned(), String::new(), "c".to_owned()],
        top_n: Some(2),
        return_documents: true,
        ..RerankRequest::default()
    };
    for ranker in RANKERS {
        let Ok(answer) = ranker.decode_answer(&doc).and_then(|answer| answer.fitted(&asked)) else {
            continue;
        };
        assert!(answer.results.len() <= 2 && answer.results.iter().all(|ranked| ranked.index < 3));
        if let Some(usage) = answer.usage {
            assert_eq!(usage, usage.clamped());
        }
        let written = parse(&encode_answer(&answer, &asked, "a \"model\"", "id"), Strictness::Provider);
        let back = CohereRerank.decode_answer(&written);
        let back = back.unwrap_or_else(|error| panic!("{error}\n{}", written.text()));
        assert_eq!(back.results, answer.results);
    }
}
