//! What a tuned file states about itself, in the metadata of its safetensors header.

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

/// Every key that is written, the seal's included.
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

/// The provenance of tuned vectors or weights, and the backbone they belong to.
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
    /// The backbone's kind of network; absent in older files.
    pub network: Option<Kind>,
    /// What made it.
    pub made: Made,
}

/// What made a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// promptshift's training.
    Tuned {
        /// The method: [`Method::name`].
        method: String,
        /// The training domain.
        source: String,
        /// The seed.
        seed: String,
        /// The resolved recipe, JSON.
        recipe: String,
        /// The wording of examples; absent means the paper's.
        wording: Box<Wording>,
        /// The tokens after which inputs were truncated, if the backbone has fewer positions than
        /// [`Limits::default_for`].
        longest_input: Option<usize>,
    },
    /// Another program; the user named the backbone.
    Imported {
        /// The file's name and format.
        from: String,
        /// SHA-256 of the file that held the tensors.
        sha256: String,
        /// The method: [`Method::name`].
        method: String,
        /// What it adds to the backbone, JSON of a [`DeltaRecipe`](promptshift_numbers::recipe::DeltaRecipe); absent
        /// for a soft prompt.
        delta: Option<String>,
        /// The head that came with it, for a network that has none of its own.
        head: Option<HeadForm>,
    },
    /// The principal components of several prompts, which is not itself a prompt.
    Subspace {
        /// Their domains, methods and seeds.
        prompts: String,
        /// The share of their variance that it explains, in [0, 1].
        explained: String,
        /// [`Metadata::tuned_on`] of all of them, joined by `+`.
        tuned_on: Option<String>,
    },
}

impl Metadata {
    /// The metadata of a cell's result, tuned on a network of this kind.
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

    /// The metadata of another program's result for `backbone`.
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

    /// Checks that it belongs to this backbone; errors call it `path`.
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

    /// Checks that it belongs to the same backbone as another; errors call it `path`.
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

    /// A short title: what was tuned, on what and with which seed.
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

    /// The method, if this version knows it.
    pub fn method(&self) -> Option<Method> {
        let method = match &self.made {
            Made::Tuned { method, .. } | Made::Imported { method, .. } => method,
            Made::Subspace { .. } => return Some(Method::Intrinsic),
        };
        Method::ALL.into_iter().find(|known| known.name() == method)
    }

    /// The training domain, if known.
    pub fn source(&self) -> Option<&str> {
        match &self.made {
            Made::Tuned { source, .. } => Some(source),
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// The domains whose training rows it has seen, including those of the prompts it started from, if all of this is
    /// known.
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

    /// The wording of its training examples, if known.
    pub fn wording(&self) -> Option<&Wording> {
        match &self.made {
            Made::Tuned { wording, .. } => Some(wording),
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// The tokens after which its training inputs were truncated, if fewer than usual.
    pub fn longest_input(&self) -> Option<usize> {
        match &self.made {
            Made::Tuned { longest_input, .. } => *longest_input,
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// Key → value, as written.
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

    /// The bytes of a sealed safetensors file of these weights with this metadata.
    pub(in crate::tuning) fn sealed(&self, weights: &Weights) -> Vec<u8> {
        seal::sealed(self.entries(), |metadata| weights.to_bytes(metadata))
    }

    /// Reads it from the bytes of a safetensors file that promptshift wrote; errors call it `path`.
    ///
    /// # Errors
    /// It is not such a file, or was changed after it was written; a key is absent or unknown.
    pub(in crate::tuning) fn read(
        bytes: &[u8],
        path: &Path,
        wanted: &str,
    ) -> Result<Self, SavedError> {
        let wrong = |found: String| SavedError::wrong(path, wanted, found);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| {
            wrong(format!(
                "{} bytes that are not safetensors: {e}",
                bytes.len()
            ))
        })?;
        seal::check(bytes).map_err(wrong)?;
        Metadata::parse(&header.metadata().clone().unwrap_or_default(), path)
    }

    /// Parses what [`Metadata::entries`] wrote.
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
            let wanted = "only keys that promptshift writes in its metadata";
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

/// The beginning of a hash, for error messages.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}
