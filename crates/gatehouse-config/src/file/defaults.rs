//! What holds where nothing is written.

use super::{
    Admin, Batches, Catalogue, Config, Limits, Ordered, Prices, Record, Responses, Retention, Retry,
    Telemetry, Timeouts,
};
use crate::unit::{Bytes, Duration};
use std::collections::BTreeMap;

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 1,
            listen: "127.0.0.1:8080".to_owned(),
            admin: Admin::default(),
            store: "sqlite".to_owned(),
            providers: Ordered::default(),
            models: Ordered::default(),
            guards: Vec::new(),
            teams: BTreeMap::new(),
            record: Record::default(),
            retention: Retention::default(),
            responses: Responses::default(),
            prices: Prices::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            batches: Batches::default(),
            telemetry: Telemetry::default(),
            catalogue: Catalogue::default(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8081".to_owned(), hosts: Vec::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Bytes(32 << 20),
            upload: Bytes(512 << 20),
            answer: Bytes(64 << 20),
            headers: Bytes(64 << 10),
            connections: 20_000,
            calls: 15_000,
            header_time: Duration::seconds(10),
            body_time: Duration::seconds(60),
            drain: Duration::seconds(600),
            message: Bytes(16 << 20),
            session: Duration::seconds(3600),
            session_idle: Duration::seconds(300),
        }
    }
}

impl Default for Responses {
    fn default() -> Self {
        Self { keep: Duration::seconds(30 * 86_400) }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::seconds(3),
            first_token: Duration::seconds(120),
            idle: Duration::seconds(60),
            total: Duration::seconds(900),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            budget_percent: 20,
            backoff: Duration::millis(100),
            wait_max: Duration::seconds(5),
        }
    }
}
