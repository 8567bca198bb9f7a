//! One binary for all integration tests; modules by subject.

mod architecture;
mod cli;
mod miniature;
mod parity;
mod reports;
mod tokenizer;
mod tuning;
