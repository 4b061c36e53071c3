//! How long what is recorded is kept.

use super::Report;
use crate::file::Config;
use crate::path::Path;
use crate::unit::Duration;

/// Shorter times cannot be told apart.
const KEPT_MIN: Duration = Duration::seconds(1);
/// Six months, which the AI Act (articles 19 and 26(6)) asks of logs of high-risk systems.
const RECORDS_FLOOR: Duration = Duration::seconds(183 * 86_400);

/// Checks how long things are kept.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let at = Path::of("retention");
    let kept = &config.retention;
    for (name, time) in [("content", kept.content), ("records", kept.records)] {
        if time.is_some_and(|time| time < KEPT_MIN) {
            report.error(
                &at.key(name),
                "is less than 1s; to keep nothing of what was said, write record.content: none",
            );
        }
    }
    if let (Some(content), Some(records)) = (kept.content, kept.records)
        && content > records
    {
        let message = format!(
            "is {content}, longer than records ({records}): what was said goes with its record at the latest"
        );
        report.error(&at.key("content"), &message);
    }
    if kept.records.is_some_and(|records| records < RECORDS_FLOOR) {
        let message =
            "is less than 183d, which the AI Act (articles 19 and 26) asks of the logs of high-risk systems";
        report.warning(&at.key("records"), message);
    }
}
