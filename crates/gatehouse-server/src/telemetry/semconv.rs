//! The names that OpenTelemetry's semantic conventions give to what we report, in one table: GenAI as of
//! 1.41, <https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai>. What they have no
//! name for is `gatehouse.…`.

pub(super) const OPERATION: &str = "gen_ai.operation.name";
pub(super) const PROVIDER: &str = "gen_ai.provider.name";
pub(super) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(super) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
pub(super) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
pub(super) const STREAM: &str = "gen_ai.request.stream";
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(super) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(super) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
pub(super) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const SERVER_ADDRESS: &str = "server.address";
pub(super) const SERVER_PORT: &str = "server.port";
pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const SERVICE_INSTANCE: &str = "service.instance.id";
/// Marks the series that takes what is beyond the limit of series.
pub(super) const OVERFLOW: &str = "otel.metric.overflow";

pub(super) const RECORD: &str = "gatehouse.record.id";
pub(super) const KEY: &str = "gatehouse.key.id";
pub(super) const ORG: &str = "gatehouse.org";
pub(super) const TEAM: &str = "gatehouse.team";
pub(super) const APP: &str = "gatehouse.app";
pub(super) const USE_CASE: &str = "gatehouse.use_case";
pub(super) const RUN: &str = "gatehouse.run.id";
pub(super) const SURFACE: &str = "gatehouse.surface";
pub(super) const TARGET: &str = "gatehouse.target";
pub(super) const ROUTE: &str = "gatehouse.route";
pub(super) const OUTCOME: &str = "gatehouse.outcome";
pub(super) const GUARDS: &str = "gatehouse.guards";
pub(super) const COST: &str = "gatehouse.cost.nano_usd";
pub(super) const COST_STATUS: &str = "gatehouse.cost.status";
pub(super) const ATTEMPTS: &str = "gatehouse.attempts";
pub(super) const ATTEMPT: &str = "gatehouse.attempt";
pub(super) const UPSTREAM_ID: &str = "gatehouse.upstream.id";

/// The histograms that are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Instrument {
    /// Tokens of a call, by [`TOKEN_TYPE`].
    TokenUsage,
    /// From accept to the end.
    OperationDuration,
    /// From accept to the first content of a stream.
    TimeToFirstToken,
}

// === impl Instrument ===

impl Instrument {
    pub(super) const ALL: [Self; 3] = [Self::TokenUsage, Self::OperationDuration, Self::TimeToFirstToken];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TokenUsage => "gen_ai.client.token.usage",
            Self::OperationDuration => "gen_ai.client.operation.duration",
            Self::TimeToFirstToken => "gen_ai.server.time_to_first_token",
        }
    }

    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::TokenUsage => "{token}",
            Self::OperationDuration | Self::TimeToFirstToken => "s",
        }
    }

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::TokenUsage => "Number of input and output tokens used.",
            Self::OperationDuration => "GenAI operation duration.",
            Self::TimeToFirstToken => "Time to generate first token for successful responses.",
        }
    }

    /// The upper bounds of the buckets, as the conventions advise.
    pub(super) fn bounds(self) -> &'static [f64] {
        match self {
            Self::TokenUsage => &[
                1.0,
                4.0,
                16.0,
                64.0,
                256.0,
                1024.0,
                4096.0,
                16384.0,
                65536.0,
                262_144.0,
                1_048_576.0,
                4_194_304.0,
                16_777_216.0,
                67_108_864.0,
            ],
            Self::OperationDuration => {
                &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
            }
            Self::TimeToFirstToken => {
                &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
            }
        }
    }
}
