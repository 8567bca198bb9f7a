//! Our decoder-only networks against Hugging Face Transformers' on tiny random checkpoints
//! (tests/golden/make_decoder_only.py): logits, losses, gradients, greedy outputs, GGUF.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::checkpoint::Weights;
use promptshift::domain::{AnswerForm, Example};
use promptshift::gguf::Gguf;
use promptshift::layers::{Injected, KeyValue, Pass, Tokens};
use promptshift::network::{Config, Encoded, Network};
use promptshift::recipe::{Defaults, DeltaRecipe, Limits, Method, Recipe};
use promptshift::tuning::{self, MethodInputs, Parameters};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::every_method::Ground;
use crate::parity::{Reference, assert_close, golden, values, with_gradients};
use crate::tuning::{domain_as, subspace_for};

const NETWORKS: [&str; 8] = [
    "llama_tiny",
    "qwen2_tiny",
    "qwen3_tiny",
    "gpt2_tiny",
    "gemma2_tiny",
    "gemma3_tiny",
    "mistral_tiny",
    "smollm3_tiny",
];

/// Networks that are trained with every method: the plainest one, and one with soft-capping, norms behind sub-layers,
/// and windows shorter than inputs.
const TRAINED: [&str; 2] = ["llama_tiny", "gemma2_tiny"];

fn load(name: &str) -> Backbone {
    BackboneChoice::Folder(golden(name))
        .load(&Device::flex())
        .expect("every tensor has its place")
}

fn batch(reference: &Reference) -> [Tokens; 2] {
    ["inputs", "targets"].map(|key| Tokens::padded(&reference.ids(key), 0))
}

fn prompt(reference: &Reference, width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(reference.floats("prompt"), [5, width]),
        device,
    )
}

fn encode(model: &Network, inputs: &Tokens, prompt: Option<Tensor<2>>) -> Encoded {
    let entries = Injected {
        prompt,
        ..Injected::default()
    };
    model.encode(inputs, entries, &mut Pass::evaluation())
}

#[test]
fn logits_and_losses_agree() {
    for name in NETWORKS {
        let (reference, backbone) = (Reference::of(&golden(name)), load(name));
        let model = &backbone.model;
        let [inputs, targets] = batch(&reference);
        let vectors = prompt(&reference, backbone.config.width(), &Device::flex());
        for (key, vectors) in [("logits", None), ("prompt.logits", Some(vectors))] {
            let encoded = encode(model, &inputs, vectors);
            let logits = values(model.logits(&encoded, &targets));
            assert_close(name, &logits, &reference.floats(key), 1e-4);
        }
        let encoded = encode(model, &inputs, None);
        let losses = model.token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation());
        assert_close(name, &values(losses), &reference.floats("losses"), 1e-4);
        assert_eq!(backbone.config.parameters(), model.num_params(), "{name}");
    }
}

#[test]
fn the_prompts_gradient_agrees() {
    for name in NETWORKS {
        let (reference, backbone) = (Reference::of(&golden(name)), load(name));
        let [inputs, targets] = batch(&reference);
        let device = Device::flex().autodiff();
        let vectors = prompt(&reference, backbone.config.width(), &device).require_grad();
        let encoded = encode(&backbone.model, &inputs, Some(vectors.clone()));
        let losses =
            (backbone.model).token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation());
        let gradient = vectors.grad(&losses.sum().backward()).expect("tracked");
        assert_close(
            name,
            &values(gradient),
            &reference.floats("prompt.grad"),
            2e-4,
        );
    }
}

#[test]
fn the_gradients_of_all_weights_agree() {
    let device = Device::flex().autodiff();
    let mut checked = 0;
    for name in NETWORKS {
        let reference = Reference::of(&golden(name));
        let compared = reference.names("grad.");
        if compared.is_empty() {
            continue;
        }
        let backbone = BackboneChoice::Folder(golden(name)).load(&device);
        let model = backbone.expect("every tensor has its place").model;
        let [inputs, targets] = batch(&reference);
        let encoded = encode(&model, &inputs, None);
        let losses = model.token_losses(&encoded, &targets, 0.0, &mut Pass::evaluation());
        // The model with each gradient in its parameter's place, under Transformers' names.
        let gradients = with_gradients(model, &losses.sum().backward()).weights();
        let gradients = gradients.to_bytes(BTreeMap::new());
        let gradients = SafeTensors::deserialize(&gradients).expect("safetensors");
        assert_eq!(compared.len(), gradients.len(), "{name}: of every tensor");
        for tensor in compared {
            let data = gradients.tensor(&tensor).expect(&tensor).data();
            let ours: Vec<f32> = (data.chunks_exact(4))
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            let theirs = reference.floats(&format!("grad.{tensor}"));
            assert_close(&format!("{name} {tensor}"), &ours, &theirs, 2e-4);
        }
        checked += 1;
    }
    assert_eq!(checked, 4);
}

/// In one batch with a cache; Transformers decoded each row alone without a cache.
#[test]
fn greedy_outputs_and_their_log_probabilities_agree() {
    for name in NETWORKS {
        let (reference, backbone) = (Reference::of(&golden(name)), load(name));
        let [inputs, _] = batch(&reference);
        let vectors = prompt(&reference, backbone.config.width(), &Device::flex());
        for (key, vectors) in [("greedy", None), ("prompt.greedy", Some(vectors))] {
            let encoded = encode(&backbone.model, &inputs, vectors);
            let outputs = backbone.model.generate(&encoded, &[], 10);
            let ids: Vec<Vec<u32>> = outputs.iter().map(|o| o.ids.clone()).collect();
            assert_eq!(ids, reference.ids(key), "{name} {key}");
            let log_probs: Vec<f32> = outputs.iter().map(|o| o.log_prob as f32).collect();
            let theirs = reference.floats(&format!("{key}_logprob"));
            assert_close(name, &log_probs, &theirs, 1e-3);
        }
    }
}

/// Finished rows leave the batch, short rows are padded, a common prefix is computed once; none of this affects the
/// answers.
#[test]
fn an_answer_does_not_depend_on_the_rest_of_the_batch() {
    for name in NETWORKS {
        let (reference, backbone) = (Reference::of(&golden(name)), load(name));
        let rows = reference.ids("inputs");
        let head = rows[0].clone();
        let alike: Vec<Vec<u32>> = (rows.iter())
            .map(|row| head.iter().chain(row).copied().collect())
            .collect();
        let ends: Vec<u32> = (0..backbone.config.vocabulary() as u32)
            .filter(|id| id % 5 == 0)
            .collect();
        let generate = |rows: &[Vec<u32>]| {
            let encoded = encode(&backbone.model, &Tokens::padded(rows, 0), None);
            backbone.model.generate(&encoded, &ends, 10)
        };
        for rows in [rows, alike] {
            let together = generate(&rows);
            for (row, together) in rows.iter().zip(together) {
                let alone = generate(std::slice::from_ref(row)).remove(0);
                assert_eq!(alone.ids, together.ids, "{name}");
                assert!((alone.log_prob - together.log_prob).abs() < 1e-4, "{name}");
            }
        }
    }
}

/// Token by token with the cache and all at once, also after a prompt and a prefix, with more tokens than the cache
/// grows by at a time.
#[test]
fn decoding_with_the_cache_equals_a_full_pass() {
    const TOKENS: usize = 20;
    for name in NETWORKS {
        let (reference, backbone) = (Reference::of(&golden(name)), load(name));
        let Config::DecoderOnly(config) = &backbone.config else {
            panic!("{name} is decoder-only");
        };
        let device = Device::flex();
        let [inputs, _] = batch(&reference);
        let keys = |seed: usize| {
            let values = (0..4 * config.key_width()).map(|i| ((i * 7 + seed) as f32).sin());
            let data = TensorData::new(values.collect::<Vec<_>>(), [4, config.key_width()]);
            Tensor::<2>::from_data(data, &device)
        };
        let entries = Injected {
            prompt: Some(prompt(&reference, config.width, &device)),
            decoder: (0..config.layers)
                .map(|layer| KeyValue::new(keys(layer), keys(layer + 100)))
                .collect(),
            ..Injected::default()
        };
        let off = &mut Pass::evaluation();
        let encoded = backbone.model.encode(&inputs, entries, off);
        let outputs = backbone.model.generate(&encoded, &[], TOKENS);
        let rows: Vec<&[u32]> = outputs.iter().map(|output| &output.ids[..]).collect();
        let targets = Tokens::padded(&rows, 0);
        let losses = values(backbone.model.token_losses(&encoded, &targets, 0.0, off));
        for (output, losses) in outputs.iter().zip(losses.chunks(TOKENS)) {
            let log_prob: f32 = -losses.iter().sum::<f32>();
            assert_close(name, &[output.log_prob as f32], &[log_prob], 1e-4);
        }
    }
}

#[test]
fn weights_are_written_as_they_were_read() {
    for name in NETWORKS {
        let backbone = load(name);
        let bytes = backbone.model.weights().to_bytes(BTreeMap::new());
        let again = Weights::parse(&bytes, "again").expect("ours");
        let again = Network::load(&backbone.config, again, &Device::flex()).expect("all of it");
        let [one, two] =
            [&backbone.model, &again].map(|model| model.weights().to_bytes(BTreeMap::new()));
        assert!(one == two, "{name}");
    }
}

fn floats(path: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(golden(path)).expect("a script wrote it");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let values = |data: &[u8]| {
        let numbers = data.chunks_exact(4);
        numbers
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| (name, values(view.data())))
        .collect()
}

#[test]
fn a_gguf_file_gives_the_network_that_transformers_reads_from_it() {
    for name in [
        "llama_tiny",
        "qwen2_tiny",
        "qwen3_tiny",
        "gemma2_tiny",
        "gemma3_tiny",
    ] {
        let choice = BackboneChoice::Gguf(golden(name).join("model.gguf"));
        let backbone = choice.load(&Device::flex()).expect(name);
        assert_eq!(choice.config().expect(name), backbone.config);
        let [inputs, targets] = batch(&Reference::of(&golden(name)));
        let encoded = encode(&backbone.model, &inputs, None);
        let logits = values(backbone.model.logits(&encoded, &targets));
        let theirs = &floats(&format!("{name}/gguf.safetensors"))["logits"];
        assert_close(name, &logits, theirs, 1e-4);
    }
}

/// The tiny Llama with its own head: the embedding's rows in reverse order, so that every token is predicted in place
/// of another.
#[test]
fn an_untied_head_is_read_and_written() {
    let bytes = std::fs::read(golden("llama_tiny/model.safetensors")).expect("a script wrote it");
    let tied = SafeTensors::deserialize(&bytes).expect("safetensors");
    let embedding = tied.tensor("model.embed_tokens.weight").expect("it");
    let [vocabulary, width] = *embedding.shape() else {
        panic!("a table")
    };
    let rows: Vec<&[u8]> = embedding.data().chunks(4 * width).rev().collect();
    let rows = rows.concat();
    let head = TensorView::new(Dtype::F32, vec![vocabulary, width], &rows).expect("as large");
    let mut tensors = tied.tensors();
    tensors.push(("lm_head.weight".to_owned(), head));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    safetensors::serialize_to_file(tensors, None, &path("model.safetensors")).expect("written");
    let config = std::fs::read_to_string(golden("llama_tiny/config.json")).expect("written");
    let untied = config.replace(
        r#""tie_word_embeddings": true"#,
        r#""tie_word_embeddings": false"#,
    );
    assert_ne!(config, untied);
    std::fs::write(path("config.json"), untied).expect("written");
    std::fs::copy(golden("llama_tiny/tokenizer.json"), path("tokenizer.json")).expect("written");

    let choice = BackboneChoice::Folder(folder.path().to_owned());
    let backbone = choice.load(&Device::flex()).expect("a Llama");
    assert_eq!(backbone.config.parameters(), backbone.model.num_params());
    let reference = Reference::of(&golden("llama_tiny"));
    let [inputs, targets] = batch(&reference);
    let encoded = encode(&backbone.model, &inputs, None);
    let logits = values(backbone.model.logits(&encoded, &targets));
    let theirs: Vec<f32> = (reference.floats("logits").chunks(vocabulary))
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    assert_close("logits", &logits, &theirs, 1e-4);

    let saved = backbone.model.weights().to_bytes(BTreeMap::new());
    let saved = SafeTensors::deserialize(&saved).expect("safetensors");
    assert_eq!(
        saved.tensor("lm_head.weight").expect("its head").data(),
        rows
    );
}

#[test]
fn every_format_is_dequantised_as_by_gguf_py() {
    let bytes = std::fs::read(golden("gguf_formats/formats.gguf")).expect("a script wrote it");
    let file = Gguf::parse(bytes, "formats.gguf").expect("GGUF");
    let wanted = floats("gguf_formats/values.safetensors");
    assert_eq!(wanted.len(), 9);
    for (name, wanted) in wanted {
        let (shape, values) = file.tensor(&name).expect("one of each format");
        assert_eq!(shape, [2, 256], "{name}");
        assert_close(&name, &values, &wanted, 1e-6);
    }
}

#[test]
fn a_gguf_file_truncated_anywhere_is_refused() {
    let bytes = std::fs::read(golden("llama_tiny/model.gguf")).expect("a script wrote it");
    for length in (0..bytes.len()).step_by(97) {
        assert!(
            Gguf::parse(bytes[..length].to_vec(), "cut").is_err(),
            "{length}"
        );
    }
}

#[test]
fn tokens_agree_with_transformers_from_either_kind_of_file() {
    let json = std::fs::read_to_string(golden("llama_tiny/reference.json")).expect("written");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let gguf = BackboneChoice::Gguf(golden("llama_tiny/model.gguf"));
    let gguf = gguf.load(&Device::flex()).expect("a Llama").tokenizer;
    for tokenizer in [load("llama_tiny").tokenizer, gguf] {
        for wanted in json["tokens"].as_array().expect("a list") {
            let text = wanted["text"].as_str().expect("a text");
            let ids: Vec<u32> = serde_json::from_value(wanted["ids"].clone()).expect("ids");
            assert_eq!(tokenizer.encode(text), ids, "{text:?}");
            let first = text.trim().lines().next().unwrap_or_default().trim();
            assert_eq!(tokenizer.decode(&ids), first);
        }
        assert_eq!(tokenizer.encode_output("in 1902").len() + 1, {
            let line = tokenizer.encode(" in 1902\n");
            assert_eq!(line.last(), Some(&tokenizer.end()));
            line.len()
        });
        assert!(tokenizer.ends().contains(&tokenizer.end()));
    }
}

/// Methods that decoder-only networks support, by what they count and what they train.
#[test]
fn every_method_counts_what_it_trains_or_says_why_it_does_not_fit() {
    let words = MethodInputs {
        preamble: vec![5, 6, 7],
        ..MethodInputs::default()
    };
    let mut unfit = Vec::new();
    for name in NETWORKS {
        let backbone = load(name);
        for method in Method::offered() {
            if method == Method::Untuned {
                continue;
            }
            let mut recipe = Recipe::default_for(Defaults::DecoderOnly, method);
            if let DeltaRecipe::Subspace(subspace) = &mut recipe.delta {
                (subspace.length, subspace.dimension) = (4, 3);
            }
            let words = MethodInputs {
                subspace: subspace_for(&recipe, &backbone),
                ..words.clone()
            };
            match tuning::apply(&backbone, &recipe, &words, 0) {
                Ok(tuned) => assert_eq!(
                    tuned.trainable_parameters(),
                    Parameters::of(&recipe, &backbone.config).trainable,
                    "{} on {name}",
                    method.name()
                ),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("decoder-only"), "{error}");
                    let unwritten =
                        matches!(method, Method::Ladder | Method::Scratch | Method::Warp);
                    assert_eq!(error.contains("not implemented"), unwritten, "{error}");
                    unfit.push(method);
                }
            }
        }
    }
    let wanted = [
        Method::PrefixDecoder,
        Method::PromptDecoder,
        Method::PromptBoth,
        Method::Warp,
        Method::Ladder,
        Method::Scratch,
    ];
    assert_eq!(unfit, wanted.repeat(NETWORKS.len()));
}

/// The tiny Llama with short texts: its tokens are bytes, or little more.
fn ground() -> Ground {
    ground_of("llama_tiny")
}

/// The same with another network.
fn ground_of(name: &str) -> Ground {
    Ground {
        limits: Limits {
            input: 64,
            target: 16,
            answer: 12,
        },
        ..Ground::of(load(name))
    }
}

/// Questions on passages, worded for a causal model.
fn examples() -> Vec<Example> {
    domain_as(AnswerForm::Continued, "squad", 12)
}

/// The methods that make sense on it.
fn methods() -> Vec<Method> {
    let config = load("llama_tiny").config;
    let fits = |method: &Method| {
        *method != Method::Untuned && tuning::supports(&recipe(*method, 1), config.kind()).is_ok()
    };
    Method::offered().filter(fits).collect()
}

/// A small version of a method's default recipe, for so many steps with different batches.
fn recipe(method: Method, steps: usize) -> Recipe {
    let mut recipe = Recipe::default_for(Defaults::DecoderOnly, method);
    if recipe.trains() {
        recipe.budget.steps = steps;
        recipe.budget.evaluate_every = steps;
    }
    recipe.budget.batch_size = 4;
    if let Some(prompt) = &mut recipe.prompt {
        prompt.length = 4;
    }
    match &mut recipe.delta {
        DeltaRecipe::Subspace(subspace) => (subspace.length, subspace.dimension) = (4, 3),
        DeltaRecipe::PromptNetwork(network) => network.hidden = 8,
        DeltaRecipe::Prefix(prefix) => prefix.length = 4,
        _ => {}
    }
    recipe
}

#[test]
fn trained_tensors_change_and_frozen_ones_stay_bit_for_bit() {
    for ground in TRAINED.map(ground_of) {
        for method in methods() {
            ground.moves_what_is_trained_alone(method, &recipe(method, 4), &examples());
        }
    }
}

#[test]
fn replicas_change_no_gradient() {
    let ground = ground();
    for method in [Method::Prompt, Method::Lora, Method::Model] {
        ground.replicas_add_up_to_the_batch(method, &recipe(method, 1), &examples());
    }
}

#[test]
fn saving_memory_changes_no_gradient() {
    for ground in TRAINED.map(ground_of) {
        for method in methods() {
            let recipe = recipe(method, 1);
            if recipe.trains() {
                ground.saves_memory_without_other_gradients(method, &recipe, &examples());
            }
        }
    }
}

#[test]
fn frozen_weights_in_bf16_are_their_rounded_numbers() {
    for ground in TRAINED.map(ground_of) {
        for method in methods() {
            let recipe = recipe(method, 2);
            if recipe.trains() {
                ground.trains_beside_weights_in_bf16(method, &recipe, &examples());
            }
        }
    }
}

#[test]
fn saved_results_answer_as_trained_ones_bit_for_bit() {
    for ground in TRAINED.map(ground_of) {
        let bits = || ground.backbone.model.weights().to_bytes(BTreeMap::new());
        let before = bits();
        for method in methods() {
            let (recipe, examples) = (recipe(method, 3), examples());
            let tuned = ground.train(&recipe, &examples).best.into_inference();
            ground.is_the_same_once_saved(method, &recipe, &tuned, &examples);
        }
        assert!(bits() == before, "an adapter has changed the backbone");
    }
}

#[test]
fn trained_models_are_restored_bit_for_bit() {
    for name in TRAINED {
        let (ground, anew) = (ground_of(name), load(name));
        for method in methods() {
            ground.is_the_same_once_restored(method, &recipe(method, 3), &examples(), &anew);
        }
    }
}

/// A GPT-2's files have joint query, key and value maps.
#[test]
fn a_trained_gpt2_is_restored_bit_for_bit() {
    let ground = Ground {
        backbone: load("gpt2_tiny"),
        ..ground().reading(32)
    };
    let anew = load("gpt2_tiny");
    for method in [Method::Model, Method::Bitfit, Method::Ptuning] {
        ground.is_the_same_once_restored(method, &recipe(method, 3), &examples(), &anew);
    }
}

#[test]
fn an_interrupted_training_with_adamw_ends_like_an_uninterrupted_one() {
    let ground = ground();
    for method in methods() {
        let recipe = recipe(method, 6);
        if recipe.trains() {
            assert_eq!(recipe.optimizer.name(), "AdamW");
            ground.goes_on_as_if_it_had_not_been_broken_off(method, recipe, &examples());
        }
    }
}

/// SmolLM2-135M-Instruct on real questions; `tests/golden/compare_smollm2.py` says how to get both.
#[test]
#[ignore = "wants PROMPTSHIFT_GGUF and PROMPTSHIFT_SMOLLM2"]
fn smollm2_agrees_with_transformers() {
    let path = |name| PathBuf::from(std::env::var_os(name).expect(name));
    let folder = path("PROMPTSHIFT_SMOLLM2");
    let reference = Reference::of(&folder);
    let text = std::fs::read_to_string(folder.join("reference.json")).expect("written");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let choice = BackboneChoice::Gguf(path("PROMPTSHIFT_GGUF"));
    let backbone = choice.load(&Device::flex()).expect("a Llama");
    let tokenizer = &backbone.tokenizer;

    let tokens = json["tokens"].as_array().expect("a list");
    for wanted in tokens {
        let text = wanted["text"].as_str().expect("a text");
        let ids: Vec<u32> = serde_json::from_value(wanted["ids"].clone()).expect("ids");
        assert_eq!(tokenizer.encode(text), ids, "{text:?}");
    }
    let texts: Vec<String> = serde_json::from_value(json["texts"].clone()).expect("texts");
    let inputs = reference.ids("inputs");
    for (text, ids) in texts.iter().zip(&inputs) {
        assert_eq!(&tokenizer.encode_input(text).0, ids);
    }

    let answers: Vec<String> = serde_json::from_value(json["answers"].clone()).expect("texts");
    let (greedy, first) = (reference.ids("greedy"), reference.floats("first"));
    let vocabulary = first.len() / inputs.len();
    let mut furthest = 0.0_f32;
    for (at, rows) in inputs.chunks(10).enumerate() {
        let rows_before = 10 * at;
        let batch = Tokens::padded(rows, tokenizer.pad());
        let encoded = encode(&backbone.model, &batch, None);
        let one = Tokens::padded(&vec![[0_u32]; rows.len()], 0);
        let logits = values(backbone.model.logits(&encoded, &one));
        let theirs = &first[rows_before * vocabulary..][..logits.len()];
        let furthest_here = (logits.iter().zip(theirs))
            .map(|(ours, theirs)| (ours - theirs).abs())
            .fold(0.0, f32::max);
        furthest = furthest.max(furthest_here);
        let outputs = backbone.model.generate(&encoded, tokenizer.ends(), 16);
        for (row, output) in outputs.iter().enumerate() {
            let row = rows_before + row;
            assert_eq!(output.ids, greedy[row], "row {row}");
            assert_eq!(tokenizer.decode(&output.ids), answers[row], "row {row}");
        }
    }
    println!(
        "{} texts with equal tokens, {} equal greedy outputs, logits within {furthest:.1e}",
        tokens.len() + texts.len(),
        greedy.len()
    );
    assert!(furthest < 1e-3);

    let device = Device::flex().autodiff();
    let vectors = (backbone.model.embedding()).slice([100..120, 0..backbone.config.width()]);
    let vectors = Tensor::<2>::from_data(vectors.into_data(), &device).require_grad();
    let batch = Tokens::padded(&inputs[..1], 0);
    let target: Vec<u32> = serde_json::from_value(json["target"].clone()).expect("ids");
    let encoded = encode(&backbone.model, &batch, Some(vectors.clone()));
    let target = Tokens::padded(&[target], 0);
    let losses = (backbone.model).token_losses(&encoded, &target, 0.0, &mut Pass::evaluation());
    let ours = values(vectors.grad(&losses.sum().backward()).expect("tracked"));
    let theirs = reference.floats("prompt.grad");
    let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let difference: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
    let relative = norm(&difference) / norm(&theirs);
    println!("the prompt's gradient within {relative:.1e} of its norm");
    assert!(relative < 1e-3);
}
