//! Arguments that come in pieces, each with the path of what it adds to (`streamFunctionCallArguments`).

use super::member::{get, text};
use crate::chat::ToolCall;
use crate::json::{Node, Out, Raw, ToJson};

/// How many items of a list a piece may skip; one that skips more is left out.
const ITEMS_SKIPPED_MAX: usize = 16;
/// How deep a path may lead.
const STEPS_MAX: usize = 32;

/// A call whose arguments are on their way.
#[derive(Debug)]
pub(super) struct PartialCall {
    call: ToolCall,
    root: Value,
    /// What came so far.
    bytes: usize,
}

#[derive(Debug)]
enum Value {
    /// Nothing yet.
    Hole,
    Text(String),
    /// A number, a truth value or `null` as JSON text.
    Raw(String),
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
}

enum Step {
    Member(String),
    Item(usize),
}

// === impl PartialCall ===

impl PartialCall {
    /// A call without arguments so far.
    pub(super) fn new(call: ToolCall) -> Self {
        Self { call, root: Value::Object(Vec::new()), bytes: 0 }
    }

    /// Takes in one piece; one that cannot be placed is left out.
    pub(super) fn take(&mut self, piece: Node<'_>) {
        /// What a piece costs at most: holes of a list before it, and an object for each step to it.
        const PIECE_BYTES: usize = (ITEMS_SKIPPED_MAX + STEPS_MAX) * size_of::<(String, Value)>();
        self.bytes = self.bytes.saturating_add(piece.raw().len() + PIECE_BYTES);
        let Some(steps) = text(piece, "jsonPath").as_deref().and_then(steps) else { return };
        let Some(place) = steps.into_iter().try_fold(&mut self.root, Value::step) else { return };
        if let Some(more) = text(piece, "stringValue") {
            match place {
                Value::Text(text) => text.push_str(&more),
                _ => *place = Value::Text(more),
            }
        } else if let Some(number) = get(piece, "numberValue").or(get(piece, "boolValue")) {
            *place = Value::Raw(number.raw().to_owned());
        } else if piece.members().any(|(name, _)| super::member::spells(&name, "nullValue")) {
            *place = Value::Raw("null".to_owned());
        }
    }

    /// How many bytes it keeps, at most.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The call and its arguments.
    pub(super) fn finish(self) -> (ToolCall, String) {
        let mut out = Out::new();
        out.item(&self.root);
        (self.call, out.as_str().to_owned())
    }
}

// === impl Value ===

impl Value {
    fn step(&mut self, step: Step) -> Option<&mut Self> {
        match step {
            Step::Member(name) => {
                if !matches!(self, Self::Object(_)) {
                    *self = Self::Object(Vec::new());
                }
                let Self::Object(members) = self else { return None };
                let at = members.iter().position(|(own, _)| *own == name).unwrap_or(members.len());
                if at == members.len() {
                    members.push((name, Self::Hole));
                }
                members.get_mut(at).map(|(_, value)| value)
            }
            Step::Item(at) => {
                if !matches!(self, Self::List(_)) {
                    *self = Self::List(Vec::new());
                }
                let Self::List(items) = self else { return None };
                if at > items.len().saturating_add(ITEMS_SKIPPED_MAX) {
                    return None;
                }
                while items.len() <= at {
                    items.push(Self::Hole);
                }
                items.get_mut(at)
            }
        }
    }
}

impl ToJson for Value {
    fn write(&self, out: &mut Vec<u8>) {
        let mut json = Out::after(Vec::new());
        match self {
            Self::Hole => {
                json.item(Raw("null"));
            }
            Self::Text(text) => {
                json.item(text);
            }
            Self::Raw(raw) => {
                json.item(Raw(raw));
            }
            Self::Object(members) => {
                json.object(|json| {
                    members.iter().for_each(|(name, value)| {
                        json.field(name, value);
                    });
                });
            }
            Self::List(items) => {
                json.array(|json| {
                    items.iter().for_each(|item| {
                        json.item(item);
                    });
                });
            }
        }
        out.extend(json.into_bytes());
    }
}

/// The steps of a path such as `$.operations[0]['a b'].action`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == STEPS_MAX {
            return None;
        }
        if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[']).unwrap_or(named.len());
            steps.push(Step::Member(named.get(..end)?.to_owned()));
            rest = named.get(end..)?;
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = |mark: char| inside.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
            steps.push(match quoted('\'').or_else(|| quoted('"')) {
                Some(name) => Step::Member(name.to_owned()),
                None => Step::Item(inside.parse().ok()?),
            });
            rest = after;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::PartialCall;
    use crate::chat::ToolCall;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    #[test]
    fn pieces_fall_into_place_and_strays_are_left_out() {
        let pieces = r#"[{"jsonPath":"$.a[1].b","stringValue":"x","willContinue":true},
            {"jsonPath":"$.a[1].b","stringValue":"y"},{"jsonPath":"$['c d']","numberValue":1.50},
            {"jsonPath":"$.e","boolValue":true},{"jsonPath":"$.f","nullValue":null},
            {"jsonPath":"$.a[99999999]","numberValue":1},{"jsonPath":"?","numberValue":1},{}]"#;
        let doc = Doc::parse(Bytes::copy_from_slice(pieces.as_bytes()), Strictness::Provider).unwrap();
        let mut call = PartialCall::new(ToolCall::default());
        doc.root().items().for_each(|piece| call.take(piece));
        assert_eq!(call.finish().1, r#"{"a":[null,{"b":"xy"}],"c d":1.50,"e":true,"f":null}"#);
    }
}
