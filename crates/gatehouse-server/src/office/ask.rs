//! What is asked, as far as it can be said without knowing the records.

use super::problem::Problem;
use super::until::Until;
use gatehouse_core::call::CallId;
use gatehouse_identity::admin::Admin;
use std::sync::Arc;

/// What the API can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Who one is oneself.
    Me,
    /// A list of calls.
    Records,
    /// Calls as they end.
    Live,
    /// A copy of records.
    Export,
    /// Everything about one call but what was said.
    Record,
    /// What was said in one call.
    Content,
    /// That the record of one call is in the log.
    Proof,
    /// What was used.
    Usage,
}

/// The parameters of a request, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// A question.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For what.
    pub what: What,
    /// By whom.
    pub by: Arc<Admin>,
    /// About which call, where it is about one.
    pub call: Option<CallId>,
    /// The rest of it.
    pub params: Params,
    /// How long it may take.
    pub until: Until,
}

// === impl What ===

impl What {
    /// Its name in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Me => "me",
            Self::Records => "list",
            Self::Live => "live",
            Self::Export => "export",
            Self::Record => "record",
            Self::Content => "content",
            Self::Proof => "proof",
            Self::Usage => "usage",
        }
    }
}

// === impl Params ===

impl Params {
    /// Reads the part of an address behind the question mark. Those that are not among `known` are refused.
    ///
    /// # Errors
    /// `invalid_request`, with the name of the parameter.
    pub fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let unreadable =
                |_| Problem::invalid(name, format!("{}: not percent-encoded UTF-8", shown(name)));
            let name = decoded(name).map_err(unreadable)?;
            let value = decoded(value).map_err(unreadable)?;
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::invalid(&name, format!("{}: known here: {known}", shown(&name))));
            }
            if all.iter().any(|(other, _)| *other == name) {
                return Err(Problem::invalid(&name, format!("{name}: given twice")));
            }
            if value.is_empty() {
                return Err(Problem::invalid(&name, format!("{name}: empty; leave it out")));
            }
            all.push((name, value));
        }
        Ok(Self(all))
    }

    /// A parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All of them, in their order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same as a text of its own.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(ToOwned::to_owned)
    }

    /// A parameter, read.
    ///
    /// # Errors
    /// `invalid_request`, when it does not read.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let read = self.get(name).map(read).transpose();
        read.map_err(|why| Problem::invalid(name, format!("{name}: {why}")))
    }
}

/// As much of a name from outside as a message repeats.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn decoded(text: &str) -> Result<String, ()> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(())
    };
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn parameters_are_known_once_and_in_utf8() {
        let known = ["team", "since"];
        let read = Params::parse(Some("team=a%20b+c%C3%A9&since=1h"), &known).unwrap();
        assert_eq!((read.get("team"), read.get("since")), (Some("a b cé"), Some("1h")));
        assert_eq!(Params::parse(None, &known).unwrap(), Params::default());
        for (query, at) in [
            ("teams=a", "teams"),
            ("team=a&team=b", "team"),
            ("team=%ff", "team"),
            ("team=%4", "team"),
            ("team=", "team"),
            ("team", "team"),
            ("=a", ""),
        ] {
            let problem = Params::parse(Some(query), &known).unwrap_err();
            assert_eq!((problem.status, problem.parameter.as_deref()), (400, Some(at)), "{query}");
        }
    }
}
