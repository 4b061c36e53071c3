//! How a batch gets to its receiver, and when he has it.

use super::batch::Batch;
use crate::export::Form;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use gatehouse_config::file::{Bucket, Sink};
use gatehouse_providers::bucket::{BucketKeys, signed_put};
use gatehouse_server::clock::unix_seconds;
use gatehouse_server::dial::dial;
use gatehouse_server::fetch::{Ask, Verb, exchange};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a receiver may take over one batch.
const BATCH_TIME_MAX: Duration = Duration::from_secs(30);
/// How much of his answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The priority of a syslog line: log audit (13), notice (5).
const SYSLOG_PRIORITY: u8 = 13 * 8 + 5;

/// How it gets there.
pub(super) enum Way {
    /// By `POST`, signed as Standard Webhooks has it.
    Webhook { url: String, secret: Option<SecretString>, authorization: Option<SecretString> },
    /// As an object of a bucket.
    Bucket { address: String, keys: BucketKeys },
    /// As lines of syslog (RFC 5424, framed by RFC 6587 and 5425).
    Syslog { address: String, tls: bool },
    /// To a collector of OpenTelemetry.
    Collector { url: String, authorization: Option<SecretString> },
}

/// Why a receiver does not have a batch.
#[derive(Debug)]
pub(super) struct Refused {
    /// In words.
    pub(super) why: String,
    /// Whether it will hardly be better the next time: somebody has to look.
    pub(super) lasting: bool,
}

// === impl Way ===

impl Way {
    /// As the configuration says, which was checked.
    pub(super) fn of(sink: &Sink) -> Option<Self> {
        let secret = |secret: &gatehouse_config::secret::Secret| secret.0.clone();
        let authorization = sink.authorization.as_ref().map(secret);
        if let Some(url) = &sink.webhook {
            let (url, secret) = (url.clone(), sink.secret.as_ref().map(secret));
            return Some(Self::Webhook { url, secret, authorization });
        }
        if let Some(base) = &sink.otlp {
            let url = format!("{}/v1/logs", base.trim_end_matches('/').trim_end_matches("/v1/logs"));
            return Some(Self::Collector { url, authorization });
        }
        if let Some(address) = &sink.syslog {
            let (scheme, address) = address.split_once("://")?;
            return Some(Self::Syslog { address: address.to_owned(), tls: scheme == "tls" });
        }
        let bucket = sink.s3.as_ref()?;
        let keys = BucketKeys {
            region: bucket.region.clone(),
            id: secret(bucket.access_key.as_ref()?),
            secret: secret(bucket.secret_key.as_ref()?),
        };
        Some(Self::Bucket { address: address(bucket), keys })
    }

    /// Sends a batch of the log of this name, and waits until its receiver has it: how many of its leaves he has
    /// thrown away.
    pub(super) async fn deliver(&self, batch: &Batch, form: Form, log: &str) -> Result<u64, Refused> {
        let kind = content_type(form);
        let body = Bytes::from(batch.body.clone());
        match self {
            Self::Webhook { url, secret, authorization } => {
                let id = format!("{log}-{}-{}", batch.first, batch.last);
                let now = unix_seconds();
                let mut headers = vec![
                    ("webhook-id".to_owned(), id.clone().into()),
                    ("webhook-timestamp".to_owned(), now.to_string().into()),
                ];
                if let Some(secret) = secret {
                    let signature = signature(secret, &id, now, &body).ok_or_else(|| Refused {
                        why: "its secret is no base64".to_owned(),
                        lasting: true,
                    })?;
                    headers.push(("webhook-signature".to_owned(), signature.into()));
                }
                headers.extend(authorization.clone().map(|value| ("authorization".to_owned(), value)));
                send(Verb::Post, url, headers, kind, body).await.map(|_| 0)
            }
            Self::Bucket { address, keys } => {
                let name = format!("{log}/{:020}-{:020}.{}", batch.first, batch.last, extension(form));
                let url = format!("{address}{name}");
                let headers = signed_put(keys, &url, kind, &body, unix_seconds())
                    .map_err(|why| Refused { why, lasting: true })?;
                send(Verb::Put, &url, headers, kind, body).await.map(|_| 0)
            }
            Self::Syslog { address, tls } => {
                let sent = tokio::time::timeout(BATCH_TIME_MAX, syslog(address, *tls, batch, log)).await;
                let sent = sent
                    .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it does not hang up")));
                sent.map(|()| 0)
                    .map_err(|error| Refused { why: format!("{address}: {error}"), lasting: false })
            }
            Self::Collector { url, authorization } => {
                let headers = authorization.clone().map(|value| ("authorization".to_owned(), value));
                let answer = send(Verb::Post, url, headers.into_iter().collect(), kind, body).await?;
                let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
                // A 64-bit number, which JSON of protocol buffers writes as a text.
                let rejected = answer.pointer("/partialSuccess/rejectedLogRecords");
                let rejected =
                    rejected.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
                // Sending them again would not help, by the protocol.
                Ok(rejected.unwrap_or_default())
            }
        }
    }
}

async fn send(
    verb: Verb,
    url: &str,
    headers: Vec<(String, SecretString)>,
    kind: &'static str,
    body: Bytes,
) -> Result<Bytes, Refused> {
    let ask = Ask { verb, url, token: None, headers, body: Some((kind, body)) };
    match exchange(ask, BATCH_TIME_MAX, ANSWER_BYTES_MAX).await {
        Ok((200..300, answer)) => Ok(answer),
        Ok((status, _)) => {
            let lasting = (300..500).contains(&status) && !matches!(status, 408 | 425 | 429);
            Err(Refused { why: format!("{url} answered {status}"), lasting })
        }
        Err(why) => Err(Refused { why, lasting: false }),
    }
}

/// One line each, after its length. Then we say that this is all, and wait until the receiver ends the connection,
/// which he does when he has read everything: if he dies before, or what he got was not read, it is reset.
async fn syslog(address: &str, tls: bool, batch: &Batch, log: &str) -> io::Result<()> {
    let mut line = dial(address, tls, BATCH_TIME_MAX).await?;
    let mut out = Vec::with_capacity(batch.body.len() + batch.lines.len() * 64);
    for text in &batch.lines {
        let message = format!("<{SYSLOG_PRIORITY}>1 - {log} gatehouse - - - {text}");
        out.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    line.write_all(&out).await?;
    line.shutdown().await?;
    let mut said = [0; 1024];
    loop {
        match line.read(&mut said).await {
            Ok(0) => return Ok(()),
            // Syslog says nothing back; whatever this is, it is no end.
            Ok(_) => {}
            // The end of a connection of TLS without a last word, as many close it: a reset is another error.
            Err(error) if tls && error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Standard Webhooks: base64 of the HMAC-SHA-256 over id, time and body.
fn signature(secret: &SecretString, id: &str, now: u64, body: &[u8]) -> Option<String> {
    let digits = secret.expose_secret().strip_prefix("whsec_")?;
    let unpadded = base64::engine::general_purpose::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let key = unpadded.decode(digits).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{now}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

fn address(bucket: &Bucket) -> String {
    let prefix = bucket.prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    match &bucket.endpoint {
        // In the path, which everything that is not AWS understands.
        Some(endpoint) => format!("{}/{}/{prefix}", endpoint.trim_end_matches('/'), bucket.bucket),
        None => format!("https://{}.s3.{}.amazonaws.com/{prefix}", bucket.bucket, bucket.region),
    }
}

fn content_type(form: Form) -> &'static str {
    match form {
        Form::Jsonl | Form::Ocsf => "application/x-ndjson",
        Form::Cef => "text/plain; charset=utf-8",
        Form::Otlp => "application/json",
    }
}

fn extension(form: Form) -> &'static str {
    match form {
        Form::Jsonl => "jsonl",
        Form::Ocsf => "ocsf.jsonl",
        Form::Cef => "cef",
        Form::Otlp => "otlp.json",
    }
}

#[cfg(test)]
mod tests {
    use super::{address, signature};
    use gatehouse_config::file::Bucket;

    #[test]
    fn a_webhook_is_signed_as_the_standard_has_it() {
        // The example of https://www.standardwebhooks.com, checked with its Python library.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn objects_have_addresses_of_their_own() {
        let bucket = |endpoint: Option<&str>, prefix: &str| Bucket {
            endpoint: endpoint.map(str::to_owned),
            region: "eu-central-1".to_owned(),
            bucket: "audit".to_owned(),
            prefix: prefix.to_owned(),
            ..Bucket::default()
        };
        assert_eq!(address(&bucket(Some("http://minio:9000/"), "/a/b/")), "http://minio:9000/audit/a/b/");
        assert_eq!(address(&bucket(None, "")), "https://audit.s3.eu-central-1.amazonaws.com/");
    }
}
