//! The cost of reading many records, on fixed workloads: `cargo bench --profile dev --bench statistics`.
//!
//! `leaderboard/1000` is everything `promptshift leaderboard` does with a thousand records; `report/million`
//! is the analysis of a million predictions with its report. Limits on time and memory are asserted in one
//! run before timing and by `cargo test --bench statistics`.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use promptshift::atomic_file;
use promptshift::memory::peak_of;
use promptshift::record::Prediction;
use promptshift::record::folder::{StoredRecord, find, read};
use promptshift::record::seal::sealed;
use promptshift::report::leaderboard::leaderboard;
use promptshift::report::{analyse, json};

/// Several times the duration of each workload on two idle cores, since tests may run alongside others.
const MARK: Duration = Duration::from_secs(60);

/// A committed study: two methods with five seeds, and the untuned model.
fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/squad-to-textbookqa")
}

/// Runs the workload once and asserts its limits.
fn held<T>(what: &str, longest: Duration, most_bytes: u64, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let (done, bytes) = peak_of(work);
    let took = started.elapsed();
    println!("{what}: {took:.2?}, {} MB at the peak", bytes / 1_000_000);
    assert!(took < longest, "{what}: {took:.1?}, wanted {longest:.0?}");
    assert!(
        bytes < most_bytes,
        "{what}: {bytes} bytes, wanted {most_bytes}"
    );
    done
}

/// Seeds per model: with the untuned model, as many records as 13 methods with three seeds.
const SEEDS: u64 = 39;
const MODELS: usize = 25;

/// A thousand records: copies of two committed ones, under one model and seed after another.
fn write_many(into: &Path) {
    let originals = ["untuned", "prompt-seed0"];
    let [untuned, prompt] = originals.map(|name| read(&committed().join(name)).expect("committed"));
    for model in 0..MODELS {
        let name = format!("model-{model}");
        write_copy(&untuned, &into.join(&name).join("untuned"), &name, 0);
        for seed in 0..SEEDS {
            let home = into.join(&name).join(format!("prompt-seed{seed}"));
            write_copy(&prompt, &home, &name, seed);
        }
    }
}

fn write_copy(stored: &StoredRecord, home: &Path, model: &str, seed: u64) {
    let mut record = stored.record.clone();
    record.cell.setting.model = model.to_owned();
    record.cell.seed = seed;
    fs::create_dir_all(home).expect("made");
    fs::write(home.join("record.json"), sealed(&record)).expect("written");
    for file in fs::read_dir(&stored.folder).expect("readable") {
        let file = file.expect("readable");
        if file.file_name() != "record.json" {
            atomic_file::link(&file.path(), &home.join(file.file_name())).expect("a new name");
        }
    }
}

fn leaderboard_of_many(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_many(folder.path());
    let work = || {
        let records = find(folder.path()).expect("just written");
        let board = leaderboard(&records, &[]).expect("consistent");
        assert_eq!((records.len(), board.rows.len()), (1_000, 2 * MODELS));
        board.json().len() + board.page().len()
    };
    held("leaderboard of 1,000 records", MARK, 1 << 30, work);
    let mut group = c.benchmark_group("leaderboard");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1000", |b| b.iter(|| black_box(work())));
    group.finish();
}

/// The committed records of tuned methods, with their predictions repeated under other row names until there
/// are enough.
fn enlarged(at_least: usize) -> Vec<StoredRecord> {
    let mut records = find(&committed()).expect("committed");
    let count: usize = records
        .iter()
        .flat_map(|stored| &stored.predictions)
        .map(Vec::len)
        .sum();
    let times = at_least.div_ceil(count);
    for stored in &mut records {
        // Checkpoints have predictions for the original rows only.
        stored.checkpoints.clear();
        if let Some(training) = &mut stored.record.training {
            training.checkpoints.clear();
        }
        for (evaluation, predictions) in stored
            .record
            .evaluations
            .iter_mut()
            .zip(&mut stored.predictions)
        {
            let repeated = (0..times).flat_map(|time| {
                predictions.iter().map(move |one| Prediction {
                    id: format!("{}-{time}", one.id),
                    passage: format!("{}-{time}", one.passage),
                    ..one.clone()
                })
            });
            *predictions = repeated.collect();
            evaluation.examples = predictions.len();
        }
    }
    records
}

fn report_of_a_million(c: &mut Criterion) {
    let records = enlarged(1_000_000);
    let work = || {
        let analysis = analyse(&records, &[]).expect("consistent");
        (
            json(&analysis.comparisons).len(),
            analysis.document.markdown("figures").len(),
        )
    };
    held("report of a million predictions", MARK, 3 << 30, work);
    let mut group = c.benchmark_group("report");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("million", |b| b.iter(|| black_box(work())));
    group.finish();
}

criterion_group!(statistics, leaderboard_of_many, report_of_a_million);

fn main() {
    promptshift::memory::keep_freed_memory();
    statistics();
    Criterion::default().configure_from_args().final_summary();
}
