//! The input of a batch: each line is a request of its own, and is looked at as one. What may not pass does not get to
//! the provider, and no line says which model it means in our words.
//!
//! It is read from where it was set aside and written to another such place, a line at a time.

use super::ids::{Facts, Input, dialect, endpoint};
use super::named;
use crate::aside::Aside;
use crate::call::Call;
use crate::dialects;
use crate::front::{self, Front};
use crate::house::House;
use crate::meter::Meter;
use crate::stage::route::region;
use crate::target::{Provider, Target};
use crate::trail::Trail;
use bytes::{Buf as _, Bytes, BytesMut};
use gatehouse_core::call::Operation;
use gatehouse_core::content::{Dialect, Edit, Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::usage::Usage;
use gatehouse_ledger::{ServiceTier, ceiling};
use gatehouse_route::plan::{Wish, plan};
use gatehouse_wire::codec::View;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_responses::kept;
use http::{HeaderMap, Method};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// The most lines that a batch may have.
pub const LINES_MAX: u64 = 50_000;
/// The longest id that a line may have.
pub const CUSTOM_ID_CHARS_MAX: usize = 512;
/// The answer that is reserved for when neither the line nor the catalogue sets a limit.
const OUTPUT_TOKENS_DEFAULT: u64 = 8_192;

/// Cuts bytes into lines.
pub struct Cutter {
    buffer: BytesMut,
    /// How much of it has no line's end in it.
    seen: usize,
    bytes_max: usize,
}

/// The input of a batch as it may be sent.
pub struct Checked {
    /// The lines.
    pub file: Aside,
    /// Who gets them.
    pub target: Arc<Target>,
    /// What is to be known of them.
    pub facts: Facts,
}

/// What all lines have in common, and their sums.
struct Sums {
    dialect: Dialect,
    target: Arc<Target>,
    model: String,
    most: Option<Nanodollars>,
    lines: u64,
    tokens: u64,
}

// === impl Cutter ===

impl Cutter {
    /// Lines of so many bytes at most.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { buffer: BytesMut::new(), seen: 0, bytes_max }
    }

    /// Takes what has come. Ask for all lines before the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next line without its end; `None` when more must come first.
    ///
    /// # Errors
    /// `request_too_large` when it is longer than a line may be.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, Error> {
        let unseen = self.buffer.get(self.seen..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', unseen).map(|at| at + self.seen) else {
            self.seen = self.buffer.len();
            return if self.seen > self.bytes_max { Err(self.too_long()) } else { Ok(None) };
        };
        self.seen = 0;
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        if line.len() > self.bytes_max { Err(self.too_long()) } else { Ok(Some(line)) }
    }

    /// The last line, where it has no end; nothing more will come.
    pub fn rest(&mut self) -> Option<Bytes> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        (!rest.is_empty()).then_some(rest)
    }

    fn too_long(&self) -> Error {
        Error::new(Code::RequestTooLarge, format!("is longer than {} bytes", self.bytes_max))
    }
}

/// Checks the input of a batch and writes it as it may be sent.
///
/// # Errors
/// What is wrong, with the number of the line: `invalid_request`, `model_not_found`, `no_capable_target`,
/// `guard_blocked`, `request_too_large`, and whatever else a request of that kind is refused with.
pub async fn check(
    house: &House,
    call: &Call,
    from: &Aside,
    range: Range<u64>,
    trail: &mut Trail,
) -> Result<Checked, Error> {
    let mut cutter = Cutter::new(trail.snapshot.limits.body.0);
    let (mut at, mut number) = (range.start, 0);
    let (mut file, mut sums, mut ids) = (Aside::default(), None, HashSet::new());
    loop {
        let line = match cutter.next_line().map_err(|error| on_line(number + 1, error))? {
            Some(line) => line,
            None if at < range.end => {
                let piece = from.read(at..range.end)?;
                at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                cutter.push(&piece);
                continue;
            }
            None => match cutter.rest() {
                Some(line) => line,
                None => break,
            },
        };
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let written =
            one(house, call, &line, &mut sums, &mut ids, trail).map_err(|error| on_line(number, error))?;
        file.append(&written)?;
        file.append(b"\n")?;
        // Others wait for this thread.
        tokio::task::yield_now().await;
    }
    let Some(sums) = sums else {
        return Err(Error::invalid("file", "file: a batch needs one line at least"));
    };
    let facts = Facts::Input(Input {
        dialect: sums.dialect,
        most: sums.most,
        lines: sums.lines,
        tokens: sums.tokens,
        deployment: sums.target.deployment.model.to_string(),
        model: sums.model,
    });
    Ok(Checked { file, target: sums.target, facts })
}

/// Which line it was.
fn on_line(number: u64, error: Error) -> Error {
    let message = format!("line {number}: {}", error.message);
    Error { message, param: Some("file".to_owned()), ..error }
}

/// One line, as it may be sent.
fn one(
    house: &House,
    call: &Call,
    line: &Bytes,
    sums: &mut Option<Sums>,
    ids: &mut HashSet<[u8; 16]>,
    trail: &mut Trail,
) -> Result<Bytes, Error> {
    let doc = Doc::parse(line.clone(), Strictness::Caller)?;
    let root = doc.root().want_object()?;
    is_new(&root.need("custom_id")?.want_str()?, ids)?;
    let method = root.need("method")?;
    if method.want_str()? != "POST" {
        return Err(method.wrong("must be \"POST\""));
    }
    let url = root.need("url")?;
    let path = url.want_str()?;
    let front =
        dialect(&path).and_then(|_| front::find(&path, None, &HeaderMap::new(), &Method::POST)).ok_or_else(
            || url.wrong("must be /v1/chat/completions, /v1/responses, /v1/completions or /v1/embeddings"),
        )?;
    let body = root.need("body")?.want_object()?;
    let range = body.range();
    let written = request(house, call, &front, line.slice(range.clone()), sums, trail)?;
    Ok(splice(line, &[Edit { range, with: written }]))
}

/// Whether no line before has this id.
fn is_new(id: &str, ids: &mut HashSet<[u8; 16]>) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::invalid("custom_id", format!("custom_id: {what}")));
    if id.is_empty() || id.chars().count() > CUSTOM_ID_CHARS_MAX {
        return wrong(&format!("must have from 1 to {CUSTOM_ID_CHARS_MAX} characters"));
    }
    if u64::try_from(ids.len()).unwrap_or(u64::MAX) >= LINES_MAX {
        return Err(Error::new(Code::RequestTooLarge, format!("a batch may have {LINES_MAX} lines at most")));
    }
    let digest = Sha256::digest(id.as_bytes());
    let short = digest.first_chunk::<16>().copied().unwrap_or_default();
    if ids.insert(short) { Ok(()) } else { wrong("another line has the same") }
}

/// The request of a line: guarded, routed, bounded, and written for its target.
fn request(
    house: &House,
    call: &Call,
    front: &Front,
    body: Bytes,
    sums: &mut Option<Sums>,
    trail: &mut Trail,
) -> Result<Bytes, Error> {
    let doc = Doc::parse(body, Strictness::Caller)?;
    if front.dialect == Dialect::OpenAiResponses {
        stands_alone(&doc)?;
    }
    let (doc, files_at) = match named::opened(house, &call.key.caller, front.dialect, &doc)? {
        Some(named::Opened { doc, provider, .. }) => (doc, Some(provider)),
        None => (doc, None),
    };
    let (doc, view) = guarded(call, front, doc, trail)?;
    if view.stream {
        return Err(Error::invalid("body.stream", "body.stream: a batch is not streamed"));
    }
    let model = match &view.model {
        Some((model, _)) if !model.is_empty() => model.clone(),
        _ => return Err(Error::invalid("body.model", "body.model: is required")),
    };
    let mut meter = Meter::default();
    meter.prompt(doc.text(), &view.spans, view.media);
    let target = target(call, front, &model, &view, &meter, trail)?;
    if files_at.is_some_and(|provider| *target.provider.name != *provider) {
        let message = format!("body: its files are not at {}", target.provider.name);
        return Err(Error::new(Code::NoCapableTarget, message));
    }
    let input_tokens = meter.input_bound();
    let output_tokens = match front.operation {
        Operation::Embeddings => 0,
        _ => {
            let limit = view.max_output_tokens.or(target.capabilities.output_tokens);
            limit.unwrap_or(OUTPUT_TOKENS_DEFAULT).saturating_mul(view.choices.max(1))
        }
    };
    let bound = Usage { input_tokens, output_tokens, ..Usage::default() };
    let most = ceiling(&target.prices, &bound, ServiceTier::Batch, trail.accepted_at());
    let rewrite = match front.dialect {
        Dialect::OpenAiEmbeddings => dialects::embeddings(front.dialect).rewrite(&doc, &view, &target.wire()),
        spoken => dialects::codec(spoken)?.rewrite(&doc, &view, &target.wire()),
    }?;
    rewrite.dropped.iter().for_each(|path| trail.left_out(path));
    let sums = sums.get_or_insert_with(|| Sums {
        dialect: front.dialect,
        target: Arc::clone(&target),
        model: model.clone(),
        most: Some(Nanodollars::ZERO),
        lines: 0,
        tokens: 0,
    });
    if sums.dialect != front.dialect {
        let message = format!("url: all lines of a batch must have the same, {}", endpoint(sums.dialect));
        return Err(Error::invalid("url", message));
    }
    if sums.target.name != target.name {
        let message = format!(
            "body.model: all lines of a batch must lead to one model; this one leads to {}, those before to {}",
            target.name, sums.target.name
        );
        return Err(Error::invalid("body.model", message));
    }
    sums.lines += 1;
    sums.tokens = sums.tokens.saturating_add(meter.input_estimate());
    sums.most = sums.most.zip(most).map(|(sum, one)| sum.saturating_add(one));
    Ok(splice(doc.bytes(), &rewrite.edits))
}

/// Refuses what a call is given from memory: nobody looks there for a line, and to the provider the ids would be those
/// of whatever stands in its account.
fn stands_alone(doc: &Doc) -> Result<(), Error> {
    let asked = kept::asked(doc)?;
    let refused = |member: &str, why: &str| {
        let member = format!("body.{member}");
        Err(Error::unsupported(member.clone(), format!("{member}: {why}")))
    };
    if asked.previous.is_some() {
        return refused("previous_response_id", "a line goes on from nothing; send the whole conversation");
    }
    if !asked.references.is_empty() {
        return refused("input", "a line refers to nothing that is kept; send the items themselves");
    }
    if asked.background {
        return refused("background", "a batch is made in the background as a whole; leave it out");
    }
    Ok(())
}

/// The request as its guardrails let it pass.
fn guarded(call: &Call, front: &Front, doc: Doc, trail: &mut Trail) -> Result<(Doc, View), Error> {
    let view = dialects::view(front, &doc)?;
    if let Some(member) = view.unreadable {
        if call.guards.acts_at(Place::Input) {
            let message = format!("{member}: a guardrail must read it, and cannot read token ids; send text");
            return Err(Error::invalid(member, message));
        }
        trail.judged(call.guards.unread(Place::Input));
    }
    let judged = call.guards.judge(doc.text(), &view.spans);
    trail.judged(judged.tally);
    if let Some(error) = judged.stopped {
        return Err(error);
    }
    if judged.edits.is_empty() {
        return Ok((doc, view));
    }
    let edited = Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Caller)?;
    let view = dialects::view(front, &edited)?;
    Ok((edited, view))
}

/// Who serves a line: the first of those that may who has batches and speaks the line's dialect itself.
fn target(
    call: &Call,
    front: &Front,
    model: &str,
    view: &View,
    meter: &Meter,
    trail: &Trail,
) -> Result<Arc<Target>, Error> {
    let route = trail.snapshot.route(model, &call.key.caller)?;
    let needs = view.needs;
    let wish = Wish {
        region: region(&call.headers)?,
        front: front.dialect,
        tools: needs.tools,
        images: needs.images,
        audio: needs.audio,
        documents: needs.documents,
        structured: needs.structured,
        input_tokens: if front.operation == Operation::Embeddings { 0 } else { meter.input_estimate() },
        conversation: None,
    };
    let planned = plan(&wish, &route.candidates)?;
    let mut planned = planned.order.iter().filter_map(|at| route.targets.get(*at));
    let able = planned
        .clone()
        .find(|target| has_batches(&target.provider) && target.dialect(front.dialect) == Some(front.dialect));
    able.map(Arc::clone).ok_or_else(|| {
        let name = planned.next().map(|target| &*target.provider.name).unwrap_or_default();
        let message =
            format!("{name} has no batches of {}; send the requests one by one", endpoint(front.dialect));
        Error::new(Code::NoCapableTarget, message)
    })
}

/// Whether a provider has files and batches in OpenAI's form.
#[must_use]
pub fn has_batches(provider: &Provider) -> bool {
    provider.has(Dialect::OpenAiFiles) && provider.has(Dialect::OpenAiBatches)
}

#[cfg(test)]
mod tests {
    use super::{Cutter, is_new};
    use gatehouse_core::error::Code;
    use std::collections::HashSet;

    /// Lines are the same however they come.
    #[test]
    fn lines_do_not_depend_on_pieces() {
        for text in ["", "\n", "a", "a\n", "a\nbb\n\nccc", "\n\na\n", "a\nb\nc\n"] {
            for size in 1..6 {
                let mut cutter = Cutter::new(100);
                let mut lines = Vec::new();
                for piece in text.as_bytes().chunks(size) {
                    cutter.push(piece);
                    while let Some(line) = cutter.next_line().unwrap() {
                        lines.push(String::from_utf8(line.to_vec()).unwrap());
                    }
                }
                lines.extend(cutter.rest().map(|line| String::from_utf8(line.to_vec()).unwrap()));
                let expected: Vec<&str> = text.split_terminator('\n').collect();
                assert_eq!(lines, expected, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_gathered_for_ever() {
        let mut cutter = Cutter::new(10);
        cutter.push(b"0123456789");
        assert_eq!(cutter.next_line().unwrap(), None);
        cutter.push(b"0");
        assert_eq!(cutter.next_line().unwrap_err().code, Code::RequestTooLarge);
        let mut cutter = Cutter::new(10);
        cutter.push(b"01234567890\n");
        assert_eq!(cutter.next_line().unwrap_err().code, Code::RequestTooLarge);
    }

    #[test]
    fn an_id_stands_on_one_line() {
        let mut ids = HashSet::new();
        assert!(is_new("a", &mut ids).is_ok() && is_new("b", &mut ids).is_ok());
        assert!(is_new("a", &mut ids).unwrap_err().message.contains("another line"));
        assert!(is_new("", &mut ids).is_err() && is_new(&"x".repeat(513), &mut ids).is_err());
    }
}
