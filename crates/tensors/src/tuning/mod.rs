//! Tuning methods: what they train and where they modify the backbone.

mod answer_head;
mod apply;
mod draw;
mod inputs;
mod lengths;
mod methods;
mod prefixes;
mod projections;
mod prompt_network;
pub mod saved;
mod soft_prompt;
mod tuned;

pub use crate::parameters::Parameter;
pub use answer_head::{LabelVectors, NoHead, head_form};
pub use apply::{Parameters, TuningError, apply, check_labels, resumed, supports, wants_labels};
pub use inputs::{MethodInputs, PromptError, check};
pub use lengths::{cut_at, within};
pub use methods::{About, Family, about, lora, model_tuning, prompt_tuning};
pub use prefixes::Prefixes;
pub use projections::Projections;
pub use saved::{found_subspace, started};
pub use soft_prompt::SoftPrompt;
pub use tuned::Tuned;
