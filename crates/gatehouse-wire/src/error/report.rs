//! What a provider says when it fails, whatever form it says it in.
//!
//! Read as it is sent in the wild: `error` is an object, a string or missing; codes are texts, integers,
//! digits in quotes or null; Gemini wraps the object in an array; validators put a list into `detail`;
//! gateways in front of a provider answer in HTML.

use super::redact::redact;
use super::wait::{go_duration, proto_duration};
use crate::json::{Doc, Node, Strictness};
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;

/// How much of an error answer is read; the rest cannot change what it means.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// How many characters of a provider's message are passed on.
pub const MESSAGE_CHARS_MAX: usize = 2_000;
/// How many characters of a type, code or member's name are kept.
const WORD_CHARS_MAX: usize = 200;

/// What was found in an error answer or event.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// In the provider's words, not yet redacted; empty when there are none.
    pub(super) message: String,
    /// All words that say what it is, in lower case: `type`, `code`, `status`, `reason`, inner codes.
    pub(super) signs: Vec<String>,
    /// The member of the request that the provider names.
    pub(super) param: Option<String>,
    /// An HTTP status that the body repeats.
    pub(super) status: Option<u16>,
    /// When to come back, where the body says.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body was a readable report at all; a web page is not.
    pub(super) readable: bool,
    /// How long a body is that was not readable. It may quote a prompt, so nobody is shown what is in it.
    pub(super) body_bytes: usize,
}

// === impl Report ===

impl Report {
    /// Reads the body of an answer with an error status.
    pub(super) fn of_body(body: &[u8]) -> Self {
        let shown = body.get(..body.len().min(BODY_BYTES_MAX)).unwrap_or_default();
        let parsed = Doc::parse(Bytes::copy_from_slice(shown), Strictness::Provider);
        match parsed.ok().and_then(|doc| Self::of_document(doc.root())) {
            Some(report) => report,
            None => Self { body_bytes: body.len(), ..Self::of_text(&String::from_utf8_lossy(shown)) },
        }
    }

    /// Reads a document that is known to be an error; `None` when nothing in it says so.
    pub(super) fn of_document(root: Node<'_>) -> Option<Self> {
        let root = if root.is_array() { root.items().next()? } else { root };
        let mut report = Self { readable: true, ..Self::default() };
        match root.opt("error").or_else(|| root.opt("errors")) {
            Some(error) => {
                report.read_words(root);
                report.read_error(error);
            }
            None => report.read_flat(root),
        }
        (!report.message.is_empty() || !report.signs.is_empty()).then_some(report)
    }

    /// `error` as an object, a text, or a list of either.
    fn read_error(&mut self, error: Node<'_>) {
        if let Some(first) = error.items().next() {
            return self.read_error(first);
        }
        if !error.is_object() {
            self.message = text_of(error).unwrap_or_default();
            return;
        }
        self.read_words(error);
        self.read_details(error);
        self.read_message(error);
        if let Some(raw) = error.path(&["metadata", "raw"]).and_then(text_of) {
            // OpenRouter: its own message says nothing, the provider's stands in here as text.
            self.message = if self.message.is_empty() { raw } else { format!("{}: {raw}", self.message) };
        }
    }

    /// Bodies without `error`: `{"detail": …}`, `{"message": …}`.
    fn read_flat(&mut self, root: Node<'_>) {
        self.read_words(root);
        self.read_message(root);
        if let Some(detail) = root.opt("detail").filter(|_| self.message.is_empty()) {
            if detail.is_object() {
                self.read_words(detail);
                self.read_message(detail);
            } else if let Some(first) = detail.items().next().filter(Node::is_object) {
                self.read_validation(first);
            } else {
                self.message = text_of(detail).unwrap_or_default();
            }
        }
    }

    /// One entry of a validator's list: `{"loc": ["body", "temperature"], "msg": …}`.
    fn read_validation(&mut self, entry: Node<'_>) {
        self.read_message(entry);
        let place = entry.opt("loc").map(|loc| {
            loc.items().filter_map(text_of).filter(|step| step != "body").collect::<Vec<_>>().join(".")
        });
        if let Some(place) = place.filter(|place| !place.is_empty()) {
            self.message = format!("{place}: {}", self.message);
            self.param = Some(cut(&place, WORD_CHARS_MAX));
        }
    }

    fn read_message(&mut self, node: Node<'_>) {
        let found = ["message", "msg", "Message", "error_description"].iter().find_map(|name| node.opt(name));
        if let Some(text) = found.and_then(text_of) {
            self.message = text;
        }
    }

    fn read_words(&mut self, node: Node<'_>) {
        for name in ["type", "code", "status", "reason", "__type", "error_type"] {
            if let Some(word) = node.opt(name).and_then(text_of) {
                self.sign(&word);
            }
        }
        if let Some(inner) = node.path(&["innererror", "code"]).and_then(text_of) {
            self.sign(&inner);
        }
        for name in ["code", "status", "status_code", "raw_status_code"] {
            self.status = self.status.or_else(|| node.opt(name).and_then(http_status));
        }
        if let Some(param) = node.opt("param").and_then(|param| param.str()) {
            self.param = Some(cut(&param, WORD_CHARS_MAX));
        }
    }

    /// Google's `details`: reasons, the quotas that were met, and when to come back.
    fn read_details(&mut self, error: Node<'_>) {
        let Some(details) = error.opt("details") else { return };
        for detail in details.items() {
            if let Some(reason) = detail.opt("reason").and_then(text_of) {
                self.sign(&reason);
            }
            if let Some(delay) = detail.opt("retryDelay").and_then(|delay| delay.str()) {
                self.retry_after = proto_duration(&delay).or_else(|| go_duration(&delay));
            }
            for violation in detail.opt("violations").iter().flat_map(Node::items) {
                if let Some(quota) = violation.opt("quotaId").and_then(text_of) {
                    self.sign(&quota);
                }
            }
            for violation in detail.opt("fieldViolations").iter().flat_map(Node::items) {
                let field = violation.opt("field").and_then(text_of);
                self.param = self.param.take().or(field.map(|field| cut(&field, WORD_CHARS_MAX)));
            }
        }
    }

    /// A body that is no JSON, or JSON that says nothing. Short plain text is a message; a web page or
    /// something binary is not.
    fn of_text(text: &str) -> Self {
        let text = text.trim();
        let plain = !text.is_empty()
            && !text.starts_with(['<', '{', '['])
            && text.chars().take(MESSAGE_CHARS_MAX + 1).count() <= MESSAGE_CHARS_MAX
            && !text.chars().any(|character| character == char::REPLACEMENT_CHARACTER);
        let message = if plain { text.to_owned() } else { String::new() };
        Self { message, readable: plain, ..Self::default() }
    }

    /// Adds a word; a number alone says nothing that the status does not.
    pub(super) fn sign(&mut self, word: &str) {
        let word = cut(word, WORD_CHARS_MAX).to_lowercase();
        let says_something = word.bytes().any(|byte| !byte.is_ascii_digit());
        if says_something && !self.signs.contains(&word) {
            self.signs.push(word);
        }
    }

    /// Whether one of the words is among these.
    pub(super) fn has_sign(&self, signs: &[&str]) -> bool {
        self.signs.iter().any(|own| signs.contains(&own.as_str()))
    }
}

/// A provider's text as it may be shown: without what looks like a credential, and not too long.
pub(super) fn shown(text: &str) -> String {
    // Cut with room to spare first, so that the work is bounded however long the text is.
    cut(&redact(&cut(text.trim(), 4 * MESSAGE_CHARS_MAX)), MESSAGE_CHARS_MAX)
}

/// At most `chars_max` characters, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A text or number as text; anything larger as its JSON.
fn text_of(node: Node<'_>) -> Option<String> {
    if node.is_null() {
        return None;
    }
    let text = node.str().unwrap_or(Cow::Borrowed(node.raw()));
    Some(cut(&text, 8 * MESSAGE_CHARS_MAX)).filter(|text| !text.is_empty())
}

fn http_status(node: Node<'_>) -> Option<u16> {
    let number = node.u64().or_else(|| node.str().and_then(|text| text.parse().ok()))?;
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}
