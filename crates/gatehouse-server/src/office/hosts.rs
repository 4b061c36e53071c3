//! By which names the administration side may be asked.
//!
//! A web page can have its own name point to loopback and then talk to what listens there (DNS rebinding). While the
//! API listens on loopback it is therefore asked by names of loopback only, or by those that are configured.

use std::net::IpAddr;

/// The names that are taken.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Those that are configured, in small letters; `None`: any.
    names: Option<Vec<String>>,
}

// === impl Hosts ===

impl Hosts {
    /// For an API that listens there.
    #[must_use]
    pub fn new(listens: IpAddr, names: &[String]) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { names: listens.is_loopback().then_some(names) }
    }

    /// Whether it may be asked as this `Host`, with or without a port.
    #[must_use]
    pub fn take(&self, host: &str) -> bool {
        let Some(names) = &self.names else { return true };
        let host = host.to_ascii_lowercase();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let name = name.trim_end_matches('.');
        let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        name == "localhost" || is_loopback || names.iter().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn only_names_of_loopback_reach_what_listens_there() {
        let hosts = Hosts::new("127.0.0.1".parse().unwrap(), &["Admin.Example".to_owned()]);
        for taken in
            ["localhost", "LOCALHOST:8081", "127.0.0.1:1", "[::1]:8081", "127.9.9.9", "admin.example:443"]
        {
            assert!(hosts.take(taken), "{taken}");
        }
        for refused in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
            ":8081",
        ] {
            assert!(!hosts.take(refused), "{refused}");
        }
        assert!(Hosts::new("0.0.0.0".parse().unwrap(), &[]).take("any.example"));
    }
}
