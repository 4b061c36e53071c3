//! `gatehouse-verify`: checks a copy of a log, or the proof of a record. Its exit says it: 0 verified, 1 not, 2 wrong
//! use.

use gatehouse_proof::report::Verdict;
use gatehouse_verify::trust::Trust;
use gatehouse_verify::{copy, lines, output, receipt};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: gatehouse-verify [options] PATH

PATH is a copy of a log (`gatehouse audit export --format tlog` or `jsonl`) or the proof of a record
(`gatehouse audit prove`, or GET /v1/receipts/{record}).

  --key KEY|FILE      a key that you trust; may be repeated. Without one, the key that comes with a copy is used
  --policy FILE       logs, witnesses and the quorum that you want (C2SP tlog-policy)
  --checkpoint FILE   a checkpoint that you saw before, or elsewhere; may be repeated
  --strict            gaps that the log declares, and calls without an end, are not accepted
  --json              for programs
";

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    path: Option<PathBuf>,
    keys: Vec<String>,
    policy: Option<PathBuf>,
    checkpoints: Vec<PathBuf>,
    strict: bool,
    json: bool,
}

fn main() -> ExitCode {
    let (asked, path) = match asked(std::env::args().skip(1)) {
        Ok(mut asked) => match asked.path.take() {
            Some(path) => (asked, path),
            None => return wrong(USAGE),
        },
        Err(why) => return wrong(&why),
    };
    match run(&asked, &path) {
        Ok((text, verdict)) => {
            // Whoever closed the pipe has read enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if verdict == Verdict::Verified { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => wrong(&why),
    }
}

fn run(asked: &Asked, path: &Path) -> Result<(String, Verdict), String> {
    let trust = Trust::read(&asked.keys, asked.policy.as_ref(), &asked.checkpoints)?;
    if path.is_file() {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let worth = receipt::verify(&text, &trust);
        let said = if asked.json {
            format!("{:#}\n", output::proof_json(&worth))
        } else {
            output::proof_text(&worth)
        };
        return Ok((said, worth.verdict));
    }
    let reports = if lines::is_here(path) {
        lines::verify(path, &trust)?
    } else {
        let logs = copy::logs(path)?;
        logs.iter().map(|dir| copy::verify(dir, &trust)).collect::<Result<Vec<_>, _>>()?
    };
    let said = if asked.json {
        format!("{:#}\n", output::json(&reports, asked.strict))
    } else {
        output::text(&reports, asked.strict)
    };
    Ok((said, output::verdict(&reports, asked.strict)))
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"));
        match word.as_str() {
            "--key" => asked.keys.push(value()?),
            "--policy" => asked.policy = Some(value()?.into()),
            "--checkpoint" => asked.checkpoints.push(value()?.into()),
            "--strict" => asked.strict = true,
            "--json" => asked.json = true,
            "--help" | "-h" => return Err(USAGE.to_owned()),
            other if other.starts_with('-') => return Err(format!("{other} is not known here\n\n{USAGE}")),
            path if asked.path.is_none() => asked.path = Some(path.into()),
            more => return Err(format!("{more}: one path at a time\n\n{USAGE}")),
        }
    }
    Ok(asked)
}

fn wrong(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", why.trim_end());
    ExitCode::from(2)
}
