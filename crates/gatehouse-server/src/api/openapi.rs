//! The description of the API, for people and programs.

/// OpenAPI 3.1. A test compares it with the routes.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");
