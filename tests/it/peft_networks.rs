//! Prompts, LoRA and (IA)³ of a Llama, a GPT-2, a BERT and BERT's relatives to and from PEFT, against PEFT's own outputs
//! (tests/golden/make_peft_networks.py).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::checkpoint::Weights;
use promptshift::layers::HeadForm;
use promptshift::network::Kind;
use promptshift::recipe::{Defaults, DeltaRecipe, Method, Recipe};
use promptshift::tuning::saved::{AdapterFile, Format, PromptFile};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::every_method::Ground;
use crate::parity::golden;
use crate::peft::{Golden, assert_shown};

const NETWORKS: [&str; 6] = [
    "llama_tiny",
    "gpt2_tiny",
    "bert_tiny",
    "roberta_tiny",
    "distilbert_tiny",
    "modernbert_tiny",
];

fn load(network: &str) -> Backbone {
    let choice = BackboneChoice::Folder(golden(network));
    choice
        .load(&Device::flex())
        .expect("a committed checkpoint")
}

fn folder(network: &str) -> PathBuf {
    golden(&format!("peft_{network}"))
}

fn trained(network: &str) -> Golden {
    Golden::named(&folder(network), "adapters", load(network), Vec::new())
}

/// `make_peft_networks.py check` shows that PEFT reads the committed exports and gives the same outputs.
#[test]
fn adapters_trained_by_peft_give_pefts_outputs_and_are_exported_again() {
    let out = tempfile::tempdir().expect("a temporary folder");
    for network in NETWORKS {
        let (golden, out) = (trained(network), out.path().join(network));
        std::fs::create_dir(&out).expect("a new folder");
        golden.round_trips(&out);
    }
    if let Some(kept) = std::env::var_os("PROMPTSHIFT_PEFT_OUT") {
        std::fs::rename(out.path(), kept).expect("a new name");
        return;
    }
    for network in NETWORKS {
        let shown = folder(network).join("exported");
        assert_shown(
            &trained(network).methods(),
            &out.path().join(network),
            &shown,
        );
    }
}

/// The methods that both promptshift and PEFT have on this network, with non-initial values.
fn tuned_here(network: &str) -> Vec<(&'static str, Method, Option<HeadForm>)> {
    match network {
        "llama_tiny" => vec![
            ("own_lora", Method::Lora, None),
            ("own_dora", Method::Dora, None),
            ("own_vera", Method::Vera, None),
            ("own_ia3", Method::Ia3, None),
            ("own_prompt", Method::Prompt, None),
        ],
        "gpt2_tiny" => vec![
            ("own_lora", Method::Lora, None),
            ("own_dora", Method::Dora, None),
            ("own_ia3", Method::Ia3, None),
            ("own_prompt", Method::Prompt, None),
        ],
        _ => vec![
            ("own_lora", Method::Lora, Some(HeadForm::Classes(3))),
            ("own_spans", Method::Lora, Some(HeadForm::Span)),
            ("own_ia3", Method::Ia3, Some(HeadForm::Classes(3))),
        ],
    }
}

/// Replaces the values in a file that promptshift saved by a pattern that rounding does not change.
fn filled(path: &Path) {
    let bytes = std::fs::read(path).expect("saved");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    let entries = header.metadata().clone().unwrap_or_default();
    let mut weights = Weights::empty("");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut tensors = file.tensors();
    tensors.sort_by(|one, other| one.0.cmp(&other.0));
    for (at, (name, view)) in tensors.into_iter().enumerate() {
        let count: usize = view.shape().iter().product();
        // Values that are never 0 for scales and magnitudes.
        let middle = match name {
            _ if name.contains("_scale") => 1.0,
            _ if name.contains("magnitude") => 1.5,
            _ => 0.0,
        };
        let value = |i: usize| middle + ((i * 37 + at * 53 + 11) % 97) as f32 / 128.0 - 0.375;
        weights.put(
            &name,
            view.shape().to_vec(),
            (0..count).map(value).collect(),
        );
    }
    let mut entries: BTreeMap<String, String> = entries.into_iter().collect();
    // The seal of the previous values.
    entries.remove("sha256");
    std::fs::write(path, weights.to_bytes(entries)).expect("written");
}

/// Saves a tuned result and exports it.
fn export(
    backbone: &Backbone,
    name: &str,
    method: Method,
    head: Option<HeadForm>,
    out: &Path,
) -> PathBuf {
    let defaults = match backbone.config.kind() {
        Kind::Bert => Defaults::Encoder,
        _ => Defaults::DecoderOnly,
    };
    let mut recipe = Recipe {
        head,
        ..Recipe::default_for(defaults, method)
    };
    if let Some(prompt) = &mut recipe.prompt {
        prompt.length = 4;
    }
    if let DeltaRecipe::Vera(vera) = &mut recipe.delta {
        vera.rank = 8;
    }
    let ground = Ground::of(backbone.clone());
    let tuned = ground.apply(&recipe).into_inference();
    let own = out.join(format!("of_{name}"));
    std::fs::create_dir(&own).expect("a new folder");
    let saved = own.join(ground.save(&tuned, method, &recipe, &own).file);
    filled(&saved);
    let exported = out.join(name);
    match method {
        Method::Prompt => {
            let prompt = PromptFile::open(&saved).expect("ours");
            assert_eq!(prompt.kind(), Some(Kind::DecoderOnly));
            let format = Format::Peft(Kind::DecoderOnly);
            prompt.export(format, &exported).expect("PEFT has it");
        }
        _ => {
            let adapter = AdapterFile::open(&saved).expect("ours");
            adapter.export(backbone, &exported).expect("PEFT has it");
        }
    }
    saved
}

/// `make_peft_networks.py own` wrote PEFT's outputs for the committed exports. GPT-2's queries and values have
/// separate `A` matrices here, and one pair in PEFT; DoRA leaves its keys as they are.
#[test]
fn exported_results_give_the_same_outputs_in_peft() {
    let kept = std::env::var_os("PROMPTSHIFT_PEFT_OWN");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    for network in NETWORKS {
        let (backbone, out) = (load(network), temporary.path().join(network));
        std::fs::create_dir(&out).expect("a new folder");
        let mut saved = Vec::new();
        for (name, method, head) in tuned_here(network) {
            saved.push((name, export(&backbone, name, method, head, &out)));
        }
        if kept.is_some() {
            continue;
        }
        let golden = Golden::named(&folder(network), "own", backbone, Vec::new());
        for (name, saved) in &saved {
            golden.assert_as_in_peft(name, saved);
            golden.assert_as_in_peft(name, &out.join(name));
        }
        assert_shown(&golden.methods(), &out, &folder(network).join("exported"));
    }
    if let Some(kept) = kept {
        std::fs::rename(temporary.path(), kept).expect("a new name");
    }
}

/// A copy of PEFT's folder with keys of its configuration set.
fn copy(network: &str, name: &str, keys: &[(&str, Value)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    let from = folder(network).join(name);
    let tensors = "adapter_model.safetensors";
    std::fs::copy(from.join(tensors), copy.path().join(tensors)).expect("copied");
    let text = std::fs::read_to_string(from.join("adapter_config.json")).expect("a script's");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    for (key, value) in keys {
        config[*key] = value.clone();
    }
    std::fs::write(copy.path().join("adapter_config.json"), config.to_string()).expect("written");
    copy
}

#[test]
fn ranks_and_blocks_are_read_from_the_tensors() {
    let backbone = load("llama_tiny");
    let theirs = folder("llama_tiny").join("lora_partial");
    let bytes = AdapterFile::open(&theirs).and_then(|file| file.adopt(&backbone));
    let bytes = bytes.expect("it fits");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    let delta = header.metadata().as_ref().expect("ours")["delta"].clone();
    let DeltaRecipe::Lora(recipe) = serde_json::from_str(&delta).expect("a recipe") else {
        panic!("LoRA");
    };
    // Seven maps per block; the first block has none.
    let ranks = [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 3, 0, 0, 2];
    assert_eq!(recipe.ranks, ranks);
    // The first pair has alpha 5 by its pattern.
    assert_eq!((recipe.rank, recipe.alpha), (4, 5.0));
    let whole = folder("llama_tiny").join("lora");
    let bytes = AdapterFile::open(&whole).and_then(|file| file.adopt(&backbone));
    let (_, header) = SafeTensors::read_metadata(bytes.as_ref().expect("it fits")).expect("ours");
    let delta = header.metadata().as_ref().expect("ours")["delta"].clone();
    assert_eq!(delta, r#"{"lora":{"rank":4,"alpha":6.0,"maps":["q","v"]}}"#);
}

#[test]
fn adapters_for_another_network_are_refused_with_a_reason() {
    let [llama, gpt2, bert, _, distilbert, modernbert] = NETWORKS.map(load);
    let open = |path: &Path, backbone: &Backbone| match AdapterFile::open(path) {
        Ok(file) => file.onto(backbone).map(|_| ()),
        Err(error) => Err(error),
    };
    for (network, name, keys, backbone, words) in [
        (
            "llama_tiny",
            "lora",
            json!({}),
            &bert,
            "task_type SEQ_CLS or QUESTION_ANS, as 'bert_tiny' is a BERT",
        ),
        (
            "bert_tiny",
            "lora",
            json!({}),
            &llama,
            "found task_type SEQ_CLS",
        ),
        (
            "llama_tiny",
            "lora",
            json!({}),
            &gpt2,
            "pairs of lora_A and lora_B for linear layers",
        ),
        (
            "gpt2_tiny",
            "lora",
            json!({}),
            &llama,
            "found 'base_model.model.transformer.h.0.attn.c_attn.lora_A",
        ),
        // Without a task and without a head in the tensors.
        (
            "llama_tiny",
            "lora",
            json!({"task_type": null}),
            &bert,
            "classifier.weight' [outputs, D]",
        ),
        (
            "bert_tiny",
            "lora",
            json!({"task_type": "QUESTION_ANS"}),
            &bert,
            "drops token_type_ids",
        ),
        // A classifier of two classes, or a head of spans.
        (
            "modernbert_tiny",
            "lora",
            json!({"task_type": null}),
            &modernbert,
            "task_type SEQ_CLS or QUESTION_ANS",
        ),
        // A new classifier's first map, which PEFT does not save by itself.
        (
            "bert_tiny",
            "lora",
            json!({}),
            &distilbert,
            "the whole head that was trained with it, of a DistilBERT",
        ),
        (
            "llama_tiny",
            "ia3",
            json!({"target_modules": ["q_proj"]}),
            &llama,
            "q_proj.ia3_l', as target_modules says",
        ),
        (
            "llama_tiny",
            "lora",
            json!({"modules_to_save": ["lm_head"]}),
            &llama,
            "modules_to_save lm_head",
        ),
        (
            "llama_tiny",
            "lora",
            json!({"use_dora": true}),
            &llama,
            "lora_magnitude_vector' beside",
        ),
        (
            "llama_tiny",
            "lora",
            json!({"bias": "lora_only"}),
            &llama,
            "found bias lora_only",
        ),
        (
            "llama_tiny",
            "prompt",
            json!({"peft_type": "PREFIX_TUNING"}),
            &llama,
            "its prefix takes the first positions in PEFT",
        ),
    ] {
        let keys: Vec<(&str, Value)> = (keys.as_object().expect("keys").iter())
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        let copy = copy(network, name, &keys);
        let text = open(copy.path(), backbone).expect_err(words).to_string();
        assert!(text.contains("wanted") && text.contains(words), "{text}");
    }
    let prompt = PromptFile::open(&folder("llama_tiny").join("prompt")).expect("PEFT's");
    let text = prompt.onto(&bert).expect_err("a BERT").to_string();
    assert!(text.contains("shifts every token's position"), "{text}");
    let text = prompt.adopt(&gpt2).expect_err("another width").to_string();
    assert!(
        text.contains("32 wide") && text.contains("'gpt2_tiny' 24"),
        "{text}"
    );
}

/// An embedding that PEFT saved with an adapter is accepted only if it equals the model's.
#[test]
fn weights_of_another_backbone_are_refused() {
    let backbone = load("llama_tiny");
    let theirs = |name: &str, change: f32| {
        let copy = copy("llama_tiny", "lora", &[]);
        let path = copy.path().join("adapter_model.safetensors");
        let mut weights = Weights::read(&path).expect("safetensors");
        let bytes = std::fs::read(golden("llama_tiny/model.safetensors")).expect("a script's");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let view = file.tensor("model.embed_tokens.weight").expect("it");
        let values = view.data().chunks_exact(4);
        let mut values: Vec<f32> = values
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        values[7] += change;
        weights.put(
            &format!("base_model.model.{name}"),
            view.shape().to_vec(),
            values,
        );
        std::fs::write(&path, weights.to_bytes(BTreeMap::new())).expect("written");
        AdapterFile::open(copy.path()).and_then(|file| file.onto(&backbone).map(|_| ()))
    };
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        theirs(name, 0.0).expect("the model's own");
        let text = theirs(name, 0.5).expect_err("another").to_string();
        assert!(
            text.contains("'llama_tiny'") && text.contains(name),
            "{text}"
        );
    }
}

#[test]
fn results_that_peft_cannot_represent_are_refused_by_name() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let [llama, gpt2, bert, ..] = NETWORKS.map(load);
    for (backbone, method, head, found) in [
        (
            &llama,
            Method::Prefix,
            None,
            "prefix tuning of a decoder-only model: its prefix",
        ),
        (
            &gpt2,
            Method::Vera,
            None,
            "VeRA of single maps of 'transformer.h.0.attn.c_attn'",
        ),
        (&llama, Method::Pfeiffer, None, "found an adapter"),
        (
            &bert,
            Method::Prompt,
            Some(HeadForm::Classes(2)),
            "shifts every token's position",
        ),
        (
            &bert,
            Method::Bitfit,
            Some(HeadForm::Classes(2)),
            "found BitFit",
        ),
    ] {
        let defaults = match backbone.config.kind() {
            Kind::Bert => Defaults::Encoder,
            _ => Defaults::DecoderOnly,
        };
        let mut recipe = Recipe {
            head,
            ..Recipe::default_for(defaults, method)
        };
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = 3;
        }
        let ground = Ground::of(backbone.clone());
        let tuned = ground.apply(&recipe).into_inference();
        let own = temporary.path().join(method.name());
        std::fs::create_dir_all(&own).expect("a folder");
        let saved = own.join(ground.save(&tuned, method, &recipe, &own).file);
        let adapter = AdapterFile::open(&saved).expect("ours");
        let refused = adapter.export(backbone, &own.join("peft"));
        let text = refused.expect_err("PEFT has none").to_string();
        assert!(
            text.contains("lora, dora, vera, ia3 or prefix-decoder") && text.contains(found),
            "{text}"
        );
    }
}
