//! The catalogue in force: the built-in list, and before it one that was brought in later, if there is one.

use crate::catalogue::{self, Heading, KEY_START, Row, start_of_day};
use crate::price::ModelPrices;
use crate::tier::ServiceTier;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::money::{Nanodollars, Price, Rate};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The version of the form that is read.
const FORM: u32 = 1;
/// The largest list, in bytes.
const LIST_BYTES_MAX: usize = 16 << 20;

/// Lists of models. Without one that was brought in, the built-in one alone.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    newer: Option<Arc<List>>,
}

/// A list that was brought in. What it does not have is taken from the built-in one.
#[derive(Debug)]
struct List {
    text: String,
    sha256: String,
}

/// What the catalogue knows of one model.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `kind/model`, as the list has it: a snapshot may stand under the name of its model.
    pub key: String,
    /// Whose figures these are.
    pub source: String,
    /// The day they are of, such as `2026-11-22`.
    pub date: String,
    /// Limits, and what it can do.
    pub capabilities: Capabilities,
    /// What it costs.
    pub prices: ModelPrices,
}

/// What another catalogue says differently of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `kind/model`.
    pub key: String,
    /// What it is about, before, after; `None` where there is nothing.
    pub figures: Vec<(&'static str, Option<String>, Option<String>)>,
}

/// Why a list is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCatalogue {
    /// Its hash is another.
    #[error("its SHA-256 is {found}, not {wanted}")]
    Hash {
        /// As it was told.
        wanted: String,
        /// As it is.
        found: String,
    },
    /// It is too large.
    #[error("it is larger than {LIST_BYTES_MAX} bytes")]
    Size,
    /// It is no text.
    #[error("it is no text in UTF-8")]
    Text,
    /// A line of it is wrong.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

// === impl Catalogue ===

impl Catalogue {
    /// The largest list, in bytes.
    pub const BYTES_MAX: usize = LIST_BYTES_MAX;

    /// Reads a list, every line of it, if its hash is the one that was told.
    ///
    /// # Errors
    /// Another hash, or the first line that is wrong.
    pub fn verified(bytes: Vec<u8>, wanted: &str) -> Result<Self, BadCatalogue> {
        let found = hex(&bytes);
        if !found.eq_ignore_ascii_case(wanted.trim()) {
            return Err(BadCatalogue::Hash { wanted: wanted.trim().to_owned(), found });
        }
        Self::read(bytes)
    }

    /// Reads a list that was verified when it was brought in.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn read(bytes: Vec<u8>) -> Result<Self, BadCatalogue> {
        if bytes.len() > LIST_BYTES_MAX {
            return Err(BadCatalogue::Size);
        }
        let sha256 = hex(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| BadCatalogue::Text)?;
        check(&text)?;
        Ok(Self { newer: Some(Arc::new(List { text, sha256 })) })
    }

    /// The day of the newest list.
    #[must_use]
    pub fn date(&self) -> &str {
        let text = self.newer.as_ref().map_or(catalogue::built_in(""), |list| &list.text);
        let heading: Option<Heading<'_>> = serde_json::from_str(catalogue::parts(text).0).ok();
        heading.map_or("", |heading| heading.date)
    }

    /// The hash of the list that was brought in; `None` where there is only the built-in one.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        self.newer.as_ref().map(|list| list.sha256.as_str())
    }

    /// What is known of a model at a kind of provider.
    #[must_use]
    pub fn facts(&self, kind: &str, model: &str) -> Option<Facts> {
        facts(&catalogue::find(&self.lists(kind), kind, model)?)
    }

    /// The ids of all models at a kind of provider, in order.
    #[must_use]
    pub fn models_of(&self, kind: &str) -> Vec<&str> {
        let lists = self.lists(kind);
        let all: BTreeSet<&str> = lists.iter().flat_map(|text| catalogue::models_of(text, kind)).collect();
        all.into_iter().collect()
    }

    /// Whether the catalogue has exactly this model.
    #[must_use]
    pub fn lists_model(&self, kind: &str, model: &str) -> bool {
        catalogue::exact(&self.lists(kind), &format!("{kind}/{model}")).is_some()
    }

    /// Every key, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let mut lists = self.lists("");
        lists.push(catalogue::built_in("sim"));
        let all: BTreeSet<&str> =
            lists.iter().flat_map(|text| catalogue::parts(text).1.lines()).filter_map(key).collect();
        all.into_iter().collect()
    }

    /// What would change if `next` took this one's place, at a time.
    #[must_use]
    pub fn changes(&self, next: &Self, now: crate::UnixSeconds) -> Vec<Change> {
        let keys: BTreeSet<&str> = self.keys().into_iter().chain(next.keys()).collect();
        let change = |key: &str| {
            let (kind, _) = key.split_once('/')?;
            let before = catalogue::exact(&self.lists(kind), key);
            let after = catalogue::exact(&next.lists(kind), key);
            if before.as_ref().map(|found| found.line) == after.as_ref().map(|found| found.line) {
                return None;
            }
            let figures = |found: Option<catalogue::Found<'_>>| {
                found.and_then(|found| facts(&found)).map(|facts| facts.figures(now)).unwrap_or_default()
            };
            let figures = compared(&figures(before), &figures(after));
            (!figures.is_empty()).then(|| Change { key: key.to_owned(), figures })
        };
        keys.into_iter().filter_map(change).collect()
    }

    fn lists(&self, kind: &str) -> Vec<&str> {
        // Nobody else says what the simulated provider costs.
        let newer = self.newer.iter().filter(|_| kind != "sim").map(|list| list.text.as_str());
        newer.chain([catalogue::built_in(kind)]).collect()
    }
}

/// Checks every line.
fn check(text: &str) -> Result<(), BadCatalogue> {
    let bad = |line: usize, what: &str| BadCatalogue::Line { line, what: what.to_owned() };
    let (heading, rows) = catalogue::parts(text);
    let heading: Heading<'_> = serde_json::from_str(heading)
        .map_err(|_| bad(1, "expected {\"catalogue\":1,\"date\":\"YYYY-MM-DD\"}"))?;
    if heading.catalogue != FORM {
        return Err(bad(1, &format!("this version reads the form {FORM}, not {}", heading.catalogue)));
    }
    start_of_day(heading.date).ok_or_else(|| bad(1, "date: expected a day such as 2026-11-22"))?;
    if rows.is_empty() {
        return Err(bad(2, "there are no models"));
    }
    let mut before = "";
    for (index, line) in rows.lines().enumerate() {
        let number = index + 2;
        let key = key(line)
            .ok_or_else(|| bad(number, "expected a row that begins with {\"key\":\"kind/model\""))?;
        if !key.split_once('/').is_some_and(|(kind, model)| !kind.is_empty() && !model.is_empty()) {
            return Err(bad(number, "key: expected kind/model"));
        }
        if key <= before {
            return Err(bad(
                number,
                "the rows are not in the order of their keys, or one stands there twice",
            ));
        }
        before = key;
        let row: Row<'_> = serde_json::from_str(line).map_err(|error| bad(number, &error.to_string()))?;
        if row.date.is_some_and(|date| start_of_day(date).is_none()) {
            return Err(bad(number, "date: expected a day such as 2026-11-22"));
        }
        row.variants().ok_or_else(|| bad(number, "prices: one of them cannot be read"))?;
    }
    Ok(())
}

/// The key of a row.
fn key(line: &str) -> Option<&str> {
    line.strip_prefix(KEY_START)?.split_once('"').map(|(key, _)| key)
}

fn facts(found: &catalogue::Found<'_>) -> Option<Facts> {
    let row = found.row()?;
    Some(Facts {
        key: row.key.to_owned(),
        source: row.source.to_owned(),
        date: row.date.or(found.date()).unwrap_or_default().to_owned(),
        capabilities: row.capabilities(),
        prices: row.variants().map(ModelPrices::new).unwrap_or_default(),
    })
}

type Figures = Vec<(&'static str, String)>;

/// What is in one of them only, or different.
fn compared(before: &Figures, after: &Figures) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let value =
        |all: &Figures, name: &str| all.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
    let mut names: Vec<&'static str> = before.iter().chain(after).map(|(name, _)| *name).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let pairs = names.into_iter().map(|name| (name, value(before, name), value(after, name)));
    pairs.filter(|(_, before, after)| before != after).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Facts ===

impl Facts {
    /// What it reads and writes: `text`, `image`, `audio`, `document`, as far as the catalogue knows.
    #[must_use]
    pub fn modalities(&self, now: crate::UnixSeconds) -> (Vec<&'static str>, Vec<&'static str>) {
        let can = self.capabilities;
        let price =
            self.prices.at(now, ServiceTier::Standard, 0).map(|priced| priced.price).unwrap_or_default();
        let pick = |all: [(bool, &'static str); 3]| {
            let more = all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name);
            std::iter::once("text").chain(more).collect()
        };
        let (yes, priced) = (|flag: Option<bool>| flag == Some(true), |rate: Option<Rate>| rate.is_some());
        let hears = yes(can.audio) || price.audio_hour.is_some();
        let draws = priced(price.image_output) || price.image.is_some();
        let speaks = priced(price.audio_output) || price.character.is_some();
        let input = [(yes(can.images), "image"), (hears, "audio"), (yes(can.documents), "document")];
        let output = [(draws, "image"), (speaks, "audio"), (false, "")];
        (pick(input), pick(output))
    }

    /// What it is known to be able to do.
    #[must_use]
    pub fn can(&self) -> Vec<&'static str> {
        let can = self.capabilities;
        let flags = [
            ("tools", can.tools),
            ("structured", can.structured),
            ("reasoning", can.reasoning),
            ("sampling", can.sampling),
        ];
        flags.into_iter().filter(|(_, flag)| *flag == Some(true)).map(|(name, _)| name).collect()
    }

    /// Limits, abilities and the standard prices, by name.
    fn figures(&self, now: crate::UnixSeconds) -> Figures {
        let mut all = Vec::new();
        let limits =
            [("context", self.capabilities.context_tokens), ("output", self.capabilities.output_tokens)];
        all.extend(limits.into_iter().filter_map(|(name, tokens)| Some((name, tokens?.to_string()))));
        let (input, output) = self.modalities(now);
        all.push(("reads", input.join(" ")));
        all.push(("writes", output.join(" ")));
        all.push(("can", self.can().join(" ")));
        if let Some(priced) = self.prices.at(now, ServiceTier::Standard, 0) {
            all.extend(dollars(&priced.price).into_iter().map(|(name, value)| (priced_name(name), value)));
        }
        all
    }
}

/// A price among other figures: two of them are limits' names, too.
fn priced_name(name: &'static str) -> &'static str {
    match name {
        "input" => "input price",
        "output" => "output price",
        other => other,
    }
}

/// A price in dollars for a million tokens, by class; `search` and `request` in dollars for each.
#[must_use]
pub fn dollars(price: &Price) -> Vec<(&'static str, String)> {
    let rate = |name, rate: Option<Rate>| rate.map(|rate| (name, Nanodollars(rate.0).to_string()));
    let fee = |name, fee: Nanodollars| (fee > Nanodollars::ZERO).then(|| (name, fee.to_string()));
    let all = [
        rate("input", Some(price.input)),
        rate("output", Some(price.output)),
        rate("cached_read", price.cached_read),
        rate("cache_write", price.cache_write),
        rate("cache_write_long", price.cache_write_long),
        rate("reasoning", price.reasoning),
        rate("audio_input", price.audio_input),
        rate("audio_output", price.audio_output),
        rate("image_input", price.image_input),
        rate("image_output", price.image_output),
        rate("character", price.character),
        price.image.map(|fee| ("image", fee.to_string())),
        price.audio_hour.map(|fee| ("audio_hour", fee.to_string())),
        price.search_unit.map(|fee| ("search_unit", fee.to_string())),
        fee("search", price.search),
        fee("request", price.request),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{BadCatalogue, Catalogue, hex};

    const NEW: &str = concat!(
        "{\"catalogue\":1,\"date\":\"2027-01-31\"}\n",
        "{\"key\":\"openai/gpt-4o\",\"source\":\"us\",\"context\":256000,\"prices\":[{\"input\":3000000000,\"output\":10000000000}]}\n",
        "{\"key\":\"openai/gpt-next\",\"source\":\"us\",\"date\":\"2027-01-02\",\"context\":1000,\"prices\":[]}\n",
        "{\"key\":\"sim/small\",\"source\":\"us\",\"prices\":[]}\n",
    );

    fn read(text: &str) -> Result<Catalogue, BadCatalogue> {
        Catalogue::verified(text.as_bytes().to_vec(), &hex(text.as_bytes()))
    }

    #[test]
    fn a_newer_list_stands_before_the_built_in_one() {
        let new = read(NEW).unwrap();
        assert_eq!(new.date(), "2027-01-31");
        let row = new.facts("openai", "gpt-4o").unwrap();
        assert_eq!(
            (row.source.as_str(), row.date.as_str(), row.capabilities.context_tokens),
            ("us", "2027-01-31", Some(256_000))
        );
        assert_eq!(new.facts("openai", "gpt-next").unwrap().date, "2027-01-02");
        // An exact row of the built-in list goes before the base model's of the newer one.
        assert_eq!(new.facts("openai", "gpt-4o-2024-05-13").unwrap().key, "openai/gpt-4o-2024-05-13");
        assert!(new.facts("sim", "small").unwrap().prices.is_priced());
        let old = Catalogue::default();
        assert_eq!(
            (old.date(), old.sha256(), old.facts("openai", "gpt-next").is_none()),
            ("2026-11-22", None, true)
        );
        assert_eq!(new.models_of("openai").len(), old.models_of("openai").len() + 1);
    }

    #[test]
    fn every_built_in_row_has_a_source_and_a_date() {
        let built_in = Catalogue::default();
        for key in built_in.keys() {
            let (kind, model) = key.split_once('/').unwrap();
            let facts = built_in.facts(kind, model).unwrap();
            assert!(!facts.source.is_empty() && facts.date.len() == "2026-11-22".len(), "{key}");
        }
    }

    #[test]
    fn changes_say_before_and_after() {
        let (old, new) = (Catalogue::default(), read(NEW).unwrap());
        let changes = old.changes(&new, 1_800_000_000);
        let of = |key: &str| changes.iter().find(|change| change.key == key).unwrap().figures.clone();
        let text = |text: &str| Some(text.to_owned());
        assert!(of("openai/gpt-4o").contains(&("input price", text("2.5"), text("3"))));
        assert!(of("openai/gpt-4o").contains(&("context", text("128000"), text("256000"))));
        assert!(of("openai/gpt-next").contains(&("context", None, text("1000"))));
        assert_eq!(changes.len(), 2);
        assert!(new.changes(&new, 0).is_empty());
    }

    #[test]
    fn a_list_that_is_wrong_anywhere_is_not_taken() {
        let line = |text: &str| match read(text).unwrap_err() {
            BadCatalogue::Line { line, .. } => line,
            other => panic!("{other}"),
        };
        let head = "{\"catalogue\":1,\"date\":\"2027-01-31\"}\n";
        assert_eq!(line("{}"), 1);
        assert_eq!(line("{\"catalogue\":2,\"date\":\"2027-01-31\"}\n{}"), 1);
        assert_eq!(line("{\"catalogue\":1,\"date\":\"tomorrow\"}\n{}"), 1);
        assert_eq!(line(head), 2);
        let row = |key: &str| format!("{{\"key\":\"{key}\",\"source\":\"x\"}}\n");
        assert_eq!(line(&format!("{head}{}{}", row("b/b"), row("a/a"))), 3);
        assert_eq!(line(&format!("{head}{}{}", row("a/a"), row("a/a"))), 3);
        assert_eq!(line(&format!("{head}{}", row("a"))), 2);
        assert_eq!(
            line(&format!("{head}{{\"key\":\"a/b\",\"source\":\"x\",\"prices\":[{{\"input\":-1}}]}}")),
            2
        );
        assert_eq!(line(&format!("{head}{{\"key\":\"a/b\",\"source\":\"x\",\"surprise\":1}}")), 2);
        assert!(matches!(Catalogue::verified(NEW.into(), "00"), Err(BadCatalogue::Hash { .. })));
    }
}
