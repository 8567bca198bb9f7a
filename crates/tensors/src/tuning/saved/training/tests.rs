//! Tests which files exist and which errors occur. `tests/it/every_method.rs` compares the restored tensors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use safetensors::SafeTensors;

use super::*;
use crate::backbone::BackboneChoice;
use crate::checkpoint::seal;
use crate::network::Kind;
use crate::tuning::apply;
use crate::tuning::saved::tensors::Tensors;
use promptshift_numbers::recipe::{Defaults, FrozenWeights, Method};

const SEED: u64 = 3;

struct Training {
    backbone: Backbone,
    recipe: Recipe,
    folder: tempfile::TempDir,
    saved: SavedTraining,
}

fn metadata(backbone: &Backbone, recipe: &Recipe) -> Metadata {
    Metadata {
        version: "0".to_owned(),
        backbone: backbone.name.clone(),
        backbone_sha256: backbone.model_sha256.clone(),
        tokenizer_sha256: backbone.tokenizer_sha256.clone(),
        network: Some(Kind::T5),
        made: Made::Tuned {
            method: "any".to_owned(),
            source: "squad".to_owned(),
            seed: SEED.to_string(),
            recipe: serde_json::to_string(recipe).expect("plain data"),
            wording: Box::default(),
            longest_input: None,
            frozen_weights: FrozenWeights::F32,
        },
    }
}

impl Training {
    /// A training without steps, whose result is its initial values.
    fn of(method: Method) -> Self {
        let choice = BackboneChoice::Nano;
        let backbone = choice.load(&Device::flex()).expect("compiled in");
        let recipe = Recipe::default_for(Defaults::Nano, method);
        let start = apply(&backbone, &recipe, &MethodInputs::default(), SEED).expect("it fits");
        let folder = tempfile::tempdir().expect("a folder");
        let saved = save_trained(
            &start.off_tape(),
            &recipe,
            &backbone.config,
            &metadata(&backbone, &recipe),
            folder.path(),
        );
        Training {
            saved: saved.expect("written"),
            backbone,
            recipe,
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.saved.trained.file)
    }

    fn restored(&self) -> Result<Tuned, TrainedError> {
        let (words, path) = (MethodInputs::default(), self.path());
        restored(&self.backbone, &self.recipe, &words, SEED, &path)
    }

    /// The error after `change` is applied to the file.
    fn refused(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let whole = fs::read(self.path()).expect("written");
        fs::write(self.path(), change(whole.clone())).expect("written");
        let error = self.restored().expect_err("damaged").to_string();
        fs::write(self.path(), whole).expect("written");
        self.restored().expect("undamaged");
        assert!(
            error.contains(&self.path().display().to_string()),
            "{error}"
        );
        error
    }

    /// The error after `change` is applied to its tensors, with a valid seal.
    fn refused_with(&self, change: impl FnOnce(&mut Tensors)) -> String {
        self.refused(|bytes| {
            let mut tensors =
                tensors::parse(&bytes, &self.path(), WANTED).expect("what was written");
            change(&mut tensors);
            let mut weights = Weights::empty("");
            for (name, (shape, values)) in tensors {
                weights.put(&name, shape, values);
            }
            let entries = metadata(&self.backbone, &self.recipe).entries();
            seal::sealed(entries, |entries| weights.to_bytes(entries))
        })
    }
}

fn names(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).expect("written");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    file.names().into_iter().map(str::to_owned).collect()
}

#[test]
fn each_method_has_its_file_and_weights_are_written_once() {
    for (method, answering, trained) in [
        (Method::Prompt, "prompt.safetensors", FILE),
        (Method::Ptuning, "prompt.safetensors", FILE),
        (Method::Lora, "adapter.safetensors", "adapter.safetensors"),
        (Method::Head, "adapter.safetensors", "adapter.safetensors"),
        (Method::PrefixMlp, "adapter.safetensors", FILE),
        (Method::Model, "model.safetensors", "model.safetensors"),
        (Method::Scratch, "model.safetensors", "model.safetensors"),
    ] {
        let training = Training::of(method);
        let found = [&training.saved.answering, &training.saved.trained];
        let files = found.map(|saved| saved.file.as_str());
        assert_eq!(files, [answering, trained], "{}", method.name());
        let there = fs::read_dir(training.folder.path()).expect("a folder");
        let count = if answering == trained { 1 } else { 2 };
        assert_eq!(there.count(), count, "{}", method.name());
        training.restored().expect("it was just written");
    }
}

#[test]
fn every_flipped_byte_is_detected() {
    for method in [Method::Ptuning, Method::Model] {
        let training = Training::of(method);
        let length = training.saved.trained.bytes as usize;
        // In the length of the header, in the header, and in the tensors.
        for at in [0, 9, 40, length / 2, length - 1] {
            training.refused(|mut bytes| {
                bytes[at] ^= 1;
                bytes
            });
        }
        training.refused(|bytes| bytes[..length - 1].to_vec());
    }
}

#[test]
fn tensors_that_are_not_the_recipes_are_named() {
    let training = Training::of(Method::Ptuning);
    let mut all = names(&training.path());
    all.sort();
    assert_eq!(
        all.len(),
        7,
        "{all:?}: vectors, three weights, three biases"
    );
    let name = "prompt.network.mlp.1.bias";
    let missing = training.refused_with(|tensors| drop(tensors.remove(name)));
    assert!(
        missing.contains(&format!("found nothing for '{name}' [")),
        "{missing}"
    );
    let shaped = training.refused_with(|tensors| {
        let (shape, _) = tensors.get_mut(name).expect("a bias");
        shape.insert(0, 1);
    });
    assert!(
        shaped.contains(&format!("found [1, 128] for '{name}' [128]")),
        "{shaped}"
    );
    let more = training.refused_with(|tensors| {
        tensors.insert("backbone.embedding".to_owned(), (vec![1], vec![0.0]));
    });
    assert!(
        more.contains("found 'backbone.embedding' as well"),
        "{more}"
    );
    let infinite = training.refused_with(|tensors| {
        tensors.get_mut(name).expect("a bias").1[2] = f32::INFINITY;
    });
    assert!(
        infinite.contains(&format!("found inf in '{name}'")),
        "{infinite}"
    );
}

#[test]
fn weights_that_are_not_the_models_are_named() {
    let training = Training::of(Method::Model);
    let name = "encoder.final_layer_norm.weight";
    let missing = training.refused_with(|tensors| drop(tensors.remove(name)));
    assert!(
        missing.contains(&format!("no tensor '{name}'")),
        "{missing}"
    );
    let shaped = training.refused_with(|tensors| {
        tensors.get_mut(name).expect("a gain").0.insert(0, 1);
    });
    assert!(
        shaped.contains(&format!("tensor '{name}' has shape [1, ")),
        "{shaped}"
    );
    let more = training.refused_with(|tensors| {
        tensors.insert("another.weight".to_owned(), (vec![1], vec![0.0]));
    });
    assert!(more.contains("another.weight"), "{more}");
    let no_number = training.refused_with(|tensors| {
        tensors.get_mut(name).expect("a gain").1[2] = f32::NAN;
    });
    assert!(
        no_number.contains(&format!("'{name}' (1 NaN")),
        "{no_number}"
    );
}

#[test]
fn another_trainings_file_is_refused() {
    let training = Training::of(Method::Lora);
    let (backbone, recipe, path) = (&training.backbone, &training.recipe, training.path());
    let refused = |backbone: &Backbone, recipe: &Recipe, seed| {
        let words = MethodInputs::default();
        let refused = restored(backbone, recipe, &words, seed, &path);
        refused.expect_err("another's").to_string()
    };
    let seed = refused(backbone, recipe, SEED + 1);
    assert!(
        seed.contains("wanted a training with seed 4, found 3"),
        "{seed}"
    );
    let mut longer = recipe.clone();
    longer.budget.steps += 1;
    let steps = refused(backbone, &longer, SEED);
    assert!(steps.contains("budget.steps"), "{steps}");
    let other = Backbone {
        model_sha256: "0".repeat(64),
        ..backbone.clone()
    };
    let weights = refused(&other, recipe, SEED);
    assert!(weights.contains("tuned for the backbone"), "{weights}");
    let bare = training.refused(|_| {
        let mut weights = Weights::empty("");
        weights.put("any", vec![1], vec![0.0]);
        weights.to_bytes(BTreeMap::new())
    });
    assert!(bare.contains("in its metadata"), "{bare}");
}
