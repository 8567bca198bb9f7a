//! Studies computed in pieces by any scheduler: `--list-cells`, `--cell`, `--partition`, `--report-only`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ends::{program, results};

/// Two methods, two seeds and their searches, in a few seconds.
pub const STUDY: &str = "transfer squad->race --methods prompt,model --seeds 2 --trials 2 --steps 4 --batch-size 2 --train-rows 8 \
                         --validation-rows 4 --eval-rows 4";

fn run(folder: &Path, words: &str) -> Output {
    let mut command = program(folder, words);
    command.env_remove("PROMPTSHIFT_STORE");
    command.env_remove("PROMPTSHIFT_DEVICE");
    command.output().expect("it runs")
}

/// Standard output of a command that succeeds.
pub fn succeeds(folder: &Path, words: &str) -> String {
    let output = run(folder, words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn fails(folder: &Path, words: &str) -> (Option<i32>, String) {
    let output = run(folder, words);
    assert!(!output.status.success(), "{words}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

/// The cells by their names.
fn listed(folder: &Path, words: &str) -> BTreeMap<String, Value> {
    let list: Value = serde_json::from_str(&succeeds(folder, words)).expect("JSON");
    let cells = list["cells"].as_array().expect("a list").iter();
    cells
        .map(|cell| {
            (
                cell["name"].as_str().expect("a name").to_owned(),
                cell.clone(),
            )
        })
        .collect()
}

fn states(folder: &Path, words: &str) -> BTreeMap<String, String> {
    let state = |cell: Value| cell["state"].as_str().expect("a state").to_owned();
    let cells = listed(folder, words).into_iter();
    cells.map(|(name, cell)| (name, state(cell))).collect()
}

#[test]
fn cells_run_one_by_one_give_the_results_of_the_whole_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    succeeds(folder, &format!("{STUDY} --out whole --store whole-store"));
    succeeds(folder, &format!("{STUDY} --save-plan plan.json"));
    let cells = listed(folder, "run plan.json --list-cells");
    assert_eq!(cells.len(), 2 + 4 + 5);
    assert_eq!(
        cells["training/model-seed1"]["waits_for"][0],
        "search/model"
    );
    assert!(cells.values().all(|cell| cell["state"] == "missing"));

    // The inputs of a cell must exist.
    let (code, said) = fails(folder, "run plan.json --cell training/prompt-seed0");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("training/prompt-seed0 needs search/prompt"),
        "{said}"
    );
    let (code, said) = fails(folder, "run plan.json --cell training/prompt-sed0");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("did you mean 'training/prompt-seed0'?"),
        "{said}"
    );

    succeeds(folder, "run plan.json --cell search/prompt,search/model");
    let (_, said) = fails(
        folder,
        "run plan.json --cell evaluation/prompt-seed0,evaluation/untuned",
    );
    assert!(
        said.contains("evaluation/prompt-seed0 needs training/prompt-seed0"),
        "{said}"
    );
    let now = states(folder, "run plan.json --list-cells");
    assert_eq!(now["evaluation/untuned"], "done", "others go on");
    assert_eq!(now["evaluation/prompt-seed0"], "failed");
    assert_eq!(now["training/model-seed1"], "missing");

    // A report says what is missing and why.
    let (code, said) = fails(folder, "run plan.json --report-only --out parts");
    assert_eq!(code, Some(1), "{said}");
    let report = fs::read_to_string(folder.join("parts/report.md")).expect("written");
    for fact in [
        "needs training/prompt-seed0",
        "evaluation/model-seed1: not computed",
    ] {
        let is_there = report.contains(fact) || said.contains(fact);
        assert!(is_there, "{fact}: {report}\n{said}");
    }

    let names: Vec<String> = cells
        .keys()
        .filter(|name| name.starts_with("training/"))
        .cloned()
        .collect();
    let done = succeeds(folder, &format!("run plan.json --cell {}", names.join(",")));
    assert_eq!(done.matches(": done").count(), names.len(), "{done}");
    succeeds(
        folder,
        "run plan.json --cell evaluation/prompt-seed0 --jobs 1",
    );
    let names =
        ["prompt-seed1", "model-seed0", "model-seed1"].map(|name| format!("evaluation/{name}"));
    succeeds(folder, &format!("run plan.json --cell {}", names.join(",")));
    assert!(
        states(folder, "run plan.json --list-cells")
            .values()
            .all(|state| state == "done")
    );
    succeeds(folder, "run plan.json --report-only --out parts");
    assert_eq!(
        results(&folder.join("parts")),
        results(&folder.join("whole"))
    );
}

#[test]
fn partitions_together_are_the_whole_study() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut done = Vec::new();
    for number in 1..=3 {
        let said = succeeds(folder, &format!("{STUDY} --partition slice:{number}/3"));
        let lines = said.lines().filter_map(|line| line.strip_suffix(": done"));
        done.extend(lines.map(str::to_owned));
    }
    let count = done.len();
    done.sort();
    done.dedup();
    assert_eq!((count, done.len()), (11, 11), "{done:?}");
    let output = run(folder, &format!("{STUDY} --out whole"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("4 trainings found, 0 to do; 10 evaluations found, 0 to do"),
        "{said}"
    );
    for words in [
        "--partition slice:4/3",
        "--partition slice:1/3 --list-cells",
        "--cell search/prompt --keep none",
    ] {
        assert_eq!(
            fails(folder, &format!("{STUDY} {words}")).0,
            Some(2),
            "{words}"
        );
    }
}

/// Kills a worker of this process as soon as there is one.
#[cfg(target_os = "linux")]
fn kill_a_worker(of: u32) {
    let parent = format!("\nPPid:\t{of}\n");
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < Duration::from_secs(120), "no worker");
        for process in fs::read_dir("/proc").expect("listed").flatten() {
            let told = |file: &str| fs::read_to_string(process.path().join(file));
            let is_child = told("status").is_ok_and(|status| status.contains(&parent));
            if is_child && told("cmdline").is_ok_and(|words| words.contains("\0worker\0")) {
                let pid = process.file_name();
                let killed = Command::new("kill").arg("-KILL").arg(pid).status();
                assert!(killed.expect("kill").success());
                return;
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_is_killed_is_a_failed_cell_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let study = STUDY.replace(" --trials 2", "");
    let start = |words: &str| {
        let mut command = program(folder, words);
        command.env_remove("PROMPTSHIFT_STORE");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it runs");
        kill_a_worker(child.id());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    };
    let names =
        ["prompt-seed0", "prompt-seed1", "model-seed0"].map(|name| format!("training/{name}"));
    let said = start(&format!("{study} --jobs 2 --cell {}", names.join(",")));
    assert!(said.contains("1 of 3 cells failed"), "{said}");
    let list: Value =
        serde_json::from_str(&succeeds(folder, &format!("{study} --list-cells"))).expect("JSON");
    let failed: Vec<&Value> = (list["cells"].as_array().expect("a list").iter())
        .filter(|cell| cell["state"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "{list}");
    let reason = failed[0]["reason"].as_str().expect("a reason");
    let name = failed[0]["name"].as_str().expect("a name");
    for fact in [name, "signal 9 (SIGKILL)", "memory"] {
        assert!(reason.contains(fact), "{fact}: {reason}");
    }

    // Without cells as well: the report says why, and the same command makes what is missing.
    let study = study.replace("--seeds 2", "--seeds 1");
    let line = format!("{study} --jobs 2 --out out --store other");
    let said = start(&line);
    assert!(said.contains("signal 9 (SIGKILL)"), "{said}");
    let report = fs::read_to_string(folder.join("out/report.md")).expect("written");
    assert!(report.contains("signal 9 (SIGKILL)"), "{report}");
    succeeds(folder, &line);
}

#[test]
fn cells_of_an_ablation_name_their_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    let tiny = "--seeds 1 --steps 2 --train-rows 8 --eval-rows 4 --validation-rows 4";
    let line = format!("ablate length squad->race --lengths 1,5 {tiny}");
    let cells = listed(folder.path(), &format!("{line} --list-cells"));
    let evaluations: Vec<&String> = cells
        .keys()
        .filter(|name| name.starts_with("evaluation/"))
        .collect();
    assert!(
        evaluations.iter().all(|name| name.split('/').count() == 3),
        "{evaluations:?}"
    );
    let name = evaluations
        .iter()
        .find(|name| name.ends_with("prompt-seed0"))
        .expect("one");
    let training = name.replacen("evaluation", "training", 1);
    let said = succeeds(folder.path(), &format!("{line} --cell {training},{name}"));
    assert_eq!(said, format!("{training}: done\n{name}: done\n"));
}

/// The block of docs/clusters-and-gpus.md that contains this word, with a test's study in place of its own.
fn example(word: &str) -> String {
    let page = include_str!("../../docs/clusters-and-gpus.md");
    let mut blocks = page.split("\n```").skip(1).step_by(2).map(str::to_owned);
    let block = blocks.find(|block| block.contains(word) && block.contains("promptshift"));
    let block = block.unwrap_or_else(|| panic!("no example with {word}"));
    let (_, text) = block.split_once('\n').expect("a language before it");
    text.replace("transfer 'squad->textbookqa' --seeds 2", &quoted(STUDY))
}

fn quoted(study: &str) -> String {
    study.replace("squad->race", "'squad->race'")
}

fn shell(folder: &Path, script: &str) {
    let program = assert_cmd::cargo::cargo_bin("promptshift");
    let home = program.parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let ended = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{home}:{path}"))
        .env_remove("PROMPTSHIFT_STORE")
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{script}\n{said}");
}

#[test]
#[ignore = "needs GNU parallel"]
fn the_example_with_gnu_parallel_works() {
    let folder = tempfile::tempdir().expect("a folder");
    shell(folder.path(), &example("parallel"));
    assert_eq!(
        results(&folder.path().join("runs/parallel"))
            .keys()
            .filter(|file| file.ends_with("record.json"))
            .count(),
        5
    );
}

#[test]
#[ignore = "needs Snakemake"]
fn the_example_with_snakemake_works() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("Snakefile"), example("rule cell")).expect("written");
    shell(folder.path(), &example("snakemake --cores"));
    assert_eq!(
        results(&folder.path().join("runs/snakemake"))
            .keys()
            .filter(|file| file.ends_with("record.json"))
            .count(),
        5
    );
}
