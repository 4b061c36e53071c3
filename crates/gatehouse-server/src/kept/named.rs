//! Files that a request names by their ids: ours become their provider's, and the request can go nowhere else.

use crate::call::Call;
use crate::dialects;
use crate::house::House;
use bytes::Bytes;
use gatehouse_core::call::Caller;
use gatehouse_core::content::{Dialect, Edit, splice};
use gatehouse_core::error::Error;
use gatehouse_identity::envelope::{Kind, Tenant};
use gatehouse_wire::json::{Doc, Node, Strictness, escaped};

/// Members in which files are named.
const ROOMS: [&str; 4] = ["messages", "input", "tools", "prompt"];
/// Members that describe what somebody else says, or said: what is called so in there is no file of the caller's.
const OTHERS: [&str; 6] = ["parameters", "schema", "json_schema", "annotations", "results", "outputs"];

/// Opens the ids of files in a call.
///
/// # Errors
/// `not_found` for one that is not this caller's, `invalid_request` when they are at several providers.
pub fn open(house: &House, mut call: Call) -> Result<Call, Error> {
    if call.front.has_body()
        && let Some(Opened { doc, provider, ids }) =
            opened(house, &call.key.caller, call.front.dialect, &call.doc)?
    {
        call.view = dialects::view(&call.front, &doc)?;
        (call.doc, call.files_at, call.file_ids) = (doc, Some(provider.into()), ids);
    }
    Ok(call)
}

/// A request with the ids of its files as their provider knows them.
pub struct Opened {
    /// The request.
    pub doc: Doc,
    /// The provider.
    pub provider: String,
    /// Each id as its caller has it, and as the provider does.
    pub ids: Vec<(String, String)>,
}

/// A request with the ids of its files as their provider knows them; `None` when it names none.
///
/// # Errors
/// As of [`open`].
pub fn opened(house: &House, caller: &Caller, dialect: Dialect, doc: &Doc) -> Result<Option<Opened>, Error> {
    let has_files = matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    if !has_files || !may_name(doc.bytes()) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for room in ROOMS.iter().filter_map(|name| doc.root().opt(name)) {
        gather(room, &mut found);
    }
    let (tenant, mut provider, mut edits, mut ids) = (Tenant::of(caller), None, Vec::new(), Vec::new());
    for node in found {
        let id = node.str().unwrap_or_default();
        let envelope =
            super::ids::open(house, Kind::File, &tenant, &id).map_err(|error| error.at(node.name()))?;
        if provider.as_ref().is_some_and(|known| *known != envelope.provider) {
            return Err(node.wrong("is a file at another provider than those before"));
        }
        let with = Bytes::from([b"\"", escaped(&envelope.upstream).as_slice(), b"\""].concat());
        edits.push(Edit { range: node.range(), with });
        ids.push((id.into_owned(), envelope.upstream));
        provider = Some(envelope.provider);
    }
    let Some(provider) = provider else { return Ok(None) };
    edits.sort_by_key(|edit| edit.range.start);
    let doc = Doc::parse(splice(doc.bytes(), &edits), Strictness::Caller)?;
    Ok(Some(Opened { doc, provider, ids }))
}

/// Whether a body can name a file. JSON may write any letter of the name as its number, too.
fn may_name(body: &[u8]) -> bool {
    let signs = [b"\"file_id".as_slice(), br"\u00"];
    signs.iter().any(|sign| memchr::memmem::find(body, sign).is_some())
}

/// The ids below a node.
fn gather<'a>(node: Node<'a>, found: &mut Vec<Node<'a>>) {
    node.items().for_each(|item| gather(item, found));
    for (name, value) in node.members() {
        match name.as_ref() {
            "file_id" if value.is_str() => found.push(value),
            "file_ids" => found.extend(value.items().filter(Node::is_str)),
            name if OTHERS.contains(&name) => {}
            _ => gather(value, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{gather, may_name};
    use gatehouse_wire::json::{Doc, Strictness};

    #[test]
    fn a_name_is_seen_however_it_is_written() {
        for name in ["file_id", r"\u0066ile_id", r"file\u005Fid", r"file_i\u0064"] {
            let body = format!(r#"{{"input":[{{"{name}":"a"}}]}}"#);
            assert!(may_name(body.as_bytes()), "{body}");
            let (doc, mut found) = (Doc::parse(body.into(), Strictness::Caller).unwrap(), Vec::new());
            gather(doc.root(), &mut found);
            assert_eq!(found.len(), 1, "{name}");
        }
        assert!(!may_name(r#"{"content":"a file_id \u2026"}"#.as_bytes()));
    }

    #[test]
    fn ids_are_found_where_files_are_named_and_not_in_schemas() {
        let doc = Doc::parse(
            r#"{"input":[{"content":[{"type":"input_file","file_id":"a"},{"text":"file_id","file_id":null}]}],
            "tools":[{"results":[{"file_id":"r"}]},{"container":{"file_ids":["b",7]}},{"parameters":{"default":{"file_id":"x"}}}]}"#
                .into(),
            Strictness::Caller,
        )
        .unwrap();
        let mut found = Vec::new();
        gather(doc.root(), &mut found);
        let found: Vec<_> = found.iter().map(|node| node.str().unwrap().into_owned()).collect();
        assert_eq!(found, ["a", "b"]);
    }
}
