//! What the gateway shall do.
//!
//! [`file::Config`] is the configuration as written, in the words of the file. [`load`] reads one: the
//! document becomes a tree in which every value knows its place (`tree`), references are filled in
//! (`interpolate`), the types are read from it (`read`) and checked (`check`). What comes out is a
//! [`Loaded`], or [`Faults`]: all of them, each with file, line, column and what was probably meant.
//! [`from_environment`] makes one without a file. [`foreign::read`] reads another program's document, for those
//! who move from it.
//!
//! ```
//! # use gatehouse_config::{Kind, Known, parse};
//! # let kinds = [Kind { name: "sim", needs_credential: false, base_url: None, built_in: true, also_variables: &[], takes: &[],
//! #     key_variable: None, base_url_variable: None }];
//! # let known = Known { kinds: &kinds };
//! let text = "
//! providers:
//!   sim: { api: sim }
//! models:
//!   fast: { targets: [smi/small] }
//! ";
//! let faults = parse(text, "gatehouse.yaml", &|_| None, &known).unwrap_err();
//! assert_eq!(
//!     faults.to_string(),
//!     "gatehouse.yaml:5:21: models.fast.targets[0]: there is no provider \"smi\"; did you mean \"sim\"?"
//! );
//! ```
//!
//! What it does *not* know: how any of it is done, and which kinds of provider there are ([`Known`] tells).

pub mod file;
pub mod foreign;
pub mod ordered;
pub mod secret;
pub mod unit;

mod account;
mod anchors;
mod batches;
mod environment;
mod load;
mod loaded;

mod check;
mod read;
mod tree;

mod interpolate;
mod nearest;
mod path;
mod unbuilt;

mod fault;
mod reference;
mod retention;
mod schema;

pub use account::{Slip, slip};
pub use check::{Kind, Known};
pub use environment::{ADMIN_LISTEN_VARIABLE, LISTEN_VARIABLE, from_environment};
pub use fault::{FAULTS_MAX, Fault, Faults, Severity};
pub use interpolate::{VALUE_BYTES_MAX, VALUE_FILE_BYTES_MAX};
pub use load::{FILE_BYTES_MAX, contents, load, parse};
pub use loaded::Loaded;
pub use reference::reference;
pub use schema::schema;
pub use tree::{DEPTH_MAX, VALUES_MAX};
