//! The JSON Schema of the file, for editors and for checks elsewhere.

use crate::file::Config;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The JSON Schema (2020-12) of the configuration.
#[must_use]
pub fn schema() -> String {
    format!("{:#}", value())
}

/// The same as a value.
pub(crate) fn value() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Gatehouse configuration".into());
    schema.into()
}
