//! Where traces and metrics go, and as whose: from the configuration and from OpenTelemetry's own variables.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use super::super::semconv::{SERVICE_INSTANCE, SERVICE_NAME, SERVICE_VERSION};
use crate::clock;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const NAME: &str = "OTEL_SERVICE_NAME";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// What the service is called unless somebody says otherwise.
const DEFAULT_NAME: &str = "gatehouse";

/// Where traces and metrics go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base address, without a slash at its end.
    pub(super) endpoint: String,
    /// Headers of every request. Their values are marked as secrets.
    pub(super) headers: HeaderMap,
    /// Who reports.
    pub(super) resource: Vec<(String, String)>,
}

// === impl Settings ===

impl Settings {
    /// Finds the settings: the address from the configuration or from the environment, the rest from the
    /// environment. `None` when nothing is to be exported.
    ///
    /// # Errors
    /// What is wrong with which of them, never with a value of a header in it.
    pub fn find(
        configured: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let disabled = env(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let from_env = env(ENDPOINT);
        let (name, address) = match (configured, &from_env) {
            _ if disabled => return Ok(None),
            (Some(address), _) => ("telemetry.otlp", address),
            (None, Some(address)) => (ENDPOINT, address.as_str()),
            (None, None) => return Ok(None),
        };
        if let Some(protocol) = env(PROTOCOL).filter(|protocol| protocol != "http/protobuf") {
            return Err(format!(
                "{PROTOCOL}: {protocol:?} is not spoken here; the collector must take http/protobuf"
            ));
        }
        Ok(Some(Self {
            endpoint: endpoint(address).map_err(|what| format!("{name}: {what}"))?,
            headers: headers(&env(HEADERS).unwrap_or_default())?,
            resource: resource(env(NAME), &env(RESOURCE).unwrap_or_default())?,
        }))
    }
}

fn endpoint(address: &str) -> Result<String, &'static str> {
    let shape = "is no address of a collector; write one such as http://localhost:4318";
    let uri: Uri = address.trim().parse().map_err(|_| shape)?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(shape);
    };
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err("holds more than an address; credentials belong into OTEL_EXPORTER_OTLP_HEADERS");
    }
    Ok(address.trim().trim_end_matches('/').to_owned())
}

fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in
        pairs(text).map_err(|at| format!("{HEADERS}: entry {at} is not of the form name=value"))?
    {
        let wrong = || format!("{HEADERS}: {name:?} is no header or has a value that none can hold");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

fn resource(service: Option<String>, text: &str) -> Result<Vec<(String, String)>, String> {
    let mut all =
        pairs(text).map_err(|at| format!("{RESOURCE}: entry {at} is not of the form name=value"))?;
    if let Some(service) = service {
        all.retain(|(name, _)| name != SERVICE_NAME);
        all.push((SERVICE_NAME.to_owned(), service));
    }
    let instance = clock::call_id().to_string();
    let own = [
        (SERVICE_NAME, DEFAULT_NAME),
        (SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        (SERVICE_INSTANCE, &instance),
    ];
    for (name, value) in own {
        if !all.iter().any(|(present, _)| present == name) {
            all.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(all)
}

/// `name=value,…` with percent-encoded values; else the number of the entry that is not.
fn pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    let entries = text.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty());
    let pair = |(at, entry): (usize, &str)| {
        let (name, value) = entry.split_once('=').ok_or(at + 1)?;
        let name = name.trim();
        let value = decoded(value.trim()).filter(|_| !name.is_empty()).ok_or(at + 1)?;
        Ok((name.to_owned(), value))
    };
    entries.map(pair).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn find(configured: Option<&str>, env: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        Settings::find(configured, &|name| {
            env.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn resource<'a>(settings: &'a Settings, name: &str) -> &'a str {
        &settings.resource.iter().find(|(other, _)| other == name).unwrap().1
    }

    #[test]
    fn nothing_is_exported_unless_somebody_says_where_to() {
        assert!(find(None, &[]).unwrap().is_none());
        assert!(find(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        assert!(find(Some("http://c:4318"), &[("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        let both =
            find(Some("http://a:4318/"), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b")]).unwrap().unwrap();
        assert_eq!(both.endpoint, "http://a:4318");
        assert_eq!(resource(&both, "service.name"), "gatehouse");
    }

    #[test]
    fn headers_are_secrets_and_values_are_decoded() {
        let settings = find(
            None,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/otlp"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20c2VjcmV0, x-scope = acme"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=prod"),
                ("OTEL_SERVICE_NAME", "door"),
            ],
        )
        .unwrap()
        .unwrap();
        assert_eq!(settings.headers["authorization"], "Basic c2VjcmV0");
        assert!(!format!("{settings:?}").contains("c2VjcmV0"));
        assert_eq!(resource(&settings, "service.name"), "door");
        assert_eq!(resource(&settings, "deployment.environment.name"), "prod");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_without_its_value() {
        for address in ["collector", "ftp://c", "http://user:s3cret@c:4318", "http://c?key=s3cret"] {
            let wrong = find(Some(address), &[]).unwrap_err();
            assert!(wrong.starts_with("telemetry.otlp") && !wrong.contains("s3cret"), "{wrong}");
        }
        let with = |name, value| find(Some("http://c"), &[(name, value)]).unwrap_err();
        assert!(with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").contains("http/protobuf"));
        for headers in ["s3cret", "a=ok,=s3cret", "a=s3cret%0A", "a=s3cret%zz"] {
            assert!(!with("OTEL_EXPORTER_OTLP_HEADERS", headers).contains("s3cret"), "{headers}");
        }
    }
}
