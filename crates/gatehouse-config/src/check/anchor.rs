//! Anchors: of one kind each, with what belongs to it.

use super::Report;
use super::address::Url;
use crate::anchors::{Anchor, Method};
use crate::file::Config;
use crate::path::Path;
use crate::unit::Duration;

/// How many anchors there may be.
const ANCHORS_MAX: usize = 16;
/// The shortest time between two rounds: checkpoints are signed once a second.
const EVERY_MIN: Duration = Duration::seconds(1);
/// The longest.
const EVERY_MAX: Duration = Duration::seconds(86_400);

const SHAPE: &str = "is no address of an anchor; write one such as https://anchors.example/gatehouse, without credentials, ? and #";

/// Checks the anchors.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let all = Path::of("record").key("anchors");
    if config.record.anchors.len() > ANCHORS_MAX {
        report.error(&all, "has more than 16 anchors");
    }
    for (number, anchor) in config.record.anchors.iter().enumerate() {
        one(anchor, &all.index(number), report);
    }
}

fn one(anchor: &Anchor, at: &Path, report: &mut Report<'_>) {
    let kinds = [&anchor.witness, &anchor.file, &anchor.url, &anchor.timestamp];
    if kinds.into_iter().flatten().count() != 1 {
        return report.error(at, "an anchor is exactly one of witness, file, url and timestamp");
    }
    match (&anchor.timestamp, &anchor.certificate) {
        (Some(_), None) => {
            report.error(
                &at.key("certificate"),
                "is missing; without it nobody knows whose time stamps to take",
            );
        }
        (None, Some(_)) => report.error(&at.key("certificate"), "belongs to a timestamp"),
        _ => {}
    }
    if let Some(timestamp) = &anchor.timestamp {
        address(timestamp, &at.key("timestamp"), report);
    }
    match (&anchor.witness, &anchor.key) {
        (Some(_), None) => {
            report.error(&at.key("key"), "is missing; without its key nobody knows what a witness signed");
        }
        (None, Some(_)) => report.error(&at.key("key"), "belongs to a witness"),
        _ => {}
    }
    if let Some(witness) = &anchor.witness {
        address(witness, &at.key("witness"), report);
    }
    if let Some(url) = &anchor.url {
        let exposed = address(url, &at.key("url"), report);
        if exposed && anchor.token.is_some() {
            report.warning(&at.key("url"), "the token is sent there unencrypted; https:// would protect it");
        }
    } else if anchor.token.is_some() {
        report.error(&at.key("token"), "belongs to a url");
    } else if anchor.method != Method::Put {
        report.error(&at.key("method"), "belongs to a url");
    }
    if let Some(token) = &anchor.token
        && (token.is_empty() || !token.fits_a_header())
    {
        report.error(&at.key("token"), "is empty, or has control characters in it");
    }
    if anchor.file.as_ref().is_some_and(|file| !std::path::Path::new(file).is_absolute()) {
        report.error(&at.key("file"), "is no whole path; write one that begins with /");
    }
    if anchor.every.is_some_and(|every| !(EVERY_MIN..=EVERY_MAX).contains(&every)) {
        report.error(&at.key("every"), "must be from 1s to 24h");
    }
}

/// Whether others could read along.
fn address(text: &str, at: &Path, report: &mut Report<'_>) -> bool {
    match Url::parse(text) {
        Ok(url) => url.is_exposed(),
        Err(_) => {
            report.error(at, SHAPE);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::KNOWN;
    use crate::parse;

    fn said(anchor: &str) -> String {
        let text = format!("record: {{ anchors: [{anchor}] }}\n");
        let env = |name: &str| (name == "TOKEN").then(|| "t".to_owned());
        match parse(&text, "gatehouse.yaml", &env, &KNOWN) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn anchors_that_can_be_honoured() {
        for good in [
            "{ witness: https://w.example/x, key: w+1+a, every: 30s }",
            "{ file: /mnt/second/checkpoint }",
            "{ url: \"http://127.0.0.1:9/x\", token: \"${TOKEN}\" }",
            "{ timestamp: http://tsa.example/x, certificate: tsa.pem }",
            "{ url: https://hooks.example/gatehouse, method: post, every: 1h }",
        ] {
            assert_eq!(said(good), "", "{good}");
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_where_it_stands() {
        for (bad, says) in [
            ("{ }", "exactly one of"),
            ("{ file: /a, url: https://x.example }", "exactly one of"),
            ("{ witness: https://w.example }", "key: is missing"),
            ("{ file: /a, key: w+1+a }", "belongs to a witness"),
            ("{ file: a }", "no whole path"),
            ("{ file: /a, method: post }", "method: belongs to a url"),
            ("{ file: /a, token: \"${TOKEN}\" }", "token: belongs to a url"),
            ("{ url: https://x.example/?sig=1 }", "no address of an anchor"),
            ("{ url: https://me@x.example/ }", "no address of an anchor"),
            ("{ url: https://x.example/, token: written-out }", "token"),
            ("{ url: http://x.example/, token: \"${TOKEN}\" }", "unencrypted"),
            ("{ file: /a, every: 0s }", "from 1s to 24h"),
            ("{ file: /a, every: 2d }", "from 1s to 24h"),
            ("{ timestamp: https://tsa.example }", "certificate: is missing"),
            ("{ file: /a, certificate: tsa.pem }", "belongs to a timestamp"),
            ("{ timestamp: tsa.example, certificate: tsa.pem }", "no address of an anchor"),
        ] {
            let said = said(bad);
            assert!(said.contains(says), "{bad}: {said}");
        }
        assert!(said(&vec!["{ file: /a }"; 17].join(", ")).contains("more than 16"));
    }
}
