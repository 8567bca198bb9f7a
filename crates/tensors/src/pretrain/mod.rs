//! Pre-training of the bundled miniature: its tokenizer, its objectives and its loop.
//!
//! The published objectives are those of T5 (span corruption, Raffel et al. 2020 §3.1.4) and of its
//! LM-adapted checkpoints (prefix LM, Lester et al. 2021 §3.1). What the text contains is said in
//! models/nano/README.md.

mod adamw;
mod objective;
mod probe;
mod recipe;
mod run;
mod stream;
mod vocabulary;

pub use objective::{prefix_lm, span_corruption};
pub use recipe::{PretrainRecipe, Shape, Stage, Vocabulary};
pub use run::{PretrainError, PretrainPoint, PretrainReport, Pretraining, Start, pretrain};
pub use stream::Text;
pub use vocabulary::train_tokenizer;
