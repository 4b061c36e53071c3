//! What is watched, and what a reload cannot change.

use super::{Watch, fingerprint, folders, needs_restart, summary};
use crate::settings::Source;
use gatehouse_config::file::Config;
use gatehouse_config::{Fault, Faults};
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::test]
async fn a_replaced_file_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatehouse.yaml");
    std::fs::write(&path, "version: 1\n").unwrap();
    let (tell, mut told) = mpsc::channel(1);
    let mut watch = Watch::new(tell);
    watch.follow(&Source::File(path.clone()));
    std::fs::write(dir.path().join("aside"), "version: 1 # new\n").unwrap();
    std::fs::rename(dir.path().join("aside"), &path).unwrap();
    tokio::time::timeout(Duration::from_secs(30), told.recv()).await.unwrap().unwrap();
}

#[test]
fn the_folders_behind_links_are_watched() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    // As Kubernetes mounts it: file → ..data/file, ..data → a folder that is swapped.
    std::fs::create_dir(root.join("..2026")).unwrap();
    std::fs::write(root.join("..2026/gatehouse.yaml"), "").unwrap();
    std::os::unix::fs::symlink("..2026", root.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/gatehouse.yaml", root.join("gatehouse.yaml")).unwrap();
    let path = root.join("gatehouse.yaml");
    let watched: Vec<_> = folders(&Source::File(path)).into_iter().collect();
    assert_eq!(watched, [root.clone(), root.join("..2026")]);
}

#[test]
fn what_counts_from_the_next_start_is_named() {
    let mut now = Config::default();
    assert!(needs_restart(&Config::default(), &now).is_empty());
    now.listen = "127.0.0.1:1".to_owned();
    now.limits.calls = 1;
    now.limits.body.0 = 1;
    assert_eq!(needs_restart(&Config::default(), &now), ["listen", "limits.calls"]);
}

#[test]
fn a_refusal_names_the_first_fault() {
    let faults = |count| Faults(vec![Fault::of_file("a.yaml", "no good"); count]);
    assert_eq!(summary(&faults(1)), "a.yaml: no good");
    assert_eq!(summary(&faults(3)), "a.yaml: no good (the first of 3 faults)");
}

#[test]
fn documents_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatehouse.yaml");
    let source = Source::File(path.clone());
    let missing = fingerprint(&source);
    std::fs::write(&path, "version: 1\n").unwrap();
    let first = fingerprint(&source);
    std::fs::write(dir.path().join("gatehouse.log"), "something else\n").unwrap();
    assert_eq!(fingerprint(&source), first);
    std::fs::write(&path, "version: 2\n").unwrap();
    assert_ne!(fingerprint(&source), first);
    assert_ne!(missing, first);
}
