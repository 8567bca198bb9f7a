//! Backbones: the bundled miniature, or a folder as Hugging Face lays a T5 out, which may be that
//! of a model in the Hub's cache.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::checkpoint::{CheckpointError, WeightFiles, Weights};
use crate::domain::catalogue::nearest;
use crate::hub::{self, SettingsError, Source};
use crate::network::{Config, Network};
use crate::provenance::sha256;
use crate::recipe::Defaults;
use crate::tokenizer::{Case, Tokenizer, TokenizerError};

/// The bundled miniature's name.
pub const NANO: &str = "nano";

/// Which backbone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackboneChoice {
    /// The bundled miniature, pre-trained on generated text.
    Nano,
    /// A folder with `config.json`, `tokenizer.json` or `spiece.model`, and weights
    /// ([`WeightFiles`]).
    Folder(PathBuf),
    /// A model of the Hub that was fetched before.
    Hub {
        /// `google/t5-base-lm-adapt`.
        name: String,
        /// Its folder in the cache.
        folder: PathBuf,
    },
}

/// A backbone that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// Neither a known name nor a folder nor a name of the Hub.
    #[error(
        "unknown model '{found}': {hint}wanted 'nano', a folder that holds config.json, tokenizer.json or spiece.model, and model.safetensors (or its shards, or pytorch_model.bin), or OWNER/NAME of a model of the Hub that was fetched"
    )]
    Unknown {
        /// What was typed.
        found: String,
        /// What may have been meant.
        hint: String,
    },
    /// A name of the Hub that the cache does not have.
    #[error(
        "model '{name}': there is no such folder, and {cache} has not all files of such a model of the Hub: promptshift fetch --model {name}"
    )]
    NotFetched {
        /// `google/t5-base-lm-adapt`.
        name: String,
        /// Where it was looked for.
        cache: String,
    },
    /// The cache has no place.
    #[error(transparent)]
    Cache(#[from] SettingsError),
    /// A file of it can't be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It has no tokenizer.
    #[error("{path}: wanted {wanted}, found neither")]
    NoTokenizer {
        /// The folder.
        path: String,
        /// The files that would do.
        wanted: String,
    },
    /// Its configuration or weights are wrong.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its tokenizer is wrong.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// A file that a tokenizer can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenizerFile {
    Json,
    SentencePiece,
    Vocabulary(Case),
}

impl TokenizerFile {
    fn name(self) -> &'static str {
        match self {
            TokenizerFile::Json => "tokenizer.json",
            TokenizerFile::SentencePiece => "spiece.model",
            TokenizerFile::Vocabulary(_) => "vocab.txt",
        }
    }

    /// The one that a folder holds for such a network; where there are two, the one that other
    /// libraries read as well.
    fn find(folder: &Path, config: &Config) -> Result<Self, BackboneError> {
        let case = || match std::fs::read(folder.join("tokenizer_config.json")) {
            Ok(bytes) => Case::of_config(&bytes),
            Err(_) => Case::Lower,
        };
        let known = match config {
            Config::T5(_) => [TokenizerFile::Json, TokenizerFile::SentencePiece],
            Config::Bert(_) => [TokenizerFile::Json, TokenizerFile::Vocabulary(case())],
        };
        (known.into_iter())
            .find(|file| folder.join(file.name()).exists())
            .ok_or_else(|| BackboneError::NoTokenizer {
                path: folder.display().to_string(),
                wanted: known.map(TokenizerFile::name).join(" or "),
            })
    }
}

/// A loaded backbone with the hashes of what it was loaded from.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// `nano`, the folder's name or the Hub's.
    pub name: String,
    /// `config.json`.
    pub config: Config,
    /// The network, on a plain device.
    pub model: Network,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// SHA-256 of its weights, as [`WeightFiles::read`] says.
    pub model_sha256: String,
    /// SHA-256 of the file that the tokenizer was read from.
    pub tokenizer_sha256: String,
}

impl BackboneChoice {
    /// What `--model` means. No network is asked: a model of the Hub must have been fetched.
    ///
    /// # Errors
    /// Neither a known name nor a folder nor in the cache.
    pub fn parse(text: &str) -> Result<Self, BackboneError> {
        if text == NANO {
            return Ok(BackboneChoice::Nano);
        }
        if Path::new(text).is_dir() {
            return Ok(BackboneChoice::Folder(PathBuf::from(text)));
        }
        if let Ok(source) = Source::model(text) {
            let (name, cache) = (text.to_string(), hub::cache_from_env()?);
            return match hub::cached(&source, &cache) {
                Some(folder) => Ok(BackboneChoice::Hub { name, folder }),
                None => Err(BackboneError::NotFetched {
                    name,
                    cache: cache.display().to_string(),
                }),
            };
        }
        let hint = match nearest(text, [NANO]).first() {
            Some(name) => format!("did you mean '{name}'? "),
            None => String::new(),
        };
        Err(BackboneError::Unknown {
            found: text.to_string(),
            hint,
        })
    }

    /// Its name in records.
    pub fn name(&self) -> String {
        match self {
            BackboneChoice::Nano => NANO.to_string(),
            BackboneChoice::Hub { name, .. } => name.clone(),
            BackboneChoice::Folder(path) => path
                .canonicalize()
                .ok()
                .and_then(|path| path.file_name().map(|n| n.to_string_lossy().into_owned()))
                .unwrap_or_else(|| path.display().to_string()),
        }
    }

    /// Which default recipes suit it.
    pub fn defaults(&self, config: &Config) -> Defaults {
        match (self, config) {
            (BackboneChoice::Nano, _) => Defaults::Nano,
            (_, Config::T5(_)) => Defaults::T5,
            (_, Config::Bert(_)) => Defaults::Encoder,
        }
    }

    /// Reads configuration only: enough for a plan.
    ///
    /// # Errors
    /// `config.json` is absent or not that of a kind that is known here.
    pub fn config(&self) -> Result<Config, BackboneError> {
        match self {
            BackboneChoice::Nano => Ok(Config::parse(nano::CONFIG, "nano/config.json")?),
            BackboneChoice::Folder(path) | BackboneChoice::Hub { folder: path, .. } => {
                Ok(Config::read(&path.join("config.json"))?)
            }
        }
    }

    /// Loads everything onto `device`.
    ///
    /// # Errors
    /// A file is absent, damaged, or does not fit the others.
    pub fn load(&self, device: &Device) -> Result<Backbone, BackboneError> {
        let config = self.config()?;
        match self {
            BackboneChoice::Nano => {
                let weights = Weights::parse(nano::WEIGHTS, "nano/model.safetensors")?;
                let weights = (weights, sha256(nano::WEIGHTS));
                let tokenizer = (TokenizerFile::Json, nano::TOKENIZER);
                self.build(config, "nano", weights, tokenizer, device)
            }
            BackboneChoice::Folder(path) | BackboneChoice::Hub { folder: path, .. } => {
                let place = path.display().to_string();
                let file = TokenizerFile::find(path, &config)?;
                let tokenizer = read(&path.join(file.name()))?;
                let weights = WeightFiles::find(path)?.read()?;
                self.build(config, &place, weights, (file, &tokenizer), device)
            }
        }
    }

    fn build(
        &self,
        config: Config,
        place: &str,
        (weights, model_sha256): (Weights, String),
        (file, tokenizer): (TokenizerFile, &[u8]),
        device: &Device,
    ) -> Result<Backbone, BackboneError> {
        let path = format!("{place}/{}", file.name());
        let parsed = match (&config, file) {
            (Config::T5(t5), TokenizerFile::SentencePiece) => {
                Tokenizer::parse_sentencepiece(tokenizer, &path, t5)
            }
            (Config::T5(t5), _) => Tokenizer::parse(tokenizer, &path, t5),
            (Config::Bert(bert), TokenizerFile::Vocabulary(case)) => {
                Tokenizer::parse_vocabulary(tokenizer, &path, case, bert)
            }
            (Config::Bert(bert), _) => Tokenizer::parse_wordpiece(tokenizer, &path, bert),
        };
        let tokenizer_sha256 = sha256(tokenizer);
        let tokenizer = parsed?;
        let model = match Network::load(&config, weights, device)? {
            Network::Bert(bert) => bert.separated_by(tokenizer.end()).into(),
            other => other,
        };
        Ok(Backbone {
            name: self.name(),
            model,
            tokenizer,
            config,
            model_sha256,
            tokenizer_sha256,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BackboneError> {
    std::fs::read(path).map_err(|source| BackboneError::Io {
        path: path.display().to_string(),
        source,
    })
}

/// The bundled miniature's files.
mod nano {
    pub const CONFIG: &[u8] = include_bytes!("../models/nano/config.json");
    pub const WEIGHTS: &[u8] = include_bytes!("../models/nano/model.safetensors");
    pub const TOKENIZER: &[u8] = include_bytes!("../models/nano/tokenizer.json");
}
