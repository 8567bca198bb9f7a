//! `promptshift run sweep.toml`: several transfers in one file.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::tensorboard::scalars;
use serde_json::Value;

/// The example in the documentation.
fn documented() -> String {
    let page = include_str!("../../docs/sweeps.md");
    let block = page.split("```toml\n").nth(1).expect("an example");
    block.split("```").next().expect("it ends").to_owned()
}

fn run(folder: &Path, sweep: &str, more: &[&str]) -> Assert {
    fs::write(folder.join("sweep.toml"), sweep).expect("written");
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .current_dir(folder)
        .env_remove("PROMPTSHIFT_STORE")
        .env_remove("PROMPTSHIFT_DEVICE")
        .args(["run", "sweep.toml", "--jobs", "1"])
        .args(more)
        .assert()
}

fn said(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn the_documented_sweep_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut sweep = documented();
    for (much, little) in [
        ("steps = 40", "steps = 2"),
        ("train-rows = 500", "train-rows = 8"),
        ("validation-rows = 50", "validation-rows = 4"),
        ("eval-rows = 50", "eval-rows = 4"),
        ("seeds = 2", "seeds = 1"),
    ] {
        assert!(sweep.contains(much), "{much}");
        sweep = sweep.replace(much, little);
    }
    let planned = run(folder.path(), &sweep, &["--dry-run"]).success();
    let planned = String::from_utf8_lossy(&planned.get_output().stdout).into_owned();
    // The two transfers of squad share their trainings; qqp has two of its own.
    let total = "3 studies: 0 trainings found, 4 to do; 0 evaluations found, 18 to do, about ";
    assert!(planned.contains(total), "{planned}");
    assert!(!folder.path().join("runs").exists(), "nothing is made");

    let ended = run(folder.path(), &sweep, &["--out", "out"]).success();
    assert!(said(&ended).contains(total), "{}", said(&ended));
    let out = folder.path().join("out");
    let index = fs::read_to_string(out.join("index.md")).expect("written");
    let links: Vec<&str> = (index.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert_eq!(links.len(), 3, "{index}");
    let mut found = Vec::new();
    for link in links {
        let report = out.join(link);
        assert!(report.is_file(), "{link}");
        let plan = fs::read(report.with_file_name("plan.json")).expect("written");
        let plan: Value = serde_json::from_slice(&plan).expect("JSON");
        let cells = plan["cells"].as_array().expect("a list").len();
        found.push((
            plan["targets"].to_string(),
            cells,
            plan["train_rows"].clone(),
        ));
    }
    let wanted = ["[\"textbookqa\"]", "[\"race\",\"drop\"]", "[\"mrpc\"]"];
    let wanted = wanted.map(|targets| (targets.to_owned(), 3, Value::from(8)));
    assert_eq!(found, wanted);
    let lora = Path::new(index.split("](").nth(3).expect("the third")).parent();
    let lora = out
        .join(lora.expect("a folder"))
        .join("lora-seed0/record.json");
    assert!(lora.is_file(), "{}", lora.display());

    run(
        folder.path(),
        &sweep,
        &["--out", "out", "--log-to", "curves"],
    )
    .success()
    .stderr(contains(
        "4 trainings found, 0 to do; 18 evaluations found, 0 to do",
    ));
    // Each study's curves have a folder of their own.
    let study = lora.strip_prefix(&out).expect("below it").parent();
    let curves = folder.path().join("curves").join(study.expect("of a run"));
    let logged = scalars(&curves).expect("read");
    assert!(
        logged.iter().any(|(tag, ..)| tag == "test/mrpc/accuracy"),
        "{logged:?}"
    );
}

#[test]
fn each_model_of_a_list_is_a_study_and_tables_override_defaults() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let sweep = format!(
        "[defaults]\nmodel = [\"nano\", \"{}\"]\nseeds = 4\nquick = true\ndomains = []\n\
         [[transfer]]\ntransfer = \"squad->race\"\nquick = false\nseeds = [7]\nsteps = 3\n",
        models.join("nano").display()
    );
    let planned = run(
        folder.path(),
        &sweep.replace("domains = []\n", ""),
        &["--dry-run"],
    );
    let planned = String::from_utf8_lossy(&planned.success().get_output().stdout).into_owned();
    assert_eq!(
        planned.matches("prompt tuning, seed 7: 3 steps").count(),
        2,
        "{planned}"
    );
    assert!(planned.contains("2 studies: "), "{planned}");
    run(folder.path(), &sweep, &["--dry-run"])
        .code(2)
        .stderr(contains(
            "sweep.toml:5: domains: wanted a text, a decimal number or a list of them",
        ));
}

#[test]
fn errors_name_the_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = |sweep: &str, words: &[&str]| {
        let ended = run(folder.path(), sweep, &["--dry-run"]).code(2);
        for word in words {
            assert!(said(&ended).contains(word), "{word}: {}", said(&ended));
        }
    };
    let table = "[[transfer]]\ntransfer = \"squad->race\"\n";
    let with = |line: &str| format!("{table}{line}\n");
    let at = |line: usize| format!("sweep.toml:{line}: ");
    refused(
        &with("train_rows = 3"),
        &[&at(3), "'train_rows'", "did you mean 'train-rows'?"],
    );
    refused(
        "[default]\nseeds = 3\n",
        &[&at(1), "did you mean 'defaults'?"],
    );
    refused("[defaults]\nseeds = 3\n", &["wanted a table [[transfer]]"]);
    refused("[[transfer]]\nseeds = 3\n", &[&at(1), "wanted transfer = "]);
    refused(
        &with("seeds = \"x\""),
        &[&at(2), "line 3: ", "wanted a count (3)"],
    );
    refused(
        &with("seeds = 4294967296"),
        &["line 3: ", "at most 10000 seeds"],
    );
    refused(
        &with("quick = 1"),
        &[&at(3), "quick: wanted true or false, found 1"],
    );
    refused(
        &with("steps = [1, 2]"),
        &[&at(3), "steps: wanted one value"],
    );
    refused(&with("steps = true"), &[&at(3), "found true"]);
    refused(&with("steps = 0"), &["line 3: ", "'0'"]);
    refused(
        &with("device = \"cpu\""),
        &[&at(3), "--device holds for the whole sweep"],
    );
    refused(
        &with("methods = [\"promt\"]"),
        &[&at(2), "did you mean 'prompt'?"],
    );
    refused(&with("steps = 1\nsteps = 2"), &["sweep.toml", "duplicate"]);
    refused(
        &format!("{table}{table}"),
        &[&at(4), "than at sweep.toml:2"],
    );
    refused(
        "[[transfer]]\ntransfer = \"squad->rase\"\n",
        &[&at(2), "'rase'", "race"],
    );
    // A list of transfers times one of models: more studies than anybody means.
    let many = |name: &str| format!("[{}]", vec![format!("\"{name}\""); 40].join(", "));
    refused(
        &format!(
            "[[transfer]]\ntransfer = {}\nmodel = {}\n",
            many("squad->race"),
            many("nano")
        ),
        &[&at(2), "wanted at most 1000 studies"],
    );
    for flags in [
        ["--json", "--quiet"],
        ["--list-cells", "--quiet"],
        ["--partition", "slice:1/2"],
    ] {
        run(folder.path(), table, &flags).code(2);
    }
    run(folder.path(), table, &["--save-plan", "p.json"])
        .code(2)
        .stderr(contains("--save-plan").and(contains("sweep")));
}

#[test]
fn a_failing_study_does_not_prevent_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let little = "[defaults]\nmethods = \"prompt\"\nseeds = 1\nsteps = 2\ntrain-rows = 8\neval-rows = 4\n\
                  validation-rows = 4\n";
    let sweep = format!(
        "{little}[[transfer]]\ntransfer = \"squad->race\"\nlearning-rate = 1e300\n\
         [[transfer]]\ntransfer = \"squad->drop\"\n"
    );
    let ended = run(folder.path(), &sweep, &["--out", "out"]).code(1);
    assert!(said(&ended).contains("1 of 2 studies are not complete: squad-to-race-"));
    let index = fs::read_to_string(folder.path().join("out/index.md")).expect("written");
    assert_eq!(index.matches("not complete").count(), 1, "{index}");
    assert_eq!(index.matches("/report.md)").count(), 2, "{index}");
}

#[cfg(unix)]
#[test]
fn the_first_signal_keeps_what_is_trained_in_every_study() {
    use std::io::{BufRead, BufReader};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let sweep = "[defaults]\nmethods = \"prompt\"\nseeds = 1\ntrain-rows = 8\neval-rows = 4\nvalidation-rows = 4\n\
                 [[transfer]]\ntransfer = \"squad->race\"\nsteps = 2\n\
                 [[transfer]]\ntransfer = \"squad->drop\"\nsteps = 100000\n";
    fs::write(folder.path().join("sweep.toml"), sweep).expect("written");
    let mut command = crate::ends::program(folder.path(), "run sweep.toml --jobs 1 --out out");
    command.env_remove("PROMPTSHIFT_STORE");
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut next = |wanted: &str| {
        let found = lines.any(|line| line.expect("text").contains(wanted));
        assert!(found, "{wanted}");
    };
    next("report: ");
    next("source validation");
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(killed.expect("kill").success());
    next("interrupted");
    assert_eq!(child.wait().expect("it ends").code(), Some(75));
}
