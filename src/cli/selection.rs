//! The flags that select domains, a model and a device.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;

use super::progress::Verbosity;
use super::{Failure, help};
use promptshift_numbers::recipe::{FrozenWeights, Limits};
use promptshift_tensors::backbone::{Backbone, BackboneChoice, BackboneError, NANO};
use promptshift_tensors::device::{self, Device, Devices};
use promptshift_tensors::tuning;
use promptshift_text::domain::card::MINI;
use promptshift_text::domain::catalogue::{Catalogue, CatalogueError};
use promptshift_text::domain::suite::Suite;
use promptshift_text::hub;

/// Flags of every command that reads domains.
#[derive(Debug, Args)]
#[command(next_help_heading = help::DATA)]
pub struct Data {
    /// Where domains come from: mini (bundled), hub (fetched), mrqa (a part of hub).
    ///
    /// 'mini' is generated text; 'hub' is every real domain that `promptshift fetch` downloaded. `promptshift list
    /// suites` shows what each contains.
    #[arg(
        long,
        value_name = "SUITE",
        default_value = MINI,
        conflicts_with = "data"
    )]
    suite: String,
    /// A folder of real data instead of a suite, with a subfolder for each domain.
    ///
    /// DIR/DOMAIN/train.parquet, validation.parquet, test.parquet, their parts (train-00000-of-00002.parquet,
    /// train/0000.parquet), MRQA's .jsonl.gz or .jsonl, or downloads of the Hub's repositories in DIR/DOMAIN,
    /// DIR/OWNER/REPOSITORY or DIR/REPOSITORY.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD")]
    domains: Vec<PathBuf>,
}

impl Data {
    /// The selected suite.
    ///
    /// # Errors
    /// The folder does not exist, no suite has this name, or the Hub cache's folder can't be determined.
    pub fn suite(&self, catalogue: &Catalogue) -> anyhow::Result<Suite> {
        match &self.data {
            Some(folder) if folder.is_file() => bail!(
                "--data {}: wanted a folder with a subfolder for each domain, found a file; to answer one file, use \
                 `promptshift predict --data FILE`",
                folder.display()
            ),
            Some(folder) if !folder.is_dir() => bail!(
                "--data {}: wanted a folder of domains, found none",
                folder.display()
            ),
            Some(folder) => Ok(Suite::Folder(folder.clone())),
            None => catalogue.suite(&self.suite, || Ok(hub::cache_from_env()?)),
        }
    }

    /// The card files of the user's own domains.
    pub fn cards(&self) -> Vec<PathBuf> {
        self.domains.clone()
    }

    /// The bundled domains and the user's own.
    ///
    /// # Errors
    /// A card can't be read, or has the name of a known domain.
    pub fn catalogue(&self) -> Result<Catalogue, CatalogueError> {
        Catalogue::with(&self.domains)
    }
}

/// Selects a model.
#[derive(Debug, Args)]
#[command(next_help_heading = help::MODEL)]
pub struct Model {
    /// nano (bundled), a folder, a .gguf file, or OWNER/NAME of the Hub.
    ///
    /// 'nano' is the bundled miniature T5. A folder has Hugging Face's layout (config.json, tokenizer,
    /// weights) and holds a T5, BERT or a relative, Llama, Mistral, Qwen, Gemma or GPT-2. A .gguf file holds a
    /// Llama, Qwen or Gemma with its tokenizer. A model of the Hub must be fetched first. `promptshift list
    /// models` shows how to get some.
    #[arg(long, default_value = NANO, value_name = "MODEL")]
    model: String,
    /// How weights that are not trained are held in memory: f32 or bf16, which takes half of it.
    ///
    /// With bf16 every method starts from the rounded weights, and the untuned model has them too. What is trained is
    /// f32 in either case. [default: f32; for predict, what PROMPT or ADAPTER was tuned with]
    #[arg(long, value_name = "TYPE")]
    frozen_weights: Option<FrozenWeights>,
}

impl Model {
    /// How weights that are not trained are held, if the flag says so.
    pub fn frozen_weights(&self) -> Option<FrozenWeights> {
        self.frozen_weights
    }

    /// The selected backbone.
    ///
    /// # Errors
    /// Not a known name, a file, a folder or a model in the Hub's cache.
    pub fn choice(&self) -> Result<BackboneChoice, Failure> {
        BackboneChoice::parse(&self.model).map_err(Failure::usage)
    }
}

/// Loads a backbone and prints its notes.
pub fn load_backbone(
    choice: &BackboneChoice,
    device: &Device,
    verbosity: Verbosity,
) -> Result<Backbone, BackboneError> {
    let backbone = choice.load(device)?;
    backbone.notes.iter().for_each(|note| verbosity.say(note));
    Ok(backbone)
}

/// Prints a note if inputs are truncated because the model has too few positions.
pub fn say_cut(asked: &Limits, found: &Limits, backbone: &Backbone, verbosity: Verbosity) {
    if let Some(note) = tuning::cut_at(asked, found, backbone) {
        verbosity.say(&note);
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = help::COMPUTING)]
pub struct On {
    /// cpu; or cuda, cuda:N, vulkan, wgpu if compiled in; or several GPUs: cuda:0,cuda:1.
    ///
    /// A study gives each of its processes one of several devices (--jobs), or one for each replica
    /// (--replicas).
    #[arg(long, env = device::VARIABLE, default_value = "cpu", value_name = "DEVICE,...")]
    pub device: Devices,
}

impl On {
    /// The devices.
    pub fn find(&self) -> Result<Vec<Device>, Failure> {
        self.device.find().map_err(Failure::usage)
    }

    /// Checks that the devices can hold frozen weights in this form.
    ///
    /// # Errors
    /// They can't.
    pub fn check_form(&self, form: FrozenWeights) -> Result<(), Failure> {
        match form == FrozenWeights::Bf16 && !self.device.have_bf16() {
            false => Ok(()),
            true => Err(Failure::Usage(anyhow!(
                "--frozen-weights bf16: wanted a device that has bf16 (cpu, cuda or vulkan), found {}",
                self.device
            ))),
        }
    }

    /// The device of a command that computes on one.
    pub fn find_one(&self) -> Result<Device, Failure> {
        let Some(name) = self.device.only() else {
            return Err(Failure::Usage(anyhow!(
                "--device {}: this command computes on one device; wanted one of them",
                self.device
            )));
        };
        device::find(name).map_err(Failure::usage)
    }
}
