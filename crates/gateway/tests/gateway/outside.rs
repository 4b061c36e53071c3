//! Those outside who hold what was signed, in this process: a witness (C2SP tlog-witness), an object store, a webhook, an
//! authority that tells the time.
//!
//! The witness checks what it is told with code that is not ours (`signed_note`, `tlog_tiles`).

use crate::tsa;
use bytes::Bytes;
use gatehouse_proof::note::{KEY_BYTES, Scheme, SignerKey};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use signed_note::{Note, StandardVerifier, VerifierList};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tlog_tiles::{Checkpoint, Hash, check_tree};
use tokio::net::TcpListener;

/// The token that the object store wants.
pub(crate) const TOKEN: &str = "anchor-token-canary-31";
/// The name of the witness.
pub(crate) const WITNESS: &str = "witness.example/w1";

/// Those outside.
#[derive(Clone)]
pub(crate) struct Outside {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The keys of logs that the witness knows, by origin.
    logs: HashMap<String, String>,
    /// What it signed last.
    signed: HashMap<String, (u64, Hash)>,
    /// What the object store holds, by path.
    objects: HashMap<String, Bytes>,
    /// What the webhook heard.
    told: Vec<Bytes>,
    is_down: bool,
    /// Signs for another text than it was told.
    lies: bool,
    /// Tells the time with a certificate that is not one for it.
    pretends: bool,
}

// === impl Outside ===

impl Outside {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let outside = Self { address, state: Arc::default() };
        let state = Arc::clone(&outside.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(request, Arc::clone(&state)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        outside
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The key of the witness.
    pub(crate) fn key(&self) -> String {
        witness().verifier().to_string()
    }

    /// The witness is told of a log.
    pub(crate) fn knows(&self, origin: &str, key: &str) {
        self.state().logs.insert(origin.to_owned(), key.trim().to_owned());
    }

    /// How many leaves of a log the witness signed.
    pub(crate) fn signed(&self, origin: &str) -> u64 {
        self.state().signed.get(origin).map_or(0, |(size, _)| *size)
    }

    pub(crate) fn is_down(&self, is_down: bool) {
        self.state().is_down = is_down;
    }

    pub(crate) fn lies(&self, lies: bool) {
        self.state().lies = lies;
    }

    pub(crate) fn pretends(&self, pretends: bool) {
        self.state().pretends = pretends;
    }

    pub(crate) fn object(&self, path: &str) -> Option<Bytes> {
        self.state().objects.get(path).cloned()
    }

    pub(crate) fn forget(&self, path: &str) {
        self.state().objects.remove(path);
    }

    pub(crate) fn told(&self) -> Vec<Bytes> {
        self.state().told.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn witness() -> SignerKey {
    SignerKey::new(WITNESS, Scheme::Cosignature, &[77; KEY_BYTES]).unwrap()
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    let may = parts.headers.get("authorization").is_some_and(|value| *value == format!("Bearer {TOKEN}"));
    let (status, text) = match (parts.method.as_str(), parts.uri.path()) {
        _ if state.is_down => (503, "down for maintenance".to_owned()),
        ("POST", "/witness/add-checkpoint") => add_checkpoint(&mut state, &body),
        ("POST", "/tsa") => {
            let mut asked = body.to_vec();
            // Of something else.
            asked[30] ^= u8::from(state.lies);
            let signer = if state.pretends { "web" } else { "ec" };
            let answer = Response::new(Full::new(tsa::stamp(&asked, signer).into()));
            return Ok(answer);
        }
        ("POST", "/hook") => {
            state.told.push(body);
            (202, String::new())
        }
        ("GET" | "PUT", _) if !may => (401, String::new()),
        ("PUT", path) => {
            state.objects.insert(path.to_owned(), body);
            (201, String::new())
        }
        ("GET", path) => match state.objects.get(path) {
            Some(bytes) => (200, String::from_utf8_lossy(bytes).into_owned()),
            None => (404, String::new()),
        },
        _ => (405, String::new()),
    };
    Ok(Response::builder().status(status).body(Full::new(text.into())).unwrap())
}

/// As the specification says it, in its order.
fn add_checkpoint(state: &mut State, body: &[u8]) -> (u16, String) {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let (asked, note) = text.split_once("\n\n").unwrap();
    let mut lines = asked.lines();
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
    let note = Note::from_bytes(note.as_bytes()).unwrap();
    let says = Checkpoint::from_bytes(note.text()).unwrap();
    let Some(key) = state.logs.get(says.origin()) else { return (404, String::new()) };
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())]);
    if note.verify(&known).is_err() {
        return (403, String::new());
    }
    if old > says.size() || proof.len() > 63 {
        return (400, String::new());
    }
    let seen = state.signed.get(says.origin()).copied();
    let size = seen.map_or(0, |(size, _)| size);
    if old != size {
        return (409, format!("{size}\n"));
    }
    if let Some((size, root)) = seen {
        if size == says.size() && root != *says.hash() {
            return (409, format!("{size}\n"));
        }
        if size < says.size() && check_tree(&proof, says.size(), *says.hash(), size, root).is_err() {
            return (422, String::new());
        }
    } else if !proof.is_empty() {
        return (422, String::new());
    }
    state.signed.insert(says.origin().to_owned(), (says.size(), *says.hash()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = String::from_utf8(note.text().to_vec()).unwrap();
    let signed = if state.lies { text.replace(says.origin(), "another.example") } else { text };
    // A line of a key that nobody here knows comes first.
    (200, format!("— somebody.else/x AAAAAAAAAAAA\n{}", witness().sign(&signed, now)))
}
