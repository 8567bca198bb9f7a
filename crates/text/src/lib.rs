//! Domains, their examples and the files they are read from. No tensors, no statistics.

pub mod atomic_file;
pub mod claim;
pub mod domain;
pub mod foreign;
pub mod hash;
pub mod hub;
pub mod process;
pub mod punctuation;
pub mod slurm;
pub mod synthetic;
pub mod transfer;
