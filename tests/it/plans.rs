//! Plans as files: `--save-plan` and `run`.

use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::study::{Study, StudyFileError};
use serde_json::{Value, json};

/// A change of a plan.
type Change = fn(&mut Value);

const TINY: &str = "--seeds 1 --steps 2 --train-rows 8 --eval-rows 6 --validation-rows 6 --jobs 1";

fn promptshift(folder: &Path, line: &str) -> Assert {
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .current_dir(folder)
        .env_remove("PROMPTSHIFT_STORE")
        .env_remove("PROMPTSHIFT_DEVICE")
        .args(line.split(' '))
        .assert()
}

#[test]
fn a_saved_plan_reads_back_equal_and_runs_like_its_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for line in [
        "transfer squad->textbookqa --out typed",
        "ablate length squad->race --lengths 1,20 --out typed-lengths",
    ] {
        let file = format!("{}.json", line.split(' ').next().expect("a verb"));
        promptshift(folder.path(), &format!("{line} {TINY} --save-plan {file}")).success();
        let out = line.split(' ').next_back().expect("a folder");
        assert!(!folder.path().join(out).exists(), "nothing is run");
        let study = Study::read(&folder.path().join(&file)).expect("its own");
        let again = folder.path().join(format!("again-{file}"));
        study.save(&again).expect("a new file");
        assert_eq!(Study::read(&again).expect("its own"), study);
        promptshift(folder.path(), &format!("{line} {TINY}")).success();
        promptshift(folder.path(), &format!("run {file} --out planned"))
            .success()
            .stderr(contains(" 0 to do; ").and(contains(", 0 to do\n")));
        let report = |out: &str| std::fs::read_to_string(folder.path().join(out).join("report.md"));
        let bodies = [out, "planned"].map(|out| report(out).expect("written"));
        let [typed, planned] = bodies.each_ref().map(|text| {
            text.split("## Provenance")
                .next()
                .expect("the report's part with numbers")
        });
        assert_eq!(typed, planned);
        std::fs::remove_dir_all(folder.path().join("planned")).expect("written");
    }
}

#[test]
fn an_unknown_field_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let line = format!("transfer squad->textbookqa {TINY} --save-plan plan.json");
    promptshift(folder.path(), &line).success();
    promptshift(folder.path(), &line)
        .code(1)
        .stderr(contains("plan.json"));
    let path = folder.path().join("plan.json");
    let text = std::fs::read_to_string(&path).expect("written");
    let read = |change: &dyn Fn(&mut Value)| {
        let mut plan: Value = serde_json::from_str(&text).expect("JSON");
        change(&mut plan);
        std::fs::write(&path, plan.to_string()).expect("written");
        Study::read(&path)
    };
    read(&|_| ()).expect("as it was");
    let error = read(&|plan| plan["parts"][0]["plan"]["setting"]["eval_row"] = json!(3));
    assert!(
        matches!(&error, Err(StudyFileError::Unknown { field, found, .. })
            if field == "parts[0].plan.setting.eval_row" && found == "3"),
        "{error:?}"
    );
    let error = read(&|plan| plan["promptshift_study"] = json!(9));
    assert!(
        matches!(error, Err(StudyFileError::Malformed { .. })),
        "{error:?}"
    );
    let contradictions: [(&str, Change); 7] = [
        ("parts", |plan| plan["parts"] = json!([])),
        ("parts.variant", |plan| {
            plan["parts"][0]["variant"] = json!({"folder": "a", "place": "1", "series": "s"});
        }),
        ("parts.plan.setting.suite", |plan| {
            plan["parts"][0]["plan"]["setting"]["suite"] = json!("mrqa");
        }),
        ("parts.plan.setting.model", |plan| {
            plan["parts"][0]["plan"]["setting"]["model"] = json!("google/t5-xxl");
        }),
        ("parts.plan.recipes", |plan| {
            plan["parts"][0]["plan"]["methods"] = json!(["untuned", "lora"]);
        }),
        ("parts.plan.recipes", |plan| {
            plan["parts"][0]["plan"]["methods"] = json!([]);
        }),
        ("parts.plan, a duplicate run", |plan| {
            plan["parts"][0]["plan"]["seeds"] = json!([0, 0]);
        }),
    ];
    for (wanted, change) in contradictions {
        let error = read(&change);
        assert!(
            matches!(&error, Err(StudyFileError::Unknown { field, .. }) if field == wanted),
            "{wanted}: {error:?}"
        );
    }
    promptshift(folder.path(), "run plan.json")
        .code(2)
        .stderr(contains("plan.json"));
}
