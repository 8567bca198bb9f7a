//! Classes as words at a mask token, compared with Hugging Face Transformers on a tiny random BertForMaskedLM
//! (tests/golden/make_bert_words.py), and unsupported cases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use burn::tensor::{Device, Tensor, TensorData};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::encode;
use promptshift::bert::Bert;
use promptshift::checkpoint::Weights;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::wording::{Opening, ScoreBy, Verbalizer, Wording};
use promptshift::domain::{AnswerLocation, Example, Gold, Pair, Task, TextNames};
use promptshift::layers::{HeadForm, Injected, Pass, Tokens};
use promptshift::network::Network;
use promptshift::recipe::{Defaults, Limits, Method, Recipe};
use promptshift::tuning::{self, MethodInputs, Tuned};
use serde_json::Value;

use super::every_method::Ground;
use super::parity::{Reference, assert_close, golden, values};

/// A verbalizer file with these words for the classes, and its path.
fn words(folder: &Path, words: [&str; 2]) -> PathBuf {
    let path = folder.join("words.toml");
    let [no, yes] = words;
    let text = format!(
        "about = \"of the tiny vocabulary\"\n[words]\nnot_duplicate = [\"{no}\"]\nduplicate = [\"{yes}\"]\n"
    );
    std::fs::write(&path, text).expect("written");
    path
}

fn wording(verbalizer: &Path) -> Wording {
    let card = Catalogue::bundled().get("qqp").expect("bundled");
    let verbalizer = Verbalizer::find(&verbalizer.display().to_string(), &card);
    Wording {
        score_by: ScoreBy::Likelihood,
        verbalizer: Some(verbalizer.expect("a verbalizer")),
        ..Wording::default()
    }
}

fn load(name: &str) -> Backbone {
    let choice = BackboneChoice::Folder(golden(name));
    choice.load(&Device::flex()).expect("a BERT")
}

/// The model with the reference's three words as classes.
fn bert(reference: &Reference) -> Bert {
    let backbone = load("bert_words_tiny");
    let ids = reference.list::<String>("words");
    let ids = ids.iter().map(|word| backbone.tokenizer.encode(word)[0]);
    let Network::Bert(bert) = backbone.model else {
        panic!("a BERT");
    };
    let bert = bert.with_words(ids.collect()).expect("a masked-word head");
    let head = bert.head_of_words().expect("words");
    bert.with_head(head)
}

fn example([first, second]: &[String; 2]) -> Example {
    Example {
        group: None,
        id: "1".to_string(),
        passage: "1".to_string(),
        input: format!("{first}{second}"),
        soft: Vec::new(),
        pair: Pair {
            first: 0..first.len(),
            second: first.len()..first.len() + second.len(),
            answer: None,
        },
        target: String::new(),
        gold: Gold::Label(1),
        facts: Vec::new(),
        answer_location: AnswerLocation::NotExpected,
        texts: TextNames::default(),
    }
}

#[test]
fn inputs_have_a_gap_between_their_texts() {
    let reference = Reference::of(&golden("bert_words_tiny"));
    let tokenizer = load("bert_words_tiny")
        .tokenizer
        .with_gap()
        .expect("BERT's");
    let pairs: Vec<[String; 2]> = reference.list("pairs");
    let examples: Vec<Example> = pairs.iter().map(example).collect();
    let limits = Limits::default_for(Task::Paraphrase);
    let ids: Vec<Vec<u32>> = (encode(&examples, &tokenizer, &limits).into_iter())
        .map(|encoding| encoding.input)
        .collect();
    assert_eq!(ids, reference.list::<Vec<u32>>("input_ids"));
    // Truncation shortens the texts, never the gap.
    let short = Limits {
        input: 10,
        ..limits
    };
    for (cut, whole) in encode(&examples, &tokenizer, &short).iter().zip(&ids) {
        assert!(cut.input.len() <= 10 && cut.cut == (whole.len() > 10));
        assert_eq!(
            cut.input
                .iter()
                .filter(|&&id| Some(id) == tokenizer.mask())
                .count(),
            1
        );
    }
}

#[test]
fn logits_loss_and_the_prompts_gradient_agree() {
    let reference = Reference::of(&golden("bert_words_tiny"));
    let model = bert(&reference);
    let tokens = reference.inputs();
    let targets: Vec<[u32; 1]> = (reference.list::<u32>("targets").into_iter())
        .map(|class| [class])
        .collect();
    let targets = Tokens::padded(&targets, 0);
    let read = |prompt: Option<Tensor<2>>| {
        let entries = Injected {
            prompt,
            ..Injected::default()
        };
        model.encode(&tokens, entries, &mut Pass::evaluation())
    };
    let encoded = read(None);
    let logits = values(model.logits(&encoded));
    assert_close("logits", &logits, &reference.floats("logits"), 1e-4);
    let loss = model.token_losses(&encoded, &targets, 0.0).sum();
    assert_close("loss", &values(loss), &reference.floats("loss_sum"), 1e-4);

    let device = Device::flex().autodiff();
    let data = TensorData::new(reference.floats("prompt"), [5, 32]);
    let prompt = Tensor::<2>::from_data(data, &device).require_grad();
    let encoded = read(Some(prompt.clone()));
    let logits = values(model.logits(&encoded));
    let theirs = reference.floats("prompt.logits");
    assert_close("prompt.logits", &logits, &theirs, 1e-4);
    let losses = model.token_losses(&encoded, &targets, 0.0);
    let gradient = prompt.grad(&losses.sum().backward()).expect("tracked");
    let theirs = reference.floats("prompt.grad");
    assert_close("prompt.grad", &values(gradient), &theirs, 1e-3);
}

#[test]
fn the_masked_word_head_is_written_as_it_was_read() {
    let backbone = load("bert_words_tiny");
    let bytes = backbone.model.weights().to_bytes(BTreeMap::new());
    let weights = Weights::parse(&bytes, "again").expect("ours");
    let again = Network::load(&backbone.config, weights, &Device::flex()).expect("all of it");
    assert!(again.weights().to_bytes(BTreeMap::new()) == bytes);
    let Network::Bert(bert) = again else {
        panic!("a BERT");
    };
    assert!(bert.has_masked_words());
}

/// The head is initialised from the checkpoint, trained with the method and counted.
#[test]
fn a_method_trains_the_words_vectors_with_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wording = wording(&words(folder.path(), ["red", "town"]));
    let card = Catalogue::bundled().get("qqp").expect("bundled");
    let backbone = load("bert_words_tiny")
        .with_wording(&wording, &card)
        .expect("words");
    let form = HeadForm::Words(2);
    let recipe = Recipe {
        head: Some(form),
        ..Recipe::default_for(Defaults::Encoder, Method::Lora)
    };
    let tuned = tuning::apply(&backbone, &recipe, &MethodInputs::default(), 0).expect("it fits");
    let counted = tuning::Parameters::of(&recipe, &backbone.config).trainable;
    assert_eq!(tuned.trainable_parameters(), counted);
    let untuned = Tuned::untuned_on(&backbone, Some(form), 0);
    assert!(untuned.answers());
    let other_seed = Tuned::untuned_on(&backbone, Some(form), 1);
    let logits = |tuned: &Tuned| {
        let tokens = Tokens::padded(&[[2_u32, 9, 3, 4, 10, 3]], 0);
        let encoded = tuned.encode(&tokens, &mut Pass::evaluation());
        values(
            tuned
                .backbone
                .logits(&encoded, &Tokens::padded(&[[0_u32]], 0)),
        )
    };
    assert_eq!(logits(&untuned), logits(&other_seed));
}

#[test]
fn trained_models_with_a_head_of_words_are_restored_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wording = wording(&words(folder.path(), ["red", "town"]));
    let card = Catalogue::bundled().get("qqp").expect("bundled");
    let load = || {
        let backbone = load("bert_words_tiny").with_wording(&wording, &card);
        backbone.expect("words")
    };
    let ground = Ground {
        labels: vec!["no".to_string(), "yes".to_string()],
        ..Ground::of(load())
    };
    let texts = [["the cat sat", "red mill"], ["river", "the town"]];
    let examples = texts.map(|pair| example(&pair.map(str::to_string)));
    for method in [Method::Model, Method::Prompt, Method::Lora] {
        let mut recipe = Recipe {
            head: Some(HeadForm::Words(2)),
            ..Recipe::default_for(Defaults::Encoder, method)
        };
        recipe.budget.steps = 3;
        recipe.budget.evaluate_every = 3;
        recipe.budget.batch_size = 2;
        if let Some(prompt) = &mut recipe.prompt {
            prompt.length = 3;
        }
        ground.is_the_same_once_restored(method, &recipe, &examples, &load());
    }
}

fn promptshift(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder);
    command
}

#[test]
fn unsupported_wordings_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = |name: &str| golden(name).display().to_string();
    let transfer = |name: &str| {
        let mut command = promptshift(folder.path());
        command.args(["transfer", "qqp->mrpc", "--model", &model(name)]);
        command.args(["--score-by", "likelihood", "--dry-run"]);
        command
    };
    transfer("bert_tiny")
        .assert()
        .code(2)
        .stderr(contains("no masked-word head"));
    transfer("bert_words_tiny")
        .assert()
        .code(2)
        .stderr(contains("'not_duplicate' is").and(contains("a mask stands for one")));
    let template = ["--template", "soft-pair"];
    transfer("bert_words_tiny")
        .args(template)
        .assert()
        .code(2)
        .stderr(contains("--template"));
}

#[test]
fn a_run_and_its_adapter_answer_by_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let verbalizer = words(folder.path(), ["red", "town"]);
    let model = golden("bert_words_tiny").display().to_string();
    promptshift(folder.path())
        .args(["transfer", "qqp->mrpc", "--out", "runs", "--model", &model])
        .args(["--score-by", "likelihood", "--verbalizer"])
        .arg(&verbalizer)
        .args(["--steps", "2", "--batch-size", "2", "--train-rows", "8"])
        .args([
            "--eval-rows",
            "6",
            "--validation-rows",
            "6",
            "--seeds",
            "1",
            "--methods",
            "bitfit",
            "--quiet",
        ])
        .assert()
        .success();
    let home = folder.path().join("runs/bitfit-seed0");
    let record = std::fs::read_to_string(home.join("record.json")).expect("written");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(record["cell"]["recipe"]["head"]["words"], 2);
    let data = format!(
        "{}/datasets/mini/mrpc/test.parquet",
        env!("CARGO_MANIFEST_DIR")
    );
    promptshift(folder.path())
        .args([
            "predict", "--data", &data, "--domain", "mrpc", "--rows", "6",
        ])
        .args(["--model", &model, "--adapter", "runs/bitfit-seed0"])
        .args(["--out", "p.jsonl", "--quiet"])
        .assert()
        .success();
    let lines = std::fs::read_to_string(folder.path().join("p.jsonl")).expect("written");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let shares = line["class_log_probs"].as_array().expect("ranked");
        let share = |log: &Value| log.as_f64().expect("a number").exp();
        assert!((shares.iter().map(share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_sentinel_before_answers_is_refused() {
    let card = Catalogue::bundled().get("qqp").expect("bundled");
    let wording = Wording {
        opening: Opening::Sentinel,
        ..Wording::default()
    };
    let refused = load("bert_words_tiny").with_wording(&wording, &card);
    let error = refused.expect_err("a BERT has no sentinels").to_string();
    assert!(error.contains("<extra_id_0>"), "{error}");
}
