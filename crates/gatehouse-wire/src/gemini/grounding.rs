//! Citations: `groundingMetadata`, which stands beside the parts of a candidate and counts in bytes.

use super::config::extension;
use super::member::{each, get, text, whole};
use crate::chat::{Block, Citation, Citations, Weight, chars};
use crate::json::{Node, Out, Raw};
use gatehouse_core::content::Dialect;
use std::ops::Range;

/// The member of a candidate.
const MEMBER: &str = "groundingMetadata";
/// What a chunk may be.
const KINDS: [&str; 3] = ["web", "retrievedContext", "maps"];

/// How many citations of an answer are translated.
const CITATIONS_MAX: usize = 256;
/// How much of their sources' texts, all together.
const CITED_BYTES_MAX: usize = 1 << 20;
/// In a longer text nobody looks for what is cited: each citation is a way through it.
pub(super) const SAID_BYTES_MAX: usize = 1 << 20;

/// What a candidate cites of the text `said`, as the block behind it. `None` when it cites nothing.
pub(super) fn block(candidate: Node<'_>, said: &str) -> Option<Block> {
    let metadata = get(candidate, MEMBER)?;
    let sources: Vec<Citation> = each(get(metadata, "groundingChunks")).map(source).collect();
    if sources.is_empty() {
        return None;
    }
    let mut used = vec![false; sources.len()];
    let mut all: Vec<Citation> = Vec::new();
    let mut room = CITED_BYTES_MAX;
    // A support names each of its sources once; a small answer could name a large source a million times.
    for support in each(get(metadata, "groundingSupports")).take(CITATIONS_MAX) {
        let span = get(support, "segment").and_then(|segment| span_of(segment, said));
        for at in each(get(support, "groundingChunkIndices")).filter_map(whole).take(CITATIONS_MAX) {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let (Some(source), Some(used)) = (sources.get(at), used.get_mut(at)) else { continue };
            let left = room.checked_sub(length(source)).filter(|_| all.len() < CITATIONS_MAX);
            if let Some(left) = left {
                room = left;
                *used = true;
                all.push(Citation { span: span.clone(), ..source.clone() });
            }
        }
    }
    let unused = sources.into_iter().zip(used).filter(|(_, used)| !used);
    all.extend(unused.map(|(source, _)| source));
    all.truncate(CITATIONS_MAX);
    Some(Block::Citations(Citations { all, own: extension("", MEMBER, metadata, Weight::Hint) }))
}

fn source(chunk: Node<'_>) -> Citation {
    let Some(inner) = KINDS.into_iter().find_map(|kind| get(chunk, kind)) else { return Citation::default() };
    let of = |name: &str| text(inner, name).filter(|text| !text.is_empty());
    Citation { url: of("uri"), title: of("title"), quote: of("text"), span: None }
}

fn length(source: &Citation) -> usize {
    [&source.url, &source.title, &source.quote].into_iter().flatten().map(String::len).sum()
}

/// A segment in characters of `said`. Where its offsets do not fit (they may count from a part), its text
/// is looked for.
fn span_of(segment: Node<'_>, said: &str) -> Option<Range<u64>> {
    let offset = |name: &str| get(segment, name).and_then(whole).and_then(|at| usize::try_from(at).ok());
    let (start, end) = (offset("startIndex").unwrap_or_default(), offset("endIndex").unwrap_or_default());
    let words = text(segment, "text").filter(|words| !words.is_empty());
    if said.len() > SAID_BYTES_MAX {
        return None;
    }
    let fits = said.get(start..end).filter(|found| words.as_deref().is_none_or(|words| words == *found));
    let (start, found) = match (fits, &words) {
        (Some(found), _) => (start, found),
        (None, Some(words)) => {
            let start = said.find(words.as_str())?;
            (start, said.get(start..)?.get(..words.len())?)
        }
        (None, None) => return None,
    };
    let before = chars(said.get(..start)?);
    (!found.is_empty()).then(|| before..before.saturating_add(chars(found)))
}

/// Writes what `cited` says of the text `said` as a member of a candidate; nothing when there is nothing.
pub(super) fn write(out: &mut Out, cited: &[Citations], said: &str) {
    if let Some(own) = cited.iter().rfind(|one| one.own.origin == Dialect::GeminiGenerate) {
        out.field(MEMBER, Raw(&own.own.value.0));
        return;
    }
    let all = || cited.iter().flat_map(|one| &one.all).filter(|one| one.url.is_some());
    let mut sources: Vec<&Citation> = Vec::new();
    for one in all() {
        if !sources.iter().any(|known| known.url == one.url) {
            sources.push(one);
        }
    }
    if sources.is_empty() {
        return;
    }
    out.object_field(MEMBER, |out| {
        out.array_field("groundingChunks", |out| {
            for source in &sources {
                out.object(|out| {
                    out.object_field("web", |out| {
                        out.field("uri", source.url.as_deref()).field_opt("title", source.title.as_deref());
                    });
                });
            }
        });
        out.array_field("groundingSupports", |out| {
            for one in all() {
                let place = sources.iter().position(|known| known.url == one.url);
                let span = one.span.as_ref().and_then(|span| bytes(said, span));
                if let (Some(place), Some((span, words))) = (place, span) {
                    out.object(|out| support(out, &span, words, place));
                }
            }
        });
    });
}

fn support(out: &mut Out, span: &Range<usize>, words: &str, place: usize) {
    let wide = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
    out.object_field("segment", |out| {
        out.field("startIndex", wide(span.start)).field("endIndex", wide(span.end)).field("text", words);
    });
    out.array_field("groundingChunkIndices", |out| {
        out.item(wide(place));
    });
}

/// A span of characters in bytes, and the words there; `None` when the text ends before it.
fn bytes<'a>(said: &'a str, span: &Range<u64>) -> Option<(Range<usize>, &'a str)> {
    if said.len() > SAID_BYTES_MAX {
        return None;
    }
    let at = |nth: u64| {
        let nth = usize::try_from(nth).ok()?;
        said.char_indices().map(|(at, _)| at).chain([said.len()]).nth(nth)
    };
    let span = at(span.start)?..at(span.end)?;
    Some((span.clone(), said.get(span)?))
}

#[cfg(test)]
mod tests {
    use super::{block, write};
    use crate::chat::{Block, Citation};
    use crate::json::{Doc, Out, Strictness};
    use bytes::Bytes;

    #[test]
    fn bytes_become_characters_and_bytes_again() {
        let said = "Zürich is big. Ok.";
        let candidate = r#"{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.example","title":"a"}},
            {"retrievedContext":{"text":"t"}}],"groundingSupports":[
            {"segment":{"startIndex":1,"endIndex":7,"text":"ürich"},"groundingChunkIndices":[0]},
            {"segment":{"partIndex":2,"startIndex":0,"endIndex":3,"text":"Ok."},"groundingChunkIndices":[0,1]}]}}"#;
        let doc = Doc::parse(Bytes::from_static(candidate.as_bytes()), Strictness::Provider).unwrap();
        let Some(Block::Citations(mut cited)) = block(doc.root(), said) else { panic!("no citations") };
        let spans: Vec<_> = cited.all.iter().map(|one| one.span.clone().unwrap()).collect();
        assert_eq!(spans, [1..6, 15..18, 15..18]);
        assert_eq!(
            cited.all[2],
            Citation { quote: Some("t".to_owned()), span: Some(15..18), ..Citation::default() }
        );

        cited.own.origin = gatehouse_core::content::Dialect::OpenAiChat;
        let mut out = Out::new();
        out.object(|out| write(out, &[cited], said));
        assert_eq!(
            out.as_str(),
            r#"{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.example","title":"a"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":7,"text":"ürich"},"groundingChunkIndices":[0]},{"segment":{"startIndex":16,"endIndex":19,"text":"Ok."},"groundingChunkIndices":[0]}]}}"#
        );
    }

    #[test]
    fn a_small_answer_does_not_become_a_large_one() {
        let candidate = format!(
            r#"{{"groundingMetadata":{{"groundingChunks":[{{"retrievedContext":{{"text":"{}"}}}}],
            "groundingSupports":[{}{{"groundingChunkIndices":[0]}}]}}}}"#,
            "x".repeat(super::CITED_BYTES_MAX / 4),
            format!(r#"{{"groundingChunkIndices":[{}0]}},"#, "0,".repeat(5_000)).repeat(20),
        );
        let doc = Doc::parse(Bytes::from(candidate), Strictness::Provider).unwrap();
        let Some(Block::Citations(cited)) = block(doc.root(), "") else { panic!("no citations") };
        assert_eq!(cited.all.len(), 4);
    }
}
