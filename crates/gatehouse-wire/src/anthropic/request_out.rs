//! A request, written for an Anthropic provider.

use super::check::{Losses, can_return, check};
use super::content::rides_as;
use super::content_out as blocks;
use super::plan::{Message, Plan, Said};
use super::thinking::Thinking;
use super::tools_out;
use super::words::{tier_asked, write_mark};
use super::{DIALECT, ids, schema};
use crate::chat::{Block, CacheMark, ChatRequest, Extension, Format, Part, ToolResult};
use crate::codec::{Encoded, Target};
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;
use std::cell::Cell;

/// The limit of the answer when neither the caller nor the catalogue knows one: every model takes it.
const MAX_TOKENS_DEFAULT: u64 = 4096;
/// The longest `metadata.user_id` that Anthropic takes, in characters.
const USER_CHARS_MAX: usize = 256;
/// The most cache marks that Anthropic takes in one request.
const CACHE_MARKS_MAX: usize = 4;
/// What asks for JSON where there is no schema to enforce: Anthropic has no such switch.
const ASK_FOR_JSON: &str = "Answer with one JSON object and nothing else.";

/// Which endpoint a request is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `/v1/messages`
    Answer,
    /// `/v1/messages/count_tokens`, which refuses everything that is not counted.
    Count,
}

struct Writer<'a> {
    request: &'a ChatRequest,
    target: &'a Target<'a>,
    plan: Plan<'a>,
    /// Cache marks still to be left out, from the front: the later a mark, the more it covers.
    surplus_marks: Cell<usize>,
}

/// Writes `request` for `target`.
pub(super) fn write(request: &ChatRequest, target: &Target<'_>, purpose: Purpose) -> Result<Encoded, Error> {
    let mut losses = Losses::default();
    check(request, target, &mut losses)?;
    let anywhere = target.capabilities.system_anywhere == Some(true);
    let plan = Plan::of(&request.turns, anywhere)?;
    losses.drop_if(plan.wrapped, "messages[].role");
    let marks = tools_out::count_marks(request);
    losses.drop_if(marks > CACHE_MARKS_MAX, "cache_control");
    let surplus_marks = Cell::new(marks.saturating_sub(CACHE_MARKS_MAX));
    if !plan.messages.iter().any(says_something) {
        let why = "messages: must hold at least one message with something in it";
        return Err(Error::invalid("messages", why));
    }
    let writer = Writer { request, target, plan, surplus_marks };
    writer.write(purpose, losses)
}

// === impl Writer: the root ===

impl<'a> Writer<'a> {
    fn write(&self, purpose: Purpose, mut losses: Losses) -> Result<Encoded, Error> {
        let request = self.request;
        let forced = tools_out::forces_a_call(request);
        let thinking =
            Thinking::decide(request, self.target, self.limit_asked(), self.is_resumable(), &mut losses);
        // A forced call and thinking exclude each other, and the call is what the caller insists on.
        losses.drop_if(forced && thinking.is_on(), "reasoning");
        let thinking = if forced && thinking.is_on() { thinking.without() } else { thinking };
        let output = Output::of(request, self.target, thinking.effort(), &mut losses)?;
        let own: Vec<&Extension> = request.extensions.iter().filter(|one| one.origin == DIALECT).collect();
        let mut out = Out::new();
        out.object(|out| {
            match self.target.quirks.instead_of_model {
                Some((name, text)) => out.field(name, text),
                None => out.field("model", self.target.model),
            };
            if purpose == Purpose::Answer {
                out.field("max_tokens", self.max_tokens(&thinking));
            }
            // In the order in which a provider reads them: marks of the cache are counted by it.
            self.tools(out);
            self.system(out, &output);
            out.array_field("messages", |out| self.messages(out));
            if !own.iter().any(|extension| extension.path == "thinking") {
                thinking.write(out);
            }
            output.write(out);
            if purpose == Purpose::Answer {
                self.sampling(out, &thinking, &mut losses);
                self.labels(out, &mut losses);
                if request.stream {
                    out.field("stream", true);
                }
            }
            for extension in own {
                let counts = purpose == Purpose::Answer || COUNTED.contains(&extension.path.as_str());
                // Those with a longer path were written where they belong.
                if counts && !extension.path.contains(['.', '[']) {
                    out.field(&extension.path, Raw(&extension.value.0));
                }
            }
        });
        Ok(Encoded { body: out.into_bytes(), dropped: losses.into_dropped() })
    }

    /// The limit that the caller set, within what the model can do.
    fn limit_asked(&self) -> Option<u64> {
        let most = self.target.capabilities.output_tokens.unwrap_or(u64::MAX);
        self.request.max_output_tokens.map(|tokens| tokens.min(most))
    }

    /// A limit is demanded, and must be above the budget for thinking.
    fn max_tokens(&self, thinking: &Thinking) -> u64 {
        self.limit_asked().unwrap_or_else(|| {
            let known = self.target.capabilities.output_tokens.unwrap_or(MAX_TOKENS_DEFAULT);
            if known > thinking.budget_tokens() { known } else { thinking.budget_tokens() + known }
        })
    }

    /// Whether a model may think with a budget: in the middle of a tool loop only if the turn that called
    /// the tools began with a thought, and that thought can be returned.
    fn is_resumable(&self) -> bool {
        let mut last = self.plan.messages.iter().rev();
        let in_loop = matches!(last.next(), Some(Message::User { results, .. }) if !results.is_empty());
        let Some(Message::Assistant(turns)) = last.next() else { return true };
        let first = turns.iter().flat_map(|turn| turn.iter()).find(|block| is_written(block));
        !in_loop || matches!(first, Some(Block::Thought(_)))
    }

    fn system(&self, out: &mut Out, output: &Output<'_>) {
        let has_words = self.plan.system.iter().any(|part| part_is_written(part));
        if !has_words && !output.ask_for_json {
            return;
        }
        out.array_field("system", |out| {
            for part in &self.plan.system {
                self.part(out, part, &[]);
            }
            if output.ask_for_json {
                blocks::text(out, ASK_FOR_JSON, None, &[]);
            }
        });
    }

    fn sampling(&self, out: &mut Out, thinking: &Thinking, losses: &mut Losses) {
        let request = self.request;
        let none = self.target.capabilities.sampling == Some(false);
        let number = |raw: &str| raw.trim().parse::<f64>().unwrap_or(1.0);
        let heat = request.temperature.as_ref().map(|raw| raw.0.as_str());
        // Above 1 Anthropic refuses; left out, it is 1. While thinking it must be 1.
        let allowed = |raw: &str| !none && number(raw) <= 1.0 && (!thinking.is_on() || number(raw) >= 1.0);
        let kept_heat = heat.filter(|raw| allowed(raw));
        losses.drop_if(heat.is_some() && kept_heat.is_none(), "temperature");
        let top_p = request.top_p.as_ref().map(|raw| raw.0.as_str());
        // Newer models take only one of the two.
        let allowed = |raw: &str| !none && kept_heat.is_none() && (!thinking.is_on() || number(raw) >= 0.95);
        let kept_top_p = top_p.filter(|raw| allowed(raw));
        losses.drop_if(top_p.is_some() && kept_top_p.is_none(), "top_p");
        let top_k = request.top_k.filter(|_| !none && !thinking.is_on());
        losses.drop_if(request.top_k.is_some() && top_k.is_none(), "top_k");
        out.field_opt("temperature", kept_heat.map(Raw)).field_opt("top_p", kept_top_p.map(Raw));
        out.field_opt("top_k", top_k);
        let stops: Vec<&String> = request.stop.iter().filter(|stop| !blocks::is_blank(stop)).collect();
        losses.drop_if(stops.len() < request.stop.len(), "stop");
        if !stops.is_empty() {
            out.array_field("stop_sequences", |out| {
                for stop in stops {
                    out.item(stop);
                }
            });
        }
    }

    fn labels(&self, out: &mut Out, losses: &mut Losses) {
        if let Some(user) = &self.request.user {
            // Anthropic wants no personal data here: names and addresses stay at home.
            let opaque = user.chars().count() <= USER_CHARS_MAX && !user.contains(['@', ' ']);
            if opaque && !user.is_empty() {
                out.object_field("metadata", |out| {
                    out.field("user_id", user);
                });
            } else {
                losses.drop("user");
            }
        }
        if let Some(tier) = &self.request.service_tier {
            losses.drop_if(tier_asked(tier).is_none(), "service_tier");
            out.field_opt("service_tier", tier_asked(tier));
        }
    }

    fn tools(&self, out: &mut Out) {
        tools_out::write(out, self.request, |mark| self.mark(mark));
    }

    /// The mark, unless there are more than Anthropic takes.
    fn mark(&self, mark: Option<CacheMark>) -> Option<CacheMark> {
        let mark = mark?;
        let surplus = self.surplus_marks.get();
        self.surplus_marks.set(surplus.saturating_sub(1));
        (surplus == 0).then_some(mark)
    }
}

// === impl Writer: the conversation ===

impl Writer<'_> {
    fn messages(&self, out: &mut Out) {
        let last = self.plan.messages.len().saturating_sub(1);
        for (at, message) in self.plan.messages.iter().enumerate() {
            match message {
                Message::System(parts) => self.message(out, "system", |out| self.parts(out, parts)),
                Message::User { results, said } => self.message(out, "user", |out| {
                    for result in results {
                        self.result(out, result);
                    }
                    for words in said {
                        match words {
                            Said::Parts(parts) => self.parts(out, parts),
                            Said::System(text) => blocks::text(out, text, None, &[]),
                        }
                    }
                }),
                Message::Assistant(turns) => self.message(out, "assistant", |out| {
                    for (turn_at, turn) in turns.iter().enumerate() {
                        self.turn(out, turn, at == last && turn_at + 1 == turns.len());
                    }
                }),
            }
        }
    }

    /// A message, unless nothing is left to be said in it: Anthropic refuses empty ones.
    fn message(&self, out: &mut Out, role: &str, content: impl FnOnce(&mut Out)) {
        let mut blocks = Out::new();
        blocks.array(content);
        if blocks.as_str() != "[]" {
            out.object(|out| {
                out.field("role", role).field("content", Raw(blocks.as_str()));
            });
        }
    }

    /// What the model said. At the very end it is the beginning of the answer, which may not end in space.
    fn turn(&self, out: &mut Out, turn: &[Block], is_prefill: bool) {
        for (at, block) in turn.iter().enumerate() {
            if !is_written(block) {
                continue;
            }
            let riders = blocks::riders_of_block(turn, at);
            match block {
                Block::Text { text, cache, .. } => {
                    let ends = is_prefill && turn.iter().skip(at + 1).all(|next| !is_written(next));
                    let text = if ends { text.trim_end() } else { text };
                    blocks::text(out, text, self.mark(*cache), &riders);
                }
                Block::Refusal(text) => blocks::text(out, text, None, &[]),
                Block::Thought(thought) => {
                    let seal = thought.seal.as_ref().map(|seal| seal.value.as_str()).unwrap_or_default();
                    if thought.redacted {
                        blocks::redacted(out, seal);
                    } else {
                        blocks::thinking(out, &thought.text, seal);
                    }
                }
                Block::ToolCall(call) => blocks::tool_use(out, call, self.mark(call.cache), &riders),
                // Citations are members of the text before them.
                Block::Citations(_) => {}
                Block::Opaque(extension) => {
                    out.item(Raw(&extension.value.0));
                }
            }
        }
    }

    fn result(&self, out: &mut Out, result: &ToolResult) {
        out.object(|out| {
            out.field("type", "tool_result").field("tool_use_id", ids::clean(&result.call_id));
            if result.parts.iter().any(part_is_written) {
                out.array_field("content", |out| self.parts(out, &result.parts));
            }
            if result.is_error {
                out.field("is_error", true);
            }
            write_mark(out, self.mark(result.cache));
        });
    }

    fn parts(&self, out: &mut Out, parts: &[Part]) {
        for (at, part) in parts.iter().enumerate() {
            self.part(out, part, &blocks::riders_of_part(parts, at));
        }
    }

    fn part(&self, out: &mut Out, part: &Part, riders: &[&Extension]) {
        match part {
            _ if !part_is_written(part) => {}
            Part::Text { text, cache } => blocks::text(out, text, self.mark(*cache), riders),
            Part::Media(media) => blocks::media(out, media, self.mark(media.cache), riders),
            Part::Opaque(extension) => {
                out.item(Raw(&extension.value.0));
            }
        }
    }
}

/// Whether anything of a message can be written.
fn says_something(message: &Message<'_>) -> bool {
    match message {
        Message::System(parts) => parts.iter().any(part_is_written),
        Message::Assistant(turns) => turns.iter().any(|turn| turn.iter().any(is_written)),
        Message::User { results, said } => {
            let words = |one: &Said<'_>| match one {
                Said::Parts(parts) => parts.iter().any(part_is_written),
                Said::System(_) => true,
            };
            !results.is_empty() || said.iter().any(words)
        }
    }
}

fn part_is_written(part: &Part) -> bool {
    match part {
        Part::Text { text, .. } => !blocks::is_blank(text),
        Part::Media(_) => true,
        Part::Opaque(extension) => extension.origin == DIALECT && rides_as(extension).is_none(),
    }
}

fn is_written(block: &Block) -> bool {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => !blocks::is_blank(text),
        Block::Thought(thought) => can_return(thought),
        Block::ToolCall(_) => true,
        Block::Citations(_) => false,
        Block::Opaque(extension) => extension.origin == DIALECT && rides_as(extension).is_none(),
    }
}

/// Extensions that the count depends on.
const COUNTED: &[&str] = &["cache_control", "context_management", "mcp_servers", "thinking", "speed"];

// === The form of the answer ===

/// `output_config`, and what stands for it.
struct Output<'a> {
    effort: Option<&'static str>,
    schema: Option<String>,
    ask_for_json: bool,
    others: Vec<(&'a str, &'a str)>,
}

impl<'a> Output<'a> {
    fn of(
        request: &'a ChatRequest,
        target: &Target<'_>,
        effort: Option<&'static str>,
        losses: &mut Losses,
    ) -> Result<Self, Error> {
        let mut output = Self { effort, schema: None, ask_for_json: false, others: Vec::new() };
        match &request.format {
            None | Some(Format::Text) => {}
            Some(Format::JsonObject) => {
                output.ask_for_json = true;
                losses.drop("response_format");
            }
            Some(Format::JsonSchema { .. }) if target.capabilities.structured == Some(false) => {
                let why = "response_format: the serving model does not answer by a schema";
                return Err(Error::unsupported("response_format", why));
            }
            Some(Format::JsonSchema { schema, description, .. }) => {
                losses.drop_if(description.is_some(), "response_format.json_schema.description");
                output.schema = Some(schema::fit(&schema.0));
            }
        }
        let own = request.extensions.iter().filter(|one| one.origin == DIALECT);
        output.others = own
            .filter_map(|one| Some((one.path.strip_prefix("output_config.")?, one.value.0.as_str())))
            .collect();
        Ok(output)
    }

    fn write(&self, out: &mut Out) {
        if self.effort.is_none() && self.schema.is_none() && self.others.is_empty() {
            return;
        }
        out.object_field("output_config", |out| {
            out.field_opt("effort", self.effort);
            if let Some(schema) = &self.schema {
                out.object_field("format", |out| {
                    out.field("type", "json_schema").field("schema", Raw(schema));
                });
            }
            for (name, value) in &self.others {
                out.field(name, Raw(value));
            }
        });
    }
}
