//! What a response that is under way has used so far: the provider tells at its end, and only then.

use gatehouse_core::usage::Usage;
use gatehouse_core::usage::UsageSource;
use gatehouse_ledger::TokenEstimator;
use gatehouse_wire::realtime::{Asked, Rates, Said, Turn};

/// Tokens of a picture that the caller shows.
const TOKENS_PER_IMAGE: u64 = 258;

/// The responses of a session, counted by us while nobody else has.
pub(super) struct Turns {
    rates: Rates,
    /// Whether a turn that had no beginning of its own has been neither told nor settled.
    open: bool,
    /// Whether it is over, and may still be told.
    owed: bool,
    /// What was told of it.
    told: Option<Usage>,
    /// How many are under way.
    running: u32,
    /// What the last one had in its context, its answer included.
    context: u64,
    /// What the caller said since.
    asked: TokenEstimator,
    asked_audio_chars: usize,
    asked_images: u64,
    /// What the model has said in those under way.
    said: TokenEstimator,
    said_audio_chars: usize,
}

// === impl Turns ===

impl Turns {
    /// None yet.
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            rates,
            open: false,
            owed: false,
            told: None,
            running: 0,
            context: 0,
            asked: TokenEstimator::default(),
            asked_audio_chars: 0,
            asked_images: 0,
            said: TokenEstimator::default(),
            said_audio_chars: 0,
        }
    }

    /// Whether a response is under way.
    pub(super) fn is_running(&self) -> bool {
        self.running > 0
    }

    /// The caller said something.
    pub(super) fn asked(&mut self, text: &str, asked: &Asked) {
        asked
            .spans
            .iter()
            .filter_map(|span| text.get(span.range.clone()))
            .for_each(|text| self.asked.feed(text));
        self.asked_audio_chars = self.asked_audio_chars.saturating_add(asked.audio_chars);
        self.asked_images = self.asked_images.saturating_add(asked.images.into());
    }

    /// The model speaks in a dialect whose responses have no beginning of their own. What a turn before it used that
    /// nobody has told, and nobody will tell any more, is to be settled.
    pub(super) fn goes_on(&mut self, turn: &Turn) -> Option<(Usage, UsageSource)> {
        if !turn.speaks {
            return None;
        }
        let before = if self.owed { self.settled() } else { None };
        self.open = true;
        self.running = 1;
        before
    }

    /// The rest of what an event says of a turn: what is to be settled with it.
    pub(super) fn came_to(&mut self, turn: &Turn) -> Option<(Usage, UsageSource)> {
        // A later count of the same turn has the earlier one in it.
        self.told = turn.usage.or(self.told);
        if turn.rests || turn.waits || turn.over {
            self.running = 0;
        }
        let ends = turn.over || turn.waits || !self.open || self.owed;
        if self.told.is_some() && ends {
            return self.settled();
        }
        self.owed |= turn.over && self.open;
        None
    }

    /// What is left to be settled of a turn that is under way: by what was told of it, else by our count.
    pub(super) fn settled(&mut self) -> Option<(Usage, UsageSource)> {
        if !self.open && self.told.is_none() {
            return None;
        }
        let told = self.told.take().map(|usage| (usage, UsageSource::Provider));
        let (usage, source) = told.unwrap_or_else(|| (self.counted(), UsageSource::Estimated));
        self.over(&usage);
        Some((usage, source))
    }

    /// A response begins.
    pub(super) fn begins(&mut self) {
        self.running = self.running.saturating_add(1);
    }

    /// The model says something.
    pub(super) fn said(&mut self, said: &Said) {
        said.pieces.iter().for_each(|piece| self.said.feed(&piece.text));
        self.spoke(said.media_chars);
    }

    /// The model speaks, in an event of so many bytes.
    pub(super) fn spoke(&mut self, bytes: usize) {
        self.said_audio_chars = self.said_audio_chars.saturating_add(bytes);
    }

    /// A response is over, and used that.
    pub(super) fn over(&mut self, usage: &Usage) {
        let context = usage.input_tokens.saturating_add(usage.output_tokens);
        *self = Self { running: self.running.saturating_sub(1), context, ..Self::new(self.rates) };
    }

    /// What those under way have used by our count.
    pub(super) fn counted(&self) -> Usage {
        let audio_input_tokens = wide(self.asked_audio_chars / self.rates.input_chars_per_token.max(1));
        let audio_output_tokens = wide(self.said_audio_chars / self.rates.output_chars_per_token.max(1));
        let image_input_tokens = self.asked_images.saturating_mul(TOKENS_PER_IMAGE);
        Usage {
            input_tokens: self.context + self.asked.tokens() + audio_input_tokens + image_input_tokens,
            audio_input_tokens,
            image_input_tokens,
            output_tokens: self.said.tokens() + audio_output_tokens,
            audio_output_tokens,
            ..Usage::default()
        }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Turns;
    use gatehouse_core::usage::{Usage, UsageSource};
    use gatehouse_wire::live::GeminiLive;
    use gatehouse_wire::realtime::{OpenAiRealtime, SessionCodec as _, Turn};

    const SPEAKS: Turn = Turn { speaks: true, rests: false, waits: false, over: false, usage: None };
    const OVER: Turn = Turn { speaks: false, rests: false, waits: false, over: true, usage: None };
    const SOURCE: UsageSource = UsageSource::Provider;

    fn used(input_tokens: u64) -> Option<Usage> {
        Some(Usage { input_tokens, ..Usage::default() })
    }

    fn live() -> Turns {
        Turns::new(GeminiLive.rates())
    }

    #[test]
    fn a_turn_is_settled_once_however_late_it_is_told() {
        let told = Turn { usage: used(7), ..Turn::default() };
        // With its end, before it, and after it.
        for turns in [
            vec![SPEAKS, Turn { usage: used(7), ..OVER }],
            vec![
                SPEAKS,
                Turn { usage: used(3), ..Turn::default() },
                told,
                Turn { rests: true, ..told },
                OVER,
            ],
            vec![SPEAKS, Turn { rests: true, ..Turn::default() }, OVER, told],
            vec![told],
        ] {
            let mut under_way = live();
            let settled: Vec<_> = turns
                .iter()
                .filter_map(|turn| {
                    assert_eq!(under_way.goes_on(turn), None);
                    under_way.came_to(turn)
                })
                .collect();
            assert_eq!(settled, [(used(7).unwrap(), SOURCE)], "{turns:?}");
            assert_eq!((under_way.is_running(), under_way.settled()), (false, None), "{turns:?}");
        }
    }

    #[test]
    fn a_turn_that_nobody_tells_is_counted_when_the_next_one_begins() {
        let mut turns = live();
        assert_eq!((turns.goes_on(&SPEAKS), turns.came_to(&SPEAKS)), (None, None));
        turns.spoke(25_600);
        assert_eq!((turns.goes_on(&OVER), turns.came_to(&OVER)), (None, None));
        assert!(!turns.is_running());
        let (usage, source) = turns.goes_on(&SPEAKS).unwrap();
        assert_eq!((usage.audio_output_tokens, source), (10, UsageSource::Estimated));
        assert!(turns.is_running());
    }

    #[test]
    fn a_call_of_a_tool_is_settled_by_itself_only_where_it_is_told_by_itself() {
        let calls = Turn { waits: true, ..SPEAKS };
        let mut turns = live();
        turns.goes_on(&calls);
        assert_eq!(turns.came_to(&calls), None);
        assert!(!turns.is_running(), "who waits for a tool is not silent for too long");
        turns.goes_on(&SPEAKS);
        turns.came_to(&SPEAKS);
        let over = Turn { usage: used(9), ..OVER };
        assert_eq!((turns.goes_on(&over), turns.came_to(&over)), (None, Some((used(9).unwrap(), SOURCE))));
        let calls = Turn { usage: used(4), ..calls };
        turns.goes_on(&calls);
        assert_eq!(turns.came_to(&calls), Some((used(4).unwrap(), SOURCE)));
    }

    #[test]
    fn a_response_that_is_cut_is_counted_with_what_came_before_it() {
        let mut turns = Turns::new(OpenAiRealtime.rates());
        turns.begins();
        turns.over(&Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() });
        assert!(!turns.is_running());
        turns.begins();
        turns.spoke(32_000);
        let counted = turns.counted();
        assert_eq!((counted.input_tokens, counted.output_tokens, counted.audio_output_tokens), (120, 10, 10));
        assert!(turns.is_running());
    }
}
