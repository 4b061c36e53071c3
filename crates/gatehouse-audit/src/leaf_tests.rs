//! Leaves are canonical and bounded, and say what they were told.

use super::{
    ATTEMPTS_MAX, CATEGORIES_MAX, DROPPED_MAX, GUARDS_MAX, LEAF_BYTES_MAX, Leaf, PAYLOADS_MAX, TAGS_MAX,
    render,
};
use crate::canonical::INTEGER_MAX;
use crate::commit::{Body, Commitments};
use crate::event::{Event, EventKind, Field};
use crate::samples::{AT, admitted, settled};
use crate::subjects::Subject;
use crate::view::{Part, View};
use gatehouse_core::call::Scope;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{CostStatus, Payload, Settled};
use gatehouse_core::usage::Usage;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// Commitments that are the same each time; texts are kept where the sample has them.
fn commits(leaf: Leaf<'_>) -> Commitments {
    // As long as a sealed name can be, for a name that is as long as one can be.
    let sealed = |scope: &Scope| {
        let letters = if scope.user.len() < 256 { 8 } else { 379 };
        (!scope.user.is_empty()).then(|| "c2VhbGVk".chars().cycle().take(letters).collect())
    };
    let subject = Subject::parse(&"5".repeat(32));
    let settled = match leaf {
        Leaf::Settled(settled) => settled,
        Leaf::Admitted(admitted) => {
            return Commitments { subject, user: sealed(&admitted.scope), bodies: Vec::new() };
        }
        Leaf::Event(_) => return Commitments::default(),
    };
    let body = |payload: &Payload| Body {
        commit: Some([0x11; 32]),
        sealed: payload.text.is_some().then(|| (Vec::new(), [0x22; 32])),
        ..Body::default()
    };
    let bodies = settled.payload.iter().take(PAYLOADS_MAX).map(body).collect();
    Commitments { subject, user: sealed(&settled.scope), bodies }
}

fn rendered(leaf: Leaf<'_>) -> String {
    let mut out = Vec::new();
    let number_at = render(&mut out, leaf, "r0", &commits(leaf));
    out.splice(number_at..number_at, *b"42");
    String::from_utf8(out).unwrap()
}

/// An independent canonical writer: a tree that is sorted and printed.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
            let members = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

fn check_canonical(leaf: &str) {
    let value: Value = serde_json::from_str(leaf).unwrap();
    assert_eq!(canonical(&value), leaf);
    assert!(leaf.len() <= LEAF_BYTES_MAX, "{} bytes", leaf.len());
}

#[test]
fn the_envelope_is_the_documented_one() {
    let expected = concat!(
        r#"{"actor":{"credential":"ghk_7Yt2"},"config_sha256":"5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f","#,
        r#""corr":{"run_id":"run-9","step":"3","trace_id":"0af7651916cd43dd8448eb211c80319c"},"#,
        r#""cost":{"currency":"USD","nano":987654,"price_id":"openai/gpt-5.2@2026-10-01","status":"exact"},"#,
        r#""dropped":["logit_bias"],"id":"019a0000-0000-7000-8000-000000000001","kind":"call.settled","#,
        r#""model":{"provider":"openai","requested":"smart","served":"gpt-5.2"},"op":"chat","#,
        r#""org":{"app":"helpdesk","org":"acme","team":"support","use_case":"triage","user_sealed":"c2VhbGVk"},"#,
        r#""payload":[{"bytes":5,"commit":"1111111111111111111111111111111111111111111111111111111111111111","role":"request","#,
        r#""sealed_sha256":"2222222222222222222222222222222222222222222222222222222222222222"},"#,
        r#"{"bytes":9,"commit":"1111111111111111111111111111111111111111111111111111111111111111","role":"answer"}],"#,
        r#""policy":[{"categories":["words"],"findings":2,"id":"project-names","outcome":"redact"}],"#,
        r#""result":{"finish":"stop","status":200},"#,
        r#""route":{"attempts":[{"latency_us":91000,"status":200,"target":"openai/gpt-5.2","upstream_id":"req_1"}],"rule":"order"},"#,
        r#""seq":42,"shard":"r0","stream":true,"subject":"55555555555555555555555555555555","surface":"openai.chat","#,
        r#""tags":{"env":"prod","ticket":"T-1 \"urgent\""},"#,
        r#""timing":{"queue_us":150,"total_us":1400000,"ttft_us":91200},"ts":"2026-11-22T19:30:01.523456Z","#,
        r#""usage":{"in":1200,"in_cached":1000,"out":80,"reasoning":20,"source":"provider"},"v":1}"#,
    );
    assert_eq!(rendered(Leaf::Settled(&settled(1))), expected);
    check_canonical(expected);
}

#[test]
fn the_first_leaf_names_plan_and_reservation() {
    let text = rendered(Leaf::Admitted(&admitted(1)));
    check_canonical(&text);
    let view = View::parse(text.as_bytes()).unwrap();
    assert_eq!((view.part(), view.at(), view.cost.reserved_nano), (Part::Admitted, AT, 1_234_567));
    assert_eq!(view.route.plan, ["openai/gpt-5.2", "claude/claude-opus-4-6"]);
}

#[test]
fn a_view_reads_what_was_written() {
    let text = rendered(Leaf::Settled(&settled(1)));
    let view = View::parse(text.as_bytes()).unwrap();
    assert_eq!((view.part(), view.accepted_at(), view.seq), (Part::Ending, AT, 42));
    assert_eq!((view.org.team.as_ref(), view.model.provider.as_ref()), ("support", "openai"));
    assert_eq!((view.usage.input, view.usage.in_cached, view.cost.nano), (1200, 1000, Some(987_654)));
    assert_eq!(view.tags.unwrap().get(), r#"{"env":"prod","ticket":"T-1 \"urgent\""}"#);
}

#[test]
fn an_unknown_price_has_no_amount() {
    let mut call = settled(1);
    call.cost.status = CostStatus::Unpriced;
    call.cost.price = None;
    assert!(rendered(Leaf::Settled(&call)).contains(r#""cost":{"status":"unpriced"},"#));
}

#[test]
fn what_is_unknown_is_absent() {
    let mut call = settled(1);
    (call.key, call.operation, call.surface, call.model) = (None, None, None, None);
    (call.target, call.route, call.finish, call.trace) = (None, None, None, None);
    call.scope = Scope::default();
    (call.attempts, call.guards, call.dropped, call.payload) = (vec![], vec![], vec![], vec![]);
    let text = rendered(Leaf::Settled(&call));
    check_canonical(&text);
    for name in
        ["actor", "op", "surface", "model", "org", "route", "corr", "tags", "payload", "policy", "null"]
    {
        assert!(!text.contains(&format!("\"{name}\"")), "{name} in {text}");
    }
}

/// As much of everything as can be counted.
fn fullest() -> Usage {
    let n = u64::MAX;
    Usage {
        input_tokens: n,
        unbilled_input_tokens: n,
        cached_read_tokens: n,
        cache_write_tokens: n,
        cache_write_long_tokens: n,
        audio_input_tokens: n,
        image_input_tokens: n,
        output_tokens: n,
        unbilled_output_tokens: n,
        reasoning_tokens: n,
        audio_output_tokens: n,
        image_output_tokens: n,
        searches: n,
        images: n,
        audio_millis: n,
        characters: n,
        search_units: n,
    }
}

#[test]
fn the_largest_leaf_fits_and_says_what_was_cut() {
    let long: Arc<str> = "\u{1}\"x".repeat(1000).into();
    let tags =
        |prefix: &str| (0..40).map(|n| (format!("{prefix}{n:02}").into(), long.clone())).collect::<Vec<_>>();
    let mut call = settled(1);
    call.scope.tags = tags(&"t".repeat(62));
    call.scope.tags.push(("u".repeat(65).into(), "named too long".into()));
    for text in [
        &mut call.scope.org,
        &mut call.scope.team,
        &mut call.scope.app,
        &mut call.scope.use_case,
        &mut call.scope.user,
        &mut call.scope.run,
        &mut call.scope.step,
        &mut call.config,
    ] {
        *text = long.clone();
    }
    let target: Arc<str> = format!("{long}/{long}").into();
    (call.key, call.model, call.route, call.finish) =
        (Some(long.clone()), Some(long.clone()), Some(long.clone()), Some(long.clone()));
    (call.trace, call.cost.price, call.target) =
        (Some(long.clone()), Some(long.clone()), Some(target.clone()));
    call.cost.amount = Nanodollars(u64::MAX);
    call.error = Some("a_code_that_is_as_long_as_the_longest_code_could_ever_be_and_longer");
    let mut attempt = call.attempts[0].clone();
    (attempt.target, attempt.upstream_id, attempt.error) = (target, Some(long.clone()), call.error);
    attempt.micros = u64::MAX;
    call.attempts = vec![attempt; 100];
    let mut guard = call.guards[0].clone();
    (guard.guard, guard.categories, guard.findings) = (long.clone(), vec![long.clone(); 50], u32::MAX);
    (call.guards, call.dropped) = (vec![guard; 50], vec![long.clone(); 50]);
    call.payload = vec![call.payload[0].clone(); 9];
    let n = u64::MAX;
    call.usage = fullest();
    (call.timing.queue_micros, call.timing.first_byte_micros, call.timing.total_micros) = (n, n, n);
    let text = rendered(Leaf::Settled(&call));
    check_canonical(&text);
    let value: Value = serde_json::from_str(&text).unwrap();
    let kept = |pointer: &str| match value.pointer(pointer).unwrap() {
        Value::Array(list) => list.len(),
        Value::Object(members) => members.len(),
        other => panic!("{other}"),
    };
    assert_eq!(kept("/route/attempts"), ATTEMPTS_MAX);
    assert_eq!(kept("/policy"), GUARDS_MAX);
    assert_eq!(kept("/policy/0/categories"), CATEGORIES_MAX);
    assert_eq!(kept("/dropped"), DROPPED_MAX);
    assert_eq!(kept("/payload"), PAYLOADS_MAX);
    assert_eq!(kept("/tags"), TAGS_MAX);
    assert_eq!(value["cut"].to_string(), r#"{"attempts":84,"dropped":34,"payload":5,"policy":34,"tags":25}"#);
    assert_eq!(value["usage"]["in"], INTEGER_MAX);
}

#[test]
fn the_largest_event_fits() {
    let long = "\n".repeat(2000);
    let mut event = Event::new(EventKind::ConfigChanged, AT).by(long.as_str());
    for number in 0..60 {
        let list = Field::Texts(vec![long.as_str().into(); 60]);
        event =
            event.field(format!("{number:064}"), if number % 2 == 0 { list } else { long.clone().into() });
    }
    check_canonical(&rendered(Leaf::Event(&event)));
}

#[test]
fn fields_of_events_are_sorted() {
    let event =
        Event::new(EventKind::KeyCreated, AT).by("admin").field("team", "support").field("budget_nano", 5);
    assert_eq!(
        rendered(Leaf::Event(&event)),
        r#"{"actor":{"credential":"admin"},"event":{"budget_nano":5,"team":"support"},"kind":"key.created","seq":42,"shard":"r0","ts":"2026-11-22T19:30:00.123456Z","v":1}"#
    );
}

fn any_settled() -> impl Strategy<Value = Settled> {
    let texts = proptest::collection::vec(any::<String>(), 14);
    let tags = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..20);
    (texts, tags, any::<[u64; 6]>(), any::<bool>()).prop_map(|(texts, tags, numbers, flag)| {
        let text = |at: usize| Arc::<str>::from(texts[at].as_str());
        let maybe = |at: usize| (flag || at.is_multiple_of(2)).then(|| text(at));
        let mut call = settled(u128::from(numbers[0]));
        call.scope.tags =
            tags.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
        (call.scope.org, call.scope.team, call.scope.user, call.scope.run) =
            (text(0), text(1), text(2), text(3));
        (call.key, call.model, call.target, call.route) = (maybe(4), maybe(5), maybe(6), maybe(7));
        (call.finish, call.trace, call.config, call.cost.price) = (maybe(8), maybe(9), text(10), maybe(11));
        (call.attempts[0].target, call.guards[0].categories) = (text(12), vec![text(13), text(0)]);
        (call.at, call.timing.total_micros, call.usage.input_tokens) = (numbers[1], numbers[2], numbers[3]);
        (call.cost.amount, call.payload[0].bytes, call.stream) = (Nanodollars(numbers[4]), numbers[5], flag);
        call
    })
}

proptest! {
    /// Whatever is said, the leaf is canonical and reads back.
    #[test]
    fn every_leaf_is_canonical(call in any_settled()) {
        let text = rendered(Leaf::Settled(&call));
        check_canonical(&text);
        let view = View::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(view.usage.input, call.usage.input_tokens.min(INTEGER_MAX));
        if call.scope.team.len() < 40 {
            prop_assert_eq!(view.org.team.as_ref(), call.scope.team.as_ref());
        }
    }
}

/// The time that this thread has been on a processor, where the system tells.
fn cpu() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    std::time::Duration::from_nanos(nanos.unwrap_or_default())
}

/// `cargo test --release -p gatehouse-audit -- --ignored --nocapture cost_of_rendering`
#[test]
#[ignore = "prints a figure"]
fn cost_of_rendering() {
    const ROUNDS: u32 = 500_000;
    let (first, last, mut out) = (admitted(1), settled(1), Vec::new());
    for (name, leaf) in [("admitted", Leaf::Admitted(&first)), ("settled", Leaf::Settled(&last))] {
        let commits = commits(leaf);
        let started = cpu();
        for _ in 0..ROUNDS {
            out.clear();
            render(&mut out, std::hint::black_box(leaf), "r0", &commits);
            std::hint::black_box(&out);
        }
        println!("{name}: {:?} a leaf of {} bytes", (cpu() - started) / ROUNDS, out.len());
    }
}
