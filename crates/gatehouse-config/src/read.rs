//! From the tree to the types of the file, with every fault at its place.
//!
//! Serde stops at the first fault. So the fault is noted, the value that has it is taken out of the tree,
//! and the rest is read again, until nothing is left to complain about.

use crate::fault::{FAULTS_MAX, Fault};
use crate::nearest::{enumerated, nearest};
use crate::path::{Path, Step};
use crate::secret::SECRET;
use crate::tree::{Entry, Node, Scalar, Value};
use crate::unbuilt;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// How often the rest is read again: for a fault, once for itself and at most twice for what follows from it.
const TURNS_MAX: usize = 3 * FAULTS_MAX;

/// Why a value was refused.
#[derive(Debug)]
pub(crate) enum Reason {
    UnknownField(&'static [&'static str]),
    UnknownVariant(&'static [&'static str]),
    MissingField(&'static str),
    /// What was expected; what was found is said by the node.
    Expected(String),
    Said(String),
}

/// A refusal on its way up; each level adds its step.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    steps_up: Vec<Step>,
}

/// Reads a value from a node.
struct Reader<'a>(&'a Node);

/// Reads the name of a field.
struct KeyReader<'a>(&'a str);

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

/// Reads `T`, taking out of the tree what cannot be read.
pub(crate) fn read<T: de::DeserializeOwned + Default>(root: &mut Node, file: &str) -> (T, Vec<Fault>) {
    let mut faults = Vec::new();
    for _ in 0..TURNS_MAX {
        let refusal = match T::deserialize(Reader(root)) {
            Ok(read) => return (read, faults),
            Err(refusal) => refusal,
        };
        let mut steps = refusal.steps_up;
        steps.reverse();
        faults.extend(take_out(root, file, Path(steps), &refusal.reason));
        if faults.len() >= FAULTS_MAX {
            break;
        }
    }
    (T::default(), faults)
}

/// Takes the refused value out. A value becomes nothing first; if nothing is refused as well, it goes
/// altogether. So every turn brings the end nearer. What follows from an earlier fault is not told again.
fn take_out(root: &mut Node, file: &str, path: Path, reason: &Reason) -> Option<Fault> {
    let place = match reason {
        Reason::UnknownField(_) => root.locate_name(&path),
        _ => root.locate(&path),
    };
    let node = root.at_mut(&path.0)?;
    let follows = node.spoiled
        || match reason {
            Reason::MissingField(name) => node.value.entry(name).is_some_and(|entry| entry.node.gone),
            _ => false,
        };
    let (message, suggestion) = worded(&path, node, reason);
    if node.spoiled || matches!(reason, Reason::UnknownField(_)) {
        node.gone = true;
    } else {
        node.value = Value::Nothing;
        node.spoiled = true;
    }
    let path = match reason {
        Reason::MissingField(name) => path.key(name),
        _ => path,
    };
    let mut fault = Fault::at(file, place, path.to_string(), message);
    fault.suggestion = suggestion;
    (!follows).then_some(fault)
}

/// What to say, and what was probably meant.
fn worded(path: &Path, node: &Node, reason: &Reason) -> (String, Option<String>) {
    match reason {
        Reason::UnknownField(known) => {
            let Some((Step::Key(name), above)) = path.0.split_last() else { return (String::new(), None) };
            let section = Path(above.to_vec());
            if unbuilt::knows(&section, name) {
                return (unbuilt::message(name), None);
            }
            match nearest(name, known.iter().copied()) {
                Some(meant) => (format!("there is no setting {name:?} here"), Some(meant)),
                None => (format!("there is no setting {name:?} here; there are: {}", known.join(", ")), None),
            }
        }
        Reason::UnknownVariant(known) => {
            let found = node.described();
            let word = node.scalar().map_or("", |scalar| scalar.filled.text.as_str());
            if unbuilt::knows(path, word) {
                return (unbuilt::message(word), None);
            }
            (format!("expected {}, found {found}", enumerated(known)), nearest(word, known.iter().copied()))
        }
        Reason::MissingField(name) => (format!("is missing; write \"{name}: …\""), None),
        Reason::Expected(what) => (format!("expected {what}, found {}", node.described()), None),
        Reason::Said(message) => (message.clone(), None),
    }
}

// === impl Refusal ===

impl Refusal {
    fn new(reason: Reason) -> Self {
        Self { reason, steps_up: Vec::new() }
    }

    fn expected(what: &str) -> Self {
        Self::new(Reason::Expected(what.to_owned()))
    }

    fn below(mut self, step: Step) -> Self {
        self.steps_up.push(step);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.reason)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Reason::Said(message.to_string()))
    }

    // What was found is left out of these two on purpose: it may have come from a variable.
    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownVariant(known))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownField(known))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Reason::MissingField(name))
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn scalar(&self, expected: &str) -> Result<&'a Scalar, Refusal> {
        self.0.scalar().ok_or_else(|| Refusal::expected(expected))
    }

    fn whole_number(&self) -> Result<u64, Refusal> {
        let expected = "a whole number";
        let digits = self.scalar(expected)?.unquoted().unwrap_or_default();
        digits.parse().map_err(|_| Refusal::expected(expected))
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            visitor.visit_u64(self.whole_number()?)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Refusal;

    whole_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Nothing => visitor.visit_unit(),
            Value::Scalar(scalar) => visitor.visit_str(&scalar.filled.text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Section(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(&self.scalar("a text")?.filled.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let expected = "true or false, without quotes";
        match self.scalar(expected)?.unquoted() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => Err(Refusal::expected(expected)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.value {
            Value::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let items: &[Node] = match &self.0.value {
            Value::List(items) => items,
            Value::Nothing => &[],
            // What stands here is not shown: it may be a secret in the wrong place.
            Value::Scalar(_) => {
                return Err(Refusal::new(Reason::Said(
                    "expected a list, found a text; write [ ] around it".to_owned(),
                )));
            }
            Value::Section(_) => return Err(Refusal::expected("a list (lines that begin with \"- \")")),
        };
        visitor.visit_seq(Items { items: items.iter().enumerate() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let entries: &[Entry] = match &self.0.value {
            Value::Section(entries) => entries,
            Value::Nothing => &[],
            Value::Scalar(_) => {
                return Err(Refusal::new(Reason::Said(
                    "expected a section (\"name: value\" lines), found a text".to_owned(),
                )));
            }
            Value::List(_) => return Err(Refusal::expected("a section (\"name: value\" lines)")),
        };
        visitor.visit_map(Entries { entries: entries.iter(), current: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let word = &self.scalar(&enumerated(known))?.filled.text;
        visitor.visit_enum(StrDeserializer::new(word))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if name == SECRET {
            let written = &self.scalar("a reference to a secret, such as \"${OPENAI_API_KEY}\"")?.filled;
            if written.has_literals {
                return Err(Refusal::new(Reason::Said(
                    "a secret does not stand in this file: put it into a variable and write \"${NAME}\", or into a file \
                     and write \"${file:/path}\""
                        .to_owned(),
                )));
            }
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        f32 f64 i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

// === impl KeyReader ===

impl<'de> de::Deserializer<'de> for KeyReader<'_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

// === impl Items, Entries ===

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some((index, item)) = self.items.by_ref().find(|(_, item)| !item.gone) else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|refusal| refusal.below(Step::Index(index)))
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.current = self.entries.by_ref().find(|entry| !entry.node.gone);
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(KeyReader(&entry.key))
            .map(Some)
            .map_err(|refusal| refusal.below(Step::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let Some(entry) = self.current else { return Err(Refusal::expected("a name before a value")) };
        seed.deserialize(Reader(&entry.node)).map_err(|refusal| refusal.below(Step::Key(entry.key.clone())))
    }
}
