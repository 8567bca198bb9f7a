//! Soft prompts as files: promptshift's own, NumPy's `.npy` (google-research/prompt-tuning) and
//! PEFT's folder, told apart by what they hold.

mod error;
mod metadata;
mod npy;
mod own;
mod peft;
mod vectors;

use std::fs;
use std::path::{Path, PathBuf};

use super::peft_folder;
use super::tuned::Tuned;
use crate::backbone::Backbone;
use crate::network::{Config, Kind};
use promptshift_numbers::recipe::Method;
use promptshift_text::atomic_file;
use promptshift_text::domain::wording::Wording;
use promptshift_text::hash::sha256;

pub use super::peft_folder::Task;
pub use error::{OtherBackbone, PromptFileError};
pub use metadata::{Made, Metadata};
pub use own::{FILE, to_bytes};
pub(super) use peft::NO_BERT;
pub use vectors::Vectors;

/// A prompt as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The prompt.
    pub vectors: Vectors,
    /// What is known of its making.
    pub origin: Origin,
}

/// Where a prompt comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// promptshift: it knows its backbone.
    Own(Metadata),
    /// google-research's prompt tuning, or any other program that saves a matrix.
    Npy {
        /// SHA-256 of the file.
        sha256: String,
    },
    /// PEFT.
    Peft {
        /// What tuned it: prompt tuning or P-tuning.
        method: Method,
        /// The model as PEFT called it: a hub name or a path of the machine that it was trained on.
        base_model: Option<String>,
        /// SHA-256 of its `adapter_model.safetensors`.
        sha256: String,
        /// What its configuration sets and promptshift does not know, `key value` each.
        unknown: Vec<String>,
        /// What PEFT wrapped its model for, where it says so.
        task: Option<Task>,
    },
}

/// A format to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder for `PeftModel.from_pretrained`, around a network of this kind.
    Peft(Kind),
    /// A file for `numpy.load`, and for google-research's `from_array(np_load(path))`.
    Npy,
}

/// No prompt is larger: 100 vectors of T5-xxl are 1.6 MB.
const MOST_BYTES: u64 = 1 << 28;

impl PromptFile {
    /// The domains whose training rows it has seen, where that is known.
    pub fn tuned_on(&self) -> Option<Vec<String>> {
        match &self.origin {
            Origin::Own(metadata) => metadata.tuned_on(),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// Reads a `prompt.safetensors`, a folder that holds one (a record's), a `.npy` or a PEFT
    /// folder.
    ///
    /// # Errors
    /// It is absent, damaged, or none of these.
    pub fn open(path: &Path) -> Result<Self, PromptFileError> {
        if path.is_dir() {
            return Self::open_folder(path);
        }
        let bytes = peft_folder::contents(path, MOST_BYTES)?;
        let (vectors, origin) = if bytes.starts_with(npy::MAGIC) {
            let sha256 = sha256(&bytes);
            (npy::parse(&bytes, path)?, Origin::Npy { sha256 })
        } else if let Some(found) = never_read(&bytes) {
            let wanted = "a prompt.safetensors, a .npy or the folder of a PEFT prompt";
            return Err(PromptFileError::wrong(path, wanted, found));
        } else {
            let (vectors, metadata) = own::parse(&bytes, path)?;
            (vectors, Origin::Own(metadata))
        };
        Ok(PromptFile {
            path: path.to_owned(),
            vectors,
            origin,
        })
    }

    fn open_folder(folder: &Path) -> Result<Self, PromptFileError> {
        if folder.join(own::FILE).exists() {
            return Self::open(&folder.join(own::FILE));
        }
        if !peft_folder::is_one(folder) {
            let wanted = "prompt.safetensors, or PEFT's adapter_config.json with \
                          adapter_model.safetensors";
            return Err(PromptFileError::wrong(folder, wanted, listing(folder)?));
        }
        let adapter = peft::read(folder)?;
        Ok(PromptFile {
            path: folder.to_owned(),
            vectors: adapter.vectors,
            origin: Origin::Peft {
                method: adapter.method,
                base_model: adapter.base_model,
                sha256: adapter.sha256,
                unknown: adapter.unknown,
                task: adapter.task,
            },
        })
    }

    /// The backbone behind this prompt.
    ///
    /// # Errors
    /// It was tuned for other weights, another tokenizer, another width or another kind of network.
    pub fn onto(&self, backbone: &Backbone) -> Result<Tuned, PromptFileError> {
        match &self.origin {
            Origin::Own(metadata) => metadata.check(&self.path, backbone)?,
            Origin::Peft { .. } if backbone.config.kind() == Kind::Bert => {
                return Err(self.no_bert(&backbone.name));
            }
            Origin::Peft {
                task: Some(task), ..
            } => task.check(backbone, &self.path)?,
            Origin::Peft { task: None, .. } | Origin::Npy { .. } => {}
        }
        self.fits(&backbone.name, &backbone.config)?;
        Ok(Tuned::prompted(backbone.model.clone(), &self.vectors))
    }

    /// Whether it can stand before the input of a network of this configuration, called `backbone`.
    ///
    /// # Errors
    /// It has another width, or is of another kind of network, where it says of which.
    pub fn fits(&self, backbone: &str, config: &Config) -> Result<(), PromptFileError> {
        let (found, wanted) = (self.vectors.width(), config.width());
        if found != wanted {
            return Err(PromptFileError::Width {
                path: self.path.clone(),
                backbone: backbone.to_owned(),
                wanted,
                found,
            });
        }
        match self.kind().filter(|kind| *kind != config.kind()) {
            None => Ok(()),
            Some(kind) => Err(PromptFileError::wrong(
                &self.path,
                format!("a prompt for '{backbone}', {}", config.kind()),
                format!("one for {kind}"),
            )),
        }
    }

    /// The kind of network that it was tuned for, where it says so.
    pub fn kind(&self) -> Option<Kind> {
        match &self.origin {
            Origin::Own(metadata) => metadata.network,
            Origin::Peft { task, .. } => task.map(Task::kind),
            Origin::Npy { .. } => None,
        }
    }

    /// What another program's configuration sets and promptshift does not know, `key value` each.
    pub fn unknown(&self) -> &[String] {
        match &self.origin {
            Origin::Peft { unknown, .. } => unknown,
            Origin::Own(_) | Origin::Npy { .. } => &[],
        }
    }

    fn no_bert(&self, backbone: &str) -> PromptFileError {
        PromptFileError::wrong(
            &self.path,
            "a prompt of a T5, a Llama or a GPT-2, to go to PEFT or come from it",
            format!("'{backbone}', {}: {NO_BERT}", Kind::Bert),
        )
    }

    /// Its metadata as a prompt of `backbone`, for a file of promptshift's own.
    ///
    /// # Errors
    /// It does not fit the backbone, or is promptshift's own already.
    pub fn adopt(&self, backbone: &Backbone) -> Result<Metadata, PromptFileError> {
        self.onto(backbone)?;
        let (format, sha256, method) = match &self.origin {
            Origin::Npy { sha256 } => ("npy", sha256, Method::Prompt),
            Origin::Peft { sha256, method, .. } => ("peft", sha256, *method),
            Origin::Own(metadata) => {
                return Err(PromptFileError::wrong(
                    &self.path,
                    "a .npy or PEFT's folder to import",
                    format!("a prompt for '{}' that needs no import", metadata.backbone),
                ));
            }
        };
        let made = Made::Imported {
            from: format!("{} ({format})", name(&self.path)),
            sha256: sha256.clone(),
            method: method.name().to_string(),
            delta: None,
            head: None,
        };
        Ok(Metadata::imported(made, backbone))
    }

    /// Writes it where nothing is yet, for other programs.
    ///
    /// # Errors
    /// Something is there, it can't be written, or PEFT has no form of it.
    pub fn export(&self, format: Format, out: &Path) -> Result<(), PromptFileError> {
        match format {
            Format::Npy => atomic_file::write(out, &npy::to_bytes(&self.vectors))?,
            Format::Peft(kind) => {
                if let Some(own) = self.kind().filter(|own| *own != kind) {
                    let wanted = format!("a prompt for {kind}");
                    let found = format!("one for {own}");
                    return Err(PromptFileError::wrong(&self.path, wanted, found));
                }
                let task = match kind {
                    Kind::T5 => Task::Seq2SeqLm,
                    Kind::DecoderOnly => Task::CausalLm,
                    Kind::Bert => return Err(self.no_bert("its backbone")),
                };
                let (method, base_model) = match &self.origin {
                    Origin::Own(metadata) => (metadata.method(), Some(metadata.backbone.as_str())),
                    Origin::Peft {
                        method, base_model, ..
                    } => (Some(*method), base_model.as_deref()),
                    Origin::Npy { .. } => (None, None),
                };
                let method = method.unwrap_or(Method::Prompt);
                atomic_file::write_folder(
                    out,
                    &peft::files(&self.vectors, method, task, base_model),
                )?;
            }
        }
        Ok(())
    }

    /// How the examples that it was tuned on were worded, where it is known.
    pub fn wording(&self) -> Option<&Wording> {
        match &self.origin {
            Origin::Own(metadata) => metadata.wording(),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// The tokens after which inputs were cut in its training, where these are fewer than otherwise.
    pub fn longest_input(&self) -> Option<usize> {
        match &self.origin {
            Origin::Own(metadata) => metadata.longest_input(),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// The domain that it was tuned on, where it is known.
    pub fn source(&self) -> Option<&str> {
        match &self.origin {
            Origin::Own(metadata) => metadata.source(),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }
}

/// The last part of a path, as imports call it.
pub(super) fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
}

/// What a file is that could run code when read, if it is one.
fn never_read(bytes: &[u8]) -> Option<&'static str> {
    // The first byte of a safetensors file is of its header's length, and may be any.
    if bytes.get(8) == Some(&b'{') {
        return None;
    }
    match bytes {
        [b'P', b'K', ..] => Some("a zip archive: a .npz, or what torch.save writes"),
        // Protocols 2 to 5; the older ones are text that begins like nothing else here.
        [0x80, 2..=5, ..] => Some("a pickle, which could run code and is never read"),
        _ => None,
    }
}

/// Some names in a folder, for a message.
pub(super) fn listing(folder: &Path) -> Result<String, PromptFileError> {
    let io = || PromptFileError::io(folder);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io())? {
        let entry = entry.map_err(io())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // One folder further down, as PEFT puts an adapter with a name and a trainer its checkpoints.
        names.push(match peft_folder::is_one(&entry.path()) {
            true => format!("the folder '{name}', which is one of PEFT's"),
            false => name,
        });
    }
    names.sort();
    let more = names.len().saturating_sub(5);
    names.truncate(5);
    Ok(match (names.is_empty(), more) {
        (true, _) => "an empty folder".to_string(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    })
}

#[cfg(test)]
mod tests;
