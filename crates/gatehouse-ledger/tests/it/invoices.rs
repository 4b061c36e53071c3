//! Golden invoices: usage as providers report it, amounts worked out by hand from their price pages.
//!
//! Prices in the comments are dollars per million tokens, as listed in November 2026.

use gatehouse_core::record::CostStatus;
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_ledger::ServiceTier::{self, Batch, Priority, Standard};
use gatehouse_ledger::{PriceBook, UnixSeconds, settle};

/// 2026-11-23, a Monday, 12:00 UTC: off-peak at DeepSeek, no announced price in force.
const NOON: UnixSeconds = 1_795_435_200;

/// The amount in dollars of one call at the list price.
fn invoice_at(target: &str, usage: Usage, tier: ServiceTier, now: UnixSeconds) -> String {
    let (kind, model) = target.split_once('/').unwrap();
    let prices = PriceBook::default().resolve(kind, kind, model);
    let cost = settle(&usage, UsageSource::Provider, &prices, tier, now);
    assert_eq!(cost.status, CostStatus::Exact, "{target}");
    assert!(cost.price.unwrap().starts_with(target));
    cost.amount.to_string()
}

fn invoice(target: &str, usage: Usage) -> String {
    invoice_at(target, usage, Standard, NOON)
}

fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, ..Usage::default() }
}

#[test]
fn openai_cached_prompt() {
    // gpt-4o: input 2.50, cached 1.25, output 10. Of 2,006 prompt tokens 1,920 are cached.
    // 86 × 2.50 + 1,920 × 1.25 + 300 × 10 = 215 + 2,400 + 3,000 millionths
    let used = Usage { cached_read_tokens: 1_920, ..usage(2_006, 300) };
    assert_eq!(invoice("openai/gpt-4o", used), "0.005615");
}

#[test]
fn openai_reasoning_is_output() {
    // gpt-5: input 1.25, output 10; 1,024 of the 1,100 output tokens are reasoning, billed as output.
    // 75 × 1.25 + 1,100 × 10 = 93.75 + 11,000 millionths
    let used = Usage { reasoning_tokens: 1_024, ..usage(75, 1_100) };
    assert_eq!(invoice("openai/gpt-5", used), "0.01109375");
}

#[test]
fn openai_batch_and_priority() {
    // gpt-4o: batch 1.25 and 5, priority 4.25 and 17. A million in, a tenth of a million out.
    let used = usage(1_000_000, 100_000);
    assert_eq!(invoice_at("openai/gpt-4o", used, Batch, NOON), "1.75");
    assert_eq!(invoice_at("openai/gpt-4o", used, Priority, NOON), "5.95");
}

#[test]
fn openai_cache_writes_and_long_context() {
    // gpt-6-astra: input 10, cached 1, write 12.50, output 50; beyond 272,000: 20, 2, 25, 75.
    // 1,000 × 10 + 8,000 × 1 + 1,000 × 12.50 + 100 × 50 = 10,000 + 8,000 + 12,500 + 5,000 millionths
    let short = Usage { cached_read_tokens: 8_000, cache_write_tokens: 1_000, ..usage(10_000, 100) };
    assert_eq!(invoice("openai/gpt-6-astra", short), "0.0355");
    // Of 300,000 prompt tokens 290,000 are cached: they count for the step all the same.
    // 10,000 × 20 + 290,000 × 2 + 100 × 75 = 200,000 + 580,000 + 7,500 millionths
    let long = Usage { cached_read_tokens: 290_000, ..usage(300_000, 100) };
    assert_eq!(invoice("openai/gpt-6-astra", long), "0.7875");
}

#[test]
fn openai_snapshot_without_a_row_is_priced_as_its_model() {
    let (of_snapshot, of_model) = ("openai/gpt-6-astra-2026-09-01", "openai/gpt-6-astra");
    let prices = |target: &str| {
        let (kind, model) = target.split_once('/').unwrap();
        PriceBook::default().resolve(kind, kind, model).at(NOON, Standard, 1)
    };
    assert_eq!(prices(of_snapshot), prices(of_model));
    assert!(prices(of_model).is_some());
}

#[test]
fn anthropic_cache_of_both_lifetimes() {
    // claude-sonnet-4-5: input 3, read 0.30, write for 5 minutes 3.75, for an hour 6, output 15.
    // 50 × 3 + 10,000 × 0.30 + 2,000 × 3.75 + 4,000 × 6 + 500 × 15
    // = 150 + 3,000 + 7,500 + 24,000 + 7,500 millionths
    let used = Usage {
        cached_read_tokens: 10_000,
        cache_write_tokens: 2_000,
        cache_write_long_tokens: 4_000,
        ..usage(16_050, 500)
    };
    assert_eq!(invoice("anthropic/claude-sonnet-4-5", used), "0.04215");
}

#[test]
fn anthropic_batch_halves_cache_writes_too() {
    // claude-sonnet-4-5 in a batch: input 1.50, write for an hour 3, output 7.50.
    // 1,000 × 1.50 + 1,000 × 3 + 1,000 × 7.50 = 12,000 millionths
    let used = Usage { cache_write_long_tokens: 1_000, ..usage(2_000, 1_000) };
    assert_eq!(invoice_at("anthropic/claude-sonnet-4-5", used, Batch, NOON), "0.012");
}

#[test]
fn anthropic_web_searches() {
    // claude-opus-5-5: input 4, output 20, a search 0.01.
    // 1,000 × 4 + 200 × 20 millionths + 3 × 0.01
    let used = Usage { searches: 3, ..usage(1_000, 200) };
    assert_eq!(invoice("anthropic/claude-opus-5-5", used), "0.038");
}

#[test]
fn gemini_long_prompt_is_dearer_as_a_whole() {
    // gemini-2.5-pro: 1.25 and 10 up to 200,000 prompt tokens, 2.50 and 15 beyond.
    assert_eq!(invoice("gemini/gemini-2.5-pro", usage(200_000, 1_000)), "0.26");
    // 200,001 × 2.50 + 1,000 × 15 = 500,002.5 + 15,000 millionths
    assert_eq!(invoice("gemini/gemini-2.5-pro", usage(200_001, 1_000)), "0.5150025");
}

#[test]
fn gemini_audio_input_has_its_own_price() {
    // gemini-2.5-flash: text 0.30, audio 1, output 2.50.
    // 100 × 0.30 + 1,900 × 1 + 40 × 2.50 = 30 + 1,900 + 100 millionths
    let used = Usage { audio_input_tokens: 1_900, ..usage(2_000, 40) };
    assert_eq!(invoice("gemini/gemini-2.5-flash", used), "0.00203");
}

#[test]
fn gemini_introductory_price_ends_with_the_year() {
    // gemini-3.8-flash: 0.75 and 3.75 until 31 December 2026, then 1.50 and 7.50.
    const NEW_YEAR: UnixSeconds = 1_798_761_600;
    let used = usage(1_000_000, 1_000_000);
    assert_eq!(invoice_at("gemini/gemini-3.8-flash", used, Standard, NEW_YEAR - 1), "4.5");
    let prices = PriceBook::default().resolve("gemini", "gemini", "gemini-3.8-flash");
    let cost = settle(&used, UsageSource::Provider, &prices, Standard, NEW_YEAR);
    assert_eq!(cost.amount.to_string(), "9");
}

#[test]
fn deepseek_by_the_clock() {
    // deepseek-flash off-peak: input 0.15, cached 0.003, output 0.60; at peak all of it twice.
    // 1,000 × 0.15 + 9,000 × 0.003 + 500 × 0.60 = 150 + 27 + 300 millionths
    let used = Usage { cached_read_tokens: 9_000, ..usage(10_000, 500) };
    assert_eq!(invoice("deepseek/deepseek-flash", used), "0.000477");
    let two_o_clock = NOON - 10 * 3_600;
    assert_eq!(invoice_at("deepseek/deepseek-flash", used, Standard, two_o_clock), "0.000954");
}

#[test]
fn an_embedding_has_no_output() {
    // text-embedding-3-small: 0.02. Eight tokens are 160 thousand-millionths.
    assert_eq!(invoice("openai/text-embedding-3-small", usage(8, 0)), "0.00000016");
}

#[test]
fn perplexity_takes_a_fee_for_each_request() {
    // sonar: 1 and 1, and 0.005 a request. 12 × 1 + 300 × 1 millionths + 0.005
    assert_eq!(invoice("perplexity/sonar", usage(12, 300)), "0.005312");
}

#[test]
fn the_simulated_models_cost_what_the_documents_say() {
    // large: 2 and 8, cached 0.20, written 2.50. 100 × 2 + 500 × 0.20 + 400 × 2.50 + 50 × 8
    let used =
        Usage { cached_read_tokens: 500, cache_write_tokens: 400, reasoning_tokens: 30, ..usage(1_000, 50) };
    assert_eq!(invoice("sim/large", used), "0.0017");
    assert_eq!(invoice("sim/small", usage(1_000, 1_000)), "0.0005");
    assert_eq!(invoice("sim/embed", usage(1_000, 0)), "0.00002");
}

#[test]
fn rankings_by_the_unit_and_by_the_token() {
    let by_unit = PriceBook::default().resolve("bedrock", "b", "cohere.rerank-v3-5:0");
    let used = Usage { search_units: 3, input_tokens: 900, ..Usage::default() };
    let cost = settle(&used, UsageSource::Provider, &by_unit, Standard, NOON);
    assert_eq!((cost.amount.to_string(), cost.status), ("0.006".to_owned(), CostStatus::Exact));
    let tokens = Usage { search_units: 0, ..used };
    let unknown = settle(&tokens, UsageSource::Provider, &by_unit, Standard, NOON);
    assert_eq!(unknown.status, CostStatus::Unpriced, "a price for units says nothing of tokens");
    let by_token = PriceBook::default().resolve("voyage", "v", "rerank-2.5");
    let cost = settle(&tokens, UsageSource::Provider, &by_token, Standard, NOON);
    assert_eq!(cost.amount.to_string(), "0.000045");
    let unknown = settle(&used, UsageSource::Provider, &by_token, Standard, NOON);
    assert_eq!(unknown.status, CostStatus::Unpriced, "and the other way round");
}
