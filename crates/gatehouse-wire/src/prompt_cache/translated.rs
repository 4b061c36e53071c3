//! Breakpoints in a request that is translated.

use super::{Prompt, Turns, least_tokens};
use crate::anthropic::content_out::is_blank;
use crate::anthropic::tools_out::count_marks;
use crate::bedrock::model::Maker;
use crate::chat::{Block, CacheMark, ChatRequest, MediaKind, Part, Tool, ToolChoice, Turn};
use gatehouse_core::content::Dialect;

/// What may be marked at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    tools: bool,
}

/// The request with breakpoints for a target of this dialect; `None` where there are none to set: the caller
/// set some, the prompt is too short, or the model takes none.
#[must_use]
pub fn marked(request: &ChatRequest, dialect: Dialect, prompt: &Prompt<'_>) -> Option<ChatRequest> {
    let marks = Marks::of(dialect, prompt.model)?;
    let own = |path: &str| request.extensions.iter().any(|one| one.path == path);
    if count_marks(request) > 0 || own("cache_control") {
        return None;
    }
    let least = least_tokens(prompt.model);
    let in_tools: u64 = request.tools.iter().map(|tool| of_tool(tool, prompt)).sum();
    let leading = request.turns.iter().take_while(|turn| matches!(turn, Turn::System(_))).count();
    let in_system: u64 = request.turns.iter().take(leading).map(|turn| of_turn(turn, prompt)).sum();
    let all = prompt.tokens.max(in_tools.saturating_add(in_system));
    if all < least {
        return None;
    }
    let mut request = request.clone();
    if marks.tools && in_tools >= least {
        mark_tools(&mut request);
    }
    if in_tools.saturating_add(in_system) >= least {
        let system = request.turns.iter_mut().take(leading).rev();
        system.filter_map(last_of).take(1).for_each(|mark| *mark = Some(CacheMark::Short));
    }
    let roles: Vec<Option<bool>> = request.turns.iter().map(is_users).collect();
    let turns = Turns::of(&roles);
    let earlier = turns.and_then(|turns| turns.before).filter(|at| {
        let behind: u64 = request.turns.iter().skip(at + 1).map(|turn| of_turn(turn, prompt)).sum();
        all.saturating_sub(behind) >= least
    });
    for at in earlier.into_iter().chain(turns.map(|turns| turns.last)) {
        request
            .turns
            .get_mut(at)
            .and_then(last_of)
            .into_iter()
            .for_each(|mark| *mark = Some(CacheMark::Short));
    }
    Some(request)
}

/// The last tool that the model is shown.
fn mark_tools(request: &mut ChatRequest) {
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names.clone()),
        _ => None,
    };
    let shown = |tool: &&mut Tool| match (tool, &allowed) {
        (Tool::Function { name, .. }, Some(allowed)) => allowed.contains(name),
        (Tool::Function { .. }, None) => true,
        (Tool::Hosted { .. }, _) => false,
    };
    if let Some(Tool::Function { cache, .. }) = request.tools.iter_mut().rev().find(shown) {
        *cache = Some(CacheMark::Short);
    }
}

/// Results of tools are the user's turn as well.
fn is_users(turn: &Turn) -> Option<bool> {
    match turn {
        Turn::System(_) => None,
        Turn::User(_) | Turn::ToolResults(_) => Some(true),
        Turn::Assistant(_) => Some(false),
    }
}

/// Where the mark at the end of a turn belongs. Behind files Bedrock takes none, so it stands before them.
fn last_of(turn: &mut Turn) -> Option<&mut Option<CacheMark>> {
    match turn {
        Turn::ToolResults(results) => results.last_mut().map(|result| &mut result.cache),
        Turn::System(parts) | Turn::User(parts) => parts.iter_mut().rev().find_map(|part| match part {
            Part::Text { text, cache } if !is_blank(text) => Some(cache),
            Part::Media(media) if media.kind == MediaKind::Image => Some(&mut media.cache),
            Part::Text { .. } | Part::Media(_) | Part::Opaque(_) => None,
        }),
        Turn::Assistant(_) => None,
    }
}

fn of_tool(tool: &Tool, prompt: &Prompt<'_>) -> u64 {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            let texts = [Some(name), description.as_ref(), parameters.as_ref().map(|schema| &schema.0)];
            texts.into_iter().flatten().map(|text| (prompt.count)(text)).sum()
        }
        Tool::Hosted { .. } => 0,
    }
}

fn of_turn(turn: &Turn, prompt: &Prompt<'_>) -> u64 {
    let of_part = |part: &Part| match part {
        Part::Text { text, .. } => (prompt.count)(text),
        Part::Media(_) | Part::Opaque(_) => 0,
    };
    let of_block = |block: &Block| match block {
        Block::Text { text, .. } | Block::Refusal(text) => (prompt.count)(text),
        Block::Thought(thought) => (prompt.count)(&thought.text),
        Block::ToolCall(call) => (prompt.count)(&call.arguments),
        Block::Citations(_) | Block::Opaque(_) => 0,
    };
    match turn {
        Turn::System(parts) | Turn::User(parts) => parts.iter().map(of_part).sum(),
        Turn::Assistant(blocks) => blocks.iter().map(of_block).sum(),
        Turn::ToolResults(results) => results.iter().flat_map(|one| &one.parts).map(of_part).sum(),
    }
}

// === impl Marks ===

impl Marks {
    fn of(dialect: Dialect, model: &str) -> Option<Self> {
        match dialect {
            Dialect::AnthropicMessages => Some(Self { tools: true }),
            Dialect::BedrockConverse => {
                let maker = Maker::of(model);
                maker.caches().then_some(Self { tools: maker == Maker::Anthropic })
            }
            _ => None,
        }
    }
}
