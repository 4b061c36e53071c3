//! The API for administration: who sees what of the records, and that looking is itself recorded.

use crate::client::{Answer, Ask, Live, raw};
use crate::house::House;
use crate::life::until;
use crate::provider::Provider;
use serde_json::{Value, json};

const KEPT: &str = "record: { content: full }\n";

/// A gateway with a call of each of two teams.
struct Two {
    house: House,
    /// The records of the calls of `red` and of `blue`.
    red: String,
    blue: String,
    _provider: Provider,
}

impl Two {
    async fn start() -> Self {
        let provider = Provider::start().await;
        let house = House::start(&provider.config(KEPT)).await;
        let mut records = Vec::new();
        for team in ["red", "blue"] {
            let (_, key) = house.new_key(&["--team", team]).await;
            records.push(house.call(said(&format!("{team} secret"), team).key(&key)).await.record());
        }
        let blue = records.pop().unwrap();
        let red = records.pop().unwrap();
        Self { house, red, blue, _provider: provider }
    }
}

/// A call of an end user.
fn said(text: &str, user: &str) -> Ask {
    let body = json!({"model": "openai/m", "user": user, "messages": [{"role": "user", "content": text}]});
    Ask::post("/v1/chat/completions", &body)
}

async fn key(house: &House, words: &[&str]) -> String {
    house.new_key(words).await.1
}

async fn get(house: &House, key: &str, path: &str) -> Answer {
    open(house, key, path).await.rest().await
}

async fn open(house: &House, key: &str, path: &str) -> Live {
    Ask::get(path).key(key).open(&house.admin).await
}

/// The records of a list.
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let rows = answer["records"].as_array().unwrap();
    rows.iter().map(|row| row["record"].as_str().unwrap().to_owned()).collect()
}

/// The code of a problem, which must be one.
fn code(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text());
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status);
    (answer.status, problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn no_role_sees_more_than_it_may() {
    let two = Two::start().await;
    let house = &two.house;
    let (red, blue) = (&two.red, &two.blue);
    // May: the API, what was said, copies. Sees: the records of both teams.
    let keys: [(&[&str], [bool; 4]); 8] = [
        (&["--admin"], [true, true, true, true]),
        (&["--role", "admin"], [true, false, true, true]),
        (&["--role", "admin", "--content"], [true, true, true, true]),
        (&["--role", "auditor"], [true, false, true, true]),
        (&["--role", "auditor", "--content"], [true, true, true, true]),
        (&["--role", "team-admin", "--team", "red", "--content"], [true, true, true, false]),
        (&["--role", "viewer"], [true, false, false, true]),
        (&["--role", "viewer", "--team", "red"], [true, false, false, false]),
    ];
    for (words, [reads, content, export, both]) in keys {
        let key = key(house, words).await;
        for (path, allowed) in [
            ("/api/me".to_owned(), reads),
            ("/api/records".to_owned(), reads),
            (format!("/api/records/{red}"), reads),
            (format!("/api/records/{red}/proof"), reads),
            (format!("/api/records/{red}/content"), content),
            ("/api/records?text=secret".to_owned(), content),
            ("/api/records/export".to_owned(), export),
            ("/api/usage".to_owned(), reads),
        ] {
            let answer = get(house, &key, &path).await;
            let expected = if allowed { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{words:?} {path}: {}", answer.text());
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert!(both || !answer.text().contains(blue.as_str()), "{words:?} {path}: {}", answer.text());
        }
        for path in ["", "/proof", "/content"] {
            let answer = get(house, &key, &format!("/api/records/{blue}{path}")).await;
            let allowed = path != "/content" || content;
            let expected = if !allowed {
                403
            } else if both {
                200
            } else {
                404
            };
            assert_eq!(answer.status, expected, "{words:?} {path}: {}", answer.text());
        }
        let seen = if both { vec![blue.clone(), red.clone()] } else { vec![red.clone()] };
        assert_eq!(ids(&get(house, &key, "/api/records").await), seen, "{words:?}");
        if content {
            assert_eq!(ids(&get(house, &key, "/api/records?text=SECRET").await), seen, "{words:?}");
        }
        if export {
            let copy = get(house, &key, "/api/records/export").await.text();
            assert!(copy.contains(red.as_str()) && copy.contains(blue.as_str()) == both, "{words:?} {copy}");
        }
        let other = get(house, &key, "/api/records?team=blue").await;
        assert_eq!(other.status, if both { 200 } else { 403 }, "{words:?}");
        let usage = get(house, &key, "/api/usage?by=team").await.json();
        assert_eq!(usage["rows"].as_array().unwrap().len(), seen.len(), "{words:?} {usage}");
        // What does not exist looks like what is another's.
        let nowhere = get(house, &key, "/api/records/0192f0c1-2b3c-7d4e-8f50-112233445566").await;
        assert_eq!(code(&nowhere), (404, "not_found".to_owned()));
        if !both {
            assert_eq!(nowhere.text(), get(house, &key, &format!("/api/records/{blue}")).await.text());
        }
    }
}

#[tokio::test]
async fn the_two_kinds_of_key_do_not_open_each_others_side() {
    let two = Two::start().await;
    let house = &two.house;
    let (id, viewer) = house.new_key(&["--role", "viewer"]).await;
    assert_eq!(house.call(said("hi", "u").key(&viewer)).await.status, 401);
    assert_eq!(code(&get(house, &house.key, "/api/records").await), (401, "invalid_api_key".to_owned()));
    assert_eq!(get(house, &viewer, "/api/me").await.json()["key"], id.as_str());

    let rotated = house.json(&["key", "rotate", &id]).await;
    let new = rotated["key"].as_str().unwrap();
    assert_eq!(code(&get(house, &viewer, "/api/me").await).0, 401);
    assert_eq!(get(house, new, "/api/me").await.status, 200);
    assert!(house.command(&["key", "revoke", &id]).await.status.success());
    assert_eq!(code(&get(house, new, "/api/me").await).0, 401);
    let listed = house.json(&["key", "list"]).await;
    let one = listed.as_array().unwrap().iter().find(|one| one["id"] == id.as_str()).unwrap();
    assert_eq!((&one["role"], &one["state"]), (&json!("viewer"), &json!("revoked")));
    for refused in [
        &["--role", "auditor", "--team", "red"][..],
        &["--role", "team-admin"],
        &["--role", "viewer", "--content"],
        &["--role", "viewer", "--models", "m"],
        &["--content"],
        &["--role", "root"],
    ] {
        assert!(
            !house.command(&[&["key", "create"], refused].concat()).await.status.success(),
            "{refused:?}"
        );
    }
    assert_eq!(house.in_the_log("\"kind\":\"key.created\""), 4);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_by_a_code() {
    let two = Two::start().await;
    let house = &two.house;
    let key = key(house, &["--role", "admin"]).await;
    let nobody = Ask::get("/api/me").open(&house.admin).await.rest().await;
    assert_eq!(code(&nobody), (401, "invalid_api_key".to_owned()));
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    let mut post = Ask::post("/api/records", &json!({})).key(&key);
    for method in ["POST", "HEAD", "DELETE", "OPTIONS"] {
        post.method = method;
        let answer = post.clone().open(&house.admin).await.rest().await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET"), "{method}");
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    }
    for path in ["/api", "/api/", "/api/nothing", "/api/records/x", "/api/records/../me"] {
        assert_eq!(code(&get(house, &key, path).await), (404, "not_found".to_owned()), "{path}");
    }
    for (query, parameter) in [
        ("teams=a", "teams"),
        ("team=a&team=b", "team"),
        ("since=soon", "since"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("outcome=good", "outcome"),
        ("status=x", "status"),
        ("tag=x", "tag"),
        ("cost_min=x", "cost_min"),
        ("duration_min=x", "duration_min"),
        ("user=%ff", "user"),
    ] {
        let answer = get(house, &key, &format!("/api/records?{query}")).await;
        assert_eq!(code(&answer), (400, "invalid_request".to_owned()), "{query}");
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
    for path in [
        "/api/usage?by=shoe",
        "/api/usage?by=day,day,day,day,day,day,day",
        "/api/records/export?format=csv",
        "/api/me?a=b",
        "/api/records/live?since=x",
    ] {
        assert_eq!(code(&get(house, &key, path).await).0, 400, "{path}");
    }
    // A page whose name points to us is not us.
    for (host, status) in [("evil.example", "421"), ("localhost", "200"), ("[::1]:1", "200")] {
        let request = format!(
            "GET /api/me HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&house.admin, &[request.as_bytes()]).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
    assert_eq!(house.admin("/healthz").await.status, 200);
}

#[tokio::test]
async fn looking_is_itself_recorded() {
    let two = Two::start().await;
    let house = &two.house;
    let (id, key) = house.new_key(&["--role", "auditor", "--content"]).await;
    for _ in 0..5 {
        get(house, &key, "/api/records?user=red&team=red").await;
    }
    let leaf = |kind: &str| format!("\"actor\":{{\"credential\":\"{id}\"}},\"event\":{{{kind}");
    assert_eq!(house.in_the_log("\"kind\":\"signin.succeeded\""), 1);
    assert_eq!(house.in_the_log("\"kind\":\"records.viewed\""), 1);
    assert_eq!(house.in_the_log("\"what\":\"list\""), 1);
    // Of an end user's name only his subject is there.
    assert_eq!(house.in_the_log("\\\"subject\\\":"), 1);
    assert_eq!(house.in_the_log("\\\"user\\\":"), 0);

    for count in 1..=3 {
        let content = get(house, &key, &format!("/api/records/{}/content", two.red)).await;
        assert!(content.text().contains("red secret"), "{}", content.text());
        assert_eq!(house.in_the_log(&leaf(&format!("\"record\":\"{}\"", two.red))), count);
    }
    get(house, &key, "/api/records?text=secret").await;
    assert_eq!(house.in_the_log("\"purpose\":\"search\",\"records\":2"), 1);
    assert_eq!(house.in_the_log("\"kind\":\"content.viewed\""), 4);

    get(house, &key, "/api/records/export?team=red").await;
    until(async || house.in_the_log("\"state\":\"whole\"") == 1).await;
    assert_eq!(house.in_the_log("\"kind\":\"export.created\""), 2);

    for _ in 0..3 {
        get(house, "gha_nobody_wrong", "/api/records").await;
    }
    assert_eq!(house.in_the_log("\"kind\":\"signin.failed\""), 1);
    assert_eq!(house.in_the_log("gha_nobody"), 0);

    // What was only counted is written down at the end.
    house.signal("TERM");
    assert_eq!(house.ended().await.code(), Some(0), "{}", house.stderr());
    assert_eq!(house.in_the_log("\"records\":4,\"requests\":4,\"what\":\"list\""), 1);
    assert_eq!(house.in_the_log("\"attempts\":2"), 1);
    assert!(house.command(&["audit", "verify"]).await.status.success());
}

#[tokio::test]
async fn lists_reports_and_proofs_are_those_of_the_commands() {
    let two = Two::start().await;
    let house = &two.house;
    let key = key(house, &["--role", "auditor", "--content"]).await;
    for number in 0..7 {
        let tagged =
            said("hi", &format!("u{number}")).header("x-gatehouse-tags", &format!("odd={}", number % 2));
        assert_eq!(house.call(tagged).await.status, 200);
    }
    let all = house.records().await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(house, &key, &format!("/api/records?limit=2{cursor}")).await.json();
        paged.extend(page["records"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&get(house, &key, "/api/records?tag=odd%3D1").await).len(), 3);
    assert_eq!(house.json(&["audit", "query", "--tag", "odd=1"]).await["calls"].as_array().unwrap().len(), 3);
    assert_eq!(ids(&get(house, &key, "/api/records?user=u3").await).len(), 1);
    assert_eq!(
        ids(&get(house, &key, "/api/records?status=200&provider=openai&outcome=settled").await).len(),
        9
    );
    assert!(ids(&get(house, &key, "/api/records?duration_min=1h").await).is_empty());

    let usage = get(house, &key, "/api/usage?by=team,user").await.json();
    assert_eq!(usage["rows"], house.json(&["usage", "--by", "team,user"]).await);
    let shown = get(house, &key, &format!("/api/records/{}", two.red)).await.json();
    let told = house.json(&["audit", "show", &two.red]).await;
    assert_eq!((&shown["leaf"], &shown["admitted_leaf"]), (&told["leaf"], &told["admitted_leaf"]));
    let content = get(house, &key, &format!("/api/records/{}/content", two.red)).await.json();
    assert_eq!(content["content"], told["content"]);

    let proof = get(house, &key, shown["proof"].as_str().unwrap()).await;
    let path = house.path("proof");
    std::fs::write(&path, proof.text()).unwrap();
    let verified = house.command(&["audit", "verify", &path]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let copy = get(house, &key, "/api/records/export?team=red").await;
    assert!(!copy.cut && copy.text().lines().any(|line| Some(line) == shown["leaf"].as_str()));
}

#[tokio::test]
async fn calls_are_told_as_they_end_and_the_end_is_told() {
    let two = Two::start().await;
    let house = &two.house;
    let (red, blue) = (key(house, &["--team", "red"]).await, key(house, &["--team", "blue"]).await);
    let all = key(house, &["--role", "admin"]).await;
    let (id, bound) = house.new_key(&["--role", "viewer", "--team", "red"]).await;
    let mut everything = open(house, &all, "/api/records/live").await;
    let mut own = open(house, &bound, "/api/records/live?user=ann").await;
    everything.read_until("event: open").await;
    own.read_until("event: open").await;
    let theirs = house.call(said("hi", "ann").key(&blue)).await.record();
    let ours = house.call(said("hi", "ann").key(&red)).await.record();
    own.read_until(&ours).await;
    everything.read_until(&ours).await;
    everything.read_until(&theirs).await;
    // A secret that is gone takes its streams with it; they see it at the next call.
    assert!(house.command(&["key", "rotate", &id]).await.status.success());
    house.call(said("hi", "bob").key(&blue)).await;
    let told = own.rest().await;
    assert!(
        told.text().contains("event: end") && !told.text().contains(&theirs) && !told.cut,
        "{}",
        told.text()
    );
    assert!(told.events().iter().all(|event| event.get("user").is_none_or(|user| user == "ann")));

    house.signal("TERM");
    let told = everything.rest().await;
    assert!(told.text().trim_end().contains("shutting down") && !told.cut, "{}", told.text());
    assert_eq!(house.ended().await.code(), Some(0), "{}", house.stderr());
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let two = Two::start().await;
    let house = &two.house;
    let document = house.admin("/api/openapi.json").await.json();
    let key = key(house, &["--admin"]).await;
    for (path, asked) in [
        ("/api/me", "/api/me".to_owned()),
        ("/api/records", "/api/records?limit=1".to_owned()),
        ("/api/records/{id}", format!("/api/records/{}", two.red)),
        ("/api/records/{id}/content", format!("/api/records/{}/content", two.red)),
        ("/api/usage", "/api/usage?by=team,day".to_owned()),
    ] {
        let answer = get(house, &key, &asked).await;
        let place =
            format!("/paths/{}/get/responses/200/content/application~1json/schema", path.replace('/', "~1"));
        fits(&document, document.pointer(&place).unwrap(), &answer.json(), path);
    }
    let problem = get(house, &key, "/api/records?a=b").await.json();
    fits(&document, &document["components"]["schemas"]["Problem"], &problem, "problem");
}

/// Whether a value is as a schema says, for what of JSON Schema the document uses.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(place) = schema["$ref"].as_str() {
        return fits(document, document.pointer(&place[1..]).unwrap(), value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(only) => assert_eq!(only, kind, "{at}: {value}"),
        Value::Array(some) => assert!(some.contains(&json!(kind)), "{at}: {value}"),
        _ => {}
    }
    if let Some(all) = schema["enum"].as_array() {
        assert!(all.contains(value), "{at}: {value}");
    }
    if let Some(only) = schema.get("const") {
        assert_eq!(only, value, "{at}");
    }
    if let Some(members) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(name.as_str().unwrap()), "{at}: {name} is missing in {value}");
        }
        for (name, value) in members {
            let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            assert!(known != Some(&json!(false)), "{at}: {name} is not in the document");
            if let Some(known) = known {
                fits(document, known, value, &format!("{at}.{name}"));
            }
        }
    }
    for one in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], one, at);
    }
}
