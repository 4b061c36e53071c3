//! What would change, summed up.

use super::again::{Now, Words};
use crate::output;
use gatehouse_audit::View;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::CostStatus;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Records that are named for each kind of change.
const EXAMPLES_MAX: usize = 5;

/// Everything that was held against the other configuration.
#[derive(Default)]
pub(super) struct Report {
    calls: u64,
    same: u64,
    changes: BTreeMap<Change, Count>,
    teams: BTreeMap<String, Money>,
    all: Money,
    judged: u64,
    edited: u64,
    unjudged: u64,
}

/// Another end of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Served before, and refused now.
    Refused { why: String },
    /// Refused before, and served now.
    Passes { was: String },
    /// Served by another.
    Target { from: String, to: String },
    /// Refused for another reason.
    Reason { from: String, to: String },
}

#[derive(Default)]
struct Count {
    calls: u64,
    money: Money,
    examples: Vec<String>,
}

/// What calls cost, and would cost.
#[derive(Clone, Copy, Default)]
struct Money {
    calls: u64,
    before: Nanodollars,
    after: Nanodollars,
    /// Calls of which one of the two is not known: they are in neither sum.
    unknown: u64,
}

// === impl Report ===

impl Report {
    /// A call, and what would become of it.
    pub(super) fn add(&mut self, call: &View<'_>, now: &Now) {
        self.calls += 1;
        match now.words {
            Words::Nobody => {}
            Words::Judged => self.judged += 1,
            Words::Changed => {
                self.judged += 1;
                self.edited += 1;
            }
            Words::NotKept => self.unjudged += 1,
        }
        let money = Money::of(call, now);
        self.all.add(money);
        self.teams.entry(call.org.team.to_string()).or_default().add(money);
        let Some(change) = change(call, now) else {
            self.same += 1;
            return;
        };
        let count = self.changes.entry(change).or_default();
        count.calls += 1;
        count.money.add(money);
        if count.examples.len() < EXAMPLES_MAX {
            count.examples.push(call.id.to_string());
        }
    }

    /// How many requests were read to be judged.
    pub(super) fn judged(&self) -> u64 {
        self.judged
    }

    pub(super) fn print(&self, json: bool) {
        if json {
            output::json(&self.as_json());
        } else {
            self.print_text();
        }
    }

    fn as_json(&self) -> Value {
        let change = |(change, count): (&Change, &Count)| {
            let mut value = change.as_json();
            if let Some(members) = value.as_object_mut() {
                members.insert("calls".to_owned(), json!(count.calls));
                members.insert("cost".to_owned(), count.money.as_json());
                members.insert("examples".to_owned(), json!(count.examples));
            }
            value
        };
        let team = |(team, money): (&String, &Money)| (team.clone(), money.as_json());
        json!({
            "calls": self.calls, "same": self.same, "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
            "cost": self.all.as_json(), "cost_by_team": self.teams.iter().map(team).collect::<serde_json::Map<_, _>>(),
            "guards": { "judged": self.judged, "would_change_the_text": self.edited, "text_not_kept": self.unjudged },
        })
    }

    fn print_text(&self) {
        output::line(&format!("{} calls, {} of them as before", self.calls, self.same));
        let row = |(change, count): (&Change, &Count)| {
            let (what, from, to) = change.words();
            let Money { before, after, .. } = count.money;
            let example = count.examples.first().cloned().unwrap_or_default();
            vec![
                what.to_owned(),
                from,
                to,
                count.calls.to_string(),
                before.to_string(),
                after.to_string(),
                example,
            ]
        };
        if !self.changes.is_empty() {
            let heading = ["change", "before", "now", "calls", "cost before", "cost now", "such as"];
            output::table(&heading, &self.changes.iter().map(row).collect::<Vec<_>>());
        }
        let team = |(team, money): (&String, &Money)| {
            vec![
                team.clone(),
                money.calls.to_string(),
                money.before.to_string(),
                money.after.to_string(),
                money.unknown.to_string(),
            ]
        };
        let mut rows: Vec<Vec<String>> = self.teams.iter().map(team).collect();
        rows.push(team((&"(all)".to_owned(), &self.all)));
        output::table(&["team", "calls", "cost before", "cost now", "not known"], &rows);
        if self.unjudged > 0 {
            output::note(&format!(
                "{} requests could not be judged anew, because their text is not kept: what guardrails said of them on \
                 record stands, as far as these guardrails are still there",
                self.unjudged
            ));
        }
        if self.edited > 0 {
            output::note(&format!(
                "guardrails would change the text of {} of {} requests",
                self.edited, self.judged
            ));
        }
    }
}

fn change(call: &View<'_>, now: &Now) -> Option<Change> {
    let was = call.result.error.to_string();
    let before = format!("{}/{}", call.model.provider, call.model.served);
    // A provider that failed was asked all the same: the configuration did not stop the call.
    let refused = call.kind == "call.denied";
    match (&now.served, refused) {
        (Err(error), false) => Some(Change::Refused { why: why(error) }),
        (Err(error), true) if error.code.as_str() == was => None,
        (Err(error), true) => Some(Change::Reason { from: was, to: why(error) }),
        (Ok(_), true) => Some(Change::Passes { was }),
        (Ok(target), false) if *target.name == *before || call.model.served.is_empty() => None,
        (Ok(target), false) => Some(Change::Target { from: before, to: target.name.to_string() }),
    }
}

fn why(error: &gatehouse_core::error::Error) -> String {
    match error.code {
        gatehouse_core::error::Code::GuardBlocked => error.message.clone(),
        code => code.as_str().to_owned(),
    }
}

// === impl Change ===

impl Change {
    fn words(&self) -> (&'static str, String, String) {
        match self {
            Self::Refused { why } => ("refused", "served".to_owned(), why.clone()),
            Self::Passes { was } => ("passes", was.clone(), "served".to_owned()),
            Self::Target { from, to } => ("target", from.clone(), to.clone()),
            Self::Reason { from, to } => ("reason", from.clone(), to.clone()),
        }
    }

    fn as_json(&self) -> Value {
        let (what, from, to) = self.words();
        json!({ "change": what, "before": from, "now": to })
    }
}

// === impl Money ===

impl Money {
    fn of(call: &View<'_>, now: &Now) -> Self {
        let before = call.cost.nano.map(Nanodollars);
        let after = match &now.cost {
            Some(_) if now.same_cost => before,
            Some(cost) => (cost.status != CostStatus::Unpriced).then_some(cost.amount),
            None => None,
        };
        match (before, after) {
            (Some(before), Some(after)) => Self { calls: 1, before, after, unknown: 0 },
            _ => Self { calls: 1, unknown: 1, ..Self::default() },
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.before = self.before.saturating_add(other.before);
        self.after = self.after.saturating_add(other.after);
        self.unknown += other.unknown;
    }

    fn as_json(self) -> Value {
        json!({ "before_usd": self.before.to_string(), "after_usd": self.after.to_string(), "not_known": self.unknown })
    }
}
