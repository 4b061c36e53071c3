//! May this pass? Every text of the request, before anybody outside sees it.

use super::Guarded;
use crate::call::Call;
use crate::dialects;
use crate::trail::Trail;
use gatehouse_core::content::{Place, Span, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::json::{Doc, Strictness};

/// Judges the address of what passes through: whoever searches says in it what for.
fn address(call: &Call, trail: &mut Trail) -> Result<(), Error> {
    let Some(passage) = &call.passage else { return Ok(()) };
    let text = passage.said();
    let judged = call.guards.judge(&text, &[Span { range: 0..text.len(), place: Place::Input }]);
    trail.judged(judged.tally);
    match judged.stopped {
        Some(error) => Err(error),
        None if judged.edits.is_empty() => Ok(()),
        None => {
            let message =
                "a guardrail would change the address of this call, and cannot; leave out what it hides";
            Err(Error::new(Code::GuardUnavailable, message))
        }
    }
}

/// Runs the guardrails over the request and makes their edits.
///
/// # Errors
/// `guard_blocked`, `guard_unavailable`, and `invalid_request` for what no guardrail can read.
pub fn guard(mut call: Call, trail: &mut Trail) -> Result<Guarded, Error> {
    if let Some(member) = call.view.unreadable {
        if call.guards.acts_at(Place::Input) {
            let message = format!("{member}: a guardrail must read it, and cannot read token ids; send text");
            return Err(Error::invalid(member, message));
        }
        trail.judged(call.guards.unread(Place::Input));
    }
    if call.files.is_some() || call.view.media > 0 {
        // Recordings, images, documents: their words are nobody's to read here.
        trail.judged(call.guards.unread(Place::Input));
    }
    address(&call, trail)?;
    if call
        .passage
        .as_ref()
        .is_some_and(|passage| passage.other.as_ref().is_some_and(|body| !body.is_empty()))
        && call.guards.acts_at(Place::Input)
    {
        let message = "a guardrail must read the body, and reads JSON only";
        return Err(Error::new(Code::UnsupportedMediaType, message));
    }
    let judged = call.guards.judge(call.doc.text(), &call.view.spans);
    trail.judged(judged.tally);
    if let Some(error) = judged.stopped {
        // What may not pass is not kept either, beside its digest, unless a rule of the record wants it.
        trail.request.stopped();
        return Err(error);
    }
    if !judged.edits.is_empty() {
        // What was checked is what is sent: the edited bytes are read again, and only they go on.
        let edited = splice(call.body(), &judged.edits);
        call.doc = Doc::parse(edited, Strictness::Caller)?;
        if call.files.is_some() {
            trail.request.show(call.body());
        } else {
            trail.request.replace(call.body());
        }
        call.view = dialects::view(&call.front, &call.doc)?;
    }
    Ok(Guarded(call))
}
