//! Edits in one pass do what the same edits do one by one.

use bytes::Bytes;
use gatehouse_core::content::{Edit, splice};

/// Takes the input apart into edits and a body: every edit is three bytes (a gap, a length, the length of
/// the replacement), as many as the first byte says.
pub fn edits(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (plan, body) = rest.split_at(rest.len().min(3 * usize::from(count % 16)));
    let mut edits = Vec::new();
    let mut at = 0;
    for step in plan.chunks_exact(3) {
        let start = (at + usize::from(step[0])).min(body.len());
        let end = (start + usize::from(step[1])).min(body.len());
        edits.push(Edit { range: start..end, with: Bytes::from(vec![b'+'; usize::from(step[2])]) });
        at = end;
    }
    // From the last to the first, so that earlier ranges stay valid.
    let mut expected = body.to_vec();
    for edit in edits.iter().rev() {
        expected.splice(edit.range.clone(), edit.with.iter().copied());
    }
    assert_eq!(splice(&Bytes::copy_from_slice(body), &edits), expected);
}
