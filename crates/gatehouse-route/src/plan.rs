//! From a model's targets to the order in which to try them: filter, then rank.

use crate::sticky::Conversation;
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::{Capabilities, Deployment};
use gatehouse_core::error::{Code, Error};
use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

/// A target that may serve.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The model at its provider.
    pub deployment: Arc<Deployment>,
    /// What it can do, as far as is known.
    pub capabilities: Capabilities,
    /// The fronts that its provider can serve, directly or by translation.
    pub fronts: Vec<Dialect>,
}

/// What a call asks of a target.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Where the data must stay (`eu`); `None`: anywhere.
    pub region: Option<&'a str>,
    /// The caller's dialect.
    pub front: Dialect,
    /// Tools are declared.
    pub tools: bool,
    /// Images are in it.
    pub images: bool,
    /// Audio is in it.
    pub audio: bool,
    /// Documents are in it.
    pub documents: bool,
    /// The answer must follow a schema.
    pub structured: bool,
    /// A rough count of the tokens of the prompt.
    pub input_tokens: u64,
    /// The conversation, where all candidates are alike: they are tried in the order in which they win it.
    /// `None`: in the order of the configuration.
    pub conversation: Option<Conversation>,
}

/// What came of each candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The candidate.
    pub deployment: Arc<Deployment>,
    /// Why it is out; `None` when it is in.
    pub dropped: Option<Reason>,
}

/// Why a candidate cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its data does not stay where it must, or nobody said where it goes.
    Region,
    /// Its provider has nothing of the kind.
    Operation,
    /// It calls no tools.
    Tools,
    /// It reads no images.
    Images,
    /// It hears no audio.
    Audio,
    /// It reads no documents.
    Documents,
    /// It follows no schema.
    Structured,
    /// The prompt alone is longer than its context: by half again, as the count is rough.
    Context,
}

/// What to try.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Indices into the candidates, in the order to try them. Never empty.
    pub order: Vec<usize>,
    /// Every candidate with what came of it.
    pub table: Vec<Considered>,
}

/// Plans a call: hard constraints first, then the order of the configuration, or that of the conversation.
///
/// # Errors
/// `no_capable_target` that lists every candidate with its reason.
pub fn plan(wish: &Wish<'_>, candidates: &[Candidate]) -> Result<Plan, Error> {
    let table = consider(wish, candidates);
    let mut order: Vec<usize> =
        table.iter().enumerate().filter(|(_, one)| one.dropped.is_none()).map(|(at, _)| at).collect();
    if order.is_empty() {
        return Err(nobody(&table));
    }
    if let Some(conversation) = wish.conversation {
        let draw = |at: &usize| candidates.get(*at).map(|one| conversation.draw(&*one.deployment));
        order.sort_by_cached_key(|at| Reverse(draw(at)));
    }
    Ok(Plan { order, table })
}

/// What comes of each candidate.
#[must_use]
pub fn consider(wish: &Wish<'_>, candidates: &[Candidate]) -> Vec<Considered> {
    let considered = |candidate: &Candidate| Considered {
        deployment: Arc::clone(&candidate.deployment),
        dropped: reason_against(wish, candidate),
    };
    candidates.iter().map(considered).collect()
}

fn reason_against(wish: &Wish<'_>, candidate: &Candidate) -> Option<Reason> {
    let can = &candidate.capabilities;
    let lacks = |needed: bool, able: Option<bool>| needed && able == Some(false);
    let too_long = |limit: u64| wish.input_tokens / 3 * 2 > limit;
    let outside = |region: &str| !candidate.deployment.region.eq_ignore_ascii_case(region);
    let checks = [
        (wish.region.is_some_and(outside), Reason::Region),
        (!candidate.fronts.contains(&wish.front), Reason::Operation),
        (lacks(wish.tools, can.tools), Reason::Tools),
        (lacks(wish.images, can.images), Reason::Images),
        (lacks(wish.audio, can.audio), Reason::Audio),
        (lacks(wish.documents, can.documents), Reason::Documents),
        (lacks(wish.structured, can.structured), Reason::Structured),
        (can.context_tokens.is_some_and(too_long), Reason::Context),
    ];
    checks.into_iter().find(|(out, _)| *out).map(|(_, reason)| reason)
}

fn nobody(table: &[Considered]) -> Error {
    let reasons: Vec<String> = table
        .iter()
        .filter_map(|one| one.dropped.map(|reason| format!("{}: {reason}", one.deployment)))
        .collect();
    if table.iter().any(|one| one.dropped == Some(Reason::Region)) {
        let message = format!("no target of this model may serve the request ({})", reasons.join("; "));
        return Error::new(Code::ResidencyUnsatisfied, message);
    }
    let only_context = table.iter().all(|one| one.dropped == Some(Reason::Context));
    let code =
        if only_context && !table.is_empty() { Code::ContextLengthExceeded } else { Code::NoCapableTarget };
    Error::new(code, format!("no target of this model can serve the request ({})", reasons.join("; ")))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Region => "not known to be where the data must stay",
            Self::Operation => "its provider does not offer this operation",
            Self::Tools => "calls no tools",
            Self::Images => "reads no images",
            Self::Audio => "hears no audio",
            Self::Documents => "reads no documents",
            Self::Structured => "follows no JSON Schema",
            Self::Context => "the prompt exceeds its context",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Reason, Wish, plan};
    use crate::sticky::Conversation;
    use gatehouse_core::content::Dialect;
    use gatehouse_core::deployment::{Capabilities, Deployment};
    use gatehouse_core::error::Code;
    use std::sync::Arc;

    fn candidate(model: &str, capabilities: Capabilities) -> Candidate {
        let deployment = Deployment { provider: "p".into(), model: model.into(), region: "".into() };
        Candidate { deployment: Arc::new(deployment), capabilities, fronts: vec![Dialect::OpenAiChat] }
    }

    fn wish() -> Wish<'static> {
        Wish {
            region: None,
            front: Dialect::OpenAiChat,
            tools: false,
            images: true,
            audio: false,
            documents: false,
            structured: false,
            input_tokens: 100,
            conversation: None,
        }
    }

    #[test]
    fn a_conversation_stays_and_only_those_of_a_target_that_is_lost_move() {
        let names = ["a", "b", "c", "d"];
        let all: Vec<Candidate> = names.map(|name| candidate(name, Capabilities::default())).to_vec();
        let mut blind = all.clone();
        blind[1].capabilities.images = Some(false);
        let mut firsts = std::collections::HashSet::new();
        for name in 0..100 {
            let wish = Wish { conversation: Some(Conversation::of(&name)), ..wish() };
            let order = plan(&wish, &all).unwrap().order;
            assert_eq!(plan(&wish, &all).unwrap().order, order);
            // Who comes next is settled as well, so that a whole conversation falls back to the same one.
            let left: Vec<usize> = order.iter().copied().filter(|at| *at != 1).collect();
            assert_eq!(plan(&wish, &blind).unwrap().order, left);
            firsts.insert(order[0]);
        }
        assert_eq!(firsts.len(), 4);
    }

    #[test]
    fn what_cannot_serve_is_dropped_with_its_reason_and_the_rest_keeps_its_order() {
        let blind = Capabilities { images: Some(false), ..Capabilities::default() };
        let all = [
            candidate("blind", blind),
            candidate("unknown", Capabilities::default()),
            candidate("b", Capabilities::default()),
        ];
        let planned = plan(&wish(), &all).unwrap();
        assert_eq!(planned.order, [1, 2]);
        assert_eq!(planned.table[0].dropped, Some(Reason::Images));
        let error = plan(&wish(), &all[..1]).unwrap_err();
        assert_eq!(error.code, Code::NoCapableTarget);
        assert!(error.message.contains("p/blind: reads no images"));
    }

    #[test]
    fn data_that_must_stay_goes_nowhere_else() {
        let mut inside = candidate("inside", Capabilities::default());
        let region = Deployment { region: "EU".into(), ..inside.deployment.as_ref().clone() };
        inside.deployment = Arc::new(region);
        let outside = candidate("outside", Capabilities::default());
        let wish = Wish { region: Some("eu"), ..wish() };
        assert_eq!(plan(&wish, &[outside.clone(), inside]).unwrap().order, [1]);
        assert_eq!(plan(&wish, &[outside]).unwrap_err().code, Code::ResidencyUnsatisfied);
    }

    #[test]
    fn a_prompt_that_fits_nowhere_is_named_as_such() {
        let small = Capabilities { context_tokens: Some(10), ..Capabilities::default() };
        let error = plan(&wish(), &[candidate("small", small)]).unwrap_err();
        assert_eq!(error.code, Code::ContextLengthExceeded);
        let other_front = Wish { front: Dialect::GeminiEmbed, ..wish() };
        let error = plan(&other_front, &[candidate("x", Capabilities::default())]).unwrap_err();
        assert_eq!(error.code, Code::NoCapableTarget);
    }
}
