//! Whole documents: what is read from them, and what is said of those that are refused.

use super::{Loaded, load, parse};
use crate::check::tests::KNOWN;
use crate::fault::{Faults, Severity};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

fn env(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" => Some("sk-secret".to_owned()),
        "EVIL" => Some("x\", api: sim }\nlisten: 0.0.0.0:1 #".to_owned()),
        "EMPTY" => Some(String::new()),
        "YES" => Some("true".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Loaded, Faults> {
    parse(text, "g.yaml", &env, &KNOWN)
}

/// The faults of a document are these.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let found = read(text).expect_err("this is to be refused").to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

/// A document behind a provider that is right; it begins at line 2.
#[track_caller]
fn refused_after_sim(text: &str, expected: &[&str]) {
    refused(&format!("providers: {{ sim: {{ api: sim }} }}\n{text}"), expected);
}

#[test]
fn an_empty_file_is_a_configuration() {
    for text in ["", "# nothing\n", "---\n", "\u{feff}version: 1\n", "providers:\nmodels:\nguards:\nadmin:\n"]
    {
        let loaded = read(text).unwrap();
        assert_eq!(loaded.config.listen, "127.0.0.1:8080");
        // Without providers in the file, those of the environment are used.
        assert!(loaded.config.providers.get("openai").is_some(), "{text:?}");
    }
}

#[test]
fn a_whole_configuration_is_read() {
    let loaded = read(include_str!("../example.yaml")).unwrap();
    let config = loaded.config;
    assert_eq!(config.providers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["openai", "llama", "sim"]);
    let openai = config.providers.get("openai").unwrap();
    assert_eq!(openai.api_key.as_ref().unwrap().0.expose_secret(), "sk-secret");
    assert_eq!(config.models.get("fast").unwrap().targets, ["openai/gpt-5-mini", "sim/small"]);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn every_fault_is_told_at_its_place() {
    refused(
        "listn: 1.2.3.4:1\n\
         providers:\n\
         \x20 claude: { api: antropic, api_key: \"${OPENAI_API_KEY}\" }\n\
         \x20 openai: { api: openai, api_key: \"${UNSET}\" }\n\
         models:\n\
         \x20 smart:\n\
         \x20   prefer: cost\n\
         \x20   targets:\n\
         \x20     - openai/gpt-5.2\n\
         \x20     - cluade/claude-opus\n\
         guards:\n\
         \x20 - { name: a, detect: words, do: blok, words: [x] }\n\
         \x20 - { name: b, detect: words, words: [x] }\n\
         \x20 - { name: c, detect: words, do: flag, words: [\" \"] }\n\
         limits: { calls: many, body: 3 }\n",
        &[
            "g.yaml:1:1: listn: there is no setting \"listn\" here; did you mean \"listen\"?",
            "g.yaml:3:18: providers.claude.api: there is no such kind of provider; there are: openai, anthropic, ollama, sim; \
             did you mean \"anthropic\"?",
            "g.yaml:4:35: providers.openai.api_key: the variable UNSET is not set; set it, or write a default: ${UNSET:-…}",
            "g.yaml:7:13: models.smart.prefer: this version does not have \"cost\" yet and cannot honour it; take it out",
            "g.yaml:10:9: models.smart.targets[1]: there is no provider \"cluade\"; did you mean \"claude\"?",
            "g.yaml:12:35: guards[0].do: expected block, redact, flag or observe, found \"blok\"; did you mean \"block\"?",
            "g.yaml:13:5: guards[1].do: is missing; write \"do: …\"",
            "g.yaml:14:49: guards[2].words[0]: is an empty word",
            "g.yaml:15:18: limits.calls: expected a whole number, found \"many\"",
            "g.yaml:15:30: limits.body: is 3; it may be 1KiB to 1GiB",
        ],
    );
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    refused_after_sim(
        "budgets:\n  - { of: team/x }\nstore: postgres://db\nguards:\n  - { name: pii, detect: pii, do: mask, entities: [email] }\n",
        &[
            "g.yaml:2:1: budgets: this version does not have \"budgets\" yet and cannot honour it; take it out",
            "g.yaml:4:8: store: this version has no other store than \"sqlite\" yet and cannot honour it",
            "g.yaml:6:26: guards[0].detect: this version does not have \"pii\" yet and cannot honour it; take it out",
            "g.yaml:6:35: guards[0].do: this version does not have \"mask\" yet and cannot honour it; take it out",
            "g.yaml:6:41: guards[0].entities: this version does not have \"entities\" yet and cannot honour it; take it out",
        ],
    );
    refused(
        "providers: { s: { api: sim } }\nmodels: { m: { targets: [s/x], prefer: cost } }",
        &[
            "g.yaml:2:40: models.m.prefer: this version does not have \"cost\" yet and cannot honour it; take it out",
        ],
    );
}

#[test]
fn settings_of_other_kinds_are_refused() {
    refused(
        "providers:\n  s: { api: sim, endpoint: \"https://x\", deployments: { a: b } }\n  o: { api: ollama, base_url: \"http://o\", project: p }\n",
        &[
            "g.yaml:2:28: providers.s.endpoint: is no setting of sim; take it out",
            "g.yaml:2:41: providers.s.deployments: is no setting of sim; take it out",
            "g.yaml:3:52: providers.o.project: is no setting of ollama; take it out",
        ],
    );
}

#[test]
fn a_secret_stands_not_in_the_file() {
    for written in
        ["sk-literal", "\"sk-${OPENAI_API_KEY}\"", "\"${UNSET:-sk-literal}\"", "${EMPTY:-sk-literal}"]
    {
        let found = read(&format!("providers:\n  o:\n    api: openai\n    api_key: {written}\n"))
            .unwrap_err()
            .to_string();
        assert!(
            found.starts_with("g.yaml:4:14: providers.o.api_key: a secret does not stand in this file"),
            "{found}"
        );
        assert!(!found.contains("sk-"), "{found}");
    }
    // Nor is it shown when it stands in the wrong place.
    for written in
        ["api_keys: sk-literal", "api_key: [sk-literal]", "timeouts: sk-literal", "apikey: sk-literal"]
    {
        let found =
            read(&format!("providers:\n  o:\n    api: openai\n    {written}\n")).unwrap_err().to_string();
        assert!(!found.contains("sk-"), "{found}");
    }
    let empty = read("providers: { o: { api: openai, api_key: \"${EMPTY}\" } }").unwrap_err().to_string();
    assert!(empty.contains("is empty"), "{empty}");
}

#[test]
fn a_variable_stays_inside_its_value() {
    let loaded =
        read("providers: { o: { api: openai, api_key: \"${OPENAI_API_KEY}\", region: \"${EVIL}\" } }")
            .unwrap();
    assert_eq!(loaded.config.providers.get("o").unwrap().region, env("EVIL"));
    assert_eq!(loaded.config.listen, "127.0.0.1:8080");
    let found = read("listen: \"${OPENAI_API_KEY}\"\nstore: ${OPENAI_API_KEY}\n").unwrap_err().to_string();
    assert!(!found.contains("sk-secret"), "{found}");
}

#[test]
fn words_are_what_the_place_wants_them_to_be() {
    let words = "guards: [{ name: a, detect: words, do: flag, words: [no, 007, 1.50, \"null\"] }]";
    assert_eq!(read(words).unwrap().config.guards[0].words, ["no", "007", "1.50", "null"]);
    let hosted = |word: &str| {
        read(&format!(
            "providers: {{ o: {{ api: ollama, base_url: \"http://localhost\", self_hosted: {word} }} }}"
        ))
    };
    assert!(hosted("true").unwrap().config.providers.get("o").unwrap().self_hosted);
    assert!(hosted("\"${YES}\"").unwrap().config.providers.get("o").unwrap().self_hosted);
    for word in ["yes", "on", "True", "\"true\"", "1"] {
        assert!(hosted(word).unwrap_err().to_string().contains("expected true or false"), "{word}");
    }
    let price = "providers: { sim: { api: sim, prices: { \"*\": { input: 2.50, output: \"10\" } } } }";
    let config = read(price).unwrap().config;
    let price = &config.providers.get("sim").unwrap().prices["*"];
    assert_eq!(
        (price.input.clone().unwrap().0, price.output.clone().unwrap().0),
        ("2.50".to_owned(), "10".to_owned())
    );
}

#[test]
fn what_is_no_plain_document_is_refused() {
    refused("store: sqlite\nstore: sqlite\n", &["g.yaml:2:1: \"store\" stands here twice, first at line 1"]);
    for (text, reason) in [
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: &x [*x]\n", "stands inside of what it refers to"),
        ("<<: { a: 1 }\n", "cannot be merged"),
        ("store: !!str sqlite\n", "tags"),
        ("listen: [\n", "not YAML"),
        ("admin:\n\tlisten: x\n", "tabs"),
        ("providers: { o: { api: openai, api_key: ${OPENAI_API_KEY} } }", "needs quotes"),
        ("[a]: b\n", "a name must be a text"),
        ("just a text", "expected a section"),
        ("- a\n- b\n", "expected a section"),
    ] {
        let found = read(text).unwrap_err().to_string();
        assert!(found.contains(reason), "{text:?}: {found}");
        assert!(found.starts_with("g.yaml:"), "{found}");
    }
}

#[test]
fn a_bomb_of_aliases_does_not_go_off() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", ")));
    }
    assert!(read(&text).unwrap_err().to_string().contains("more than 100000 values"));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(read(&deep).unwrap_err().to_string().contains("nest 32 deep"));
}

#[test]
fn aliases_are_taken() {
    let text = "timeouts: &slow { total: 20m }\nproviders:\n  sim: { api: sim, timeouts: *slow }\n";
    let config = read(text).unwrap().config;
    assert_eq!(config.providers.get("sim").unwrap().timeouts.as_ref().unwrap().total, config.timeouts.total);
}

#[test]
fn a_providers_time_limits_differ_from_the_general_ones_where_they_say_so() {
    let text =
        "timeouts: { idle: 5s, total: 20m }\nproviders:\n  sim: { api: sim, timeouts: { total: 1h } }\n";
    let config = read(text).unwrap().config;
    let own = config.providers.get("sim").unwrap().timeouts.as_ref().unwrap();
    assert_eq!((own.idle.to_string(), own.total.to_string()), ("5s".to_owned(), "1h".to_owned()));
    assert_eq!(config.timeouts.total.to_string(), "20m");
    // A fault in what is inherited is told once.
    refused(
        &text.replace("5s", "soon"),
        &[
            "g.yaml:1:19: timeouts.idle: expected a duration such as 250ms, 30s, 15m, 1h or 90d, found \"soon\"",
        ],
    );
}

#[test]
fn names_refer_to_what_is_there() {
    refused_after_sim(
        "models:\n  a: { targets: [] }\n  b: { targets: [small] }\n\
         teams: { support: { apps: { desk: { use_cases: [triage] } }, models: [aa, sin/x] } }\n\
         guards:\n\
         \x20 - { name: x, detect: words, words: [a], do: flag, only: { team: suport } }\n\
         \x20 - { name: x, detect: words, words: [a], do: flag, only: { team: support, app: desks } }\n\
         \x20 - { name: \"a b\", detect: words, words: [], do: flag, at: [], only: { app: desk, use_case: x } }\n\
         admin: { listen: 127.0.0.1:8080, hosts: [ok.example, no/name] }\n",
        &[
            "g.yaml:3:8: models.a.targets: is missing; name who serves it: [provider/model, …]",
            "g.yaml:4:18: models.b.targets[0]: \"small\" is no target; write provider/model",
            "g.yaml:5:71: teams.support.models[0]: there is no model \"aa\"; did you mean \"a\"?",
            "g.yaml:5:75: teams.support.models[1]: there is no provider \"sin\"; did you mean \"sim\"?",
            "g.yaml:7:67: guards[0].only.team: there is no team \"suport\"; did you mean \"support\"?",
            "g.yaml:8:13: guards[1].name: there is another guardrail \"x\"",
            "g.yaml:8:81: guards[1].only.app: the team \"support\" has no app \"desks\"; did you mean \"desk\"?",
            "g.yaml:9:13: guards[2].name: a guardrail's name has letters, digits, \"-\", \"_\" and \".\" only",
            "g.yaml:9:35: guards[2].words: is empty; write the words to look for",
            "g.yaml:9:56: guards[2].at: is empty: the guardrail would see nothing; name what it looks at, such as [input]",
            "g.yaml:9:93: guards[2].only.use_case: \"desk\" has no use case \"x\"",
            "g.yaml:10:18: admin.listen: is the address of listen too; the two sides need one each",
            "g.yaml:10:54: admin.hosts[1]: is no name of a host; write it without scheme and port, such as gateway.example",
        ],
    );
}

#[test]
fn limits_are_sane() {
    refused_after_sim(
        "timeouts: { connect: 0s, first_token: 2h, total: 1h }\n\
         retry: { attempts: 11, budget_percent: 101 }\nversion: 2\nlimits: { connections: -1, headers: 1KiB }\n",
        &[
            "g.yaml:2:22: timeouts.connect: is 0: nothing could be done in that time",
            "g.yaml:2:39: timeouts.first_token: is 2h, longer than total (1h)",
            "g.yaml:3:20: retry.attempts: is more than 10",
            "g.yaml:3:40: retry.budget_percent: is more than 100",
            "g.yaml:4:10: version: this gateway reads version 1",
            "g.yaml:5:24: limits.connections: expected a whole number, found \"-1\"",
            "g.yaml:5:37: limits.headers: is 1KiB; it may be 8KiB to 1MiB",
        ],
    );
}

#[test]
fn what_one_can_live_with_is_a_warning() {
    let text = "providers:\n  l: { api: ollama, base_url: http://gpu:1/v1, api_key: \"${OPENAI_API_KEY}\", region_evidence: x }\n";
    let warnings = read(text).unwrap().warnings;
    assert!(warnings.iter().all(|fault| fault.severity == Severity::Warning));
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "g.yaml:2:31: warning: providers.l.base_url: the credential is sent there unencrypted; https:// would protect it",
            "g.yaml:2:95: warning: providers.l.region_evidence: proves nothing without a region; write region as well",
        ]
    );
}

#[test]
fn the_version_is_of_the_document_as_written() {
    let text = "providers: { o: { api: openai, api_key: \"${OPENAI_API_KEY}\" } }";
    let other = |name: &str| env(name).map(|value| format!("{value}2"));
    let version = read(text).unwrap().version;
    assert_eq!(version, parse(text, "g.yaml", &other, &KNOWN).unwrap().version);
    assert_ne!(version, read(&format!("{text}\n")).unwrap().version);
    assert_eq!(version.len(), 64);
}

#[test]
fn files_are_read_from_their_folder_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatehouse.yaml");
    std::fs::write(dir.path().join("key"), "sk-file\n").unwrap();
    std::fs::write(&path, "providers: { o: { api: openai, api_key: \"${file:key}\" } }").unwrap();
    let config = load(&path, &env, &KNOWN).unwrap().config;
    assert_eq!(config.providers.get("o").unwrap().api_key.as_ref().unwrap().0.expose_secret(), "sk-file");
    std::fs::write(&path, "#".repeat(super::FILE_BYTES_MAX + 1)).unwrap();
    assert!(load(&path, &env, &KNOWN).unwrap_err().to_string().contains("larger than"));
    assert!(load(&dir.path().join("none"), &env, &KNOWN).unwrap_err().to_string().contains("cannot be read"));
}

/// Documents of the words of the format, in places where they may or may not belong.
fn document() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "providers",
        "models",
        "guards",
        "sim",
        "api",
        "targets",
        "name",
        "detect",
        "words",
        "do",
        "at",
        "only",
        "limits",
        "calls",
        "12",
        "30s",
        "true",
        "~",
        "\"${OPENAI_API_KEY}\"",
        "${UNSET}",
        "&a",
        "*a",
        "!t",
    ]);
    let leaf = word.clone().prop_map(str::to_owned);
    leaf.prop_recursive(5, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((word.clone(), inner), 0..5).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{ {} }}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_at_a_place(text in "\\PC{0,200}") {
        if let Err(faults) = read(&text) {
            prop_assert!(faults.0.iter().all(|fault| fault.line > 0));
            prop_assert!(!faults.0.is_empty());
        }
    }

    #[test]
    fn any_document_is_read_or_refused_at_a_place(text in document()) {
        if let Err(faults) = read(&text) {
            prop_assert!(faults.0.iter().all(|fault| fault.line > 0), "{}", faults);
            prop_assert!(!faults.to_string().contains("sk-secret"));
        }
    }
}
