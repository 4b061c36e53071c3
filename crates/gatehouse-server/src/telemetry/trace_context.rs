//! W3C trace context: read from callers, handed on to providers. <https://www.w3.org/TR/trace-context/>

use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

const HEADER: &str = "traceparent";

/// The trace that the caller's request belongs to: 32 hexadecimal digits.
#[must_use]
pub fn trace_id(headers: &HeaderMap) -> Option<Arc<str>> {
    parse(headers).map(|(trace, ..)| trace.into())
}

/// The header for a request to a provider: the caller's trace, our span.
#[must_use]
pub fn onward(headers: &HeaderMap, span: [u8; 8]) -> Option<HeaderValue> {
    let (trace, _, flags) = parse(headers)?;
    let span = u64::from_be_bytes(span);
    HeaderValue::from_str(&format!("00-{trace}-{span:016x}-{flags}")).ok()
}

/// Trace, parent span and flags of version 00, and of later versions as far as they look like it.
fn parse(headers: &HeaderMap) -> Option<(&str, &str, &str)> {
    let mut parts = headers.get(HEADER)?.to_str().ok()?.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let sound = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    (sound && !zero(trace) && !zero(span)).then_some((trace, span, flags))
}

#[cfg(test)]
mod tests {
    use super::{onward, trace_id};
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn the_trace_goes_on_under_our_span() {
        let mut headers = HeaderMap::new();
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", HeaderValue::from_static(caller));
        assert_eq!(trace_id(&headers).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        let next = onward(&headers, [0, 0, 0, 0, 0, 0, 0, 9]).unwrap();
        assert_eq!(next, "00-0af7651916cd43dd8448eb211c80319c-0000000000000009-01");
        for bad in ["", "00-0-0-0", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            headers.insert("traceparent", HeaderValue::from_str(bad).unwrap());
            assert_eq!(trace_id(&headers), None, "{bad}");
        }
    }
}
