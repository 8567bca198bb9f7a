//! The building blocks of all networks: token batches, linear layers with tuning deltas, norms, adapters,
//! dropout, gradient checkpointing, greedy decoding.

mod adapter;
mod decoding;
mod dropout;
mod injected;
mod linear;
mod pass;
pub(crate) mod rotary;
mod tokens;

pub use adapter::{Adapter, Nonlinearity, Side, SubLayer};
pub(crate) use adapter::{adapted, adapted_output};
pub use decoding::{Decoding, Generated, KvCache, greedy};
pub use dropout::Dropout;
pub use injected::{Injected, KeyValue, LabelHead, PrefixPositions};
pub(crate) use injected::{of_each, prefix_len, prepend_prefix, with_prefix};
pub use linear::{Delta, Linear, LowRank, Magnitude, Norm, Vera};
pub(crate) use pass::BlockInputs;
pub use pass::{GradientCheckpointing, Pass};
pub use tokens::Tokens;
pub(crate) use tokens::{Packing, pick};

/// Types that recipes use: linear layers and forms of heads.
pub use promptshift_numbers::recipe::{HeadForm, Map};
