//! What a call has used so far: the provider's own count where it comes, ours where it does not.

use gatehouse_core::content::Span;
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_ledger::{RequestSize, TokenEstimator, estimate_tokens};
use gatehouse_wire::codec::Ranks;
use gatehouse_wire::rerank::search_units;

/// Texts up to this many bytes are counted one by one; longer ones by their size.
const COUNTED_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an average token, for prompts that are not counted.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an image in an estimate of what was used.
const TOKENS_PER_MEDIUM: u64 = 800;

/// The usage of one call, as it grows.
#[derive(Debug, Default)]
pub struct Meter {
    /// Our count of the prompt.
    input_estimate: u64,
    /// The most that the prompt can be, for the reservation.
    input_bound: u64,
    /// Our count of the answer, as it goes by.
    output: TokenEstimator,
    /// The provider's count.
    reported: Option<Usage>,
    /// Our count of the search units of a ranking, and the most that they can be.
    units: (u64, u64),
    /// Whether who is asked bills by them.
    bills_units: bool,
    /// Whether the request has left for a provider that may bill it.
    sent: bool,
    /// What will probably be used beside the texts that go by: images, seconds, characters.
    expected: Usage,
}

// === impl Meter ===

impl Meter {
    /// Counts the prompt.
    pub fn prompt(&mut self, raw: &str, spans: &[Span], media: u32) {
        let bytes: usize = spans.iter().map(|span| span.range.len()).sum();
        let media_tokens = u64::from(media) * TOKENS_PER_MEDIUM;
        let text_tokens = if bytes <= COUNTED_BYTES_MAX {
            let mut estimator = TokenEstimator::default();
            spans.iter().filter_map(|span| raw.get(span.range.clone())).for_each(|text| estimator.feed(text));
            estimator.tokens()
        } else {
            wide(bytes) / BYTES_PER_TOKEN
        };
        self.input_estimate = text_tokens + media_tokens;
        // The whole body bounds the text in it, schemas and all; media are bounded by their number and size.
        let size = RequestSize {
            text_bytes: wide(raw.len()).min(wide(bytes) + wide(raw.len() - bytes.min(raw.len())) / 2),
            messages: wide(spans.len()),
            images: u64::from(media),
            file_bytes: if media > 0 { wide(raw.len()) } else { 0 },
        };
        self.input_bound = size.tokens_max();
    }

    /// Counts what is ranked: the question is read once with each document.
    pub fn ranks(&mut self, raw: &str, ranks: &Ranks) {
        let query = raw.get(ranks.query.clone()).unwrap_or_default();
        let estimate = estimate_tokens(query.get(..COUNTED_BYTES_MAX).unwrap_or(query));
        let most = RequestSize { text_bytes: wide(query.len()), ..RequestSize::default() }.tokens_max();
        let documents =
            |all: u64, query: u64| search_units(ranks.documents, query, all.saturating_sub(query));
        self.units = (documents(self.input_estimate, estimate), documents(self.input_bound, most));
        let again = ranks.documents.saturating_sub(1);
        self.input_estimate = self.input_estimate.saturating_add(estimate.saturating_mul(again));
        self.input_bound = self.input_bound.saturating_add(most.saturating_mul(again));
    }

    /// The most search units that the ranking can have.
    #[must_use]
    pub fn units_bound(&self) -> u64 {
        self.units.1
    }

    /// Says whether the target that is asked next bills by search units.
    pub fn by_units(&mut self, bills_units: bool) {
        self.bills_units = bills_units;
    }

    /// Our count of the prompt, in tokens.
    #[must_use]
    pub fn input_estimate(&self) -> u64 {
        self.input_estimate
    }

    /// The most tokens that the prompt can have.
    #[must_use]
    pub fn input_bound(&self) -> u64 {
        self.input_bound
    }

    /// What will probably be used beside the texts that go by, should nobody count it.
    pub fn expect(&mut self, usage: Usage) {
        self.expected = usage;
    }

    /// The request has left.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// The provider refused it, and bills nothing.
    pub fn refused(&mut self) {
        self.sent = false;
        self.reported = None;
        self.output = TokenEstimator::default();
    }

    /// The attempt has failed and another may follow: what the provider may bill for it all the same.
    pub fn failed(&mut self) -> Option<Usage> {
        let (usage, source) = self.total(false);
        self.refused();
        (source != UsageSource::None).then_some(usage)
    }

    /// A piece of the answer.
    pub fn text(&mut self, text: &str) {
        self.output.feed(text);
    }

    /// The provider's count. It may come several times; the last one that says anything counts.
    pub fn reported(&mut self, usage: Usage) {
        if !usage.is_empty() {
            self.reported = Some(usage.clamped());
        }
    }

    /// Whether the provider has counted.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.reported.is_some()
    }

    /// What was used, and who says so.
    ///
    /// `whole` tells whether the answer came to its end. A count that came before an answer was cut (the
    /// prompt of Anthropic's `message_start`, the running count of Gemini's chunks) is completed with ours
    /// and is an estimate: the provider may have written more than it came to say.
    #[must_use]
    pub fn total(&self, whole: bool) -> (Usage, UsageSource) {
        let output = self.output.tokens();
        match self.reported {
            Some(usage) if whole => (usage, UsageSource::Provider),
            Some(usage) => {
                let output_tokens = usage.output_tokens.max(output);
                (Usage { output_tokens, ..usage }, UsageSource::Estimated)
            }
            None if !self.sent => (Usage::default(), UsageSource::None),
            None => {
                let input_tokens = self.input_estimate;
                let search_units = if self.bills_units { self.units.0 } else { 0 };
                let counted = Usage { input_tokens, output_tokens: output, search_units, ..Usage::default() };
                (counted.saturating_add(self.expected), UsageSource::Estimated)
            }
        }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use gatehouse_core::content::{Place, Span};
    use gatehouse_core::usage::{Usage, UsageSource};

    #[test]
    fn the_providers_count_counts_and_a_cut_answer_is_completed_with_ours() {
        let mut meter = Meter::default();
        meter.prompt("tell me a story", &[Span { range: 0..15, place: Place::Input }], 0);
        assert_eq!(meter.total(false).1, UsageSource::None, "nothing was sent");
        meter.sent();
        let (usage, source) = meter.total(false);
        assert!(usage.input_tokens > 0 && source == UsageSource::Estimated);
        meter.reported(Usage { input_tokens: 7, output_tokens: 1, ..Usage::default() });
        meter.text("once upon a time there was a gateway");
        let (usage, source) = meter.total(false);
        assert!(usage.input_tokens == 7 && usage.output_tokens > 4 && source == UsageSource::Estimated);
        meter.reported(Usage { input_tokens: 7, output_tokens: 9, ..Usage::default() });
        assert_eq!(
            meter.total(true),
            (Usage { input_tokens: 7, output_tokens: 9, ..Usage::default() }, UsageSource::Provider)
        );
    }

    #[test]
    fn a_failed_attempt_is_counted_once_and_the_next_begins_anew() {
        let mut meter = Meter::default();
        meter.prompt("tell me a story", &[Span { range: 0..15, place: Place::Input }], 0);
        meter.sent();
        meter.text("once upon");
        let lost = meter.failed().unwrap();
        assert!(lost.input_tokens > 0 && lost.output_tokens > 0);
        meter.sent();
        meter.refused();
        assert_eq!((meter.failed(), meter.total(true).1), (None, UsageSource::None));
    }

    #[test]
    fn the_bound_is_above_the_estimate() {
        let mut meter = Meter::default();
        let text = "word ".repeat(10_000);
        meter.prompt(&text, &[Span { range: 0..text.len(), place: Place::Input }], 2);
        assert!(meter.input_bound() > meter.input_estimate());
    }
}
