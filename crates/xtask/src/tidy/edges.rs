//! Which crate may import which: the star of `ARCHITECTURE.md`. Siblings do not import siblings.

use super::Finding;
use crate::tree::Tree;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::process::Command;

/// What each crate may import of ours. The folder is the crate's name; the binary's is `gateway`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("gatehouse-core", &[]),
    ("gatehouse-wire", &["core"]),
    ("gatehouse-providers", &["core", "wire"]),
    ("gatehouse-identity", &["core"]),
    ("gatehouse-guard", &["core", "wire"]),
    ("gatehouse-route", &["core"]),
    ("gatehouse-ledger", &["core"]),
    // What an auditor reads alone.
    ("gatehouse-proof", &[]),
    ("gatehouse-verify", &["proof"]),
    ("gatehouse-audit", &["core", "proof"]),
    ("gatehouse-config", &["core"]),
    // The projection reads the log: this is the one arrow inside its layer.
    ("gatehouse-store", &["core", "audit"]),
    // The store is known by nobody but the binary.
    (
        "gatehouse-server",
        &["core", "wire", "providers", "identity", "guard", "route", "ledger", "audit", "config"],
    ),
    // Benches measure the hot path by its parts; nobody imports them.
    ("gatehouse-bench", &["core", "wire", "identity", "ledger", "audit"]),
    // The opponent in tests shares no code with what it tests.
    ("gatehouse-sim", &[]),
    (
        "gateway",
        &[
            "core",
            "wire",
            "providers",
            "identity",
            "guard",
            "route",
            "ledger",
            "audit",
            "config",
            "store",
            "proof",
            "verify",
            "sim",
            "server",
        ],
    ),
    ("xtask", &[]),
];
/// What tests may import beside that, in any crate but the two that import nothing of ours.
const IN_TESTS: &str = "sim";
/// Who may know the runtime and HTTP connections. The audit log has a channel of the runtime, no more.
const RUNTIME: &[(&str, &[&str])] = &[
    ("tokio", &["gatehouse-server", "gatehouse-sim", "gatehouse-audit", "gatehouse-bench", "gateway"]),
    ("hyper", &["gatehouse-server", "gatehouse-sim", "gatehouse-bench"]),
    ("hyper-util", &["gatehouse-server", "gatehouse-sim", "gatehouse-bench"]),
    ("rusqlite", &["gatehouse-store"]),
];

/// A dependency as a manifest has it.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    in_tests: bool,
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).current_dir(&tree.root);
    let output = command.output().context("cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(edges(&metadata).iter().filter_map(judge).collect())
}

fn edges(metadata: &Value) -> Vec<Edge> {
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for package in list(metadata, "packages") {
        let from = text(&package, "name");
        // A crate that imports nothing has to be in the table, too.
        all.push(Edge { from: from.clone(), to: String::new(), in_tests: false });
        for dependency in list(&package, "dependencies") {
            let in_tests = text(&dependency, "kind") == "dev";
            all.push(Edge { from: from.clone(), to: text(&dependency, "name"), in_tests });
        }
    }
    all
}

fn judge(edge: &Edge) -> Option<Finding> {
    let Edge { from, to, in_tests } = edge;
    let manifest = format!("crates/{from}/Cargo.toml");
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == from) else {
        let message =
            format!("{from} is not in the table of crates/xtask/src/tidy/edges.rs: say what it may import");
        return to.is_empty().then(|| Finding::new(&manifest, 0, message));
    };
    if let Some((_, who)) = RUNTIME.iter().find(|(name, _)| name == to) {
        let allowed = *in_tests || who.contains(&from.as_str());
        return (!allowed).then(|| Finding::new(&manifest, 0, format!("{from} may not know {to}")));
    }
    let to =
        to.strip_prefix("gatehouse-").or_else(|| ["gateway", "xtask"].into_iter().find(|name| name == to))?;
    let for_tests = *in_tests && to == IN_TESTS && !allowed.is_empty();
    let message = format!("{from} may not import {to}: see ARCHITECTURE.md on who may import whom");
    (!allowed.contains(&to) && !for_tests).then(|| Finding::new(&manifest, 0, message))
}

#[cfg(test)]
mod tests {
    use super::{Edge, judge};

    fn is_allowed(from: &str, to: &str, in_tests: bool) -> bool {
        judge(&Edge { from: from.to_owned(), to: to.to_owned(), in_tests }).is_none()
    }

    #[test]
    fn siblings_do_not_import_siblings() {
        assert!(is_allowed("gatehouse-guard", "gatehouse-wire", false));
        assert!(is_allowed("gatehouse-store", "gatehouse-audit", false));
        assert!(is_allowed("gatehouse-server", "gatehouse-sim", true));
        assert!(is_allowed("gatehouse-wire", "serde_json", true));
        assert!(!is_allowed("gatehouse-guard", "gatehouse-ledger", false));
        assert!(!is_allowed("gatehouse-server", "gatehouse-store", false));
        assert!(!is_allowed("gatehouse-server", "gatehouse-sim", false));
        assert!(!is_allowed("gatehouse-sim", "gatehouse-core", true));
        assert!(!is_allowed("gatehouse-ledger", "tokio", false));
        assert!(!is_allowed("gatehouse-new", "", false));
    }
}
