//! Mutants of a document: damaged as text, or changed as JSON and whole again.

use serde_json::Value;

/// Where a seed is changed.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// It is one JSON document.
    Document,
    /// It is a stream of events whose data are JSON documents.
    EventData,
    /// Its form does not matter.
    Anywhere,
}

/// A source of changes: splitmix64, so that a number is a mutant, today and on every machine.
pub(crate) struct Mutator(u64);

/// What stands where it should not.
const SCRAPS: &[&str] = &[
    "null",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e308",
    "18446744073709551616",
    "true",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    ",",
    ":",
    "}",
    "]",
    "\"",
    "\\",
    "\n",
    "\r\n\r\n",
    "data: ",
    "data: [DONE]\n\n",
    "event: error\n",
    "\u{feff}",
    "{\"error\":{\"message\":\"x\"}}",
    "[[[[[[[[",
    "\u{17f}",
];

// === impl Mutator ===

impl Mutator {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }

    /// One to four changes.
    pub(crate) fn mutant(&mut self, seed: &[u8], place: Place) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            // Most mutants stay well-formed: the shallow ones die in the parser.
            bytes = match place {
                Place::Document if self.below(4) > 0 => self.changed_json(&bytes).unwrap_or(bytes),
                Place::EventData if self.below(4) > 0 => self.changed_event(&bytes),
                _ => self.damaged(bytes),
            };
        }
        bytes
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn scrap(&mut self) -> &'static str {
        SCRAPS[self.below(SCRAPS.len())]
    }

    /// A flip, an insertion, a deletion or a repetition somewhere.
    fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.below(bytes.len() + 1);
        let end = bytes.len().min(at + self.below(40));
        match self.below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 => drop(bytes.splice(at..at, self.scrap().bytes())),
            2 => drop(bytes.drain(at..end)),
            _ => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(end..end, again));
            }
        }
        bytes
    }

    /// The data of one event changed, or an event repeated, left out or moved.
    fn changed_event(&mut self, bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut events: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
        if events.is_empty() {
            return bytes.to_vec();
        }
        let at = self.below(events.len());
        match self.below(6) {
            0 => drop(events.remove(at)),
            1 => events.insert(at, events[at].clone()),
            2 => {
                let other = self.below(events.len());
                events.swap(at, other);
            }
            _ => {
                let changed = events[at].split_once("data: ").and_then(|(before, data)| {
                    let json = String::from_utf8(self.changed_json(data.trim().as_bytes())?).ok()?;
                    Some(format!("{before}data: {json}\n\n"))
                });
                events[at] = changed.unwrap_or_else(|| events[at].clone());
            }
        }
        events.concat().into_bytes()
    }

    /// One value somewhere replaced, removed, wrapped or repeated. `None` when it is no JSON any more.
    fn changed_json(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut root: Value = serde_json::from_slice(bytes).ok()?;
        let target = self.below(count(&root));
        let donor = self.below(count(&root));
        let donor = nth(&mut root, &mut donor.clone())?.clone();
        let value = nth(&mut root, &mut target.clone())?;
        match self.below(6) {
            0 => *value = serde_json::from_str(self.scrap()).unwrap_or(Value::Null),
            1 => *value = donor,
            2 => *value = Value::Array(vec![value.take()]),
            3 => remove_from(value, self.next()),
            4 => repeat_in(value, self.next()),
            _ => add_to(value, donor, self.next()),
        }
        serde_json::to_vec(&root).ok()
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// The value that comes `left` values behind this one.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(members) => members.values_mut().find_map(|item| nth(item, left)),
        _ => None,
    }
}

fn pick(length: usize, random: u64) -> usize {
    usize::try_from(random % u64::try_from(length.max(1)).unwrap()).unwrap()
}

fn remove_from(value: &mut Value, random: u64) {
    match value {
        Value::Array(items) if !items.is_empty() => drop(items.remove(pick(items.len(), random))),
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(pick(members.len(), random)).cloned();
            name.map(|name| members.shift_remove(&name));
        }
        other => *other = Value::Null,
    }
}

fn repeat_in(value: &mut Value, random: u64) {
    match value {
        Value::Array(items) if !items.is_empty() => items.push(items[pick(items.len(), random)].clone()),
        Value::String(text) => *text = text.repeat(2),
        other => *other = Value::Array(vec![other.clone(), other.take()]),
    }
}

/// A foreign value under a name that is there already, or one that differs in letter case.
fn add_to(value: &mut Value, donor: Value, random: u64) {
    match value {
        Value::Array(items) => items.insert(pick(items.len() + 1, random), donor),
        Value::Object(members) => {
            let name = members.keys().nth(pick(members.len(), random)).cloned().unwrap_or_default();
            let name = if random.is_multiple_of(7) { name.to_uppercase() } else { name };
            members.insert(name, donor);
        }
        other => *other = donor,
    }
}
