//! A request that came in another dialect, written for a server of the family.

use super::quirks::refusal;
use super::request::LEGACY_FUNCTIONS;
use super::{members, messages_out, tools_out};
use crate::chat::{ChatRequest, Extension, Weight};
use crate::codec::{Encoded, MaxTokens, Target};
use crate::json::{Out, Raw, ToJson};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// `service_tier`s that OpenAI knows.
const SERVICE_TIERS: &[&str] = &["auto", "default", "flex", "scale", "priority", "fast"];

/// A request body under construction, with what had to be left out of it.
pub(super) struct Body<'a> {
    pub(super) out: Out,
    pub(super) target: &'a Target<'a>,
    pub(super) dropped: Vec<String>,
}

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    if request.candidates.is_some_and(|answers| answers > 1) {
        return Err(Error::unsupported("n", "several answers at once cannot be translated; ask for one"));
    }
    let mut body = Body { out: Out::after(b"{".to_vec()), target, dropped: Vec::new() };
    body.members(request)?;
    let mut bytes = body.out.into_bytes();
    bytes.push(b'}');
    Ok(Encoded { body: bytes, dropped: body.dropped })
}

// === impl Body ===

impl Body<'_> {
    fn members(&mut self, request: &ChatRequest) -> Result<(), Error> {
        self.out.field("model", self.target.model);
        messages_out::write(self, &request.turns)?;
        tools_out::write_tools(self, request)?;
        tools_out::write_format(self, request.format.as_ref())?;
        tools_out::write_reasoning(self, request.reasoning.as_ref())?;
        self.sampling(request)?;
        if let Some(limit) = request.max_output_tokens {
            let name = match self.target.quirks.max_tokens {
                MaxTokens::CompletionTokens => "max_completion_tokens",
                MaxTokens::Tokens => "max_tokens",
            };
            // More than the model can write would be refused, and limits nothing.
            let most = self.target.capabilities.output_tokens.unwrap_or(limit);
            self.put(name, limit.min(most))?;
        }
        if !request.stop.is_empty() && self.may("stop")? {
            self.out.array_field("stop", |out| {
                for stop in &request.stop {
                    out.item(stop);
                }
            });
        }
        if request.stream {
            self.out.field("stream", true);
            if self.target.quirks.stream_options {
                self.out.field("stream_options", Raw("{\"include_usage\":true}"));
            }
        }
        self.attribution(request)?;
        self.extensions(request)
    }

    fn sampling(&mut self, request: &ChatRequest) -> Result<(), Error> {
        let samples = self.target.capabilities.sampling != Some(false);
        let numbers = [
            ("temperature", &request.temperature, samples),
            ("top_p", &request.top_p, samples),
            ("presence_penalty", &request.presence_penalty, samples),
            ("frequency_penalty", &request.frequency_penalty, samples),
            (self.target.quirks.seed, &request.seed, true),
        ];
        for (name, number, taken) in numbers {
            match number {
                Some(number) if taken => self.put(name, Raw(&number.0))?,
                Some(_) => self.drop(name),
                None => {}
            }
        }
        match request.top_k {
            // OpenAI itself never had it; its family does.
            Some(k) if samples && !self.target.quirks.developer_role => self.put("top_k", k),
            Some(_) => {
                self.drop("top_k");
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn attribution(&mut self, request: &ChatRequest) -> Result<(), Error> {
        if let Some(user) = &request.user {
            self.put("user", user)?;
        }
        if !request.metadata.is_empty() {
            // OpenAI refuses labels for what it does not store.
            let is_stored = |own: &Extension| own.path == "store" && own.value.0 == "true";
            if request.extensions.iter().any(is_stored) && self.may("metadata")? {
                self.out.object_field("metadata", |out| {
                    for (name, value) in &request.metadata {
                        out.field(name, value);
                    }
                });
            } else {
                self.drop("metadata");
            }
        }
        match &request.service_tier {
            Some(tier) if SERVICE_TIERS.contains(&tier.as_str()) => self.put("service_tier", tier),
            Some(_) => {
                self.drop("service_tier");
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn extensions(&mut self, request: &ChatRequest) -> Result<(), Error> {
        for own in &request.extensions {
            let is_member = !own.path.contains(['.', '[']);
            let is_ours = match own.origin {
                Dialect::OpenAiChat => is_member && own.path != LEGACY_FUNCTIONS,
                Dialect::OpenAiResponses => {
                    self.target.quirks.developer_role
                        && members::SHARED_WITH_RESPONSES.contains(&own.path.as_str())
                }
                _ => false,
            };
            if is_ours {
                self.put(&own.path, Raw(&own.value.0))?;
            } else if own.path != LEGACY_FUNCTIONS {
                self.foreign(own)?;
            }
        }
        Ok(())
    }

    /// What another dialect alone knows: named when it was a hint, refused when it was more.
    pub(super) fn foreign(&mut self, own: &Extension) -> Result<(), Error> {
        match own.weight {
            Weight::Hint => {
                self.drop(&own.path);
                Ok(())
            }
            Weight::Meaning => Err(Error::unsupported(&own.path, refusal(&own.path))),
        }
    }

    /// Writes a member, unless the server does not take it.
    pub(super) fn put(&mut self, name: &str, value: impl ToJson) -> Result<(), Error> {
        if self.may(name)? {
            self.out.field(name, value);
        }
        Ok(())
    }

    /// Whether the server takes a member; when not, it is named or refused.
    pub(super) fn may(&mut self, name: &str) -> Result<bool, Error> {
        if self.target.quirks.refuse.contains(&name) {
            return Err(Error::unsupported(name, refusal(name)));
        }
        if self.target.quirks.drop.contains(&name) {
            self.drop(name);
            return Ok(false);
        }
        Ok(true)
    }

    /// Names what is left out, once.
    pub(super) fn drop(&mut self, what: &str) {
        if !self.dropped.iter().any(|one| one == what) {
            self.dropped.push(what.to_owned());
        }
    }
}
