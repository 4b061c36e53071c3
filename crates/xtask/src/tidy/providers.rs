//! The blast radius of a provider: its name stands in its own file and in the list, nowhere else. Adding
//! one, or taking one away, then touches nothing but these.

use super::Finding;
use crate::source::{Literals, code, line_of, without_tests};
use crate::tree::{File, Tree};
use anyhow::{Context as _, Result};

/// The list, and the folder of the providers' own files.
const LIST: &str = "crates/gatehouse-providers/src/kinds/mod.rs";
const FOLDER: &str = "crates/gatehouse-providers/src/kinds/";
/// Names that are more than a provider's: the dialects and their makers, and what comes with the gateway.
const MORE_THAN_A_PROVIDER: [&str; 10] =
    ["openai", "anthropic", "gemini", "bedrock", "cohere", "jina", "voyage", "tei", "compatible", "sim"];
/// What is left beside the list, with the reason.
const ALSO: &[(&str, &str, &str)] = &[
    (
        "ollama",
        "crates/gatehouse-config/src/environment.rs",
        "its variable holds an address that only Ollama's own programs know how to read",
    ),
    (
        "azure",
        "crates/gatehouse-providers/src/auth/entra.rs",
        "the variables in which its libraries look for an identity begin so",
    ),
    (
        "vertex",
        "crates/gatehouse-ledger/src/catalogue.rs",
        "its models carry a version that is not a part of their name in the list",
    ),
    (
        "vertex",
        "crates/gatehouse-core/src/content.rs",
        "the form in which it is asked for vectors is a dialect of its own",
    ),
    (
        "vertex",
        "crates/gatehouse-wire/src/embeddings/",
        "the form in which it is asked for vectors is a dialect of its own",
    ),
    (
        "azure",
        "crates/gatehouse-server/src/front.rs",
        "callers use its paths by deployment, whoever serves them",
    ),
    (
        "vertex",
        "crates/gatehouse-server/src/front/cloud.rs",
        "callers use its paths for other makers' models, whoever serves them",
    ),
    (
        "mistral",
        "crates/gatehouse-core/src/content.rs",
        "its call for what stands between two texts is a dialect of its own",
    ),
    (
        "openrouter",
        "crates/gatehouse-wire/src/",
        "it seals reasoning of its own (reasoning_details), so it is a maker of seals as well",
    ),
    (
        "groq",
        "crates/gatehouse-wire/src/openai_chat/",
        "its answers hold the usage under a member of its own (x_groq), which is read wherever it is met",
    ),
    (
        "azure",
        "crates/gateway/src/command/import/",
        "variables and settings of other programs begin so, and are read and reported by name",
    ),
    (
        "ollama",
        "crates/gateway/src/command/import/litellm/place.rs",
        "another program asks it by its own API, whose address is not the one that we need",
    ),
    (
        "vertex",
        "crates/gateway/src/command/import/",
        "settings of another program begin so, and are read and reported by name",
    ),
    (
        "xai",
        "crates/gatehouse-wire/src/error/redact.rs",
        "so its credentials begin, which are taken out of any text",
    ),
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let names = names(&tree.file(LIST)?.text).context("the list of providers is not where it was")?;
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| is_ours(file)) {
        let code = without_tests(&code(&file.text, Literals::Kept)).to_ascii_lowercase();
        for name in &names {
            let own = file.path == format!("{FOLDER}{name}.rs");
            let also = ALSO.iter().any(|(other, path, _)| other == name && file.path.starts_with(path));
            if !own && !also {
                findings.extend(mentions(&code, name).into_iter().map(|at| {
                    let message =
                        format!("names the provider {name:?}: what it needs belongs into its own file");
                    Finding::new(&file.path, line_of(&code, at), message)
                }));
            }
        }
    }
    Ok(findings)
}

/// The words of `providers! { … }`.
fn names(list: &str) -> Option<Vec<String>> {
    let (_, behind) = list.split_once("\nproviders! {")?;
    let words = behind.split_once('}')?.0.split(',').map(str::trim).filter(|word| !word.is_empty());
    Some(words.filter(|word| !MORE_THAN_A_PROVIDER.contains(word)).map(ToOwned::to_owned).collect())
}

/// Shipped code, apart from the list.
fn is_ours(file: &File) -> bool {
    let parts = file.path.trim_end_matches(".rs");
    let is_test = parts.split('/').any(|part| part == "tests" || part.ends_with("_tests"));
    file.path.starts_with("crates/")
        && file.path != LIST
        && !is_test
        && !file.path.starts_with("crates/xtask/")
}

/// Where the name stands as a name or a part of one (`groq`, `GROQ_KEY`, `x_groq`), or as the beginning of
/// a text; not where it is a word in a sentence. `code` is in lower case.
fn mentions(code: &str, name: &str) -> Vec<usize> {
    let is_mention = |at: &usize| {
        let before = code.get(..*at).and_then(|before| before.chars().next_back()).unwrap_or(' ');
        let after = code.get(at + name.len()..).and_then(|after| after.chars().next()).unwrap_or(' ');
        let in_sentence = before == ' ' && matches!(after, ' ' | ',' | '.' | ';' | '"');
        let in_word = before.is_ascii_alphabetic() || after.is_ascii_lowercase();
        !in_sentence && !in_word
    };
    code.match_indices(name).map(|(at, _)| at).filter(is_mention).collect()
}

#[cfg(test)]
mod tests {
    use super::{LIST, check};
    use crate::tree::Tree;

    #[test]
    fn a_provider_is_named_in_its_own_file_only() {
        let tree = Tree::of(&[
            (LIST, "macro_rules! providers {}\nproviders! {\n    openai, groq,\n    together,\n}\n"),
            ("crates/gatehouse-providers/src/kinds/groq.rs", "name: \"groq\""),
            (
                "crates/gatehouse-wire/src/a.rs",
                "// groq\nlet x_groq = \"all attempts together\";\nif api == \"groq\" {}",
            ),
            ("crates/gatehouse-wire/src/b.rs", "#[cfg(test)]\nmod tests { const A: &str = \"groq\"; }"),
        ]);
        let lines: Vec<usize> = check(&tree).unwrap().iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
