//! `promptshift adapter`: exchanges adapters with PEFT, and merges LoRA, DoRA or VeRA into the weights.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::progress::Verbosity;
use super::{Failure, print, selection};
use promptshift_tensors::backbone::{Backbone, BackboneChoice};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning::saved::{self, AdapterFile, Origin};
use promptshift_text::atomic_file;

/// Subcommands of `adapter`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write an adapter of lora, dora, vera, ia3 or prefix-decoder for PEFT; nothing is overwritten.
    Export {
        /// An adapter.safetensors or its folder, or a PEFT adapter's folder.
        #[arg(value_name = "IN")]
        adapter: PathBuf,
        /// The folder to write, for `PeftModel.from_pretrained`.
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// The model it was tuned for, whose module names PEFT uses for tensors: 'nano', a folder or a Hub name.
        #[arg(long, value_name = "MODEL")]
        model: String,
    },
    /// Convert PEFT's LORA, VERA, IA3 or PREFIX_TUNING to adapter.safetensors; nothing is overwritten.
    Import {
        /// The folder of a PEFT adapter.
        #[arg(value_name = "IN")]
        adapter: PathBuf,
        /// The file to write.
        #[arg(long, default_value = saved::ADAPTER_FILE, value_name = "FILE")]
        out: PathBuf,
        /// The model it was tuned for, which the folder does not identify: 'nano', a folder or a Hub name.
        #[arg(long, value_name = "MODEL")]
        model: String,
    },
    /// Merge the updates of LoRA, DoRA or VeRA into the model's weights; nothing is overwritten.
    Merge {
        /// An adapter.safetensors or its folder, or a PEFT adapter's folder.
        #[arg(value_name = "IN")]
        adapter: PathBuf,
        /// The model.safetensors to write, which replaces the model's own beside its config.json and tokenizer.
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// The model it was tuned for: 'nano', a folder or a Hub name.
        #[arg(long, value_name = "MODEL")]
        model: String,
    },
    /// Show what an adapter is and where it comes from.
    Show {
        /// An adapter in either format.
        #[arg(value_name = "IN")]
        adapter: PathBuf,
    },
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Export {
            adapter,
            out,
            model,
        } => {
            let choice = choice(&model)?;
            atomic_file::check(&out)?;
            let adapter = open(&adapter)?;
            adapter.export(&load(&choice)?, &out)?;
            print::note(format_args!("{}: a folder for PEFT", out.display()));
        }
        Verb::Import {
            adapter,
            out,
            model,
        } => {
            let choice = choice(&model)?;
            atomic_file::check(&out)?;
            let adapter = open(&adapter)?;
            let bytes = adapter.adopt(&load(&choice)?)?;
            atomic_file::write(&out, &bytes)?;
            print::note(format_args!(
                "{}: an adapter for '{}'",
                out.display(),
                choice.name()
            ));
        }
        Verb::Merge {
            adapter,
            out,
            model,
        } => {
            let choice = choice(&model)?;
            atomic_file::check(&out)?;
            let adapter = open(&adapter)?;
            let form = adapter.origin.frozen_weights().unwrap_or_default();
            let bytes = adapter.merged(&load(&choice)?.with_frozen_weights(form))?;
            atomic_file::write(&out, &bytes)?;
            print::note(format_args!(
                "{}: the merged weights of '{}'",
                out.display(),
                choice.name()
            ));
        }
        Verb::Show { adapter } => {
            let adapter = AdapterFile::open(&adapter)?;
            for (key, value) in facts(&adapter) {
                print::line(format_args!("{key}: {value}"))?;
            }
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<AdapterFile, Failure> {
    let adapter = AdapterFile::open(path)?;
    print::warn(&adapter.origin.notes(&adapter.path));
    Ok(adapter)
}

fn choice(model: &str) -> Result<BackboneChoice, Failure> {
    BackboneChoice::parse(model).map_err(Failure::usage)
}

fn load(choice: &BackboneChoice) -> Result<Backbone, Failure> {
    let verbosity = Verbosity::of_terminal();
    Ok(selection::load_backbone(
        choice,
        &Device::flex(),
        verbosity,
    )?)
}

/// What is known about an adapter.
fn facts(adapter: &AdapterFile) -> Vec<(String, String)> {
    let fact = |key: &str, value: &str| (key.to_string(), value.to_string());
    let mut facts = vec![fact("file", &adapter.path.display().to_string())];
    match &adapter.origin {
        Origin::Own(metadata) => {
            let entries = metadata.entries().into_iter();
            facts.extend(entries.filter(|(key, _)| key != "format"));
        }
        // Only prompts have this origin.
        Origin::Npy { .. } => {}
        Origin::Peft {
            method,
            base_model,
            sha256,
            unknown,
            task: _,
        } => {
            let base_model = base_model.as_deref().unwrap_or("unknown");
            facts.extend([
                fact("format", "peft"),
                fact("method", method.name()),
                fact("base_model", base_model),
                fact("sha256", sha256),
            ]);
            facts.extend(unknown.iter().map(|key| fact("unknown", key)));
        }
    }
    facts
}
