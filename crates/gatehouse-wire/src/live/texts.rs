//! Every text of a message, by the names of its members. What this does not know is taken for a text: a new member
//! must not be a way around a guardrail.

use crate::gemini::member::spells;
use crate::json::Node;
use gatehouse_core::content::{Place, Span};

/// Members whose strings are no words of anybody's.
const INERT: [&str; 36] = [
    "id",
    "ids",
    "name",
    "model",
    "role",
    "mimeType",
    "modality",
    "mode",
    "behavior",
    "scheduling",
    "outcome",
    "language",
    "languageCode",
    "languageCodes",
    "voiceName",
    "responseModalities",
    "mediaResolution",
    "turnCoverage",
    "activityHandling",
    "startOfSpeechSensitivity",
    "endOfSpeechSensitivity",
    "category",
    "threshold",
    "handle",
    "newHandle",
    "sessionId",
    "thoughtSignature",
    "fileUri",
    "allowedFunctionNames",
    "labels",
    "trafficType",
    "serviceTier",
    "timeLeft",
    "turnCompleteReason",
    "startOffset",
    "endOffset",
];

/// What was found in a message.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its texts.
    pub(super) spans: Vec<Span>,
    /// Characters of audio, in base64.
    pub(super) audio_chars: usize,
    /// Characters of pictures and of whatever else is no audio, in base64.
    pub(super) other_chars: usize,
    /// How many of those there are.
    pub(super) others: u32,
}

// === impl Found ===

impl Found {
    /// Finds the texts of a value. `place` is what a text without a better-known place is.
    pub(super) fn within(&mut self, node: Node<'_>, place: Place) {
        if node.is_str() {
            self.all(node, place);
        } else if node.is_object() {
            self.object(node, place);
        } else {
            node.items().for_each(|item| self.within(item, place));
        }
    }

    fn object(&mut self, node: Node<'_>, place: Place) {
        let role = crate::gemini::member::text(node, "role");
        let place = match role.as_deref() {
            Some("user") => Place::Input,
            Some("model") => Place::Output,
            Some("system") => Place::System,
            _ => place,
        };
        let kind = crate::gemini::member::text(node, "mimeType");
        for (name, value) in node.members() {
            let is = |camel: &str| spells(&name, camel);
            // What should be a word and is more than that is looked into.
            if INERT.iter().any(|inert| is(inert)) && (!value.is_object() || is("labels")) {
                continue;
            }
            if is("data") && value.is_str() {
                self.medium(kind.as_deref(), value.inner_range().len());
            } else if is("systemInstruction") {
                self.within(value, Place::System);
            } else if is("tools") {
                self.all(value, Place::ToolDefinition);
            } else if is("functionCall") || is("functionCalls") {
                self.within(value, Place::ToolArguments);
            } else if is("functionResponse") || is("functionResponses") {
                self.within(value, Place::ToolResult);
            } else if is("args") || is("response") {
                // An object of the application's making: no name in it is one of Google's.
                self.all(value, if is("args") { Place::ToolArguments } else { Place::ToolResult });
            } else {
                self.within(value, place);
            }
        }
    }

    fn medium(&mut self, kind: Option<&str>, chars: usize) {
        // What names no type is the microphone's: older clients send it so.
        if kind.is_none_or(|kind| kind.starts_with("audio/")) {
            self.audio_chars = self.audio_chars.saturating_add(chars);
        } else {
            self.other_chars = self.other_chars.saturating_add(chars);
            self.others = self.others.saturating_add(1);
        }
    }

    /// Every string of a value.
    fn all(&mut self, value: Node<'_>, place: Place) {
        if value.is_str() {
            if !value.is_empty() {
                self.spans.push(Span { range: value.inner_range(), place });
            }
            return;
        }
        value.items().for_each(|item| self.all(item, place));
        for (name, value) in value.members() {
            // Names of tools are words of the application, but what calls are matched by.
            // A parameter may be called so as well.
            let inert = place == Place::ToolDefinition && matches!(&*name, "type" | "name") && value.is_str();
            if !inert {
                self.all(value, place);
            }
        }
    }
}
