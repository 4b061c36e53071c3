//! `cargo xtask`: runs one chore. Exit codes: 0 done, 1 the answer is no, 2 wrong use.

use std::process::ExitCode;
use xtask::tidy::{self, CHECKS};
use xtask::tree::{Tree, root};

const USE: &str =
    "cargo xtask tidy    checks lengths, module docs, names, crate edges, module cycles, documents";

#[expect(clippy::print_stderr, reason = "this is what a chore says when it fails")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => run_tidy(),
        _ => {
            eprintln!("{USE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "this is the result of the chore")]
fn run_tidy() -> anyhow::Result<ExitCode> {
    let tree = Tree::read(&root())?;
    let mut count = 0_usize;
    for check in CHECKS {
        let findings = tidy::run(check, &tree)?;
        count += findings.len();
        for finding in findings {
            println!("{finding}  [{}]", check.name);
        }
    }
    println!("{count} findings in {} files", tree.files.len());
    Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
