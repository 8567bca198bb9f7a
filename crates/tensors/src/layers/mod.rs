//! The building blocks of all networks: batches of tokens, linear maps with tuning deltas, norms, adapters, dropout,
//! greedy decoding.

mod adapter;
mod dropout;
mod generate;
mod injected;
mod kv_cache;
mod linear;
mod norm;
mod packing;
pub(crate) mod rotary;
mod tokens;

pub use adapter::{Adapter, Nonlinearity, Side, SubLayer};
pub(crate) use adapter::{adapted, adapted_output};
pub use dropout::Dropout;
pub use generate::{Decoding, Generated, greedy};
pub use injected::{Injected, KeyValue, LabelHead, PrefixPositions};
pub(crate) use injected::{of_each, prefix_len, prepend_prefix, with_prefix};
pub use kv_cache::KvCache;
pub use linear::{Delta, Linear, LowRank};
pub use norm::Norm;
pub(crate) use packing::{Packing, pick};
pub use tokens::Tokens;

/// Types that recipes name: linear maps and forms of heads.
pub use promptshift_numbers::recipe::{HeadForm, Map};
