//! Adapters and prompts to and from PEFT, against PEFT's own outputs
//! (tests/golden/make_peft_adapters.py).

use std::path::{Path, PathBuf};

use promptshift::backbone::Backbone;
use promptshift::checkpoint::Weights;
use promptshift::layers::{Pass, Tokens};
use promptshift::tuning::Tuned;
use promptshift::tuning::saved::{self, AdapterFile, Format, PromptFile};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::parity::{assert_close, golden, tiny, values};
use crate::tuning::nano;

/// Folders of PEFT for one backbone, with PEFT's outputs for the references' inputs.
pub struct Golden {
    pub folder: PathBuf,
    pub backbone: Backbone,
    json: Value,
    floats: Vec<u8>,
    /// The token that ends an output.
    ends: Vec<u32>,
}

impl Golden {
    fn of(folder: &Path, backbone: Backbone) -> Self {
        Golden::named(folder, "adapters", backbone, vec![1])
    }

    /// The references that a script wrote as `name`.json and `name`.safetensors.
    pub fn named(folder: &Path, name: &str, backbone: Backbone, ends: Vec<u32>) -> Self {
        let read = |ending: &str| {
            std::fs::read(folder.join(format!("{name}.{ending}"))).expect("a script's")
        };
        Golden {
            folder: folder.to_owned(),
            backbone,
            json: serde_json::from_slice(&read("json")).expect("JSON"),
            floats: read("safetensors"),
            ends,
        }
    }

    /// The committed references on the tiny random T5, which has no tokenizer: the tests use no text.
    fn tiny() -> Self {
        let folder = golden("peft_tiny");
        let (config, model) = tiny();
        let backbone = Backbone {
            name: "t5_v1_1_tiny".to_string(),
            config: config.into(),
            model: model.into(),
            ..nano()
        };
        Golden::of(&folder, backbone)
    }

    pub fn methods(&self) -> Vec<String> {
        let methods = self.json["methods"].as_object().expect("by name");
        methods.keys().cloned().collect()
    }

    /// The inputs or targets of a method, or those of all of them.
    fn ids(&self, method: &str, [own, of_all]: [&str; 2]) -> Tokens {
        let own = self.json["methods"][method].get(own);
        let rows = own.unwrap_or(&self.json[of_all]).clone();
        let rows: Vec<Vec<u32>> = serde_json::from_value(rows).expect(of_all);
        Tokens::padded(&rows, 0)
    }

    fn logits(&self, name: &str, tuned: &Tuned) -> Vec<f32> {
        let inputs = self.ids(name, ["inputs", "input_ids"]);
        let encoded = tuned.encode(&inputs, &mut Pass::evaluation());
        let targets = self.ids(name, ["targets", "targets"]);
        values(tuned.backbone.logits(&encoded, &targets))
    }

    /// The largest differences of logits and of greedy log-probabilities; greedy outputs are equal.
    fn differences(&self, name: &str, tuned: &Tuned) -> (f32, f64) {
        let inputs = self.ids(name, ["inputs", "input_ids"]);
        let encoded = tuned.encode(&inputs, &mut Pass::evaluation());
        let ours = self.logits(name, tuned);
        let file = SafeTensors::deserialize(&self.floats).expect("safetensors");
        let theirs = file.tensor(name).expect(name).data().chunks_exact(4);
        let theirs = theirs.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let by_logits = (ours.iter().zip(theirs))
            .map(|(ours, theirs)| (ours - theirs).abs() / theirs.abs().max(1.0))
            .fold(0.0, f32::max);
        let wanted = &self.json["methods"][name];
        let limit = self.json["max_new_tokens"].as_u64().expect("a count") as usize;
        let outputs = tuned.backbone.generate(&encoded, &self.ends, limit);
        let ids: Vec<Vec<u32>> = outputs.iter().map(|output| output.ids.clone()).collect();
        let wanted_ids: Vec<Vec<u32>> =
            serde_json::from_value(wanted["greedy"].clone()).expect("ids");
        assert_eq!(ids, wanted_ids, "{name}");
        let logprobs: Vec<f64> =
            serde_json::from_value(wanted["greedy_logprob"].clone()).expect("floats");
        let by_logprob = (outputs.iter().zip(logprobs))
            .map(|(output, wanted)| (output.log_prob - wanted).abs() / wanted.abs().max(1.0))
            .fold(0.0, f64::max);
        (by_logits, by_logprob)
    }

    /// Asserts that the result at `path`, from either program, gives PEFT's outputs.
    pub fn assert_as_in_peft(&self, name: &str, path: &Path) {
        let tuned = match is_prompt(name) {
            true => PromptFile::open(path).and_then(|file| file.onto(&self.backbone)),
            false => AdapterFile::open(path).and_then(|file| file.onto(&self.backbone)),
        };
        let (by_logits, by_logprob) = self.differences(name, &tuned.expect(name));
        println!("{name}: logits {by_logits:.1e}, log-probabilities {by_logprob:.1e}");
        assert!(by_logits <= 1e-4, "{name}: {by_logits}");
        assert!(by_logprob <= 1e-4, "{name}: {by_logprob}");
    }

    /// Imports every folder of PEFT, exports it again into `out`, and compares all of them.
    pub fn round_trips(&self, out: &Path) {
        let imported = tempfile::tempdir().expect("a temporary folder");
        for name in self.methods() {
            let theirs = self.folder.join(&name);
            let own = imported.path().join(format!("{name}.safetensors"));
            let exported = out.join(&name);
            self.assert_as_in_peft(&name, &theirs);
            if is_prompt(&name) {
                let prompt = PromptFile::open(&theirs).expect("PEFT's");
                let metadata = prompt.adopt(&self.backbone).expect("it fits");
                std::fs::write(&own, saved::prompt_bytes(&prompt.vectors, &metadata))
                    .expect("written");
                self.assert_as_in_peft(&name, &own);
                let own = PromptFile::open(&own).expect("ours");
                let kind = own.kind().expect("it was imported for one");
                own.export(Format::Peft(kind), &exported).expect("written");
            } else {
                let adapter = AdapterFile::open(&theirs).expect("PEFT's");
                let bytes = adapter.adopt(&self.backbone).expect("it fits");
                std::fs::write(&own, bytes).expect("written");
                self.assert_as_in_peft(&name, &own);
                let own = AdapterFile::open(&own).expect("ours");
                own.export(&self.backbone, &exported).expect("written");
            }
            self.assert_as_in_peft(&name, &exported);
        }
    }
}

fn is_prompt(name: &str) -> bool {
    name.ends_with("prompt") || name == "ptuning"
}

/// Asserts that every export in `out` equals the one checked with PEFT, byte for byte.
pub fn assert_shown(names: &[String], out: &Path, shown: &Path) {
    for name in names {
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let shown = std::fs::read(shown.join(name).join(file)).unwrap_or_default();
            let made = std::fs::read(out.join(name).join(file)).expect("written");
            assert!(
                made == shown,
                "{name}: export again, see tests/golden/README.md"
            );
        }
    }
}

/// `make_peft_adapters.py check` shows that PEFT reads the committed exports and gives the same outputs.
#[test]
fn adapters_trained_by_peft_give_pefts_outputs_and_are_exported_again() {
    let golden = Golden::tiny();
    let out = tempfile::tempdir().expect("a temporary folder");
    golden.round_trips(out.path());
    if let Some(kept) = std::env::var_os("PROMPTSHIFT_PEFT_OUT") {
        std::fs::rename(out.path(), kept).expect("a new name");
        return;
    }
    let shown = golden.folder.join("exported_adapters");
    assert_shown(&golden.methods(), out.path(), &shown);
}

#[test]
#[ignore = "wants PROMPTSHIFT_PEFT_NANO, the folder that tests/golden/make_peft_adapters.py nano wrote"]
fn adapters_trained_by_peft_on_the_miniature_give_pefts_outputs() {
    let folder = std::env::var_os("PROMPTSHIFT_PEFT_NANO").expect("PROMPTSHIFT_PEFT_NANO");
    let golden = Golden::of(Path::new(&folder), nano());
    let out = golden.folder.join("exported_adapters");
    std::fs::create_dir(&out).expect("not there yet");
    golden.round_trips(&out);
}

/// A copy of a PEFT folder that can be edited.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(golden: &Golden, name: &str) -> Self {
        let copy = tempfile::tempdir().expect("a temporary folder");
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            std::fs::copy(golden.folder.join(name).join(file), copy.path().join(file))
                .expect("copied");
        }
        Copy(copy)
    }

    fn set(&self, key: &str, value: Value) -> &Self {
        let path = self.0.path().join("adapter_config.json");
        let text = std::fs::read_to_string(&path).expect("written");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config[key] = value;
        std::fs::write(&path, config.to_string()).expect("written");
        self
    }

    /// Names one tensor differently.
    fn rename(&self, from: &str, to: &str) -> &Self {
        self.edit(|name, values| {
            let name = if name == from { to } else { name };
            Some((name.to_string(), values))
        })
    }

    /// Changes or removes tensors.
    fn edit(&self, change: impl Fn(&str, Vec<f32>) -> Option<(String, Vec<f32>)>) -> &Self {
        let path = self.0.path().join("adapter_model.safetensors");
        let bytes = std::fs::read(&path).expect("copied");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut weights = Weights::empty("");
        for (name, view) in file.tensors() {
            let values = view.data().chunks_exact(4);
            let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            if let Some((name, values)) = change(&name, values.collect()) {
                weights.put(&name, view.shape().to_vec(), values);
            }
        }
        std::fs::write(&path, weights.to_bytes(Default::default())).expect("written");
        self
    }

    fn refused(&self, golden: &Golden) -> String {
        let opened = AdapterFile::open(self.0.path());
        match opened.and_then(|file| file.onto(&golden.backbone)) {
            Ok(_) => panic!("must be refused"),
            Err(error) => error.to_string(),
        }
    }
}

/// LoRA on the decoder only, selected by a regular expression, does nothing in the encoder.
#[test]
fn lora_on_one_stack_does_nothing_on_the_other() {
    let golden = Golden::tiny();
    let [alone, zero] = [(); 2].map(|()| Copy::of(&golden, "lora"));
    let is_encoders = |name: &str| name.starts_with("base_model.model.encoder.");
    alone.set("target_modules", r"decoder.*\.(q|v|o|wi_0|wo)$".into());
    alone.edit(|name, values| (!is_encoders(name)).then(|| (name.to_string(), values)));
    zero.edit(
        |name, values| match is_encoders(name) && name.contains("lora_B") {
            true => Some((name.to_string(), vec![0.0; values.len()])),
            false => Some((name.to_string(), values)),
        },
    );
    let outputs = |copy: &Copy| {
        let adapter = AdapterFile::open(copy.0.path()).expect("PEFT's");
        let tuned = adapter.onto(&golden.backbone).expect("it fits");
        golden.logits("lora", &tuned)
    };
    assert_close("logits", &outputs(&alone), &outputs(&zero), 1e-6);
    // After saving and exporting it is still on the decoder only.
    let adapter = AdapterFile::open(alone.0.path()).expect("PEFT's");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [own, out] = ["own.safetensors", "out"].map(|name| folder.path().join(name));
    std::fs::write(&own, adapter.adopt(&golden.backbone).expect("it fits")).expect("written");
    let own = AdapterFile::open(&own).expect("ours");
    own.export(&golden.backbone, &out).expect("PEFT has it");
    let names = |folder: &Path| -> Vec<String> {
        let bytes = std::fs::read(folder.join("adapter_model.safetensors")).expect("written");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut names: Vec<String> = file.names().into_iter().map(str::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&out), names(alone.0.path()));
    assert!(names(&out).iter().all(|name| !is_encoders(name)));
    let again = AdapterFile::open(&out).and_then(|file| file.onto(&golden.backbone));
    let again = golden.logits("lora", &again.expect("it fits"));
    assert_close("logits", &again, &outputs(&alone), 1e-6);
}

#[test]
fn unsupported_adapters_are_refused_with_a_reason() {
    let golden = Golden::tiny();
    for (name, key, value, words) in [
        // Magnitudes that are missing, or that nothing says are there.
        (
            "lora",
            "use_dora",
            Value::Bool(true),
            "lora_magnitude_vector' beside",
        ),
        (
            "dora",
            "use_dora",
            Value::Bool(false),
            "k.lora_magnitude_vector'",
        ),
        ("vera", "r", 4.into(), "vera_lambda_d' [4], found [8]"),
        (
            "vera",
            "projection_prng_key",
            (-1).into(),
            "projection_prng_key, an integer of at least 0, found -1",
        ),
        ("vera", "bias", "vera_only".into(), "bias vera_only"),
        (
            "vera_unsaved",
            "save_projection",
            Value::Bool(true),
            "'base_model.vera_A' and 'base_model.vera_B', as save_projection says",
        ),
        // The pattern selects tensors that are missing.
        (
            "lora",
            "rank_pattern",
            serde_json::json!({"q": 2}),
            "lora_A.weight' [2, 32], found [4, 32]",
        ),
        (
            "lora",
            "rank_pattern",
            serde_json::json!({"q": 0}),
            "in rank_pattern, found 0",
        ),
        (
            "lora",
            "alpha_pattern",
            serde_json::json!({"q": 2, "SelfAttention.q": 3}),
            "in alpha_pattern, found ",
        ),
        (
            "lora",
            "alpha_pattern",
            serde_json::json!({"(": 2}),
            "regular expressions in alpha_pattern",
        ),
        ("lora", "bias", "all".into(), "bias all"),
        ("lora", "modules_to_save", vec!["lm_head"].into(), "lm_head"),
        ("lora", "init_lora_weights", "pissa".into(), "pissa"),
        ("lora", "r", 8.into(), "[8, 32]"),
        ("lora", "r", 0.into(), "r of at least 1"),
        (
            "lora",
            "lora_alpha",
            "six".into(),
            "lora_alpha, a number, found six",
        ),
        ("lora", "peft_type", "LOHA".into(), "peft_type LOHA"),
        ("lora", "task_type", "CAUSAL_LM".into(), "CAUSAL_LM"),
        ("ia3", "modules_to_save", vec!["lm_head"].into(), "lm_head"),
        (
            "prefix_odd",
            "num_layers",
            2.into(),
            "num_layers of at least 3",
        ),
        ("prefix_odd", "num_layers", 4.into(), "[4, 192]"),
        ("prefix_odd", "token_dim", 32.into(), "token_dim 24"),
        (
            "prefix_odd",
            "num_attention_heads",
            4.into(),
            "num_attention_heads 3",
        ),
        (
            "prefix_odd",
            "num_transformer_submodules",
            1.into(),
            "submodules 2",
        ),
        ("prefix_odd", "num_virtual_tokens", 5.into(), "[5, 144]"),
    ] {
        let text = Copy::of(&golden, name).set(key, value).refused(&golden);
        assert!(text.contains("wanted") && text.contains(words), "{text}");
    }
    let root = "base_model.model.decoder.block.1.layer";
    for (name, from, to, words) in [
        (
            "lora",
            format!("{root}.0.SelfAttention.q.lora_A.weight"),
            "base_model.model.lm_head.lora_A.weight",
            "SelfAttention.q.lora_A.weight' beside",
        ),
        (
            "vera",
            format!("{root}.0.SelfAttention.q.vera_lambda_b"),
            "base_model.model.lm_head.vera_lambda_b",
            "SelfAttention.q.vera_lambda_b' beside",
        ),
        (
            "vera",
            "base_model.vera_B".to_string(),
            "base_model.vera_C",
            "'base_model.vera_B' beside 'base_model.vera_A'",
        ),
        (
            "ia3",
            format!("{root}.1.EncDecAttention.k.ia3_l"),
            "base_model.model.decoder.block.1.layer.1.EncDecAttention.q.ia3_l",
            "EncDecAttention.k.ia3_l', as target_modules says",
        ),
    ] {
        let text = Copy::of(&golden, name).rename(&from, to).refused(&golden);
        assert!(text.contains(words), "{text}");
    }
    // Other modules: the queries of one attention only, and one that is not a linear map of a block.
    let half = Copy::of(&golden, "lora");
    for factor in ["lora_A", "lora_B"] {
        half.rename(
            &format!("{root}.0.SelfAttention.q.{factor}.weight"),
            &format!("base_model.model.lm_head.{factor}.weight"),
        );
    }
    assert!(half.refused(&golden).contains("as target_modules says"));
    // A list of targets that does not determine the modules relies on the tensors, which match none.
    half.set("layers_to_transform", vec![0].into());
    let text = half.refused(&golden);
    assert!(
        text.contains("found 'base_model.model.lm_head.lora_A"),
        "{text}"
    );
    let prompt = AdapterFile::open(&golden.folder.join("ptuning")).expect_err("a prompt");
    assert!(
        prompt.to_string().contains("found peft_type P_TUNING"),
        "{prompt}"
    );
}

/// The recipe of what an adapter becomes when it is imported.
fn imported(golden: &Golden, adapter: &Path) -> String {
    let bytes = AdapterFile::open(adapter).and_then(|file| file.adopt(&golden.backbone));
    let bytes = bytes.expect("it fits");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors");
    header.metadata().as_ref().expect("ours")["delta"].clone()
}

/// VeRA's projections are not stored: the key draws them. Those that it does not draw are multiplied into a LoRA.
#[test]
fn vera_is_read_as_vera_if_its_key_draws_its_projections() {
    let golden = Golden::tiny();
    let whole = imported(&golden, &golden.folder.join("vera"));
    assert_eq!(
        whole,
        r#"{"vera":{"rank":8,"maps":["q","v","o","wi_0","wo"],"key":3}}"#
    );
    let unsaved = imported(&golden, &golden.folder.join("vera_unsaved"));
    assert_eq!(unsaved, r#"{"vera":{"rank":8,"maps":["q","v"],"key":0}}"#);
    let outputs = |copy: &Copy| {
        let adapter = AdapterFile::open(copy.0.path()).expect("PEFT's");
        golden.logits("vera", &adapter.onto(&golden.backbone).expect("it fits"))
    };
    let [drawn, rounded] = [(); 2].map(|()| Copy::of(&golden, "vera"));
    rounded.edit(|name, values| {
        let round = |value: f32| f32::from_bits(value.to_bits() & 0xffff_0000);
        match name.starts_with("base_model.vera_") {
            true => Some((name.to_string(), values.into_iter().map(round).collect())),
            false => Some((name.to_string(), values)),
        }
    });
    let delta = imported(&golden, rounded.0.path());
    assert!(
        delta.starts_with(r#"{"lora":{"rank":8,"alpha":8.0,"#),
        "{delta}"
    );
    // Close to the other, but its own.
    let [drawn, rounded] = [drawn, rounded].map(|copy| outputs(&copy));
    assert_close("logits", &drawn, &rounded, 0.2);
    assert!(drawn != rounded);
}

#[test]
fn dora_and_rslora_are_read_as_what_they_are() {
    let golden = Golden::tiny();
    let delta = imported(&golden, &golden.folder.join("dora"));
    assert_eq!(
        delta,
        r#"{"lora":{"rank":4,"alpha":6.0,"maps":["k","v","wo"],"form":"dora"}}"#
    );
    let delta = imported(&golden, &golden.folder.join("lora_stabilised"));
    assert_eq!(
        delta,
        r#"{"lora":{"rank":8,"alpha":8.0,"maps":["q","v"],"scaling":"rslora"}}"#
    );
}

#[test]
fn methods_that_peft_does_not_have_are_refused_by_name() {
    use promptshift::recipe::Method;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (method, words) in [
        (Method::Houlsby, "found an adapter"),
        (Method::Prefix, "but PEFT only has the decoder's"),
        (Method::Norms, "found tuning norm gains"),
    ] {
        let saved = crate::methods::untrained_file(method, &nano(), folder.path());
        let adapter = AdapterFile::open(&saved).expect("ours");
        let refused = adapter.export(&nano(), &folder.path().join("out"));
        let text = refused.expect_err("must be refused").to_string();
        assert!(
            text.contains("lora, dora, vera, ia3 or prefix-decoder") && text.contains(words),
            "{text}"
        );
    }
}
