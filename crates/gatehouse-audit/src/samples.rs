//! Calls to write about, for the tests of this crate.

use crate::options::Options;
use crate::span::{Span, Spans};
use gatehouse_core::call::{CallId, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{
    Admitted, Attempt, Cost, CostStatus, Ending, Payload, PayloadRole, Settled, Timing,
};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_core::verdict::{Decision, Outcome};
use std::path::Path;
use std::time::Duration;

/// A log whose files are not compressed by themselves, and hold any time: calls of a fixed date and leaves of today stand in it side by side.
pub(crate) fn options(dir: &Path) -> Options {
    let ever = Span::of(Duration::MAX, Duration::MAX);
    Options { spans: Spans { texts: ever, leaves: ever }, compresses: false, ..Options::new(dir) }
}

/// 2026-11-22T19:30:00.123456Z
pub(crate) const AT: u64 = 1_795_375_800_123_456;

pub(crate) fn call(number: u128) -> CallId {
    CallId::new(uuid::Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 + number))
}

pub(crate) fn scope() -> Scope {
    Scope {
        org: "acme".into(),
        team: "support".into(),
        app: "helpdesk".into(),
        use_case: "triage".into(),
        user: "u-17".into(),
        run: "run-9".into(),
        step: "3".into(),
        tags: vec![("env".into(), "prod".into()), ("ticket".into(), "T-1 \"urgent\"".into())],
    }
}

pub(crate) fn admitted(number: u128) -> Admitted {
    Admitted {
        call: call(number),
        at: AT,
        key: "ghk_7Yt2".into(),
        scope: scope(),
        operation: Operation::Chat,
        surface: Dialect::OpenAiChat,
        model: "smart".into(),
        reserved: Nanodollars(1_234_567),
        plan: vec!["openai/gpt-5.2".into(), "claude/claude-opus-4-6".into()],
    }
}

pub(crate) fn settled(number: u128) -> Settled {
    Settled {
        call: call(number),
        at: AT,
        outcome: Ending::Settled,
        error: None,
        status: 200,
        key: Some("ghk_7Yt2".into()),
        scope: scope(),
        operation: Some(Operation::Chat),
        surface: Some(Dialect::OpenAiChat),
        stream: true,
        model: Some("smart".into()),
        target: Some("openai/gpt-5.2".into()),
        route: Some("order".into()),
        attempts: vec![Attempt {
            target: "openai/gpt-5.2".into(),
            status: Some(200),
            error: None,
            upstream_id: Some("req_1".into()),
            micros: 91_000,
        }],
        guards: vec![Outcome {
            guard: "project-names".into(),
            decision: Decision::Redact,
            categories: vec!["words".into()],
            findings: 2,
        }],
        dropped: vec!["logit_bias".into()],
        finish: Some("stop".into()),
        usage: Usage {
            input_tokens: 1200,
            cached_read_tokens: 1000,
            output_tokens: 80,
            reasoning_tokens: 20,
            ..Usage::default()
        },
        usage_source: UsageSource::Provider,
        cost: Cost {
            amount: Nanodollars(987_654),
            status: CostStatus::Exact,
            price: Some("openai/gpt-5.2@2026-10-01".into()),
        },
        timing: Timing { queue_micros: 150, first_byte_micros: 91_200, total_micros: 1_400_000 },
        config: "5f".repeat(32).into(),
        payload: vec![
            Payload {
                role: PayloadRole::Request,
                bytes: 5,
                sha256: None,
                text: Some("hello".to_owned()),
                redacted: false,
            },
            Payload {
                role: PayloadRole::Answer,
                bytes: 9,
                sha256: Some([7; 32]),
                text: None,
                redacted: false,
            },
        ],
        trace: Some("0af7651916cd43dd8448eb211c80319c".into()),
    }
}
