//! Pre-training of the bundled miniature: its tokenizer, objectives and training loop.
//!
//! The objectives are T5's span corruption (Raffel et al. 2020 §3.1.4) and the prefix LM of T5's LM-adapted
//! checkpoints (Lester et al. 2021 §3.1). models/nano/README.md describes the text.

mod objective;
mod recipe;
mod run;
mod stream;

pub use objective::{prefix_lm, span_corruption};
pub use recipe::{PretrainRecipe, Shape, Stage, Vocabulary, train_tokenizer};
pub use run::{PretrainError, PretrainPoint, PretrainReport, Pretraining, Start, pretrain};
pub use stream::Text;
