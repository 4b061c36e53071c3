//! Calls for tests, and the index of them.

use crate::filter::Filter;
use crate::index::Index;
use crate::projector::Projector;
use crate::query::CallRow;
use crate::usage::{Dimension, UsageRow};
use gatehouse_audit::{Leaf, Log, Options, Subjects, own_content_key, shard_dir};
use gatehouse_core::call::{CallId, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{Admitted, Cost, CostStatus, Ending, Payload, PayloadRole, Settled, Timing};
use gatehouse_core::usage::{Usage, UsageSource};
use std::path::Path;
use std::sync::Arc;

/// 2026-11-22T19:30:00Z
pub(crate) const AT: u64 = 1_795_375_800_000_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// A UUIDv7 made when the call was accepted.
pub(crate) fn call_at(at: u64, number: u64) -> CallId {
    let random = 0x7000_8000_0000_0000_0000 + u128::from(number);
    CallId::new(uuid::Uuid::from_u128((u128::from(at / 1000) << 80) + random))
}

pub(crate) fn call(number: u64) -> CallId {
    call_at(AT + number * SECOND, number)
}

/// Teams take turns, keys in pairs; every fourth call fails, every fifth has no price.
pub(crate) fn settled(number: u64) -> Settled {
    let priced = number % 5 != 4;
    Settled {
        call: call(number),
        at: AT + number * SECOND,
        outcome: if number % 4 == 3 { Ending::Failed } else { Ending::Settled },
        error: (number % 4 == 3).then_some("upstream_timeout"),
        status: if number % 4 == 3 { 504 } else { 200 },
        key: Some(if number % 4 < 2 { "ghk_a".into() } else { "ghk_b".into() }),
        scope: Scope {
            org: "acme".into(),
            team: if number.is_multiple_of(2) { "support".into() } else { "sales".into() },
            user: "o'hara".into(),
            tags: vec![
                ("$.a[0]'".into(), "odd".into()),
                ("env".into(), if number < 3 { "test" } else { "prod" }.into()),
            ],
            ..Scope::default()
        },
        operation: Some(Operation::Chat),
        surface: Some(Dialect::OpenAiChat),
        stream: true,
        model: Some("smart".into()),
        target: Some("openai/gpt-5.2".into()),
        route: None,
        attempts: vec![],
        guards: vec![],
        dropped: vec![],
        finish: None,
        usage: Usage {
            input_tokens: 100,
            cached_read_tokens: 60,
            output_tokens: 10,
            reasoning_tokens: 4,
            ..Usage::default()
        },
        usage_source: UsageSource::Provider,
        cost: Cost {
            amount: Nanodollars(1000),
            status: if priced { CostStatus::Exact } else { CostStatus::Unpriced },
            price: None,
        },
        timing: Timing { queue_micros: 1, first_byte_micros: 20, total_micros: 300 },
        config: "".into(),
        payload: vec![Payload {
            role: PayloadRole::Request,
            bytes: 4,
            sha256: None,
            text: Some("text".to_owned()),
            redacted: false,
        }],
        trace: None,
    }
}

pub(crate) fn admitted(number: u64) -> Admitted {
    let end = settled(number);
    Admitted {
        call: end.call,
        at: end.at,
        key: end.key.unwrap(),
        scope: end.scope,
        operation: Operation::Chat,
        surface: Dialect::OpenAiChat,
        model: "smart".into(),
        reserved: Nanodollars(7000),
        plan: vec!["openai/gpt-5.2".into()],
    }
}

pub(crate) fn log(dir: &Path) -> Log {
    Log::open(&Options { segment_bytes_max: 20_000, ..Options::new(dir) }).unwrap()
}

pub(crate) fn write(log: &Log, numbers: std::ops::Range<u64>) {
    for number in numbers {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
        log.append(Leaf::Settled(&settled(number))).unwrap();
    }
}

/// A projector that has the keys of a log that is open.
pub(crate) fn projector(dir: &Path, log: &Log) -> Projector {
    let subjects = Arc::clone(log.subjects());
    Projector::open(dir, Box::new(move |_| Ok(Arc::clone(&subjects)))).unwrap()
}

/// A projector that has the keys of the logs in this folder as they are on the disk.
pub(crate) fn apart(dir: &Path) -> Projector {
    let data = dir.to_owned();
    let keys = move |shard: &str| {
        let key = own_content_key(&data).map_err(std::io::Error::other)?;
        Subjects::open(&shard_dir(&data, shard), &key).map(Arc::new)
    };
    Projector::open(dir, Box::new(keys)).unwrap()
}

pub(crate) fn index(dir: &Path) -> Index {
    apart(dir).catch_up().unwrap();
    Index::open(dir).unwrap()
}

pub(crate) fn all(index: &Index) -> Vec<CallRow> {
    index.calls(&Filter::default(), None, 1000).unwrap().rows
}

pub(crate) fn by(index: &Index, words: &[&str], filter: &Filter) -> Vec<UsageRow> {
    let dimensions: Vec<_> = words.iter().map(|word| Dimension::parse(word).unwrap()).collect();
    assert_eq!(dimensions.iter().map(Dimension::name).collect::<Vec<_>>(), words);
    index.usage(&dimensions, filter).unwrap()
}
