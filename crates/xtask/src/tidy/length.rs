//! Files and functions are short: a reader sees one idea at a time.

use super::Finding;
use crate::source::{item_end, line_of, name, words};
use crate::tree::{File, Tree};

/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// How many files may be longer.
const EXEMPT_MAX: usize = 5;
/// Files that are catalogues: long because there is much of one kind in them, not because they do much.
const EXEMPT: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    const { assert!(EXEMPT.len() <= EXEMPT_MAX, "exempt files are few") };
    tree.rust().flat_map(|file| file_length(file).into_iter().chain(function_lengths(file))).collect()
}

fn file_length(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let exempt = EXEMPT.iter().any(|(path, _)| *path == file.path);
    match (lines > FILE_LINES_MAX, exempt) {
        (true, false) => Some(format!("{lines} lines; a file has at most {FILE_LINES_MAX}")),
        (false, true) => Some("is short enough: take it off the list of exempt files".to_owned()),
        _ => None,
    }
    .map(|message| Finding::new(&file.path, 0, message))
}

fn function_lengths(file: &File) -> Vec<Finding> {
    let code = file.code();
    let long = |at: usize| {
        let function = code.get(at..)?;
        let name = name(function.get("fn".len()..)?.trim_start());
        let lines = function.get(..item_end(function))?.lines().count();
        let message = format!("{name} has {lines} lines; a function has at most {FUNCTION_LINES_MAX}");
        let found = !name.is_empty() && lines > FUNCTION_LINES_MAX;
        found.then(|| Finding::new(&file.path, line_of(code, at), message))
    };
    words(code, "fn").filter_map(long).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::Tree;

    #[test]
    fn long_files_and_functions_are_found() {
        let long = format!("fn short() {{ \"}}\" }}\nfn long() {{\n{}}}\n", "    x(); // }\n".repeat(69));
        let just = long.replacen("    x(); // }\n", "", 1);
        let tall = "x\n".repeat(501);
        let findings = check(&Tree::of(&[("a.rs", &long), ("b.rs", &just), ("c.rs", &tall)]));
        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("a.rs:2: long has 71 lines") && found[1].starts_with("c.rs:0: 501 lines")
        );
    }
}
