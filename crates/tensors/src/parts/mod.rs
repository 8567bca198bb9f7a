//! What networks of all kinds are made of: batches of tokens, linear maps with what tuning adds to
//! them, norms, adapters, dropout, greedy decoding.

mod adapter;
mod delta;
mod dropout;
mod entries;
mod generate;
mod kept;
mod layout;
mod linear;
mod norm;
mod output_words;
mod places;
mod tokens;

pub use adapter::{Adapter, Nonlinearity, Side};
pub(crate) use adapter::{adapted, adapted_output};
pub use delta::{Delta, LowRank};
pub use dropout::Dropout;
pub use entries::{Entries, Memory, PrefixPositions};
pub(crate) use entries::{behind, lengthened, of_each, reach};
pub use generate::{Decoding, Generated, greedy};
pub use kept::Kept;
pub(crate) use layout::{Layout, pick};
pub use linear::Linear;
pub use norm::Norm;
pub use output_words::OutputWords;
pub use places::SubLayer;
pub use tokens::Tokens;

/// What a recipe names: linear maps and forms of heads.
pub use promptshift_numbers::recipe::{HeadForm, Map};
