//! Rust as text: comments and literals blanked out, so that a plain search finds code and nothing else.
//!
//! Good enough to find words, items and braces; it does not understand Rust, and does not have to.

/// What becomes of string and character literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// They stay.
    Kept,
    /// Only their lines stay.
    Blanked,
}

/// What a piece of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Code,
    Comment,
    Literal,
}

/// The code of a source, line for line, without its comments.
#[must_use]
pub fn code(text: &str, literals: Literals) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, piece) = first(rest);
        let (token, tail) = rest.split_at(length);
        match piece {
            Piece::Code => out.push_str(token),
            Piece::Literal if literals == Literals::Kept => out.push_str(token),
            Piece::Comment | Piece::Literal => blank(token, &mut out),
        }
        rest = tail;
    }
    out
}

/// Code (see [`code`]) without what is compiled for tests only.
#[must_use]
pub fn without_tests(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(TEST) {
        let (before, from) = rest.split_at(at);
        let (item, after) = from.split_at(TEST.len() + item_end(from.get(TEST.len()..).unwrap_or_default()));
        out.push_str(before);
        blank(item, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The length of the item at the beginning of `code`: to its semicolon, or to its closing brace.
#[must_use]
pub fn item_end(code: &str) -> usize {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => braces += 1,
            '}' if braces <= 1 => return at + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Where `word` stands in `text` as a word of its own, as byte offsets.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |character: Option<char>| character.is_some_and(is_word);
    text.match_indices(word).filter_map(move |(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
        (!inside(before) && !inside(after)).then_some(at)
    })
}

/// The line of a byte offset, counted from 1.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// The name at the beginning of `text`; empty when there is none.
#[must_use]
pub fn name(text: &str) -> &str {
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn blank(token: &str, out: &mut String) {
    out.extend(token.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
}

// === pieces ===

/// The first piece of `rest`, which is not empty: how long it is and what it is.
fn first(rest: &str) -> (usize, Piece) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Piece::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Piece::Comment);
    }
    if let Some(length) = raw_string(rest) {
        return (length, Piece::Literal);
    }
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
    match rest.get(prefix..).unwrap_or_default() {
        quoted if quoted.starts_with('"') && prefix <= 1 => {
            (prefix + until_quote(quoted, '"'), Piece::Literal)
        }
        quoted if quoted.starts_with('\'') && prefix <= 1 => character(quoted, prefix),
        _ => (name(rest).len().max(rest.chars().next().map_or(1, char::len_utf8)), Piece::Code),
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let quoted = behind.trim_start_matches('#');
    let hashes = behind.len() - quoted.len();
    let inner = quoted.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let open = rest.len() - inner.len();
    Some(inner.find(&end).map_or(rest.len(), |at| open + at + end.len()))
}

/// The length of a literal that opens with `quote`.
fn until_quote(quoted: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in quoted.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            other if other == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    quoted.len()
}

/// A character, or the tick of a lifetime.
fn character(quoted: &str, prefix: usize) -> (usize, Piece) {
    let mut characters = quoted.chars().skip(1);
    let (second, third) = (characters.next(), characters.next());
    if second == Some('\\') || third == Some('\'') {
        (prefix + until_quote(quoted, '\''), Piece::Literal)
    } else {
        (prefix + 1, Piece::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::{Literals, code, item_end, without_tests, words};

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text = "a(\"x\\\"// no\"); // y\nb('\\'', 'c', r#\"raw \" {\"#, b\"z\"); /* q /* r */\n */ fn f<'a>() {}";
        let code = code(text, Literals::Blanked);
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(code.split_whitespace().collect::<String>(), "a();b(,,,);fnf<'a>(){}");
    }

    #[test]
    fn literals_may_stay() {
        assert_eq!(code("f(\"groq\") // groq", Literals::Kept).trim_end(), "f(\"groq\")");
    }

    #[test]
    fn tests_are_taken_out() {
        let kept = without_tests("use a;\n#[cfg(test)]\nmod tests { fn f() { {} } }\nuse b;");
        assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "b;"]);
    }

    #[test]
    fn items_end_at_their_semicolon_or_brace() {
        assert_eq!(item_end("fn f(a: [u8; 2]) { {} } rest"), 23);
        assert_eq!(item_end("use a; rest"), 6);
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(words("unsafe_code unsafe { xunsafe }", "unsafe").collect::<Vec<_>>(), [12]);
    }
}
