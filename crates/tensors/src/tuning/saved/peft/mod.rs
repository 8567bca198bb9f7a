//! Adapters in PEFT's format, one converter for each method: [`lora`] with DoRA, [`vera`], [`ia3`], [`prefix`].
//!
//! PEFT names a tensor by its module's path in Transformers' network, which is the weight's name in a
//! checkpoint, prefixed by `base_model.model.`. Errors name unsupported keys and unknown tensors: nothing is
//! read partially. If a folder also contains weights of the backbone, they must equal the backbone's own.

pub(super) mod folder;
mod head;
mod ia3;
mod keys;
mod lora;
mod modules;
mod prefix;
pub(super) mod prompt;
mod vera;

use std::path::{Path, PathBuf};

use super::error::SavedError;
use super::metadata::Origin;
use super::tensors::{self, Tensors};
use crate::backbone::Backbone;
use crate::checkpoint::Weights;
use crate::network::{Config as NetworkConfig, Kind};
use crate::tuning::methods;
use folder::Config;
use half::bf16;
pub(super) use modules::Placed;
use modules::{Left, ROOT};
use promptshift_numbers::recipe::{
    DeltaRecipe, FrozenWeights, HeadForm, LoraForm, Method, PrefixPlaces,
};

pub use folder::Task;

/// The adapters that PEFT can represent.
pub(super) const WANTED: &str =
    "an adapter of lora, dora, vera, ia3 or prefix-decoder, which PEFT supports too";

/// LoRA on every linear layer of T5-xxl at rank 64 has 2 GiB.
const MOST_BYTES: u64 = 1 << 31;

/// A folder as read.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    config: Config,
    tensors: Tensors,
    /// The tensors' file.
    path: PathBuf,
}

impl Adapter {
    /// Reads a folder; returns the adapter and its origin.
    pub(super) fn read(path: &Path) -> Result<(Self, Origin), SavedError> {
        let config = folder::config(path, &[lora::TYPE, vera::TYPE, ia3::TYPE, prefix::TYPE])?;
        let file = folder::tensors(path, MOST_BYTES)?;
        let tensors = tensors::parse(&file.bytes, &file.path, "PEFT's tensors, finite numbers")?;
        let origin = Origin::Peft {
            method: match config.peft_type.as_str() {
                lora::TYPE => match lora::form(&config) {
                    LoraForm::Lora => Method::Lora,
                    LoraForm::Dora => Method::Dora,
                },
                vera::TYPE => Method::Vera,
                ia3::TYPE => Method::Ia3,
                _ => Method::PrefixDecoder,
            },
            base_model: config.base_model(),
            sha256: file.sha256,
            unknown: config.unknown.clone(),
            task: config.task,
        };
        let adapter = Adapter {
            config,
            tensors: saved(tensors),
            path: file.path,
        };
        Ok((adapter, origin))
    }

    /// The backbone with this adapter.
    pub(super) fn onto(&self, backbone: &Backbone) -> Result<Placed, SavedError> {
        self.config.check_task(backbone)?;
        let mut left = Left {
            tensors: self.tensors.clone(),
            path: &self.path,
        };
        let (model, head) = head::read(&self.config, &mut left, backbone)?;
        let placed = match self.config.peft_type.as_str() {
            lora::TYPE => lora::read(&self.config, &mut left, backbone, model),
            vera::TYPE => vera::read(&self.config, &mut left, backbone, model),
            ia3::TYPE => ia3::read(&self.config, &mut left, backbone, model),
            _ => prefix::read(&self.config, &mut left, backbone, model),
        }?;
        end(&left, &self.config, backbone, head)?;
        Ok(Placed { head, ..placed })
    }
}

/// Renames tensors to the names that `save_pretrained` uses: in a plain `state_dict`, names also contain the
/// adapter's name, `default`.
fn saved(tensors: Tensors) -> Tensors {
    let plain = |name: &str| {
        let name = name.replace(".modules_to_save.default.", ".");
        let name = name.replace("_magnitude_vector.default.weight", "_magnitude_vector");
        match name.strip_suffix(".default") {
            Some(plain) => plain.to_owned(),
            None => name.replace(".default.weight", ".weight"),
        }
    };
    let is_clear = |name: &String| plain(name) == *name || !tensors.contains_key(&plain(name));
    match tensors.keys().all(is_clear) {
        true => (tensors.into_iter())
            .map(|(name, tensor)| (plain(&name), tensor))
            .collect(),
        // If two tensors would get the same name, neither is renamed, so that both are reported.
        false => tensors,
    }
}

/// The folder's files by name, or the reason that PEFT can't represent it.
pub(super) fn files(
    placed: Placed,
    config: &NetworkConfig,
    base_model: Option<&str>,
) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let Placed {
        delta,
        head,
        mut tuned,
    } = placed;
    let (peft_type, mut written) = match (&delta, config) {
        (DeltaRecipe::Lora(recipe), _) => (lora::TYPE, lora::write(recipe, &mut tuned, config)),
        (DeltaRecipe::Vera(recipe), _) => (vera::TYPE, vera::write(recipe, &mut tuned, config)?),
        (DeltaRecipe::Scales, _) => (ia3::TYPE, ia3::write(&mut tuned, config)),
        (DeltaRecipe::Prefix(recipe), NetworkConfig::T5(t5)) => match recipe.places {
            PrefixPlaces::Decoder => (prefix::TYPE, prefix::write(recipe, &tuned, t5)),
            PrefixPlaces::Every => {
                let found = "prefixes of every attention, but PEFT only has the decoder's";
                return Err(found.to_string());
            }
        },
        (DeltaRecipe::Prefix(_), _) => {
            return Err(format!(
                "prefix tuning of {}: {}",
                config.kind(),
                prefix::WHY
            ));
        }
        (other, _) => return Err(methods::delta(other).about().name.to_string()),
    };
    let task = match config.kind() {
        Kind::T5 => Some(Task::Seq2SeqLm),
        Kind::DecoderOnly => Some(Task::CausalLm),
        Kind::Bert => head::write(head, &tuned.backbone, &mut written)?,
    };
    let tensors = written.tensors.to_bytes(folder::header());
    let keys = written.keys;
    Ok(folder::files(peft_type, task, base_model, keys, tensors))
}

/// Checks that the remaining tensors are unchanged backbone weights: PEFT saves the embedding if it was
/// resized, and modules that were trained fully (`modules_to_save`). Modules that the configuration lists
/// must be present.
fn end(
    left: &Left,
    config: &Config,
    backbone: &Backbone,
    head: Option<HeadForm>,
) -> Result<(), SavedError> {
    let mut own = match left.tensors.is_empty() {
        true => Weights::empty(""),
        false => backbone.model.weights(),
    };
    let mut whole: Vec<&str> = head::names(head).to_vec();
    for (name, (shape, values)) in &left.tensors {
        let module = name
            .strip_prefix(ROOT)
            .unwrap_or(name)
            .trim_start_matches('.');
        let root = match &backbone.config {
            NetworkConfig::Bert(bert) => bert.shape.heads().root,
            NetworkConfig::T5(_) | NetworkConfig::DecoderOnly(_) => "transformer.",
        };
        let plain = module.strip_prefix(root).unwrap_or(module);
        // A network may be saved without a head, with one, or with one that is tied to the embedding.
        let names = [
            module.to_owned(),
            plain.to_owned(),
            format!("{root}{plain}"),
        ];
        let tied = (plain == "lm_head.weight").then(|| backbone.config.embedding_name().to_owned());
        let known = names
            .into_iter()
            .chain(tied)
            .find(|name| own.contains(name));
        let Some(known) = known else {
            return Err(left.wrong(
                format!("tensors that belong to '{}'", backbone.name),
                format!("'{name}'"),
            ));
        };
        // Where the model's weights are held in bf16, those in the file may be what they were rounded from.
        let mut is_same = |values| {
            own.put(name, shape.clone(), values);
            own.are_equal(name, &known)
        };
        let rounded = || values.iter().map(|&value| bf16::from_f32(value).to_f32());
        let is_rounded = backbone.frozen_weights == FrozenWeights::Bf16;
        if !(is_same(values.clone()) || is_rounded && is_same(rounded().collect())) {
            return Err(left.wrong(
                format!(
                    "an adapter that leaves '{known}' of '{}' unchanged",
                    backbone.name
                ),
                format!(
                    "a different '{name}': it was trained as well, or belongs to another model"
                ),
            ));
        }
        whole.extend(module.rsplit_once('.').map(|(module, _)| module));
    }
    let is_there = |saved: &&str| {
        (whole.iter()).any(|module| module == saved || module.ends_with(&format!(".{saved}")))
    };
    let saved = config.names("modules_to_save").unwrap_or_default();
    match saved.iter().find(|saved| !is_there(saved)) {
        None => Ok(()),
        Some(saved) => Err(config.wrong(
            "no fully trained module of the backbone, or one whose tensors are included",
            format!("modules_to_save {saved} without such tensors"),
        )),
    }
}
