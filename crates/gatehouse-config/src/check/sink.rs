//! Who else gets the record.

use super::Report;
use super::address::Url;
use super::provider::{credential, is_name};
use crate::file::{Bucket, Form, Sink};
use crate::path::Path;
use crate::secret::Secret;
use crate::unit::Duration;
use secrecy::ExposeSecret as _;

/// More would not be told apart from a mistake.
const SINKS_MAX: usize = 16;
/// The largest batch.
const BATCH_MAX: u32 = 10_000;
/// Looking more often would be work for nothing: leaves are signed once a second.
const EVERY_MIN: Duration = Duration::millis(100);
/// Who waits longer has no log but an archive.
const EVERY_MAX: Duration = Duration::seconds(86_400);

/// Checks the sinks.
pub(super) fn check(sinks: &[Sink], report: &mut Report<'_>) {
    let all = Path::of("record").key("sinks");
    if sinks.len() > SINKS_MAX {
        report.error(&all, &format!("are more than {SINKS_MAX}"));
    }
    for (index, sink) in sinks.iter().enumerate() {
        let at = all.index(index);
        if !is_name(&sink.name) {
            report.error(&at.key("name"), "must be 1 to 64 letters, digits, -, _ or .");
        } else if sinks.iter().take(index).any(|other| other.name == sink.name) {
            report.error(&at.key("name"), "is that of another sink, too");
        }
        way(sink, &at, report);
        if !(1..=BATCH_MAX).contains(&sink.batch) {
            report.error(&at.key("batch"), &format!("must be 1 to {BATCH_MAX}"));
        }
        if sink.every < EVERY_MIN || sink.every > EVERY_MAX {
            report.error(&at.key("every"), "must be 100ms to 1d");
        }
    }
}

/// How it gets there, and that what stands beside it can be honoured there.
fn way(sink: &Sink, at: &Path, report: &mut Report<'_>) {
    let ways = [sink.webhook.is_some(), sink.s3.is_some(), sink.syslog.is_some(), sink.otlp.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        report.error(at, "needs exactly one of webhook, s3, syslog and otlp");
        return;
    }
    let of_http = sink.webhook.is_some() || sink.otlp.is_some();
    for (name, address) in [("webhook", &sink.webhook), ("otlp", &sink.otlp)] {
        if let Some(address) = address {
            http(address, &at.key(name), report);
        }
    }
    match (&sink.secret, &sink.webhook) {
        (Some(_), None) => report.error(&at.key("secret"), "is for webhook alone"),
        (Some(secret), Some(_)) => signing(secret, &at.key("secret"), report),
        (None, Some(_)) => {
            report.warning(at, "has no secret: its receiver cannot tell who sent what it gets");
        }
        (None, None) => {}
    }
    match &sink.authorization {
        Some(_) if !of_http => report.error(&at.key("authorization"), "is for webhook and otlp alone"),
        Some(secret) => credential(secret, &at.key("authorization"), report),
        None => {}
    }
    if let Some(address) = &sink.syslog {
        syslog(address, &at.key("syslog"), report);
    }
    if let Some(bucket) = &sink.s3 {
        self::bucket(bucket, &at.key("s3"), report);
    }
    match (&sink.otlp, sink.format) {
        (Some(_), Some(format)) if format != Form::Otlp => {
            report.error(&at.key("format"), "can only be otlp: a collector takes nothing else");
        }
        (None, Some(Form::Otlp)) if sink.syslog.is_some() => {
            report.error(&at.key("format"), "cannot be otlp: that is no line of a syslog");
        }
        _ => {}
    }
}

fn http(address: &str, at: &Path, report: &mut Report<'_>) {
    match Url::parse(address) {
        Err("holds a credential; put it into api_key") => {
            report.error(at, "holds a credential; put it into authorization");
        }
        Err(why) if why.starts_with("is no address") => {
            report.error(at, "is no address; write one such as https://siem.example.com/in");
        }
        Err(why) => report.error(at, why),
        Ok(url) if url.is_exposed() => {
            report.warning(at, "is not encrypted: whoever is on the way reads the record along");
        }
        Ok(_) => {}
    }
}

/// Standard Webhooks: base64 of 24 to 64 bytes, and `whsec_` before it.
fn signing(secret: &Secret, at: &Path, report: &mut Report<'_>) {
    let text = secret.0.expose_secret();
    let digits = text.strip_prefix("whsec_").unwrap_or_default().trim_end_matches('=');
    let is_base64 = digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    if !is_base64 || !(32..=86).contains(&digits.len()) || digits.len() % 4 == 1 {
        report.error(at, "must be whsec_ and the base64 of 24 to 64 bytes, as Standard Webhooks has it");
    }
}

fn syslog(address: &str, at: &Path, report: &mut Report<'_>) {
    let shape = "is no address of a syslog receiver; write one such as tls://siem.example.com:6514";
    let Some((scheme, rest)) = address.split_once("://") else { return report.error(at, shape) };
    if !matches!(scheme, "tcp" | "tls") {
        return report.error(at, "must begin with tcp:// or tls://; what is sent by UDP may be lost unheard");
    }
    let has_port = rest.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.ends_with(']') && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let as_http = format!("{}://{rest}", if scheme == "tls" { "https" } else { "http" });
    match Url::parse(&as_http) {
        Ok(url) if has_port && !rest.contains('/') => {
            if url.is_exposed() {
                report.warning(at, "is not encrypted: whoever is on the way reads the record along");
            }
        }
        _ => report.error(at, shape),
    }
}

fn bucket(bucket: &Bucket, at: &Path, report: &mut Report<'_>) {
    if let Some(endpoint) = &bucket.endpoint {
        http(endpoint, &at.key("endpoint"), report);
    }
    let plain = |text: &str, also: &[u8]| {
        text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') || also.contains(&byte)
        })
    };
    for (name, text) in [("region", &bucket.region), ("bucket", &bucket.bucket)] {
        if text.is_empty() {
            report.error(&at.key(name), "is missing");
        } else if !plain(text, b"") {
            report.error(&at.key(name), "may have letters, digits, -, . and _");
        }
    }
    if !plain(&bucket.prefix, b"/") || bucket.prefix.split('/').any(|part| part == "." || part == "..") {
        report.error(&at.key("prefix"), "may have letters, digits, -, ., _ and /");
    }
    for (name, secret) in [("access_key", &bucket.access_key), ("secret_key", &bucket.secret_key)] {
        match secret {
            Some(secret) => credential(secret, &at.key(name), report),
            None => report.error(&at.key(name), "is missing"),
        }
    }
}
