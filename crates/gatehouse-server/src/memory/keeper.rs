//! Keeping an answer: it is marked with the id that its caller is given, and stored before its end goes out.

use super::recall::Recalled;
use super::{Memory, Record};
use crate::clock;
use bytes::{Bytes, BytesMut};
use gatehouse_core::call::CallId;
use gatehouse_core::error::Error;
use gatehouse_wire::json::{Doc, Node, Strictness, escaped};
use gatehouse_wire::openai_responses::kept::{self, Exchange, Marks};

pub use gatehouse_wire::openai_responses::kept::Standing;
use gatehouse_wire::sse::Frames;

/// Keeps the answer of one call.
#[derive(Clone, Debug)]
pub struct Keeper {
    id: CallId,
    /// The id that the caller is given; `None` where nothing is kept.
    sealed: Option<String>,
    /// When it is kept no longer, in Unix seconds.
    expires_at: u64,
    recalled: Recalled,
    /// What the caller said, as its guardrails let it pass.
    input: Vec<String>,
    /// An answer of which nothing has come.
    begun: String,
}

// === impl Keeper ===

impl Keeper {
    /// For the answer to this request, as it is sent.
    ///
    /// # Errors
    /// `internal_error`.
    pub fn new(
        memory: &Memory,
        recalled: &Recalled,
        id: CallId,
        model: &str,
        request: &Doc,
    ) -> Result<Self, Error> {
        let now = clock::unix_seconds();
        let expires_at = recalled.keep.map_or(0, |keep| now.saturating_add(keep.as_secs()));
        let sealed = recalled.keep.map(|_| memory.seal(&recalled.tenant, id)).transpose()?;
        let input = if sealed.is_some() { kept::own_items(request, recalled.context) } else { Vec::new() };
        let mut keeper =
            Self { id, sealed, expires_at, recalled: recalled.clone(), input, begun: String::new() };
        if recalled.background {
            let marks = keeper.marks(true);
            keeper.begun = kept::standing(request, model, now, &marks, Standing::InProgress);
        }
        Ok(keeper)
    }

    /// The same with other names for files in what the caller said: each as the caller has it, and as it stands there.
    #[must_use]
    pub fn renaming(mut self, ids: &[(String, String)]) -> Self {
        let quoted =
            |id: &str| String::from_utf8([b"\"", escaped(id).as_slice(), b"\""].concat()).unwrap_or_default();
        for (own, there) in ids {
            let (own, there) = (quoted(own), quoted(there));
            self.input.iter_mut().for_each(|item| *item = item.replace(&there, &own));
        }
        self
    }

    /// Which answer it is.
    #[must_use]
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The answer of which nothing has come, as its caller gets it.
    #[must_use]
    pub fn begun(&self) -> &str {
        &self.begun
    }

    /// The answer that has failed.
    #[must_use]
    pub fn failed(&self, error: &Error) -> String {
        self.restated(Standing::Failed(error))
    }

    fn restated(&self, standing: Standing<'_>) -> String {
        let begun = Doc::parse(Bytes::from(self.begun.clone()), Strictness::Provider).ok();
        begun.and_then(|begun| kept::restated(begun.root(), standing)).unwrap_or_default()
    }

    /// An answer in one piece as the caller gets it, kept.
    pub async fn whole(&self, memory: &Memory, body: Bytes) -> Bytes {
        let Ok(doc) = Doc::parse(body.clone(), Strictness::Provider) else { return body };
        let marked = |kept| kept::edited(&body, kept::marked(doc.root(), &self.marks(kept)));
        if self.sealed.is_none() {
            return marked(false);
        }
        let answer = marked(true);
        let kept = match std::str::from_utf8(&answer) {
            Ok(text) => self.put(memory, text).await,
            Err(_) => false,
        };
        if kept { answer } else { marked(false) }
    }

    /// An answer in one piece as it is kept.
    #[must_use]
    pub fn as_kept(&self, body: &Bytes) -> Bytes {
        let doc = Doc::parse(body.clone(), Strictness::Provider);
        doc.map_or(body.clone(), |doc| kept::edited(body, kept::marked(doc.root(), &self.marks(true))))
    }

    /// Keeps no longer what its caller was not given to the end.
    pub async fn forget(&self, memory: &Memory) {
        if self.sealed.is_some() {
            let _ = memory.delete(&self.recalled.tenant, self.id).await;
        }
    }

    /// Keeps the answer whose last event is among these, and gives them as the caller gets them.
    pub async fn last_of_stream(&self, memory: &Memory, events: &Bytes) -> Bytes {
        if self.sealed.is_none() {
            return self.marked(events, false);
        }
        let mut response = None;
        let marked = self.each(events, true, &mut |text, is_last| {
            if is_last {
                response = Some(text.to_owned());
            }
        });
        match response {
            Some(response) if !self.put(memory, &response).await => self.marked(events, false),
            _ => marked,
        }
    }

    /// Events as the caller gets them.
    #[must_use]
    pub fn of_stream(&self, events: &Bytes) -> Bytes {
        self.marked(events, self.sealed.is_some())
    }

    fn marked(&self, events: &Bytes, kept: bool) -> Bytes {
        self.each(events, kept, &mut |_, _| {})
    }

    /// Marks the events that tell of the whole answer, and shows each of those answers.
    fn each(&self, events: &Bytes, kept: bool, show: &mut dyn FnMut(&str, bool)) -> Bytes {
        if memchr::memmem::find(events, b"\"response\"").is_none() {
            return events.clone();
        }
        let mut frames = Frames::default();
        let mut out = BytesMut::with_capacity(events.len() + 512);
        // They are whole events of ours or of a provider's, which have been read once.
        if frames.push(events).is_err() {
            return events.clone();
        }
        let mut read = 0;
        while let Some(frame) = frames.next_frame() {
            read += frame.raw.len();
            let data = Doc::parse(frame.data(), Strictness::Provider).ok();
            let told = data.as_ref().and_then(|data| Some((data, kept::told(data)?)));
            let Some((data, (response, is_last))) = told else {
                out.extend_from_slice(&frame.raw);
                continue;
            };
            let edited = kept::edited(data.bytes(), kept::marked(response, &self.marks(kept)));
            out.extend_from_slice(frame.raw.get(..frame.data.start).unwrap_or_default());
            out.extend_from_slice(&edited);
            out.extend_from_slice(frame.raw.get(frame.data.end..).unwrap_or_default());
            if let Ok(again) = Doc::parse(edited, Strictness::Provider)
                && let Some(response) = again.root().opt("response")
            {
                show(response.raw(), is_last);
            }
        }
        out.extend_from_slice(events.get(read..).unwrap_or_default());
        out.freeze()
    }

    /// Keeps an answer; `false` when it could not be.
    pub async fn put(&self, memory: &Memory, response: &str) -> bool {
        let kept = self.try_put(memory, response).await;
        if let Err(error) = &kept {
            tracing::error!(call = %self.id, %error, "an answer could not be kept");
        }
        kept.is_ok()
    }

    async fn try_put(&self, memory: &Memory, response: &str) -> Result<(), Error> {
        let body = Exchange::written(&self.input, response);
        let items = Doc::parse(Bytes::from(response.to_owned()), Strictness::Provider)
            .map(|doc| ids(doc.root()))
            .unwrap_or_default();
        let tenant = self.recalled.tenant.clone();
        let record = Record {
            id: self.id,
            previous: self.recalled.previous.as_ref().map(|(_, id)| *id),
            expires_at: self.expires_at,
            items,
            body: memory.sealed(&tenant, self.id, body)?,
            tenant,
        };
        memory.responses.put(record).await
    }

    fn marks(&self, kept: bool) -> Marks<'_> {
        Marks {
            id: self.sealed.as_deref(),
            previous: self.recalled.previous.as_ref().map(|(given, _)| given.as_str()),
            kept,
            background: self.recalled.background,
        }
    }
}

/// The ids of an answer's items.
fn ids(response: Node<'_>) -> Vec<String> {
    let items = response.opt("output").into_iter().flat_map(|output| output.items());
    items.filter_map(|item| item.opt("id")?.str().map(std::borrow::Cow::into_owned)).collect()
}
