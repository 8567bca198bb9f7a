//! A study of a thousand cells: how long what looks at all of them takes. No training is made but two, of which the others
//! are copies by another name.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use promptshift::store::{Batch, Of, Store};

use crate::slurm::Cluster;

fn study(seeds: usize) -> String {
    format!(
        "transfer squad->race --methods prompt,lora --seeds {seeds} --steps 4 --batch-size 2 --train-rows 8 \
         --validation-rows 4 --eval-rows 50"
    )
}

/// A command's time, which is printed and held against what it may take.
fn timed(cluster: &Cluster, what: &str, words: &str, (code, most): (i32, u64)) -> String {
    let started = Instant::now();
    let output = cluster.promptshift(words);
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{what}: {said}");
    println!("{what}: {:.2} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(most), "{what}: {took:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The queue as it is when all that was submitted waits.
fn all_wait(cluster: &Cluster) {
    let tasks = |job: usize, count: usize| {
        (0..count).map(move |at| format!("{job}|{at}|PENDING|Priority\n"))
    };
    let sizes = [(101, 1), (102, 500), (103, 500)];
    let queue: String = (sizes.into_iter())
        .flat_map(|(job, count)| tasks(job, count))
        .collect();
    let queue = queue + "104|N/A|PENDING|Dependency\n";
    fs::write(cluster.path().join("queue"), queue).expect("written");
}

#[test]
#[ignore = "a measurement: cargo test --test it a_thousand_cells -- --ignored --nocapture"]
fn a_thousand_cells_are_handled_in_seconds() {
    let cluster = Cluster::new(1001);
    let study = study(250);
    timed(
        &cluster,
        "--list-cells, all missing",
        &format!("{study} --list-cells"),
        (0, 10),
    );
    let submission = format!("slurm {study} --out out --cells-per-task 1 --submit");
    timed(&cluster, "submission", &submission, (0, 20));
    all_wait(&cluster);
    timed(&cluster, "second submission", &submission, (0, 10));
    timed(&cluster, "status, all waiting", "slurm status out", (0, 10));
    fs::remove_file(cluster.path().join("queue")).expect("removed");
    let about = fs::read(cluster.path().join("out/slurm/1/submission.json")).expect("written");
    let about: Value = serde_json::from_slice(&about).expect("JSON");
    for name in ["trainings-1", "evaluations-1"] {
        let cells = fs::read_to_string(cluster.path().join(format!("out/slurm/1/{name}.cells")));
        let cells = cells.expect("written").trim().replace('\n', ",");
        cluster.says(&format!(
            "slurm give-up out/slurm/1/study.json --store {} --cell {cells} --status 137",
            about["store"].as_str().expect("a path")
        ));
    }
    timed(&cluster, "status, all failed", "slurm status out", (0, 10));
    let report = format!("{study} --report-only --out out");
    timed(&cluster, "--report-only, all failed", &report, (1, 60));
}

#[test]
#[ignore = "a measurement: cargo test --test it a_thousand_cells -- --ignored --nocapture"]
fn a_thousand_cells_that_are_done_are_handled_in_seconds() {
    let cluster = Cluster::new(1001);
    let whole = study(250);
    let submission = format!("slurm {whole} --out out --cells-per-task 1 --submit");
    cluster.says(&submission);
    cluster.says(&format!("{} --out one --quiet", study(1)));
    copies(&cluster.path().join("runs/store"), 250);

    let list = format!("{whole} --list-cells");
    let said = timed(
        &cluster,
        "--list-cells, done by another command",
        &list,
        (0, 20),
    );
    assert_eq!(said.matches("\"done\"").count(), 1001);
    timed(&cluster, "submission of the report", &submission, (0, 30));
    let said = timed(&cluster, "--list-cells", &list, (0, 10));
    assert_eq!(said.matches("\"done\"").count(), 1001);
    let report = format!("{whole} --report-only --out out --quiet");
    timed(&cluster, "report, its records written", &report, (0, 120));
    timed(&cluster, "report again", &report, (0, 60));
    let said = timed(&cluster, "submission of nothing", &submission, (0, 10));
    assert!(said.contains("1001 cells: 1001 done"), "{said}");
    assert!(said.contains("nothing to submit"), "{said}");
    let said = timed(&cluster, "status", "slurm status out", (0, 10));
    assert!(said.contains("evaluation     501: 501 done"), "{said}");
}

/// Copies what the store has of seed 0 for the other seeds.
fn copies(root: &Path, seeds: u64) {
    let store = Store::at(root);
    for found in store.trainings().expect("listed") {
        let training = found.training.expect("whole");
        for seed in 1..seeds {
            let mut record = training.record.clone();
            record.subject.seed = seed;
            let name = record.environment.name(&record.subject);
            record.training.stored_as = Some(name.clone());
            let work = store.begin(&name).expect("free");
            for file in fs::read_dir(&training.folder).expect("listed") {
                let file = file.expect("listed");
                if file.file_name() != "training.json" {
                    fs::hard_link(file.path(), work.draft().join(file.file_name()))
                        .expect("linked");
                }
            }
            work.finish(&record).expect("written");
            for file in fs::read_dir(root.join("answers").join(&training.name)).expect("listed") {
                let text = fs::read(file.expect("listed").path()).expect("read");
                let mut batch: Batch = serde_json::from_slice(&text).expect("answers");
                let Of::Training { name: of, .. } = &mut batch.asked.of else {
                    panic!("answers of a training");
                };
                of.clone_from(&name);
                store.keep_answers(&batch).expect("written");
            }
        }
    }
}
