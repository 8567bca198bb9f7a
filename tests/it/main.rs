//! One binary for all integration tests; modules by subject.

mod architecture;
mod bert;
mod cli;
mod compare;
mod damaged_records;
mod full_size;
mod hostile;
mod hub;
mod hub_server;
mod methods;
mod miniature;
mod parity;
mod predict;
mod prompts;
mod reports;
mod scale;
mod tokenizer;
mod tuning;
mod wording;
