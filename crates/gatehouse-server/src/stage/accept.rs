//! Is this request sound, and is its path one of ours? Nothing of its body is read yet.

use super::Accepted;
use crate::front::{self, Cloud, Front};
use crate::switch;
use gatehouse_core::call::Operation;
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::key::PREFIX;
use gatehouse_wire::form;
use http::{HeaderMap, Method, Request, header};
use hyper::body::Incoming;

/// Checks the head of a request.
///
/// What the HTTP library lets pass but two servers could understand differently is refused here: two transfer
/// encodings or one that is not `chunked`, no host or two. A length beside a transfer encoding does not come
/// this far over HTTP/1.1: the library drops it, reads the body as chunks and closes the connection after the
/// answer, as RFC 9112 (6.1 and 6.3) has it; different lengths it refuses. The checks for these stay, should
/// that change.
///
/// # Errors
/// `invalid_request`, `not_found`, `method_not_allowed`, `unsupported_media_type`.
pub fn accept(request: Request<Incoming>) -> Result<Accepted, Error> {
    let (parts, body) = request.into_parts();
    framing_is_sound(&parts.headers)?;
    host_is_sound(&parts.headers, &parts.uri)?;
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let front = front::find(path, query, &parts.headers, &parts.method)
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is nothing at {}", shown(path))))?;
    method_is_right(&front, &parts.method)?;
    if front.operation == Operation::Realtime {
        switch::is_sound(&parts.method, &parts.headers)?;
    }
    if front.is_form {
        content_is_a_form(&parts.headers)?;
    } else if front.cloud == Some(Cloud::Bedrock) || front.operation == Operation::Passthrough {
        // Amazon's clients call a body bytes that nobody has to understand; a provider's own path takes whatever it takes.
        content_is_not_encoded(&parts.headers)?;
    } else if front.method == Method::POST {
        content_is_json(&parts.headers)?;
    }
    let family = front::family(path, &parts.headers);
    Ok(Accepted {
        front,
        family,
        query: query.map(ToOwned::to_owned),
        headers: parts.headers,
        body,
        first: None,
    })
}

fn framing_is_sound(headers: &HeaderMap) -> Result<(), Error> {
    let count = |name| headers.get_all(name).iter().count();
    let (encodings, lengths) = (count(header::TRANSFER_ENCODING), count(header::CONTENT_LENGTH));
    if encodings > 1 || lengths > 1 || encodings + lengths > 1 {
        return Err(Error::new(Code::InvalidRequest, "the length of the body is given more than once"));
    }
    let chunked = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if headers.get(header::TRANSFER_ENCODING).is_some_and(|value| !chunked(value)) {
        return Err(Error::new(
            Code::InvalidRequest,
            "the only transfer encoding that is read is \"chunked\"",
        ));
    }
    Ok(())
}

fn host_is_sound(headers: &HeaderMap, uri: &http::Uri) -> Result<(), Error> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let wrong = || Error::new(Code::InvalidRequest, "the Host header is missing, doubled or malformed");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            let host = host.to_str().map_err(|_| wrong())?;
            let odd = |character: char| !(character.is_ascii_alphanumeric() || ".-_:[]".contains(character));
            if host.is_empty() || host.contains(odd) { Err(wrong()) } else { Ok(()) }
        }
        // HTTP/2 has it in the address.
        (None, None) if uri.authority().is_some() => Ok(()),
        _ => Err(wrong()),
    }
}

fn method_is_right(front: &Front, method: &Method) -> Result<(), Error> {
    let reads = front.method == Method::GET && method == Method::HEAD;
    if front.method == *method || reads {
        return Ok(());
    }
    Err(Error::new(Code::MethodNotAllowed, format!("this path takes {} only", front.method)))
}

fn content_is_not_encoded(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Error::new(Code::UnsupportedMediaType, "send the body without content encoding"))
        }
        _ => Ok(()),
    }
}

fn content_is_a_form(headers: &HeaderMap) -> Result<(), Error> {
    content_is_not_encoded(headers)?;
    form::boundary(content_type(headers))
        .map(drop)
        .map_err(|error| Error { code: Code::UnsupportedMediaType, ..error })
}

/// Whether a body says of itself that it is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = content_type(headers).split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// The content type, as far as it is text.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

fn content_is_json(headers: &HeaderMap) -> Result<(), Error> {
    content_is_not_encoded(headers)?;
    if !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(());
    }
    let kind = content_type(headers).split(';').next().unwrap_or_default().trim();
    // curl -d says this of whatever it sends; the body decides.
    let curl = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if is_json(headers) || curl || kind.eq_ignore_ascii_case("text/plain") || kind.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::UnsupportedMediaType, "send the body as application/json"))
}

/// A path for a message: short, and without what could be a credential.
fn shown(path: &str) -> String {
    /// No segment of a path of ours is as long; keys are.
    const SEGMENT_CHARS_MAX: usize = 32;
    let shown = |segment: &str| {
        let secret = segment.chars().count() > SEGMENT_CHARS_MAX || segment.contains(PREFIX);
        if secret { "…".to_owned() } else { segment.chars().filter(|c| !c.is_control()).collect() }
    };
    path.split('/').take(8).map(shown).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{content_is_json, framing_is_sound, host_is_sound};
    use http::{HeaderMap, HeaderName, HeaderValue, Uri};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_two_servers_read_differently_is_refused() {
        for bad in [
            &[("content-length", "5"), ("transfer-encoding", "chunked")][..],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("content-length", "5"), ("content-length", "6")],
            &[("transfer-encoding", "gzip, chunked")],
        ] {
            assert!(framing_is_sound(&headers(bad)).is_err(), "{bad:?}");
        }
        assert!(framing_is_sound(&headers(&[("transfer-encoding", "Chunked")])).is_ok());
        let path = Uri::from_static("/v1");
        for bad in [
            &[][..],
            &[("host", "a"), ("host", "b")],
            &[("host", "x/?")],
            &[("host", "x#y")],
            &[("host", "")],
        ] {
            assert!(host_is_sound(&headers(bad), &path).is_err(), "{bad:?}");
        }
        assert!(host_is_sound(&headers(&[("host", "[::1]:8080")]), &path).is_ok());
        assert!(host_is_sound(&headers(&[]), &Uri::from_static("http://h/v1")).is_ok());
    }

    #[test]
    fn a_credential_in_the_path_is_not_shown() {
        assert_eq!(super::shown("/v1/nothing"), "/v1/nothing");
        assert_eq!(super::shown("/ghk_a_b/x"), "/…/x");
        assert_eq!(super::shown(&format!("/{}", "k".repeat(40))), "/…");
    }

    #[test]
    fn only_json_is_read() {
        assert!(content_is_json(&headers(&[("content-type", "application/json; charset=utf-8")])).is_ok());
        assert!(content_is_json(&headers(&[])).is_ok());
        assert!(content_is_json(&headers(&[("content-type", "multipart/form-data")])).is_err());
        assert!(content_is_json(&headers(&[("content-encoding", "gzip")])).is_err());
    }
}
