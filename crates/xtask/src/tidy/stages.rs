//! The stages of a call are the same in the code and on the page, in the same order.

use super::Finding;
use crate::source::name;
use crate::tree::Tree;
use anyhow::Result;

const PIPELINE: &str = "crates/gatehouse-server/src/pipeline.rs";
const MODULES: &str = "crates/gatehouse-server/src/stage/mod.rs";
const PAGE: &str = "docs/LIFE_OF_A_CALL.md";
/// The last stage is not called in the pipeline: it writes the head of every answer, errors included.
const LAST: &str = "seal";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut stages = called(tree.file(PIPELINE)?.code());
    stages.push(LAST.to_owned());
    let described = described(&tree.file(PAGE)?.text);
    let mut findings = Vec::new();
    if stages != described {
        let message = format!("the stages are {stages:?} in {PIPELINE}, but {described:?} here");
        findings.push(Finding::new(PAGE, 0, message));
    }
    let mut modules = declared(tree.file(MODULES)?.code());
    modules.sort();
    stages.sort();
    if modules != stages {
        findings.push(Finding::new(
            MODULES,
            0,
            format!("the modules are {modules:?}, the stages {stages:?}"),
        ));
    }
    Ok(findings)
}

/// A stage is called as `name::name(…)`.
fn called(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("::") {
        let before = code.get(..at).unwrap_or_default();
        let start =
            before.trim_end_matches(|character: char| character.is_alphanumeric() || character == '_').len();
        let module = before.get(start..).unwrap_or_default();
        let behind = code.get(at + "::".len()..).unwrap_or_default();
        let function = name(behind);
        let is_call = behind.get(function.len()..).is_some_and(|rest| rest.starts_with('('));
        if is_call && function == module {
            found.push(module.to_owned());
        }
    }
    found
}

/// A stage is described under a heading `## 3. normalise`.
fn described(page: &str) -> Vec<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let numbered = headings.filter_map(|heading| heading.split_once(". "));
    numbered
        .filter(|(number, _)| number.parse::<u32>().is_ok())
        .map(|(_, stage)| name(stage).to_owned())
        .collect()
}

fn declared(code: &str) -> Vec<String> {
    code.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(|rest| name(rest).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{MODULES, PAGE, PIPELINE, check};
    use crate::tree::Tree;

    fn findings(page: &str) -> usize {
        let pipeline = "use crate::stage::{a, b};\nlet x = a::a(x)?;\nlet x = b::b(x).await?;\nSome::none(x)";
        let tree = Tree::of(&[
            (PIPELINE, pipeline),
            (MODULES, "pub mod a;\npub mod b;\npub mod seal;"),
            (PAGE, page),
        ]);
        check(&tree).unwrap().len()
    }

    #[test]
    fn the_page_follows_the_code() {
        assert_eq!(findings("# Life\n## 1. a\n## Notes\n## 2. b\n## 3. seal\n"), 0);
        assert_eq!(findings("# Life\n## 1. b\n## 2. a\n## 3. seal\n"), 1);
    }
}
