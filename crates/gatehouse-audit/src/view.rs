//! A leaf as a reader sees it: the same groups and names as `leaf`, borrowed from the leaf's own bytes.
//!
//! Readers take what they know and skip the rest, so that a newer leaf can be read by an older reader.
//! What a leaf leaves out reads as empty, zero or false. Nothing is ever hashed again from a view: proofs
//! are over the stored bytes.

use gatehouse_core::record::UnixMicros;
use gatehouse_core::usage::{Usage, UsageSource};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

use crate::commit;
use crate::leaf::KIND_ADMITTED;
use crate::naming;
use crate::pack::Text;
use crate::reader::Entry;
use crate::subjects::{Known, Subject, Subjects};
use crate::time::parse_rfc3339;

macro_rules! views {
    ($( $(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $field_doc:literal])+ $field:ident: $type:ty, )* } )*) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, Deserialize)]
        pub struct $name<'a> {
            $( $(#[doc = $field_doc])+ #[serde(borrow, default)] pub $field: $type, )*
        }
    )* };
}

/// A leaf of any kind.
#[derive(Clone, Debug, Deserialize)]
pub struct View<'a> {
    /// The version of the envelope.
    pub v: u32,
    /// The kind: `call.admitted`, `call.settled`, `log.opened` …
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The call, for leaves about calls.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// When, RFC 3339. See [`View::at`].
    #[serde(borrow)]
    pub ts: Cow<'a, str>,
    /// Whose log.
    #[serde(borrow)]
    pub shard: Cow<'a, str>,
    /// The number in its shard.
    pub seq: u64,
    /// Who.
    #[serde(borrow, default)]
    pub actor: Actor<'a>,
    /// On whose account.
    #[serde(borrow, default)]
    pub org: Org<'a>,
    /// Whom the call is about, where that matters: 32 hexadecimal digits.
    #[serde(borrow, default)]
    pub subject: Cow<'a, str>,
    /// What it belongs to.
    #[serde(borrow, default)]
    pub corr: Corr<'a>,
    /// The labels: a JSON object of texts, as it stands in the leaf.
    #[serde(borrow, default)]
    pub tags: Option<&'a RawValue>,
    /// The particulars of an event, as they stand in the leaf.
    #[serde(borrow, default)]
    pub event: Option<&'a RawValue>,
    /// The operation.
    #[serde(borrow, default)]
    pub op: Cow<'a, str>,
    /// The dialect of the caller.
    #[serde(borrow, default)]
    pub surface: Cow<'a, str>,
    /// Whether a stream was asked for.
    #[serde(default)]
    pub stream: bool,
    /// Which model.
    #[serde(borrow, default)]
    pub model: Model<'a>,
    /// What was planned.
    #[serde(borrow, default)]
    pub route: Route<'a>,
    /// What the guardrails did.
    #[serde(borrow, default)]
    pub policy: Vec<PolicyView<'a>>,
    /// Tokens.
    #[serde(borrow, default)]
    pub usage: UsageView<'a>,
    /// Money.
    #[serde(borrow, default)]
    pub cost: CostView<'a>,
    /// Durations.
    #[serde(default)]
    pub timing: TimingView,
    /// The end.
    #[serde(borrow, default)]
    pub result: ResultView<'a>,
}

/// Durations in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TimingView {
    /// From accept to the first attempt.
    pub queue_us: u64,
    /// From accept to the first byte of the answer; zero when none came.
    pub ttft_us: u64,
    /// From accept to the end.
    pub total_us: u64,
}

views! {
    /// Who did it.
    Actor {
        /// The public part of the credential.
        credential: Cow<'a, str>,
    }
    /// On whose account.
    Org {
        /// The organisation.
        org: Cow<'a, str>,
        /// The team.
        team: Cow<'a, str>,
        /// The application.
        app: Cow<'a, str>,
        /// The use case.
        use_case: Cow<'a, str>,
        /// The end user, sealed under the key of the subject: [`View::user`] reads it.
        user_sealed: Cow<'a, str>,
    }
    /// What a call belongs to.
    Corr {
        /// The agent run or conversation.
        run_id: Cow<'a, str>,
        /// The step of the run.
        step: Cow<'a, str>,
        /// The trace.
        trace_id: Cow<'a, str>,
    }
    /// Which model.
    Model {
        /// As the caller named it.
        requested: Cow<'a, str>,
        /// The provider that served.
        provider: Cow<'a, str>,
        /// The model at the provider.
        served: Cow<'a, str>,
    }
    /// A guardrail.
    PolicyView {
        /// Its name.
        id: Cow<'a, str>,
        /// What it did: `allow`, `block`, `redact` …
        outcome: Cow<'a, str>,
    }
    /// What was planned.
    Route {
        /// The targets to be tried, in order.
        plan: Vec<Cow<'a, str>>,
        /// The rule or reason.
        rule: Cow<'a, str>,
    }
}

/// Tokens, by the leaf's names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UsageView<'a> {
    /// All of the prompt.
    #[serde(rename = "in")]
    pub input: u64,
    /// Of the prompt: read from the provider's cache.
    pub in_cached: u64,
    /// Of the prompt: written to the cache for the short time.
    pub in_cache_write_5m: u64,
    /// Of the prompt: written to the cache for the long time.
    pub in_cache_write_1h: u64,
    /// Of the prompt: counted and not billed.
    pub in_unbilled: u64,
    /// Of the prompt: audio.
    pub audio_in: u64,
    /// Of the prompt: images.
    pub image_in: u64,
    /// Of the answer: counted and not billed.
    pub out_unbilled: u64,
    /// Of the answer: audio.
    pub audio_out: u64,
    /// Of the answer: images.
    pub image_out: u64,
    /// Web searches.
    pub searches: u64,
    /// Images made.
    pub images: u64,
    /// Milliseconds of audio heard.
    pub audio_ms: u64,
    /// Characters read aloud.
    pub characters: u64,
    /// Units of rankings.
    pub search_units: u64,
    /// All of the answer.
    pub out: u64,
    /// Of the answer: reasoning.
    pub reasoning: u64,
    /// Who counted.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
}

/// Money, by the leaf's names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CostView<'a> {
    /// The price row used.
    #[serde(borrow)]
    pub price_id: Cow<'a, str>,
    /// What it cost; absent when no price is known.
    pub nano: Option<u64>,
    /// What was reserved, on an admitted leaf.
    pub reserved_nano: u64,
    /// How the cost was found.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
}

/// The end of a call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResultView<'a> {
    /// The HTTP status; zero when the caller got none.
    pub status: u16,
    /// The stable error code.
    #[serde(borrow)]
    pub error: Cow<'a, str>,
    /// Why the model stopped.
    #[serde(borrow)]
    pub finish: Cow<'a, str>,
}

/// A body that a leaf tells of, with its text where that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `request` or `answer`.
    pub role: String,
    /// Its size on the wire.
    pub bytes: u64,
    /// The commitment to it, in hexadecimal digits; empty when there is none.
    pub commit: String,
    /// The text, where it can be read.
    pub text: Option<String>,
    /// What became of the text.
    pub standing: Standing,
}

/// What became of the text of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was never kept.
    NotKept,
    /// It is the one that the leaf commits to; of a long one, its begin; of a redacted one, what was left of it.
    Intact,
    /// It is another.
    Changed,
    /// The key of its subject was destroyed.
    Erased,
    /// It was given up when its time was over.
    Pruned,
    /// It is not there.
    Missing,
}

#[derive(Deserialize)]
struct Payloads<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Vec<PayloadView<'a>>,
    #[serde(borrow, default)]
    subject: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PayloadView<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    bytes: u64,
    #[serde(borrow)]
    commit: Cow<'a, str>,
    /// Whether the text is another than the body was.
    redacted: bool,
    /// Empty where no text is kept.
    #[serde(borrow)]
    sealed_sha256: Cow<'a, str>,
}

/// What a leaf is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first of two.
    Admitted,
    /// The last.
    Ending,
    /// Not about a call.
    Other,
}

// === impl View ===

impl<'a> View<'a> {
    /// Reads a leaf.
    ///
    /// # Errors
    /// When the bytes are not a leaf: the text says where and what was expected.
    pub fn parse(leaf: &'a [u8]) -> Result<Self, serde_json::Error> {
        match std::str::from_utf8(leaf) {
            // Checked once as a whole, which is faster than text by text.
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(leaf),
        }
    }

    /// When the leaf happened; zero when the text is not a moment.
    #[must_use]
    pub fn at(&self) -> UnixMicros {
        parse_rfc3339(&self.ts).unwrap_or_default()
    }

    /// When the call was accepted.
    #[must_use]
    pub fn accepted_at(&self) -> UnixMicros {
        self.at().saturating_sub(self.timing.total_us)
    }

    /// The name of the end user, where there is one that can be read.
    #[must_use]
    pub fn user(&self, subjects: &Subjects) -> Option<String> {
        let Known::Key(key) = subjects.find(Subject::parse(&self.subject)?) else { return None };
        naming::open(&key, &self.org.user_sealed)
    }

    /// The same for lists: empty when nobody was named; `erased:` or `sealed:` and some digits of the subject when the
    /// name cannot be read, because its key was destroyed or is not here.
    #[must_use]
    pub fn user_label(&self, subjects: &Subjects) -> String {
        if self.org.user_sealed.is_empty() {
            return String::new();
        }
        self.user(subjects).unwrap_or_else(|| {
            let known = Subject::parse(&self.subject).map_or(Known::Nobody, |subject| subjects.find(subject));
            match known {
                // Of one who came back after he was forgotten there is a key, but another.
                Known::Erased | Known::Key(_) => naming::erased_label(&self.subject),
                Known::Nobody => naming::sealed_label(&self.subject),
            }
        })
    }

    /// What the leaf is to its call.
    #[must_use]
    pub fn part(&self) -> Part {
        match self.kind.as_ref() {
            KIND_ADMITTED => Part::Admitted,
            "call.settled" | "call.denied" | "call.failed" | "stream.aborted" => Part::Ending,
            _ => Part::Other,
        }
    }
}

// === impl UsageView ===

impl UsageView<'_> {
    /// As it was settled.
    #[must_use]
    pub fn used(&self) -> (Usage, UsageSource) {
        let usage = Usage {
            input_tokens: self.input,
            unbilled_input_tokens: self.in_unbilled,
            cached_read_tokens: self.in_cached,
            cache_write_tokens: self.in_cache_write_5m,
            cache_write_long_tokens: self.in_cache_write_1h,
            audio_input_tokens: self.audio_in,
            image_input_tokens: self.image_in,
            output_tokens: self.out,
            unbilled_output_tokens: self.out_unbilled,
            reasoning_tokens: self.reasoning,
            audio_output_tokens: self.audio_out,
            image_output_tokens: self.image_out,
            searches: self.searches,
            images: self.images,
            audio_millis: self.audio_ms,
            characters: self.characters,
            search_units: self.search_units,
        };
        let known = [UsageSource::Provider, UsageSource::Estimated];
        let source = known.into_iter().find(|source| source.as_str() == self.source);
        (usage, source.unwrap_or_default())
    }
}

// === impl Entry ===

impl Entry {
    /// The bodies that the leaf tells of, with their texts as far as they were asked for and can be read.
    ///
    /// # Errors
    /// When the leaf does not parse.
    pub fn payloads(&self, subjects: &Subjects) -> Result<Vec<Kept>, serde_json::Error> {
        let leaf: Payloads<'_> = serde_json::from_slice(&self.leaf)?;
        let known = Subject::parse(&leaf.subject).map_or(Known::Nobody, |subject| subjects.find(subject));
        let mut contents = self.contents.iter();
        let kept = |payload: PayloadView<'_>| {
            let stored = !payload.sealed_sha256.is_empty();
            let (text, standing) = match (stored, if stored { contents.next() } else { None }) {
                (false, _) => (None, Standing::NotKept),
                (true, None | Some(Text::Missing)) => (None, Standing::Missing),
                (true, Some(Text::Pruned)) => (None, Standing::Pruned),
                (true, Some(Text::There(sealed))) => opened(&known, &leaf.id, &payload, sealed),
            };
            Kept {
                role: payload.role.into_owned(),
                bytes: payload.bytes,
                commit: payload.commit.into_owned(),
                text,
                standing,
            }
        };
        Ok(leaf.payload.into_iter().map(kept).collect())
    }
}

/// A sealed text, opened.
fn opened(known: &Known, call: &str, payload: &PayloadView<'_>, sealed: &[u8]) -> (Option<String>, Standing) {
    if hex(&Sha256::digest(sealed)) != payload.sealed_sha256 {
        return (None, Standing::Changed);
    }
    let key = match known {
        Known::Key(key) => key,
        Known::Erased => return (None, Standing::Erased),
        Known::Nobody => return (None, Standing::Missing),
    };
    // The sealed text is the one that was written, so the key is another: that of one who came back.
    let key = key.of_call(call);
    let Some(text) = commit::open(&key, &payload.role, sealed) else { return (None, Standing::Erased) };
    let salt = commit::salt(&key, &payload.role);
    let same = hex(&commit::commitment(&salt, &Sha256::digest(&text).into())) == payload.commit;
    // The commitment is to all of a body of which no more than the begin is kept, and which may have been no text.
    let whole = u64::try_from(text.len()).is_ok_and(|len| len == payload.bytes);
    let standing = if same || !whole || payload.redacted { Standing::Intact } else { Standing::Changed };
    (Some(String::from_utf8_lossy(&text).into_owned()), standing)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
