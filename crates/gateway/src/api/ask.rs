//! From the parameters of a request to what is looked for: as the commands read their words, and never beyond what he
//! who asks may see.

use crate::records;
use crate::when;
use gatehouse_audit::Subjects;
use gatehouse_config::unit::Duration;
use gatehouse_core::record::UnixMicros;
use gatehouse_server::office::{Asked, Problem};
use gatehouse_store::{Filter, Selection};
use serde_json::{Map, Value};

const OUTCOMES: [&str; 4] = ["settled", "denied", "failed", "aborted"];
/// What says where in a list one is, and not which calls are meant; and words that may have been said.
const NOT_RECORDED: [&str; 4] = ["cursor", "limit", "text", "format"];
/// Characters of a date.
const DATE_CHARS: usize = 10;

/// Which calls are meant.
pub(super) fn filter(asked: &Asked) -> Result<Filter, Problem> {
    let params = &asked.params;
    let outcome = params.read("outcome", |text| match OUTCOMES.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("write one of {}", OUTCOMES.join(", "))),
    })?;
    Ok(Filter {
        since: moment(asked, "since")?,
        until: moment(asked, "until")?,
        org: bound(asked, "org", &asked.by.org)?,
        team: bound(asked, "team", &asked.by.team)?,
        app: params.text("app"),
        use_case: params.text("use_case"),
        user: params.text("user"),
        key: params.text("key"),
        run: params.text("run"),
        model: params.text("model"),
        provider: params.text("provider"),
        ending: outcome,
        error: params.text("error"),
        status: params.read("status", |text| text.parse().map_err(|_| "write an HTTP status".to_owned()))?,
        guard: params.text("guard"),
        tag: params.read("tag", |text| records::tag(text).map_err(|error| error.to_string()))?,
        cost_min: params
            .read("cost_min", |text| records::dollars(text).map_err(|error| error.to_string()))?,
        micros_min: params
            .read("duration_min", |text| records::length(text).map_err(|error| error.to_string()))?,
    })
}

/// The same for copies.
pub(super) fn selection(asked: &Asked) -> Result<Selection, Problem> {
    let filter = filter(asked)?;
    Ok(Selection {
        org: filter.org,
        team: filter.team,
        app: filter.app,
        use_case: filter.use_case,
        user: filter.user,
        key: filter.key,
        run: filter.run,
        model: filter.model,
        record: None,
        since: filter.since,
        until: filter.until,
    })
}

fn moment(asked: &Asked, name: &str) -> Result<Option<UnixMicros>, Problem> {
    asked.params.read(name, |text| when::past(text).map_err(|error| error.to_string()))
}

/// What a key is bound to is what it asks for, whatever it says; another is refused.
fn bound(asked: &Asked, name: &str, to: &str) -> Result<Option<String>, Problem> {
    match asked.params.get(name) {
        Some(other) if !to.is_empty() && other != to => {
            let problem = Problem::not_allowed(format!("{name}: this key is bound to another"));
            Err(Problem { parameter: Some(name.to_owned()), ..problem })
        }
        Some(named) => Ok(Some(named.to_owned())),
        None => Ok((!to.is_empty()).then(|| to.to_owned())),
    }
}

/// Which calls are meant, as the record has it: the end user's subject for his name, days for moments, so that who
/// asks the same every second asks the same.
pub(super) fn of(asked: &Asked, subjects: &Subjects) -> String {
    let mut named = Map::new();
    for (name, value) in asked.params.all() {
        match name {
            _ if NOT_RECORDED.contains(&name) => {}
            "user" => {
                let (org, team) = (asked.params.get("org"), asked.params.get("team"));
                let org = org.unwrap_or(&asked.by.org);
                let subject = subjects.named(org, team.unwrap_or(&asked.by.team), "", value);
                named.insert("subject".to_owned(), Value::String(subject.to_string()));
            }
            "since" | "until" if Duration::parse(value).is_none() => {
                named.insert(name.to_owned(), Value::String(value.chars().take(DATE_CHARS).collect()));
            }
            _ => {
                named.insert(name.to_owned(), Value::String(value.to_owned()));
            }
        }
    }
    Value::Object(named).to_string()
}

#[cfg(test)]
mod tests {
    use super::filter;
    use gatehouse_identity::admin::{Admin, Role};
    use gatehouse_server::office::{Asked, Params, Until, What};
    use std::sync::Arc;
    use std::time::Duration;

    const KNOWN: [&str; 6] = ["since", "team", "org", "outcome", "cost_min", "status"];

    fn asked(query: &str, org: &str, team: &str) -> Asked {
        let by = Admin {
            id: "gha_a".into(),
            name: "".into(),
            role: Role::TeamAdmin,
            org: org.into(),
            team: team.into(),
            content: true,
            mark: 0,
        };
        let params = Params::parse(Some(query), &KNOWN).unwrap();
        let (until, _) = Until::within(Duration::from_secs(1));
        Asked { what: What::Records, by: Arc::new(by), call: None, params, until }
    }

    #[test]
    fn a_question_never_reaches_beyond_what_a_key_is_bound_to() {
        for (query, org, team, expected) in [
            ("", "", "", Ok((None, None))),
            ("team=x", "", "", Ok((None, Some("x")))),
            ("", "o", "t", Ok((Some("o"), Some("t")))),
            ("team=t", "", "t", Ok((None, Some("t")))),
            ("team=x", "", "t", Err("team")),
            ("org=x&team=t", "o", "t", Err("org")),
            ("team=x", "o", "", Ok((Some("o"), Some("x")))),
        ] {
            let got = filter(&asked(query, org, team));
            let got = got.as_ref().map(|filter| (filter.org.as_deref(), filter.team.as_deref()));
            let got = got.map_err(|problem| problem.parameter.as_deref().unwrap_or_default());
            assert_eq!(got, expected, "{query} {org} {team}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, at) in [
            ("since=yesterday", "since"),
            ("outcome=x", "outcome"),
            ("cost_min=much", "cost_min"),
            ("status=70000", "status"),
        ] {
            let problem = filter(&asked(query, "", "")).unwrap_err();
            assert_eq!((problem.status, problem.parameter.as_deref()), (400, Some(at)), "{query}");
        }
    }
}
