//! The way of a call, top to bottom. Every stage is a function from one type to the next, so that a stage
//! cannot be skipped, repeated or put in another order without a compile error.
//!
//! `docs/LIFE_OF_A_CALL.md` draws the same stages.

mod opening;

use crate::body::Reply;
use crate::exchange::{Answered, listing};
use crate::front;
use crate::house::House;
use crate::kept::{self, later};
use crate::render;
use crate::stage::{
    Authenticated, Funded, accept, answer, attribute, authenticate, fund, guard, normalise, route,
};
use crate::switch::Asked;
use crate::trail::Trail;
use gatehouse_core::call::Operation;
use gatehouse_core::error::{Code, Error};
use http::{Request, Response};
use hyper::body::Incoming;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Serves one request, whatever it is and whatever becomes of it.
pub async fn serve(house: Arc<House>, mut request: Request<Incoming>) -> Response<Reply> {
    let family = front::family(request.uri().path(), request.headers());
    // No permit, no call: without a place in the book nothing else happens.
    let mut trail = match Trail::begin(&house) {
        Ok(trail) => trail,
        Err(error) => return render::refused(family, &error, &house.stray_id().to_string()),
    };
    trail.trace(request.headers());
    let switch = Asked::of(&mut request);
    let way = CatchUnwind(Box::pin(way(&house, request, &mut trail))).await;
    match way {
        Ok(Ok(Way::Told(request))) => opening::begin(house, *request, trail, switch, family).await,
        Ok(Ok(Way::Later(funded))) => later::begin(house, *funded, trail, family).await,
        Ok(Ok(Way::Answered(Answered::Whole(whole)))) => render::whole(whole, trail, family).await,
        Ok(Ok(Way::Answered(Answered::Stream(opened)))) => render::stream(*opened, trail, house, family),
        Ok(Ok(Way::Answered(Answered::Bytes(opened)))) => render::bytes(*opened, trail, house),
        Ok(Ok(Way::Answered(Answered::Session(opened)))) => {
            render::session(*opened, trail, house, switch, family).await
        }
        Ok(Err(error)) => render::failed(&error, trail, family).await,
        // One call's bug ends one call.
        Err(_) => render::failed(&Error::new(Code::Internal, "the gateway failed"), trail, family).await,
    }
}

/// Where the stages lead.
enum Way {
    /// To an answer.
    Answered(Answered),
    /// To one that is made in the background.
    Later(Box<Funded>),
    /// To a connection on which is told what is asked for.
    Told(Box<Authenticated>),
}

/// The stages.
async fn way(house: &House, request: Request<Incoming>, trail: &mut Trail) -> Result<Way, Error> {
    house.takes_calls()?;
    let request = accept::accept(request)?;
    let request = authenticate::authenticate(house, request, trail)?;
    if request.accepted.front.is_told() {
        return Ok(Way::Told(Box::new(request)));
    }
    asked(house, request, trail).await
}

/// The stages of a caller who is known.
async fn asked(house: &House, request: Authenticated, trail: &mut Trail) -> Result<Way, Error> {
    let call = normalise::normalise(house, request, trail).await?;
    let call = attribute::attribute(call, trail)?;
    if call.front.operation == Operation::ListModels {
        return listing::answer(&call, trail).map(|whole| Way::Answered(Answered::Whole(whole)));
    }
    if kept::files::is_asked(call.front.operation) {
        return kept::files::answer(house, &call, trail).await.map(Way::Answered);
    }
    if call.front.is_about_kept() {
        return kept::answer(house, &call, trail).await.map(|whole| Way::Answered(Answered::Whole(whole)));
    }
    let call = kept::named::open(house, call)?;
    let call = guard::guard(call, trail)?;
    let call = route::route(call, trail)?;
    let call = fund::fund(house, call, trail)?;
    if call.call().recalled.as_ref().is_some_and(|recalled| recalled.background) {
        return Ok(Way::Later(Box::new(call)));
    }
    let answered = answer::answer(&call, trail).await?;
    kept::keep(house, call.call(), answered, trail).await.map(Way::Answered)
}

/// A future whose panic is a value.
struct CatchUnwind<F>(Pin<Box<F>>);

impl<F: Future> Future for CatchUnwind<F> {
    type Output = std::thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
