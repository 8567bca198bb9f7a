//! One binary for all integration tests; modules by subject.

mod ablate;
mod architecture;
mod bert;
mod bert_words;
mod cli;
mod compare;
mod damaged_records;
mod decoder_only;
mod full_size;
mod hostile;
mod hub;
mod hub_server;
mod methods;
mod miniature;
mod parity;
mod peft;
mod predict;
mod prompts;
mod reports;
mod scale;
mod tokenizer;
mod tuning;
mod wording;
