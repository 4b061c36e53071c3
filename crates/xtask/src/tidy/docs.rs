//! The documents hold what they promise: every error code has its row, decisions are short, links lead
//! somewhere.

use super::Finding;
use crate::tree::{File, Tree};
use anyhow::Result;
use std::path::{Component, Path, PathBuf};

const ERRORS: &str = "crates/gatehouse-core/src/error.rs";
const ERRORS_PAGE: &str = "docs/errors.md";
const DECISIONS: &str = "docs/adr/";
/// Lines of a decision.
const DECISION_LINES_MAX: usize = 60;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = codes(&tree.file(ERRORS)?.text, &tree.file(ERRORS_PAGE)?.text);
    for file in tree.files.iter().filter(|file| file.has_extension("md")) {
        let lines = file.text.lines().count();
        if file.path.starts_with(DECISIONS) && lines > DECISION_LINES_MAX {
            let message = format!("{lines} lines; a decision has at most {DECISION_LINES_MAX}");
            findings.push(Finding::new(&file.path, 0, message));
        }
        findings.extend(links(tree, file));
    }
    Ok(findings)
}

/// Each code stands on the page with its status, as ``| `code` | 400 |``.
fn codes(source: &str, page: &str) -> Vec<Finding> {
    let listed = source.split_once("\ncodes! {").and_then(|(_, behind)| behind.split_once("\n}"));
    let mut findings = Vec::new();
    for line in listed.map_or("", |(listed, _)| listed).lines().filter(|line| line.contains(" = \"")) {
        let mut parts = line.split('"').skip(1);
        let (code, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let status = rest.split(',').map(str::trim).find(|part| !part.is_empty()).unwrap_or_default();
        let row = format!("| `{code}` | {status} |");
        if !page.contains(&row) {
            findings.push(Finding::new(ERRORS_PAGE, 0, format!("there is no row {row:?}")));
        }
    }
    if findings.is_empty() && listed.is_none() {
        findings.push(Finding::new(ERRORS, 0, "the list of codes is not where it was"));
    }
    findings
}

/// Links to files of the repository.
fn links(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in file.text.lines().enumerate() {
        for target in text.split("](").skip(1).filter_map(|behind| behind.split([')', '#']).next()) {
            let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !outside && !exists(tree, &file.path, target) {
                findings.push(Finding::new(&file.path, line + 1, format!("there is nothing at {target}")));
            }
        }
    }
    findings
}

fn exists(tree: &Tree, from: &str, target: &str) -> bool {
    let mut path = PathBuf::from(from);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    let known = path.to_string_lossy();
    tree.files.iter().any(|file| file.path == known) || tree.root.join(&path).exists()
}

#[cfg(test)]
mod tests {
    use super::{ERRORS, ERRORS_PAGE, check};
    use crate::tree::Tree;

    #[test]
    fn codes_without_a_row_and_links_to_nowhere_are_found() {
        let codes = "\ncodes! {\n    /// A.\n    A = \"a_a\", 401, Caller;\n    /// B.\n    B = \"b_b\", 403, Caller;\n}\n";
        let page = "| `a_a` | 401 |\n| `b_b` | 404 |\n";
        let decision =
            format!("[x](../errors.md#a) [y](../none.md) [z](https://example.com)\n{}", "\n".repeat(60));
        let tree = Tree::of(&[(ERRORS, codes), (ERRORS_PAGE, page), ("docs/adr/001-x.md", &decision)]);
        let found: Vec<String> = check(&tree).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("b_b") && found[1].contains("61 lines") && found[2].contains("../none.md"));
    }
}
