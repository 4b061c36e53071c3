//! Whether an account is one of those that the configuration names. With teams in the file, a name that
//! stands for none of them is a slip; without, and where a team lists no apps or an app no use cases, any
//! may be used.

use crate::file::{App, Only, Team};
use crate::nearest::nearest;
use std::collections::BTreeMap;
use std::fmt;

/// A name that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Which of the names: `team`, `app` or `use_case`.
    pub(crate) member: &'static str,
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) meant: Option<String>,
}

/// Finds the first name of an account that stands for nothing.
#[must_use]
pub fn slip(teams: &BTreeMap<String, Team>, account: &Only) -> Option<Slip> {
    if teams.is_empty() {
        return None;
    }
    let lists_none = |team: &Team| team.apps.is_empty();
    // Without a team it may be an app of any of them.
    if account.team.is_none() && teams.values().any(lists_none) {
        return None;
    }
    let apps: Vec<(&String, &App)> = match &account.team {
        Some(name) => match teams.get(name) {
            Some(team) => team.apps.iter().collect(),
            None => {
                let known = teams.keys().map(String::as_str);
                return Some(Slip::new("team", format!("there is no team {name:?}"), nearest(name, known)));
            }
        },
        None => teams.values().flat_map(|team| &team.apps).collect(),
    };
    if apps.is_empty() {
        return None;
    }
    if let Some(app) = &account.app
        && !apps.iter().any(|(name, _)| *name == app)
    {
        let message = match &account.team {
            Some(team) => format!("the team {team:?} has no app {app:?}"),
            None => format!("there is no app {app:?}"),
        };
        return Some(Slip::new("app", message, nearest(app, apps.iter().map(|(name, _)| name.as_str()))));
    }
    // Without an app it may be a use case of any of them.
    let is_meant = |name: &String| account.app.as_ref().is_none_or(|app| app == name);
    let of_name = || apps.iter().filter(|(name, _)| is_meant(name)).map(|(_, app)| app);
    if of_name().any(|app| app.use_cases.is_empty()) {
        return None;
    }
    let known: Vec<&str> = of_name().flat_map(|app| &app.use_cases).map(String::as_str).collect();
    let use_case = account.use_case.as_ref()?;
    if known.contains(&use_case.as_str()) {
        return None;
    }
    let message = match (&account.app, &account.team) {
        (Some(app), _) => format!("{app:?} has no use case {use_case:?}"),
        (None, Some(team)) => format!("no app of {team:?} has a use case {use_case:?}"),
        (None, None) => format!("no app has a use case {use_case:?}"),
    };
    Some(Slip::new("use_case", message, nearest(use_case, known)))
}

// === impl Slip ===

impl Slip {
    /// Which of the names it is: `team`, `app` or `use_case`.
    #[must_use]
    pub fn member(&self) -> &'static str {
        self.member
    }

    /// What is wrong, without a guess at what was meant.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn new(member: &'static str, message: String, meant: Option<String>) -> Self {
        Self { member, message, meant }
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean {meant:?}?"),
            None => Ok(()),
        }
    }
}
