//! From a provider's ids to ours and back. Ours are sealed for their tenant; the same thing is shown under the same id
//! each time, as clients compare them.

use crate::clock;
use crate::house::House;
use crate::shelf::Thing;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_identity::envelope::{Envelope, Kind, NONCE_BYTES, Tenant};
use gatehouse_wire::json::{Doc, escaped};
use sha2::{Digest as _, Sha256};

/// How long the id of a batch and of its files holds, where the provider names no end.
pub const BATCH_LIFE_SECONDS: u64 = 30 * 24 * 3600;
/// How long the id of another file holds, where the provider names no end.
pub const FILE_LIFE_SECONDS: u64 = 365 * 24 * 3600;
/// What an envelope has room for beside the provider's id.
const FACTS_BYTES_MAX: usize = 255;

/// What has to be known of the input of a batch wherever its id is opened: it travels in the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What its lines ask for.
    pub dialect: Dialect,
    /// The most that the batch can cost; `None` without a known price.
    pub most: Option<Nanodollars>,
    /// How many lines it has.
    pub lines: u64,
    /// How many tokens they have, as far as we count.
    pub tokens: u64,
    /// The model at the provider, as the configuration names it.
    pub deployment: String,
    /// The model as the caller named it.
    pub model: String,
}

/// What a file is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// A batch's input.
    Input(Input),
    /// What a batch wrote, in answers of this dialect.
    Output(Dialect),
    /// Nothing of ours.
    Other,
}

// === impl Facts ===

impl Facts {
    /// As an envelope holds them.
    ///
    /// # Errors
    /// `invalid_request` when the names in them are too long.
    pub fn written(&self) -> Result<String, Error> {
        let written = match self {
            Self::Input(input) => format!(
                "b\n{}\n{}\n{}\n{}\n{}\n{}",
                endpoint(input.dialect),
                input.most.map_or_else(|| "-".to_owned(), |most| most.0.to_string()),
                input.lines,
                input.tokens,
                input.deployment,
                input.model
            ),
            Self::Output(dialect) => format!("o\n{}", endpoint(*dialect)),
            Self::Other => String::new(),
        };
        if written.len() > FACTS_BYTES_MAX {
            return Err(Error::invalid("model", "the model's name is too long for a batch"));
        }
        Ok(written)
    }

    /// Back again.
    #[must_use]
    pub fn read(written: &str) -> Self {
        let mut parts = written.splitn(7, '\n');
        let mut next = || parts.next().unwrap_or_default();
        let found = match next() {
            "b" => dialect(next()).map(|dialect| {
                let most = next().parse().ok().map(Nanodollars);
                let mut number = || next().parse().unwrap_or_default();
                let (lines, tokens) = (number(), number());
                let (deployment, model) = (next().to_owned(), next().to_owned());
                Self::Input(Input { dialect, most, lines, tokens, deployment, model })
            }),
            "o" => dialect(next()).map(Self::Output),
            _ => None,
        };
        found.unwrap_or(Self::Other)
    }
}

/// What a line of a batch may ask for, by its path. Azure's older versions have these paths without a version.
#[must_use]
pub fn dialect(endpoint: &str) -> Option<Dialect> {
    Some(match endpoint.strip_prefix("/v1").unwrap_or(endpoint) {
        "/chat/completions" => Dialect::OpenAiChat,
        "/responses" => Dialect::OpenAiResponses,
        "/completions" => Dialect::OpenAiCompletions,
        "/embeddings" => Dialect::OpenAiEmbeddings,
        _ => return None,
    })
}

/// Back again.
#[must_use]
pub fn endpoint(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiResponses => "/v1/responses",
        Dialect::OpenAiCompletions => "/v1/completions",
        Dialect::OpenAiEmbeddings => "/v1/embeddings",
        _ => "/v1/chat/completions",
    }
}

/// Where something is, for a caller who names it.
///
/// # Errors
/// `not_found`, the same for whatever is not this tenant's.
pub fn open(house: &House, kind: Kind, tenant: &Tenant, id: &str) -> Result<Envelope, Error> {
    house.seals.open(kind, tenant, id, clock::unix_seconds())
}

/// Makes an id. The same envelope has the same id: what is random elsewhere is a digest of it here, which this way of
/// sealing forgives.
///
/// # Errors
/// `internal_error` when it cannot be sealed.
pub fn seal(house: &House, kind: Kind, tenant: &Tenant, envelope: &Envelope) -> Result<String, Error> {
    let mut digest = Sha256::new();
    let expires_at = envelope.expires_at.to_string();
    for part in [
        kind.prefix(),
        tenant.as_str(),
        &envelope.provider,
        &envelope.deployment,
        &envelope.upstream,
        &expires_at,
    ] {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = digest.finalize();
    let mut nonce = [0; NONCE_BYTES];
    nonce.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    house.seals.seal(kind, tenant, envelope, nonce)
}

/// The id of a file that a batch has written: the one that it was shown under before, else a new one, which is kept.
///
/// # Errors
/// `internal_error`.
pub async fn of_output(
    house: &House,
    tenant: &Tenant,
    provider: &str,
    upstream: &str,
    dialect: Dialect,
    expires_at: u64,
) -> Result<String, Error> {
    let (owner, at, id) = (tenant.as_str().to_owned(), provider.to_owned(), upstream.to_owned());
    if let Some(known) = house.desk.ask(move |shelf| shelf.find(&owner, &at, &id)).await? {
        return Ok(known.id);
    }
    let envelope = Envelope {
        provider: provider.to_owned(),
        deployment: Facts::Output(dialect).written()?,
        upstream: upstream.to_owned(),
        expires_at,
    };
    let id = seal(house, Kind::File, tenant, &envelope)?;
    let now = clock::unix_seconds();
    let body = format!(
        "{{\"id\":\"{id}\",\"object\":\"file\",\"bytes\":0,\"created_at\":{now},\"expires_at\":{expires_at},\
         \"filename\":\"batch_output.jsonl\",\"purpose\":\"batch_output\",\"status\":\"processed\"}}"
    );
    let thing = Thing {
        id: id.clone(),
        kind: "file".to_owned(),
        tenant: tenant.as_str().to_owned(),
        provider: provider.to_owned(),
        upstream: upstream.to_owned(),
        purpose: "batch_output".to_owned(),
        created_at: now,
        expires_at,
        body,
        ..Thing::default()
    };
    house.desk.ask(move |shelf| shelf.put(&thing)).await?;
    Ok(id)
}

/// A provider's object with these texts as these members.
#[must_use]
pub fn shown(doc: &Doc, members: &[(&str, &str)]) -> Bytes {
    let mut edits: Vec<Edit> = members
        .iter()
        .filter_map(|(name, text)| {
            let range = doc.root().get(name)?.range();
            Some(Edit { range, with: Bytes::from([b"\"", escaped(text).as_slice(), b"\""].concat()) })
        })
        .collect();
    edits.sort_by_key(|edit| edit.range.start);
    splice(doc.bytes(), &edits)
}

/// A text of an answer.
///
/// # Errors
/// `upstream_bad_response` when it is not there.
pub fn text(doc: &Doc, name: &str) -> Result<String, Error> {
    let text = doc.root().opt(name).and_then(|value| value.str().map(|text| text.into_owned()));
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| Error::new(Code::UpstreamBadResponse, format!("the provider's answer has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::{Facts, Input, shown};
    use gatehouse_core::content::Dialect;
    use gatehouse_core::money::Nanodollars;
    use gatehouse_wire::json::{Doc, Strictness};

    #[test]
    fn facts_come_back_and_names_that_are_too_long_are_refused() {
        let input = Input {
            dialect: Dialect::OpenAiEmbeddings,
            most: Some(Nanodollars(7)),
            lines: 3,
            tokens: 40,
            deployment: "a/b".to_owned(),
            model: "fast".to_owned(),
        };
        for facts in [
            Facts::Input(input.clone()),
            Facts::Input(Input { most: None, ..input.clone() }),
            Facts::Output(Dialect::OpenAiResponses),
            Facts::Other,
        ] {
            assert_eq!(Facts::read(&facts.written().unwrap()), facts);
        }
        let long = Facts::Input(Input { model: "m".repeat(300), ..input });
        assert_eq!(long.written().unwrap_err().param.as_deref(), Some("model"));
    }

    #[test]
    fn members_that_are_there_are_replaced_and_the_rest_stays() {
        let doc = Doc::parse(r#"{"b":"x","id":"u","n":{"id":"u"}}"#.into(), Strictness::Provider).unwrap();
        assert_eq!(shown(&doc, &[("id", "o\"k"), ("c", "y")]), r#"{"b":"x","id":"o\"k","n":{"id":"u"}}"#);
    }
}
