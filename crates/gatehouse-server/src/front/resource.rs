//! Paths of what is kept for callers: responses, files, batches. The same path takes several methods.

use super::{Front, decoded, form, front, unversioned};
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use http::Method;

/// What a path asks for by this method; by another if it does not take this one.
pub(super) fn find(path: &str, method: &Method) -> Option<Front> {
    let (kind, rest) = unversioned(path).strip_prefix('/')?.split_once('/').map_or_else(
        || (unversioned(path).strip_prefix('/').unwrap_or_default(), None),
        |(kind, rest)| (kind, Some(rest)),
    );
    let (id, sub) =
        match rest.map(|rest| rest.split_once('/').map_or((rest, None), |(id, sub)| (id, Some(sub)))) {
            None => (None, None),
            Some(("", _)) => return None,
            // A count, and nobody's id.
            Some(("input_tokens", None)) => return None,
            Some((id, sub)) => (Some(decoded(id)), sub),
        };
    let takes = taken(kind, id.is_some(), sub)?;
    let (method, operation) = takes.iter().find(|(takes, _)| takes == method).or_else(|| {
        // What reads may be asked for its head alone.
        takes.iter().find(|(takes, _)| takes == Method::GET).or_else(|| takes.first())
    })?;
    let dialect = match kind {
        "responses" => Dialect::OpenAiResponses,
        "files" => Dialect::OpenAiFiles,
        "receipts" => Dialect::OpenAiChat,
        _ => Dialect::OpenAiBatches,
    };
    let of_form = if *operation == Operation::CreateFile { form } else { front };
    Some(Front { id, method: method.clone(), ..of_form(*operation, dialect) })
}

/// What can be done there.
fn taken(kind: &str, one: bool, sub: Option<&str>) -> Option<&'static [(Method, Operation)]> {
    use Operation as O;
    Some(match (kind, one, sub) {
        ("responses", true, None) => {
            &[(Method::GET, O::RetrieveResponse), (Method::DELETE, O::DeleteResponse)]
        }
        ("responses", true, Some("cancel")) => &[(Method::POST, O::CancelResponse)],
        ("responses", true, Some("input_items")) => &[(Method::GET, O::ListInputItems)],
        ("files", false, _) => &[(Method::GET, O::ListFiles), (Method::POST, O::CreateFile)],
        ("files", true, None) => &[(Method::GET, O::RetrieveFile), (Method::DELETE, O::DeleteFile)],
        ("files", true, Some("content")) => &[(Method::GET, O::FileContent)],
        ("receipts", true, None) => &[(Method::GET, O::RetrieveReceipt)],
        ("batches", false, _) => &[(Method::GET, O::ListBatches), (Method::POST, O::CreateBatch)],
        ("batches", true, None) => &[(Method::GET, O::RetrieveBatch)],
        ("batches", true, Some("cancel")) => &[(Method::POST, O::CancelBatch)],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::find;
    use gatehouse_core::call::Operation;
    use http::Method;

    #[test]
    fn a_path_and_a_method_say_what_to_do_with_what() {
        let look = |method: Method, path: &str| {
            find(path, &method).map(|front| (front.operation, front.id.unwrap_or_default()))
        };
        let one = |operation, id: &str| Some((operation, id.to_owned()));
        assert_eq!(look(Method::GET, "/v1/responses/resp_1"), one(Operation::RetrieveResponse, "resp_1"));
        assert_eq!(look(Method::HEAD, "/v1/responses/resp_1"), one(Operation::RetrieveResponse, "resp_1"));
        assert_eq!(look(Method::DELETE, "/responses/r%2F1"), one(Operation::DeleteResponse, "r/1"));
        assert_eq!(look(Method::POST, "/v1/responses/r/cancel"), one(Operation::CancelResponse, "r"));
        assert_eq!(
            look(Method::GET, "/openai/v1/responses/r/input_items"),
            one(Operation::ListInputItems, "r")
        );
        assert_eq!(look(Method::POST, "/v1/files"), one(Operation::CreateFile, ""));
        assert_eq!(look(Method::GET, "/v1/files"), one(Operation::ListFiles, ""));
        assert_eq!(look(Method::GET, "/v1/files/f/content"), one(Operation::FileContent, "f"));
        assert_eq!(look(Method::POST, "/openai/batches"), one(Operation::CreateBatch, ""));
        assert_eq!(look(Method::POST, "/v1/batches/b/cancel"), one(Operation::CancelBatch, "b"));
        assert_eq!(look(Method::GET, "/v1/receipts/r"), one(Operation::RetrieveReceipt, "r"));
        // Another method is told which one would do.
        assert_eq!(find("/v1/batches/b", &Method::PUT).unwrap().method, Method::GET);
        for nothing in [
            "/v1/responses",
            "/v1/responses/",
            "/v1/responses/input_tokens",
            "/v1/responses/a/b",
            "/v1/files/",
            "/v1/filesx",
            "/v1",
        ] {
            assert_eq!(find(nothing, &Method::GET).map(|front| front.operation), None, "{nothing}");
        }
    }
}
