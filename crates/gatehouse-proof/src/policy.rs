//! Whom to trust: C2SP tlog-policy. <https://c2sp.org/tlog-policy>
//!
//! ```text
//! log <key of the log>
//! witness <name> <key> [address]
//! group <name> any|all|<how many> <names of witnesses and groups…>
//! quorum none|<name>
//! ```

use crate::note::{Note, Scheme, Signed, VerifierKey};
use std::collections::HashMap;
use thiserror::Error;

/// Lines of a policy.
const LINES_MAX: usize = 10_000;

/// Logs, witnesses, and how many of them have to agree.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Keys of logs.
    pub logs: Vec<VerifierKey>,
    /// Witnesses by the names that the policy gives them.
    pub witnesses: Vec<(String, VerifierKey)>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A part of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    /// One that stands before this one.
    Group(usize),
}

#[derive(Clone, Debug)]
struct Group {
    least: usize,
    members: Vec<Member>,
}

/// A line that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the policy: {why}")]
pub struct PolicyError {
    /// Its number, from one.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

// === impl Policy ===

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first line that says nothing.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (mut policy, mut names) = (Self::default(), HashMap::new());
        let mut has_quorum = false;
        for (number, line) in text.lines().enumerate() {
            let wrong = |why: String| PolicyError { line: number + 1, why };
            if number >= LINES_MAX {
                return Err(wrong("is one too many".to_owned()));
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            if has_quorum && words.first() == Some(&"quorum") {
                return Err(wrong("there is a quorum already".to_owned()));
            }
            has_quorum |= words.first() == Some(&"quorum");
            policy.add(&words, &mut names).map_err(wrong)?;
        }
        if !has_quorum && !policy.witnesses.is_empty() {
            let why = "no line says which quorum is needed (quorum none, if none is)".to_owned();
            return Err(PolicyError { line: text.lines().count(), why });
        }
        Ok(policy)
    }

    fn add(&mut self, words: &[&str], names: &mut HashMap<String, Member>) -> Result<(), String> {
        let key = |text: &str| VerifierKey::parse(text).map_err(|error| error.to_string());
        let known = |names: &HashMap<String, Member>, name: &str| {
            names.get(name).copied().ok_or_else(|| format!("nothing before it is called {name:?}"))
        };
        let member = match words {
            ["log", text] | ["log", text, _] => {
                self.logs.push(key(text)?);
                return Ok(());
            }
            ["quorum", "none"] => return Ok(()),
            ["quorum", name] => {
                self.quorum = Some(known(names, name)?);
                return Ok(());
            }
            ["witness", _, text] | ["witness", _, text, _] => {
                let key = key(text)?;
                if key.scheme() != Scheme::Cosignature {
                    return Err("this key is not one for cosignatures".to_owned());
                }
                self.witnesses.push((words.get(1).copied().unwrap_or_default().to_owned(), key));
                Member::Witness(self.witnesses.len() - 1)
            }
            ["group", _, least, members @ ..] if !members.is_empty() => {
                let members = members.iter().map(|name| known(names, name)).collect::<Result<Vec<_>, _>>()?;
                let least = match *least {
                    "any" => 1,
                    "all" => members.len(),
                    number => {
                        number.parse().ok().filter(|least| (1..=members.len()).contains(least)).ok_or_else(
                            || format!("{number:?} is not any, all, or a number up to that of its members"),
                        )?
                    }
                };
                self.groups.push(Group { least, members });
                Member::Group(self.groups.len() - 1)
            }
            _ => return Err("is not log, witness, group or quorum as it should be".to_owned()),
        };
        let name = words.get(1).copied().unwrap_or_default();
        if name == "none" || names.insert(name.to_owned(), member).is_some() {
            return Err(format!("the name {name:?} is taken"));
        }
        Ok(())
    }

    /// One that asks for all of these witnesses; for none, if there are none.
    #[must_use]
    pub fn all_of(witnesses: Vec<VerifierKey>) -> Self {
        let members: Vec<Member> = (0..witnesses.len()).map(Member::Witness).collect();
        let groups = vec![Group { least: members.len(), members }];
        let quorum = (!witnesses.is_empty()).then_some(Member::Group(0));
        let witnesses = witnesses.into_iter().map(|key| (key.name().to_owned(), key)).collect();
        Self { logs: Vec::new(), witnesses, groups, quorum }
    }

    /// Whether as many witnesses as are needed signed a note. True when none are.
    #[must_use]
    pub fn is_satisfied(&self, note: &Note) -> bool {
        self.is_agreed(|key| matches!(key.signed(note), Signed::Yes(_)))
    }

    /// Whether as many witnesses as are needed agree. True when none are.
    #[must_use]
    pub fn is_agreed(&self, agrees: impl Fn(&VerifierKey) -> bool) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let signed: Vec<bool> = self.witnesses.iter().map(|(_, key)| agrees(key)).collect();
        let mut agreed: Vec<bool> = Vec::new();
        let says = |member: &Member, agreed: &[bool]| match *member {
            Member::Witness(at) => signed.get(at).copied().unwrap_or_default(),
            Member::Group(at) => agreed.get(at).copied().unwrap_or_default(),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| says(member, &agreed)).count();
            agreed.push(count >= group.least);
        }
        says(&quorum, &agreed)
    }

    /// Whether witnesses are needed.
    #[must_use]
    pub fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::note::{Note, Scheme, SignerKey};

    fn witness(name: &str, seed: u8) -> SignerKey {
        SignerKey::new(name, Scheme::Cosignature, &[seed; 32]).unwrap()
    }

    #[test]
    fn a_quorum_of_groups_is_counted() {
        let (a, b, c) = (witness("a", 1), witness("b", 2), witness("c", 3));
        let keys = [a.verifier(), b.verifier(), c.verifier()];
        let [ka, kb, kc] = &keys;
        let log = SignerKey::new("log", Scheme::Ed25519, &[9; 32]).unwrap().verifier();
        let policy = format!(
            "# ours\nlog {log}\nwitness A {ka}\nwitness B {kb} https://b.example\n\nwitness C {kc}\n\
             group us any A B\ngroup all 2 us C\nquorum all\n"
        );
        let policy = Policy::parse(&policy).unwrap();
        assert!(policy.needs_witnesses() && policy.logs == [log]);
        let text = "log\n1\nx\n";
        let signed_by = |who: &[&SignerKey]| {
            let lines: String = who.iter().map(|key| key.sign(text, 7)).collect();
            policy.is_satisfied(&Note::parse(format!("{text}\n{lines}").as_bytes()).unwrap())
        };
        assert!(signed_by(&[&a, &c]) && signed_by(&[&b, &c]) && signed_by(&[&c, &b, &a]));
        assert!(!signed_by(&[&a, &b]) && !signed_by(&[&c]) && !signed_by(&[&a]));
    }

    #[test]
    fn lines_that_say_nothing_are_named() {
        let key = witness("a", 1).verifier();
        let cases = [
            ("witness A", 1),
            ("\nquorum nobody", 2),
            ("quorum none\nquorum none", 2),
            (&format!("witness A {key}\nwitness A {key}"), 2),
            (&format!("witness A {key}\ngroup G 2 A\nquorum G"), 2),
            (&format!("witness A {key}\ngroup G any\nquorum G"), 2),
            (&format!("witness none {key}\nquorum none"), 1),
            (&format!("witness A {key}"), 1),
            ("log x", 1),
            ("hello", 1),
        ];
        for (text, line) in cases {
            assert_eq!(Policy::parse(text).unwrap_err().line, line, "{text}");
        }
        let nobody = Policy::parse("quorum none").unwrap();
        assert!(nobody.is_satisfied(&Note::parse("a\n\n— b AAAAAAA=\n".as_bytes()).unwrap()));
    }
}
