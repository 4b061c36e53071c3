//! Both dialects, and from one to the other.

use super::{
    BedrockCohereEmbed, BedrockTitanEmbed, CohereEmbed, EmbedAnswer, EmbedCodec, EmbedInput,
    EmbedProviderCodec, EmbedRequest, Encoding, GeminiEmbeddings, OpenAiEmbeddings, Vector, VertexPredict,
    VoyageEmbeddings,
};
use crate::codec::{Quirks, Target};
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use proptest::prelude::*;

fn doc(text: &str) -> Doc {
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

fn from_openai(text: &str) -> Result<EmbedRequest, Error> {
    OpenAiEmbeddings.decode_request(&doc(text))
}

fn to_gemini(text: &str) -> (String, bool, Vec<String>) {
    let encoded = GeminiEmbeddings.encode_request(&from_openai(text).unwrap(), &target("g")).unwrap();
    (String::from_utf8(encoded.body).unwrap(), encoded.batch, encoded.dropped)
}

#[test]
fn one_text_and_several_take_their_forms() {
    let one = to_gemini(r#"{"model":"m","input":"hé","dimensions":8,"user":"u","input_type":"query"}"#);
    let expected = r#"{"model":"models/g","content":{"parts":[{"text":"hé"}]},"outputDimensionality":8}"#;
    assert_eq!(one, (expected.to_owned(), false, vec!["user".to_owned(), "input_type".to_owned()]));
    let (body, batch, _) = to_gemini(r#"{"model":"m","input":["a","b"]}"#);
    let [a, b] = ["a", "b"]
        .map(|text| format!(r#"{{"model":"models/g","content":{{"parts":[{{"text":"{text}"}}]}}}}"#));
    assert_eq!((body, batch), (format!(r#"{{"requests":[{a},{b}]}}"#), true));
}

#[test]
fn token_ids_are_for_openai_alone() {
    for (text, inputs) in [
        (r#"{"model":"m","input":[1,2]}"#, vec![EmbedInput::Tokens(vec![1, 2])]),
        (
            r#"{"model":"m","input":[[1],[2]]}"#,
            vec![EmbedInput::Tokens(vec![1]), EmbedInput::Tokens(vec![2])],
        ),
    ] {
        let request = from_openai(text).unwrap();
        assert_eq!(request.inputs, inputs);
        let refused = GeminiEmbeddings.encode_request(&request, &target("g")).unwrap_err();
        assert_eq!((refused.code, refused.param.as_deref()), (Code::UnsupportedParameter, Some("input")));
        let own = OpenAiEmbeddings.encode_request(&request, &target("m")).unwrap();
        assert_eq!(String::from_utf8(own.body).unwrap(), text);
    }
}

#[test]
fn what_is_malformed_is_refused_by_path() {
    for (text, param) in [
        (r#"{"input":"x"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":[]}"#, "input"),
        (r#"{"model":"m","input":["a",1]}"#, "input"),
        (r#"{"model":"m","input":[null]}"#, "input[0]"),
        (r#"{"model":"m","input":[["a"]]}"#, "input[0][0]"),
        (r#"{"model":"m","Input":"a","input":"b"}"#, "Input"),
        (r#"{"model":"m","input":"a","dimensions":"8"}"#, "dimensions"),
    ] {
        let parsed = Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller);
        let error = parsed.and_then(|doc| OpenAiEmbeddings.decode_request(&doc)).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest, "{text}");
        assert_eq!(error.param.unwrap_or_else(|| param.to_owned()), param, "{text}");
    }
    for text in [
        r#"{}"#,
        r#"{"requests":[]}"#,
        r#"{"requests":[{}]}"#,
        r#"{"content":{"parts":[{"text":1}]}}"#,
        r#"{"requests":[{"content":{}}],"content":{}}"#,
        r#"{"content":{},"task_type":"a","taskType":"b"}"#,
    ] {
        assert_eq!(GeminiEmbeddings.view(&doc(text)).unwrap_err().code, Code::InvalidRequest, "{text}");
    }
}

#[test]
fn a_gemini_caller_is_read_and_seen() {
    let text = r#"{"requests":[
        {"model":"models/a","content":{"parts":[{"text":"x"},{"text":"y"}]},"taskType":"T","title":"one","output_dimensionality":8},
        {"model":"models/a","content":{"parts":{"text":"z"}},"task_type":"T","outputDimensionality":8,"autoTruncate":true}]}"#;
    let doc = doc(text);
    let view = GeminiEmbeddings.view(&doc).unwrap();
    let texts: Vec<_> = view.spans.iter().map(|span| (span.place, doc.slice(span.range.clone()))).collect();
    assert_eq!(texts, ["x", "y", "one", "z"].map(|text| (Place::Input, text)));
    let request = GeminiEmbeddings.decode_request(&doc).unwrap();
    let inputs = ["x\ny", "z"].map(|text| EmbedInput::Text(text.to_owned()));
    assert_eq!((request.inputs.as_slice(), request.dimensions), (&inputs[..], Some(8)));
    let encoded = OpenAiEmbeddings.encode_request(&request, &target("m")).unwrap();
    let body = String::from_utf8(encoded.body).unwrap();
    assert_eq!(body, r#"{"model":"m","input":["x\ny","z"],"dimensions":8}"#);
    assert_eq!(encoded.dropped, ["taskType", "title", "requests[1].autoTruncate"]);

    let rewrite = GeminiEmbeddings.rewrite(&doc, &view, &target("b")).unwrap();
    let edited = splice(doc.bytes(), &rewrite.edits);
    assert_eq!(edited, Bytes::from(text.replace("models/a", "models/b")));
    let quirks = Quirks { drop: &["taskType"], ..Quirks::NONE };
    let dropping = Target { quirks: &quirks, ..target("b") };
    let rewrite = GeminiEmbeddings.rewrite(&doc, &view, &dropping).unwrap();
    let edited: serde_json::Value = serde_json::from_slice(&splice(doc.bytes(), &rewrite.edits)).unwrap();
    assert_eq!((edited["requests"][0].get("taskType"), edited["requests"][1].get("task_type")), (None, None));
    assert_eq!(rewrite.dropped, ["taskType"]);
}

#[test]
fn only_the_model_is_edited() {
    let text = r#"{ "input": "x", "model": "a", "user": "u" }"#;
    let doc = doc(text);
    let view = OpenAiEmbeddings.view(&doc).unwrap();
    let same = OpenAiEmbeddings.rewrite(&doc, &view, &target("a")).unwrap();
    assert!(same.edits.is_empty());
    let quirks = Quirks { drop: &["user"], ..Quirks::NONE };
    let other = Target { quirks: &quirks, ..target("b\"") };
    let rewrite = OpenAiEmbeddings.rewrite(&doc, &view, &other).unwrap();
    let edited = splice(doc.bytes(), &rewrite.edits);
    assert_eq!(edited, Bytes::from_static(br#"{ "input": "x", "model": "b\"" }"#));
    assert_eq!(rewrite.dropped, ["user"]);
}

#[test]
fn vectors_come_in_the_form_that_was_asked() {
    let gemini = Bytes::from_static(br#"{"embeddings":[{"values":[1.0, -2]},{"values":[0.5,3e-9]}]}"#);
    let answer = GeminiEmbeddings.decode_answer(&gemini).unwrap();
    assert_eq!(answer.usage, None);
    let asked = |text: &str| from_openai(text).unwrap();
    let floats = OpenAiEmbeddings.encode_answer(&answer, &asked(r#"{"model":"m","input":["a","b"]}"#), "m");
    assert_eq!(
        String::from_utf8(floats.unwrap()).unwrap(),
        concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0, -2]},"#,
            r#"{"object":"embedding","index":1,"embedding":[0.5,3e-9]}],"model":"m","#,
            r#""usage":{"prompt_tokens":0,"total_tokens":0}}"#
        )
    );
    let packed = asked(r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#);
    assert_eq!(packed.encoding, Encoding::Base64);
    let packed = OpenAiEmbeddings.encode_answer(&answer, &packed, "m").unwrap();
    assert!(String::from_utf8(packed).unwrap().contains(r#""embedding":"AACAPwAAAMA=""#));
    let one = OpenAiEmbeddings.encode_answer(&answer, &asked(r#"{"model":"m","input":"a"}"#), "m");
    assert_eq!(one.unwrap_err().code, Code::UpstreamBadResponse);
}

#[test]
fn openai_answers_are_read_in_order_and_written_for_gemini() {
    let body = Bytes::from_static(
        br#"{"data":[{"index":1,"embedding":"AACAPw=="},{"index":0,"embedding":[2]}],"model":"m",
            "usage":{"total_tokens":7}}"#,
    );
    let answer = OpenAiEmbeddings.decode_answer(&body).unwrap();
    let usage = Some(Usage { input_tokens: 7, ..Usage::default() });
    let vectors = vec![Vector::Numbers("[2]".to_owned()), Vector::Base64("AACAPw==".to_owned())];
    assert_eq!(answer, EmbedAnswer { id: String::new(), model: "m".to_owned(), vectors, usage });
    assert_eq!(OpenAiEmbeddings.summary(&body).usage, usage);
    let part = |text: &str| EmbedInput::Text(text.to_owned());
    let request = EmbedRequest { inputs: vec![part("a"), part("b")], batch: true, ..Default::default() };
    let written = GeminiEmbeddings.encode_answer(&answer, &request, "m").unwrap();
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"{"embeddings":[{"values":[2]},{"values":[1.0]}],"usageMetadata":{"promptTokenCount":7}}"#
    );
}

#[test]
fn errors_and_nothing_are_no_answers() {
    let codecs: [&dyn EmbedCodec; 2] = [&OpenAiEmbeddings, &GeminiEmbeddings];
    for codec in codecs {
        let limited = Bytes::from_static(
            br#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#,
        );
        assert_eq!(codec.decode_answer(&limited).unwrap_err().code, Code::UpstreamRateLimited);
        assert!(codec.summary(&limited).error.is_some());
        for nothing in ["{}", "x", r#"{"data":[{}],"embeddings":[{}]}"#] {
            let error = codec.decode_answer(&Bytes::from_static(nothing.as_bytes())).unwrap_err();
            assert_eq!(error.code, Code::UpstreamBadResponse);
        }
    }
}

#[test]
fn a_large_batch_is_read_though_it_holds_more_numbers_than_a_document_may() {
    let vector = format!("[{}0.5]", "0.25,".repeat(1_023));
    let vectors = vec![format!(r#"{{"embedding":{vector}}}"#); 1_024].join(",");
    let body = Bytes::from(format!(r#"{{"data":[{vectors}],"usage":{{"prompt_tokens":9}}}}"#));
    assert!(Doc::parse(body.clone(), Strictness::Provider).is_err());
    assert_eq!(OpenAiEmbeddings.decode_answer(&body).unwrap().vectors.len(), 1_024);
}

proptest! {
    #[test]
    fn requests_come_back(texts in proptest::collection::vec(any::<String>(), 1..4), batch: bool, dimensions in proptest::option::of(1u64..99)) {
        let batch = batch || texts.len() > 1;
        let inputs = texts.into_iter().map(EmbedInput::Text).collect();
        let request = EmbedRequest { model: "m".to_owned(), inputs, batch, dimensions, ..Default::default() };
        let openai = OpenAiEmbeddings.encode_request(&request, &target("m")).unwrap();
        let text = String::from_utf8(openai.body).unwrap();
        prop_assert_eq!(&from_openai(&text).unwrap(), &request);
        let gemini = GeminiEmbeddings.encode_request(&request, &target("m")).unwrap();
        let text = String::from_utf8(gemini.body).unwrap();
        let back = GeminiEmbeddings.decode_request(&doc(&text)).unwrap();
        prop_assert_eq!(back, EmbedRequest { model: String::new(), ..request });
    }
}

/// Every form in which providers are asked beside OpenAI's and Gemini's.
const ASKED: [&dyn EmbedProviderCodec; 5] =
    [&VoyageEmbeddings, &BedrockTitanEmbed, &BedrockCohereEmbed, &VertexPredict, &CohereEmbed];

#[test]
fn forms_of_providers_are_written() {
    let asked = from_openai(
        r#"{"model":"m","input":"hé","dimensions":8,"user":"u","encoding_format":"base64","input_type":"query"}"#,
    );
    let expected = [
        (
            r#"{"model":"m","input":["hé"],"output_dimension":8,"encoding_format":"base64","input_type":"query"}"#,
            vec!["user"],
        ),
        (r#"{"inputText":"hé","dimensions":8}"#, vec!["user", "input_type"]),
        (r#"{"texts":["hé"],"output_dimension":8,"input_type":"query"}"#, vec!["user"]),
        (
            r#"{"instances":[{"content":"hé"}],"parameters":{"outputDimensionality":8}}"#,
            vec!["user", "input_type"],
        ),
        (
            r#"{"model":"m","texts":["hé"],"embedding_types":["float"],"output_dimension":8,"input_type":"query"}"#,
            vec!["user"],
        ),
    ];
    for (codec, (body, dropped)) in ASKED.into_iter().zip(expected) {
        let encoded = codec.encode_request(asked.as_ref().unwrap(), &target("m")).unwrap();
        assert_eq!(
            (std::str::from_utf8(&encoded.body).unwrap(), encoded.dropped),
            (body, dropped.into_iter().map(str::to_owned).collect())
        );
    }
    let task = |word: &str| EmbedRequest {
        inputs: vec![EmbedInput::Text("x".to_owned())],
        task_type: Some(word.to_owned()),
        ..EmbedRequest::default()
    };
    for (word, voyage, cohere) in [
        ("RETRIEVAL_QUERY", true, "search_query"),
        ("CLUSTERING", false, "clustering"),
        ("NEW", false, "search_document"),
    ] {
        let encoded = VoyageEmbeddings.encode_request(&task(word), &target("m")).unwrap();
        assert_eq!(encoded.dropped.is_empty(), voyage, "{word}");
        let encoded = BedrockCohereEmbed.encode_request(&task(word), &target("m")).unwrap();
        assert!(String::from_utf8(encoded.body).unwrap().contains(cohere), "{word}");
        let encoded = VertexPredict.encode_request(&task(word), &target("m")).unwrap();
        assert!(String::from_utf8(encoded.body).unwrap().contains(word), "{word}");
    }
}

#[test]
fn answers_of_providers_are_read() {
    let texts = [
        r#"{"data":[{"index":0,"embedding":[1,0.5]}],"usage":{"total_tokens":3}}"#,
        r#"{"embedding":[1,0.5],"inputTextTokenCount":3}"#,
        r#"{"embeddings":{"float":[[1,0.5]]},"id":"x"}"#,
        r#"{"predictions":[{"embeddings":{"values":[1,0.5],"statistics":{"token_count":3}}}]}"#,
        r#"{"id":"x","texts":["[1]"],"embeddings":{"float":[[1,0.5]]},"meta":{"billed_units":{"input_tokens":3.0}}}"#,
    ];
    for (codec, text) in ASKED.into_iter().zip(texts) {
        let answer = codec.decode_answer(&Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(answer.vectors, [Vector::Numbers("[1,0.5]".to_owned())], "{text}");
        let counted = answer.usage.map(|usage| usage.input_tokens);
        assert_eq!(counted, (!text.ends_with(r#""id":"x"}"#)).then_some(3), "{text}");
        assert_eq!(codec.summary(&Bytes::from_static(text.as_bytes())).usage, answer.usage);
        for nothing in ["{}", "x", r#"{"data":[{}],"embeddings":[{}],"predictions":[{}]}"#] {
            let error = codec.decode_answer(&Bytes::from_static(nothing.as_bytes())).unwrap_err();
            assert_eq!(error.code, Code::UpstreamBadResponse, "{nothing}");
        }
    }
    let older = Bytes::from_static(br#"{"embeddings":[[1],[2]],"response_type":"embeddings_floats"}"#);
    assert_eq!(BedrockCohereEmbed.decode_answer(&older).unwrap().vectors.len(), 2);
}

fn from_cohere(text: &str) -> Result<EmbedRequest, Error> {
    CohereEmbed.decode_request(&doc(text))
}

#[test]
fn a_cohere_caller_is_read_and_seen() {
    let text = r#"{"model":"m","texts":["x","y"],"input_type":"search_query","embedding_types":["float"],
        "output_dimension":8,"truncate":"END"}"#;
    let seen = doc(text);
    let view = CohereEmbed.view(&seen).unwrap();
    let texts: Vec<_> = view.spans.iter().map(|span| (span.place, seen.slice(span.range.clone()))).collect();
    assert_eq!(texts, ["x", "y"].map(|text| (Place::Input, text)));
    let rewrite = CohereEmbed.rewrite(&seen, &view, &target("b")).unwrap();
    let edited = splice(seen.bytes(), &rewrite.edits);
    assert_eq!(edited, Bytes::from(text.replace(r#""model":"m""#, r#""model":"b""#)));

    let request = from_cohere(text).unwrap();
    assert_eq!((request.dimensions, request.task_type.as_deref()), (Some(8), Some("RETRIEVAL_QUERY")));
    let openai = OpenAiEmbeddings.encode_request(&request, &target("o")).unwrap();
    assert_eq!(openai.body, br#"{"model":"o","input":["x","y"],"dimensions":8}"#);
    assert_eq!(openai.dropped, ["input_type", "truncate"]);
    let voyage = VoyageEmbeddings.encode_request(&request, &target("v")).unwrap();
    assert!(String::from_utf8(voyage.body).unwrap().contains(r#""input_type":"query""#));
    let again = CohereEmbed.encode_request(&request, &target("m")).unwrap();
    assert_eq!(from_cohere(std::str::from_utf8(&again.body).unwrap()).unwrap(), request);

    let answer = EmbedAnswer {
        id: "i".to_owned(),
        vectors: ["[1]", "[0.5]"].map(|one| Vector::Numbers(one.to_owned())).to_vec(),
        usage: Some(Usage { input_tokens: 3, ..Usage::default() }),
        ..EmbedAnswer::default()
    };
    let written = CohereEmbed.encode_answer(&answer, &request, "m").unwrap();
    let expected = concat!(
        r#"{"id":"i","embeddings":{"float":[[1],[0.5]]},"texts":["x","y"],"meta":{"api_version":{"version":"2"},"#,
        r#""billed_units":{"input_tokens":3}},"response_type":"embeddings_by_type"}"#
    );
    assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
    assert_eq!(CohereEmbed.decode_answer(&Bytes::from(written)).unwrap(), answer);
}

#[test]
fn what_cohere_embeds_beside_texts_is_for_coheres_models() {
    let mixed = r#"{"model":"m","inputs":[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],"embedding_types":["base64"]}"#;
    let request = from_cohere(mixed).unwrap();
    assert_eq!(request.inputs, [EmbedInput::Text("a\nb".to_owned())]);
    assert_eq!((request.encoding, request.task_type), (Encoding::Base64, None));
    for (text, code) in [
        (r#"{"model":"m","images":["data:x"],"input_type":"image"}"#, Code::UnsupportedParameter),
        (r#"{"model":"m","texts":["x"],"embedding_types":["int8"]}"#, Code::UnsupportedParameter),
        (r#"{"model":"m","texts":["x"],"embedding_types":["float","base64"]}"#, Code::UnsupportedParameter),
        (r#"{"model":"m","texts":["x"],"input_type":"new"}"#, Code::UnsupportedParameter),
        (
            r#"{"model":"m","inputs":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
            Code::UnsupportedParameter,
        ),
        (r#"{"model":"m","texts":[]}"#, Code::InvalidRequest),
        (r#"{"model":"m","texts":"x"}"#, Code::InvalidRequest),
        (r#"{"model":"m","texts":[1]}"#, Code::InvalidRequest),
        (r#"{"texts":["x"]}"#, Code::InvalidRequest),
        (r#"{"model":"m","inputs":[{}]}"#, Code::InvalidRequest),
    ] {
        assert_eq!(from_cohere(text).unwrap_err().code, code, "{text}");
    }
    let images = Bytes::from_static(
        br#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":2,"image_tokens":5}}}"#,
    );
    let used = CohereEmbed.summary(&images).usage.unwrap();
    assert_eq!((used.input_tokens, used.image_input_tokens), (7, 5));
}
