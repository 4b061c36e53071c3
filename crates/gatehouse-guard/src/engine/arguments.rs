//! Arguments of tools: JSON text, of which guardrails judge what it says and not how it is written.
//!
//! Each string is judged decoded, so that no escape hides a word, and what stands between strings as it is.
//! What is changed is written so that the text stays JSON. A text that is not well formed is cut at its quotes
//! like any other: no part of it goes unjudged.

use super::{Active, Extent, Tally};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::error::Error;
use gatehouse_wire::json::{escaped, unescape};
use std::ops::Range;

/// A string's inside, or what stands between two strings.
struct Segment {
    range: Range<usize>,
    is_string: bool,
    /// Whether its end has come.
    is_closed: bool,
    text: String,
    /// Where the raw text is another.
    escapes: Vec<Escape>,
}

/// Where an escape stands raw, and what it says in the text.
struct Escape {
    text: Range<usize>,
    raw: Range<usize>,
}

/// Judges arguments of which the first `passed` bytes have passed; `in_string` says where they begin. Gives
/// them as they may pass, when that is another text.
///
/// # Errors
/// `guard_blocked` or `guard_unavailable`.
pub(crate) fn judge(
    active: &Active,
    raw: &str,
    in_string: bool,
    passed: usize,
    extent: Extent,
    tally: &mut Tally,
) -> Result<Option<String>, Error> {
    let mut edits = Vec::new();
    for segment in segments(raw, in_string) {
        if segment.is_closed && segment.range.end <= passed {
            continue;
        }
        let extent = if segment.is_closed { Extent::Whole } else { extent };
        let before = segment.decoded(passed);
        let judged = active.judge_rest(&segment.text, before, Place::ToolArguments, extent, tally)?;
        edits.extend(judged.map(|changed| segment.edit(raw, &changed)));
    }
    if edits.is_empty() {
        return Ok(None);
    }
    let changed = splice(&Bytes::copy_from_slice(raw.as_bytes()), &edits);
    Ok(Some(String::from_utf8_lossy(&changed).into_owned()))
}

/// Up to where nothing can be found any more that has not been found, when `lookbehind` decoded bytes are
/// seen again.
pub(crate) fn safe(raw: &str, in_string: bool, lookbehind: usize) -> usize {
    segments(raw, in_string).pop().map_or(raw.len(), |last| {
        if last.is_closed { raw.len() } else { last.raw(last.text.len().saturating_sub(lookbehind)) }
    })
}

/// From where a text has to be kept of which `passed` bytes have passed, and whether that is in a string.
pub(crate) fn keep_from(raw: &str, in_string: bool, passed: usize, lookbehind: usize) -> (usize, bool) {
    let around = segments(raw, in_string).into_iter().rfind(|segment| segment.range.start <= passed);
    around.map_or((0, in_string), |segment| {
        (segment.raw(segment.decoded(passed).saturating_sub(lookbehind)), segment.is_string)
    })
}

/// Cuts a text at its quotes.
fn segments(raw: &str, in_string: bool) -> Vec<Segment> {
    let (mut all, mut start, mut is_string) = (Vec::new(), 0, in_string);
    loop {
        let segment = segment(raw, start, is_string);
        let (end, is_closed) = (segment.range.end, segment.is_closed);
        all.push(segment);
        if !is_closed {
            return all;
        }
        (start, is_string) = (end + 1, !is_string);
    }
}

/// What begins at `start`, up to the next quote, or to what is not there in whole.
fn segment(raw: &str, start: usize, is_string: bool) -> Segment {
    let (mut text, mut escapes, mut at, mut is_closed) = (String::new(), Vec::new(), start, false);
    loop {
        let rest = raw.get(at..).unwrap_or_default();
        let next = rest.find(|own| own == '"' || (is_string && own == '\\')).unwrap_or(rest.len());
        text.push_str(rest.get(..next).unwrap_or_default());
        at += next;
        is_closed |= rest.get(next..).is_some_and(|rest| rest.starts_with('"'));
        let length = if is_closed || next == rest.len() { None } else { escape(raw, at) };
        let Some(unit) = length.and_then(|length| raw.get(at..at + length)) else {
            return Segment { range: start..at, is_string, is_closed, text, escapes };
        };
        let before = text.len();
        text.push_str(&unescape(unit));
        escapes.push(Escape { text: before..text.len(), raw: at..at + unit.len() });
        at += unit.len();
    }
}

/// How long the escape at `at` is; `None` while its end has not come.
fn escape(raw: &str, at: usize) -> Option<usize> {
    let rest = raw.get(at..)?;
    let second = rest.chars().nth(1)?;
    if second != 'u' {
        return Some(1 + second.len_utf8());
    }
    let is_high =
        |digits: &str| u32::from_str_radix(digits, 16).is_ok_and(|code| (0xD800..0xDC00).contains(&code));
    if rest.len() < 6 {
        // Digits that are none are no escape to wait for.
        let is_cut = rest.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit());
        return (!is_cut).then_some(2);
    }
    let Some(digits) = rest.get(2..6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    else {
        return Some(2);
    };
    if !is_high(digits) {
        return Some(6);
    }
    let low = rest.get(6..)?;
    let is_begun = low.len() < 6 && "\\u".starts_with(low.get(..low.len().min(2)).unwrap_or("x"));
    match low.get(..6) {
        _ if is_begun => None,
        Some(low) if low.starts_with("\\u") => Some(12),
        _ => Some(6),
    }
}

// === impl Segment ===

impl Segment {
    /// How much of the decoded text stands before this place in the raw one.
    fn decoded(&self, raw: usize) -> usize {
        let known = self.escapes.partition_point(|escape| escape.raw.start < raw);
        let decoded = match known.checked_sub(1).and_then(|at| self.escapes.get(at)) {
            Some(escape) if raw < escape.raw.end => escape.text.start,
            Some(escape) => escape.text.end + (raw - escape.raw.end),
            None => raw.saturating_sub(self.range.start),
        };
        decoded.min(self.text.len())
    }

    /// Where in the raw text the character at this place, or around it, begins.
    fn raw(&self, decoded: usize) -> usize {
        let decoded = (0..=decoded).rfind(|at| self.text.is_char_boundary(*at)).unwrap_or_default();
        let known = self.escapes.partition_point(|escape| escape.text.end <= decoded);
        match known.checked_sub(1).and_then(|at| self.escapes.get(at)) {
            Some(escape) => escape.raw.end + (decoded - escape.text.end),
            None => self.range.start + decoded,
        }
    }

    /// The edit that turns this into `changed`, and leaves what is equal at both ends as it is written.
    fn edit(&self, raw: &str, changed: &str) -> Edit {
        let equal = |(own, new): &(char, char)| own == new;
        let length = |(own, _): (char, char)| own.len_utf8();
        let before: usize = self.text.chars().zip(changed.chars()).take_while(equal).map(length).sum();
        let rest = (self.text.get(before..).unwrap_or_default(), changed.get(before..).unwrap_or_default());
        let behind: usize =
            rest.0.chars().rev().zip(rest.1.chars().rev()).take_while(equal).map(length).sum();
        let middle = rest.1.get(..rest.1.len() - behind).unwrap_or_default();
        let end = self.text.len() - behind;
        let range = self.raw(before)..self.raw(end);
        if self.is_string {
            return Edit { range, with: Bytes::from(escaped(middle)) };
        }
        // A number, or part of one, becomes a string in its place.
        let is_bare = |own: char| !own.is_whitespace() && !"{}[],:".contains(own);
        let ahead = raw.get(self.range.start..range.start).unwrap_or_default();
        let start = self.range.start + ahead.trim_end_matches(is_bare).len();
        let after = raw.get(range.end..self.range.end).unwrap_or_default();
        let end = self.range.end - after.trim_start_matches(is_bare).len();
        let parts = [raw.get(start..range.start), Some(middle), raw.get(range.end..end)];
        let whole: String = parts.into_iter().flatten().collect();
        let quoted = [b"\"".as_slice(), &escaped(&whole), b"\""].concat();
        Edit { range: start..end, with: Bytes::from(quoted) }
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, keep_from, safe};
    use crate::engine::{Extent, Guards, Tally, tests::words};
    use gatehouse_core::call::Scope;
    use gatehouse_core::content::Place;
    use gatehouse_core::verdict::Action;

    fn judged(raw: &str) -> Option<String> {
        let guards = Guards::new(vec![words(Action::Redact, &[Place::ToolArguments])]);
        let active = guards.for_scope(&Scope::default());
        judge(&active, raw, false, 0, Extent::Whole, &mut Tally::default()).unwrap()
    }

    #[test]
    fn what_is_said_is_judged_and_not_how_it_is_written() {
        for (raw, expected) in [
            (r#"{"a\n":"by \u004eightingale \"x\"","b":1}"#, r#"{"a\n":"by [REDACTED] \"x\"","b":1}"#),
            (
                r#"{"Nightingal\u0065":["\ud83d\ude00 NIGHTINGALE\t"]}"#,
                r#"{"[REDACTED]":["\ud83d\ude00 [REDACTED]\t"]}"#,
            ),
            (r#"{"a": nightingale }"#, r#"{"a": "[REDACTED]" }"#),
            (r#"{"a": -nightingale.5}"#, r#"{"a": "-[REDACTED].5"}"#),
            ("no JSON by Nightingale", "no JSON by \"[REDACTED]\""),
        ] {
            assert_eq!(judged(raw).as_deref(), Some(expected));
        }
        assert_eq!(judged(r#"{"a":"\nightingales","n":"N\\u0069ghtingale"}"#), None);
    }

    #[test]
    fn what_is_not_whole_may_not_pass_and_is_kept_with_what_stands_before() {
        let raw = r#"{"a":"abcdef\u00"#;
        assert_eq!((safe(raw, false, 2), safe(raw, false, 0)), (10, 12));
        assert_eq!(safe(r#"x\ud83d"#, true, 0), 1);
        assert_eq!(safe(r#"x\ud83d\u"#, true, 0), 1);
        assert_eq!(keep_from(raw, false, 10, 2), (8, true));
        assert_eq!(keep_from(raw, false, 3, 9), (2, true));
    }
}
