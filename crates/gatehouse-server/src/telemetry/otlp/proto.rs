//! As much of Protobuf's encoding as OTLP's messages need, and the parts that traces and metrics share.
//!
//! Numbers of fields are from <https://github.com/open-telemetry/opentelemetry-proto>, whose messages never
//! change them. <https://protobuf.dev/programming-guides/encoding/>

use std::time::Duration;

/// The most of a text that is exported: names come from callers.
const TEXT_CHARS_MAX: usize = 256;
/// How a value is written: seven bits a byte, eight bytes, or its length before it.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const WITH_LENGTH: u64 = 2;

/// A message as its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

/// A growing list of attributes: OTLP's `KeyValue`.
#[derive(Default)]
pub(super) struct Attributes(Vec<Message>);

// === impl Message ===

impl Message {
    /// The message as it goes out.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number of the types `int64`, `bool` or of an enumeration.
    pub(super) fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | VARINT);
        self.varint(value);
    }

    /// A number of the type `fixed64`.
    pub(super) fn fixed(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | EIGHT_BYTES);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A number of the type `double`.
    pub(super) fn double(&mut self, field: u64, value: f64) {
        self.fixed(field, value.to_bits());
    }

    /// Numbers of the type `repeated fixed64` or, by their bits, `repeated double`.
    pub(super) fn fixed_list(&mut self, field: u64, values: impl Iterator<Item = u64>) {
        let bytes: Vec<u8> = values.flat_map(u64::to_le_bytes).collect();
        self.bytes(field, &bytes);
    }

    /// Bytes or a text.
    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | WITH_LENGTH);
        self.varint(u64::try_from(value.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(value);
    }

    /// A text.
    pub(super) fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u64, value: &Self) {
        self.bytes(field, &value.0);
    }

    /// Attributes in this message.
    pub(super) fn attributes(&mut self, field: u64, attributes: &Attributes) {
        attributes.0.iter().for_each(|attribute| self.message(field, attribute));
    }

    fn varint(&mut self, mut value: u64) {
        while let [low, ..] = value.to_le_bytes()
            && value > 0x7f
        {
            self.0.push(low | 0x80);
            value >>= 7;
        }
        let [last, ..] = value.to_le_bytes();
        self.0.push(last);
    }
}

// === impl Attributes ===

impl Attributes {
    /// Adds a text; an empty one says nothing and is left out.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.push(key, &any_text(text));
        }
    }

    /// Adds a number.
    pub(super) fn number(&mut self, key: &str, number: u64) {
        let mut value = Message::default();
        value.number(3, number);
        self.push(key, &value);
    }

    /// Adds a number, unless it is zero.
    pub(super) fn count(&mut self, key: &str, number: u64) {
        if number > 0 {
            self.number(key, number);
        }
    }

    /// Adds a fraction.
    pub(super) fn fraction(&mut self, key: &str, number: f64) {
        let mut value = Message::default();
        value.double(4, number);
        self.push(key, &value);
    }

    /// Adds what is so.
    pub(super) fn flag(&mut self, key: &str) {
        let mut value = Message::default();
        value.number(2, 1);
        self.push(key, &value);
    }

    /// Adds a list of texts; an empty one is left out.
    pub(super) fn list<'a>(&mut self, key: &str, texts: impl IntoIterator<Item = std::borrow::Cow<'a, str>>) {
        let mut list = Message::default();
        texts.into_iter().for_each(|text| list.message(1, &any_text(&text)));
        if list != Message::default() {
            let mut value = Message::default();
            value.message(5, &list);
            self.push(key, &value);
        }
    }

    fn push(&mut self, key: &str, value: &Message) {
        let mut attribute = Message::default();
        attribute.text(1, key);
        attribute.message(2, value);
        self.0.push(attribute);
    }
}

fn any_text(text: &str) -> Message {
    let mut value = Message::default();
    value.text(1, short(text));
    value
}

// === what both signals have ===

/// A request with all that one resource reports: both signals are wrapped in the same way.
pub(super) fn request<'a>(resource: &Message, items: impl IntoIterator<Item = &'a Message>) -> Message {
    let mut scope = Message::default();
    scope.text(1, "gatehouse");
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut scoped = Message::default();
    scoped.message(1, &scope);
    items.into_iter().for_each(|item| scoped.message(2, item));
    let mut of_resource = Message::default();
    of_resource.message(1, resource);
    of_resource.message(2, &scoped);
    let mut request = Message::default();
    request.message(1, &of_resource);
    request
}

/// Who reports.
pub(super) fn resource(pairs: &[(String, String)]) -> Message {
    let mut attributes = Attributes::default();
    pairs.iter().for_each(|(name, value)| attributes.text(name, value));
    let mut resource = Message::default();
    resource.attributes(1, &attributes);
    resource
}

/// The beginning of a text, as long as it may be.
pub(super) fn short(value: &str) -> &str {
    match value.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => value.get(..end).unwrap_or_default(),
        None => value,
    }
}

/// Times as the conventions have them.
pub(super) fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Message, TEXT_CHARS_MAX, short};

    #[test]
    fn numbers_and_texts_are_written_as_protobuf_has_them() {
        // The examples of Protobuf's own description.
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        let mut outer = Message::default();
        outer.message(3, &message);
        assert_eq!(outer.into_bytes(), b"\x1a\x0c\x08\x96\x01\x12\x07testing");
        let mut message = Message::default();
        message.number(1, u64::MAX);
        message.fixed_list(2, [1, 2].into_iter());
        let mut expected = vec![0x08];
        expected.extend([0xff; 9]);
        expected.extend([0x01, 0x12, 16, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(message.into_bytes(), expected);
    }

    #[test]
    fn names_of_callers_are_bounded() {
        assert_eq!(short(&"é".repeat(TEXT_CHARS_MAX + 1)).chars().count(), TEXT_CHARS_MAX);
        assert_eq!(short("gpt"), "gpt");
        let mut attributes = Attributes::default();
        attributes.text("a", "");
        attributes.count("b", 0);
        attributes.list("c", []);
        assert!(attributes.0.is_empty());
    }
}
