//! A module says what it is, and its name says something.

use super::Finding;
use crate::tree::Tree;

/// Names under which anything could be kept.
const BANNED: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "stuff", "handler2"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if !file.text.trim_start().starts_with("//!") {
            let message = "a module begins with //!: what it is, and what it is for";
            findings.push(Finding::new(&file.path, 1, message));
        }
        let parts = file.path.trim_end_matches(".rs").split('/');
        if let Some(bad) =
            parts.skip_while(|part| *part != "src" && *part != "tests").find(|part| is_banned(part))
        {
            findings.push(Finding::new(&file.path, 0, format!("{bad:?} says nothing; name what is in it")));
        }
    }
    findings
}

fn is_banned(part: &str) -> bool {
    BANNED.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::Tree;

    #[test]
    fn modules_are_documented_and_named() {
        let tree = Tree::of(&[
            ("crates/a/src/utils.rs", "//! What it is.\n"),
            ("crates/a/src/seal.rs", "//! What it is.\n"),
            ("crates/a/tests/common/mod.rs", "use a;\n"),
        ]);
        let paths: Vec<_> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(
            paths,
            ["crates/a/src/utils.rs", "crates/a/tests/common/mod.rs", "crates/a/tests/common/mod.rs"]
        );
    }
}
