//! The way to providers: pooled connections, deadlines, and the first byte.

use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Idle connections to one provider.
const IDLE_CONNECTIONS_MAX: usize = 512;
/// How long a connection may idle: below the keep-alive of the usual servers (75 s and more), so that we
/// are the one who closes.
const IDLE_TIME_MAX: Duration = Duration::from_secs(55);

/// The connections to one provider. Cheap to clone; lives as long as a call uses it.
#[derive(Clone)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

// === impl Upstream ===

impl Upstream {
    /// No connection yet.
    #[must_use]
    pub fn new(connect: Duration) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect));
        // HTTP/1.1 only: leaving a call closes its connection at once, and no call waits behind another.
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(TLS.as_ref().clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(https);
        Self { client }
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// `upstream_unreachable` when no connection came about (nothing was sent), `upstream_timeout` when the
    /// time is over, `upstream_bad_response` when what came was no answer.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Error> {
        match tokio::time::timeout(limit, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(named(&error)),
            Err(_) => Err(Error::new(Code::UpstreamTimeout, "the provider did not answer in time")),
        }
    }
}

fn named(error: &ClientError) -> Error {
    let detail = chain(error);
    if error.is_connect() {
        return Error::new(Code::UpstreamUnreachable, "the provider cannot be reached").detail(detail);
    }
    Error::new(Code::UpstreamBadResponse, "the provider closed the connection without an answer")
        .detail(detail)
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// One configuration of TLS for all: the roots of the platform, read when first needed.
static TLS: LazyLock<Arc<rustls::ClientConfig>> = LazyLock::new(|| Arc::new(tls()));

fn tls() -> rustls::ClientConfig {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier());
    match builder {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            // Without roots no certificate is trusted: calls over TLS fail by name, nothing is skipped.
            tracing::error!(%error, "the platform's certificates cannot be read");
            let roots = rustls::RootCertStore::empty();
            let fallback = rustls::ClientConfig::builder_with_provider(provider);
            #[expect(
                clippy::expect_used,
                reason = "the provider's own default versions are always supported"
            )]
            fallback
                .with_safe_default_protocol_versions()
                .expect("default protocol versions")
                .with_root_certificates(roots)
                .with_no_client_auth()
        }
    }
}
