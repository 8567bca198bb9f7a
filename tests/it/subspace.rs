//! Prompts of several runs, the subspace that they span, and a prompt that is tuned inside it.

use std::path::Path;

use assert_cmd::Command;
use predicates::str::contains;
use promptshift::record::folder::find;
use promptshift::tuning::saved::{PromptFile, SubspaceFile};

fn promptshift(folder: &Path, words: &str) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder).args(words.split(' '));
    command
}

const TINY: &str =
    "--steps 3 --batch-size 2 --train-rows 8 --eval-rows 6 --validation-rows 6 --quiet";

#[test]
fn a_prompt_is_tuned_in_the_subspace_of_earlier_prompts() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    promptshift(
        folder,
        &format!("transfer squad:textbookqa --methods prompt --seeds 3 --out runs {TINY}"),
    )
    .assert()
    .success();
    let prompts = "runs/prompt-seed0 runs/prompt-seed1 runs/prompt-seed2";
    promptshift(folder, &format!("prompt subspace {prompts} --dim 3"))
        .assert()
        .code(1)
        .stderr(contains("3 prompts span 2"));
    promptshift(
        folder,
        &format!("prompt subspace {prompts} --dim 2 --out s.safetensors"),
    )
    .assert()
    .success()
    .stderr(contains("squad prompt 0, squad prompt 1, squad prompt 2"));
    let tuned = format!("transfer squad:race --methods intrinsic --seeds 1 --out inside {TINY}");
    promptshift(folder, &tuned)
        .assert()
        .code(2)
        .stderr(contains("wanted --subspace FILE"));
    promptshift(
        folder,
        &format!("{tuned} --subspace runs/prompt-seed0/prompt.safetensors"),
    )
    .assert()
    .code(2)
    .stderr(contains("wanted a subspace"));
    promptshift(
        folder,
        &format!("{tuned} --subspace s.safetensors --tune-on 2 --tune-on-steps 2"),
    )
    .assert()
    .success();
    let records = find(&folder.join("inside")).expect("records");
    let record = &records
        .iter()
        .find(|one| one.record.training.is_some())
        .expect("it")
        .record;
    let training = record.training.as_ref().expect("it was trained");
    assert_eq!(training.trainable_parameters, 2);
    assert_eq!(training.saved.file, "prompt.safetensors");
    assert_eq!(record.k_shots.len(), 1);
    // The tuned prompt is in the plane of the three prompts.
    let (file, _) = SubspaceFile::open(&folder.join("s.safetensors")).expect("read");
    assert_eq!((file.subspace.length(), file.subspace.dimension()), (20, 2));
    let open = |name: &str| {
        PromptFile::open(&folder.join(name))
            .expect("a prompt")
            .vectors
    };
    let inside = open("inside/intrinsic-seed0");
    let all: Vec<_> = (0..3)
        .map(|seed| open(&format!("runs/prompt-seed{seed}")))
        .collect();
    let four: Vec<_> = all.iter().chain([&inside]).collect();
    let error = promptshift::tuning::saved::Subspace::of(&four, 3).expect_err("one plane");
    assert!(error.to_string().contains("4 prompts span 2"), "{error}");
    promptshift(
        folder,
        &format!("transfer squad:race --methods prompt --subspace s.safetensors --out x {TINY}"),
    )
    .assert()
    .code(2)
    .stderr(contains("intrinsic is not among"));
}
