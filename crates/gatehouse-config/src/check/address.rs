//! Addresses: where the gateway listens, where providers are.

use super::Report;
use crate::file::Config;
use crate::path::Path;
use std::net::{IpAddr, SocketAddr};

/// A provider's address, taken apart.
pub(super) struct Url<'a> {
    is_encrypted: bool,
    host: &'a str,
}

/// Checks where the gateway listens.
pub(super) fn listen(config: &Config, report: &mut Report<'_>) {
    let calls = Path::of("listen");
    let admin = Path::of("admin").key("listen");
    for (at, address) in [(&calls, &config.listen), (&admin, &config.admin.listen)] {
        if port(address).is_none() {
            report.error(at, "is no address to listen on; write one such as 127.0.0.1:8080");
        }
    }
    // Port 0 lets the system choose, two of them are two ports.
    if config.listen == config.admin.listen && port(&config.listen) != Some(0) {
        report.error(&admin, "is the address of listen too; the two sides need one each");
    }
    for (number, name) in config.admin.hosts.iter().enumerate() {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(is_name) {
            let at = Path::of("admin").key("hosts").index(number);
            report.error(
                &at,
                "is no name of a host; write it without scheme and port, such as gateway.example",
            );
        }
    }
}

fn port(address: &str) -> Option<u16> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Some(address.port());
    }
    let (host, port) = address.rsplit_once(':')?;
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    // Digits and points alone are an IP address that did not parse.
    let is_name = host.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_host && is_name).then(|| port.parse().ok())?
}

impl<'a> Url<'a> {
    /// Reads the address of a provider.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let shape = "is no address of a provider; write one such as https://llama.internal:8000/v1";
        let (scheme, rest) = text.split_once("://").ok_or(shape)?;
        let is_encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("must begin with https:// or http://"),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if rest.contains(['?', '#']) {
            return Err("must end with the path; what follows ? or # cannot be honoured");
        }
        if authority.contains('@') {
            return Err("holds a credential; put it into api_key");
        }
        if rest.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err("has a space or a control character in it");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if host.is_empty() {
            return Err(shape);
        }
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err("has a port that is no number from 1 to 65535");
        }
        Ok(Self { is_encrypted, host })
    }

    /// Whether others could read along: not encrypted, and not on this machine.
    pub(super) fn is_exposed(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !self.is_encrypted && !is_local
    }
}

#[cfg(test)]
mod tests {
    use super::{Url, port};

    #[test]
    fn addresses_to_listen_on() {
        for good in ["127.0.0.1:8080", "[::1]:0", "localhost:8080", "gateway.internal:443"] {
            assert!(port(good).is_some(), "{good}");
        }
        for bad in
            ["8080", ":8080", "127.0.0.1", "127.0.0.1:99999", "256.0.0.1:80", "host name:80", "http://x:80"]
        {
            assert!(port(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_providers() {
        for good in
            ["https://api.openai.com/v1", "http://127.0.0.1:8000", "http://[::1]:8000/v1", "https://h:1/a/b"]
        {
            assert!(Url::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "api.openai.com",
            "ftp://x",
            "https://",
            "https://k@host",
            "https://h:port",
            "https://h/v1?a=b",
            "https://a b",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert!(Url::parse("http://llama.internal").is_ok_and(|url| url.is_exposed()));
        assert!(Url::parse("http://[::1]:80").is_ok_and(|url| !url.is_exposed()));
        assert!(Url::parse("http://localhost/v1").is_ok_and(|url| !url.is_exposed()));
    }
}
