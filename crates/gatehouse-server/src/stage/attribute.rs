//! On whose account? What the key is bound to, filled in by headers and by the members that SDKs have.

use crate::call::Call;
use crate::trail::Trail;
use gatehouse_core::error::Error;
use gatehouse_identity::scope;

/// Fills in the account, and with it the guardrails that apply.
///
/// # Errors
/// `not_allowed` when the caller names another account than its key's or a use case that its account does
/// not have, `invalid_request`.
pub fn attribute(mut call: Call, trail: &mut Trail) -> Result<Call, Error> {
    let user = call.view.user.as_deref();
    call.scope = scope::attribute(&call.key.caller, &call.headers, user, &call.view.metadata)?;
    // What the key is bound to was checked when it was made.
    if call.key.caller.bound.use_case.is_empty() && !call.scope.use_case.is_empty() {
        trail.snapshot.knows_use_case(&call.scope)?;
    }
    call.guards = trail.snapshot.guards.for_scope(&call.scope);
    trail.scope(&call.scope);
    Ok(call)
}
