//! The building blocks of all networks: batches of tokens, linear maps with tuning deltas, norms, adapters, dropout,
//! greedy decoding.

mod adapter;
mod decoding;
mod dropout;
mod injected;
mod linear;
pub(crate) mod rotary;
mod tokens;

pub use adapter::{Adapter, Nonlinearity, Side, SubLayer};
pub(crate) use adapter::{adapted, adapted_output};
pub use decoding::{Decoding, Generated, KvCache, greedy};
pub use dropout::Dropout;
pub use injected::{Injected, KeyValue, LabelHead, PrefixPositions};
pub(crate) use injected::{of_each, prefix_len, prepend_prefix, with_prefix};
pub use linear::{Delta, Linear, LowRank, Norm};
pub use tokens::Tokens;
pub(crate) use tokens::{Packing, pick};

/// Types that recipes name: linear maps and forms of heads.
pub use promptshift_numbers::recipe::{HeadForm, Map};
