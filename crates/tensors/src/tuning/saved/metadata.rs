//! What a tuned file says about itself, in the metadata of its safetensors header.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;

use super::error::{OtherBackbone, SavedError};
use crate::backbone::Backbone;
use crate::checkpoint::{Weights, seal};
use crate::network::Kind;
use promptshift_numbers::recipe::{Before, HeadForm, Limits, Method, Recipe};
use promptshift_numbers::record::{Cell, Provenance};
use promptshift_text::domain::wording::Wording;

/// The key of [`Made::Subspace::prompts`].
const SUBSPACE: &str = "subspace_of";

/// The key of [`Made::Subspace::tuned_on`].
const TUNED_ON: &str = "tuned_on";

/// The key of [`Made::Tuned::longest_input`].
const LONGEST_INPUT: &str = "longest_input";

/// The key of [`Made::Tuned::wording`].
const WORDING: &str = "wording";

/// The key of [`Metadata::network`].
const NETWORK: &str = "network";

/// The key of [`Made::Imported::head`].
const HEAD: &str = "head";

/// Every key that is written, the seal's among them.
const KEYS: [&str; 20] = [
    "format",
    "promptshift_version",
    "backbone",
    "backbone_sha256",
    "tokenizer_sha256",
    NETWORK,
    "method",
    "source",
    "seed",
    "recipe",
    WORDING,
    LONGEST_INPUT,
    "imported_from",
    "imported_sha256",
    "delta",
    HEAD,
    SUBSPACE,
    "explained",
    TUNED_ON,
    seal::KEY,
];

/// Where tuned vectors or weights come from and what they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The promptshift that wrote it.
    pub version: String,
    /// The backbone's name.
    pub backbone: String,
    /// SHA-256 of the backbone's weights file.
    pub backbone_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// What kind of network the backbone is; older files don't say.
    pub network: Option<Kind>,
    /// What made it.
    pub made: Made,
}

/// What made a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// promptshift's training.
    Tuned {
        /// What was tuned: [`Method::name`].
        method: String,
        /// The domain that was trained on.
        source: String,
        /// The seed.
        seed: String,
        /// The recipe as resolved, JSON.
        recipe: String,
        /// How examples were worded; files without it have the paper's way.
        wording: Box<Wording>,
        /// The tokens after which inputs were cut, where the backbone's positions end before those of
        /// [`Limits::default_for`].
        longest_input: Option<usize>,
    },
    /// Another program; the backbone is the one that the user named.
    Imported {
        /// The file's name and format.
        from: String,
        /// SHA-256 of the file that held the tensors.
        sha256: String,
        /// What was tuned: [`Method::name`].
        method: String,
        /// What it adds to the backbone, JSON of a [`DeltaRecipe`](promptshift_numbers::recipe::DeltaRecipe); none for
        /// a soft prompt.
        delta: Option<String>,
        /// The head that came with it, of a network that has none of its own.
        head: Option<HeadForm>,
    },
    /// The principal components of some prompts: no prompt itself.
    Subspace {
        /// Their domains, methods and seeds.
        prompts: String,
        /// The share of their variance that it holds, in [0, 1].
        explained: String,
        /// What [`Metadata::tuned_on`] gives for all of them, joined by `+`.
        tuned_on: Option<String>,
    },
}

impl Metadata {
    /// That of a cell's result, tuned on a network of this kind.
    pub fn of_cell(cell: &Cell, network: Kind, provenance: &Provenance) -> Self {
        let recipe = serde_json::to_string(&cell.recipe).expect("a recipe is plain data");
        Metadata {
            version: provenance.version.clone(),
            backbone: cell.setting.model.clone(),
            backbone_sha256: provenance.model_sha256.clone(),
            tokenizer_sha256: provenance.tokenizer_sha256.clone(),
            network: Some(network),
            made: Made::Tuned {
                method: cell.method.name().to_string(),
                source: cell.setting.source.clone(),
                seed: cell.seed.to_string(),
                recipe,
                wording: Box::new(cell.setting.wording.clone()),
                longest_input: Some(cell.setting.limits.input)
                    .filter(|&input| input < Limits::INPUT),
            },
        }
    }

    /// That of what another program made for `backbone`.
    pub fn imported(made: Made, backbone: &Backbone) -> Self {
        Metadata {
            version: env!("CARGO_PKG_VERSION").to_string(),
            backbone: backbone.name.clone(),
            backbone_sha256: backbone.model_sha256.clone(),
            tokenizer_sha256: backbone.tokenizer_sha256.clone(),
            network: Some(backbone.config.kind()),
            made,
        }
    }

    /// Whether it belongs to this backbone; `path` is what errors call it.
    ///
    /// # Errors
    /// It was tuned for other weights or another tokenizer.
    pub(in crate::tuning) fn check(
        &self,
        path: &Path,
        backbone: &Backbone,
    ) -> Result<(), SavedError> {
        let hashes = [&backbone.model_sha256, &backbone.tokenizer_sha256];
        self.check_for(path, &backbone.name, hashes.map(String::as_str))
    }

    fn check_for(
        &self,
        path: &Path,
        backbone: &str,
        [weights, tokenizer]: [&str; 2],
    ) -> Result<(), SavedError> {
        for (part, found, wanted) in [
            ("weights", &self.backbone_sha256, weights),
            ("tokenizer", &self.tokenizer_sha256, tokenizer),
        ] {
            if found != wanted {
                let other = OtherBackbone {
                    path: path.to_owned(),
                    part,
                    wanted: backbone.to_owned(),
                    wanted_sha256: short(wanted),
                    found: self.backbone.clone(),
                    found_sha256: short(found),
                };
                return Err(SavedError::OtherBackbone(Box::new(other)));
            }
        }
        Ok(())
    }

    /// Whether it belongs to the same backbone as another; `path` is what errors call it.
    ///
    /// # Errors
    /// It was tuned for other weights or another tokenizer.
    pub(in crate::tuning) fn check_with(
        &self,
        path: &Path,
        other: &Metadata,
    ) -> Result<(), SavedError> {
        self.check_for(
            path,
            &other.backbone,
            [&other.backbone_sha256, &other.tokenizer_sha256],
        )
    }

    /// What was tuned, on what and with which seed, in a few words.
    pub(in crate::tuning) fn title(&self) -> String {
        match &self.made {
            Made::Tuned {
                method,
                source,
                seed,
                ..
            } => format!("{source} {method} {seed}"),
            Made::Imported { from, .. } => from.clone(),
            Made::Subspace { prompts, .. } => prompts.clone(),
        }
    }

    /// What was tuned, where this version knows it.
    pub fn method(&self) -> Option<Method> {
        let method = match &self.made {
            Made::Tuned { method, .. } | Made::Imported { method, .. } => method,
            Made::Subspace { .. } => return Some(Method::Intrinsic),
        };
        Method::ALL.into_iter().find(|known| known.name() == method)
    }

    /// The domain that was trained on, where it is known.
    pub fn source(&self) -> Option<&str> {
        match &self.made {
            Made::Tuned { source, .. } => Some(source),
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// The domains whose training rows it has seen, its own source's and those of what it started from, where all of
    /// that is known.
    pub fn tuned_on(&self) -> Option<Vec<String>> {
        let parts = |sources: &str| sources.split('+').map(str::to_owned).collect::<Vec<_>>();
        match &self.made {
            Made::Tuned { source, recipe, .. } => {
                let recipe: Recipe = serde_json::from_str(recipe).ok()?;
                let mut domains = parts(source);
                match recipe.before() {
                    Before::Nothing => {}
                    Before::Domains(before) => domains.extend_from_slice(before),
                    Before::Unknown => return None,
                }
                Some(domains)
            }
            Made::Imported { .. } => None,
            Made::Subspace { tuned_on, .. } => tuned_on.as_deref().map(parts),
        }
    }

    /// How the examples that it was tuned on were worded, where it is known.
    pub fn wording(&self) -> Option<&Wording> {
        match &self.made {
            Made::Tuned { wording, .. } => Some(wording),
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// The tokens after which inputs were cut in its training, where these are fewer than otherwise.
    pub fn longest_input(&self) -> Option<usize> {
        match &self.made {
            Made::Tuned { longest_input, .. } => *longest_input,
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// Key → value, as it is written.
    pub fn entries(&self) -> BTreeMap<String, String> {
        let shared = [
            ("format", "pt"),
            ("promptshift_version", &self.version),
            ("backbone", &self.backbone),
            ("backbone_sha256", &self.backbone_sha256),
            ("tokenizer_sha256", &self.tokenizer_sha256),
        ];
        let worded = self.wording().filter(|wording| !wording.is_default());
        let worded =
            worded.map(|wording| serde_json::to_string(wording).expect("a wording is plain data"));
        let longest = self.longest_input().map(|input| input.to_string());
        let head = match &self.made {
            Made::Imported { head, .. } => head.as_ref(),
            _ => None,
        };
        let head = head.map(|head| serde_json::to_string(head).expect("a head is plain data"));
        let network = self.network.map(|network| (NETWORK, network.name()));
        let own: Vec<(&str, &str)> = match &self.made {
            Made::Tuned {
                method,
                source,
                seed,
                recipe,
                ..
            } => [
                ("method", method),
                ("source", source),
                ("seed", seed),
                ("recipe", recipe),
            ]
            .map(|(key, value)| (key, value.as_str()))
            .into_iter()
            .chain(worded.as_deref().map(|worded| (WORDING, worded)))
            .chain(longest.as_deref().map(|input| (LONGEST_INPUT, input)))
            .collect(),
            Made::Imported {
                from,
                sha256,
                method,
                delta,
                ..
            } => [
                ("method", method.as_str()),
                ("imported_from", from),
                ("imported_sha256", sha256),
            ]
            .into_iter()
            .chain(delta.as_deref().map(|delta| ("delta", delta)))
            .chain(head.as_deref().map(|head| (HEAD, head)))
            .collect(),
            Made::Subspace {
                prompts,
                explained,
                tuned_on,
            } => {
                let tuned_on = tuned_on.as_deref().map(|domains| (TUNED_ON, domains));
                let own = [(SUBSPACE, prompts.as_str()), ("explained", explained)];
                own.into_iter().chain(tuned_on).collect()
            }
        };
        shared
            .into_iter()
            .chain(network)
            .chain(own)
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }

    /// The bytes of a safetensors file of these weights with this metadata, sealed.
    pub(in crate::tuning) fn sealed(&self, weights: &Weights) -> Vec<u8> {
        seal::sealed(self.entries(), |metadata| weights.to_bytes(metadata))
    }

    /// Reads it from the bytes of a safetensors file that promptshift wrote, which errors call `path`.
    ///
    /// # Errors
    /// The file is none, or was changed since; a key is absent or unknown.
    pub(in crate::tuning) fn read(
        bytes: &[u8],
        path: &Path,
        wanted: &str,
    ) -> Result<Self, SavedError> {
        let wrong = |found: String| SavedError::wrong(path, wanted, found);
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| wrong(format!("{} bytes, no safetensors: {e}", bytes.len())))?;
        seal::check(bytes).map_err(wrong)?;
        Metadata::parse(&header.metadata().clone().unwrap_or_default(), path)
    }

    /// Reads what [`Metadata::entries`] wrote.
    ///
    /// # Errors
    /// A key is absent or unknown.
    fn parse(entries: &HashMap<String, String>, path: &Path) -> Result<Self, SavedError> {
        let get = |key: &str| {
            entries.get(key).cloned().ok_or_else(|| {
                SavedError::wrong(
                    path,
                    format!("a prompt that promptshift saved, with '{key}' in its metadata"),
                    format!("{} other keys", entries.len()),
                )
            })
        };
        if let Some(unknown) = entries.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let wanted = "no key in its metadata but those that promptshift writes";
            return Err(SavedError::wrong(path, wanted, format!("'{unknown}'")));
        }
        let made = match (entries.get("imported_from"), entries.get(SUBSPACE)) {
            (None, Some(prompts)) => Made::Subspace {
                prompts: prompts.clone(),
                explained: get("explained")?,
                tuned_on: entries.get(TUNED_ON).cloned(),
            },
            (Some(from), _) => Made::Imported {
                from: from.clone(),
                sha256: get("imported_sha256")?,
                method: get("method")?,
                delta: entries.get("delta").cloned(),
                head: match entries.get(HEAD) {
                    None => None,
                    Some(json) => Some(serde_json::from_str(json).map_err(|error| {
                        SavedError::wrong(
                            path,
                            format!("a head as JSON in '{HEAD}' of its metadata"),
                            error.to_string(),
                        )
                    })?),
                },
            },
            (None, None) => Made::Tuned {
                method: get("method")?,
                source: get("source")?,
                seed: get("seed")?,
                recipe: get("recipe")?,
                wording: match entries.get(WORDING) {
                    None => Box::default(),
                    Some(json) => serde_json::from_str(json).map_err(|error| {
                        SavedError::wrong(
                            path,
                            format!("a wording as JSON in '{WORDING}' of its metadata"),
                            error.to_string(),
                        )
                    })?,
                },
                longest_input: match entries.get(LONGEST_INPUT) {
                    None => None,
                    Some(text) => Some(text.parse().map_err(|_| {
                        SavedError::wrong(
                            path,
                            format!("a number in '{LONGEST_INPUT}' of its metadata"),
                            format!("'{text}'"),
                        )
                    })?),
                },
            },
        };
        let network = match entries.get(NETWORK) {
            None => None,
            Some(name) => match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
                Some(kind) => Some(kind),
                None => {
                    let names = Kind::ALL.map(Kind::name).join(", ");
                    let wanted = format!("'{NETWORK}' {names} in its metadata");
                    return Err(SavedError::wrong(path, wanted, format!("'{name}'")));
                }
            },
        };
        Ok(Metadata {
            network,
            version: get("promptshift_version")?,
            backbone: get("backbone")?,
            backbone_sha256: get("backbone_sha256")?,
            tokenizer_sha256: get("tokenizer_sha256")?,
            made,
        })
    }
}

/// The beginning of a hash, for a message.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}
