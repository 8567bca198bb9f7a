//! The metadata in a safetensors header: keys and values, protected by a hash.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;

use super::error::SavedError;
use super::metadata::{Made, Metadata};
use crate::checkpoint::{Weights, seal};
use crate::network::Kind;
use promptshift_numbers::recipe::FrozenWeights;

/// The key of [`Made::Subspace::prompts`].
const SUBSPACE: &str = "subspace_of";

/// The key of [`Made::Subspace::tuned_on`].
const TUNED_ON: &str = "tuned_on";

/// The key of [`Made::Tuned::longest_input`].
const LONGEST_INPUT: &str = "longest_input";

/// The key of [`Made::Tuned::frozen_weights`]; absent for f32.
const FROZEN_WEIGHTS: &str = "frozen_weights";

/// The key of [`Made::Tuned::wording`].
const WORDING: &str = "wording";

/// The key of [`Metadata::network`].
const NETWORK: &str = "network";

/// The key of [`Made::Imported::head`].
const HEAD: &str = "head";

/// All keys that are written, including the seal's.
const KEYS: [&str; 21] = [
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
    FROZEN_WEIGHTS,
    "imported_from",
    "imported_sha256",
    "delta",
    HEAD,
    SUBSPACE,
    "explained",
    TUNED_ON,
    seal::KEY,
];

impl Metadata {
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
        let frozen = Some(self.frozen_weights()).filter(|form| !form.is_default());
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
            .chain(frozen.map(|form| (FROZEN_WEIGHTS, form.name())))
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

    /// A sealed safetensors file of these weights with this metadata; returns its bytes.
    pub(in crate::tuning) fn sealed(&self, weights: &Weights) -> Vec<u8> {
        seal::sealed(self.entries(), |metadata| weights.to_bytes(metadata))
    }

    /// Reads it from the bytes of a safetensors file that promptshift wrote; errors refer to it as `path`.
    ///
    /// # Errors
    /// It is not such a file, or was changed after writing; a key is absent or unknown.
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

    /// Parses the output of [`Metadata::entries`].
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
                frozen_weights: match entries.get(FROZEN_WEIGHTS) {
                    None => FrozenWeights::default(),
                    Some(text) => text.parse().map_err(|error: String| {
                        let wanted = format!("'{FROZEN_WEIGHTS}' in its metadata as documented");
                        SavedError::wrong(path, wanted, error)
                    })?,
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
