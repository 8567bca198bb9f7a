//! How much does a model that was tuned on one domain lose on another, and does tuning fewer of its
//! parameters lose less?
//!
//! # The pipeline
//!
//! ```text
//! command line ─► plan ─► rows and model ─► trainings ─► predictions ─► scores ─► report
//!    cli        plan, study   datasets,      experiment    eval          score,     report
//!                             backbone       (tuning, train)             stats
//! ```
//!
//! 1. [`cli`] reads flags into a [`study`] of one or several [`plan`]s: plain data that can be saved and read again.
//! 2. Rows of the [`domain`]s become the [`datasets`] of a study; a [`backbone`] is loaded. Everything is checked
//!    before anything is trained.
//! 3. [`experiment`] trains what the [`store`] does not have: a method of [`tuning`] is applied to a [`network`], and
//!    [`train`] fits it to a [`TrainingSet`](train::TrainingSet), which is made of the sources' training rows.
//! 4. [`eval`] turns tensors back into text: a prediction for each row of the source and of every target.
//! 5. [`score`] scores predictions, [`stats`] estimates gaps with their intervals, and [`report`] writes them down.
//!    None of the three needs a model.
//!
//! Text becomes tensors in [`batch`] and tensors become text in [`eval`], nowhere else.
//!
//! # Notation
//!
//! | letter | what it counts |
//! |---|---|
//! | B | rows of a batch |
//! | T | tokens of an input, padded |
//! | P | vectors of a soft prompt |
//! | D | width of the model's states |
//! | H | attention heads |
//! | K | width of a head |
//! | V | entries of the vocabulary |
//! | L | layers (blocks) of a stack |
//!
//! A soft prompt is `[P, D]`; with it, an encoder reads `[B, P + T, D]`.

// In the order of the pipeline.
pub mod cli;

pub mod study;

pub mod plan;

pub mod pieces;

pub mod datasets;

pub mod experiment;

pub mod tensorboard;

pub use promptshift_kernels as kernels;
pub use promptshift_numbers::{
    inspect, leakage, predictions, provenance, recipe, record, score, stats, store,
};
pub use promptshift_report as report;
pub use promptshift_tensors::{
    backbone, batch, bert, checkpoint, decoder_only, device, eval, gguf, layers, memory, network,
    pretrain, t5, tokenizer, train, tuning,
};
pub use promptshift_text::{atomic_file, domain, foreign, hash, hub, synthetic, transfer};
