//! The OpenAI-compatible family: one implementation, a value for each member.

use crate::auth::encoded;
use crate::credential::{Env, set};
use crate::settings::Settings;
use crate::{Action, Addressed, Environment, Outgoing, Provider, headers, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;

/// A provider that speaks OpenAI's dialects.
#[derive(Clone, Copy, Debug)]
pub struct Compatible {
    /// Its name in the configuration and in the price list.
    pub name: &'static str,
    /// What configurations of other programs call it.
    pub also_called: &'static [&'static str],
    /// Its name in OpenTelemetry's conventions, where that is another.
    pub convention_name: Option<&'static str>,
    /// Where it is, with the version in the path; `None` for servers of one's own.
    pub base_url: Option<&'static str>,
    /// The variables that a start without configuration looks for.
    pub environment: Environment,
    /// Whether it holds conversations. Some only embed and rank.
    pub chat: bool,
    /// What it has beside chat.
    pub also: &'static [Dialect],
    /// Whether it counts the tokens of a request to `/responses`.
    pub counts: bool,
    /// Where it is, when that follows from an account.
    pub account: Option<Account>,
    /// Whether a credential is required.
    pub key: Key,
    /// How it differs.
    pub quirks: Quirks,
    /// Prefixes of model names that are surely its own.
    pub model_prefixes: &'static [&'static str],
    /// A small model of it that has a price.
    pub example_model: Option<&'static str>,
}

/// An address with the id of an account in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// What stands before the id and behind it.
    pub around: (&'static str, &'static str),
    /// The variable that holds the id where none is configured.
    pub variable: &'static str,
}

/// Dialects of rankings and of embeddings that a member may have; each has one of them at most.
const RANKINGS: &[Dialect] = &[Dialect::JinaRerank, Dialect::VoyageRerank, Dialect::TeiRerank];
const EMBEDDINGS: &[Dialect] = &[Dialect::OpenAiEmbeddings, Dialect::VoyageEmbeddings];

/// Whether a credential is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Yes.
    Required,
    /// Servers of one's own often have none.
    Optional,
}

/// Where an operation that is not translated is, under the version.
pub(crate) fn native_path(dialect: Dialect) -> Option<&'static str> {
    Some(match dialect {
        Dialect::OpenAiModerations => "/moderations",
        Dialect::OpenAiImages => "/images/generations",
        Dialect::OpenAiImageEdits => "/images/edits",
        Dialect::OpenAiImageVariations => "/images/variations",
        Dialect::OpenAiSpeech => "/audio/speech",
        Dialect::OpenAiTranscriptions => "/audio/transcriptions",
        Dialect::OpenAiTranslations => "/audio/translations",
        Dialect::OpenAiFiles => "/files",
        Dialect::OpenAiBatches => "/batches",
        _ => return None,
    })
}

impl Compatible {
    /// What most have in common; the name and address are to be set.
    pub const BASE: Self = Self {
        name: "",
        also_called: &[],
        convention_name: None,
        base_url: None,
        environment: Environment { key: None, base_url: None, also: &[] },
        chat: true,
        also: &[Dialect::OpenAiEmbeddings],
        counts: false,
        account: None,
        key: Key::Required,
        quirks: Quirks::COMPATIBLE,
        model_prefixes: &[],
        example_model: None,
    };

    fn path(dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::OpenAiChat => Some("/chat/completions"),
            Dialect::OpenAiResponses => Some("/responses"),
            Dialect::OpenAiCompletions => Some("/completions"),
            Dialect::MistralFim => Some("/fim/completions"),
            Dialect::OpenAiEmbeddings | Dialect::VoyageEmbeddings => Some("/embeddings"),
            Dialect::OpenAiRealtime => Some("/realtime"),
            Dialect::JinaRerank | Dialect::VoyageRerank | Dialect::TeiRerank => Some("/rerank"),
            other => native_path(other),
        }
    }

    /// Which of these it has.
    fn one_of(&self, dialects: &[Dialect]) -> Option<Dialect> {
        dialects.iter().copied().find(|dialect| self.also.contains(dialect))
    }
}

impl Provider for Compatible {
    fn name(&self) -> &'static str {
        self.name
    }

    fn convention_name(&self) -> &'static str {
        self.convention_name.unwrap_or(self.name)
    }

    fn also_called(&self) -> &'static [&'static str] {
        self.also_called
    }

    fn base_url(&self) -> Option<&'static str> {
        self.base_url
    }

    fn environment(&self) -> Environment {
        self.environment
    }

    fn dialect(&self, front: Dialect, _: &str) -> Option<Dialect> {
        match front {
            front if self.also.contains(&front) => Some(front),
            front if front.is_untranslated() => None,
            front if front.asks_for_vectors() => self.one_of(EMBEDDINGS),
            Dialect::CohereRerank => self.one_of(RANKINGS),
            _ => self.chat.then_some(Dialect::OpenAiChat),
        }
    }

    fn takes(&self) -> &'static [&'static str] {
        if self.account.is_some() { &["account"] } else { &[] }
    }

    fn place(&self, settings: &Settings, env: Env<'_>) -> Result<String, String> {
        let own = || {
            let Some(Account { around: (before, behind), variable }) = self.account else {
                let missing = || "base_url: is required for this kind of provider".to_owned();
                return self.base_url.map(ToOwned::to_owned).ok_or_else(missing);
            };
            let id = settings.account.clone().or_else(|| set(env, variable));
            let id = id.ok_or_else(|| format!("account: is missing; write its id, or set {variable}"))?;
            Ok(format!("{before}{}{behind}", encoded(&id)))
        };
        settings.base_url.clone().map_or_else(own, Ok)
    }

    fn counts_tokens(&self, dialect: Dialect) -> bool {
        self.counts && dialect == Dialect::OpenAiResponses
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &self.quirks
    }

    fn needs_credential(&self) -> bool {
        self.key == Key::Required
    }

    fn model_prefixes(&self) -> &'static [&'static str] {
        self.model_prefixes
    }

    fn example_model(&self) -> Option<&'static str> {
        self.example_model
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        let path = match outgoing.action {
            Action::CountTokens => self.counts_tokens(outgoing.dialect).then_some("/responses/input_tokens"),
            _ => Self::path(outgoing.dialect),
        };
        let path =
            path.ok_or_else(|| Error::new(Code::Internal, "this provider does not speak the dialect"))?;
        let base_url = outgoing.base_url;
        let uri = match outgoing.dialect {
            Dialect::OpenAiRealtime => uri(base_url, &format!("{path}?model={}", encoded(outgoing.model)))?,
            // The one path that stands beside the version, not under it.
            Dialect::TeiRerank => uri(base_url.strip_suffix("/v1").unwrap_or(base_url), path)?,
            _ => uri(base_url, path)?,
        };
        let mut headers = headers(outgoing.caller, &["openai-beta"]);
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }
}

#[cfg(test)]
mod tests {
    use crate::credential::Credential;
    use crate::settings::Settings;
    use crate::{Action, Outgoing, kinds};
    use gatehouse_core::content::Dialect;
    use gatehouse_core::deployment::Capabilities;
    use gatehouse_wire::codec::{Codec, Target};
    use gatehouse_wire::json::{Doc, Strictness};
    use gatehouse_wire::openai_chat::OpenAiChat;
    use http::HeaderMap;
    use secrecy::SecretString;

    #[test]
    fn a_request_goes_to_the_dialects_path_and_its_key_does_not_print() {
        let groq = kinds::find("groq").unwrap();
        let secret = Credential::Key(SecretString::from("gsk-secret"));
        let addressed = groq
            .address(&Outgoing {
                dialect: Dialect::OpenAiChat,
                action: Action::Stream,
                model: "m",
                base_url: groq.base_url().unwrap(),
                credential: Some(&secret),
                settings: &Settings::default(),
                body: b"{}",
                now: 0,
                caller: &HeaderMap::new(),
            })
            .unwrap();
        assert_eq!(addressed.uri, "https://api.groq.com/openai/v1/chat/completions");
        assert_eq!(addressed.headers["authorization"], "Bearer gsk-secret");
        assert!(!format!("{addressed:?}").contains("gsk-secret"));
    }

    /// What a chat caller may have from other providers, and who of the family refuses it.
    #[test]
    fn what_a_server_does_not_know_is_left_out_by_name() {
        let body = r#"{"model":"m","messages":[{"role":"user","name":"bob","content":"x"},
            {"role":"assistant","content":"y","reasoning_content":"hm"}],"top_k":3,"n":1}"#;
        let doc = Doc::parse(body.into(), Strictness::Caller).unwrap();
        let view = OpenAiChat.view(&doc).unwrap();
        let strict = ["top_k", "messages[0].name", "messages[1].reasoning_content"].as_slice();
        let openai = ["top_k", "messages[1].reasoning_content"].as_slice();
        for (name, expected) in
            [("openai", openai), ("groq", strict), ("mistral", strict), ("vllm", &[]), ("deepseek", &[])]
        {
            let quirks = kinds::find(name).unwrap().quirks("m");
            let target = Target { model: "m", capabilities: Capabilities::default(), quirks };
            let rewrite = OpenAiChat.rewrite(&doc, &view, &target).unwrap();
            assert_eq!(rewrite.dropped, expected, "{name}");
        }
    }

    #[test]
    fn every_member_serves_every_chat_front_and_names_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for provider in kinds::ALL {
            assert!(names.insert(provider.name()), "{}", provider.name());
            for front in [
                Dialect::OpenAiChat,
                Dialect::OpenAiResponses,
                Dialect::OpenAiCompletions,
                Dialect::AnthropicMessages,
                Dialect::GeminiGenerate,
            ] {
                let chats = provider.dialect(Dialect::OpenAiChat, "m").is_some();
                assert_eq!(provider.dialect(front, "m").is_some(), chats, "{} {front:?}", provider.name());
                let ranks = provider.dialect(Dialect::CohereRerank, "m").is_some();
                assert!(chats || ranks, "{} does nothing", provider.name());
            }
        }
    }
}
