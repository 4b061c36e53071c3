//! `gatehouse schema`: what an editor needs to help with the configuration.

use crate::output;
use anyhow::Result;

/// Prints the JSON Schema.
pub(crate) fn run() -> Result<()> {
    output::line(&gatehouse_config::schema());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::settings::known_kinds;
    use gatehouse_config::{Known, reference};

    #[test]
    fn the_page_on_the_configuration_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let page = reference(&Known { kinds: &known_kinds() });
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page, "write docs/configuration.md anew: UPDATE_DOCS=1 cargo test -p gateway");
    }
}
