//! What a batch has written, a line for each request: what it used is summed, and what guardrails may not let pass is
//! taken out before a caller has it.

use super::ids::endpoint;
use super::lines::Cutter;
use crate::aside::Aside;
use crate::call::Call;
use crate::clock::left;
use crate::dialects;
use crate::exchange::whole::judged;
use crate::meter::Meter;
use crate::trail::Trail;
use crate::upstream::Answer;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_wire::embeddings::without_vectors;
use gatehouse_wire::json::{Doc, Out, Strictness};
use http_body_util::BodyExt as _;
use std::time::{Duration, Instant};

/// What a batch has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// All of it.
    pub usage: Usage,
    /// Who counted.
    pub source: UsageSource,
    /// How many lines were answered.
    pub answered: u64,
}

/// Lines as they come from a provider.
pub struct Incoming {
    body: Answer,
    cutter: Cutter,
    idle: Duration,
    deadline: Instant,
    is_over: bool,
}

// === impl Incoming ===

impl Incoming {
    /// Lines of so many bytes at most.
    #[must_use]
    pub fn new(body: Answer, line_bytes_max: u64, idle: Duration, deadline: Instant) -> Self {
        Self { body, cutter: Cutter::new(line_bytes_max), idle, deadline, is_over: false }
    }

    /// The next line.
    ///
    /// # Errors
    /// `upstream_bad_response`, `upstream_timeout`.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let bad = |message: String| Error::new(Code::UpstreamBadResponse, message);
        loop {
            let next = self.cutter.next_line();
            if let Some(line) = next.map_err(|error| bad(format!("a line {}", error.message)))? {
                return Ok(Some(line));
            }
            if self.is_over {
                return Ok(self.cutter.rest());
            }
            let limit = self.idle.min(left(self.deadline));
            match tokio::time::timeout(limit, self.body.frame()).await {
                Err(_) => {
                    return Err(Error::new(Code::UpstreamTimeout, "the provider's answer has stalled"));
                }
                Ok(None) => self.is_over = true,
                Ok(Some(Err(error))) => {
                    let message = "the provider's answer broke off".to_owned();
                    return Err(bad(message).detail(error.to_string()));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        self.cutter.push(&piece);
                    }
                }
            }
        }
    }
}

/// Sums what the lines say was used. `tokens` is how many an average line's request had: what is counted of a line
/// whose provider did not say.
///
/// # Errors
/// When they break off.
pub async fn sum(incoming: &mut Incoming, dialect: Dialect, tokens: u64) -> Result<Used, Error> {
    let mut used = Used { usage: Usage::default(), source: UsageSource::Provider, answered: 0 };
    while let Some(line) = incoming.next().await? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match of_line(&line, dialect) {
            Some(Counted::Nothing) => {}
            Some(Counted::Said(usage)) => {
                used.usage = used.usage.saturating_add(usage);
                used.answered += 1;
            }
            Some(Counted::Ours(output_tokens)) => {
                let own = Usage { input_tokens: tokens, output_tokens, ..Usage::default() };
                (used.usage, used.source) = (used.usage.saturating_add(own), UsageSource::Estimated);
                used.answered += 1;
            }
            None => {
                let own = Usage { input_tokens: tokens, output_tokens: tokens, ..Usage::default() };
                (used.usage, used.source) = (used.usage.saturating_add(own), UsageSource::Estimated);
                used.answered += 1;
            }
        }
    }
    Ok(used)
}

/// What a line says of its use.
#[derive(Debug, PartialEq, Eq)]
enum Counted {
    /// It was not answered.
    Nothing,
    /// The provider has counted.
    Said(Usage),
    /// It has not; so many tokens are in the answer.
    Ours(u64),
}

/// `None` when it cannot be read.
fn of_line(line: &Bytes, dialect: Dialect) -> Option<Counted> {
    let vectors = dialect == Dialect::OpenAiEmbeddings;
    let doc = if vectors { without_vectors(line) } else { Doc::parse(line.clone(), Strictness::Provider) };
    let doc = doc.ok()?;
    let response = doc.root().opt("response");
    let answered = response.and_then(|response| {
        let status = response.opt("status_code").and_then(|status| status.u64()).unwrap_or(200);
        response.opt("body").filter(|_| (200..300).contains(&status))
    });
    let Some(body) = answered else { return Some(Counted::Nothing) };
    let body = doc.bytes().slice(body.range());
    if vectors {
        let usage = dialects::asked_embeddings(dialect).summary(&body).usage;
        return Some(usage.map_or(Counted::Ours(0), Counted::Said));
    }
    let codec = dialects::provider_codec(dialect).ok()?;
    let body = Doc::parse(body, Strictness::Provider).ok()?;
    if let Some(usage) = codec.summary(&body).usage {
        return Some(Counted::Said(usage.clamped()));
    }
    let mut meter = Meter::default();
    meter.sent();
    codec.answer_spans(&body).iter().for_each(|span| meter.text(body.slice(span.range.clone())));
    Some(Counted::Ours(meter.total(true).0.output_tokens))
}

/// Whether guardrails have to see what a batch wrote before its caller may.
#[must_use]
pub fn are_judged(call: &Call, dialect: Dialect) -> bool {
    dialect != Dialect::OpenAiEmbeddings && call.guards.any_at(&[Place::Output, Place::ToolArguments])
}

/// The lines as their guardrails let them pass, set aside.
///
/// # Errors
/// When they break off, when one cannot be read, or when they are more than may be set aside.
pub async fn judge(
    incoming: &mut Incoming,
    call: &Call,
    dialect: Dialect,
    bytes_max: u64,
    trail: &mut Trail,
) -> Result<Aside, Error> {
    let mut out = Aside::default();
    while let Some(line) = incoming.next().await? {
        if !line.trim_ascii().is_empty() {
            out.append(&one(call, dialect, &line, trail)?)?;
        }
        out.append(b"\n")?;
        if out.size() > bytes_max {
            let message = format!("the file exceeds the limit of {bytes_max} bytes (limits.upload)");
            return Err(Error::new(Code::UpstreamBadResponse, message));
        }
        tokio::task::yield_now().await;
    }
    Ok(out)
}

/// A line as its guardrails let it pass: one that they stop says so in its place.
fn one(call: &Call, dialect: Dialect, line: &Bytes, trail: &mut Trail) -> Result<Bytes, Error> {
    let unread = |error: Error| {
        let message = format!("a line of {} cannot be read, and a guardrail must", endpoint(dialect));
        Error::new(Code::UpstreamBadResponse, message).detail(error.message)
    };
    let doc = Doc::parse(line.clone(), Strictness::Provider).map_err(unread)?;
    let Some(body) = doc.root().path(&["response", "body"]).filter(|body| body.is_object()) else {
        return Ok(line.clone());
    };
    let range = body.range();
    let answer = Doc::parse(line.slice(range.clone()), Strictness::Provider).map_err(unread)?;
    match judged(call, dialects::provider_codec(dialect)?, answer, trail) {
        Ok(answer) => Ok(splice(line, &[Edit { range, with: answer.bytes().clone() }])),
        Err(error) => {
            let text = |name: &str| doc.root().opt(name).and_then(|value| value.str());
            let mut out = Out::new();
            out.object(|out| {
                out.field_opt("id", text("id").as_deref())
                    .field_opt("custom_id", text("custom_id").as_deref());
                out.field("response", None::<&str>);
                out.object_field("error", |out| {
                    out.field("code", error.code.as_str()).field("message", error.message.as_str());
                });
            });
            Ok(Bytes::from(out.into_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, of_line};
    use bytes::Bytes;
    use gatehouse_core::content::Dialect;
    use gatehouse_core::usage::Usage;

    fn counted(line: &str, dialect: Dialect) -> Option<Counted> {
        of_line(&Bytes::copy_from_slice(line.as_bytes()), dialect)
    }

    #[test]
    fn a_line_says_what_it_used() {
        let usage = |input_tokens, output_tokens| {
            Some(Counted::Said(Usage { input_tokens, output_tokens, ..Usage::default() }))
        };
        let chat = r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"chat.completion",
            "choices":[{"message":{"content":"x"}}],
            "usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}},"error":null}"#;
        assert_eq!(counted(chat, Dialect::OpenAiChat), usage(5, 2));
        let numbers = vec!["0.5"; 5_000].join(",");
        let vectors = format!(
            r#"{{"custom_id":"a","response":{{"status_code":200,"body":{{"object":"list","data":[{{"embedding":[{numbers}],
            "index":0}}],"model":"m","usage":{{"prompt_tokens":3,"total_tokens":3}}}}}},"error":null}}"#
        );
        assert_eq!(counted(&vectors, Dialect::OpenAiEmbeddings), usage(3, 0));
        let failed = r#"{"custom_id":"a","response":{"status_code":429,"body":{"error":{"message":"no"}}}}"#;
        assert_eq!(counted(failed, Dialect::OpenAiChat), Some(Counted::Nothing));
        let nothing = r#"{"custom_id":"a","response":null,"error":{"code":"batch_expired"}}"#;
        assert_eq!(counted(nothing, Dialect::OpenAiChat), Some(Counted::Nothing));
        let silent = r#"{"response":{"status_code":200,"body":{"choices":[{"message":{"content":"one two three"}}]}}}"#;
        assert!(matches!(counted(silent, Dialect::OpenAiChat), Some(Counted::Ours(1..))));
        assert_eq!(counted("no json", Dialect::OpenAiChat), None);
    }
}
