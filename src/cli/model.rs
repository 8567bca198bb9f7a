//! The flag that says which model, of the verbs that take one of any kind.

use clap::Args;

use super::Failure;
use super::progress::Voice;
use promptshift_numbers::recipe::Limits;
use promptshift_tensors::backbone::{Backbone, BackboneChoice, BackboneError, NANO};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning;

/// Which model.
#[derive(Debug, Args)]
pub struct Model {
    /// 'nano', the bundled miniature T5; a folder as Hugging Face lays it out (config.json, tokenizer,
    /// weights) of a T5, a Llama, a GPT-2 or a BERT; a .gguf file of a Llama with SmolLM's or GPT-2's
    /// tokenizer; or OWNER/NAME of a model of the Hub, once it was fetched. `promptshift list` says which
    /// can be used and how to get some.
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
    voice: Voice,
) -> Result<Backbone, BackboneError> {
    let backbone = choice.load(device)?;
    backbone.notes.iter().for_each(|note| voice.say(note));
    Ok(backbone)
}

/// Says where inputs are cut because positions end, if they are.
pub fn say_cut(asked: &Limits, found: &Limits, backbone: &Backbone, voice: Voice) {
    if let Some(note) = tuning::cut_at(asked, found, backbone) {
        voice.say(&note);
    }
}
