//! OCSF 1.8: calls are *API Activity* (class 6003) with the profile `ai_operation`, everything else is *API Activity*
//! without it. What the schema has no place for stands in `unmapped`, as it asks. <https://schema.ocsf.io/1.8.0>

use super::{Gravity, guards};
use gatehouse_audit::{Part, View};
use serde_json::{Map, Value, json};

const VERSION: &str = "1.8.0";
const CATEGORY: u64 = 6;
const CLASS: u64 = 6003;
/// Activities of the class.
const CREATE: u64 = 1;
const OTHER: u64 = 99;

/// A leaf as an event.
pub(super) fn event(view: &View<'_>) -> Value {
    let is_call = view.part() != Part::Other;
    let activity = if is_call { CREATE } else { OTHER };
    let (severity, status) = match Gravity::of(view) {
        Gravity::Fine => (1, 1),
        Gravity::Refused => (3, 2),
        Gravity::Failed => (4, 2),
    };
    let mut event = json!({
        "activity_id": activity, "category_uid": CATEGORY, "class_uid": CLASS, "type_uid": CLASS * 100 + activity,
        "severity_id": severity, "status_id": status, "time": view.at() / 1_000,
        "metadata": metadata(view, is_call), "actor": actor(view), "api": api(view),
        "src_endpoint": { "name": "caller" },
        "unmapped": unmapped(view),
    });
    let Some(members) = event.as_object_mut() else { return event };
    if !view.result.error.is_empty() {
        members.insert("status_code".to_owned(), json!(view.result.error));
    }
    if view.part() == Part::Ending {
        members.insert("start_time".to_owned(), json!(view.accepted_at() / 1_000));
        members.insert("end_time".to_owned(), json!(view.at() / 1_000));
        members.insert("duration".to_owned(), json!(view.timing.total_us / 1_000));
    }
    if is_call {
        let model = if view.model.served.is_empty() { &view.model.requested } else { &view.model.served };
        members.insert(
            "ai_model".to_owned(),
            texts([("name", &**model), ("ai_provider", &*view.model.provider)]),
        );
        let (input, output) = (view.usage.input, view.usage.out);
        let tokens = json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output),
        });
        members.insert("message_context".to_owned(), tokens);
    }
    event
}

fn metadata(view: &View<'_>, is_call: bool) -> Value {
    let uid = if view.id.is_empty() { format!("{}/{}", view.shard, view.seq) } else { view.id.to_string() };
    json!({
        "version": VERSION, "uid": uid, "sequence": view.seq, "log_name": view.shard, "event_code": view.kind,
        "product": { "name": "Gatehouse", "vendor_name": "Gatehouse", "version": env!("CARGO_PKG_VERSION") },
        "profiles": if is_call { vec!["ai_operation"] } else { Vec::new() },
        "correlation_uid": if view.corr.run_id.is_empty() { &view.corr.trace_id } else { &view.corr.run_id },
    })
}

fn actor(view: &View<'_>) -> Value {
    let user = texts([("uid", &*view.subject), ("credential_uid", &*view.actor.credential)]);
    let org = texts([("name", &*view.org.org), ("ou_name", &*view.org.team)]);
    let mut actor = Map::new();
    if let Some(members) = user.as_object().filter(|members| !members.is_empty()) {
        let mut members = members.clone();
        if org.as_object().is_some_and(|org| !org.is_empty()) {
            members.insert("org".to_owned(), org);
        }
        actor.insert("user".to_owned(), Value::Object(members));
    }
    if !view.org.app.is_empty() {
        actor.insert("app_name".to_owned(), json!(view.org.app));
    }
    Value::Object(actor)
}

fn api(view: &View<'_>) -> Value {
    let operation = if view.op.is_empty() { &view.kind } else { &view.op };
    let mut api = json!({ "operation": operation });
    let Some(members) = api.as_object_mut() else { return api };
    if !view.model.provider.is_empty() {
        members.insert("service".to_owned(), json!({ "name": view.model.provider }));
    }
    if !view.id.is_empty() {
        members.insert("request".to_owned(), json!({ "uid": view.id }));
    }
    if view.result.status > 0 {
        let mut response = json!({ "code": view.result.status });
        if let (Some(members), false) = (response.as_object_mut(), view.result.error.is_empty()) {
            members.insert("error".to_owned(), json!(view.result.error));
        }
        members.insert("response".to_owned(), response);
    }
    api
}

/// What the schema has no place for.
fn unmapped(view: &View<'_>) -> Value {
    let mut more = Map::new();
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            more.insert(name.to_owned(), json!(value));
        }
    };
    text("kind", &view.kind);
    text("use_case", &view.org.use_case);
    text("run", &view.corr.run_id);
    text("model_requested", &view.model.requested);
    text("surface", &view.surface);
    text("cost_status", &view.cost.status);
    if let Some(nano) = view.cost.nano {
        more.insert("cost_nano_usd".to_owned(), json!(nano));
    }
    if !view.policy.is_empty() {
        more.insert("guards".to_owned(), json!(guards(view)));
    }
    for (name, raw) in [("tags", view.tags), ("event", view.event)] {
        if let Some(value) = raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()) {
            more.insert(name.to_owned(), value);
        }
    }
    Value::Object(more)
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Value {
    let known = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(known.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::event;
    use crate::export::samples::{DENIED, EVENT, SETTLED};
    use gatehouse_audit::View;
    use serde_json::json;

    #[test]
    fn calls_are_api_activity_with_the_profile_for_ai() {
        let settled = event(&View::parse(SETTLED.as_bytes()).unwrap());
        assert_eq!((&settled["class_uid"], &settled["type_uid"]), (&json!(6003), &json!(600_301)));
        assert_eq!(settled["metadata"]["profiles"], json!(["ai_operation"]));
        assert_eq!(settled["ai_model"], json!({"name": "gpt-5.2", "ai_provider": "openai"}));
        assert_eq!(
            settled["message_context"],
            json!({"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280})
        );
        assert_eq!(settled["time"], json!(1_795_375_801_523_u64));
        assert_eq!((&settled["duration"], &settled["status_id"]), (&json!(1400), &json!(1)));
        assert_eq!(settled["actor"]["user"]["org"], json!({"name": "acme", "ou_name": "support"}));
        assert_eq!(
            (&settled["unmapped"]["guards"], &settled["unmapped"]["cost_nano_usd"]),
            (&json!(["names=redact"]), &json!(987_654))
        );
        let denied = event(&View::parse(DENIED.as_bytes()).unwrap());
        assert_eq!(
            (&denied["severity_id"], &denied["status_id"], &denied["status_code"]),
            (&json!(3), &json!(2), &json!("guard_blocked"))
        );
        let event = event(&View::parse(EVENT.as_bytes()).unwrap());
        assert_eq!((&event["metadata"]["profiles"], &event["type_uid"]), (&json!([]), &json!(600_399)));
        assert_eq!(
            (&event["api"]["operation"], &event["metadata"]["uid"]),
            (&json!("key.created"), &json!("r0/9"))
        );
    }
}
