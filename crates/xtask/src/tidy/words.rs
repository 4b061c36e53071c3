//! Words that are left over from work: notes without an issue, unfinished code, paths of one machine.

use super::Finding;
use crate::source::{line_of, words};
use crate::tree::{File, Tree};

/// Notes to oneself, written in two pieces so that this file does not find itself.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// What an issue looks like behind a note.
const ISSUE: [&str; 2] = ["(#", "(issue "];
/// Code that is not there yet.
const UNFINISHED: [&str; 2] = ["todo!", "unimplemented!"];
/// Where people and machines keep their own files.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.files.iter().flat_map(machine_paths).collect();
    findings.extend(tree.files.iter().filter(|file| !file.has_extension("md")).flat_map(notes));
    findings.extend(tree.rust().flat_map(unfinished));
    findings
}

fn notes(file: &File) -> Vec<Finding> {
    let without_issue = |note: &'static str| {
        words(&file.text, note).filter_map(move |at| {
            let behind = file.text.get(at + note.len()..).unwrap_or_default();
            let named = ISSUE.iter().any(|issue| behind.starts_with(issue));
            let message = format!("{note} without an issue: write {note}(#12), or do it");
            (!named).then(|| Finding::new(&file.path, line_of(&file.text, at), message))
        })
    };
    NOTES.iter().flat_map(|note| without_issue(note)).collect()
}

fn unfinished(file: &File) -> Vec<Finding> {
    let code = file.code();
    let mut findings = Vec::new();
    for word in UNFINISHED {
        for (at, _) in code.match_indices(word) {
            findings.push(Finding::new(
                &file.path,
                line_of(code, at),
                format!("{word} is not finished code"),
            ));
        }
    }
    for at in words(code, "unsafe") {
        findings.push(Finding::new(&file.path, line_of(code, at), "there is no unsafe code here"));
    }
    findings
}

fn machine_paths(file: &File) -> Vec<Finding> {
    let begins = |at: usize| {
        let before = file.text.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "._-~*}$/".contains(character))
    };
    let found = MACHINE_PATHS.iter().flat_map(|path| file.text.match_indices(path));
    let found = found.filter(|(at, _)| begins(*at));
    found
        .map(|(at, path)| {
            let message = format!("{path}… is a path of one machine");
            Finding::new(&file.path, line_of(&file.text, at), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_PATHS, NOTES, check};
    use crate::tree::Tree;

    #[test]
    fn what_is_left_over_is_found() {
        let [note, ..] = NOTES;
        let [home, ..] = MACHINE_PATHS;
        let text = format!(
            "// {note}: later\n// {note}(#7): later\nfn f() {{ todo!() }}\n// unsafe todo!\nunsafe {{}}\n\"{home}me\"\n\
             https://example.com{home}\n"
        );
        let lines: Vec<usize> =
            check(&Tree::of(&[("a.rs", &text)])).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [6, 1, 3, 5]);
    }
}
