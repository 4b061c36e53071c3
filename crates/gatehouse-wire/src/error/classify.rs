//! A provider's failure as one of ours: whose fault it is decides what happens next.
//!
//! The order of the questions matters. What the request is about (content, length, model) is asked before
//! whether the account may (quota, key), and both before the bare status, as providers answer 400 and 403
//! to all of these. For events of a stream, which have no status, the words have to do.

use super::report::{Report, cut, shown};
use super::signs;
use super::wait::retry_after;
use crate::json::{Doc, Node};
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};

/// What a caller reads when the provider refuses our key. The provider's own words go to the operator.
const REFUSED_CREDENTIAL: &str = "the provider refused the gateway's credential";
/// How many characters of type and code the operator's detail holds.
const DETAIL_WORDS_CHARS_MAX: usize = 300;

/// Reads what a provider answered with an error status.
///
/// `headers` finds a header by its lower-case name. The message of the result is the provider's, redacted
/// and cut; its `detail` adds status and codes for the operator.
#[must_use]
pub fn classify(family: Family, status: u16, headers: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Error {
    let mut report = Report::of_body(body);
    if let Some(kind) = headers("x-amzn-errortype") {
        // `ValidationException:http://…`
        report.sign(kind.split(':').next().unwrap_or_default());
    }
    let code = if status < 400 { Code::UpstreamBadResponse } else { judge(family, status, &report) };
    let mut error = state(code, Some(status), &report);
    if code.is_retryable() || code == Code::UpstreamQuotaExceeded {
        error.retry_after = retry_after(headers, &report);
    }
    error
}

/// An error that came in one piece with a status of success, as Azure's filter and some routers send it.
#[must_use]
pub fn in_success_body(doc: &Doc) -> Option<Error> {
    from_stream(Family::OpenAi, doc)
}

/// An error that a provider reports in the middle of a stream: any event with an `error`, Responses'
/// flat `error` event and its `response.failed`. `None` when the event is not an error.
#[must_use]
pub fn from_stream(family: Family, doc: &Doc) -> Option<Error> {
    from_node(family, doc.root())
}

/// An error in the middle of a stream whose name stands beside its body, as Amazon's event streams have it.
/// The body may be bare words.
#[must_use]
pub fn from_exception(family: Family, name: &str, body: &[u8]) -> Error {
    let mut report = Report::of_body(body);
    report.sign(name);
    let status = status_by_words(&report);
    let mut error = state(judge(family, status, &report), None, &report);
    if error.code.is_retryable() || error.code == Code::UpstreamQuotaExceeded {
        error.retry_after = retry_after(&|_| None, &report);
    }
    error
}

/// [`from_stream`] for a value inside a document.
#[must_use]
pub fn from_node(family: Family, root: Node<'_>) -> Option<Error> {
    let first = if root.is_array() { root.items().next()? } else { root };
    let kind = first.opt("type").and_then(|kind| kind.str()).unwrap_or_default();
    let object = first.opt("object").and_then(|object| object.str()).unwrap_or_default();
    let failed = first.path(&["response", "error"]).filter(|_| kind == "response.failed");
    let has_error = first.opt("error").is_some_and(|error| !error.is_empty() && error.bool() != Some(false));
    let report = if let Some(failed) = failed {
        Report::of_document(failed)
    } else if has_error || kind == "error" || object == "error" || is_coheres(family, first) {
        Report::of_document(first)
    } else {
        None
    }?;
    let status = report.status.unwrap_or_else(|| status_by_words(&report));
    let mut error = state(judge(family, status, &report), report.status, &report);
    if error.code.is_retryable() || error.code == Code::UpstreamQuotaExceeded {
        error.retry_after = retry_after(&|_| None, &report);
    }
    Some(error)
}

/// Cohere's errors are a message without any word of what they are; all else of Cohere's has a type or another form.
fn is_coheres(family: Family, root: Node<'_>) -> bool {
    family == Family::Cohere
        && root.opt("type").is_none()
        && root.opt("message").is_some_and(|message| message.is_str())
}

/// The error for a code, with the provider's words where the caller may read them.
fn state(code: Code, status: Option<u16>, report: &Report) -> Error {
    let said = shown(&report.message);
    let words = cut(&shown(&report.signs.join(" ")), DETAIL_WORDS_CHARS_MAX);
    let status_text = status.map(|status| format!("status {status} ")).unwrap_or_default();
    if code == Code::UpstreamAuthFailed {
        let says = if report.readable { said } else { unreadable(report) };
        return Error::new(code, REFUSED_CREDENTIAL).detail(format!("{status_text}{words}: {says}"));
    }
    let detail = if report.readable { words } else { unreadable(report) };
    let message = if said.is_empty() { silent(code, status) } else { said };
    let mut error = Error::new(code, message).detail(format!("{status_text}{detail}"));
    error.param = report.param.as_deref().map(shown);
    error
}

/// What the operator reads of a body that is no report.
fn unreadable(report: &Report) -> String {
    format!("unreadable body of {} bytes", report.body_bytes)
}

/// What we say for a provider that said nothing.
fn silent(code: Code, status: Option<u16>) -> String {
    let what = match code {
        Code::UpstreamRateLimited => "the provider's rate limit is reached",
        Code::UpstreamQuotaExceeded => "the provider's quota is used up",
        Code::UpstreamOverloaded => "the provider is overloaded",
        Code::UpstreamTimeout => "the provider did not answer in time",
        Code::UpstreamModelNotFound => "the provider does not know the model or the path",
        Code::UpstreamInvalidRequest => "the provider refused the request",
        Code::RequestTooLarge => "the request is too large for the provider",
        Code::UpstreamBadResponse => "the provider's answer cannot be read",
        _ => "the provider failed",
    };
    status.map_or_else(|| what.to_owned(), |status| format!("{what} (status {status})"))
}

fn judge(family: Family, status: u16, report: &Report) -> Code {
    let message = cut(&report.message, super::MESSAGE_CHARS_MAX).to_lowercase();
    let caller_class = (400..500).contains(&status);
    about_the_request(family, status, report, &message)
        .or_else(|| about_the_account(family, status, report, &message).filter(|_| caller_class))
        .unwrap_or_else(|| by_status(status, report))
}

/// What is wrong with the request itself.
fn about_the_request(family: Family, status: u16, report: &Report, message: &str) -> Option<Code> {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    let blocked = family == Family::Cohere && status == signs::COHERE_BLOCKED;
    if blocked || report.has_sign(signs::CONTENT_CODES) || says(signs::CONTENT_PHRASES) {
        return Some(Code::UpstreamContentFilter);
    }
    let length = report.has_sign(signs::CONTEXT_CODES) || says(signs::CONTEXT_PHRASES);
    if length && !report.has_sign(signs::NOT_CONTEXT_CODES) {
        return Some(Code::ContextLengthExceeded);
    }
    if status < 500 && names_unknown_model(status, report, message) {
        return Some(Code::UpstreamModelNotFound);
    }
    None
}

fn names_unknown_model(status: u16, report: &Report, message: &str) -> bool {
    if report.has_sign(signs::MODEL_CODES) {
        return true;
    }
    let by_phrase =
        message.contains("model") && signs::MODEL_PHRASES.iter().any(|phrase| message.contains(phrase));
    // A 404 is about the model, unless it names another member: an item or response that is not kept.
    let other_member = report.param.as_deref().is_some_and(|param| param != "model");
    match status {
        404 => !other_member,
        400 | 403 | 422 => by_phrase && !other_member,
        _ => false,
    }
}

/// What our account at the provider may not.
fn about_the_account(family: Family, status: u16, report: &Report, message: &str) -> Option<Code> {
    let starts = |phrases: &[&str]| phrases.iter().any(|phrase| message.starts_with(phrase));
    let is_rate = status == 429 || report.has_sign(signs::RATE_CODES);
    // Google says "you exceeded your current quota" of every limit, also of one that is over in a minute.
    let google = family == Family::Gemini || report.has_sign(&["resource_exhausted"]);
    let spent = if google {
        is_rate && report.signs.iter().any(|sign| sign.contains(signs::DAILY))
    } else {
        status == 402
            || report.has_sign(signs::QUOTA_CODES)
            || starts(signs::QUOTA_STARTS)
            || (message.starts_with(signs::NEVER_FITS) && is_rate)
            || (family == Family::Cohere
                && starts(&[signs::COHERE_TRIAL])
                && message.contains(signs::MONTHLY))
    };
    if spent {
        return Some(Code::UpstreamQuotaExceeded);
    }
    if is_rate {
        return Some(Code::UpstreamRateLimited);
    }
    let refused = matches!(status, 401 | 403 | 407)
        || report.has_sign(signs::AUTH_CODES)
        || (status == 400 && starts(signs::AUTH_STARTS));
    refused.then_some(Code::UpstreamAuthFailed)
}

fn by_status(status: u16, report: &Report) -> Code {
    match status {
        408 | 504 => Code::UpstreamTimeout,
        424 => Code::UpstreamError,
        413 => Code::RequestTooLarge,
        503 | 529 => Code::UpstreamOverloaded,
        _ if report.has_sign(signs::UNSUPPORTED_CODES) => Code::UnsupportedParameter,
        400..500 => Code::UpstreamInvalidRequest,
        _ if report.has_sign(signs::OVERLOAD_CODES) => Code::UpstreamOverloaded,
        _ if report.has_sign(signs::TIMEOUT_CODES) => Code::UpstreamTimeout,
        _ => Code::UpstreamError,
    }
}

/// The status that an event without one would have had. What cannot be told is the provider's failure.
fn status_by_words(report: &Report) -> u16 {
    let table: [(&[&str], u16); 7] = [
        (signs::RATE_CODES, 429),
        (signs::QUOTA_CODES, 429),
        (signs::OVERLOAD_CODES, 529),
        (signs::TIMEOUT_CODES, 504),
        (signs::AUTH_CODES, 401),
        (signs::MODEL_CODES, 404),
        (signs::REQUEST_CODES, 400),
    ];
    table.iter().find(|(words, _)| report.has_sign(words)).map_or(500, |(_, status)| *status)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
