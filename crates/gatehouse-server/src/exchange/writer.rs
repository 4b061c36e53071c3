//! A stream that is written in another form than it came in. Writers keep what they have to say again, such as
//! the whole response at the end of a Responses stream, so what they are told has a limit.

use super::whole::too_large;
use gatehouse_core::error::Error;
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::codec::StreamEncoder;

/// Writes the caller's stream.
pub struct Writer {
    encoder: Box<dyn StreamEncoder>,
    /// Bytes of the answer that it was told, about.
    told: u64,
    /// How many it may be (`limits.answer`).
    told_max: u64,
}

// === impl Writer ===

impl Writer {
    /// A stream of which nothing is written.
    #[must_use]
    pub fn new(encoder: Box<dyn StreamEncoder>, told_max: u64) -> Self {
        Self { encoder, told: 0, told_max }
    }

    /// Writes one event.
    ///
    /// # Errors
    /// `upstream_bad_response` when the answer is larger than `limits.answer`.
    pub fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) -> Result<(), Error> {
        self.told = self.told.saturating_add(u64::try_from(event.weight()).unwrap_or(u64::MAX));
        if self.told > self.told_max {
            return Err(too_large(self.told_max));
        }
        self.encoder.event(event, out);
        Ok(())
    }

    /// Writes the error that ends the stream.
    pub fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.encoder.event(&ChatEvent::Error(error.clone()), out);
    }
}
