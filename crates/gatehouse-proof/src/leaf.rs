//! What a verifier reads of a leaf. Its hash is that of the bytes as they are; nothing is written anew.

use crate::hash::Hash;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of leaves that is known here. Newer ones are hashed and counted, and their members not read.
pub const VERSION: u64 = 1;
/// The kind of a leaf that stands for one that the disk lost before anybody was told of it.
pub const LOST: &str = "leaf.lost";

/// The leaf by which an epoch of keys ends: `event.next_key` is the key of the next.
pub const EPOCH_CLOSED: &str = "epoch.closed";

/// What one leaf says, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its hash in the tree.
    pub hash: Hash,
    /// What it says; nothing when it cannot be read.
    pub says: Option<Says>,
}

/// What a leaf says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// Its number in its log.
    pub seq: u64,
    /// Its log.
    pub shard: Box<str>,
    /// When it was written, in Unix microseconds.
    pub at: u64,
    /// What it tells of.
    pub tells: Tells,
}

/// The kinds of leaf that matter to a verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tells {
    /// A call was let in.
    Admitted(Id),
    /// A call ended.
    Ended(Id),
    /// Something else, with its particulars as they are written.
    Event {
        /// The kind.
        kind: Box<str>,
        /// The particulars: a JSON object, or nothing.
        event: Box<str>,
    },
    /// Of a version that is not known here.
    Newer,
}

/// The id of a call: its UUID as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u128);

/// The members that are read.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    seq: u64,
    #[serde(borrow)]
    shard: Cow<'a, str>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
    v: u64,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

// === impl Facts ===

impl Facts {
    /// Reads a leaf.
    #[must_use]
    pub fn of(leaf: &[u8]) -> Self {
        Self { hash: Hash::of_leaf(leaf), says: read(leaf) }
    }
}

fn read(leaf: &[u8]) -> Option<Says> {
    let members: Members<'_> = serde_json::from_slice(leaf).ok()?;
    let call = || members.id.as_deref().and_then(Id::parse);
    let tells = match (members.v, members.kind.as_ref()) {
        (VERSION, "call.admitted") => Tells::Admitted(call()?),
        (VERSION, "call.settled" | "call.denied" | "call.failed" | "stream.aborted") => Tells::Ended(call()?),
        (VERSION, kind) => {
            let event = members.event.map(RawValue::get).unwrap_or_default();
            Tells::Event { kind: kind.into(), event: event.into() }
        }
        _ => Tells::Newer,
    };
    Some(Says { seq: members.seq, shard: members.shard.as_ref().into(), at: micros(&members.ts)?, tells })
}

/// The bytes that stand in the tree for a leaf that was lost.
#[must_use]
pub fn lost(shard: &str, seq: u64) -> Vec<u8> {
    format!(r#"{{"kind":"{LOST}","seq":{seq},"shard":"{shard}","ts":"1970-01-01T00:00:00.000000Z","v":{VERSION}}}"#)
        .into_bytes()
}

/// A member of the particulars of an event; nothing when there is none of this type.
#[must_use]
pub fn member<T: for<'a> Deserialize<'a>>(event: &str, name: &str) -> Option<T> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(event).ok()?;
    serde_json::from_value(object.get(name)?.clone()).ok()
}

// === impl Id ===

impl Id {
    /// Reads a UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut value: u128 = 0;
        let mut digits = 0;
        for (at, byte) in text.bytes().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return None;
                }
                continue;
            }
            value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
            digits += 1;
        }
        (digits == 32 && text.len() == 36).then_some(Self(value))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |shift: u32, digits: u32| self.0 >> shift & ((1 << (4 * digits)) - 1);
        let (a, b, c, d, e) = (part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Id({self})")
    }
}

/// Unix microseconds of a time like `2026-11-24T02:50:06.000001Z`, the one form that leaves have.
pub(crate) fn micros(text: &str) -> Option<u64> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    let number = |from: usize, to: usize| {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if !marks.iter().all(|(at, mark)| bytes.get(*at) == Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 by counting years from March, so that the leap day is the last of its year.
    let (from_march, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(seconds * 1_000_000 + number(20, 26)?)
}

#[cfg(test)]
mod tests {
    use super::{Facts, Id, Says, Tells, lost, member, micros};

    #[test]
    fn times_are_read_to_the_microsecond() {
        assert_eq!(micros("1970-01-01T00:00:00.000000Z"), Some(0));
        assert_eq!(micros("2026-11-24T02:50:06.000001Z"), Some(1_795_488_606_000_001));
        assert_eq!(micros("2024-02-29T23:59:59.999999Z"), Some(1_709_251_199_999_999));
        assert_eq!(micros("2000-03-01T00:00:00.000000Z"), Some(951_868_800_000_000));
        for no in [
            "2026-11-24T02:50:06Z",
            "2026-13-24T02:50:06.000001Z",
            "1969-12-31T00:00:00.000000Z",
            "2026-11-24t02:50:06.000001Z",
            "+026-11-24T02:50:06.000001Z",
        ] {
            assert_eq!(micros(no), None, "{no}");
        }
    }

    #[test]
    fn a_leaf_says_who_it_is() {
        let id = "01936a4e-7c3a-7b1d-9f00-000000000001";
        let leaf = |kind: &str| {
            let text = format!(
                r#"{{"event":{{"a":7}},"id":"{id}","kind":"{kind}","seq":3,"shard":"r0","ts":"1970-01-01T00:00:00.000009Z","v":1}}"#
            );
            Facts::of(text.as_bytes()).says.unwrap()
        };
        let says = |tells| Says { seq: 3, shard: "r0".into(), at: 9, tells };
        let call = Id::parse(id).unwrap();
        assert_eq!(call.to_string(), id);
        assert_eq!(leaf("call.admitted"), says(Tells::Admitted(call)));
        assert_eq!(leaf("stream.aborted"), says(Tells::Ended(call)));
        let event = Tells::Event { kind: "log.opened".into(), event: r#"{"a":7}"#.into() };
        assert_eq!(leaf("log.opened"), says(event));
        assert_eq!(member::<u64>(r#"{"a":7}"#, "a"), Some(7));
        assert_eq!(member::<String>(r#"{"a":7}"#, "a"), None);
        let missing = Facts::of(&lost("r0", 5)).says.unwrap();
        assert_eq!((missing.seq, missing.at), (5, 0));
        assert_eq!(Facts::of(b"{}").says, None);
        assert_eq!(
            Facts::of(
                br#"{"kind":"call.settled","seq":3,"shard":"r0","ts":"1970-01-01T00:00:00.000009Z","v":1}"#
            )
            .says,
            None
        );
        let newer =
            Facts::of(br#"{"kind":"x","seq":3,"shard":"r0","ts":"1970-01-01T00:00:00.000009Z","v":2}"#);
        assert_eq!(newer.says.unwrap().tells, Tells::Newer);
    }
}
