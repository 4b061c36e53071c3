//! Values with a unit: durations, sizes, decimals.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A length of time: `250ms`, `30s`, `15m`, `1h`, `90d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"^[0-9]+ ?(ms|s|m|h|d)$"))]
pub struct Duration(pub std::time::Duration);

/// A size: `64KiB`, `32MiB`, `1GiB`, or plain bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", extend("type" = ["string", "integer"], "pattern" = r"^[0-9]+ ?(B|kB|KB|KiB|MB|MiB|GB|GiB)?$"))]
pub struct Bytes(pub u64);

/// A decimal number, kept as it was written so that no float rounds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("type" = ["string", "number"], "pattern" = r"^[0-9]+(\.[0-9]*)?$"))]
pub struct Decimal(pub String);

/// What reads a value from its text.
struct Reader<T>(&'static str, fn(&str) -> Option<T>);

// === impl Duration ===

impl Duration {
    /// Whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// Reads `250ms`, `30s`, `15m`, `1h`, `90d`, `7y` (of 365 days).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        number.checked_mul(millis).map(Self::millis)
    }
}

impl Bytes {
    /// Reads `64KiB`, `32MiB`, `1GiB` or a number of bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let factor: u64 = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return None,
        };
        number.checked_mul(factor).map(Self)
    }
}

impl Decimal {
    /// Reads digits with at most one point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        (!whole.is_empty() && digits(whole) && digits(fraction)).then(|| Self(text.to_owned()))
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

// === writing ===

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let unit = units.into_iter().find(|(length, _)| millis >= *length && millis.is_multiple_of(*length));
        match (millis, unit) {
            (0, _) => f.write_str("0s"),
            (_, Some((length, name))) => write!(f, "{}{name}", millis / length),
            (_, None) => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, name)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! written_as_displayed {
    ($($unit:ty)*) => { $(
        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    )* };
}

written_as_displayed!(Duration Bytes Decimal);

// === reading ===

impl<T> de::Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        // The shortest text that reads back as the same number is what was written, for any sane price.
        self.visit_str(&number.to_string())
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader("a duration such as 250ms, 30s, 15m, 1h or 90d", Self::parse))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader("a size such as 64KiB, 32MiB or 1GiB", Self::parse))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader("a decimal number such as 2.50", Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Decimal, Duration};
    use proptest::prelude::*;

    #[test]
    fn units_are_read() {
        assert_eq!(Duration::parse("250ms"), Some(Duration::millis(250)));
        assert_eq!(Duration::parse("90d"), Some(Duration::seconds(90 * 86_400)));
        assert_eq!(Bytes::parse("32MiB"), Some(Bytes(32 << 20)));
        assert_eq!(Bytes::parse("1000"), Some(Bytes(1000)));
        assert_eq!(Decimal::parse("2.50"), Some(Decimal("2.50".to_owned())));
        for bad in
            ["", "s", "10", "-1s", "1.5s", "10 parsecs", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(Duration::parse(bad), None, "{bad}");
        }
        for bad in ["", ".5", "1e3", "-1", "1.2.3", "1,5"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number in any::<u32>()) {
            let (time, size) = (Duration::millis(number.into()), Bytes(number.into()));
            prop_assert_eq!(Duration::parse(&time.to_string()), Some(time));
            prop_assert_eq!(Bytes::parse(&size.to_string()), Some(size));
        }
    }
}
