//! What outlives a reload.

use super::Snapshot;
use gatehouse_config::file::{Config, Provider, Timeouts};
use gatehouse_config::ordered::Ordered;
use gatehouse_config::secret::Secret;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

fn config(change: impl FnOnce(&mut Provider, &mut Timeouts)) -> Config {
    let secret = |text: &str| Secret(SecretString::from(text));
    let mut provider = Provider {
        api: "openai".to_owned(),
        api_keys: vec![secret("sk-one"), secret("sk-two")],
        ..Provider::default()
    };
    let mut config = Config::default();
    change(&mut provider, &mut config.timeouts);
    let other = Provider { api: "sim".to_owned(), ..Provider::default() };
    config.providers = Ordered(vec![("changing".to_owned(), provider), ("other".to_owned(), other)]);
    config
}

/// Which of the providers `changing` and `other` stay when the configuration is changed so.
fn kept(change: impl FnOnce(&mut Provider, &mut Timeouts), sim: &str) -> [bool; 2] {
    let before = Snapshot::compile(&config(|_, _| {}), "1", Some("http://127.0.0.1:9"), None).unwrap();
    let after = Snapshot::compile(&config(change), "2", Some(sim), Some(&before)).unwrap();
    let same = |at: usize| Arc::ptr_eq(&before.providers()[at], &after.providers()[at]);
    [same(0), same(1)]
}

#[test]
fn a_provider_that_did_not_change_stays() {
    let sim = "http://127.0.0.1:9";
    assert_eq!(kept(|_, _| {}, sim), [true, true]);
    // Prices belong to the snapshot.
    assert_eq!(kept(|own, _| own.self_hosted = true, sim), [true, true]);
    assert_eq!(kept(|own, _| own.api_keys.reverse(), sim), [false, true]);
    assert_eq!(kept(|own, _| drop(own.api_keys.pop()), sim), [false, true]);
    assert_eq!(kept(|own, _| own.base_url = Some("http://a".to_owned()), sim), [false, true]);
    assert_eq!(kept(|own, _| own.region = Some("eu".to_owned()), sim), [false, true]);
    assert_eq!(kept(|own, _| own.models.push("m".to_owned()), sim), [false, true]);
    assert_eq!(kept(|own, _| own.api = "groq".to_owned(), sim), [false, true]);
    // General limits of time count for all that have none of their own; the simulator has moved.
    assert_eq!(kept(|_, general| general.connect.0 = Duration::from_millis(1), sim), [false, false]);
    assert_eq!(kept(|_, _| {}, "http://127.0.0.1:10"), [true, false]);
}
