//! What may pass.
//!
//! A [`Detector`] finds things in one text; [`engine::Guards`] binds detectors to places, accounts and
//! actions and runs them over a whole body; [`window::Window`] runs them over an answer that is still
//! being written, holding back just as much as they need.
//!
//! There is one enforcement point: the spans of a body and the events of a stream. No guardrail knows
//! protocols, providers or whether it looks at a request or an answer.

pub mod engine;
pub mod window;
pub mod words;

use gatehouse_core::verdict::Finding;

/// Finds something in a text. To add a guardrail: implement this in a file of its own.
pub trait Detector: Send + Sync {
    /// What it finds in `text`, in order, without overlaps. Ranges are bytes of `text`.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not look: the engine then does what the guardrail's policy says.
    fn find(&self, text: &str) -> Result<Vec<Finding>, Unavailable>;

    /// How many bytes before the end of an unfinished text it may still have to see again: the longest
    /// thing that it can find, and what it needs around it.
    fn lookbehind(&self) -> usize;
}

/// A guardrail could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);
