//! The repository is tidy: `cargo test` says so, and `cargo xtask tidy` prints the same.

use xtask::tidy::{CHECKS, run};
use xtask::tree::{Tree, root};

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(&root()).unwrap();
    let mut found = Vec::new();
    for check in CHECKS {
        let findings = run(check, &tree).unwrap_or_else(|error| panic!("{}: {error:#}", check.name));
        found.extend(findings.iter().map(|finding| format!("{finding}  [{}]", check.name)));
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}
