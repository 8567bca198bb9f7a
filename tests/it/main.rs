//! One binary for all integration tests; modules by subject.

mod ablate;
mod architecture;
mod arithmetic;
mod bert;
mod bert_words;
#[cfg(unix)]
mod cells;
mod checkpoints;
mod cli;
mod compare;
mod damaged_records;
mod decoder_only;
#[cfg(any(feature = "cuda", feature = "vulkan", feature = "wgpu"))]
mod devices;
mod documents;
mod elsewhere;
mod encoders;
#[cfg(unix)]
mod ends;
mod every_method;
mod export;
mod full_size;
mod hostile;
mod hub;
mod hub_server;
mod k_shot;
mod methods;
mod miniature;
mod mixture;
mod parity;
mod peft;
mod peft_networks;
mod plans;
mod predict;
mod probe;
mod prompts;
mod propose;
mod reports;
#[cfg(unix)]
mod run_log;
mod runs;
mod scale;
#[cfg(target_os = "linux")]
mod shared_store;
mod shifts;
#[cfg(unix)]
mod slurm;
mod store_flags;
mod subspace;
mod sweeps;
#[cfg(unix)]
mod thousand_cells;
mod tokenizer;
mod tuning;
mod wording;
