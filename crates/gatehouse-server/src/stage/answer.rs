//! Who answers? The targets of the plan in order, each with its retries, until one has something to say.
//! Nothing has been passed on before this stage ends well, so every attempt may still be made elsewhere.

use super::Funded;
use crate::call::Call;
use crate::clock;
use crate::clock::left;
use crate::exchange::attempt::Sent;
use crate::exchange::prepare::{self, Decoded};
use crate::exchange::{Answered, count, embed, native, opened, realtime, rerank, through, whole};
use crate::target::Target;
use crate::trail::Trail;
use gatehouse_core::call::Operation;
use gatehouse_core::error::{Code, Error};
use gatehouse_route::retry::pause;
use std::sync::Arc;

/// Tries the targets in order.
///
/// # Errors
/// The last failure, when every target has failed or the request itself is at fault.
pub async fn answer(funded: &Funded, trail: &mut Trail) -> Result<Answered, Error> {
    let call = funded.call();
    let decoded = Decoded::default();
    let mut last = Error::new(Code::NoCapableTarget, "the model has no targets");
    for target in funded.targets() {
        match one_target(call, target, &decoded, trail).await {
            Ok(answered) => return Ok(answered),
            Err(error)
                if error.code.allows_fallback() && !left(call.deadline).is_zero() && call.can_be_sent() =>
            {
                last = error;
            }
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Tries one target, and tries it again while that makes sense.
async fn one_target(
    call: &Call,
    target: &Arc<Target>,
    decoded: &Decoded,
    trail: &mut Trail,
) -> Result<Answered, Error> {
    let provider = &target.provider;
    let policy = trail.snapshot.retry;
    provider.retries.earn(&policy);
    let mut retries = 0;
    let mut credentials_left = provider.credentials.len().saturating_sub(1);
    loop {
        let error = match once(call, target, decoded, trail).await {
            Ok(answered) => return Ok(answered),
            Err(error) => error,
        };
        if !call.can_be_sent() {
            return Err(error);
        }
        if credentials_left > 0 && Sent::rotates(provider, &error) {
            credentials_left -= 1;
            continue;
        }
        retries += 1;
        let Some(wait) = pause(&policy, retries, &error, clock::chance()) else { return Err(error) };
        if wait >= left(call.deadline) || !provider.retries.spend() {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}

/// One attempt.
async fn once(
    call: &Call,
    target: &Arc<Target>,
    decoded: &Decoded,
    trail: &mut Trail,
) -> Result<Answered, Error> {
    match call.front.operation {
        Operation::CountTokens => count::exchange(call, target, trail).await.map(Answered::Whole),
        Operation::Moderation | Operation::ImageGeneration | Operation::Speech | Operation::Transcription => {
            native::exchange(call, target, trail).await
        }
        Operation::Embeddings => embed::exchange(call, target, trail).await.map(Answered::Whole),
        Operation::Realtime => {
            realtime::open(call, target, trail).await.map(|opened| Answered::Session(Box::new(opened)))
        }
        Operation::Passthrough => through::exchange(call, target, trail).await,
        Operation::Rerank => rerank::exchange(call, target, trail).await.map(Answered::Whole),
        _ => {
            let prepared = prepare::conversation(call, target, decoded, trail.meter.input_estimate())?;
            if call.stream {
                let opened = opened::Opened::open(call, target, &prepared, trail).await?;
                Ok(Answered::Stream(Box::new(opened)))
            } else {
                whole::exchange(call, target, &prepared, trail).await.map(Answered::Whole)
            }
        }
    }
}
