//! `predict`, `prompt` and `score P.jsonl` on the command line.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

fn promptshift(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder.path());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A bundled parquet file.
fn data(domain: &str) -> String {
    format!(
        "{}/datasets/mini/{domain}/test.parquet",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// Arguments of `predict` on the first rows of a bundled domain, into `p.jsonl`.
fn predict(domain: &str) -> Vec<String> {
    let data = data(domain);
    [
        "predict", "--data", &data, "--domain", domain, "--rows", "6",
    ]
    .map(str::to_string)
    .into_iter()
    .chain(["--out", "p.jsonl"].map(str::to_string))
    .collect()
}

/// The objects of a predictions file.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("written");
    let parse = |line| serde_json::from_str(line).expect("an object a line");
    text.lines().map(parse).collect()
}

/// Files and folders in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("readable");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The bytes of a `.npy` file with this header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let size = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &size[..], header.as_bytes(), data].concat()
}

/// A prompt `[P, D]` as google-research saves one.
fn prompt(rows: usize, width: usize) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}\n");
    let value = |i: usize| ((i % 13) as f32 / 13.0 - 0.5).to_le_bytes();
    npy(
        &header,
        &(0..rows * width).flat_map(value).collect::<Vec<u8>>(),
    )
}

/// `D` of the bundled model.
fn nano_width() -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano/config.json");
    let config: Value =
        serde_json::from_slice(&std::fs::read(path).expect("bundled")).expect("JSON");
    config["d_model"].as_u64().expect("a number") as usize
}

#[test]
fn every_example_has_an_object_and_a_file_is_never_overwritten() {
    let folder = folder();
    let out = folder.path().join("p.jsonl");
    promptshift(&folder)
        .args(predict("squad"))
        .assert()
        .success()
        .stdout("")
        .stderr(contains("6 predictions on squad"));
    let written = lines(&out);
    assert_eq!(written.len(), 6);
    for line in &written {
        let tokens = line["token_ids"].as_array().expect("a list");
        assert_eq!(line["output_tokens"], tokens.len());
        assert_eq!(line["domain"], "squad");
        assert!(line["log_prob"].as_f64().expect("a number") < 0.0);
        assert!(line["input_tokens"].as_u64().expect("a number") > 5);
        assert!(line["score"]["span"]["f1"].is_number());
        assert!(!line["answers"].as_array().expect("a list").is_empty());
        assert!(line["id"].is_string() && line["prediction"].is_string());
        assert!(line.get("tuned_on").is_none());
    }
    let before = std::fs::read(&out).expect("written");
    promptshift(&folder)
        .args(predict("squad"))
        .assert()
        .code(1)
        .stderr(contains("p.jsonl exists already"));
    assert_eq!(std::fs::read(&out).expect("kept"), before);
    assert_eq!(names(folder.path()), ["p.jsonl"]);
    std::fs::remove_file(&out).expect("removed");
    promptshift(&folder)
        .args(predict("squad"))
        .arg("--quiet")
        .assert()
        .success()
        .stderr("");
    assert_eq!(
        std::fs::read(&out).expect("written"),
        before,
        "the same again"
    );
}

#[test]
fn predictions_are_scored_again_without_a_model() {
    let folder = folder();
    for domain in ["squad", "mrpc"] {
        promptshift(&folder)
            .args(predict(domain))
            .assert()
            .success();
        std::fs::rename(folder.path().join("p.jsonl"), folder.path().join(domain))
            .expect("renamed");
    }
    let squad = std::fs::read_to_string(folder.path().join("squad")).expect("written");
    let mrpc = std::fs::read_to_string(folder.path().join("mrpc")).expect("written");
    // One right, five wrong; two files concatenated.
    let mut right: Vec<Value> = lines(&folder.path().join("squad"));
    for (i, line) in right.iter_mut().enumerate() {
        line["prediction"] = match i {
            0 => line["answers"][0].clone(),
            _ => "".into(),
        };
    }
    let right: Vec<String> = right.iter().map(Value::to_string).collect();
    std::fs::write(
        folder.path().join("both"),
        right.join("\n") + "\n\n" + &mrpc,
    )
    .expect("written");
    promptshift(&folder)
        .args(["score", "both"])
        .assert()
        .success()
        .stdout(
            contains("exact_match")
                .and(contains("0.166667"))
                .and(contains("accuracy")),
        );
    std::fs::write(
        folder.path().join("odd"),
        squad.replace("\"squad\"", "\"mrpc\""),
    )
    .expect("written");
    promptshift(&folder)
        .args(["score", "odd"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("paraphrase").and(contains("panicked").not()));
}

#[test]
fn a_prompt_gives_the_same_answers_in_every_format() {
    let folder = folder();
    std::fs::write(folder.path().join("p.npy"), prompt(5, nano_width())).expect("written");
    let run = |arguments: &[&str]| promptshift(&folder).args(arguments).assert();
    run(&["prompt", "import", "p.npy", "--model", "nano"]).success();
    run(&["prompt", "export", "prompt.safetensors", "adapter"]).success();
    run(&["prompt", "export", "adapter", "again.npy"]).success();
    run(&[
        "prompt",
        "export",
        "--to",
        "npy",
        "prompt.safetensors",
        "once.more",
    ])
    .success();
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("written");
    assert_eq!(read("again.npy"), read("once.more"));
    assert_eq!(
        names(&folder.path().join("adapter")),
        ["adapter_config.json", "adapter_model.safetensors"]
    );
    run(&["prompt", "show", "prompt.safetensors"])
        .success()
        .stdout(contains("imported_from: p.npy (npy)").and(contains("backbone: nano")));
    run(&["prompt", "show", "adapter"])
        .success()
        .stdout(contains("base_model: nano"));
    let mut answers = Vec::new();
    for (prompt, known) in [
        ("prompt.safetensors", true),
        ("adapter", false),
        ("p.npy", false),
        ("again.npy", false),
    ] {
        let note = contains("nothing else can be checked");
        let assert = promptshift(&folder)
            .args(predict("squad"))
            .args(["--prompt", prompt])
            .assert()
            .success();
        match known {
            true => assert.stderr(note.not()),
            false => assert.stderr(note),
        };
        answers.push(read("p.jsonl"));
        std::fs::remove_file(folder.path().join("p.jsonl")).expect("removed");
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    promptshift(&folder)
        .args(predict("squad"))
        .assert()
        .success();
    assert_ne!(read("p.jsonl"), answers[0], "the prompt matters");
}

/// A tuned prompt, from training to predictions on another domain.
#[test]
fn a_tuned_prompt_knows_its_backbone_and_its_source() {
    let folder = folder();
    promptshift(&folder)
        .args([
            "transfer",
            "qqp->mrpc",
            "--methods",
            "prompt",
            "--seeds",
            "1",
            "--out",
            "out",
        ])
        .args([
            "--steps",
            "2",
            "--batch-size",
            "2",
            "--train-rows",
            "8",
            "--eval-rows",
            "6",
            "--validation-rows",
            "6",
        ])
        .assert()
        .success();
    // All rows, since those of the transfer are drawn from them.
    let all = predict("mrpc").into_iter();
    promptshift(&folder)
        .args(all.filter(|word| word != "--rows" && word != "6"))
        .args(["--prompt", "out/prompt-seed0"])
        .assert()
        .success();
    let recorded = lines(&folder.path().join("out/prompt-seed0/mrpc.jsonl"));
    let mut written = lines(&folder.path().join("p.jsonl"));
    written.retain(|line| recorded.iter().any(|recorded| recorded["id"] == line["id"]));
    assert_eq!(written.len(), recorded.len());
    for (written, recorded) in written.iter().zip(&recorded) {
        assert_eq!(written["tuned_on"], "qqp");
        for (key, value) in recorded.as_object().expect("an object") {
            assert_eq!(&written[key], value, "{key}");
        }
    }
    promptshift(&folder)
        .args(["score", "p.jsonl"])
        .assert()
        .success();

    // The same model with one byte of its weights changed is another model.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("made");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let mut bytes = std::fs::read(bundled.join(file)).expect("bundled");
        if file == "model.safetensors" {
            *bytes.last_mut().expect("not empty") ^= 1;
        }
        std::fs::write(other.join(file), bytes).expect("written");
    }
    let before = names(folder.path());
    let mut arguments = predict("mrpc");
    *arguments.last_mut().expect("the name") = "q.jsonl".to_string();
    promptshift(&folder)
        .args(&arguments)
        .args([
            "--model",
            "other",
            "--prompt",
            "out/prompt-seed0/prompt.safetensors",
        ])
        .assert()
        .code(1)
        .stderr(
            contains("'nano'")
                .and(contains("'other'"))
                .and(contains("weights")),
        );
    assert_eq!(names(folder.path()), before, "nothing is left behind");
}

#[test]
fn invalid_prompts_are_refused_before_anything_is_written() {
    let folder = folder();
    let width = nano_width();
    let whole = prompt(2, width);
    let header = |descr: &str, order: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
    };
    let data = &whole[whole.len() - 2 * width * 4..];
    let shape = format!("(2, {width})");
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("written")
    };
    put("cut.npy", &whole[..whole.len() - 1]);
    put("fortran.npy", &npy(&header("'<f4'", "True", &shape), data));
    put("f16.npy", &npy(&header("'<f2'", "False", &shape), data));
    put("big.npy", &npy(&header("'>f4'", "False", &shape), data));
    put(
        "flat.npy",
        &npy(
            &header("'<f4'", "False", &format!("({},)", 2 * width)),
            data,
        ),
    );
    put("wide.npy", &prompt(2, width + 1));
    put("prompt.bin", b"PK\x03\x04");
    put("empty.npy", b"");
    let adapter = |name: &str, config: &str| {
        std::fs::create_dir(folder.path().join(name)).expect("made");
        put(&format!("{name}/adapter_config.json"), config.as_bytes());
    };
    adapter(
        "lora",
        r#"{"peft_type": "LORA", "task_type": "SEQ_2_SEQ_LM", "r": 8}"#,
    );
    adapter(
        "half",
        r#"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2}"#,
    );
    adapter("nothing", "not JSON");
    let before = names(folder.path());
    let nano = format!("'nano' {width}");
    for (prompt, found) in [
        ("cut.npy", "bytes"),
        ("fortran.npy", "fortran_order True"),
        ("f16.npy", "float16"),
        ("big.npy", "big-endian"),
        ("flat.npy", "shape (P, D)"),
        ("wide.npy", &nano),
        ("prompt.bin", "zip"),
        ("empty.npy", "0 bytes"),
        ("absent.npy", "absent.npy"),
        ("lora", "LORA"),
        ("half", "adapter_model.safetensors"),
        ("nothing", "JSON"),
        (".", "prompt.safetensors"),
    ] {
        for arguments in [
            [
                predict("squad"),
                vec!["--prompt".to_string(), prompt.to_string()],
            ]
            .concat(),
            [
                "prompt",
                "import",
                prompt,
                "--model",
                "nano",
                "--out",
                "new.safetensors",
            ]
            .map(str::to_string)
            .to_vec(),
        ] {
            promptshift(&folder)
                .args(&arguments)
                .assert()
                .code(1)
                .stdout("")
                .stderr(contains(found).and(contains("panicked").not()));
        }
    }
    assert_eq!(names(folder.path()), before, "nothing is left behind");
}

#[test]
fn invalid_flags_of_predict_and_prompt_are_refused() {
    let folder = folder();
    std::fs::write(folder.path().join("p.npy"), prompt(1, nano_width())).expect("written");
    std::fs::write(folder.path().join("no.parquet"), "PAR1").expect("written");
    let squad = data("squad");
    let before = names(folder.path());
    for (arguments, code, found) in [
        (
            vec![
                "predict", "--data", &squad, "--domain", "sqad", "--out", "o",
            ],
            2,
            "did you mean 'squad'",
        ),
        (
            vec!["predict", "--data", &squad, "--domain", "squad"],
            2,
            "--out",
        ),
        (
            vec![
                "predict", "--data", &squad, "--domain", "squad", "--out", "o", "--model", "nanno",
            ],
            2,
            "'nano'",
        ),
        (
            vec![
                "predict", "--data", &squad, "--domain", "squad", "--out", "o", "--rows", "0",
            ],
            2,
            "at least 1",
        ),
        (
            vec![
                "predict", "--data", &squad, "--domain", "squad", "--out", "no/o",
            ],
            1,
            "no folder no",
        ),
        (
            vec![
                "predict",
                "--data",
                "no.parquet",
                "--domain",
                "squad",
                "--out",
                "o",
            ],
            1,
            "no.parquet",
        ),
        (
            vec![
                "predict", "--data", &squad, "--domain", "mrpc", "--out", "o",
            ],
            1,
            "sentence1",
        ),
        (vec!["prompt", "export", "p.npy", "p.npz"], 2, "--to"),
        (
            vec!["prompt", "export", "p.npy", "p.npy"],
            1,
            "exists already",
        ),
        (
            vec![
                "prompt", "import", "p.npy", "--model", "nano", "--out", "p.npy",
            ],
            1,
            "exists already",
        ),
        (vec!["prompt", "import", "p.npy"], 2, "--model"),
    ] {
        promptshift(&folder)
            .args(arguments)
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(found).and(contains("panicked").not()));
    }
    assert_eq!(names(folder.path()), before, "nothing is left behind");
}
