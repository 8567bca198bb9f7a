//! When a model tuned on one domain meets another, how much does it lose, and does tuning less of it
//! lose less?

pub mod cli;
pub mod experiment;
pub mod material;
pub mod plan;
pub mod study;

pub use promptshift_kernels as kernels;
pub use promptshift_numbers::{
    excerpt, hygiene, inspect, predictions, provenance, recipe, record, score, stats, store,
};
pub use promptshift_report as report;
pub use promptshift_tensors::{
    backbone, batch, bert, checkpoint, decoder_only, device, eval, gguf, memory, nearest, network,
    parts, pretrain, t5, threads, tokenizer, train, tuning,
};
pub use promptshift_text::{domain, foreign, hash, hub, new_file, synthetic, transfer};
