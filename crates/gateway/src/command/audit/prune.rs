//! `gatehouse audit prune`: what its time is over for goes now, and not at the next look.

use crate::cli::AuditPrune;
use crate::control::{Word, say};
use crate::data::Data;
use crate::output;
use crate::retention::{Due, carry_out, due};
use crate::settings::Settings;
use anyhow::Result;
use gatehouse_audit::tree::{SEAL_EVERY, Sealing};
use gatehouse_audit::{DEFAULT_SHARD, rfc3339, shard_dir};
use gatehouse_config::file::Retention;

/// Gives up what is due, or says what is.
pub(crate) fn run(asked: &AuditPrune) -> Result<()> {
    let data = Data::existing(&asked.place.data)?;
    let kept = Settings::load(&asked.place)?.config.retention;
    if kept == Retention::default() {
        output::note("everything is kept for ever: the configuration has no retention");
        return Ok(());
    }
    if asked.dry_run {
        say_due(&due(&data, &shard_dir(data.dir(), DEFAULT_SHARD), &kept)?);
    } else if say(&data, &Word::Prune)? {
        output::line("the running gateway gives up what its time is over for");
    } else {
        crate::index::up_to_date(&data)?;
        let log = data.log()?;
        let due = due(&data, log.dir(), &kept)?;
        let sealing = Sealing::start(&log, DEFAULT_SHARD, None, SEAL_EVERY)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(carry_out(&log, &sealing, &due))?;
        say_due(&due);
    }
    Ok(())
}

fn say_due(due: &Due) {
    if let Some((contents, before)) = &due.contents {
        let what = if contents.is_empty() {
            "nothing".to_owned()
        } else {
            format!("of records below {}", contents.until())
        };
        let held = if contents.held > 0 {
            format!("; {} text(s) are on hold", contents.held)
        } else {
            String::new()
        };
        output::line(&format!("what was said before {}: {what}{held}", rfc3339(*before)));
    }
    if let Some((records, before)) = &due.records {
        let what = if records.is_empty() {
            "none".to_owned()
        } else {
            format!("{} to {}", records.first, records.until - 1)
        };
        let held = if records.held { "; the next are on hold" } else { "" };
        output::line(&format!("records before {}: {what}{held}", rfc3339(*before)));
    }
}
