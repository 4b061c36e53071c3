//! Where Cohere ranks: for every kind that speaks its form. The address is that without a version.

use crate::{Addressed, Outgoing, headers, secret_header, uri};
use gatehouse_core::error::Error;

/// Addresses and signs a ranking in Cohere's form.
///
/// # Errors
/// When the address or the credential cannot be put into a request.
pub(crate) fn cohere(outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
    let base = outgoing.base_url.trim_end_matches('/');
    let base = ["/v1", "/v2"].iter().find_map(|version| base.strip_suffix(version)).unwrap_or(base);
    let mut headers = headers(outgoing.caller, &[]);
    if let Some(credential) = outgoing.credential {
        headers.insert(http::header::AUTHORIZATION, secret_header("Bearer ", credential.secret()?)?);
    }
    Ok(Addressed { uri: uri(base, "/v2/rerank")?, headers })
}
