//! A refusal before any dialect has worded its envelope: what every validation returns.

/// Why a request is not answered. Each dialect writes it in its own envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The HTTP status.
    pub(crate) status: u16,
    /// For the client.
    pub(crate) message: String,
    /// OpenAI's `param`.
    pub(crate) param: Option<String>,
    /// OpenAI's `code`, or Gemini's `reason`.
    pub(crate) code: Option<&'static str>,
    /// Seconds until another try may help.
    pub(crate) retry_after: Option<u64>,
}

/// What validations return.
pub(crate) type Checked<T> = Result<T, Fault>;

// === impl Fault ===

impl Fault {
    /// A refusal with any status.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, retry_after: None }
    }

    /// A 400.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The same, naming the member at fault.
    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same with a stable code.
    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}
