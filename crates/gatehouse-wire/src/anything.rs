//! Bodies that no dialect here reads: whatever a provider offers at a path of its own. All texts in them count.

use crate::codec::View;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};

/// What the pipeline needs of such a body: the model, if it names one, whether it asks for a stream, and every text.
#[must_use]
pub fn view(doc: &Doc) -> View {
    let root = doc.root();
    let model = root.opt("model").and_then(|model| Some((model.str()?.into_owned(), model.range())));
    View {
        model: model.filter(|(model, _)| !model.is_empty()),
        stream: root.opt("stream").and_then(|stream| stream.bool()).unwrap_or_default(),
        spans: spans(doc, Place::Input),
        ..View::default()
    }
}

/// Every text of a document, in the order in which they stand. Names of members are none: they are the provider's.
#[must_use]
pub fn spans(doc: &Doc, place: Place) -> Vec<Span> {
    let mut spans = Vec::new();
    search(doc.root(), place, &mut spans);
    spans
}

fn search(value: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    if value.is_str() {
        spans.push(Span { range: value.inner_range(), place });
    } else if value.is_object() {
        value.members().for_each(|(_, inner)| search(inner, place, spans));
    } else if value.is_array() {
        value.items().for_each(|inner| search(inner, place, spans));
    }
}

#[cfg(test)]
mod tests {
    use super::{spans, view};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::Place;

    #[test]
    fn every_text_is_found_wherever_it_stands() {
        let body = r#"{"model":"m","a":[{"b":"one"},"two",3,null],"stream":true,"c":{"d":{"e":"three"}}}"#;
        let doc = Doc::parse(Bytes::from(body), Strictness::Caller).unwrap();
        let seen = view(&doc);
        assert_eq!((seen.model.unwrap().0.as_str(), seen.stream), ("m", true));
        let texts: Vec<_> =
            spans(&doc, Place::Output).into_iter().map(|span| doc.slice(span.range).to_owned()).collect();
        assert_eq!(texts, ["m", "one", "two", "three"]);
        let list = Doc::parse(Bytes::from(r#"["x",{"model":7}]"#), Strictness::Caller).unwrap();
        assert_eq!((view(&list).model, view(&list).spans.len()), (None, 1));
    }
}
