//! `gatehouse audit erase`: what an end user said, and what he was answered, is made unreadable for ever.

use crate::cli::AuditErase;
use crate::control::{Word, erased, say};
use crate::data::Data;
use crate::index;
use crate::output;
use anyhow::{Context as _, Result};
use gatehouse_audit::{DEFAULT_SHARD, Known, Leaf, SUBJECTS_MAX, Subject};
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
                erase(&data, subject)
                    .with_context(|| format!("the key of {subject} could not be destroyed"))?;
                done.push(json!({ "subject": subject.to_string(), "org": org, "team": team }));
            }
            Known::Erased => {}
            Known::Nobody => shared += 1,
        }
    }
    if shared > 0 {
        output::note(&format!(
            "in {shared} account(s) this user has no key of his own: nothing of what he said is kept there (record.content: \
             none), or there were more than {SUBJECTS_MAX} users, and it is sealed under the key of its application"
        ));
    }
    if asked.json {
        output::json(&json!({ "erased": done }));
    } else if done.is_empty() {
        output::note("nothing that this user said is kept");
    } else {
        let what = "what was said is unreadable from now on; that it was said stays in the record";
        output::line(&format!("{} key(s) destroyed: {what}", done.len()));
    }
    Ok(if done.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells a gateway that runs; when none runs, we do it.
fn erase(data: &Data, subject: Subject) -> Result<()> {
    if !say(data, &Word::Erase(subject))? {
        let log = data.log()?;
        log.append(Leaf::Event(&erased(subject)))?;
        log.subjects().erase(subject)?;
    }
    Ok(())
}
