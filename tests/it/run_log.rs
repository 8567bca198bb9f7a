//! `--log-to DIR`: TensorBoard event files of a study's runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use promptshift::record::folder::{StoredRecord, find};
use promptshift::tensorboard::scalars;
use promptshift::train::share;

use crate::ends::program;

const RUN: &str = "transfer squad->race --methods prompt --batch-size 2 --train-rows 8 --eval-rows 4 \
                   --validation-rows 4 --log-to curves";

fn study(folder: &Path, more: &str) -> Command {
    let mut command = program(folder, &format!("{RUN} {more}"));
    command
        .env_remove("PROMPTSHIFT_STORE")
        .env_remove("PROMPTSHIFT_DEVICE");
    command
}

fn run(folder: &Path, more: &str) {
    let output = study(folder, more).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

/// A run's scalars by tag, each with its steps in order.
fn logged(folder: &Path, run: &str) -> Vec<(String, usize, f32)> {
    let mut found = scalars(&folder.join("curves").join(run)).expect("read");
    found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    found
}

fn of(tag: &str, all: &[(String, usize, f32)]) -> Vec<(usize, f32)> {
    let own = all.iter().filter(|(own, ..)| own == tag);
    own.map(|(_, step, value)| (*step, *value)).collect()
}

fn record(folder: &Path, name: &str) -> StoredRecord {
    let mut found = find(&folder.join("out").join(name)).expect("a record");
    found.remove(0)
}

/// The scores of a record, which are at the kept step.
fn has_scores(all: &[(String, usize, f32)], stored: &StoredRecord) {
    let training = stored.record.training.as_ref();
    let step = training.map_or(0, |training| training.best_step);
    for evaluation in &stored.record.evaluations {
        for (metric, value) in &evaluation.metrics {
            let tag = format!("test/{}/{metric}", evaluation.domain);
            assert_eq!(of(&tag, all), [(step, *value as f32)], "{tag}");
        }
    }
}

#[test]
fn every_step_validation_and_score_is_logged_whoever_computes_them() {
    let mut all = Vec::new();
    for jobs in ["--jobs 1", "--jobs 2"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        run(folder, &format!("--out out --seeds 2 --steps 6 {jobs}"));
        let stored = record(folder, "prompt-seed1");
        let own = logged(folder, "prompt-seed1");
        has_scores(&own, &stored);
        has_scores(&logged(folder, "untuned"), &record(folder, "untuned"));
        let training = stored.record.training.as_ref().expect("it was trained");
        let curve = training.curve.iter();
        let curve: Vec<_> = (curve.clone())
            .map(|point| (point.step, point.validation_score as f32))
            .collect();
        assert_eq!(of("validation/score", &own), curve);
        let recipe = stored.record.cell.recipe.as_ref().expect("it has one");
        let rate = |step| {
            let rate = recipe.optimizer.learning_rate();
            (step, (rate * share(recipe.schedule, step - 1, 6)) as f32)
        };
        let rates: Vec<_> = (1..=6).map(rate).collect();
        assert_eq!(of("train/learning_rate", &own), rates);
        let losses = of("train/loss", &own);
        assert_eq!(losses.len(), 6);
        assert!(
            losses
                .iter()
                .all(|(_, loss)| loss.is_finite() && *loss > 0.0)
        );
        let is_clipped = recipe.objective.clip_norm.is_some();
        let norms = of("train/gradient_norm", &own);
        assert_eq!(norms.len(), if is_clipped { 6 } else { 0 });
        all.push(own);

        // The store has the training: its curve is written from the record, and trains nothing.
        let before = fs::read(folder.join("out/prompt-seed1/record.json")).expect("written");
        fs::remove_dir_all(folder.join("curves")).expect("removed");
        run(folder, &format!("--out out --seeds 2 --steps 6 {jobs}"));
        let after = fs::read(folder.join("out/prompt-seed1/record.json")).expect("written");
        assert_eq!(before, after);
        let own = logged(folder, "prompt-seed1");
        assert_eq!(of("validation/score", &own), curve);
        let means = training.curve.iter().filter_map(|point| {
            let loss = point.train_loss?;
            Some((point.step, loss as f32))
        });
        assert_eq!(of("train/loss", &own), means.collect::<Vec<_>>());
        has_scores(&own, &stored);
    }
    assert_eq!(all[0], all[1]);
}

#[test]
fn trials_are_logged_by_their_rates() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, "--out out --seeds 1 --steps 2 --trials 2 --jobs 1");
    let stored = record(folder, "prompt-seed0");
    let search = stored.record.search.as_ref().expect("searched");
    for trial in &search.trials {
        let rate = trial.learning_rate;
        let own = logged(folder, &format!("search-prompt/rate-{rate}"));
        let schedule = stored.record.cell.recipe.as_ref().expect("one").schedule;
        let rates = [1, 2].map(|step| (step, (rate * share(schedule, step - 1, 2)) as f32));
        assert_eq!(of("train/learning_rate", &own), rates);
    }
}

#[test]
fn another_studys_curve_of_the_same_name_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let words = "--seeds 1 --steps 2 --jobs 1";
    run(folder, &format!("--out out {words}"));
    let first = logged(folder, "prompt-seed0");
    run(folder, &format!("--out other {words} --learning-rate 0.1"));
    assert_eq!(logged(folder, "prompt-seed0"), first);
    let runs = fs::read_dir(folder.join("curves")).expect("there");
    let names = runs.map(|run| {
        run.expect("readable")
            .file_name()
            .into_string()
            .expect("text")
    });
    let mut others: Vec<String> = names
        .filter(|name| name.starts_with("prompt-seed0-"))
        .collect();
    let other = others.pop().expect("a run of its own");
    assert!(others.is_empty());
    let rates = of("train/learning_rate", &logged(folder, &other));
    assert_eq!(rates.len(), 2);
    assert_ne!(rates, of("train/learning_rate", &first));
}

#[test]
fn a_resumed_run_has_every_step_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let words = "--out out --seeds 1 --steps 60 --jobs 1";
    let mut child = study(folder, words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let started = Instant::now();
    let steps = || of("train/loss", &logged(folder, "prompt-seed0")).len();
    while steps() < 20 {
        assert!(
            started.elapsed() < Duration::from_secs(300),
            "{} steps",
            steps()
        );
        thread::sleep(Duration::from_millis(20));
    }
    // SAFETY: the process is a child that was not waited for.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let taken = steps();
    assert!(taken < 60, "it was interrupted");
    run(folder, words);
    let resumed = logged(folder, "prompt-seed0");
    let files = fs::read_dir(folder.join("curves/prompt-seed0")).expect("there");
    assert_eq!(files.count(), 3, "two processes, and the scores");
    let fresh = tempfile::tempdir().expect("a folder");
    run(fresh.path(), words);
    assert_eq!(resumed, logged(fresh.path(), "prompt-seed0"));
    assert_eq!(of("train/loss", &resumed).len(), 60);
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_before_anything_is_computed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("curves"), "").expect("written");
    let output = study(folder, "--out out --seeds 1 --steps 2 --jobs 1")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--log-to curves"), "{said}");
    assert!(!folder.join("runs/store/trainings").exists());
}
