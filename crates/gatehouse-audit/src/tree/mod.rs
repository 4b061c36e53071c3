//! The tree over the log: what makes the leaves provable.
//!
//! A thread follows the log as far as it is on the disk, adds each leaf to the tree and signs what it has as a
//! checkpoint, once a second while there is anything new. No call waits for it. The folder `tree` of a shard holds:
//!
//! ```text
//! origin              the name of the log, chosen once
//! hashes-0, -1, …     hashes of every subtree of 256^n leaves, one after the other; made anew when they are gone
//! checkpoint          the newest, on the disk before anybody is shown it
//! key, key.next       the secret that signs; the one of the next epoch, while one ends
//! begun               the month in which the epoch under way began
//! keys                the public keys of all epochs
//! epochs/000001       the last checkpoint of each epoch, signed with its key before that was destroyed
//! key.anchors         the secret that signs for witnesses, over all epochs; it proves nothing to verifiers
//! anchored/           checkpoints that witnesses signed
//! ```
//!
//! A checkpoint that does not add to the one before is never signed: then the leaves were changed, and the thread
//! says so and stops.

mod anchored;
mod export;
mod files;
mod follow;
mod keys;
mod sealer;
mod thread;

pub use anchored::{ANCHORED, anchor_key, forget, keep, kept};
pub use export::export;
pub use files::TreeFiles;
pub use follow::{Follower, Numbered};
pub use keys::log_name;
pub use sealer::{Proved, SealError, Sealer};
pub use thread::{EndError, SEAL_EVERY, Sealing, SealingStatus};

/// The folder under that of a shard.
pub const TREE_DIR: &str = "tree";
/// The file of the newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// The file of the public keys.
pub const KEYS: &str = "keys";
/// The file of the name.
pub const ORIGIN: &str = "origin";
/// The folder of the last checkpoints of epochs.
pub const EPOCHS: &str = "epochs";
