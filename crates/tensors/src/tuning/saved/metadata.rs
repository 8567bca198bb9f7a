//! The metadata of a saved prompt or adapter: where it comes from, how it was made, and for which backbone.

use std::path::Path;

use super::error::{OtherBackbone, SavedError};
use super::peft::folder::Task;
use crate::backbone::Backbone;
use crate::network::Kind;
use promptshift_numbers::recipe::{Before, FrozenWeights, HeadForm, Limits, Method, Recipe};
use promptshift_numbers::record::{Cell, Provenance};
use promptshift_text::domain::wording::Wording;

/// The provenance of tuned vectors or weights, and their backbone.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The version of promptshift that wrote it.
    pub version: String,
    /// The backbone's name.
    pub backbone: String,
    /// SHA-256 of the backbone's weights file.
    pub backbone_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// The backbone's kind of network; absent in older files.
    pub network: Option<Kind>,
    /// How it was made.
    pub made: Made,
}

/// How a file was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// By training in promptshift.
    Tuned {
        /// The method: [`Method::name`].
        method: String,
        /// The training domain.
        source: String,
        /// The seed.
        seed: String,
        /// The resolved recipe, JSON.
        recipe: String,
        /// The wording of examples; if absent, the paper's.
        wording: Box<Wording>,
        /// The length in tokens to which inputs were truncated, if the backbone has fewer positions than
        /// [`Limits::default_for`].
        longest_input: Option<usize>,
        /// How the weights beside it were held.
        frozen_weights: FrozenWeights,
    },
    /// By another program; the user named the backbone.
    Imported {
        /// The name and format of the file.
        from: String,
        /// SHA-256 of the file that held the tensors.
        sha256: String,
        /// The method: [`Method::name`].
        method: String,
        /// What it adds to the backbone, as JSON of a
        /// [`DeltaRecipe`](promptshift_numbers::recipe::DeltaRecipe); absent for a soft prompt.
        delta: Option<String>,
        /// The head that is saved with it, for a network without its own.
        head: Option<HeadForm>,
    },
    /// As the principal components of several prompts; the result is not itself a prompt.
    Subspace {
        /// The prompts' domains, methods and seeds.
        prompts: String,
        /// The share of the prompts' variance that the subspace explains, in [0, 1].
        explained: String,
        /// [`Metadata::tuned_on`] of all prompts, joined by `+`.
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
                frozen_weights: cell.setting.frozen_weights,
            },
        }
    }

    /// The metadata of another program's result, used with `backbone`.
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

    /// Checks that it was tuned for this backbone; errors refer to it as `path`.
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

    /// Checks that it was tuned for the same backbone as another file; errors refer to it as `path`.
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

    /// The method, if this version supports it.
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

    /// The domains whose training rows it was trained on, including those of the prompts it started from;
    /// `None` if any of this is unknown.
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

    /// The length in tokens to which its training inputs were truncated, if shorter than the default.
    pub fn longest_input(&self) -> Option<usize> {
        match &self.made {
            Made::Tuned { longest_input, .. } => *longest_input,
            Made::Imported { .. } | Made::Subspace { .. } => None,
        }
    }

    /// How the weights beside it were held.
    pub fn frozen_weights(&self) -> FrozenWeights {
        match &self.made {
            Made::Tuned { frozen_weights, .. } => *frozen_weights,
            Made::Imported { .. } | Made::Subspace { .. } => FrozenWeights::default(),
        }
    }
}

/// The first digits of a hash, for error messages.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

/// The program that made a prompt or an adapter.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// promptshift; the metadata name the backbone.
    Own(Metadata),
    /// google-research's prompt tuning, or any other program that saves a prompt as a matrix.
    Npy {
        /// SHA-256 of the file.
        sha256: String,
    },
    /// PEFT.
    Peft {
        /// The method.
        method: Method,
        /// The model's name in PEFT: a Hub name, or a path on the training machine.
        base_model: Option<String>,
        /// SHA-256 of its `adapter_model.safetensors`.
        sha256: String,
        /// Unknown keys of its configuration, each as `key value`; they may affect the answers.
        unknown: Vec<String>,
        /// The task that PEFT wrapped its model for, if given.
        task: Option<Task>,
    },
}

impl Origin {
    /// The metadata of promptshift's own file.
    pub fn metadata(&self) -> Option<&Metadata> {
        match self {
            Origin::Own(metadata) => Some(metadata),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// The domains whose training rows it was trained on, if known.
    pub fn tuned_on(&self) -> Option<Vec<String>> {
        self.metadata()?.tuned_on()
    }

    /// The training domain, if known.
    pub fn source(&self) -> Option<&str> {
        self.metadata()?.source()
    }

    /// The wording of its training examples, if known.
    pub fn wording(&self) -> Option<&Wording> {
        self.metadata()?.wording()
    }

    /// The length in tokens to which its training inputs were truncated, if shorter than the default.
    pub fn longest_input(&self) -> Option<usize> {
        self.metadata()?.longest_input()
    }

    /// How the weights beside it were held, if known.
    pub fn frozen_weights(&self) -> Option<FrozenWeights> {
        Some(self.metadata()?.frozen_weights())
    }

    /// A note for each unknown key of another program's configuration, in the file at `path`.
    pub fn notes(&self, path: &Path) -> Vec<String> {
        let unknown: &[String] = match self {
            Origin::Peft { unknown, .. } => unknown,
            Origin::Own(_) | Origin::Npy { .. } => &[],
        };
        let note = |key| {
            format!(
                "{}: {key}: a key that promptshift does not know; if it affects what PEFT computes, the answers here \
                 will differ",
                path.display()
            )
        };
        unknown.iter().map(note).collect()
    }
}
