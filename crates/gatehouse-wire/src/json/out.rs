//! Writing new JSON straight into bytes.

use super::text::escape_into;

/// JSON under construction. Commas are set by looking at the last byte, so the calls read like the result.
///
/// ```
/// use gatehouse_wire::json::Out;
/// let mut out = Out::new();
/// out.object(|out| {
///     out.field("model", "gpt").field("n", 1u64).field_opt("user", None::<&str>);
///     out.array_field("stop", |out| { out.item("a").item("b"); });
/// });
/// assert_eq!(out.as_str(), r#"{"model":"gpt","n":1,"stop":["a","b"]}"#);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
}

/// JSON text to be written as it is.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a str);

/// What can stand as a value.
pub trait ToJson {
    /// Appends the JSON text of the value.
    fn write(&self, out: &mut Vec<u8>);
}

// === impl Out ===

impl Out {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(512) }
    }

    /// Goes on behind what `bytes` already holds, such as an event's `data: `.
    #[must_use]
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// An object as the next value.
    pub fn object(&mut self, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.comma();
        self.bytes.push(b'{');
        inside(self);
        self.bytes.push(b'}');
        self
    }

    /// An array as the next value.
    pub fn array(&mut self, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.comma();
        self.bytes.push(b'[');
        inside(self);
        self.bytes.push(b']');
        self
    }

    /// A value as the next item.
    pub fn item(&mut self, value: impl ToJson) -> &mut Self {
        self.comma();
        value.write(&mut self.bytes);
        self
    }

    /// A member.
    pub fn field(&mut self, name: &str, value: impl ToJson) -> &mut Self {
        self.key(name);
        value.write(&mut self.bytes);
        self
    }

    /// A member, unless there is nothing to say.
    pub fn field_opt(&mut self, name: &str, value: Option<impl ToJson>) -> &mut Self {
        if let Some(value) = value {
            self.field(name, value);
        }
        self
    }

    /// A member that is an object.
    pub fn object_field(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.key(name);
        self.object(inside)
    }

    /// A member that is an array.
    pub fn array_field(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.key(name);
        self.array(inside)
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written, as text; empty if somebody put in bytes that are none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    fn key(&mut self, name: &str) {
        self.comma();
        name.write(&mut self.bytes);
        self.bytes.push(b':');
    }

    /// A comma, unless this is the first thing in its surroundings.
    fn comma(&mut self) {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[' | b':' | b',' | b' ' | b'\n')) {
            self.bytes.push(b',');
        }
    }
}

// === impl ToJson ===

impl ToJson for str {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        escape_into(self, out);
        out.push(b'"');
    }
}

impl ToJson for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl ToJson for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl ToJson for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }
}

impl ToJson for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl ToJson for Raw<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.trim().as_bytes());
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl<T: ToJson + ?Sized> ToJson for std::borrow::Cow<'_, T>
where
    T: ToOwned,
{
    fn write(&self, out: &mut Vec<u8>) {
        self.as_ref().write(out);
    }
}

/// `None` is `null`; to leave a member out, use [`Out::field_opt`].
impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}
