//! The modules of a crate do not import each other in a circle: whoever reads one of them would have to
//! read all.
//!
//! Counted are the top-level modules and the paths that begin with `crate::`, without tests. A name that
//! the crate's root passes on from a module counts as that module; what the root itself defines is
//! everybody's.

use super::Finding;
use crate::source::{item_end, name, without_tests, words};
use crate::tree::{File, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// From a module to another, and the file where it is so.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in tree.rust() {
        if let Some((name, _)) = file.in_crate().filter(|(_, inner)| inner.starts_with("src/")) {
            crates.entry(name).or_default().push(file);
        }
    }
    crates.iter().flat_map(|(name, files)| circles(name, &graph(files))).collect()
}

fn graph(files: &[&File]) -> Graph {
    let tests: Vec<String> = files.iter().flat_map(|file| test_modules(file)).collect();
    let is_test = |path: &str| {
        tests.iter().any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")))
    };
    let modules: BTreeSet<&str> = files.iter().filter_map(|file| module(file)).collect();
    let passed_on: BTreeMap<String, String> = files
        .iter()
        .filter(|file| module(file).is_none())
        .flat_map(|file| passed_on(file.code(), &modules))
        .collect();
    let mut graph = Graph::new();
    for file in files.iter().filter(|file| !is_test(&file.path)) {
        let Some(from) = module(file) else { continue };
        for used in used(&without_tests(file.code())) {
            let to = passed_on.get(&used).unwrap_or(&used);
            if to != from && modules.contains(to.as_str()) {
                let edges = graph.entry(from.to_owned()).or_default();
                edges.entry(to.clone()).or_insert_with(|| file.path.clone());
            }
        }
    }
    graph
}

/// The top-level module of a file; `None` for the root.
fn module(file: &File) -> Option<&str> {
    let inner = file.in_crate()?.1.strip_prefix("src/")?;
    let module = inner.split('/').next()?.trim_end_matches(".rs");
    (!matches!(module, "lib" | "main")).then_some(module)
}

/// The paths, without extension, of the modules that a file declares for tests only.
fn test_modules(file: &File) -> Vec<String> {
    let (folder, stem) = (file.path.rsplit_once('/').map_or("", |(folder, _)| folder), file.stem());
    let folder = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    let mut found = Vec::new();
    for piece in file.code().split("#[cfg(test)]").skip(1) {
        let item = piece.get(..item_end(piece)).unwrap_or_default();
        if let Some((_, behind)) = item.split_once("mod ").filter(|_| item.ends_with(';')) {
            found.push(format!("{folder}/{}", name(behind.trim_start())));
        }
    }
    found
}

/// The names that the root passes on from its modules: `pub use module::{Name, …}`.
fn passed_on(code: &str, modules: &BTreeSet<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for at in words(code, "use") {
        let item = code.get(at + "use".len()..).unwrap_or_default();
        let item = item.get(..item_end_of_use(item)).unwrap_or_default().trim_start();
        let from = name(item);
        if modules.contains(from) {
            let names = item.split(|character: char| !(character.is_alphanumeric() || character == '_'));
            found.extend(
                names.skip(1).filter(|name| !name.is_empty()).map(|name| (name.to_owned(), from.to_owned())),
            );
        }
    }
    found
}

fn item_end_of_use(item: &str) -> usize {
    item.find(';').unwrap_or(item.len())
}

/// The first names behind `crate::`.
fn used(code: &str) -> BTreeSet<String> {
    const PREFIX: &str = "crate::";
    let mut found = BTreeSet::new();
    for at in words(code, "crate").filter(|at| code.get(*at..).is_some_and(|code| code.starts_with(PREFIX))) {
        let behind = code.get(at + PREFIX.len()..).unwrap_or_default();
        match behind.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => drop(found.insert(name(behind).to_owned())),
        }
    }
    found.remove("");
    found
}

/// The first name of each element of a group, up to its closing brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut top = String::new();
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            other if depth == 0 => top.push(other),
            _ => {}
        }
    }
    top.split(',').map(|head| name(head.trim()).to_owned()).collect()
}

// === circles ===

/// A finding for each group of modules that all reach each other.
fn circles(name: &str, graph: &Graph) -> Vec<Finding> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|from| (from.as_str(), reachable(graph, from))).collect();
    let reaches = |from: &str, to: &str| reach.get(from).is_some_and(|reached| reached.contains(to));
    let mut findings = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for from in graph.keys().map(String::as_str) {
        if !reaches(from, from) || seen.contains(from) {
            continue;
        }
        let circle: BTreeSet<&str> =
            graph.keys().map(String::as_str).filter(|to| reaches(from, to) && reaches(to, from)).collect();
        seen.extend(&circle);
        let inside = graph.iter().filter(|(from, _)| circle.contains(from.as_str()));
        for (from, edges) in inside {
            for (to, path) in edges.iter().filter(|(to, _)| circle.contains(to.as_str())) {
                let all = circle.iter().copied().collect::<Vec<_>>().join(", ");
                let message = format!("{from} uses {to}: a circle of {all} in {name}");
                findings.push(Finding::new(path, 0, message));
            }
        }
    }
    findings
}

fn reachable<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let next = |module: &str| graph.get(module).into_iter().flat_map(BTreeMap::keys).map(String::as_str);
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = next(from).collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(next(module));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::Tree;

    const ROOT: (&str, &str) =
        ("crates/x/src/lib.rs", "mod a; mod b; mod c; pub use b::{Bee, Hive as Nest};");

    #[test]
    fn a_circle_is_found_through_groups_and_what_the_root_passes_on() {
        let findings = check(&Tree::of(&[
            ROOT,
            ("crates/x/src/a.rs", "use crate::{Bee, c::{d, e}};"),
            ("crates/x/src/b/mod.rs", ""),
            ("crates/x/src/b/inner.rs", "fn f() { crate::a::g() }"),
            ("crates/x/src/c.rs", "// use crate::a;"),
        ]));
        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "crates/x/src/a.rs:0: a uses b: a circle of a, b in x",
                "crates/x/src/b/inner.rs:0: b uses a: a circle of a, b in x"
            ]
        );
    }

    #[test]
    fn tests_may_use_what_they_like() {
        let tree = Tree::of(&[
            ROOT,
            ("crates/x/src/a.rs", "use crate::b;"),
            ("crates/x/src/b.rs", "#[cfg(test)] mod tests { use crate::a; }\n#[cfg(test)]\nmod more;"),
            ("crates/x/src/b/more.rs", "use crate::a;"),
        ]);
        assert_eq!(check(&tree), []);
    }
}
