//! Rankings: a document is the better the more of the question's words it has. Four forms, each strict.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, text, unknown};
use crate::words;

/// Documents in a unit that Cohere bills.
const UNIT: usize = 100;

/// Whose form it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `/v2/rerank`
    Cohere,
    /// `/v1/rerank`
    Jina,
    /// `/v1/rerank` somewhere below `/voyage`
    Voyage,
    /// `/rerank`: Text Embeddings Inference
    Tei,
}

/// What is asked.
pub(crate) struct Asked {
    query: String,
    documents: Vec<String>,
    most: Option<u64>,
}

/// Answers a ranking.
pub(crate) fn rerank(ask: &Ask<'_>, form: Form) -> Checked<Answer> {
    let body = ask.object("invalid request: the body is no JSON object")?;
    let (known, documents, most): (&[&str], _, _) = match form {
        Form::Cohere => (
            &["model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"],
            "documents",
            "top_n",
        ),
        Form::Jina => (
            &["model", "query", "documents", "top_n", "return_documents", "truncation"],
            "documents",
            "top_n",
        ),
        Form::Voyage => (
            &["model", "query", "documents", "top_k", "return_documents", "truncation"],
            "documents",
            "top_k",
        ),
        Form::Tei => (&["query", "texts", "raw_scores", "return_text", "truncate"], "texts", ""),
    };
    let asked = read(&body, known, documents, most)?;
    if form != Form::Tei && text(&body, "model").is_none_or(str::is_empty) {
        return Err(Fault::bad("invalid request: model is required").param("model"));
    }
    if ask.directives.missing {
        return Err(Fault::new(404, format!("model '{}' not found", ask.model)));
    }
    // Jina's default is to send the documents back.
    let shown = get(&body, "return_documents").is_none_or(|_| flag(&body, "return_documents"));
    Ok(Answer::ok(&written(&asked, form, ask, shown)))
}

/// The same through `InvokeModel`.
pub(crate) fn invoke(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object("The request body is not valid JSON.")?;
    let of_cohere = ask.model.contains("cohere.");
    let known: &[&str] = if of_cohere {
        &["query", "documents", "top_n", "api_version", "max_tokens_per_doc"]
    } else {
        &["query", "documents", "top_n"]
    };
    let asked = read(&body, known, "documents", "top_n")?;
    if of_cohere && get(&body, "api_version").and_then(Value::as_u64) != Some(2) {
        return Err(Fault::bad("Malformed input request: api_version is required"));
    }
    Ok(Answer::ok(&json!({"results": places(&asked, "relevance_score", |_, _| {})})))
}

fn read(body: &Value, known: &[&str], documents: &str, most: &str) -> Checked<Asked> {
    if let Some(name) = unknown(body, known).first() {
        return Err(Fault::bad(format!("invalid request: unknown field {name}")));
    }
    let query = text(body, "query").filter(|query| !query.is_empty());
    let query = query.ok_or_else(|| Fault::bad("invalid request: query must be a string").param("query"))?;
    let listed = get(body, documents).and_then(Value::as_array).filter(|list| !list.is_empty());
    let texts: Option<Vec<String>> =
        listed.and_then(|list| list.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    let texts = texts.ok_or_else(|| {
        Fault::bad(format!("invalid request: {documents} must be a list of strings")).param(documents)
    })?;
    Ok(Asked { query: query.to_owned(), documents: texts, most: get(body, most).and_then(Value::as_u64) })
}

fn written(asked: &Asked, form: Form, ask: &Ask<'_>, shown: bool) -> Value {
    let tokens: u64 =
        asked.documents.iter().map(|document| words::count(document) + words::count(&asked.query)).sum();
    let with_text = |place: &mut Value, text: &str| {
        if shown {
            crate::json::set(place, "document", json!({ "text": text }));
        }
    };
    match form {
        Form::Cohere => {
            let units = asked.documents.len().div_ceil(UNIT);
            json!({"id": ask.ids.next("rank_"), "results": places(asked, "relevance_score", |_, _| {}),
                "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": units}}})
        }
        Form::Jina => json!({"model": ask.model, "object": "list", "usage": {"total_tokens": tokens},
            "results": places(asked, "relevance_score", with_text)}),
        Form::Voyage => json!({"object": "list", "data": places(asked, "relevance_score", |_, _| {}),
            "model": ask.model, "usage": {"total_tokens": tokens}}),
        Form::Tei => places(asked, "score", |_, _| {}),
    }
}

/// The places, the best first; of equals the earlier.
fn places(asked: &Asked, score: &str, more: impl Fn(&mut Value, &str)) -> Value {
    let wanted: Vec<String> = asked.query.split_whitespace().map(str::to_lowercase).collect();
    let found = |document: &str| {
        let has: Vec<String> = document.split_whitespace().map(str::to_lowercase).collect();
        wanted.iter().filter(|word| has.contains(word)).count()
    };
    let mut all: Vec<(usize, usize, &String)> =
        asked.documents.iter().enumerate().map(|(at, document)| (at, found(document), document)).collect();
    all.sort_by_key(|(at, found, _)| (std::cmp::Reverse(*found), *at));
    let most = asked.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let share = |found: usize| {
        let (found, all) =
            (u32::try_from(found).unwrap_or(0), u32::try_from(wanted.len()).unwrap_or(1).max(1));
        f64::from(found) / f64::from(all)
    };
    let place = |(at, found, document): (usize, usize, &String)| {
        let mut place = json!({"index": at, score: share(found)});
        more(&mut place, document);
        place
    };
    Value::Array(all.into_iter().take(most).map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::{Asked, places};
    use serde_json::json;

    #[test]
    fn shared_words_decide_and_then_the_order() {
        let documents = ["nothing", "a red fox", "the red panda", "panda"].map(str::to_owned).to_vec();
        let asked = Asked { query: "red panda".to_owned(), documents, most: Some(3) };
        assert_eq!(
            places(&asked, "score", |_, _| {}),
            json!([{"index": 2, "score": 1.0}, {"index": 1, "score": 0.5}, {"index": 3, "score": 0.5}])
        );
    }
}
