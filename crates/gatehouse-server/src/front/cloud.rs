//! The paths of clouds that serve other makers' models: what Anthropic's clients for Amazon Bedrock and for Vertex AI
//! ask for.

use super::{Cloud, Framing, Front, decoded, front};
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;

/// Where Bedrock's models are.
const BEDROCK: &str = "/model/";
/// Where Vertex AI has Anthropic's models.
const VERTEX: &str = "/publishers/anthropic/models/";
/// The model that counts, of which there is none: the one whose tokens are meant is in the body.
const COUNTING: &str = "count-tokens";

/// What a path of a cloud's asks for.
pub(super) fn find(path: &str) -> Option<Front> {
    bedrock(path).or_else(|| vertex(path))
}

/// Whether errors are to look as Bedrock's do.
pub(super) fn is_bedrock(path: &str) -> bool {
    path.starts_with(BEDROCK)
}

fn bedrock(path: &str) -> Option<Front> {
    let (model, call) = path.strip_prefix(BEDROCK)?.rsplit_once('/')?;
    let framing = match call {
        "converse" => return conversation(model, Framing::Whole),
        "converse-stream" => return conversation(model, Framing::Messages),
        "invoke" => Framing::Whole,
        "invoke-with-response-stream" => Framing::Chunks,
        _ => return None,
    };
    named(model, framing, Cloud::Bedrock)
}

/// A conversation in Bedrock's own dialect. Colons and the slashes of an ARN are escaped in the path.
fn conversation(model: &str, framing: Framing) -> Option<Front> {
    let model = Some(decoded(model)).filter(|model| !model.is_empty())?;
    let chat = front(Operation::Chat, Dialect::BedrockConverse);
    Some(Front { model: Some(model), framing, ..chat })
}

fn vertex(path: &str) -> Option<Front> {
    let (place, call) = path.split_once(VERTEX)?;
    // The version belongs to the address of some clients and to the path of others.
    ["/v1/", "/v1beta1/", "/"]
        .iter()
        .find_map(|version| place.strip_prefix(version)?.strip_prefix("projects/"))?;
    let (model, call) = call.rsplit_once(':')?;
    let framing = match call {
        "rawPredict" if model == COUNTING => {
            let count = front(Operation::CountTokens, Dialect::AnthropicMessages);
            return Some(Front { cloud: Some(Cloud::Vertex), ..count });
        }
        "rawPredict" => Framing::FromBody,
        "streamRawPredict" => Framing::Events,
        _ => return None,
    };
    named(model, framing, Cloud::Vertex)
}

fn named(model: &str, framing: Framing, cloud: Cloud) -> Option<Front> {
    let model = Some(decoded(model)).filter(|model| !model.is_empty())?;
    let chat = front(Operation::Chat, Dialect::AnthropicMessages);
    Some(Front { model: Some(model), framing, cloud: Some(cloud), ..chat })
}

#[cfg(test)]
mod tests {
    use super::super::{family, find};
    use super::{Cloud, Framing};
    use gatehouse_core::call::Operation;
    use gatehouse_core::content::{Dialect, Family};
    use http::{HeaderMap, Method};

    #[test]
    fn conversations_of_bedrocks_own_name_any_model() {
        for (path, model, framing) in [
            ("/model/small/converse", Some("small"), Framing::Whole),
            ("/model/small/converse/", Some("small"), Framing::Whole),
            (
                "/model/amazon.nova-lite-v1%3A0/converse-stream",
                Some("amazon.nova-lite-v1:0"),
                Framing::Messages,
            ),
            ("/model/sim/small/converse", Some("sim/small"), Framing::Whole),
            (
                "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.anthropic.claude/converse",
                Some("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude"),
                Framing::Whole,
            ),
            ("/model//converse", None, Framing::Whole),
            ("/model/small/converse-later", None, Framing::Whole),
        ] {
            let front = find(path, None, &HeaderMap::new(), &Method::POST);
            assert_eq!(front.as_ref().and_then(|front| front.model.as_deref()), model, "{path}");
            if let Some(front) = front {
                let found = (front.operation, front.dialect, front.framing, front.cloud);
                assert_eq!(found, (Operation::Chat, Dialect::BedrockConverse, framing, None), "{path}");
            }
        }
    }

    #[test]
    fn clouds_name_the_model_and_the_framing_in_the_path() {
        let look = |path: &str| {
            let front = find(path, None, &HeaderMap::new(), &Method::POST)?;
            assert_eq!(front.dialect, Dialect::AnthropicMessages);
            Some((front.operation, front.model, front.framing, front.cloud))
        };
        let chat = |model: &str, framing, cloud| {
            Some((Operation::Chat, Some(model.to_owned()), framing, Some(cloud)))
        };
        let place = "/projects/p/locations/europe-west4/publishers/anthropic/models";
        for (path, found) in [
            ("/model/claude/invoke".to_owned(), chat("claude", Framing::Whole, Cloud::Bedrock)),
            (
                "/model/anthropic.claude-sonnet-5-v1:0/invoke-with-response-stream".to_owned(),
                chat("anthropic.claude-sonnet-5-v1:0", Framing::Chunks, Cloud::Bedrock),
            ),
            ("/model/sim%2Fclaude/invoke".to_owned(), chat("sim/claude", Framing::Whole, Cloud::Bedrock)),
            ("/model//invoke".to_owned(), None),
            ("/model/x/nothing".to_owned(), None),
            (format!("/v1{place}/claude@1:rawPredict"), chat("claude@1", Framing::FromBody, Cloud::Vertex)),
            (
                format!("{place}/sim/claude:streamRawPredict"),
                chat("sim/claude", Framing::Events, Cloud::Vertex),
            ),
            (
                format!("/v1{place}/count-tokens:rawPredict"),
                Some((Operation::CountTokens, None, Framing::FromBody, Some(Cloud::Vertex))),
            ),
            (format!("/v1{place}/claude:predict"), None),
            (format!("/v3{place}/claude:rawPredict"), None),
        ] {
            assert_eq!(look(&path), found, "{path}");
        }
        assert_eq!(family("/model/x/nothing", &HeaderMap::new()), Family::Bedrock);
    }
}
