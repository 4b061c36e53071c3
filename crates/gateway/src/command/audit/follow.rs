//! `gatehouse audit query --follow`: calls as they end.
//!
//! Calls are told in the order in which they ended, which is that of the log and not that of their ids.

use super::{HEADING, as_row};
use crate::data::Data;
use crate::index;
use crate::output;
use crate::records;
use crate::tail::ended;
use anyhow::Result;
use gatehouse_audit::Cursor;
use gatehouse_store::Filter;
use std::collections::HashMap;
use std::time::Duration;

/// How long between two looks: a file that another process writes tells nobody.
const LOOK: Duration = Duration::from_millis(250);

/// Prints the calls that `filter` means, from now on.
pub(super) fn run(data: &Data, filter: &Filter, json: bool) -> Result<()> {
    let index = index::up_to_date(data)?;
    let mut cursors: HashMap<String, Cursor> = index.cursors()?.into_iter().collect();
    output::note("calls that end from now on; Ctrl-C ends this");
    if !json {
        output::line(&HEADING.join("  "));
    }
    loop {
        let ended = ended(data.dir(), &mut cursors)?;
        if ended.is_empty() {
            std::thread::sleep(LOOK);
            continue;
        }
        for row in index::up_to_date(data)?.among(&ended, filter)? {
            let text = if json { records::row(&row).to_string() } else { as_row(&row).join("  ") };
            output::line(&text);
        }
    }
}
