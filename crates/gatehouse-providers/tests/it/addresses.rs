//! Where requests to the clouds go, and what signs them.

use gatehouse_core::content::Dialect;
use gatehouse_providers::credential::{AwsKeys, Credential};
use gatehouse_providers::settings::Settings;
use gatehouse_providers::{Action, Addressed, Outgoing, Provider, kinds};
use http::HeaderMap;

fn address(
    kind: &str,
    settings: &Settings,
    (dialect, action, model): (Dialect, Action, &str),
    credential: Option<&Credential>,
) -> Addressed {
    let kind: &dyn Provider = kinds::find(kind).unwrap();
    let settings = kind.settled(settings.clone(), &|_| None);
    let base_url = kind.place(&settings, &|_| None).unwrap();
    let outgoing = Outgoing {
        dialect,
        action,
        model,
        base_url: &base_url,
        credential,
        settings: &settings,
        body: br#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#,
        now: 1_795_420_800,
        caller: &HeaderMap::new(),
    };
    kind.address(&outgoing).unwrap()
}

fn key(text: &str) -> Credential {
    Credential::Key(text.to_owned().into())
}

fn token(text: &str) -> Credential {
    Credential::Token(text.to_owned().into())
}

#[test]
fn files_and_batches_have_no_deployment_in_their_addresses() {
    let versions = [None, Some("2024-10-21".to_owned())];
    let expected = [
        ["https://r.openai.azure.com/openai/v1/files", "https://r.openai.azure.com/openai/v1/batches"],
        [
            "https://r.openai.azure.com/openai/files?api-version=2024-10-21",
            "https://r.openai.azure.com/openai/batches?api-version=2024-10-21",
        ],
    ];
    for (api_version, expected) in versions.into_iter().zip(expected) {
        let base_url = Some("https://r.openai.azure.com".to_owned());
        let settings = Settings { base_url, api_version, ..Settings::default() };
        for (dialect, expected) in [Dialect::OpenAiFiles, Dialect::OpenAiBatches].into_iter().zip(expected) {
            let addressed = address("azure", &settings, (dialect, Action::Generate, ""), Some(&key("k")));
            assert_eq!(addressed.uri, expected);
        }
    }
    let asked = |dialect| (dialect, Action::Generate, "");
    let groq = address("groq", &Settings::default(), asked(Dialect::OpenAiBatches), Some(&key("k")));
    assert_eq!(groq.uri, "https://api.groq.com/openai/v1/batches");
    for kind in kinds::ALL {
        let has = ["openai", "azure", "groq", "sim"].contains(&kind.name());
        for dialect in [Dialect::OpenAiFiles, Dialect::OpenAiBatches] {
            assert_eq!(kind.dialect(dialect, "") == Some(dialect), has, "{}", kind.name());
        }
    }
}

#[test]
fn sessions_have_their_addresses() {
    let asked = (Dialect::OpenAiRealtime, Action::Stream, "gpt realtime");
    let versions = [None, Some("2025-04-01-preview".to_owned())];
    let expected = [
        "https://r.openai.azure.com/openai/v1/realtime?model=gpt%20realtime",
        "https://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt%20realtime",
    ];
    for (api_version, expected) in versions.into_iter().zip(expected) {
        let base_url = Some("https://r.openai.azure.com".to_owned());
        let settings = Settings { base_url, api_version, ..Settings::default() };
        let addressed = address("azure", &settings, asked, Some(&key("k")));
        assert_eq!(
            (addressed.uri.to_string().as_str(), &addressed.headers["api-key"]),
            (expected, &"k".parse().unwrap())
        );
    }
    let addressed = address("openai", &Settings::default(), asked, Some(&key("k")));
    assert_eq!(addressed.uri, "https://api.openai.com/v1/realtime?model=gpt%20realtime");
    for kind in kinds::ALL {
        let has = ["openai", "azure", "sim"].contains(&kind.name());
        assert_eq!(kind.dialect(Dialect::OpenAiRealtime, "m").is_some(), has, "{}", kind.name());
        let has = ["gemini", "vertex", "sim"].contains(&kind.name());
        let live = Dialect::GeminiLive;
        assert_eq!(kind.dialect(live, "m") == Some(live), has, "{}", kind.name());
    }
}

#[test]
fn sessions_whose_first_message_names_the_model_have_one_address() {
    let asked = (Dialect::GeminiLive, Action::Stream, "gemini-live");
    let settings = Settings {
        project: Some("p".to_owned()),
        location: Some("europe-west4".to_owned()),
        base_url: Some("https://europe-west4-aiplatform.googleapis.com".to_owned()),
        ..Settings::default()
    };
    let google = "https://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.\
                  BidiGenerateContent";
    let cloud = "https://europe-west4-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1.LlmBidiService/\
                 BidiGenerateContent";
    let long = "projects/p/locations/europe-west4/publishers/google/models/gemini-live";
    for (kind, settings, uri, name) in
        [("gemini", &Settings::default(), google, "models/gemini-live"), ("vertex", &settings, cloud, long)]
    {
        let addressed = address(kind, settings, asked, Some(&key("k")));
        assert_eq!(addressed.uri, uri);
        assert_eq!(addressed.headers["x-goog-api-key"], "k");
        let kind = kinds::find(kind).unwrap();
        assert_eq!(kind.session_model(Dialect::GeminiLive, settings, "gemini-live"), name);
    }
    assert_eq!(kinds::find("vertex").unwrap().dialect(Dialect::GeminiLive, "claude-sonnet-4-5"), None);
}

/// The expected signatures are botocore's, for the same request at the same time.
#[test]
fn bedrock_is_signed_as_aws_own_library_signs() {
    let settings = Settings { aws_region: Some("eu-central-1".to_owned()), ..Settings::default() };
    let model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    for (session, signed, signature) in [
        (
            None,
            "content-type;host;x-amz-date",
            "654d4a29501a1767a33f85709017e4ca21f75d89697054c14aefcd34256a87b3",
        ),
        (
            Some("session-token".to_owned().into()),
            "content-type;host;x-amz-date;x-amz-security-token",
            "0f17ddcec1f2fddabc7382ebefa9a17e27363feda52ddd605b15fef88034008a",
        ),
    ] {
        let keys = Credential::Aws(AwsKeys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session,
        });
        let asked = (Dialect::BedrockConverse, Action::Generate, model);
        let addressed = address("bedrock", &settings, asked, Some(&keys));
        assert_eq!(
            addressed.uri,
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
        );
        assert_eq!(addressed.headers["x-amz-date"], "20261123T080000Z");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-central-1/bedrock/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        assert_eq!(addressed.headers["authorization"], expected);
        assert!(!format!("{addressed:?}").contains("session-token"));
    }
}

#[test]
fn bedrock_takes_a_key_of_its_own_and_the_name_of_a_profile() {
    let settings = Settings { aws_region: Some("us-east-1".to_owned()), ..Settings::default() };
    let asked =
        (Dialect::BedrockConverse, Action::Stream, "arn:aws:bedrock:us-east-1:1:inference-profile/a/b");
    let addressed = address("bedrock", &settings, asked, Some(&key("bedrock-key")));
    assert!(addressed.uri.path().ends_with("inference-profile%2Fa%2Fb/converse-stream"), "{}", addressed.uri);
    assert_eq!(addressed.headers["authorization"], "Bearer bedrock-key");
    let bedrock = kinds::find("bedrock").unwrap();
    for (model, listed) in [
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ] {
        assert_eq!(bedrock.catalogue_name(model), listed);
    }
    assert!(bedrock.place(&Settings::default(), &|_| None).unwrap_err().contains("aws_region"));
}

#[test]
fn vertex_has_a_host_for_each_location_and_a_publisher_for_each_dialect() {
    let settings = |location: &str| Settings {
        project: Some("p-1".to_owned()),
        location: Some(location.to_owned()),
        ..Settings::default()
    };
    for (location, host) in [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ] {
        let asked = (Dialect::GeminiGenerate, Action::Stream, "gemini-2.5-pro");
        let addressed = address("vertex", &settings(location), asked, Some(&token("t")));
        assert_eq!(
            addressed.uri,
            format!(
                "https://{host}/v1beta1/projects/p-1/locations/{location}/publishers/google/models/\
                 gemini-2.5-pro:streamGenerateContent?alt=sse"
            )
            .as_str()
        );
        assert_eq!(addressed.headers["authorization"], "Bearer t");
    }
    let asked = (Dialect::AnthropicMessages, Action::Stream, "claude-sonnet-4-5@20250929");
    let addressed = address("vertex", &settings("eu"), asked, Some(&token("t")));
    let path = "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict";
    assert!(addressed.uri.path().ends_with(path), "{}", addressed.uri);
}

#[test]
fn azure_takes_a_key_or_a_token() {
    let settings = Settings {
        base_url: Some("https://us.openai.azure.com/openai/v1/".to_owned()),
        ..Settings::default()
    };
    let asked = (Dialect::OpenAiEmbeddings, Action::EmbedMany, "m");
    let keyed = address("azure", &settings, asked, Some(&key("k")));
    assert_eq!(keyed.uri, "https://us.openai.azure.com/openai/v1/embeddings");
    assert_eq!(
        (&keyed.headers["api-key"], keyed.headers.get("authorization")),
        (&"k".parse().unwrap(), None)
    );
    let with_token = address("azure", &settings, asked, Some(&token("t")));
    assert_eq!(with_token.headers["authorization"], "Bearer t");
    assert!(!with_token.headers.contains_key("api-key"));
}

#[test]
fn who_embeds_or_ranks_is_found() {
    let at = |base: &str| Settings {
        base_url: Some(base.to_owned()),
        aws_region: Some("eu-central-1".to_owned()),
        project: Some("p".to_owned()),
        ..Settings::default()
    };
    let account = Settings { account: Some("a b".to_owned()), ..Settings::default() };
    let none = Settings::default();
    for (kind, settings, dialect, model, expected) in [
        ("jina", &none, Dialect::JinaRerank, "m", "https://api.jina.ai/v1/rerank"),
        ("jina", &none, Dialect::OpenAiEmbeddings, "m", "https://api.jina.ai/v1/embeddings"),
        ("voyage", &none, Dialect::VoyageRerank, "m", "https://api.voyageai.com/v1/rerank"),
        ("voyage", &none, Dialect::VoyageEmbeddings, "m", "https://api.voyageai.com/v1/embeddings"),
        ("tei", &at("http://tei:80/v1"), Dialect::TeiRerank, "m", "http://tei:80/rerank"),
        ("tei", &at("http://tei:80/v1"), Dialect::OpenAiEmbeddings, "m", "http://tei:80/v1/embeddings"),
        ("sim", &at("http://sim/v1"), Dialect::CohereRerank, "m", "http://sim/v2/rerank"),
        ("sim", &at("http://sim"), Dialect::CohereChat, "m", "http://sim/v2/chat"),
        ("cohere", &none, Dialect::CohereChat, "m", "https://api.cohere.com/v2/chat"),
        (
            "cohere",
            &at("https://eu.cohere.example/v1/"),
            Dialect::CohereEmbed,
            "m",
            "https://eu.cohere.example/v2/embed",
        ),
        (
            "cohere",
            &at("https://eu.cohere.example/v2"),
            Dialect::CohereRerank,
            "m",
            "https://eu.cohere.example/v2/rerank",
        ),
        ("huggingface", &none, Dialect::OpenAiChat, "m", "https://router.huggingface.co/v1/chat/completions"),
        (
            "cloudflare",
            &account,
            Dialect::OpenAiChat,
            "m",
            "https://api.cloudflare.com/client/v4/accounts/a%20b/ai/v1/chat/completions",
        ),
        (
            "bedrock",
            &at("http://aws"),
            Dialect::BedrockRerank,
            "amazon.rerank-v1:0",
            "http://aws/model/amazon.rerank-v1%3A0/invoke",
        ),
        (
            "vertex",
            &at("http://google"),
            Dialect::VertexPredict,
            "m",
            "http://google/v1beta1/projects/p/locations/global/publishers/google/models/m:predict",
        ),
    ] {
        let addressed = address(kind, settings, (dialect, Action::Generate, model), Some(&key("k")));
        assert_eq!(addressed.uri, expected);
    }
    let cloudflare = kinds::find("cloudflare").unwrap();
    assert!(cloudflare.place(&none, &|_| None).unwrap_err().contains("CLOUDFLARE_ACCOUNT_ID"));
    let from_env = cloudflare.place(&none, &|name| (name == "CLOUDFLARE_ACCOUNT_ID").then(|| "x".to_owned()));
    assert!(from_env.unwrap().contains("/accounts/x/"));
}

#[test]
fn a_model_that_neither_embeds_nor_ranks_is_not_asked_to() {
    use Dialect::{
        BedrockCohereEmbed, BedrockRerank, BedrockTitanEmbed, CohereEmbed, CohereRerank, OpenAiEmbeddings,
        VertexPredict,
    };
    for (kind, front, model, expected) in [
        ("bedrock", OpenAiEmbeddings, "amazon.titan-embed-text-v2:0", Some(BedrockTitanEmbed)),
        ("bedrock", OpenAiEmbeddings, "eu.cohere.embed-v4:0", Some(BedrockCohereEmbed)),
        ("bedrock", OpenAiEmbeddings, "amazon.nova-lite-v1:0", None),
        ("bedrock", CohereRerank, "cohere.rerank-v3-5:0", Some(BedrockRerank)),
        ("bedrock", CohereRerank, "amazon.nova-lite-v1:0", None),
        ("vertex", OpenAiEmbeddings, "text-embedding-005", Some(VertexPredict)),
        ("vertex", OpenAiEmbeddings, "claude-sonnet-4-5", None),
        ("openai", CohereRerank, "m", None),
        ("azure", CohereRerank, "m", None),
        ("groq", CohereRerank, "m", None),
        ("jina", Dialect::OpenAiChat, "m", None),
        ("jina", CohereEmbed, "m", Some(OpenAiEmbeddings)),
        ("cohere", OpenAiEmbeddings, "embed-v4.0", Some(CohereEmbed)),
        ("cohere", OpenAiEmbeddings, "command-a-03-2025", None),
        ("cohere", CohereRerank, "rerank-v3.5", Some(CohereRerank)),
        ("cohere", CohereRerank, "embed-v4.0", None),
        ("cohere", Dialect::OpenAiChat, "my-own-ft", Some(Dialect::CohereChat)),
        ("cohere", Dialect::AnthropicMessages, "rerank-v3.5", None),
        ("cohere", Dialect::OpenAiRealtime, "command-a-03-2025", None),
        ("voyage", Dialect::GeminiEmbed, "m", Some(Dialect::VoyageEmbeddings)),
    ] {
        assert_eq!(kinds::find(kind).unwrap().dialect(front, model), expected, "{kind}/{model} {front:?}");
    }
}
