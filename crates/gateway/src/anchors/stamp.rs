//! Time stamps: RFC 3161, over HTTP (section 3.4). Of each day the last is kept, the checkpoint
//! (`stamp-<authority>-<day>-<leaves>`) and the token (the same with `.tsr`) side by side, so that `openssl ts` reads them too.

use super::certificates::Certificates;
use super::own::{Newest, Own};
use super::teller::Teller;
use super::{ANCHOR_TIME_MAX, Outcome, newest, today};
use gatehouse_audit::tree::{forget, keep, kept};
use gatehouse_proof::stamp::{NONCE_BYTES, STAMP_BYTES_MAX, Token, request};
use gatehouse_server::fetch::{Ask, Verb, exchange};
use gatehouse_verify::anchored::{STAMP, TOKEN};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// An authority that tells the time.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) name: Arc<str>,
    pub(super) url: String,
    pub(super) certificates: Certificates,
    pub(super) every: Duration,
}

// === impl Authority ===

impl Authority {
    /// How the names of its stamps begin.
    pub(super) fn prefix(&self) -> String {
        let digest: [u8; 32] = Sha256::digest(self.url.as_bytes()).into();
        let id: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{STAMP}{id}-")
    }
}

/// Has checkpoints stamped until it is dropped. What is stamped already is not stamped again: it says since when it was
/// there, and that does not change.
pub(super) async fn watch(own: Arc<Own>, authority: Authority, mut teller: Teller) {
    let mut last = String::new();
    loop {
        let newest = newest(&own).await;
        if newest.text != last {
            let outcome = stamp(&own, &authority, &newest).await;
            if matches!(outcome, Outcome::Took(_)) {
                last = newest.text;
            }
            teller.tell(outcome);
        }
        sleep(authority.every).await;
    }
}

async fn stamp(own: &Arc<Own>, authority: &Authority, newest: &Newest) -> Outcome {
    let token = match ask(authority, newest.text.as_bytes()).await {
        Ok(token) => token,
        Err(why) => return Outcome::Failed(why),
    };
    let (own, text, size) = (Arc::clone(own), newest.text.clone(), newest.says.size);
    let of_today = format!("{}{}-", authority.prefix(), today());
    let done = spawn_blocking(move || {
        let name = format!("{of_today}{size}");
        // The token first: a checkpoint without one would look as if it had been taken away.
        keep(&own.tree, &format!("{name}{TOKEN}"), &token)?;
        keep(&own.tree, &name, text.as_bytes())?;
        let is_older = |known: &String| {
            known.starts_with(&of_today) && known.strip_suffix(TOKEN).unwrap_or(known.as_str()) != name
        };
        // The checkpoint first, for the same reason.
        let mut older: Vec<String> =
            kept(&own.tree)?.into_iter().map(|(known, _)| known).filter(is_older).collect();
        older.sort_by_key(|known| known.ends_with(TOKEN));
        older.iter().try_for_each(|known| forget(&own.tree, known))
    })
    .await;
    match done {
        Ok(Ok(())) => Outcome::Took(size),
        Ok(Err(error)) => Outcome::Failed(format!("its stamp cannot be kept: {error}")),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Asks for a stamp, and looks at it as every verifier will.
async fn ask(authority: &Authority, message: &[u8]) -> Result<Vec<u8>, String> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let body = Some(("application/timestamp-query", request(message, nonce).into()));
    let ask = Ask { verb: Verb::Post, url: &authority.url, token: None, headers: Vec::new(), body };
    let (status, bytes) = exchange(ask, ANCHOR_TIME_MAX, STAMP_BYTES_MAX).await?;
    if status != 200 {
        return Err(format!("it answers {status}"));
    }
    let token = Token::parse(&bytes).map_err(|error| error.to_string())?;
    if !token.is_of(message) || !token.answers(nonce) {
        return Err("it answers with a time stamp of something else".to_owned());
    }
    authority
        .certificates
        .signed(&token)
        .map_err(|(_, why)| format!("its time stamp cannot be taken: {why}"))?;
    Ok(bytes.to_vec())
}
