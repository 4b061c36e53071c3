//! What coding agents say about themselves: which session a call is part of, and whose it is.
//!
//! They send an id of their own with every call of a session. It is taken as the run where the caller says no
//! other, so that what a whole task cost can be told without any setting. It is only a claim, as every run is.
//!
//! | agent | where |
//! |---|---|
//! | Claude Code 2.1 | `x-claude-code-session-id`; `metadata.user_id`, a JSON text with `session_id` in it |
//! | Claude Code before | `metadata.user_id`: `user_…_account_…_session_…` |
//! | Codex 0.169 | `session-id` beside `originator`; older ones `session_id` or `conversation_id` |
//!
//! Gemini CLI 0.61 sends none. OpenAI's `prompt_cache_key` is not read: Codex puts its session there, others share one
//! key among all their users.

use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use std::borrow::Cow;

/// The longest id of a session that is taken for a run: as long as any run may be. All known ones are UUIDs.
const SESSION_BYTES_MAX: usize = 128;
/// The longest JSON text in `metadata.user_id` that is looked into, in bytes. Claude Code's has some 180.
const USER_ID_BYTES_MAX: usize = 1_024;

/// The session that the agent's own headers name.
///
/// None of these headers is the gateway's, so nothing is refused: one that is not fit to be a run is not read.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<&str> {
    let mut found = None;
    let mut is_codex = false;
    let mut of_codex = None;
    // One look at the names costs less than one look-up for each of them.
    for (name, value) in headers {
        match name.as_str() {
            "x-claude-code-session-id" => found = found.or(Some(value)),
            "session-id" | "session_id" | "conversation_id" => of_codex = of_codex.or(Some(value)),
            "originator" => is_codex = true,
            _ => {}
        }
    }
    // A web application's `session-id` may be a secret of its user, and has no place in a record.
    found.or(of_codex.filter(|_| is_codex)).map(HeaderValue::as_bytes).and_then(fit)
}

/// The body's user, and the session that is written into it: of Claude Code's ids each is a text of several.
pub(crate) fn of_user(user: &str) -> (Cow<'_, str>, Option<String>) {
    let parts = if user.starts_with('{') { of_json(user) } else { of_underscores(user) };
    parts.unwrap_or((Cow::Borrowed(user), None))
}

fn of_json(user: &str) -> Option<(Cow<'_, str>, Option<String>)> {
    if user.len() > USER_ID_BYTES_MAX {
        return None;
    }
    let said: Value = serde_json::from_str(user).ok()?;
    let text = |name| said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let session = fit(text("session_id")?.as_bytes())?.to_owned();
    // Without an account, as behind a gateway, it is the machine that can be told from others.
    let whose = text("account_uuid").or_else(|| text("device_id")).unwrap_or_default().to_owned();
    Some((Cow::Owned(whose), Some(session)))
}

fn of_underscores(user: &str) -> Option<(Cow<'_, str>, Option<String>)> {
    let (whose, session) = user.strip_prefix("user_").and_then(|_| user.rsplit_once("_session_"))?;
    let (_, _) = whose.split_once("_account_")?;
    let session = fit(session.as_bytes())?.to_owned();
    Some((Cow::Borrowed(whose), Some(session)))
}

/// An id as agents make them: letters, digits and a few marks, not too many.
fn fit(id: &[u8]) -> Option<&str> {
    let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let is_fit = !id.is_empty() && id.len() <= SESSION_BYTES_MAX && id.iter().all(is_sane);
    is_fit.then_some(id).and_then(|id| std::str::from_utf8(id).ok())
}

#[cfg(test)]
mod tests {
    use super::{fit, of_headers, of_user};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::{any, proptest};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn each_agent_has_its_header() {
        assert_eq!(of_headers(&headers(&[("x-claude-code-session-id", "s-1")])), Some("s-1"));
        assert_eq!(of_headers(&headers(&[("originator", "codex_exec"), ("session-id", "s-2")])), Some("s-2"));
        assert_eq!(
            of_headers(&headers(&[("session_id", "s-3"), ("originator", "codex_vscode")])),
            Some("s-3")
        );
        let both =
            headers(&[("originator", "c"), ("session-id", "s-2"), ("x-claude-code-session-id", "s-1")]);
        assert_eq!(of_headers(&both), Some("s-1"));
    }

    #[test]
    fn what_may_be_a_web_applications_secret_is_left_alone() {
        assert_eq!(of_headers(&headers(&[("session-id", "s-2")])), None);
        assert_eq!(of_headers(&headers(&[("x-claude-code-session-id", "not an id")])), None);
    }

    #[test]
    fn claude_codes_user_is_taken_apart() {
        let now = r#"{"device_id":"d1","account_uuid":"","session_id":"s-1"}"#;
        assert_eq!(of_user(now), ("d1".into(), Some("s-1".to_owned())));
        let known = r#"{"device_id":"d1","account_uuid":"a1","session_id":"s-1"}"#;
        assert_eq!(of_user(known), ("a1".into(), Some("s-1".to_owned())));
        let before = "user_d1_account_a1_session_s-1";
        assert_eq!(of_user(before), ("user_d1_account_a1".into(), Some("s-1".to_owned())));
    }

    #[test]
    fn other_users_stay_as_they_are() {
        for user in [
            "",
            "u1",
            "user_7",
            "my_session_3",
            r#"{"session_id":7}"#,
            r#"{"id":"x"}"#,
            "{",
            "user_1_session_2",
        ] {
            assert_eq!(of_user(user), (user.into(), None), "{user}");
        }
        let long = format!(r#"{{"session_id":"s","device_id":"{}"}}"#, "d".repeat(super::USER_ID_BYTES_MAX));
        assert_eq!(of_user(&long).1, None);
    }

    proptest! {
        #[test]
        fn a_run_is_short_and_has_no_strange_characters(user in any::<String>(), id in any::<Vec<u8>>()) {
            let _ = of_user(&user);
            if let Some(id) = fit(&id) {
                assert!(id.len() <= super::SESSION_BYTES_MAX && !id.contains(char::is_whitespace) && id.is_ascii());
            }
        }
    }
}
