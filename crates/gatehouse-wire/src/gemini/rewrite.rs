//! Edits that make a request of this dialect fit for a target that speaks it too.
//!
//! Beside the quirks of the target that is: the model's name where it stands in the body, and thought
//! signatures of other makers, which this caller got from us in envelopes and Google must not see.

use super::member::{each, get, spells, text};
use super::request_out::{Dropped, permits};
use super::seals::{self, BYPASS, ENVELOPE_START};
use super::thinking::{Generation, generation};
use crate::chat::Origin;
use crate::codec::{Rewrite, Target};
use crate::cut::cut;
use crate::json::{Doc, Node, escaped};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;

/// Edits of the request that is `root`: the whole document, or a part of it where it is wrapped.
pub(super) fn rewrite(doc: &Doc, root: Node<'_>, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut names = Dropped::default();
    let mut edits = Vec::new();
    model(root, target, &mut edits);
    remove(doc, root, "", target, &mut edits, &mut names)?;
    if let Some(config) = get(root, "generationConfig") {
        remove(doc, config, "generationConfig.", target, &mut edits, &mut names)?;
    }
    if doc.text().contains(ENVELOPE_START) {
        envelopes(doc, root, target, &mut edits, &mut names);
    }
    edits.sort_by_key(|edit| edit.range.start);
    // Where a whole object goes, the edits inside it go with it.
    let mut end = 0;
    edits.retain(|edit| {
        let apart = edit.range.start >= end;
        end = end.max(edit.range.end);
        apart
    });
    Ok(Rewrite { edits, dropped: names.into_list() })
}

/// The member `model`, which stands in wrapped requests.
fn model(root: Node<'_>, target: &Target<'_>, edits: &mut Vec<Edit>) {
    if let Some(model) = get(root, "model").filter(|model| model.is_str()) {
        let inner = escaped(&super::resource_name(target.model));
        edits.push(Edit { range: model.inner_range(), with: Bytes::from(inner) });
    }
}

/// Takes out the members that the target's server refuses.
fn remove(
    doc: &Doc,
    object: Node<'_>,
    prefix: &str,
    target: &Target<'_>,
    edits: &mut Vec<Edit>,
    names: &mut Dropped,
) -> Result<(), Error> {
    let quirks = target.quirks;
    let mut gone = Vec::new();
    for path in quirks.refuse.iter().chain(quirks.drop) {
        let Some(name) = path.strip_prefix(prefix).filter(|name| !name.contains('.')) else { continue };
        if object.members().any(|(own, _)| spells(&own, name)) && !permits(quirks, path, names)? {
            gone.push(name);
        }
    }
    cut(doc, object, |name| gone.iter().any(|camel| spells(name, camel)), edits);
    Ok(())
}

/// Replaces envelopes by what Google takes in their place.
fn envelopes(doc: &Doc, root: Node<'_>, target: &Target<'_>, edits: &mut Vec<Edit>, names: &mut Dropped) {
    let newest = generation(target.model) == Generation::Level;
    for content in each(get(root, "contents")) {
        for part in each(get(content, "parts")) {
            let Some(signature) = get(part, "thoughtSignature") else { continue };
            let Some((seal, note)) = text(part, "thoughtSignature").as_deref().and_then(seals::read) else {
                continue;
            };
            let bare = seal.origin == Origin::Gemini;
            if bare && note == seals::Note::default() {
                continue;
            }
            let value = if bare { Some(seal.value.as_str()) } else { None };
            let stand_in = (newest && get(part, "functionCall").is_some()).then_some(BYPASS);
            if !bare {
                names.name(&seal.name());
            }
            match value.or(stand_in) {
                Some(value) => {
                    edits.push(Edit { range: signature.inner_range(), with: Bytes::from(escaped(value)) });
                }
                None => cut(doc, part, |name| spells(name, "thoughtSignature"), edits),
            }
        }
    }
}
