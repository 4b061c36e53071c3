//! Cohere: conversations, embeddings and rankings, each in a form of its own. <https://docs.cohere.com/reference/about>

use crate::{Action, Addressed, Environment, Outgoing, Provider, headers, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;

/// Cohere.
#[derive(Clone, Copy, Debug)]
pub struct Cohere;

/// Cohere.
pub static PROVIDER: Cohere = Cohere;

static QUIRKS: Quirks = Quirks::NONE;

/// How the names of models that embed begin.
const EMBEDS: &str = "embed-";
/// How the names of models that rank begin.
const RANKS: &str = "rerank-";

impl Provider for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["cohere_chat"]
    }

    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.cohere.com")
    }

    fn environment(&self) -> Environment {
        Environment { key: Some("COHERE_API_KEY"), base_url: Some("COHERE_BASE_URL"), also: &[] }
    }

    /// Models that one has trained have names of their own: those are not told apart.
    fn dialect(&self, front: Dialect, model: &str) -> Option<Dialect> {
        let (embeds, ranks) = (model.starts_with(EMBEDS), model.starts_with(RANKS));
        match front {
            front if front.is_untranslated() => None,
            front if front.asks_for_vectors() => (!ranks && !model.starts_with("command")).then_some(Dialect::CohereEmbed),
            Dialect::CohereRerank => (!embeds && !model.starts_with("command")).then_some(Dialect::CohereRerank),
            _ => (!embeds && !ranks).then_some(Dialect::CohereChat),
        }
    }

    fn counts_tokens(&self, _: Dialect) -> bool {
        false
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &QUIRKS
    }

    /// `rerank-` alone is others', too.
    fn model_prefixes(&self) -> &'static [&'static str] {
        &["command-", "embed-english-", "embed-multilingual-", "embed-v4", "rerank-english-", "rerank-multilingual-", "rerank-v"]
    }

    fn example_model(&self) -> Option<&'static str> {
        Some("command-r7b-12-2024")
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        let path = match (outgoing.dialect, outgoing.action) {
            (Dialect::CohereChat, Action::Generate | Action::Stream) => "/v2/chat",
            (Dialect::CohereEmbed, Action::Generate | Action::EmbedMany) => "/v2/embed",
            (Dialect::CohereRerank, Action::Generate) => "/v2/rerank",
            _ => return Err(Error::new(Code::Internal, "this provider does not offer the operation")),
        };
        // People set the address with and without a version; both mean the same.
        let base = outgoing.base_url.trim_end_matches('/');
        let base = ["/v1", "/v2"].iter().find_map(|version| base.strip_suffix(version)).unwrap_or(base);
        let mut headers = headers(outgoing.caller, &[]);
        let uri = uri(base, path)?;
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }
}
