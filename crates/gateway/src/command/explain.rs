//! `gatehouse explain`: who would serve, and why. Nothing is sent.

use crate::catalogue;
use crate::cli::{Explain, FrontName, Place};
use crate::data::Data;
use crate::output;
use crate::settings::Settings;
use anyhow::{Context as _, Result, anyhow};
use gatehouse_core::call::{Caller, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use gatehouse_ledger::{ServiceTier, ceiling, estimate_tokens};
use gatehouse_route::plan::{Considered, Wish, consider};
use gatehouse_server::clock;
use gatehouse_server::snapshot::{Route, Snapshot};
use gatehouse_store::Store;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Stands for the simulated provider, which is not started here.
pub(super) const PLACEHOLDER: &str = "http://127.0.0.1:9";
/// The answer that costs are shown for when the catalogue knows no limit.
const OUTPUT_TOKENS_SHOWN: u64 = 1_000;

/// Prints every candidate with what came of it.
pub(crate) fn run(wanted: &Explain) -> Result<ExitCode> {
    let settings = Settings::load(&wanted.place)?;
    let catalogue = catalogue::for_command(&wanted.place.data);
    let snapshot =
        Snapshot::compile_with(&settings.config, &settings.version, Some(PLACEHOLDER), None, catalogue)
            .map_err(|error| anyhow!(error))?;
    let caller = caller(&wanted.place, wanted.key.as_deref())?;
    let route = match snapshot.route(&wanted.model, &caller) {
        Ok(route) => route,
        Err(error) => return Ok(refused(&error, wanted.json)),
    };
    let input_tokens = estimate_tokens(&wanted.prompt);
    let wish = Wish {
        region: wanted.residency.as_deref(),
        front: match wanted.front {
            FrontName::Chat => Dialect::OpenAiChat,
            FrontName::Responses => Dialect::OpenAiResponses,
            FrontName::Messages => Dialect::AnthropicMessages,
            FrontName::Gemini => Dialect::GeminiGenerate,
            FrontName::Cohere => Dialect::CohereChat,
            FrontName::Converse => Dialect::BedrockConverse,
            FrontName::Embeddings => Dialect::OpenAiEmbeddings,
            FrontName::Rerank => Dialect::CohereRerank,
        },
        tools: wanted.tools,
        images: wanted.images,
        audio: false,
        documents: false,
        structured: false,
        input_tokens,
        conversation: None,
    };
    let table = consider(&wish, &route.candidates);
    let rows: Vec<Value> = described(&route, &table, input_tokens);
    let serves = table.iter().find(|one| one.dropped.is_none()).map(|one| one.deployment.to_string());
    if wanted.json {
        let answer =
            json!({ "model": wanted.model, "route": &*route.reason, "serves": serves, "candidates": rows });
        output::json(&answer);
    } else {
        print(&route, &rows, serves.as_deref());
    }
    Ok(if serves.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(route: &Route, table: &[Considered], input_tokens: u64) -> Vec<Value> {
    let mut rank = 0;
    let rows = table.iter().zip(&route.targets).map(|(one, target)| {
        let output_tokens = target.capabilities.output_tokens.unwrap_or(OUTPUT_TOKENS_SHOWN);
        let bound = Usage { input_tokens, output_tokens, ..Usage::default() };
        let most = ceiling(&target.prices, &bound, ServiceTier::default(), clock::unix_seconds());
        let outcome = match one.dropped {
            Some(reason) => format!("dropped: {reason}"),
            None if route.spreads => "kept: by conversation".to_owned(),
            None => {
                rank += 1;
                format!(
                    "kept: {}",
                    if rank == 1 { "serves".to_owned() } else { format!("fallback {}", rank - 1) }
                )
            }
        };
        json!({
            "target": one.deployment.to_string(), "outcome": outcome, "region": &*one.deployment.region,
            "cost_at_most_usd": most.map(|most| most.to_string()),
        })
    });
    rows.collect()
}

fn print(route: &Route, rows: &[Value], serves: Option<&str>) {
    let text =
        |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or("unpriced").to_owned();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| ["target", "outcome", "cost_at_most_usd"].iter().map(|name| text(row, name)).collect())
        .collect();
    output::line(&format!("route: {}", route.reason));
    output::table(&["target", "outcome", "costs at most"], &cells);
    match serves {
        Some(_) if route.spreads => output::line("each conversation goes to one of those that are kept"),
        Some(target) => output::line(&format!("{target} would serve")),
        None => output::line("nobody would serve"),
    }
}

fn refused(error: &Error, json: bool) -> ExitCode {
    if json {
        output::json(&json!({ "error": { "code": error.code.as_str(), "message": error.message } }));
    } else {
        output::line(&format!("{}: {}", error.code.as_str(), error.message));
    }
    ExitCode::FAILURE
}

/// The caller of a key, or one that may use everything.
pub(super) fn caller(place: &Place, key: Option<&str>) -> Result<Caller> {
    let Some(id) = key else {
        let bound = Scope::default();
        return Ok(Caller { key_id: "none".into(), key_name: "none".into(), models: [].into(), bound });
    };
    let store = Store::open(Data::existing(&place.data)?.dir())?;
    let key = store.key(id)?.with_context(|| format!("there is no key {id}"))?;
    Ok(Caller {
        key_id: key.key_id.as_str().into(),
        key_name: key.name.as_str().into(),
        models: key.models.iter().map(|model| model.as_str().into()).collect(),
        bound: Scope { team: key.team.as_str().into(), app: key.app.as_str().into(), ..Scope::default() },
    })
}
