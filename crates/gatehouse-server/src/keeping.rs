//! What is kept of which call, and when its answer is released: by the record's rules.

use gatehouse_audit::Durability;
use gatehouse_config::file::{self, Content};
use gatehouse_core::call::{Scope, is_meant};
use gatehouse_core::record::Settled;
use gatehouse_core::verdict::{Decision, Outcome};
use gatehouse_guard::engine::Only;
use std::sync::Arc;

/// The rules, and what holds where none fits.
pub struct Keeping {
    content: Content,
    durability: Durability,
    rules: Vec<Rule>,
}

struct Rule {
    only: Only,
    model: Option<Arc<str>>,
    guard: Option<Said>,
    content: Option<Content>,
    durability: Option<Durability>,
}

/// A guardrail and what it said; without a word, that it found something.
struct Said {
    guard: Arc<str>,
    decision: Option<Arc<str>>,
}

/// What is kept of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How much.
    pub content: Content,
    /// Whether what a guardrail has stopped may be kept, because a rule about that guardrail says so.
    pub of_stopped: bool,
}

/// The library's word for the configuration's.
pub(crate) fn durability(written: file::Durability) -> Durability {
    match written {
        file::Durability::Async => Durability::Async,
        file::Durability::Local => Durability::Local,
        file::Durability::Remote => Durability::Remote,
    }
}

/// The accounts that something applies to.
pub(crate) fn only(written: &file::Only) -> Only {
    let name = |name: &Option<String>| name.as_deref().map(Into::into);
    Only {
        org: name(&written.org),
        team: name(&written.team),
        app: name(&written.app),
        use_case: name(&written.use_case),
    }
}

// === impl Keeping ===

impl Keeping {
    /// Compiles what is written.
    #[must_use]
    pub fn compile(written: &file::Record) -> Self {
        Self {
            content: written.content,
            durability: durability(written.durability),
            rules: written.rules.iter().map(Rule::compile).collect(),
        }
    }

    /// The most that may be kept of any call.
    #[must_use]
    pub fn most(&self) -> Content {
        self.rules.iter().filter_map(|rule| rule.content).fold(self.content, Content::max)
    }

    /// The most that may be kept of a call on this account for this model, whatever guardrails say.
    #[must_use]
    pub fn most_of(&self, scope: &Scope, model: Option<&str>) -> Content {
        let mut most = Content::None;
        for rule in self.rules.iter().filter(|rule| rule.is_about(scope, model)) {
            let Some(content) = rule.content else { continue };
            most = most.max(content);
            if rule.guard.is_none() {
                return most;
            }
        }
        most.max(self.content)
    }

    /// What is kept of a call that is over.
    #[must_use]
    pub fn of(&self, call: &Settled) -> Kept {
        let found =
            self.fitting(call).find_map(|rule| rule.content.map(|content| (content, rule.guard.is_some())));
        let (content, of_stopped) = found.unwrap_or((self.content, false));
        Kept { content, of_stopped }
    }

    /// When the end of its answer is released.
    #[must_use]
    pub fn durability(&self, call: &Settled) -> Durability {
        self.fitting(call).find_map(|rule| rule.durability).unwrap_or(self.durability)
    }

    fn fitting<'a>(&'a self, call: &'a Settled) -> impl Iterator<Item = &'a Rule> {
        let fits = |rule: &&Rule| {
            rule.is_about(&call.scope, call.model.as_deref())
                && rule.guard.as_ref().is_none_or(|said| said.is_among(&call.guards))
        };
        self.rules.iter().filter(fits)
    }
}

// === impl Rule ===

impl Rule {
    fn compile(written: &file::RecordRule) -> Self {
        let guard = written.guard.as_deref().map(|guard| match guard.split_once('=') {
            Some((guard, decision)) => Said { guard: guard.into(), decision: Some(decision.into()) },
            None => Said { guard: guard.into(), decision: None },
        });
        Self {
            only: only(&written.only),
            model: written.model.as_deref().map(Into::into),
            guard,
            content: written.content,
            durability: written.durability.map(durability),
        }
    }

    fn is_about(&self, scope: &Scope, model: Option<&str>) -> bool {
        let named = |wanted: &Arc<str>| model.is_some_and(|model| is_meant(wanted, model));
        self.only.covers(scope) && self.model.as_ref().is_none_or(named)
    }
}

// === impl Said ===

impl Said {
    fn is_among(&self, outcomes: &[Outcome]) -> bool {
        outcomes.iter().filter(|outcome| outcome.guard == self.guard).any(|outcome| match &self.decision {
            Some(decision) => outcome.decision.as_str() == &**decision,
            None => outcome.decision != Decision::Allow,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Keeping, Kept};
    use crate::trail::blank;
    use gatehouse_audit::Durability;
    use gatehouse_config::file::{Content, Only, Record, RecordRule};
    use gatehouse_core::call::Scope;
    use gatehouse_core::record::Settled;
    use gatehouse_core::verdict::{Decision, Outcome};

    fn keeping() -> Keeping {
        let team = |team: &str| Only { team: Some(team.to_owned()), ..Only::default() };
        Keeping::compile(&Record {
            content: Content::Digest,
            rules: vec![
                RecordRule {
                    guard: Some("injection=block".to_owned()),
                    content: Some(Content::Full),
                    ..RecordRule::default()
                },
                RecordRule {
                    only: team("legal"),
                    durability: Some(gatehouse_config::file::Durability::Async),
                    ..RecordRule::default()
                },
                RecordRule { only: team("legal"), content: Some(Content::None), ..RecordRule::default() },
                RecordRule {
                    model: Some("claude-*".to_owned()),
                    content: Some(Content::Redacted),
                    ..RecordRule::default()
                },
            ],
            ..Record::default()
        })
    }

    fn call(team: &str, model: &str, said: &[(&str, Decision)]) -> Settled {
        let outcome = |(guard, decision): &(&str, Decision)| Outcome {
            guard: (*guard).into(),
            decision: *decision,
            categories: Vec::new(),
            findings: 1,
        };
        Settled {
            scope: Scope { team: team.into(), ..Scope::default() },
            model: Some(model.into()),
            guards: said.iter().map(outcome).collect(),
            ..blank(crate::clock::call_id(), "".into())
        }
    }

    #[test]
    fn the_first_rule_that_fits_and_says_something_counts() {
        let keeping = keeping();
        let of = |team: &str, model: &str, said: &[(&str, Decision)]| keeping.of(&call(team, model, said));
        let plain = |content| Kept { content, of_stopped: false };
        assert_eq!(of("sales", "gpt", &[]), plain(Content::Digest));
        assert_eq!(of("sales", "claude-opus", &[]), plain(Content::Redacted));
        assert_eq!(of("legal", "claude-opus", &[]), plain(Content::None));
        let blocked = [("injection", Decision::Block)];
        assert_eq!(of("legal", "gpt", &blocked), Kept { content: Content::Full, of_stopped: true });
        assert_eq!(
            of("sales", "gpt", &[("injection", Decision::Flag), ("pii", Decision::Block)]),
            plain(Content::Digest)
        );
        assert_eq!(keeping.durability(&call("legal", "gpt", &[])), Durability::Async);
        assert_eq!(keeping.durability(&call("sales", "gpt", &[])), Durability::Local);
    }

    #[test]
    fn no_less_is_gathered_than_may_be_kept() {
        let keeping = keeping();
        assert_eq!(keeping.most(), Content::Full);
        for (team, model) in [("legal", "gpt"), ("sales", "gpt"), ("sales", "claude-x")] {
            let scope = call(team, model, &[]).scope;
            assert_eq!(
                keeping.most_of(&scope, Some(model)),
                Content::Full,
                "until guardrails have said something"
            );
        }
        let without = Keeping { rules: keeping.rules.into_iter().skip(1).collect(), ..keeping };
        let legal = call("legal", "claude-x", &[]).scope;
        assert_eq!(without.most_of(&legal, Some("claude-x")), Content::None);
        assert_eq!(without.most_of(&Scope::default(), Some("claude-x")), Content::Redacted);
        assert_eq!(without.most_of(&Scope::default(), None), Content::Digest);
    }
}
