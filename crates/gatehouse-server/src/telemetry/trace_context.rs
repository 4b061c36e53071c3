//! W3C trace context: read from callers, handed on to providers. <https://www.w3.org/TR/trace-context/>
//!
//! Without export there are no spans of ours, and the caller's context is handed on as it came, so that the
//! provider's spans still hang on the caller's. With export, each attempt has a span, and that is what the
//! provider gets as its parent. `tracestate` is not handed on: it is for the caller's own tracing system.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write as _;
use std::sync::Arc;

/// The header.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The flag of a trace that is recorded.
const SAMPLED: u8 = 0b01;
/// The flags that are known: sampled, and that the trace id is random.
const FLAGS: u8 = 0b11;

/// Names a span within its trace.
pub type SpanId = [u8; 8];

/// Where a call stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The caller's span; `None` where the trace begins here.
    pub parent: Option<SpanId>,
    /// The call's own span; `None` where none is recorded.
    pub span: Option<SpanId>,
    flags: u8,
}

// === impl TraceContext ===

impl TraceContext {
    /// The caller's trace, of version 00, or of a later version as far as it looks like it.
    #[must_use]
    pub fn of_caller(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let mut parts = value.to_str().ok()?.split('-');
        let [version] = bytes(parts.next()?)?;
        let trace: [u8; 16] = bytes(parts.next()?)?;
        let parent: SpanId = bytes(parts.next()?)?;
        let [flags] = bytes(parts.next()?)?;
        let ends = version != 0 || parts.next().is_none();
        let sound = ends && version != 0xff && trace != [0; 16] && parent != [0; 8];
        sound.then_some(Self { trace, parent: Some(parent), span: None, flags: flags & FLAGS })
    }

    /// A trace that begins here; `None` where there is no chance to be had.
    #[must_use]
    pub fn started() -> Option<Self> {
        let mut trace = [0; 16];
        getrandom::fill(&mut trace).ok()?;
        (trace != [0; 16]).then_some(Self { trace, parent: None, span: None, flags: FLAGS })
    }

    /// The same with a span for the call, unless the caller's trace is not recorded.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        if self.flags & SAMPLED != 0 {
            self.span = span_id();
        }
        self
    }

    /// A span for an attempt, where spans are recorded.
    #[must_use]
    pub fn child(&self) -> Option<SpanId> {
        self.span.and_then(|_| span_id())
    }

    /// The header for a request to a provider, as part of this span or, without one, of the caller's.
    #[must_use]
    pub fn onward(&self, span: Option<SpanId>) -> Option<HeaderValue> {
        let parent = span.or(self.parent)?;
        HeaderValue::from_str(&format!("00-{}-{}-{:02x}", hex(&self.trace), hex(&parent), self.flags)).ok()
    }

    /// The trace as records have it: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> Arc<str> {
        hex(&self.trace).into()
    }
}

fn span_id() -> Option<SpanId> {
    getrandom::u64().ok().filter(|id| *id != 0).map(u64::to_be_bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Bytes from their hexadecimal digits, lower case only, as the standard has it.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::TraceContext;
    use http::{HeaderMap, HeaderValue};

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(text: &str) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(text).unwrap());
        TraceContext::of_caller(&headers)
    }

    #[test]
    fn without_spans_the_callers_context_goes_on_as_it_came() {
        let context = of(CALLER).unwrap();
        assert_eq!(&*context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.child(), None);
        assert_eq!(context.onward(context.child()).unwrap(), CALLER);
    }

    #[test]
    fn with_spans_each_attempt_is_the_parent_of_what_the_provider_does() {
        let context = of(CALLER).unwrap().recorded();
        let (first, second) = (context.child().unwrap(), context.child().unwrap());
        assert!(first != second && Some(first) != context.span);
        let next = of(context.onward(Some(first)).unwrap().to_str().unwrap()).unwrap();
        assert_eq!((next.trace, next.parent), (context.trace, Some(first)));
    }

    #[test]
    fn a_trace_that_is_not_sampled_is_not_recorded() {
        let caller = CALLER.replace("-01", "-00");
        let context = of(&caller).unwrap().recorded();
        assert_eq!((context.span, context.child()), (None, None));
        assert_eq!(context.onward(None).unwrap(), caller);
    }

    #[test]
    fn a_trace_may_begin_here() {
        let context = TraceContext::started().unwrap();
        assert_eq!(context.onward(None), None, "nobody would know the parent");
        let context = context.recorded();
        assert_eq!(
            of(context.onward(context.child()).unwrap().to_str().unwrap()).unwrap().trace,
            context.trace
        );
    }

    #[test]
    fn what_is_no_trace_context_is_passed_over() {
        for bad in [
            "",
            "00-0-0-0",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert!(of("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
        let mut twice = HeaderMap::new();
        twice.append("traceparent", HeaderValue::from_static(CALLER));
        twice.append("traceparent", HeaderValue::from_static(CALLER));
        assert_eq!(TraceContext::of_caller(&twice), None);
    }
}
