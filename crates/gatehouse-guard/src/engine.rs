//! Guardrails bound to places, accounts and actions, run over a whole body.

pub(crate) mod arguments;

use crate::Detector;
use bytes::Bytes;
use gatehouse_core::call::Scope;
use gatehouse_core::content::{Edit, Place, Span};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::verdict::{Action, Decision, Finding, Outcome};
use gatehouse_wire::json::{escaped, unescape};
use std::borrow::Cow;
use std::sync::Arc;

/// A detector and where, for whom and how it acts.
pub struct Guard {
    /// Its name in headers and records.
    pub name: Arc<str>,
    /// What it finds.
    pub detector: Box<dyn Detector>,
    /// Which texts it sees.
    pub at: Vec<Place>,
    /// What it does.
    pub action: Action,
    /// Whose calls it sees.
    pub only: Only,
    /// Whether the call passes when it cannot run.
    pub fail_open: bool,
}

/// Accounts that a guardrail applies to; empty fields apply to all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// The organisation.
    pub org: Option<Arc<str>>,
    /// The team.
    pub team: Option<Arc<str>>,
    /// The app.
    pub app: Option<Arc<str>>,
    /// The use case.
    pub use_case: Option<Arc<str>>,
}

/// All guardrails, in the order of the configuration.
#[derive(Default)]
pub struct Guards {
    all: Vec<Arc<Guard>>,
}

/// The guardrails that apply to one call.
#[derive(Clone, Default)]
pub struct Active {
    guards: Vec<Arc<Guard>>,
}

/// What came of a body.
#[derive(Debug, Default)]
pub struct Judged {
    /// What to change, sorted and disjoint.
    pub edits: Vec<Edit>,
    /// One outcome for each guardrail that looked.
    pub tally: Tally,
    /// The reason to stop, when there is one.
    pub stopped: Option<Error>,
}

/// The outcomes of the guardrails of one call, gathered over its request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    outcomes: Vec<Outcome>,
}

// === impl Guards ===

impl Guards {
    /// Puts guardrails in order.
    #[must_use]
    pub fn new(all: Vec<Guard>) -> Self {
        Self { all: all.into_iter().map(Arc::new).collect() }
    }

    /// The names of those that stop calls.
    pub fn stopping(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|guard| guard.action == Action::Block).map(|guard| &*guard.name)
    }

    /// Whether any of them looks at this place, on whatever account.
    #[must_use]
    pub fn any_at(&self, place: Place) -> bool {
        self.all.iter().any(|guard| guard.at.contains(&place))
    }

    /// Those that apply to calls on this account.
    #[must_use]
    pub fn for_scope(&self, scope: &Scope) -> Active {
        let guards = self.all.iter().filter(|guard| guard.only.covers(scope)).map(Arc::clone).collect();
        Active { guards }
    }
}

impl Only {
    /// Whether calls on this account are meant.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        let same = |wanted: &Option<Arc<str>>, own: &Arc<str>| wanted.as_ref().is_none_or(|name| name == own);
        same(&self.org, &scope.org)
            && same(&self.team, &scope.team)
            && same(&self.app, &scope.app)
            && same(&self.use_case, &scope.use_case)
    }
}

// === impl Active ===

impl Active {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }

    /// Whether any guardrail looks at one of these places.
    #[must_use]
    pub fn any_at(&self, places: &[Place]) -> bool {
        self.guards.iter().any(|guard| guard.at.iter().any(|place| places.contains(place)))
    }

    /// Whether any guardrail at this place may stop or change what it sees: then nothing may pass unseen.
    #[must_use]
    pub fn acts_at(&self, place: Place) -> bool {
        let acts = |guard: &Guard| matches!(guard.action, Action::Block | Action::Redact) && !guard.fail_open;
        self.guards.iter().any(|guard| acts(guard) && guard.at.contains(&place))
    }

    /// What is to be said when a text at this place passes that nobody but the model can read.
    #[must_use]
    pub fn unread(&self, place: Place) -> Tally {
        let mut tally = Tally::default();
        let blind = self.guards.iter().filter(|guard| guard.at.contains(&place));
        blind.for_each(|guard| tally.note(guard, Decision::Unread, &[]));
        tally
    }

    /// How many bytes a stream has to hold back at least.
    #[must_use]
    pub fn lookbehind(&self) -> usize {
        self.guards.iter().map(|guard| guard.detector.lookbehind()).max().unwrap_or(0)
    }

    /// Judges every text of a body. `raw` are the bytes that the spans point into.
    #[must_use]
    pub fn judge(&self, raw: &str, spans: &[Span]) -> Judged {
        let mut judged = Judged::default();
        for guard in &self.guards {
            judged.tally.looked(guard);
        }
        if self.guards.is_empty() {
            return judged;
        }
        for span in spans {
            let Some(inner) = raw.get(span.range.clone()) else { continue };
            let text = unescape(inner);
            match self.judge_text(&text, span.place, &mut judged.tally) {
                Ok(changed) => judged.edits.extend(
                    changed.map(|text| Edit { range: span.range.clone(), with: Bytes::from(escaped(&text)) }),
                ),
                Err(error) => {
                    judged.stopped = Some(error);
                    break;
                }
            }
        }
        judged.edits.sort_by_key(|edit| edit.range.start);
        judged
    }

    /// Judges one whole text. Gives the text as it may pass, when that is another.
    ///
    /// # Errors
    /// `guard_blocked` or `guard_unavailable`.
    pub fn judge_text(&self, text: &str, place: Place, tally: &mut Tally) -> Result<Option<String>, Error> {
        // Free-form input is any text, and JSON only when it looks so.
        if place == Place::ToolArguments && text.trim_start().starts_with(['{', '[']) {
            return arguments::judge(self, text, false, 0, Extent::Whole, tally);
        }
        self.judge_rest(text, 0, place, Extent::Whole, tally)
    }

    /// A text without anything that any of them finds, wherever it looks and whatever it does; `None` when one cannot
    /// run.
    #[must_use]
    pub fn veiled(&self, text: &str) -> Option<String> {
        let mut current = text.to_owned();
        for guard in &self.guards {
            let findings = guard.detector.find(&current).ok()?;
            if !findings.is_empty() {
                current = replaced(&current, &findings);
            }
        }
        Some(current)
    }

    /// Judges a text of which the first `passed` bytes have passed: they are there to be seen before what
    /// follows, and nothing that begins in them counts.
    ///
    /// # Errors
    /// `guard_blocked` or `guard_unavailable`.
    pub fn judge_rest(
        &self,
        text: &str,
        passed: usize,
        place: Place,
        extent: Extent,
        tally: &mut Tally,
    ) -> Result<Option<String>, Error> {
        let mut current = Cow::Borrowed(text);
        for guard in self.guards.iter().filter(|guard| guard.at.contains(&place)) {
            let findings = match guard.detector.find(&current) {
                Ok(findings) => settled(findings, &current, passed, extent),
                Err(_) if guard.fail_open => {
                    tally.note(guard, Decision::ErrorOpen, &[]);
                    continue;
                }
                Err(unavailable) => {
                    tally.note(guard, Decision::ErrorClosed, &[]);
                    let message =
                        format!("guardrail {:?} could not run, and it is set to fail closed", guard.name);
                    return Err(Error::new(Code::GuardUnavailable, message).detail(unavailable.0));
                }
            };
            if findings.is_empty() {
                continue;
            }
            tally.note(guard, guard.action.into(), &findings);
            match guard.action {
                Action::Block => return Err(blocked(guard, &findings)),
                Action::Redact | Action::Mask => current = Cow::Owned(replaced(&current, &findings)),
                Action::Flag | Action::Observe => {}
            }
        }
        Ok(match current {
            Cow::Owned(changed) => Some(changed),
            Cow::Borrowed(_) => None,
        })
    }
}

/// How much of a text is there to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// The beginning: what is found at its very end may yet turn out to be something else.
    Partial,
}

fn settled(mut findings: Vec<Finding>, text: &str, passed: usize, extent: Extent) -> Vec<Finding> {
    findings.retain(|finding| finding.range.start >= passed);
    if extent == Extent::Partial {
        findings.retain(|finding| finding.range.end < text.len());
    }
    findings
}

fn blocked(guard: &Guard, findings: &[Finding]) -> Error {
    let category = findings.first().map(|finding| &*finding.category).unwrap_or_default();
    let message = format!("blocked by guardrail {:?} (category {category:?})", guard.name);
    Error::new(Code::GuardBlocked, message)
}

fn replaced(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in findings {
        out.push_str(text.get(at..finding.range.start).unwrap_or_default());
        out.push_str(&finding.replacement);
        at = finding.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

// === impl Tally ===

impl Tally {
    /// One outcome a guardrail, in the order of the configuration.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Takes the outcomes out.
    #[must_use]
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes
    }

    /// Adds what another part of the same call has seen.
    pub fn merge(&mut self, other: Self) {
        for outcome in other.outcomes {
            let own = self.entry(&outcome.guard);
            own.decision = own.decision.max(outcome.decision);
            own.findings += outcome.findings;
            for category in outcome.categories {
                if !own.categories.contains(&category) {
                    own.categories.push(category);
                }
            }
        }
    }

    fn looked(&mut self, guard: &Guard) {
        self.entry(&guard.name);
    }

    fn note(&mut self, guard: &Guard, decision: Decision, findings: &[Finding]) {
        let own = self.entry(&guard.name);
        own.decision = own.decision.max(decision);
        own.findings = own.findings.saturating_add(u32::try_from(findings.len()).unwrap_or(u32::MAX));
        for finding in findings {
            if !own.categories.contains(&finding.category) {
                own.categories.push(Arc::clone(&finding.category));
            }
        }
    }

    fn entry(&mut self, guard: &Arc<str>) -> &mut Outcome {
        let at = match self.outcomes.iter().position(|outcome| outcome.guard == *guard) {
            Some(at) => at,
            None => {
                self.outcomes.push(Outcome {
                    guard: Arc::clone(guard),
                    decision: Decision::Allow,
                    categories: Vec::new(),
                    findings: 0,
                });
                self.outcomes.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the position was just found or just filled")]
        &mut self.outcomes[at]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Unavailable;
    use crate::words::Words;
    use gatehouse_core::content::splice;

    pub(crate) fn words(action: Action, at: &[Place]) -> Guard {
        Guard {
            name: "names".into(),
            detector: Box::new(Words::new(&["Nightingale".to_owned()]).unwrap()),
            at: at.to_vec(),
            action,
            only: Only::default(),
            fail_open: false,
        }
    }

    struct Broken;
    impl Detector for Broken {
        fn find(&self, _: &str) -> Result<Vec<Finding>, Unavailable> {
            Err(Unavailable("no model".to_owned()))
        }
        fn lookbehind(&self) -> usize {
            0
        }
    }

    fn judge(guard: Guard, raw: &'static str, place: Place) -> (Judged, String) {
        let range = raw.find(':').unwrap() + 2..raw.rfind('"').unwrap();
        let active = Guards::new(vec![guard]).for_scope(&Scope::default());
        let judged = active.judge(raw, &[Span { range, place }]);
        let out = splice(&Bytes::from_static(raw.as_bytes()), &judged.edits);
        (judged, String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn redacts_in_place_also_what_was_escaped() {
        let (judged, out) = judge(
            words(Action::Redact, &[Place::Input]),
            r#"{"c":"a\n\u004eightingale \"x\""}"#,
            Place::Input,
        );
        assert_eq!(out, r#"{"c":"a\n[REDACTED] \"x\""}"#);
        assert_eq!(judged.tally.outcomes()[0].decision, Decision::Redact);
    }

    #[test]
    fn blocks_without_saying_what_it_saw_and_looks_only_where_it_is_bound() {
        let raw = r#"{"c":"about Nightingale"}"#;
        let (judged, _) = judge(words(Action::Block, &[Place::Input]), raw, Place::Input);
        let error = judged.stopped.unwrap();
        assert_eq!(error.code, Code::GuardBlocked);
        assert!(!error.message.to_lowercase().contains("nightingale"));
        let (judged, out) = judge(words(Action::Block, &[Place::Output]), raw, Place::Input);
        assert!(judged.stopped.is_none() && out == raw);
        assert_eq!(judged.tally.outcomes()[0].decision, Decision::Allow);
    }

    #[test]
    fn a_guard_that_cannot_run_does_what_it_was_told() {
        let broken = |fail_open| Guard {
            detector: Box::new(Broken),
            fail_open,
            ..words(Action::Flag, &[Place::Input])
        };
        let (judged, _) = judge(broken(true), r#"{"c":"x"}"#, Place::Input);
        assert_eq!(judged.tally.outcomes()[0].decision, Decision::ErrorOpen);
        assert!(judged.stopped.is_none());
        let (judged, _) = judge(broken(false), r#"{"c":"x"}"#, Place::Input);
        assert_eq!(judged.stopped.unwrap().code, Code::GuardUnavailable);
    }

    #[test]
    fn what_could_not_be_read_is_said_whatever_was_found_beside_it() {
        let guards = Guards::new(vec![
            words(Action::Flag, &[Place::Input, Place::Output]),
            Guard { name: "exit".into(), ..words(Action::Flag, &[Place::Output]) },
        ]);
        let active = guards.for_scope(&Scope::default());
        let mut tally = active.judge("", &[]).tally;
        tally.merge(active.unread(Place::Input));
        active.judge_text("Nightingale", Place::Output, &mut tally).unwrap();
        let said = tally.outcomes().iter().map(|outcome| (outcome.decision.as_str(), outcome.findings));
        assert_eq!(said.collect::<Vec<_>>(), [("unread", 1), ("flag", 1)]);
    }

    #[test]
    fn guards_of_other_accounts_do_not_look() {
        let guard =
            Guard { only: Only { team: Some("a".into()), ..Only::default() }, ..words(Action::Block, &[]) };
        let guards = Guards::new(vec![guard]);
        assert!(guards.for_scope(&Scope::default()).guards.is_empty());
        assert_eq!(guards.for_scope(&Scope { team: "a".into(), ..Scope::default() }).guards.len(), 1);
    }
}
