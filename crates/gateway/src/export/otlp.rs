//! OpenTelemetry logs, in the JSON of OTLP: the leaf as the body, what one searches by as attributes, by the semantic
//! conventions for generative AI where these have a name. <https://opentelemetry.io/docs/specs/otlp/>

use super::{Gravity, guards};
use gatehouse_audit::View;
use serde_json::{Value, json};

/// A leaf as a log record.
pub(super) fn record(leaf: &[u8], view: &View<'_>) -> Value {
    let (number, text) = match Gravity::of(view) {
        Gravity::Fine => (9, "INFO"),
        Gravity::Refused => (13, "WARN"),
        Gravity::Failed => (17, "ERROR"),
    };
    let nanos = (view.at().saturating_mul(1_000)).to_string();
    let mut record = json!({
        "timeUnixNano": nanos, "observedTimeUnixNano": nanos, "severityNumber": number, "severityText": text,
        "eventName": format!("gatehouse.{}", view.kind),
        "body": { "stringValue": String::from_utf8_lossy(leaf) }, "attributes": attributes(view),
    });
    if let (Some(members), 32) = (record.as_object_mut(), view.corr.trace_id.len()) {
        members.insert("traceId".to_owned(), json!(view.corr.trace_id));
    }
    record
}

/// Records as what a collector takes.
pub(super) fn request(records: &[Value]) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [text("service.name", "gatehouse"), text("service.version", env!("CARGO_PKG_VERSION"))] },
        "scopeLogs": [{ "scope": { "name": "gatehouse.audit" }, "logRecords": records }],
    }] })
}

fn attributes(view: &View<'_>) -> Vec<Value> {
    let texts = [
        ("gatehouse.record", &*view.id),
        ("gatehouse.shard", &*view.shard),
        ("gatehouse.org", &*view.org.org),
        ("gatehouse.team", &*view.org.team),
        ("gatehouse.app", &*view.org.app),
        ("gatehouse.use_case", &*view.org.use_case),
        ("gatehouse.key", &*view.actor.credential),
        ("gatehouse.run", &*view.corr.run_id),
        ("user.id", &*view.subject),
        ("gen_ai.operation.name", &*view.op),
        ("gen_ai.provider.name", &*view.model.provider),
        ("gen_ai.request.model", &*view.model.requested),
        ("gen_ai.response.model", &*view.model.served),
        ("error.type", &*view.result.error),
    ];
    let numbers = [
        ("gatehouse.seq", Some(view.seq)),
        ("gen_ai.usage.input_tokens", Some(view.usage.input).filter(|count| *count > 0)),
        ("gen_ai.usage.output_tokens", Some(view.usage.out).filter(|count| *count > 0)),
        ("gatehouse.cost.nano_usd", view.cost.nano),
        ("http.response.status_code", Some(u64::from(view.result.status)).filter(|status| *status > 0)),
    ];
    let texts =
        texts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| text(name, value));
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some(number(name, value?)));
    let mut all: Vec<Value> = texts.chain(numbers).collect();
    if !view.policy.is_empty() {
        let values: Vec<Value> = guards(view).iter().map(|said| json!({ "stringValue": said })).collect();
        all.push(json!({ "key": "gatehouse.guards", "value": { "arrayValue": { "values": values } } }));
    }
    all
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// Whole numbers are texts in the JSON of OTLP.
fn number(name: &str, value: u64) -> Value {
    json!({ "key": name, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::{record, request};
    use crate::export::samples::{DENIED, SETTLED};
    use gatehouse_audit::View;
    use serde_json::{Value, json};

    fn attribute<'a>(record: &'a Value, name: &str) -> &'a Value {
        let all = record["attributes"].as_array().unwrap();
        &all.iter().find(|one| one["key"] == name).unwrap_or_else(|| panic!("{name}: {record:#}"))["value"]
    }

    #[test]
    fn a_leaf_is_a_log_record() {
        let settled = record(SETTLED.as_bytes(), &View::parse(SETTLED.as_bytes()).unwrap());
        assert_eq!(settled["timeUnixNano"], json!("1795375801523456000"));
        assert_eq!(settled["body"]["stringValue"], json!(SETTLED));
        assert_eq!(settled["traceId"], json!("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(attribute(&settled, "gen_ai.usage.input_tokens"), &json!({"intValue": "1200"}));
        assert_eq!(
            attribute(&settled, "gatehouse.guards")["arrayValue"]["values"][0],
            json!({"stringValue": "names=redact"})
        );
        let denied = record(DENIED.as_bytes(), &View::parse(DENIED.as_bytes()).unwrap());
        assert_eq!(
            (&denied["severityText"], &denied["eventName"]),
            (&json!("WARN"), &json!("gatehouse.call.denied"))
        );
        assert_eq!(attribute(&denied, "error.type"), &json!({"stringValue": "guard_blocked"}));
        let sent = request(&[settled, denied]);
        assert_eq!(sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().len(), 2);
    }
}
