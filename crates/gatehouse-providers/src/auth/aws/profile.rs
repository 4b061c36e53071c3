//! Profiles in the shared files `~/.aws/credentials` and `~/.aws/config`.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use super::Written;
use crate::credential::{AwsKeys, Env, Source, set};
use std::collections::HashMap;
use std::sync::Arc;

/// Ways to get keys that a profile may name and that are not built.
const UNBUILT: &[&str] =
    &["role_arn", "source_profile", "credential_process", "sso_session", "sso_start_url", "login_session"];

/// The source of a profile's keys; none when there is no such profile, or it has no keys.
pub(super) fn find(name: &str, env: Env<'_>) -> Result<Option<Arc<dyn Source>>, String> {
    let home = set(env, "HOME").unwrap_or_default();
    let credentials =
        set(env, "AWS_SHARED_CREDENTIALS_FILE").unwrap_or_else(|| format!("{home}/.aws/credentials"));
    let config = set(env, "AWS_CONFIG_FILE").unwrap_or_else(|| format!("{home}/.aws/config"));
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = section(&read(&config), &["profile", name], name == "default");
    // What stands in both counts as it stands in the first file.
    all.extend(section(&read(&credentials), &[name], false));
    let mut value = |key: &str| all.remove(key).filter(|value| !value.is_empty());
    if let (Some(id), Some(secret)) = (value("aws_access_key_id"), value("aws_secret_access_key")) {
        let session = value("aws_session_token").map(Into::into);
        return Ok(Some(Arc::new(Written(AwsKeys { id, secret: secret.into(), session }))));
    }
    match UNBUILT.iter().find(|key| all.contains_key(**key)) {
        Some(key) => {
            Err(format!("the profile {name:?} of AWS gets its keys by {key}, which cannot be used here"))
        }
        None => Ok(None),
    }
}

/// The keys and values of a section `[title]`, or of `[default]`.
fn section(text: &str, title: &[&str], or_default: bool) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut inside = false;
    for line in text.lines() {
        let (indented, line) = (line.starts_with([' ', '\t']), line.trim());
        if let Some(named) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let words: Vec<&str> = named.split_whitespace().collect();
            inside = words == title || (or_default && words == ["default"]);
        } else if inside
            && !indented
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            found.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn a_profile_is_found_under_its_own_title() {
        let text = "[default]\naws_access_key_id = A\n[profile b]\n# no\naws_access_key_id=B\ns3 =\n  region = no\n[profile bc]\nregion = x";
        assert_eq!(section(text, &["profile", "b"], false)["aws_access_key_id"], "B");
        assert!(!section(text, &["profile", "b"], false).contains_key("region"));
        assert_eq!(section(text, &["profile", "default"], true)["aws_access_key_id"], "A");
        assert!(section(text, &["c"], false).is_empty());
    }
}
