//! The `--model` flag of the commands that accept any kind of model.

use clap::Args;

use super::progress::Verbosity;
use super::{Failure, help};
use promptshift_numbers::recipe::Limits;
use promptshift_tensors::backbone::{Backbone, BackboneChoice, BackboneError, NANO};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning;

/// Selects a model.
#[derive(Debug, Args)]
#[command(next_help_heading = help::MODEL)]
pub struct Model {
    /// nano (bundled), a folder, a .gguf file, or OWNER/NAME of the Hub.
    ///
    /// 'nano' is the bundled miniature T5. A folder has Hugging Face's layout (config.json, tokenizer, weights) and
    /// holds a T5, BERT or a relative, Llama, Mistral, Qwen or GPT-2. A .gguf file holds a Llama with SmolLM's or GPT-2's tokenizer. A model of the
    /// Hub must be fetched first. `promptshift list models` shows how to get some.
    #[arg(long, default_value = NANO, value_name = "MODEL")]
    model: String,
}

impl Model {
    /// The selected backbone.
    ///
    /// # Errors
    /// Neither a known name nor a file nor a folder nor in the Hub's cache.
    pub fn choice(&self) -> Result<BackboneChoice, Failure> {
        BackboneChoice::parse(&self.model).map_err(Failure::usage)
    }
}

/// Loads a backbone and prints its notes.
pub fn load(
    choice: &BackboneChoice,
    device: &Device,
    verbosity: Verbosity,
) -> Result<Backbone, BackboneError> {
    let backbone = choice.load(device)?;
    backbone.notes.iter().for_each(|note| verbosity.say(note));
    Ok(backbone)
}

/// Reports if inputs are truncated because positions run out.
pub fn say_cut(asked: &Limits, found: &Limits, backbone: &Backbone, verbosity: Verbosity) {
    if let Some(note) = tuning::cut_at(asked, found, backbone) {
        verbosity.say(&note);
    }
}
