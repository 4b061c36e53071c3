//! Rankings in every form: what is read, what is written, what is refused.

use super::{
    BedrockRerank, Billing, CohereRerank, JinaRerank, Ranked, RerankCodec, RerankRequest, TeiRerank,
    VoyageRerank, decode_request, encode_answer, rewrite, view,
};
use crate::codec::{Quirks, Target};
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Code;
use proptest::prelude::*;

const CODECS: [&dyn RerankCodec; 5] = [&CohereRerank, &JinaRerank, &VoyageRerank, &TeiRerank, &BedrockRerank];

fn doc(text: &str) -> Doc {
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

#[test]
fn every_text_is_seen_and_the_bytes_between_stay() {
    let text = r#"{ "documents":["a\n", {"text": "b"}, {"text":"c","title":null}], "model":"m","return_documents":true ,"query":"q" }"#;
    let doc = doc(text);
    let seen = view(&doc).unwrap();
    let texts: Vec<_> = seen.spans.iter().map(|span| doc.slice(span.range.clone())).collect();
    assert_eq!(texts, ["a\\n", "b", "c", "q"]);
    let ranks = seen.ranks.clone().unwrap();
    assert_eq!((doc.slice(ranks.query), ranks.documents), ("q", 3));
    let rewritten = rewrite(&doc, &seen, &target("other")).unwrap();
    let sent = splice(doc.bytes(), &rewritten.edits);
    assert_eq!(
        sent,
        Bytes::from_static(br#"{ "documents":["a\n", "b", "c"], "model":"other" ,"query":"q" }"#)
    );
    assert!(rewritten.dropped.is_empty());
}

#[test]
fn answers_of_all_forms_are_read() {
    let places =
        vec![Ranked { index: 1, score: "0.9".to_owned() }, Ranked { index: 0, score: "-4.7e0".to_owned() }];
    for (codec, text, tokens, units) in [
        (
            CODECS[0],
            r#"{"id":"x","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-4.7e0}],"meta":{"billed_units":{"search_units":1.0}}}"#,
            0,
            1,
        ),
        (
            CODECS[1],
            r#"{"results":[{"index":1,"relevance_score":0.9,"document":{"text":"t"}},{"index":0,"relevance_score":-4.7e0}],"usage":{"prompt_tokens":55,"total_tokens":55}}"#,
            55,
            0,
        ),
        (
            CODECS[2],
            r#"{"object":"list","data":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-4.7e0}],"usage":{"total_tokens":7}}"#,
            7,
            0,
        ),
        (CODECS[3], r#"[{"index":1,"score":0.9},{"index":0,"score":-4.7e0}]"#, 0, 0),
        (
            CODECS[4],
            r#"{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-4.7e0}]}"#,
            0,
            0,
        ),
    ] {
        let answer = codec.decode_answer(&doc(text)).unwrap();
        assert_eq!(answer.results, places, "{text}");
        let usage = answer.usage.unwrap_or_default();
        assert_eq!((usage.input_tokens, usage.search_units), (tokens, units), "{text}");
    }
    for codec in CODECS {
        for nothing in ["{}", r#"{"results":[{"index":0}]}"#, r#"{"data":[{"relevance_score":1}]}"#, "3"] {
            assert_eq!(
                codec.decode_answer(&doc(nothing)).unwrap_err().code,
                Code::UpstreamBadResponse,
                "{nothing}"
            );
        }
    }
}

#[test]
fn places_are_held_against_the_request() {
    let request =
        RerankRequest { documents: vec!["a".to_owned(); 2], top_n: Some(1), ..RerankRequest::default() };
    let answer = TeiRerank.decode_answer(&doc(r#"[{"index":1,"score":2},{"index":0,"score":1}]"#)).unwrap();
    assert_eq!(answer.fitted(&request).unwrap().results.len(), 1, "whoever knows no limit tells all");
    let stray = TeiRerank.decode_answer(&doc(r#"[{"index":2,"score":2}]"#)).unwrap();
    assert_eq!(stray.fitted(&request).unwrap_err().code, Code::UpstreamBadResponse);
}

#[test]
fn what_decides_the_ranking_is_refused_and_hints_are_named() {
    let request = |text: &str| decode_request(&doc(text)).unwrap();
    let fields = request(r#"{"model":"m","query":"q","documents":["a"],"rank_fields":["title"]}"#);
    let hints = request(r#"{"model":"m","query":"q","documents":["a"],"made_up":1}"#);
    for codec in CODECS {
        assert_eq!(codec.encode_request(&fields, &target("m")).unwrap_err().code, Code::UnsupportedParameter);
        let encoded = codec.encode_request(&hints, &target("m")).unwrap();
        let sent = String::from_utf8(encoded.body).unwrap();
        assert_eq!(encoded.dropped.is_empty(), sent.contains("made_up"), "{sent}");
    }
    assert_eq!((JinaRerank.billing(), BedrockRerank.billing()), (Billing::Tokens, Billing::Units));
}

proptest! {
    #[test]
    fn what_is_written_is_read(query: String, documents in proptest::collection::vec(any::<String>(), 1..5), top in proptest::option::of(1u64..9)) {
        let request = RerankRequest { model: "m".to_owned(), query, documents, top_n: top, ..RerankRequest::default() };
        let written = CohereRerank.encode_request(&request, &target("m")).unwrap();
        let back = doc(std::str::from_utf8(&written.body).unwrap());
        prop_assert!(view(&back).is_ok());
        prop_assert_eq!(&decode_request(&back).unwrap(), &request);
        let shown = RerankRequest { return_documents: true, ..request };
        let results = (0..shown.documents.len()).map(|at| Ranked { index: at.try_into().unwrap(), score: "1".to_owned() });
        let answer = super::RerankAnswer { results: results.collect(), ..Default::default() };
        let written = encode_answer(&answer, &shown, "m", "id");
        let back = CohereRerank.decode_answer(&doc(std::str::from_utf8(&written).unwrap())).unwrap();
        prop_assert_eq!(back.results, answer.results);
    }

    #[test]
    fn any_json_is_survived(text in r#"(\{|\}|\[|\]|,|:|"results"|"index"|"relevance_score"|"documents"|"query"|"text"|[0-9.e-]{1,4}|"[a-z ]{0,4}"){0,24}"#) {
        if let Ok(doc) = Doc::parse(Bytes::from(text), Strictness::Provider) {
            let _ = (view(&doc), decode_request(&doc));
            for codec in CODECS {
                let _ = codec.decode_answer(&doc);
            }
        }
    }
}
