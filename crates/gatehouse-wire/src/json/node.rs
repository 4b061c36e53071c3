//! Reading values in place.

use super::scan::{Doc, Slot, folded, wide};
use super::text::unescape;
use gatehouse_core::error::Error;
use std::borrow::Cow;
use std::ops::Range;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string without escapes.
    String,
    /// A string with escapes.
    Escaped,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value of a [`Doc`]: two words, copied freely.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    doc: &'a Doc,
    slot: usize,
}

// === impl Node: what it is ===

impl<'a> Node<'a> {
    pub(super) fn at(doc: &'a Doc, slot: usize) -> Self {
        Self { doc, slot }
    }

    fn meta(&self) -> Slot {
        // A node is only ever made for a slot that exists; an empty document has no nodes at all.
        let nothing = Slot { start: 0, end: 0, next: u32::MAX, kind: Kind::Null };
        self.doc.slots.get(self.slot).copied().unwrap_or(nothing)
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.meta().kind
    }

    /// Where it stands in the document; a string with its quotes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let meta = self.meta();
        wide(meta.start)..wide(meta.end)
    }

    /// Where the text of a string stands, without its quotes; for other kinds the same as [`Self::range`].
    #[must_use]
    pub fn inner_range(&self) -> Range<usize> {
        let range = self.range();
        if self.is_str() { range.start + 1..range.end - 1 } else { range }
    }

    /// The JSON text of the value, exactly as it came.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.doc.slice(self.range())
    }

    /// Whether it is a string.
    #[must_use]
    pub fn is_str(&self) -> bool {
        matches!(self.kind(), Kind::String | Kind::Escaped)
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text of a string.
    #[must_use]
    pub fn str(&self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::String => Some(Cow::Borrowed(self.doc.slice(self.inner_range()))),
            Kind::Escaped => Some(unescape(self.doc.slice(self.inner_range()))),
            _ => None,
        }
    }

    /// A whole number that is not negative; also one written as `3.0`.
    #[must_use]
    pub fn u64(&self) -> Option<u64> {
        if self.kind() != Kind::Number {
            return None;
        }
        let raw = self.raw();
        raw.parse().ok().or_else(|| raw.strip_suffix(".0").and_then(|whole| whole.parse().ok()))
    }

    /// Any number.
    #[must_use]
    pub fn f64(&self) -> Option<f64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// A truth value.
    #[must_use]
    pub fn bool(&self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }
}

// === impl Node: what is inside ===

impl<'a> Node<'a> {
    /// The member of this name; the last one, where a provider repeats itself. `None` also when this is
    /// not an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        let meta = self.meta();
        let end = if meta.kind == Kind::Object { wide(meta.next) } else { 0 };
        let (slots, bytes) = (self.doc.slots.as_slice(), self.doc.bytes().as_ref());
        let (mut at, mut found) = (self.slot + 1, None);
        // The most frequent question of all: it is asked of the index itself, and most names differ in length.
        while at < end
            && let Some([key, value]) = slots.get(at..at + 2)
        {
            let is_named = match key.kind {
                Kind::String => {
                    wide(key.end - key.start) == name.len() + 2
                        && bytes.get(wide(key.start) + 1..wide(key.end) - 1) == Some(name.as_bytes())
                }
                _ => Node { doc: self.doc, slot: at }.str().is_some_and(|own| own == name),
            };
            if is_named {
                found = Some(Node { doc: self.doc, slot: at + 1 });
            }
            at = wide(value.next);
        }
        found
    }

    /// Like [`Self::get`], with `null` taken for absent.
    #[must_use]
    pub fn opt(&self, name: &str) -> Option<Node<'a>> {
        self.get(name).filter(|node| !node.is_null())
    }

    /// The value behind a path of member names.
    #[must_use]
    pub fn path(&self, names: &[&str]) -> Option<Node<'a>> {
        names.iter().try_fold(*self, |node, name| node.opt(name))
    }

    /// The members of an object, in order; nothing for other kinds.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
        self.slots_of_members().map(|(key, value)| (key.str().unwrap_or_default(), value))
    }

    /// The items of an array, in order; nothing for other kinds.
    pub fn items(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let meta = self.meta();
        let end = if meta.kind == Kind::Array { wide(meta.next) } else { 0 };
        let (doc, mut slot) = (self.doc, self.slot + 1);
        std::iter::from_fn(move || {
            let node = Node { doc, slot };
            (slot < end).then(|| {
                slot = wide(node.meta().next);
                node
            })
        })
    }

    /// Whether an array or object holds nothing, a string no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.kind() {
            Kind::Array | Kind::Object => wide(self.meta().next) == self.slot + 1,
            _ => self.inner_range().is_empty(),
        }
    }

    /// The members of an object, in order, with their names as values in place.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> + use<'a> {
        self.slots_of_members()
    }

    fn slots_of_members(&self) -> impl Iterator<Item = (Node<'a>, Node<'a>)> + use<'a> {
        let meta = self.meta();
        let end = if meta.kind == Kind::Object { wide(meta.next) } else { 0 };
        let (doc, mut slot) = (self.doc, self.slot + 1);
        std::iter::from_fn(move || {
            let (key, value) = (Node { doc, slot }, Node { doc, slot: slot + 1 });
            (slot < end).then(|| {
                slot = wide(value.meta().next);
                (key, value)
            })
        })
    }

    /// Refuses members that differ from a known one in letter case alone: a careless reader behind us
    /// would take them for the known one, unseen by us.
    ///
    /// # Errors
    /// `invalid_request` with the name to write instead.
    pub fn refuse_case_variants(&self, known: &[&str]) -> Result<(), Error> {
        for (name, value) in self.members() {
            if known.contains(&name.as_ref()) {
                continue;
            }
            let lower = folded(&name);
            if let Some(right) = known.iter().find(|one| folded(one) == lower) {
                return Err(value.wrong(&format!("write the member as \"{right}\"")));
            }
        }
        Ok(())
    }
}

// === impl Node: what it must be ===

impl<'a> Node<'a> {
    /// The path of this value in its document, such as `messages[2].content`, for error messages.
    #[must_use]
    pub fn name(&self) -> String {
        let mut path = String::new();
        let mut node = self.doc.root();
        while node.slot != self.slot {
            let inside = |child: &Node<'a>| child.slot <= self.slot && self.slot < wide(child.meta().next);
            if let Some((key, value)) = node.slots_of_members().find(|(_, value)| inside(value)) {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key.str().unwrap_or_default());
                node = value;
            } else if let Some((index, item)) = node.items().enumerate().find(|(_, item)| inside(item)) {
                path.push_str(&format!("[{index}]"));
                node = item;
            } else {
                break;
            }
        }
        path
    }

    /// An `invalid_request` about this value.
    #[must_use]
    pub fn wrong(&self, message: &str) -> Error {
        let name = self.name();
        let shown = if name.is_empty() { "the body" } else { name.as_str() };
        Error::invalid(name.clone(), format!("{shown}: {message}"))
    }

    /// The text of a string.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_str(&self) -> Result<Cow<'a, str>, Error> {
        self.str().ok_or_else(|| self.wrong("must be a string"))
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_u64(&self) -> Result<u64, Error> {
        self.u64().ok_or_else(|| self.wrong("must be a whole number that is not negative"))
    }

    /// The JSON text of a number, digits untouched.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_number(&self) -> Result<&'a str, Error> {
        if self.kind() == Kind::Number { Ok(self.raw()) } else { Err(self.wrong("must be a number")) }
    }

    /// A truth value.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_bool(&self) -> Result<bool, Error> {
        self.bool().ok_or_else(|| self.wrong("must be true or false"))
    }

    /// Itself, when it is an array.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_array(self) -> Result<Self, Error> {
        if self.is_array() { Ok(self) } else { Err(self.wrong("must be an array")) }
    }

    /// Itself, when it is an object.
    ///
    /// # Errors
    /// `invalid_request` when it is something else.
    pub fn want_object(self) -> Result<Self, Error> {
        if self.is_object() { Ok(self) } else { Err(self.wrong("must be an object")) }
    }

    /// The member of this name, which must be there and not `null`.
    ///
    /// # Errors
    /// `invalid_request` naming what is missing.
    pub fn need(&self, name: &str) -> Result<Node<'a>, Error> {
        self.opt(name).ok_or_else(|| {
            let own = self.name();
            let path = if own.is_empty() { name.to_owned() } else { format!("{own}.{name}") };
            Error::invalid(path.clone(), format!("{path}: is required"))
        })
    }
}

impl std::fmt::Debug for Node<'_> {
    /// The kind and the place, never the text: it may be somebody's prompt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.range())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Doc, Strictness};
    use bytes::Bytes;

    fn doc(text: &'static str) -> Doc {
        Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn reads_in_place_and_names_what_is_wrong() {
        let doc =
            doc(r#" {"model":"a\nb","messages":[{"role":"user"},{"content":[1,{"n":-2.50}]}],"s":true} "#);
        let root = doc.root();
        assert_eq!(root.get("model").unwrap().str().unwrap(), "a\nb");
        let items: Vec<_> = root.get("messages").unwrap().items().collect();
        assert_eq!(items.len(), 2);
        let deep = items[1].path(&["content"]).unwrap().items().nth(1).unwrap().get("n").unwrap();
        assert_eq!((deep.raw(), deep.f64(), deep.u64()), ("-2.50", Some(-2.5), None));
        let error = deep.want_str().unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1].content[1].n"));
        assert_eq!(items[0].need("content").unwrap_err().param.as_deref(), Some("messages[0].content"));
        assert!(root.refuse_case_variants(&["Stream", "S"]).is_err());
    }
}
