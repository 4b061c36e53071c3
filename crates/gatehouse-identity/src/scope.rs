//! On whose account a call is: what the key is bound to, filled in by the caller where it is free.

use crate::session;
use gatehouse_core::call::{Caller, Scope, Tags};
use gatehouse_core::error::{Code, Error};
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest name of a team, user, run … in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// The most labels of a call, headers and metadata together.
pub const TAGS_MAX: usize = 16;
/// The longest value of a label in characters.
pub const TAG_CHARS_MAX: usize = 256;

/// The account of a call.
///
/// `user` and `metadata` come from the body; a header counts more than the body. Where neither key nor header say
/// a run, it is the session that a coding agent names.
///
/// # Errors
/// `not_allowed` when a header names another account than the key is bound to, `invalid_request` for
/// headers that cannot be read or exceed a limit.
pub fn attribute(
    caller: &Caller,
    headers: &HeaderMap,
    user: Option<&str>,
    metadata: &[(String, String)],
) -> Result<Scope, Error> {
    let bound = &caller.bound;
    // Most callers send none of them, and one look is less than one for each.
    let none = HeaderMap::new();
    let ours = headers.keys().any(|name| name.as_str().starts_with("x-gatehouse-"));
    let (all, headers) = (headers, if ours { headers } else { &none });
    let (user, session) = session::of_user(user.unwrap_or_default());
    Ok(Scope {
        org: Arc::clone(&bound.org),
        team: Arc::clone(&bound.team),
        app: Arc::clone(&bound.app),
        use_case: narrow(&bound.use_case, headers, "x-gatehouse-use-case")?,
        user: match narrow(&bound.user, headers, "x-gatehouse-user")? {
            given if given.is_empty() => shortened(&user),
            given => given,
        },
        run: match narrow(&bound.run, headers, "x-gatehouse-run")? {
            given if given.is_empty() => {
                session::of_headers(all).or(session.as_deref()).unwrap_or_default().into()
            }
            given => given,
        },
        step: narrow(&bound.step, headers, "x-gatehouse-step")?,
        tags: tags(&bound.tags, headers, metadata)?,
    })
}

/// What the key is bound to, or what the header says where the key leaves it open.
fn narrow(bound: &Arc<str>, headers: &HeaderMap, name: &str) -> Result<Arc<str>, Error> {
    let Some(given) = header(headers, name)? else { return Ok(Arc::clone(bound)) };
    if given.chars().count() > NAME_CHARS_MAX {
        return Err(Error::invalid(name, format!("{name}: at most {NAME_CHARS_MAX} characters")));
    }
    if !bound.is_empty() && **bound != *given {
        return Err(
            Error::new(Code::NotAllowed, format!("{name}: this key is bound to another value")).at(name)
        );
    }
    Ok(given.into())
}

/// One header as text; the same header twice is refused, as two readers would take different ones.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::invalid(name, format!("{name}: sent more than once")));
    }
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::invalid(name, format!("{name}: not valid UTF-8")))?;
    Ok(Some(text.trim()))
}

fn tags(
    bound: &[(Arc<str>, Arc<str>)],
    headers: &HeaderMap,
    metadata: &[(String, String)],
) -> Result<Tags, Error> {
    const NAME: &str = "x-gatehouse-tags";
    if metadata.is_empty() && headers.is_empty() && bound.is_empty() {
        return Ok(Vec::new());
    }
    let mut all: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for (name, value) in metadata.iter().take(TAGS_MAX) {
        all.insert(shortened(name), shortened_to(value, TAG_CHARS_MAX));
    }
    let given = header(headers, NAME)?.unwrap_or_default();
    for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::invalid(NAME, format!("{NAME}: write name=value,name=value")))?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || value.chars().count() > TAG_CHARS_MAX {
            let limits = format!(
                "{NAME}: names of 1 to {NAME_CHARS_MAX}, values of at most {TAG_CHARS_MAX} characters"
            );
            return Err(Error::invalid(NAME, limits));
        }
        all.insert(name.into(), value.into());
    }
    // The key's own labels are not the caller's to change.
    all.extend(bound.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value))));
    if all.len() > TAGS_MAX + bound.len() {
        return Err(Error::invalid(NAME, format!("{NAME}: at most {TAGS_MAX} labels")));
    }
    Ok(all.into_iter().collect())
}

/// Bodies are not refused for a long label: it is theirs to choose, ours to keep short.
fn shortened(text: &str) -> Arc<str> {
    shortened_to(text, NAME_CHARS_MAX)
}

fn shortened_to(text: &str, chars: usize) -> Arc<str> {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text.get(..end).unwrap_or_default().into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::attribute;
    use gatehouse_core::call::{Caller, Scope};
    use gatehouse_core::error::Code;
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn caller(use_case: &str) -> Caller {
        Caller {
            key_id: "k".into(),
            key_name: "n".into(),
            models: [].into(),
            bound: Scope { team: "support".into(), use_case: use_case.into(), ..Scope::default() },
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_caller_fills_what_is_open_and_cannot_change_what_is_bound() {
        let given =
            headers(&[("x-gatehouse-use-case", "triage"), ("x-gatehouse-tags", "env=prod, ticket=7")]);
        let metadata = [("env".to_owned(), "test".to_owned())];
        let scope = attribute(&caller(""), &given, Some("u1"), &metadata).unwrap();
        assert_eq!((&*scope.team, &*scope.use_case, &*scope.user), ("support", "triage", "u1"));
        assert_eq!(scope.tags, vec![("env".into(), "prod".into()), ("ticket".into(), "7".into())]);
        assert!(attribute(&caller("triage"), &given, None, &[]).is_ok());
        assert_eq!(attribute(&caller("answer"), &given, None, &[]).unwrap_err().code, Code::NotAllowed);
    }

    #[test]
    fn a_coding_agents_session_is_the_run_where_nothing_else_says_one() {
        let user = Some(r#"{"device_id":"d","account_uuid":"","session_id":"s-1"}"#);
        let run = |caller: &Caller, given: &HeaderMap| attribute(caller, given, user, &[]).unwrap().run;
        let agent = headers(&[("x-claude-code-session-id", "s-2")]);
        assert_eq!(&*run(&caller(""), &HeaderMap::new()), "s-1");
        assert_eq!(&*run(&caller(""), &agent), "s-2");
        let said = headers(&[("x-claude-code-session-id", "s-2"), ("x-gatehouse-run", "r")]);
        assert_eq!(&*run(&caller(""), &said), "r");
        let mut bound = caller("");
        bound.bound.run = "k".into();
        assert_eq!(&*run(&bound, &agent), "k");
        bound.bound.user = "u".into();
        assert_eq!(&*attribute(&bound, &agent, user, &[]).unwrap().user, "u");
        assert_eq!(&*attribute(&caller(""), &agent, user, &[]).unwrap().user, "d");
    }

    #[test]
    fn limits_are_named() {
        let many: String = (0..20).map(|n| format!("t{n}=1,")).collect();
        let mut given = HeaderMap::new();
        given.insert("x-gatehouse-tags", HeaderValue::from_str(&many).unwrap());
        assert!(attribute(&caller(""), &given, None, &[]).unwrap_err().message.contains("at most 16"));
        let twice = headers(&[("x-gatehouse-run", "a")]);
        let mut twice = twice;
        twice.append("x-gatehouse-run", HeaderValue::from_static("b"));
        assert!(attribute(&caller(""), &twice, None, &[]).is_err());
    }
}
