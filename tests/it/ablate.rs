//! Ablations and ensembles from the command line, with plans so short that nothing is learned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::checkpoint::Weights;
use promptshift::pretrain::PretrainRecipe;
use promptshift::recipe::{PromptInit, PromptRecipe, PromptStart};
use promptshift::tuning::saved::Vectors;
use promptshift::tuning::{MethodInputs, PromptError, prompt_tuning};

use crate::tuning::nano;

fn start(seed: u64, length: usize) -> Vectors {
    let recipe = PromptRecipe {
        length,
        init: PromptInit::Vocab,
    };
    prompt_tuning(nano().model, &recipe, &MethodInputs::default(), seed)
        .expect("a valid recipe")
        .vectors()
        .expect("a prompt")
}

#[test]
fn a_prompt_can_be_initialised_from_a_tuned_prompt() {
    let before = start(3, 4);
    let recipe = |length| PromptRecipe {
        length,
        init: PromptInit::File(PromptStart {
            path: "prompt.safetensors".to_string(),
            sha256: before.sha256(),
            tuned_on: None,
        }),
    };
    let words = MethodInputs {
        vectors: Some(before.clone()),
        ..MethodInputs::default()
    };
    let begun = prompt_tuning(nano().model, &recipe(4), &words, 0).expect("as long");
    assert_eq!(begun.vectors().expect("a prompt"), before);
    let refused = prompt_tuning(nano().model, &recipe(5), &words, 0).expect_err("too short");
    assert!(matches!(
        refused,
        PromptError::FileLength {
            wanted: 5,
            found: 4
        }
    ));
}

#[test]
fn recipes_of_the_ablations_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/ablation");
    let mut recipes = 0;
    for entry in std::fs::read_dir(folder).expect("committed") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let recipe: PretrainRecipe = toml::from_str(&text).expect("a recipe");
            assert!(recipe.steps() > 0, "{}", path.display());
            recipes += 1;
        }
    }
    assert_eq!(recipes, 5);
}

#[test]
fn pre_training_continues_from_any_checkpoint_on_any_text() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipe = std::fs::read_to_string(root.join("models/ablation/adapt-500.toml"));
    let recipe = recipe
        .expect("committed")
        .replace("steps = 500", "steps = 2");
    std::fs::write(folder.path().join("two.toml"), recipe).expect("written");
    let (nano, text) = (
        root.join("models/nano"),
        root.join("datasets/mini/squad/test.parquet"),
    );
    let run = |column: &str, out: &str| {
        let (nano, text) = (nano.display(), text.display());
        let arguments = format!(
            "pretrain --recipe two.toml --from {nano} --text {text} --column {column} --out {out}"
        );
        promptshift(folder.path(), &arguments)
    };
    run("context", "on").success();
    let read = |path: &Path| std::fs::read(path).expect("written");
    let on = folder.path().join("on");
    assert_eq!(
        read(&on.join("tokenizer.json")),
        read(&nano.join("tokenizer.json"))
    );
    let weights = |folder: &Path| read(&folder.join("model.safetensors"));
    assert_eq!(weights(&on).len(), weights(&nano).len());
    assert!(weights(&on) != weights(&nano), "two steps were taken");
    promptshift(folder.path(), "methods --model on").success();
    run("story", "off").code(1).stderr(contains("story"));
}

fn promptshift(folder: &Path, arguments: &str) -> assert_cmd::assert::Assert {
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .current_dir(folder)
        .args(arguments.split(' '))
        .assert()
}

const TINY: &str = "--seeds 2 --steps 2 --train-rows 8 --eval-rows 6 --validation-rows 6";

#[test]
fn an_ensemble_is_trained_reported_and_inspected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = format!("ablate ensemble qqp->mrpc {TINY} --out vote --html");
    promptshift(folder.path(), &run)
        .success()
        .stdout(contains("# Ensemble of 2 prompts: qqp → mrpc"))
        .stdout(contains("| 2 of 2 |"));
    let report = folder.path().join("vote/report.md");
    let first = std::fs::read_to_string(&report).expect("written");
    assert!(folder.path().join("vote/figures/ensemble.svg").exists());
    assert!(folder.path().join("vote/report.html").exists());
    // Nothing is tuned or answered again; the report is rendered from the records only.
    promptshift(folder.path(), &run)
        .success()
        .stderr(contains("has a record already"));
    promptshift(folder.path(), "report vote").success();
    assert_eq!(std::fs::read_to_string(&report).expect("written"), first);
    // The prompts of any finished transfer can vote, without their weights.
    let weights = "vote/prompts/prompt-seed0/prompt.safetensors";
    let (there, away) = (folder.path().join(weights), folder.path().join("away"));
    std::fs::rename(&there, &away).expect("it is there");
    promptshift(
        folder.path(),
        "ablate ensemble --from vote/prompts --out again",
    )
    .success()
    .stdout(contains("# Ensemble of 2 prompts"));
    std::fs::rename(&away, &there).expect("it was there");
    let again = std::fs::read_to_string(folder.path().join("again/report.md"));
    assert_eq!(again.expect("written"), first);
    // A file that promptshift did not write is not changed.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("a new folder");
    std::fs::write(other.join("ensemble.json"), "{}").expect("written");
    promptshift(folder.path(), &run.replace("--out vote", "--out other"))
        .code(1)
        .stderr(contains("ensemble.json"));
    let kept = std::fs::read_to_string(other.join("ensemble.json"));
    assert_eq!(kept.expect("it is there"), "{}");
    // One more seed trains one more prompt.
    promptshift(folder.path(), &run.replace("--seeds 2", "--seeds 3"))
        .success()
        .stdout(contains("# Ensemble of 3 prompts: qqp → mrpc"));
    // ... or initialise another one of the same length.
    promptshift(
        folder.path(),
        &format!(
            "transfer mrpc->qqp --methods prompt {TINY} --init file:vote/prompts/prompt-seed1 -q"
        ),
    )
    .success();
    promptshift(
        folder.path(),
        "transfer mrpc->qqp --methods prompt --init file:vote/prompts/prompt-seed1 --prompt-length 7",
    )
    .code(2)
    .stderr(contains("wanted a prompt of 7 vectors, found 20"));
    promptshift(
        folder.path(),
        "inspect vote/prompts/prompt-seed0 --out seen",
    )
    .success()
    .stdout(contains("What the prompt qqp, prompt, seed 0 learned"))
    .stdout(contains("“not\\_duplicate”").or(contains("not_duplicate")));
    assert!(folder.path().join("seen/figures/positions-1.svg").exists());
}

#[test]
fn lengths_are_compared_and_an_interrupted_ablation_resumes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = format!("ablate length squad->race {TINY} --lengths 1,5 --out lengths");
    promptshift(folder.path(), &run)
        .success()
        .stdout(contains("# Prompt length: squad → race"))
        .stdout(contains("| 5, prompt tuning | 0, 1 |"))
        .stdout(contains("not run"));
    let report = folder.path().join("lengths/report.md");
    let first = std::fs::read_to_string(&report).expect("written");
    // As if it had been interrupted in the second setting's last cell.
    let setting = folder.path().join("lengths/length-5-vocab");
    std::fs::rename(
        setting.join("prompt-seed1"),
        setting.join(".partial-prompt-seed1"),
    )
    .expect("it is there");
    promptshift(folder.path(), "report lengths").success();
    let half = std::fs::read_to_string(&report).expect("written");
    assert!(half.contains("| 5, prompt tuning | 0 |"), "{half}");
    let without = "**Without a record**: length-5-vocab, prompt tuning, seed 1: unfinished.";
    assert!(half.contains(without), "{half}");
    // ... or as if its loss had diverged there.
    let cell: serde_json::Value = {
        let record = setting.join(".partial-prompt-seed1/record.json");
        let bytes = std::fs::read(record).expect("written");
        serde_json::from_slice(&bytes).expect("a record")
    };
    std::fs::write(
        setting.join("failed-prompt-seed1.json"),
        serde_json::json!({
            "version": cell["version"], "cell": cell["cell"],
            "reason": "the loss was NaN", "provenance": cell["provenance"],
        })
        .to_string(),
    )
    .expect("a writable folder");
    promptshift(folder.path(), "report lengths").success();
    let failed = std::fs::read_to_string(&report).expect("written");
    assert!(failed.contains("failed (the loss was NaN)"), "{failed}");
    promptshift(folder.path(), &run).success().stderr(contains(
        "lengths/length-1-vocab/prompt-seed0 has a record already",
    ));
    let seconds = |text: &str| text.split("## Cost").next().map(str::to_owned);
    let again = std::fs::read_to_string(&report).expect("written");
    assert_eq!(seconds(&again), seconds(&first));
    let other = format!("ablate length squad->race {TINY} --lengths 1 --out lengths");
    promptshift(folder.path(), &other)
        .code(1)
        .stderr(contains("another ablation"));
    promptshift(folder.path(), "ablate length squad->race --lengths 5,5")
        .code(2)
        .stderr(contains("wanted each setting once"));
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("written") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                let bytes = std::fs::read(&path).expect("readable");
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The verdicts of an ablation's report on the paper's conclusions.
fn verdicts(report: &str) -> Vec<&str> {
    let table = report
        .lines()
        .skip_while(|line| !line.starts_with("| the paper |"));
    let rows = table.skip(2).take_while(|line| line.starts_with("| "));
    rows.filter_map(|row| row.strip_suffix(" |")?.rsplit(" | ").next())
        .collect()
}

/// Runs an ablation with one seed twice: its report has these rows with their seeds, and a verdict on this number of
/// conclusions; the second run adds nothing.
fn is_run_once(folder: &Path, what: &str, title: &str, rows: &[&str], conclusions: usize) {
    let run = format!(
        "ablate {what} --seeds 1 --steps 2 --train-rows 8 --eval-rows 6 --validation-rows 6 --out ablation"
    );
    let title = format!("# {title}\n");
    promptshift(folder, &run).success().stdout(contains(title));
    let out = folder.join("ablation");
    let report = std::fs::read_to_string(out.join("report.md")).expect("written");
    for row in rows {
        assert!(
            report.contains(&format!("\n| {row} |")),
            "{row} in {report}"
        );
    }
    let verdicts = verdicts(&report);
    assert_eq!(verdicts.len(), conclusions, "{report}");
    for verdict in verdicts {
        let is_one = ["agrees", "disagrees"].contains(&verdict)
            || (verdict.starts_with("inconclusive: ") && verdict.contains("80 % power"));
        assert!(is_one, "'{verdict}' in {report}");
    }
    let before = files(&out);
    let records = before.keys().filter(|path| path.ends_with("record.json"));
    assert_eq!(records.count(), rows.len());
    promptshift(folder, &run)
        .success()
        .stderr(contains("has a record already").count(rows.len()));
    let after = files(&out);
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    for (path, bytes) in &before {
        assert!(after[path] == *bytes, "{} has changed", path.display());
    }
}

fn nano_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano")
}

/// nano without the last block of its decoder, as `shallow` in a folder.
fn make_shallow(folder: &Path) {
    let (nano, shallow) = (nano_folder(), folder.join("shallow"));
    std::fs::create_dir(&shallow).expect("a new folder");
    let config = std::fs::read_to_string(nano.join("config.json")).expect("committed");
    let fewer = config.replace("\"num_decoder_layers\": 2", "\"num_decoder_layers\": 1");
    assert_ne!(fewer, config);
    std::fs::write(shallow.join("config.json"), fewer).expect("written");
    let name = "tokenizer.json";
    std::fs::copy(nano.join(name), shallow.join(name)).expect("copied");
    let weights = Weights::read(&nano.join("model.safetensors")).expect("committed");
    let weights =
        weights.renamed(|name| (!name.starts_with("decoder.block.1.")).then(|| name.to_string()));
    let bytes = weights.to_bytes(BTreeMap::new());
    std::fs::write(shallow.join("model.safetensors"), bytes).expect("written");
}

#[test]
fn initialisations_are_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    is_run_once(
        folder.path(),
        "init qqp->mrpc",
        "Prompt initialisation: qqp → mrpc",
        &[
            "uniform, prompt tuning | 0",
            "uniform from 0, prompt tuning | 0",
            "sampled vocabulary, prompt tuning | 0",
            "class labels, prompt tuning | 0",
            "text, prompt tuning | 0",
        ],
        2,
    );
    // Sources without class labels have no initialisation from labels.
    promptshift(
        folder.path(),
        "ablate init squad->race --inits labels --out none",
    )
    .code(2)
    .stderr(contains("has no class labels"));
}

#[test]
fn pre_training_objectives_are_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make_shallow(folder.path());
    let nano = nano_folder();
    is_run_once(
        folder.path(),
        &format!(
            "objective squad->race --spans shallow --adapted {}",
            nano.display()
        ),
        "Pre-training objective: squad → race",
        &[
            "span corruption, untuned | –",
            "span corruption, prompt tuning | 0",
            "span corruption, sentinel, untuned | –",
            "span corruption, sentinel, prompt tuning | 0",
            "adapted as a language model, untuned | –",
            "adapted as a language model, prompt tuning | 0",
        ],
        2,
    );
    // The sentinel precedes answers only in its own setting.
    let opening = |setting: &str| {
        let home = folder.path().join("ablation").join(setting);
        let record = std::fs::read(home.join("prompt-seed0/record.json")).expect("written");
        let record: serde_json::Value = serde_json::from_slice(&record).expect("a record");
        record["cell"]["wording"]["opening"].clone()
    };
    assert_eq!(opening("objective-spancorruptionsentinel"), "sentinel");
    assert!(opening("objective-spancorruption").is_null());
}

#[test]
fn steps_of_adaptation_are_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make_shallow(folder.path());
    let nano = nano_folder();
    is_run_once(
        folder.path(),
        &format!(
            "lm-steps squad->race --models 0=shallow,1000={}",
            nano.display()
        ),
        "Steps of LM adaptation: squad → race",
        &[
            "0, untuned | –",
            "0, prompt tuning | 0",
            "1,000, untuned | –",
            "1,000, prompt tuning | 0",
        ],
        1,
    );
    promptshift(folder.path(), "ablate lm-steps --models shallow")
        .code(2)
        .stderr(contains("wanted STEPS=MODEL, found 'shallow'"));
}

#[test]
fn sizes_are_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make_shallow(folder.path());
    is_run_once(
        folder.path(),
        "scale squad->race --models shallow,nano",
        "Model size: squad → race",
        &[
            "1,312,384, untuned | –",
            "1,312,384, prompt tuning | 0",
            "1,312,384, model tuning | 0",
            "1,542,144, untuned | –",
            "1,542,144, prompt tuning | 0",
            "1,542,144, model tuning | 0",
        ],
        1,
    );
    promptshift(folder.path(), "ablate scale --models nano,nano")
        .code(2)
        .stderr(contains("scale 1,542,144: wanted each once"));
}
