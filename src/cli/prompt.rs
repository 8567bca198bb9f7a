//! `promptshift prompt`: exchanges soft prompts with other programs.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use super::progress::Verbosity;
use super::{Failure, print, selection};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::device::Device;
use promptshift_tensors::network::Kind;
use promptshift_tensors::tuning::saved::{self, Format, Origin, PromptFile, SubspaceFile};
use promptshift_text::atomic_file;

/// Subcommands of `prompt`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a prompt for another program; nothing is overwritten.
    Export {
        /// A prompt.safetensors or its folder, a .npy, or a PEFT prompt's folder.
        #[arg(value_name = "IN")]
        prompt: PathBuf,
        /// The output: a folder for PEFT, a file for NumPy.
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// PEFT's folder, or a .npy for google-research's prompt tuning. By default OUT decides: npy if its name ends
        /// in .npy, peft if it has no extension.
        #[arg(long, value_enum)]
        to: Option<To>,
        /// The model it was tuned for: 'nano', a folder or a Hub name. PEFT needs its kind of network, which a .npy, or
        /// a prompt.safetensors of an older promptshift, does not state.
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
    },
    /// Convert another program's prompt to a prompt.safetensors; nothing is overwritten.
    Import {
        /// A .npy, or a PEFT prompt's folder.
        #[arg(value_name = "IN")]
        prompt: PathBuf,
        /// The file to write.
        #[arg(long, default_value = saved::PROMPT_FILE, value_name = "FILE")]
        out: PathBuf,
        /// The model it was tuned for, which the file does not identify: 'nano' or a folder.
        #[arg(long, value_name = "MODEL")]
        model: String,
    },
    /// Find the subspace of some prompts for one model, for `transfer --methods intrinsic`: the directions along which
    /// they differ most. Nothing is overwritten.
    Subspace {
        /// Tuned or imported prompts, all of the same length, from as many tasks as possible.
        #[arg(value_name = "PROMPT", required = true, num_args = 2..)]
        prompts: Vec<PathBuf>,
        /// The number of dimensions, less than the number of prompts.
        #[arg(long, value_name = "D")]
        dim: usize,
        /// The file to write.
        #[arg(long, default_value = "subspace.safetensors", value_name = "FILE")]
        out: PathBuf,
    },
    /// Show what a prompt is and where it comes from.
    Show {
        /// A prompt in any of the formats.
        #[arg(value_name = "IN")]
        prompt: PathBuf,
    },
}

/// `--to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A folder for `PeftModel.from_pretrained`.
    Peft,
    /// A file for `numpy.load`.
    Npy,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Export {
            prompt,
            out,
            to,
            model,
        } => {
            let to = format(to, &out).map_err(Failure::Usage)?;
            let prompt = PromptFile::open(&prompt)?;
            print::warn(&prompt.origin.notes(&prompt.path));
            let format = match to {
                To::Npy => Format::Npy,
                To::Peft => Format::Peft(kind(&prompt, model.as_deref())?),
            };
            prompt.export(format, &out)?;
            said(&prompt, &out);
        }
        Verb::Import { prompt, out, model } => {
            let choice = BackboneChoice::parse(&model).map_err(Failure::usage)?;
            atomic_file::check(&out)?;
            let prompt = PromptFile::open(&prompt)?;
            print::warn(&prompt.origin.notes(&prompt.path));
            let backbone =
                selection::load_backbone(&choice, &Device::flex(), Verbosity::of_terminal())?;
            let metadata = prompt.adopt(&backbone)?;
            atomic_file::write(&out, &saved::prompt_bytes(&prompt.vectors, &metadata))?;
            said(&prompt, &out);
        }
        Verb::Subspace { prompts, dim, out } => {
            atomic_file::check(&out)?;
            let prompts = prompts.iter().map(|path| PromptFile::open(path));
            let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
            let file = SubspaceFile::of(&prompts, dim)?;
            atomic_file::write(&out, &file.to_bytes())?;
            for (key, value) in file.metadata.entries() {
                print::note(format_args!("{key}: {value}"));
            }
        }
        Verb::Show { prompt } => {
            let prompt = PromptFile::open(&prompt)?;
            for (key, value) in facts(&prompt) {
                print::line(format_args!("{key}: {value}"))?;
            }
        }
    }
    Ok(())
}

/// The output format, from the flag or the name.
fn format(to: Option<To>, out: &Path) -> anyhow::Result<To> {
    match (to, out.extension().and_then(|ending| ending.to_str())) {
        (Some(To::Peft), _) | (None, None) => Ok(To::Peft),
        (Some(To::Npy), _) | (None, Some("npy")) => Ok(To::Npy),
        (None, Some(ending)) => Err(anyhow!(
            "{}: wanted --to peft or --to npy, since the extension '.{ending}' does not decide",
            out.display()
        )),
    }
}

/// The kind of network that a prompt is for: from `--model`, else from the prompt's file.
fn kind(prompt: &PromptFile, model: Option<&str>) -> Result<Kind, Failure> {
    if let Some(model) = model {
        let choice = BackboneChoice::parse(model).map_err(Failure::usage)?;
        let config = choice.config()?;
        prompt.fits(&choice.name(), &config)?;
        return Ok(config.kind());
    }
    prompt.kind().ok_or_else(|| {
        Failure::Usage(anyhow!(
            "{}: wanted --model MODEL, since the file does not state the kind of network that it was tuned for, which \
             PEFT needs",
            prompt.path.display()
        ))
    })
}

fn said(prompt: &PromptFile, out: &Path) {
    let (length, width) = (prompt.vectors.length(), prompt.vectors.width());
    print::note(format_args!(
        "{}: {length} vectors of width {width}",
        out.display()
    ));
}

/// What is known about a prompt.
fn facts(prompt: &PromptFile) -> Vec<(String, String)> {
    let fact = |key: &str, value: &str| (key.to_string(), value.to_string());
    let (length, width) = (prompt.vectors.length(), prompt.vectors.width());
    let mut facts = vec![
        fact("file", &prompt.path.display().to_string()),
        fact("shape", &format!("[{length}, {width}]")),
    ];
    match &prompt.origin {
        Origin::Own(metadata) => {
            let entries = metadata.entries().into_iter();
            facts.extend(entries.filter(|(key, _)| key != "format"));
        }
        Origin::Npy { sha256 } => {
            facts.extend([fact("format", "npy"), fact("sha256", sha256)]);
        }
        Origin::Peft {
            method,
            base_model,
            sha256,
            unknown,
            task,
        } => {
            let base_model = base_model.as_deref().unwrap_or("unknown");
            facts.extend([
                fact("format", "peft"),
                fact("method", method.name()),
                fact("base_model", base_model),
                fact("sha256", sha256),
            ]);
            facts.extend(task.map(|task| fact("task_type", task.name())));
            facts.extend(unknown.iter().map(|key| fact("unknown", key)));
        }
    }
    facts
}
