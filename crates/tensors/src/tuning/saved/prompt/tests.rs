use std::fs;

use burn::tensor::Device;

use super::*;
use crate::backbone::BackboneChoice;
use crate::network::Kind;
use promptshift_numbers::recipe::FrozenWeights;

fn nano() -> Backbone {
    BackboneChoice::Nano
        .load(&Device::flex())
        .expect("it is compiled in")
}

fn vectors(rows: usize, width: usize) -> Vectors {
    let values = (0..rows * width).map(|v| (v % 97) as f32 / 16.0).collect();
    Vectors::new(&[rows, width], values, Path::new("")).expect("finite")
}

/// The metadata of a prompt tuned on squad for `backbone`.
fn metadata(backbone: &Backbone) -> Metadata {
    Metadata {
        version: "0.1.0".to_string(),
        backbone: backbone.name.clone(),
        backbone_sha256: backbone.model_sha256.clone(),
        tokenizer_sha256: backbone.tokenizer_sha256.clone(),
        network: Some(Kind::T5),
        made: Made::Tuned {
            method: "prompt".to_string(),
            source: "squad".to_string(),
            seed: "3".to_string(),
            recipe: "{}".to_string(),
            wording: Box::default(),
            longest_input: Some(315),
            frozen_weights: FrozenWeights::Bf16,
        },
    }
}

fn refused(path: &Path) -> String {
    PromptFile::open(path)
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn a_prompt_goes_through_every_format_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backbone = nano();
    let prompt = vectors(4, backbone.config.width());
    let own = folder.path().join(FILE);
    fs::write(&own, to_bytes(&prompt, &metadata(&backbone))).expect("written");
    let read = PromptFile::open(&own).expect("ours");
    assert_eq!(read.vectors, prompt);
    assert_eq!(read.origin, Origin::Own(metadata(&backbone)));
    assert_eq!(read.origin.source(), Some("squad"));
    let by_folder = PromptFile::open(folder.path()).expect("a record's folder");
    assert_eq!(by_folder, read);
    for (format, name) in [(Format::Npy, "p.npy"), (Format::Peft(Kind::T5), "peft")] {
        let out = folder.path().join(name);
        read.export(format, &out).expect("written");
        let exported = PromptFile::open(&out).expect("ours");
        assert_eq!(exported.vectors, prompt);
        let tuned = exported.onto(&backbone).expect("it fits");
        assert_eq!(tuned.vectors().expect("a prompt"), prompt);
        let metadata = exported.adopt(&backbone).expect("it fits");
        let again = folder.path().join(format!("{name}.safetensors"));
        fs::write(&again, to_bytes(&exported.vectors, &metadata)).expect("written");
        let again = PromptFile::open(&again).expect("ours");
        assert_eq!(
            (&again.vectors, &again.origin),
            (&prompt, &Origin::Own(metadata))
        );
        assert_eq!(again.origin.source(), None);
        assert!(again.onto(&backbone).is_ok());
        assert!(
            again.adopt(&backbone).is_err(),
            "it is promptshift's own already"
        );
        assert!(exported.export(format, &out).is_err(), "never overwritten");
    }
}

#[test]
fn a_prompt_for_peft_is_of_its_networks_task() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backbone = nano();
    let out = |name: &str| folder.path().join(name);
    fs::write(
        out("p.npy"),
        npy::to_bytes(&vectors(2, backbone.config.width())),
    )
    .expect("written");
    let plain = PromptFile::open(&out("p.npy")).expect("a matrix");
    assert_eq!(plain.kind(), None);
    let causal = Format::Peft(Kind::DecoderOnly);
    plain.export(causal, &out("causal")).expect("written");
    let causal = PromptFile::open(&out("causal")).expect("ours");
    assert_eq!(causal.kind(), Some(Kind::DecoderOnly));
    let text = causal.onto(&backbone).expect_err("no T5's").to_string();
    for part in [
        "task_type SEQ_2_SEQ_LM, as 'nano' is a T5",
        "found task_type CAUSAL_LM",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let text = plain.export(Format::Peft(Kind::Bert), &out("bert"));
    assert!(text.expect_err("no BERT's").to_string().contains(NO_BERT));
    fs::write(out(FILE), to_bytes(&plain.vectors, &metadata(&backbone))).expect("written");
    let own = PromptFile::open(&out(FILE)).expect("ours");
    assert_eq!(own.kind(), Some(Kind::T5));
    let text = own.export(Format::Peft(Kind::DecoderOnly), &out("other"));
    assert!(
        text.expect_err("a T5's")
            .to_string()
            .contains("found one for a T5")
    );
}

#[test]
fn another_backbone_is_refused_with_both_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backbone = nano();
    let prompt = vectors(2, backbone.config.width());
    let path = folder.path().join(FILE);
    let refused_as = |metadata: Metadata| {
        fs::write(&path, to_bytes(&prompt, &metadata)).expect("written");
        let read = PromptFile::open(&path).expect("readable");
        read.onto(&backbone)
            .expect_err("must be refused")
            .to_string()
    };
    let mut other = metadata(&backbone);
    other.backbone = "t5-base".to_string();
    other.backbone_sha256 = "00ff".repeat(16);
    let text = refused_as(other);
    let own = &backbone.model_sha256[..12];
    for part in ["'t5-base'", "'nano'", "weights 00ff00ff00ff", own] {
        assert!(text.contains(part), "{text} does not name {part}");
    }
    let mut other = metadata(&backbone);
    other.tokenizer_sha256 = "00ff".repeat(16);
    assert!(refused_as(other).contains("tokenizer 00ff00ff00ff"));
    let wide = folder.path().join("wide.npy");
    fs::write(&wide, npy::to_bytes(&vectors(2, 768))).expect("written");
    let wide = PromptFile::open(&wide).expect("readable");
    let text = wide.onto(&backbone).expect_err("too wide").to_string();
    let width = format!("'nano' {}", backbone.config.width());
    assert!(text.contains("768 wide") && text.contains(&width), "{text}");
}

#[test]
fn other_files_than_prompts_are_refused_by_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("prompt");
    for (bytes, found) in [
        (&b"\x80\x04\x95\x10\0\0\0\0\0\0\0"[..], "a pickle"),
        (b"\x80\x02}q\0.", "a pickle"),
        (b"PK\x03\x04 an archive", "a zip archive"),
        (b"", "0 bytes"),
        (b"\x93NUM", "4 bytes"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xffxx", "10 bytes"),
        (b"{\"prompt\": [0.5]}", "17 bytes"),
    ] {
        fs::write(&path, bytes).expect("written");
        let text = refused(&path);
        assert!(text.contains("wanted") && text.contains(found), "{text}");
    }
    assert!(refused(&folder.path().join("absent")).contains("absent"));
    assert!(refused(folder.path()).contains("found prompt"));
    fs::remove_file(&path).expect("removed");
    assert!(refused(folder.path()).contains("an empty folder"));
}

#[test]
fn a_safetensors_file_of_something_else_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("p.safetensors");
    let backbone = nano();
    fs::write(&path, backbone.model.weights().to_bytes(Default::default())).expect("written");
    let text = refused(&path);
    assert!(
        text.contains("one tensor 'prompt'") && text.contains("more"),
        "{text}"
    );
    let prompt = vectors(2, 3);
    let mut entries = metadata(&backbone).entries();
    entries.remove("backbone_sha256");
    fs::write(&path, prompt.weights("prompt").to_bytes(entries)).expect("written");
    assert!(refused(&path).contains("'backbone_sha256'"));
    fs::write(&path, prompt.weights("prompt").to_bytes(Default::default())).expect("written");
    assert!(refused(&path).contains("metadata"));
    let whole = to_bytes(&prompt, &metadata(&backbone));
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("written");
        refused(&path);
    }
}
