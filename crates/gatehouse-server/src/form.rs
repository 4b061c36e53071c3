//! Forms with files, on their way from a caller to a provider.
//!
//! A file is never held in memory. Where the model is named before it, and no guardrail has to see what may follow,
//! it passes through as it comes; else it is set aside in an unnamed file of the temporary folder, from which it can
//! be sent again.

use crate::aside::Aside;
use crate::clock::left;
use crate::payload::{Kept, Passing};
use crate::upstream::{Pieces, Upload};
use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::form::{Fields, PartHead, Piece, Reader, write_end, write_field, write_head};
use gatehouse_wire::json::{Doc, Node};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most bytes that the texts of a form may have together.
pub const FIELDS_BYTES_MAX: usize = 1 << 20;

/// The limits of a form.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// All of it, in bytes.
    pub bytes_max: u64,
    /// How long it may pause.
    pub pause_max: Duration,
    /// When it must have come.
    pub deadline: Instant,
}

/// The files of a form.
pub struct Files {
    boundary: String,
    set_aside: Vec<(PartHead, Range<u64>)>,
    store: Arc<Aside>,
    /// What has not come yet; taken by whoever sends it.
    live: Mutex<Option<Box<Live>>>,
    is_live: bool,
}

/// A form whose first file begins to come.
struct Live {
    input: Input,
    first: PartHead,
}

/// A form as it comes.
struct Input {
    reader: Reader,
    body: Incoming,
    bounds: Bounds,
    taken: u64,
    counted: Counted,
}

/// Where the bytes are counted.
enum Counted {
    /// By whoever reads.
    Outside,
    /// Here.
    Passing(Passing),
}

/// Reads a form up to where it can be passed on: the first file, where the model is known (`is_named`: without the
/// form); its end, where all of it must be seen.
///
/// # Errors
/// `invalid_request` for what is no form, `request_too_large`, `request_timeout`.
pub async fn read(
    body: Incoming,
    boundary: &str,
    bounds: Bounds,
    sees_all: bool,
    is_named: bool,
    kept: &mut Kept,
) -> Result<(Fields, Files), Error> {
    let mut input =
        Input { reader: Reader::new(boundary), body, bounds, taken: 0, counted: Counted::Outside };
    let (mut fields, mut store) = (Fields::default(), Aside::default());
    let (mut set_aside, mut live) = (Vec::new(), None);
    let (mut part, mut text, mut text_bytes) = (None, Vec::new(), 0);
    loop {
        match input.next(Some(&mut *kept)).await? {
            Piece::Part(head)
                if head.file.is_some() && !sees_all && (is_named || fields.get("model").is_some()) =>
            {
                input.counted = Counted::Passing(kept.pass_on());
                live = Some(Box::new(Live { input, first: head }));
                break;
            }
            Piece::Part(head) => part = Some((head, store.size())),
            Piece::Data(data) if part.as_ref().is_some_and(|(head, _)| head.file.is_some()) => {
                store.append(&data)?;
            }
            Piece::Data(data) => {
                text_bytes += data.len();
                if text_bytes > FIELDS_BYTES_MAX {
                    return Err(Error::new(Code::RequestTooLarge, "the texts of the form are too long"));
                }
                text.extend_from_slice(&data);
            }
            Piece::PartEnd => match part.take() {
                Some((head, from)) if head.file.is_some() => set_aside.push((head, from..store.size())),
                Some((head, _)) => {
                    let text = String::from_utf8(std::mem::take(&mut text)).map_err(|_| {
                        Error::invalid(head.name.clone(), format!("{}: is not UTF-8", head.name))
                    })?;
                    fields.add(head.name, text);
                }
                None => {}
            },
            Piece::End => break,
        }
    }
    let is_live = live.is_some();
    let boundary = format!("gatehouse-{}", crate::clock::call_id().to_string().replace('-', ""));
    let files = Files { boundary, set_aside, store: Arc::new(store), live: Mutex::new(live), is_live };
    Ok((fields, files))
}

// === impl Input ===

impl Input {
    /// The next piece.
    async fn next(&mut self, mut kept: Option<&mut Kept>) -> Result<Piece, Error> {
        loop {
            if let Some(piece) = self.reader.next_piece()? {
                return Ok(piece);
            }
            let wait = self.bounds.pause_max.min(left(self.bounds.deadline));
            let frame = match tokio::time::timeout(wait, self.body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(Error::new(Code::InvalidRequest, "the body did not arrive whole")
                        .detail(error.to_string()));
                }
                Ok(None) => {
                    self.reader.finish()?;
                    return Ok(Piece::End);
                }
                Err(_) => {
                    let message = "the body did not arrive in time (limits.body_time)";
                    return Err(Error::new(Code::RequestTimeout, message));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            self.taken = self.taken.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if self.taken > self.bounds.bytes_max {
                return Err(too_large(self.bounds.bytes_max));
            }
            match (&self.counted, kept.as_deref_mut()) {
                (Counted::Passing(passing), _) => passing.count(&data),
                (Counted::Outside, Some(kept)) => kept.count(&data),
                (Counted::Outside, None) => {}
            }
            self.reader.push(&data);
        }
    }
}

/// The form is too large.
#[must_use]
pub fn too_large(bytes_max: u64) -> Error {
    let message = format!("the form exceeds the limit of {bytes_max} bytes (limits.upload)");
    Error::new(Code::RequestTooLarge, message)
}

// === impl Files ===

impl Files {
    /// The files that have been set aside: what is said of each, and where it lies.
    #[must_use]
    pub fn set_aside(&self) -> (&[(PartHead, Range<u64>)], &Aside) {
        (&self.set_aside, &self.store)
    }

    /// A form with this one file, of the same boundary.
    #[must_use]
    pub fn with(&self, head: PartHead, file: Aside) -> Self {
        let set_aside = vec![(head, 0..file.size())];
        let (boundary, live) = (self.boundary.clone(), Mutex::default());
        Self { boundary, set_aside, store: Arc::new(file), live, is_live: false }
    }

    /// The content type of the form as it is sent on.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Whether nothing can be sent any more: a file that came by was sent once.
    #[must_use]
    pub fn are_spent(&self) -> bool {
        self.is_live && self.live.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// How many bytes of files have been set aside; `None` where they come by.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        (!self.is_live).then(|| self.store.size())
    }

    /// The form with these texts, for a target with this name of the model.
    pub fn upload(&self, fields: &Doc, model: &str) -> Upload {
        let mut steps = VecDeque::new();
        let mut texts = Vec::new();
        let mut field =
            |name: &str, text: &str| texts.extend_from_slice(&write_field(&self.boundary, name, text));
        for (name, value) in fields.root().members() {
            let text = |value: Node<'_>| value.str().unwrap_or_default().into_owned();
            match name.as_ref() {
                "model" => field("model", model),
                name if value.is_array() => value.items().for_each(|one| field(name, &text(one))),
                name => field(name, &text(value)),
            }
        }
        steps.push_back(Step::Bytes(Bytes::from(texts)));
        for (head, range) in &self.set_aside {
            steps.push_back(Step::Bytes(Bytes::from(write_head(&self.boundary, head))));
            steps.push_back(Step::Stored(range.clone()));
            steps.push_back(Step::Bytes(Bytes::from_static(b"\r\n")));
        }
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        let length = live.is_none().then(|| steps.iter().map(Step::len).sum::<u64>());
        let end = write_end(&self.boundary);
        let length = length.map(|length| length + wide(end.len()));
        if let Some(live) = live {
            steps.push_back(Step::Bytes(Bytes::from(write_head(&self.boundary, &live.first))));
            steps.push_back(Step::Live(live));
        }
        steps.push_back(Step::Bytes(Bytes::from(end)));
        let sending =
            Sending { steps, store: Arc::clone(&self.store), boundary: self.boundary.clone(), skips: false };
        let pieces: Pieces = Box::pin(futures_util::stream::unfold(sending, |mut sending| async move {
            sending.next().await.map(|piece| (piece, sending))
        }));
        Upload { length, pieces }
    }
}

/// A form on its way out.
struct Sending {
    steps: VecDeque<Step>,
    store: Arc<Aside>,
    boundary: String,
    /// A part that is passed over: the model's name, which was said already.
    skips: bool,
}

/// Something of a form to send.
enum Step {
    Bytes(Bytes),
    Stored(Range<u64>),
    Live(Box<Live>),
}

// === impl Step ===

impl Step {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => wide(bytes.len()),
            Self::Stored(range) => range.end - range.start,
            Self::Live(_) => 0,
        }
    }
}

// === impl Sending ===

impl Sending {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            match self.steps.front_mut()? {
                Step::Bytes(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.steps.pop_front();
                    return Some(Ok(bytes));
                }
                Step::Stored(range) if range.is_empty() => {
                    self.steps.pop_front();
                }
                Step::Stored(range) => {
                    let read = self.store.read(range.clone());
                    if let Ok(bytes) = &read {
                        range.start += wide(bytes.len());
                    }
                    return Some(read);
                }
                Step::Live(live) => match live.input.next(None).await {
                    Err(error) => return Some(Err(error)),
                    Ok(Piece::End) => {
                        self.steps.pop_front();
                    }
                    Ok(Piece::Part(head)) => {
                        self.skips = head.file.is_none() && head.name == "model";
                        if !self.skips {
                            return Some(Ok(Bytes::from(write_head(&self.boundary, &head))));
                        }
                    }
                    Ok(Piece::Data(_) | Piece::PartEnd) if self.skips => {}
                    Ok(Piece::Data(data)) => return Some(Ok(data)),
                    Ok(Piece::PartEnd) => return Some(Ok(Bytes::from_static(b"\r\n"))),
                },
            }
        }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
