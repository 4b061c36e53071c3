//! Every limit that can be configured, and every limit that the page names, is on the page as in the code.

use super::Finding;
use crate::tree::Tree;
use anyhow::Result;

const PAGE: &str = "docs/limits.md";
const FILE: &str = "crates/gatehouse-config/src/file.rs";
/// Sections of the configuration whose fields are limits, and the name of their type.
const SECTIONS: [(&str, &str); 3] = [("limits", "Limits"), ("timeouts", "Timeouts"), ("retry", "Retry")];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let (page, file) = (&tree.file(PAGE)?.text, &tree.file(FILE)?.text);
    let mut findings = Vec::new();
    for (section, name) in SECTIONS {
        for field in fields(file, name) {
            let setting = format!("`{section}.{field}`");
            if !page.contains(&setting) {
                findings.push(Finding::new(PAGE, 0, format!("{setting} is missing")));
            }
        }
    }
    for (line, row) in page.lines().enumerate() {
        if let Some((constant, path)) = named_constant(row) {
            let text = tree.file(path).map(|file| file.text.as_str()).unwrap_or_default();
            if !text.contains(&format!("const {constant}:")) {
                findings.push(Finding::new(PAGE, line + 1, format!("there is no {constant} in {path}")));
            }
        }
    }
    Ok(findings)
}

/// The fields of a type.
fn fields<'a>(file: &'a str, name: &str) -> Vec<&'a str> {
    let body =
        file.split_once(&format!("pub struct {name} {{")).and_then(|(_, behind)| behind.split_once("\n}"));
    let lines = body.map_or("", |(body, _)| body).lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
        .map(|(field, _)| field)
        .collect()
}

/// A row of the form ``| `NAME` | what it is | `path.rs` |``.
fn named_constant(row: &str) -> Option<(&str, &str)> {
    let mut cells = row.trim().trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
    let (first, last) = (cells.next()?, cells.next_back()?);
    let is_constant = first.chars().all(|character| character.is_ascii_uppercase() || character == '_');
    (is_constant && !first.is_empty() && last.ends_with(".rs")).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::{FILE, PAGE, check};
    use crate::tree::Tree;

    #[test]
    fn a_limit_that_is_missing_or_gone_is_found() {
        let file = "pub struct Limits {\n    /// B.\n    pub body: Bytes,\n    pub calls: u32,\n}\n";
        let page = "`limits.body`\n| `A_MAX` | 1 | `a.rs` |\n| `B_MAX` | 1 | `a.rs` |\n";
        let tree = Tree::of(&[(FILE, file), (PAGE, page), ("a.rs", "const A_MAX: usize = 1;")]);
        let found: Vec<String> = check(&tree).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`limits.calls` is missing") && found[1].contains("B_MAX"));
    }
}
