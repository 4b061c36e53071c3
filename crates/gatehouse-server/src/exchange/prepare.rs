//! Writing a request for one target: by a few edits where it speaks the caller's dialect, by translation
//! where it does not.

use crate::call::Call;
use crate::clock;
use crate::dialects;
use crate::target::Target;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_ledger::estimate_tokens;
use gatehouse_providers::Action;
use gatehouse_wire::chat::ChatRequest;
use gatehouse_wire::codec::{ReplyContext, Took};
use gatehouse_wire::completions;
use gatehouse_wire::prompt_cache::{self, Prompt};
use gatehouse_wire::spelling;
use std::sync::{Arc, OnceLock};

/// A request, ready to be addressed.
pub struct Prepared {
    /// The wire format of body and answer.
    pub dialect: Dialect,
    /// Which of the dialect's calls.
    pub action: Action,
    /// The body.
    pub body: Bytes,
    /// What was left out, by path.
    pub dropped: Vec<String>,
    /// How to write the answer for the caller; `None` when the bytes pass as they are.
    pub translation: Option<Arc<ReplyContext>>,
    /// Whether the usage of the stream was asked for by us alone, and is hidden again.
    pub hide_usage: bool,
}

/// A call's request in canonical form, read when the first target needs it.
#[derive(Default)]
pub struct Decoded(OnceLock<Result<Arc<ChatRequest>, Error>>);

// === impl Decoded ===

impl Decoded {
    /// The request.
    ///
    /// # Errors
    /// `invalid_request` naming what cannot be read.
    pub fn request(&self, call: &Call) -> Result<Arc<ChatRequest>, Error> {
        let read = || {
            let mut request = dialects::codec(call.front.dialect)?.decode_request(&call.doc)?;
            request.model.clone_from(&call.model);
            request.stream = call.stream;
            Ok(Arc::new(request))
        };
        self.0.get_or_init(read).clone()
    }
}

/// Writes the request of a conversation for a target. `tokens` is about how many the prompt has.
///
/// # Errors
/// `unsupported_parameter` for what the target cannot honour.
pub fn conversation(call: &Call, target: &Target, decoded: &Decoded, tokens: u64) -> Result<Prepared, Error> {
    let front = call.front.dialect;
    let dialect = spoken(call, target).ok_or_else(|| no_such_operation(target))?;
    let action = if call.stream { Action::Stream } else { Action::Generate };
    let prompt = Prompt { model: target.model(), tokens, count: &estimate_tokens };
    let marks_cache = target.provider.marks_cache;
    if dialect == front {
        let mut rewrite = dialects::codec(front)?.rewrite(&call.doc, &call.view, &target.wire())?;
        let points = match dialect {
            Dialect::AnthropicMessages if marks_cache => prompt_cache::edits(&call.doc, &prompt),
            Dialect::BedrockConverse if marks_cache => prompt_cache::points(&call.doc, &prompt),
            _ => Vec::new(),
        };
        if !points.is_empty() {
            rewrite.edits.extend(points);
            rewrite.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        }
        return Ok(Prepared {
            dialect,
            action,
            body: splice(call.body(), &rewrite.edits),
            dropped: rewrite.dropped,
            translation: None,
            // Only these have a chunk for the usage alone.
            hide_usage: call.stream
                && !call.view.wants_usage
                && matches!(front, Dialect::OpenAiChat | Dialect::OpenAiCompletions),
        });
    }
    let request = decoded.request(call)?;
    let marked = marks_cache.then(|| prompt_cache::marked(&request, dialect, &prompt)).flatten();
    let encoded = dialects::provider_codec(dialect)?
        .encode_request(marked.as_ref().unwrap_or(&request), &target.wire())
        .map_err(|error| spelling::refused(front, &call.doc, error))?;
    Ok(Prepared {
        dialect,
        action,
        body: Bytes::from(encoded.body),
        dropped: spelling::dropped(front, &call.doc, encoded.dropped),
        translation: Some(Arc::new(context(call, &request))),
        hide_usage: false,
    })
}

/// In which dialect a target is asked. What is to stand between two texts has one of its own at some providers.
fn spoken(call: &Call, target: &Target) -> Option<Dialect> {
    let (front, between) = (call.front.dialect, Dialect::MistralFim);
    if front == between && target.dialect(between) != Some(between) {
        return target.dialect(Dialect::OpenAiCompletions);
    }
    let inserts = front == Dialect::OpenAiCompletions && completions::inserts(&call.doc);
    if inserts && target.dialect(between) == Some(between) { Some(between) } else { target.dialect(front) }
}

/// How answers are written for this call.
#[must_use]
pub fn context(call: &Call, request: &Arc<ChatRequest>) -> ReplyContext {
    ReplyContext {
        model: call.model.clone(),
        id: fresh_id(),
        created: clock::unix_seconds(),
        took: Some(Took { began: clock::steady_millis(), now: clock::steady_millis }),
        include_usage: call.view.wants_usage,
        request: Some(Arc::clone(request)),
        json_array: call.front.framing == crate::front::Framing::Array,
    }
}

/// An id for an answer, in 32 hexadecimal digits.
pub(super) fn fresh_id() -> String {
    clock::call_id().to_string().replace('-', "")
}

/// What to say of a provider that has nothing of the kind.
pub fn no_such_operation(target: &Target) -> Error {
    Error::new(Code::NoCapableTarget, format!("{} does not offer this operation", target.provider.name))
}
