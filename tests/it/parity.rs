//! Our T5 against Hugging Face Transformers' on a tiny random checkpoint with reference values
//! (tests/golden/make_t5.py): encoder, logits, loss, gradients, greedy outputs.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use promptshift::checkpoint::{WeightFiles, Weights};
use promptshift::layers::{Dropout, Tokens};
use promptshift::t5::{Embedded, Encoded, T5, T5Config, position};
use promptshift::tuning::model_tuning;
use safetensors::SafeTensors;
use serde_json::Value;

/// A committed file or folder of reference values.
pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a script wrote it");
    serde_json::from_str(&text).expect("JSON")
}

/// The checkpoint on a plain device.
pub fn tiny() -> (T5Config, T5) {
    let config = T5Config::read(&golden("t5_v1_1_tiny/config.json")).expect("config.json");
    let weights = Weights::read(&golden("t5_v1_1_tiny/model.safetensors")).expect("weights");
    let model = T5::load(&config, weights, &Device::flex()).expect("every tensor has its place");
    (config, model)
}

/// Reference values, as the scripts lay them out.
pub struct Reference {
    bytes: Vec<u8>,
    json: Value,
}

impl Reference {
    fn read() -> Self {
        Self::of(&golden("t5_v1_1_tiny"))
    }

    /// Those in a folder.
    pub fn of(folder: &Path) -> Self {
        let floats = folder.join("reference.safetensors");
        Reference {
            bytes: std::fs::read(floats).expect("a script wrote it"),
            json: json(&folder.join("reference.json")),
        }
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("safetensors");
        file.tensor(name)
            .expect(name)
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        let file = SafeTensors::deserialize(&self.bytes).expect("safetensors");
        file.tensor(name).expect(name).shape().to_vec()
    }

    /// The tensors whose names begin so, without that beginning.
    pub fn names(&self, beginning: &str) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.bytes).expect("safetensors");
        let names = file.names().into_iter();
        let mut names: Vec<String> = names
            .filter_map(|name| Some(name.strip_prefix(beginning)?.to_owned()))
            .collect();
        names.sort();
        names
    }

    pub fn list<T: serde::de::DeserializeOwned>(&self, name: &str) -> Vec<T> {
        serde_json::from_value(self.json[name].clone()).expect(name)
    }

    pub fn ids(&self, name: &str) -> Vec<Vec<u32>> {
        serde_json::from_value(self.json[name].clone()).expect(name)
    }

    pub fn inputs(&self) -> Tokens {
        Tokens::padded(&self.ids("input_ids"), 0)
    }

    pub fn targets(&self) -> Tokens {
        Tokens::padded(&self.ids("targets"), 0)
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

/// Asserts that values agree with the reference, with a tolerance that is relative for values above 1.
pub fn assert_close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "{what}[{i}]: ours {a}, Transformers {b}"
        );
    }
}

/// Rows of `padded` `[B, width, W]` that are real.
pub fn real(padded: &[f32], lengths: &[usize], width: usize) -> Vec<f32> {
    let row = padded.len() / lengths.len() / width;
    lengths
        .iter()
        .enumerate()
        .flat_map(|(b, &length)| padded[b * width * row..][..length * row].to_vec())
        .collect()
}

fn prompt(reference: &Reference, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(reference.floats("prompt"), [5, 32]), device)
}

fn encode(model: &T5, input: Embedded) -> Encoded {
    model.encode(input, &mut Dropout::off())
}

#[test]
fn encoder_and_logits_agree() {
    let reference = Reference::read();
    let (_, model) = tiny();
    let (inputs, targets) = (reference.inputs(), reference.targets());
    for (prefix, prompted) in [("", false), ("prompt.", true)] {
        let mut input = model.embed(&inputs);
        if prompted {
            input = input.after_prompt(prompt(&reference, &Device::flex()));
        }
        let width = input.rows.dims()[1];
        let encoded = encode(&model, input);
        assert_close(
            "encoder output",
            &real(&values(encoded.hidden.clone()), &encoded.lengths, width),
            &real(
                &reference.floats(&format!("{prefix}encoder_output")),
                &encoded.lengths,
                width,
            ),
            1e-4,
        );
        assert_close(
            "logits",
            &values(model.logits(&encoded, &targets)),
            &real(
                &reference.floats(&format!("{prefix}logits")),
                &targets.lengths,
                targets.width,
            ),
            1e-4,
        );
    }
}

#[test]
fn losses_agree() {
    let reference = Reference::read();
    let (_, model) = tiny();
    let encoded = encode(&model, model.embed(&reference.inputs()));
    let losses = model.token_losses(&encoded, &reference.targets(), 0.0, &mut Dropout::off());
    assert_close(
        "sum",
        &values(losses.clone().sum()),
        &reference.floats("loss_sum"),
        1e-4,
    );
    assert_close(
        "mean",
        &values(losses.mean()),
        &reference.floats("loss_mean"),
        1e-4,
    );
}

#[test]
fn the_prompts_gradient_agrees() {
    let reference = Reference::read();
    let (_, model) = tiny();
    let prompt = prompt(&reference, &Device::flex().autodiff()).require_grad();
    let input = model
        .embed(&reference.inputs())
        .after_prompt(prompt.clone());
    let encoded = encode(&model, input);
    let loss = model
        .token_losses(&encoded, &reference.targets(), 0.0, &mut Dropout::off())
        .sum();
    assert_close(
        "loss",
        &values(loss.clone()),
        &reference.floats("prompt.loss_sum"),
        1e-4,
    );
    let gradient = prompt
        .grad(&loss.backward())
        .expect("the prompt is tracked");
    assert_close(
        "gradient",
        &values(gradient),
        &reference.floats("prompt.grad"),
        1e-4,
    );
}

/// Replaces every parameter by its gradient.
struct ToGradients<'a>(&'a Gradients);

impl ModuleMapper for ToGradients<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad(self.0).expect("every weight is used");
        Param::initialized(param.id, gradient)
    }
}

/// The module with each parameter replaced by its own gradient.
pub fn with_gradients<M: Module>(module: M, gradients: &Gradients) -> M {
    module.map(&mut ToGradients(gradients))
}

#[test]
fn gradients_of_every_kind_of_weight_agree() {
    let reference = Reference::read();
    let (config, model) = tiny();
    let model = model.train();
    let encoded = encode(&model, model.embed(&reference.inputs()));
    let loss = model
        .token_losses(&encoded, &reference.targets(), 0.0, &mut Dropout::off())
        .sum();
    let grads = loss.backward();
    // Gradients in the checkpoint's layout: each parameter is replaced by its own gradient.
    let ours = with_gradients(model.clone(), &grads).weights();
    let ours = ours.to_bytes(Default::default());
    let ours = SafeTensors::deserialize(&ours).expect("safetensors");
    let mut compared = 0;
    for name in ours.names() {
        let file = SafeTensors::deserialize(&reference.bytes).expect("safetensors");
        if file.tensor(&format!("grad.{name}")).is_err() {
            continue;
        }
        let theirs = reference.floats(&format!("grad.{name}"));
        let data = ours.tensor(name).expect("listed").data();
        let ours: Vec<f32> = data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_close(name, &ours, &theirs, 1e-4);
        compared += 1;
    }
    assert_eq!(compared, 9, "all of the reference's gradients");
    assert_eq!(config.parameters(), model.num_params());
}

#[test]
fn greedy_outputs_and_their_log_probabilities_agree() {
    let reference = Reference::read();
    let (config, model) = tiny();
    for (prefix, prompted) in [("", false), ("prompt.", true)] {
        let mut input = model.embed(&reference.inputs());
        if prompted {
            input = input.after_prompt(prompt(&reference, &Device::flex()));
        }
        let outputs = model.generate(&encode(&model, input), &[config.eos_token_id], 16);
        let ids: Vec<Vec<u32>> = outputs.iter().map(|o| o.ids.clone()).collect();
        assert_eq!(ids, reference.ids(&format!("{prefix}greedy")));
        let log_probs: Vec<f32> = outputs.iter().map(|o| o.log_prob as f32).collect();
        let theirs = reference.floats(&format!("{prefix}greedy_logprob"));
        assert_close("log-probability", &log_probs, &theirs, 1e-4);
    }
}

/// Decoding with the cache equals decoding the whole prefix again, with the last row's bias rather than row 0's.
#[test]
fn decoding_with_the_cache_equals_decoding_without_it() {
    let reference = Reference::read();
    let (config, model) = tiny();
    let encoded = encode(&model, model.embed(&reference.inputs()));
    let outputs = model.generate(&encoded, &[config.eos_token_id], 16);
    for (row, output) in outputs.iter().enumerate() {
        let input = &reference.ids("input_ids")[row];
        let alone = encode(&model, model.embed(&Tokens::padded(&[input], 0)));
        // Teacher-forced on the output: every token must be the most probable one.
        let logits = model.logits(&alone, &Tokens::padded(&[&output.ids], 0));
        let best: Vec<i32> = logits.argmax(1).into_data().try_to_vec().expect("i32");
        let best: Vec<u32> = best.into_iter().map(|id| id as u32).collect();
        assert_eq!(best, output.ids, "example {row}");
    }
}

#[test]
fn every_bucket_agrees() {
    let table = json(&golden("relative_position_buckets.json"));
    let first = table["first"].as_i64().expect("a number");
    for (name, direction) in [
        ("bidirectional", position::Direction::Bidirectional),
        ("causal", position::Direction::Causal),
    ] {
        for (i, bucket) in table[name].as_array().expect("a list").iter().enumerate() {
            let relative = first + i as i64;
            assert_eq!(
                position::bucket(relative, direction, 32, 128) as u64,
                bucket.as_u64().expect("a number"),
                "{name} {relative}"
            );
        }
    }
}

#[test]
fn weights_are_written_as_they_were_read() {
    let (config, model) = tiny();
    let bytes = model.weights().to_bytes(Default::default());
    let again = Weights::parse(&bytes, "again").expect("what was written");
    let again = T5::load(&config, again, &Device::flex()).expect("every tensor has its place");
    assert_eq!(bytes, again.weights().to_bytes(Default::default()));
}

/// v1.0: ReLU without a gate, the embedding as head, weights in a `pytorch_model.bin`.
#[test]
fn v1_0_agrees() {
    let folder = golden("t5_v1_0_tiny");
    let reference = Reference::of(&folder);
    let config = T5Config::read(&folder.join("config.json")).expect("config.json");
    let load = || {
        let files = WeightFiles::find(&folder).expect("pytorch_model.bin");
        files.read().expect("tensors").0
    };
    let model = T5::load(&config, load(), &Device::flex()).expect("every tensor has its place");
    assert_eq!(config.parameters(), model.num_params());
    let (inputs, targets) = (reference.inputs(), reference.targets());

    for (prefix, prompted) in [("", false), ("prompt.", true)] {
        let mut input = model.embed(&inputs);
        if prompted {
            input = input.after_prompt(prompt(&reference, &Device::flex()));
        }
        let logits = values(model.logits(&encode(&model, input), &targets));
        let theirs = reference.floats(&format!("{prefix}logits"));
        let theirs = real(&theirs, &targets.lengths, targets.width);
        assert_close("logits", &logits, &theirs, 1e-4);
    }

    let encoded = encode(&model, model.embed(&inputs));
    let outputs = model.generate(&encoded, &[config.eos_token_id], 16);
    let ids: Vec<Vec<u32>> = outputs.iter().map(|o| o.ids.clone()).collect();
    assert_eq!(ids, reference.ids("greedy"));
    let log_probs: Vec<f32> = outputs.iter().map(|o| o.log_prob as f32).collect();
    let theirs = reference.floats("greedy_logprob");
    assert_close("log-probability", &log_probs, &theirs, 1e-4);

    let device = Device::flex().autodiff();
    let tracked = prompt(&reference, &device).require_grad();
    let input = model.embed(&inputs).after_prompt(tracked.clone());
    let losses = model.token_losses(&encode(&model, input), &targets, 0.0, &mut Dropout::off());
    let gradient = tracked.grad(&losses.sum().backward()).expect("tracked");
    assert_close(
        "prompt",
        &values(gradient),
        &reference.floats("prompt.grad"),
        1e-3,
    );

    let trained = model_tuning(
        T5::load(&config, load(), &Device::flex())
            .expect("loaded")
            .into(),
    );
    let t5 = trained.backbone.clone().into_t5().expect("a T5");
    let encoded = encode(&t5, t5.embed(&inputs));
    let loss = t5
        .token_losses(&encoded, &targets, 0.0, &mut Dropout::off())
        .sum();
    let loss_sum = f64::from(loss.clone().into_scalar::<f32>());
    assert!((loss_sum - f64::from(reference.floats("loss_sum")[0])).abs() < 1e-3);
    let gradient = t5.embedding().grad(&loss.backward()).expect("tracked");
    let theirs = reference.floats("grad.shared.weight");
    assert_close("shared.weight", &values(gradient), &theirs, 1e-3);
}

/// Written weights can be read again, also for v1.0.
#[test]
fn v1_0_weights_are_written_as_they_were_read() {
    let folder = golden("t5_v1_0_tiny");
    let config = T5Config::read(&folder.join("config.json")).expect("config.json");
    let (weights, _) = WeightFiles::find(&folder)
        .and_then(|files| files.read())
        .expect("tensors");
    let model = T5::load(&config, weights, &Device::flex()).expect("loaded");
    let bytes = model.weights().to_bytes(Default::default());
    let again = Weights::parse(&bytes, "again").expect("safetensors");
    let again = T5::load(&config, again, &Device::flex()).expect("loaded");
    assert_eq!(bytes, again.weights().to_bytes(Default::default()));
}

/// `tests/golden/make_heads.py`: how Transformers 5 treats heads and `scale_decoder_outputs`, with the configurations
/// that it saves.
#[test]
fn heads_agree_with_transformers_5() {
    let theirs = std::fs::read(golden("heads/logits.safetensors")).expect("a script wrote it");
    let theirs = SafeTensors::deserialize(&theirs).expect("safetensors");
    let reversed = |folder: &Path, width: usize| -> Vec<f32> {
        let (mut weights, _) =
            (WeightFiles::find(folder).and_then(|files| files.read())).expect("tensors");
        let embedding = weights.take("shared.weight", [64, width], &Device::flex());
        let embedding = values(embedding.expect("there"));
        embedding.chunks(width).rev().flatten().copied().collect()
    };
    for (name, config, scale, has_head) in [
        ("v1_1", "v1_1", None, false),
        ("v1_0", "v1_0", None, false),
        ("v1_0_unscaled", "v1_0", Some(false), false),
        ("v1_0_head", "v1_0", None, true),
    ] {
        let folder = golden(&format!("t5_{config}_tiny"));
        let mut json = json(&golden(&format!("heads/{config}.json")));
        assert_eq!(json["tie_word_embeddings"], true);
        if let Some(scale) = scale {
            json["scale_decoder_outputs"] = scale.into();
        }
        let config = T5Config::parse(json.to_string().as_bytes(), name).expect("a T5");
        let (mut weights, _) =
            (WeightFiles::find(&folder).and_then(|files| files.read())).expect("tensors");
        if has_head {
            let head = reversed(&folder, config.d_model);
            weights.put("lm_head.weight", vec![64, config.d_model], head);
        }
        let model =
            T5::load(&config, weights, &Device::flex()).expect("every tensor has its place");
        let reference = Reference::of(&folder);
        let encoded = encode(&model, model.embed(&reference.inputs()));
        let logits = values(model.logits(&encoded, &reference.targets()));
        let wanted: Vec<f32> = (theirs.tensor(name).expect(name).data().chunks_exact(4))
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_close(name, &logits, &wanted, 1e-4);
    }
}
