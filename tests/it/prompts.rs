//! Soft prompts to and from PEFT, against PEFT's own outputs on the tiny random checkpoint
//! (tests/golden/make_peft.py).

use std::path::Path;

use promptshift::layers::{Dropout, Tokens};
use promptshift::network::{Encoded, Kind};
use promptshift::t5::T5;
use promptshift::tuning::Tuned;
use promptshift::tuning::saved::{Format, PromptFile};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::parity::{golden, tiny};

fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(golden(name)).expect("a committed file");
    serde_json::from_str(&text).expect("JSON")
}

/// Token ids of the T5 references.
fn ids(name: &str) -> Vec<Vec<u32>> {
    let value = json("t5_v1_1_tiny/reference.json")[name].clone();
    serde_json::from_value(value).expect(name)
}

fn encoded(tuned: &Tuned) -> Encoded {
    tuned.encode(&Tokens::padded(&ids("input_ids"), 0), &mut Dropout::off())
}

fn behind(model: T5, path: &Path) -> Tuned {
    let prompt = PromptFile::open(path).expect("a prompt");
    Tuned::prompted(model.into(), &prompt.vectors)
}

/// Asserts that logits, greedy outputs and their log-probabilities with a prompt agree with PEFT.
fn assert_as_in_peft(path: &Path) {
    let (config, model) = tiny();
    let tuned = behind(model, path);
    let encoded = encoded(&tuned);
    let targets = Tokens::padded(&ids("targets"), 0);
    let logits = tuned.backbone.logits(&encoded, &targets);
    let ours: Vec<f32> = logits.into_data().try_to_vec().expect("f32");
    let bytes = std::fs::read(golden("peft_tiny/reference.safetensors")).expect("committed");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let theirs = file.tensor("logits").expect("its only tensor").data();
    let theirs: Vec<f32> = theirs
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    assert_eq!(ours.len(), theirs.len());
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let close = (ours - theirs).abs() <= 1e-4 * theirs.abs().max(1.0);
        assert!(close, "logit {i}: ours {ours}, PEFT's {theirs}");
    }
    let reference = json("peft_tiny/reference.json");
    let outputs = tuned
        .backbone
        .generate(&encoded, &[config.eos_token_id], 16);
    let wanted: Vec<Vec<u32>> = serde_json::from_value(reference["greedy"].clone()).expect("ids");
    let found: Vec<Vec<u32>> = outputs.iter().map(|output| output.ids.clone()).collect();
    assert_eq!(found, wanted);
    let wanted: Vec<f64> =
        serde_json::from_value(reference["greedy_logprob"].clone()).expect("floats");
    for (output, wanted) in outputs.iter().zip(wanted) {
        let difference = (output.log_prob - wanted).abs();
        assert!(
            difference <= 1e-4 * wanted.abs().max(1.0),
            "{} {wanted}",
            output.log_prob
        );
    }
}

/// PEFT's prompt has eight rows, of which it uses four.
#[test]
fn a_prompt_that_peft_trained_gives_pefts_outputs() {
    let path = golden("peft_tiny/trained");
    let prompt = PromptFile::open(&path).expect("PEFT's");
    assert_eq!((prompt.vectors.length(), prompt.vectors.width()), (4, 32));
    assert_as_in_peft(&path);
}

/// `make_peft.py check` shows that PEFT and NumPy read these files and give the same outputs.
#[test]
fn exports_equal_those_checked_with_peft() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prompt = PromptFile::open(&golden("peft_tiny/trained")).expect("PEFT's");
    let (peft, npy) = (folder.path().join("peft"), folder.path().join("prompt.npy"));
    (prompt.export(Format::Peft(Kind::T5), &peft)).expect("written");
    prompt.export(Format::Npy, &npy).expect("written");
    for (made, shown) in [
        (
            peft.join("adapter_config.json"),
            "exported/adapter_config.json",
        ),
        (
            peft.join("adapter_model.safetensors"),
            "exported/adapter_model.safetensors",
        ),
        (npy.clone(), "exported.npy"),
    ] {
        let shown = std::fs::read(golden("peft_tiny").join(shown)).expect("committed");
        let made = std::fs::read(&made).expect("written");
        assert_eq!(made, shown, "export again, see tests/golden/README.md");
    }
    assert_as_in_peft(&peft);
    assert_as_in_peft(&npy);
}
