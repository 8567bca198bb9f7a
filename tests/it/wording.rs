//! Templates, verbalizers and ways of choosing answers, in the library and on the command line.

use assert_cmd::Command;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::backbone::Backbone;
use promptshift::batch::{self, Encoding, encode};
use promptshift::domain::card::Card;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::sampling::Limit;
use promptshift::domain::suite::Suite;
use promptshift::domain::wording::{Opening, ScoreBy, Template, Verbalizer, Wording};
use promptshift::domain::{AnswerForm, Example, Task};
use promptshift::eval::Answering;
use promptshift::eval::answerer::Answerer;
use promptshift::eval::predict::Answer;
use promptshift::layers::{Pass, Tokens};
use promptshift::recipe::{Defaults, Limits, Method, Recipe};
use promptshift::tuning::{self, MethodInputs, Tuned};
use serde_json::Value;
use tempfile::TempDir;

use crate::parity::golden;
use crate::tuning::nano;

fn card(name: &str) -> Card {
    let catalogue = Catalogue::bundled();
    catalogue.get(name).expect("a card")
}

fn rows(card: &Card, wording: &Wording, rows: usize) -> Vec<Example> {
    let portion = Suite::Mini.target(card).expect("compiled in");
    let limit = Limit::First(rows);
    Suite::Mini
        .load(card, &portion, limit, AnswerForm::Padded, wording)
        .expect("compiled in")
        .examples
}

fn limits() -> Limits {
    Limits::default_for(Task::Paraphrase)
}

fn encodings(backbone: &Backbone, examples: &[Example]) -> Vec<Encoding> {
    encode(examples, &backbone.tokenizer, &limits())
}

fn answers(
    backbone: &Backbone,
    tuned: &Tuned,
    wording: &Wording,
    card: &Card,
    encodings: &[Encoding],
) -> Vec<Answer> {
    let asker = Answerer {
        source: card,
        wording,
        tokenizer: &backbone.tokenizer,
        limits: &limits(),
    };
    let answering = asker.answering(tuned, card, encodings);
    answering.and_then(Answering::finish).expect("numbers")
}

fn log_sum(logs: &[f64]) -> f64 {
    logs.iter().map(|log| log.exp()).sum::<f64>().ln()
}

/// The log-probability of a text as the answer to one encoding, from the logits of the whole
/// vocabulary.
fn by_hand(backbone: &Backbone, tuned: &Tuned, encoding: &Encoding, text: &str) -> f64 {
    let mut ids = backbone.tokenizer.encode_output(text);
    ids.push(backbone.tokenizer.end());
    let inputs = batch::inputs(&[encoding], backbone.tokenizer.pad());
    let encoded = tuned.encode(&inputs, &mut Pass::evaluation());
    let targets = Tokens::padded(&[&ids], backbone.tokenizer.pad());
    let logits = log_softmax(tuned.backbone.logits(&encoded, &targets), 1);
    let [_, width] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("f32");
    (ids.iter().enumerate())
        .map(|(at, &id)| f64::from(logits[at * width + id as usize]))
        .sum()
}

#[test]
fn classes_are_ranked_by_the_probability_of_their_words() {
    let (backbone, card) = (nano(), card("qqp"));
    let tuned = Tuned::untuned(backbone.model.clone());
    let verbalizer = Verbalizer::find("same-different", &card).expect("in the card");
    let wording = Wording {
        score_by: ScoreBy::Likelihood,
        verbalizer: Some(verbalizer.clone()),
        ..Wording::default()
    };
    let examples = rows(&card, &wording, 5);
    let encodings = encodings(&backbone, &examples);
    let together = answers(&backbone, &tuned, &wording, &card, &encodings);
    for (encoding, answer) in encodings.iter().zip(&together) {
        let classes: Vec<f64> = (verbalizer.classes.iter())
            .map(|class| {
                let logs: Vec<f64> = (class.words.iter())
                    .map(|word| by_hand(&backbone, &tuned, encoding, word))
                    .collect();
                log_sum(&logs) - (logs.len() as f64).ln()
            })
            .collect();
        let whole = log_sum(&classes);
        let found = answer.class_log_probs.as_ref().expect("ranked");
        for (found, wanted) in found.iter().zip(&classes) {
            assert!((found - (wanted - whole)).abs() < 1e-4, "{found} {wanted}");
        }
        let best = if classes[1] > classes[0] { 1 } else { 0 };
        assert_eq!(answer.text, card.labels[best]);
        assert_eq!(answer.log_prob, found[best]);
    }
}

/// Zhao et al. 2021, §5: an example's probabilities divided by their mean over content-free inputs, which are written
/// by hand here.
#[test]
fn calibrated_probabilities_are_divided_by_their_mean_over_content_free_inputs() {
    let (backbone, card) = (nano(), card("qqp"));
    let tuned = Tuned::untuned(backbone.model.clone());
    let wording = |score_by| Wording {
        score_by,
        verbalizer: Some(Verbalizer::find("same-different", &card).expect("in the card")),
        ..Wording::default()
    };
    let examples = rows(&card, &wording(ScoreBy::Likelihood), 5);
    let ranked = |score_by, examples: &[Example]| {
        let encodings = encodings(&backbone, examples);
        answers(&backbone, &tuned, &wording(score_by), &card, &encodings)
    };
    let shares = |answer: &Answer| answer.class_log_probs.clone().expect("ranked");

    let empty = ["N/A", "[MASK]", ""].map(|text| Example {
        input: format!("question1: {text} question2: {text}"),
        ..examples[0].clone()
    });
    let empty: Vec<Vec<f64>> = (ranked(ScoreBy::Likelihood, &empty).iter())
        .map(shares)
        .collect();
    let prior = [0, 1].map(|class| {
        let all = empty.iter().map(|shares| shares[class].exp());
        all.sum::<f64>() / 3.0
    });
    assert!((prior[0] + prior[1] - 1.0).abs() < 1e-9, "{prior:?}");
    assert!(
        (prior[0].ln() - prior[1].ln()).abs() > 1e-3,
        "{prior:?} changes nothing"
    );
    // Each of the three matters: none of them equals the mean.
    let furthest = empty.iter().map(|one| (one[0].exp() - prior[0]).abs());
    assert!(furthest.fold(0.0, f64::max) > 1e-6, "{empty:?}");

    let plain = ranked(ScoreBy::Likelihood, &examples);
    let calibrated = ranked(ScoreBy::Calibrated, &examples);
    for (plain, calibrated) in plain.iter().zip(&calibrated) {
        let over = [0, 1].map(|class| shares(plain)[class] - prior[class].ln());
        let whole = log_sum(&over);
        let found = shares(calibrated);
        for (found, over) in found.iter().zip(over) {
            let wanted = over - whole;
            assert!((found - wanted).abs() < 1e-5, "{found} for {wanted}");
        }
        let best = if over[1] > over[0] { 1 } else { 0 };
        assert_eq!(calibrated.text, card.labels[best]);
        assert_eq!(calibrated.log_prob, found[best]);
    }
}

#[test]
fn a_generated_word_is_read_as_its_class_and_trained_as_its_target() {
    let card = card("qqp");
    let wording = Wording {
        verbalizer: Some(Verbalizer::find("same-different", &card).expect("in the card")),
        ..Wording::default()
    };
    assert_eq!(wording.read("the same", &card), "duplicate");
    assert_eq!(wording.read("other", &card), "not_duplicate");
    assert_eq!(wording.read("neither", &card), "neither");
    let targets: Vec<String> = (rows(&card, &wording, 30).into_iter())
        .map(|example| example.target)
        .collect();
    assert!(
        targets
            .iter()
            .all(|target| ["same", "different"].contains(&target.as_str()))
    );
}

#[test]
fn a_sentinel_precedes_targets_and_ranked_answers_and_is_removed_from_predictions() {
    let card = card("qqp");
    let plain = nano();
    let wording = Wording {
        opening: Opening::Sentinel,
        ..Wording::default()
    };
    let opened = (plain.clone().with_wording(&wording, &card)).expect("a T5 has sentinels");
    let sentinel = plain.tokenizer.sentinel(0).expect("a T5 has sentinels");
    let examples = rows(&card, &wording, 4);
    let (before, after) = (encodings(&plain, &examples), encodings(&opened, &examples));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.target[0], sentinel);
        assert_eq!(after.target[1..], before.target);
        assert_eq!(after.input, before.input);
        assert_eq!(
            opened.tokenizer.decode(&after.target),
            plain.tokenizer.decode(&before.target)
        );
    }
    // The probability of a class is that of its words after the sentinel.
    let ranked = Wording {
        score_by: ScoreBy::Likelihood,
        ..wording
    };
    let tuned = Tuned::untuned(plain.model.clone());
    let found = answers(&opened, &tuned, &ranked, &card, &after);
    for (answer, encoding) in found.iter().zip(&after) {
        let logs = [0, 1].map(|class| by_hand(&opened, &tuned, encoding, &card.labels[class]));
        let shares = answer.class_log_probs.as_ref().expect("ranked");
        let (found, wanted) = (shares[0] - shares[1], logs[0] - logs[1]);
        assert!((found - wanted).abs() < 1e-4, "{found} {wanted}");
    }
}

fn prompted(backbone: &Backbone, length: usize) -> Tuned {
    let mut recipe = Recipe::default_for(Defaults::Nano, Method::Prompt);
    recipe.prompt.as_mut().expect("a prompt").length = length;
    tuning::apply(backbone, &recipe, &MethodInputs::default(), 3).expect("a valid recipe")
}

fn embedded_rows(backbone: &Backbone, tokens: &Tokens, prompt: &Tensor<2>) -> Vec<f32> {
    let model = backbone.model.clone().into_t5().expect("a T5");
    let input = model.embed(tokens);
    let input = match tokens.soft.is_empty() {
        true => input.after_prompt(prompt.clone()),
        false => input.around_prompt(prompt.clone(), &tokens.soft),
    };
    input.rows.into_data().try_to_vec().expect("f32")
}

#[test]
fn vectors_are_inserted_between_tokens() {
    let backbone = nano();
    let width = backbone.config.width();
    let values: Vec<f32> = (0..3 * width).map(|at| at as f32).collect();
    let prompt = Tensor::from_data(
        TensorData::new(values.clone(), [3, width]),
        &backbone.model.device(),
    );
    let tokens = || Tokens::padded(&[vec![5, 6, 7, 8], vec![9, 10]], backbone.tokenizer.pad());
    let before = embedded_rows(&backbone, &tokens(), &prompt);
    let first = tokens().with_soft(vec![vec![0, 0, 0]; 2]);
    assert_eq!(embedded_rows(&backbone, &first, &prompt), before);
    let among = tokens().with_soft(vec![vec![0, 2, 4], vec![1, 1, 2]]);
    let found = embedded_rows(&backbone, &among, &prompt);
    let row = |example: usize, at: usize| {
        let from = (example * 7 + at) * width;
        &found[from..from + width]
    };
    let vector = |at: usize| &values[at * width..(at + 1) * width];
    assert_eq!(
        (row(0, 0), row(0, 3), row(0, 6)),
        (vector(0), vector(1), vector(2))
    );
    assert_eq!(
        (row(1, 1), row(1, 2), row(1, 4)),
        (vector(0), vector(1), vector(2))
    );
    let token = |example: usize, at: usize| {
        let from = (example * 7 + 3 + at) * width;
        &before[from..from + width]
    };
    assert_eq!(
        (row(0, 1), row(0, 2), row(0, 4)),
        (token(0, 0), token(0, 1), token(0, 2))
    );
    // Padding stays after the real tokens.
    assert_eq!(
        (row(1, 0), row(1, 3), row(1, 5)),
        (token(1, 0), token(1, 1), token(1, 2))
    );
}

#[test]
fn a_templates_vectors_are_at_its_slots_and_are_trained() {
    let (backbone, card) = (nano(), card("qqp"));
    let wording = Wording {
        template: Some(Template::find("soft-pair").expect("bundled")),
        ..Wording::default()
    };
    let examples = rows(&card, &wording, 4);
    let encodings = encodings(&backbone, &examples);
    for (encoding, example) in encodings.iter().zip(&examples) {
        let (places, tokens) = (&encoding.soft, encoding.input.len());
        assert_eq!(places.len(), 20);
        let first = backbone.tokenizer.encode(&example.input[..example.soft[8]]);
        assert_eq!((places[0], places[8]), (0, first.len()));
        // After the text and before the end of sequence.
        assert_eq!(places[19], tokens - 1);
    }
    let tuned = prompted(&backbone, 20);
    let chosen: Vec<&Encoding> = encodings.iter().collect();
    let batch = batch::Batch::of(&chosen, backbone.tokenizer.pad());
    let encoded = tuned.encode(&batch.inputs, &mut Pass::evaluation());
    let losses =
        (tuned.backbone).token_losses(&encoded, &batch.targets, 0.0, &mut Pass::evaluation());
    let grads = losses.sum().backward();
    let prompt = tuned.prompt.as_ref().expect("a prompt").vectors();
    let grad = prompt.grad(&grads).expect("it is on the tape");
    let largest = grad.abs().max_dim(1).into_data();
    let largest: Vec<f32> = largest.try_to_vec().expect("f32");
    assert_eq!(largest.len(), 20);
    assert!(largest.iter().all(|&one| one > 0.0), "{largest:?}");
}

#[test]
fn a_truncated_input_keeps_all_its_vectors() {
    let (backbone, card) = (nano(), card("qqp"));
    let wording = Wording {
        template: Some(Template::find("soft-pair").expect("bundled")),
        ..Wording::default()
    };
    let limits = Limits {
        input: 6,
        ..limits()
    };
    let examples = rows(&card, &wording, 3);
    for encoding in encode(&examples, &backbone.tokenizer, &limits) {
        assert!(encoding.cut && encoding.input.len() == 6);
        assert_eq!((encoding.soft.len(), encoding.soft[19]), (20, 5));
    }
}

/// The output of `verbalizer` is a file that `--verbalizer` accepts, and it is reproducible.
#[test]
fn proposed_words_can_be_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let propose = || {
        let output = promptshift(&folder)
            .args([
                "verbalizer",
                "qqp",
                "--verbalizer",
                "yes-no",
                "--nearest",
                "3",
            ])
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = propose();
    assert_eq!(propose(), text);
    let path = folder.path().join("more.toml");
    std::fs::write(&path, &text).expect("written");
    let found = Verbalizer::find(&path.display().to_string(), &card("qqp")).expect(&text);
    for (class, first) in found.classes.iter().zip(["no", "yes"]) {
        assert_eq!((class.words.len(), class.words[0].as_str()), (4, first));
    }
}

fn promptshift(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder.path());
    command
}

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("written")).expect("JSON")
}

/// A tiny run with its own wording: record, report, and its prompt in `predict`.
#[test]
fn a_wording_is_recorded_reported_and_stored_with_the_prompt() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tiny = [
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
        "--seeds",
        "1",
        "--methods",
        "prompt",
        "--quiet",
    ];
    let asked = [
        "--score-by",
        "calibrated",
        "--verbalizer",
        "yes-no",
        "--template",
        "soft-pair",
    ];
    promptshift(&folder)
        .args(["transfer", "qqp->mrpc", "--out", "runs/asked"])
        .args(tiny)
        .args(asked)
        .assert()
        .success();
    let home = folder.path().join("runs/asked/prompt-seed0");
    let record = json(&home.join("record.json"));
    let wording = &record["cell"]["wording"];
    assert_eq!(wording["score_by"], "calibrated");
    assert_eq!(wording["verbalizer"]["classes"][1]["words"][0], "yes");
    assert_eq!(
        wording["template"]["sha256"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(record["cell"]["recipe"]["prompt"]["length"], 20);
    let lines = std::fs::read_to_string(home.join("mrpc.jsonl")).expect("written");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let shares = line["class_log_probs"].as_array().expect("ranked");
        let sum: f64 = shares
            .iter()
            .map(|log| log.as_f64().expect("a number").exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{line}");
    }
    // The same in the paper's wording: another study, and one table of both.
    promptshift(&folder)
        .args(["transfer", "qqp->mrpc", "--out", "runs/plain"])
        .args(tiny)
        .assert()
        .success();
    let plain = json(&folder.path().join("runs/plain/prompt-seed0/record.json"));
    assert_eq!(plain["cell"].get("wording"), None);
    promptshift(&folder)
        .args(["report", "runs", "--out", "both"])
        .assert()
        .success();
    let report = std::fs::read_to_string(folder.path().join("both/report.md")).expect("written");
    for part in [
        "# qqp → mrpc, several wordings",
        "calibrated, verbalizer yes-no, template soft-pair",
        "the probability of its class over that of all classes",
        "Zhao et al. 2021",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    // The prompt knows its wording.
    let data = format!(
        "{}/datasets/mini/mrpc/test.parquet",
        env!("CARGO_MANIFEST_DIR")
    );
    let predict = |out: &str| {
        let mut command = promptshift(&folder);
        command.args([
            "predict", "--data", &data, "--domain", "mrpc", "--rows", "6",
        ]);
        command.args([
            "--prompt",
            "runs/asked/prompt-seed0",
            "--out",
            out,
            "--quiet",
        ]);
        command
    };
    predict("p.jsonl").assert().success();
    let again = std::fs::read_to_string(folder.path().join("p.jsonl")).expect("written");
    let first: Value = serde_json::from_str(again.lines().next().expect("a line")).expect("JSON");
    assert!(first["class_log_probs"].is_array(), "{first}");
    std::fs::write(
        folder.path().join("short.toml"),
        "name = \"short\"\nabout = \"\"\ntasks = [\"paraphrase\"]\ntext = \"{soft:3} {text1} {text2}\"\n",
    )
    .expect("written");
    predict("q.jsonl")
        .args(["--template", "short.toml"])
        .assert()
        .code(2)
        .stderr(contains("20 vectors").and(contains("room for 3")));
}

#[test]
fn an_unsuitable_wording_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (arguments, parts) in [
        (
            &["squad->race", "--score-by", "likelihood"][..],
            &["squad has no classes"][..],
        ),
        (
            &["qqp->mrpc", "--score-by", "luck"],
            &["generation, likelihood, calibrated", "'luck'"],
        ),
        (
            &["qqp->mrpc", "--verbalizer", "yes"],
            &["unknown verbalizer 'yes' of qqp", "yes-no"],
        ),
        (
            &["qqp->mrpc", "--template", "soft-inside"],
            &["soft-inside", "a domain of question answering"],
        ),
        (
            &[
                "qqp->mrpc",
                "--template",
                "soft-pair",
                "--prompt-length",
                "7",
            ],
            &["--prompt-length 7", "20 vectors"],
        ),
        (
            &[
                "qqp->mrpc",
                "--template",
                "soft-pair",
                "--methods",
                "few-shot",
            ],
            &["few-shot", "room for a soft prompt"],
        ),
    ] {
        let mut assert = promptshift(&folder)
            .arg("transfer")
            .args(arguments)
            .assert()
            .code(2);
        for part in parts {
            assert = assert.stderr(contains(*part));
        }
    }
}

/// Other networks have their own wordings; for likelihood see `bert_words`.
#[test]
fn wordings_are_only_for_t5() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (model, kind) in [
        ("gpt2_tiny", "a decoder-only model"),
        ("bert_tiny", "a BERT"),
    ] {
        let model = golden(model).display().to_string();
        for flag in [
            ["--template", "soft-pair"],
            ["--verbalizer", "yes-no"],
            ["--score-by", "calibrated"],
        ] {
            let refusal = format!("{}: it is for a T5, and the model is {kind}", flag[0]);
            promptshift(&folder)
                .args(["transfer", "qqp->mrpc", "--dry-run", "--model", &model])
                .args(flag)
                .assert()
                .code(2)
                .stderr(contains(refusal));
        }
    }
}
