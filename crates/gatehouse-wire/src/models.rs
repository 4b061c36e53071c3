//! Lists of models, as each family's SDK reads them.
//!
//! One page holds them all: no list of a gateway is so long that clients would want it in pieces.

use crate::json::Out;
use gatehouse_core::content::Family;

/// A model as a caller may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name to call it by.
    pub id: String,
    /// When it came out, in Unix seconds; 0 where nobody knows.
    pub created: u64,
    /// Who serves it.
    pub owned_by: String,
    /// Its name for people; the id where it has none.
    pub display_name: Option<String>,
    /// Tokens of prompt and answer together.
    pub context_tokens: Option<u64>,
    /// The longest answer in tokens.
    pub output_tokens: Option<u64>,
    /// What it is called for.
    pub purpose: Purpose,
    /// What else is known of it.
    pub details: Details,
}

/// What else is known of a model: for dialects that have room for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// What it reads and what it writes: `text`, `image`, `audio`, `document`.
    pub modalities: Option<(Vec<&'static str>, Vec<&'static str>)>,
    /// What it can do: `tools`, `structured`, `reasoning`.
    pub capabilities: Vec<&'static str>,
    /// Dollars for a million tokens, by class.
    pub prices: Vec<(&'static str, String)>,
    /// The row that the price comes from, as records have it.
    pub price_id: Option<String>,
    /// Whose figures these are.
    pub source: Option<String>,
    /// The day they are of.
    pub date: Option<String>,
}

/// What a model is called for; Gemini lists the methods of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Conversations.
    #[default]
    Chat,
    /// Embeddings.
    Embeddings,
}

/// The body of a list of models.
#[must_use]
pub fn list(family: Family, entries: &[ModelEntry]) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| match family {
        Family::OpenAi | Family::Bedrock | Family::Cohere => {
            out.field("object", "list").array_field("data", |out| each(out, entries, openai));
        }
        Family::Anthropic => {
            out.array_field("data", |out| each(out, entries, anthropic))
                .field("has_more", false)
                .field("first_id", entries.first().map(|entry| &entry.id))
                .field("last_id", entries.last().map(|entry| &entry.id));
        }
        Family::Gemini => {
            out.array_field("models", |out| each(out, entries, gemini));
        }
    });
    out.into_bytes()
}

/// The body of one model.
#[must_use]
pub fn single(family: Family, entry: &ModelEntry) -> Vec<u8> {
    let mut out = Out::new();
    match family {
        Family::OpenAi | Family::Bedrock | Family::Cohere => openai(&mut out, entry),
        Family::Anthropic => anthropic(&mut out, entry),
        Family::Gemini => gemini(&mut out, entry),
    }
    out.into_bytes()
}

fn each(out: &mut Out, entries: &[ModelEntry], write: fn(&mut Out, &ModelEntry)) {
    entries.iter().for_each(|entry| write(out, entry));
}

fn openai(out: &mut Out, entry: &ModelEntry) {
    out.object(|out| {
        out.field("id", &entry.id)
            .field("object", "model")
            .field("created", entry.created)
            .field("owned_by", &entry.owned_by)
            .field_opt("context_window", entry.context_tokens)
            .field_opt("max_output_tokens", entry.output_tokens);
        card(out, entry);
        if let Some((input, output)) = &entry.details.modalities {
            out.object_field("modalities", |out| {
                words(out, "input", input);
                words(out, "output", output);
            });
        }
        if entry.details != Details::default() {
            out.object_field("gatehouse", |out| details(out, &entry.details));
        }
    });
}

/// What Mistral's clients cannot do without: they take a model without a kind for none.
fn card(out: &mut Out, entry: &ModelEntry) {
    let can = |word: &str| entry.details.capabilities.contains(&word);
    let sees = entry.details.modalities.as_ref().is_some_and(|(input, _)| input.contains(&"image"));
    out.field("type", "base").field_opt("max_context_length", entry.context_tokens).object_field(
        "capabilities",
        |out| {
            out.field("completion_chat", entry.purpose == Purpose::Chat)
                .field("function_calling", can("tools"))
                .field("reasoning", can("reasoning"))
                .field("vision", sees);
        },
    );
}

fn details(out: &mut Out, details: &Details) {
    words(out, "capabilities", &details.capabilities);
    if !details.prices.is_empty() {
        out.object_field("prices_usd_per_million_tokens", |out| {
            for (class, dollars) in &details.prices {
                out.field(class, dollars);
            }
        });
    }
    out.field_opt("price_id", details.price_id.as_deref())
        .field_opt("source", details.source.as_deref())
        .field_opt("date", details.date.as_deref());
}

fn words(out: &mut Out, name: &str, words: &[&str]) {
    out.array_field(name, |out| {
        for word in words {
            out.item(word);
        }
    });
}

fn anthropic(out: &mut Out, entry: &ModelEntry) {
    out.object(|out| {
        out.field("type", "model")
            .field("id", &entry.id)
            .field("display_name", entry.shown_name())
            .field("created_at", rfc3339(entry.created))
            .field_opt("max_input_tokens", entry.context_tokens)
            .field_opt("max_tokens", entry.output_tokens);
    });
}

fn gemini(out: &mut Out, entry: &ModelEntry) {
    let methods: &[&str] = match entry.purpose {
        Purpose::Chat => &["generateContent", "countTokens"],
        Purpose::Embeddings => &["embedContent", "batchEmbedContents"],
    };
    out.object(|out| {
        out.field("name", format!("models/{}", entry.id))
            .field("displayName", entry.shown_name())
            .field_opt("inputTokenLimit", entry.context_tokens)
            .field_opt("outputTokenLimit", entry.output_tokens)
            .array_field("supportedGenerationMethods", |out| {
                methods.iter().for_each(|method| {
                    out.item(method);
                });
            });
    });
}

/// Unix seconds as RFC 3339 in UTC; the calendar as Hinnant counts it, with years that begin in March.
fn rfc3339(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

// === impl ModelEntry ===

impl ModelEntry {
    fn shown_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Details, ModelEntry, Purpose, list, rfc3339, single};
    use gatehouse_core::content::Family;
    use serde_json::{Value, json};

    fn two() -> [ModelEntry; 2] {
        let smart = ModelEntry {
            id: "team/smart \"1\"".to_owned(),
            created: 1_709_164_800,
            owned_by: "openai".to_owned(),
            display_name: Some("Smart".to_owned()),
            context_tokens: Some(200_000),
            output_tokens: Some(64_000),
            purpose: Purpose::Chat,
            details: Details {
                modalities: Some((vec!["text", "image"], vec!["text"])),
                capabilities: vec!["tools"],
                prices: vec![("input", "2.5".to_owned())],
                price_id: Some("openai/smart#1".to_owned()),
                source: Some("litellm".to_owned()),
                date: Some("2026-11-22".to_owned()),
            },
        };
        let vectors = ModelEntry {
            id: "vec".to_owned(),
            owned_by: "gemini".to_owned(),
            purpose: Purpose::Embeddings,
            ..ModelEntry::default()
        };
        [smart, vectors]
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn each_family_reads_its_own_list() {
        let openai = read(&list(Family::OpenAi, &two()));
        assert_eq!(openai["object"], "list");
        assert_eq!(
            openai["data"][1],
            json!({"id": "vec", "object": "model", "created": 0, "owned_by": "gemini", "type": "base",
                   "capabilities": {"completion_chat": false, "function_calling": false, "reasoning": false, "vision": false}})
        );

        assert_eq!(
            openai["data"][0],
            json!({"id": "team/smart \"1\"", "object": "model", "created": 1_709_164_800, "owned_by": "openai",
                   "context_window": 200_000, "max_output_tokens": 64_000, "type": "base", "max_context_length": 200_000,
                   "capabilities": {"completion_chat": true, "function_calling": true, "reasoning": false, "vision": true},
                   "modalities": {"input": ["text", "image"], "output": ["text"]},
                   "gatehouse": {"capabilities": ["tools"], "prices_usd_per_million_tokens": {"input": "2.5"},
                                 "price_id": "openai/smart#1", "source": "litellm", "date": "2026-11-22"}})
        );

        let anthropic = read(&list(Family::Anthropic, &two()));
        assert_eq!(anthropic["first_id"], "team/smart \"1\"");
        assert_eq!(anthropic["last_id"], "vec");
        assert_eq!(anthropic["has_more"], false);
        assert_eq!(
            anthropic["data"][0],
            json!({"type": "model", "id": "team/smart \"1\"", "display_name": "Smart",
                   "created_at": "2024-02-29T00:00:00Z", "max_input_tokens": 200_000, "max_tokens": 64_000})
        );

        let gemini = read(&list(Family::Gemini, &two()));
        assert_eq!(gemini["models"][0]["name"], "models/team/smart \"1\"");
        assert_eq!(gemini["models"][0]["inputTokenLimit"], 200_000);
        assert_eq!(gemini["models"][1]["displayName"], "vec");
        assert_eq!(gemini["models"][1]["supportedGenerationMethods"][0], "embedContent");
    }

    #[test]
    fn a_single_model_is_an_item_of_the_list_and_a_list_may_be_empty() {
        for (family, items) in
            [(Family::OpenAi, "data"), (Family::Anthropic, "data"), (Family::Gemini, "models")]
        {
            let both = two();
            assert_eq!(read(&single(family, &both[0])), read(&list(family, &both))[items][0]);
            assert_eq!(read(&list(family, &[]))[items], json!([]));
        }
        assert!(read(&list(Family::Anthropic, &[]))["first_id"].is_null());
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (784_111_777, "1994-11-06T08:49:37Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
        }
    }
}
