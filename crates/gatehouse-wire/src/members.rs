//! A request of the dialect made fit for a target where little differs: the model's name, and members that the target
//! has not.

use crate::codec::{Rewrite, Target, View};
use crate::cut::cut;
use crate::json::{Doc, escaped};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;

/// The edits, in order.
///
/// # Errors
/// `unsupported_parameter` for what the target cannot honour.
pub(crate) fn fitted(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut rewrite = Rewrite::default();
    if let Some((_, range)) = view.model.as_ref().filter(|(name, _)| name != target.model) {
        let quoted = [b"\"", escaped(target.model).as_slice(), b"\""].concat();
        rewrite.edits.push(Edit { range: range.clone(), with: Bytes::from(quoted) });
    }
    let there = |name: &&&str| doc.root().opt(name).is_some();
    if let Some(name) = target.quirks.refuse.iter().find(there) {
        return Err(Error::unsupported(*name, format!("{name} cannot be honoured by this provider")));
    }
    rewrite.dropped = target.quirks.drop.iter().filter(there).map(|name| (*name).to_owned()).collect();
    cut(doc, doc.root(), |name| target.quirks.drop.contains(&name), &mut rewrite.edits);
    rewrite.edits.sort_by_key(|edit| edit.range.start);
    Ok(rewrite)
}
