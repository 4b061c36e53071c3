//! CEF, version 0: a head of seven fields between bars, then `name=value` pairs.
//! <https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/pdfdoc/cef-implementation-standard/cef-implementation-standard.pdf>

use super::{Gravity, guards};
use gatehouse_audit::View;
use std::fmt::Write as _;

/// A leaf as an event.
pub(super) fn event(view: &View<'_>) -> String {
    let severity = match Gravity::of(view) {
        Gravity::Fine => 2,
        Gravity::Refused => 5,
        Gravity::Failed => 7,
    };
    let version = env!("CARGO_PKG_VERSION");
    let name = if view.op.is_empty() { view.kind.to_string() } else { format!("{} {}", view.op, view.kind) };
    let mut out =
        format!("CEF:0|Gatehouse|Gatehouse|{version}|{}|{}|{severity}|", head(&view.kind), head(&name));
    let mut pairs = Pairs { out: &mut out, first: true };
    pairs.add("rt", &(view.at() / 1_000).to_string());
    let id = if view.id.is_empty() { format!("{}/{}", view.shard, view.seq) } else { view.id.to_string() };
    pairs.add("externalId", &id);
    pairs.add("dvchost", &view.shard);
    pairs.add("cn1", &view.seq.to_string());
    pairs.add("cn1Label", "seq");
    pairs.text("suid", &view.subject);
    pairs.text("suser", &view.actor.credential);
    pairs.text("sntdom", &view.org.org);
    pairs.text("sourceServiceName", &view.org.app);
    pairs.text("destinationServiceName", &view.model.provider);
    pairs.text("outcome", &view.result.error);
    pairs.custom("cs1", "team", &view.org.team);
    pairs.custom(
        "cs2",
        "model",
        if view.model.served.is_empty() { &view.model.requested } else { &view.model.served },
    );
    pairs.custom("cs3", "guards", &guards(view).join(","));
    pairs.custom("cs4", "use_case", &view.org.use_case);
    pairs.custom("cs5", "run", &view.corr.run_id);
    if let Some(nano) = view.cost.nano {
        pairs.custom("cs6", "cost_usd", &gatehouse_core::money::Nanodollars(nano).to_string());
    }
    if view.usage.input > 0 || view.usage.out > 0 {
        pairs.add("cn2", &view.usage.input.to_string());
        pairs.add("cn2Label", "input_tokens");
        pairs.add("cn3", &view.usage.out.to_string());
        pairs.add("cn3Label", "output_tokens");
    }
    if let Some(event) = view.event {
        pairs.text("msg", event.get());
    }
    out
}

/// The extension.
struct Pairs<'o> {
    out: &'o mut String,
    first: bool,
}

// === impl Pairs ===

impl Pairs<'_> {
    fn add(&mut self, name: &str, value: &str) {
        let between = if std::mem::take(&mut self.first) { "" } else { " " };
        // Writing to a text does not fail.
        let _ = write!(self.out, "{between}{name}={}", extension(value));
    }

    /// Nothing when there is nothing to say.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.add(name, value);
        }
    }

    fn custom(&mut self, name: &str, label: &str, value: &str) {
        if !value.is_empty() {
            self.add(name, value);
            self.add(&format!("{name}Label"), label);
        }
    }
}

/// A field of the head: bars and backslashes are escaped, and it has one line.
fn head(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A value of the extension: equals signs and backslashes are escaped, lines end as `\n`.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "\\r").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{event, extension, head};
    use crate::export::samples::{DENIED, EVENT, SETTLED};
    use gatehouse_audit::View;

    #[test]
    fn what_would_end_a_field_is_escaped() {
        assert_eq!(head("a|b\\c\nd"), "a\\|b\\\\c d");
        assert_eq!(extension("a=b\\c\nd|e"), "a\\=b\\\\c\\nd|e");
    }

    #[test]
    fn a_leaf_is_one_event() {
        let line = event(&View::parse(SETTLED.as_bytes()).unwrap());
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            line.starts_with(&format!(
                "CEF:0|Gatehouse|Gatehouse|{version}|call.settled|chat call.settled|2|rt=1795375801523 "
            )),
            "{line}"
        );
        for part in [
            " externalId=019a0000-0000-7000-8000-000000000001 ",
            " suid=55555555555555555555555555555555 ",
            " sourceServiceName=help|desk ",
            " cs3=names\\=redact cs3Label=guards ",
            " cn2=1200 cn2Label=input_tokens ",
            " cs6=0.000987654 cs6Label=cost_usd",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let denied = event(&View::parse(DENIED.as_bytes()).unwrap());
        assert!(denied.contains("|5|") && denied.contains(" outcome=guard_blocked "), "{denied}");
        let event = event(&View::parse(EVENT.as_bytes()).unwrap());
        assert!(
            event.contains("|key.created|key.created|2|") && event.ends_with(r#"msg={"key":"ghk_7Yt2"}"#),
            "{event}"
        );
    }
}
