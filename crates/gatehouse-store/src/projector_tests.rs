//! The index is the log, in another shape.

use super::HOUR_MICROS;
use crate::filter::Filter;
use crate::holds::Selection;
use crate::index::{INDEX_FILE, Index};
use crate::samples::{
    AT, SECOND, admitted, all, apart, by, call, call_at, index, log, projector, settled, write,
};
use crate::usage::{Dimension, UsageRow};
use gatehouse_audit::{Event, EventKind, Leaf, Log, Options, Standing, erased_label};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::CostStatus;
use std::path::Path;

#[test]
fn a_deleted_index_is_built_again_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let mut projector = projector(dir.path(), &log);
    // In pieces, some of which end between the two leaves of a call.
    for number in 0..30 {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
        if number % 3 == 0 {
            projector.catch_up().unwrap();
        }
        log.append(Leaf::Settled(&settled(number))).unwrap();
    }
    log.append(Leaf::Admitted(&admitted(30))).unwrap();
    projector.catch_up().unwrap();
    assert_eq!(projector.catch_up().unwrap(), 0);
    let dump = |dir: &Path| {
        let index = Index::open(dir).unwrap();
        let connection = index.connection();
        let mut dump = String::new();
        for table in ["cursors", "kinds", "callers", "calls", "open_calls", "spent", "sums"] {
            let mut select = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
            let columns = select.column_count();
            let mut rows = select.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    dump.push_str(&format!("{:?} ", row.get_ref(column).unwrap()));
                }
                dump.push('\n');
            }
        }
        dump
    };
    let before = dump(dir.path());
    assert!(before.lines().count() > 1 + 30 + 1 + 2);
    drop(projector);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("{INDEX_FILE}{suffix}")));
    }
    apart(dir.path()).catch_up().unwrap();
    assert_eq!(dump(dir.path()), before);
}

#[test]
fn two_projectors_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let (mut one, mut two) = (projector(dir.path(), &log), projector(dir.path(), &log));
    for number in 0..10 {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
        one.catch_up().unwrap();
        log.append(Leaf::Settled(&settled(number))).unwrap();
        two.catch_up().unwrap();
    }
    one.catch_up().unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((all(&index).len(), index.unfinished(log.subjects()).unwrap().len()), (10, 0));
    assert_eq!(index.spent("ghk_a", 0).unwrap().0 + index.spent("ghk_b", 0).unwrap().0, 8000);
}

#[test]
fn pages_go_from_new_to_old_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    write(&log, 0..25);
    let index = index(dir.path());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = index.calls(&Filter::default(), after.as_ref(), 10).unwrap();
        seen.extend(page.rows.into_iter().map(|row| row.call));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..25).rev().map(|number| call(number).to_string()).collect::<Vec<_>>());
    let row = all(&index).pop().unwrap();
    assert_eq!((row.at, row.ending.as_str(), row.status, row.stream), (AT, "settled", 200, true));
    assert_eq!(
        (row.team.as_str(), row.provider.as_str(), row.served.as_str()),
        ("support", "openai", "gpt-5.2")
    );
    assert_eq!(
        (row.input_tokens, row.cached_tokens, row.output_tokens, row.reasoning_tokens),
        (100, 60, 10, 4)
    );
    assert_eq!((row.cost, row.total_us, row.ttft_us), (Some(Nanodollars(1000)), 300, 20));
}

#[test]
fn filters_mean_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    write(&log, 0..20);
    let index = index(dir.path());
    let count = |filter: Filter| index.calls(&filter, None, 1000).unwrap().rows.len();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(count(Filter { team: text("support"), ..Filter::default() }), 10);
    assert_eq!(count(Filter { team: text("support"), ending: text("failed"), ..Filter::default() }), 0);
    assert_eq!(count(Filter { status: Some(504), ..Filter::default() }), 5);
    assert_eq!(count(Filter { error: text("upstream_timeout"), ..Filter::default() }), 5);
    assert_eq!(count(Filter { user: text("o'hara"), ..Filter::default() }), 20);
    assert_eq!(count(Filter { user: text("' OR '1'='1"), ..Filter::default() }), 0);
    for model in ["smart", "gpt-5.2"] {
        assert_eq!(count(Filter { model: text(model), ..Filter::default() }), 20);
    }
    let (since, until) = (Some(AT + 5 * SECOND), Some(AT + 9 * SECOND));
    assert_eq!(count(Filter { since, until, key: text("ghk_a"), ..Filter::default() }), 2);
}

#[test]
fn sums_add_up_and_unknown_prices_are_counted_apart() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    write(&log, 0..20);
    let index = index(dir.path());
    let everything = Filter::default();
    let total = by(&index, &[], &everything);
    let expected = UsageRow {
        by: vec![],
        calls: 20,
        errors: 5,
        input_tokens: 2000,
        cached_tokens: 1200,
        output_tokens: 200,
        reasoning_tokens: 80,
        cost: Nanodollars(16_000),
        unpriced_calls: 4,
        estimated_calls: 0,
    };
    assert_eq!(total, [expected]);
    let dimensions = [
        "org",
        "team",
        "app",
        "use_case",
        "user",
        "key",
        "model",
        "provider",
        "target",
        "operation",
        "outcome",
        "error",
        "day",
        "hour",
        "tag:env",
    ];
    for word in dimensions {
        let rows = by(&index, &[word], &everything);
        assert_eq!(rows.iter().map(|row| row.calls).sum::<u64>(), 20, "{word}");
        assert_eq!(rows.iter().map(|row| row.cost.0).sum::<u64>(), 16_000, "{word}");
    }
    let first = |words: &[&str]| by(&index, words, &everything).remove(0).by;
    assert_eq!(first(&["day", "hour", "target"]), ["2026-11-22", "2026-11-22T19", "openai/gpt-5.2"]);
    assert_eq!(first(&["tag:$.a[0]'", "tag:none"]), ["odd", ""]);
    let tags = by(&index, &["team", "tag:env"], &everything);
    assert_eq!(tags.len(), 4);
    assert!(by(&index, &[], &Filter { team: Some("nobody".to_owned()), ..Filter::default() }).is_empty());
    assert_eq!(Dimension::parse("tag:"), None);
    assert_eq!(Dimension::parse("colour"), None);
}

#[test]
fn a_call_is_shown_with_both_leaves_and_its_texts() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    write(&log, 0..3);
    log.append(Leaf::Admitted(&admitted(3))).unwrap();
    log.append(Leaf::Settled(&settled(4))).unwrap();
    let index = index(dir.path());
    let shown = index.show(call(1)).unwrap().unwrap();
    let id = call(1).to_string();
    assert!(shown.leaf.unwrap().contains(&id) && shown.admitted.unwrap().contains("call.admitted"));
    let bodies = shown.entry.unwrap().payloads(log.subjects()).unwrap();
    assert_eq!((bodies[0].text.as_deref(), bodies[0].standing), (Some("text"), Standing::Intact));
    let open = index.show(call(3)).unwrap().unwrap();
    assert!(open.leaf.is_none() && open.admitted.is_some());
    let denied = index.show(call(4)).unwrap().unwrap();
    assert!(denied.leaf.is_some() && denied.admitted.is_none());
    assert_eq!(index.show(call(99)).unwrap(), None);
}

#[test]
fn a_name_goes_with_its_key_and_what_was_used_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let mut projector = projector(dir.path(), &log);
    let said = |number: u64, user: &str| {
        let mut end = settled(number);
        (end.scope.user, end.payload) = (user.into(), Vec::new());
        log.append(Leaf::Settled(&end)).unwrap();
    };
    for number in 0..8 {
        said(number, if number < 6 { "anna" } else { "bert" });
    }
    projector.catch_up().unwrap();
    let files = || {
        let names = ["", "-wal"].map(|suffix| dir.path().join(format!("{INDEX_FILE}{suffix}")));
        names.iter().filter_map(|path| std::fs::read(path).ok()).collect::<Vec<_>>().concat()
    };
    let has = |name: &[u8]| files().windows(name.len()).any(|part| part == name);
    assert!(has(b"anna") && has(b"bert"));
    let users = || {
        let index = Index::open(dir.path()).unwrap();
        by(&index, &["user"], &Filter::default())
    };
    let calls = |user: &str| users().iter().find(|row| row.by[0] == user).map_or(0, |row| row.calls);
    let anna = |team: &str| log.subjects().named("acme", team, "", "anna");
    let erase = |team: &str| {
        let erased = Event::new(EventKind::SubjectErased, AT).field("subject", anna(team).to_string());
        log.append(Leaf::Event(&erased)).unwrap();
        assert!(log.subjects().erase(anna(team)).unwrap());
    };
    // Anna of one team, and not she of the other.
    erase("support");
    projector.catch_up().unwrap();
    let label = erased_label(&anna("support").to_string());
    assert_eq!((calls("anna"), calls(&label), calls("bert")), (3, 3, 2));
    // She comes back, and is forgotten again.
    said(10, "anna");
    said(12, "anna");
    projector.catch_up().unwrap();
    assert_eq!((calls("anna"), calls(&label)), (5, 3));
    erase("support");
    erase("sales");
    projector.catch_up().unwrap();
    assert_eq!((calls("anna"), calls(&label), has(b"anna")), (0, 5, false));
    assert!(has(b"bert"));
    // In the log itself it never stood.
    let segments = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().path());
    for path in segments.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(4).any(|part| part == b"bert"), "{}", path.display());
    }
    // Built again, it says the same.
    let before = users();
    drop(projector);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("{INDEX_FILE}{suffix}")));
    }
    let sorted = |mut rows: Vec<UsageRow>| {
        rows.sort_by(|left, right| left.by.cmp(&right.by));
        rows
    };
    apart(dir.path()).catch_up().unwrap();
    assert_eq!(sorted(users()), sorted(before));
}

#[test]
fn a_selection_knows_the_names_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    for (number, user) in ["anna", "bert", "bert"].into_iter().enumerate() {
        let mut end = settled(u64::try_from(number).unwrap());
        end.scope.user = user.into();
        log.append(Leaf::Settled(&end)).unwrap();
    }
    let anna = |team: &str| log.subjects().named("acme", team, "", "anna");
    assert!(log.subjects().erase(anna("support")).unwrap());
    let selection = |user: &str| Selection { user: Some(user.to_owned()), ..Selection::default() };
    let found = gatehouse_audit::read(log.dir(), gatehouse_audit::Cursor::default(), 99).unwrap();
    let covered = |user: &str| {
        let views = found.entries.iter().map(|entry| gatehouse_audit::View::parse(&entry.leaf).unwrap());
        views.filter(|view| selection(user).covers(view, log.subjects())).count()
    };
    assert_eq!((covered("bert"), covered("anna")), (2, 0));
    let recorded =
        Selection { team: Some("sales".to_owned()), org: Some("acme".to_owned()), ..selection("anna") };
    assert_eq!(recorded.recorded(log.subjects())[2], ("subject", anna("sales").to_string()));
}

#[test]
fn what_is_spent_is_exact_from_any_moment_and_holds_reservations() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let mut projector = projector(dir.path(), &log);
    for number in 0..40 {
        let mut end = settled(number);
        end.at = AT + number * HOUR_MICROS / 7;
        end.call = call_at(end.at, number);
        (end.key, end.cost.status) = (Some("k".into()), CostStatus::Exact);
        log.append(Leaf::Settled(&end)).unwrap();
    }
    let mut first = admitted(77);
    (first.key, first.at) = ("k".into(), AT + 100 * HOUR_MICROS);
    first.call = call_at(first.at, 77);
    log.append(Leaf::Admitted(&first)).unwrap();
    projector.catch_up().unwrap();
    let index = Index::open(dir.path()).unwrap();
    for number in 0..40 {
        let since = AT + number * HOUR_MICROS / 7;
        assert_eq!(index.spent("k", since).unwrap(), Nanodollars((40 - number) * 1000 + 7000), "{number}");
    }
    assert_eq!(index.spent("k", AT + 101 * HOUR_MICROS).unwrap(), Nanodollars::ZERO);
    assert_eq!(index.spent("other", 0).unwrap(), Nanodollars::ZERO);
    // The gateway ends it at its next start; the reservation becomes its cost.
    let open = index.unfinished(log.subjects()).unwrap();
    assert_eq!(open.len(), 1);
    log.append(Leaf::Settled(&open[0].settlement(first.at + 9, "".into()))).unwrap();
    projector.catch_up().unwrap();
    assert!(index.unfinished(log.subjects()).unwrap().is_empty());
    assert_eq!(index.spent("k", first.at).unwrap(), first.reserved);
}

/// The time that this thread has been on a processor, where the system tells.
fn cpu() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    std::time::Duration::from_nanos(nanos.unwrap_or_default())
}

/// `cargo test --release -p gatehouse-store -- --ignored --nocapture cost_of_projecting`
#[test]
#[ignore = "prints a figure"]
fn cost_of_projecting() {
    const CALLS: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options::new(dir.path())).unwrap();
    let started = cpu();
    for number in 0..CALLS {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
        let mut end = settled(number);
        end.payload.clear();
        log.append(Leaf::Settled(&end)).unwrap();
    }
    println!("append: {:?} for both leaves of a call", (cpu() - started) / u32::try_from(CALLS).unwrap());
    drop(log);
    let started = cpu();
    drop(Log::open(&Options::new(dir.path())).unwrap());
    println!("open: {:?}", (cpu() - started));
    let started = cpu();
    apart(dir.path()).catch_up().unwrap();
    println!("project: {:?} a call", (cpu() - started) / u32::try_from(CALLS).unwrap());
    let bytes = std::fs::metadata(dir.path().join(INDEX_FILE)).unwrap().len();
    println!("index: {} bytes a call", bytes / CALLS);
}
