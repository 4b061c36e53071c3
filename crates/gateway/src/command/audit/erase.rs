//! `gatehouse audit erase`: what an end user said, and what he was answered, is made unreadable for ever.

use crate::cli::AuditErase;
use crate::control::{Word, say};
use crate::data::Data;
use crate::erasing;
use crate::index;
use crate::output;
use crate::retention::in_force;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{DEFAULT_SHARD, Known, SUBJECTS_MAX, Subject, Subjects, View, erased_label};
use gatehouse_core::call::CallId;
use gatehouse_store::{Filter, Index, Selection, Store};
use serde_json::json;
use std::process::ExitCode;

/// Destroys keys.
pub(crate) fn run(asked: &AuditErase) -> Result<ExitCode> {
    let data = Data::existing(&asked.place.data)?;
    let index = index::up_to_date(&data)?;
    let subjects = data.subjects(DEFAULT_SHARD)?;
    let accounts = index.accounts_of(&asked.subject)?.into_iter().filter(|(org, team)| {
        asked.org.as_ref().is_none_or(|wanted| wanted == org)
            && asked.team.as_ref().is_none_or(|wanted| wanted == team)
    });
    let (mut done, mut shared) = (Vec::new(), 0);
    for (org, team) in accounts {
        let subject = subjects.named(&org, &team, "", &asked.subject);
        match subjects.find(subject) {
            Known::Key(_) => {
                refuse_held(&data, &index, &subjects, [&org, &team, &asked.subject])?;
                erase(&data, subject)
                    .with_context(|| format!("the key of {subject} could not be destroyed"))?;
                let label = erased_label(&subject.to_string());
                Store::open(data.dir())?.forget_in_holds(&org, &team, &asked.subject, &label)?;
                done.push(json!({ "subject": subject.to_string(), "org": org, "team": team }));
            }
            Known::Erased => {}
            Known::Nobody => shared += 1,
        }
    }
    if !done.is_empty() {
        // His name goes from the index at once.
        index::up_to_date(&data)?;
    }
    if shared > 0 {
        output::note(&format!(
            "in {shared} account(s) this user has no key of his own: there were more than {SUBJECTS_MAX} users, and \
             his name and what he said are sealed under the key of their application"
        ));
    }
    if asked.json {
        output::json(&json!({ "erased": done }));
    } else if done.is_empty() {
        output::note("there is nobody of this name who could be forgotten");
    } else {
        let what = "name and words are unreadable from now on; that something was said stays in the record";
        output::line(&format!("{} key(s) destroyed: {what}", done.len()));
    }
    Ok(if done.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is on hold is not erased.
fn refuse_held(data: &Data, index: &Index, subjects: &Subjects, his: [&str; 3]) -> Result<()> {
    let [org, team, user] = his;
    for hold in in_force(Store::open(data.dir())?.holds()?) {
        let of = &hold.selection;
        let is_his = |mine: &Option<String>, his: &str| mine.as_deref().is_none_or(|mine| mine == his);
        if !is_his(&of.org, org) || !is_his(&of.team, team) || !is_his(&of.user, user) {
            continue;
        }
        let [org, team, user] = [org, team, user].map(|name| Some(name.to_owned()));
        let filter = Filter { org, team, user, ..of.filter() };
        let covered = match of.record.as_deref().and_then(CallId::parse) {
            Some(call) => index.show(call)?.and_then(|shown| shown.leaf).is_some_and(|leaf| {
                let view = View::parse(leaf.as_bytes());
                let his = Selection {
                    org: filter.org.clone(),
                    team: filter.team.clone(),
                    user: filter.user.clone(),
                    ..of.clone()
                };
                view.is_ok_and(|view| his.covers(&view, subjects))
            }),
            None => !index.calls(&filter, None, 1)?.rows.is_empty(),
        };
        if covered {
            bail!(
                "hold {} is on calls of this user ({}): release it first, or wait",
                hold.number,
                hold.reason
            );
        }
    }
    Ok(())
}

/// Tells a gateway that runs; when none runs, we do it.
fn erase(data: &Data, subject: Subject) -> Result<()> {
    if !say(data, &Word::Erase(subject))? {
        erasing::erase(&data.log()?, subject)?;
    }
    Ok(())
}
