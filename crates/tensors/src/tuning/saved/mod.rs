//! Saves and loads tuned models: promptshift's own files, and those of NumPy and PEFT.
//!
//! | file | contains |
//! |---|---|
//! | `prompt.safetensors` | a soft prompt |
//! | `adapter.safetensors` | any other delta: the parameters that the recipe trains, by path |
//! | `model.safetensors` | a whole model, under Hugging Face's names |
//! | `trained.safetensors` | the tensors that a training needs to resume, if no other file has all of them |
//! | a `.npy` | a soft prompt as a matrix |
//! | a PEFT folder | a soft prompt, LoRA, DoRA, VeRA, (IA)³ or a prefix |
//!
//! promptshift's own files are safetensors with [`Metadata`] in their headers.

mod adapter;
pub(super) mod error;
mod header;
pub(super) mod metadata;
mod npy;
mod peft;
pub(super) mod prompt;
pub(super) mod subspace;
mod tensors;
mod training;

pub use super::soft_prompt::{Subspace, SubspaceError, Vectors};
pub use adapter::{AdapterFile, FILE as ADAPTER_FILE};
pub use error::{OtherBackbone, SavedError};
pub use metadata::{Made, Metadata, Origin};
pub use peft::Task;
pub use prompt::{FILE as PROMPT_FILE, Format, PromptFile, started, to_bytes as prompt_bytes};
pub use subspace::{SubspaceFile, found_subspace};
pub use training::{
    FILE as TRAINED_FILE, SavedTraining, TrainedError, restored, save_trained, trained_bytes,
};
