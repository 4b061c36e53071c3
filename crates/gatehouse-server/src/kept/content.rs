//! The content of a file: as it comes, or, where a guardrail has to see what a batch wrote, judged line by line.

use super::files::{located, noted};
use super::ids::Facts;
use super::remote::{self, Ask};
use super::results::{self, Incoming};
use crate::call::Call;
use crate::exchange::Answered;
use crate::exchange::passing::{Opened, Source};
use crate::headers;
use crate::house::House;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_core::money::Nanodollars;
use gatehouse_identity::envelope::Kind;
use http::{HeaderValue, Method, header};
use std::sync::Arc;
use std::time::Instant;

/// Answers with the content of a file.
///
/// # Errors
/// `not_found`, and what the provider says.
pub async fn answer(house: &House, call: &Call, trail: &mut Trail) -> Result<Answered, Error> {
    let at = located(house, call, Kind::File, trail)?;
    trail.admitted(None, Nanodollars::ZERO, vec![Arc::clone(&at.provider.name)])?;
    let asked = Ask {
        dialect: Dialect::OpenAiFiles,
        method: Method::GET,
        id: Some(&at.envelope.upstream),
        sub: "/content",
        body: Bytes::new(),
        deadline: call.deadline,
    };
    let begun = Instant::now();
    let told = remote::ask(&at.provider, &asked, None).await;
    noted(&at.provider, begun, &told, trail);
    let (upstream, body) =
        told.map_err(|refused| if refused.is_not_found() { Kind::File.not_found() } else { refused.error })?;
    let octets = HeaderValue::from_static("application/octet-stream");
    let kind = upstream.get(header::CONTENT_TYPE).cloned().unwrap_or(octets);
    let mut headers = headers::passed_on(&upstream);
    headers.insert(header::CONTENT_TYPE, kind);
    let idle = at.provider.timeouts.idle;
    let source = match Facts::read(&at.envelope.deployment) {
        Facts::Output(dialect) if results::are_judged(call, dialect) => {
            let limits = trail.snapshot.limits.clone();
            let mut lines = Incoming::new(body, limits.answer.0, idle, call.deadline);
            let judged = results::judge(&mut lines, call, dialect, limits.upload.0, trail).await?;
            Source::Aside(judged, 0)
        }
        _ => Source::Live(body),
    };
    Ok(Answered::Bytes(Box::new(Opened::plain(call, source, idle, headers))))
}
