//! Backbones: the bundled miniature, a folder in Hugging Face's layout (possibly in the Hub's cache), or a
//! GGUF file.

mod tokenizer_file;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tokenizer_file::{Beginning, TokenizerFile, changed_byte_pairs};

use crate::checkpoint::{CheckpointError, WeightFiles, Weights, config_keys};
use crate::gguf::{self, Gguf, GgufError};
use crate::network::{Config, Network};
use crate::tokenizer::{PUBLISHED_PADDING, Tokenizer, TokenizerError};
use promptshift_numbers::recipe::{Defaults, FrozenWeights};
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::did_you_mean;
use promptshift_text::domain::wording::{Opening, Wording};
use promptshift_text::hash::sha256;
use promptshift_text::hub::{self, SettingsError, Source};

/// The bundled miniature's name.
pub const NANO: &str = "nano";

/// Selects a backbone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneChoice {
    /// The bundled miniature, pre-trained on generated text.
    Nano,
    /// A folder with `config.json`, `tokenizer.json` or `spiece.model`, and weights
    /// ([`WeightFiles`]).
    Folder(PathBuf),
    /// A decoder-only network with its tokenizer in one `.gguf` file, in the formats that [`gguf`] supports.
    Gguf(PathBuf),
    /// A model of the Hub that was fetched earlier.
    Hub {
        /// `google/t5-base-lm-adapt`.
        name: String,
        /// Its folder in the cache.
        folder: PathBuf,
    },
}

/// Why a backbone can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// Neither a known name nor a folder nor the name of a Hub model.
    #[error(
        "unknown model '{found}': {hint}wanted 'nano', a folder that holds config.json, a tokenizer (tokenizer.json, spiece.model or tokenizer.model), and model.safetensors (or its shards, or pytorch_model.bin), a .gguf file, or OWNER/NAME of a model of the Hub that was fetched; promptshift list shows which models can be used"
    )]
    Unknown {
        /// What was typed.
        found: String,
        /// A suggestion, or empty.
        hint: String,
    },
    /// The name of a Hub model that is not completely in the cache.
    #[error(
        "model '{name}': there is no such folder, and {cache} does not have all files of this Hub model: promptshift fetch --model {name}"
    )]
    NotFetched {
        /// `google/t5-base-lm-adapt`.
        name: String,
        /// The cache.
        cache: String,
    },
    /// Can't determine the cache folder.
    #[error(transparent)]
    Cache(#[from] SettingsError),
    /// A file of the backbone can't be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The backbone has no tokenizer.
    #[error("{path}: wanted {wanted}, found none")]
    NoTokenizer {
        /// The folder.
        path: String,
        /// The accepted files.
        wanted: String,
    },
    /// The configuration or weights are invalid.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The GGUF file is invalid.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The tokenizer is invalid.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// A loaded backbone with the hashes of its files.
#[derive(Debug, Clone)]
pub struct Backbone {
    /// `nano`, or the name of the folder or Hub model.
    pub name: String,
    /// `config.json`.
    pub config: Config,
    /// The network, on a device without autodiff.
    pub model: Network,
    /// How its weights are held.
    pub frozen_weights: FrozenWeights,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// SHA-256 of its weights, as [`WeightFiles::read`] defines it.
    pub model_sha256: String,
    /// SHA-256 of the tokenizer's file; for a GGUF file, of the tokenizer.json made from it.
    pub tokenizer_sha256: String,
    /// Notes for the user and for records: unknown keys in its files, and values that are ambiguous.
    pub notes: Vec<String>,
}

impl Backbone {
    /// Holds the weights in this form until a method trains them.
    pub fn with_frozen_weights(self, form: FrozenWeights) -> Self {
        let model = match form {
            FrozenWeights::F32 => self.model,
            FrozenWeights::Bf16 => self.model.in_bf16(),
        };
        Backbone {
            model,
            frozen_weights: form,
            ..self
        }
    }

    /// A hash of everything besides the weights that affects results: the configuration's head counts, scales
    /// and norms, the form of frozen weights, and the tokenizer's casing rules.
    pub fn config_sha256(&self) -> String {
        const WORDS: &str = "A cased Word, É and ß; 1,000";
        // The `Debug` form covers every field; if a new version changes that form, each setting is retrained
        // at most once.
        let mut text = format!("{:?} {:?}", self.config, self.tokenizer.encode(WORDS));
        if !self.frozen_weights.is_default() {
            text.push_str(self.frozen_weights.name());
        }
        sha256(text.as_bytes())
    }
}

impl BackboneChoice {
    /// Parses `--model`. No network is used: a model of the Hub must have been fetched.
    ///
    /// # Errors
    /// Neither a known name nor a folder nor a model in the cache.
    pub fn parse(text: &str) -> Result<Self, BackboneError> {
        if text == NANO {
            return Ok(BackboneChoice::Nano);
        }
        if Path::new(text).is_dir() {
            return Ok(BackboneChoice::Folder(PathBuf::from(text)));
        }
        if Path::new(text).is_file() && text.ends_with(".gguf") {
            return Ok(BackboneChoice::Gguf(PathBuf::from(text)));
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
        let hint = match did_you_mean(text, [NANO]).first() {
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
            BackboneChoice::Gguf(path) => {
                path.file_stem().map_or(path.display().to_string(), |stem| {
                    stem.to_string_lossy().into_owned()
                })
            }
            BackboneChoice::Folder(path) => path
                .canonicalize()
                .ok()
                .and_then(|path| path.file_name().map(|n| n.to_string_lossy().into_owned()))
                .unwrap_or_else(|| path.display().to_string()),
        }
    }

    /// The group of default recipes for this model.
    pub fn defaults(&self, config: &Config) -> Defaults {
        match (self, config) {
            (BackboneChoice::Nano, _) => Defaults::Nano,
            (_, Config::T5(_)) => Defaults::T5,
            (_, Config::DecoderOnly(_)) => Defaults::DecoderOnly,
            (_, Config::Bert(_)) => Defaults::Encoder,
        }
    }

    /// Reads only the configuration, which is enough for planning.
    ///
    /// # Errors
    /// `config.json` is absent or of an unknown kind.
    pub fn config(&self) -> Result<Config, BackboneError> {
        match self {
            BackboneChoice::Nano => Ok(Config::parse(nano::CONFIG, "nano/config.json")?),
            BackboneChoice::Folder(path) | BackboneChoice::Hub { folder: path, .. } => {
                Ok(Config::read(&path.join("config.json"))?)
            }
            BackboneChoice::Gguf(path) => {
                let file = Gguf::parse(read(path)?, &path.display().to_string())?;
                Ok(gguf::config(&file)?.into())
            }
        }
    }

    /// Loads everything onto `device`.
    ///
    /// # Errors
    /// A file is absent, damaged, or inconsistent with the others.
    pub fn load(&self, device: &Device) -> Result<Backbone, BackboneError> {
        match self {
            BackboneChoice::Nano => {
                let config = self.config()?;
                let weights = Weights::parse(nano::WEIGHTS, "nano/model.safetensors")?;
                let weights = (weights, sha256(nano::WEIGHTS));
                let path = format!("nano/{}", TokenizerFile::Json.name());
                let tokenizer = TokenizerFile::Json.parse(nano::TOKENIZER, &path, &config)?;
                let tokenizer = (tokenizer, sha256(nano::TOKENIZER));
                self.build(config, weights, tokenizer, device)
            }
            BackboneChoice::Folder(path) | BackboneChoice::Hub { folder: path, .. } => {
                let config = self.config()?;
                let keys = config_keys::unknown(&read(&path.join("config.json"))?);
                let tokenizer = folder_tokenizer(path, &config)?;
                let begins = Beginning::of_folder(path);
                let weights = WeightFiles::find(path)?.read()?;
                let mut backbone = self.build(config, weights, tokenizer, device)?;
                let name = &backbone.name;
                if !keys.is_empty() {
                    let note = format!(
                        "config.json of '{name}' has unknown keys, which may change what it \
                         computes: {}",
                        keys.join(", ")
                    );
                    backbone.notes.push(note);
                }
                if let Some(note) = begins.unmet(&backbone.tokenizer) {
                    backbone
                        .notes
                        .push(format!("tokenizer_config.json of '{name}' {note}"));
                }
                Ok(backbone)
            }
            BackboneChoice::Gguf(path) => {
                let shown = path.display().to_string();
                let bytes = read(path)?;
                let hash = sha256(&bytes);
                let file = Gguf::parse(bytes, &shown)?;
                let (config, weights) = gguf::network(&file)?;
                let json = gguf::tokenizer_json(&file)?;
                let tokenizer = Tokenizer::parse_of_lines(&json, &shown, config.vocabulary)?;
                let tokenizer = (tokenizer, sha256(&json));
                self.build(config.into(), (weights, hash), tokenizer, device)
            }
        }
    }

    fn build(
        &self,
        config: Config,
        (weights, model_sha256): (Weights, String),
        (tokenizer, tokenizer_sha256): (Tokenizer, String),
        device: &Device,
    ) -> Result<Backbone, BackboneError> {
        let model = match Network::load(&config, weights, device)? {
            Network::Bert(bert) => match tokenizer.marks() {
                Some(marks) => bert.with_marks(marks).into(),
                None => bert.into(),
            },
            other => other,
        };
        let (name, mut notes) = (self.name(), Vec::new());
        let loaded = model.config_of(&config);
        if config.is_tied() && !loaded.is_tied() {
            notes.push(format!(
                "'{name}' has an output head (lm_head) that differs from the embedding, although its \
                 config.json ties them (tie_word_embeddings): the head is used, as in Transformers 5; \
                 4.x ignores it"
            ));
        }
        let (ids, rows) = (tokenizer.size(), config.vocabulary());
        if rows > ids + PUBLISHED_PADDING {
            notes.push(format!(
                "the tokenizer of '{name}' has {ids} ids and its embedding {rows} rows: rows without an id are \
                 treated as padding"
            ));
        }
        Ok(Backbone {
            name,
            model,
            frozen_weights: FrozenWeights::default(),
            config: loaded,
            tokenizer,
            model_sha256,
            tokenizer_sha256,
            notes,
        })
    }
}

/// The tokenizer in a model's folder, with the SHA-256 of its file.
///
/// # Errors
/// There is none, or it does not match a network of this configuration.
pub fn folder_tokenizer(
    folder: &Path,
    config: &Config,
) -> Result<(Tokenizer, String), BackboneError> {
    let file =
        TokenizerFile::find(folder, config).map_err(|wanted| BackboneError::NoTokenizer {
            path: folder.display().to_string(),
            wanted,
        })?;
    let shown = folder.join(file.name());
    let bytes = read(&shown)?;
    let tokenizer = file.parse(&bytes, &shown.display().to_string(), config)?;
    if let TokenizerFile::BytePairs(_) = file
        && let Some(change) = changed_byte_pairs(folder, &tokenizer)
    {
        return Err(BackboneError::NoTokenizer {
            path: folder.display().to_string(),
            wanted: format!("tokenizer.json, because its tokenizer.model is changed by {change}"),
        });
    }
    Ok((tokenizer, sha256(&bytes)))
}

fn read(path: &Path) -> Result<Vec<u8>, BackboneError> {
    std::fs::read(path).map_err(|source| BackboneError::Io {
        path: path.display().to_string(),
        source,
    })
}

/// The bundled miniature's files.
mod nano {
    pub const CONFIG: &[u8] = include_bytes!("../../../models/nano/config.json");
    pub const WEIGHTS: &[u8] = include_bytes!("../../../models/nano/model.safetensors");
    pub const TOKENIZER: &[u8] = include_bytes!("../../../models/nano/tokenizer.json");
}

/// Why a backbone does not support a wording.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// The checkpoint has no masked-word head.
    #[error(
        "--score-by likelihood: '{model}' has no masked-word head, or one that does not share the embedding: wanted a \
         checkpoint with the head of its pre-training (BertForMaskedLM, RobertaForMaskedLM, DistilBertForMaskedLM, …), or \
         --score-by generation"
    )]
    NoHead {
        /// Its name.
        model: String,
    },
    /// The first word of a class is more than one token, but a mask stands for a single token.
    #[error(
        "--score-by likelihood: '{word}' is {tokens} tokens of '{model}', but a mask stands for \
         one: wanted --verbalizer with a word of one token for each class"
    )]
    Long {
        /// The first word of a class.
        word: String,
        /// Its tokens.
        tokens: usize,
        /// The model's name.
        model: String,
    },
    /// The tokenizer has no sentinel tokens to start answers with.
    #[error("'{0}' has no sentinels (<extra_id_0> in its tokenizer): wanted a T5")]
    NoSentinel(String),
}

impl Backbone {
    /// Prepares the backbone for a wording. A BERT that chooses answers by likelihood gets the first word of
    /// each of the source's classes, and a gap between its two texts. Any other backbone gets the sentinel
    /// that its answers start with, if there is one.
    ///
    /// # Errors
    /// It does not support the wording.
    pub fn with_wording(self, wording: &Wording, source: &Card) -> Result<Self, WordsError> {
        let tokenizer = match wording.opening {
            Opening::Text => Some(self.tokenizer),
            Opening::Sentinel => self.tokenizer.opened(),
        };
        let tokenizer = tokenizer.ok_or_else(|| WordsError::NoSentinel(self.name.clone()))?;
        let Network::Bert(bert) = self.model else {
            return Ok(Backbone { tokenizer, ..self });
        };
        if !wording.score_by.ranks() {
            return Ok(Backbone {
                model: bert.into(),
                tokenizer,
                ..self
            });
        }
        let model = self.name.clone();
        if !bert.has_masked_words() {
            return Err(WordsError::NoHead { model });
        }
        let ids = (wording.words(source).iter())
            .map(|words| match tokenizer.encode_within(words[0])[..] {
                [id] => Ok(id),
                ref ids => Err(WordsError::Long {
                    word: words[0].to_string(),
                    tokens: ids.len(),
                    model: model.clone(),
                }),
            })
            .collect::<Result<Vec<u32>, WordsError>>();
        let no_head = || WordsError::NoHead {
            model: model.clone(),
        };
        Ok(Backbone {
            model: bert.with_words(ids?).ok_or_else(no_head)?.into(),
            tokenizer: tokenizer.with_gap().ok_or_else(no_head)?,
            ..self
        })
    }
}
