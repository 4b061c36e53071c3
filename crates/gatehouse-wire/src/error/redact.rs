//! Taking credentials out of what a provider says.
//!
//! Providers quote the key that they refuse ("Incorrect API key provided: sk-…"), and name the account
//! that a limit belongs to. Neither is a caller's business. A text is read as runs of characters that
//! tokens are made of; what stands before a run decides together with its look whether it is replaced.

/// What stands for something taken out.
const MARK: &str = "[redacted]";

/// How keys and account names begin.
const PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "rk-", "AIza", "ya29.", "gsk_", "xai-", "pplx-", "csk-", "hf_", "r8_", "fw_",
    "AKIA", "ASIA", "eyJ", "ghp_", "org-", "proj_",
];
/// Behind a known prefix, this many characters are a key even without a digit in them.
const PREFIXED_CHARS_MIN: usize = 16;
/// Behind words about a key, this many characters with a digit or a mask in them are one.
const TOKEN_CHARS_MIN: usize = 8;
/// Words that announce that the next run is the credential itself.
const SCHEMES: &[&str] = &["bearer", "basic"];
/// Names of parameters whose values are credentials.
const SECRET_NAMES: &[&str] = &["key", "token", "secret", "password", "signature", "sig"];

/// What has been read before a run.
#[derive(Default)]
struct Before<'a> {
    /// The run before, trimmed.
    word: &'a str,
    /// The one before that.
    earlier: &'a str,
    /// Whether a key was spoken of.
    about_a_key: bool,
}

/// `text` without what looks like a credential. Running it twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = Before::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (gap, behind) = split(rest, |character| !is_token(character));
        out.push_str(gap);
        let (run, next) = split(behind, is_token);
        let word = run.trim_end_matches(['.', '/']);
        if before.reveals(gap, word) {
            out.push_str(MARK);
            out.push_str(run.get(word.len()..).unwrap_or_default());
        } else {
            out.push_str(run);
        }
        before.read(word);
        rest = next;
    }
    out
}

/// The longest start of `text` whose characters all pass, and the rest.
fn split(text: &str, pass: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|character| !pass(character)).unwrap_or(text.len()))
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '_' | '.' | '*' | '…' | '•' | '+' | '/' | '~')
}

// === impl Before ===

impl<'a> Before<'a> {
    /// Whether `word`, which stands behind `gap`, is a credential.
    fn reveals(&self, gap: &str, word: &str) -> bool {
        if word.is_empty() || word == "redacted" {
            return false;
        }
        let assigned = gap.trim_matches(['"', '\'', ' ']);
        has_prefix(word)
            || (SCHEMES.contains(&self.word.to_ascii_lowercase().as_str()) && odd(word))
            || (assigned == "=" && ends_with_secret_name(self.word))
            || (self.about_a_key && !word.starts_with("//") && (gap_announces(gap) || looks_secret(word)))
    }

    fn read(&mut self, word: &'a str) {
        if word.is_empty() {
            return;
        }
        (self.earlier, self.word) = (self.word, word);
        let (last, earlier) = (self.word.to_ascii_lowercase(), self.earlier.to_ascii_lowercase());
        let spoken = matches!(last.as_str(), "api-key" | "x-api-key" | "api_key" | "apikey" | "credential")
            || (last == "key" && matches!(earlier.as_str(), "api" | "subscription" | "access"))
            || (last == "token" && matches!(earlier.as_str(), "authentication" | "access" | "auth"));
        self.about_a_key |= spoken;
    }
}

/// `: ` right before a run, as in "provided: …".
fn gap_announces(gap: &str) -> bool {
    gap.trim_end_matches(['"', '\'', '`', '(', ' ']).ends_with(':')
}

fn has_prefix(word: &str) -> bool {
    PREFIXES.iter().filter_map(|prefix| word.strip_prefix(prefix)).any(|rest| {
        rest.len() >= PREFIXED_CHARS_MIN || (rest.len() >= 3 && rest.bytes().any(is_digit_or_mask))
    })
}

fn ends_with_secret_name(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|name| lower.ends_with(name))
}

fn looks_secret(word: &str) -> bool {
    let slashes = word.bytes().filter(|byte| *byte == b'/').count();
    word.len() >= TOKEN_CHARS_MIN && slashes < 2 && odd(word)
}

/// Whether no ordinary word looks like this.
fn odd(word: &str) -> bool {
    word.bytes().any(is_digit_or_mask) || word.len() >= 2 * PREFIXED_CHARS_MIN
}

fn is_digit_or_mask(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'*' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::redact;
    use proptest::prelude::*;

    #[test]
    fn keys_are_taken_out_wherever_they_stand() {
        for (said, shown) in [
            (
                "Incorrect API key provided: sk-proj-abc***7Zq. You can find it at https://x.example/keys.",
                "Incorrect API key provided: [redacted]. You can find it at https://x.example/keys.",
            ),
            ("Incorrect API key provided: invalid-key.", "Incorrect API key provided: [redacted]."),
            ("Your api key: ****-key is invalid", "Your api key: [redacted] is invalid"),
            (
                "see https://h.example/v1?key=AIzaSyD-1234_x&alt=sse",
                "see https://h.example/v1?key=[redacted]&alt=sse",
            ),
            ("api_key='0123abcd'", "api_key='[redacted]'"),
            ("sent Authorization: Bearer eyJhbGciOi.J9-_x.sig1", "sent Authorization: Bearer [redacted]"),
            ("API key 9f8e7d6c5b4a is disabled", "API key [redacted] is disabled"),
            ("in organization org-4kD93kfk03 on tokens", "in organization [redacted] on tokens"),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ] {
            assert_eq!(redact(said), shown);
        }
    }

    #[test]
    fn ordinary_messages_stay() {
        for said in [
            "The model `gpt-4o-2024-08-06` does not exist or you do not have access to it.",
            "Invalid 'messages[3]'. Content blocks are expected to be either text or image_url type.",
            "Previous response with id 'resp_0123456789abcdef' not found.",
            "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
            "invalid x-api-key",
            "API key not valid. Please pass a valid API key.",
            "basic usage of the token count: 7",
            "naïve … ünïcode",
            "",
        ] {
            assert_eq!(redact(said), said);
        }
    }

    proptest! {
        /// No part of a key survives, whatever is around it.
        #[test]
        fn a_key_never_survives(before in "[ a-zA-Z:'\"(.,]{0,30}", key in "sk-[a-zA-Z0-9_-]{20,60}", after in "([ ,;:'\")].{0,20})?") {
            let shown = redact(&format!("{before} {key}{after}"));
            prop_assert!(!shown.contains(key.get(3..15).unwrap()), "{}", shown);
        }

        /// Twice is the same as once.
        #[test]
        fn twice_changes_nothing(text in "(api key|Bearer|sk-[a-z0-9]{9}|key=|[a-z0-9*]{1,12}|[ :.'=/]|é){0,20}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
