//! The simulated provider in this process, and the gateway's configuration that points at it.

use gatehouse_sim::{Counts, Filter, Options, Received, Script, Simulator};
use serde_json::Value;
use std::future::pending;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long anything may take before a test gives up. Nothing waits for this in a test that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The kinds of provider that the simulator plays, as the configuration names them.
pub(crate) const PROVIDERS: [&str; 7] =
    ["openai", "anthropic", "gemini", "compatible", "bedrock", "azure", "cohere"];

/// A simulated provider on a port of its own.
pub(crate) struct Provider {
    pub(crate) sim: Simulator,
    address: String,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same on a port that is there.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let sim = Simulator::new(Options { control: true, ..Options::default() });
        let serving = sim.clone();
        tokio::spawn(async move { serving.serve(listener, pending::<()>()).await });
        Self { sim, address }
    }

    /// A configuration in which every kind of provider is this simulator, with `more` behind it.
    pub(crate) fn config(&self, more: &str) -> String {
        let mut text =
            String::from("version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nproviders:\n");
        for kind in PROVIDERS {
            let version = if matches!(kind, "openai" | "compatible") { "/v1" } else { "" };
            let more = if kind == "bedrock" { "aws_region: eu-central-1, " } else { "" };
            text.push_str(&format!(
                "  {kind}: {{ api: {kind}, {more}base_url: \"http://{}{version}\", api_key: \"${{PROVIDER_KEY}}\", \
                 prices: {{ \"*\": {{ input: \"1\", output: \"2\" }} }} }}\n",
                self.address
            ));
        }
        text.push_str("retry: { backoff: 1ms }\n");
        text.push_str(more);
        text
    }

    /// Where it listens, for providers with other options than [`Self::config`] gives them.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn script(&self, script: &Value) {
        self.sim.script(serde_json::from_value::<Script>(script.clone()).unwrap()).unwrap();
    }

    /// Waits until the sum over all calls is so.
    pub(crate) async fn wait(&self, reached: impl Fn(&Counts) -> bool) -> Counts {
        let (counts, reached) = self.sim.wait(&Filter::default(), PATIENCE, reached).await;
        assert!(reached, "{counts:?}");
        counts
    }

    /// The last request that arrived.
    pub(crate) fn last(&self) -> Received {
        self.sim.requests(1).pop().unwrap()
    }
}
