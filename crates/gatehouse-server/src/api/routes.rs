//! Every path of the API: what is asked for, what it takes to ask, and which parameters there are.

use crate::office::What;
use gatehouse_core::call::CallId;
use gatehouse_identity::admin::Right;

/// A path of the API. All are read with GET.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// Its parts; `{id}` is the id of a record.
    pub(super) path: &'static str,
    /// What is asked for.
    pub(super) what: What,
    /// What it takes.
    pub(super) right: Right,
    /// Which parameters it knows.
    pub(super) params: &'static [&'static str],
}

const FILTERS: &[&str] = &[
    "since",
    "until",
    "org",
    "team",
    "app",
    "use_case",
    "user",
    "key",
    "run",
    "model",
    "provider",
    "guard",
    "outcome",
    "error",
    "status",
    "tag",
    "cost_min",
    "duration_min",
];
const LIST: &[&str] = &[
    "since",
    "until",
    "org",
    "team",
    "app",
    "use_case",
    "user",
    "key",
    "run",
    "model",
    "provider",
    "guard",
    "outcome",
    "error",
    "status",
    "tag",
    "cost_min",
    "duration_min",
    "text",
    "limit",
    "cursor",
];
const SELECTION: &[&str] =
    &["format", "since", "until", "org", "team", "app", "use_case", "user", "key", "run", "model"];
const USAGE: &[&str] = &["by", "since", "until"];

/// All of them; those with fixed parts before those with an id.
pub(super) const ROUTES: &[Route] = &[
    Route { path: "/api/me", what: What::Me, right: Right::Me, params: &[] },
    Route { path: "/api/records", what: What::Records, right: Right::Records, params: LIST },
    Route { path: "/api/records/live", what: What::Live, right: Right::Records, params: FILTERS },
    Route { path: "/api/records/export", what: What::Export, right: Right::Export, params: SELECTION },
    Route { path: "/api/records/{id}", what: What::Record, right: Right::Records, params: &[] },
    Route { path: "/api/records/{id}/content", what: What::Content, right: Right::Content, params: &[] },
    Route { path: "/api/records/{id}/proof", what: What::Proof, right: Right::Records, params: &[] },
    Route { path: "/api/usage", what: What::Usage, right: Right::Usage, params: USAGE },
];

/// The route of a path, and the record that it names. A text that is no id names no record.
pub(super) fn find(path: &str) -> Option<(&'static Route, Option<CallId>)> {
    ROUTES.iter().find_map(|route| matched(route.path, path).map(|call| (route, call)))
}

fn matched(pattern: &str, path: &str) -> Option<Option<CallId>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut call = None;
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(call),
            (Some("{id}"), Some(part)) => {
                call = Some(CallId::parse(part).filter(|id| id.to_string() == part)?);
            }
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FILTERS, LIST, ROUTES, find};
    use crate::api::openapi;
    use crate::office::What;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn paths_are_found_and_nothing_else_is() {
        let id = "0192f0c1-2b3c-7d4e-8f50-112233445566";
        let what = |path: &str| find(path).map(|(route, call)| (route.what, call.is_some()));
        assert_eq!(what("/api/records"), Some((What::Records, false)));
        assert_eq!(what("/api/records/live"), Some((What::Live, false)));
        assert_eq!(what(&format!("/api/records/{id}")), Some((What::Record, true)));
        assert_eq!(what(&format!("/api/records/{id}/proof")), Some((What::Proof, true)));
        let upper = id.to_uppercase();
        for nothing in [
            "/api",
            "/api/",
            "/api/records/",
            "/api/records/x",
            "/api/records/live/content",
            "/API/me",
            &format!("/api/records/{upper}"),
        ] {
            assert_eq!(what(nothing), None, "{nothing}");
        }
    }

    /// Every route is in the document with its parameters, and the other way round.
    #[test]
    fn the_document_says_what_there_is() {
        let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let told: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
        let there: BTreeSet<&str> =
            ROUTES.iter().map(|route| route.path).chain(["/api/openapi.json"]).collect();
        assert_eq!(told, there);
        for route in ROUTES {
            let path = &paths[route.path];
            assert_eq!(
                path.as_object().unwrap().keys().filter(|name| *name != "parameters").collect::<Vec<_>>(),
                ["get"]
            );
            let named = |list: &Value, place: &str| -> Vec<String> {
                let all = list.as_array().into_iter().flatten().map(|one| match one["$ref"].as_str() {
                    Some(at) => {
                        document.pointer(at.trim_start_matches('#')).unwrap_or_else(|| panic!("{at}"))
                    }
                    None => one,
                });
                all.filter(|one| one["in"] == place)
                    .map(|one| one["name"].as_str().unwrap().to_owned())
                    .collect()
            };
            let told: BTreeSet<String> = named(&path["get"]["parameters"], "query").into_iter().collect();
            assert_eq!(told, route.params.iter().map(|name| (*name).to_owned()).collect(), "{}", route.path);
            assert_eq!(named(&path["parameters"], "path").len(), usize::from(route.path.contains("{id}")));
            assert!(path["get"]["responses"]["200"].is_object() && path["get"]["operationId"].is_string());
        }
        assert!(FILTERS.iter().all(|name| LIST.contains(name)));
    }

    /// Whatever the document refers to is in it.
    #[test]
    fn the_document_is_whole() {
        let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
        fn look(document: &Value, at: &Value) {
            match at {
                Value::Object(members) => {
                    if let Some(place) = members.get("$ref").and_then(Value::as_str) {
                        assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
                    }
                    members.values().for_each(|value| look(document, value));
                }
                Value::Array(all) => all.iter().for_each(|value| look(document, value)),
                _ => {}
            }
        }
        look(&document, &document);
    }
}
