//! Templates that a model proposes, up to a run with one of them.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::domain::wording::Template;
use promptshift::record::folder::find;

fn promptshift(folder: &Path, words: &str) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder).args(words.split(' '));
    command
}

#[test]
fn a_proposed_template_can_be_tuned_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let propose = "template propose squad --rows 24 --keep 2 --eval-rows 4 --out ours";
    promptshift(folder, propose)
        .assert()
        .success()
        .stdout(contains("squad-1").and(contains("question: {question}")));
    let path = folder.join("ours/squad-1.toml");
    let template = Template::find(&path.display().to_string()).expect("a template");
    let (question, context) = ("{question}", "{context}");
    let text = template
        .text
        .replacen(question, "", 1)
        .replacen(context, "", 1);
    assert!(
        !text.trim().is_empty() && !text.contains("extra_id"),
        "{}",
        template.text
    );
    // A second proposal does not overwrite the first.
    let before = std::fs::read(&path).expect("written");
    promptshift(folder, propose)
        .assert()
        .failure()
        .stderr(contains("squad-1.toml"));
    promptshift(folder, &propose.replace("ours", "again"))
        .assert()
        .success();
    assert_eq!(
        std::fs::read(folder.join("again/squad-1.toml")).expect("written"),
        before
    );
    promptshift(
        folder,
        "transfer squad:textbookqa --methods prompt --template ours/squad-1.toml --seeds 1 --steps 2 \
         --batch-size 2 --train-rows 8 --eval-rows 4 --out run --quiet",
    )
    .assert()
    .success();
    let record = &find(&folder.join("run")).expect("records")[0].record;
    let used = record
        .cell
        .setting
        .wording
        .template
        .as_ref()
        .expect("it is recorded");
    assert_eq!(
        (&used.text, &used.sha256),
        (&template.text, &template.sha256)
    );
    promptshift(folder, "template propose sqad")
        .assert()
        .code(2)
        .stderr(contains("did you mean 'squad'"));
}
