//! What a simulator may be told at its start, and the limits that hold for every one.

use std::time::Duration;

/// The largest request body that is read, in bytes. More is answered with 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Connections served at once; more wait in the listener's backlog.
pub const CONNECTIONS_MAX: usize = 20_000;
/// HTTP/2 streams of one connection.
pub const HTTP2_STREAMS_MAX: u32 = 1_000;
/// Scripts that wait to be matched.
pub const SCRIPTS_MAX: usize = 1_024;
/// The files, and the batches, that are kept.
pub const THINGS_KEPT_MAX: usize = 1_024;
/// Requests remembered for `GET /_sim/requests`.
pub const REQUESTS_KEPT_MAX: usize = 256;
/// Bytes of bodies remembered for `GET /_sim/requests`, over all of them.
pub const REQUESTS_KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Different pairs of path and model that are counted apart; later ones share a row.
pub const STATS_ROWS_MAX: usize = 512;
/// Prompt prefixes remembered as cached.
pub const CACHED_PREFIXES_MAX: usize = 1_024;
/// Content chunks of one streamed answer; long texts get longer chunks instead of more.
pub const STREAM_CHUNKS_MAX: usize = 256;
/// The largest answer of `big-<kb>`, in KiB.
pub const BIG_KIB_MAX: usize = 64 * 1024;
/// The longest time that a directive, a script or a waiting test may ask for.
pub const DELAY_MAX: Duration = Duration::from_secs(600);
/// How deep a generated instance of a schema may nest.
pub const SCHEMA_DEPTH_MAX: usize = 32;
/// Answers in one response (`n`, `candidateCount`).
pub const CHOICES_MAX: u64 = 8;
/// The widest embedding.
pub const EMBEDDING_DIMENSIONS_MAX: u64 = 4_096;
/// Texts in one embedding request.
pub const EMBEDDING_INPUTS_MAX: usize = 2_048;

/// How a simulator behaves. `Options::default()` is a provider as it is met in the wild; tests turn
/// `control` on.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refuse calls without a credential with the dialect's own 401.
    pub require_key: bool,
    /// Offer the control API under `/_sim/` and remember the last requests for it.
    pub control: bool,
    /// The models that lists name. Any other name is answered too.
    pub models: Vec<String>,
    /// The size of the whole answer of the model `bench`, in bytes.
    pub bench_answer_bytes: usize,
    /// The chunks of a streamed answer of the model `bench`.
    pub bench_chunks: usize,
    /// The time between two of them.
    pub bench_chunk_delay: Duration,
    /// A call that ends later than this after its arrival is counted as `after_deadline`.
    pub deadline: Duration,
    /// How long running answers may take to end after the shutdown was asked for.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let models = ["small", "large", "embed", "bench"];
        Self {
            require_key: true,
            control: false,
            models: models.map(str::to_owned).to_vec(),
            bench_answer_bytes: 770,
            bench_chunks: 200,
            bench_chunk_delay: Duration::from_millis(5),
            deadline: Duration::from_secs(30),
            drain: Duration::from_secs(1),
        }
    }
}
