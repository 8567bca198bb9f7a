//! Damaged and hostile input, by kind of file: each case has the files that it needs, a command, the documented exit
//! code and words that the error must contain. Nothing panics, and the folder is left as it was: no partial output,
//! and no side effects that a file tries to cause.

mod files;

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::Command;

use files::{
    Columns, answers, card, cells, columns, gzip, integers, lists, model, npy, null_texts, pickle,
    questions, table, texts, with, with_config, with_json, with_tensors, zip,
};

/// One kind of input.
struct Case {
    name: &'static str,
    /// Writes the files into an empty folder.
    files: fn(&Path),
    /// Words of the command line; `MINI` stands for the bundled squad's test file.
    command: &'static str,
    code: i32,
    /// Words that the error must contain.
    words: &'static [&'static str],
}

/// Answers the rows of `bad.parquet`.
const ROWS: &str = "predict --data bad.parquet --domain squad --out p.jsonl";
/// Answers two rows of a bundled file with the model in `model`.
const MODEL: &str = "predict --model model --data MINI --domain squad --rows 2 --out p.jsonl";
/// Answers two rows of a bundled file with the prompt in `bad`.
const PROMPT: &str = "predict --prompt bad --data MINI --domain squad --rows 2 --out p.jsonl";
/// Tunes on the rows of `data`.
const TRANSFER: &str = "transfer squad->race --data data --out out --steps 1 --batch-size 2";

/// Every file of a folder with its bytes; folders end in a slash.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.display().to_string();
        if path.is_dir() {
            found.insert(format!("{name}/"), Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(name, std::fs::read(&path).expect("readable"));
        }
    }
    found
}

fn refuse(cases: &[Case]) {
    for case in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        (case.files)(folder.path());
        let before = contents(folder.path());
        let mini = format!(
            "{}/datasets/mini/squad/test.parquet",
            env!("CARGO_MANIFEST_DIR")
        );
        let words = case.command.split(' ');
        let output = Command::cargo_bin("promptshift")
            .expect("cargo builds it")
            .current_dir(folder.path())
            .env("HF_HOME", folder.path().join("no-cache"))
            .args(words.map(|word| if word == "MINI" { &mini } else { word }))
            .timeout(std::time::Duration::from_secs(120))
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let told = format!(
            "{}: {} said {:?}: {said}{}",
            case.name,
            case.command,
            output.status.code(),
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(output.status.code(), Some(case.code), "{told}");
        assert!(!said.contains("panicked"), "{told}");
        // `verify` always prints its table.
        let found = match case.command.starts_with("verify") {
            true => format!("{}{said}", String::from_utf8_lossy(&output.stdout)),
            false => said.to_string(),
        };
        for word in case.words {
            assert!(found.contains(word), "no '{word}': {told}");
        }
        let after = contents(folder.path());
        let names = |contents: &BTreeMap<String, Vec<u8>>| Vec::from_iter(contents.keys().cloned());
        assert_eq!(names(&before), names(&after), "left behind: {told}");
        assert!(before == after, "changed: {told}");
    }
}

/// Replaces a column of valid questions.
fn bad_column(folder: &Path, column: (&'static str, arrow::array::ArrayRef)) {
    table(&folder.join("bad.parquet"), with(questions(), column));
}

#[test]
fn rows_are_refused_by_file_column_and_row() {
    refuse(&[
        Case {
            name: "truncated parquet",
            files: |folder| {
                let whole = table(&folder.join("bad.parquet"), questions());
                std::fs::write(folder.join("bad.parquet"), &whole[..whole.len() / 2]).expect("cut");
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted a whole parquet file, found: "],
        },
        Case {
            name: "no parquet",
            files: |folder| {
                std::fs::write(folder.join("bad.parquet"), "id,context\n1,C\n").expect("written")
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted a whole parquet file, found: "],
        },
        Case {
            name: "an empty file",
            files: |folder| std::fs::write(folder.join("bad.parquet"), "").expect("written"),
            command: ROWS,
            code: 1,
            words: &["bad.parquet", "0 bytes"],
        },
        Case {
            name: "a folder for a file",
            files: |folder| std::fs::create_dir(folder.join("bad.parquet")).expect("made"),
            command: ROWS,
            code: 1,
            words: &["bad.parquet"],
        },
        Case {
            name: "pages overwritten",
            files: |folder| {
                let mut whole = table(&folder.join("bad.parquet"), questions());
                whole[4..120].fill(0xee);
                std::fs::write(folder.join("bad.parquet"), whole).expect("written");
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: damaged after row 0"],
        },
        Case {
            name: "a footer that lies about its length",
            files: |folder| {
                let mut whole = table(&folder.join("bad.parquet"), questions());
                let at = whole.len() - 8;
                whole[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
                std::fs::write(folder.join("bad.parquet"), whole).expect("written");
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted a whole parquet file, found: "],
        },
        Case {
            name: "a column of another name",
            files: |folder| {
                let columns = questions().into_iter().map(|(name, column)| match name {
                    "context" => ("passage", column),
                    name => (name, column),
                });
                table(&folder.join("bad.parquet"), columns.collect());
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted a column 'context', found only: id, passage, question"],
        },
        Case {
            name: "a column of another type",
            files: |folder| bad_column(folder, ("question", integers(&[1, 2]))),
            command: ROWS,
            code: 1,
            words: &["bad.parquet: column 'question': wanted ", "found Int64"],
        },
        Case {
            name: "a binary column",
            files: |folder| bad_column(folder, ("context", columns::bytes(&[b"C", b"\xff\xfe"]))),
            command: ROWS,
            code: 1,
            words: &["bad.parquet: column 'context': wanted ", "found Binary"],
        },
        Case {
            name: "invalid UTF-8 in a column of texts",
            files: |folder| {
                let path = folder.join("bad.parquet");
                let whole = table(
                    &path,
                    with(questions(), ("context", texts(&["C", "DAMAGED"]))),
                );
                std::fs::write(
                    path,
                    files::replaced(&whole, b"DAMAGED", b"\xff\xfe\xff\xfe\xff\xfe\xff"),
                )
                .expect("written");
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: damaged after row 0", "UTF-8"],
        },
        Case {
            name: "a null text",
            files: |folder| bad_column(folder, ("context", null_texts(&[Some("C"), None]))),
            command: ROWS,
            code: 1,
            words: &[
                "bad.parquet: column 'context', row 1: wanted ",
                "found null",
            ],
        },
        Case {
            name: "a null answer",
            files: |folder| {
                let nulls = columns::list_of(null_texts(&[Some("C"), None]), [1, 1], "item");
                let starts = columns::list_of(integers(&[0, 0]), [1, 1], "item");
                let column = columns::structure(vec![("text", nulls), ("answer_start", starts)]);
                bad_column(folder, ("answers", column));
            },
            command: ROWS,
            code: 1,
            words: &[
                "bad.parquet: column 'answers.text', row 1: wanted ",
                "found null",
            ],
        },
        Case {
            name: "no answer",
            files: |folder| bad_column(folder, ("answers", answers(&[&["C"], &[]]))),
            command: ROWS,
            code: 1,
            words: &["column 'answers.text', row 1: wanted at least one answer, found none"],
        },
        Case {
            name: "fewer offsets than answers",
            files: |folder| {
                let texts = lists(&[&["C"], &["C", "D"]]);
                let starts = columns::list_of(integers(&[0, 0]), [1, 1], "item");
                let column = columns::structure(vec![("text", texts), ("answer_start", starts)]);
                let path = folder.join("data/squad/test.parquet");
                table(&path, with(questions(), ("answers", column)));
            },
            command: "verify squad --data data",
            code: 1,
            words: &["answers.answer_start", "row 1", "FAILS", "checks failed"],
        },
        Case {
            name: "a label out of range",
            files: |folder| {
                table(&folder.join("bad.parquet"), cells(&[0, 2]));
            },
            command: "predict --data bad.parquet --domain mrpc --out p.jsonl",
            code: 1,
            words: &["bad.parquet: column 'label', row 1: wanted a label in 0..2, found 2"],
        },
        Case {
            name: "a label that hides the truth",
            files: |folder| {
                table(&folder.join("bad.parquet"), cells(&[0, -1]));
            },
            command: "predict --data bad.parquet --domain mrpc --out p.jsonl",
            code: 1,
            words: &["column 'label', row 1", "unlabelled", "validation"],
        },
        Case {
            name: "no rows",
            files: |folder| {
                let none: Columns = vec![
                    ("id", texts(&[])),
                    ("context", texts(&[])),
                    ("question", texts(&[])),
                    ("answers", answers(&[])),
                ];
                table(&folder.join("bad.parquet"), none);
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted rows, found 0"],
        },
        Case {
            name: "a source without training rows",
            files: |folder| {
                table(&folder.join("data/squad/test.parquet"), questions());
                table(&folder.join("data/race/test.parquet"), questions());
            },
            command: TRANSFER,
            code: 1,
            words: &[
                "'squad' cannot be a source",
                "wanted train.parquet, found test.parquet",
            ],
        },
        Case {
            name: "a damaged target",
            files: |folder| {
                for split in ["train", "validation", "test"] {
                    table(
                        &folder.join(format!("data/squad/{split}.parquet")),
                        questions(),
                    );
                }
                table(&folder.join("data/race/test.parquet"), cells(&[0, 1]));
            },
            command: TRANSFER,
            code: 1,
            words: &["race/test.parquet: wanted a column", "sentence1"],
        },
        Case {
            name: "lines that are cut short",
            files: |folder| {
                let line =
                    r#"{"context": "C", "qas": [{"qid": "a", "question": "Q", "answers": ["C"]}]}"#;
                let bytes = gzip(&format!(
                    "{{\"header\": {{}}}}\n{}",
                    format!("{line}\n").repeat(999)
                ));
                std::fs::write(folder.join("bad.jsonl.gz"), &bytes[..bytes.len() - 12])
                    .expect("written");
            },
            command: "predict --data bad.jsonl.gz --domain race --out p.jsonl",
            code: 1,
            words: &["bad.jsonl.gz: line ", "wanted a context with its questions"],
        },
        Case {
            name: "a line of something else",
            files: |folder| {
                let bytes = gzip("{\"header\": {}}\n{\"context\": 7}\n");
                std::fs::write(folder.join("bad.jsonl.gz"), bytes).expect("written");
            },
            command: "predict --data bad.jsonl.gz --domain race --out p.jsonl",
            code: 1,
            words: &["bad.jsonl.gz: line 2: wanted a context with its questions, found "],
        },
        Case {
            name: "a line nested without end",
            files: |folder| {
                let bytes = gzip(&format!("{{\"header\": {{}}}}\n{}", "[".repeat(1 << 20)));
                std::fs::write(folder.join("bad.jsonl.gz"), bytes).expect("written");
            },
            command: "predict --data bad.jsonl.gz --domain race --out p.jsonl",
            code: 1,
            words: &["bad.jsonl.gz: line 2: wanted a context with its questions, found "],
        },
        Case {
            name: "lines without a question",
            files: |folder| {
                std::fs::write(folder.join("bad.jsonl.gz"), "{\"header\": {}}\n").expect("written")
            },
            command: "predict --data bad.jsonl.gz --domain race --out p.jsonl",
            code: 1,
            words: &["bad.jsonl.gz: wanted rows, found 0"],
        },
        Case {
            name: "rows of a table as lines",
            files: |folder| {
                let row =
                    r#"{"id": "a", "context": "C", "question": "Q", "answers": {"text": ["C"]}}"#;
                std::fs::write(folder.join("bad.jsonl"), row).expect("written")
            },
            command: "predict --data bad.jsonl --domain squad --out p.jsonl",
            code: 1,
            words: &[
                "bad.jsonl: line 1: wanted MRQA's header",
                "write tables as parquet",
            ],
        },
        Case {
            name: "a pointer of Git LFS",
            files: |folder| {
                let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
                std::fs::write(folder.join("bad.parquet"), pointer).expect("written")
            },
            command: ROWS,
            code: 1,
            words: &["bad.parquet: wanted a whole parquet file", "git lfs pull"],
        },
        Case {
            name: "answers as plain text",
            files: |folder| bad_column(folder, ("answers", texts(&["C", "D"]))),
            command: ROWS,
            code: 1,
            words: &[
                "bad.parquet: column 'answers', row 0: wanted a list of texts",
                "\"C\"",
            ],
        },
        Case {
            name: "two questions of one name, to predict",
            files: |folder| bad_column(folder, ("id", texts(&["a", "a"]))),
            command: ROWS,
            code: 1,
            words: &["bad.parquet: row 1: wanted a unique name", "'a' again"],
        },
        Case {
            name: "two questions of one name, to train on",
            files: |folder| {
                let twice = with(questions(), ("id", texts(&["a", "a"])));
                table(&folder.join("data/squad/train.parquet"), twice);
                table(&folder.join("data/squad/validation.parquet"), questions());
                table(&folder.join("data/race/test.parquet"), questions());
            },
            command: TRANSFER,
            code: 1,
            words: &[
                "squad/train.parquet: row 1: wanted a unique name",
                "'a' again",
            ],
        },
        Case {
            name: "a part that is missing",
            files: |folder| {
                for part in ["train-00000-of-00003", "train-00002-of-00003", "validation"] {
                    table(
                        &folder.join(format!("data/squad/{part}.parquet")),
                        questions(),
                    );
                }
                table(&folder.join("data/race/test.parquet"), questions());
            },
            command: TRANSFER,
            code: 1,
            words: &[
                "wanted 3 parts of train",
                "found 2, without train-00001-of-00003",
            ],
        },
        Case {
            name: "a split of another name",
            files: |folder| {
                table(&folder.join("data/squad/train.parquet"), questions());
                table(&folder.join("data/squad/dev.parquet"), questions());
                table(&folder.join("data/race/test.parquet"), questions());
            },
            command: TRANSFER,
            code: 1,
            words: &[
                "squad/dev.parquet seems to be validation and is not read",
                "rename it",
            ],
        },
        Case {
            name: "what save_to_disk leaves",
            files: |folder| {
                let disk = folder.join("data/squad/train");
                std::fs::create_dir_all(&disk).expect("made");
                std::fs::write(disk.join("data-00000-of-00001.arrow"), "").expect("written");
                std::fs::write(folder.join("data/squad/dataset_dict.json"), "{}").expect("written");
                table(&folder.join("data/race/test.parquet"), questions());
            },
            command: TRANSFER,
            code: 1,
            words: &[
                "data-00000-of-00001.arrow seems to be train",
                "save_to_disk",
                "to_parquet",
            ],
        },
        Case {
            name: "a card that lacks what only its author knows",
            files: |folder| {
                std::fs::write(folder.join("my.toml"), "title = \"Mine\"").expect("written")
            },
            command: "list --domains my.toml",
            code: 1,
            words: &["my.toml: wanted name = ", "; task = "],
        },
    ]);
}

#[test]
fn models_are_refused_by_file_tensor_and_shapes() {
    refuse(&[
        Case {
            name: "truncated weights",
            files: |folder| {
                let path = model(folder).join("model.safetensors");
                let whole = std::fs::read(&path).expect("copied");
                std::fs::write(path, &whole[..whole.len() - 1]).expect("cut");
            },
            command: MODEL,
            code: 1,
            words: &["model.safetensors: not a safetensors file"],
        },
        Case {
            name: "a header that lies about its length",
            files: |folder| {
                let path = model(folder).join("model.safetensors");
                let mut whole = std::fs::read(&path).expect("copied");
                whole[..8].copy_from_slice(&u64::MAX.to_le_bytes());
                std::fs::write(path, whole).expect("written");
            },
            command: MODEL,
            code: 1,
            words: &["model.safetensors: not a safetensors file"],
        },
        Case {
            name: "tensors that lie over each other",
            files: |folder| {
                with_tensors(folder, |tensors, _| {
                    let offsets = tensors["shared.weight"]["data_offsets"].clone();
                    tensors["lm_head.weight"]["data_offsets"] = offsets;
                });
            },
            command: MODEL,
            code: 1,
            words: &["model.safetensors: not a safetensors file"],
        },
        Case {
            name: "a tensor of another shape",
            files: |folder| {
                with_tensors(folder, |tensors, _| {
                    tensors["lm_head.weight"]["shape"] = serde_json::json!([128, 2304]);
                });
            },
            command: MODEL,
            code: 1,
            words: &[
                "model.safetensors",
                "'lm_head.weight' has shape [128, 2304]",
                "[2304, 128]",
            ],
        },
        Case {
            name: "a tensor of integers",
            files: |folder| {
                with_tensors(folder, |tensors, _| {
                    tensors["lm_head.weight"]["dtype"] = "I32".into()
                });
            },
            command: MODEL,
            code: 1,
            words: &[
                "model.safetensors",
                "'lm_head.weight' has dtype I32, wanted F32",
            ],
        },
        Case {
            name: "a tensor is missing",
            files: |folder| {
                with_tensors(folder, |tensors, _| {
                    let tensors = tensors.as_object_mut().expect("a header");
                    let tensor = tensors
                        .remove("encoder.final_layer_norm.weight")
                        .expect("there");
                    tensors.insert("spare".to_string(), tensor);
                });
            },
            command: MODEL,
            code: 1,
            words: &["no tensor 'encoder.final_layer_norm.weight', wanted with shape [128]"],
        },
        Case {
            name: "a tensor too many",
            files: |folder| {
                with_tensors(folder, |tensors, data| {
                    tensors["spare"] = serde_json::json!({
                        "dtype": "F32", "shape": [1], "data_offsets": [data.len(), data.len() + 4]
                    });
                    data.extend([0; 4]);
                });
            },
            command: MODEL,
            code: 1,
            words: &["model.safetensors: tensors that a model", "spare"],
        },
        Case {
            name: "a shard outside the folder",
            files: |folder| {
                let folder = model(folder);
                std::fs::remove_file(folder.join("model.safetensors")).expect("copied");
                let index = r#"{"weight_map": {"shared.weight": "../../../etc/passwd"}}"#;
                std::fs::write(folder.join("model.safetensors.index.json"), index)
                    .expect("written");
            },
            command: MODEL,
            code: 1,
            words: &[
                "model.safetensors.index.json: wanted a weight_map",
                "etc/passwd",
            ],
        },
        Case {
            name: "a shard that is not there",
            files: |folder| {
                let folder = model(folder);
                std::fs::remove_file(folder.join("model.safetensors")).expect("copied");
                let index =
                    r#"{"weight_map": {"shared.weight": "model-00001-of-00002.safetensors"}}"#;
                std::fs::write(folder.join("model.safetensors.index.json"), index)
                    .expect("written");
            },
            command: MODEL,
            code: 1,
            words: &["model-00001-of-00002.safetensors"],
        },
        Case {
            name: "no weights",
            files: |folder| {
                std::fs::remove_file(model(folder).join("model.safetensors")).expect("copied");
            },
            command: MODEL,
            code: 1,
            words: &["model: wanted one of model.safetensors"],
        },
        Case {
            name: "a bare pickle that would run a command",
            files: |folder| pickle(&model(folder), |pickle| pickle.to_vec()),
            command: MODEL,
            code: 1,
            words: &["pytorch_model.bin: not a PyTorch weights file"],
        },
        Case {
            name: "a zipped pickle that would run a command",
            files: |folder| {
                pickle(&model(folder), |pickle| {
                    zip(&[("archive/data.pkl", pickle), ("archive/version", b"3\n")])
                });
            },
            command: MODEL,
            code: 1,
            words: &["pytorch_model.bin: "],
        },
        Case {
            name: "another kind of model",
            files: |folder| with_config(folder, "\"t5\"", "\"mt5\""),
            command: MODEL,
            code: 1,
            words: &[
                "config.json: wanted the config.json of a T5",
                "model_type 'mt5'",
            ],
        },
        Case {
            name: "a relative of BERT",
            files: |folder| with_config(folder, "\"t5\"", "\"albert\""),
            command: MODEL,
            code: 1,
            words: &["BERT (bert), RoBERTa (roberta", "model_type 'albert'"],
        },
        Case {
            name: "a BERT's name on a T5",
            files: |folder| with_config(folder, "\"t5\"", "\"bert\""),
            command: MODEL,
            code: 1,
            words: &["a BERT config, but missing field `hidden_size`"],
        },
        Case {
            name: "a configuration without a key",
            files: |folder| with_config(folder, "\"num_heads\"", "\"heads\""),
            command: MODEL,
            code: 1,
            words: &[
                "config.json: wanted the config.json of a T5",
                "missing field `num_heads`",
            ],
        },
        Case {
            name: "a negative size",
            files: |folder| with_config(folder, "\"d_ff\": 256", "\"d_ff\": -256"),
            command: MODEL,
            code: 1,
            words: &["config.json: wanted the config.json of a T5", "-256"],
        },
        Case {
            name: "a size that no memory has",
            files: |folder| with_config(folder, "\"d_ff\": 256", "\"d_ff\": 1152921504606846976"),
            command: MODEL,
            code: 1,
            words: &["wi_0.weight' has shape [256, 128]", "1152921504606846976"],
        },
        Case {
            name: "heads and widths whose product no number holds",
            files: |folder| {
                with_config(
                    folder,
                    "\"num_heads\": 4",
                    "\"num_heads\": 4611686018427387904",
                )
            },
            command: MODEL,
            code: 1,
            words: &["model.safetensors: tensor 'encoder.block.0"],
        },
        Case {
            name: "layers without end",
            files: |folder| {
                with_config(folder, "\"num_layers\": 3", "\"num_layers\": 1000000000000")
            },
            command: MODEL,
            code: 1,
            words: &["no tensor 'encoder.block.3.layer.0.layer_norm.weight'"],
        },
        Case {
            name: "a tensor of more numbers than its file has bytes",
            files: |folder| {
                let model = model(folder);
                std::fs::remove_file(model.join("model.safetensors")).expect("copied");
                // One number with stride 0, repeated as often as its shape says.
                let pickle =
                    b"\x80\x02}X\x0d\0\0\0shared.weightctorch._utils\n_rebuild_tensor_v2\n((\
                    X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0\
                    (J\xff\xff\xff\x00J\x04\0\0\0tK\0K\0\x86\x89ccollections\nOrderedDict\n)RtRs.";
                let bytes = zip(&[("m/data.pkl", pickle), ("m/data/0", &[0; 4])]);
                std::fs::write(model.join("pytorch_model.bin"), bytes).expect("written");
            },
            command: MODEL,
            code: 1,
            words: &[
                "pytorch_model.bin: wanted a whole weights file, found 'shared.weight' of shape [16777215, 4]",
            ],
        },
        Case {
            name: "a start outside the vocabulary",
            files: |folder| {
                with_config(
                    folder,
                    "\"decoder_start_token_id\": 0",
                    "\"decoder_start_token_id\": 2304",
                );
            },
            command: MODEL,
            code: 1,
            words: &["decoder_start_token_id", "2304"],
        },
        Case {
            name: "a configuration nested without end",
            files: |folder| {
                std::fs::write(model(folder).join("config.json"), "[".repeat(1 << 20))
                    .expect("written");
            },
            command: MODEL,
            code: 1,
            words: &["config.json: wanted the config.json of a T5", "not JSON"],
        },
        Case {
            name: "a tokenizer.json of nothing",
            files: |folder| {
                std::fs::write(model(folder).join("tokenizer.json"), "{}").expect("written")
            },
            command: MODEL,
            code: 1,
            words: &["tokenizer.json: not a tokenizer.json"],
        },
        Case {
            name: "a vocabulary larger than the embedding",
            files: |folder| {
                with_json(folder, |json| {
                    let vocabulary = json["model"]["vocab"].as_object_mut().expect("by name");
                    (2304..2310).for_each(|id| {
                        vocabulary.insert(format!("more{id}"), id.into());
                    });
                });
            },
            command: MODEL,
            code: 1,
            words: &["tokenizer.json: 2310 ids", "vocab_size is 2304"],
        },
        Case {
            name: "an id beyond the embedding",
            files: |folder| {
                with_json(folder, |json| {
                    let vocabulary = json["model"]["vocab"].as_object_mut().expect("by name");
                    for id in vocabulary.values_mut().filter(|id| id.as_u64() > Some(300)) {
                        *id = (id.as_u64().expect("a number") + 5_000).into();
                    }
                });
            },
            command: MODEL,
            code: 1,
            words: &["tokenizer.json", "vocab_size"],
        },
        Case {
            name: "a spiece.model cut short",
            files: |folder| {
                let model = model(folder);
                std::fs::remove_file(model.join("tokenizer.json")).expect("copied");
                let golden = files::root().join("tests/golden/sentencepiece_tiny/unigram.model");
                let whole = std::fs::read(golden).expect("committed");
                std::fs::write(model.join("spiece.model"), &whole[..1_000]).expect("written");
            },
            command: MODEL,
            code: 1,
            words: &["spiece.model: not a"],
        },
        Case {
            name: "another model's spiece.model",
            files: |folder| {
                let model = model(folder);
                std::fs::remove_file(model.join("tokenizer.json")).expect("copied");
                let golden = files::root().join("tests/golden/sentencepiece_tiny/unigram.model");
                std::fs::copy(golden, model.join("spiece.model")).expect("copied");
            },
            command: MODEL,
            code: 1,
            words: &["spiece.model: 900 ids", "2304"],
        },
        Case {
            name: "no tokenizer",
            files: |folder| {
                std::fs::remove_file(model(folder).join("tokenizer.json")).expect("copied");
            },
            command: MODEL,
            code: 1,
            words: &["model: wanted tokenizer.json or spiece.model, found none"],
        },
        Case {
            name: "a model that was not fetched",
            files: |_| {},
            command: "predict --model google/t5-base-lm-adapt --data MINI --domain squad --out p.jsonl",
            code: 2,
            words: &["google/t5-base-lm-adapt", "promptshift fetch --model"],
        },
    ]);
}

#[test]
fn prompts_and_predictions_are_refused_by_what_they_are() {
    refuse(&[
        Case {
            name: "an array of objects",
            files: |folder| {
                let bytes = npy(
                    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 128), }\n",
                    b"\x80\x04.",
                );
                std::fs::write(folder.join("bad"), bytes).expect("written");
            },
            command: PROMPT,
            code: 1,
            words: &["bad", "pickled"],
        },
        Case {
            name: "an array of another type",
            files: |folder| {
                let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 128), }\n";
                std::fs::write(folder.join("bad"), npy(header, &[0; 1024])).expect("written");
            },
            command: PROMPT,
            code: 1,
            words: &["bad", "float64"],
        },
        Case {
            name: "an array whose shape no memory has",
            files: |folder| {
                let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (36028797018963968, 128), }\n";
                std::fs::write(folder.join("bad"), npy(header, &[0; 512])).expect("written");
            },
            command: PROMPT,
            code: 1,
            words: &["bad"],
        },
        Case {
            name: "an array of no number",
            files: |folder| {
                let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 128), }\n";
                std::fs::write(folder.join("bad"), npy(header, &[0xff; 512])).expect("written");
            },
            command: PROMPT,
            code: 1,
            words: &["bad", "NaN"],
        },
        Case {
            name: "a pickle",
            files: |folder| std::fs::write(folder.join("bad"), b"\x80\x04\x95.").expect("written"),
            command: PROMPT,
            code: 1,
            words: &["bad", "pickle"],
        },
        Case {
            name: "another backbone's prompt",
            files: |folder| {
                let trained = files::root().join("tests/golden/peft_tiny/trained");
                std::fs::create_dir(folder.join("bad")).expect("made");
                for name in ["adapter_config.json", "adapter_model.safetensors"] {
                    std::fs::copy(trained.join(name), folder.join("bad").join(name))
                        .expect("copied");
                }
            },
            command: PROMPT,
            code: 1,
            words: &["bad", "32 wide", "'nano' 128"],
        },
        Case {
            name: "a model for a prompt",
            files: |folder| {
                let weights = files::root().join("models/nano/model.safetensors");
                std::fs::copy(weights, folder.join("bad")).expect("copied");
            },
            command: PROMPT,
            code: 1,
            words: &["bad", "one tensor 'prompt'"],
        },
        Case {
            name: "predictions with a bad line",
            files: |folder| {
                std::fs::write(folder.join("p.jsonl"), "\n{\"id\": 7}\n").expect("written")
            },
            command: "score p.jsonl",
            code: 1,
            words: &["p.jsonl, line 2: wanted an object as promptshift predict writes it"],
        },
        Case {
            name: "predictions that are no text",
            files: |folder| {
                std::fs::write(folder.join("p.jsonl"), b"\xff\xfe{}\n").expect("written")
            },
            command: "score p.jsonl",
            code: 1,
            words: &["p.jsonl", "line 1", "UTF-8"],
        },
        Case {
            name: "predictions of an unknown domain",
            files: |folder| {
                let line = r#"{"domain": "sqad", "id": "a", "passage": "p", "prediction": "x", "answers": ["x"],
                    "score": {"span": {"exact_match": 1.0, "f1": 1.0}}, "log_prob": -1.0, "input_tokens": 3,
                    "output_tokens": 1, "cut": false, "token_ids": [1]}"#;
                std::fs::write(folder.join("p.jsonl"), line.replace('\n', " ")).expect("written");
            },
            command: "score p.jsonl",
            code: 1,
            words: &["'sqad'", "did you mean 'squad'"],
        },
        Case {
            name: "no predictions",
            files: |folder| std::fs::write(folder.join("p.jsonl"), "\n\n").expect("written"),
            command: "score p.jsonl",
            code: 1,
            words: &["p.jsonl", "no line"],
        },
        Case {
            name: "no records",
            files: |folder| std::fs::create_dir(folder.join("runs")).expect("made"),
            command: "report runs",
            code: 1,
            words: &["runs"],
        },
    ]);
}

#[test]
fn cards_are_refused_by_file_and_key() {
    const LIST: &str = "list --domains my.toml";
    refuse(&[
        Case {
            name: "a card of an unknown task",
            files: |folder| card(folder, "\"paraphrase\"", "\"summarisation\""),
            command: LIST,
            code: 1,
            words: &["my.toml", "task = \"summarisation\"", "paraphrase"],
        },
        Case {
            name: "a card without a key",
            files: |folder| card(folder, "labels = [\"other\", \"same\"]\n", ""),
            command: LIST,
            code: 1,
            words: &["my.toml", "labels"],
        },
        Case {
            name: "a card with a key too many",
            files: |folder| card(folder, "licence =", "license = \"ours\"\nlicence ="),
            command: LIST,
            code: 1,
            words: &["my.toml", "unknown field `license`"],
        },
        Case {
            name: "a card of a known name",
            files: |folder| card(folder, "\"mills\"", "\"squad\""),
            command: LIST,
            code: 1,
            words: &["my.toml: wanted a new name for the domain, found 'squad'"],
        },
        Case {
            name: "a card whose name leads elsewhere",
            files: |folder| card(folder, "\"mills\"", "\"../mills\""),
            command: LIST,
            code: 1,
            words: &["my.toml: wanted a name of a-z", "'../mills'"],
        },
        Case {
            name: "a card that is no text",
            files: |folder| std::fs::write(folder.join("my.toml"), b"\xff\xfe").expect("written"),
            command: LIST,
            code: 1,
            words: &["my.toml: wanted a domain's card", "UTF-8"],
        },
        Case {
            name: "a card nested without end",
            files: |folder| {
                std::fs::write(
                    folder.join("my.toml"),
                    format!("name = {}", "[".repeat(1 << 20)),
                )
                .expect("written")
            },
            command: LIST,
            code: 1,
            words: &["my.toml"],
        },
        Case {
            name: "a card that is not there",
            files: |_| {},
            command: LIST,
            code: 1,
            words: &["my.toml: wanted a domain's card, found: "],
        },
        Case {
            name: "a card that reads outside the data",
            files: |folder| {
                let source = "licence = \"ours\"\n[source]\nrepository = \"o/mills\"\nconfig = \"c\"\n\
                              [source.test]\nfiles = [\"../../../etc/passwd\"]\n";
                card(folder, "licence = \"ours\"\n", source);
            },
            command: "fetch mills --domains my.toml",
            code: 1,
            words: &["'mills'", "../../../etc/passwd"],
        },
    ]);
}

#[test]
fn outputs_and_numbers_are_refused_before_any_work() {
    refuse(&[
        Case {
            name: "predictions that exist",
            files: |folder| std::fs::write(folder.join("p.jsonl"), "mine").expect("written"),
            command: "predict --data MINI --domain squad --rows 2 --out p.jsonl",
            code: 1,
            words: &["p.jsonl exists already"],
        },
        Case {
            name: "a folder that holds something else",
            files: |folder| {
                std::fs::create_dir(folder.join("out")).expect("made");
                std::fs::write(folder.join("out/thesis.tex"), "years of work").expect("written");
            },
            command: "transfer squad->race --out out --steps 1",
            code: 1,
            words: &["out", "thesis.tex"],
        },
        Case {
            name: "a file where a folder should be",
            files: |folder| std::fs::write(folder.join("out"), "mine").expect("written"),
            command: "transfer squad->race --out out --steps 1",
            code: 1,
            words: &["out"],
        },
        Case {
            name: "a folder that can't be made",
            files: |folder| std::fs::write(folder.join("file"), "mine").expect("written"),
            command: "transfer squad->race --out file/out --steps 1",
            code: 1,
            words: &["file/out"],
        },
        Case {
            name: "a file that can't be made",
            files: |folder| std::fs::write(folder.join("file"), "mine").expect("written"),
            command: "predict --data MINI --domain squad --rows 2 --out file/p.jsonl",
            code: 1,
            words: &["file/p.jsonl"],
        },
        Case {
            name: "a folder of data that is not there",
            files: |_| {},
            command: TRANSFER,
            code: 2,
            words: &["--data data: wanted a folder of domains, found none"],
        },
        Case {
            name: "a learning rate that is no number",
            files: |_| {},
            command: "transfer squad->race --methods prompt --learning-rate NaN --out out",
            code: 2,
            words: &["--learning-rate", "wanted a number above 0", "'NaN'"],
        },
        Case {
            name: "a learning rate without end",
            files: |_| {},
            command: "transfer squad->race --methods prompt --learning-rate inf --out out",
            code: 2,
            words: &["--learning-rate", "wanted a number above 0", "'inf'"],
        },
        Case {
            name: "a prompt longer than memory",
            files: |_| {},
            command: "transfer squad->race --methods prompt --prompt-length 18446744073709551615 --out out",
            code: 2,
            words: &["18446744073709551615"],
        },
    ]);
}
