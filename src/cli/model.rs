//! The flag that says which model, of the verbs that take one of any kind.

use clap::Args;

use super::progress::Verbosity;
use super::{Failure, help};
use promptshift_numbers::recipe::Limits;
use promptshift_tensors::backbone::{Backbone, BackboneChoice, BackboneError, NANO};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning;

/// Which model.
#[derive(Debug, Args)]
#[command(next_help_heading = help::MODEL)]
pub struct Model {
    /// nano (bundled), a folder, a .gguf file, or OWNER/NAME of the Hub.
    ///
    /// 'nano' is the bundled miniature T5. A folder is as Hugging Face lays it out (config.json, tokenizer, weights), of
    /// a T5, a Llama, a GPT-2 or a BERT. A .gguf file is of a Llama with SmolLM's or GPT-2's tokenizer. A model of the
    /// Hub has to be fetched first. `promptshift list models` says how to get some.
    #[arg(long, default_value = NANO, value_name = "MODEL")]
    model: String,
}

impl Model {
    /// The backbone that was asked for.
    ///
    /// # Errors
    /// Neither a known name nor a file nor a folder nor in the Hub's cache.
    pub fn choice(&self) -> Result<BackboneChoice, Failure> {
        BackboneChoice::parse(&self.model).map_err(Failure::usage)
    }
}

/// Loads a backbone, and says what has to be said of it.
pub fn load(
    choice: &BackboneChoice,
    device: &Device,
    verbosity: Verbosity,
) -> Result<Backbone, BackboneError> {
    let backbone = choice.load(device)?;
    backbone.notes.iter().for_each(|note| verbosity.say(note));
    Ok(backbone)
}

/// Says where inputs are cut because positions end, if they are.
pub fn say_cut(asked: &Limits, found: &Limits, backbone: &Backbone, verbosity: Verbosity) {
    if let Some(note) = tuning::cut_at(asked, found, backbone) {
        verbosity.say(&note);
    }
}
