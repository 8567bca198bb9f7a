//! When a model tuned on one domain meets another, how much does it lose, and does tuning less of
//! it lose less?
#![recursion_limit = "256"]

pub mod backbone;
pub mod batch;
pub mod bert;
pub mod checkpoint;
pub mod cli;
pub mod device;
pub mod domain;
pub mod eval;
pub mod excerpt;
pub mod experiment;
pub mod hub;
pub mod hygiene;
pub mod kernels;
pub mod material;
pub mod memory;
pub mod nearest;
pub mod network;
pub mod new_file;
pub mod parts;
pub mod plan;
pub mod predictions;
pub mod pretrain;
pub mod provenance;
pub mod recipe;
pub mod record;
pub mod report;
pub mod stats;
pub mod synthetic;
pub mod t5;
pub mod threads;
pub mod tokenizer;
pub mod train;
pub mod transfer;
pub mod tuning;
