//! Soft prompts as files: promptshift's own, NumPy's `.npy` (google-research/prompt-tuning) and PEFT's
//! folder, distinguished by their content.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::error::SavedError;
use super::metadata::{Made, Metadata, Origin};
use super::peft::folder::{self, Task};
use super::peft::prompt::{self as peft, NO_BERT};
use super::{npy, tensors};
use crate::backbone::Backbone;
use crate::network::{Config, Kind};
use crate::tuning::inputs::PromptError;
use crate::tuning::soft_prompt::Vectors;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{Method, PromptStart};
use promptshift_text::atomic_file;
use promptshift_text::hash::sha256;

/// The name of promptshift's own file in a record's folder.
pub const FILE: &str = "prompt.safetensors";

/// The name of its only tensor, `[P, D]`.
const TENSOR: &str = "prompt";

/// The "wanted" part of errors.
const WANTED: &str = "a prompt.safetensors, a .npy or the folder of a PEFT prompt";

/// A prompt as read.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptFile {
    /// The path that it was read from.
    pub path: PathBuf,
    /// The prompt.
    pub vectors: Vectors,
    /// The program that made it.
    pub origin: Origin,
}

/// A format to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder for `PeftModel.from_pretrained`, with a network of this kind.
    Peft(Kind),
    /// A file for `numpy.load`, and for google-research's `from_array(np_load(path))`.
    Npy,
}

/// The bytes of a `prompt.safetensors`.
pub fn to_bytes(vectors: &Vectors, metadata: &Metadata) -> Vec<u8> {
    metadata.sealed(&vectors.weights(TENSOR))
}

impl PromptFile {
    /// Reads a `prompt.safetensors`, a record's folder that contains one, a `.npy` or a PEFT folder.
    ///
    /// # Errors
    /// It is absent, damaged, or none of these.
    pub fn open(path: &Path) -> Result<Self, SavedError> {
        if path.is_dir() {
            return Self::open_folder(path);
        }
        let bytes = folder::contents(path, peft::MOST_BYTES)?;
        let (vectors, origin) = if bytes.starts_with(npy::MAGIC) {
            let sha256 = sha256(&bytes);
            (npy::parse(&bytes, path)?, Origin::Npy { sha256 })
        } else if let Some(found) = never_read(&bytes) {
            return Err(SavedError::wrong(path, WANTED, found));
        } else {
            let (vectors, metadata) = parse(&bytes, path)?;
            (vectors, Origin::Own(metadata))
        };
        Ok(PromptFile {
            path: path.to_owned(),
            vectors,
            origin,
        })
    }

    fn open_folder(path: &Path) -> Result<Self, SavedError> {
        if path.join(FILE).exists() {
            return Self::open(&path.join(FILE));
        }
        if !folder::is_one(path) {
            let wanted = "prompt.safetensors, or PEFT's adapter_config.json with \
                          adapter_model.safetensors";
            return Err(SavedError::wrong(path, wanted, listing(path)?));
        }
        let (vectors, origin) = peft::read(path)?;
        Ok(PromptFile {
            path: path.to_owned(),
            vectors,
            origin,
        })
    }

    /// The backbone with this prompt.
    ///
    /// # Errors
    /// The prompt was tuned for other weights, another tokenizer, another width or another kind of network.
    pub fn onto(&self, backbone: &Backbone) -> Result<Tuned, SavedError> {
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

    /// Checks that it matches a network of this configuration; errors refer to the network as `backbone`.
    ///
    /// # Errors
    /// It has another width, or names another kind of network.
    pub fn fits(&self, backbone: &str, config: &Config) -> Result<(), SavedError> {
        let (found, wanted) = (self.vectors.width(), config.width());
        if found != wanted {
            return Err(SavedError::Width {
                path: self.path.clone(),
                backbone: backbone.to_owned(),
                wanted,
                found,
            });
        }
        match self.kind().filter(|kind| *kind != config.kind()) {
            None => Ok(()),
            Some(kind) => Err(SavedError::wrong(
                &self.path,
                format!("a prompt for '{backbone}', {}", config.kind()),
                format!("one for {kind}"),
            )),
        }
    }

    /// The kind of network that it was tuned for, if given.
    pub fn kind(&self) -> Option<Kind> {
        match &self.origin {
            Origin::Own(metadata) => metadata.network,
            Origin::Peft { task, .. } => task.map(Task::kind),
            Origin::Npy { .. } => None,
        }
    }

    fn no_bert(&self, backbone: &str) -> SavedError {
        SavedError::wrong(
            &self.path,
            "a prompt of a T5, a Llama or a GPT-2, which can be exported to or imported from PEFT",
            format!("'{backbone}', {}: {NO_BERT}", Kind::Bert),
        )
    }

    /// The metadata of a `prompt.safetensors` that contains it as a prompt of `backbone`.
    ///
    /// # Errors
    /// It does not match the backbone, or is already in promptshift's format.
    pub fn adopt(&self, backbone: &Backbone) -> Result<Metadata, SavedError> {
        self.onto(backbone)?;
        let (format, sha256, method) = match &self.origin {
            Origin::Npy { sha256 } => ("npy", sha256, Method::Prompt),
            Origin::Peft { sha256, method, .. } => ("peft", sha256, *method),
            Origin::Own(metadata) => {
                return Err(SavedError::wrong(
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

    /// Writes it to a new path in another program's format.
    ///
    /// # Errors
    /// The path exists, it can't be written, or PEFT can't represent it.
    pub fn export(&self, format: Format, out: &Path) -> Result<(), SavedError> {
        match format {
            Format::Npy => atomic_file::write(out, &npy::to_bytes(&self.vectors))?,
            Format::Peft(kind) => {
                if let Some(own) = self.kind().filter(|own| *own != kind) {
                    let wanted = format!("a prompt for {kind}");
                    let found = format!("one for {own}");
                    return Err(SavedError::wrong(&self.path, wanted, found));
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
}

/// Reads the vectors of [`PromptInit::File`](promptshift_numbers::recipe::PromptInit::File).
///
/// # Errors
/// They can't be read, belong to another backbone, or have changed since the recipe was made.
pub fn started(start: &PromptStart, backbone: &Backbone) -> Result<Vectors, PromptError> {
    let file = PromptFile::open(Path::new(&start.path)).map_err(Box::new)?;
    file.onto(backbone).map_err(Box::new)?;
    let found = file.vectors.sha256();
    if found != start.sha256 {
        return Err(PromptError::FileChanged {
            path: start.path.clone(),
            wanted: start.sha256.clone(),
            found,
        });
    }
    Ok(file.vectors)
}

/// Parses the bytes of a `prompt.safetensors`; errors refer to it as `path`.
fn parse(bytes: &[u8], path: &Path) -> Result<(Vectors, Metadata), SavedError> {
    let unreadable = |e| {
        SavedError::wrong(
            path,
            WANTED,
            format!("{} bytes that are not safetensors: {e}", bytes.len()),
        )
    };
    SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    // The tensors identify another program's file better than missing metadata, so they are checked first.
    let vectors = tensors::only(bytes, TENSOR, path)?;
    let metadata = Metadata::read(bytes, path, WANTED)?;
    Ok((vectors, metadata))
}

/// The last component of a path, which identifies imports.
pub(super) fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
}

/// A description of the file if it could run code when read, else `None`.
fn never_read(bytes: &[u8]) -> Option<&'static str> {
    // A safetensors file starts with its header's length, so its first byte can have any value.
    if bytes.get(8) == Some(&b'{') {
        return None;
    }
    match bytes {
        [b'P', b'K', ..] => Some("a zip archive: a .npz, or what torch.save writes"),
        // Protocols 2 to 5; older ones are text, which no accepted format starts with.
        [0x80, 2..=5, ..] => Some("a pickle, which could run code and is never read"),
        _ => None,
    }
}

/// Some names in a folder, for messages.
pub(super) fn listing(path: &Path) -> Result<String, SavedError> {
    let io = || SavedError::io(path);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(io())? {
        let entry = entry.map_err(io())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Also looks one level deeper, where PEFT saves a named adapter and a trainer its checkpoints.
        names.push(match folder::is_one(&entry.path()) {
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
