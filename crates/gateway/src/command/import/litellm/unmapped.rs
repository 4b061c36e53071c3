//! What has no place in our configuration, by section: what to do instead. A catalogue.

/// What becomes of a member.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// It is not there.
    Lost,
    /// It is always so, or done in another way.
    Differs,
    /// It only concerns the inside of the other program.
    Needless,
}

use Fate::{Differs, Lost, Needless};

/// Names, what becomes of them, what to do instead.
pub(super) type Row = (&'static [&'static str], Fate, &'static str);

const RATES: &str = "there are no rate limits yet; limits.calls bounds the calls at the same time";
const BUDGETS: &str = "budgets belong to caller keys: gatehouse key create --budget \"10 USD/day\"";
const CACHE: &str = "there is no cache of answers yet";
const DEFAULTS: &str = "parameters of a call are up to its caller; take it into the application";
const CREDENTIALS_OF_AWS: &str = "keys of AWS are not written into the configuration: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use \
     credentials: { profile: NAME }";
const LOGS: &str = "logs go to standard error: GATEHOUSE_LOG=debug, GATEHOUSE_LOG_FORMAT=json";
const HOOKS: &str = "there are no callbacks; every call has a record (gatehouse audit), and telemetry.otlp exports traces and metrics";
const DATABASE: &str = "keys and records are in the data folder; no database is needed";
const HEALTH: &str =
    "providers are not called for their health; what fails is passed over while calls are made";
const COOLDOWN: &str =
    "targets have no cool-down of their own; credentials that are refused rest for a while";
const SIGN_IN: &str = "there is no sign-in yet; callers have keys (gatehouse key create)";
const SHARED: &str = "replicas share nothing yet; each counts for itself";

/// At the top.
pub(super) const TOP: &[Row] = &[
    (&["include"], Lost, "import each of the files, and put the results into one"),
    (&["mcp_servers", "mcp_tools", "mcp_aliases"], Lost, "there is no MCP yet"),
    (&["agents", "agent_list"], Lost, "there are no agents yet"),
    (&["callback_settings"], Lost, HOOKS),
    (
        &["vector_store_registry", "search_tools", "files_settings", "finetune_settings"],
        Lost,
        "this version does not offer the endpoints",
    ),
    (
        &["prompts", "policies", "policy_attachments"],
        Lost,
        "this version has nothing of the kind; guards take only: { team, app }",
    ),
    (&["default_vertex_config"], Lost, "passing through is not there yet; name the project in a provider"),
];

/// In `litellm_params`.
pub(super) const PARAMS: &[Row] = &[
    (&["rpm", "tpm", "max_parallel_requests"], Lost, RATES),
    (&["max_budget", "budget_duration"], Lost, BUDGETS),
    (
        &["weight"],
        Lost,
        "targets are tried in the order in which they stand; sharing by weight is not there yet",
    ),
    (&["aws_access_key_id", "aws_secret_access_key", "aws_session_token"], Lost, CREDENTIALS_OF_AWS),
    (
        &[
            "aws_role_name",
            "aws_session_name",
            "aws_web_identity_token",
            "aws_sts_endpoint",
            "aws_external_id",
        ],
        Lost,
        "a role is taken on by AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, or by the machine",
    ),
    (
        &["azure_ad_token", "azure_username", "azure_password", "azure_scope", "azure_ad_token_provider"],
        Lost,
        "a token of Entra ID is fetched by credentials: { tenant, client_id, client_secret }, or as a managed identity",
    ),
    (&["organization"], Lost, "make the key for that organisation or project; no such header is sent"),
    (&["headers", "extra_headers", "default_headers"], Lost, "no further headers can be sent to a provider"),
    (
        &[
            "extra_body",
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "stop",
            "seed",
            "n",
            "user",
            "reasoning_effort",
            "thinking",
            "presence_penalty",
            "frequency_penalty",
            "response_format",
            "metadata",
            "input_type",
            "dimensions",
            "encoding_format",
            "safety_settings",
            "stream",
        ],
        Lost,
        DEFAULTS,
    ),
    (
        &["drop_params", "additional_drop_params", "allowed_openai_params", "modify_params"],
        Differs,
        "what a provider cannot take is translated, refused by name, or named in x-gatehouse-dropped",
    ),
    (
        &["mock_response", "mock_tool_calls", "mock_timeout"],
        Lost,
        "use a target of the simulated provider, such as sim/small",
    ),
    (&["tags"], Lost, "there is no routing by tag; tags of a call are recorded (x-gatehouse-tags)"),
    (
        &["max_retries", "num_retries", "retry_policy"],
        Lost,
        "retries are set for all models alike: retry.attempts",
    ),
    (
        &[
            "merge_reasoning_content_in_choices",
            "use_in_pass_through",
            "use_litellm_proxy",
            "disable_background_health_check",
        ],
        Lost,
        "this version has nothing of the kind",
    ),
    (
        &["ssl_verify", "ssl_certificate", "client_cert"],
        Lost,
        "certificates are checked by the system's own store",
    ),
    (
        &["cache_control_injection_points"],
        Lost,
        "cache marks of callers pass; with prompt_cache: auto at the provider, usual ones are set for those who set none",
    ),
    (&["guardrails"], Lost, "guards apply to accounts (only: { team, app }), not to models"),
];

/// In `model_info`.
pub(super) const INFO: &[Row] = &[
    (
        &[
            "id",
            "db_model",
            "base_model",
            "created_at",
            "updated_at",
            "created_by",
            "litellm_provider",
            "key",
        ],
        Needless,
        "",
    ),
    (
        &["max_tokens", "max_input_tokens", "max_output_tokens"],
        Lost,
        "limits of models are known from the catalogue (gatehouse models)",
    ),
    (
        &["access_groups", "team_id", "team_public_model_name"],
        Lost,
        "what a key may use is said when it is made (gatehouse key create --models), or by teams.NAME.models",
    ),
    (&["health_check_model", "health_check_timeout", "health_check_max_tokens"], Lost, HEALTH),
    (&["version", "description", "tags"], Needless, ""),
];

/// In `litellm_settings`.
pub(super) const LITELLM: &[Row] = &[
    (
        &["drop_params", "modify_params", "additional_drop_params"],
        Differs,
        "what a provider cannot take is translated, refused by name, or named in x-gatehouse-dropped",
    ),
    (&["set_verbose", "json_logs", "log_raw_request_response", "suppress_debug_info"], Lost, LOGS),
    (
        &[
            "callbacks",
            "success_callback",
            "failure_callback",
            "service_callbacks",
            "audit_log_callbacks",
            "otel",
            "langfuse_default_tags",
            "s3_callback_params",
            "datadog_params",
            "prometheus_metrics_config",
        ],
        Lost,
        HOOKS,
    ),
    (
        &["turn_off_message_logging", "redact_messages_in_exceptions", "redact_user_api_key_info"],
        Differs,
        "records keep the size and SHA-256 of what was said; record.content: none keeps less, full keeps all",
    ),
    (&["cache", "cache_params", "enable_caching_on_provider_specific_optional_params"], Lost, CACHE),
    (
        &[
            "max_budget",
            "budget_duration",
            "max_end_user_budget",
            "max_internal_user_budget",
            "internal_user_budget_duration",
            "max_user_budget",
            "max_end_user_budget_id",
            "soft_budget",
        ],
        Lost,
        BUDGETS,
    ),
    (
        &[
            "default_team_settings",
            "default_team_params",
            "default_internal_user_params",
            "key_generation_settings",
            "custom_key_generate",
        ],
        Lost,
        "teams are written under teams:, and keys are made with gatehouse key create",
    ),
    (
        &["context_window_fallbacks"],
        Lost,
        "there is no fallback by context window; a target whose window is known to be too small is passed over, so put the \
      larger model behind it in targets",
    ),
    (
        &["content_policy_fallbacks"],
        Lost,
        "a refusal by a provider's policy goes to the caller; no other target is tried",
    ),
    (&["guardrails"], Lost, "the old form; move them to guardrails: at the top and import again"),
    (
        &["force_ipv4", "ssl_verify", "ssl_certificate", "ssl_security_level", "aiohttp_trust_env"],
        Lost,
        "connections to providers have no such setting",
    ),
    (&["telemetry"], Needless, ""),
    (&["allowed_fails", "cooldown_time"], Lost, COOLDOWN),
    (&["public_routes", "public_model_groups"], Lost, "every call needs a key"),
    (&["mcp_aliases"], Lost, "there is no MCP yet"),
];

/// In `router_settings`.
pub(super) const ROUTER: &[Row] = &[
    (
        &["routing_strategy", "routing_strategy_args", "optional_pre_call_checks"],
        Differs,
        "targets are tried in the order in which they stand; load is not spread over them yet",
    ),
    (
        &["redis_host", "redis_port", "redis_password", "redis_url", "redis_db", "redis_ssl", "cache_kwargs"],
        Lost,
        SHARED,
    ),
    (&["cache_responses", "caching_groups", "client_ttl"], Lost, CACHE),
    (&["allowed_fails", "cooldown_time", "disable_cooldowns", "allowed_fails_policy"], Lost, COOLDOWN),
    (
        &["retry_after", "retry_policy", "model_group_retry_policy"],
        Lost,
        "retries are set for all models alike: retry.attempts, retry.backoff; a provider's retry-after is kept to",
    ),
    (
        &["context_window_fallbacks"],
        Lost,
        "there is no fallback by context window; a target whose window is known to be too small is passed over, so put the \
      larger model behind it in targets",
    ),
    (
        &["content_policy_fallbacks"],
        Lost,
        "a refusal by a provider's policy goes to the caller; no other target is tried",
    ),
    (
        &["enable_pre_call_checks"],
        Differs,
        "a target whose context window is known to be too small is always passed over",
    ),
    (&["provider_budget_config"], Lost, BUDGETS),
    (
        &["enable_tag_filtering", "tag_filtering_match_any"],
        Lost,
        "there is no routing by tag; tags of a call are recorded",
    ),
    (&["default_max_parallel_requests"], Lost, RATES),
    (&["set_verbose", "debug_level"], Lost, LOGS),
    (
        &["max_fallbacks", "default_litellm_params", "default_priority", "polling_interval"],
        Lost,
        "this version has nothing of the kind",
    ),
];

/// In `general_settings`.
pub(super) const GENERAL: &[Row] = &[
    (
        &[
            "database_url",
            "database_connection_pool_limit",
            "database_connection_timeout",
            "database_type",
            "database_args",
            "store_model_in_db",
            "allow_requests_on_db_unavailable",
            "disable_spend_logs",
            "disable_spend_updates",
            "proxy_batch_write_at",
            "proxy_batch_polling_interval",
            "use_redis_transaction_buffer",
            "supported_db_objects",
        ],
        Lost,
        DATABASE,
    ),
    (
        &["maximum_spend_logs_retention_period", "maximum_spend_logs_retention_interval"],
        Lost,
        "records are kept; there is no retention yet",
    ),
    (
        &["store_prompts_in_spend_logs"],
        Differs,
        "what is kept of what was said: record.content: none, digest or full",
    ),
    (
        &[
            "alerting",
            "alerting_threshold",
            "alerting_args",
            "alert_types",
            "alert_to_webhook_url",
            "spend_report_frequency",
        ],
        Lost,
        "there are no alerts; /metrics has what they would be made from",
    ),
    (
        &[
            "background_health_checks",
            "health_check_interval",
            "health_check_details",
            "use_shared_health_check",
        ],
        Lost,
        HEALTH,
    ),
    (
        &[
            "enable_jwt_auth",
            "litellm_jwtauth",
            "custom_auth",
            "custom_sso",
            "allowed_ips",
            "enable_oauth2_auth",
            "enable_oauth2_proxy_auth",
            "oauth2_config_mappings",
            "admin_only_routes",
            "public_routes",
            "ui_access_mode",
            "allowed_routes",
            "service_account_settings",
            "user_header_name",
            "user_header_mappings",
        ],
        Lost,
        SIGN_IN,
    ),
    (
        &["key_management_system", "key_management_settings"],
        Lost,
        "secrets are referred to: ${NAME} or ${file:/run/secrets/name}; let the secret manager put them there",
    ),
    (&["max_parallel_requests"], Lost, RATES),
    (
        &["proxy_budget_rescheduler_min_time", "proxy_budget_rescheduler_max_time", "disable_reset_budget"],
        Needless,
        "",
    ),
    (&["completion_model", "infer_model_from_keys"], Lost, "a call names its model"),
    (
        &["enforce_user_param", "enforced_params", "reject_clientside_metadata_tags"],
        Lost,
        "what a key leaves open its caller may say; bind it when the key is made (gatehouse key create --user …)",
    ),
    (
        &["forward_client_headers_to_llm_api", "forward_openai_org_id"],
        Lost,
        "headers of callers reach providers only where the dialect has them",
    ),
    (&["pass_through_endpoints"], Lost, "passing through is not there yet"),
    (&["max_response_size_mb"], Lost, "limits.answer bounds an answer"),
    (
        &["master_key_hash", "ui_username", "ui_password", "salt_key", "litellm_salt_key"],
        Lost,
        "there is no dashboard yet",
    ),
];
