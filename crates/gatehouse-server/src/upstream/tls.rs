//! TLS towards providers.

use std::sync::{Arc, LazyLock};

/// One configuration of TLS for all: the roots of the platform, read when first needed.
pub(crate) static TLS: LazyLock<Arc<rustls::ClientConfig>> = LazyLock::new(|| Arc::new(tls()));

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
