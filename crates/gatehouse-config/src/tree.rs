//! The document as a tree in which every value knows its place.
//!
//! Scalars stay text until somebody says what they shall be: `no` is not a truth value in a list of words,
//! `2.50` is not a float. Limits bound what a hostile document can cost, aliases included.

use crate::fault::{FAULTS_MAX, Fault, Place};
use crate::interpolate::{self, Filled, Sources};
use crate::path::{Path, Step};
use granit_parser::{Event, Marker, Options, Parser, ScalarStyle};
use std::collections::HashMap;

/// The values of one document, those behind aliases counted each time.
pub const VALUES_MAX: usize = 100_000;
/// How deep sections and lists may nest.
pub const DEPTH_MAX: usize = 32;
/// How much of a scalar is shown in a fault.
const SHOWN_CHARS_MAX: usize = 60;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
    /// A fault was found here, and the value replaced by nothing.
    pub(crate) spoiled: bool,
    /// It does not count any more.
    pub(crate) gone: bool,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Scalar(Scalar),
    List(Vec<Node>),
    Section(Vec<Entry>),
}

/// A name in a section and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// A text, with its references filled in.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) filled: Filled,
    /// As it stands in the file: what may be shown.
    written: String,
    quoted: bool,
}

/// What is being built: a list or a section that is not finished, and the key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Place)>,
}

struct Builder<'a> {
    file: &'a str,
    /// Without any, values are taken as they are written, and names may be merged with `<<`.
    sources: Option<Sources<'a>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    values: usize,
    faults: Vec<Fault>,
}

/// Reads a document. Faults that leave a tree to go on with are given beside it. Without `sources` it is
/// another program's: its values are taken as they are written.
///
/// # Errors
/// What keeps the document from being read at all.
pub(crate) fn read(
    text: &str,
    file: &str,
    sources: Option<Sources<'_>>,
) -> Result<(Node, Vec<Fault>), Vec<Fault>> {
    let mut builder = Builder {
        file,
        sources,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        values: 0,
        faults: Vec::new(),
    };
    for next in Parser::new_from_str_with_options(text, Options::default()) {
        match next {
            Ok((event, span)) => {
                if let Err(fault) = builder.take(event, place(&span.start)) {
                    builder.faults.push(fault);
                    return Err(builder.faults);
                }
            }
            Err(error) => {
                let at = place(error.marker());
                builder.faults.push(Fault::at(file, at, String::new(), unreadable(text, at, &error)));
                return Err(builder.faults);
            }
        }
    }
    let root = builder.root.unwrap_or_else(|| Node::new(Place { line: 1, column: 1 }, Value::Nothing));
    Ok((root, builder.faults))
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col().saturating_add(1) }
}

fn unreadable(text: &str, at: Place, error: &granit_parser::ScanError) -> String {
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let hint = match line {
        line if line.trim_start().starts_with('\t') => "; indent with spaces, not with tabs",
        line if line.contains("${") => "; inside { } and [ ] a reference needs quotes: \"${NAME}\"",
        _ => "",
    };
    format!("this is not YAML: {}{hint}", error.info())
}

// === impl Builder ===

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.fault(at, "the file holds a second document; keep one"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, at)?;
                self.refuse_tag(tag.is_some(), at);
                let quoted = style != ScalarStyle::Plain;
                if self.wants_key() {
                    return self.key(text.into_owned(), quoted, at);
                }
                let node = self.scalar(text.into_owned(), quoted, at);
                self.finished(node, anchor);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.start(Value::List(Vec::new()), anchor, tag.is_some(), at)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(Value::Section(Vec::new()), anchor, tag.is_some(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.finished(open.node, open.anchor);
                }
                Ok(())
            }
            Event::Alias(id) => self.alias(id, at),
            _ => Ok(()),
        }
    }

    fn start(&mut self, value: Value, anchor: usize, tagged: bool, at: Place) -> Result<(), Fault> {
        self.count(1, at)?;
        self.refuse_tag(tagged, at);
        if self.wants_key() {
            return Err(self.fault(at, "a name must be a text, not a list or a section"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.fault(at, &format!("sections and lists may nest {DEPTH_MAX} deep")));
        }
        self.open.push(Open { node: Node::new(at, value), anchor, key: None });
        Ok(())
    }

    fn alias(&mut self, id: usize, at: Place) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(self.fault(at, "a name must be written out, not be an alias"));
        }
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(self.fault(at, "this alias stands inside of what it refers to"));
        };
        self.count(node.values(), at)?;
        self.finished(node, 0);
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { node: Node { value: Value::Section(_), .. }, key: None, .. }))
    }

    fn key(&mut self, key: String, quoted: bool, at: Place) -> Result<(), Fault> {
        let is_ours = self.sources.is_some();
        if is_ours && key == "<<" && !quoted {
            return Err(self.fault(at, "sections cannot be merged with \"<<\"; write the values out"));
        }
        if is_ours && key.contains("${") {
            self.report(
                at,
                &format!("{key:?}: names are taken as they are written; only values have references"),
            );
        }
        if let Some(open) = self.open.last_mut() {
            open.key = Some((key, at));
        }
        Ok(())
    }

    fn scalar(&mut self, written: String, quoted: bool, at: Place) -> Node {
        let filled = match self.sources {
            Some(sources) => interpolate::fill(&written, sources),
            None => Ok(Filled { text: written.clone(), ..Filled::default() }),
        };
        match filled {
            Ok(filled) => {
                let scalar = Scalar { filled, written, quoted };
                let value = if scalar.is_nothing() { Value::Nothing } else { Value::Scalar(scalar) };
                Node::new(at, value)
            }
            Err(message) => {
                self.report(at, &message);
                Node { spoiled: true, ..Node::new(at, Value::Nothing) }
            }
        }
    }

    fn finished(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: Node { value: Value::List(items), .. }, .. }) => items.push(node),
            Some(Open { node: Node { value: Value::Section(entries), .. }, key, .. }) => {
                let Some((key, place)) = key.take() else { return };
                match entries.iter().find(|entry| entry.key == key) {
                    None => entries.push(Entry { key, place, node }),
                    Some(first) => {
                        let message =
                            format!("{key:?} stands here twice, first at line {}", first.place.line);
                        self.report(place, &message);
                    }
                }
            }
            Some(_) => {}
        }
    }

    fn count(&mut self, values: usize, at: Place) -> Result<(), Fault> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            return Err(self.fault(at, &format!("the document has more than {VALUES_MAX} values")));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, at: Place) {
        if tagged {
            self.report(at, "tags (\"!…\") are not used here; take it out");
        }
    }

    fn report(&mut self, at: Place, message: &str) {
        if self.faults.len() < FAULTS_MAX {
            let fault = self.fault(at, message);
            self.faults.push(fault);
        }
    }

    fn fault(&self, at: Place, message: &str) -> Fault {
        let steps = self.open.iter().filter_map(|open| match (&open.node.value, &open.key) {
            (Value::List(items), _) => Some(Step::Index(items.len())),
            (_, Some((key, _))) => Some(Step::Key(key.clone())),
            _ => None,
        });
        Fault::at(self.file, at, Path(steps.collect()).to_string(), message.to_owned())
    }
}

// === impl Node ===

impl Node {
    fn new(place: Place, value: Value) -> Self {
        Self { place, value, spoiled: false, gone: false }
    }

    /// A value that stands in no file.
    pub(crate) fn nowhere() -> Self {
        Self::new(Place::default(), Value::Nothing)
    }

    /// Whether the value at the end of a path, one on the way to it, or one below it could not be read.
    pub(crate) fn is_spoiled(&self, path: &Path) -> bool {
        let mut node = self;
        for step in &path.0 {
            if node.spoiled {
                return true;
            }
            match node.child(step) {
                Some(child) => node = child,
                None => return false,
            }
        }
        node.is_spoiled_below()
    }

    fn is_spoiled_below(&self) -> bool {
        self.spoiled
            || match &self.value {
                Value::Nothing | Value::Scalar(_) => false,
                Value::List(items) => items.iter().any(Self::is_spoiled_below),
                Value::Section(entries) => entries.iter().any(|entry| entry.node.is_spoiled_below()),
            }
    }

    /// Whether the value at the end of a path could not be read.
    pub(crate) fn is_unreadable(&self, path: &Path) -> bool {
        path.0.iter().try_fold(self, |node, step| node.child(step)).is_some_and(|node| node.spoiled)
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::List(items), Step::Index(index)) => items.get(*index),
            (value, Step::Key(key)) => value.entry(key).map(|entry| &entry.node),
            _ => None,
        }
    }

    fn values(&self) -> usize {
        let below: usize = match &self.value {
            Value::Nothing | Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::values).sum(),
            Value::Section(entries) => entries.iter().map(|entry| entry.node.values()).sum(),
        };
        below.saturating_add(1)
    }

    /// Gives every section at `providers.*.timeouts`, say, what it does not say itself from the one at the
    /// top: `inherit("providers", "timeouts")`.
    pub(crate) fn inherit(&mut self, all: &str, section: &str) {
        let Some(Value::Section(general)) = self.value.entry(section).map(|entry| entry.node.value.clone())
        else {
            return;
        };
        let Some(Value::Section(members)) =
            self.at_mut(&[Step::Key(all.to_owned())]).map(|node| &mut node.value)
        else {
            return;
        };
        for member in members {
            let own = member.node.at_mut(&[Step::Key(section.to_owned())]);
            let Some(Value::Section(own)) = own.map(|node| &mut node.value) else { continue };
            let missing: Vec<Entry> =
                general.iter().filter(|entry| own.iter().all(|own| own.key != entry.key)).cloned().collect();
            own.extend(missing);
        }
    }

    /// The text that stands here, if one does.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The value at the end of a path.
    pub(crate) fn at_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        let Some((step, rest)) = path.split_first() else { return Some(self) };
        match (&mut self.value, step) {
            (Value::List(items), Step::Index(index)) => items.get_mut(*index)?.at_mut(rest),
            (Value::Section(entries), Step::Key(key)) => {
                entries.iter_mut().find(|entry| entry.key == *key)?.node.at_mut(rest)
            }
            _ => None,
        }
    }

    /// Where a path leads, or the end of as much of it as is there.
    pub(crate) fn locate(&self, path: &Path) -> Place {
        let (mut node, mut place) = (self, self.place);
        for step in &path.0 {
            let next = match (&node.value, step) {
                (Value::List(items), Step::Index(index)) => items.get(*index).map(|item| (item, item.place)),
                (Value::Section(_), Step::Key(key)) => {
                    node.value.entry(key).map(|entry| (&entry.node, entry.shown_place()))
                }
                _ => None,
            };
            let Some(next) = next else { return place };
            (node, place) = next;
        }
        place
    }

    /// Where the name at the end of a path stands.
    pub(crate) fn locate_name(&self, path: &Path) -> Place {
        let Some((Step::Key(name), above)) = path.0.split_last() else { return self.locate(path) };
        let section = above.iter().try_fold(self, |node, step| node.child(step));
        section
            .and_then(|section| section.value.entry(name))
            .map_or_else(|| self.locate(path), |entry| entry.place)
    }

    /// A path in which lists are counted without what is gone, counted as in the file.
    pub(crate) fn as_written(&self, path: &Path) -> Path {
        let mut node = Some(self);
        let mut written = Path::default();
        for step in &path.0 {
            let step = match (node.map(|node| &node.value), step) {
                (Some(Value::List(items)), Step::Index(index)) => {
                    let own = items.iter().enumerate().filter(|(_, item)| !item.gone).nth(*index);
                    node = own.map(|(_, item)| item);
                    Step::Index(own.map_or(*index, |(own, _)| own))
                }
                (Some(value), Step::Key(key)) => {
                    node = value.entry(key).map(|entry| &entry.node);
                    step.clone()
                }
                _ => step.clone(),
            };
            written.0.push(step);
        }
        written
    }

    /// What kind of value stands here, in words.
    pub(crate) fn described(&self) -> String {
        match &self.value {
            Value::Nothing => "nothing".to_owned(),
            Value::Scalar(scalar) => scalar.shown(),
            Value::List(_) => "a list".to_owned(),
            Value::Section(_) => "a section".to_owned(),
        }
    }
}

impl Value {
    /// The entry of this name, if this is a section that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match self {
            Self::Section(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

impl Entry {
    /// Where a fault of the value is shown: at the value if it is a scalar, else at its name.
    pub(crate) fn shown_place(&self) -> Place {
        match &self.node.value {
            Value::Scalar(_) => self.node.place,
            Value::Nothing if self.node.spoiled && self.node.place.line == self.place.line => self.node.place,
            _ => self.place,
        }
    }
}

// === impl Scalar ===

impl Scalar {
    fn is_nothing(&self) -> bool {
        let plain = !self.quoted && !self.filled.has_references;
        plain && matches!(self.filled.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The text, if it may be something else than text: it is not in quotes, or a reference.
    pub(crate) fn unquoted(&self) -> Option<&str> {
        (!self.quoted || self.filled.has_references).then_some(self.filled.text.as_str())
    }

    /// As it stands in the file, shortened: what a reference brought in is never shown.
    pub(crate) fn shown(&self) -> String {
        let mut shown: String = self.written.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < self.written.len() {
            shown.push('…');
        }
        format!("{shown:?}")
    }
}
